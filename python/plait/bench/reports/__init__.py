"""What a run found, told to people and to programs.

Purpose: say what was measured, with intervals, without claiming more than the data shows.
Takes: a run, or the file of one.
Gives: text, a page of plots, Markdown, YAML, a chart, comparisons and a gate.
May look at: `bench.results` and `bench.statistics`; nothing that measures.
"""

from plait.bench.reports.chart import chart
from plait.bench.reports.compare import Change, Comparison, compare, gate
from plait.bench.reports.html import page
from plait.bench.reports.jsonl import Writer, load
from plait.bench.reports.markdown import markdown
from plait.bench.reports.perf_yaml import results_yaml
from plait.bench.reports.short import short
from plait.bench.reports.summary import Summary, summarise
from plait.bench.reports.text import table
from plait.bench.reports.writing import write_all

__all__ = [
    "Change",
    "Comparison",
    "Summary",
    "Writer",
    "chart",
    "compare",
    "gate",
    "load",
    "markdown",
    "page",
    "results_yaml",
    "short",
    "summarise",
    "table",
    "write_all",
]
