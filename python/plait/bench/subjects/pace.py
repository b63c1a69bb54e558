"""How much to ask of somebody who is asked in bytes or in pings, so that it takes a certain time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

__all__ = ["Pace"]

T = TypeVar("T")


class Pace:
    """What was learnt from earlier runs about how fast somebody is.

    Args:
        first: what to begin with; small, since nobody knows how slow it is.
        most: never more than this at once.
    """

    def __init__(self, first: int, most: int) -> None:
        self._most = most
        self._next = first
        self._rate = 0.0

    def run(self, seconds: float, once: Callable[[int], tuple[float, T]]) -> T:
        """What `once` gave when it took about so long.

        Args:
            seconds: how long it should take; half of it is long enough.
            once: is given an amount, and returns how many seconds it took beside its outcome.

        The first call tries several amounts, each at most `STEP` times the one before; later ones know.
        """
        if self._rate:
            self._next = self._amount(seconds)
        for _ in range(TRIES - 1):
            asked = self._next
            took, outcome = once(asked)
            self._rate = asked / max(took, SHORTEST)
            if took >= seconds / 2 or asked == self._most:
                return outcome
            self._next = min(self._amount(seconds), asked * STEP)
        _, outcome = once(self._next)
        return outcome

    def _amount(self, seconds: float) -> int:
        return max(1, min(self._most, math.ceil(self._rate * seconds)))


# A start is slow, with windows that have to grow, and says little about what comes after it.
STEP = 16
# From 1 MiB to what any machine moves in seconds.
TRIES = 6
# No clock says anything about less.
SHORTEST = 1e-4
