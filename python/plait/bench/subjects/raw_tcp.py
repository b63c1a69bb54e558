"""The base of all ratios: bare TCP on loopback, as fast as Python on an event loop moves it.

A pipe is a connection of its own, since nothing here shares one.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plait.bench.results import Subject
from plait.bench.subjects.loops import BEST
from plait.bench.subjects.pipe_each import PipeEach

if TYPE_CHECKING:
    from plait.bench.subjects.ends import Answer, Dialer

__all__ = ["RawTcpEnds", "SocketPipe"]

# As plait's own listeners.
BACKLOG = 256


@dataclass(frozen=True)
class RawTcpEnds:
    """Non-blocking sockets that are tried first and waited for only when that fails."""

    loop: str = BEST

    @property
    def shares_memory(self) -> bool:
        return False

    @property
    def subject(self) -> Subject:
        return Subject("raw-tcp", "tcp", loop=self.loop)

    @asynccontextmanager
    async def serve(self, answer: Answer) -> AsyncIterator[str]:
        loop = asyncio.get_running_loop()
        pipes: set[asyncio.Task[None]] = set()
        with socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as server:
            server.setblocking(False)

            def accept() -> None:
                with contextlib.suppress(BlockingIOError):
                    while True:
                        sock, _ = server.accept()
                        task = loop.create_task(_serve(SocketPipe(sock), answer))
                        pipes.add(task)
                        task.add_done_callback(pipes.discard)

            loop.add_reader(server.fileno(), accept)
            try:
                host, port = server.getsockname()
                yield f"{host}:{port}"
            finally:
                loop.remove_reader(server.fileno())
                for task in pipes:
                    task.cancel()
                await asyncio.gather(*pipes, return_exceptions=True)

    @asynccontextmanager
    async def dialer(self, address: str) -> AsyncIterator[Dialer]:
        host, _, port = address.partition(":")
        yield _Dialer(host, int(port))


class _Dialer:
    def __init__(self, host: str, port: int) -> None:
        self._place = (host, port)

    async def connect(self) -> PipeEach:
        return PipeEach(await self._pipe(), self._pipe)

    async def _pipe(self) -> SocketPipe:
        sock = socket.socket()
        sock.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(sock, self._place)
        except BaseException:
            sock.close()
            raise
        return SocketPipe(sock)


class SocketPipe:
    """A connected socket with a pipe's verbs; it belongs to the pipe."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = sock
        self._loop = asyncio.get_running_loop()
        # Once somebody has waited, the loop goes on watching: telling it each time is a system call.
        self._is_watched = False
        self._waiter: asyncio.Future[None] | None = None

    async def read(self, n: int) -> bytes:
        while True:
            try:
                return self._socket.recv(n)
            except BlockingIOError:
                if not self._is_watched:
                    self._is_watched = True
                    self._loop.add_reader(self._socket.fileno(), self._on_readable)
                self._waiter = self._loop.create_future()
                try:
                    await self._waiter
                finally:
                    self._waiter = None

    def _on_readable(self) -> None:
        if self._waiter is None:
            # Nobody reads now, and it would be said in each turn.
            self._unwatch()
        elif not self._waiter.done():
            self._waiter.set_result(None)

    def _unwatch(self) -> None:
        if self._is_watched:
            self._is_watched = False
            self._loop.remove_reader(self._socket.fileno())

    async def write(self, data: bytes) -> None:
        view: bytes | memoryview = data
        while True:
            try:
                sent = self._socket.send(view)
            except BlockingIOError:
                sent = 0
            if sent == len(view):
                return
            view = memoryview(view)[sent:]
            await self._writable()

    async def _writable(self) -> None:
        ready = self._loop.create_future()
        number = self._socket.fileno()
        self._loop.add_writer(number, _resolve, ready)
        try:
            await ready
        finally:
            self._loop.remove_writer(number)

    async def write_eof(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)

    async def close(self) -> None:
        self.reset()

    def reset(self) -> None:
        if self._socket.fileno() >= 0:
            self._unwatch()
            self._socket.close()


def _resolve(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


async def _serve(pipe: SocketPipe, answer: Answer) -> None:
    # A dialer that goes away in the middle is its affair.
    with contextlib.suppress(OSError, EOFError):
        try:
            await answer(pipe)
        finally:
            await pipe.close()
