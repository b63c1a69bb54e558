"""The same tables for a pull request: short enough to be read there, with what is long folded away."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence

from plait.bench.reports import numbers
from plait.bench.reports.markup import printable
from plait.bench.reports.summary import Row, Scenario, Summary, Table, summarise
from plait.bench.reports.words import environment_lines, rounds_line
from plait.bench.results import Run, Subject

__all__ = ["escape", "grid", "markdown"]

# What Markdown, GitHub's mentions and HTML inside of it would take for more than a letter.
SPECIAL = re.compile(r"(^[-+]|[\\`*_\[\]#!|~>&])")


def markdown(run: Run | Summary) -> str:
    """A run as GitHub's Markdown."""
    summary = summarise(run) if isinstance(run, Run) else run
    return "\n".join(_lines(summary)) + "\n"


def escape(text: str) -> str:
    """A text that stays text, on one line, inside a table too."""
    plain = SPECIAL.sub(r"\\\1", " ".join(printable(text).split()))
    # Behind a mark without width an `@` mentions nobody.
    return plain.replace("<", "&lt;").replace("@", "@\N{ZERO WIDTH SPACE}")


def grid(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table of cells that are escaped already: the first column to the left, all others to the right."""
    yield f"| {' | '.join(heads)} |"
    yield f"|{'|'.join(['---', *['--:'] * (len(heads) - 1)])}|"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def _lines(summary: Summary) -> Iterator[str]:
    yield "### plait bench"
    yield ""
    yield f"{escape(summary.run.started)}, {escape(shlex.join(summary.run.command))}"
    if not summary.run.finished:
        yield ""
        yield "It was broken off: what is here was measured until then."
    if summary.common:
        yield ""
        yield f"Where nothing else is said: {escape(', '.join(summary.common))}."
    for scenario in summary.scenarios:
        yield from _scenario(summary, scenario)
    yield ""
    yield "<details><summary>Where it was measured, and how to read it</summary>"
    yield ""
    yield from grid(["", ""], [[escape(k), escape(v)] for k, v in environment_lines(summary.run.environment)])
    yield ""
    yield (
        "Medians, in brackets their 95 % intervals by bootstrap. The number in front is the rank; "
        "= is a tie that this data cannot break. A ratio above 1× is better, whichever way is better."
    )
    yield ""
    yield "</details>"


def _scenario(summary: Summary, scenario: Scenario) -> Iterator[str]:
    yield ""
    yield f"#### {escape(scenario.name)}"
    yield ""
    if rounds := rounds_line(scenario):
        yield rounds
    for table in scenario.tables:
        yield ""
        yield f"{escape(table.metric.name)}, {escape(table.metric.unit)}"
        yield ""
        heads = ["", *(escape(summary.labels[subject]) for subject in table.subjects)]
        rows = [
            [
                escape(numbers.parameters(dict(row))),
                *(_cell(scenario, table, row, subject) for subject in table.subjects),
            ]
            for row in table.rows
        ]
        yield from grid(heads, rows)
    told = [
        f"- {'✓' if v.passed else '✗'} {escape(f'{v.name}, {summary.labels[v.cell.subject]}: {v.detail}')}"
        for v in scenario.verdicts
    ]
    told += [
        f"- not measured: {escape(summary.labels[f.cell.subject])}, "
        f"{escape(numbers.parameters(f.cell.parameters))}: {escape(f.why)}"
        for f in scenario.failures
    ]
    if told:
        yield ""
        yield from told


def _cell(scenario: Scenario, table: Table, row: Row, subject: Subject) -> str:
    estimate = table.cells.get((row, subject))
    if estimate is None:
        return "failed" if scenario.why(row, subject) else "–"
    place, ratio = table.place(row, subject), table.ratio(row, subject)
    low, high = (numbers.number(end) for end in estimate.interval)
    beside = f" {numbers.ratio(ratio)}" if ratio is not None and subject != table.base else ""
    return f"{place + ' · ' if place else ''}**{numbers.number(estimate.median)}** \\[{low}–{high}\\]{beside}"
