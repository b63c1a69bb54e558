"""The same work with one layer more each time, both ends in one thread: what each layer adds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plait.bench.subjects.answering import BLOCK, GO, Request, answer, drain, read_exactly
from plait.bench.subjects.contender import UnsupportedError
from plait.bench.subjects.plait_ends import PlaitEnds, muxer_of, security_of
from plait.bench.works import bare_sessions, driven_sessions
from plait.bench.works.linking import ready_for_bulk
from plait.bench.works.work import Near

if TYPE_CHECKING:
    from plait.bench.subjects.ends import Pipe

__all__ = ["Added", "Layered", "Layers"]

# Bytes of a write.
WRITE_SIZE = 64 * 1024
# Bytes of an operation there, and as many back.
OPERATION = 64


@dataclass(frozen=True, slots=True)
class Added:
    """What one layer adds: nanoseconds for each byte of bulk, microseconds for each operation."""

    per_byte: float
    per_operation: float


@dataclass(frozen=True, slots=True)
class Layered:
    """From the lowest layer on, by what it is, so that the same layer of two stacks can be compared.

    That is `muxer`, `security` where there is one, `socket`, `event loop`, `handler`.
    """

    layers: Mapping[str, Added]


@dataclass(frozen=True, slots=True)
class Layers:
    """Gives `Layered`. An operation is a small message there and one back, one at a time.

    Attributes:
        size: bytes of bulk for each layer.
        operations: how many for each layer.
    """

    size: int
    operations: int

    async def over(self, near: Near) -> Layered:
        ends = near.ends
        if not isinstance(ends, PlaitEnds):
            raise UnsupportedError("only a stack of plait comes apart into layers")
        costs: dict[str, Added] = {
            "muxer": await self._alone(lambda: bare_sessions.in_memory(*_stack(ends, secured=False)))
        }
        if ends.security != "none":
            costs["security"] = await self._alone(lambda: bare_sessions.in_memory(*_stack(ends)))
        costs["socket"] = await self._alone(lambda: bare_sessions.over_sockets(*_stack(ends)))
        async with driven_sessions.on_the_loop(*_stack(ends)) as pair:
            begin = time.perf_counter()
            await pair.bulk(self.size, WRITE_SIZE)
            turned = time.perf_counter()
            await pair.operations(self.operations, OPERATION)
            costs["event loop"] = self._cost(begin, turned, time.perf_counter())
        costs["handler"] = await self._handlers(ends)
        before = Added(0.0, 0.0)
        added = {}
        for name, cost in costs.items():
            added[name] = Added(cost.per_byte - before.per_byte, cost.per_operation - before.per_operation)
            before = cost
        return Layered(added)

    async def _alone(self, make: Callable[[], AbstractContextManager[bare_sessions.Pair]]) -> Added:
        # The loop gets its turn between two layers, so that cancelling comes through.
        await asyncio.sleep(0)
        with make() as pair:
            begin = time.perf_counter()
            pair.bulk(self.size, WRITE_SIZE)
            turned = time.perf_counter()
            pair.operations(self.operations, OPERATION)
            return self._cost(begin, turned, time.perf_counter())

    async def _handlers(self, ends: PlaitEnds) -> Added:
        """Hosts, streams, and a task of Python at each end."""
        async with ends.serve(answer) as address, ends.dialer(address) as dialer:
            link = await dialer.connect()
            try:
                bulk, asked = await link.open(), await link.open()
                await ready_for_bulk(bulk, Request("bulk", WRITE_SIZE))
                await asked.write(Request("reply", OPERATION).pack())
                begin = time.perf_counter()
                await self._write(bulk)
                turned = time.perf_counter()
                for _ in range(self.operations):
                    await asked.write(BLOCK[:OPERATION])
                    await read_exactly(asked, OPERATION)
                end = time.perf_counter()
                await bulk.close()
                await asked.close()
                return self._cost(begin, turned, end)
            finally:
                await link.close()

    async def _write(self, pipe: Pipe) -> None:
        block = BLOCK[:WRITE_SIZE]
        await pipe.write(GO)
        for _ in range(self.size // WRITE_SIZE):
            await pipe.write(block)
        await pipe.write_eof()
        await drain(pipe)

    def _cost(self, begin: float, turned: float, end: float) -> Added:
        size = self.size // WRITE_SIZE * WRITE_SIZE
        return Added((turned - begin) / size * 1e9, (end - turned) / self.operations * 1e6)


def _stack(ends: PlaitEnds, *, secured: bool = True) -> tuple[Any, Any]:
    return security_of(ends.security if secured else "none"), muxer_of(ends.muxer)
