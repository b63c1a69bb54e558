"""The seam for a stack whose two ends are both written in Python: connections, and pipes on them.

Works are written against these few verbs, so a new stack is measured in all scenarios at once. A
`plait.Stream` is a `Pipe` as it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from plait.bench.results import Subject

__all__ = ["Answer", "Dialer", "Ends", "Link", "Pipe"]


class Pipe(Protocol):
    """A two-way flow of bytes: a stream, or a connection where there is no muxer."""

    async def read(self, n: int, /) -> bytes:
        """Up to `n` bytes as soon as there are any; `b""` at the other end's end."""

    async def write(self, data: bytes, /) -> None:
        """Takes all of it; waits while the other end, or the wire, does not."""

    async def write_eof(self) -> None:
        """Ends our half."""

    async def close(self) -> None:
        """Ends both halves in order."""

    def reset(self) -> None:
        """Ends both halves at once."""


Answer: TypeAlias = "Callable[[Pipe], Awaitable[None]]"


class Link(Protocol):
    """A connection to the listener."""

    async def open(self) -> Pipe:
        """A new pipe. Without a muxer, one that is a connection of its own."""

    async def close(self) -> None:
        """Ends the connection and all pipes on it."""


class Dialer(Protocol):
    """What makes connections to one listener."""

    async def connect(self) -> Link:
        """A new connection, never one that is there already. May be called again before it is done."""


class Ends(Protocol):
    """How to make the two ends of a stack: a frozen dataclass whose fields JSON can carry.

    The listener's process imports the class by its module and name and makes it again from its fields,
    so it must be importable there; a class of `__main__` can be measured in one process only.

    Attributes:
        shares_memory: both ends have to be in one process, as with a transport in memory.
    """

    @property
    def shares_memory(self) -> bool: ...

    @property
    def subject(self) -> Subject:
        """Its name in all findings; `loop` in it chooses the event loop of both ends."""

    def serve(self, answer: Answer) -> AbstractAsyncContextManager[str]:
        """Listens on loopback, calls `answer` with each pipe in a task; gives the address.

        Raises `UnsupportedError` when what it needs is not installed.
        """

    def dialer(self, address: str) -> AbstractAsyncContextManager[Dialer]:
        """What dials that address. Raises as `serve`."""
