"""Between a stream and a regular file, in blocks of memory that Rust owns: no byte becomes an object.

What the system has in memory is read on the spot, a block at a time. What may have to wait for the disk is
done by the loop's executor, while the stream moves another block.
"""

from __future__ import annotations

import asyncio
import os
import stat
from typing import IO, TYPE_CHECKING, TypeVar

from plait._core import FileBlock
from plait.connection.stream import Half
from plait.exceptions import ConcurrencyError, StreamClosedError

if TYPE_CHECKING:
    from plait.connection.stream import Stream

__all__ = ["recv_file", "send_file"]

T = TypeVar("T")


async def send_file(stream: Stream, file: IO[bytes], offset: int, count: int | None) -> int:
    """`Stream.send_file`."""
    disk = _Disk(file)
    if offset < 0 or (count is not None and count < 0):
        raise ValueError("neither the place in a file nor the number of its bytes is negative")
    if count is None:
        count = max(0, disk.size - offset)
    elif offset + count > disk.size:
        raise EOFError(f"the file has {disk.size} bytes, which is less than {offset} + {count}")
    sent, size = 0, min(BLOCK, count) or 1
    ahead: asyncio.Future[int] | None = None
    writer = _Writer(stream)
    try:
        block, spare = FileBlock(size), FileBlock(size)
        await writer.drained()
        ahead = disk.read(block, offset, count)
        while sent < count:
            if ahead is not None:
                await _settle(ahead)
                ahead = None
            if block.room:
                raise EOFError(
                    f"the file ended after {sent + len(block)} of {count} bytes: it became shorter"
                )
            stream.put(block)
            sent += len(block)
            if sent < count:
                ahead = disk.read(spare, offset + sent, count - sent)
            await writer.drained()
            block, spare = spare, block
    except BaseException:
        if sent:
            # What the peer has must not look like all there was to come.
            stream.reset()
        raise
    finally:
        writer.release()
        try:
            if ahead is not None:
                # It uses a descriptor that the caller may close.
                await _settle(ahead)
        finally:
            file.seek(offset + sent)
    return sent


async def recv_file(stream: Stream, file: IO[bytes], count: int | None) -> int:
    """`Stream.recv_file`."""
    disk = _Disk(file)
    if count is not None and count < 0:
        raise ValueError("no file has a negative number of bytes")
    file.flush()
    start = file.tell()
    taken = written = 0
    has_ended = False
    writing: asyncio.Future[int] | None = None
    reader = _Reader(stream)
    try:
        block, spare = FileBlock(BLOCK), FileBlock(BLOCK)
        while not has_ended and taken != count:
            block.clear(BLOCK if count is None else count - taken)
            try:
                has_ended = await reader.fill(block)
            finally:
                # Also what came before the stream broke, or the one who waits lost patience.
                job, writing = writing, None
                if job is not None:
                    written += await _settle(job)
                if length := len(block):
                    writing = disk.write(block, start + taken)
                    taken += length
            block, spare = spare, block
    finally:
        reader.release()
        try:
            if writing is not None:
                written += await _settle(writing)
        finally:
            file.seek(start + written)
    if count is not None and taken < count:
        raise EOFError(f"the peer ended after {taken} of {count} bytes")
    return taken


class _Writer:
    """The writing half of a stream, for nobody else."""

    __slots__ = ("_stream",)

    def __init__(self, stream: Stream) -> None:
        if stream._writer is not None:
            raise ConcurrencyError("another task is writing to this stream")
        stream._check_end_of_writing()
        if stream._half is Half.ENDED:
            raise StreamClosedError("we ended our half of the stream")
        self._stream = stream
        stream._writer = stream.connection.driver.loop.create_future()

    async def drained(self) -> None:
        """Waits until the session has taken everything; a block that was put may be used again then."""
        stream = self._stream
        while stream._queue:
            waiter = stream._writer = stream.connection.driver.loop.create_future()
            await waiter
        stream._check_end()

    def release(self) -> None:
        self._stream._writer = None


class _Reader:
    """The reading half of a stream, for nobody else."""

    __slots__ = ("_stream",)

    def __init__(self, stream: Stream) -> None:
        stream._check_reader()
        self._stream = stream
        stream._reader = stream.connection.driver.loop.create_future()

    async def fill(self, block: FileBlock) -> bool:
        """Fills all the room of a block; whether the peer ended before."""
        stream = self._stream
        while block.room:
            if stream._half is Half.RELEASED:
                raise stream._end or StreamClosedError("we closed the stream")
            if ahead := stream._lookahead:
                stream._lookahead = ahead[block.extend(ahead) :]
                continue
            count = stream._take(block)
            if count is None:
                waiter = stream._reader = stream.connection.driver.loop.create_future()
                await waiter
            elif not count:
                return True
        return False

    def release(self) -> None:
        self._stream._reader = None


class _Disk:
    """A regular file, read and written at places in it.

    Raises:
        ValueError: it is none, or not open in binary mode.
    """

    __slots__ = ("_file", "_fileno", "_loop", "size")

    def __init__(self, file: IO[bytes]) -> None:
        if "b" not in getattr(file, "mode", "b"):
            raise ValueError("the file is not open in binary mode")
        try:
            self._fileno = file.fileno()
        except (AttributeError, OSError):
            raise ValueError(f"{file!r} is no file of the system; read and write its bytes instead") from None
        status = os.fstat(self._fileno)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError(f"{file!r} is not a regular file; read and write its bytes instead")
        self._file = file
        self._loop = asyncio.get_running_loop()
        self.size = status.st_size

    def read(self, block: FileBlock, offset: int, count: int) -> asyncio.Future[int] | None:
        """Fills a block with at most `count` bytes; `None` when it is done."""
        block.clear(count)
        if not IS_POSITIONED:
            return self._loop.run_in_executor(None, self._read_plain, block, offset)
        if block.read_cached(self._fileno, offset) is not None and not block.room:
            return None
        # The rest, if the system had only a part of it.
        place = offset + len(block)
        return self._loop.run_in_executor(None, block.read_file, self._fileno, place)

    def write(self, block: FileBlock, offset: int) -> asyncio.Future[int]:
        """Writes a block; gives how many bytes that were."""
        if not IS_POSITIONED:
            return self._loop.run_in_executor(None, self._write_plain, block, offset)
        return self._loop.run_in_executor(None, block.write_file, self._fileno, offset)

    def _read_plain(self, block: FileBlock, offset: int) -> int:
        self._file.seek(offset)
        return block.extend(self._file.read(block.room))

    def _write_plain(self, block: FileBlock, offset: int) -> int:
        self._file.seek(offset)
        self._file.write(bytes(block))
        self._file.flush()
        return len(block)


async def _settle(job: asyncio.Future[T]) -> T:
    """The result of a job of the disk, which is not left alone with the file: cancelling waits for it."""
    cancelled: asyncio.CancelledError | None = None
    while not job.done():
        try:
            await asyncio.wait([job])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    return job.result()


# Bytes that are read or written at once: below, waking a thread for each costs noticeably; above, nothing is
# gained, and every transfer holds two of them.
BLOCK = 1 << 20
# Elsewhere descriptors are no numbers of the system, and have no reads and writes at a place.
IS_POSITIONED = hasattr(os, "pread")
