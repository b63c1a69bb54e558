"""Whether a run is behind the time that it may take."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["Budget"]

# Seconds, and a share of what is to be done: starting takes a moment, and rows differ.
SLACK = 5.0


class Budget:
    """Compares the share of the time with the share of the steps.

    Args:
        seconds: that all steps together may take; 0 is no bound.
        steps: how many there are when none is left out.
    """

    def __init__(self, seconds: float, steps: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._steps = max(1, steps)
        self._clock = clock
        self._begin = clock()
        self._done = 0
        self._rows = 0

    def step(self) -> None:
        """One is begun."""
        self._done += 1

    def row(self, steps: int) -> None:
        """A row of so many is done, of which some may have been left out and some been more."""
        self._rows += steps
        self._done = self._rows

    def is_behind(self) -> bool:
        spent = self._clock() - self._begin
        return self._seconds > 0 and spent > self._seconds * self._done / self._steps + SLACK
