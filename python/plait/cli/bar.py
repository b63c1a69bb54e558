"""A transfer's progress as it goes: bytes, rate, time left."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from plait.cli.output import Output, duration, size

if TYPE_CHECKING:
    from plait.files import Progress

__all__ = ["Bar", "make_bar"]


class Bar(Protocol):
    """Shown while it is entered."""

    def update(self, progress: Progress) -> None:
        """Called for every block; draws when it is time to."""

    def __enter__(self) -> Bar: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def make_bar(out: Output) -> Bar:
    """The best one for where the output goes. A terminal gets one even beside JSON, unless ``-q``."""
    if out.verbosity < 0:
        return _NoBar()
    if sys.stderr.isatty():
        try:
            return _RichBar()
        except ImportError:
            return _TerminalBar()
    return _JsonBar(out) if out.json else _LineBar()


class _NoBar:
    """Nothing at all, and what the others build on: drawing only so often."""

    period = float("inf")

    def __init__(self) -> None:
        self._next = 0.0

    def update(self, progress: Progress) -> None:
        now = time.monotonic()
        if now >= self._next:
            # The first call only starts the clock: a short transfer needs no progress.
            if self._next:
                self.draw(progress)
            self._next = now + self.period

    def draw(self, progress: Progress) -> None:
        pass

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


class _JsonBar(_NoBar):
    period = 1.0

    def __init__(self, out: Output) -> None:
        super().__init__()
        self._out = out

    def draw(self, progress: Progress) -> None:
        self._out.result(
            "progress",
            bytes=progress.bytes,
            total=progress.total,
            bytes_per_second=round(progress.rate),
            remaining_seconds=progress.remaining_seconds,
        )


class _LineBar(_NoBar):
    """For logs: a line now and then."""

    period = 5.0

    def draw(self, progress: Progress) -> None:
        print(_text(progress), file=sys.stderr, flush=True)


class _TerminalBar(_NoBar):
    """One line that is written over and over."""

    period = 0.2

    def __init__(self) -> None:
        super().__init__()
        self._width = 0

    def draw(self, progress: Progress) -> None:
        text = _text(progress)
        print(f"\r{text:<{self._width}}", end="", file=sys.stderr, flush=True)
        self._width = len(text)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What follows starts where the bar was.
        print("\r" + " " * self._width, end="\r", file=sys.stderr, flush=True)


class _RichBar(_NoBar):
    """With colours, by `rich`."""

    period = 0.1

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TaskProgressColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        self._rich: Any = Progress(
            BarColumn(),
            TaskProgressColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            # Its own thread would take the interpreter from the transfer; blocks come often enough.
            auto_refresh=False,
            transient=True,
            # On a terminal results are printed above the bar; what goes elsewhere is not its business.
            redirect_stdout=sys.stdout.isatty(),
        )
        self._task: Any = None

    def draw(self, progress: Progress) -> None:
        if self._task is None:
            self._rich.start()
            self._task = self._rich.add_task("", total=progress.total)
        self._rich.update(self._task, completed=progress.bytes, total=progress.total)
        self._rich.refresh()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._rich.stop()


def _text(progress: Progress) -> str:
    share = 100 * progress.bytes // progress.total if progress.total else 100
    left = progress.remaining_seconds
    eta = duration(left) if left is not None else "?"
    return (
        f"{size(progress.bytes)} of {size(progress.total)} ({share} %), {size(progress.rate)}/s, {eta} left"
    )
