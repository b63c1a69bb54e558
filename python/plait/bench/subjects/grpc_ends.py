"""`grpc.aio`: a channel is a connection, and a call with messages both ways is a pipe on it."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plait.bench.results import Subject
from plait.bench.subjects.contender import UnsupportedError

if TYPE_CHECKING:
    from plait.bench.subjects.ends import Answer, Dialer

__all__ = ["GrpcEnds"]

SERVICE, METHOD = "plait.Bench", "Pipe"
# The largest write of the plan is one message, and each link is a connection of its own.
OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.use_local_subchannel_pool", 1),
)


@dataclass(frozen=True)
class GrpcEnds:
    """Without encryption, as it is mostly benchmarked; messages are bytes and no protobuf."""

    loop: str = "asyncio"

    @property
    def shares_memory(self) -> bool:
        return False

    @property
    def subject(self) -> Subject:
        return Subject("grpc", "tcp", "none", "h2", self.loop)

    @asynccontextmanager
    async def serve(self, answer: Answer) -> AsyncIterator[str]:
        grpc, aio = _grpc()

        async def behaviour(requests: Any, context: Any) -> None:
            # A dialer that goes away in the middle is its affair.
            with contextlib.suppress(aio.AioRpcError, EOFError):
                await answer(_Served(context, aio.EOF))

        handler = grpc.stream_stream_rpc_method_handler(behaviour)
        server = aio.server(options=OPTIONS)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {METHOD: handler}),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            await server.stop(None)

    @asynccontextmanager
    async def dialer(self, address: str) -> AsyncIterator[Dialer]:
        _grpc()
        yield _Dialer(address)


class _Dialer:
    def __init__(self, address: str) -> None:
        self._address = address

    async def connect(self) -> _Link:
        _, aio = _grpc()
        channel = aio.insecure_channel(self._address, options=OPTIONS)
        await channel.channel_ready()
        return _Link(channel, aio.EOF)


class _Link:
    def __init__(self, channel: Any, eof: object) -> None:
        self._channel = channel
        self._call = channel.stream_stream(f"/{SERVICE}/{METHOD}")
        self._eof = eof

    async def open(self) -> _Called:
        return _Called(self._call(), self._eof)

    async def close(self) -> None:
        await self._channel.close()


class _Messages:
    """Bytes out of messages."""

    def __init__(self, messages: Any, eof: object) -> None:
        self._messages = messages
        self._eof = eof
        self._rest = b""

    async def read(self, n: int) -> bytes:
        while not self._rest:
            message = await self._messages.read()
            if message is self._eof:
                return b""
            self._rest = message
        data, self._rest = self._rest[:n], self._rest[n:]
        return data

    async def write(self, data: bytes) -> None:
        await self._messages.write(data)


class _Called(_Messages):
    """The dialer's end."""

    async def write_eof(self) -> None:
        await self._messages.done_writing()

    async def close(self) -> None:
        self._messages.cancel()

    def reset(self) -> None:
        self._messages.cancel()


class _Served(_Messages):
    """The listener's end, which ends when its handler returns."""

    async def write_eof(self) -> None: ...

    async def close(self) -> None: ...

    def reset(self) -> None: ...


def _grpc() -> tuple[Any, Any]:
    try:
        return importlib.import_module("grpc"), importlib.import_module("grpc.aio")
    except ImportError:
        raise UnsupportedError("the package grpcio is not installed") from None
