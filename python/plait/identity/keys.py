"""Public keys of any peer, and our own key pair."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from plait import _core
from plait.exceptions import InvalidKeyError
from plait.identity import key_file
from plait.identity.peer_id import PeerId
from plait.types import Buffer
from plait.wire import (
    KeyType,
    decode_private_key,
    decode_public_key,
    encode_private_key,
    encode_public_key,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["KeyPair", "PublicKey"]


class PublicKey:
    """The public key of a peer. Immutable, hashable, equal when kind and data are equal.

    Args:
        kind: which kind of key `data` is.
        data: 32 raw bytes for Ed25519, a compressed point for secp256k1, DER for the others.

    Raises:
        InvalidKeyError: `data` is no key of that kind.
    """

    __slots__ = ("_peer_id", "_protobuf", "data", "kind")

    def __init__(self, kind: KeyType, data: Buffer) -> None:
        self._protobuf = encode_public_key(kind, data)
        self.kind, self.data = decode_public_key(self._protobuf)
        self._peer_id: PeerId | None = None

    @classmethod
    def from_protobuf(cls, protobuf: Buffer) -> PublicKey:
        """Reads the message, leniently; the peer id is that of its canonical form.

        Raises:
            InvalidKeyError: the bytes hold no key that we understand.
        """
        return cls(*decode_public_key(protobuf))

    @property
    def peer_id(self) -> PeerId:
        """The peer that owns the key."""
        if self._peer_id is None:
            self._peer_id = PeerId(_core.peer_id_from_public_key(self._protobuf))
        return self._peer_id

    def to_protobuf(self) -> bytes:
        """The canonical message."""
        return self._protobuf

    def verify(self, message: Buffer, signature: Buffer) -> bool:
        """Whether the owner of the key signed `message`."""
        return _core.verify(self._protobuf, message, signature)

    def __repr__(self) -> str:
        return f"<PublicKey {self.kind.name} of {self.peer_id}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PublicKey):
            return NotImplemented
        return self._protobuf == other._protobuf

    def __hash__(self) -> int:
        return hash(self._protobuf)

    def __reduce__(self) -> tuple[type[PublicKey], tuple[KeyType, bytes]]:
        return PublicKey, (self.kind, self.data)


class KeyPair:
    """Our own identity: an Ed25519 key pair. Its text form never shows the private half."""

    __slots__ = ("_private", "_seed", "public_key")

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self._seed = private.private_bytes_raw()
        self.public_key = PublicKey(KeyType.ED25519, private.public_key().public_bytes_raw())

    @classmethod
    def generate(cls) -> KeyPair:
        """A new identity from the system's randomness."""
        return cls.from_seed(os.urandom(SEED_LENGTH))

    @classmethod
    def from_seed(cls, seed: Buffer) -> KeyPair:
        """The identity that belongs to a 32-byte seed; raises `InvalidKeyError` for other lengths."""
        # Loaded on first use: it takes longer than everything else in this room.
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        if len(seed) != SEED_LENGTH:
            raise InvalidKeyError(f"an Ed25519 seed has {SEED_LENGTH} bytes, not {len(seed)}")
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def from_protobuf(cls, protobuf: Buffer) -> KeyPair:
        """Reads the private key message, with the public key once, twice or not at all.

        Raises:
            InvalidKeyError: not a key, not an Ed25519 key, or the halves do not belong together.
        """
        kind, data = decode_private_key(protobuf)
        if kind is not KeyType.ED25519:
            raise InvalidKeyError(
                f"an identity of type {kind.name} cannot be used", hint="make an Ed25519 key instead"
            )
        seed, copies = data[:SEED_LENGTH], data[SEED_LENGTH:]
        pair = cls.from_seed(seed)
        public = pair.public_key.data
        # Signing with a public key that is not one's own gives the private key away.
        if copies not in (b"", public, public + public):
            raise InvalidKeyError("the private and the public half do not belong together")
        return pair

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> KeyPair:
        """Reads a key file.

        Raises:
            InvalidKeyError: the file holds something else.
            OSError: the file cannot be read.
        """
        try:
            return cls.from_protobuf(key_file.read(path))
        except InvalidKeyError as error:
            raise InvalidKeyError(
                f"{os.fspath(path)}: {error.message}", hint="is this the right file?"
            ) from error

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Writes a key file that only its owner can read: all of it, or nothing.

        Raises:
            FileExistsError: there is a file, and it was not said that it may go.
            OSError: the file cannot be written.
        """
        key_file.write(path, self.to_protobuf(), overwrite=overwrite)

    @property
    def peer_id(self) -> PeerId:
        """The name under which peers know this identity."""
        return self.public_key.peer_id

    def sign(self, message: Buffer) -> bytes:
        """The 64-byte signature of `message`."""
        return self._private.sign(bytes(message))

    def to_protobuf(self) -> bytes:
        """The private key message, in the form that every implementation reads. Keep it secret."""
        return encode_private_key(KeyType.ED25519, self._seed + self.public_key.data)

    def __repr__(self) -> str:
        return f"<KeyPair of {self.peer_id}>"


SEED_LENGTH = 32
