"""Stacks that go wrong in one way, and one that does not."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from plait.bench.results import Subject
from plait.bench.subjects import Answer, Dialer, Pipe
from plait.bench.subjects.raw_tcp import RawTcpEnds


@dataclass(frozen=True)
class OddEnds:
    """Raw TCP whose listener does something odd: `fine`, `no-start`, `dies`, `stops`, `raises`, `mute`."""

    how: str
    loop: str = "asyncio"

    @property
    def shares_memory(self) -> bool:
        return False

    @property
    def subject(self) -> Subject:
        return Subject(f"odd-{self.how}", loop=self.loop)

    @asynccontextmanager
    async def serve(self, answer: Answer) -> AsyncIterator[str]:
        if self.how == "no-start":
            raise OSError("the port is taken")

        async def oddly(pipe: Pipe) -> None:
            match self.how:
                case "dies":
                    os.kill(os.getpid(), signal.SIGKILL)
                case "stops":
                    os.kill(os.getpid(), signal.SIGSTOP)
                case "mute":
                    await asyncio.Event().wait()
                case "raises":
                    raise EOFError
            await answer(pipe)

        async with RawTcpEnds(self.loop).serve(oddly) as address:
            yield address

    @asynccontextmanager
    async def dialer(self, address: str) -> AsyncIterator[Dialer]:
        async with RawTcpEnds(self.loop).dialer(address) as dialer:
            yield dialer
