"""The contenders of a run: started when they are first needed, started anew after a failure, and given up."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from plait.bench.results import Subject
from plait.bench.subjects import Contender, ContenderError, Running, Setting, UnsupportedError
from plait.bench.works import Work

__all__ = ["Lineup"]


class Lineup:
    """Leaving it ends everything that runs.

    Args:
        setting: for all of them.
        most_failures: cells in a row that one may fail before it is left out.
    """

    def __init__(self, setting: Setting, most_failures: int) -> None:
        self._setting = setting
        self._most_failures = most_failures
        self._running: dict[Subject, tuple[Running, ExitStack]] = {}
        # By subject: why it will never be measured, or how often in a row it could not be.
        self._given_up: dict[Subject, str] = {}
        self._failures: dict[Subject, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with ExitStack() as stack:
            for subject in list(self._running):
                stack.callback(self.stop, subject)

    def measure(self, contender: Contender, work: Work[Any], patience: float) -> Any:
        """The outcome of a work.

        Raises `ContenderError`; then the contender has been stopped, and is started anew the next time.
        """
        subject = contender.subject
        if (why := self._given_up.get(subject)) is not None:
            raise UnsupportedError(why)
        try:
            outcome = self._started(contender).measure(work, patience)
        except UnsupportedError as error:
            if subject not in self._running:
                self._given_up[subject] = str(error)
            raise
        except ContenderError as error:
            self.stop(subject)
            self._count(subject, error)
            raise
        self._failures.pop(subject, None)
        return outcome

    def stop(self, subject: Subject) -> None:
        """Ends it, if it runs."""
        _, stack = self._running.pop(subject, (None, None))
        if stack is not None:
            stack.close()

    def _started(self, contender: Contender) -> Running:
        subject = contender.subject
        if subject not in self._running:
            with ExitStack() as stack:
                try:
                    running = stack.enter_context(contender.start(self._setting))
                except OSError as error:
                    # No memory, no process, no descriptor: later there may be some again.
                    raise ContenderError(f"cannot be started: {error}") from error
                self._running[subject] = (running, stack.pop_all())
        return self._running[subject][0]

    def _count(self, subject: Subject, error: ContenderError) -> None:
        count = self._failures[subject] = self._failures.get(subject, 0) + 1
        if count >= self._most_failures:
            self._given_up[subject] = f"left out after {count} failures in a row, the last: {error}"
