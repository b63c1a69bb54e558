"""A child may die, hang or talk nonsense: one line says so, in time, and nothing of it stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from plait.bench.subjects import ContenderError, UnsupportedError
from plait.bench.subjects.child import Child
from plait.bench.subjects.listening import order
from plait.bench.subjects.raw_tcp import RawTcpEnds

# Far more than any answer needs, for those that come.
PATIENCE = 20.0


def test_it_answers_line_by_line() -> None:
    with Child("bad_children", "it", ["answers"]) as child:
        for number in range(3):
            assert child.ask({"number": number}, PATIENCE) == {"heard": {"number": number}}
        assert child.died() is None


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("ends", "it ended (exit status 3): no more memory"),
        ("garbage", "it said 'Segmentation fault (core dumped)', which is no answer"),
        ("list", "it said '[1, 2]', which is no answer"),
        ("killed", "it ended (SIGKILL)"),
        ("error", "it: no such thing"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(how: str, why: str) -> None:
    with Child("bad_children", "it", [how]) as child:
        with pytest.raises(ContenderError) as raised:
            # The first question may be taken before it has ended.
            for _ in range(2):
                child.ask({}, PATIENCE)
    assert str(raised.value) == why


@pytest.mark.parametrize("how", ["hangs", "half"])
def test_who_does_not_answer_hangs(how: str) -> None:
    with Child("bad_children", "it", [how]) as child:
        with pytest.raises(ContenderError, match=r"^it hangs: no answer in 0\.5 s$"):
            child.ask({}, 0.5)


def test_a_line_without_an_end_is_no_answer() -> None:
    with Child("bad_children", "it", ["flood"]) as child:
        with pytest.raises(ContenderError, match="no end of the line"):
            child.ask({}, PATIENCE)


def test_who_stops_talking_and_stays_is_found_out() -> None:
    with Child("bad_children", "it", ["closes"]) as child:
        with pytest.raises(ContenderError, match="ended its answers"):
            child.ask({}, 1.0)


def test_an_error_can_say_that_it_will_not_get_better() -> None:
    with Child("bad_children", "it", ["error"]) as child:
        with pytest.raises(UnsupportedError):
            child.ask({"x": 1}, PATIENCE)


def test_a_module_that_is_not_there() -> None:
    with Child("no_such_module_here", "it") as child:
        with pytest.raises(ContenderError, match="No module named"):
            for _ in range(2):
                child.ask({}, PATIENCE)


def test_it_can_be_stopped_twice_and_when_it_is_stopped_by_a_signal() -> None:
    with Child("bad_children", "it", ["answers"]) as child:
        os.kill(child.pid, signal.SIGSTOP)
        child.stop()
        child.stop()


def test_a_listener_ends_with_its_parent_whatever_happens_to_that() -> None:
    program = (
        "import json, os, signal, sys\n"
        "from plait.bench.subjects.child import Child\n"
        f"child = Child('plait.bench.subjects.listening', 'it')\n"
        f"child.ask({order(RawTcpEnds(), None)!r}, 20)\n"
        "print(child.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    parent = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    pid = int(parent.stdout)
    end = time.monotonic() + PATIENCE
    while is_alive(pid) and time.monotonic() < end:
        time.sleep(0.01)
    assert not is_alive(pid)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    # Whoever adopts it may leave it a zombie for a while.
    return state != "Z"
