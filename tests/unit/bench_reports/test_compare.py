"""Two runs: what the data shows, what it does not, and what a build does with it."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import ENVIRONMENT, NOISE, RATE, synthetic_run

from plait.bench.reports import compare, gate
from plait.bench.results import Cell, Failure, Finding, Metric, Run, Sample, Verdict
from plait.exceptions import ConfigError

LATENCY = Metric("p99", "µs", "lower")
CELL = Cell("bulk-up", NOISE, {"write_size": 65536})


def run_of(values: list[float], metric: Metric = RATE, *more: Finding) -> Run:
    samples = [Sample(CELL, metric, index, value) for index, value in enumerate(values)]
    return Run("2000-01-01T00:00:00Z", [], ENVIRONMENT, [*samples, *more], finished=True)


OLD = [100.0, 101.0, 102.0, 99.0, 98.0]


@pytest.mark.parametrize(
    ("new", "metric", "outcome", "status"),
    [
        ([value * 0.8 for value in OLD], RATE, "worse", 1),
        ([value * 1.2 for value in OLD], RATE, "better", 0),
        ([value * 1.2 for value in OLD], LATENCY, "worse", 1),
        ([value * 0.8 for value in OLD], LATENCY, "better", 0),
        ([value + 0.1 for value in OLD], RATE, "no difference that this data can show", 0),
        ([value * 0.96 for value in OLD], RATE, "worse", 0),
        ([50.0, 51.0, 52.0], RATE, "worse", 1),
        ([50.0], RATE, "too few rounds", 2),
    ],
)
def test_what_a_change_is_called(new: list[float], metric: Metric, outcome: str, status: int) -> None:
    [change] = compare(run_of(OLD, metric), run_of(new, metric)).changes
    assert change.outcome == outcome
    assert gate(run_of(OLD, metric), run_of(new, metric), 0.05)[0] == status


def test_nothing_in_common_cannot_be_judged() -> None:
    status, text = gate(run_of(OLD), run_of(OLD, LATENCY), 0.05)
    assert (status, text) == (2, "cannot be judged: nothing in common\n")


def test_what_is_no_longer_measured_or_holds_no_longer_is_a_regression() -> None:
    gone = run_of(OLD, LATENCY, Failure(CELL, "it went away"))
    assert gate(run_of(OLD), gone, 0.05)[0] == 1
    held, broke = (Verdict(CELL, "memory bounded", passed, "1 MiB") for passed in (True, False))
    status, text = gate(run_of(OLD, RATE, held), run_of(OLD, RATE, broke), 0.05)
    assert status == 1
    assert "memory bounded no longer holds: 1 MiB" in text
    assert gate(run_of(OLD, RATE, broke), run_of(OLD, RATE, broke), 0.05)[0] == 0


def test_other_machines_are_warned_about_and_another_plait_is_not() -> None:
    old, new = run_of(OLD), run_of(OLD)
    new.environment = replace(ENVIRONMENT, cpu="another", plait="9.9.9")
    [warning] = compare(old, new).warnings
    assert "differ in CPU" in warning


@pytest.mark.parametrize("share", [-0.1, float("nan"), float("inf")])
def test_a_limit_that_makes_no_sense_is_refused(share: float) -> None:
    with pytest.raises(ConfigError):
        gate(run_of(OLD), run_of(OLD), share)


def test_a_run_does_not_differ_from_itself() -> None:
    run = synthetic_run()
    found = compare(run, run)
    assert {change.outcome for change in found.changes} == {"no difference that this data can show"}
    assert (found.only_old, found.only_new, found.broken, found.warnings) == (0, 0, [], [])


def test_of_two_runs_of_the_same_program_few_cells_differ() -> None:
    source = random.Random(7)
    cells = [replace(CELL, parameters={"index": index}) for index in range(150)]

    def same() -> Run:
        samples: list[Finding] = [
            Sample(cell, RATE, number, source.gauss(100, 3)) for cell in cells for number in range(6)
        ]
        return Run("", [], ENVIRONMENT, samples)

    shown = [change for change in compare(same(), same()).changes if change.outcome in ("better", "worse")]
    # One in twenty is expected; twice as many would be an interval that claims too much.
    assert len(shown) <= 15


@given(
    st.lists(st.floats(1, 1e6), min_size=1, max_size=8), st.lists(st.floats(1, 1e6), min_size=1, max_size=8)
)
def test_the_interval_is_around_the_ratio_and_both_texts_exist(old: list[float], new: list[float]) -> None:
    found = compare(run_of(old), run_of(new))
    [change] = found.changes
    assert 0 < change.low <= change.high
    assert found.text().count(change.outcome) == 1
    assert f"**{change.outcome}**: 1" in found.markdown()
