"""Pipes that are read slowly or not at all, and what that does to the others."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plait.bench.subjects.answering import BLOCK, GO, TRAILER, Request, drain, read_exactly, send
from plait.bench.works.linking import link_to, ready_for_bulk
from plait.bench.works.work import Near

if TYPE_CHECKING:
    from plait.bench.subjects.ends import Link, Pipe

__all__ = ["Harm", "Harmed"]

# Seconds for a window to fill: 16 MiB take some hundredths.
FILLING = 0.1
# How often it is looked whether the slow pipe still takes what is written, in seconds.
LOOK = 0.02
# A pipe that takes less between two looks is full: no slow reader reads so fast.
TRICKLE = 256 * 1024
# A writer that nothing stops is stopped here: it has shown what there is to show.
ENOUGH = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Harmed:
    """What the others lost, and what was held back.

    Attributes:
        without: bytes per second that the others moved with nobody in the way.
        beside: the same beside the slow one.
        held: bytes that the slow one's writer got rid of and its reader did not read, at the most: they
            are in memory, of one process, the other, or the kernel.
    """

    without: float
    beside: float
    held: int


@dataclass(frozen=True, slots=True)
class Harm:
    """Bulk up on several pipes while the listener hardly reads one more. Gives `Harmed`.

    Attributes:
        pipes: how many are read as fast as they come.
        write_size: bytes of each write.
        slow_rate: bytes per second that the listener reads from the slow one; 0: nothing ever.
        seconds: of each half, without the slow one and beside it.
    """

    pipes: int
    write_size: int
    slow_rate: int
    seconds: float

    async def over(self, near: Near) -> Harmed:
        async with link_to(near) as link:
            without = await self._others(link)
            beside, held = await self._beside(link)
        return Harmed(without, beside, held)

    async def _others(self, link: Link) -> float:
        """Bytes per second of all that are read."""

        async def one() -> int:
            pipe = await link.open()
            await ready_for_bulk(pipe, Request("bulk", self.write_size))
            await pipe.write(GO)
            await send(pipe, self.write_size, self.seconds)
            await pipe.write_eof()
            _, trailer = await drain(pipe)
            await pipe.close()
            return int(TRAILER.unpack(trailer)[0])

        begin = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            moving = [group.create_task(one()) for _ in range(self.pipes)]
        return sum(task.result() for task in moving) / (time.perf_counter() - begin)

    async def _beside(self, link: Link) -> tuple[float, int]:
        slow = await link.open()
        writing = _Writing(slow, self.write_size)
        try:
            # It reads a little longer than all the rest takes.
            reading = FILLING + 2 * self.seconds
            await slow.write(Request("slow", self.slow_rate, reading).pack())
            task = asyncio.create_task(writing.run())
            try:
                await writing.full()
                rate = await self._others(link)
                taken = TRAILER.unpack(await read_exactly(slow, TRAILER.size))[0]
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        finally:
            slow.reset()
        return rate, writing.accepted - taken


class _Writing:
    """Writes until nothing is taken any more."""

    def __init__(self, pipe: Pipe, size: int) -> None:
        self.accepted = 0
        self._pipe = pipe
        self._block = BLOCK[:size]

    async def run(self) -> None:
        while self.accepted < ENOUGH:
            await self._pipe.write(self._block)
            self.accepted += len(self._block)

    async def full(self) -> None:
        end = time.perf_counter() + FILLING
        before = -TRICKLE
        while self.accepted - before >= TRICKLE and time.perf_counter() < end:
            before = self.accepted
            await asyncio.sleep(LOOK)
