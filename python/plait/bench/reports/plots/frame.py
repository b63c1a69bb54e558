"""What all plots have: a title and a description for who cannot see them, axes, a legend, markers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from plait.bench.reports.markup import Markup, element, join
from plait.bench.reports.palette import style_of
from plait.bench.reports.plots.scales import Axis, Scale

__all__ = ["Frame", "Key", "drawing", "frame", "legend", "line", "marker", "shorten", "text", "width_of"]

# Of 12 px text in the fonts that browsers take; wide ones, so that nothing overlaps.
LETTER = 6.9
ROW = 20.0


@dataclass(frozen=True, slots=True)
class Key:
    """An entry of a legend; `position` is the subject's place among all of the run (-1: the base)."""

    label: str
    position: int


@dataclass(frozen=True, slots=True)
class Frame:
    """Axes that are drawn, and where values lie between them."""

    x: Scale
    y: Scale
    drawn: Markup


def drawing(title: str, description: str, width: float, height: float, children: Iterable[str]) -> Markup:
    """The SVG around a plot."""
    return element(
        "svg",
        element("title", title),
        element("desc", description),
        *children,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width:g} {height:g}",
        width=width,
        height=height,
        role="img",
        aria_label=f"{title}. {description}",
    )


def frame(
    x: Axis, y: Axis, xs: Iterable[float], ys: Iterable[float], box: tuple[float, float, float, float]
) -> Frame:
    """Axes inside a box (left, top, right, bottom) that has room for their labels."""
    left, top, right, bottom = box
    across = Scale.over(x, xs, left + 58, right - 14)
    up = Scale.over(y, ys, bottom - 42, top + 26)
    drawn: list[str] = [text(left, top + 8, y.label, "muted")]
    for tick in up.ticks(6):
        at = up(tick)
        drawn.append(line(across.start, at, across.end, at, "grid"))
        drawn.append(text(across.start - 7, at + 4, y.form(tick), "muted", "end"))
    free = across.start - 100.0
    for tick in across.ticks(max(2, int((right - left) / 68))):
        at, label = across(tick), x.form(tick)
        half = width_of(label) / 2
        drawn.append(line(at, up.start, at, up.start + 4, "axis"))
        if at - half >= free:
            # The last label may not leave the drawing.
            drawn.append(text(min(at, right - half), up.start + 18, label, "muted", "middle"))
            free = at + half
    drawn.append(line(across.start, up.start, across.end, up.start, "axis"))
    drawn.append(text((across.start + across.end) / 2, bottom - 6, x.label, "muted", "middle"))
    return Frame(across, up, join(drawn))


def legend(keys: Sequence[Key], left: float, top: float, right: float) -> tuple[Markup, float]:
    """Entries in rows; and how high they are together."""
    drawn, x, y = [], left, top
    for key in keys:
        label = shorten(key.label, right - left - 30)
        wide = 26 + width_of(label) + 16
        if x > left and x + wide > right:
            x, y = left, y + ROW
        name, _, dash = style_of(key.position)
        stroke = element("path", d=f"M{x:.1f} {y + 8:.1f}h20", class_="curve", stroke_dasharray=dash)
        mark = marker(key.position, x + 10, y + 8)
        drawn.append(element("g", stroke, mark, text(x + 26, y + 12, label), class_=name))
        x += wide
    return join(drawn), (y - top + ROW) if keys else 0.0


def marker(position: int, x: float, y: float, said: str | None = None) -> Markup:
    """The subject's marker; `said` is what a pointer over it shows."""
    shape = {
        "circle": "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
        "square": "m-3.6 -3.6h7.2v7.2h-7.2z",
        "triangle": "m0 -4.8l4.6 8h-9.2z",
        "diamond": "m0 -5l5 5l-5 5l-5 -5z",
        "down": "m0 4.8l4.6 -8h-9.2z",
        "cross": "m-1.6 -4.6h3.2v3h3v3.2h-3v3h-3.2v-3h-3v-3.2h3z",
        "bar": "m-4.6 -2h9.2v4h-9.2z",
    }[style_of(position)[1]]
    return element(
        "path", *([element("title", said)] if said else []), d=f"M{x:.1f} {y:.1f}{shape}", class_="mark"
    )


def text(x: float, y: float, words: str, class_: str | None = None, anchor: str | None = None) -> Markup:
    return element("text", words, x=f"{x:.1f}", y=f"{y:.1f}", class_=class_, text_anchor=anchor)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    return element("path", d=f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}", class_=class_)


def width_of(words: str) -> float:
    """Pixels that a text takes at most, near enough."""
    return len(words) * LETTER


def shorten(words: str, room: float) -> str:
    """What fits; a tooltip or a table has the rest."""
    most = max(4, int(room / LETTER))
    return words if len(words) <= most else words[: most - 1] + "…"
