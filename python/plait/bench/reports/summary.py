"""The findings of a run put in order: tables of medians with intervals, ratios and ranks.

All reports are made of this one reading, so no two of them can disagree.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeAlias

from plait.bench import statistics
from plait.bench.results import Curve, Failure, Metric, Parameters, Run, Sample, Subject, Verdict

__all__ = ["BASELINE", "LAYERS", "Estimate", "Row", "Scenario", "Summary", "Table", "row_of", "summarise"]

# The parameters of a cell in a form that can be a key.
Row: TypeAlias = tuple[tuple[str, int | float | str], ...]

# What everything is compared with, where it was measured.
BASELINE = "raw-tcp"
# The scenario whose metrics are parts of a whole.
LAYERS = "layers"


@dataclass(frozen=True)
class Estimate:
    """The rounds of one cell that count, and what they say.

    Attributes:
        values: of the rounds that count; never empty.
        dropped: how many rounds were measured and do not count.
    """

    values: tuple[float, ...]
    dropped: int = 0

    @cached_property
    def median(self) -> float:
        return statistics.median(self.values)

    @cached_property
    def interval(self) -> tuple[float, float]:
        """Where the median lies, with 95 % confidence."""
        return statistics.interval(self.values)


@dataclass
class Table:
    """One metric of one scenario: a row for each set of parameters, a column for each subject."""

    scenario: str
    metric: Metric
    rows: list[Row] = field(default_factory=list)
    subjects: list[Subject] = field(default_factory=list)
    cells: dict[tuple[Row, Subject], Estimate] = field(default_factory=dict)
    _ranks: dict[Row, list[set[Subject]]] = field(default_factory=dict, repr=False)

    @property
    def base(self) -> Subject:
        """The column that ratios are taken to: raw TCP, or the first."""
        return next((s for s in self.subjects if s.implementation == BASELINE), self.subjects[0])

    def ratio(self, row: Row, subject: Subject) -> float | None:
        """How many times as good as the base; above 1 is better, whichever way is better.

        `None` without two figures, and for what is neither good nor bad.
        """
        ours, base = self.cells.get((row, subject)), self.cells.get((row, self.base))
        if ours is None or base is None or self.metric.better == "neither":
            return None
        over, under = (ours, base) if self.metric.better == "higher" else (base, ours)
        return over.median / under.median if over.median > 0 and under.median > 0 else None

    def ranks(self, row: Row) -> list[set[Subject]]:
        """From the best on, those that cannot be told apart together; nothing to rank, no ranks."""
        if row not in self._ranks:
            groups = {s: self.cells[row, s].values for s in self.subjects if (row, s) in self.cells}
            ranked = self.metric.better != "neither" and len(groups) > 1
            self._ranks[row] = statistics.rank(groups, self.metric.better == "higher") if ranked else []
        return self._ranks[row]

    def place(self, row: Row, subject: Subject) -> str:
        """`2`, or `2=` for one of several that cannot be told apart; empty without a rank."""
        before = 0
        for tied in self.ranks(row):
            if subject in tied:
                return f"{before + 1}{'=' if len(tied) > 1 else ''}"
            before += len(tied)
        return ""

    def varying(self) -> list[str]:
        """Names of the parameters that are numbers and differ between rows."""
        values: dict[str, set[int | float | str]] = {}
        for row in self.rows:
            for name, value in row:
                values.setdefault(name, set()).add(value)
        return [
            name
            for name, seen in values.items()
            if len(seen) > 1 and not any(isinstance(value, str) for value in seen)
        ]


@dataclass
class Scenario:
    """All that was found in one scenario.

    Attributes:
        rounds: how many were measured, without the warm-up.
        dropped: how many of them do not count, for some cell or for all.
    """

    name: str
    tables: list[Table] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    rounds: int = 0
    dropped: int = 0

    @property
    def primary(self) -> Table | None:
        """The metric that the scenario is about: the first that has a better and a worse."""
        return next((table for table in self.tables if table.metric.better != "neither"), None)

    def why(self, row: Row, subject: Subject) -> str | None:
        """Why there is no figure in this cell, if it is known."""
        return next(
            (f.why for f in self.failures if f.cell.subject == subject and row_of(f.cell.parameters) == row),
            None,
        )


@dataclass
class Summary:
    """A run in order of scenarios.

    Attributes:
        labels: a name for each subject, without what they all have in common.
        common: what they have in common: `("tcp", "uvloop")`.
    """

    run: Run
    subjects: list[Subject]
    labels: Mapping[Subject, str]
    common: Sequence[str]
    scenarios: list[Scenario]


def summarise(run: Run) -> Summary:
    """Reads the findings once. Values that are no finite number count as dropped rounds."""
    scenarios: dict[str, Scenario] = {}
    for finding in run.findings:
        scenario = scenarios.setdefault(finding.cell.scenario, Scenario(finding.cell.scenario))
        match finding:
            case Curve():
                scenario.curves.append(finding)
            case Verdict():
                scenario.verdicts.append(finding)
            case Failure():
                scenario.failures.append(finding)
            case Sample():
                pass
    for name, scenario in scenarios.items():
        samples = [
            f for f in run.findings if isinstance(f, Sample) and f.cell.scenario == name and f.round >= 0
        ]
        scenario.rounds = len({sample.round for sample in samples})
        scenario.dropped = len({sample.round for sample in samples if not _counts(sample)})
        scenario.tables = _tables(name, samples)
    subjects = list(dict.fromkeys(finding.cell.subject for finding in run.findings))
    labels, common = _labels(subjects)
    return Summary(run, subjects, labels, common, list(scenarios.values()))


def row_of(parameters: Parameters) -> Row:
    return tuple(parameters.items())


def _tables(scenario: str, samples: Iterable[Sample]) -> list[Table]:
    tables: dict[Metric, Table] = {}
    values: dict[tuple[Metric, Row, Subject], list[float]] = {}
    dropped: dict[tuple[Metric, Row, Subject], int] = {}
    for sample in samples:
        row, subject = row_of(sample.cell.parameters), sample.cell.subject
        key = (sample.metric, row, subject)
        if not _counts(sample):
            dropped[key] = dropped.get(key, 0) + 1
            continue
        table = tables.setdefault(sample.metric, Table(scenario, sample.metric))
        if row not in table.rows:
            table.rows.append(row)
        if subject not in table.subjects:
            table.subjects.append(subject)
        values.setdefault(key, []).append(sample.value)
    for (metric, row, subject), counted in values.items():
        tables[metric].cells[row, subject] = Estimate(tuple(counted), dropped.get((metric, row, subject), 0))
    return list(tables.values())


def _counts(sample: Sample) -> bool:
    return sample.kept and math.isfinite(sample.value)


def _labels(subjects: Sequence[Subject]) -> tuple[dict[Subject, str], list[str]]:
    """What all have in common, wherever they have it at all, need not stand in every legend."""
    common: dict[str, str] = {}
    for part in ("transport", "security", "muxer", "loop", "driver"):
        having = [value for subject in subjects if (value := getattr(subject, part))]
        if len(having) > 1 and len(set(having)) == 1:
            common[part] = having[0]
    short = {subject: str(replace(subject, **dict.fromkeys(common, ""))) for subject in subjects}
    if len(set(short.values())) < len(short):
        return {subject: str(subject) for subject in subjects}, []
    return short, list(common.values())
