"""What a muxer has to do."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias
from unittest import SkipTest

from plait._core import WRITABLE
from plait.exceptions import (
    ConnectionClosedError,
    ConnectionLostError,
    PlaitError,
    StreamClosedError,
    StreamResetError,
    UpgradeError,
)
from plait.testing.compliance.session_pair import PROTOCOL, End, Party, SessionPair
from plait.upgrade.options import NOISE, PLAINTEXT

if TYPE_CHECKING:
    from plait import abc
    from plait.types import ProtocolId

__all__ = ["MUXER_CHECKS", "MuxerCase"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MuxerCase:
    """A muxer, and what it claims.

    Attributes:
        muxer: a name of plait's own, or a plug-in.
        has_credit: a stream that nobody reads does not hold up the others.
        has_codes: resets carry an error code.
        has_go_away: the end of a connection is said, with a code.
    """

    muxer: ProtocolId | abc.Muxer
    has_credit: bool = True
    has_codes: bool = True
    has_go_away: bool = True

    def pair(self, *, security: ProtocolId = NOISE, **bounds: Any) -> SessionPair:
        """Two that are connected."""
        dialer, listener = (Party(seed, security, [self.muxer], **bounds) for seed in (1, 2))
        return self.connected(dialer, listener)

    def connected(self, dialer: Party, listener: Party) -> SessionPair:
        pair = SessionPair(dialer, listener)
        pair.run()
        for end, _ in pair.ends:
            assert end.established is not None, f"no connection: {end.reason!r}"
        return pair


async def both_sides_open_streams(case: MuxerCase) -> None:
    """A stream of either side carries bytes in both directions."""
    pair = case.pair()
    for opener, other in pair.ends:
        ours, theirs = pair.open(opener)
        pair.send(opener, ours, b"question")
        assert other.read(theirs) == (b"question", False)
        pair.send(other, theirs, b"answer")
        assert opener.read(ours) == (b"answer", False)


async def each_direction_ends_by_itself(case: MuxerCase) -> None:
    """A finished direction says so after its last byte; the other one goes on."""
    pair = case.pair()
    ours, theirs = pair.open()
    pair.send(pair.dialer, ours, b"last", finish=True)
    assert pair.listener.read(theirs) == (b"last", True)
    assert pair.dialer.read(ours) == (b"", False)
    _refuses(pair.dialer, ours, StreamClosedError)
    pair.send(pair.listener, theirs, b"still here")
    assert pair.dialer.read(ours) == (b"still here", False)
    pair.listener.session.close_write(theirs)
    pair.run()
    assert pair.dialer.read(ours) == (b"", True)


async def a_reset_ends_both_directions(case: MuxerCase) -> None:
    """The other side learns of it, with the code, and is never told that the stream had finished."""
    pair = case.pair()
    for opener, other in pair.ends:
        for resets, suffers in ((opener, other), (other, opener)):
            ours, theirs = pair.open(opener)
            numbers = {id(opener): ours, id(other): theirs}
            pair.send(opener, ours, b"never read")
            resets.session.reset(numbers[id(resets)], 77)
            pair.run()
            hit = numbers[id(suffers)]
            assert suffers.reset_code(hit) == (77 if case.has_codes else 0)
            assert not suffers.read(hit)[1]
            _refuses(suffers, hit, StreamResetError)
            suffers.session.release(hit, pair.now)
    assert all(end.reason is None for end, _ in pair.ends)


async def many_streams_do_not_mix(case: MuxerCase) -> None:
    """Two hundred at once, written in turns, each with bytes of its own."""
    pair = case.pair()
    noise = random.Random(2)
    streams = {pair.open(): noise.randbytes(noise.randrange(1, 20_000)) for _ in range(200)}
    position = 0
    while any(position < len(body) for body in streams.values()):
        for (ours, _), body in streams.items():
            piece = body[position : position + 1500]
            assert pair.dialer.write(ours, piece) == len(piece)
        position += 1500
    for ours, _ in streams:
        pair.dialer.session.close_write(ours)
    pair.run()
    for (_, theirs), body in streams.items():
        assert pair.listener.read(theirs) == (body, True)


async def streams_come_and_go(case: MuxerCase) -> None:
    """Thousands, one after the other, on one connection; nothing of them is left."""
    pair = case.pair(linger=1.0)
    for _ in range(3000):
        ours, theirs = pair.open()
        pair.send(pair.dialer, ours, b"x", finish=True)
        assert pair.listener.read(theirs) == (b"x", True)
        pair.listener.session.release(theirs, pair.now)
        pair.run()
        assert pair.dialer.read(ours) == (b"", True)
        pair.dialer.session.release(ours, pair.now)
        pair.run()
        for end, _ in pair.ends:
            end.events = [event for event in end.events if event[0] == 0]
    for end, _ in pair.ends:
        stats = end.session.stats()
        assert (stats["inbound_streams"], stats["outbound_streams"]) == (0, 0)
        assert (stats["buffered_in"], stats["buffered_out"]) == (0, 0)


async def a_writer_waits_for_the_reader(case: MuxerCase) -> None:
    """What nobody reads stays bounded, and all of it arrives when somebody does."""
    pair = case.pair()
    ours, theirs = pair.open()
    body = random.Random(3).randbytes(12 << 20)
    written = 0
    while taken := pair.dialer.write(ours, body, written):
        written += taken
        pair.run()
    assert written <= MAX_WITHOUT_READER, f"{written} bytes were taken that nobody reads"
    pair.dialer.events.clear()
    arrived = bytearray()
    for _ in range(10_000):
        arrived += pair.listener.read(theirs)[0]
        pair.run()
        written += pair.dialer.write(ours, body, written)
        pair.run()
        if len(arrived) == len(body):
            break
    assert arrived == body
    assert any(event[:2] == (WRITABLE, ours) for event in pair.dialer.events), "the writer is never told"


async def a_stream_that_nobody_reads_does_not_hold_up_the_others(case: MuxerCase) -> None:
    """Each stream waits for its own reader."""
    if not case.has_credit:
        raise SkipTest("the protocol has no credit")
    pair = case.pair()
    unread, _ = pair.open()
    while pair.dialer.write(unread, bytes(1 << 16)):
        pair.run()
    ours, theirs = pair.open()
    pair.send(pair.dialer, ours, b"through", finish=True)
    assert pair.listener.read(theirs) == (b"through", True)


async def a_stream_that_is_given_up_costs_nothing(case: MuxerCase) -> None:
    """What arrives for a stream after its reader has gone is thrown away, and the connection goes on."""
    pair = case.pair(linger=1.0)
    ours, theirs = pair.open()
    pair.listener.session.stop_reading(theirs)
    body = bytes(4 << 20)
    pair.send(pair.dialer, ours, body, finish=True)
    assert pair.listener.session.stats()["buffered_in"] == 0
    abandoned, _ = pair.open()
    pair.dialer.write(abandoned, b"late")
    pair.dialer.session.release(abandoned, pair.now)
    pair.advance(5.0)
    assert pair.dialer.session.stats()["outbound_streams"] == 1
    again, other = pair.open()
    pair.send(pair.dialer, again, b"still here")
    assert pair.listener.read(other) == (b"still here", False)


async def more_streams_than_allowed_are_refused(case: MuxerCase) -> None:
    """One by one; those that are there live on."""
    pair = case.pair(max_inbound_streams=3)
    kept = [pair.open() for _ in range(3)]
    refused = pair.dialer.session.open_stream([PROTOCOL], pair.now)
    assert refused is not None
    pair.run()
    assert pair.dialer.reset_code(refused) is not None
    assert len(pair.listener.opened) == 3
    for ours, theirs in kept:
        pair.send(pair.dialer, ours, b"alive", finish=True)
        assert pair.listener.read(theirs) == (b"alive", True)


async def much_data_goes_both_ways_at_once(case: MuxerCase) -> None:
    """Some MiB in each direction of each of four streams, over a wire that cuts anywhere."""
    pair = case.pair()
    pair.dialer.wire.piece, pair.listener.wire.piece = 7_919, 65_537
    noise = random.Random(4)
    flows: list[_Flow] = []
    for opener, other in (*pair.ends, *pair.ends):
        ours, theirs = pair.open(opener)
        flows.append(_Flow(opener, ours, other, theirs, noise.randbytes(1 << 20)))
        flows.append(_Flow(other, theirs, opener, ours, noise.randbytes(1 << 20)))
    while any(len(flow.arrived) < len(flow.body) for flow in flows):
        before = sum(flow.moved for flow in flows)
        for flow in flows:
            flow.write()
        pair.run()
        for flow in flows:
            flow.read()
        pair.run()
        assert sum(flow.moved for flow in flows) > before, "nothing moves any more"
    for flow in flows:
        assert flow.arrived == flow.body


async def frames_may_come_in_any_pieces(case: MuxerCase) -> None:
    """How the wire cuts the bytes changes nothing."""
    parties = [Party(seed, PLAINTEXT, [case.muxer]) for seed in (1, 2)]
    for piece in (1, 2, 3, 5, 11, 100):
        pair = case.connected(parties[0], parties[1])
        pair.dialer.wire.piece = pair.listener.wire.piece = piece
        ours, theirs = pair.open()
        pair.send(pair.dialer, ours, BODY, finish=True)
        assert pair.listener.read(theirs) == (BODY, True)
        pair.send(pair.listener, theirs, BODY)
        pair.listener.session.reset(theirs, 5)
        pair.run()
        assert pair.dialer.reset_code(ours) is not None


async def a_cut_at_any_byte_finishes_no_stream(case: MuxerCase) -> None:
    """A stream has finished only if all of it arrived; a connection that was cut is lost."""
    parties = [Party(seed, PLAINTEXT, [case.muxer]) for seed in (1, 2)]
    pair = case.connected(parties[0], parties[1])
    start = len(pair.dialer.sent)
    _send_one(pair)
    size = len(pair.dialer.sent)
    for offset in range(start, size):
        pair = case.connected(parties[0], parties[1])
        pair.dialer.wire.cut = offset
        arrived, has_finished = _send_one(pair)
        assert BODY.startswith(arrived)
        assert arrived == BODY or not has_finished, f"cut after byte {offset}: taken for the end"
        pair.advance(PATIENCE)
        for end, _ in pair.ends:
            assert isinstance(end.reason, ConnectionLostError | UpgradeError), repr(end.reason)


async def frames_that_mean_nothing_do_no_harm(case: MuxerCase) -> None:
    """Whatever a peer sends, nothing is raised in the event loop and memory stays bounded."""
    parties = [Party(seed, PLAINTEXT, [case.muxer]) for seed in (1, 2)]
    for seed in range(200):
        noise = random.Random(seed)
        pair = case.connected(parties[0], parties[1])
        ours, theirs = pair.open()
        # Frames as they should be, with a few bytes changed, then noise.
        before = len(pair.dialer.sent)
        pair.dialer.wire.garble = before + noise.randrange(40)
        pair.dialer.write(ours, BODY * noise.randrange(1, 20))
        pair.dialer.session.close_write(ours)
        pair.run()
        end = pair.listener
        for _ in range(20):
            end.events += end.session.receive_bytes(noise.randbytes(noise.randrange(1, 4000)), pair.now)
            end.session.transmit(1 << 17, pair.now)
            end.events += end.session.take_events() or []
            end.read(theirs)
        assert end.reason is None or isinstance(end.reason, PlaitError)
        assert end.session.stats()["buffered_in"] < 1 << 24
        pair.advance(PATIENCE)


async def the_end_is_said(case: MuxerCase) -> None:
    """A close comes after all that was written, and the other side learns the code."""
    pair = case.pair()
    ours, theirs = pair.open()
    pair.dialer.write(ours, BODY)
    pair.dialer.session.close_write(ours)
    pair.dialer.events += pair.dialer.session.close(99, pair.now)
    pair.run()
    pair.advance(PATIENCE)
    assert pair.listener.read(theirs) == (BODY, True)
    reason = pair.listener.reason
    assert isinstance(reason, ConnectionClosedError), repr(reason)
    if case.has_go_away:
        assert (reason.error_code, reason.remote) == (99, True)
        assert not isinstance(reason, ConnectionLostError)
    ended = pair.dialer.reason
    assert isinstance(ended, ConnectionClosedError)
    assert not isinstance(ended, ConnectionLostError)


@dataclass(slots=True)
class _Flow:
    """One direction of one stream."""

    sender: End
    stream: int
    receiver: End
    far_stream: int
    body: bytes
    written: int = 0
    arrived: bytearray = field(default_factory=bytearray)

    def write(self) -> None:
        self.written += self.sender.write(self.stream, self.body, self.written)

    def read(self) -> None:
        self.arrived += self.receiver.read(self.far_stream)[0]

    @property
    def moved(self) -> int:
        return self.written + len(self.arrived)


def _send_one(pair: SessionPair) -> tuple[bytes, bool]:
    """A stream with a body and its end, as far as it goes; what arrived, and whether it had finished."""
    stream = pair.dialer.session.open_stream([PROTOCOL], pair.now)
    assert stream is not None
    pair.dialer.write(stream, BODY)
    pair.dialer.session.close_write(stream)
    pair.run()
    return pair.listener.read(pair.listener.opened[0]) if pair.listener.opened else (b"", False)


def _refuses(end: End, stream: int, error: type[PlaitError]) -> None:
    try:
        end.session.write(stream, b"x", 0)
    except error:
        return
    raise AssertionError(f"a write without a {error.__name__}")


MuxerCheck: TypeAlias = Callable[[MuxerCase], Awaitable[None]]

MUXER_CHECKS: Sequence[MuxerCheck] = (
    both_sides_open_streams,
    each_direction_ends_by_itself,
    a_reset_ends_both_directions,
    many_streams_do_not_mix,
    streams_come_and_go,
    a_writer_waits_for_the_reader,
    a_stream_that_nobody_reads_does_not_hold_up_the_others,
    a_stream_that_is_given_up_costs_nothing,
    more_streams_than_allowed_are_refused,
    much_data_goes_both_ways_at_once,
    frames_may_come_in_any_pieces,
    a_cut_at_any_byte_finishes_no_stream,
    frames_that_mean_nothing_do_no_harm,
    the_end_is_said,
)

BODY = b"a body that has to come as it is, or in part, or not at all"
# Longer than any deadline of a session with default bounds.
PATIENCE = 120.0
# A send buffer, what is on the wire, and what a stream without credit may hold unread, each with some room.
MAX_WITHOUT_READER = 4 << 20
