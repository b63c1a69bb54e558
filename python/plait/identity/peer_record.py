"""Peer records: addresses of a peer, signed by itself, so that others can pass them on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from plait.exceptions import InvalidEnvelopeError, PlaitError
from plait.identity.envelope import SignedEnvelope
from plait.identity.keys import KeyPair
from plait.identity.peer_id import PeerId
from plait.types import Buffer
from plait.wire import PeerRecordMessage

__all__ = ["PeerRecord", "PeerRecordSigner"]


@dataclass(frozen=True, slots=True)
class PeerRecord:
    """Where a peer says it can be reached.

    Attributes:
        peer: whom the record is about, and who signed it.
        sequence: the record with the highest one is the newest.
        addresses: binary multiaddrs; none of them is checked, nor is any of them empty.
    """

    peer: PeerId
    sequence: int
    addresses: tuple[bytes, ...]

    @classmethod
    def open(cls, data: Buffer, expected: PeerId | None = None) -> PeerRecord:
        """Parses and verifies the signed form.

        Args:
            data: a signed envelope.
            expected: whose record it has to be, when that is known.

        Raises:
            InvalidEnvelopeError: malformed, wrongly signed, or about somebody else.
        """
        envelope = SignedEnvelope.open(data, DOMAIN, PAYLOAD_TYPE)
        signer = envelope.public_key.peer_id
        try:
            message = PeerRecordMessage.decode(envelope.payload)
        except PlaitError as error:
            raise InvalidEnvelopeError(f"malformed peer record: {error.message}") from error
        if message.peer_id != bytes(signer):
            raise InvalidEnvelopeError(f"a peer record that {signer} signed for somebody else")
        if expected is not None and signer != expected:
            raise InvalidEnvelopeError(f"a peer record of {signer}, not of {expected}")
        # Some peers send empty addresses; they mean nothing, and others choke on them.
        return cls(signer, message.seq, tuple(filter(None, message.addresses)))


class PeerRecordSigner:
    """Makes the records of one identity, each newer than the one before.

    Args:
        key_pair: who signs.
        clock: nanoseconds since 1970. Everybody who saw a record of this identity ignores those with
            lower numbers, so the unit must never change to a coarser one.
    """

    __slots__ = ("_clock", "_key_pair", "_last")

    def __init__(self, key_pair: KeyPair, clock: Callable[[], int] = time.time_ns) -> None:
        self._key_pair = key_pair
        self._clock = clock
        self._last = 0

    def sign(self, addresses: Iterable[bytes]) -> bytes:
        """The signed envelope of a record with these binary multiaddrs."""
        self._last = max(self._last + 1, self._clock())
        peer = bytes(self._key_pair.peer_id)
        message = PeerRecordMessage(peer, self._last, tuple(filter(None, addresses)))
        return SignedEnvelope.seal(self._key_pair, DOMAIN, PAYLOAD_TYPE, message.encode()).encode()


# As all implementations have it; the text of RFC 0003 still shows an older domain.
DOMAIN = "libp2p-peer-record"

# These two bytes, not the varint of the number 0x0301.
PAYLOAD_TYPE = b"\x03\x01"
