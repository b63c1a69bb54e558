"""Noise XX as libp2p uses it, written a second time: it shares no mistake with what it tests.

Every step can be made wrong: messages are made and sent by hand, keys and payloads are arguments.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

PROTOCOL_NAME = b"Noise_XX_25519_ChaChaPoly_SHA256"
DOMAIN = b"noise-libp2p-static-key:"
TAG = 16
MAX_PLAINTEXT = 65535 - TAG
YAMUX = "/yamux/1.0.0"


def frame(message: bytes) -> bytes:
    return struct.pack(">H", len(message)) + message


def raw(key: X25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


class Cipher:
    """One direction, or the handshake's current key."""

    def __init__(self, key: bytes) -> None:
        self.aead = ChaCha20Poly1305(key)
        self.nonce = 0

    def _next(self) -> bytes:
        nonce = bytes(4) + struct.pack("<Q", self.nonce)
        self.nonce += 1
        return nonce

    def seal(self, plaintext: bytes, associated: bytes = b"") -> bytes:
        return self.aead.encrypt(self._next(), plaintext, associated)

    def open(self, ciphertext: bytes, associated: bytes = b"") -> bytes:
        return self.aead.decrypt(self._next(), ciphertext, associated)


class Symmetric:
    """The running hash and chaining key."""

    def __init__(self) -> None:
        self.hash = self.chaining = PROTOCOL_NAME
        self.cipher: Cipher | None = None
        self.mix_hash(b"")

    def mix_hash(self, data: bytes) -> None:
        self.hash = hashlib.sha256(self.hash + data).digest()

    def mix_key(self, secret: bytes) -> None:
        self.chaining, key = self._expand(secret)
        self.cipher = Cipher(key)

    def seal(self, plaintext: bytes) -> bytes:
        sealed = plaintext if self.cipher is None else self.cipher.seal(plaintext, self.hash)
        self.mix_hash(sealed)
        return sealed

    def open(self, sealed: bytes) -> bytes:
        plaintext = sealed if self.cipher is None else self.cipher.open(sealed, self.hash)
        self.mix_hash(sealed)
        return plaintext

    def split(self) -> tuple[Cipher, Cipher]:
        first, second = self._expand(b"")
        return Cipher(first), Cipher(second)

    def _expand(self, secret: bytes) -> tuple[bytes, bytes]:
        base = hmac.new(self.chaining, secret, hashlib.sha256).digest()
        first = hmac.new(base, b"\x01", hashlib.sha256).digest()
        return first, hmac.new(base, first + b"\x02", hashlib.sha256).digest()


class Identity:
    """A libp2p identity of any of the four kinds."""

    KINDS = ("rsa", "ed25519", "secp256k1", "ecdsa")

    def __init__(self, kind: str = "ed25519", *, bits: int = 2048) -> None:
        self.kind = kind
        match kind:
            case "ed25519":
                self.key = ed25519.Ed25519PrivateKey.generate()
                data = self.key.public_key().public_bytes_raw()
            case "rsa":
                self.key = rsa.generate_private_key(65537, bits)
                data = self._spki()
            case "ecdsa":
                self.key = ec.generate_private_key(ec.SECP256R1())
                data = self._spki()
            case "secp256k1":
                self.key = ec.generate_private_key(ec.SECP256K1())
                form = serialization.PublicFormat.CompressedPoint
                data = self.key.public_key().public_bytes(serialization.Encoding.X962, form)
        self.public = field_varint(1, self.KINDS.index(kind)) + field_bytes(2, data)

    def _spki(self) -> bytes:
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.key.public_key().public_bytes(serialization.Encoding.DER, form)

    def sign(self, message: bytes) -> bytes:
        match self.kind:
            case "ed25519":
                return self.key.sign(message)
            case "rsa":
                return self.key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        signature = self.key.sign(message, ec.ECDSA(hashes.SHA256()))
        return low_s(signature) if self.kind == "secp256k1" else signature


def low_s(signature: bytes) -> bytes:
    """The form of a secp256k1 signature that everybody accepts."""
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    r, s = decode_dss_signature(signature)
    return encode_dss_signature(r, min(s, order - s))


@dataclass
class Initiator:
    """The dialer's side of a handshake, one message at a time."""

    identity: Identity = field(default_factory=Identity)
    static: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)
    ephemeral: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)
    state: Symmetric = field(default_factory=Symmetric)
    remote_payload: bytes = b""

    def first(self, payload: bytes = b"", public: bytes | None = None) -> bytes:
        public = raw(self.ephemeral) if public is None else public
        self.state.mix_hash(public)
        return public + self.state.seal(payload)

    def second(self, message: bytes) -> None:
        state = self.state
        self.remote = X25519PublicKey.from_public_bytes(message[:32])
        state.mix_hash(message[:32])
        state.mix_key(self.ephemeral.exchange(self.remote))
        static = X25519PublicKey.from_public_bytes(state.open(message[32:80]))
        state.mix_key(self.ephemeral.exchange(static))
        self.remote_payload = state.open(message[80:])

    def third(self, payload: bytes) -> bytes:
        state = self.state
        static = state.seal(raw(self.static))
        state.mix_key(self.static.exchange(self.remote))
        return static + state.seal(payload)

    def payload(self, muxers: Sequence[str] = (YAMUX,)) -> bytes:
        signature = self.identity.sign(DOMAIN + raw(self.static))
        return make_payload(self.identity.public, signature, muxers)


def make_payload(
    key: bytes | None, signature: bytes | None, muxers: Sequence[str] = (), extra: bytes = b""
) -> bytes:
    body = b"" if key is None else field_bytes(1, key)
    body += b"" if signature is None else field_bytes(2, signature)
    extensions = b"".join(field_bytes(2, name.encode()) for name in muxers)
    return body + (field_bytes(4, extensions) if extensions else b"") + extra


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field_bytes(number: int, value: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(value)) + value


def field_varint(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)
