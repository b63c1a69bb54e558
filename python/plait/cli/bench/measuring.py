"""A run from its plan to its files, whatever ends it."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from plait.bench.environment import environment
from plait.bench.plan import Plan
from plait.bench.reports import Writer, short, summarise, table, write_all
from plait.bench.reports.records import record
from plait.bench.results import Failure, Finding, Run
from plait.bench.run import run as run_plan
from plait.bench.subjects.peers import Peer
from plait.bench.subjects.remote import Remote
from plait.cli.bench.choosing import choose
from plait.cli.bench.interrupts import Interrupts
from plait.cli.bench.watching import View, make_view
from plait.cli.endings import INTERRUPTED, status_of
from plait.cli.output import Output, counted

__all__ = ["measure"]


def measure(options: argparse.Namespace, out: Output) -> int:
    """Measures, prints, writes. Returns the exit status; raises `ConfigError` before anything is measured."""
    plan = choose(options)
    with Interrupts() as interrupts:
        try:
            status = _measured(plan, options, out, interrupts)
        except KeyboardInterrupt:
            # Before anything was measured, or in its own telling.
            status = INTERRUPTED
    return status_of(interrupts.by) if status == INTERRUPTED else status


def _measured(plan: Plan, options: argparse.Namespace, out: Output, interrupts: Interrupts) -> int:
    found = Run(_now(), ["plait", *sys.argv[1:]], environment(_agents(plan)))
    files = _Files(options.out or Path(f"plait-bench-{found.started.replace(':', '')}"), out)
    error: Exception | None = None
    with files.writing(found) as writer, make_view(out) as files.view:
        recorder = _Recorder(found, writer, files.view, out, interrupts)
        try:
            found.finished = run_plan(plan, recorder, environment=found.environment).finished
        except KeyboardInterrupt:
            pass
        except Exception as defect:
            # What was measured is told first.
            error = defect
        # What follows can be told again from the file: there an interrupt is one at once.
        interrupts.let_go()
        if found.finished:
            writer.finish()
    if recorder.error is not None:
        files.reports(found)
        raise recorder.error
    _told(found, files, out)
    if error is not None:
        raise error
    if interrupts.waiting or not found.finished:
        return INTERRUPTED
    return FAILED if files.lost or _failures(found) else DONE


def _told(found: Run, files: _Files, out: Output) -> None:
    """The table, then the reports: a disk that is full costs nothing that can still be printed."""
    try:
        if not out.json:
            width = max(shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDTH, WIDTH)
            summary = summarise(found)
            out.result("table", table(summary, width=width).rstrip("\n"))
            if len(summary.scenarios) > 1:
                out.result("short", f"\n{short(summary, width=width)}".rstrip("\n"))
    finally:
        written = files.reports(found)
    if not found.finished:
        out.note("broken off: what is above was measured until then")
    out.result(
        "done",
        finished=found.finished,
        findings=len(found.findings),
        failures=len(_failures(found)),
        files=[str(path) for path in written],
    )
    if written:
        out.note(f"wrote {counted(len(written))} to {files.folder}: {', '.join(p.name for p in written)}")


def _agents(plan: Plan) -> dict[str, str]:
    """The versions of others, as they tell them: a figure of theirs hangs on it as much as on the CPU."""
    others = {one.name: one for one in plan.contenders if isinstance(one, Peer | Remote)}
    return {name: said for name, one in others.items() if (said := one.agent())}


class _Files:
    """The folder of a run. What cannot be written is one line for each file, and remembered.

    Attributes:
        lost: whether something that should be there is not.
        view: what is on the terminal while a warning is printed.
    """

    def __init__(self, folder: Path, out: Output) -> None:
        self.folder = folder
        self.lost = False
        self.view: View | None = None
        self._out = out
        self._results = folder / RESULTS
        self._there = False

    @contextlib.contextmanager
    def writing(self, found: Run) -> Iterator[Writer]:
        """What writes the results, line by line; without a folder, it writes nothing."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._there = True
        except OSError as error:
            self._warn(f"nothing is written to {self.folder}: {error.strerror or error}")
        with contextlib.ExitStack() as stack:
            writer = Writer(self._results, self._warn)
            if self._there:
                stack.enter_context(writer)
                writer.write_run(found)
            yield writer

    def reports(self, found: Run) -> list[Path]:
        """Writes them; gives what is there now."""
        if not self._there:
            return []
        results = [self._results] if self._results.is_file() else []
        # Nothing was measured: reports of nothing would replace those of an earlier run.
        return [*results, *(write_all(found, self.folder, self._warn) if found.findings else [])]

    def _warn(self, text: str) -> None:
        self.lost = True
        if self.view is not None:
            self.view.make_room()
        self._out.error(OSError(text), text, event="warning")


class _Recorder:
    """Keeps the findings, also when the engine does not come back, and hands them on. A `Watcher`.

    Attributes:
        error: why the findings can no longer be told; it ends the run.
    """

    def __init__(self, found: Run, writer: Writer, view: View, out: Output, interrupts: Interrupts) -> None:
        self.error: OSError | None = None
        self._interrupts = interrupts
        self._run = found
        self._writer = writer
        self._view = view
        self._out = out

    def begins(self, plan: Plan, total_steps: int) -> None:
        scenarios = [one.name for one in plan.scenarios]
        subjects = [str(one.subject) for one in plan.contenders]
        self._tell(lambda: self._view.begins(total_steps))
        self._tell(
            lambda: self._out.result("begins", steps=total_steps, scenarios=scenarios, subjects=subjects)
        )

    def step(self, text: str) -> None:
        self._interrupts.release()
        self._tell(lambda: self._view.step(text))

    def found(self, finding: Finding) -> None:
        self._interrupts.hold()
        self._run.findings.append(finding)
        self._writer.write(finding)
        self._tell(lambda: self._view.found(finding))
        if self._out.json:
            self._tell(lambda: self._out.result("finding", **record(finding)))

    def _tell(self, say: Callable[[], None]) -> None:
        try:
            say()
        except OSError as error:
            # Nobody reads any more. The engine takes what is raised here as Ctrl-C.
            self.error = error
            raise


def _failures(found: Run) -> list[Finding]:
    return [finding for finding in found.findings if isinstance(finding, Failure)]


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


RESULTS = "results.jsonl"
# Columns of a table that goes to no terminal, and the least of one that does.
WIDTH = 100
DONE, FAILED = 0, 1
