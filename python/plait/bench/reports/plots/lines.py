"""A line for each subject: medians with intervals over a parameter, or a curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from plait.bench.reports.markup import Markup, element
from plait.bench.reports.palette import style_of
from plait.bench.reports.plots.frame import Key, drawing, frame, legend, line, marker, shorten, text
from plait.bench.reports.plots.scales import Axis

__all__ = ["Point", "Series", "line_plot"]


@dataclass(frozen=True, slots=True)
class Point:
    """A value, between the ends of its interval where it has one."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    said: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """One subject's points, in ascending x; without markers where there are many."""

    key: Key
    points: Sequence[Point]
    marked: bool = True


def line_plot(
    title: str, description: str, series: Sequence[Series], x: Axis, y: Axis, *, width: float = 760
) -> Markup:
    """The plot, higher where the legend needs it."""
    keys, high = legend([one.key for one in series], 12, 34, width - 12)
    top = 34 + high + 8
    height = top + max(210.0, width * 0.36)
    xs = [point.x for one in series for point in one.points]
    ys = [
        value
        for one in series
        for point in one.points
        for value in (point.y, point.low, point.high)
        if value is not None
    ]
    axes = frame(x, y, xs, ys, (12, top, width - 6, height - 4))
    drawn: list[str] = [text(12, 20, shorten(title, width - 20), "strong"), keys, axes.drawn]
    for one in series:
        name, _, dash = style_of(one.key.position)
        places = [(axes.x(point.x), axes.y(point.y)) for point in one.points]
        path = "M" + "L".join(f"{px:.1f} {py:.1f}" for px, py in places)
        parts: list[str] = [element("path", d=path, class_="curve", stroke_dasharray=dash)] if places else []
        for point, (px, py) in zip(one.points, places, strict=True):
            if point.low is not None and point.high is not None and point.high > point.low:
                low, upper = axes.y(point.low), axes.y(point.high)
                parts.append(line(px, low, px, upper, "whisker"))
                parts.extend(line(px - 4, end, px + 4, end, "whisker") for end in (low, upper))
            if one.marked:
                parts.append(marker(one.key.position, px, py, point.said))
        drawn.append(element("g", *parts, class_=name))
    return drawing(title, description, width, height, drawn)
