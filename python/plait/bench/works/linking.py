"""What most works do with a connection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from plait.bench.subjects.answering import GO, Request, read_exactly

if TYPE_CHECKING:
    from plait.bench.subjects.ends import Link, Pipe
    from plait.bench.works.work import Near

__all__ = ["link_to", "one_there_and_back", "ready_for_bulk", "use_once"]


@asynccontextmanager
async def link_to(near: Near) -> AsyncIterator[Link]:
    """A connection that is closed at the end, whatever happens on it."""
    link = await near.connect()
    try:
        yield link
    finally:
        await link.close()


async def ready_for_bulk(pipe: Pipe, request: Request) -> None:
    """The listener's end waits for `GO` afterwards: opening the pipe is no part of what is measured then."""
    await pipe.write(request.pack())
    await read_exactly(pipe, len(GO))


async def one_there_and_back(pipe: Pipe) -> None:
    """The smallest use of a pipe that both ends take part in; it stays open."""
    await pipe.write(Request("reply", 1).pack() + b"\0")
    await read_exactly(pipe, 1)


async def use_once(pipe: Pipe) -> None:
    """The same, and both ends finish in order: a question with its end, then an answer with its end."""
    await pipe.write(Request("reply", 1).pack() + b"\0")
    await pipe.write_eof()
    await read_exactly(pipe, 1)
    if await pipe.read(1):
        raise EOFError("the listener said more than it was asked for")
