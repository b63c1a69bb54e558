"""Each scenario, for real and very small: no figure is judged, only that they are there and make sense."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest

from plait.bench import reports
from plait.bench.plan import Plan
from plait.bench.registry import scenario, scenarios
from plait.bench.results import Cell, Curve, Environment, Failure, Run, Sample, Subject, Verdict
from plait.bench.run import run
from plait.bench.subjects import TwoEnds
from plait.bench.subjects.asyncio_tls import AsyncioTlsEnds
from plait.bench.subjects.plait_ends import PlaitEnds
from plait.bench.subjects.raw_tcp import RawTcpEnds
from plait.bench.subjects.websockets_ends import WebsocketsEnds
from plait.exceptions import ConfigError

HERE = Environment("test CPU", 2, "test kernel", "test Python", "0.0.0", None)
BARE, MEMORY = PlaitEnds(loop="asyncio"), PlaitEnds("memory", "tls")
BASELINES = (RawTcpEnds(), AsyncioTlsEnds(), WebsocketsEnds())
CPU = {"cpu": "s/GB"}
BOTH_CPU = {**CPU, "cpu of the dialer": "s/GB", "cpu of the listener": "s/GB"}
LAYERS = ("muxer", "security", "socket", "event loop", "handler")
# By scenario: metrics with their units that a stack of plait over TCP has; for `layers` a name has two units.
EXPECTED: Mapping[str, set[tuple[str, str]]] = {
    "bulk-up": {("rate", "MB/s"), *BOTH_CPU.items(), ("share of the AEAD's ceiling", "%")},
    "bulk-down": {("rate", "MB/s"), *BOTH_CPU.items(), ("share of the AEAD's ceiling", "%")},
    "bulk-duplex": {("rate", "MB/s"), *BOTH_CPU.items(), ("share of the AEAD's ceiling", "%")},
    "streams": {("rate", "MB/s"), *BOTH_CPU.items(), ("fairness", "Jain"), ("slowest over fastest", "×")},
    "request-response": {("rate", "requests/s"), ("p50", "µs"), ("cpu", "µs/request")},
    "latency-under-load": {
        ("p99 grows by", "µs"), ("p50", "µs"), ("p99", "µs"), ("p99 without load", "µs"),
        ("rate meanwhile", "MB/s"),
    },
    "stream-churn": {("rate", "/s"), ("each", "µs"), ("cpu", "µs/each"), ("left behind", "B/each")},
    "connection-churn": {("rate", "/s"), ("each", "µs"), ("cpu", "µs/each"), ("left behind", "B/each")},
    "slow-reader": {("others lose", "%"), ("rate of the others", "MB/s"), ("held back", "KiB")},
    "stalled-stream": {("others lose", "%"), ("rate of the others", "MB/s"), ("held back", "KiB")},
    "distance": {("share of the link", "%")},
    "idle": {
        ("memory", "B/connection"), ("memory", "B/stream"), ("wake-ups", "/s"),
    },
    "layers": {(name, unit) for name in LAYERS for unit in ("ns/byte", "µs/operation")},
}  # fmt: skip


def tiny(name: str, *ends: Any) -> Plan:
    return Plan(
        scenarios=[scenario(name)], contenders=[TwoEnds(each) for each in ends], rounds=1, extra_rounds=0,
        memory_rounds=1, seconds=0.02, patience=30.0, write_sizes=(64, 65536), back_write_sizes=(4096,),
        pipe_counts=(1, 20), streams_bytes=1 << 20, depths=(1, 8), loads=(2,), churn_at_once=(1, 4),
        stream_churns=12, connection_churns=6, neighbours=2, delays_ms=(0, 5), link_rate=20_000_000,
        watched_trips=5, idle_connections=4, idle_streams=20, idle_seconds=0.05, layers_bytes=1 << 20,
        layers_operations=10,
    )  # fmt: skip


def measured(found: Run, subject: Subject) -> set[tuple[str, str]]:
    return {
        (one.metric.name, one.metric.unit)
        for one in found.findings
        if isinstance(one, Sample) and one.cell.subject == subject
    }


def test_every_scenario_is_here() -> None:
    assert [one.name for one in scenarios()] == list(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_scenario_measures_what_its_page_promises(name: str) -> None:
    found = run(tiny(name, BARE, MEMORY), environment=HERE)
    assert [one for one in found.findings if isinstance(one, Failure)] == []
    assert found.finished
    # p90 and beyond need more values than a test has for sure; so does 80 % of a link.
    assert measured(found, BARE.subject) - {
        ("p90", "µs"), ("p99", "µs"), ("p99.9", "µs"), ("time to 80 %", "s")
    } == EXPECTED[name] - {("p99", "µs")}  # fmt: skip
    assert all(math.isfinite(one.value) for one in found.findings if isinstance(one, Sample))
    assert {one.cell.scenario for one in found.findings} == {name}
    for curve in (one for one in found.findings if isinstance(one, Curve)):
        xs = [x for x, _ in curve.points]
        assert xs == sorted(xs)
        assert curve.points
    # It can be shown.
    assert name in reports.table(found)
    assert "<svg" in reports.page(found)


@pytest.mark.parametrize(
    "name", ["bulk-up", "bulk-down", "bulk-duplex", "streams", "request-response", "connection-churn", "idle"]
)
def test_baselines_are_measured_where_the_question_makes_sense(name: str) -> None:
    found = run(tiny(name, *BASELINES), environment=HERE)
    assert [one for one in found.findings if isinstance(one, Failure)] == []
    for ends in BASELINES:
        assert measured(found, ends.subject)
        # Twenty streams would be twenty connections.
        streams = {one.cell.parameters.get("streams", 1) for one in found.findings if isinstance(one, Sample)}
        assert streams == {1}


def test_what_stands_in_one_process_has_no_figures_of_two() -> None:
    found = run(tiny("bulk-up", MEMORY), environment=HERE)
    assert measured(found, MEMORY.subject) == {
        ("rate", "MB/s"), *CPU.items(), ("share of the AEAD's ceiling", "%")
    }  # fmt: skip


@pytest.mark.parametrize("name", ["slow-reader", "stalled-stream"])
def test_a_muxer_without_credit_holds_everybody_up_and_the_verdict_says_so(name: str) -> None:
    plan = tiny(name, PlaitEnds(loop="asyncio"), PlaitEnds(loop="asyncio", muxer="mplex"))
    found = run(plan, environment=HERE)
    assert [one for one in found.findings if isinstance(one, Failure)] == []
    verdicts = {
        (one.cell.subject.muxer, one.name): one.passed
        for one in found.findings
        if isinstance(one, Verdict) and one.name != "machine quiet"
    }
    assert set(verdicts) == {
        (muxer, what) for muxer in ("yamux", "mplex") for what in ("others unharmed", "memory bounded")
    }
    assert verdicts["mplex", "others unharmed"] is False
    rate = {
        one.cell.subject.muxer: one.value
        for one in found.findings
        if isinstance(one, Sample) and one.metric.name == "rate of the others" and one.round == 0
    }
    assert rate["yamux"] > rate["mplex"]
    assert verdicts["yamux", "memory bounded"] is True


def test_a_latency_curve_ends_with_the_greatest_value_and_shows_no_percentile_without_values() -> None:
    found = run(tiny("request-response", BARE), environment=HERE)
    curves = [one for one in found.findings if isinstance(one, Curve)]
    assert {curve.name for curve in curves} == {"latency"}
    for curve in curves:
        assert curve.points[-1][1] == 1.0
        shares = [share for _, share in curve.points]
        assert shares == sorted(shares)


def test_the_quantiles_of_a_peer_that_tells_no_more_are_figures() -> None:
    from plait.bench.works import Answered

    cell = Cell("request-response", Subject("peer"), {"depth": 1})
    outcome = Answered(1.0, [], quantiles={0.5: 0.001, 0.99: 0.002, 0.42: 1.0})
    read = list(scenario("request-response").read(cell, outcome, {}))
    assert [(one.metric.name, one.value) for one in read] == [("p50", 1000.0), ("p99", 2000.0)]  # type: ignore[union-attr]


def test_a_scenario_that_is_not_there_says_which_are() -> None:
    with pytest.raises(ConfigError, match="bulk-up"):
        scenario("bulk-sideways")
