"""When a loop goes around instead of sleeping, and for how long."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from plait.connection import SocketDriver, busy_poll, socket_driver
from plait.connection.busy_poll import AWAKE, PROMPT, TRIAL, Attention, BusyPoll, poll_of


class Clock:
    def __init__(self) -> None:
        self.now = 1.0

    def __call__(self) -> float:
        return self.now


class Loop:
    """Keeps what is to be called."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def call_soon(self, callback: Any) -> None:
        self.calls.append(callback)

    def turn(self) -> None:
        calls, self.calls = self.calls, []
        for call in calls:
            call()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(busy_poll, "perf_counter", clock)
    monkeypatch.setattr(socket_driver, "perf_counter", clock)
    return clock


def test_it_goes_around_until_the_time_is_over_and_rests(clock: Clock) -> None:
    loop: Any = Loop()
    poll = BusyPoll(loop)
    poll.stay_awake(clock.now)
    for _ in range(3):
        loop.turn()
        assert len(loop.calls) == 1
    clock.now += AWAKE
    loop.turn()
    assert loop.calls == []


def test_many_who_ask_keep_one_turn_going(clock: Clock) -> None:
    loop: Any = Loop()
    poll = BusyPoll(loop)
    poll.stay_awake(clock.now)
    clock.now += AWAKE / 2
    poll.stay_awake(clock.now)
    assert len(loop.calls) == 1
    clock.now += AWAKE / 2
    loop.turn()
    assert len(loop.calls) == 1  # the later one counts
    clock.now += AWAKE / 2
    loop.turn()
    assert loop.calls == []
    poll.stay_awake(clock.now)
    assert len(loop.calls) == 1


def times_awake(attention: Attention, awake: float, asleep: float) -> int:
    """Of a hundred questions, where answers take so long to who stays awake and to who sleeps."""
    count = 0
    for _ in range(100):
        is_awake = attention.ask()
        assert attention.answered(awake if is_awake else asleep)
        count += is_awake
    return count


def test_it_does_what_was_quicker_and_tries_the_other_now_and_then() -> None:
    attention = Attention(90e-6)
    assert times_awake(attention, awake=30e-6, asleep=90e-6) == 100 - 100 // TRIAL
    # Both ends on one core: who stays awake is in the way of who would answer.
    assert times_awake(attention, awake=140e-6, asleep=20e-6) < 20
    times_awake(attention, awake=10e-6, asleep=20e-6)
    assert times_awake(attention, awake=10e-6, asleep=20e-6) > 50


def test_one_late_answer_changes_nothing_and_late_answers_end_it() -> None:
    attention = Attention(50e-6)
    for _ in range(10):
        attention.ask()
        assert attention.answered(40e-6)
    attention.ask()
    assert attention.answered(10.0)
    for _ in range(200):
        attention.ask()
        if not attention.answered(1.0):
            break
    else:
        pytest.fail("nobody would ever sleep again")


async def test_a_loop_has_one() -> None:
    assert poll_of(asyncio.get_running_loop()) is poll_of(asyncio.get_running_loop())


class Session:
    """Has nothing to say."""

    def read_socket(self, fileno: int, now: float) -> None: ...
    def flush_socket(self, fileno: int, now: float) -> None: ...
    def leave_segment(self) -> None: ...
    def receive_eof(self) -> list[Any]:
        return []


class Poll:
    def __init__(self) -> None:
        self.asked: list[float] = []

    def stay_awake(self, now: float) -> None:
        self.asked.append(now)


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    near, far = socket.socketpair()
    near.setblocking(False)
    yield near
    near.close()
    far.close()


def driver_of(sock: socket.socket, *, wanted: bool = True) -> tuple[Any, Poll]:
    parts: Any = Session(), None, lambda driver, error: None
    driver: Any = SocketDriver(*parts, sock, busy_poll=wanted)
    poll = Poll()
    if wanted:
        driver._poll = poll
    driver.start()
    return driver, poll


def ask(driver: Any) -> None:
    driver.is_asking = True
    driver._flush()


async def test_only_a_peer_that_answered_at_once_is_waited_for_awake(clock: Clock, sock: Any) -> None:
    driver, poll = driver_of(sock)
    ask(driver)
    assert poll.asked == []  # nobody knows yet
    clock.now += PROMPT / 2
    driver._on_readable()
    ask(driver)
    assert poll.asked == [clock.now]
    while driver._attention is not None:
        clock.now += PROMPT * 2
        driver._on_readable()
        ask(driver)
    asked = len(poll.asked)
    ask(driver)
    assert len(poll.asked) == asked  # too late for too long
    driver.abort()


async def test_what_comes_unasked_is_no_answer(clock: Clock, sock: Any) -> None:
    driver, poll = driver_of(sock)
    ask(driver)
    clock.now += PROMPT / 2
    driver._on_readable()
    clock.now += PROMPT * 2
    driver._on_readable()
    ask(driver)
    assert len(poll.asked) == 1
    driver.abort()


async def test_a_flush_that_asks_nothing_lets_the_loop_sleep(clock: Clock, sock: Any) -> None:
    driver, poll = driver_of(sock)
    ask(driver)
    driver._on_readable()
    driver._flush()
    assert poll.asked == []
    driver.abort()


async def test_it_can_be_left_out(clock: Clock, sock: Any) -> None:
    driver, _ = driver_of(sock, wanted=False)
    for _ in range(2):
        ask(driver)
        driver._on_readable()
    assert driver._poll is None
    assert driver._asked_at == 0.0
    driver.abort()
