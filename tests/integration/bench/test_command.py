"""`plait bench` as a user meets it: processes that measure, their files, exit status, and nothing left."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from plait.bench.reports import load
from plait.bench.results import Failure, Run, Sample
from plait.bench.subjects.programs import Program

PLAIT = [sys.executable, "-m", "plait", "bench"]
FAKE = Path(__file__).with_name("fake_peer.py")
ROOT = Path(__file__).resolve().parents[3]
REAL = ROOT / "tests" / "interop" / "peer.py"
# Seconds for what takes some: the machine may be very busy.
PATIENCE = 120.0
# One round of one scenario, with the least that can be measured, and on a machine that may do anything else.
TINY = ["--quick", "--rounds", "1", "--seconds", "0.01", "--tolerance", "99999%"]
TINY += ["--scenario", "request-response"]
RAW = ["--subject", "raw-tcp uvloop"]
FILES = ["report.html", "report.md", "results.jsonl", "results.yaml"]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A small run that several tests look at."""
    folder = tmp_path_factory.mktemp("measured")
    return folder / "out", bench(*TINY, *RAW, "--subject", "plait tcp/noise/yamux uvloop", cwd=folder)


class TestARun:
    def test_to_its_end(self, measured: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
        out, done = measured
        assert done.returncode == 0, done.stderr
        assert "request-response: Small requests" in done.stdout
        assert "raw-tcp" in done.stdout
        assert "[1/" in done.stderr
        assert sorted(path.name for path in out.iterdir()) == FILES
        run = load(out / "results.jsonl")
        assert run.finished
        assert run.command[:3] == ["plait", "bench", "--quick"]
        assert {"raw-tcp", "plait"} <= implementations(run)
        assert all(finding.value > 0 for finding in samples(run))

    def test_compare_and_gate(
        self, measured: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
    ) -> None:
        out, _ = measured
        compared = bench("compare", out, out, out=None)
        assert compared.returncode == 0
        assert "too few rounds" in compared.stdout
        assert bench("gate", out, out, out=None).returncode == 2
        # The same with rounds enough, and with half the speed.
        for name, factor in (("old", 1.0), ("same", 1.0), ("slow", 0.5)):
            rewrite(out / "results.jsonl", tmp_path / name, factor)
        old = tmp_path / "old"
        assert bench("gate", old, tmp_path / "same", out=None).returncode == 0
        assert bench("gate", old, tmp_path / "slow", "--max-regress", "10%", out=None).returncode == 1
        assert bench("gate", old, tmp_path / "nothing", out=None).returncode == 2

    def test_json(self, tmp_path: Path) -> None:
        done = bench(*TINY, *RAW, "--json", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        events = [json.loads(line) for line in done.stdout.splitlines()]
        assert events[0]["event"] == "begins"
        assert events[-1]["event"] == "done"
        assert "finding" in {event["event"] for event in events}
        assert done.stderr == ""

    def test_list(self) -> None:
        done = bench("list", out=None)
        assert done.returncode == 0
        for name in ("bulk-up", "layers", "raw-tcp", "plait tcp/noise/yamux uvloop"):
            assert name in done.stdout
        names = {json.loads(line)["name"] for line in bench("list", "--json", out=None).stdout.splitlines()}
        assert {"bulk-up", "request-response"} < names


class TestBrokenOff:
    @pytest.mark.parametrize(
        ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
    )
    def test_what_was_measured_is_kept(self, tmp_path: Path, number: signal.Signals, status: int) -> None:
        # There is more than one row, and each of those behind the first finding takes longer than a signal.
        words = [*TINY, *RAW, "--scenario", "bulk-up", "--seconds", "0.2", "--json"]
        with started(*words, cwd=tmp_path) as running:
            running.send_after("finding", number)
            events = running.to_the_end()
            assert running.process.returncode == status
        assert events[-1]["event"] == "done"
        assert events[-1]["finished"] is False
        run = load(tmp_path / "out" / "results.jsonl")
        assert not run.finished
        assert samples(run)
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == FILES

    def test_while_a_peer_hangs(self, tmp_path: Path) -> None:
        words = ["--subject", "fake", "--peer", fake("hangs"), "--scenario", "bulk-up", "--quick"]
        with started(*words, "--json", cwd=tmp_path) as running:
            running.send_after("progress", signal.SIGINT)
            assert running.to_the_end()[-1]["finished"] is False
            assert running.process.returncode == 130

    def test_its_terminal_is_closed(self, tmp_path: Path) -> None:
        words = [*TINY, *RAW, "--scenario", "bulk-up", "--seconds", "0.2", "--out", "out"]
        ours, its = os.openpty()
        process = subprocess.Popen(
            [*PLAIT, *words], stdin=its, stdout=its, stderr=its, cwd=tmp_path, env=marked(tmp_path)
        )
        os.close(its)
        try:
            # The first scenario is done then.
            shown = b""
            while b"request-response" not in shown:
                assert select.select([ours], [], [], PATIENCE)[0], shown
                shown += os.read(ours, 1 << 16)
            # As the kernel does it, for a process that is in the foreground of its terminal.
            os.close(ours)
            process.send_signal(signal.SIGHUP)
            process.wait(PATIENCE)
        finally:
            process.kill()
            process.wait()
        assert descendants(tmp_path) == []
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == FILES
        run = load(tmp_path / "out" / "results.jsonl")
        assert samples(run)
        assert not run.finished


class TestFiles:
    def test_a_folder_that_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "out").touch()
        done = bench(*TINY, *RAW, cwd=tmp_path)
        assert done.returncode == 1
        assert "request-response: Small requests" in done.stdout
        assert complaints(done) == ["plait: nothing is written to out: File exists"]

    def test_a_full_disk(self, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        for name in FILES:
            (tmp_path / "out" / name).symlink_to("/dev/full")
        done = bench(*TINY, *RAW, cwd=tmp_path)
        assert done.returncode == 1
        assert "request-response: Small requests" in done.stdout
        assert len(complaints(done)) == len(FILES)
        assert all(line.endswith("No space left on device") for line in complaints(done))

    def test_standard_output_that_is_full(self, tmp_path: Path) -> None:
        with open("/dev/full", "w") as full:
            command = [*PLAIT, *TINY, *RAW, "--out", "out"]
            done = subprocess.run(
                command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path, timeout=PATIENCE
            )
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1] == "plait: No space left on device"
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == FILES


class TestPeers:
    def test_beside_the_others(self, tmp_path: Path) -> None:
        done = bench(
            *TINY, "--scenario", "bulk-up", *RAW, "--subject", "fake", "--peer", fake(), cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        run = load(tmp_path / "out" / "results.jsonl")
        assert run.environment.versions["fake"] == "fake/1.0 [31m"
        rates = [one.value for one in samples(run, "fake") if one.metric.unit == "MB/s"]
        assert rates == [pytest.approx(100)] * len(rates)
        assert rates
        medians = {one.metric.name: one.value for one in samples(run, "fake") if one.metric.unit == "µs"}
        assert medians["p50"] == pytest.approx(200)
        assert medians["p99"] == pytest.approx(500)
        assert "p90" not in medians
        # What peers have no words for is no failure.
        assert not failures(run)

    @pytest.mark.parametrize(
        ("peer", "why"),
        [
            ("dies", "it was ended by SIGSEGV"),
            ("hangs", "was not done within"),
            ("garbage", "which is no JSON object"),
            ("absurd", "answered without a usable"),
            ("kills its listener", "its listener had ended: it was ended by SIGKILL"),
            ("dies at once", "Error: address already in use"),
            ("missing", "there is no program /no/such/peer"),
        ],
    )
    def test_one_line_says_why(self, tmp_path: Path, peer: str, why: str) -> None:
        command = "fake=/no/such/peer" if peer == "missing" else fake(peer)
        # Long enough for the others to start and to be measured.
        patience = "6" if peer == "hangs" else "60"
        words = [
            "--scenario",
            "bulk-up",
            *RAW,
            "--subject",
            "fake",
            "--peer",
            command,
            "--patience",
            patience,
        ]
        done = bench(*TINY[:-2], *words, cwd=tmp_path)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert len([line for line in done.stderr.splitlines() if line.startswith("not measured: ")]) == 1
        assert why in done.stderr
        assert why in done.stdout
        run = load(tmp_path / "out" / "results.jsonl")
        assert run.finished
        assert [why in one.why for one in failures(run)] == [True]
        assert samples(run, "raw-tcp")

    def test_an_address(self, tmp_path: Path) -> None:
        with Program("peer", [sys.executable, str(REAL), "listen"]) as program:
            address = program.event("listening", PATIENCE)["addrs"][0]
            done = bench(*TINY[:-2], "--to", address, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        run = load(tmp_path / "out" / "results.jsonl")
        assert implementations(run) == {"remote"}
        assert {one.cell.scenario for one in samples(run)} == {"bulk-up", "bulk-down", "request-response"}

    def test_nobody_at_the_address(self, tmp_path: Path) -> None:
        nobody = "/ip4/127.0.0.1/tcp/9/p2p/12D3KooWBwC8DxHrNKxcMLzNhbsy5r1B5pnoEPxzVzLUY4tjYBpE"
        done = bench(*TINY, "--to", nobody, cwd=tmp_path)
        assert done.returncode == 1
        assert "not measured (remote" in done.stdout
        assert "/ip4/127.0.0.1/tcp/9" in done.stdout


class TestOfYourOwn:
    def test_a_module_that_registers_a_muxer(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "own_muxer.py").write_text(OWN_MUXER)
        paths = [str(tmp_path), str(ROOT / "examples"), os.environ.get("PYTHONPATH", "")]
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
        done = bench(*TINY, "--load", "own_muxer", "--subject", "Framed", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        run = load(tmp_path / "out" / "results.jsonl")
        assert {one.cell.subject.muxer for one in samples(run)} == {"Framed"}
        assert "plait tcp/noise/Framed uvloop fd" in bench("--load", "own_muxer", "list", out=None).stdout

    def test_the_page_runs(self, measured: tuple[Path, object], tmp_path: Path) -> None:
        (code,) = (code for source, code in blocks() if source == "a run of one's own")
        (tmp_path / "results.jsonl").write_bytes((measured[0] / "results.jsonl").read_bytes())
        quick = code.replace(
            "found = run(plan)", "import dataclasses\nfound = run(dataclasses.replace(plan, rounds=1))"
        )
        command = [sys.executable, "-c", quick]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=PATIENCE)
        assert (done.returncode, done.stderr) == (0, "")
        assert (tmp_path / "chart.svg").exists()
        assert "bulk-up" in done.stdout


def blocks() -> list[tuple[str, str]]:
    """What docs/benchmarks.md shows; the first line of each block says where it is from."""
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    return re.findall(r"^```python\n# (.*?)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--scenario", "bulkup"], "did you mean bulk-up"),
        (["--subject", "raw-tpc"], "did you mean raw-tcp"),
        (["--stack", "tcp/nois/yamux"], "did you mean tcp/noise/yamux"),
        (["--loop", "uvlop"], "did you mean uvloop"),
        (["--peer", "nothing"], "NAME=COMMAND"),
        (["--to", "somewhere"], ""),
        (["--load", "no_such_module"], "No module named 'no_such_module'"),
        (["--rounds", "0"], ""),
        (["--seconds", "0"], ""),
        (["gate", "one"], ""),
        (["juggle"], ""),
    ],
)
def test_wrong_usage(words: list[str], says: str, tmp_path: Path) -> None:
    done = bench(*words, cwd=tmp_path, out=None)
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


class Running:
    """A run under way, with `--json`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.events: list[dict[str, Any]] = []

    def send_after(self, event: str, number: signal.Signals) -> None:
        """The signal, once it has told such an event; to it alone, as `kill` does."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(json.loads(line))
            if self.events[-1]["event"] == event:
                self.process.send_signal(number)
                return
        raise AssertionError(f"no {event} in {self.events}")

    def to_the_end(self) -> list[dict[str, Any]]:
        output, errors = self.process.communicate(timeout=PATIENCE)
        assert errors == ""
        self.events += [json.loads(line) for line in output.splitlines()]
        return self.events


@contextlib.contextmanager
def started(*words: object, cwd: Path) -> Iterator[Running]:
    command = [*PLAIT, *map(str, words), "--out", "out"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd, env=marked(cwd)
    )
    watchdog = threading.Timer(PATIENCE, process.kill)
    watchdog.start()
    try:
        yield Running(process)
        assert descendants(cwd) == []
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()


def bench(
    *words: object, cwd: Path | None = None, out: str | None = "out"
) -> subprocess.CompletedProcess[str]:
    """Runs it to its end; it leaves no process behind."""
    command = [*PLAIT, *map(str, words), *(["--out", out] if out and cwd else [])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, cwd=cwd, env=marked(cwd))
    if cwd is not None:
        assert descendants(cwd) == []
    return done


def marked(cwd: Path | None) -> dict[str, str]:
    """An environment that all descendants inherit, whatever session they are in."""
    return {**os.environ, MARK: str(cwd)}


def descendants(cwd: Path) -> list[str]:
    """Command lines of what still runs in the name of a test."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            with contextlib.suppress(OSError):
                if f"{MARK}={cwd}\0".encode() in (folder / "environ").read_bytes():
                    found.append((folder / "cmdline").read_bytes().decode().replace("\0", " "))
    return found


def fake(wrong: str = "") -> str:
    return f"fake={shlex.join([sys.executable, str(FAKE), '--wrong', wrong])}"


def complaints(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in done.stderr.splitlines() if line.startswith("plait: ")]


def samples(run: Run, implementation: str | None = None) -> Sequence[Sample]:
    return [
        one
        for one in run.findings
        if isinstance(one, Sample) and implementation in (None, one.cell.subject.implementation)
    ]


def failures(run: Run) -> Sequence[Failure]:
    return [one for one in run.findings if isinstance(one, Failure)]


def implementations(run: Run) -> set[str]:
    return {one.cell.subject.implementation for one in run.findings}


def rewrite(source: Path, target: Path, factor: float) -> None:
    """Its samples six times over, with rates and times that are so many times as good."""
    lines = [json.loads(line) for line in source.read_text().splitlines()]
    made = [lines[0]]
    for line in lines[1:-1]:
        if line["kind"] == "sample" and line["round"] >= 0 and isinstance(line["value"], int | float):
            better = factor if line["better"] == "higher" else 1 / factor
            made += [
                {**line, "round": number, "kept": True, "value": line["value"] * better}
                for number in range(6)
            ]
    target.write_text("".join(json.dumps(line) + "\n" for line in [*made, lines[-1]]))


MARK = "PLAIT_BENCH_TEST"

OWN_MUXER = """
from plait.bench import register_contender
from plait.bench.subjects import TwoEnds
from plait.bench.subjects.plait_ends import PlaitEnds

register_contender(TwoEnds(PlaitEnds(muxer="plugin_muxer:Framed")))
"""
