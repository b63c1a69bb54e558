"""Round trips between two hosts, counted on a clock that moves with the messages; guesses that save one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import plait
from plait.host import HostConfig
from plait.testing import no_leaks
from plait.transports import MemorySpace, MemoryTransport
from plait.transports.memory import MemoryPipe
from plait.upgrade import NOISE, PLAINTEXT, TLS, DialOptions

ECHO = "/echo/1"
LISTEN = "/memory/7"


class ClockedPipe(MemoryPipe):
    """A pipe with a delay, and at each end a clock that only the delay moves.

    The delay is so many turns of the event loop that whoever can act on a message has acted before the next
    one arrives. What is sent arrives one unit later on the clock, and nothing else takes any time.
    """

    clock = 0
    _arrives_at = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if isinstance(self._peer, ClockedPipe):
            self._peer._arrives_at = self.clock + 1
        super().write(data)

    def _deliver_soon(self) -> None:
        if self._delivery is None:
            self._wait(TURNS)

    def _wait(self, turns: int) -> None:
        if turns:
            self._delivery = self._loop.call_soon(self._wait, turns - 1)
        else:
            self.clock = max(self.clock, self._arrives_at)
            self._deliver()


@pytest.fixture(autouse=True)
def clocked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plait.transports.memory.MemoryPipe", ClockedPipe)


def host(space: MemorySpace, identity: plait.KeyPair | None = None, **settings: Any) -> plait.Host:
    config = HostConfig(identify=False, transports=lambda: [MemoryTransport(space)], **settings)
    made = plait.Host(identity, listen=() if identity is None else LISTEN, config=config)

    @made.handle(ECHO)
    async def echo(stream: plait.Stream) -> None:
        await stream.write(await stream.readexactly(5))

    return made


def round_trips(connection: plait.Connection) -> float:
    """What has passed at the dialer since it began to speak; TCP's own handshake would be one more."""
    pipe: Any = connection.driver._transport
    assert isinstance(pipe, ClockedPipe)
    return pipe.clock / 2


async def answered(connection: plait.Connection, *, lazy: bool) -> float:
    """Round trips until an application's first byte has come back."""
    stream = await connection.open_stream(ECHO, lazy=lazy)
    await stream.write(b"hello")
    assert await stream.readexactly(5) == b"hello"
    passed = round_trips(connection)
    await stream.close()
    return passed


@pytest.mark.parametrize(("lazy", "expected"), [(True, 2), (False, 3)])
@pytest.mark.parametrize("security", [NOISE, TLS])
async def test_an_answer_takes_three_round_trips_with_the_transports_own(security, lazy, expected):
    space = MemorySpace()
    async with no_leaks(), host(space, plait.KeyPair.generate(), security=[security]) as bob:
        async with host(space, security=[security]) as alice:
            connection = await alice.connect(bob.addresses[0])
            assert connection.early_muxer
            assert connection.round_trips == round_trips(connection) == 1
            assert await answered(connection, lazy=lazy) == expected


@pytest.mark.parametrize(("lazy", "expected"), [(True, 2), (None, 3), (False, 3)])
@pytest.mark.parametrize("security", [NOISE, TLS])
async def test_a_host_opens_a_stream_to_a_stranger_as_fast(security, lazy, expected):
    space = MemorySpace()
    async with no_leaks(), host(space, plait.KeyPair.generate(), security=[security]) as bob:
        async with host(space, security=[security]) as alice:
            stream = await alice.open_stream(bob.addresses[0], ECHO, lazy=lazy)
            await stream.write(b"hello")
            assert await stream.readexactly(5) == b"hello"
            assert round_trips(stream.connection) == expected
            await stream.close()


@pytest.mark.filterwarnings("ignore:plaintext")
async def test_a_muxer_that_is_only_proposed_is_waited_for_by_connect_and_not_by_a_stream():
    space = MemorySpace()
    async with no_leaks(), host(space, plait.KeyPair.generate(), security=[PLAINTEXT]) as bob:
        async with host(space, security=[PLAINTEXT]) as alice:
            connection = await alice.connect(bob.addresses[0])
            assert (connection.early_muxer, connection.round_trips) == (False, 1)
            assert round_trips(connection) == 2
            await connection.close()
            stream = await alice.open_stream(bob.addresses[0], ECHO, lazy=True)
            await stream.write(b"hello")
            assert await stream.readexactly(5) == b"hello"
            assert round_trips(stream.connection) == 2
            await stream.close()


async def test_a_refusal_of_a_stream_that_did_not_wait_shows_at_its_first_read():
    space = MemorySpace()
    async with no_leaks(), host(space, plait.KeyPair.generate(), security=[NOISE]) as bob:
        async with host(space, security=[NOISE]) as alice:
            stream = await alice.open_stream(bob.addresses[0], "/not/spoken", lazy=True)
            await stream.write(b"hello")
            with pytest.raises(plait.exceptions.ProtocolNotSupportedError):
                await stream.read(1)
            await stream.close()


async def test_a_peer_that_was_dialed_before_is_asked_for_what_it_took():
    space = MemorySpace()
    async with no_leaks(), host(space, plait.KeyPair.generate(), security=[NOISE]) as bob:
        async with host(space, security=[TLS, NOISE]) as alice:
            # Refused the first, took the second.
            first = await alice.connect(bob.addresses[0])
            assert first.round_trips == round_trips(first) == 2
            await first.close()
            second = await alice.connect(bob.addresses[0])
            assert second.round_trips == round_trips(second) == 1
            assert await answered(second, lazy=True) == 2
            assert bob.stats()["upgrades_failed"] == 0


async def test_a_wrong_guess_costs_a_dial_and_nothing_else():
    space, identity = MemorySpace(), plait.KeyPair.generate()
    async with no_leaks(), host(space, security=[TLS, NOISE]) as alice:
        async with host(space, identity, security=[NOISE]) as bob:
            await alice.connect(bob.addresses[0])
        # The same peer, which speaks something else now, and then the first again.
        for theirs, taken in ([TLS], TLS), ([NOISE], NOISE):
            async with host(space, identity, security=theirs) as bob:
                connection = await alice.connect(bob.addresses[0])
                assert connection.security == taken
                # One of the dial that failed; of the second one, those of a dial without a guess.
                assert bob.stats()["upgrades_failed"] == 1
                assert connection.round_trips == round_trips(connection) == 2
                assert await answered(connection, lazy=True) == 3
                assert len(bob.connections) == 1
                again = await alice.connect(bob.addresses[0], DialOptions())
                assert again.round_trips == 1
                assert bob.stats()["upgrades_failed"] == 1


async def test_a_guess_never_overrules_a_preference():
    space = MemorySpace()
    both = [TLS, NOISE]
    async with no_leaks(), host(space, plait.KeyPair.generate(), security=both) as bob:
        async with host(space, security=both) as alice:
            connection = await alice.connect(bob.addresses[0], DialOptions(security=[NOISE]))
            assert connection.security == NOISE
            # What it took from that list says nothing about these.
            for options, preferred in (None, TLS), (DialOptions(security=[NOISE, TLS]), NOISE):
                await asyncio.gather(*(each.close() for each in alice.connections))
                for expected in (2, 1):
                    connection = await alice.connect(bob.addresses[0], options)
                    assert (connection.security, connection.round_trips) == (preferred, expected)
                    await connection.close()


# Between an event and what a test makes of it lie some ten tasks and futures, each with a turn of its own.
TURNS = 100
