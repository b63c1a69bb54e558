"""Multiaddrs as sequences of components, read from text and from bytes.

Names and numbers of the protocols come from the `multiaddr` package. Splitting is ours, because the
package takes truncated bytes and unknown forms for valid ones; how values are read is in `values`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from plait.addresses.values import Value, value_of
from plait.exceptions import InvalidMultiaddrError

if TYPE_CHECKING:
    from multiaddr.protocols import Protocol

__all__ = ["UNASKED", "Component", "from_bytes", "from_text", "to_bytes", "to_text"]


# There are some forty protocols; what peers make up only empties the cache.
KNOWN = 128
# What an address keeps of itself before anybody has asked for it.
UNASKED = object()


class Component(NamedTuple):
    """One protocol of a multiaddr.

    Attributes:
        name: of the protocol, such as `"tcp"`.
        code: of the protocol, as on the wire.
        value: as on the wire; empty when the protocol has none.
        text: the value for people; `None` when the protocol has none.
    """

    name: str
    code: int
    value: bytes
    text: str | None


def from_text(text: str) -> tuple[Component, ...]:
    """Reads the text form; raises `InvalidMultiaddrError` that points at what is wrong."""
    if len(text) > MAX_TEXT:
        raise InvalidMultiaddrError(f"{len(text)} characters are more than a multiaddr may have")
    if not text.startswith("/"):
        raise _text_error("a multiaddr starts with '/'", text, 0, 1)
    found: list[Component] = []
    end = len(text.rstrip("/"))
    position = 0
    while position < end:
        start = position + 1
        position = _next_slash(text, start, end)
        name = text[start:position]
        if not name:
            raise _text_error("an empty component", text, start, 1)
        protocol = _protocol(NAME_ALIASES.get(name, name))
        if protocol is None:
            raise _text_error(f"unknown protocol {name!r}", text, start, len(name))
        value = value_of(protocol)
        if value is None:
            found.append(Component(protocol.name, protocol.code, b"", None))
            continue
        if position >= end:
            raise _text_error(f"{name!r} needs a value", text, start, len(name))
        start = position + 1
        position = end if value.is_path else _next_slash(text, start, end)
        given = text[start - 1 if value.is_path else start : position]
        try:
            raw = value.encode(given)
            found.append(Component(protocol.name, protocol.code, raw, value.decode(raw)))
        except ValueError as error:
            raise _text_error(f"bad value of {name!r}: {error}", text, start, len(given)) from error
    return _bounded(found)


def from_bytes(data: bytes) -> tuple[Component, ...]:
    """Reads the binary form; raises `InvalidMultiaddrError` that points at what is wrong."""
    if len(data) > MAX_SIZE:
        raise InvalidMultiaddrError(f"{len(data)} bytes are more than a multiaddr may have")
    found: list[Component] = []
    position = 0
    while position < len(data):
        start = position
        try:
            code, position = _varint(data, position)
            protocol = _protocol(code)
            if protocol is None:
                raise ValueError(f"unknown protocol {code}")
            value = value_of(protocol)
            if value is None:
                found.append(Component(protocol.name, code, b"", None))
                continue
            size, position = _size(value, data, position)
            raw = data[position : position + size]
            if len(raw) < size:
                raise ValueError(f"{protocol.name!r} needs {size} bytes, {len(raw)} are there")
            position += size
            if value.is_path and position < len(data):
                raise ValueError(f"{protocol.name!r} must be last")
            text = value.decode(raw)
            # Back from the text, so that two forms of one value become the same bytes.
            found.append(Component(protocol.name, code, value.encode(text), text))
        except ValueError as error:
            raise _bytes_error(str(error), data, start, position) from error
    return _bounded(found)


def to_text(components: tuple[Component, ...]) -> str:
    """The text form."""
    parts: list[str] = []
    for name, _, _, text in components:
        parts.append(name)
        if text is not None:
            parts.append(text.removeprefix("/"))
    return "".join("/" + part for part in parts)


def to_bytes(components: tuple[Component, ...]) -> bytes:
    """The binary form."""
    out = bytearray()
    for name, code, raw, text in components:
        out += _prefix(code)
        if text is not None and _has_length(name):
            _append_varint(out, len(raw))
        out += raw
    return bytes(out)


@lru_cache(maxsize=KNOWN)
def _prefix(code: int) -> bytes:
    out = bytearray()
    _append_varint(out, code)
    return bytes(out)


@lru_cache(maxsize=KNOWN)
def _has_length(name: str) -> bool:
    protocol = _protocol(name)
    if protocol is None:
        raise InvalidMultiaddrError(f"unknown protocol {name!r}")
    value = value_of(protocol)
    return value is not None and value.size is None


@lru_cache(maxsize=KNOWN)
def _protocol(name_or_code: str | int) -> Protocol | None:
    # Loaded on first use; a program that only imports plait has no addresses yet.
    from multiaddr.exceptions import ProtocolNotFoundError
    from multiaddr.protocols import REGISTRY

    try:
        return REGISTRY.find(name_or_code)
    except ProtocolNotFoundError:
        return None


def _size(value: Value, data: bytes, position: int) -> tuple[int, int]:
    if value.size is not None:
        return value.size, position
    return _varint(data, position)


def _bounded(found: list[Component]) -> tuple[Component, ...]:
    if len(found) > MAX_COMPONENTS:
        raise InvalidMultiaddrError(f"{len(found)} components are more than a multiaddr may have")
    return tuple(found)


def _next_slash(text: str, start: int, end: int) -> int:
    found = text.find("/", start, end)
    return end if found < 0 else found


def _varint(data: bytes, position: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 63, 7):
        if position >= len(data):
            raise ValueError("cut off in the middle of a number")
        byte = data[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, position
    raise ValueError("a number of more than nine bytes")


def _append_varint(out: bytearray, number: int) -> None:
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def _text_error(message: str, text: str, position: int, length: int) -> InvalidMultiaddrError:
    if not text.isprintable():
        return InvalidMultiaddrError(f"{message} in {text!r}")
    return InvalidMultiaddrError(message, text=text, position=position, length=length)


def _bytes_error(message: str, data: bytes, start: int, end: int) -> InvalidMultiaddrError:
    if len(data) > SHOWN_BYTES:
        return InvalidMultiaddrError(f"{message} at byte {start}")
    # Two hexadecimal digits per byte.
    return InvalidMultiaddrError(message, text=data.hex(), position=2 * start, length=2 * (end - start))


# Older text has the second name; both mean the same bytes.
NAME_ALIASES = {"ipfs": "p2p"}

# The longest in use, a relayed address with two certificate hashes, takes some 250 bytes.
MAX_SIZE = 1024
# Twice as much, because the text of a value can take two characters per byte.
MAX_TEXT = 2048
# Relayed WebTransport addresses have nine or ten.
MAX_COMPONENTS = 16
# What fits on one line of a terminal in hexadecimal.
SHOWN_BYTES = 64
