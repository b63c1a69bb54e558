"""From a value to a place on an axis, and which values deserve a tick."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Axis", "Scale", "pick", "tick_text"]

Kind: TypeAlias = Literal["linear", "log", "nines"]

# Where the "nines" scale ends: past 99.99 % a benchmark has too few values to say anything.
MOST = 1 - 1e-4
# A log axis below this spread would have one tick.
DECADES = 12.0


def tick_text(value: float) -> str:
    """1,000; 30; 0.05: round values need no digits that say how exact they are."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


@dataclass(frozen=True, slots=True)
class Axis:
    """What an axis is called, how it is divided, and how its ticks read."""

    label: str
    kind: Kind = "linear"
    form: Callable[[float], str] = tick_text
    ticks: Sequence[float] | None = None


@dataclass(frozen=True, slots=True)
class Scale:
    """Values between `low` and `high` onto pixels between `start` and `end`."""

    axis: Axis
    low: float
    high: float
    start: float
    end: float

    @classmethod
    def over(cls, axis: Axis, values: Iterable[float], start: float, end: float) -> Scale:
        """Wide enough for the values; a linear axis starts at 0, or it would exaggerate."""
        seen = [value for value in values if math.isfinite(value) and (axis.kind != "log" or value > 0)] or [
            1.0
        ]
        low, high = min(seen), max(seen)
        if axis.kind == "nines":
            return cls(axis, 0.0, MOST, start, end)
        if axis.kind == "log":
            # Room at both ends, so that no marker lies on the frame.
            room = (high / low) ** 0.04 if high > low else 2.0
            return cls(axis, low / room, high * room, start, end)
        low, high = min(0.0, low), max(0.0, high)
        return cls(axis, low, high * 1.04 if high > low else 1.0, start, end)

    def __call__(self, value: float) -> float:
        low, high, at = (self._flat(v) for v in (self.low, self.high, value))
        share = min(1.0, max(0.0, (at - low) / (high - low)))
        return self.start + share * (self.end - self.start)

    def ticks(self, most: int) -> list[float]:
        """Round values, at most this many of them (and two at least where the axis has them)."""
        if self.axis.ticks is not None:
            inside = [tick for tick in self.axis.ticks if self.low <= tick <= self.high]
            return inside[:: max(1, math.ceil(len(inside) / most))]
        if self.axis.kind == "nines":
            return [0.5, 0.9, 0.99, 0.999, 0.9999]
        return self._log_ticks(most) if self.axis.kind == "log" else self._linear_ticks(most)

    def _flat(self, value: float) -> float:
        if self.axis.kind == "log":
            return math.log10(max(value, self.low, 1e-300))
        if self.axis.kind == "nines":
            return -math.log10(1 - min(max(value, 0.0), MOST))
        return value

    def _linear_ticks(self, most: int) -> list[float]:
        rough = (self.high - self.low) / most
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * factor for factor in (1, 2, 5, 10, 20) if power * factor >= rough)
        first = math.ceil(self.low / step)
        return [index * step for index in range(first, math.floor(self.high / step + 1e-9) + 1)]

    def _log_ticks(self, most: int) -> list[float]:
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        for factors in ((1, 2, 5), (1, 3), (1,)):
            ticks = [f * 10.0**d for d in decades for f in factors if self.low <= f * 10.0**d <= self.high]
            if len(ticks) <= most:
                break
        else:
            ticks = ticks[:: math.ceil(len(ticks) / most)]
        return ticks if len(ticks) > 1 else [self.low, self.high]


def pick(values: Iterable[float]) -> Literal["linear", "log"]:
    """Log where values spread so far that a linear axis would press most of them into a corner."""
    seen = [value for value in values if math.isfinite(value)]
    return "log" if seen and min(seen) > 0 and max(seen) / min(seen) > DECADES else "linear"
