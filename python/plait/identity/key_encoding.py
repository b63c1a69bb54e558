"""Private keys as bytes: the key message, and PEM and DER as other programs write them."""

from __future__ import annotations

import re
from collections.abc import Callable

from plait.exceptions import ConfigError, InvalidKeyError
from plait.identity import private_key
from plait.identity.private_key import PrivateKey
from plait.types import Buffer
from plait.wire import KeyType, decode_private_key, decode_public_key

__all__ = ["decode", "decode_der", "decode_pem", "decode_protobuf", "encode"]


def decode(content: bytes, password: str | bytes | None) -> PrivateKey:
    """Reads a key in any of the three forms, told apart by what it holds.

    Raises:
        InvalidKeyError: none of them, or one of them with something else in it; it says what was found.
    """
    if PEM_BEGIN in content:
        return decode_pem(content, password)
    match content[:1]:
        case b"":
            raise InvalidKeyError("not a private key: there is nothing")
        case b"\x30":  # SEQUENCE
            return decode_der(content, password)
        case b"\x08":  # the tag of the key message's type
            if password is not None:
                raise InvalidKeyError(NOT_ENCRYPTED)
            return decode_protobuf(content)
    found = "text" if _is_text(content) else "unknown bytes"
    raise InvalidKeyError(f"not a private key: {found}, and neither a libp2p key message nor PEM nor DER")


def decode_protobuf(message: Buffer) -> PrivateKey:
    """Reads a private key message; raises `InvalidKeyError`."""
    kind, data = decode_private_key(message)
    try:
        return private_key.from_data(kind, data)
    except InvalidKeyError:
        if _is_public_protobuf(message):
            raise InvalidKeyError(f"not a private key: a public key of type {kind.name}") from None
        raise


def decode_pem(text: str | Buffer, password: str | bytes | None) -> PrivateKey:
    """Reads the first private key of a PEM file; raises `InvalidKeyError`."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    content = text.encode() if isinstance(text, str) else bytes(text)
    if PEM_BEGIN not in content:
        raise InvalidKeyError("not a private key: nothing in it is PEM")
    labels = [label.decode("ascii", "replace") for label in PEM_LABEL.findall(content)]
    if not any(label in PEM_PRIVATE_LABELS for label in labels):
        found = ", ".join(labels[:4]) or "no readable label"
        raise InvalidKeyError(f"not a private key that can be read: PEM with {found}")
    return _load(load_pem_private_key, content, password, "PEM")


def decode_der(content: Buffer, password: str | bytes | None) -> PrivateKey:
    """Reads a key in PKCS#8, SEC1 or PKCS#1; raises `InvalidKeyError`."""
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    content = bytes(content)
    try:
        return _load(load_der_private_key, content, password, "DER")
    except InvalidKeyError:
        if _is_public_der(content):
            raise InvalidKeyError("not a private key: DER with a public key") from None
        raise


def encode(key: PrivateKey, encoding: str, *, password: str | bytes | None, traditional: bool) -> bytes:
    """PEM or DER of a key: PKCS#8, or with `traditional` what the kind had before PKCS#8.

    Raises:
        ConfigError: that kind has no such form, or the form has no encryption that would protect the key.
    """
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        KeySerializationEncryption,
        NoEncryption,
        PrivateFormat,
    )

    if traditional and key.kind is KeyType.ED25519:
        raise ConfigError("Ed25519 keys have no traditional form: PKCS#8 is their only one")
    if traditional and password is not None:
        # One round of MD5 turns the password into a key there.
        raise ConfigError("the encryption of the traditional forms is too weak: use PKCS#8 with a password")
    encryption: KeySerializationEncryption = NoEncryption()
    if password is not None:
        secret = password.encode() if isinstance(password, str) else password
        if not secret:
            raise ConfigError("an empty password protects nothing")
        encryption = BestAvailableEncryption(secret)
    layout = PrivateFormat.TraditionalOpenSSL if traditional else PrivateFormat.PKCS8
    return key.native.private_bytes(Encoding.PEM if encoding == "pem" else Encoding.DER, layout, encryption)


def _load(
    load: Callable[[bytes, bytes | None], object], content: bytes, password: str | bytes | None, form: str
) -> PrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm

    secret = password.encode() if isinstance(password, str) else password
    try:
        native = load(content, secret)
    except TypeError:
        # So `cryptography` says that there is a password too few or too many.
        if secret:
            raise InvalidKeyError(NOT_ENCRYPTED) from None
        raise InvalidKeyError("the private key is encrypted", hint="it needs its password") from None
    except UnsupportedAlgorithm as error:
        raise InvalidKeyError(f"{form} with a private key that we cannot read: {error}") from error
    except ValueError as error:
        if secret:
            raise InvalidKeyError("the password does not open the private key, or it is damaged") from error
        raise InvalidKeyError(f"{form} without a private key in it, or with a damaged one") from error
    return private_key.wrap(native)


def _is_public_protobuf(message: Buffer) -> bool:
    try:
        decode_public_key(message)
    except InvalidKeyError:
        return False
    return True


def _is_public_der(content: bytes) -> bool:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        load_der_public_key(content)
    except UnsupportedAlgorithm:
        return True  # of a kind that nobody here has, but public
    except ValueError:
        return False
    return True


def _is_text(content: bytes) -> bool:
    try:
        return all(character.isprintable() or character.isspace() for character in content.decode())
    except UnicodeDecodeError:
        return False


PEM_BEGIN = b"-----BEGIN "
PEM_LABEL = re.compile(rb"-----BEGIN ([^\r\n-]{1,64})-----")

# OpenSSH has a form of its own under a label of its own; it is left to OpenSSH.
PEM_PRIVATE_LABELS = {
    "PRIVATE KEY",
    "ENCRYPTED PRIVATE KEY",
    "EC PRIVATE KEY",
    "RSA PRIVATE KEY",
    "DSA PRIVATE KEY",
}

NOT_ENCRYPTED = "a password was given, but the private key is not encrypted"
