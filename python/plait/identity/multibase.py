"""Bytes as text in the bases that peer ids and certificate hashes are written in.

Multibase is one character that names the base, then the digits. Peer ids in their usual form are
base58 without that character.
"""

from __future__ import annotations

import base64
import binascii

__all__ = ["decode", "decode_base58", "encode", "encode_base58"]


def decode(text: str) -> bytes:
    """Bytes of a multibase text; raises `ValueError` that says what is wrong."""
    prefix, digits = text[:1], text[1:]
    if prefix in NUMBER_BASES:
        base = NUMBER_BASES[prefix]
        return _decode_number(digits.lower() if base is BASE36 else digits, base)
    try:
        if prefix in ("b", "B"):
            return base64.b32decode(_padded(digits.upper(), 8))
        if prefix == "u":
            return base64.b64decode(_padded(digits, 4), altchars=b"-_", validate=True)
        if prefix in ("f", "F"):
            return binascii.unhexlify(digits)
    except binascii.Error as error:
        raise ValueError(f"not valid in the base named by {prefix!r}: {error}") from None
    raise ValueError(f"unknown base {prefix!r}" if prefix else "empty text")


def encode(prefix: str, data: bytes) -> str:
    """Multibase text of `data` in the base that `prefix` names."""
    if prefix == "b":
        return prefix + base64.b32encode(data).decode().rstrip("=").lower()
    if prefix == "u":
        return prefix + base64.urlsafe_b64encode(data).decode().rstrip("=")
    return prefix + _encode_number(data, NUMBER_BASES[prefix])


def decode_base58(text: str) -> bytes:
    """Bytes of a base58btc text; raises `ValueError` that names the character that is wrong."""
    return _decode_number(text, BASE58)


def encode_base58(data: bytes) -> str:
    """Base58btc text of `data`."""
    return _encode_number(data, BASE58)


def _padded(digits: str, block: int) -> str:
    return digits + "=" * (-len(digits) % block)


def _decode_number(text: str, alphabet: str) -> bytes:
    number = 0
    for position, character in enumerate(text):
        digit = alphabet.find(character)
        if digit < 0:
            raise ValueError(
                f"character {character!r} at position {position} is no digit of base {len(alphabet)}"
            )
        number = number * len(alphabet) + digit
    # A number has no leading zeros, so each of them stands for one zero byte.
    zeros = len(text) - len(text.lstrip(alphabet[0]))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")


def _encode_number(data: bytes, alphabet: str) -> str:
    number = int.from_bytes(data, "big")
    digits = ""
    while number:
        number, digit = divmod(number, len(alphabet))
        digits = alphabet[digit] + digits
    zeros = len(data) - len(data.lstrip(b"\0"))
    return alphabet[0] * zeros + digits


# Without 0, O, I and l, which look like others.
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"

# Bases that read the whole text as one number.
NUMBER_BASES = {"z": BASE58, "k": BASE36, "K": BASE36}
