"""One pipe over a link with delay: how much of the link it uses, and how soon."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from plait.bench.delayed import DelayedTransport
from plait.bench.subjects.answering import BLOCK, READ_SIZE
from plait.bench.subjects.contender import UnsupportedError
from plait.bench.subjects.plait_ends import PROTOCOL, PlaitEnds, started
from plait.bench.works.work import Near
from plait.exceptions import StreamError

if TYPE_CHECKING:
    from plait import Stream

__all__ = ["Distance", "Travelled"]

# Points of the curve: enough to see each doubling of a window.
POINTS = 40
# Where a window that grows has grown: of the time, the end.
SETTLED = 0.25


@dataclass(frozen=True, slots=True)
class Travelled:
    """How the link was used.

    Attributes:
        share: bytes read over bytes that the link could have brought, in the last quarter of the time.
        points: seconds since the first byte was written, and the share of the interval that ends there.
    """

    share: float
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Distance:
    """Bulk up on one pipe, both ends in this process, with a link between them. Gives `Travelled`.

    Attributes:
        delay: seconds one way.
        rate: of the link, bytes per second.
        seconds: how long.
        write_size: bytes of each write.
    """

    delay: float
    rate: int
    seconds: float
    write_size: int

    async def over(self, near: Near) -> Travelled:
        from plait import Host

        ends = near.ends
        if not isinstance(ends, PlaitEnds):
            raise UnsupportedError("only a stack of plait can be put on a delayed link")
        link = DelayedTransport(self.delay, self.rate)
        config = replace(ends.config(), transports=lambda: [link])
        counter = _Counter()
        alice, bob = Host(listen="/memory/0", config=config), Host(listen=(), config=config)
        alice.handle(PROTOCOL, counter.read)
        async with started(alice), started(bob):
            connection = await bob.connect(alice.addresses[0])
            stream = await connection.open_stream(PROTOCOL, lazy=True)
            begin = time.perf_counter()
            writing = asyncio.create_task(self._write(stream))
            try:
                await asyncio.sleep(self.seconds)
            finally:
                writing.cancel()
                await asyncio.wait([writing])
                stream.reset()
                connection.abort()
        return self._shares(counter.arrived, begin)

    async def _write(self, stream: Stream) -> None:
        block = BLOCK[: self.write_size]
        while True:
            await stream.write(block)

    def _shares(self, arrived: Sequence[tuple[float, int]], begin: float) -> Travelled:
        width = self.seconds / POINTS
        bins = [0] * POINTS
        for at, count in arrived:
            # What comes after the end is not asked for.
            if (index := int((at - begin) / width)) < POINTS:
                bins[index] += count
        whole = self.rate * width
        points = [(width * (index + 1), count / whole) for index, count in enumerate(bins)]
        late = round(POINTS * SETTLED)
        return Travelled(sum(bins[-late:]) / (whole * late), points)


class _Counter:
    """What came, and when."""

    def __init__(self) -> None:
        self.arrived: list[tuple[float, int]] = []

    async def read(self, stream: Stream) -> None:
        # The end comes when the time is over, in the middle of whatever is on its way.
        with suppress(StreamError):
            while data := await stream.read(READ_SIZE):
                self.arrived.append((time.perf_counter(), len(data)))
