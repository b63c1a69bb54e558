"""Ping: 32 bytes there and back, however they are cut."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from plait.exceptions import ProtocolNotSupportedError, RemoteProtocolError, StreamResetError
from plait.host import HostConfig
from plait.protocols.ping import PROTOCOL, SIZE, PingService, ping
from plait.testing import network

PINGS = [bytes([number]) * SIZE for number in range(4)]


async def test_round_trips_are_measured_on_one_stream() -> None:
    async with network(2) as (alice, bob):
        connection = await bob.connect(alice.addresses[0])
        seconds = [each async for each in ping(connection, count=3, interval=0)]
        assert len(seconds) == 3
        assert all(each > 0 for each in seconds)


async def test_leaving_early_closes_the_stream() -> None:
    async with network(2) as (alice, bob):
        connection = await bob.connect(alice.addresses[0])
        async with aclosing(ping(connection, interval=0)) as pings:
            async for _ in pings:
                break
        assert not [stream for stream in connection.streams if stream.protocol == PROTOCOL]


@pytest.mark.parametrize("pieces", [1, 31, 33, 64, 128])
async def test_pieces_and_several_at_once_come_back_whole(pieces: int) -> None:
    data = b"".join(PINGS)
    async with network(2) as (alice, bob), bob.open_stream(alice.addresses[0], PROTOCOL) as stream:
        for start in range(0, len(data), pieces):
            await stream.write(data[start : start + pieces])
            # One turn, so that pieces leave on their own.
            await asyncio.sleep(0)
        assert await stream.readexactly(len(data)) == data


async def test_a_ping_is_answered_after_the_end_of_the_pinger() -> None:
    async with network(2) as (alice, bob), bob.open_stream(alice.addresses[0], PROTOCOL) as stream:
        await stream.write(PINGS[1])
        await stream.write_eof()
        assert await stream.read() == PINGS[1]


async def test_a_piece_without_the_rest_is_not_answered() -> None:
    async with network(2) as (alice, bob), bob.open_stream(alice.addresses[0], PROTOCOL) as stream:
        await stream.write(PINGS[0] + b"piece")
        assert await stream.readexactly(SIZE) == PINGS[0]
        await stream.write_eof()
        with pytest.raises(StreamResetError):
            await stream.read()
        assert alice.stats()["handlers_failed"] == 0


async def test_an_idle_stream_is_closed_and_a_busy_one_is_kept() -> None:
    config = HostConfig(ping_idle=0.2)
    async with network(2, config=config) as (alice, bob):
        async with bob.open_stream(alice.addresses[0], PROTOCOL) as stream:
            for _ in range(6):
                await stream.write(PINGS[2])
                assert await stream.readexactly(SIZE) == PINGS[2]
                await asyncio.sleep(0.05)
            assert await stream.read() == b""


def test_idle_streams_outlive_the_slowest_pinger() -> None:
    assert HostConfig().ping_idle >= 60
    assert PingService()._idle >= 60


async def test_a_wrong_answer_is_the_fault_of_the_peer() -> None:
    async with network(2, config=HostConfig(ping=False)) as (alice, bob):

        @alice.handle(PROTOCOL)
        async def garble(stream: Any) -> None:
            await stream.readexactly(SIZE)
            await stream.write(bytes(SIZE))

        connection = await bob.connect(alice.addresses[0])
        with pytest.raises(RemoteProtocolError, match="differs"):
            await anext(ping(connection))


async def test_an_end_instead_of_an_answer_is_the_fault_of_the_peer() -> None:
    async with network(2, config=HostConfig(ping=False)) as (alice, bob):

        @alice.handle(PROTOCOL)
        async def leave(stream: Any) -> None:
            await stream.read(1)

        connection = await bob.connect(alice.addresses[0])
        with pytest.raises(RemoteProtocolError, match="ended"):
            await anext(ping(connection))


async def test_a_peer_that_does_not_answer_pings_is_told_apart() -> None:
    async with network(2, config=HostConfig(ping=False)) as (alice, bob):
        connection = await bob.connect(alice.addresses[0])
        with pytest.raises(ProtocolNotSupportedError):
            await anext(ping(connection))


async def test_a_timeout_around_one_ping_resets_the_stream() -> None:
    async with network(2, config=HostConfig(ping=False)) as (alice, bob):
        seen: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

        @alice.handle(PROTOCOL)
        async def silent(stream: Any) -> None:
            await stream.readexactly(SIZE)
            try:
                await stream.read(1)
            except StreamResetError as error:
                seen.set_result(error)

        connection = await bob.connect(alice.addresses[0])
        async with aclosing(ping(connection)) as pings:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await anext(pings)
        assert isinstance(await seen, StreamResetError)
