"""A run and its files, whatever ends it. The engine here measures nothing: it tells a synthetic run."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from synthetic import ENVIRONMENT, synthetic_run

from plait.bench.plan import Plan
from plait.bench.reports import Writer, load
from plait.bench.results import Environment, Failure, Finding, Run
from plait.bench.run import Watcher
from plait.cli import main
from plait.cli.bench import measuring

FINDINGS = synthetic_run().findings
MEASURED = [finding for finding in FINDINGS if not isinstance(finding, Failure)][:40]
FAILED = [finding for finding in FINDINGS if isinstance(finding, Failure)]
FILES = ["report.html", "report.md", "results.jsonl", "results.yaml"]

Engine = Callable[[Watcher], None]
Use = Callable[..., None]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Use]:
    """`use(findings, then)`: the engine tells the findings, and then does that."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(measuring, "choose", lambda options: Plan(scenarios=(), contenders=()))
    monkeypatch.setattr(measuring, "environment", lambda versions: ENVIRONMENT)
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]

    def use(findings: list[Finding], then: Callable[[], None] = lambda: None) -> None:
        def run(plan: Plan, watcher: Watcher, *, environment: Environment) -> Run:
            found = Run("", [], environment)
            try:
                watcher.begins(plan, 4)
                for number in range(3):
                    watcher.step(f"bulk-up, round {number}")
                for finding in findings:
                    watcher.found(finding)
                watcher.step("streams, round 0")
                then()
            except (KeyboardInterrupt, OSError):
                return found
            found.finished = True
            return found

        monkeypatch.setattr(measuring, "run_plan", run)

    yield use
    assert [signal.getsignal(number) for number in numbers] == before


def interrupted() -> None:
    raise KeyboardInterrupt


def test_to_its_end(engine: Use, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine(MEASURED)
    assert main(["bench", "--out", "out"]) == 0
    said = capsys.readouterr()
    assert "bulk-up: One stream" in said.out
    assert "[1/4] bulk-up, round 0" in said.err
    assert sorted(path.name for path in Path("out").iterdir()) == FILES
    run = load("out/results.jsonl")
    assert run.finished
    assert run.findings == MEASURED
    assert run.environment.cpu == ENVIRONMENT.cpu
    assert run.command[0] == "plait"
    assert [path for path in tmp_path.iterdir() if path.name != "out"] == []


def test_a_folder_of_its_own(engine: Use, tmp_path: Path) -> None:
    engine(MEASURED)
    assert main(["bench", "-q"]) == 0
    (folder,) = tmp_path.iterdir()
    assert folder.name.startswith("plait-bench-2")
    assert ":" not in folder.name


def test_json(engine: Use, capsys: pytest.CaptureFixture[str]) -> None:
    engine([*MEASURED[:5], *FAILED])
    assert main(["bench", "--json", "--out", "out"]) == 1
    said = capsys.readouterr()
    assert said.err == ""
    events = [json.loads(line) for line in said.out.splitlines()]
    names = [event["event"] for event in events]
    assert names == ["begins", "progress", *["finding"] * 6, "done"]
    assert events[0]["steps"] == 4
    assert {event["kind"] for event in events[2:-1]} == {"sample", "failure"}
    done = events[-1]
    assert (done["finished"], done["findings"], done["failures"]) == (True, 6, 1)
    assert sorted(Path(path).name for path in done["files"]) == FILES


def test_what_cannot_be_measured_is_told_once(engine: Use, capsys: pytest.CaptureFixture[str]) -> None:
    engine([*MEASURED, *FAILED, *FAILED])
    assert main(["bench", "--out", "out"]) == 1
    said = capsys.readouterr()
    assert said.err.count("not measured: ") == 1
    assert "not measured (synthetic-peer" in said.out


@pytest.mark.parametrize(
    ("then", "status"),
    [
        (interrupted, 130),
        (lambda: signal.raise_signal(signal.SIGINT), 130),
        (lambda: signal.raise_signal(signal.SIGTERM), 143),
        (lambda: signal.raise_signal(signal.SIGHUP), 129),
    ],
)
def test_broken_off(
    engine: Use, then: Callable[[], None], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    engine(MEASURED, then)
    assert main(["bench", "--out", "out"]) == status
    said = capsys.readouterr()
    assert "It was broken off" in said.out
    assert "bulk-up: One stream" in said.out
    assert sorted(path.name for path in Path("out").iterdir()) == FILES
    assert load("out/results.jsonl").findings == MEASURED
    assert not load("out/results.jsonl").finished


def test_ctrl_c_between_two_findings_costs_none(
    engine: Use, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine(MEASURED)
    write, number = Writer.write, iter(range(len(MEASURED)))

    def write_and_interrupt(writer: Writer, finding: Finding) -> None:
        write(writer, finding)
        if next(number) == 3:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Writer, "write", write_and_interrupt)
    assert main(["bench", "--out", "out"]) == 130
    run = load("out/results.jsonl")
    assert not run.finished
    assert run.findings == MEASURED


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
@pytest.mark.parametrize("where", ["_agents", "table"])
def test_before_and_after_measuring(
    engine: Use, monkeypatch: pytest.MonkeyPatch, where: str, number: signal.Signals, status: int
) -> None:
    def interrupt(*arguments: Any, **named: Any) -> None:
        signal.raise_signal(number)
        raise AssertionError("it went on")

    engine(MEASURED)
    monkeypatch.setattr(measuring, where, interrupt)
    assert main(["bench", "--out", "out"]) == status
    if where == "table":
        assert load("out/results.jsonl").finished
        assert sorted(path.name for path in Path("out").iterdir()) == FILES


def test_in_the_background_of_a_shell(engine: Use) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        engine(MEASURED, lambda: signal.raise_signal(signal.SIGINT))
        assert main(["bench", "--out", "out"]) == 0
        engine(MEASURED, lambda: signal.raise_signal(signal.SIGTERM))
        assert main(["bench", "--out", "out"]) == 143
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_nohup(engine: Use) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        engine(MEASURED, lambda: signal.raise_signal(signal.SIGHUP))
        assert main(["bench", "--out", "out"]) == 0
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_broken_off_before_anything_was_measured(engine: Use, tmp_path: Path) -> None:
    engine(MEASURED)
    assert main(["bench", "--out", "out"]) == 0
    report = Path("out/report.html").read_bytes()
    engine([], interrupted)
    assert main(["bench", "--out", "out"]) == 130
    assert Path("out/report.html").read_bytes() == report


def test_a_defect_of_the_engine(engine: Use, capsys: pytest.CaptureFixture[str]) -> None:
    def defect() -> None:
        raise RuntimeError("no such thing")

    engine(MEASURED, defect)
    assert main(["bench", "--out", "out"]) == 1
    said = capsys.readouterr()
    assert "bulk-up: One stream" in said.out
    assert "defect of plait: RuntimeError: no such thing" in said.err
    assert load("out/results.jsonl").findings == MEASURED
    assert sorted(path.name for path in Path("out").iterdir()) == FILES


class TestFiles:
    def test_a_folder_that_cannot_be_made(self, engine: Use, capsys: pytest.CaptureFixture[str]) -> None:
        Path("file").touch()
        engine(MEASURED)
        assert main(["bench", "--out", "file/out"]) == 1
        said = capsys.readouterr()
        assert "bulk-up: One stream" in said.out
        assert [line for line in said.err.splitlines() if line.startswith("plait: ")] == [
            "plait: nothing is written to file/out: Not a directory"
        ]

    def test_json_says_it_too(self, engine: Use, capsys: pytest.CaptureFixture[str]) -> None:
        Path("file").touch()
        engine(MEASURED[:2])
        assert main(["bench", "--json", "--out", "file"]) == 1
        events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert events[0]["event"] == "warning"
        assert events[-1] == {**events[-1], "event": "done", "files": []}

    @pytest.mark.parametrize("full", [["results.jsonl"], ["report.html"], FILES])
    def test_a_full_disk(self, engine: Use, full: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        Path("out").mkdir()
        for name in full:
            Path("out", name).symlink_to("/dev/full")
        engine(MEASURED)
        assert main(["bench", "--out", "out"]) == 1
        said = capsys.readouterr()
        assert "bulk-up: One stream" in said.out
        told = [line for line in said.err.splitlines() if line.startswith("plait: ")]
        assert len(told) == len(full)
        assert all(line.endswith("No space left on device") for line in told)
        for name in set(FILES) - set(full):
            assert Path("out", name).stat().st_size > 0

    def test_a_file_where_a_folder_is(self, engine: Use, capsys: pytest.CaptureFixture[str]) -> None:
        Path("out/report.md").mkdir(parents=True)
        engine(MEASURED)
        assert main(["bench", "--out", "out"]) == 1
        assert "plait: no out/report.md: Is a directory" in capsys.readouterr().err


class TestOutput:
    @pytest.mark.parametrize("options", [[], ["--json"]])
    @pytest.mark.parametrize(
        ("broken", "says"), [("/dev/full", "plait: No space left on device"), ("pipe", "")]
    )
    def test_nobody_takes_it(
        self, engine: Use, options: list[str], broken: str, says: str, capfd: pytest.CaptureFixture[str]
    ) -> None:
        engine(MEASURED)
        before = os.dup(1)
        try:
            nowhere = opened(broken)
            os.dup2(nowhere, 1)
            os.close(nowhere)
            with open(1, "w", closefd=False) as stdout, pytest.MonkeyPatch.context() as patch:
                patch.setattr(sys, "stdout", stdout)
                assert main(["bench", "--out", "out", *options]) == 1
        finally:
            os.dup2(before, 1)
            os.close(before)
        errors = capfd.readouterr().err.splitlines()
        assert [line for line in errors if line.startswith("plait: ")] == ([says] if says else [])
        # With JSON the first event ends the run: nobody is there to measure for.
        expected = FILES if not options else ["results.jsonl"]
        assert sorted(path.name for path in Path("out").iterdir()) == expected


def opened(kind: str) -> int:
    """A descriptor that takes nothing."""
    if kind == "pipe":
        read, write = os.pipe()
        os.close(read)
        return write
    return os.open(kind, os.O_WRONLY)


def test_wrong_usage_measures_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(*arguments: Any, **named: Any) -> Run:
        raise AssertionError("it was measured")

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        patch.setattr(measuring, "run_plan", refuse)
        assert main(["bench", "--peer", "nonsense"]) == 2
    assert capsys.readouterr().err == "plait: 'nonsense' is no peer; write NAME=COMMAND\n"
    assert list(tmp_path.iterdir()) == []
