"""Two processes: they work together, and when one fails the other says so and goes on."""

from __future__ import annotations

import pytest
from fakes import HERE, FakeCeilings
from odd_ends import OddEnds

from plait.bench.plan import Plan
from plait.bench.results import Failure, Sample
from plait.bench.run import run
from plait.bench.scenarios.bulk import BulkScenario
from plait.bench.subjects import ContenderError, Setting, TwoEnds, UnsupportedError
from plait.bench.subjects.grpc_ends import GrpcEnds
from plait.bench.subjects.listening import order, remake
from plait.bench.subjects.plait_ends import PlaitEnds
from plait.bench.works import Bulk, Requests

BULK = Bulk("up", 1024, 0.01)
PATIENT = Setting(patience=20.0)


def test_ends_are_made_again_from_what_json_can_carry() -> None:
    for ends in (OddEnds("fine"), PlaitEnds("ws", "tls", "mplex", "asyncio")):
        assert remake(order(ends, None)) == ends


@pytest.mark.parametrize("processes", [1, 2])
def test_both_ends_tell_what_they_used(processes: int) -> None:
    with TwoEnds(OddEnds("fine")).start(Setting(processes=processes, patience=20.0)) as running:
        moved = running.measure(BULK, 20.0)
    assert moved.total > 0
    assert moved.near_cpu is not None
    assert (moved.far_cpu is None) == (processes == 1)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("dies", r"^the listener ended \(SIGKILL\)"),
        ("mute", r"^hangs: not done after 0\.5 s$"),
        ("raises", r"^(EOFError|the connection broke off)"),
    ],
)
def test_a_listener_that_fails_costs_one_measurement(how: str, why: str) -> None:
    with TwoEnds(OddEnds(how)).start(PATIENT) as running:
        with pytest.raises(ContenderError, match=why) as raised:
            running.measure(BULK, 0.5 if how == "mute" else 20.0)
    assert "\n" not in str(raised.value)


def test_a_listener_that_is_stopped_hangs() -> None:
    with TwoEnds(OddEnds("stops")).start(PATIENT) as running:
        with pytest.raises(ContenderError, match="hangs"):
            running.measure(Requests(1, 1, 0.01), 0.5)


def test_a_listener_that_does_not_start() -> None:
    contender = TwoEnds(OddEnds("no-start"))
    for processes in (1, 2):
        with pytest.raises(ContenderError, match="the port is taken"):
            with contender.start(Setting(processes=processes, patience=20.0)):
                pass


def test_what_no_other_process_can_make_says_so() -> None:
    class Local(OddEnds):
        pass

    with pytest.raises(UnsupportedError, match="one process"):
        with TwoEnds(Local("fine")).start(PATIENT):
            pass
    with TwoEnds(Local("fine")).start(Setting(processes=1)) as running:
        assert running.measure(BULK, 20.0).total > 0


def test_what_is_not_installed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "grpc", None)
    with pytest.raises(UnsupportedError, match="grpcio is not installed"):
        with TwoEnds(GrpcEnds()).start(Setting(processes=1)):
            pass


def test_a_plug_in_that_is_not_there_says_so() -> None:
    for ends in (PlaitEnds(muxer="no_such_module:Muxer"), PlaitEnds(security="rot13")):
        with pytest.raises(UnsupportedError, match=r"no_such_module|rot13"):
            with TwoEnds(ends).start(Setting(processes=1)) as running:
                running.measure(BULK, 5.0)


def test_a_run_goes_on_beside_those_who_fail() -> None:
    contenders = [TwoEnds(OddEnds(how)) for how in ("fine", "dies", "mute", "raises", "no-start")]
    plan = Plan(
        scenarios=[BulkScenario("up")], contenders=contenders, rounds=1, extra_rounds=0, seconds=0.01,
        patience=1.0, write_sizes=(64, 1024),
    )  # fmt: skip
    found = run(plan, environment=HERE, ceilings=FakeCeilings())
    assert found.finished
    failures = {
        (one.cell.subject.implementation, one.cell.parameters["write_size"]): one.why
        for one in found.findings
        if isinstance(one, Failure)
    }
    assert len(failures) == 8
    assert failures["odd-dies", 1024].startswith("the listener ended (SIGKILL)")
    assert failures["odd-mute", 64] == "hangs: not done after 1 s"
    assert "the port is taken" in failures["odd-no-start", 64]
    fine = [one for one in found.findings if isinstance(one, Sample)]
    assert {one.cell.subject.implementation for one in fine} == {"odd-fine"}
    assert {one.cell.parameters["write_size"] for one in fine} == {64, 1024}
