"""Two hosts on one event loop: bulk, round trips and streams per second, in memory and over loopback TCP.

Both ends share one thread. For two processes beside the other implementations see the interop peers' race.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from plait import Host, HostConfig
from plait.connection import Connection, Stream

uvloop = pytest.importorskip("uvloop")

ECHO = "/echo/1.0.0"
SINK = "/sink/1.0.0"
LISTEN = {"memory": "/memory/0", "tcp": "/ip4/127.0.0.1/tcp/0"}
CHUNK = 256 * 1024
# For one round: enough that starting the loop does not show.
STREAMS = 200
AT_ONCE = 32
ROUND_TRIPS = 500
BULK = 64 << 20


@dataclass
class Bench:
    """A loop with two connected hosts, and a way to measure what runs on it."""

    runner: asyncio.Runner
    connection: Connection
    benchmark: BenchmarkFixture

    def __call__(self, work: Callable[[Connection], Awaitable[None]], units: int) -> None:
        async def round_() -> None:
            await work(self.connection)

        self.benchmark.extra_info["units per round"] = units
        self.benchmark(lambda: self.runner.run(round_()))
        if (stats := self.benchmark.stats) is not None:
            print(f"\n{self.benchmark.name}: {units / stats['median']:,.0f} a second (median)")


@pytest.fixture(params=["memory", "tcp"])
def bench(request: pytest.FixtureRequest, benchmark: BenchmarkFixture) -> Iterator[Bench]:
    with on_loop(request.param) as (runner, connection):
        yield Bench(runner, connection, benchmark)


@contextmanager
def on_loop(transport: str) -> Iterator[tuple[asyncio.Runner, Connection]]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        stack = AsyncExitStack()
        connection = runner.run(stack.enter_async_context(connected(LISTEN[transport])))
        try:
            yield runner, connection
        finally:
            runner.run(stack.aclose())


@asynccontextmanager
async def connected(listen: str) -> AsyncIterator[Connection]:
    async with Host(listen=listen) as server, Host(listen=listen) as client:
        server.handle(ECHO, echo)
        server.handle(SINK, sink)
        yield await client.connect(server.addresses[0])


async def echo(stream: Stream) -> None:
    async with stream:
        while data := await stream.read(CHUNK):
            await stream.write(data)


async def sink(stream: Stream) -> None:
    """Reads to the end and says so."""
    async with stream:
        while await stream.read(CHUNK):
            pass
        await stream.write(b"!")


async def use_stream(connection: Connection) -> None:
    async with await connection.open_stream(ECHO) as stream:
        await stream.write(bytes(32))
        await stream.readexactly(32)


def test_streams_one_after_the_other(bench: Bench) -> None:
    async def work(connection: Connection) -> None:
        for _ in range(STREAMS):
            await use_stream(connection)

    bench(work, STREAMS)


def test_streams_at_once(bench: Bench) -> None:
    async def work(connection: Connection) -> None:
        async def some() -> None:
            for _ in range(STREAMS // AT_ONCE):
                await use_stream(connection)

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(some())

    bench(work, STREAMS // AT_ONCE * AT_ONCE)


def test_round_trips_on_one_stream(bench: Bench) -> None:
    async def work(connection: Connection) -> None:
        async with await connection.open_stream(ECHO) as stream:
            for _ in range(ROUND_TRIPS):
                await stream.write(bytes(32))
                await stream.readexactly(32)

    bench(work, ROUND_TRIPS)


def test_bulk_one_way_in_mib(bench: Bench) -> None:
    data = bytes(CHUNK)

    async def work(connection: Connection) -> None:
        async with await connection.open_stream(SINK) as stream:
            for _ in range(BULK // CHUNK):
                await stream.write(data)
            await stream.write_eof()
            assert await stream.read() == b"!"

    bench(work, BULK >> 20)


@pytest.mark.parametrize("transport", list(LISTEN))
def test_connections_dialed_and_closed(benchmark: BenchmarkFixture, transport: str) -> None:
    config = HostConfig(identify=False)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:

        async def start() -> tuple[Host, Host]:
            hosts = [Host(listen=LISTEN[transport], config=config) for _ in range(2)]
            return await hosts[0].__aenter__(), await hosts[1].__aenter__()

        server, client = runner.run(start())

        async def dial() -> None:
            await (await client.connect(server.addresses[0])).close()

        benchmark(lambda: runner.run(dial()))
        runner.run(client.close())
        runner.run(server.close())
