"""A bar for each subject, and the waterfall: bars that begin where the one above ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from plait.bench.reports import numbers
from plait.bench.reports.markup import Markup, element
from plait.bench.reports.palette import style_of
from plait.bench.reports.plots.frame import Key, drawing, line, shorten, text, width_of
from plait.bench.reports.plots.scales import Axis, Scale

__all__ = ["Bar", "bar_plot", "waterfall"]

HIGH = 18.0
STEP = 28.0
# Of the drawing's width; a longer name is cut, and whole in the table.
MOST_LABEL = 0.4


@dataclass(frozen=True, slots=True)
class Bar:
    """A median between the ends of its interval; `label` is the subject, or the layer."""

    key: Key
    value: float
    low: float
    high: float


def bar_plot(title: str, description: str, bars: Sequence[Bar], unit: str, *, width: float = 760) -> Markup:
    """Bars from zero, with their intervals."""
    return _bars(title, description, [(bar, 0.0) for bar in bars], unit, width)


def waterfall(
    title: str, description: str, layers: Sequence[Bar], unit: str, *, width: float = 760
) -> Markup:
    """What each layer adds, one below the other, and the sum."""
    placed, total = [], 0.0
    for layer in layers:
        placed.append((layer, total))
        total += layer.value
    placed.append((Bar(Key("all layers", -1), total, total, total), 0.0))
    return _bars(title, description, placed, unit, width, linked=True)


def _bars(
    title: str,
    description: str,
    placed: Sequence[tuple[Bar, float]],
    unit: str,
    width: float,
    *,
    linked: bool = False,
) -> Markup:
    room = min(width * MOST_LABEL, 14 + max(width_of(bar.key.label) for bar, _ in placed))
    written = 14 + max(width_of(_figure(bar, unit)) for bar, _ in placed)
    height = 40 + STEP * len(placed) + 6
    reach = [edge for bar, start in placed for edge in (start, start + bar.value, start + bar.high)]
    scale = Scale.over(Axis(unit), reach, 12 + room, width - written)
    drawn: list[str] = [text(12, 20, shorten(title, width - 20), "strong")]
    drawn.append(line(scale(0), 32, scale(0), height - 6, "axis"))
    for index, (bar, start) in enumerate(placed):
        top = 36 + STEP * index
        middle = top + HIGH / 2
        left, right = sorted((scale(start), scale(start + bar.value)))
        low, high = scale(start + bar.low), scale(start + bar.high)
        said = element("title", f"{bar.key.label}: {numbers.measured(bar.value, bar.low, bar.high)} {unit}")
        parts: list[str] = [
            # A pixel at least, or a layer that costs nothing would not be there at all.
            element(
                "rect", said, rx=2, x=f"{left:.1f}", y=top, height=HIGH, class_="fill",
                width=f"{max(1.0, right - left):.1f}",
            )
        ]  # fmt: skip
        if bar.high > bar.low:
            parts.append(line(low, middle, high, middle, "over"))
            parts.extend(line(end, middle - 4, end, middle + 4, "over") for end in (low, high))
        if linked and index + 1 < len(placed):
            parts.append(
                line(scale(start + bar.value), top + HIGH, scale(start + bar.value), top + STEP, "link")
            )
        drawn.append(text(4 + room, top + 13, shorten(bar.key.label, room - 8), None, "end"))
        drawn.append(element("g", *parts, class_=style_of(bar.key.position)[0]))
        drawn.append(text(max(right, high) + 8, top + 13, _figure(bar, unit)))
    return drawing(title, description, width, height, drawn)


def _figure(bar: Bar, unit: str) -> str:
    if bar.high > bar.low:
        return f"{numbers.measured(bar.value, bar.low, bar.high)} {unit}"
    return f"{numbers.number(bar.value)} {unit}"
