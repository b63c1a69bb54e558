"""The order of rounds, which of them count, and what is kept when something goes wrong."""

from __future__ import annotations

import asyncio

import pytest
from fakes import (
    HERE,
    FakeCeilings,
    FakeContender,
    FakeScenario,
    Recorder,
    plan_of,
    samples_of,
)

from plait.bench.plan import Plan
from plait.bench.results import Curve, Failure, Sample, Verdict
from plait.bench.run import run
from plait.bench.subjects import ContenderError, UnsupportedError
from plait.exceptions import ConfigError


def test_each_round_asks_each_contender_once_between_two_ceilings() -> None:
    log: list[str] = []
    a, b, c = (FakeContender(name, log=log) for name in "abc")
    found = run(plan_of(a, b, c), environment=HERE, ceilings=FakeCeilings(log=log))
    log = [entry for entry in log if not entry.endswith(("starts", "ends"))]
    assert log[0] == log[-1] == "ceiling"
    rounds = " ".join(log).split("ceiling")[1:-1]
    # The warm-up and four more.
    assert len(rounds) == 5
    assert {tuple(sorted(each.split())) for each in rounds} == {("1", "1", "1", "a", "b", "c")}
    # Nobody always runs behind the same one.
    assert len(set(rounds)) > 1
    assert found.finished
    assert [sample.round for sample in samples_of(found.findings, "a")] == [-1, 0, 1, 2, 3]
    assert [a.alive, b.alive, c.alive] == [0, 0, 0]


def test_the_seed_decides_the_order_within_rounds() -> None:
    def order(seed: int) -> list[str]:
        log: list[str] = []
        contenders = [FakeContender(name, log=log) for name in "abcd"]
        run(plan_of(*contenders, seed=seed), environment=HERE, ceilings=FakeCeilings())
        return log

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_findings_are_in_the_order_of_the_columns() -> None:
    found = run(plan_of(*(FakeContender(name) for name in "dbca")), environment=HERE, ceilings=FakeCeilings())
    of_one_round = [
        one.cell.subject.implementation
        for one in found.findings
        if isinstance(one, Sample) and one.round == 2
    ]
    assert of_one_round == list("dbca")


def test_rows_are_measured_one_after_the_other() -> None:
    one = FakeContender("a")
    run(plan_of(one, scenarios=[FakeScenario(sizes=(1, 2))]), environment=HERE, ceilings=FakeCeilings())
    assert one.log == ["a starts", *["a 1"] * 5, *["a 2"] * 5, "a ends"]


def test_a_round_beside_a_ceiling_that_moved_is_dropped_and_measured_again() -> None:
    # The warm-up stands between the first two, round 0 between the second and the third, and so on.
    ceilings = FakeCeilings([1000.0] * 4 + [700.0] + [1000.0])
    found = run(plan_of(FakeContender("a"), rounds=6), environment=HERE, ceilings=ceilings)
    kept = {sample.round: sample.kept for sample in samples_of(found.findings, "a")}
    assert kept == {-1: True, 0: True, 1: True, 2: False, 3: False, 4: True, 5: True, 6: True, 7: True}
    assert {sample.ceiling for sample in samples_of(found.findings, "a")} == {1000.0, 850.0}
    assert not [one for one in found.findings if isinstance(one, Verdict) and one.name == "machine quiet"]


def test_fifteen_percent_are_no_move() -> None:
    ceilings = FakeCeilings([1000.0] * 3 + [851.0] + [1000.0])
    found = run(plan_of(FakeContender("a")), environment=HERE, ceilings=ceilings)
    assert all(sample.kept for sample in samples_of(found.findings, "a"))


def test_a_machine_that_is_never_quiet_has_figures_and_a_verdict() -> None:
    ceilings = FakeCeilings([1000.0, 400.0, 1000.0, 1900.0, 300.0, 1000.0, 1600.0, 100.0, 1000.0])
    found = run(plan_of(FakeContender("a"), rounds=5), environment=HERE, ceilings=ceilings)
    samples = samples_of(found.findings, "a")
    # Two rounds more were tried, and the four steadiest count.
    assert max(sample.round for sample in samples) == 6
    assert sum(sample.kept for sample in samples if sample.round >= 0) == 4
    [verdict] = [one for one in found.findings if isinstance(one, Verdict) and one.name == "machine quiet"]
    assert not verdict.passed


def test_what_cannot_be_measured_costs_its_cell_and_not_the_run() -> None:
    def fails_in_the_second_row(number: int) -> float:
        if number == 5:
            raise ContenderError("it fell\nover")
        return 1.0

    a, b = FakeContender("a", does=fails_in_the_second_row), FakeContender("b")
    scenario = FakeScenario(sizes=(1, 2, 3))
    found = run(plan_of(a, b, scenarios=[scenario]), environment=HERE, ceilings=FakeCeilings())
    failures = [one for one in found.findings if isinstance(one, Failure)]
    assert [(one.cell.parameters["write_size"], one.why) for one in failures] == [(2, "it fell over")]
    # Stopped, and started anew for the third row.
    assert a.log.count("a starts") == 2
    assert len(samples_of(found.findings, "a")) == 10
    assert len(samples_of(found.findings, "b")) == 15


def test_who_fails_again_and_again_is_left_out_with_the_reason() -> None:
    def hangs(number: int) -> float:
        raise ContenderError("hangs: not done after 1 s")

    a = FakeContender("a", does=hangs)
    scenario = FakeScenario(sizes=range(1, 8))
    found = run(plan_of(a, scenarios=[scenario]), environment=HERE, ceilings=FakeCeilings())
    whys = [one.why for one in found.findings if isinstance(one, Failure)]
    assert len(whys) == 7
    assert whys[0] == "hangs: not done after 1 s"
    assert whys[-1] == "left out after 3 failures in a row, the last: hangs: not done after 1 s"
    assert a.count == 3


def test_what_is_not_installed_says_so_in_each_cell() -> None:
    a = FakeContender("a", cannot_start=UnsupportedError("the package a is not installed"))
    scenario = FakeScenario(sizes=(1, 2))
    found = run(plan_of(a, scenarios=[scenario]), environment=HERE, ceilings=FakeCeilings())
    assert [one.why for one in found.findings if isinstance(one, Failure)] == [
        "the package a is not installed"
    ] * 2


def test_a_system_without_room_for_a_process_costs_a_cell() -> None:
    a = FakeContender("a", cannot_start=OSError(11, "Resource temporarily unavailable"))
    found = run(plan_of(a), environment=HERE, ceilings=FakeCeilings())
    assert [one.why for one in found.findings if isinstance(one, Failure)] == [
        "cannot be started: [Errno 11] Resource temporarily unavailable"
    ]


def test_a_question_that_makes_no_sense_for_a_subject_leaves_no_trace() -> None:
    found = run(
        plan_of(FakeContender("a"), FakeContender("unsuited")), environment=HERE, ceilings=FakeCeilings()
    )
    assert {one.cell.subject.implementation for one in found.findings} == {"a"}


def test_who_does_not_know_a_work_is_not_asked() -> None:
    class Choosy(FakeContender):
        def knows(self, work: object) -> bool:
            return getattr(work, "size", 0) == 2

    a, b = Choosy("a"), FakeContender("b")
    watcher = Recorder()
    scenario = FakeScenario(sizes=(1, 2))
    found = run(plan_of(a, b, scenarios=[scenario]), watcher, environment=HERE, ceilings=FakeCeilings())
    assert {one.cell.parameters["write_size"] for one in samples_of(found.findings, "a")} == {2}
    assert not [one for one in found.findings if isinstance(one, Failure)]
    assert watcher.total == len(watcher.steps) == 15


@pytest.mark.one_loop
async def test_a_run_does_not_block_somebody_elses_loop() -> None:
    plan = plan_of(FakeContender("a"))
    with pytest.raises(ConfigError, match="to_thread"):
        run(plan, environment=HERE, ceilings=FakeCeilings())
    found = await asyncio.to_thread(run, plan, environment=HERE, ceilings=FakeCeilings())
    assert found.finished


def test_scenarios_that_count_memory_start_each_contender_anew() -> None:
    a = FakeContender("a")
    ceilings = FakeCeilings([1000.0, 100.0, 1000.0])
    plan = plan_of(a, scenarios=[FakeScenario(fresh=True)], memory_rounds=2)
    found = run(plan, environment=HERE, ceilings=ceilings)
    assert a.log == ["a starts", "a 1", "a ends", "a starts", "a 1", "a ends"]
    assert [(one.round, one.kept) for one in samples_of(found.findings, "a")] == [(0, True), (1, True)]


@pytest.mark.parametrize("at", [0, 3, 7])
def test_ctrl_c_keeps_what_was_found(at: int) -> None:
    def interrupts(number: int) -> float:
        if number == at:
            raise KeyboardInterrupt
        return float(number)

    a = FakeContender("a", does=interrupts)
    watcher = Recorder()
    scenario = FakeScenario(sizes=(1, 2))
    found = run(plan_of(a, scenarios=[scenario]), watcher, environment=HERE, ceilings=FakeCeilings())
    assert not found.finished
    assert [sample.value for sample in samples_of(found.findings, "a")] == [float(n) for n in range(at)]
    assert watcher.findings == found.findings
    assert a.alive == 0


def test_a_watcher_is_told_all_in_order() -> None:
    watcher = Recorder()
    a, b = FakeContender("a"), FakeContender("b")
    found = run(plan_of(a, b), watcher, environment=HERE, ceilings=FakeCeilings())
    assert watcher.total == len(watcher.steps) == 10
    assert watcher.findings == found.findings
    assert {text.partition(", ")[0] for text in watcher.steps} == {"fake"}
    assert sum("warm-up" in text for text in watcher.steps) == 2
    assert "fake, a, write size 1 B, round 4 of 4" in watcher.steps


def test_what_a_watcher_raises_comes_out_with_nothing_left_running() -> None:
    class Broken(Recorder):
        def found(self, finding: object) -> None:
            raise OSError("no space left")

    a = FakeContender("a")
    with pytest.raises(OSError, match="no space"):
        run(plan_of(a), Broken(), environment=HERE, ceilings=FakeCeilings())
    assert a.alive == 0


def test_curves_and_verdicts_come_of_the_rounds_that_count() -> None:
    def falls_once(number: int) -> float:
        return 500.0 if number == 2 else 1.0

    found = run(plan_of(FakeContender("a", does=falls_once)), environment=HERE, ceilings=FakeCeilings())
    assert len([one for one in found.findings if isinstance(one, Curve)]) == 4
    [verdict] = [one for one in found.findings if isinstance(one, Verdict)]
    assert verdict.passed
    assert "cannot tell" in verdict.detail
    found = run(plan_of(FakeContender("a", value=500.0)), environment=HERE, ceilings=FakeCeilings())
    [verdict] = [one for one in found.findings if isinstance(one, Verdict)]
    assert not verdict.passed
    assert "it is 500" in verdict.detail


def test_a_plan_that_cannot_be_is_refused() -> None:
    a = FakeContender("a")
    with pytest.raises(ConfigError, match="rounds"):
        plan_of(a, rounds=0)
    with pytest.raises(ConfigError, match="write_sizes"):
        plan_of(a, write_sizes=(64, 0))
    with pytest.raises(ConfigError, match="process"):
        plan_of(a, processes=3)
    with pytest.raises(ConfigError, match="called a"):
        plan_of(a, FakeContender("a"))


def test_the_two_plans_ask_everything() -> None:
    quick, full = Plan.quick(), Plan.full()
    assert [one.name for one in quick.scenarios] == [one.name for one in full.scenarios]
    assert {str(one.subject) for one in quick.contenders} < {str(one.subject) for one in full.contenders}
    for plan in (quick, full):
        assert all(list(scenario.rows(plan)) for scenario in plan.scenarios)


def test_a_run_that_is_behind_its_budget_has_fewer_rounds_and_every_row() -> None:
    now = 0.0

    def slow(number: int) -> float:
        nonlocal now
        now += 10.0
        return 1.0

    a = FakeContender("a", does=slow)
    plan = plan_of(a, scenarios=[FakeScenario(sizes=range(1, 7))], rounds=5, budget=120.0)
    found = run(plan, environment=HERE, ceilings=FakeCeilings(), clock=lambda: now)
    assert found.finished
    rounds = [
        max(one.round for one in samples_of(found.findings, "a") if one.cell.parameters["write_size"] == size)
        for size in range(1, 7)
    ]
    # 36 measurements in 120 s would have to take 3.3 s each.
    assert rounds == [1] * 6
    now = 0.0
    at_leisure = run(
        plan_of(FakeContender("a", does=slow), budget=0.0),
        environment=HERE, ceilings=FakeCeilings(), clock=lambda: now,
    )  # fmt: skip
    assert max(one.round for one in samples_of(at_leisure.findings, "a")) == 3


def test_a_run_that_was_late_catches_up_and_goes_on_as_planned() -> None:
    now = 0.0

    def late_at_first(number: int) -> float:
        nonlocal now
        now += 40.0 if number == 0 else 0.1
        return 1.0

    a = FakeContender("a", does=late_at_first)
    plan = plan_of(a, scenarios=[FakeScenario(sizes=range(1, 11))], budget=100.0)
    found = run(plan, environment=HERE, ceilings=FakeCeilings(), clock=lambda: now)
    of_first, *_, of_last = (
        max(one.round for one in samples_of(found.findings, "a") if one.cell.parameters["write_size"] == size)
        for size in range(1, 11)
    )
    assert (of_first, of_last) == (1, 3)
