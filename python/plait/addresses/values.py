"""How the values of multiaddr components are written, as text and as bytes.

The values that connections are made of are read here: strictly, and without the packages that
`multiaddr` loads for them, which take longer to load than all of plait. Rare ones are left to it.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from plait.identity import PeerId, multibase

if TYPE_CHECKING:
    from multiaddr.protocols import Protocol

__all__ = ["Value", "value_of"]


class Value(NamedTuple):
    """One way to write values. Both functions raise `ValueError` for what they do not accept.

    Attributes:
        size: bytes on the wire; `None` when a length goes before them.
        encode: from text to bytes.
        decode: from bytes to text.
        is_path: whether the value takes all of the rest, slashes included.
    """

    size: int | None
    encode: Callable[[str], bytes]
    decode: Callable[[bytes], str]
    is_path: bool = False


def value_of(protocol: Protocol) -> Value | None:
    """How values of a protocol are written; `None` when it has none."""
    if protocol.codec is None:
        return None
    return VALUES.get(protocol.codec) or _left_to_the_package(protocol)


@cache
def _left_to_the_package(protocol: Protocol) -> Value:
    from multiaddr.codecs import codec_by_name

    codec = codec_by_name(protocol.codec)

    def checked(text: str) -> bytes:
        raw = codec.to_bytes(protocol, text)
        if codec.SIZE > 0 and len(raw) != codec.SIZE // 8:
            raise ValueError(f"{codec.SIZE // 8} bytes are needed, these are {len(raw)}")
        return raw

    return Value(
        size=codec.SIZE // 8 if codec.SIZE > 0 else None,
        encode=_only_value_errors(checked),
        decode=_only_value_errors(lambda raw: codec.to_string(protocol, raw)),
    )


def _only_value_errors(convert: Callable[[Given], Made]) -> Callable[[Given], Made]:
    def converted(given: Given) -> Made:
        try:
            return convert(given)
        except ValueError:
            raise
        except Exception as error:
            # The package's codecs raise whatever their own dependencies raise.
            raise ValueError(str(error)) from error

    return converted


def _encode_ip(family: socket.AddressFamily, name: str) -> Callable[[str], bytes]:
    def encode(text: str) -> bytes:
        try:
            return socket.inet_pton(family, text)
        except OSError:
            raise ValueError(f"{text!r} is no {name} address") from None

    return encode


def _encode_number(size: int) -> Callable[[str], bytes]:
    highest = (1 << 8 * size) - 1

    def encode(text: str) -> bytes:
        # `int` takes signs, spaces, underscores and the digits of all scripts.
        if not DECIMAL.fullmatch(text) or int(text) > highest:
            raise ValueError(f"{text!r} is no number from 0 to {highest}")
        return int(text).to_bytes(size, "big")

    return encode


def _decode_number(raw: bytes) -> str:
    return str(int.from_bytes(raw, "big"))


def _encode_name(text: str) -> bytes:
    raw = text.encode()
    _decode_name(raw)
    return raw


def _decode_name(raw: bytes) -> str:
    text = raw.decode()
    if not text:
        raise ValueError("empty name")
    if len(raw) > MAX_NAME:
        raise ValueError(f"a name has at most {MAX_NAME} bytes")
    if not text.isprintable() or "/" in text or " " in text:
        raise ValueError("a name has no spaces, slashes or control characters")
    return text


def _encode_peer(text: str) -> bytes:
    return bytes(PeerId.from_text(text))


def _decode_peer(raw: bytes) -> str:
    # The `multiaddr` package puts the whole CID there when the text was one.
    return str(PeerId(raw.removeprefix(b"\x01\x72")))


def _encode_certificate_hash(text: str) -> bytes:
    raw = multibase.decode(text)
    _decode_certificate_hash(raw)
    return raw


def _decode_certificate_hash(raw: bytes) -> str:
    # Code and length take one byte each for every hash that certificates are compared by.
    if len(raw) < 3 or raw[0] >= 0x80 or raw[1] != len(raw) - 2:
        raise ValueError("no multihash")
    return multibase.encode("u", raw)


def _encode_path(text: str) -> bytes:
    if text.strip("/") == "" or "\0" in text:
        raise ValueError("no path")
    return text.encode()


def _decode_path(raw: bytes) -> str:
    text = raw.decode()
    _encode_path(text)
    return text if text.startswith("/") else "/" + text


Given = TypeVar("Given")
Made = TypeVar("Made")

DECIMAL = re.compile(r"[0-9]{1,20}", re.ASCII)

# The longest name that DNS has.
MAX_NAME = 253

# By the codec names of the `multiaddr` package.
VALUES = {
    "ip4": Value(4, _encode_ip(socket.AF_INET, "IPv4"), partial(socket.inet_ntop, socket.AF_INET)),
    "ip6": Value(16, _encode_ip(socket.AF_INET6, "IPv6"), partial(socket.inet_ntop, socket.AF_INET6)),
    "uint16be": Value(2, _encode_number(2), _decode_number),
    "memory": Value(8, _encode_number(8), _decode_number),
    "domain": Value(None, _encode_name, _decode_name),
    "utf8": Value(None, _encode_name, _decode_name),
    "cid": Value(None, _encode_peer, _decode_peer),
    "certhash": Value(None, _encode_certificate_hash, _decode_certificate_hash),
    "fspath": Value(None, _encode_path, _decode_path, is_path=True),
}
