"""What the reports say about a run that was never measured."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import ENVIRONMENT, NOISE, RATE, RAW, SUBJECTS, synthetic_run

from plait.bench import reports
from plait.bench.reports import palette
from plait.bench.results import Cell, Failure, Run, Sample, Subject
from plait.exceptions import ConfigError

RUN = synthetic_run()
SUMMARY = reports.summarise(RUN)
VOID = {"meta", "br", "col"}
EVIL = "<script>alert(1)</script>\"'&|`[x](y)\x1b[2J\x00@everyone"


class Page(HTMLParser):
    """What is open, and what there is."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def evil_run() -> Run:
    subject = Subject(EVIL, EVIL, EVIL, EVIL, EVIL, EVIL)
    cell = Cell(EVIL, subject, {EVIL: EVIL})
    samples = [Sample(cell, replace(RATE, name=EVIL, unit=EVIL), number, 1.0 + number) for number in range(5)]
    environment = replace(ENVIRONMENT, cpu=EVIL, versions={EVIL: EVIL})
    return Run(EVIL, [EVIL], environment, [*samples, Failure(cell, EVIL)])


def test_the_page_is_whole_and_each_plot_is_described() -> None:
    page = Page(reports.page(RUN))
    assert page.open == []
    # The heat map; two plots of each bulk; two of streams; the others as their data has them.
    assert page.tags.count("svg") == page.tags.count("desc") == 15
    assert page.tags.count("table") >= 15
    assert page.tags.count("h1") == 1


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    page = Page(reports.page(RUN))
    assert not {"script", "link", "img", "iframe", "object", "embed", "form"} & set(page.tags)
    assert not {"src", "style", "srcset", "data"} & {name for name, _ in page.attributes}
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert {value[0] for name, value in page.attributes if name == "href" and value} == {"#"}
    assert not re.search(r"url\(|@import", reports.page(RUN))


@pytest.mark.parametrize("report", [reports.page, reports.table, reports.markdown, reports.results_yaml])
def test_words_from_outside_stay_words(report: object) -> None:
    assert callable(report)
    text = report(evil_run())
    assert "\x1b" not in text
    assert "\x00" not in text
    if report is reports.page:
        page = Page(text)
        assert page.open == []
        assert "script" not in page.tags
        assert any("<script>alert(1)</script>" in words for words in page.words)
    if report is reports.markdown:
        assert "<script" not in text
        assert "@everyone" not in text
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if "rate" in line}) <= 1


@settings(max_examples=30)
@given(name=st.text(max_size=30), value=st.floats())
def test_any_name_and_any_value_make_whole_reports(name: str, value: float) -> None:
    samples = [Sample(Cell("bulk-up", Subject(name), {"write_size": 64}), RATE, n, value) for n in range(4)]
    run = Run("", [], ENVIRONMENT, [*samples, Sample(Cell("bulk-up", RAW, {"write_size": 64}), RATE, 0, 1.0)])
    assert Page(reports.page(run)).open == []
    ET.fromstring(reports.chart(run))
    assert reports.table(run).endswith("\n")


def test_a_run_without_findings_has_reports_and_no_chart() -> None:
    empty = Run("2000-01-01T00:00:00Z", [], ENVIRONMENT)
    assert "broken off" in reports.table(empty)
    assert Page(reports.page(empty)).tags.count("svg") == 0
    with pytest.raises(ConfigError):
        reports.chart(empty)


def test_a_dropped_round_is_in_no_figure_and_is_counted() -> None:
    cell = Cell("bulk-up", NOISE)
    samples = [
        Sample(cell, RATE, -1, 9e9),
        Sample(cell, RATE, 0, 10.0),
        Sample(cell, RATE, 1, 9e9, kept=False),
    ]
    [scenario] = reports.summarise(Run("", [], ENVIRONMENT, [*samples])).scenarios
    estimate = scenario.tables[0].cells[(), NOISE]
    assert (estimate.values, estimate.dropped) == ((10.0,), 1)
    assert (scenario.rounds, scenario.dropped) == (2, 1)


def test_ratios_are_above_one_where_it_is_better() -> None:
    rate, cpu = next(s for s in SUMMARY.scenarios if s.name == "bulk-up").tables
    for table in (rate, cpu):
        assert table.base == RAW
        assert all(0.4 < (table.ratio(row, NOISE) or 0) < 0.6 for row in table.rows)
        assert table.place(table.rows[-1], RAW) == "1"
        assert table.place(table.rows[-1], NOISE) == "3="


def test_the_text_has_a_line_for_each_row_within_its_width() -> None:
    lines = reports.table(RUN, width=120).splitlines()
    rows = [line for line in lines if line.startswith("    write size 64 KiB")]
    # Two scenarios, two metrics, five subjects of which three or four fit.
    assert len(rows) == 8
    assert max(map(len, rows)) <= 120
    assert sum(line.count("[") for line in rows) == 20
    assert [line.split()[0] for line in lines if "█" in line][:6] == [
        "yamux",
        "noise",
        "socket",
        "event",
        "handler",
        "all",
    ]
    assert any(re.match(r"  not measured \(.*synthetic-peer went away after 3", line) for line in lines)


def test_the_yaml_has_the_shape_of_the_suite() -> None:
    lines = reports.results_yaml(RUN).splitlines()
    tops = [line for line in lines if line and not line.startswith(" ")]
    assert tops == ["metadata:", "summary:", "baselineResults:", "testResults:"]
    assert sum(line.startswith("  - name: ") for line in lines) == len(SUBJECTS)
    start = lines.index("    upload:")
    assert [line.split(":")[0].strip() for line in lines[start + 1 : start + 10]] == [
        "iterations",
        "min",
        "q1",
        "median",
        "q3",
        "max",
        "outliers",
        "samples",
        "unit",
    ]
    # 955 MB/s are 7.64 Gbps.
    assert 7 < float(lines[start + 4].split(":")[1]) < 8


def test_all_reports_are_written_and_what_cannot_be_is_a_warning(tmp_path: Path) -> None:
    warnings: list[str] = []
    (tmp_path / "report.md").mkdir()
    written = reports.write_all(SUMMARY, tmp_path, warnings.append)
    assert [path.name for path in written] == ["report.html", "results.yaml"]
    assert len(warnings) == 1
    assert reports.write_all(SUMMARY, tmp_path / "results.yaml" / "x", warnings.append) == []
    assert len(warnings) == 2


@pytest.mark.parametrize("colours", [palette.LIGHT, palette.DARK])
def test_colours_can_be_told_from_what_they_lie_on(colours: dict[str, str]) -> None:
    for name, colour in colours.items():
        least = {"ink": 7.0, "muted": 4.5, "good": 4.5, "bad": 4.5}.get(name, 3.0)
        if name not in ("page", "surface", "line"):
            assert contrast(colour, colours["surface"]) >= least, name


def test_figures_in_the_heat_map_can_be_read() -> None:
    for level, (fill, ink, dark_fill, dark_ink) in palette.HEAT.items():
        assert contrast(fill, ink) >= 4.5, level
        assert contrast(dark_fill, dark_ink) >= 4.5, level


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2.2."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
