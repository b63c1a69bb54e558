"""Perf: as many bytes as were asked for, and never before the client has finished."""

from __future__ import annotations

from typing import Any

import pytest

from plait.exceptions import LimitError, ProtocolNotSupportedError, RemoteProtocolError, StreamResetError
from plait.identity import KeyPair
from plait.protocols.perf import BLOCK, GATED, PROTOCOL, RESOURCE_LIMIT, PerfServer, measure
from plait.testing import network

MANY = 3 * len(BLOCK) + 1


@pytest.mark.parametrize(("up", "down"), [(0, 0), (0, 1), (1, 0), (1000, 2000), (MANY, MANY)])
async def test_both_directions_carry_what_was_asked_for(up: int, down: int) -> None:
    async with network(2) as (alice, bob):
        alice.handle(PROTOCOL, PerfServer())
        result = await measure(await bob.connect(alice.addresses[0]), up, down)
        assert (result.uploaded, result.downloaded) == (up, down)
        assert result.upload_seconds > 0
        assert result.download_seconds >= 0


async def test_nobody_serves_it_unless_told_to() -> None:
    async with network(2) as (alice, bob):
        assert PROTOCOL not in alice.protocols
        with pytest.raises(ProtocolNotSupportedError):
            await measure(await bob.connect(alice.addresses[0]), 1, 1)


async def test_the_published_header_asks_for_1024_bytes() -> None:
    async with network(2) as (alice, bob):
        alice.handle(PROTOCOL, PerfServer())
        async with bob.open_stream(alice.addresses[0], PROTOCOL) as stream:
            # In two pieces, the second with bytes of the upload.
            await stream.write(bytes.fromhex("000000"))
            await stream.write(bytes.fromhex("0000000400") + b"upload")
            await stream.write_eof()
            assert len(await stream.read()) == 1024


async def test_nothing_comes_back_before_the_client_has_finished() -> None:
    async with network(2) as (alice, bob):
        alice.handle(PROTOCOL, PerfServer(max_seconds=0.2))
        async with bob.open_stream(alice.addresses[0], PROTOCOL) as stream:
            await stream.write((5).to_bytes(8, "big") + b"upload")
            with pytest.raises(StreamResetError) as caught:
                await stream.read(1)
            assert caught.value.error_code == RESOURCE_LIMIT


@pytest.mark.parametrize("request_", [(101).to_bytes(8, "big"), bytes(8) + bytes(101), b"\xff" * 8])
async def test_more_than_the_server_allows_is_reset(request_: bytes) -> None:
    async with network(2) as (alice, bob):
        alice.handle(PROTOCOL, PerfServer(max_bytes=100))
        async with bob.open_stream(alice.addresses[0], PROTOCOL) as stream:
            await stream.write(request_)
            with pytest.raises(StreamResetError) as caught:
                await stream.read()
            assert caught.value.error_code == RESOURCE_LIMIT
        assert alice.stats()["handlers_failed"] == 0


async def test_only_allowed_peers_are_served() -> None:
    async with network(2) as (alice, bob):
        alice.handle(PROTOCOL, PerfServer(allowed=[KeyPair.generate().peer_id]))
        with pytest.raises(StreamResetError) as caught:
            await measure(await bob.connect(alice.addresses[0]), 0, 1)
        assert caught.value.error_code == GATED


@pytest.mark.parametrize("answer", [b"", b"1234", b"123456"])
async def test_a_server_that_sends_another_amount_is_noticed(answer: bytes) -> None:
    async with network(2) as (alice, bob):

        @alice.handle(PROTOCOL)
        async def wrong(stream: Any) -> None:
            await stream.read()
            await stream.write(answer)

        with pytest.raises(RemoteProtocolError, match=f"{len(answer)} bytes"):
            await measure(await bob.connect(alice.addresses[0]), 0, 5)


@pytest.mark.parametrize(("up", "down"), [(-1, 0), (0, -1), (0, 1 << 64)])
async def test_impossible_sizes_are_refused_before_anything_is_sent(up: int, down: int) -> None:
    with pytest.raises(LimitError):
        await measure(None, up, down)  # type: ignore[arg-type]


async def test_half_a_header_is_a_broken_run() -> None:
    async with network(2) as (alice, bob):
        alice.handle(PROTOCOL, PerfServer())
        async with bob.open_stream(alice.addresses[0], PROTOCOL) as stream:
            await stream.write(b"1234")
            await stream.write_eof()
            with pytest.raises(StreamResetError):
                await stream.read()
        assert alice.stats()["handlers_failed"] == 0
