"""A run in a dozen lines, for the end of a terminal whose beginning has scrolled away."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from plait.bench.reports import numbers
from plait.bench.reports.summary import LAYERS, Row, Scenario, Summary, Table, summarise
from plait.bench.reports.text import CONTROL
from plait.bench.results import Run

__all__ = ["short"]


def short(run: Run | Summary, *, width: int = 100) -> str:
    """One figure of each scenario, and everything that does not hold or was not measured.

    Medians of one set of parameters without intervals and ranks: what can be told apart stands in the table.
    """
    summary = summarise(run) if isinstance(run, Run) else run
    lines = ["In short, medians without their intervals:"]
    for text in _lines(summary):
        text = text.translate(CONTROL)
        lines += textwrap.wrap(
            text, width, initial_indent="  ", subsequent_indent="      ", break_on_hyphens=False
        )
    return "\n".join(lines) + "\n"


def _lines(summary: Summary) -> Iterator[str]:
    for scenario in summary.scenarios:
        if scenario.name == LAYERS:
            yield from _layers(summary, scenario)
        elif judged := [table for table in scenario.tables if table.metric.better != "neither"]:
            # The first of those that most have: not everybody tells everything.
            yield _figures(summary, scenario, max(judged, key=lambda table: len(table.subjects)))
    failing: dict[str, list[str]] = {}
    for scenario in summary.scenarios:
        for verdict in scenario.verdicts:
            if not verdict.passed:
                about = f"{scenario.name} ({summary.labels[verdict.cell.subject]})"
                failing.setdefault(verdict.name, []).append(about)
    for name, where in failing.items():
        yield f"NO {name}: {', '.join(dict.fromkeys(where))}"
    reasons: dict[str, list[str]] = {}
    for scenario in summary.scenarios:
        for failure in scenario.failures:
            about = f"{scenario.name} ({summary.labels[failure.cell.subject]})"
            reasons.setdefault(failure.why, []).append(about)
    for why, where in reasons.items():
        yield f"not measured: {', '.join(dict.fromkeys(where))}: {why}"


def _figures(summary: Summary, scenario: Scenario, table: Table) -> str:
    row = _row(table)
    given = f"; {numbers.parameters(dict(row))}" if row else ""
    figures = [
        f"{summary.labels[subject]} {numbers.number(table.cells[row, subject].median)}"
        for subject in table.subjects
        if (row, subject) in table.cells
    ]
    return f"{scenario.name} ({table.metric.name}, {table.metric.unit}{given}): {', '.join(figures)}"


def _row(table: Table) -> Row:
    """A write size that all have, or else the first set of parameters."""
    return next((row for row in table.rows if dict(row).get("write_size") == WRITE_SIZE), table.rows[0])


def _layers(summary: Summary, scenario: Scenario) -> Iterator[str]:
    units = dict.fromkeys(table.metric.unit for table in scenario.tables)
    for unit in units:
        tables = [table for table in scenario.tables if table.metric.unit == unit]
        row, subject = tables[0].rows[0], tables[0].subjects[0]
        parts = [
            f"{table.metric.name} {numbers.number(table.cells[row, subject].median)}"
            for table in tables
            if (row, subject) in table.cells
        ]
        yield f"{scenario.name} ({unit}, {summary.labels[subject]}): {' + '.join(parts)}"


# That of peers, and of the chart.
WRITE_SIZE = 64 << 10
