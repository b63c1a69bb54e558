"""A link of a stack that has no multiplexer: each pipe is a connection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plait.bench.subjects.ends import Pipe

__all__ = ["PipeEach"]


class PipeEach:
    """The first connection is the first pipe; more pipes are more connections.

    Args:
        first: a pipe that nobody uses yet.
        more: makes another one.
    """

    def __init__(self, first: Pipe, more: Callable[[], Awaitable[Pipe]]) -> None:
        self._unused: Pipe | None = first
        self._pipes = [first]
        self._more = more

    async def open(self) -> Pipe:
        if self._unused is not None:
            pipe, self._unused = self._unused, None
            return pipe
        pipe = await self._more()
        self._pipes.append(pipe)
        return pipe

    async def close(self) -> None:
        for pipe in self._pipes:
            await pipe.close()
