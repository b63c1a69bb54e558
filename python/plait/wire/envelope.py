"""Signed envelopes and the peer records inside them, without any judgement about signatures."""

from __future__ import annotations

from typing import NamedTuple

from plait import _core
from plait.types import Buffer

__all__ = ["EnvelopeMessage", "PeerRecordMessage"]


class EnvelopeMessage(NamedTuple):
    """A payload with a signature over it, and the key that is said to have made it."""

    public_key: bytes
    payload_type: bytes
    payload: bytes
    signature: bytes

    @classmethod
    def decode(cls, data: Buffer) -> EnvelopeMessage:
        """Parses; raises `PlaitError` when it is malformed or too large. Nothing is verified."""
        return cls(*_core.decode_envelope(data))

    def encode(self) -> bytes:
        """The protobuf."""
        return _core.encode_envelope(self.public_key, self.payload_type, self.payload, self.signature)


class PeerRecordMessage(NamedTuple):
    """Where a peer says it can be reached; the highest `seq` is the newest."""

    peer_id: bytes
    seq: int
    addresses: tuple[bytes, ...]

    @classmethod
    def decode(cls, data: Buffer) -> PeerRecordMessage:
        """Parses; raises `PlaitError` when it is malformed or too large."""
        peer_id, seq, addresses = _core.decode_peer_record(data)
        return cls(peer_id, seq, tuple(addresses))

    def encode(self) -> bytes:
        """The protobuf."""
        return _core.encode_peer_record(self.peer_id, self.seq, self.addresses)
