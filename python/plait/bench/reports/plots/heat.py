"""The heat map: how each subject does beside the base, in each scenario."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from plait.bench.reports import numbers
from plait.bench.reports.markup import Markup, element
from plait.bench.reports.palette import HEAT, heat_level
from plait.bench.reports.plots.frame import drawing, shorten, text, width_of

__all__ = ["heat_map"]

HIGH = 24.0


def heat_map(
    title: str,
    description: str,
    rows: Sequence[str],
    columns: Sequence[str],
    ratios: Mapping[tuple[int, int], float],
    *,
    width: float = 760,
) -> Markup:
    """A cell for each ratio, by (row, column); above 1 is better. Cells without one stay empty."""
    left = min(width * 0.45, 20 + max((width_of(row) for row in rows), default=0))
    wide = (width - left - 8) / max(1, len(columns))
    words = [_stacked(column, wide) for column in columns]
    deep = max((len(stack) for stack in words), default=1)
    top = 36 + 15 * deep
    height = top + HIGH * len(rows) + 40
    drawn: list[str] = [text(12, 20, title, "strong")]
    for column, stack in enumerate(words):
        middle = left + wide * (column + 0.5)
        for index, word in enumerate(stack):
            drawn.append(text(middle, top - 8 - 15 * (len(stack) - 1 - index), word, "muted", "middle"))
    for row, name in enumerate(rows):
        drawn.append(text(left - 8, top + HIGH * row + 16, shorten(name, left - 16), None, "end"))
    for (row, column), ratio in ratios.items():
        x, y = left + wide * column, top + HIGH * row
        said = element("title", f"{rows[row]}, {columns[column]}: {numbers.ratio(ratio)}")
        drawn.append(_cell(x, y, wide, heat_level(ratio), numbers.ratio(ratio), said))
    drawn.append(_scale(left, height - 30, width - left - 8))
    return drawing(title, description, width, height, drawn)


def _cell(x: float, y: float, wide: float, level: int, words: str, said: Markup | None = None) -> Markup:
    return element(
        "g",
        element(
            "rect", *([said] if said else []), x=f"{x:.1f}", y=f"{y:.1f}", width=f"{wide:.1f}", height=HIGH,
            rx=3, class_="cellgap",
        ),
        text(x + wide / 2, y + 16, words, None, "middle"),
        class_=f"h{level + 4}",
    )  # fmt: skip


def _scale(left: float, y: float, room: float) -> Markup:
    words = {-4: "worse", 0: "same", 4: "better"}
    wide = min(54.0, room / len(HEAT))
    return element(
        "g", *(_cell(left + wide * i, y, wide, level, words.get(level, "")) for i, level in enumerate(HEAT))
    )


def _stacked(words: str, room: float) -> list[str]:
    """A column's name on as many lines as it needs, three at most."""
    lines: list[str] = []
    for word in words.split():
        if lines and width_of(f"{lines[-1]} {word}") <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return [shorten(one, room) for one in lines[:3]] or [""]
