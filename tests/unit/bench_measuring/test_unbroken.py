"""Ctrl-C at the worst moment: between the fork and whoever will end the child, and while it is ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from plait.bench.ceilings import MachineCeilings
from plait.bench.subjects import Setting, TwoEnds
from plait.bench.subjects.peers import Peer
from plait.bench.subjects.raw_tcp import RawTcpEnds
from plait.bench.unbroken import unbroken
from plait.bench.works import Requests

PATIENCE = 20.0
NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FAKE = (sys.executable, str(Path(__file__).parents[2] / "integration" / "bench" / "fake_peer.py"))


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Each test leaves them as they were."""
    before = [signal.getsignal(number) for number in NUMBERS]
    yield
    after = [signal.getsignal(number) for number in NUMBERS]
    for number, handler in zip(NUMBERS, before, strict=True):
        signal.signal(number, handler)
    assert after == before


@pytest.fixture(params=NUMBERS[1:])
def heard(request: pytest.FixtureRequest) -> Iterator[tuple[signal.Signals, list[int]]]:
    """A signal that Python handles, and those that arrived at its handler."""
    number, arrived = request.param, []
    before = signal.signal(number, lambda number, frame: arrived.append(number))
    yield number, arrived
    signal.signal(number, before)


class TestWaiting:
    def test_ctrl_c_comes_behind_it(self) -> None:
        done = []
        with pytest.raises(KeyboardInterrupt):
            with unbroken():
                signal.raise_signal(signal.SIGINT)
                done.append("inside")
            done.append("behind")
        assert done == ["inside"]

    def test_so_does_what_else_python_handles(self, heard: tuple[signal.Signals, list[int]]) -> None:
        number, arrived = heard
        with unbroken():
            signal.raise_signal(number)
            assert arrived == []
        assert arrived == [number]

    def test_nothing_comes_when_nothing_came(self, heard: tuple[signal.Signals, list[int]]) -> None:
        with unbroken():
            pass
        assert heard[1] == []

    def test_several_are_one(self, heard: tuple[signal.Signals, list[int]]) -> None:
        number, arrived = heard
        with unbroken():
            for _ in range(3):
                signal.raise_signal(number)
        assert arrived == [number]

    def test_nested_it_comes_behind_the_outer_one(self) -> None:
        done = []
        with pytest.raises(KeyboardInterrupt):
            with unbroken():
                with unbroken():
                    signal.raise_signal(signal.SIGINT)
                done.append("between")
        assert done == ["between"]

    def test_it_comes_behind_an_error_too(self) -> None:
        with pytest.raises(KeyboardInterrupt) as raised, unbroken():
            signal.raise_signal(signal.SIGINT)
            raise OSError("no process")
        assert isinstance(raised.value.__context__, OSError)

    def test_an_error_alone_passes(self) -> None:
        with pytest.raises(OSError, match="no process"), unbroken():
            raise OSError("no process")

    def test_what_is_ignored_stays_so(self) -> None:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            with unbroken():
                assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
                signal.raise_signal(signal.SIGINT)
        finally:
            signal.signal(signal.SIGINT, before)

    def test_one_handler_that_raises_does_not_cost_the_other_its_place(self) -> None:
        def ends(number: int, frame: Any) -> None:
            raise SystemExit

        interrupt = signal.getsignal(signal.SIGINT)
        before = signal.signal(signal.SIGTERM, ends)
        try:
            with pytest.raises(SystemExit), unbroken():
                signal.raise_signal(signal.SIGTERM)
            assert signal.getsignal(signal.SIGINT) is interrupt
            assert signal.getsignal(signal.SIGTERM) is ends
        finally:
            signal.signal(signal.SIGTERM, before)

    def test_one_that_comes_while_they_are_put_back_costs_none_its_place(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def ends(number: int, frame: Any) -> None:
            raise SystemExit

        install, interrupt = signal.signal, signal.getsignal(signal.SIGINT)
        coming = [signal.SIGTERM]

        def install_late(number: int, handler: Any) -> Any:
            # The interpreter handles what has come first, and installs nothing when that raises.
            if handler is interrupt and coming:
                signal.raise_signal(coming.pop())
            return install(number, handler)

        before = install(signal.SIGTERM, ends)
        try:
            with pytest.raises(SystemExit), unbroken():
                monkeypatch.setattr(signal, "signal", install_late)
            assert coming == []
            assert signal.getsignal(signal.SIGINT) is interrupt
            assert signal.getsignal(signal.SIGTERM) is ends
        finally:
            install(signal.SIGTERM, before)

    def test_in_another_thread_it_does_nothing(self) -> None:
        seen: list[Any] = []

        def look() -> None:
            with unbroken():
                seen.append(signal.getsignal(signal.SIGINT))

        thread = threading.Thread(target=look)
        thread.start()
        thread.join(PATIENCE)
        assert seen == [signal.getsignal(signal.SIGINT)]


def listener() -> None:
    with TwoEnds(RawTcpEnds()).start(Setting(patience=PATIENCE)):
        pass


def other_end() -> None:
    with MachineCeilings():
        pass


def peer() -> None:
    with Peer("fake", FAKE).start(Setting(patience=PATIENCE)) as running:
        running.measure(Requests(32, 1, 0.01), PATIENCE)


# Who makes processes, and how many one after the other.
MAKERS = [(listener, 1), (other_end, 1), (peer, 2)]


@pytest.mark.parametrize(("start", "which"), [(start, n) for start, most in MAKERS for n in range(most)])
class TestChildren:
    """`Popen` has its child from somewhere in the middle on; interrupted there, it tells nobody."""

    def test_interrupted_while_it_is_made(
        self, start: Callable[[], None], which: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = interrupted(monkeypatch, "__init__", which)
        with pytest.raises(KeyboardInterrupt):
            start()
        assert [is_there(one) for one in made] == [False] * (which + 1)

    def test_interrupted_while_it_is_ended(
        self, start: Callable[[], None], which: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = interrupted(monkeypatch, "wait", which)
        with pytest.raises(KeyboardInterrupt):
            start()
        assert [is_there(one) for one in made] == [False] * len(made)


def interrupted(monkeypatch: pytest.MonkeyPatch, method: str, which: int) -> list[subprocess.Popen[Any]]:
    """Ctrl-C comes at the end of this method of that process; gives all that are made from now on."""
    made: list[subprocess.Popen[Any]] = []
    init = subprocess.Popen.__init__

    def keeping(self: subprocess.Popen[Any], *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        made.append(self)

    def interrupting(self: subprocess.Popen[Any], *args: Any, **kwargs: Any) -> Any:
        result = original(self, *args, **kwargs)
        if made.index(self) == which:
            signal.raise_signal(signal.SIGINT)
        return result

    monkeypatch.setattr(subprocess.Popen, "__init__", keeping)
    original = getattr(subprocess.Popen, method)
    monkeypatch.setattr(subprocess.Popen, method, interrupting)
    return made


def is_there(process: subprocess.Popen[Any]) -> bool:
    """Whether it runs, or has ended and nobody has been told."""
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return False
    process.kill()
    process.wait()
    return True
