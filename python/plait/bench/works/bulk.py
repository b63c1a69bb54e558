"""As many bytes as a pipe takes, or many pipes of one connection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from plait.bench.subjects.answering import GO, TRAILER, Request, drain, send
from plait.bench.works.linking import link_to, ready_for_bulk
from plait.bench.works.work import Near

if TYPE_CHECKING:
    from plait.bench.subjects.ends import Pipe

__all__ = ["Bulk", "Direction", "Moved"]

Direction: TypeAlias = Literal["up", "down", "duplex"]


@dataclass(frozen=True, slots=True)
class Moved:
    """What came through.

    Attributes:
        seconds: from the first byte to when the last one was counted.
        pipes: bytes of each pipe, both directions together, as their readers counted them.
        after: seconds from the first byte of all to the last of each pipe; empty where it is not known.
        near_cpu, far_cpu: seconds of processor of the dialer's and of the listener's process; in one
            process all is in `near_cpu`. `None` where it is not known.
    """

    seconds: float
    pipes: Sequence[int]
    after: Sequence[float] = ()
    near_cpu: float | None = None
    far_cpu: float | None = None

    @property
    def total(self) -> int:
        """Bytes, of all pipes."""
        return sum(self.pipes)


@dataclass(frozen=True, slots=True)
class Bulk:
    """Gives `Moved`.

    Attributes:
        direction: `up` from the dialer to the listener, `down` back, `duplex` both at once.
        write_size: bytes of each write.
        seconds: how long bytes are sent.
        pipes: how many at once, all on one connection.
        most: bytes of all pipes together and of each direction, after which they end before the time; 0
            is no bound. What is written and not sent waits in memory, for each pipe.
    """

    direction: Direction
    write_size: int
    seconds: float
    pipes: int = 1
    most: int = 0

    async def over(self, near: Near) -> Moved:
        share = self.most // self.pipes
        there = Request("bulk", self.write_size, self.seconds if self.direction != "up" else 0.0, share)
        async with link_to(near) as link:
            pipes = [await link.open() for _ in range(self.pipes)]
            await asyncio.gather(*(ready_for_bulk(pipe, there) for pipe in pipes))
            near_before, far_before = near.usage().cpu, (await near.far_usage()).cpu
            begin = time.perf_counter()
            async with asyncio.TaskGroup() as group:
                moving = [group.create_task(self._move(pipe, share, begin)) for pipe in pipes]
            seconds = time.perf_counter() - begin
            near_cpu, far_cpu = near.usage().cpu - near_before, (await near.far_usage()).cpu - far_before
            for pipe in pipes:
                await pipe.close()
        done = [task.result() for task in moving]
        return Moved(
            seconds,
            [count for count, _ in done],
            [after for _, after in done],
            near_cpu,
            None if near.alone else far_cpu,
        )

    async def _move(self, pipe: Pipe, share: int, begin: float) -> tuple[int, float]:
        """Bytes of one pipe, as both readers counted them, and when the last was."""
        await pipe.write(GO)
        if self.direction == "duplex":
            async with asyncio.TaskGroup() as both:
                both.create_task(self._send(pipe, share))
                draining = both.create_task(drain(pipe))
            count, trailer = draining.result()
        else:
            if self.direction == "up":
                await self._send(pipe, share)
            else:
                await pipe.write_eof()
            count, trailer = await drain(pipe)
        if len(trailer) < TRAILER.size:
            raise EOFError("the listener ended before it said how many bytes came")
        return count - TRAILER.size + TRAILER.unpack(trailer)[0], time.perf_counter() - begin

    async def _send(self, pipe: Pipe, share: int) -> None:
        await send(pipe, self.write_size, self.seconds, share)
        await pipe.write_eof()
