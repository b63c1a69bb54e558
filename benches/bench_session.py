"""Two sessions driven through the binding, with no loop and no socket: the floor under every driver.

Both ends share one core and one thread, so a connection over two cores can be faster than this.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from plait._core import (
    READABLE,
    STREAM_OPENED,
    MemoryBudget,
    Muxer,
    ProtocolSet,
    ReceiveBuffer,
    Security,
    Session,
    SessionConfig,
)
from plait.identity import KeyPair

ECHO = "/echo/1.0.0"
# What the driver takes for one write and gives for one read.
WRITE_SIZE = 128 * 1024
READ_SIZE = 256 * 1024
MIB = 1 << 20


class End:
    """What all connections of a host share."""

    def __init__(self, seed: int, security: str, muxer: str) -> None:
        identity = KeyPair.from_seed(bytes([seed]) * 32)
        key = identity.public_key.to_protobuf()
        self.peer = bytes(identity.peer_id)
        self.protocols = ProtocolSet([ECHO])
        self.config = SessionConfig(
            security=[SECURITY[security](key, identity.sign)],
            muxers=[Muxer.named(MUXERS[muxer])],
            budget=MemoryBudget(1 << 30),
        )


class Wire:
    """A connection; `events` are those of the listener since the last look."""

    def __init__(self, ends: tuple[End, End]) -> None:
        dialer, listener = ends
        self.now = 1.0
        self.dialer = Session.dial(dialer.config, dialer.protocols, listener.peer, self.now)
        self.listener = Session.accept(listener.config, listener.protocols, self.now)
        self.events: list[tuple[Any, ...]] = []
        self._buffer = ReceiveBuffer(READ_SIZE)
        self._memory = memoryview(self._buffer)

    def carry(self, application: Callable[[], None] | None = None) -> None:
        """Carries segments until both sides are silent; the listener's application runs after each."""
        while self._carry_segment(self.dialer, self.listener, self.events):
            if application is not None:
                application()
            while self._carry_segment(self.listener, self.dialer, []):
                pass
        while self._carry_segment(self.listener, self.dialer, []):
            pass

    def open(self) -> tuple[int, int]:
        """A stream, negotiated: its id here and there."""
        ours = self.dialer.open_stream([ECHO], self.now)
        assert ours is not None
        self.carry()
        theirs = next(event[1] for event in self.events if event[0] == STREAM_OPENED)
        self.events.clear()
        return ours, theirs

    def send(self, streams: tuple[int, int], data: bytes) -> None:
        """Writes at one end, reads at the other."""
        ours, theirs = streams
        sent = 0

        def read() -> None:
            self.events.clear()
            while self.listener.read(theirs, READ_SIZE):
                pass

        while sent < len(data):
            sent += self.dialer.write(ours, data, sent)
            self.carry(read)

    def use_stream(self, data: bytes) -> None:
        """Opens a stream, sends `data` and closes it on both sides."""
        ours = self.dialer.open_stream([ECHO], self.now)
        assert ours is not None
        self.dialer.write(ours, data, 0)
        self.dialer.close_write(ours)

        def serve() -> None:
            for stream in {event[1] for event in self.events if event[0] == READABLE}:
                while self.listener.read(stream, READ_SIZE):
                    pass
                self.listener.release(stream, self.now)
            self.events.clear()

        self.carry(serve)
        self.dialer.release(ours, self.now)
        self.carry()

    def _carry_segment(self, sender: Session, receiver: Session, events: list[tuple[Any, ...]]) -> bool:
        data = sender.transmit(WRITE_SIZE, self.now)
        if not data:
            return False
        # What the kernel does for a driver.
        self._memory[: len(data)] = data
        events.extend(receiver.receive(self._buffer, len(data), self.now))
        return True


@pytest.fixture(
    params=[("noise", "yamux"), ("tls", "yamux"), ("plaintext", "yamux"), ("plaintext", "mplex")],
    ids="/".join,
)
def ends(request: pytest.FixtureRequest) -> tuple[End, End]:
    """The differences between the stacks are what security and muxer cost."""
    security, muxer = request.param
    return End(1, security, muxer), End(2, security, muxer)


@pytest.fixture
def wire(ends: tuple[End, End]) -> Wire:
    wire = Wire(ends)
    wire.carry()
    wire.events.clear()
    return wire


@pytest.mark.parametrize("size", [64, 1024, 16 * 1024, MIB])
def test_bytes_written_and_read(benchmark: BenchmarkFixture, wire: Wire, size: int) -> None:
    streams, data = wire.open(), bytes(size)
    benchmark.extra_info["bytes"] = size
    benchmark(wire.send, streams, data)


def test_a_stream_opened_used_and_closed(benchmark: BenchmarkFixture, wire: Wire) -> None:
    benchmark(wire.use_stream, bytes(64))
    assert wire.dialer.stats()["outbound_streams"] == 0


def test_a_handshake(benchmark: BenchmarkFixture, ends: tuple[End, End]) -> None:
    benchmark(lambda: Wire(ends).carry())


SECURITY: dict[str, Callable[..., Security]] = {
    "noise": Security.noise,
    "tls": Security.tls,
    "plaintext": lambda key, sign: Security.plaintext(key),
}
MUXERS = {"yamux": "/yamux/1.0.0", "mplex": "/mplex/6.7.0"}
