"""Colours, and what tells subjects apart where there is no colour.

Each subject keeps its colour, marker and dash through all plots of a report. All colours stand out from the
page by 3:1 or more, in light and in dark (WCAG 2.2, 1.4.11), and text by 4.5:1 (1.4.3); tests compute it.
"""

from __future__ import annotations

import math

__all__ = ["DARK", "HEAT", "LIGHT", "MARKERS", "STYLES", "css", "heat_level", "style_of"]

# By role. `s0` is the base's, and without a hue.
LIGHT = {
    "page": "#f6f6f3",
    "surface": "#ffffff",
    "ink": "#1c1c1a",
    "muted": "#5c5b57",
    "line": "#d9d8d2",
    "good": "#0a7a45",
    "bad": "#b3261e",
    "s0": "#73726c",
    "s1": "#2368c4",
    "s2": "#c9500a",
    "s3": "#0b7f5c",
    "s4": "#7a4fc9",
    "s5": "#b8347a",
    "s6": "#8f6a00",
    "s7": "#0d7c92",
    "s8": "#c23b3b",
}
DARK = {
    "page": "#131312",
    "surface": "#1d1d1b",
    "ink": "#f0efea",
    "muted": "#b0aea6",
    "line": "#3a3a36",
    "good": "#4cc38a",
    "bad": "#f2857d",
    "s0": "#a09e96",
    "s1": "#64a5f5",
    "s2": "#f0884e",
    "s3": "#3bbf91",
    "s4": "#b195f5",
    "s5": "#ee7fb3",
    "s6": "#d7a93a",
    "s7": "#46bcd1",
    "s8": "#f27c7c",
}
# Hues beside the base's; a ninth subject has the first hue again, with another dash.
STYLES = 8
# Told apart without colour, in the order of the hues.
MARKERS = ("circle", "square", "triangle", "diamond", "down", "cross", "bar", "circle")

# Fill and text for each level, from worse to better, in light and dark. Orange and blue,
# since red and green are what most colour-blind people cannot tell apart.
HEAT = {
    -4: ("#a8420a", "#ffffff", "#f09a63", "#1c1c1a"),
    -3: ("#d4662a", "#131312", "#cc7238", "#131312"),
    -2: ("#eda06d", "#1c1c1a", "#8f4a1c", "#ffffff"),
    -1: ("#f8d9c4", "#1c1c1a", "#57311a", "#f0efea"),
    0: ("#ecebe6", "#1c1c1a", "#33332f", "#f0efea"),
    1: ("#d0e2f8", "#1c1c1a", "#1d3a5c", "#f0efea"),
    2: ("#93bdf0", "#1c1c1a", "#275c9c", "#ffffff"),
    3: ("#4f8fdd", "#131312", "#4a8ddb", "#131312"),
    4: ("#1d59ab", "#ffffff", "#8cbcf5", "#1c1c1a"),
}
# What counts as one level: below ×1.15 nobody should see a difference at a glance.
EDGES = (1.15, 1.6, 3.0, 8.0)


def style_of(position: int) -> tuple[str, str, str | None]:
    """Class of the colour, marker and dash of the subject at this position; -1 is the base."""
    if position < 0:
        return "s0", "bar", "2 3"
    again, hue = divmod(position, STYLES)
    return f"s{hue + 1}", MARKERS[hue], None if not again else f"{6 // again or 1} 3"


def heat_level(ratio: float) -> int:
    """From -4, eight times worse and beyond, to 4, eight times better; 0 is about the same."""
    far = math.exp(abs(math.log(ratio)))
    level = sum(far > edge for edge in EDGES)
    return level if ratio > 1 else -level


def css() -> str:
    """The variables and the classes of all plots."""
    rules = [f":root{{color-scheme:light dark;{_variables(LIGHT, 0)}}}"]
    rules.append(f"@media (prefers-color-scheme:dark){{:root{{{_variables(DARK, 2)}}}}}")
    rules.extend(f".s{index}{{--c:var(--s{index})}}" for index in range(STYLES + 1))
    for level in HEAT:
        name = _heat_name(level)
        rules.append(f".{name} rect{{fill:var(--{name})}}.{name} text{{fill:var(--{name}t)}}")
    return "".join(rules) + PLOT_CSS


def _variables(colours: dict[str, str], column: int) -> str:
    heat = "".join(
        f"--{_heat_name(level)}:{shades[column]};--{_heat_name(level)}t:{shades[column + 1]};"
        for level, shades in HEAT.items()
    )
    return "".join(f"--{name}:{colour};" for name, colour in colours.items()) + heat


def _heat_name(level: int) -> str:
    return f"h{level + 4}"


PLOT_CSS = (
    "svg{font:12px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}"
    "svg text{fill:var(--ink)}svg .muted{fill:var(--muted)}svg .strong{font-weight:600}"
    "svg .grid{stroke:var(--line);stroke-width:1;fill:none}"
    "svg .axis{stroke:var(--muted);stroke-width:1;fill:none}"
    "svg .curve{stroke:var(--c);stroke-width:2;fill:none;stroke-linejoin:round;stroke-linecap:round}"
    "svg .whisker{stroke:var(--c);stroke-width:1.5;fill:none}"
    "svg .mark{fill:var(--c);stroke:var(--surface);stroke-width:1.5}"
    "svg .fill{fill:var(--c)}"
    "svg .over{stroke:var(--ink);stroke-width:1.5;fill:none}"
    "svg .link{stroke:var(--muted);stroke-width:1;stroke-dasharray:2 2;fill:none}"
    "svg .bad{fill:var(--bad)}"
    "svg .cellgap{stroke:var(--surface);stroke-width:2}"
)
