"""One row: a work, done by all contenders in turn, round after round, with ceilings in between."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from plait.bench.ceilings import Ceilings
from plait.bench.lineup import Lineup
from plait.bench.plan import Plan
from plait.bench.reports.numbers import parameters
from plait.bench.results import Cell, Curve, Failure, Finding, Parameters, Sample, Subject, Verdict
from plait.bench.scenarios import Figure, Judgement, Line, Scenario
from plait.bench.statistics import median
from plait.bench.subjects import Contender, ContenderError
from plait.bench.works import Work

__all__ = ["History", "Row"]

T = TypeVar("T")

WARM_UP = -1


@dataclass
class History:
    """All ceilings of a run so far: what counts as moved is judged by all of them."""

    seen: list[Mapping[str, float]] = field(default_factory=list)

    def moved(self, ceiling: Mapping[str, float], tolerance: float) -> bool:
        """Whether one of its values is further from the median of all than that share of it."""
        return any(
            abs(value - middle) > tolerance * middle
            for name, value in ceiling.items()
            if (middle := median([one[name] for one in self.seen if name in one])) > 0
        )


@dataclass
class Row:
    """One set of parameters of one scenario.

    Attributes:
        entrants: those whom the question suits and who know the work, in the order of the columns.
    """

    plan: Plan
    scenario: Scenario
    given: Parameters
    work: Work[Any]
    entrants: Sequence[Contender]
    history: History
    # By round: the ceiling before it; the last stands behind the last round.
    _ceilings: dict[int, Mapping[str, float]] = field(default_factory=dict)
    _outcomes: list[tuple[int, Subject, Any]] = field(default_factory=list)
    _failed: dict[Subject, Failure] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """How many measurements there are when no round is lost."""
        return len(self.entrants) * (self._planned - self._first)

    def measure(self, lineup: Lineup, ceilings: Ceilings, step: Callable[[str], None]) -> None:
        """All rounds. `findings` has what there is, also when this was broken off."""
        order = random.Random(f"{self.plan.seed} {self.scenario.name} {self.given}")
        self._look(self._first, ceilings)
        number, most = self._first, self._planned + self.plan.extra_rounds
        while number < self._planned or (number < most and self._counting(number) < self._planned):
            turn = list(self.entrants)
            # Nobody always runs behind the same one.
            order.shuffle(turn)
            for entrant in turn:
                if entrant.subject not in self._failed:
                    step(self._text(entrant, number))
                    self._once(lineup, entrant, number)
            number += 1
            self._look(number, ceilings)

    def findings(self) -> Iterator[Finding]:
        """In the order of the file: failures where they belong, then round after round."""
        yield from self._failed.values()
        judged: dict[tuple[Subject, str], list[tuple[bool, Judgement]]] = {}
        drawn: dict[Subject, list[tuple[bool, Curve]]] = {}
        counts: dict[Subject, bool] = {}
        for number, subject, outcome in self._outcomes:
            cell = self._cell(subject)
            kept = number < 0 or not self._is_lost(number)
            if number >= 0:
                counts[subject] = counts.get(subject, False) or kept
            for reading in self.scenario.read(cell, outcome, self._beside(number)):
                match reading:
                    case Figure(metric, value, ceiling):
                        yield Sample(cell, metric, number, value, ceiling, kept)
                    case Line(name, x_unit, y_unit, points) if number >= 0:
                        curve = Curve(cell, name, x_unit, y_unit, points)
                        drawn.setdefault(subject, []).append((kept, curve))
                    case Judgement(name) if number >= 0:
                        judged.setdefault((subject, name), []).append((kept, reading))
        for curves in drawn.values():
            yield from _kept(curves)
        for (subject, name), judgements in judged.items():
            ordered = sorted(_kept(judgements), key=lambda one: one.shortfall)
            middle = ordered[len(ordered) // 2]
            yield Verdict(self._cell(subject), name, middle.passed, middle.detail)
        for subject, any_counts in counts.items():
            if not any_counts and subject not in self._failed:
                yield Failure(
                    self._cell(subject), "no round counts: in all of them the machine's ceiling moved"
                )

    @property
    def _first(self) -> int:
        """A contender that is started anew each time has nothing to warm up."""
        return 0 if self.scenario.fresh else WARM_UP

    @property
    def _planned(self) -> int:
        return self.plan.memory_rounds if self.scenario.fresh else self.plan.rounds

    def _once(self, lineup: Lineup, entrant: Contender, number: int) -> None:
        subject = entrant.subject
        if self.scenario.fresh:
            lineup.stop(subject)
        # What others have left behind is not to be cleared away in this one's time.
        gc.collect()
        try:
            outcome = lineup.measure(entrant, self.work, self.plan.patience)
        except ContenderError as error:
            self._failed[subject] = Failure(self._cell(subject), " ".join(str(error).split()))
        else:
            self._outcomes.append((number, subject, outcome))

    def _look(self, number: int, ceilings: Ceilings) -> None:
        self._ceilings[number] = found = ceilings.measure()
        self.history.seen.append(found)

    def _is_lost(self, number: int) -> bool:
        """Whether a ceiling before or behind the round had moved."""
        beside = (self._ceilings[at] for at in (number, number + 1) if at in self._ceilings)
        return any(self.history.moved(ceiling, self.plan.tolerance) for ceiling in beside)

    def _counting(self, number: int) -> int:
        """Of the rounds before this one, how many count."""
        return sum(not self._is_lost(one) for one in range(number))

    def _beside(self, number: int) -> Mapping[str, float]:
        """The ceilings before and behind the round, in the middle between both."""
        both = [self._ceilings[at] for at in (number, number + 1) if at in self._ceilings]
        return {name: median([one[name] for one in both if name in one]) for one in both for name in one}

    def _cell(self, subject: Subject) -> Cell:
        return Cell(self.scenario.name, subject, self.given)

    def _text(self, entrant: Contender, number: int) -> str:
        given = f", {parameters(self.given)}" if self.given else ""
        which = f"round {number + 1} of {self._planned}" if number >= 0 else "warm-up"
        return f"{self.scenario.name}, {entrant.subject}{given}, {which}"


def _kept(values: Iterable[tuple[bool, T]]) -> list[T]:
    """Those that count; all of them where none does, since a curve or a verdict says more than nothing."""
    values = list(values)
    return [value for kept, value in values if kept] or [value for _, value in values]
