"""The wire goes wrong at every byte of an upgrade and of a first stream, in each direction, in each way."""

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

ECHO = "/echo/1"
BODY = b"a body that has to come back as it is"
# Short, since whoever stalls is waited for; long enough for an honest peer on a busy machine.
TIMEOUTS = Timeouts(
    upgrade=1.0, negotiate=1.0, keepalive_interval=1.0, keepalive_timeout=1.0, close=0.2, linger=0.5
)
CONFIG = HostConfig(identify=False, timeouts=TIMEOUTS)
# A stalled exchange runs into at most two of them, one after the other; the rest is for a busy machine.
PATIENCE = 20.0
# Each socket costs more than a pipe in memory, and what is tested is the same.
STEP = {"memory": 1, "tcp": 23}
# What is stalled is waited for, so these run side by side.
AT_ONCE = 200


@pytest.mark.limit(120)
@pytest.mark.parametrize("kind", ["cut", "end", "garble", "stall"])
async def test_a_wire_that_goes_wrong_somewhere(wire, fault_type, kind):
    async with no_leaks(), serving(wire) as (server, witness):
        sizes = await healthy(wire, fault_type(), server)
        slots = asyncio.Semaphore(AT_ONCE if kind in ("stall", "garble") else 1)

        async def one(toward: str, offset: int) -> None:
            fault = fault_type(toward, kind, offset)
            async with slots:
                error = await failure(wire, fault, server)
                # The last bytes of an exchange (credit, ends, pongs) may go missing after it succeeded.
                assert error is None or is_right(error), f"{fault}: {error!r}"
                if kind in ("cut", "end", "garble") and offset < sizes[toward] // 2:
                    assert error is not None, f"{fault} went unnoticed"

        async with asyncio.TaskGroup() as group:
            for toward, size in sizes.items():
                for offset in range(0, size, STEP[wire.name]):
                    group.create_task(one(toward, offset))
        await witness()
        # All slots are free again, and of all these connections only the witness's is left.
        while len(server.connections) > 1 or server._swarm._listeners.handshakes:
            await asyncio.sleep(0.02)
        assert server.stats()["upgrades_failed"] > 0
        assert server.stats()["handlers_failed"] == 0
        await healthy(wire, fault_type(), server)


@asynccontextmanager
async def serving(wire: Any) -> AsyncIterator[tuple[plait.Host, Any]]:
    """A host with an echo, and somebody who asks it again and again whether it is there."""
    config = dataclasses.replace(CONFIG, transports=wire.good)
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


async def failure(wire: Any, fault: Any, server: plait.Host, passed: Any = None) -> Exception | None:
    """Why one exchange over a wire with this fault failed; `None` when it succeeded."""
    passed = {} if passed is None else passed
    config = dataclasses.replace(CONFIG, transports=lambda: wire.faulty(fault, passed))
    async with plait.Host(listen=(), config=config) as client:
        try:
            async with asyncio.timeout(PATIENCE):
                await echoed(await client.connect(server.addresses[0]))
        except (plait.PlaitError, EOFError) as error:
            return error
    return None


async def healthy(wire: Any, fault: Any, server: plait.Host) -> dict[str, int]:
    """How many bytes an exchange takes in each direction."""
    passed: dict[str, int] = {}
    assert await failure(wire, fault, server, passed) is None
    return dict(passed)


def is_right(error: BaseException) -> bool:
    if isinstance(error, DialError):
        # One address was tried, and it was reached: what failed is the upgrade.
        (attempt,) = error.attempts
        return isinstance(attempt.error, UpgradeError)
    if isinstance(error, StreamResetError):
        return isinstance(error.__cause__, ConnectionClosedError)
    return isinstance(error, ConnectionClosedError | NegotiationError)
