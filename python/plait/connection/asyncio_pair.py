"""A stream in the shape of `asyncio.open_connection`: for code that was written for sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

from plait.exceptions import StreamError

if TYPE_CHECKING:
    from plait.connection.stream import Stream

__all__ = ["StreamPair", "StreamReader", "StreamWriter", "pair"]

StreamPair: TypeAlias = "tuple[StreamReader, StreamWriter]"


def pair(stream: Stream) -> StreamPair:
    """Reader and writer over one stream. Use either these or the stream itself, not both."""
    return StreamReader(stream), StreamWriter(stream)


class StreamReader:
    """The verbs of `asyncio.StreamReader`. Cancelling any of them loses nothing."""

    __slots__ = ("_at_eof", "_stream")

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._at_eof = False

    async def read(self, n: int = -1) -> bytes:
        """Up to `n` bytes; everything to the end when negative; `b""` at the end."""
        data = await self._stream.read(n)
        self._at_eof |= n < 0 or (n > 0 and not data)
        return data

    async def readexactly(self, n: int) -> bytes:
        """Exactly `n` bytes, or `asyncio.IncompleteReadError`."""
        return await self._stream.readexactly(n)

    async def readuntil(self, separator: bytes = b"\n") -> bytes:
        """Up to and with the separator, or `asyncio.IncompleteReadError`."""
        return await self._stream.readuntil(separator)

    async def readline(self) -> bytes:
        """One line with its newline; the rest without one at the end."""
        try:
            return await self._stream.readuntil(b"\n")
        except asyncio.IncompleteReadError as error:
            self._at_eof = True
            return error.partial

    def at_eof(self) -> bool:
        """The end was read."""
        return self._at_eof

    def __aiter__(self) -> StreamReader:
        return self

    async def __anext__(self) -> bytes:
        if line := await self.readline():
            return line
        raise StopAsyncIteration


class StreamWriter:
    """The verbs of `asyncio.StreamWriter`: `write` never waits, `drain` does."""

    __slots__ = ("_closing", "_stream")

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._closing: asyncio.Task[None] | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Queues `data`. Raises `StreamError` when the stream is reset or closed."""
        self._stream.put(data)

    def writelines(self, lines: Iterable[bytes | bytearray | memoryview]) -> None:
        """Queues all of them."""
        for line in lines:
            self._stream.put(line)

    async def drain(self) -> None:
        """Waits until the stream's send buffer has room. Cancelling it does nothing to the data."""
        await self._stream.drained()

    def can_write_eof(self) -> bool:
        """Always: streams close in halves."""
        return True

    def write_eof(self) -> None:
        """Ends our half after what is queued."""
        self._stream.finish()

    def close(self) -> None:
        """Begins to close both halves."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._stream.close())

    def is_closing(self) -> bool:
        """`close` was called, or the stream is closed."""
        return self._closing is not None or self._stream.is_closed

    async def wait_closed(self) -> None:
        """Waits until `close` is through."""
        if self._closing is not None:
            try:
                await asyncio.shield(self._closing)
            except StreamError:
                return

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As `Stream.get_extra_info`."""
        return self._stream.get_extra_info(name, default)

    @property
    def transport(self) -> StreamWriter:
        """Itself: what users want of the transport are `is_closing`, `abort` and `get_extra_info`."""
        return self

    def abort(self) -> None:
        """Resets the stream."""
        self._stream.reset()
