"""How far a run is, on standard error; drawn between measurements only, or drawing would be measured."""

from __future__ import annotations

import contextlib
import sys
import time
from types import TracebackType
from typing import Protocol, Self

from plait.bench.reports import numbers
from plait.bench.results import Failure, Finding
from plait.cli.output import Output, duration

__all__ = ["Telling", "View", "make_view"]


class View(Protocol):
    """Shown while it is entered."""

    def begins(self, total_steps: int) -> None: ...
    def step(self, text: str) -> None: ...
    def found(self, finding: Finding) -> None: ...
    def make_room(self) -> None:
        """Somebody else is about to print a line."""

    def __enter__(self) -> View: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def make_view(out: Output) -> View:
    """The best one for where the output goes. A terminal gets one even beside JSON, unless ``-q``."""
    if out.verbosity < 0:
        return _Silent(out)
    if sys.stderr.isatty():
        try:
            from plait.cli.bench.live import LiveView

            return LiveView(out)
        except ImportError:
            return _TerminalView(out)
    return _JsonView(out) if out.json else _LineView(out)


class _Silent:
    """Counts and shows nothing, and what the others build on."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self.total = 0
        self.steps = 0
        self._begun = time.monotonic()

    def begins(self, total_steps: int) -> None:
        self.total = total_steps
        self._begun = time.monotonic()

    def step(self, text: str) -> None:
        self.steps += 1
        # Rounds that are measured again were not foreseen.
        self.total = max(self.total, self.steps)
        self.show(text)

    def found(self, finding: Finding) -> None:
        pass

    def show(self, text: str) -> None:
        pass

    def make_room(self) -> None:
        pass

    @property
    def left(self) -> float | None:
        """Seconds, if the rest is as what was; `None` as long as that says nothing."""
        done = self.steps - 1
        if done < ENOUGH_STEPS:
            return None
        return (time.monotonic() - self._begun) / done * (self.total - done)

    @property
    def place(self) -> str:
        left = self.left
        rest = f", {duration(left)} left" if left is not None else ""
        return f"[{self.steps}/{self.total}{rest}]"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


class Telling(_Silent):
    """Says at once what cannot be measured, but not for every cell again."""

    def __init__(self, out: Output) -> None:
        super().__init__(out)
        self._told: set[tuple[str, str]] = set()

    def found(self, finding: Finding) -> None:
        if isinstance(finding, Failure):
            about = (str(finding.cell.subject), finding.why)
            if about not in self._told:
                self._told.add(about)
                self.say(f"not measured: {numbers.cell(finding.cell)}: {finding.why}")

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


class _LineView(Telling):
    """For logs: a line for each scenario, and now and then."""

    def __init__(self, out: Output) -> None:
        super().__init__(out)
        self._next = 0.0
        self._scenario = ""

    def show(self, text: str) -> None:
        scenario, now = text.partition(",")[0], time.monotonic()
        if scenario != self._scenario or now >= self._next:
            self._scenario, self._next = scenario, now + LINE_PERIOD
            self.say(f"{self.place} {text}")


class _JsonView(_Silent):
    """For programs: an event now and then."""

    def __init__(self, out: Output) -> None:
        super().__init__(out)
        self._next = 0.0

    def show(self, text: str) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + JSON_PERIOD
            left = self.left
            self._out.result(
                "progress",
                step=self.steps,
                total=self.total,
                doing=text,
                remaining_seconds=None if left is None else round(left, 1),
            )


class _TerminalView(Telling):
    """One line that is written over and over."""

    def __init__(self, out: Output) -> None:
        super().__init__(out)
        self._width = 0

    def show(self, text: str) -> None:
        from shutil import get_terminal_size

        # A line that wraps could not be written over.
        line = f"{self.place} {text}"[: get_terminal_size().columns - 1]
        print(f"\r{line:<{self._width}}", end="", file=sys.stderr, flush=True)
        self._width = len(line)

    def say(self, text: str) -> None:
        self.make_room()
        super().say(text)

    def make_room(self) -> None:
        print("\r" + " " * self._width, end="\r", file=sys.stderr, flush=True)
        self._width = 0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What follows starts where the line was. A terminal that is gone costs nothing that comes behind it.
        with contextlib.suppress(OSError):
            self.make_room()


# Before that a guess would only jump.
ENOUGH_STEPS = 5
# Seconds between two lines of a log, and between two events.
LINE_PERIOD = 5.0
JSON_PERIOD = 1.0
