"""RSA: what the oldest peers have, among them most of the public bootstrap nodes."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from plait.exceptions import ConfigError, InvalidKeyError
from plait.wire import KeyType

__all__ = ["RsaKey"]


class RsaKey:
    """An RSA private key; its message holds PKCS#1's `RSAPrivateKey`, the public one its SPKI."""

    __slots__ = ("native",)

    kind = KeyType.RSA

    def __init__(self, native: rsa.RSAPrivateKey) -> None:
        self.native = native

    @classmethod
    def generate(cls, bits: int | None) -> RsaKey:
        """A new key from the system's randomness; raises `ConfigError` for a size that peers refuse."""
        bits = DEFAULT_BITS if bits is None else bits
        if not MIN_BITS <= bits <= MAX_BITS:
            raise ConfigError(f"an RSA identity has {MIN_BITS} to {MAX_BITS} bits, not {bits}")
        return cls(rsa.generate_private_key(PUBLIC_EXPONENT, bits))

    @classmethod
    def from_data(cls, data: bytes) -> RsaKey:
        """The key of an `RSAPrivateKey`; raises `InvalidKeyError`."""
        try:
            # This takes a while for a long key: its parts are checked against each other, because a signature
            # with parts that do not fit gives the key away.
            native = load_der_private_key(data, None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            native = None
        if not isinstance(native, rsa.RSAPrivateKey):
            raise InvalidKeyError("an RSA private key is a PKCS#1 RSAPrivateKey; this is none")
        return cls(native)

    def data(self) -> bytes:
        """The `RSAPrivateKey`."""
        return self.native.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())

    def public_data(self) -> bytes:
        """The SubjectPublicKeyInfo."""
        return self.native.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, message: bytes) -> bytes:
        """The signature, as long as the modulus."""
        return self.native.sign(message, PKCS1v15(), hashes.SHA256())


# What all implementations verify: less can be factored, more costs them too much.
MIN_BITS = 2048
MAX_BITS = 8192

# As others make them. More bits make every handshake longer on the wire and slower to verify.
DEFAULT_BITS = 2048

# The one that everybody uses; smaller ones have a history of forgeries.
PUBLIC_EXPONENT = 65537
