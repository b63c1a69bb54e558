"""Tables for a terminal, or for a file that people read."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from plait.bench.reports import numbers
from plait.bench.reports.summary import LAYERS, Row, Scenario, Summary, Table, summarise
from plait.bench.reports.words import environment_lines, explained, rounds_line
from plait.bench.results import Run, Subject

__all__ = ["table"]

# Of the bars of the waterfall, in characters.
BAR = 36
CONTROL = dict.fromkeys((*range(32), *range(127, 160)), "�")


def table(run: Run | Summary, *, width: int = 100) -> str:
    """All of a run as text; tables too wide for `width` characters continue below."""
    summary = summarise(run) if isinstance(run, Run) else run
    # A peer's words may not move the cursor of a terminal.
    return "\n".join(line.translate(CONTROL).rstrip() for line in _lines(summary, width)) + "\n"


def _lines(summary: Summary, width: int) -> Iterator[str]:
    run = summary.run
    yield f"plait bench, {run.started}: {shlex.join(run.command)}"
    if not run.finished:
        yield "It was broken off: what is here was measured until then."
    for name, value in environment_lines(run.environment):
        yield f"  {name + ':':<14} {value}"
    if summary.common:
        yield f"  where nothing else is said: {', '.join(summary.common)}"
    yield "Medians [95 % intervals]; the number in front is the rank, = is a tie that this data cannot break."
    for scenario in summary.scenarios:
        yield ""
        yield f"{scenario.name}: {explained(scenario.name)}{rounds_line(scenario)}"
        if scenario.name == LAYERS:
            yield from _waterfalls(summary, scenario)
        else:
            for one in scenario.tables:
                yield from _table(summary, scenario, one, width)
        yield from _told(summary, scenario)


def _table(summary: Summary, scenario: Scenario, one: Table, width: int) -> Iterator[str]:
    first = ["", *(numbers.parameters(dict(row)) for row in one.rows)]
    columns = [_column(summary, scenario, one, subject) for subject in one.subjects]
    beside = ""
    if len(one.subjects) > 1 and one.metric.better != "neither":
        beside = (
            f", {'more' if one.metric.better == 'higher' else 'less'} is better; × {summary.labels[one.base]}"
        )
    yield f"  {one.metric.name}, {one.metric.unit}{beside}"
    left = max(map(len, first))
    while columns:
        taken, used = 0, 4 + left
        for column in columns:
            used += 2 + max(map(len, column))
            if taken and used > width:
                break
            taken += 1
        now, columns = columns[:taken], columns[taken:]
        for index, name in enumerate(first):
            cells = (f"{column[index]:>{max(map(len, column))}}" for column in now)
            yield f"    {name:<{left}}  {'  '.join(cells)}"


def _column(summary: Summary, scenario: Scenario, one: Table, subject: Subject) -> list[str]:
    return [summary.labels[subject], *(_cell(scenario, one, row, subject) for row in one.rows)]


def _cell(scenario: Scenario, one: Table, row: Row, subject: Subject) -> str:
    estimate = one.cells.get((row, subject))
    if estimate is None:
        return "failed" if scenario.why(row, subject) else "–"
    place, ratio = one.place(row, subject), one.ratio(row, subject)
    figure = numbers.measured(estimate.median, *estimate.interval)
    beside = f" {numbers.ratio(ratio):>6}" if ratio is not None and subject != one.base else ""
    return f"{place + ' ' if place else ''}{figure}{beside}"


def _waterfalls(summary: Summary, scenario: Scenario) -> Iterator[str]:
    groups: dict[tuple[Subject, Row, str], list[tuple[str, float, str]]] = {}
    for one in scenario.tables:
        for (row, subject), cell in one.cells.items():
            said = numbers.measured(cell.median, *cell.interval)
            groups.setdefault((subject, row, one.metric.unit), []).append(
                (one.metric.name, cell.median, said)
            )
    for (subject, row, unit), layers in groups.items():
        given = f", {numbers.parameters(dict(row))}" if row else ""
        yield f"  {unit} that each layer adds: {summary.labels[subject]}{given}"
        yield from (f"    {line}" for line in _waterfall(layers, unit))


def _waterfall(layers: Sequence[tuple[str, float, str]], unit: str) -> Iterator[str]:
    total = sum(value for _, value, _ in layers)
    left = max(len(name) for name in ["all layers", *(name for name, _, _ in layers)])
    # A layer inside the noise may seem to cost less than nothing: the bar needs room to go back.
    reach, at = 0.0, 0.0
    for _, value, _ in layers:
        at += value
        reach = max(reach, at)
    at = 0.0
    for name, value, said in layers:
        start, end = sorted((_characters(at, reach), _characters(at + value, reach)))
        at += value
        bar = f"{' ' * start}{'█' * max(1, end - start)}"
        yield f"{name:<{left}}  {bar:<{BAR + 1}} {said} {unit}"
    bar = "█" * max(1, _characters(total, reach))
    yield f"{'all layers':<{left}}  {bar:<{BAR + 1}} {numbers.number(total)} {unit}"


def _characters(value: float, reach: float) -> int:
    return max(0, round(BAR * value / reach)) if reach > 0 else 0


def _told(summary: Summary, scenario: Scenario) -> Iterator[str]:
    for verdict in scenario.verdicts:
        who = f"{summary.labels[verdict.cell.subject]}, {numbers.parameters(verdict.cell.parameters)}"
        yield f"  {'yes' if verdict.passed else 'NO '}  {verdict.name} ({who}): {verdict.detail}"
    for failure in scenario.failures:
        who = f"{summary.labels[failure.cell.subject]}, {numbers.parameters(failure.cell.parameters)}"
        yield f"  not measured ({who}): {failure.why}"
