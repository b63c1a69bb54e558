"""What a dial says when it fails: for each address what happened there, and whom we found instead."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

import plait
from plait.exceptions import (
    DialError,
    DialTimeoutError,
    NoAddressError,
    PeerIdMismatchError,
    ProtocolNotSupportedError,
    UpgradeError,
)
from plait.host import HostConfig
from plait.limits import Limits, Timeouts
from plait.testing import no_leaks

SHORT = Timeouts(tcp_connect=0.5, dial_address=1.0, upgrade=0.5, close=0.2)
CONFIG = HostConfig(timeouts=SHORT)


def peer() -> plait.PeerId:
    return plait.KeyPair.generate().peer_id


def listening(backlog: int) -> socket.socket:
    found = socket.create_server(("127.0.0.1", 0), backlog=backlog)
    found.setblocking(False)
    return found


def address_of(found: socket.socket) -> str:
    return f"/ip4/127.0.0.1/tcp/{found.getsockname()[1]}"


@pytest.fixture
def silent() -> Iterator[str]:
    """Takes connections and says nothing."""
    with listening(16) as found:
        yield address_of(found)


@pytest.fixture
def unanswered() -> Iterator[str]:
    """Does not even take connections: its queue is full."""
    with listening(0) as found:
        filling = [socket.socket() for _ in range(3)]
        for each in filling:
            each.setblocking(False)
            each.connect_ex(found.getsockname())
        yield address_of(found)
        for each in filling:
            each.close()


@pytest.fixture
def refused() -> str:
    with listening(1) as found:
        return address_of(found)


async def test_each_address_has_its_record(refused, silent, unanswered):
    unreachable = "/ip4/255.255.255.255/tcp/9"
    whom = peer()
    async with no_leaks(), plait.Host(listen=(), config=CONFIG) as host:
        host.peerstore.add_addresses(whom, [refused, silent, unanswered, unreachable, "/ip4/0.0.0.0/tcp/1"])
        with pytest.raises(DialError) as caught:
            await host.connect(whom)
    assert caught.value.peer == whom
    attempts = {each.address: each for each in caught.value.attempts}
    assert len(attempts) == len(caught.value.attempts) == 5
    assert isinstance(attempts[refused].error, ConnectionRefusedError)
    assert attempts[refused].stage == "connect"
    assert isinstance(attempts[unreachable].error, OSError)
    assert isinstance(attempts[unanswered].error, TimeoutError)
    assert attempts[unanswered].stage == "connect"
    assert isinstance(attempts[silent].error, UpgradeError)
    assert attempts[silent].stage not in ("waiting", "connect")
    assert attempts["/ip4/0.0.0.0/tcp/1"].stage == "check"
    text = str(caught.value)
    for address in (refused, silent, unanswered, unreachable):
        assert address in text


async def test_the_time_for_all_addresses_together_has_a_bound(silent):
    timeouts = Timeouts(tcp_connect=0.5, dial_address=0.5, dial_total=0.8, upgrade=20.0)
    config = HostConfig(timeouts=timeouts, limits=Limits(dials_per_peer=1))
    whom = peer()
    async with no_leaks(), plait.Host(listen=(), config=config) as host:
        with listening(4) as another:
            host.peerstore.add_addresses(whom, [silent, address_of(another)])
            with pytest.raises(DialTimeoutError) as caught:
                await host.connect(whom)
    assert isinstance(caught.value, TimeoutError)
    assert len(caught.value.attempts) >= 1


async def test_a_peer_without_addresses():
    async with no_leaks(), plait.Host(listen=()) as host:
        with pytest.raises(NoAddressError):
            await host.connect(peer())


async def test_a_working_address_wins_over_those_that_do_not_work(refused, silent, unanswered):
    async with no_leaks(), plait.Host(config=CONFIG) as bob, plait.Host(listen=(), config=CONFIG) as alice:
        alice.peerstore.add_addresses(bob.peer_id, [refused, silent, unanswered])
        connection = await alice.connect(bob.addresses[0])
        assert connection.remote_peer == bob.peer_id


async def test_another_peer_than_expected_names_both(wire):
    config = HostConfig(timeouts=SHORT, transports=wire.good)
    expected = peer()
    async with no_leaks(), plait.Host(listen=wire.listen, config=config) as bob:
        async with plait.Host(listen=(), config=config) as alice:
            address = str(bob.addresses[0]).replace(str(bob.peer_id), str(expected))
            with pytest.raises(DialError) as caught:
                await alice.connect(address)
            (attempt,) = caught.value.attempts
            error = attempt.error
            assert isinstance(error, PeerIdMismatchError)
            assert (error.expected, error.actual) == (expected, bob.peer_id)
            assert str(expected) in str(caught.value)
            assert str(bob.peer_id) in str(caught.value)
            assert alice.connections == ()
            # The address itself is good.
            await alice.connect(bob.addresses[0])
        while bob.connections:
            await asyncio.sleep(0.01)


async def test_an_unknown_protocol_lists_what_the_peer_speaks(wire):
    config = HostConfig(transports=wire.good)
    async with no_leaks(), plait.Host(listen=wire.listen, config=config) as bob:

        @bob.handle("/shout/1.0.0")
        async def shout(stream: plait.Stream) -> None:
            await stream.read()

        async with plait.Host(listen=(), config=config) as alice:
            connection = await alice.connect(bob.addresses[0])
            await alice.identified(connection)
            for asked in ("/shout/1.0.1", ["/a", "/b", "/c"]):
                with pytest.raises(ProtocolNotSupportedError) as caught:
                    await alice.open_stream(bob.peer_id, asked)
                assert caught.value.offered == ((asked,) if isinstance(asked, str) else tuple(asked))
                assert {"/shout/1.0.0", "/ipfs/ping/1.0.0"} <= set(caught.value.supported)
                assert "/shout/1.0.0" in str(caught.value)
            async with alice.open_stream(bob.peer_id, ["/a", "/shout/1.0.0", "/b"]) as stream:
                assert stream.protocol == "/shout/1.0.0"
