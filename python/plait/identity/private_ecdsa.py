"""ECDSA with SHA-256 on its two curves: secp256k1, and P-256, which the key messages call ECDSA."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from plait.exceptions import InvalidKeyError
from plait.wire import KeyType

__all__ = ["P256Key", "Secp256k1Key", "on_curve"]


class Secp256k1Key:
    """A private key on secp256k1; its message holds the scalar, the public one the compressed point."""

    __slots__ = ("native",)

    kind = KeyType.SECP256K1

    def __init__(self, native: ec.EllipticCurvePrivateKey) -> None:
        self.native = native

    @classmethod
    def generate(cls) -> Secp256k1Key:
        """A new key from the system's randomness."""
        return cls(ec.generate_private_key(ec.SECP256K1()))

    @classmethod
    def from_data(cls, data: bytes) -> Secp256k1Key:
        """The key of a 32-byte scalar; raises `InvalidKeyError`."""
        if len(data) != SCALAR_LENGTH:
            raise InvalidKeyError(f"a secp256k1 private key has {SCALAR_LENGTH} bytes, not {len(data)}")
        try:
            return cls(ec.derive_private_key(int.from_bytes(data, "big"), ec.SECP256K1()))
        except ValueError:
            raise InvalidKeyError("a secp256k1 private key lies between 0 and the curve's order") from None

    def data(self) -> bytes:
        """The scalar."""
        return self.native.private_numbers().private_value.to_bytes(SCALAR_LENGTH, "big")

    def public_data(self) -> bytes:
        """The compressed point."""
        return self.native.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)

    def sign(self, message: bytes) -> bytes:
        """The signature in DER, with the smaller of the two possible S: peers refuse the other."""
        return _with_low_s(self.native.sign(message, ec.ECDSA(hashes.SHA256())))


class P256Key:
    """A private key on P-256; its message holds SEC1's `ECPrivateKey`, the public one its SPKI."""

    __slots__ = ("native",)

    kind = KeyType.ECDSA

    def __init__(self, native: ec.EllipticCurvePrivateKey) -> None:
        self.native = native

    @classmethod
    def generate(cls) -> P256Key:
        """A new key from the system's randomness."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def from_data(cls, data: bytes) -> P256Key:
        """The key of an `ECPrivateKey`, whether it names its curve or not; raises `InvalidKeyError`."""
        try:
            if len(data) > LONGEST_P256_KEY:
                raise ValueError
            native = load_der_private_key(_pkcs8_on_p256(data), None)
        except (ValueError, UnsupportedAlgorithm):
            raise InvalidKeyError("an ECDSA private key is an ECPrivateKey on P-256; this is none") from None
        assert isinstance(native, ec.EllipticCurvePrivateKey)  # the header says so
        return cls(native)

    def data(self) -> bytes:
        """The `ECPrivateKey`, with the curve's name and the public key in it."""
        return self.native.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())

    def public_data(self) -> bytes:
        """The SubjectPublicKeyInfo."""
        return self.native.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, message: bytes) -> bytes:
        """The signature in DER; on this curve either S will do."""
        return self.native.sign(message, ec.ECDSA(hashes.SHA256()))


def on_curve(native: ec.EllipticCurvePrivateKey) -> Secp256k1Key | P256Key:
    """The key of the curve that it is on; raises `InvalidKeyError` for one that peers do not know."""
    match native.curve:
        case ec.SECP256K1():
            return Secp256k1Key(native)
        case ec.SECP256R1():
            return P256Key(native)
    raise InvalidKeyError(
        f"an identity on the curve {native.curve.name} cannot be used",
        hint="peers know P-256 and secp256k1",
    )


def _with_low_s(signature: bytes) -> bytes:
    r, s = decode_dss_signature(signature)
    return encode_dss_signature(r, min(s, SECP256K1_ORDER - s))


def _pkcs8_on_p256(sec1: bytes) -> bytes:
    # Some implementations leave the curve out of the ECPrivateKey; around it there is always room for it.
    return _element(0x30, VERSION_0 + EC_ON_P256 + _element(0x04, sec1))


def _element(tag: int, content: bytes) -> bytes:
    long_form = b"\x81" if len(content) > 0x7F else b""
    return bytes([tag]) + long_form + bytes([len(content)]) + content


SCALAR_LENGTH = 32

# SEC 2, section 2.4.1: the number of points. S and order - S sign the same.
SECP256K1_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141

# With the curve's name and an uncompressed public key it takes 121 bytes.
LONGEST_P256_KEY = 121

# DER: INTEGER 0, and SEQUENCE { id-ecPublicKey, prime256v1 }.
VERSION_0 = bytes.fromhex("020100")
EC_ON_P256 = bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107")
