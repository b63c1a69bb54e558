"""Who connects and does not go on costs a slot for a bounded time, and nobody else anything."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from typing import Any

import pytest

import plait
from plait.addresses import split_peer
from plait.connection import Driver
from plait.exceptions import DialError
from plait.host import HostConfig
from plait.limits import Limits, Timeouts
from plait.testing import no_leaks

PREFIXES = {
    "nothing": b"",
    "half a header": b"\x13/multistream",
    "a header": b"\x13/multistream/1.0.0\n",
    "a proposal": b"\x13/multistream/1.0.0\n\x07/noise\n",
    "a first message": b"\x13/multistream/1.0.0\n\x07/noise\n\x00\x20" + bytes(range(1, 33)),
}


class Silent(asyncio.Protocol):
    """Sends its bytes, then waits for the end and does nothing about it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.ended = asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(self.data)

    def eof_received(self) -> bool:
        self.ended.set()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        self.ended.set()


async def connect(wire: Any, host: plait.Host, data: bytes) -> Silent:
    protocol = Silent(data)
    (transport,) = wire.good()
    await transport.dial(split_peer(host.addresses[0])[0], lambda: protocol)
    return protocol


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_a_handshake_that_stalls_is_ended_and_its_slot_is_free(wire, prefix):
    config = HostConfig(timeouts=Timeouts(upgrade=0.3), limits=Limits(), transports=wire.good)
    async with no_leaks(), plait.Host(listen=wire.listen, config=config) as host:
        protocols = [await connect(wire, host, PREFIXES[prefix]) for _ in range(20)]
        for each in protocols:
            await each.ended.wait()
        assert host.stats()["upgrades_failed"] == 20
        assert host._swarm._listeners.handshakes == 0
        assert host.connections == ()
        for each in protocols:
            each.transport.abort()


async def test_an_honest_peer_gets_in_while_all_slots_are_held_by_silent_ones(wire):
    limits = Limits(handshakes=4, handshakes_per_address=4)
    timeouts = Timeouts(upgrade=20.0, handshake_grace=0.2)
    config = HostConfig(timeouts=timeouts, limits=limits, transports=wire.good)
    async with no_leaks(), plait.Host(listen=wire.listen, config=config) as host:
        silent = [await connect(wire, host, b"") for _ in range(12)]
        async with plait.Host(listen=(), config=config) as honest:
            connection = await honest.connect(host.addresses[0])
            assert connection.remote_peer == host.peer_id
        for each in silent:
            each.transport.abort()


async def test_a_host_that_exits_leaves_no_handshake_behind(wire):
    config = HostConfig(transports=wire.good)
    async with no_leaks():
        async with plait.Host(listen=wire.listen, config=config) as host:
            silent = [await connect(wire, host, prefix) for prefix in PREFIXES.values()]
            # One that has failed already, and whose end is still waited for.
            silent.append(await connect(wire, host, b"\x13/no header at all!!\n"))
            while host.stats()["upgrades_failed"] == 0:
                await asyncio.sleep(0)
        gc.collect()
        left = [each for each in gc.get_objects() if isinstance(each, Driver) and not each.closed.done()]
        assert not left
        for each in silent:
            each.transport.abort()


async def test_dialing_a_host_that_stalls(wire, fault_type):
    good = HostConfig(transports=wire.good)
    async with no_leaks(), plait.Host(listen=wire.listen, config=good) as host:
        bad = HostConfig(
            timeouts=Timeouts(upgrade=0.3),
            transports=lambda: wire.faulty(fault_type("dialer", "stall", 0), {}),
        )
        async with plait.Host(listen=(), config=bad) as alice:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.05):
                    await alice.connect(host.addresses[0])
            with pytest.raises(DialError) as caught:
                await alice.connect(host.addresses[0])
            (attempt,) = caught.value.attempts
            assert attempt.stage not in ("waiting", "connect")
            assert alice.connections == ()
