"""Running a plan: the order of things, who is told, and what is kept when it is broken off."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Protocol

from plait.bench.budget import Budget
from plait.bench.ceilings import Ceilings, MachineCeilings
from plait.bench.cores import pinned, two_cores
from plait.bench.lineup import Lineup
from plait.bench.plan import Plan
from plait.bench.results import Cell, Environment, Finding, Run, Verdict
from plait.bench.rounds import History, Row
from plait.bench.scenarios import Scenario
from plait.bench.subjects import Choosy, Setting
from plait.exceptions import ConfigError

__all__ = ["SilentWatcher", "Watcher", "run"]


class Watcher(Protocol):
    """Who follows a run: a live view, a file, a test. All calls come from the thread that runs the plan.

    What a method raises ends the run and comes out of it; only for `KeyboardInterrupt` the run is given.
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


def run(
    plan: Plan,
    watcher: Watcher | None = None,
    *,
    environment: Environment | None = None,
    ceilings: Ceilings | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Run:
    """Measures everything in the plan.

    A contender that cannot be measured costs its cell and never the run: a `Failure` says why.

    Args:
        plan: what to measure.
        watcher: is told as it goes.
        environment: as `plait.bench.environment` finds it when `None`.
        ceilings: what is measured between rounds; of this machine when `None`.
        clock: in seconds, for the plan's budget.

    Returns:
        all findings. `finished` is `False` when Ctrl-C ended it; every child has ended by then, and the
        findings made so far are in it.

    Raises:
        ConfigError: pinning was asked for where there are no two cores, or no means for it; or it was called
            inside of an event loop, which it would block.
    """
    if asyncio._get_running_loop() is not None:
        raise ConfigError(
            "a run has event loops of its own", hint="from a coroutine, await asyncio.to_thread(run, plan)"
        )
    watcher = SilentWatcher() if watcher is None else watcher
    started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    found = Run(started, list(sys.argv), environment or _environment())
    cores = two_cores() if plan.pin else None
    history = History()
    rows = [(scenario, list(_rows(plan, scenario, history))) for scenario in plan.scenarios]

    def tell(findings: Iterable[Finding]) -> None:
        for finding in findings:
            found.findings.append(finding)
            watcher.found(finding)

    setting = Setting(processes=plan.processes, cores=cores)
    try:
        with ExitStack() as stack:
            if ceilings is None:
                ceilings = stack.enter_context(MachineCeilings(cores))
            stack.enter_context(pinned(cores[0] if cores else None))
            lineup = stack.enter_context(Lineup(setting, plan.most_failures))
            total = sum(row.steps for _, of_one in rows for row in of_one)
            watcher.begins(plan, total)
            budget = Budget(plan.budget, total, clock)
            for scenario, of_one in rows:
                for row in of_one:
                    try:
                        row.measure(lineup, ceilings, watcher.step, budget)
                    finally:
                        tell(row.findings())
                tell(_noise(scenario, of_one))
        found.finished = True
    except KeyboardInterrupt:
        pass
    return found


def _rows(plan: Plan, scenario: Scenario, history: History) -> Iterator[Row]:
    for given, work in scenario.rows(plan):
        entrants = [
            one
            for one in plan.contenders
            if scenario.suits(one.subject, given) and (not isinstance(one, Choosy) or one.knows(work))
        ]
        if entrants:
            yield Row(plan, scenario, given, work, entrants, history)


def _noise(scenario: Scenario, rows: Sequence[Row]) -> Iterator[Finding]:
    """Says it where the machine was never quiet for long enough; silence is no finding."""
    noisy = [row for row in rows if row.is_noisy]
    if noisy:
        yield Verdict(
            Cell(scenario.name, rows[0].entrants[0].subject),
            "machine quiet",
            False,
            f"for {len(noisy)} of {len(rows)} sets of parameters its ceilings hardly stood still; the "
            "steadiest rounds count all the same, and nobody should believe small differences",
        )


def _environment() -> Environment:
    from plait.bench.environment import environment

    return environment()
