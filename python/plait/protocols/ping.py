"""`/ipfs/ping/1.0.0`: 32 random bytes there and back, over and over on one stream."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from plait.exceptions import RemoteProtocolError, StreamClosedError

if TYPE_CHECKING:
    from plait.abc import Connection, Stream

__all__ = ["PROTOCOL", "PingService", "ping"]

PROTOCOL = "/ipfs/ping/1.0.0"
# Bytes of one ping, as the specification has it.
SIZE = 32


class PingService:
    """Sends back what peers send, 32 bytes at a time.

    Args:
        idle: seconds without a ping after which the stream is closed.
    """

    def __init__(self, idle: float = 60.0) -> None:
        # rust pings every 15 s and takes a stream closed between two pings for a failure.
        self._idle = idle

    async def __call__(self, stream: Stream) -> None:
        """Serves one stream until the peer ends it or is idle.

        Raises `RemoteProtocolError` when the peer ends in the middle of a ping.
        """
        pending = b""
        with _Idleness(stream, self._idle) as idleness:
            try:
                while data := await stream.read(READ_SIZE):
                    idleness.over()
                    if len(data) == SIZE and not pending:
                        await stream.write(data)
                        continue
                    pending += data
                    # A ping may come in pieces, and several may come together.
                    whole = len(pending) - len(pending) % SIZE
                    if whole:
                        await stream.write(pending[:whole])
                        pending = pending[whole:]
            except StreamClosedError:
                if not idleness.has_expired:
                    raise
                return
        if pending:
            raise RemoteProtocolError(f"the stream ended after {len(pending)} of {SIZE} bytes of a ping")


class _Idleness:
    """Closes a stream on which nothing has come for too long.

    One timer for many pings: it looks when the last one was, which is cheaper than moving it each time.
    """

    __slots__ = ("_last", "_loop", "_seconds", "_stream", "_timer", "has_expired")

    def __init__(self, stream: Stream, seconds: float) -> None:
        self._stream = stream
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self.has_expired = False

    def over(self) -> None:
        """Something has come."""
        self._last = self._loop.time()

    def __enter__(self) -> _Idleness:
        self.over()
        self._timer = self._loop.call_later(self._seconds, self._look)
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def _look(self) -> None:
        due = self._last + self._seconds
        if due > self._loop.time():
            self._timer = self._loop.call_at(due, self._look)
        else:
            self.has_expired = True
            self._stream.stop_reading()


async def ping(
    connection: Connection, *, count: int | None = None, interval: float = 1.0
) -> AsyncIterator[float]:
    """Measures round trips, on one stream that is closed at the end.

    Use `contextlib.aclosing` around it when you may leave the loop early.

    Args:
        connection: the peer.
        count: how many pings; without end when `None`.
        interval: seconds from the start of one ping to the start of the next.

    Yields:
        the seconds of each round trip.

    Raises:
        ProtocolNotSupportedError: the peer does not answer pings.
        RemoteProtocolError: the peer sent back something else.
        StreamResetError: the peer or the connection broke off.

    Cancelling it, or a timeout around one step, resets the stream.
    """
    async with await connection.open_stream(PROTOCOL) as stream:
        sent = 0
        while count is None or sent < count:
            start = time.perf_counter()
            payload = os.urandom(SIZE)
            await stream.write(payload)
            try:
                answer = await stream.readexactly(SIZE)
            except asyncio.IncompleteReadError as error:
                raise RemoteProtocolError("the peer ended the stream instead of answering") from error
            elapsed = time.perf_counter() - start
            if answer != payload:
                raise RemoteProtocolError("the answer to a ping differs from the ping")
            sent += 1
            yield elapsed
            if sent != count and interval > 0:
                await asyncio.sleep(max(0.0, interval - (time.perf_counter() - start)))


# Some pings at once: enough for peers that do not wait, and never much to hold.
READ_SIZE = 64 * SIZE
