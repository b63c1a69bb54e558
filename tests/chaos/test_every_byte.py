"""The wire goes wrong at some byte of an upgrade and of a first stream, in each direction, in each way.

Each byte of each way up has its turn in the core's own test of this; here it is hosts, tasks and sockets
that have to come out of it.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import plait
from plait.exceptions import (
    ConnectionClosedError,
    DialError,
    NegotiationError,
    StreamResetError,
    UpgradeError,
)
from plait.host import HostConfig
from plait.limits import Timeouts
from plait.testing import no_leaks
from plait.upgrade import MPLEX, NOISE, PLAINTEXT, TLS, PrivateNetwork

ECHO = "/echo/1"
BODY = b"a body that has to come back as it is"
# Short, since whoever stalls is waited for; long enough for an honest peer on a busy machine.
TIMEOUTS = Timeouts(
    upgrade=1.0, negotiate=1.0, keepalive_interval=1.0, keepalive_timeout=1.0, close=0.2, linger=0.5
)
CONFIG = HostConfig(identify=False, timeouts=TIMEOUTS)
# A stalled exchange runs into at most two of them, one after the other; the rest is for a busy machine.
PATIENCE = 20.0
# mplex has no pings: a stalled stream is waited for until whoever asked has had enough.
MPLEX_PATIENCE = 2.5
NETWORK = PrivateNetwork(bytes(range(32)))
# One security protocol each: of two, a garbled proposal of the first leads to the second and to no error.
STACKS: dict[str, dict[str, Any]] = {
    "noise": {"security": [NOISE]},
    "tls": {"security": [TLS]},
    "plaintext": {"security": [PLAINTEXT]},
    "noise in a network": {"security": [NOISE], "private_network": NETWORK},
    "tls in a network": {"security": [TLS], "private_network": NETWORK},
    "noise and mplex": {"security": [NOISE], "muxers": [MPLEX]},
    "tls and mplex": {"security": [TLS], "muxers": [MPLEX]},
}
# Bytes from one fault to the next. Each socket costs more than a pipe in memory, and what is tested is the
# same; so is what is under another stack's exchange.
STEP = {
    ("memory", "noise"): 5,
    ("memory", "tls"): 17,
    **{("memory", stack): 37 for stack in list(STACKS)[2:]},
    ("tcp", "noise"): 97,
    ("tcp", "tls"): 211,
}
KINDS = ("cut", "end", "garble", "stall")
# Nothing protects the bytes of plaintext.
CASES = [(*case, kind) for case in STEP for kind in KINDS if (case[1], kind) != ("plaintext", "garble")]
# What is stalled is waited for, so these run side by side.
AT_ONCE = 200


@pytest.mark.limit(120)
@pytest.mark.filterwarnings("ignore:plaintext")
@pytest.mark.parametrize(("wire", "stack", "kind"), CASES, indirect=["wire"])
async def test_a_wire_that_goes_wrong_somewhere(wire, fault_type, stack, kind):
    config = dataclasses.replace(CONFIG, **STACKS[stack])
    async with no_leaks(), serving(wire, config) as (server, witness):
        sizes = await healthy(wire, fault_type(), server, config)
        slots = asyncio.Semaphore(AT_ONCE if kind in ("stall", "garble") else 1)

        async def one(toward: str, offset: int) -> None:
            fault = fault_type(toward, kind, offset)
            async with slots:
                error = await failure(wire, fault, server, config)
                # The last bytes of an exchange (credit, ends, pongs) may go missing after it succeeded.
                assert error is None or is_right(error, config), f"{fault}: {error!r}"
                if offset < sizes[toward] // 2 and (kind in ("cut", "end") or is_noticed(kind, config)):
                    assert error is not None, f"{fault} went unnoticed"

        async with asyncio.TaskGroup() as group:
            for toward, size in sizes.items():
                for offset in range(0, size, STEP[wire.name, stack]):
                    group.create_task(one(toward, offset))
        await witness()
        # All slots are free again, and of all these connections only the witness's is left.
        while len(server.connections) > 1 or server._swarm._listeners.handshakes:
            for each in server.connections:
                if each.muxer == MPLEX and each is not server.connections[0]:
                    # Nobody there any more, and no ping to find out; TCP would.
                    each.abort()
            await asyncio.sleep(0.02)
        assert server.stats()["upgrades_failed"] > 0
        assert server.stats()["handlers_failed"] == 0
        assert server._swarm._upgrader.budget.used == 0
        await healthy(wire, fault_type(), server, config)


@asynccontextmanager
async def serving(wire: Any, config: HostConfig) -> AsyncIterator[tuple[plait.Host, Any]]:
    """A host with an echo, and somebody who asks it again and again whether it is there."""
    config = dataclasses.replace(config, transports=wire.good)
    async with plait.Host(listen=wire.listen, config=config) as server:

        @server.handle(ECHO)
        async def echo(stream: plait.Stream) -> None:
            await stream.write(await stream.read())

        patient = dataclasses.replace(config, timeouts=Timeouts())
        async with plait.Host(listen=(), config=patient) as friend:
            connection = await friend.connect(server.addresses[0])
            asked = 0

            async def ask() -> None:
                nonlocal asked
                while True:
                    await echoed(connection)
                    asked += 1
                    await asyncio.sleep(0.05)

            asking = asyncio.create_task(ask())

            async def witness() -> None:
                before = asked
                while asked == before and not asking.done():
                    await asyncio.sleep(0.01)
                if asking.done():
                    asking.result()

            yield server, witness
            await witness()
            asking.cancel()
            await asyncio.wait([asking])


async def echoed(connection: plait.Connection) -> None:
    async with await connection.open_stream(ECHO) as stream:
        await stream.write(BODY)
        await stream.write_eof()
        assert await stream.read() == BODY


async def failure(
    wire: Any, fault: Any, server: plait.Host, config: HostConfig, passed: Any = None
) -> Exception | None:
    """Why one exchange over a wire with this fault failed; `None` when it succeeded."""
    passed = {} if passed is None else passed
    patience = MPLEX_PATIENCE if MPLEX in config.muxers else PATIENCE
    config = dataclasses.replace(config, transports=lambda: wire.faulty(fault, passed))
    async with plait.Host(CLIENT, listen=(), config=config) as client:
        try:
            async with asyncio.timeout(patience):
                await echoed(await client.connect(server.addresses[0]))
        except (plait.PlaitError, EOFError, TimeoutError) as error:
            return error
    return None


async def healthy(wire: Any, fault: Any, server: plait.Host, config: HostConfig) -> dict[str, int]:
    """How many bytes an exchange takes in each direction."""
    passed: dict[str, int] = {}
    assert await failure(wire, fault, server, config, passed) is None
    return dict(passed)


def is_noticed(kind: str, config: HostConfig) -> bool:
    """TLS has bytes that mean nothing, such as the version in the head of a first record."""
    return kind == "garble" and TLS not in config.security


def is_right(error: BaseException, config: HostConfig) -> bool:
    if isinstance(error, DialError):
        # One address was tried, and it was reached: what failed is the upgrade.
        (attempt,) = error.attempts
        return isinstance(attempt.error, UpgradeError)
    if isinstance(error, StreamResetError):
        return isinstance(error.__cause__, ConnectionClosedError)
    if isinstance(error, TimeoutError):
        return MPLEX in config.muxers
    return isinstance(error, ConnectionClosedError | NegotiationError)


# One for all exchanges: a new key for each would take most of the time.
CLIENT = plait.KeyPair.generate()
