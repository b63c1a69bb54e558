"""Two sessions on the event loop, with plait's own driver and an application that is one callback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from plait._core import READABLE, STREAM_OPENED, STREAM_READY, WRITABLE, Established
from plait.bench.subjects.answering import BLOCK, READ_SIZE
from plait.bench.works.bare_sessions import sessions, sockets
from plait.connection import Connection, Driver, SocketDriver
from plait.testing.compliance.session_pair import PROTOCOL

__all__ = ["DrivenPair", "on_the_loop"]


@asynccontextmanager
async def on_the_loop(security: Any, muxer: Any) -> AsyncIterator[DrivenPair]:
    """The two ends of a TCP connection on loopback, with a stream between them."""
    ends: list[_End] = []
    drivers: list[SocketDriver] = []
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    for session, sock in zip(sessions(security, muxer), sockets(), strict=True):
        end = _End(failed)
        driver = SocketDriver(session, end.establish, end.fail, sock)
        ends.append(end)
        drivers.append(driver)
    try:
        for driver in drivers:
            driver.start()
        near, far = ends
        await _first(failed, near.established)
        near.open()
        await _first(failed, near.opened, far.opened)
        yield DrivenPair(near, far, failed)
    finally:
        for driver in drivers:
            driver.abort()
            await driver.closed
        if failed.done():
            # Whoever waited for it has it; when nobody did, nobody needs it.
            failed.exception()


class DrivenPair:
    """A stream between two sessions on the loop."""

    def __init__(self, near: _End, far: _End, failed: asyncio.Future[None]) -> None:
        self._near = near
        self._far = far
        self._failed = failed

    async def bulk(self, size: int, write_size: int) -> None:
        """`size` bytes from one end to the other, whole writes only."""
        total = size // write_size * write_size
        done = self._far.expect(total)
        self._near.send(BLOCK[:write_size], total)
        await _first(self._failed, done)

    async def operations(self, count: int, size: int) -> None:
        """`size` bytes there and back, so many times."""
        self._far.answers = self._near.answers = BLOCK[:size]
        try:
            # The last is not answered any more, and the far end answers one more than it gets.
            self._far.expect(count * size + 1)
            done = self._near.expect(count * size)
            self._near.send(BLOCK[:size], size)
            await _first(self._failed, done)
        finally:
            self._far.answers = self._near.answers = b""


class _End:
    """What stands where a `Connection` does."""

    def __init__(self, failed: asyncio.Future[None]) -> None:
        loop = asyncio.get_running_loop()
        self.established: asyncio.Future[None] = loop.create_future()
        self.opened: asyncio.Future[None] = loop.create_future()
        self.answers = b""
        self._failed = failed
        self._stream = -1
        self._expected = 0
        self._done: asyncio.Future[None] = loop.create_future()
        self._block = b""
        self._offset = 0
        self._left = 0

    def establish(self, driver: Driver, established: Established) -> Connection:
        self._driver = driver
        self.established.set_result(None)
        return cast(Connection, self)

    def fail(self, driver: Driver, error: BaseException) -> None:
        self.handle_closed(error)

    def open(self) -> None:
        stream = self._driver.session.open_stream([PROTOCOL], self._driver.now())
        assert stream is not None, "the first stream of a connection needs no credit"
        self._stream = stream
        self._driver.flush_soon()

    def expect(self, count: int) -> asyncio.Future[None]:
        self._expected = count
        self._done = asyncio.get_running_loop().create_future()
        return self._done

    def send(self, block: bytes, total: int) -> None:
        self._block, self._offset, self._left = block, 0, total
        self._pump()
        self._driver.flush_soon()

    def handle_events(self, events: Sequence[tuple[Any, ...]]) -> None:
        for event in events:
            if event[0] == READABLE:
                self._read()
            elif event[0] == WRITABLE:
                self._pump()
            elif event[0] in (STREAM_OPENED, STREAM_READY):
                self._stream = event[1]
                if not self.opened.done():
                    self.opened.set_result(None)

    def handle_closed(self, reason: BaseException) -> None:
        if not self._failed.done():
            self._failed.set_exception(reason)

    def _pump(self) -> None:
        session, block = self._driver.session, self._block
        while self._left:
            taken = session.write(self._stream, block, self._offset)
            self._left -= taken
            self._offset = (self._offset + taken) % len(block)
            if self._offset or not taken:
                return

    def _read(self) -> None:
        session = self._driver.session
        while data := session.read(self._stream, READ_SIZE):
            self._expected -= len(data)
            # Small enough to come in one piece.
            if self.answers and self._expected > 0:
                session.write(self._stream, self.answers, 0)
        if self._expected <= 0 and not self._done.done():
            self._done.set_result(None)


async def _first(failed: asyncio.Future[None], *wanted: asyncio.Future[None]) -> None:
    """Waits for all that is wanted; raises what broke the connection instead."""
    for one in wanted:
        await asyncio.wait([failed, one], return_when=asyncio.FIRST_COMPLETED)
        if not one.done():
            await failed
