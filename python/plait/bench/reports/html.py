"""One page that needs nothing else: no scripts, no fonts, no pictures from anywhere.

Its Content-Security-Policy says so too: `default-src 'none'`, and of styles the one whose digest is given.
"""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Iterator, Sequence

from plait.bench.reports import numbers
from plait.bench.reports.figures import Figures
from plait.bench.reports.markup import Markup, element, join
from plait.bench.reports.style import stylesheet
from plait.bench.reports.summary import Row, Scenario, Summary, Table, summarise
from plait.bench.reports.words import environment_lines, explained, rounds_line
from plait.bench.results import Run, Subject

__all__ = ["page"]


def page(run: Run | Summary) -> str:
    """The whole report."""
    summary = summarise(run) if isinstance(run, Run) else run
    style = stylesheet()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width,initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"plait bench, {summary.run.started}"),
        # Not escaped: what is inside a style element is no HTML, and this one is all ours.
        element("style", Markup(style)),
    )
    body = element("body", element("main", *_top(summary), *_sections(summary)))
    return "<!DOCTYPE html>\n" + element("html", head, body, lang="en") + "\n"


def _top(summary: Summary) -> Iterator[Markup]:
    run = summary.run
    yield element("h1", "plait bench")
    ended = "" if run.finished else " It was broken off: what is here was measured until then."
    yield element(
        "p", f"{run.started}, ", element("code", shlex.join(run.command)), f".{ended}", class_="quiet"
    )
    links = [element("li", element("a", s.name, href=f"#s{i}")) for i, s in enumerate(summary.scenarios)]
    yield element("nav", element("ul", *links), aria_label="Scenarios")
    terms = [
        part
        for name, value in environment_lines(run.environment)
        for part in (element("dt", name), element("dd", value))
    ]
    reading = (
        "Figures are medians; in brackets, and as whiskers, the 95 % interval of the median by bootstrap. "
        "The number before a figure is its rank, with = for those that this data cannot tell apart."
    )
    common = f" Where nothing else is said: {', '.join(summary.common)}." if summary.common else ""
    yield element(
        "section",
        element("h2", "Where, and how to read it"),
        element("dl", *terms),
        element("p", reading + common),
    )
    overview = Figures(summary).overview()
    if overview is not None:
        told = "Above 1× is better, whichever way is better. Each scenario is there with its first metric."
        yield element(
            "section", element("h2", "At a glance"), element("p", told), element("figure", overview)
        )


def _sections(summary: Summary) -> Iterator[Markup]:
    figures = Figures(summary)
    for index, scenario in enumerate(summary.scenarios):
        plots = [element("figure", plot) for plot in figures.of_scenario(scenario)]
        yield element(
            "section",
            element("h2", scenario.name),
            element("p", join(part for part in (explained(scenario.name), rounds_line(scenario)) if part)),
            element("div", *plots, class_="plots"),
            *(_table(summary, scenario, table) for table in scenario.tables),
            *_verdicts(summary, scenario),
            *_failures(summary, scenario),
            *_every_round(summary, scenario),
            id=f"s{index}",
        )


def _table(summary: Summary, scenario: Scenario, table: Table) -> Markup:
    caption = f"{table.metric.name}, {table.metric.unit}"
    if len(table.subjects) > 1 and table.metric.better != "neither":
        caption += f" (× {summary.labels[table.base]})"
    rows = [
        element(
            "tr",
            element("th", numbers.parameters(dict(row)), scope="row"),
            *(_cell(scenario, table, row, subject) for subject in table.subjects),
        )
        for row in table.rows
    ]
    return _grid(caption, ["parameters", *(summary.labels[s] for s in table.subjects)], rows)


def _cell(scenario: Scenario, table: Table, row: Row, subject: Subject) -> Markup:
    estimate = table.cells.get((row, subject))
    if estimate is None:
        why = scenario.why(row, subject)
        return element("td", why or "–", class_="words bad" if why else None)
    place, ratio = table.place(row, subject), table.ratio(row, subject)
    beside = f" {numbers.ratio(ratio)}" if ratio is not None and subject != table.base else ""
    low, high = estimate.interval
    return element(
        "td",
        element("small", f"{place} " if place else ""),
        element("b", numbers.number(estimate.median)),
        element("small", f" [{numbers.number(low)}–{numbers.number(high)}]"),
        beside,
    )


def _verdicts(summary: Summary, scenario: Scenario) -> Iterator[Markup]:
    if not scenario.verdicts:
        return
    rows = [
        element(
            "tr",
            element("td", summary.labels[verdict.cell.subject], class_="words"),
            element("td", numbers.parameters(verdict.cell.parameters), class_="words"),
            element("td", verdict.name, class_="words"),
            element("td", "✓ yes" if verdict.passed else "✗ no", class_="good" if verdict.passed else "bad"),
            element("td", verdict.detail, class_="words"),
        )
        for verdict in scenario.verdicts
    ]
    yield _grid("What held", ["subject", "parameters", "what", "holds", "how far"], rows)


def _failures(summary: Summary, scenario: Scenario) -> Iterator[Markup]:
    if not scenario.failures:
        return
    rows = [
        element(
            "tr",
            element("td", summary.labels[failure.cell.subject], class_="words"),
            element("td", numbers.parameters(failure.cell.parameters), class_="words"),
            element("td", failure.why, class_="words bad"),
        )
        for failure in scenario.failures
    ]
    yield _grid("Not measured", ["subject", "parameters", "why"], rows)


def _every_round(summary: Summary, scenario: Scenario) -> Iterator[Markup]:
    """The data behind the figures, so that nobody has to take them on trust."""
    rows = [
        element(
            "tr",
            element("td", summary.labels[subject], class_="words"),
            element("td", numbers.parameters(dict(row)), class_="words"),
            element("td", f"{table.metric.name}, {table.metric.unit}", class_="words"),
            element("td", " ".join(f"{value:.6g}" for value in estimate.values), class_="words"),
            element("td", str(estimate.dropped)),
        )
        for table in scenario.tables
        for (row, subject), estimate in table.cells.items()
    ]
    if rows:
        heads = ["subject", "parameters", "metric", "rounds that count, in their order", "dropped"]
        yield element("details", element("summary", "Every round"), _grid("", heads, rows))


def _grid(caption: str, heads: Sequence[str], rows: Sequence[Markup]) -> Markup:
    head = element("thead", element("tr", *(element("th", name, scope="col") for name in heads)))
    title = [element("caption", caption)] if caption else []
    return element("div", element("table", *title, head, element("tbody", *rows)), class_="scroll")
