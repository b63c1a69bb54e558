"""Public keys of any peer, and our own key pair."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

from plait import _core
from plait.exceptions import ConfigError, InvalidKeyError
from plait.identity import key_encoding, key_file, private_key
from plait.identity.peer_id import PeerId
from plait.identity.private_key import PrivateKey
from plait.types import Buffer
from plait.wire import KeyType, decode_public_key, encode_private_key, encode_public_key

if TYPE_CHECKING:
    from plait.identity.private_key import NativeKey

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
    """Our own identity: a key pair of any kind. Its text form never shows the private half.

    Args:
        private: a private key of `cryptography`: Ed25519, on secp256k1, on P-256, or RSA.

    Raises:
        InvalidKeyError: a key of another kind, or RSA with fewer than 2048 or more than 8192 bits.
    """

    __slots__ = ("_private", "public_key")

    def __init__(self, private: NativeKey) -> None:
        self._use(private_key.wrap(private))

    @classmethod
    def generate(cls, kind: KeyType = KeyType.ED25519, *, bits: int | None = None) -> KeyPair:
        """A new identity from the system's randomness.

        Args:
            kind: Ed25519 unless there is a reason: every implementation has it, and it is the fastest.
            bits: size of an RSA key, 2048 (the default) to 8192. Making a long one can take many seconds, and
                so can loading it, because its primes are tested; an event loop stands still meanwhile.

        Raises:
            ConfigError: a size that RSA identities do not have, or a size for another kind.
        """
        return cls._of(private_key.generate(kind, bits))

    @classmethod
    def from_seed(cls, seed: Buffer) -> KeyPair:
        """The Ed25519 identity of a 32-byte seed; raises `InvalidKeyError` for other lengths."""
        from plait.identity.private_ed25519 import Ed25519Key

        return cls._of(Ed25519Key.from_seed(seed))

    @classmethod
    def from_protobuf(cls, protobuf: Buffer) -> KeyPair:
        """Reads the private key message.

        That of an Ed25519 key has the public key in it once, twice or not at all; without it, it looks the
        same as a public key message, so be sure that it is none.

        Raises:
            InvalidKeyError: not a private key, or its halves do not belong together.
        """
        return cls._of(key_encoding.decode_protobuf(protobuf))

    @classmethod
    def from_pem(cls, text: str | Buffer, *, password: str | bytes | None = None) -> KeyPair:
        """Reads the first private key of a PEM text: PKCS#8, SEC1 or PKCS#1.

        Raises:
            InvalidKeyError: there is none that can be used, or the password is not the right one.
        """
        return cls._of(key_encoding.decode_pem(text, password))

    @classmethod
    def from_der(cls, content: Buffer, *, password: str | bytes | None = None) -> KeyPair:
        """Reads PKCS#8, SEC1 or PKCS#1; raises `InvalidKeyError` as `from_pem` does."""
        return cls._of(key_encoding.decode_der(content, password))

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, password: str | bytes | None = None) -> KeyPair:
        """Reads a key file: the private key message, PEM or DER, whatever it holds.

        Args:
            path: the file.
            password: of an encrypted PKCS#8 key.

        Raises:
            InvalidKeyError: the file holds something else, or needs another password or none.
            OSError: the file cannot be read.
        """
        try:
            return cls._of(key_encoding.decode(key_file.read(path), password))
        except InvalidKeyError as error:
            raise InvalidKeyError(
                f"{os.fspath(path)}: {error.message}", hint=error.hint or "is this the right file?"
            ) from error

    @classmethod
    def _of(cls, private: PrivateKey) -> KeyPair:
        pair = cls.__new__(cls)
        pair._use(private)
        return pair

    def _use(self, private: PrivateKey) -> None:
        self._private = private
        self.public_key = PublicKey(private.kind, private.public_data())

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        encoding: Literal["protobuf", "pem", "der"] = "protobuf",
        password: str | bytes | None = None,
        traditional: bool = False,
        overwrite: bool = False,
    ) -> None:
        """Writes a key file that only its owner can read: all of it, or nothing.

        Args:
            path: the file.
            encoding: the private key message, which libp2p programs read, or PEM or DER for others.
            password: encrypts PEM and DER.
            traditional: PEM and DER as in `to_pem`.
            overwrite: replace a file that is there.

        Raises:
            ConfigError: the settings contradict each other.
            FileExistsError: there is a file, and it was not said that it may go.
            OSError: the file cannot be written.
        """
        if encoding != "protobuf":
            content = key_encoding.encode(self._private, encoding, password=password, traditional=traditional)
        elif password is not None or traditional:
            raise ConfigError("a private key message has one form, and no encryption: use PEM or DER")
        else:
            content = self.to_protobuf()
        key_file.write(path, content, overwrite=overwrite)

    @property
    def peer_id(self) -> PeerId:
        """The name under which peers know this identity."""
        return self.public_key.peer_id

    def sign(self, message: Buffer) -> bytes:
        """The signature of `message`, in the form that peers verify for keys of this kind."""
        return self._private.sign(bytes(message))

    def to_protobuf(self) -> bytes:
        """The private key message, in the form that every implementation reads. Keep it secret."""
        return encode_private_key(self._private.kind, self._private.data())

    def to_pem(self, *, password: str | bytes | None = None, traditional: bool = False) -> bytes:
        """The private key in PEM. Keep it secret.

        Args:
            password: encrypts it.
            traditional: SEC1 for keys on curves and PKCS#1 for RSA instead of PKCS#8.

        Raises:
            ConfigError: an Ed25519 key has no traditional form, and none of them can be encrypted well.
        """
        return key_encoding.encode(self._private, "pem", password=password, traditional=traditional)

    def to_der(self, *, password: str | bytes | None = None, traditional: bool = False) -> bytes:
        """The private key in DER, otherwise as `to_pem`."""
        return key_encoding.encode(self._private, "der", password=password, traditional=traditional)

    def __repr__(self) -> str:
        return f"<KeyPair of {self.peer_id}>"
