"""Which security protocol and which muxer two hosts come to, and what they say when they come to none."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import plait
from plait.addresses import split_peer
from plait.exceptions import (
    ConfigError,
    ConnectionLostError,
    DialError,
    NegotiationError,
    PrivateNetworkError,
    StreamResetError,
)
from plait.host import HostConfig
from plait.limits import Timeouts
from plait.testing import no_leaks
from plait.transports import MemorySpace, MemoryTransport, TcpTransport
from plait.upgrade import MPLEX, NOISE, PLAINTEXT, TLS, YAMUX, DialOptions, PrivateNetwork

QUIET: dict[str, Any] = {"identify": False}
NETWORKS = [PrivateNetwork(bytes([number]) * 32) for number in (1, 2)]


@asynccontextmanager
async def pair(near: dict[str, Any], far: dict[str, Any]) -> AsyncIterator[tuple[plait.Host, plait.Host]]:
    """A host that dials, and one that answers."""
    space = MemorySpace()
    base = {**QUIET, "transports": lambda: [MemoryTransport(space), TcpTransport()]}
    async with no_leaks():
        listen = ("/memory/0", "/ip4/127.0.0.1/tcp/0")
        async with plait.Host(listen=listen, config=HostConfig(**base, **far)) as bob:
            async with plait.Host(listen=(), config=HostConfig(**base, **near)) as alice:
                yield alice, bob


async def reason(alice: plait.Host, bob: plait.Host, address: int = 0) -> BaseException:
    """Why the one address of a dial led nowhere."""
    with pytest.raises(DialError) as caught:
        await alice.connect(bob.addresses[address])
    (attempt,) = caught.value.attempts
    assert attempt.error is not None
    return attempt.error


# ---- preference


@pytest.mark.parametrize(
    ("ours", "theirs", "agreed"),
    [
        ([NOISE, TLS], [TLS, NOISE], NOISE),
        ([TLS, NOISE], [NOISE, TLS], TLS),
        ([TLS, NOISE], [NOISE], NOISE),
        ([NOISE], [TLS, NOISE], NOISE),
    ],
)
async def test_the_dialers_first_security_protocol_that_both_speak_is_taken(ours, theirs, agreed):
    async with pair({"security": ours}, {"security": theirs}) as (alice, bob):
        connection = await alice.connect(bob.addresses[0])
        (far,) = bob.connections
        assert (connection.security, far.security) == (agreed, agreed)


@pytest.mark.parametrize("security", [NOISE, TLS])
@pytest.mark.parametrize(
    ("ours", "theirs", "agreed"),
    [
        ([YAMUX, MPLEX], [MPLEX, YAMUX], YAMUX),
        ([MPLEX, YAMUX], [YAMUX, MPLEX], MPLEX),
        ([MPLEX, YAMUX], [YAMUX], YAMUX),
    ],
)
async def test_the_dialers_first_muxer_that_both_speak_is_taken(security, ours, theirs, agreed):
    near, far = ({"security": [security], "muxers": muxers} for muxers in (ours, theirs))
    async with pair(near, far) as (alice, bob):
        connection = await alice.connect(bob.addresses[0])
        (remote,) = bob.connections
        assert (connection.muxer, remote.muxer) == (agreed, agreed)
        assert connection.early_muxer
        assert remote.early_muxer


async def test_mplex_and_plaintext_are_offered_by_nobody_who_did_not_name_them():
    async with pair({}, {}) as (alice, bob):
        for options in (DialOptions(muxers=[MPLEX]), DialOptions(security=[PLAINTEXT])):
            with pytest.raises(ConfigError):
                await alice.connect(bob.addresses[0], options)
        connection = await alice.connect(bob.addresses[0])
        assert connection.muxer == YAMUX
        assert connection.security in (TLS, NOISE)


async def test_a_dial_may_differ_from_its_host():
    both = {"security": [NOISE, TLS], "muxers": [YAMUX, MPLEX]}
    async with pair(both, both) as (alice, bob):
        target = bob.addresses[0]
        usual = await alice.connect(target)
        assert await alice.connect(target) is usual
        rows = [
            (DialOptions(security=[TLS]), TLS, YAMUX),
            (DialOptions(muxers=[MPLEX]), NOISE, MPLEX),
            (DialOptions(security=[TLS, NOISE], muxers=[MPLEX, YAMUX]), TLS, MPLEX),
        ]
        for options, security, muxer in rows:
            # Two at once with the same wishes are one dial; each makes a connection of its own.
            one, other = await asyncio.gather(*(alice.connect(target, options) for _ in range(2)))
            assert one is other
            assert one not in (usual,)
            assert (one.security, one.muxer) == (security, muxer)
        assert len(bob.connections) == 1 + len(rows)


# ---- what a host cannot be asked for


@pytest.mark.parametrize(
    "settings",
    [
        {"security": []},
        {"security": [NOISE, NOISE]},
        {"security": ["/noise/2"]},
        {"security": [PLAINTEXT, NOISE]},
        {"muxers": []},
        {"muxers": [YAMUX, YAMUX]},
        {"muxers": ["/yamux/2.0.0"]},
    ],
    ids=str,
)
async def test_what_a_host_cannot_offer(settings):
    async with no_leaks():
        with pytest.raises(ConfigError):
            async with plait.Host(listen="/memory/0", config=HostConfig(**settings)):
                pass


@pytest.mark.parametrize(
    "wishes",
    [{"security": ["/nothing"]}, {"security": [NOISE, NOISE]}, {"muxers": [MPLEX]}, {"role": "listener"}],
    ids=str,
)
async def test_what_a_dial_cannot_ask_for(wishes):
    async with pair({}, {}) as (alice, bob):
        with pytest.raises(ConfigError):
            await alice.connect(bob.addresses[0], DialOptions(**wishes))
        assert bob.stats()["upgrades_failed"] == 0


async def test_plaintext_warns_once_and_is_good_for_measuring():
    config = {"security": [PLAINTEXT]}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        async with pair(config, config) as (alice, bob):
            for _ in range(3):
                connection = await alice.connect(bob.addresses[0], DialOptions())
                assert connection.security == PLAINTEXT
                assert connection.remote_peer == bob.peer_id
                assert not connection.early_muxer
    (warning,) = [each for each in caught if "plaintext" in str(each.message)]
    assert "not secure" in str(warning.message)


# ---- nothing in common


@pytest.mark.parametrize(
    ("near", "far", "offered", "stage"),
    [
        ({"security": [NOISE]}, {"security": [TLS]}, (NOISE,), "security negotiation"),
        ({"security": [TLS]}, {"security": [NOISE]}, (TLS,), "security negotiation"),
        (
            {"security": [NOISE], "muxers": [MPLEX]},
            {"security": [NOISE]},
            (MPLEX,),
            "muxer negotiation",
        ),
        # ALPN always has room for "later": the muxer is refused over the channel.
        ({"security": [TLS], "muxers": [MPLEX]}, {"security": [TLS]}, (MPLEX,), "muxer negotiation"),
        (
            {"security": [TLS, NOISE], "muxers": [MPLEX]},
            {"muxers": [YAMUX]},
            (MPLEX,),
            "muxer negotiation",
        ),
    ],
)
@pytest.mark.parametrize("address", [0, 1], ids=["memory", "tcp"])
async def test_nothing_in_common_is_said_here_and_counted_there(near, far, offered, stage, address, caplog):
    caplog.set_level("DEBUG", "plait")
    async with pair(near, far) as (alice, bob):
        error = await reason(alice, bob, address)
        assert isinstance(error, NegotiationError)
        assert (tuple(error.offered), error.stage) == (offered, stage)
        assert all(name in str(error) for name in offered)
        while bob.stats()["upgrades_failed"] == 0:
            await asyncio.sleep(0.01)
        assert (bob.stats()["upgrades_failed"], alice.connections, bob.connections) == (1, (), ())
        (said,) = [str(each.args[0]) for each in caplog.records if "inbound upgrade failed" in each.msg]
        assert "the peer accepts none of" in said


async def test_a_connection_that_is_there_has_to_have_its_muxer_too():
    async with pair({"security": [TLS], "muxers": [MPLEX]}, {"security": [TLS]}) as (alice, bob):
        opened = asyncio.create_task(alice.open_stream(bob.addresses[0], "/echo/1").__aenter__())
        while not alice.connections:
            await asyncio.sleep(0)
        # Alice uses it already, and waits for the answer.
        assert not alice.connections[0].has_agreed
        assert isinstance(await reason(alice, bob), NegotiationError)
        with pytest.raises(DialError):
            await opened
        assert (alice.connections, bob.connections) == ((), ())


@pytest.mark.parametrize("address", [0, 1], ids=["memory", "tcp"])
@pytest.mark.parametrize("lazy", [False, True])
async def test_a_stream_over_a_muxer_that_is_refused_has_the_same_error(address, lazy):
    async with pair({"security": [TLS], "muxers": [MPLEX]}, {"security": [TLS]}) as (alice, bob):
        # The stream's proposal is right behind that of the muxer.
        if lazy:
            stream = await alice.open_stream(bob.addresses[address], "/echo/1", lazy=True)
            with pytest.raises(StreamResetError) as broken:
                await stream.read()
            assert isinstance(broken.value.__cause__, ConnectionLostError)
            error = broken.value.__cause__.__cause__
            await stream.close()
        else:
            with pytest.raises(DialError) as caught:
                await alice.open_stream(bob.addresses[address], "/echo/1")
            (attempt,) = caught.value.attempts
            error = attempt.error
            assert caught.value.__cause__ is error
        assert isinstance(error, NegotiationError)
        assert (tuple(error.offered), error.stage) == ((MPLEX,), "muxer negotiation")
        while bob.stats()["upgrades_failed"] == 0:
            await asyncio.sleep(0.01)
        assert (bob.stats()["upgrades_failed"], alice.connections, bob.connections) == (1, (), ())


@pytest.mark.filterwarnings("ignore:plaintext")
async def test_a_connect_that_is_cancelled_before_the_answer_leaves_nothing_behind():
    async with pair({"security": [PLAINTEXT]}, {"security": [PLAINTEXT]}) as (alice, bob):
        connecting = asyncio.create_task(alice.connect(bob.addresses[0]).__aenter__())
        while not alice.connections:
            await asyncio.sleep(0)
        (connection,) = alice.connections
        assert not connection.has_agreed
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
        # It goes on for whoever wants it next.
        assert await alice.connect(bob.addresses[0]) is connection
        assert connection.has_agreed


# ---- private networks


@pytest.mark.parametrize("security", [NOISE, TLS])
@pytest.mark.parametrize("address", [0, 1], ids=["memory", "tcp"])
async def test_members_of_one_network_meet(security, address):
    config = {"security": [security], "private_network": NETWORKS[0]}
    async with pair(config, config) as (alice, bob):
        bob.handle("/echo/1", echo)
        async with alice.open_stream(bob.addresses[address], "/echo/1") as stream:
            await stream.write(bytes(300_000))
            await stream.write_eof()
            assert await stream.read() == bytes(300_000)
        (connection,) = alice.connections
        assert (connection.security, connection.round_trips) == (security, 1)


@pytest.mark.parametrize("address", [0, 1], ids=["memory", "tcp"])
async def test_another_key_is_another_network(address):
    near, far = ({"private_network": network} for network in NETWORKS)
    async with pair(near, far) as (alice, bob):
        error = await reason(alice, bob, address)
        assert isinstance(error, PrivateNetworkError)
        assert "network" in str(error)
        assert repr(NETWORKS[0].key) not in str(error)
        while bob.stats()["upgrades_failed"] == 0:
            await asyncio.sleep(0.01)


async def test_a_member_finds_out_that_a_listener_is_none():
    async with pair({"private_network": NETWORKS[0]}, {}) as (alice, bob):
        assert isinstance(await reason(alice, bob), PrivateNetworkError)
        assert (alice.connections, bob.connections) == ((), ())


async def test_a_member_finds_out_at_once_that_a_listener_speaks_in_the_clear():
    heard = bytearray()

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The header and no more: what it hears is no header, so it waits for the rest of it.
        writer.write(b"\x13/multistream/1.0.0\n")
        heard.extend(await reader.read())
        writer.close()
        await writer.wait_closed()

    async with pair({"private_network": NETWORKS[0]}, {}) as (alice, bob):
        async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(DialError) as caught:
                # Before any deadline of ours.
                async with asyncio.timeout(Timeouts().upgrade / 2):
                    await alice.connect(f"/ip4/127.0.0.1/tcp/{port}/p2p/{bob.peer_id}")
            (attempt,) = caught.value.attempts
            assert isinstance(attempt.error, PrivateNetworkError)
        assert b"multistream" not in heard


async def test_a_listener_tells_a_stranger_nothing_and_does_not_wait_for_more_of_it():
    async with pair({}, {"private_network": NETWORKS[0]}) as (_, bob):
        port = int(str(split_peer(bob.addresses[1])[0]).rpartition("/")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(Timeouts().upgrade / 2):
            writer.write(b"\x13/multistream/1.0.0\n")
            assert len(await reader.read()) == 24
        assert bob.stats()["upgrades_failed"] == 1
        writer.close()
        await writer.wait_closed()


async def test_a_stranger_gets_no_connection_and_learns_nothing():
    settings = {"private_network": NETWORKS[0], "timeouts": Timeouts(upgrade=0.5)}
    async with pair({"timeouts": Timeouts(upgrade=0.5)}, settings) as (alice, bob):
        # To a stranger the nonce is a multistream header that is none.
        assert isinstance(await reason(alice, bob), NegotiationError)
        address = split_peer(bob.addresses[1])[0]
        reader, writer = await asyncio.open_connection("127.0.0.1", int(str(address).rpartition("/")[2]))
        writer.write(b"\x13/multistream/1.0.0\n\x07/noise\n")
        # The nonce, which is random, and the end.
        assert len(await reader.read()) == 24
        writer.close()
        await writer.wait_closed()
        assert bob.connections == ()


# ---- what a connection says of itself


@pytest.mark.parametrize("security", [NOISE, TLS])
async def test_what_was_negotiated_is_reported_on_both_sides(security):
    async with pair({"security": [security]}, {}) as (alice, bob):
        connection = await alice.connect(bob.addresses[0])
        (far,) = bob.connections
        for each in (connection, far):
            assert (each.security, each.muxer, each.early_muxer) == (security, YAMUX, True)
            assert each.round_trips == 1


async def echo(stream: plait.Stream) -> None:
    await stream.write(await stream.read())
