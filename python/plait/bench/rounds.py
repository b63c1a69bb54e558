"""One row: a work, done by all contenders in turn, round after round, with ceilings in between."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from plait.bench.budget import Budget
from plait.bench.ceilings import Ceilings
from plait.bench.lineup import Lineup
from plait.bench.plan import Plan
from plait.bench.reports.numbers import measured, parameters
from plait.bench.results import Cell, Curve, Failure, Finding, Parameters, Sample, Subject, Verdict
from plait.bench.scenarios import Figure, Judgement, Line, Scenario
from plait.bench.statistics import interval, median
from plait.bench.subjects import Contender, ContenderError
from plait.bench.works import Work

__all__ = ["History", "Row"]

T = TypeVar("T")

WARM_UP = -1


@dataclass
class History:
    """All ceilings of a run so far: what counts as moved is judged by all of them."""

    seen: list[Mapping[str, float]] = field(default_factory=list)

    def shift(self, ceiling: Mapping[str, float]) -> float:
        """How far the one of its values that moved most is from the median of all, as a share of that."""
        shifts = [
            abs(value / middle - 1)
            for name, value in ceiling.items()
            if (middle := median([one[name] for one in self.seen if name in one])) > 0
        ]
        return max(shifts, default=0.0)


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

    def measure(
        self, lineup: Lineup, ceilings: Ceilings, step: Callable[[str], None], budget: Budget
    ) -> None:
        """All rounds, or as many as there is time for.

        `findings` has what there is, also when this was broken off.
        """
        order = random.Random(f"{self.plan.seed} {self.scenario.name} {self.given}")
        self._look(self._first, ceilings)
        number = self._first
        while self._wants(number, budget):
            # What the round before has left behind is not to be cleared away in somebody's time.
            gc.collect()
            turn = list(self.entrants)
            # Nobody always runs behind the same one.
            order.shuffle(turn)
            for entrant in turn:
                if entrant.subject not in self._failed:
                    budget.step()
                    step(self._text(entrant, number))
                    self._once(lineup, entrant, number)
            number += 1
            self._look(number, ceilings)
        budget.row(self.steps)

    def _wants(self, number: int, budget: Budget) -> bool:
        """Whether there is to be a round of this number."""
        if number < self.plan.hurried_rounds:
            return number < self._planned
        if budget.is_behind():
            return False
        extra = 0 if self.scenario.fresh else self.plan.extra_rounds
        return number < self._planned or (
            number < self._planned + extra and len(self._steady(number)) < self._planned
        )

    def findings(self) -> Iterator[Finding]:
        """In the order of the file: failures first, then round after round in the order of the columns."""
        yield from self._failed.values()
        judged: dict[tuple[Subject, str], list[tuple[bool, Judgement]]] = {}
        drawn: dict[Subject, list[tuple[bool, Curve]]] = {}
        columns = [entrant.subject for entrant in self.entrants]
        counting = self._counting()
        for number, subject, outcome in sorted(
            self._outcomes, key=lambda one: (one[0], columns.index(one[1]))
        ):
            cell = self._cell(subject)
            kept = number < 0 or number in counting
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
            passed, detail = _judge(_kept(judgements))
            yield Verdict(self._cell(subject), name, passed, detail)

    @property
    def is_noisy(self) -> bool:
        """Whether rounds count beside which a ceiling had moved, since too few others are there."""
        return not self.scenario.fresh and len(self._steady(self._rounds)) < len(self._counting())

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
        try:
            outcome = lineup.measure(entrant, self.work, self.plan.patience)
        except ContenderError as error:
            self._failed[subject] = Failure(self._cell(subject), " ".join(str(error).split()))
        else:
            self._outcomes.append((number, subject, outcome))

    def _look(self, number: int, ceilings: Ceilings) -> None:
        self._ceilings[number] = found = ceilings.measure()
        self.history.seen.append(found)

    def _shift(self, number: int) -> float:
        """How far the ceilings before and behind the round are off."""
        beside = (self._ceilings[at] for at in (number, number + 1) if at in self._ceilings)
        return max((self.history.shift(ceiling) for ceiling in beside), default=0.0)

    def _steady(self, before: int) -> set[int]:
        """Of the rounds before this one, those beside which no ceiling had moved."""
        return {number for number in range(before) if self._shift(number) <= self.plan.tolerance}

    @property
    def _rounds(self) -> int:
        """How many there were, without the warm-up."""
        return 1 + max((number for number, _, _ in self._outcomes), default=WARM_UP)

    def _counting(self) -> set[int]:
        """The steady rounds; where these are too few, as many of the steadiest as a figure needs.

        The choice knows the ceilings alone and no outcome, so it favours nobody. Memory is no matter of
        ceilings.
        """
        numbers = range(self._rounds)
        steady = self._steady(self._rounds)
        if self.scenario.fresh:
            return set(numbers)
        if len(steady) >= self.plan.least_rounds:
            return steady
        return set(sorted(numbers, key=self._shift)[: self.plan.least_rounds])

    def _beside(self, number: int) -> Mapping[str, float]:
        """The ceilings before and behind the round, in the middle between both."""
        both = [self._ceilings[at] for at in (number, number + 1) if at in self._ceilings]
        return {name: median([one[name] for one in both if name in one]) for one in both for name in one}

    def _cell(self, subject: Subject) -> Cell:
        return Cell(self.scenario.name, subject, self.given)

    def _text(self, entrant: Contender, number: int) -> str:
        given = f", {parameters(self.given)}" if self.given else ""
        which = f"round {number + 1} of {self._planned}"
        if number < 0:
            which = "warm-up"
        elif number >= self._planned:
            which = "one more round"
        return f"{self.scenario.name}, {entrant.subject}{given}, {which}"


def _judge(judgements: Sequence[Judgement]) -> tuple[bool, str]:
    first = judgements[0]
    values = [one.value for one in judgements]
    low, high = interval(values)
    found = f"{first.said} {measured(median(values), low, high)} {first.unit}"
    detail = f"{found}; {first.most:g} {first.unit} are the most"
    if low <= first.most < high:
        detail += ", and this data cannot tell on which side of it that is"
    return low <= first.most, detail


def _kept(values: Iterable[tuple[bool, T]]) -> list[T]:
    """Those that count; all of them where none does, since a curve or a verdict says more than nothing."""
    values = list(values)
    return [value for kept, value in values if kept] or [value for _, value in values]
