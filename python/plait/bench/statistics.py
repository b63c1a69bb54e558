"""What many values of one thing say, and how sure that is. Pure functions; the order of values never matters.

Medians and not means: a machine that does something else for a moment makes values worse, never better,
and a mean carries that into the result.
"""

from __future__ import annotations

import math
import random
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

__all__ = ["distinguishable", "interval", "jain", "median", "quantile", "rank"]

K = TypeVar("K", bound=Hashable)

# Enough that the ends of the interval move by less than the noise they stand for; some 10 ms for ten values.
RESAMPLES = 2000
# The same data gives the same report.
SEED = 20
# The usual one chance in twenty of being wrong.
CONFIDENCE = 0.95


def median(values: Sequence[float]) -> float:
    """The value in the middle; between the two in the middle when there are two.

    Raises `ValueError` without values.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values have no median")
    return _middle(ordered)


def quantile(sorted_values: Sequence[float], q: float) -> float:
    """The value that a share `q` of the values does not exceed, linear between two of them.

    Args:
        sorted_values: ascending; not checked, since there may be millions.
        q: from 0, the least, to 1, the greatest.

    Raises `ValueError` without values, or for another `q`.
    """
    if not sorted_values:
        raise ValueError("no values have no quantiles")
    if not 0.0 <= q <= 1.0:
        raise ValueError(f"a quantile is from 0 to 1, not {q}")
    position = q * (len(sorted_values) - 1)
    below = math.floor(position)
    low, high = sorted_values[below], sorted_values[min(below + 1, len(sorted_values) - 1)]
    # Between two equal values there is nothing to compute, and rounding would leave the range.
    return low if low == high else min(high, low + (high - low) * (position - below))


def interval(
    values: Sequence[float], *, confidence: float = CONFIDENCE, seed: int = SEED
) -> tuple[float, float]:
    """Where the median lies, by the bootstrap: medians of the values drawn again with repetition.

    With five values or fewer these are the least and the greatest.

    Raises `ValueError` without values, or for a confidence that is not between 0 and 1.
    """
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"a confidence is between 0 and 1, not {confidence}")
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values have no interval")
    if ordered[0] == ordered[-1]:
        return ordered[0], ordered[0]
    source = random.Random(seed)
    medians = sorted(_middle(sorted(source.choices(ordered, k=len(ordered)))) for _ in range(RESAMPLES))
    outside = (1.0 - confidence) / 2
    # Outwards to a median that was drawn: an interval that is a little too wide claims nothing false.
    return (
        medians[math.floor(outside * (RESAMPLES - 1))],
        medians[math.ceil((1.0 - outside) * (RESAMPLES - 1))],
    )


def jain(values: Sequence[float]) -> float:
    """Jain's index of fairness: 1 when all are equal, 1/n when one has everything.

    Nobody having anything is fair. Raises `ValueError` without values, or for negative ones.
    """
    if not values or min(values) < 0:
        raise ValueError("fairness is of shares from 0 on, and of one at least")
    most = max(values)
    if most == 0:
        return 1.0
    # In shares of the greatest, whose squares neither overflow nor vanish.
    shares = [value / most for value in values]
    return min(1.0, sum(shares) ** 2 / (len(shares) * sum(share * share for share in shares)))


def distinguishable(ours: Sequence[float], theirs: Sequence[float]) -> bool:
    """Whether the data shows that the two differ.

    Their intervals are apart, and there are so many values that this is no accident: of four values each,
    drawn from the same source, all of one side are above all of the other once in 35 times, of three once
    in ten.
    """
    return _apart((len(ours), interval(ours)), (len(theirs), interval(theirs)))


def rank(groups: Mapping[K, Sequence[float]], higher_is_better: bool) -> list[set[K]]:
    """The groups from the best on; those that the data does not tell apart are in one set.

    Every group of a set differs from every group of the sets before and after it. So one group with few
    values or much noise can tie groups that differ between themselves: that is what the data can show
    about all of them.

    Raises `ValueError` for a group without values.
    """
    order = sorted(groups, key=lambda key: median(groups[key]), reverse=higher_is_better)
    known = [(len(groups[key]), interval(groups[key])) for key in order]
    ranks: list[set[K]] = []
    for index, key in enumerate(order):
        if all(_apart(before, after) for before in known[:index] for after in known[index:]):
            ranks.append({key})
        else:
            ranks[-1].add(key)
    return ranks


def _apart(ours: tuple[int, tuple[float, float]], theirs: tuple[int, tuple[float, float]]) -> bool:
    (count, (low, high)), (their_count, (their_low, their_high)) = ours, theirs
    accidental = math.comb(count + their_count, count) < 2 / (1.0 - CONFIDENCE)
    return not accidental and (high < their_low or their_high < low)


def _middle(ordered: Sequence[float]) -> float:
    half = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[half]
    low, high = ordered[half - 1], ordered[half]
    # Halved before they are added: the sum of two large values can overflow.
    return low if low == high else min(high, max(low, low / 2 + high / 2))
