"""Small requests that wait for their responses, and pings beside bulk."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from plait.bench.subjects.answering import BLOCK, GO, READ_SIZE, TRAILER, Request, drain, read_exactly, send
from plait.bench.works.linking import link_to, ready_for_bulk
from plait.bench.works.work import Near

if TYPE_CHECKING:
    from plait.bench.subjects.ends import Link, Pipe

# The size that libp2p's ping has.
PING = 32
# Seconds for the bulk to get going before pings are counted, and to go on after the last.
RAMP = 0.05

__all__ = ["Answered", "Beside", "Pings", "Requests"]


@dataclass(frozen=True, slots=True)
class Answered:
    """What came back.

    Attributes:
        seconds: from the first request to the last response.
        latencies: seconds from each request to its response, ascending; empty where whoever measured
            tells only some quantiles.
        near_cpu, far_cpu: as in `Moved`.
        quantiles: those, by their share: `{0.5: …, 0.99: …}`; empty beside latencies.
    """

    seconds: float
    latencies: Sequence[float]
    near_cpu: float | None = None
    far_cpu: float | None = None
    quantiles: Mapping[float, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Requests:
    """Gives `Answered`.

    Attributes:
        size: bytes of a request, and of its response.
        depth: how many are on the way at once, on one pipe; each response makes room for one request. All
            of them together have to fit into what a pipe holds, or both ends wait for ever.
        seconds: how long requests are sent.
    """

    size: int
    depth: int
    seconds: float

    async def over(self, near: Near) -> Answered:
        async with link_to(near) as link:
            pipe = await link.open()
            await pipe.write(Request("reply", self.size).pack())
            near_before, far_before = near.usage().cpu, (await near.far_usage()).cpu
            seconds, latencies = await self._ask(pipe)
            near_cpu, far_cpu = near.usage().cpu - near_before, (await near.far_usage()).cpu - far_before
            await pipe.close()
        latencies.sort()
        return Answered(seconds, latencies, near_cpu, None if near.alone else far_cpu)

    async def _ask(self, pipe: Pipe) -> tuple[float, list[float]]:
        message, size, clock = BLOCK[: self.size], self.size, time.perf_counter
        asked: deque[float] = deque()
        latencies: list[float] = []
        begin = clock()
        end = begin + self.seconds
        for _ in range(self.depth):
            asked.append(clock())
            await pipe.write(message)
        rest = 0
        while asked:
            data = await pipe.read(READ_SIZE)
            if not data:
                raise EOFError("the listener ended before it had answered")
            now = clock()
            whole, rest = divmod(rest + len(data), size)
            latencies.extend(now - asked.popleft() for _ in range(whole))
            if now < end:
                for _ in range(whole):
                    asked.append(clock())
                    await pipe.write(message)
        return clock() - begin, latencies


@dataclass(frozen=True, slots=True)
class Beside:
    """The same pings without and with company.

    Attributes:
        quiet, loaded: seconds of each round trip, ascending.
        rate: bytes per second that the bulk moved meanwhile.
    """

    quiet: Sequence[float]
    loaded: Sequence[float]
    rate: float


@dataclass(frozen=True, slots=True)
class Pings:
    """One ping at a time on one pipe, first alone, then while other pipes of the connection move bulk up.

    Gives `Beside`.

    Attributes:
        pipes: how many move bulk.
        write_size: bytes of each of their writes.
        seconds: of each of the two halves.
    """

    pipes: int
    write_size: int
    seconds: float

    async def over(self, near: Near) -> Beside:
        async with link_to(near) as link:
            pinged = await link.open()
            await pinged.write(Request("reply", PING).pack())
            quiet = await self._ping(pinged)
            async with asyncio.TaskGroup() as group:
                begin = time.perf_counter()
                bulk = [group.create_task(self._move(link)) for _ in range(self.pipes)]
                await asyncio.sleep(RAMP)
                loaded = await self._ping(pinged)
            seconds = time.perf_counter() - begin
            await pinged.close()
        return Beside(quiet, loaded, sum(task.result() for task in bulk) / seconds)

    async def _ping(self, pipe: Pipe) -> list[float]:
        message, clock = BLOCK[:PING], time.perf_counter
        latencies: list[float] = []
        end = clock() + self.seconds
        # One at least, however long it takes.
        while not latencies or clock() < end:
            asked = clock()
            await pipe.write(message)
            await read_exactly(pipe, PING)
            latencies.append(clock() - asked)
        latencies.sort()
        return latencies

    async def _move(self, link: Link) -> int:
        pipe = await link.open()
        await ready_for_bulk(pipe, Request("bulk", self.write_size))
        await pipe.write(GO)
        await send(pipe, self.write_size, self.seconds + 2 * RAMP)
        await pipe.write_eof()
        _, trailer = await drain(pipe)
        await pipe.close()
        return int(TRAILER.unpack(trailer)[0])
