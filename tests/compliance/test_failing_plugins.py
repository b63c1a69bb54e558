"""Plug-ins that fail, or give what they must not: an error with theirs as its cause, and hosts live on."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

import plait
from plait.abc import Secured, StreamData, StreamOpened
from plait.exceptions import (
    ConfigError,
    ConnectionLostError,
    DialError,
    HandshakeError,
    PeerIdMismatchError,
    RemoteProtocolError,
)
from plait.limits import Timeouts
from plait.testing import network, no_leaks
from plait.upgrade import MPLEX, NOISE, TLS, YAMUX, DialOptions

ECHO = "/echo/1"
CONFIG = plait.HostConfig(identify=False, timeouts=Timeouts(upgrade=2.0, close=0.2))


class OwnError(Exception):
    """What only a plug-in raises."""


def serve(host: plait.Host) -> None:
    @host.handle(ECHO)
    async def echo(stream: plait.Stream) -> None:
        async for chunk in stream:
            await stream.write(chunk)


def spoiled(base: Any, **changes: Any) -> Any:
    """A plug-in like `base` whose handshakes, channels or connections have other methods.

    `handshake`, `channel` and `connection` are dicts of them.
    """

    class Spoiled(base):  # type: ignore[misc]
        def begin(self, *arguments: Any) -> Any:
            made = super().begin(*arguments)
            for name, method in {**changes.get("handshake", {}), **changes.get("connection", {})}.items():
                setattr(made, name, method)
            if "channel" in changes:
                receive = made.receive

                def receive_then_spoil(data: bytes) -> Secured | None:
                    secured = receive(data)
                    if secured is not None:
                        # In a turn of its own, so that the upgrade is not what fails.
                        for name, method in changes["channel"].items():
                            setattr(secured.channel, name, method)
                    return secured

                made.receive = receive_then_spoil
            return made

    return Spoiled()


def failing(*arguments: Any) -> Any:
    raise OwnError("on purpose")


async def dialed(config: plait.HostConfig, cause: type[BaseException]) -> None:
    """A dial that fails for what the plug-in did, and hosts that live on."""
    async with no_leaks(), network(2, config=config) as (alice, bob):
        serve(alice)
        with pytest.raises(DialError) as caught:
            await bob.connect(alice.addresses[0])
        error = caught.value.attempts[0].error
        assert isinstance(error, HandshakeError), repr(error)
        assert isinstance(error.__cause__, cause), repr(error.__cause__)


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"receive": failing}, OwnError),
        ({"transmit": failing}, OwnError),
        ({"transmit": lambda: "text"}, TypeError),
        ({"transmit": lambda: None}, TypeError),
        ({"receive": lambda data: 7}, AttributeError),
        ({"receive": lambda data: Secured(None, None)}, AttributeError),  # type: ignore[arg-type]
    ],
)
async def test_a_handshake_that_fails(example, changes, cause) -> None:
    plugin = spoiled(example("plugin_security").SignedOnly, handshake=changes)
    await dialed(dataclasses.replace(CONFIG, security=[plugin]), cause)


async def test_a_handshake_that_cannot_begin(example) -> None:
    plugin = example("plugin_security").SignedOnly()
    plugin.begin = failing
    await dialed(dataclasses.replace(CONFIG, security=[plugin]), OwnError)


async def test_a_handshake_that_leaves_bytes_it_never_got(example) -> None:
    module = example("plugin_security")

    class Greedy(module.SignedOnly):  # type: ignore[misc, name-defined]
        def begin(self, *arguments: Any) -> Any:
            made = super().begin(*arguments)
            receive = made.receive
            made.receive = lambda data: (
                None if (it := receive(data)) is None else dataclasses.replace(it, unused=b"made up")
            )
            return made

    await dialed(dataclasses.replace(CONFIG, security=[Greedy()]), TypeError)


async def test_a_handshake_that_vouches_for_somebody_else(example) -> None:
    module = example("plugin_security")
    stranger = plait.KeyPair.generate()

    class Gullible(module.SignedOnly):  # type: ignore[misc, name-defined]
        def begin(self, *arguments: Any) -> Any:
            made = super().begin(*arguments)
            receive = made.receive
            made.receive = lambda data: (
                None
                if (it := receive(data)) is None
                else dataclasses.replace(it, remote_public_key=stranger.public_key)
            )
            return made

    config = dataclasses.replace(CONFIG, security=[Gullible()])
    async with no_leaks(), network(2, config=config) as (alice, bob):
        with pytest.raises(PeerIdMismatchError) as caught:
            await bob.connect(alice.addresses[0])
        assert caught.value.actual == stranger.peer_id


@pytest.mark.parametrize(
    "changes",
    [{"receive": failing}, {"seal": failing}, {"receive": lambda data: 7}, {"seal": lambda data: "text"}],
    ids=["receive raises", "seal raises", "receive gives a number", "seal gives text"],
)
async def test_a_channel_that_fails(example, changes) -> None:
    plugin = spoiled(example("plugin_security").SignedOnly, channel=changes)
    await lost(dataclasses.replace(CONFIG, security=[plugin]))


async def test_what_a_channel_gave_before_it_failed_is_delivered(example) -> None:
    module = example("plugin_security")
    switch = []

    class Cut(module.SignedOnly):  # type: ignore[misc, name-defined]
        def begin(self, *arguments: Any) -> Any:
            made = super().begin(*arguments)
            meet = made.meet

            def meet_then_cut(hello: bytes) -> Any:
                channel = meet(hello)
                receive = channel.receive

                def receive_once(data: bytes) -> Iterator[bytes]:
                    yield from receive(data)
                    if switch:
                        raise OwnError

                channel.receive = receive_once
                return channel

            made.meet = meet_then_cut
            return made

    config = dataclasses.replace(CONFIG, security=[Cut()])
    async with no_leaks(), network(2, config=config) as (alice, bob):
        got: asyncio.Queue[Any] = asyncio.Queue()

        @alice.handle(ECHO)
        async def take(stream: plait.Stream) -> None:
            await got.put(stream)
            while True:
                await got.put(await stream.read(100))

        stream = await bob.open_stream(alice.addresses[0], ECHO)
        theirs = await got.get()
        switch.append(True)
        await stream.write(b"last words")
        assert await got.get() == b"last words"
        await theirs.connection.wait_closed()
        switch.clear()


@pytest.mark.parametrize(
    "changes",
    [
        {"receive": failing},
        {"receive": lambda data, now: [b"no frame"]},
        {"receive": lambda data, now: [(1,)]},
        {"receive": lambda data, now: [StreamOpened(-1)]},
        {"receive": lambda data, now: [StreamData(1, "text")]},  # type: ignore[arg-type]
        {"receive": lambda data, now: 7},
        {"open": failing},
        {"open": lambda: "one"},
        {"open": lambda: 1 << 64},
        {"send": failing},
        {"send": lambda stream, data: len(data) + 1},
        {"send": lambda stream, data: -1},
        {"transmit": failing},
        {"transmit": lambda: None},
        {"next_timeout": failing},
        {"next_timeout": lambda: float("nan")},
        {"next_timeout": lambda: 0.0, "handle_timeout": failing},
    ],
)
async def test_a_muxer_that_fails(example, changes) -> None:
    plugin = spoiled(example("plugin_muxer").Framed, connection=changes)
    await lost(dataclasses.replace(CONFIG, muxers=[plugin]))


async def lost(config: plait.HostConfig) -> None:
    """A connection that is lost for what a plug-in did, and hosts that live on."""
    async with no_leaks(), network(2, config=config) as (alice, bob):
        serve(alice)
        for _ in range(2):
            with pytest.raises(plait.PlaitError):
                async with bob.open_stream(alice.addresses[0], ECHO) as stream:
                    await stream.write(b"x")
                    # One more than will ever come: only the end of the connection ends it.
                    await stream.readexactly(2)
            for connection in (*alice.connections, *bob.connections):
                await connection.wait_closed()


async def test_the_exception_of_a_channel_is_the_cause(example) -> None:
    # Only the dialer's: the listener seals with what it was given.
    plugin = spoiled(example("plugin_security").SignedOnly, channel={"seal": failing})
    dialing = dataclasses.replace(CONFIG, security=[plugin])
    serving = dataclasses.replace(CONFIG, security=[example("plugin_security").SignedOnly()])
    async with no_leaks(), plait.Host(config=serving) as alice, plait.Host(listen=(), config=dialing) as bob:
        serve(alice)
        with pytest.raises(plait.PlaitError):
            connection = await bob.connect(alice.addresses[0])
            reasons: list[Any] = []
            connection.add_close_callback(lambda ended: reasons.append(ended.reason))
            try:
                await connection.open_stream(ECHO)
            finally:
                assert isinstance(reasons[0], ConnectionLostError)
                assert isinstance(reasons[0].__cause__, OwnError)


async def test_the_exception_of_a_muxer_is_the_cause(example) -> None:
    plugin = spoiled(example("plugin_muxer").Framed, connection={"open": failing})
    config = dataclasses.replace(CONFIG, muxers=[plugin])
    async with no_leaks(), network(2, config=config) as (alice, bob):
        serve(alice)
        connection = await bob.connect(alice.addresses[0])
        with pytest.raises(plait.PlaitError):
            await connection.open_stream(ECHO)
        await connection.wait_closed()
        assert isinstance(connection.reason, ConnectionLostError)
        error = connection.reason.__cause__
        assert isinstance(error, RemoteProtocolError)
        assert isinstance(error.__cause__, OwnError)


async def test_plug_ins_stand_beside_ours_and_dials_name_them(example) -> None:
    signed, framed = example("plugin_security").SignedOnly(), example("plugin_muxer").Framed()
    config = dataclasses.replace(CONFIG, security=[NOISE, signed, TLS], muxers=[YAMUX, framed, MPLEX])
    async with no_leaks(), network(2, config=config) as (alice, bob):
        serve(alice)
        for security, muxer in ((NOISE, framed.protocol), (signed.protocol, MPLEX), (TLS, YAMUX)):
            options = DialOptions(security=[security], muxers=[muxer])
            connection = await bob.connect(alice.addresses[0], options)
            assert (connection.security, connection.muxer) == (security, muxer)
            assert connection.early_muxer
            async with await connection.open_stream(ECHO) as stream:
                await stream.write(b"over it")
                await stream.write_eof()
                assert await stream.read() == b"over it"
        with pytest.raises(ConfigError, match="/unknown"):
            await bob.connect(alice.addresses[0], DialOptions(security=["/unknown"]))


@pytest.mark.parametrize(
    "config",
    [
        {"security": [object()]},
        {"muxers": [object()]},
        {"security": [NOISE, "/unknown"]},
        {"muxers": ["/unknown"]},
    ],
)
async def test_what_is_no_plug_in_is_said_at_the_start(config) -> None:
    with pytest.raises(ConfigError):
        async with plait.Host(listen=(), config=dataclasses.replace(CONFIG, **config)):
            pass


@pytest.mark.parametrize("name", ["", "/a\n", "na", "ls", 7])
async def test_a_plug_in_with_a_name_that_nobody_can_propose(example, name) -> None:
    plugin = example("plugin_muxer").Framed()
    plugin.protocol = name
    with pytest.raises(ConfigError):
        async with plait.Host(listen=(), config=dataclasses.replace(CONFIG, muxers=[plugin])):
            pass


async def test_the_same_name_twice(example) -> None:
    plugin = example("plugin_muxer").Framed()
    with pytest.raises(ConfigError):
        async with plait.Host(listen=(), config=dataclasses.replace(CONFIG, muxers=[plugin, plugin])):
            pass
