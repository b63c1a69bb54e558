"""Running a plan: the order of things, who is told, and what is kept when it is broken off."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Protocol

from plait.bench.plan import Plan
from plait.bench.results import Environment, Finding, Run

__all__ = ["SilentWatcher", "Watcher", "run"]


class Watcher(Protocol):
    """Who follows a run: a live view, a file, a test. All calls come from the thread that runs the plan.

    What a method raises ends the run as `KeyboardInterrupt` does.
    """

    def begins(self, plan: Plan, total_steps: int) -> None:
        """Before the first measurement; so many calls of `step` are to come, or a few more or fewer."""

    def step(self, text: str) -> None:
        """What is measured from now on: `bulk-up, plait tcp/noise/yamux, write size 64 KiB, round 3 of 7`."""

    def found(self, finding: Finding) -> None:
        """A finding, once, in the order of the file."""


class SilentWatcher:
    """Follows nothing."""

    def begins(self, plan: Plan, total_steps: int) -> None: ...

    def step(self, text: str) -> None: ...

    def found(self, finding: Finding) -> None: ...


def run(plan: Plan, watcher: Watcher | None = None, *, environment: Environment | None = None) -> Run:
    """Measures everything in the plan.

    A contender that cannot be measured costs its cell and never the run: a `Failure` says why.

    Args:
        plan: what to measure.
        watcher: is told as it goes.
        environment: as `plait.bench.environment` finds it when `None`.

    Returns:
        all findings. `finished` is `False` when Ctrl-C ended it; every child has ended by then, and the
        findings made so far are in it.
    """
    started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    found = Run(started, list(sys.argv), environment or _environment())
    raise NotImplementedError


def _environment() -> Environment:
    from plait.bench.environment import environment

    return environment()
