"""The driver between a session, played by the test, and a real socket pair."""

from __future__ import annotations

import asyncio
import functools
import socket
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from plait._core import (
    CLOSED,
    ESTABLISHED,
    WIRE,
    WIRE_BLOCKED,
    WIRE_ENDED,
    WIRE_FINISHED,
    WIRE_MIXED,
    WIRE_MORE,
    WIRE_OVERLOADED,
    WIRE_RELIEVED,
    WIRE_UNMIXED,
)
from plait.connection import SocketDriver, socket_driver
from plait.connection.socket_driver import FEW, NEAR_BUFFER, NOTSENT_LOWAT
from plait.exceptions import ConnectionClosedError, UpgradeError

Events = list[tuple[Any, ...]]


def wire(flags: int = 0, *, deadline: float | None = None, error: OSError | None = None) -> Events:
    return [(WIRE, flags, deadline, error)]


class Session:
    """Remembers the verbs, and answers each with what the test put there for it."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.is_left = False
        self.answers: dict[str, list[Events]] = {}

    def read_socket(self, fileno: int, now: float) -> Events | None:
        return self._answer("read")

    def flush_socket(self, fileno: int, now: float, *, has_room: bool = False) -> Events | None:
        return self._answer("room" if has_room else "flush")

    def expire_socket(self, fileno: int, now: float) -> Events | None:
        return self._answer("expire")

    def leave_segment(self) -> None:
        self.is_left = True

    def close(self, code: int, now: float) -> Events:
        return self._answer("close") or []

    def receive_eof(self) -> Events:
        self.log.append("eof")
        return [(CLOSED, ConnectionClosedError("the end"))]

    def _answer(self, verb: str) -> Events | None:
        self.log.append(verb)
        waiting = self.answers.get(verb)
        return waiting.pop(0) if waiting else None

    def says(self, verb: str, events: Events) -> None:
        self.answers.setdefault(verb, []).append(events)


class Scene:
    """A driver, its session, and the other end of its socket."""

    def __init__(self, near: socket.socket, far: socket.socket) -> None:
        self.session, self.far, self.errors = Session(), far, list[BaseException]()
        establish: Any = None
        session: Any = self.session
        self.driver = SocketDriver(session, establish, lambda _, error: self.errors.append(error), near)

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await asyncio.sleep(0)

    async def has_called(self, verb: str) -> None:
        await self.until(lambda: verb in self.session.log)

    async def ended(self) -> None:
        await self.driver.closed
        assert self.session.is_left
        assert self.driver._socket.fileno() == -1


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    yield near, far
    near.close()
    far.close()


async def test_it_begins_by_sending_and_then_reads(ends):
    scene = Scene(*ends)
    scene.driver.start()
    assert scene.session.log == ["flush"]
    scene.far.send(b"x")
    await scene.has_called("read")
    scene.driver.abort()
    await scene.ended()


async def test_whatever_it_is_told_a_flush_follows(ends):
    scene = Scene(*ends)
    connection = SimpleNamespace(handle_events=lambda events: None, handle_closed=lambda reason: None)
    scene.driver._establish = lambda driver, established: connection  # type: ignore[assignment,return-value]
    scene.session.says("read", [(ESTABLISHED, None)])
    scene.driver.start()
    scene.far.send(b"x")
    await scene.has_called("read")
    await scene.until(lambda: scene.session.log.count("flush") == 2)
    scene.driver.abort()
    await scene.ended()


async def test_a_driver_that_was_dropped_before_it_began_does_nothing(ends):
    scene = Scene(*ends)
    scene.driver.abort()
    scene.driver.start()
    assert scene.session.log == []
    (error,) = scene.errors
    assert isinstance(error, UpgradeError)
    await scene.ended()


async def test_writes_of_one_turn_are_one_flush(ends):
    scene = Scene(*ends)
    scene.driver.start()
    for _ in range(3):
        scene.driver.flush_soon()
    assert scene.session.log == ["flush"]
    await asyncio.sleep(0)
    assert scene.session.log == ["flush", "flush"]
    scene.driver.abort()


async def test_a_blocked_socket_is_watched_until_it_has_room(ends):
    scene = Scene(*ends)
    scene.session.says("flush", wire(WIRE_BLOCKED))
    scene.driver.start()
    await scene.has_called("room")
    # It is not watched any more, or it would be called in each turn.
    count = scene.session.log.count("room")
    for _ in range(3):
        await asyncio.sleep(0)
    assert scene.session.log.count("room") == count == 1
    scene.driver.abort()


async def test_more_to_send_waits_for_the_next_turn(ends):
    scene = Scene(*ends)
    scene.session.says("flush", wire(WIRE_MORE))
    scene.driver.start()
    assert scene.session.log == ["flush"]
    await scene.until(lambda: scene.session.log == ["flush", "flush"])
    scene.driver.abort()


async def test_an_overloaded_session_is_not_read(ends):
    scene = Scene(*ends)
    scene.session.says("flush", wire(WIRE_OVERLOADED))
    scene.driver.start()
    scene.far.send(b"x")
    for _ in range(3):
        await asyncio.sleep(0)
    assert "read" not in scene.session.log
    scene.session.says("flush", wire(WIRE_RELIEVED))
    scene.driver.flush_soon()
    await scene.has_called("read")
    scene.driver.abort()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own account of the path is Linux's")
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("nearest", [1_000_000_000, 0])
async def test_towards_a_peer_of_this_machine_the_socket_holds_one_write(address, nearest, monkeypatch):
    monkeypatch.setattr(socket_driver, "NEAR_RTT", nearest)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        server = socket.create_server((address, 0), family=family)
    except OSError:
        pytest.skip(f"no {address} here")
    with server:
        near = socket.create_connection(server.getsockname()[:2])
        far, _ = server.accept()
    near.setblocking(False)
    with far:
        held = functools.partial(near.getsockopt, socket.SOL_SOCKET, socket.SO_SNDBUF)
        usual = held()
        far.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, NEAR_BUFFER)
        scene = Scene(near, far)
        scene.driver.start()
        # As much of it as this system allows.
        one_write = far.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        assert usual != one_write
        assert held() == (one_write if nearest else usual)
        scene.driver.abort()
        await scene.ended()


@pytest.mark.skipif(sys.platform != "linux", reason="the option is Linux's")
async def test_little_waits_in_the_socket_while_small_messages_go_beside_transfers():
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
    near.setblocking(False)
    with far:
        scene = Scene(near, far)
        scene.driver.start()
        least = functools.partial(near.getsockopt, socket.IPPROTO_TCP, NOTSENT_LOWAT)
        assert least() == 0
        for flag, unsent in ((WIRE_MIXED, FEW), (WIRE_UNMIXED, 0)):
            scene.session.says("flush", wire(flag))
            scene.driver.flush_soon()
            await asyncio.sleep(0)
            assert least() == unsent
        scene.driver.abort()
        await scene.ended()


async def test_other_sockets_do_without_that(ends):
    scene = Scene(*ends)
    scene.session.says("flush", wire(WIRE_MIXED))
    scene.driver.start()
    scene.driver.abort()
    await scene.ended()
    assert scene.errors
    assert not isinstance(scene.errors[0], OSError)


async def test_the_timer_is_set_to_what_the_session_says(ends):
    scene = Scene(*ends)
    scene.session.says("flush", wire(deadline=asyncio.get_running_loop().time() + 3600))
    scene.driver.start()
    scene.session.says("flush", wire(deadline=asyncio.get_running_loop().time()))
    scene.driver.flush_soon()
    await scene.has_called("expire")
    scene.driver.abort()


async def test_all_sent_and_nothing_to_follow_ends_our_half(ends):
    scene = Scene(*ends)
    scene.session.says("flush", wire(WIRE_FINISHED))
    scene.driver.start()
    assert scene.far.recv(1) == b""
    scene.driver.abort()


async def test_the_end_of_the_peer_ends_the_session_and_the_socket(ends):
    scene = Scene(*ends)
    scene.driver.start()
    scene.session.says("read", wire(WIRE_ENDED))
    scene.far.send(b"x")
    await scene.ended()
    assert scene.session.log[-1] == "eof"
    assert len(scene.errors) == 1


async def test_what_is_on_its_way_when_the_peer_ends_still_goes_out(ends):
    scene = Scene(*ends)
    scene.session.says("flush", wire(WIRE_BLOCKED))
    scene.driver.start()
    scene.session.says("read", wire(WIRE_ENDED))
    scene.driver._on_readable()
    assert not scene.driver.closed.done()
    await scene.ended()
    assert "room" in scene.session.log


async def test_a_broken_socket_is_the_cause_of_the_end(ends):
    scene = Scene(*ends)
    broken = ConnectionResetError("broken")
    scene.session.says("flush", wire(error=broken))
    scene.driver.start()
    await scene.ended()
    (error,) = scene.errors
    assert error.__cause__ is not None
    assert error.__cause__.__cause__ is broken


async def test_a_session_that_is_over_is_drained_until_the_peer_ends(ends):
    scene = Scene(*ends)
    scene.driver.start()
    scene.session.says("close", [(CLOSED, ConnectionClosedError("we closed it"))])
    scene.session.says("flush", wire(WIRE_FINISHED))
    scene.driver.close(0)
    assert len(scene.errors) == 1
    # Late bytes are taken, or the kernel would answer them with a reset that destroys our last ones.
    scene.far.send(b"late")
    for _ in range(3):
        await asyncio.sleep(0)
    assert not scene.driver.closed.done()
    assert scene.far.recv(1) == b""
    scene.far.close()
    await scene.ended()


async def test_dropping_it_twice_is_fine(ends):
    scene = Scene(*ends)
    scene.driver.start()
    scene.driver.abort()
    scene.driver.abort()
    await scene.ended()
    assert len(scene.errors) == 1
    assert scene.driver.get_extra_info("peername") is None
