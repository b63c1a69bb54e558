"""A run with colours, by `rich`: a bar, and the medians of the scenario that is under way."""

from __future__ import annotations

import contextlib
import sys
from types import TracebackType

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
        # What the scenario is about comes first; the rest is for the table at the end.
        self._metric: Metric | None = None
        self._values: dict[tuple[Subject, Row], list[float]] = {}
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
                self._scenario, self._metric = cell.scenario, finding.metric
                self._values.clear()
            if finding.metric == self._metric:
                key = (cell.subject, row_of(cell.parameters))
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
        assert self._metric is not None  # there are values of it
        shown = Table(box=None, pad_edge=False, header_style="bold")
        shown.add_column(self._scenario, no_wrap=True)
        shown.add_column("", no_wrap=True)
        shown.add_column(f"{self._metric.name}, {self._metric.unit}", justify="right", no_wrap=True)
        shown.add_column("rounds", justify="right", no_wrap=True)
        for (subject, row), values in list(self._values.items())[-MOST_ROWS:]:
            given = numbers.parameters(dict(row)) if row else ""
            shown.add_row(str(subject), given, numbers.number(median(values)), str(len(values)))
        return shown

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A terminal that is gone costs nothing that comes behind it.
        with contextlib.suppress(OSError):
            self._live.stop()


# What fits on a small terminal below what is there already.
MOST_ROWS = 12
