"""The two key messages: `{ KeyType Type = 1; bytes Data = 2 }`, one public, one private."""

from __future__ import annotations

from enum import IntEnum

from plait import _core
from plait.exceptions import InvalidKeyError
from plait.types import Buffer

__all__ = [
    "KeyType",
    "decode_private_key",
    "decode_public_key",
    "encode_private_key",
    "encode_public_key",
]


class KeyType(IntEnum):
    """The kinds of keys that a peer can have, with their numbers on the wire."""

    RSA = 0
    ED25519 = 1
    SECP256K1 = 2
    ECDSA = 3


def decode_public_key(protobuf: Buffer) -> tuple[KeyType, bytes]:
    """Kind and data of a public key; raises `InvalidKeyError`."""
    kind, data = _core.decode_public_key(protobuf)
    return KeyType(kind), data


def encode_public_key(kind: KeyType, data: Buffer) -> bytes:
    """The one canonical encoding, which peer ids are made from; raises `InvalidKeyError`."""
    return _core.encode_public_key(kind, data)


def decode_private_key(protobuf: Buffer) -> tuple[KeyType, bytes]:
    """Kind and data of a private key in its canonical encoding; raises `InvalidKeyError`.

    Private keys are read from our own disk only, so this stays apart from what peers can send.
    """
    message = bytes(protobuf)
    if len(message) < 4 or message[0] != TYPE_FIELD or message[2] != DATA_FIELD:
        raise InvalidKeyError("not a private key: these bytes are no libp2p key message")
    try:
        kind = KeyType(message[1])
    except ValueError:
        raise InvalidKeyError(f"not a private key: unknown key type {message[1]}") from None
    length, start = message[3], 4
    if length >= 0x80 and len(message) > 4:
        length, start = (length & 0x7F) | message[4] << 7, 5
    data = message[start:]
    if len(data) != length:
        raise InvalidKeyError(f"not a private key: {length} bytes announced, {len(data)} there")
    return kind, data


def encode_private_key(kind: KeyType, data: bytes) -> bytes:
    """The canonical encoding; raises `InvalidKeyError` for more than any key takes."""
    length = len(data)
    if length > MAX_DATA:
        raise InvalidKeyError(f"a private key of {length} bytes is longer than any that we write")
    prefix = [length] if length < 0x80 else [length & 0x7F | 0x80, length >> 7]
    return bytes([TYPE_FIELD, kind, DATA_FIELD, *prefix]) + data


# Protobuf tags: field 1 as a varint, field 2 as length-prefixed bytes.
TYPE_FIELD = 0x08
DATA_FIELD = 0x12

# What a varint of two bytes counts; RSA with 8,192 bits, the longest, takes a third of it.
MAX_DATA = (1 << 14) - 1
