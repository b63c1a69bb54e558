"""Figures as people read them: three or four digits, with their units."""

from __future__ import annotations

import math
from collections.abc import Mapping

from plait.bench.results import Cell, Parameters

__all__ = ["cell", "measured", "number", "parameter", "parameters", "ratio", "size", "title"]


def number(value: float) -> str:
    """1,234; 56.7; 0.00891: what is behind the third digit is noise in any measurement."""
    if not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    digits = 2 - math.floor(math.log10(abs(value)))
    if digits <= 0:
        return f"{value:,.0f}"
    # Past that it is below anything that a clock or a counter can tell.
    return f"{value:.{min(digits, 9)}f}"


def measured(median: float, low: float, high: float) -> str:
    """The median with its interval: 1,234 [1,200–1,260]."""
    return f"{number(median)} [{number(low)}–{number(high)}]"


def ratio(value: float) -> str:
    """0.52×."""
    return f"{number(value)}×"


def size(count: float) -> str:
    """Bytes in powers of two, as buffers have them: 64 KiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:g} {unit}"
        count /= 1024
    return f"{count:g} TiB"


def parameter(name: str, value: int | float | str) -> str:
    """One parameter's value without its name: 64 KiB, 10 ms, 8."""
    if isinstance(value, str):
        return value
    if name.endswith(("_size", "_bytes")):
        return size(value)
    if name.endswith("_ms"):
        return f"{value:g} ms"
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def parameters(given: Parameters | Mapping[str, int | float | str]) -> str:
    """All of them on one line: write size 64 KiB, streams 8; a dash when there are none."""
    return ", ".join(f"{title(name)} {parameter(name, value)}" for name, value in given.items()) or "–"


def title(name: str) -> str:
    """The name of a parameter without its unit and in words: `write_size` is write size."""
    return name.removesuffix("_ms").removesuffix("_bytes").replace("_", " ")


def cell(named: Cell) -> str:
    """One cell on one line, for a list."""
    given = f", {parameters(named.parameters)}" if named.parameters else ""
    return f"{named.scenario}, {named.subject}{given}"
