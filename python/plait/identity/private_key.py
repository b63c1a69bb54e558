"""Private keys of the four kinds, behind what they have in common.

Each kind is a module of its own, loaded when a key of that kind turns up: an Ed25519 identity, the usual
one, needs a small part of `cryptography` only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

from plait.exceptions import ConfigError, InvalidKeyError
from plait.wire import KeyType

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    NativeKey: TypeAlias = Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey

__all__ = ["PrivateKey", "from_data", "generate", "wrap"]


class PrivateKey(Protocol):
    """What every kind can do.

    Attributes:
        kind: which kind it is.
        native: the key as `cryptography` has it.
    """

    @property
    def kind(self) -> KeyType: ...

    @property
    def native(self) -> NativeKey: ...

    def data(self) -> bytes:
        """What the private key message holds."""

    def public_data(self) -> bytes:
        """What the public key message holds."""

    def sign(self, message: bytes) -> bytes:
        """The signature, in the form that peers expect for this kind."""


def generate(kind: KeyType, bits: int | None) -> PrivateKey:
    """A new key; raises `ConfigError` for a size that the kind does not have."""
    if bits is not None and kind is not KeyType.RSA:
        raise ConfigError(f"{kind.name} keys have one size: only RSA takes a number of bits")
    match kind:
        case KeyType.ED25519:
            from plait.identity.private_ed25519 import Ed25519Key

            return Ed25519Key.generate()
        case KeyType.RSA:
            from plait.identity.private_rsa import RsaKey

            return RsaKey.generate(bits)
        case KeyType.SECP256K1:
            from plait.identity.private_ecdsa import Secp256k1Key

            return Secp256k1Key.generate()
        case KeyType.ECDSA:
            from plait.identity.private_ecdsa import P256Key

            return P256Key.generate()


def from_data(kind: KeyType, data: bytes) -> PrivateKey:
    """The key of a private key message; raises `InvalidKeyError`."""
    match kind:
        case KeyType.ED25519:
            from plait.identity.private_ed25519 import Ed25519Key

            return Ed25519Key.from_data(data)
        case KeyType.RSA:
            from plait.identity.private_rsa import RsaKey

            return RsaKey.from_data(data)
        case KeyType.SECP256K1:
            from plait.identity.private_ecdsa import Secp256k1Key

            return Secp256k1Key.from_data(data)
        case KeyType.ECDSA:
            from plait.identity.private_ecdsa import P256Key

            return P256Key.from_data(data)


def wrap(native: object) -> PrivateKey:
    """A key that `cryptography` read or made; raises `InvalidKeyError` that names a kind no peer has."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if isinstance(native, Ed25519PrivateKey):
        from plait.identity.private_ed25519 import Ed25519Key

        return Ed25519Key(native)

    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    if isinstance(native, RSAPrivateKey):
        from plait.identity.private_rsa import RsaKey

        return RsaKey(native)
    if isinstance(native, EllipticCurvePrivateKey):
        from plait.identity.private_ecdsa import on_curve

        return on_curve(native)
    found = type(native).__name__.removesuffix("PrivateKey")
    raise InvalidKeyError(
        f"an identity of type {found} cannot be used",
        hint="peers know Ed25519, secp256k1, ECDSA on P-256, and RSA",
    )
