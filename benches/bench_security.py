"""What each way up costs: bulk and new connections of two hosts on one event loop, in memory.

Both ends share one thread, so each byte is sealed and opened on the same core and each handshake is both
sides' work. That makes the rows comparable with each other, and with nothing else. On a machine that is not
idle, `--benchmark-timer=time.process_time` counts what this process alone used.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from plait import Host, HostConfig
from plait.connection import Stream
from plait.upgrade import NOISE, PLAINTEXT, TLS, PrivateNetwork

uvloop = pytest.importorskip("uvloop")

SINK = "/sink/1.0.0"
CHUNK = 256 * 1024
BULK = 64 << 20
NETWORK = PrivateNetwork(bytes(range(32)))
WAYS: dict[str, dict[str, Any]] = {
    "tls": {"security": [TLS]},
    "noise": {"security": [NOISE]},
    "plaintext": {"security": [PLAINTEXT]},
    "tls in a private network": {"security": [TLS], "private_network": NETWORK},
    "noise in a private network": {"security": [NOISE], "private_network": NETWORK},
}


class Bench:
    """A loop with two hosts, and a way to measure what runs on it."""

    def __init__(self, runner: asyncio.Runner, hosts: tuple[Host, Host], benchmark: BenchmarkFixture) -> None:
        self.runner = runner
        self.server, self.client = hosts
        self.benchmark = benchmark

    async def dial(self) -> None:
        await (await self.client.connect(self.server.addresses[0])).close()

    async def send(self) -> None:
        data = bytes(CHUNK)
        async with self.client.open_stream(self.server.addresses[0], SINK) as stream:
            for _ in range(BULK // CHUNK):
                await stream.write(data)
            await stream.write_eof()
            assert await stream.read() == b"!"

    def report(self, work: Any, units: int) -> None:
        self.benchmark.extra_info["units per round"] = units
        self.benchmark(lambda: self.runner.run(work()))
        if (stats := self.benchmark.stats) is not None:
            fastest, median = units / stats["min"], units / stats["median"]
            print(f"\n{self.benchmark.name}: {fastest:,.0f} a second (fastest), {median:,.0f} (median)")


@pytest.fixture(params=list(WAYS))
def bench(request: pytest.FixtureRequest, benchmark: BenchmarkFixture) -> Iterator[Bench]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "plaintext")
        stack = AsyncExitStack()
        hosts = runner.run(stack.enter_async_context(two(HostConfig(identify=False, **WAYS[request.param]))))
        yield Bench(runner, hosts, benchmark)
        runner.run(stack.aclose())


@asynccontextmanager
async def two(config: HostConfig) -> AsyncIterator[tuple[Host, Host]]:
    async with Host(listen="/memory/0", config=config) as server, Host(listen=(), config=config) as client:
        server.handle(SINK, sink)
        yield server, client


async def sink(stream: Stream) -> None:
    """Reads to the end and says so."""
    async with stream:
        while await stream.read(CHUNK):
            pass
        await stream.write(b"!")


def test_bulk_one_way_in_mib(bench: Bench) -> None:
    bench.report(bench.send, BULK >> 20)


def test_connections_dialed_and_closed(bench: Bench) -> None:
    bench.report(bench.dial, 1)
