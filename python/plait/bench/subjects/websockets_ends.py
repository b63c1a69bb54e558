"""The `websockets` package by itself: messages over one connection, neither encrypted nor compressed.

A pipe is a connection of its own. A text message, which nothing else here is, ends one half of it.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plait.bench.results import Subject
from plait.bench.subjects.contender import UnsupportedError
from plait.bench.subjects.loops import BEST
from plait.bench.subjects.pipe_each import PipeEach

if TYPE_CHECKING:
    from websockets.asyncio.connection import Connection

    from plait.bench.subjects.ends import Answer, Dialer

__all__ = ["WebsocketsEnds"]


@dataclass(frozen=True)
class WebsocketsEnds:
    """Its asyncio client and server."""

    loop: str = BEST

    @property
    def shares_memory(self) -> bool:
        return False

    @property
    def subject(self) -> Subject:
        return Subject("websockets", "ws", "none", loop=self.loop)

    @asynccontextmanager
    async def serve(self, answer: Answer) -> AsyncIterator[str]:
        try:
            from websockets.asyncio.server import ServerConnection, serve
            from websockets.exceptions import ConnectionClosed
        except ImportError:
            raise UnsupportedError("the package websockets is not installed") from None

        async def handler(connection: ServerConnection) -> None:
            # A dialer that goes away in the middle is its affair.
            with contextlib.suppress(ConnectionClosed, EOFError):
                await answer(_Pipe(connection))

        # The largest write of the plan is one message, whatever its size.
        async with serve(handler, "127.0.0.1", 0, compression=None, max_size=None) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            yield f"ws://127.0.0.1:{port}"

    @asynccontextmanager
    async def dialer(self, address: str) -> AsyncIterator[Dialer]:
        yield _Dialer(address)


class _Dialer:
    def __init__(self, address: str) -> None:
        self._address = address

    async def connect(self) -> PipeEach:
        return PipeEach(await self._pipe(), self._pipe)

    async def _pipe(self) -> _Pipe:
        from websockets.asyncio.client import connect

        return _Pipe(await connect(self._address, compression=None, max_size=None, proxy=None))


class _Pipe:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rest = b""
        self._ended = False

    async def read(self, n: int) -> bytes:
        if not self._rest:
            if self._ended:
                return b""
            message = await self._connection.recv()
            if isinstance(message, str):
                self._ended = True
                return b""
            self._rest = message
        data, self._rest = self._rest[:n], self._rest[n:]
        return data

    async def write(self, data: bytes) -> None:
        await self._connection.send(data)

    async def write_eof(self) -> None:
        await self._connection.send("end")

    async def close(self) -> None:
        await self._connection.close()

    def reset(self) -> None:
        self._connection.transport.abort()
