"""Hosts with everything in them: how they start, find each other, serve, are bounded, and end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

import plait
from plait.abc import Network
from plait.addresses import host_port, is_unspecified, split_peer
from plait.connection import StreamCode
from plait.events import (
    ConnectionClosed,
    ConnectionOpened,
    ListenStarted,
    ListenStopped,
    PeerConnected,
    PeerDisconnected,
    StreamClosed,
    StreamOpened,
)
from plait.exceptions import (
    ConfigError,
    ConnectionClosedError,
    DialError,
    DialRefusedError,
    DialTimeoutError,
    InvalidMultiaddrError,
    LimitError,
    ListenError,
    LocalProtocolError,
    NoAddressError,
    PeerIdMismatchError,
    ProtocolNotSupportedError,
    StreamResetError,
)
from plait.host import Host, HostConfig
from plait.identity import KeyPair
from plait.limits import Limits, Timeouts
from plait.protocols import compatible_with
from plait.testing import Wire, network, no_leaks

ECHO = "/echo/1"
KINDS = ["tcp", "memory"]


@contextlib.asynccontextmanager
async def pair(kind: str, config: HostConfig | None = None) -> AsyncIterator[tuple[Host, Host]]:
    """Two hosts; the first echoes."""
    async with no_leaks(), contextlib.AsyncExitStack() as stack:
        if kind == "memory":
            alice, bob = await stack.enter_async_context(network(2, config=config))
        else:
            alice = await stack.enter_async_context(Host(config=config))
            bob = await stack.enter_async_context(Host(config=config))
        alice.handle(ECHO, echo)
        yield alice, bob


async def echo(stream: Any) -> None:
    async for chunk in stream:
        await stream.write(chunk)


async def forever(stream: Any) -> None:
    await asyncio.Event().wait()


# Start and addresses


async def test_the_default_is_reachable_on_this_machine_only() -> None:
    async with no_leaks(), Host() as host:
        (address,) = host.addresses
        bare, peer = split_peer(address)
        assert peer == host.peer_id
        endpoint = host_port(bare)
        assert endpoint is not None
        assert endpoint.host == "127.0.0.1"
        assert endpoint.port > 0


async def test_a_host_that_only_dials_has_no_address() -> None:
    async with no_leaks(), Host(listen=()) as host:
        assert host.addresses == ()


async def test_an_unspecified_address_becomes_those_of_the_interfaces() -> None:
    async with no_leaks(), Host(listen="/ip4/0.0.0.0/tcp/0") as host, Host(listen=()) as other:
        assert host.addresses
        assert not any(is_unspecified(address) for address in host.addresses)
        host.handle(ECHO, echo)
        for address in host.addresses:
            if str(address).startswith("/ip4/127."):
                assert (await other.connect(address)).remote_peer == host.peer_id


async def test_several_addresses_are_listened_on() -> None:
    async with Host(listen=["/ip4/127.0.0.1/tcp/0", "/memory/0"]) as host:
        assert {str(address).split("/")[1] for address in host.addresses} == {"ip4", "memory"}


async def test_a_host_whose_second_address_is_taken_leaves_nothing() -> None:
    async with no_leaks(), Host() as other:
        taken, _ = split_peer(other.addresses[0])
        host = Host(listen=["/ip4/127.0.0.1/tcp/0", taken])
        with pytest.raises(ListenError) as caught:
            async with host:
                pass
        assert caught.value.address == str(taken)
        assert host.addresses == ()
        assert host.is_closed


async def test_an_address_without_a_transport_is_a_listen_error() -> None:
    with pytest.raises(ListenError, match="no transport"):
        async with Host(listen="/ip4/127.0.0.1/udp/0/quic-v1"):
            pass


def test_a_malformed_listen_address_is_told_at_once() -> None:
    with pytest.raises(InvalidMultiaddrError):
        Host(listen="/ip4/localhost/tcp/0")


async def test_a_host_starts_once() -> None:
    host = Host(listen=())
    async with host:
        with pytest.raises(LocalProtocolError):
            await host.__aenter__()
    with pytest.raises(LocalProtocolError):
        await host.__aenter__()
    await host.close()


async def test_before_and_after_there_is_nothing_to_use() -> None:
    host = Host(listen=())
    async with Host() as other:
        with pytest.raises(ConnectionClosedError, match="not started"):
            await host.connect(other.addresses[0])
        async with host:
            pass
        with pytest.raises(ConnectionClosedError, match="closed"):
            await host.open_stream(other.addresses[0], ECHO)


async def test_a_host_is_a_network() -> None:
    host: Network = Host(listen=())
    assert host.identity.peer_id == host.peer_id


# Dialing


@pytest.mark.parametrize("kind", KINDS)
async def test_streams_by_address_by_peer_and_by_connection(kind: str) -> None:
    async with pair(kind) as (alice, bob):
        for target in (str(alice.addresses[0]), alice.addresses[0], alice.peer_id):
            async with bob.open_stream(target, ECHO) as stream:
                await stream.write(b"hello")
                await stream.write_eof()
                assert await stream.read() == b"hello"
        (connection,) = bob.connections
        async with bob.open_stream(connection, ["/no/such/1", ECHO]) as stream:
            assert stream.protocol == ECHO


@pytest.mark.parametrize("kind", KINDS)
async def test_the_first_stream_may_be_inbound_on_the_dialers_side(kind: str) -> None:
    config = HostConfig(identify=False)
    async with pair(kind, config) as (alice, bob):
        bob.handle(ECHO, echo)
        await bob.connect(alice.addresses[0])
        while not alice.connections:
            await asyncio.sleep(0)
        async with alice.open_stream(alice.connections[0], ECHO) as stream:
            await stream.write(b"back")
            await stream.write_eof()
            assert await stream.read() == b"back"


async def test_many_callers_share_one_connection() -> None:
    async with pair("tcp") as (alice, bob):
        streams = await asyncio.gather(*(bob.open_stream(alice.addresses[0], ECHO) for _ in range(20)))
        assert len(bob.connections) == 1
        assert len(alice.connections) == 1
        for stream in streams:
            await stream.close()


async def test_a_connection_that_is_entered_is_closed_at_the_end() -> None:
    async with pair("tcp") as (alice, bob):
        async with bob.connect(alice.addresses[0]) as connection:
            assert bob.connections == (connection,)
        assert connection.is_closed
        assert bob.connections == ()


async def test_a_stream_that_is_left_with_an_error_is_reset() -> None:
    async with pair("memory") as (alice, bob):
        seen: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        begun = asyncio.Event()

        @alice.handle("/wait/1")
        async def wait(stream: Any) -> None:
            begun.set()
            try:
                await stream.read()
            except StreamResetError as error:
                seen.set_result(error)

        with pytest.raises(ZeroDivisionError):
            async with bob.open_stream(alice.addresses[0], "/wait/1") as stream:
                await stream.write(b"half of it")
                await begun.wait()
                raise ZeroDivisionError
        assert (await seen).remote


async def test_a_closed_connection_is_replaced() -> None:
    async with pair("tcp") as (alice, bob):
        first = await bob.connect(alice.addresses[0])
        await first.close()
        async with bob.open_stream(alice.peer_id, ECHO) as stream:
            assert stream.connection is not first


async def test_a_connection_that_dies_while_a_stream_is_opened_is_replaced() -> None:
    async with pair("tcp") as (alice, bob):
        first = await bob.connect(alice.addresses[0])
        first.abort()
        async with bob.open_stream(alice.addresses[0], ECHO) as stream:
            await stream.write(b"x")
            assert await stream.readexactly(1) == b"x"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_connection_that_the_peer_drops_just_then_is_replaced(kind: str) -> None:
    # A peer that is known to speak the protocol is not waited for: then the stream breaks instead.
    async with pair(kind, HostConfig(identify=False)) as (alice, bob):
        first = await bob.connect(alice.addresses[0])
        while not alice.connections:
            await asyncio.sleep(0)
        alice.connections[0].abort()
        # Bob has not heard of it yet.
        assert not first.is_closed
        async with bob.open_stream(alice.addresses[0], ECHO) as stream:
            await stream.write(b"x")
            assert await stream.readexactly(1) == b"x"
            assert stream.connection is not first


@pytest.mark.parametrize("kind", KINDS)
async def test_somebody_else_at_the_address_is_named(kind: str) -> None:
    async with pair(kind) as (alice, bob):
        stranger = KeyPair.generate().peer_id
        address, _ = split_peer(alice.addresses[0])
        with pytest.raises(DialError) as caught:
            await bob.connect(f"{address}/p2p/{stranger}")
        (attempt,) = caught.value.attempts
        assert isinstance(attempt.error, PeerIdMismatchError)
        assert (attempt.error.expected, attempt.error.actual) == (stranger, alice.peer_id)
        assert caught.value.__cause__ is attempt.error
        # It is caught by either name.
        assert isinstance(caught.value, PeerIdMismatchError)
        assert (caught.value.expected, caught.value.actual) == (stranger, alice.peer_id)
        assert str(stranger) in str(caught.value)
        assert str(alice.peer_id) in str(caught.value)


async def test_an_unknown_protocol_is_told_apart_and_the_connection_lives() -> None:
    async with pair("tcp") as (alice, bob):
        with pytest.raises(ProtocolNotSupportedError) as caught:
            await bob.open_stream(alice.addresses[0], "/echo/2")
        assert caught.value.offered == ("/echo/2",)
        async with bob.open_stream(alice.addresses[0], ECHO):
            pass


async def test_what_the_peer_speaks_is_part_of_the_error() -> None:
    async with pair("tcp") as (alice, bob):
        await bob.identified(await bob.connect(alice.addresses[0]))
        with pytest.raises(ProtocolNotSupportedError) as caught:
            await bob.open_stream(alice.addresses[0], "/echo/2")
        assert ECHO in caught.value.supported


async def test_refused_and_silent_addresses_have_a_record_each() -> None:
    timeouts = Timeouts(tcp_connect=0.2, dial_address=0.3, upgrade=0.2)
    peer = KeyPair.generate().peer_id
    with socket.socket() as silent, socket.socket() as refusing:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        refusing.bind(("127.0.0.1", 0))
        addresses = [f"/ip4/127.0.0.1/tcp/{each.getsockname()[1]}" for each in (silent, refusing)]
        async with no_leaks(), Host(listen=(), config=HostConfig(timeouts=timeouts)) as bob:
            bob.peerstore.add_addresses(peer, addresses)
            with pytest.raises(DialError) as caught:
                await bob.connect(peer)
    assert sorted(each.address for each in caught.value.attempts) == sorted(addresses)


async def test_a_dial_has_a_deadline() -> None:
    timeouts = Timeouts(tcp_connect=0.1, dial_address=0.1, dial_total=0.1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"/ip4/127.0.0.1/tcp/{silent.getsockname()[1]}/p2p/{KeyPair.generate().peer_id}"
        async with no_leaks(), Host(listen=(), config=HostConfig(timeouts=timeouts)) as bob:
            with pytest.raises(DialError) as caught:
                await bob.connect(address)
            assert caught.value.attempts
            assert isinstance(caught.value, DialTimeoutError) or "0.1 s" in str(caught.value)


async def test_cancelling_a_dial_leaves_nothing() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"/ip4/127.0.0.1/tcp/{silent.getsockname()[1]}/p2p/{KeyPair.generate().peer_id}"
        async with Host(listen=()) as bob, no_leaks():
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await bob.connect(address)


async def test_a_host_does_not_dial_itself() -> None:
    async with Host() as host:
        with pytest.raises(DialRefusedError):
            await host.connect(host.addresses[0])


async def test_an_unspecified_address_is_not_dialed() -> None:
    async with Host(listen=()) as host:
        with pytest.raises(DialError) as caught:
            await host.connect(f"/ip4/0.0.0.0/tcp/4001/p2p/{KeyPair.generate().peer_id}")
        (attempt,) = caught.value.attempts
        assert isinstance(attempt.error, DialRefusedError)


async def test_targets_that_lead_nowhere() -> None:
    async with Host(listen=()) as host:
        with pytest.raises(InvalidMultiaddrError, match="whom to expect"):
            await host.connect("/ip4/127.0.0.1/tcp/4001")
        with pytest.raises(InvalidMultiaddrError):
            await host.connect("nonsense")
        with pytest.raises(NoAddressError):
            await host.connect(KeyPair.generate().peer_id)
        with pytest.raises(NoAddressError):
            await host.connect(f"/p2p/{KeyPair.generate().peer_id}")
        with pytest.raises(ConfigError):
            await host.open_stream(f"/ip4/127.0.0.1/tcp/1/p2p/{host.peer_id}", [])


# Serving


async def test_a_handler_that_comes_later_serves_live_connections() -> None:
    async with pair("tcp") as (alice, bob):
        connection = await bob.connect(alice.addresses[0])
        with pytest.raises(ProtocolNotSupportedError):
            await connection.open_stream("/late/1")

        @alice.handle("/late/1")
        async def late(stream: Any) -> None:
            await stream.write(b"late")

        async with bob.open_stream(connection, "/late/1") as stream:
            assert await stream.read() == b"late"
        alice.unhandle("/late/1")
        with pytest.raises(ProtocolNotSupportedError):
            await connection.open_stream("/late/1")


async def test_a_handler_that_comes_during_the_upgrade_serves_the_connection() -> None:
    async with pair("tcp", HostConfig(identify=False)) as (alice, bob):
        dial = asyncio.ensure_future(_connect(bob, alice))
        while not alice._swarm._listeners.handshakes:  # type: ignore[union-attr]
            await asyncio.sleep(0)
        alice.handle("/late/1", echo)
        async with bob.open_stream(await dial, "/late/1"):
            pass


@pytest.mark.parametrize("kind", KINDS)
async def test_a_handler_that_raises_resets_its_stream_only(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with pair(kind) as (alice, bob):

        @alice.handle("/broken/1")
        async def broken(stream: Any) -> None:
            await stream.readexactly(1)
            raise ZeroDivisionError("never mind")

        stream = await bob.open_stream(alice.addresses[0], "/broken/1")
        await stream.write(b"x")
        with pytest.raises(StreamResetError) as caught:
            await stream.read()
        assert caught.value.error_code == StreamCode.HANDLER_FAILED
        assert caught.value.remote
        async with bob.open_stream(alice.addresses[0], ECHO):
            pass
        assert alice.stats()["handlers_failed"] == 1
        assert len([each for each in caplog.records if each.levelno >= logging.ERROR]) == 1


async def test_a_handler_that_returns_ends_the_stream_in_order() -> None:
    async with pair("tcp") as (alice, bob):

        @alice.handle("/hello/1")
        async def hello(stream: Any) -> None:
            await stream.write(b"hello")

        async with bob.open_stream(alice.addresses[0], "/hello/1") as stream:
            # What we still send is thrown away, and is no error.
            await stream.write(b"ignored")
            assert await stream.read() == b"hello"


# Events


async def test_events_tell_the_life_of_a_connection() -> None:
    alice, bob = Host(), Host(listen=())
    alice.handle(ECHO, echo)
    events = alice.events(
        ListenStarted, ListenStopped, PeerConnected, PeerDisconnected, ConnectionOpened, ConnectionClosed
    )
    streams = bob.events(StreamOpened, StreamClosed)
    async with alice, bob:
        async with bob.connect(alice.addresses[0]) as connection:
            async with bob.open_stream(connection, ECHO):
                pass
            while not alice.connections:
                await asyncio.sleep(0)
        while alice.connections:
            await asyncio.sleep(0)
    assert [type(event) async for event in events] == [
        ListenStarted,
        PeerConnected,
        ConnectionOpened,
        ConnectionClosed,
        PeerDisconnected,
        ListenStopped,
    ]
    assert [type(event) async for event in streams if event.protocol == ECHO] == [StreamOpened, StreamClosed]


# Limits


async def test_connections_above_the_limit_are_refused_and_the_others_live() -> None:
    limits = Limits(connections=2, inbound_connections=2)
    async with no_leaks(), contextlib.AsyncExitStack() as stack:
        alice = await stack.enter_async_context(Host(config=HostConfig(limits=limits)))
        alice.handle(ECHO, echo)
        others = [await stack.enter_async_context(Host(listen=())) for _ in range(3)]
        for other in others[:2]:
            await other.connect(alice.addresses[0])
        with pytest.raises(DialError):
            await others[2].connect(alice.addresses[0])
        assert alice.stats()["connections_refused"] == 1
        await others[0].connections[0].close()
        async with others[1].open_stream(alice.peer_id, ECHO) as stream:
            await stream.write(b"x")
            assert await stream.readexactly(1) == b"x"
        async with others[2].open_stream(alice.addresses[0], ECHO):
            pass


async def test_a_full_host_does_not_dial() -> None:
    limits = Limits(connections=1, inbound_connections=1)
    async with Host() as first, Host() as second, Host(listen=(), config=HostConfig(limits=limits)) as bob:
        opened = second.events(ConnectionOpened)
        await bob.connect(first.addresses[0])
        with pytest.raises(LimitError) as caught:
            await bob.connect(second.addresses[0])
        assert caught.value.limit == "connections"
        assert (await bob.connect(first.addresses[0])).remote_peer == first.peer_id
    assert [event async for event in opened] == []


async def test_handshakes_that_say_nothing_do_not_keep_others_out() -> None:
    config = HostConfig(
        limits=Limits(handshakes=4, handshakes_per_address=4), timeouts=Timeouts(handshake_grace=0.2)
    )
    async with no_leaks(), Host(config=config) as alice, Host(listen=()) as bob:
        alice.handle(ECHO, echo)
        endpoint = host_port(alice.addresses[0])
        assert endpoint is not None
        silent = [await asyncio.open_connection(endpoint.host, endpoint.port) for _ in range(12)]
        async with bob.open_stream(alice.addresses[0], ECHO) as stream:
            await stream.write(b"served")
            await stream.write_eof()
            assert await stream.read() == b"served"
        for _, writer in silent:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def test_a_burst_of_dials_is_served_though_slots_are_few() -> None:
    # No handshake is old enough to make room: whoever waits is let in when one is done.
    config = HostConfig(
        limits=Limits(handshakes=2, handshakes_per_address=2), timeouts=Timeouts(handshake_grace=9)
    )
    async with no_leaks(), contextlib.AsyncExitStack() as stack:
        alice = await stack.enter_async_context(Host(config=config))
        others = [await stack.enter_async_context(Host(listen=())) for _ in range(20)]
        await asyncio.gather(*(other.connect(alice.addresses[0]) for other in others))
        while len(alice.connections) < 20:
            await asyncio.sleep(0.01)
        assert alice.stats()["connections_refused"] == 0


async def test_a_handshake_that_stalls_is_dropped_and_its_slot_is_free() -> None:
    limits = Limits(connections=1, inbound_connections=1, handshakes=1, handshakes_per_address=1)
    config = HostConfig(timeouts=Timeouts(upgrade=0.2), limits=limits)
    async with no_leaks(), Host(config=config) as alice, Host(listen=()) as bob:
        endpoint = host_port(alice.addresses[0])
        assert endpoint is not None
        reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port)
        await reader.read()
        assert alice.stats()["upgrades_failed"] == 1
        writer.close()
        # Its descriptor counts as a connection until our end has seen the peer's.
        while alice._swarm._listeners._ending:  # type: ignore[union-attr]
            await asyncio.sleep(0)
        assert await bob.connect(alice.addresses[0])


async def test_a_handshake_in_progress_does_not_hold_up_the_end() -> None:
    async with no_leaks(), asyncio.timeout(Timeouts().upgrade / 2):
        async with Host() as alice:
            endpoint = host_port(alice.addresses[0])
            assert endpoint is not None
            reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port)
            while not alice._swarm._listeners.handshakes:  # type: ignore[union-attr]
                await asyncio.sleep(0)
        await reader.read()
        writer.close()


async def test_garbage_is_dropped_and_does_not_disturb() -> None:
    async with pair("tcp") as (alice, bob):
        endpoint = host_port(alice.addresses[0])
        assert endpoint is not None
        reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n" * 100)
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()
        async with bob.open_stream(alice.addresses[0], ECHO):
            pass
        assert alice.stats()["upgrades_failed"] == 1


async def test_a_connection_full_of_handlers_leaves_room_for_others() -> None:
    config = HostConfig(limits=Limits(handler_tasks=8))
    async with no_leaks(), Host(config=config) as alice, Host(listen=()) as greedy, Host(listen=()) as modest:
        alice.handle("/forever/1", forever)
        alice.handle(ECHO, echo)
        connection = await greedy.connect(alice.addresses[0])
        with pytest.raises(StreamResetError) as caught:
            for _ in range(40):
                # Told at once by who does not wait for the peer's word, and by the first read otherwise.
                stream = await connection.open_stream("/forever/1")
                await stream.write(b"x")
            await stream.read(1)
        assert caught.value.error_code == StreamCode.RESOURCE_LIMIT
        async with modest.open_stream(alice.addresses[0], ECHO) as stream:
            await stream.write(b"served")
            await stream.write_eof()
            assert await stream.read() == b"served"


# The end


@pytest.mark.parametrize("kind", KINDS)
async def test_leaving_ends_handlers_streams_and_connections(kind: str) -> None:
    async with no_leaks():
        async with pair(kind) as (alice, bob):
            alice.handle("/forever/1", forever)
            stream = await bob.open_stream(alice.addresses[0], "/forever/1")
            await stream.write(b"x")
            while not alice.streams:
                await asyncio.sleep(0)
            await alice.close()
            assert alice.stats()["handlers"] == 0
            assert alice.connections == ()
            with pytest.raises(StreamResetError):
                await stream.read()
            with pytest.raises(DialError):
                await bob.connect(alice.peer_id)


async def test_a_peer_that_does_not_answer_the_close_does_not_hold_it_up() -> None:
    timeouts = Timeouts(close=0.1, shutdown=0.2)
    async with no_leaks():
        async with pair("memory", HostConfig(timeouts=timeouts)) as (alice, bob):
            connection = await bob.connect(alice.addresses[0])
            # Alice's end of the wire falls silent.
            while not alice.connections:
                await asyncio.sleep(0)
            Wire(alice.connections[0]).stop_reading()
            await bob.close()
            assert connection.is_closed


async def test_closing_while_others_dial_leaves_nothing() -> None:
    async with no_leaks():
        async with pair("tcp") as (alice, bob):
            dials = [asyncio.ensure_future(_connect(bob, alice)) for _ in range(5)]
            await asyncio.sleep(0)
            await bob.close()
            results = await asyncio.gather(*dials, return_exceptions=True)
            assert all(isinstance(each, ConnectionClosedError) for each in results)


async def test_a_host_closes_from_inside_a_handler() -> None:
    async with no_leaks():
        async with pair("memory") as (alice, bob):

            @alice.handle("/stop/1")
            async def stop(stream: Any) -> None:
                await alice.close()

            stream = await bob.open_stream(alice.addresses[0], "/stop/1")
            with pytest.raises(StreamResetError):
                await stream.read()
            assert alice.is_closed


async def test_cancelling_the_exit_still_leaves_nothing() -> None:
    async with no_leaks():
        async with Host() as alice:
            bob = Host(listen=())

            async def use() -> None:
                async with bob:
                    await bob.connect(alice.addresses[0])

            task = asyncio.ensure_future(use())
            while not bob.connections:
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            assert bob.connections == ()


async def test_cancelling_an_exit_that_waits_drops_the_connections() -> None:
    config = HostConfig(timeouts=Timeouts(close=20, shutdown=20))
    async with no_leaks():
        async with pair("memory", config) as (alice, bob):
            connection = await bob.connect(alice.addresses[0])
            while not alice.connections:
                await asyncio.sleep(0)
            Wire(alice.connections[0]).stop_reading()
            closing = asyncio.ensure_future(bob.close())
            await asyncio.wait([closing], timeout=0.1)
            assert not closing.done()
            closing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await closing
            assert connection.is_closed


async def test_the_leak_checker_finds_what_is_left() -> None:
    with pytest.raises(AssertionError, match="forever"):
        async with no_leaks(patience=0.05):
            left = asyncio.ensure_future(forever(None))
            await asyncio.sleep(0)
    left.cancel()
    host = Host(listen=())
    async with Host() as other:
        with pytest.raises(AssertionError, match="Connection"):
            async with no_leaks(patience=0.05):
                await host.__aenter__()
                await host.connect(other.addresses[0])
        await host.close()


def test_run_starts_a_loop_and_gives_the_result() -> None:
    async def main() -> str:
        async with plait.Host(listen=()) as host:
            return str(host.peer_id)

    assert plait.run(main()).startswith("12D3KooW")


def test_every_name_of_the_front_door_is_there() -> None:
    for name in plait.__all__:
        assert getattr(plait, name) is not None
    assert set(plait.__all__) <= set(dir(plait))
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = plait.no_such_name


async def _connect(host: Host, other: Host) -> Any:
    return await host.connect(other.addresses[0])


async def test_handlers_by_match_and_alias_and_versions_that_fall_back(duo):
    seen: list[str] = []

    async def note(stream: plait.Stream) -> None:
        seen.append(stream.protocol)
        await stream.write(stream.protocol.encode())

    async with duo() as (alice, bob):
        bob.handle("/x/1.2.0", note, aliases=["/y/1.0.0"], match=compatible_with("/x/1.2.0"))
        target = bob.addresses[0]
        for proposed, agreed in [
            (["/x/1.2.0"], "/x/1.2.0"),
            (["/x/1.0.7"], "/x/1.0.7"),
            (["/y/1.0.0"], "/y/1.0.0"),
            (["/x/2.0.0", "/x/1.1.0"], "/x/1.1.0"),
        ]:
            async with await alice.open_stream(target, proposed) as stream:
                assert (stream.protocol, await stream.read()) == (agreed, agreed.encode())
        with pytest.raises(ProtocolNotSupportedError):
            await alice.open_stream(target, "/x/1.3.0")
        bob.unhandle("/x/1.2.0")
        with pytest.raises(ProtocolNotSupportedError):
            await alice.open_stream(target, "/x/1.0.7")
        async with await alice.open_stream(target, "/y/1.0.0") as stream:
            assert await stream.read() == b"/y/1.0.0"
    assert seen == ["/x/1.2.0", "/x/1.0.7", "/y/1.0.0", "/x/1.1.0", "/y/1.0.0"]


async def test_a_match_that_raises_accepts_nothing(duo, monkeypatch):
    told: list[BaseException] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda each: told.append(each.exc_value))

    def breaks(name: str) -> bool:
        raise ZeroDivisionError(name)

    async with duo() as (alice, bob):
        bob.handle("/x/1", lambda stream: asyncio.sleep(0), match=breaks)
        with pytest.raises(ProtocolNotSupportedError):
            await alice.open_stream(bob.addresses[0], "/x/2")
    assert [type(error) for error in told] == [ZeroDivisionError]
