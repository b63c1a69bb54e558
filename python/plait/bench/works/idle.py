"""Connections and pipes that are there and do nothing."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Literal

from plait.bench import usage
from plait.bench.works.linking import link_to, one_there_and_back, use_once
from plait.bench.works.work import Near, Usage

__all__ = ["Held", "Idle"]

# Opened and closed before anything is counted: what is loaded or made once is not the cost of one more.
WARM_UP = 8
# Seconds for what follows a handshake to end, before memory and wake-ups are looked at.
CALM = 0.1


@dataclass(frozen=True, slots=True)
class Held:
    """What they cost.

    Attributes:
        near, far: bytes by which the dialer's and the listener's process grew for each; in one process
            all is in `near`. `None` where it is not known.
        wakeups: of both processes per second, with all of them open; `None` where it is not known.
    """

    count: int
    near: float | None = None
    far: float | None = None
    wakeups: float | None = None


@dataclass(frozen=True, slots=True)
class Idle:
    """Opens so many, uses each once, and looks at both processes. Gives `Held`.

    Attributes:
        what: connections, or pipes of one connection.
        count: how many.
        seconds: how long wake-ups are counted.
    """

    what: Literal["connection", "stream"]
    count: int
    seconds: float

    async def over(self, near: Near) -> Held:
        async with AsyncExitStack() as stack:
            await self._open(near, stack, min(WARM_UP, self.count))
        async with AsyncExitStack() as stack:
            # The connection itself is no cost of its streams.
            link = await stack.enter_async_context(link_to(near)) if self.what == "stream" else None
            await asyncio.sleep(CALM)
            before = await _settled(near)
            if link is None:
                await self._open(near, stack, self.count)
            else:
                for _ in range(self.count):
                    await one_there_and_back(await link.open())
            await asyncio.sleep(CALM)
            after = await _settled(near)
            wakeups = await self._wakeups(near)
        near_grown, far_grown = (
            (late.memory - early.memory) / self.count if early.memory else None
            for early, late in zip(before, after, strict=True)
        )
        return Held(self.count, near_grown, None if near.alone else far_grown, wakeups)

    async def _open(self, near: Near, stack: AsyncExitStack, count: int) -> None:
        for _ in range(count):
            link = await stack.enter_async_context(link_to(near))
            pipe = await link.open()
            if near.subject.muxer in ("", "none"):
                # It is the connection itself.
                await one_there_and_back(pipe)
            else:
                await use_once(pipe)
                await pipe.close()

    async def _wakeups(self, near: Near) -> float | None:
        # Asking the other process makes this one sleep, so it is asked outside of what is counted here.
        far_before = (await near.far_usage()).wakeups
        near_before = near.usage().wakeups
        await asyncio.sleep(self.seconds)
        near_after = near.usage().wakeups
        far_after = (await near.far_usage()).wakeups
        if not near_after:
            return None
        # One of ours is the end of this sleep.
        ours, theirs = max(0, near_after - near_before - 1), far_after - far_before
        return (ours if near.alone else ours + theirs) / self.seconds


async def _settled(near: Near) -> tuple[Usage, Usage]:
    usage.settle()
    return near.usage(), await near.far_usage(settle=True)
