"""A stream: what the application reads and writes.

The bytes live in the session. A stream holds at most one waiting reader, one waiting writer, and what
a write could not hand over yet.
"""

from __future__ import annotations

import asyncio
from collections import deque
from enum import Enum, auto
from typing import IO, TYPE_CHECKING, Any

from plait._core import FileBlock, Waiter
from plait.connection.busy_poll import SMALL
from plait.connection.reasons import describe_stream_code
from plait.connection.waiting import Wait, begin_wait, fall_asleep, running, wake
from plait.exceptions import (
    ConcurrencyError,
    ConnectionClosedError,
    LimitError,
    RemoteProtocolError,
    StreamClosedError,
    StreamError,
    StreamResetError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine
    from types import TracebackType

    from plait.connection.asyncio_pair import StreamPair
    from plait.connection.connection import Connection
    from plait.identity import PeerId
    from plait.types import Direction

__all__ = ["Stream", "reset_by_peer"]

# One read of an iteration or of a read to the end: what one segment of a fast link brings.
CHUNK = 512 * 1024
# Most bytes of a varint in front of a message: nine carry 63 bits.
VARINT_BYTES = 9


class Half(Enum):
    """Our half of a stream; one way, top to bottom."""

    OPEN = auto()
    # It ends after what is queued.
    ENDED = auto()
    # The application is done with the stream, the peer's half included.
    RELEASED = auto()


OPEN, ENDED, RELEASED = Half


class Stream:
    """A two-way flow of bytes with one protocol, multiplexed over a connection.

    One task may read and another may write; two readers or two writers at once get `ConcurrencyError`.
    Reading raises `StreamResetError` when the peer or the connection aborted the stream: an end of
    stream (`b""`) always means that the peer finished and nothing is missing.

    As an async context manager it closes both halves at the end, and resets when the body raised.

    Attributes:
        id: the muxer's number of the stream; unique on its connection.
        protocol: the protocol id that both sides agreed on.
        connection: the connection that carries it.
        direction: who opened it.
    """

    __slots__ = (
        "_end",
        "_half",
        "_lookahead",
        "_queue",
        "_reader",
        "_writer",
        "connection",
        "direction",
        "id",
        "protocol",
    )

    def __init__(
        self,
        connection: Connection,
        stream_id: int,
        protocol: str,
        direction: Direction,
    ) -> None:
        self.connection = connection
        self.id = stream_id
        self.protocol = protocol
        self.direction = direction
        # Who opens a stream waits here as well, for the peer's word on the protocol.
        self._reader: Wait | None = None
        self._writer: Wait | None = None
        # Written, and not yet taken by the session; with how much of the first piece it has taken.
        self._queue: deque[tuple[bytes | FileBlock, int]] | None = None
        # Read from the session by `readuntil`, and not yet given out.
        self._lookahead = b""
        self._half = OPEN
        # Why the stream can do nothing more; buffered bytes are still given.
        self._end: BaseException | None = None

    # ---- reading

    def read(self, n: int = -1) -> Coroutine[Any, Any, bytes]:
        """Up to `n` bytes as soon as there are any; all of them up to the peer's end when `n` is negative.

        `b""` is the peer's end (or `n == 0`).

        Raises:
            StreamResetError: the stream was aborted, by the peer or with its connection.
            StreamClosedError: we closed it.
            ConcurrencyError: another task reads.
            ProtocolNotSupportedError: the stream was opened lazily, and the peer does not speak its protocol.

        Cancelling it loses nothing.
        """
        if running.task is None or n <= 0:
            return self._read(n)
        return Waiter.read(self, n, iterates=False)

    async def _read(self, n: int) -> bytes:
        if n <= 0:
            return await self._read_to_end() if n else b""
        if self._lookahead:
            return self._take_lookahead(n)
        while (data := self._receive(n)) is None:
            # `_readable` without a frame of its own: this is where readers spend their time.
            self._reader = begin_wait(self.connection.driver.loop)
            try:
                await self._reader
            finally:
                self._reader = None
        return data

    async def readexactly(self, n: int) -> bytes:
        """Exactly `n` bytes.

        Raises:
            asyncio.IncompleteReadError: the peer ended before; `.partial` has what came.
            StreamResetError, StreamClosedError, ConcurrencyError: as `read`.

        Cancelling it loses nothing: what had come is given to the next read.
        """
        data = await self.read(n)
        if len(data) == n:
            return data
        parts, missing = [data], n - len(data)
        try:
            while missing:
                if not data:
                    raise asyncio.IncompleteReadError(b"".join(parts), n)
                data = await self.read(missing)
                parts.append(data)
                missing -= len(data)
        except asyncio.CancelledError:
            self._lookahead = b"".join(parts) + self._lookahead
            raise
        return b"".join(parts)

    async def readinto(self, buffer: bytearray | memoryview | FileBlock) -> int:
        """Fills the beginning of `buffer` with what there is; how many bytes, 0 at the peer's end.

        A block gets it behind what it has, and needs room for it.

        Raises as `read`. Cancelling it loses nothing.
        """
        if self._lookahead:
            if isinstance(buffer, FileBlock):
                return buffer.extend(self._take_lookahead(buffer.room))
            data = self._take_lookahead(len(buffer))
            buffer[: len(data)] = data
            return len(data)
        while True:
            self._check_reader()
            if (count := self._take(buffer)) is not None:
                return count
            await self._readable()

    async def readuntil(self, separator: bytes = b"\n", limit: int = 65536) -> bytes:
        """Bytes up to and with the first `separator`.

        Raises:
            asyncio.IncompleteReadError: the peer ended before; `.partial` has what came.
            asyncio.LimitOverrunError: no separator in the first `limit` bytes, which stay unread.
            StreamResetError, StreamClosedError, ConcurrencyError: as `read`.

        Cancelling it loses nothing.
        """
        start = 0
        while (found := self._lookahead.find(separator, start)) < 0:
            if len(self._lookahead) > limit:
                raise asyncio.LimitOverrunError("no separator within the limit", len(self._lookahead))
            start = max(0, len(self._lookahead) - len(separator) + 1)
            while (data := self._receive(CHUNK)) is None:
                await self._readable()
            if not data:
                partial, self._lookahead = self._lookahead, b""
                raise asyncio.IncompleteReadError(partial, None)
            self._lookahead += data
        if found + len(separator) > limit:
            raise asyncio.LimitOverrunError("the separator is beyond the limit", found)
        return self._take_lookahead(found + len(separator))

    async def read_message(self, limit: int) -> bytes:
        """One message with its length in front as an unsigned varint.

        Args:
            limit: bytes of the longest message to accept; checked before anything is kept.

        Raises:
            RemoteProtocolError: a longer message, or a malformed length.
            asyncio.IncompleteReadError: the peer ended before or in the message; `.partial` is empty
                when it ended between two messages.
            StreamResetError, StreamClosedError, ConcurrencyError: as `read`.

        Cancelling it loses nothing only between two messages; reset the stream after cancelling.
        """
        length = shift = 0
        while True:
            byte = (await self.readexactly(1))[0]
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
            if shift >= 7 * VARINT_BYTES:
                raise RemoteProtocolError("the length of a message has more than nine bytes")
        if byte == 0 and shift > 7:
            raise RemoteProtocolError("the length of a message is not in its shortest form")
        if length > limit:
            raise RemoteProtocolError(f"a message of {length} bytes where {limit} are the most")
        return await self.readexactly(length) if length else b""

    async def recv_file(self, file: IO[bytes], count: int | None = None) -> int:
        """Writes what comes into a file, from its position on: `count` bytes, or all to the peer's end.

        It gives how many those were. They go there without becoming Python objects, through 2 MiB of memory.
        The disk is the work of the loop's executor, and while it is slow the peer waits. Afterwards the
        position of the file is behind what was written, also when this failed.

        Raises:
            ValueError: not a regular file, or not open in binary mode.
            EOFError: the peer ended before `count` bytes; the file has what came.
            OSError: the file cannot be written. Some bytes that came may be lost then.
            StreamResetError, StreamClosedError, ConcurrencyError: as `read`; the file has what came.

        Cancelling it loses nothing: what was taken from the stream is in the file. It ends when the disk has
        done the block it is at.
        """
        from plait.connection.stream_files import recv_file

        return await recv_file(self, file, count)

    def __aiter__(self) -> Stream:
        return self

    def __anext__(self) -> Awaitable[bytes]:
        """The next bytes, in pieces as they come; ends at the peer's end. Raises and cancels as `read`."""
        if running.task is None:
            return self._next()
        return Waiter.read(self, CHUNK, iterates=True)

    async def _next(self) -> bytes:
        # What `read` does, without its frame.
        if self._lookahead:
            return self._take_lookahead(CHUNK)
        while (data := self._receive(CHUNK)) is None:
            self._reader = begin_wait(self.connection.driver.loop)
            try:
                await self._reader
            finally:
                self._reader = None
        if data:
            return data
        raise StopAsyncIteration

    # ---- writing

    async def write(self, data: bytes | bytearray | memoryview | FileBlock) -> None:
        """Takes all of `data`, then waits until the session has it within its bounds.

        It waits for the peer's window and for our socket, whichever is slower. It returns before the
        bytes are on the wire: up to the send buffer (256 KiB) is queued, and up to 1 MiB behind it of `bytes`
        that have 8 KiB or more. Those are not copied, so the larger they are, the less each of them costs.

        Raises:
            StreamResetError: the stream was aborted.
            StreamClosedError: our half is closed.
            ConcurrencyError: another task writes.

        Cancelling it never splits `data`: all of it is sent, or the stream breaks. A block is ours to use
        until this returns.
        """
        if self._writer is not None:
            raise ConcurrencyError("another task is writing to this stream")
        self._put(data)
        if self._queue:
            await self._drained()

    def write_nowait(self, data: bytes | bytearray | memoryview) -> None:
        """Takes all of `data` without waiting.

        Raises:
            LimitError: earlier writes wait already; nothing of `data` was taken.
            StreamResetError, StreamClosedError: as `write`.
        """
        if self._queue or self._writer is not None:
            raise LimitError("the stream's send buffer is full", limit="send_buffer", scope="stream")
        self._put(data)

    async def write_message(self, data: bytes | bytearray | memoryview) -> None:
        """Writes `data` with its length in front as an unsigned varint. Raises and cancels as `write`."""
        await self.write(_varint(len(data)) + bytes(data))

    async def send_file(self, file: IO[bytes], offset: int = 0, count: int | None = None) -> int:
        """Writes `count` bytes of a file, from `offset` on, or all that it has now; gives how many.

        They go there without becoming Python objects, through 2 MiB of memory at most, as fast as the peer
        and our socket take them. What the system does not have in memory is read by the loop's executor. Our
        half stays open. Afterwards the position of the file is behind the last byte that was handed over,
        also when this failed.

        Raises:
            ValueError: not a regular file, or not open in binary mode.
            EOFError: the file has fewer bytes, or became shorter meanwhile.
            OSError: the file cannot be read.
            StreamResetError, StreamClosedError, ConcurrencyError: as `write`.

        Failing or cancelled behind the first byte, it resets the stream: nobody takes a part of a file for
        all of it, nor what is written next for its rest.
        """
        from plait.connection.stream_files import send_file

        return await send_file(self, file, offset, count)

    async def write_eof(self) -> None:
        """Ends our half after everything that was written; reading goes on. A second call does nothing.

        Raises `StreamResetError`. Cancelling it does not take the end back.
        """
        if self._half is ENDED and not self._queue:
            return
        self._check_end_of_writing()
        self._half = ENDED
        if self._queue:
            await self._drained()
        else:
            self.connection.session.close_write(self.id)
            # The end of a question: what follows is the answer, or the peer's own end.
            self.connection.driver.is_asking = True
            self.connection.driver.flush_soon()

    # ---- ending

    async def close(self) -> None:
        """Ends our half and gives up reading. What was written is still sent; what comes is thrown away.

        A peer that never ends its half is cut off after the linger time. Closing twice is fine, and so
        is closing a stream that was reset. Cancelled, it resets the stream when bytes are still waiting.
        """
        if self._half is RELEASED:
            return
        if self._queue and self._end is None:
            self._half = ENDED
            try:
                await self._drained()
            except StreamResetError:
                pass
            except BaseException:
                self.reset()
                raise
        self._release()

    def close_nowait(self) -> bool:
        """Closes if nothing that was written still waits to be handed over; says whether it has."""
        if self._queue:
            return False
        if self._half is not RELEASED:
            self._release()
        return True

    def stop_reading(self) -> None:
        """Throws away what the peer has sent and will send. The protocol has no way to tell it so.

        Reading raises `StreamClosedError` from now on, also for who waits already.
        """
        if self._half is not RELEASED and self._end is None:
            self._lookahead = b""
            self.connection.session.stop_reading(self.id)
            self.connection.driver.flush_soon()
            self.handle_readable()

    def reset(self, error_code: int = 0) -> None:
        """Aborts both halves and tells the peer `error_code`. Idempotent.

        Readers and writers that wait get `StreamResetError`. Bytes that were not sent are lost.
        """
        if self._half is RELEASED:
            return
        self._half = RELEASED
        self._queue = None
        self.connection.forget(self.id)
        if self._end is None:
            self._end = StreamResetError(
                f"we reset the stream: {describe_stream_code(error_code)}",
                error_code=error_code,
                remote=False,
            )
            self.connection.session.reset(self.id, error_code)
            self.connection.driver.flush_soon()
        else:
            self.connection.session.release(self.id, self.connection.driver.now())
        self._wake_all()

    async def __aenter__(self) -> Stream:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            await self.close()
        else:
            self.reset()

    # ---- getters

    @property
    def remote_peer(self) -> PeerId:
        """Who is at the other end."""
        return self.connection.remote_peer

    @property
    def error(self) -> BaseException | None:
        """What broke the stream, also when that was our own reset; `None` when nothing did."""
        return self._end

    @property
    def is_closed(self) -> bool:
        """We closed or reset it."""
        return self._half is RELEASED

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """`peer_id`, `protocol`, `connection`, or what the transport knows: `peername`, `sockname`, …"""
        own = {"peer_id": self.remote_peer, "protocol": self.protocol, "connection": self.connection}
        if name in own:
            return own[name]
        info = self.connection.driver.get_extra_info(name)
        return default if info is None else info

    def as_asyncio(self) -> StreamPair:
        """A `(reader, writer)` pair with the verbs of `asyncio.open_connection`'s."""
        from plait.connection.asyncio_pair import pair

        return pair(self)

    def __repr__(self) -> str:
        state = "closed" if self._half is RELEASED else "broken" if self._end is not None else "open"
        return f"<Stream {self.id} {self.protocol} {self.direction} {state}>"

    # ---- from the connection

    def handle_readable(self) -> None:
        """The buffer has bytes, or the peer ended."""
        if self._reader is not None:
            wake(self._reader)

    def handle_writable(self) -> None:
        """The session takes bytes again."""
        if self._queue is not None:
            self._pump()
            self.connection.driver.flush_soon()

    def handle_ready(self, protocol: str) -> None:
        """The peer confirmed the protocol."""
        self.protocol = protocol
        self.handle_readable()

    def handle_end(self, error: BaseException) -> None:
        """The peer reset or refused the stream."""
        if self._end is None:
            self._end = error
            self._queue = None
            self._wake_all()

    def handle_connection_closed(self, reason: ConnectionClosedError) -> None:
        """The connection is over; what had been received can still be read."""
        if self._end is None:
            error = StreamResetError(f"the connection ended: {reason}", remote=reason.remote)
            error.__cause__ = reason
            self.handle_end(error)

    async def confirmed(self) -> None:
        """Waits until the peer confirmed the protocol. Raises what ended the stream instead."""
        if self._end is None:
            self._reader = begin_wait(self.connection.driver.loop)
            try:
                await self._reader
            finally:
                self._reader = None
        if self._end is not None:
            raise self._end

    def put(self, data: bytes | bytearray | memoryview | FileBlock) -> None:
        """Takes all of `data` and never waits: for writers whose caller waits elsewhere (`drain`)."""
        self._put(data)

    async def drained(self) -> None:
        """Waits until the session has taken everything. Raises as `write`."""
        if self._queue:
            await self._drained()
        elif self._end is not None:
            raise self._end

    def finish(self) -> None:
        """Ends our half after what is queued, without waiting."""
        if self._half is OPEN:
            self._half = ENDED
            if not self._queue:
                self.connection.session.close_write(self.id)
                self.connection.driver.flush_soon()

    # ---- from a `Waiter`

    def arrived(self, waiter: Waiter, limit: int) -> bytes | Any:
        """Up to `limit` bytes, none at the peer's end; or what the task of `waiter` has to wait for now."""
        if self._reader is waiter:
            self._reader = None
        if self._lookahead:
            return self._take_lookahead(limit)
        if (data := self._receive(limit)) is None:
            self._reader = waiter
            return fall_asleep(waiter, self.connection.driver.loop)
        return data

    def no_longer_awaited(self, waiter: Waiter) -> None:
        """The wait was given up."""
        if self._reader is waiter:
            self._reader = None

    # ---- private

    def _receive(self, n: int) -> bytes | None:
        if self._reader is not None or self._half is RELEASED:
            self._check_reader()
        session = self.connection.session
        data = session.read(self.id, n) if self._end is None or self._can_receive() else None
        if data is None:
            if self._end is not None:
                raise self._end
        elif data and session.has_pending:
            self.connection.driver.flush_soon()  # reading has given the peer credit
        return data

    def _take(self, buffer: bytearray | memoryview | FileBlock) -> int | None:
        """What there is into `buffer`; `None` when there is nothing now."""
        count = self.connection.session.read_into(self.id, buffer) if self._can_receive() else None
        if count is None:
            self._check_end()
        elif self.connection.session.has_pending:
            self.connection.driver.flush_soon()
        return count

    def _can_receive(self) -> bool:
        # The session still has what came before the connection's end, and what the peer had finished
        # before it reset. Of a stream that was refused it knows nothing any more.
        return self._end is None or isinstance(self._end, StreamResetError)

    async def _read_to_end(self) -> bytes:
        parts = []
        try:
            while data := await self.read(CHUNK):
                parts.append(data)
        except asyncio.CancelledError:
            self._lookahead = b"".join(parts) + self._lookahead
            raise
        return b"".join(parts)

    def _take_lookahead(self, n: int) -> bytes:
        self._check_reader()
        data, self._lookahead = self._lookahead[:n], self._lookahead[n:]
        return data

    async def _readable(self) -> None:
        self._reader = begin_wait(self.connection.driver.loop)
        try:
            await self._reader
        finally:
            self._reader = None

    def _check_reader(self) -> None:
        if self._reader is not None:
            raise ConcurrencyError("another task is reading from this stream")
        if self._half is RELEASED:
            raise self._end if self._end is not None else StreamClosedError("we closed the stream")

    def _check_end(self) -> None:
        if self._end is not None:
            raise self._end

    def _check_end_of_writing(self) -> None:
        if self._end is not None:
            raise self._end
        if self._half is RELEASED:
            raise StreamClosedError("we closed the stream")

    def _put(self, data: bytes | bytearray | memoryview | FileBlock) -> None:
        self._check_end_of_writing()
        if self._half is ENDED:
            raise StreamClosedError("we ended our half of the stream")
        if self._queue:
            self._queue.append((bytes(data), 0))
            return
        try:
            taken = self.connection.session.write(self.id, data, 0)
        except ConnectionClosedError as error:
            # The go-away is queued, so nothing can follow it; the stream hears of the end a little later.
            raise StreamResetError("the connection is being closed", remote=False) from error
        size = data.nbytes if isinstance(data, memoryview) else len(data)
        if size <= SMALL:
            self.connection.driver.is_asking = True
        self.connection.driver.flush_soon()
        if taken < size:
            # The rest outlives this call, so it must not change under us; `bytes` is not copied again, and
            # blocks are ours until the writer goes on.
            if not isinstance(data, bytes | FileBlock):
                data, taken = bytes(memoryview(data).cast("B")[taken:]), 0
            self._queue = deque([(data, taken)])

    def _pump(self) -> None:
        """Hands the session what it takes of the queue."""
        queue = self._queue
        while queue:
            data, start = queue[0]
            try:
                taken = self.connection.session.write(self.id, data, start)
            except (ConnectionClosedError, StreamError):
                return  # the end is queued behind this event, and wakes the writer
            if start + taken < len(data):
                queue[0] = (data, start + taken)
                return
            queue.popleft()
        self._queue = None
        if self._half is ENDED:
            self.connection.session.close_write(self.id)
        if self._writer is not None:
            wake(self._writer)

    async def _drained(self) -> None:
        if self._writer is not None:
            raise ConcurrencyError("another task is writing to this stream")
        self._writer = begin_wait(self.connection.driver.loop)
        try:
            await self._writer
        finally:
            self._writer = None
        if self._end is not None:
            raise self._end

    def _release(self) -> None:
        self._half = RELEASED
        self._queue = None
        self._lookahead = b""
        self.connection.forget(self.id)
        self.connection.session.release(self.id, self.connection.driver.now())
        self.connection.driver.flush_soon()
        self._wake_all()

    def _wake_all(self) -> None:
        for waiter in (self._reader, self._writer):
            if waiter is not None:
                wake(waiter)


def reset_by_peer(error_code: int) -> StreamResetError:
    """The error of a stream that the peer reset."""
    return StreamResetError(
        f"the peer reset the stream: {describe_stream_code(error_code)}", error_code=error_code, remote=True
    )


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
