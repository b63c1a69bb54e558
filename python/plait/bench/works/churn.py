"""Pipes and connections that are opened, used once and closed, over and over."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from plait.bench import usage
from plait.bench.works.linking import link_to, use_once
from plait.bench.works.work import Near

# Of all, before the memory is looked at for the first time: buffers, pools and caches have their size then.
WARM_UP = 0.1

__all__ = ["Churned", "ConnectionChurn", "PipeChurn"]


@dataclass(frozen=True, slots=True)
class Churned:
    """How it went.

    Attributes:
        count: how many were opened, used and closed.
        seconds: for all of them.
        grown: bytes by which both processes grew together, after what nobody holds was given back; `None`
            where it is not known.
        near_cpu, far_cpu: as in `Moved`.
    """

    count: int
    seconds: float
    grown: int | None = None
    near_cpu: float | None = None
    far_cpu: float | None = None


@dataclass(frozen=True, slots=True)
class PipeChurn:
    """Open a pipe, one byte there and back, close. Gives `Churned`.

    Attributes:
        count: how many, after a tenth as many that are not counted.
        at_once: by so many tasks, on one connection.
    """

    count: int
    at_once: int

    async def over(self, near: Near) -> Churned:
        async with link_to(near) as link:

            async def once() -> None:
                pipe = await link.open()
                try:
                    await use_once(pipe)
                    await pipe.close()
                except BaseException:
                    pipe.reset()
                    raise

            return await _churn(near, once, self.count, self.at_once)


@dataclass(frozen=True, slots=True)
class ConnectionChurn:
    """Connect, with all that the security asks for, then close. Gives `Churned`.

    Attributes:
        count: how many, after a tenth as many that are not counted.
        at_once: by so many tasks.
    """

    count: int
    at_once: int

    async def over(self, near: Near) -> Churned:
        async def once() -> None:
            async with link_to(near) as link:
                await use_once(await link.open())

        return await _churn(near, once, self.count, self.at_once)


async def _churn(near: Near, once: Callable[[], Awaitable[None]], count: int, at_once: int) -> Churned:
    await _repeat(once, math.ceil(count * WARM_UP), at_once)
    usage.settle()
    near_before, far_before = near.usage(), await near.far_usage(settle=True)
    begin = time.perf_counter()
    await _repeat(once, count, at_once)
    seconds = time.perf_counter() - begin
    near_cpu, far_cpu = near.usage().cpu - near_before.cpu, (await near.far_usage()).cpu - far_before.cpu
    usage.settle()
    near_after, far_after = near.usage(), await near.far_usage(settle=True)
    grown = near_after.memory - near_before.memory
    if not near.alone:
        grown += far_after.memory - far_before.memory
    known = near_before.memory and far_before.memory
    return Churned(count, seconds, grown if known else None, near_cpu, None if near.alone else far_cpu)


async def _repeat(once: Callable[[], Awaitable[None]], count: int, at_once: int) -> None:
    left = count

    async def work() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await once()

    async with asyncio.TaskGroup() as group:
        for _ in range(min(at_once, count)):
            group.create_task(work())
