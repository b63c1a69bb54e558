"""How far a run is: lines for a log, one line on a terminal, a live view where rich is."""

from __future__ import annotations

import errno
import io
import os
import sys
import time
from contextlib import redirect_stderr

import pytest
from synthetic import NOISE, RATE, synthetic_run

from plait.bench.results import Cell, Failure, Sample
from plait.cli.bench.watching import View, make_view
from plait.cli.main import main
from plait.cli.output import Output


class Terminal(io.StringIO):
    """Standard error of somebody who looks at it."""

    def isatty(self) -> bool:
        return True


class ClosingTerminal(Terminal):
    """One that somebody closes."""

    closed_by_hand = False

    def write(self, text: str) -> int:
        if self.closed_by_hand:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().write(text)


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """One with colours and 120 columns, to be put in the place of standard error."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    return Terminal()


def view(*, json: bool = False, verbosity: int = 0) -> View:
    return make_view(Output(json=json, verbosity=verbosity))


def failure(why: str, scenario: str = "bulk-up") -> Failure:
    return Failure(Cell(scenario, NOISE, {"write_size": 64}), why)


def run_through(shown: View) -> None:
    """Two scenarios with findings and failures."""
    with shown:
        shown.begins(12)
        for finding in synthetic_run().findings[:300]:
            shown.found(finding)
        for scenario in ("bulk-up", "streams"):
            for number in range(7):
                shown.step(f"{scenario}, {NOISE}, round {number}")
                shown.found(Sample(Cell(scenario, NOISE, {"streams": 8}), RATE, number, 123.4))
            shown.found(failure("it [bold]died[/bold]", scenario))


class TestLog:
    def test_a_line_for_each_scenario_and_now_and_then(
        self, clock: Clock, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with view() as shown:
            shown.begins(20)
            for number in range(10):
                shown.step(f"bulk-up, round {number}")
                clock.now += 1
            shown.step("streams, round 0")
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.splitlines() == [
            "[1/20] bulk-up, round 0",
            "[6/20, 0:15 left] bulk-up, round 5",
            "[11/20, 0:10 left] streams, round 0",
        ]

    def test_more_steps_than_were_foreseen(self, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
        with view() as shown:
            shown.begins(1)
            for _ in range(3):
                clock.now += 10
                shown.step("bulk-up")
        assert capsys.readouterr().err.splitlines()[-1] == "[3/3] bulk-up"

    def test_a_reason_is_told_once(self, capsys: pytest.CaptureFixture[str]) -> None:
        with view() as shown:
            shown.begins(1)
            shown.found(failure("it died"))
            shown.found(failure("it died", "streams"))
            shown.found(failure("it hung"))
        assert [line.rpartition(": ")[2] for line in capsys.readouterr().err.splitlines()] == [
            "it died",
            "it hung",
        ]

    def test_quiet(self, capsys: pytest.CaptureFixture[str]) -> None:
        run_through(view(verbosity=-1))
        run_through(view(verbosity=-1, json=True))
        assert capsys.readouterr() == ("", "")

    def test_json(self, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
        with view(json=True) as shown:
            shown.begins(20)
            for number in range(10):
                shown.step(f"bulk-up, round {number}")
                clock.now += 0.6
        said = capsys.readouterr()
        assert said.err == ""
        lines = said.out.splitlines()
        assert len(lines) == 5
        assert lines[0] == (
            '{"event": "progress", "step": 1, "total": 20, "doing": "bulk-up, round 0", '
            '"remaining_seconds": null}'
        )
        assert '"remaining_seconds": 7.2' in lines[-1]


class TestTerminal:
    def test_one_line_without_rich(self, terminal: Terminal, without_rich: None) -> None:
        with redirect_stderr(terminal):
            run_through(view())
        shown = terminal.getvalue()
        assert "\x1b" not in shown
        assert shown.count("\n") == 1
        assert "[14/14" in shown
        assert shown.endswith("\r")

    def test_a_narrow_one(
        self, terminal: Terminal, without_rich: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COLUMNS", "30")
        with redirect_stderr(terminal), view() as shown:
            shown.begins(1)
            shown.step("a step with a long name " * 10)
        assert max(len(part) for part in terminal.getvalue().split("\r")) == 29

    def test_a_line_of_somebody_else(self, terminal: Terminal, without_rich: None) -> None:
        with redirect_stderr(terminal), view() as shown:
            shown.begins(1)
            shown.step("a step")
            shown.make_room()
            assert terminal.getvalue().endswith("\r" + " " * len("[1/1] a step") + "\r")

    @pytest.mark.parametrize("rich", [True, False])
    def test_one_that_is_closed_costs_nothing_behind_it(
        self, terminal: Terminal, rich: bool, request: pytest.FixtureRequest
    ) -> None:
        if rich:
            pytest.importorskip("rich")
        else:
            request.getfixturevalue("without_rich")
        done = []
        with redirect_stderr(ClosingTerminal()) as closing:
            with view() as shown:
                shown.begins(1)
                shown.step("a step")
                closing.closed_by_hand = True
            done.append("reports")
        assert "a step" in closing.getvalue()
        assert done == ["reports"]

    def test_an_error_says_nothing_to_one_that_is_closed(self, terminal: Terminal) -> None:
        with redirect_stderr(ClosingTerminal()) as closing:
            closing.closed_by_hand = True
            assert main(["bench", "gate", "no-such-file", "neither"]) == 2
        assert closing.getvalue() == ""

    def test_a_live_view_with_rich(self, terminal: Terminal) -> None:
        pytest.importorskip("rich")
        with redirect_stderr(terminal):
            run_through(view())
        shown = terminal.getvalue()
        assert "\x1b[" in shown
        assert "13/14" in shown
        assert "rate, MB/s" in shown
        assert "123" in shown
        # What others say is text, and no markup.
        assert "it [bold]died[/bold]" in shown

    def test_a_live_view_of_nothing(self, terminal: Terminal) -> None:
        pytest.importorskip("rich")
        with redirect_stderr(terminal), view():
            pass
        assert terminal.getvalue() == ""


@pytest.fixture
def without_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "plait.cli.bench.live", raising=False)
    monkeypatch.setitem(sys.modules, "rich.console", None)
