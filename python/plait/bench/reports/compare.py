"""Two runs side by side: better, worse, or no difference that this data can show.

For each cell and metric that both have, the ratio of the medians is taken, with its interval by the
bootstrap: both sets of rounds are drawn again with repetition, some thousand times. Where 1 lies inside of
the interval, the data shows no difference. The bootstrap and no permutation test, because a gate has to know
how large a difference is and not only that there is one; and of medians, because a round that the machine
disturbed must not decide. With few rounds a bootstrap is too sure of itself, so cells whose rounds are too
few to be told apart at all (fewer than four on each side) are not judged.

What no statistics can see: rounds of one run resemble each other more than two runs do, and of many cells
one in twenty differs by accident. Run both again before you believe a small difference.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from plait.bench import statistics
from plait.bench.reports import numbers
from plait.bench.reports.markdown import escape, grid
from plait.bench.reports.summary import Estimate, row_of, summarise
from plait.bench.reports.words import environment_lines
from plait.bench.results import Cell, Metric, Run, Verdict
from plait.exceptions import ConfigError

__all__ = ["Change", "Comparison", "Outcome", "compare", "gate"]

Outcome: TypeAlias = Literal[
    "better", "worse", "no difference that this data can show", "changed", "too few rounds"
]

SAME: Outcome = "no difference that this data can show"
# The ends of the interval then move by about a tenth of its width from seed to seed.
RESAMPLES = 2000
SEED = 5
OUTSIDE = 0.025
WITHIN, REGRESSED, UNJUDGED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Change:
    """One metric of one cell in both runs.

    Attributes:
        ratio: new over old, of the medians; between `low` and `high` with 95 % confidence.
    """

    cell: Cell
    metric: Metric
    old: Estimate
    new: Estimate
    ratio: float
    low: float
    high: float
    outcome: Outcome

    @property
    def loss(self) -> float:
        """By what share it became worse: 0.1 for a tenth less of a rate or a tenth more of a latency."""
        return 1 - self.ratio if self.metric.better == "higher" else self.ratio - 1


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed between two runs.

    Attributes:
        warnings: why the two may not be comparable.
        broken: what could be measured, or held, in the old run and not in the new one.
        only_old: how many cells and metrics the new run lacks, `only_new` the other way round.
    """

    changes: Sequence[Change]
    warnings: Sequence[str]
    broken: Sequence[str]
    only_old: int
    only_new: int

    def text(self) -> str:
        """For a terminal."""
        lines = [f"warning: {warning}" for warning in self.warnings]
        lines += [f"broken: {one}" for one in self.broken]
        for outcome, changes in self._grouped():
            lines.append(f"{outcome}: {len(changes)}")
            if outcome != SAME:
                lines += [f"  {_name(one)}: {_figures(one)}" for one in changes]
        return "\n".join([*lines, *self._end()]) + "\n"

    def markdown(self) -> str:
        """For a pull request: what differs in tables, the rest counted."""
        lines = ["### plait bench, compared", ""]
        lines += [f"> **{escape(warning)}**" for warning in self.warnings]
        lines += [f"- ✗ {escape(one)}" for one in self.broken]
        for outcome, changes in self._grouped():
            lines += ["", f"**{outcome}**: {len(changes)}"]
            if outcome != SAME:
                rows = [
                    [
                        escape(_name(one)),
                        numbers.number(one.old.median),
                        numbers.number(one.new.median),
                        f"{_percent(one.ratio)} \\[{_percent(one.low)}, {_percent(one.high)}\\]",
                    ]
                    for one in changes
                ]
                lines += ["", *grid(["", "old", "new", "difference"], rows)]
        return "\n".join([*lines, "", *self._end()]) + "\n"

    def _grouped(self) -> Iterator[tuple[Outcome, list[Change]]]:
        order: tuple[Outcome, ...] = ("worse", "better", "changed", SAME, "too few rounds")
        for outcome in order:
            if changes := [one for one in self.changes if one.outcome == outcome]:
                yield outcome, changes

    def _end(self) -> list[str]:
        lines = []
        if not self.changes:
            lines.append("the two runs have no cell in common")
        if self.only_old or self.only_new:
            lines.append(f"only in the old run: {self.only_old}; only in the new run: {self.only_new}")
        judged = sum(one.outcome != "too few rounds" for one in self.changes)
        if judged:
            lines.append(
                f"95 % intervals of the ratio of medians, by bootstrap: of {judged} cells about "
                f"{judged / 20:.0f} would differ by accident if nothing had changed"
            )
        return lines


def compare(old: Run, new: Run) -> Comparison:
    """Everything that both runs measured."""
    olds, news = _estimates(old), _estimates(new)
    changes = [
        _change(cell, metric, olds[key][2], estimate)
        for key, (cell, metric, estimate) in news.items()
        if key in olds
    ]
    return Comparison(
        changes,
        list(_warnings(old, new)),
        list(_broken(old, new)),
        len(olds.keys() - news.keys()),
        len(news.keys() - olds.keys()),
    )


def gate(old: Run, new: Run, max_regress: float) -> tuple[int, str]:
    """An exit status for a build, and the lines that explain it.

    Args:
        max_regress: the share by which a metric may become worse: 0.05 for 5 %.

    Returns 0 when nothing that the data shows is worse by more than that; 1 when something is, or when
    something that was measured, or held, in the old run is not in the new one; 2 when it cannot be judged,
    because the runs have nothing in common or too few rounds. Raises `ConfigError` for a share below 0.
    """
    if not (math.isfinite(max_regress) and max_regress >= 0):
        raise ConfigError(f"a regression of at most {max_regress:g} cannot be asked for; 0.05 is 5 %")
    found = compare(old, new)
    judged = [one for one in found.changes if one.outcome in ("better", "worse", SAME)]
    over = [one for one in judged if one.outcome == "worse" and one.loss > max_regress]
    lines = [f"warning: {warning}" for warning in found.warnings]
    lines += [f"broken: {one}" for one in found.broken]
    lines += [f"worse by {one.loss:.1%}: {_name(one)}: {_figures(one)}" for one in over]
    few = sum(one.outcome == "too few rounds" for one in found.changes)
    if few:
        lines.append(f"{few} cells have too few rounds to be judged; four on each side are the least")
    if over or found.broken:
        return REGRESSED, _ended(lines, f"regressed: the limit is {max_regress:.1%}")
    if not judged:
        why = "too few rounds" if found.changes else "nothing in common"
        return UNJUDGED, _ended(lines, f"cannot be judged: {why}")
    vague = sum(_worst(one) > max_regress for one in judged)
    if vague:
        lines.append(
            f"{vague} of {len(judged)} cells are too noisy to exclude a regression of {max_regress:.1%}"
        )
    return WITHIN, _ended(lines, f"within {max_regress:.1%}: {len(judged)} cells judged")


Key: TypeAlias = tuple[str, object, frozenset[tuple[str, int | float | str]], Metric]


def _estimates(run: Run) -> dict[Key, tuple[Cell, Metric, Estimate]]:
    found: dict[Key, tuple[Cell, Metric, Estimate]] = {}
    for scenario in summarise(run).scenarios:
        for table in scenario.tables:
            for (row, subject), estimate in table.cells.items():
                key = (scenario.name, subject, frozenset(row), table.metric)
                found[key] = (Cell(scenario.name, subject, dict(row)), table.metric, estimate)
    return found


def _change(cell: Cell, metric: Metric, old: Estimate, new: Estimate) -> Change:
    low, high = _interval(old.values, new.values)
    outcome: Outcome
    if math.comb(len(old.values) + len(new.values), len(old.values)) < 1 / OUTSIDE:
        outcome = "too few rounds"
    elif low <= 1 <= high:
        outcome = SAME
    elif metric.better == "neither":
        outcome = "changed"
    else:
        outcome = "better" if (low > 1) == (metric.better == "higher") else "worse"
    return Change(cell, metric, old, new, _ratio(new.median, old.median), low, high, outcome)


def _interval(old: Sequence[float], new: Sequence[float]) -> tuple[float, float]:
    source = random.Random(SEED)
    ratios = sorted(
        _ratio(
            statistics.median(source.choices(new, k=len(new))),
            statistics.median(source.choices(old, k=len(old))),
        )
        for _ in range(RESAMPLES)
    )
    # Outwards, to a ratio that was drawn: a little too wide claims nothing false.
    return ratios[math.floor(OUTSIDE * (RESAMPLES - 1))], ratios[math.ceil((1 - OUTSIDE) * (RESAMPLES - 1))]


def _ratio(new: float, old: float) -> float:
    if old == new:
        return 1.0
    return new / old if old else math.inf


def _worst(change: Change) -> float:
    """By what share it may have become worse, as far as the data can tell."""
    return 1 - change.low if change.metric.better == "higher" else change.high - 1


def _warnings(old: Run, new: Run) -> Iterator[str]:
    before, after = dict(environment_lines(old.environment)), dict(environment_lines(new.environment))
    for name in dict.fromkeys([*before, *after]):
        # That plait is another one is why they are compared.
        if name != "plait" and before.get(name) != after.get(name):
            was, now = before.get(name, "none"), after.get(name, "none")
            yield f"the environments differ in {name}: {was} and {now}"
    for word, run in (("old", old), ("new", new)):
        if not run.finished:
            yield f"the {word} run was broken off"


def _broken(old: Run, new: Run) -> Iterator[str]:
    measured = {key[:3] for key in _estimates(old)}
    held = {_verdict(one) for one in old.findings if isinstance(one, Verdict) and one.passed}
    for scenario in summarise(new).scenarios:
        for failure in scenario.failures:
            if (scenario.name, failure.cell.subject, frozenset(row_of(failure.cell.parameters))) in measured:
                yield f"{numbers.cell(failure.cell)} is no longer measured: {failure.why}"
        for verdict in scenario.verdicts:
            if not verdict.passed and _verdict(verdict) in held:
                yield f"{numbers.cell(verdict.cell)}: {verdict.name} no longer holds: {verdict.detail}"


def _verdict(verdict: Verdict) -> tuple[object, ...]:
    cell = verdict.cell
    return cell.scenario, cell.subject, frozenset(row_of(cell.parameters)), verdict.name


def _name(change: Change) -> str:
    return f"{numbers.cell(change.cell)}, {change.metric.name}"


def _figures(change: Change) -> str:
    return (
        f"{numbers.number(change.old.median)} to {numbers.number(change.new.median)} {change.metric.unit}, "
        f"{_percent(change.ratio)} [{_percent(change.low)}, {_percent(change.high)}]"
    )


def _percent(ratio: float) -> str:
    return f"{(ratio - 1) * 100:+.1f} %" if math.isfinite(ratio) else "from nothing"


def _ended(lines: Sequence[str], last: str) -> str:
    return "\n".join([*lines, last]) + "\n"
