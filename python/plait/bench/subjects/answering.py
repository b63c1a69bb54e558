"""What the listener does on a pipe: the pipe's first bytes say it. The same for every stack."""

from __future__ import annotations

import asyncio
import struct
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, TypeAlias

from plait.bench.subjects.contender import ContenderError

if TYPE_CHECKING:
    from plait.bench.subjects.ends import Pipe

__all__ = ["BLOCK", "GO", "READ_SIZE", "TRAILER", "Request", "answer", "drain", "read_exactly", "send"]

Verb: TypeAlias = Literal["bulk", "reply", "slow"]

# One read: what a segment of a fast link brings at most.
READ_SIZE = 256 * 1024
# What is sent; no stack here compresses.
BLOCK = bytes(4 * 1024 * 1024)
# Tells how many bytes came; the last that the listener sends.
TRAILER = struct.Struct(">Q")
# What both ends of bulk say when they are ready.
GO = b"\0"
# With a zero at its end, as with all that is sent here: see `asyncio_tls`.
_HEADER = struct.Struct(">BQQQx")
_VERBS: tuple[Verb, ...] = ("bulk", "reply", "slow")
# How often a slow reader reads in a second: seldom enough to be slow, often enough to be steady.
SLOW_READS = 20


@dataclass(frozen=True, slots=True)
class Request:
    """The first bytes of a pipe.

    Attributes:
        verb: `bulk` says a byte when it is ready and waits for one; then it sends for `seconds`, or up to
            `most` bytes, in writes of `size`, reads up to the other end's end, sends how many bytes came in
            eight bytes, and ends. `reply` answers every
            `size` bytes with as many, in a write of their own. `slow` reads `size` bytes a second for
            `seconds`, then says how many came, and ends.
        size: bytes.
        seconds: to the millisecond.
        most: bytes; 0 is no bound.
    """

    verb: Verb
    size: int = 0
    seconds: float = 0.0
    most: int = 0

    def pack(self) -> bytes:
        return _HEADER.pack(_VERBS.index(self.verb), self.size, round(self.seconds * 1000), self.most)

    @classmethod
    def unpack(cls, data: bytes) -> Request:
        """Raises `ContenderError` for what is no request."""
        verb, size, milliseconds, most = _HEADER.unpack(data)
        if verb >= len(_VERBS) or not 0 <= size <= len(BLOCK) or (verb == 1 and not size):
            raise ContenderError("the dialer asked for something that no listener does")
        return cls(_VERBS[verb], size, milliseconds / 1000, most)


async def answer(pipe: Pipe) -> None:
    """Serves one pipe until its end."""
    request = Request.unpack(await read_exactly(pipe, _HEADER.size))
    match request.verb:
        case "reply":
            # Here and not in a function of its own: thousands of these wait at once, and are weighed.
            message, rest = _block(request.size), 0
            del request
            while data := await pipe.read(READ_SIZE):
                whole, rest = divmod(rest + len(data), len(message))
                del data
                for _ in range(whole):
                    await pipe.write(message)
            await pipe.write_eof()
        case "bulk":
            await _answer_bulk(pipe, request)
        case "slow":
            count = await _read_slowly(pipe, request.size, request.seconds)
            await pipe.write(TRAILER.pack(count))
            await pipe.write_eof()
            # The other end resets once it has read that: what it wrote is never to be read here.
            await asyncio.sleep(request.seconds)


async def _answer_bulk(pipe: Pipe, request: Request) -> None:
    await pipe.write(GO)
    await read_exactly(pipe, len(GO))
    # Without a task where there is nothing to send: thousands of pipes may be served at once.
    if request.seconds:
        async with asyncio.TaskGroup() as both:
            both.create_task(send(pipe, request.size, request.seconds, request.most))
            reading = both.create_task(drain(pipe))
        count, _ = reading.result()
    else:
        count, _ = await drain(pipe)
    await pipe.write(TRAILER.pack(count))
    await pipe.write_eof()


@lru_cache(maxsize=1)
def _block(size: int) -> bytes:
    """All pipes write the same: with one of its own for each, they differ in how much memory is read."""
    return BLOCK[:size]


async def send(pipe: Pipe, size: int, seconds: float, most: int = 0) -> int:
    """Writes `size` bytes at a time until the time is over, or `most` bytes are written; how many."""
    block = _block(size)
    sent, end, clock = 0, time.perf_counter() + seconds, time.perf_counter
    while clock() < end and not (most and sent >= most):
        await pipe.write(block)
        sent += size
    return sent


async def read_exactly(pipe: Pipe, count: int) -> bytes:
    """Raises `EOFError` when the other end ends before."""
    data = b""
    while len(data) < count:
        more = await pipe.read(count - len(data))
        if not more:
            raise EOFError(f"the other end ended after {len(data)} of {count} bytes")
        data += more
    return data


async def drain(pipe: Pipe) -> tuple[int, bytes]:
    """Reads up to the other end's end: how many bytes, and the last of them, as many as a trailer has.

    It keeps nothing while it waits. When a thousand readers each hold their last piece, the next ones come
    into memory that no cache has, which would measure the readers and not the stack.
    """
    count, tail, read = 0, b"", pipe.read
    while data := await read(READ_SIZE):
        count += len(data)
        tail = data[-TRAILER.size :] if len(data) >= TRAILER.size else (tail + data)[-TRAILER.size :]
        del data
    return count, tail


async def _read_slowly(pipe: Pipe, rate: int, seconds: float) -> int:
    count, end, pause = 0, time.perf_counter() + seconds, 1 / SLOW_READS
    while (left := end - time.perf_counter()) > pause:
        await asyncio.sleep(pause)
        if rate:
            count += len(await pipe.read(max(1, rate // SLOW_READS)))
    await asyncio.sleep(max(0.0, left))
    return count
