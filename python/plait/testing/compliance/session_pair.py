"""Two sessions with a wire between them that the check controls, and a clock that only it moves."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from plait._core import (
    CLOSED,
    ESTABLISHED,
    STREAM_OPENED,
    STREAM_RESET,
    Established,
    MemoryBudget,
    ProtocolSet,
    Session,
    SessionConfig,
)
from plait.exceptions import PlaitError, StreamError
from plait.identity import KeyPair, PeerId
from plait.upgrade.options import make_muxers, make_security

if TYPE_CHECKING:
    from plait import abc
    from plait.types import ProtocolId

__all__ = ["PROTOCOL", "START", "End", "Party", "SessionPair", "Wire"]

# What the streams of all checks speak.
PROTOCOL = "/plait/compliance/1.0.0"


class Party:
    """A host without its loop: an identity, and what it offers."""

    def __init__(
        self,
        seed: int,
        security: ProtocolId | abc.SecurityProtocol,
        muxers: Sequence[ProtocolId | abc.Muxer],
        **bounds: Any,
    ) -> None:
        self.identity = KeyPair.from_seed(bytes([seed]) * 32)
        with warnings.catch_warnings():
            # Whoever checks plaintext knows what it is.
            warnings.simplefilter("ignore")
            made = make_security([security], self.identity)
        self.config = SessionConfig(
            security=list(made.values()),
            muxers=list(make_muxers(muxers).values()),
            budget=MemoryBudget(1 << 28),
            **bounds,
        )
        self.protocols = ProtocolSet([PROTOCOL])

    def session(self, role: Literal["initiator", "responder"], expected: PeerId | None) -> Session:
        wanted = None if expected is None else bytes(expected)
        if role == "initiator":
            return Session.dial(self.config, self.protocols, wanted, START)
        return Session.accept(self.config, self.protocols, START, expected_peer=wanted)


@dataclass(slots=True)
class Wire:
    """What happens to the bytes of one direction.

    Attributes:
        piece: bytes that are delivered at once, at most.
        cut: the connection ends after this many bytes, in both directions.
        garble: the byte at this offset arrives with one bit changed.
    """

    piece: int = 1 << 17
    cut: int | None = None
    garble: int | None = None


class End:
    """One side."""

    def __init__(self, party: Party, session: Session) -> None:
        self.party = party
        self.session = session
        self.wire = Wire()
        self.events: list[tuple[Any, ...]] = []
        # All that it ever sent, as it was sent.
        self.sent = bytearray()
        self.inbox: deque[bytes] = deque()
        self.has_ended = False

    @property
    def established(self) -> Established | None:
        return next((event[1] for event in self.events if event[0] == ESTABLISHED), None)

    @property
    def reason(self) -> BaseException | None:
        """Why the session ended; `None` while it lives."""
        return next((event[1] for event in self.events if event[0] == CLOSED), None)

    @property
    def opened(self) -> list[int]:
        """The streams that the other side opened, in order."""
        return [event[1] for event in self.events if event[0] == STREAM_OPENED]

    def reset_code(self, stream: int) -> int | None:
        """The code with which the other side reset a stream; `None` when it did not."""
        codes = [event[2] for event in self.events if event[:2] == (STREAM_RESET, stream)]
        return codes[0] if codes else None

    def read(self, stream: int) -> tuple[bytes, bool]:
        """All that can be read now, and whether the other side has finished."""
        parts: list[bytes] = []
        while True:
            try:
                part = self.session.read(stream, 1 << 20)
            except (StreamError, PlaitError):
                return b"".join(parts), False
            if not part:
                return b"".join(parts), part is not None
            parts.append(part)

    def write(self, stream: int, data: bytes, offset: int = 0) -> int:
        """How many bytes were taken; none when the stream or the session is over."""
        try:
            return self.session.write(stream, data, offset)
        except PlaitError:
            return 0


class SessionPair:
    """A dialer and a listener, connected.

    Args:
        roles: who begins, for the dialer and the listener.
        expected: whom the dialer expects; the listener when `None`.
        expected_dialer: whom the listener expects; anybody when `None`.
    """

    def __init__(
        self,
        dialer: Party,
        listener: Party,
        *,
        swapped: bool = False,
        expected: PeerId | None = None,
        expected_dialer: PeerId | None = None,
    ) -> None:
        wanted = listener.identity.peer_id if expected is None else expected
        self.dialer = End(dialer, dialer.session("responder" if swapped else "initiator", wanted))
        self.listener = End(
            listener, listener.session("initiator" if swapped else "responder", expected_dialer)
        )
        self.now = START

    @property
    def ends(self) -> tuple[tuple[End, End], tuple[End, End]]:
        """Each end, with the other one."""
        return (self.dialer, self.listener), (self.listener, self.dialer)

    def run(self) -> None:
        """Moves bytes until both are silent."""
        for _ in range(MAX_STEPS):
            moved = [self._send(end, other) for end, other in self.ends]
            moved += [self._deliver(end) for end, _ in self.ends]
            if not any(moved):
                return
        raise AssertionError("the two sides talk for ever")

    def advance(self, seconds: float) -> None:
        """Lets time pass; timers fire when they are due."""
        until = self.now + seconds
        self.run()
        while True:
            due = [at for end, _ in self.ends if (at := end.session.next_timeout()) is not None]
            if not due or min(due) > until:
                break
            self.now = max(self.now, min(due))
            for end, _ in self.ends:
                end.events += end.session.handle_timeout(self.now)
            self.run()
        self.now = until

    def open(self, opener: End | None = None) -> tuple[int, int]:
        """A stream on which both have agreed: its number at the opener, and at the other end."""
        opener = self.dialer if opener is None else opener
        other = self.listener if opener is self.dialer else self.dialer
        before = len(other.opened)
        stream = opener.session.open_stream([PROTOCOL], self.now)
        assert stream is not None, "no stream can be opened"
        self.run()
        assert len(other.opened) == before + 1, f"the stream did not arrive: {other.reason!r}"
        return stream, other.opened[-1]

    def send(self, end: End, stream: int, data: bytes, *, finish: bool = False) -> None:
        """Writes all of `data`, which the other end takes without anybody reading it."""
        offset = 0
        while offset < len(data):
            taken = end.write(stream, data, offset)
            offset += taken
            self.run()
            assert taken, f"the stream takes nothing any more after {offset} bytes: {end.reason!r}"
        if finish:
            end.session.close_write(stream)
            self.run()

    def _send(self, end: End, other: End) -> bool:
        session = end.session
        moved = False
        while not end.has_ended and sum(map(len, other.inbox)) < IN_FLIGHT:
            data = session.transmit(1 << 17, self.now)
            end.events += session.take_events() or []
            if not data:
                if session.is_leaving:
                    self._end(end, other)
                    moved = True
                break
            moved = True
            self._carry(end, other, data)
        return moved

    def _carry(self, end: End, other: End, data: bytes) -> None:
        start = len(end.sent)
        end.sent += data
        wire = end.wire
        arriving = bytearray(data)
        if wire.garble is not None and start <= wire.garble < start + len(data):
            arriving[wire.garble - start] ^= 0x10
        if wire.cut is not None:
            del arriving[max(wire.cut - start, 0) :]
        for position in range(0, len(arriving), wire.piece):
            other.inbox.append(bytes(arriving[position : position + wire.piece]))
        if wire.cut is not None and len(end.sent) >= wire.cut:
            self._end(end, other)
            self._end(other, end)

    def _end(self, end: End, other: End) -> None:
        if not end.has_ended:
            end.has_ended = True
            other.inbox.append(b"")

    def _deliver(self, end: End) -> bool:
        moved = False
        while end.inbox and not end.session.is_overloaded:
            data = end.inbox.popleft()
            moved = True
            end.events += end.session.receive_bytes(data, self.now) if data else end.session.receive_eof()
        return moved


# Seconds on the clock of the sessions, and nothing else.
START = 1000.0
# As much as a socket and asyncio hold on their way.
IN_FLIGHT = 1 << 18
# Far more than any check needs; two that talk for ever end there.
MAX_STEPS = 1_000_000
