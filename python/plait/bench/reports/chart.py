"""A picture of a run that stands alone, for a README."""

from __future__ import annotations

from plait.bench.reports import palette
from plait.bench.reports.figures import Figures
from plait.bench.reports.markup import Markup, element
from plait.bench.reports.summary import Summary, summarise
from plait.bench.results import Run
from plait.exceptions import ConfigError

__all__ = ["chart"]


def chart(run: Run | Summary) -> str:
    """An SVG that follows light and dark by itself, also inside `<img>`.

    Raises `ConfigError` for a run in which nothing was measured that could be drawn.
    """
    summary = summarise(run) if isinstance(run, Run) else run
    drawn = Figures(summary).chart()
    if drawn is None:
        raise ConfigError("there is nothing in this run that a chart could show")
    end = drawn.index(">") + 1
    # It has no page behind it, so it brings the page's colour along.
    style = element("style", Markup(palette.css()))
    back = element("rect", width="100%", height="100%", rx=8, style="fill:var(--surface)")
    return Markup(drawn[:end] + style + back + drawn[end:]) + "\n"
