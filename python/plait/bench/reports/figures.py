"""Which plots a run deserves, chosen by the form of the data: a scenario of your own has plots too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from plait.bench.reports import numbers
from plait.bench.reports.markup import Markup
from plait.bench.reports.plots.bars import Bar, bar_plot, waterfall
from plait.bench.reports.plots.frame import Key
from plait.bench.reports.plots.heat import heat_map
from plait.bench.reports.plots.lines import Point, Series, line_plot
from plait.bench.reports.plots.scales import Axis, pick
from plait.bench.reports.summary import BASELINE, LAYERS, Row, Scenario, Summary, Table
from plait.bench.results import Curve, Subject

__all__ = ["Figures"]

# Two such plots fit side by side on the page.
WIDE = 470.0
MEDIANS = "Medians; the whiskers are 95 % intervals."


@dataclass(frozen=True, slots=True)
class Figures:
    """The plots of one run; a subject has the same look in all of them."""

    summary: Summary

    def overview(self) -> Markup | None:
        """The heat map over all scenarios; `None` where there is nothing to compare."""
        rows: list[str] = []
        ratios: dict[tuple[int, int], float] = {}
        subjects = self.summary.subjects
        for scenario in self.summary.scenarios:
            table = scenario.primary
            if table is None or len(table.subjects) < 2 or scenario.name == LAYERS:
                continue
            for row in table.rows:
                found = {
                    subjects.index(s): r for s in table.subjects if (r := table.ratio(row, s)) is not None
                }
                if len(found) > 1:
                    ratios |= {(len(rows), column): ratio for column, ratio in found.items()}
                    rows.append(" ".join([scenario.name, *(_short(*pair) for pair in row)]))
        if not rows:
            return None
        title = f"How many times as good as {BASELINE}"
        told = (
            "A row for each scenario, a column for each subject; where there is no raw TCP, the first is 1×."
        )
        return heat_map(title, told, rows, [self.summary.labels[s] for s in subjects], ratios, width=976)

    def chart(self) -> Markup | None:
        """The one plot that says most about a run: the rate of bulk by write size."""
        for name in ("bulk-up", "bulk-down"):
            scenario = next((one for one in self.summary.scenarios if one.name == name), None)
            if scenario is not None and scenario.primary is not None:
                return next(self.of_table(scenario.primary, width=760.0), None)
        return self.overview()

    def of_scenario(self, scenario: Scenario) -> Iterator[Markup]:
        """Its plots, in the order in which they are read."""
        if scenario.name == LAYERS:
            yield from self._waterfalls(scenario)
        else:
            for table in scenario.tables:
                yield from self.of_table(table)
        yield from self._curves(scenario.curves)

    def of_table(self, table: Table, *, width: float = WIDE) -> Iterator[Markup]:
        """Lines over the parameter with most values, one plot for each set of the others; else bars."""
        across = max(
            table.varying(), key=lambda name: len({dict(row).get(name) for row in table.rows}), default=None
        )
        groups: dict[Row, list[Row]] = {}
        for row in table.rows:
            groups.setdefault(tuple(pair for pair in row if pair[0] != across), []).append(row)
        for rest, rows in groups.items():
            given = f", {numbers.parameters(dict(rest))}" if rest else ""
            if across is None or len(rows) == 1:
                given = f", {numbers.parameters(dict(rows[0]))}" if rows[0] else ""
                title = f"{table.metric.name}, {table.metric.unit}{given} {_way(table)}"
                yield bar_plot(title, MEDIANS, self._bars(table, rows[0]), table.metric.unit, width=width)
            else:
                title = f"{table.metric.name} by {numbers.title(across)}{given} {_way(table)}"
                yield self._lines(title, table, across, rows, width)

    def _lines(self, title: str, table: Table, across: str, rows: Sequence[Row], width: float) -> Markup:
        series = []
        for subject in table.subjects:
            points = []
            for row in rows:
                estimate = table.cells.get((row, subject))
                x = dict(row).get(across)
                if estimate is None or isinstance(x, str | None):
                    continue
                low, high = estimate.interval
                said = (
                    f"{self.summary.labels[subject]}, {numbers.parameter(across, x)}: "
                    f"{numbers.measured(estimate.median, low, high)} {table.metric.unit}"
                )
                points.append(Point(x, estimate.median, low, high, said))
            if points:
                points.sort(key=lambda point: point.x)
                series.append(Series(self._key(subject), points))
        xs = sorted({point.x for one in series for point in one.points})
        x_axis = Axis(numbers.title(across), pick(xs), lambda value: _tick(across, value), xs)
        y_axis = Axis(table.metric.unit, pick(point.y for one in series for point in one.points))
        return line_plot(title, MEDIANS, series, x_axis, y_axis, width=width)

    def _bars(self, table: Table, row: Row) -> list[Bar]:
        found = [
            (subject, table.cells[row, subject])
            for subject in table.subjects
            if (row, subject) in table.cells
        ]
        return [Bar(self._key(subject), cell.median, *cell.interval) for subject, cell in found]

    def _waterfalls(self, scenario: Scenario) -> Iterator[Markup]:
        groups: dict[tuple[Subject, Row, str], list[Bar]] = {}
        for table in scenario.tables:
            for (row, subject), cell in table.cells.items():
                bars = groups.setdefault((subject, row, table.metric.unit), [])
                bars.append(Bar(Key(table.metric.name, len(bars)), cell.median, *cell.interval))
        for (subject, row, unit), bars in groups.items():
            given = f", {numbers.parameters(dict(row))}" if row else ""
            title = f"What each layer adds, {unit}: {self.summary.labels[subject]}{given}"
            yield waterfall(title, MEDIANS, bars, unit, width=WIDE)

    def _curves(self, curves: Sequence[Curve]) -> Iterator[Markup]:
        groups: dict[tuple[str, Row], dict[Subject, list[Curve]]] = {}
        for curve in curves:
            group = groups.setdefault((curve.name, tuple(curve.cell.parameters.items())), {})
            group.setdefault(curve.cell.subject, []).append(curve)
        for (name, row), by_subject in groups.items():
            chosen = {subject: _middle(of_one) for subject, of_one in by_subject.items()}
            first = next(iter(chosen.values()))
            series = [
                Series(self._key(subject), [Point(x, y) for x, y in _resolved(curve)], marked=False)
                for subject, curve in chosen.items()
                if curve.points
            ]
            if not series:
                continue
            xs = [point.x for one in series for point in one.points]
            spread = all(_is_distribution(curve) for curve in chosen.values())
            x_axis = Axis(first.x_unit, pick(xs) if spread else "linear")
            y_axis = Axis("share of all", "nines", _percent) if spread else Axis(first.y_unit or name)
            given = f", {numbers.parameters(dict(row))}" if row else ""
            rounds = max(len(of_one) for of_one in by_subject.values())
            told = f"Of {rounds} rounds the one in the middle." if rounds > 1 else "One round."
            yield line_plot(f"{name}{given}", told, series, x_axis, y_axis, width=WIDE)

    def _key(self, subject: Subject) -> Key:
        return Key(self.summary.labels[subject], self._positions()[subject])

    def _positions(self) -> Mapping[Subject, int]:
        plain = [subject for subject in self.summary.subjects if subject.implementation != BASELINE]
        return {
            subject: plain.index(subject) if subject in plain else -1 for subject in self.summary.subjects
        }


def _way(table: Table) -> str:
    return {"higher": "(more is better)", "lower": "(less is better)", "neither": ""}[table.metric.better]


def _short(name: str, value: int | float | str) -> str:
    """`write_size` speaks for itself with its unit; a bare number needs its name."""
    said = numbers.parameter(name, value)
    return said if isinstance(value, str) or not said[-1].isdigit() else f"{numbers.title(name)} {said}"


def _tick(name: str, value: float) -> str:
    return numbers.parameter(name, int(value) if value == int(value) else value)


def _percent(share: float) -> str:
    return f"{share * 100:.10g} %"


def _is_distribution(curve: Curve) -> bool:
    """Shares that only rise, up to all: a cumulative distribution, whatever it is called."""
    ys = [y for _, y in curve.points]
    rising = all(before <= after for before, after in pairwise(ys))
    return (
        bool(ys) and rising and ys[0] >= 0 and 0.99 <= ys[-1] <= 1.0 and curve.x_unit not in ("s", "seconds")
    )


def _resolved(curve: Curve) -> Sequence[tuple[float, float]]:
    """Without the greatest value of a distribution, whose 100 % has no place on an axis of nines."""
    below = [point for point in curve.points if point[1] < 1]
    return below if _is_distribution(curve) and below else curve.points


def _middle(curves: Sequence[Curve]) -> Curve:
    """Of several rounds the one that is neither the best nor the worst, by the mean of its points."""

    def height(curve: Curve) -> float:
        return sum(x * y for x, y in curve.points) / max(1, len(curve.points))

    return sorted(curves, key=height)[len(curves) // 2]
