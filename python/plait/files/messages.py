"""The messages of `/plait/files/1.0.0`, as docs/protocols/files.md describes them.

Numbers are big-endian. Every message is bounded before it is read, and every malformed one raises
`FileProtocolError`; what its *name* may be is decided in `plait.files.names`.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from plait.files.errors import FileProtocolError

__all__ = [
    "DIGEST_SIZE",
    "MAX_REPLY",
    "MAX_REQUEST",
    "MAX_SIZE",
    "PROTOCOL",
    "RESET_CANCELLED",
    "RESET_SOURCE",
    "VERSION",
    "Reply",
    "ReplyCode",
    "Request",
    "UnsupportedRequestError",
]

PROTOCOL = "/plait/files/1.0.0"


class ReplyCode(IntEnum):
    """What the receiver says, before the bytes (go ahead or not) and after them (verified or not)."""

    OK = 0
    DECLINED = 1
    EXISTS = 2
    BAD_NAME = 3
    TOO_LARGE = 4
    NO_SPACE = 5
    UNSUPPORTED = 6
    BUSY = 7
    WRITE_FAILED = 8
    DIGEST_MISMATCH = 9
    MALFORMED = 10


class UnsupportedRequestError(FileProtocolError):
    """A well-formed request of a version, or with features, that we do not know."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the sender offers: the first message of a stream.

    Attributes:
        name: relative path with ``/`` between its parts, still as the peer's bytes: unchecked.
        size: bytes that will follow if the receiver says so.
        extensions: by type; those that we do not know may be ignored.
    """

    name: bytes
    size: int
    extensions: Mapping[int, bytes] = field(default_factory=dict)

    def encode(self) -> bytes:
        head = REQUEST_HEAD.pack(VERSION, NO_FEATURES, self.size, len(self.name))
        return head + self.name + _encode_extensions(self.extensions)

    @classmethod
    def decode(cls, message: bytes) -> Request:
        """Reads a message of at most `MAX_REQUEST` bytes.

        Raises:
            UnsupportedRequestError: another version, or a feature that we do not have.
            FileProtocolError: malformed.
        """
        # Version and features come first, so that a later layout is refused for what it is.
        if len(message) >= 2 and message[0] != VERSION:
            raise UnsupportedRequestError(f"version {message[0]} of the request is not known here")
        if len(message) >= 2 and message[1] != NO_FEATURES:
            raise UnsupportedRequestError(f"features {message[1]:#04x} are not known here")
        if len(message) < REQUEST_HEAD.size:
            raise FileProtocolError(f"a request of {len(message)} bytes is too short")
        _, _, size, name_size = REQUEST_HEAD.unpack_from(message)
        if size > MAX_SIZE:
            raise FileProtocolError(f"a file of {size} bytes cannot be")
        end = REQUEST_HEAD.size + name_size
        if end > len(message):
            raise FileProtocolError("the name of a request is cut off")
        return cls(message[REQUEST_HEAD.size : end], size, _decode_extensions(message, end))


@dataclass(frozen=True, slots=True)
class Reply:
    """What the receiver says about the offer, and at the end about the file.

    Attributes:
        code: a `ReplyCode`, or another number that a later receiver may use for another refusal.
        text: for people; printable.
    """

    code: int
    text: str = ""
    extensions: Mapping[int, bytes] = field(default_factory=dict)

    def encode(self) -> bytes:
        text = self.text.encode("utf-8", "replace")[:MAX_TEXT]
        # A cut in the middle of a character would make the message malformed.
        text = text.decode("utf-8", "ignore").encode()
        return REPLY_HEAD.pack(self.code, len(text)) + text + _encode_extensions(self.extensions)

    @classmethod
    def decode(cls, message: bytes) -> Reply:
        """Reads a message of at most `MAX_REPLY` bytes.

        Raises:
            FileProtocolError: malformed.
        """
        if len(message) < REPLY_HEAD.size:
            raise FileProtocolError(f"a reply of {len(message)} bytes is too short")
        code, text_size = REPLY_HEAD.unpack_from(message)
        end = REPLY_HEAD.size + text_size
        if text_size > MAX_TEXT or end > len(message):
            raise FileProtocolError("the text of a reply is too long or cut off")
        try:
            text = message[REPLY_HEAD.size : end].decode()
        except UnicodeDecodeError:
            raise FileProtocolError("the text of a reply is not UTF-8") from None
        # It will be shown on a terminal, and terminals obey control characters.
        text = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
        return cls(code, text, _decode_extensions(message, end))


def _encode_extensions(extensions: Mapping[int, bytes]) -> bytes:
    parts = (EXTENSION_HEAD.pack(kind, len(value)) + value for kind, value in extensions.items())
    return b"".join(parts)


def _decode_extensions(message: bytes, start: int) -> dict[int, bytes]:
    extensions: dict[int, bytes] = {}
    while start < len(message):
        if start + EXTENSION_HEAD.size > len(message):
            raise FileProtocolError("an extension is cut off")
        kind, size = EXTENSION_HEAD.unpack_from(message, start)
        start += EXTENSION_HEAD.size
        if start + size > len(message):
            raise FileProtocolError(f"extension {kind} is cut off")
        if kind in extensions:
            raise FileProtocolError(f"extension {kind} is there twice")
        extensions[kind] = message[start : start + size]
        start += size
    return extensions


VERSION = 1

# Feature bits: each asks the receiver for something that it must know. There are none yet.
NO_FEATURES = 0

REQUEST_HEAD = struct.Struct(">BBQH")
REPLY_HEAD = struct.Struct(">BH")
EXTENSION_HEAD = struct.Struct(">BH")

# The largest size that every file system's signed 64-bit offsets can express.
MAX_SIZE = 2**63 - 1

# The longest name (1 KiB), its header, and three times as much for extensions to come.
MAX_REQUEST = 4096

# A line of text for people.
MAX_TEXT = 512

# The longest text and some room for extensions; small, as both sides hold it in memory.
MAX_REPLY = 2048

DIGEST_SIZE = 32

# Error codes of a stream reset by the sender, above those that libp2p uses itself.
RESET_CANCELLED = 0x2101
RESET_SOURCE = 0x2102
