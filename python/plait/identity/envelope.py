"""Signed envelopes: a payload, and proof of who made it and for which purpose."""

from __future__ import annotations

from dataclasses import dataclass

from plait.exceptions import InvalidEnvelopeError, PlaitError
from plait.identity.keys import KeyPair, PublicKey
from plait.types import Buffer
from plait.wire import EnvelopeMessage

__all__ = ["SignedEnvelope"]


@dataclass(frozen=True, slots=True)
class SignedEnvelope:
    """A payload whose signature is good. Only `seal` and `open` make one.

    Attributes:
        public_key: who signed.
        payload_type: what the payload is.
        payload: the bytes that were signed.
        signature: the signature over domain, type and payload.
    """

    public_key: PublicKey
    payload_type: bytes
    payload: bytes
    signature: bytes

    @classmethod
    def seal(cls, key_pair: KeyPair, domain: str, payload_type: bytes, payload: bytes) -> SignedEnvelope:
        """Signs `payload`. The domain keeps a signature from being used for another purpose."""
        signature = key_pair.sign(_signed_bytes(domain, payload_type, payload))
        return cls(key_pair.public_key, payload_type, payload, signature)

    @classmethod
    def open(cls, data: Buffer, domain: str, payload_type: bytes) -> SignedEnvelope:
        """Parses and verifies.

        Raises:
            InvalidEnvelopeError: malformed, of another type, or not signed by the key that is in it.
        """
        try:
            message = EnvelopeMessage.decode(data)
            public_key = PublicKey.from_protobuf(message.public_key)
        except PlaitError as error:
            raise InvalidEnvelopeError(f"malformed envelope: {error.message}") from error
        if message.payload_type != payload_type:
            raise InvalidEnvelopeError(
                f"an envelope of type {message.payload_type[:16].hex()}, not {payload_type.hex()}"
            )
        signed = _signed_bytes(domain, payload_type, message.payload)
        if not public_key.verify(signed, message.signature):
            raise InvalidEnvelopeError(f"the signature is not by {public_key.peer_id} for {domain!r}")
        return cls(public_key, payload_type, message.payload, message.signature)

    def encode(self) -> bytes:
        """The protobuf."""
        key = self.public_key.to_protobuf()
        return EnvelopeMessage(key, self.payload_type, self.payload, self.signature).encode()


def _signed_bytes(domain: str, payload_type: bytes, payload: bytes) -> bytes:
    # Each part carries its length, so that no bytes can be moved from one part into another.
    parts = (domain.encode(), payload_type, payload)
    return b"".join(_varint(len(part)) + part for part in parts)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
