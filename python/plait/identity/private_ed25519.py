"""Ed25519: the kind that every implementation has, and the default."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from plait.exceptions import InvalidKeyError
from plait.types import Buffer
from plait.wire import KeyType

__all__ = ["Ed25519Key"]


class Ed25519Key:
    """An Ed25519 private key; its message holds the seed and the public key."""

    __slots__ = ("native",)

    kind = KeyType.ED25519

    def __init__(self, native: Ed25519PrivateKey) -> None:
        self.native = native

    @classmethod
    def generate(cls) -> Ed25519Key:
        """A new key from the system's randomness."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: Buffer) -> Ed25519Key:
        """The key that belongs to a seed; raises `InvalidKeyError` for a wrong length."""
        if len(seed) != SEED_LENGTH:
            raise InvalidKeyError(f"an Ed25519 seed has {SEED_LENGTH} bytes, not {len(seed)}")
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def from_data(cls, data: bytes) -> Ed25519Key:
        """The seed, with the public key after it once, twice or not at all; raises `InvalidKeyError`."""
        seed, copies = data[:SEED_LENGTH], data[SEED_LENGTH:]
        key = cls.from_seed(seed)
        public = key.public_data()
        # Signing with a public key that is not one's own gives the private key away.
        if copies not in (b"", public, public + public):
            raise InvalidKeyError("the private and the public half do not belong together")
        return key

    def data(self) -> bytes:
        """Seed and public key: the form that every implementation reads."""
        return self.native.private_bytes_raw() + self.public_data()

    def public_data(self) -> bytes:
        """The 32 bytes of the public key."""
        return self.native.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature."""
        return self.native.sign(message)


SEED_LENGTH = 32
