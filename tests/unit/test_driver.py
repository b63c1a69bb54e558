"""The driver between a session and a transport, each of them played by the test."""

from __future__ import annotations

import asyncio
from typing import Any

from plait._core import CLOSED
from plait.connection import BytesDriver
from plait.exceptions import ConnectionClosedError, UpgradeError


class Session:
    """Gives what the test put into it."""

    def __init__(self) -> None:
        self.pending: list[bytes] = []
        self.is_overloaded = False
        self.is_leaving = False
        self.deadline: float | None = None
        self.timeouts = 0

    def receive(self, buffer: Any, count: int, now: float) -> list[tuple[Any, ...]]:
        return []

    def receive_eof(self) -> list[tuple[Any, ...]]:
        return [(CLOSED, ConnectionClosedError("the end"))]

    def transmit(self, limit: int, now: float) -> bytes:
        return self.pending.pop(0) if self.pending else b""

    def take_events(self) -> None:
        return None

    def next_timeout(self) -> float | None:
        return self.deadline

    def handle_timeout(self, now: float) -> list[tuple[Any, ...]]:
        self.timeouts += 1
        self.deadline = None
        return []


class Transport(asyncio.Transport):
    """Remembers what was done to it."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[Any] = []

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        return

    def write(self, data: Any) -> None:
        self.log.append(data)

    def pause_reading(self) -> None:
        self.log.append("pause")

    def resume_reading(self) -> None:
        self.log.append("resume")

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None:
        self.log.append("abort")


def connected() -> tuple[BytesDriver, Session, Transport, list[BaseException]]:
    session, transport, errors = Session(), Transport(), []
    driver = BytesDriver(session, None, lambda _, error: errors.append(error))  # type: ignore[arg-type]
    driver.connection_made(transport)
    return driver, session, transport, errors


async def test_a_peer_that_does_not_read_its_answers_is_not_read_until_it_does():
    driver, session, transport, _ = connected()
    session.is_overloaded = True
    driver.buffer_updated(1)
    driver.buffer_updated(1)
    assert transport.log == ["pause"]
    session.is_overloaded = False
    driver.resume_writing()
    assert transport.log == ["pause", "resume"]
    driver.connection_lost(None)


async def test_nothing_is_written_while_the_transport_is_full():
    driver, session, transport, _ = connected()
    driver.pause_writing()
    session.pending = [b"a", b"b"]
    driver.flush_soon()
    driver.buffer_updated(1)
    await asyncio.sleep(0)
    assert transport.log == []
    driver.resume_writing()
    assert transport.log == [b"a", b"b"]
    driver.connection_lost(None)


async def test_all_writes_of_one_turn_of_the_loop_are_one_flush():
    driver, session, transport, _ = connected()
    for _ in range(3):
        driver.flush_soon()
    session.pending = [b"together"]
    assert transport.log == []
    await asyncio.sleep(0)
    assert transport.log == [b"together"]
    driver.connection_lost(None)


async def test_the_timer_follows_the_earliest_deadline():
    driver, session, _, _ = connected()
    session.deadline = driver.now() + 3600
    driver.buffer_updated(1)
    session.deadline = driver.now()
    driver.buffer_updated(1)
    while not session.timeouts:
        await asyncio.sleep(0)
    assert session.timeouts == 1
    driver.connection_lost(None)


async def test_the_end_of_the_transport_during_the_upgrade_is_a_failed_upgrade():
    driver, _, _, errors = connected()
    driver.connection_lost(OSError("gone"))
    (error,) = errors
    assert isinstance(error, UpgradeError)
    assert isinstance(error.__cause__, ConnectionClosedError)
    assert isinstance(error.__cause__.__cause__, OSError)
    assert driver.closed.done()


async def test_a_driver_that_was_dropped_before_it_had_a_transport_takes_none():
    driver = BytesDriver(Session(), None, lambda *_: None)  # type: ignore[arg-type]
    driver.abort()
    assert driver.closed.done()
    transport = Transport()
    driver.connection_made(transport)
    assert transport.log == ["abort"]
    driver.connection_lost(None)


async def test_a_deadline_that_has_passed_is_kept_soon_and_once():
    driver, session, _, _ = connected()
    session.deadline = driver.now() - 1
    driver.resume_writing()
    driver.resume_writing()
    for _ in range(3):
        await asyncio.sleep(0)
    assert session.timeouts == 1
    driver.connection_lost(None)
