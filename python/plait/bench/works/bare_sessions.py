"""Two sessions of one connection in one thread, with nothing but memory or a socket between them."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from plait._core import CLOSED, ESTABLISHED, STREAM_OPENED, WIRE, WIRE_BLOCKED, WIRE_ENDED, Session
from plait.bench.subjects.answering import BLOCK, READ_SIZE
from plait.testing.compliance.session_pair import PROTOCOL, Party

__all__ = ["Pair", "in_memory", "over_sockets", "sessions", "sockets"]

# Bytes that one end hands over at once, as the drivers do.
FLUSH = 128 * 1024
# Turns in which nothing arrives, after which nothing ever will; a handshake over a socket takes some ten.
MOST_IDLE_TURNS = 100_000


class _Side:
    """One end: its session, and what its events said."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.stream: int | None = None
        self.is_established = False
        self.blocked = False

    def use(self, events: Sequence[tuple[Any, ...]] | None) -> None:
        for event in events or ():
            if event[0] == STREAM_OPENED:
                self.stream = event[1]
            elif event[0] == ESTABLISHED:
                self.is_established = True
            elif event[0] == WIRE:
                self.blocked = bool(event[1] & WIRE_BLOCKED)
                if event[3] is not None:
                    raise event[3]
                if event[1] & WIRE_ENDED:
                    raise ConnectionResetError("one of the two ends went away")
            elif event[0] == CLOSED:
                raise event[1]

    def read(self) -> int:
        """How many bytes could be read now."""
        count = 0
        if self.stream is not None:
            while data := self.session.read(self.stream, READ_SIZE):
                count += len(data)
        return count


class _Wire(Protocol):
    def turn(self, near: _Side, far: _Side) -> None:
        """Moves what is there, in both directions."""


class Pair:
    """A stream between two sessions, driven by hand."""

    def __init__(self, near: Session, far: Session, wire: _Wire) -> None:
        self._near = _Side(near)
        self._far = _Side(far)
        self._wire = wire
        self._idle = 0
        while self._near.stream is None or self._far.stream is None:
            self._turn()
            if self._near.is_established and self._near.stream is None:
                self._near.stream = near.open_stream([PROTOCOL], time.monotonic())
        self._idle = 0

    def bulk(self, size: int, write_size: int) -> None:
        """`size` bytes from one end to the other, whole writes only."""
        near, stream = self._near.session, self._near.stream
        assert stream is not None
        block, total = BLOCK[:write_size], size // write_size * write_size
        written = read = offset = 0
        while read < total:
            while written < total:
                taken = near.write(stream, block, offset)
                written += taken
                offset = (offset + taken) % write_size
                if offset or not taken:
                    break
            self._turn()
            read += self._read(self._far)

    def operations(self, count: int, size: int) -> None:
        """`size` bytes there and back, so many times."""
        for _ in range(count):
            for here, there in ((self._near, self._far), (self._far, self._near)):
                assert here.stream is not None
                here.session.write(here.stream, BLOCK[:size], 0)
                came = 0
                while came < size:
                    self._turn()
                    came += self._read(there)

    def _turn(self) -> None:
        # No loop runs here that could tell that it hangs.
        self._idle += 1
        if self._idle > MOST_IDLE_TURNS:
            raise TimeoutError("nothing arrives any more between the two sessions")
        self._wire.turn(self._near, self._far)

    def _read(self, side: _Side) -> int:
        if count := side.read():
            self._idle = 0
        return count


def sessions(security: Any, muxer: Any) -> tuple[Session, Session]:
    """Two sessions that have not begun, on the clock of `time.monotonic`."""
    near, far = (Party(seed, security, [muxer]) for seed in (1, 2))
    now = time.monotonic()
    return (
        Session.dial(near.config, near.protocols, None, now),
        Session.accept(far.config, far.protocols, now),
    )


@contextmanager
def in_memory(security: Any, muxer: Any) -> Iterator[Pair]:
    """What one end gives, the other takes."""
    yield Pair(*sessions(security, muxer), _Memory())


@contextmanager
def over_sockets(security: Any, muxer: Any) -> Iterator[Pair]:
    """A TCP connection on loopback, whose ends are asked in turn whether there is something."""
    near, far = sockets()
    with near, far:
        yield Pair(*sessions(security, muxer), _Sockets(near.fileno(), far.fileno()))


def sockets() -> tuple[socket.socket, socket.socket]:
    """Both ends of a connection, as a dialer and a listener have them."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
    for each in (near, far):
        each.setblocking(False)
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return near, far


class _Memory:
    def turn(self, near: _Side, far: _Side) -> None:
        now = time.monotonic()
        for here, there in ((near, far), (far, near)):
            while data := here.session.transmit(FLUSH, now):
                here.use(here.session.take_events())
                there.use(there.session.receive_bytes(data, now))


class _Sockets:
    def __init__(self, near: int, far: int) -> None:
        self._files = (near, far)

    def turn(self, near: _Side, far: _Side) -> None:
        now = time.monotonic()
        for side, file in zip((near, far), self._files, strict=True):
            side.use(side.session.flush_socket(file, now, has_room=side.blocked))
        for side, file in zip((near, far), self._files, strict=True):
            side.use(side.session.read_socket(file, now))
