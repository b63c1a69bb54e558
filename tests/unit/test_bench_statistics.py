"""Statistics of the benchmark: known values, and what holds for any."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.bench.statistics import distinguishable, interval, jain, median, quantile, rank

finite = st.floats(allow_nan=False, allow_infinity=False)
several = st.lists(finite, min_size=1, max_size=30)
shares = st.lists(st.floats(min_value=0, max_value=1e300), min_size=1, max_size=50)
groups = st.dictionaries(
    st.text(max_size=2), st.lists(st.integers(0, 20), min_size=1, max_size=8), max_size=5
)


@pytest.mark.parametrize(
    ("values", "expected"),
    [([3], 3), ([1, 9], 5), ([9, 1, 2], 2), ([4, 1, 2, 3], 2.5), ([1e308, 1e308], 1e308)],
)
def test_medians(values: Sequence[float], expected: float) -> None:
    assert median(values) == expected


@given(several)
def test_half_of_the_values_is_on_each_side_of_the_median(values: list[float]) -> None:
    middle = median(values)
    assert min(values) <= middle <= max(values)
    assert 2 * sum(value <= middle for value in values) >= len(values)
    assert 2 * sum(value >= middle for value in values) >= len(values)


@pytest.mark.parametrize(("q", "expected"), [(0, 10), (0.25, 20), (0.5, 30), (0.625, 35), (0.9, 46), (1, 50)])
def test_quantiles(q: float, expected: float) -> None:
    assert quantile([10, 20, 30, 40, 50], q) == pytest.approx(expected)


@given(several, st.floats(0, 1), st.floats(0, 1))
def test_quantiles_ascend_within_the_values(values: list[float], one: float, other: float) -> None:
    values.sort()
    low, high = sorted((one, other))
    assert values[0] <= quantile(values, low) <= quantile(values, high) <= values[-1]


@pytest.mark.parametrize("q", [-0.1, 1.1, math.nan])
def test_no_other_quantiles(q: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        quantile([1.0], q)


def test_the_interval_of_few_values_is_all_of_them() -> None:
    assert interval([5, 1, 4, 2, 3]) == (1, 5)


def test_more_values_make_the_interval_narrow() -> None:
    low, high = interval([100 + 0.01 * n for n in range(-50, 51)])
    assert 99.5 < low < 100 < high < 100.5


def test_less_confidence_makes_the_interval_narrow() -> None:
    values = [float(n) for n in range(20)]
    low, high = interval(values, confidence=0.5)
    wide_low, wide_high = interval(values, confidence=0.99)
    assert wide_low < low <= high < wide_high


@given(several)
def test_the_interval_holds_the_median_and_is_the_same_again(values: list[float]) -> None:
    low, high = interval(values)
    assert min(values) <= low <= median(values) <= high <= max(values)
    assert interval(values[::-1]) == (low, high)


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1, 1, 1], 1), ([7, 0, 0, 0], 0.25), ([0, 0], 1), ([1, 2], 0.9), ([1e200, 1e200], 1)],
)
def test_fairness(values: Sequence[float], expected: float) -> None:
    assert jain(values) == pytest.approx(expected)


@given(shares)
def test_fairness_is_between_one_for_all_and_all_for_one(values: list[float]) -> None:
    assert 1 / len(values) * 0.999999 <= jain(values) <= 1


def test_nothing_can_be_said_of_nothing() -> None:
    for function in (median, interval, jain):
        with pytest.raises(ValueError, match=r"no values|fairness"):
            function([])
    with pytest.raises(ValueError, match="no values"):
        quantile([], 0.5)


def test_a_difference_takes_enough_values() -> None:
    assert distinguishable([1, 2, 3, 4], [5, 6, 7, 8])
    assert not distinguishable([1, 2, 3, 4], [4, 6, 7, 8])
    assert not distinguishable([1, 2, 3], [5, 6, 7]), "one time in ten this is an accident"
    assert not distinguishable([1], [5])


def test_ranks_are_from_the_best_on() -> None:
    values = {"slow": [1, 2, 3, 2], "fast": [9, 8, 9, 7], "middle": [5, 4, 5, 6]}
    assert rank(values, True) == [{"fast"}, {"middle"}, {"slow"}]
    assert rank(values, False) == [{"slow"}, {"middle"}, {"fast"}]


def test_what_overlaps_is_not_ranked() -> None:
    assert rank({"a": [1, 2, 3, 4], "b": [3, 4, 5, 6], "c": [9, 9, 9, 9]}, True) == [{"c"}, {"a", "b"}]


def test_noise_between_two_ties_both() -> None:
    assert rank({"a": [1, 2, 1, 2], "b": [1, 9, 1, 9], "c": [8, 9, 8, 9]}, True) == [{"a", "b", "c"}]


def test_few_values_are_not_ranked() -> None:
    assert rank({"a": [1], "b": [9]}, True) == [{"a", "b"}]
    assert rank({}, True) == []


@given(groups, st.booleans())
def test_ranks_hold_every_group_once_and_only_what_differs_is_apart(
    values: dict[str, list[int]], higher_is_better: bool
) -> None:
    ranks = rank(values, higher_is_better)
    assert sorted(key for tied in ranks for key in tied) == sorted(values)
    for index, tied in enumerate(ranks):
        for worse in ranks[index + 1 :]:
            for ours in tied:
                for theirs in worse:
                    assert distinguishable(values[ours], values[theirs])
                    assert (median(values[ours]) > median(values[theirs])) == higher_is_better
