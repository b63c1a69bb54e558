"""A run with colours, by `rich`: a bar, and the medians of the scenario that is under way."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table
from rich.text import Text

from plait.bench.reports import numbers
from plait.bench.reports.summary import Row, row_of
from plait.bench.results import Finding, Metric, Sample, Subject
from plait.bench.statistics import median
from plait.cli.bench.watching import Telling
from plait.cli.output import Output, duration

__all__ = ["LiveView"]


class LiveView(Telling):
    """A `View` on a terminal."""

    def __init__(self, out: Output) -> None:
        super().__init__(out)
        self._bar = Progress(
            BarColumn(), TaskProgressColumn(), MofNCompleteColumn(), TextColumn("{task.fields[left]}")
        )
        self._task = self._bar.add_task("", total=None, left="")
        self._scenario = ""
        self._values: dict[tuple[Subject, Row, Metric], list[float]] = {}
        self._live = Live(
            console=Console(stderr=True),
            # Its own thread would take a core from what is measured.
            auto_refresh=False,
            transient=True,
            # On a terminal results are printed above; what goes elsewhere is not its business.
            redirect_stdout=sys.stdout.isatty(),
        )

    def begins(self, total_steps: int) -> None:
        super().begins(total_steps)
        self._live.start()

    def found(self, finding: Finding) -> None:
        super().found(finding)
        if isinstance(finding, Sample) and finding.kept and finding.round >= 0:
            cell = finding.cell
            if cell.scenario != self._scenario:
                self._scenario = cell.scenario
                self._values.clear()
            key = (cell.subject, row_of(cell.parameters), finding.metric)
            self._values.setdefault(key, []).append(finding.value)

    def show(self, text: str) -> None:
        left = self.left
        self._bar.update(
            self._task,
            completed=self.steps - 1,
            total=self.total,
            left="" if left is None else f"{duration(left)} left",
        )
        # The figures of a row come when all its rounds are done; until then there is nothing to head.
        figures = [self._figures()] if self._values else []
        self._live.update(Group(*figures, Text(text, no_wrap=True), self._bar), refresh=True)

    def say(self, text: str) -> None:
        self._live.console.print(Text(text))

    def _figures(self) -> Table:
        shown = Table(box=None, pad_edge=False, header_style="bold")
        for heading, justify in COLUMNS.items():
            shown.add_column(heading, justify=justify, no_wrap=True)
        for (subject, row, metric), values in list(self._values.items())[-MOST_ROWS:]:
            shown.add_row(
                str(subject),
                numbers.parameters(dict(row)),
                metric.name,
                numbers.number(median(values)),
                metric.unit,
                str(len(values)),
            )
        return shown

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()


COLUMNS: dict[str, Any] = {
    "subject": "left",
    "of": "left",
    "metric": "left",
    "median so far": "right",
    "unit": "left",
    "rounds": "right",
}
# What fits on a small terminal below what is there already.
MOST_ROWS = 12
