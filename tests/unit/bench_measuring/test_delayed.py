"""The delayed link delivers all of it, in order, later, and no faster than it may."""

from __future__ import annotations

import asyncio

import pytest

from plait import Host, HostConfig
from plait.addresses import parse
from plait.bench.delayed import HIGH_WATER, DelayedPipe, DelayedTransport
from plait.testing import no_leaks

RATE = 50_000_000


class Collector(asyncio.Protocol):
    """What came and when, and whether it may write."""

    def __init__(self) -> None:
        self.got = bytearray()
        self.first_at = 0.0
        self.may_write = asyncio.Event()
        self.may_write.set()
        self.ended = asyncio.Event()
        self.lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, DelayedPipe)
        self.pipe = transport

    def data_received(self, data: bytes) -> None:
        self.first_at = self.first_at or asyncio.get_running_loop().time()
        self.got += data

    def eof_received(self) -> None:
        self.ended.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()

    def pause_writing(self) -> None:
        self.may_write.clear()

    def resume_writing(self) -> None:
        self.may_write.set()


async def linked(delay: float) -> tuple[Collector, Collector]:
    transport = DelayedTransport(delay, RATE)
    near, far = Collector(), Collector()
    listener = await transport.listen(parse("/memory/0"), lambda: far)  # type: ignore[arg-type]
    await transport.dial(listener.addresses[0], lambda: near)  # type: ignore[arg-type]
    await listener.close()
    with pytest.raises(ConnectionRefusedError):
        await transport.dial(listener.addresses[0], lambda: near)  # type: ignore[arg-type]
    return near, far


async def test_bytes_come_in_order_and_not_before_their_time() -> None:
    async with no_leaks():
        near, far = await linked(0.05)
        begin = asyncio.get_running_loop().time()
        for number in range(100):
            near.pipe.write(bytes([number]) * 100)
        near.pipe.close()
        await far.ended.wait()
        await far.lost.wait()
        assert far.got == b"".join(bytes([number]) * 100 for number in range(100))
        # A bound from below, which no slow machine can break.
        assert far.first_at - begin >= 0.049
        assert near.lost.is_set()


async def test_a_writer_is_stopped_before_the_link_is_free_and_goes_on_after() -> None:
    async with no_leaks():
        near, far = await linked(0.0)
        size = 4 * HIGH_WATER
        begin = asyncio.get_running_loop().time()
        near.pipe.write(bytes(size))
        assert not near.may_write.is_set()
        await near.may_write.wait()
        near.pipe.write(bytes(size))
        near.pipe.close()
        await far.ended.wait()
        assert len(far.got) == 2 * size
        assert asyncio.get_running_loop().time() - begin >= size / RATE
        await far.lost.wait()


async def test_who_does_not_read_gets_it_later() -> None:
    async with no_leaks():
        near, far = await linked(0.0)
        far.pipe.pause_reading()
        near.pipe.writelines([b"a", b"b"])
        await asyncio.sleep(0.02)
        assert not far.got
        far.pipe.resume_reading()
        near.pipe.close()
        await far.ended.wait()
        assert far.got == b"ab"
        await far.lost.wait()


async def test_hosts_speak_over_it() -> None:
    link = DelayedTransport(0.01, RATE)
    config = HostConfig(transports=lambda: [link])
    async with no_leaks():
        async with Host(listen="/memory/0", config=config) as alice, Host(listen=(), config=config) as bob:

            @alice.handle("/echo/1.0.0")
            async def echo(stream: object) -> None:
                async for chunk in stream:  # type: ignore[attr-defined]
                    await stream.write(chunk)  # type: ignore[attr-defined]

            async with bob.open_stream(alice.addresses[0], "/echo/1.0.0") as stream:
                await stream.write(bytes(300_000))
                await stream.write_eof()
                assert len(await stream.read()) == 300_000
