"""The scenarios that plait brings along, in the order of the reports."""

from __future__ import annotations

from collections.abc import Sequence

from plait.bench.scenarios.bulk import BulkScenario
from plait.bench.scenarios.churn import ChurnScenario
from plait.bench.scenarios.distance import DistanceScenario
from plait.bench.scenarios.harm import HarmScenario
from plait.bench.scenarios.idle import IdleScenario
from plait.bench.scenarios.latency_under_load import LatencyUnderLoadScenario
from plait.bench.scenarios.layers import LayersScenario
from plait.bench.scenarios.request_response import RequestResponseScenario
from plait.bench.scenarios.scenario import Scenario
from plait.bench.scenarios.streams import StreamsScenario

__all__ = ["SCENARIOS"]

SCENARIOS: Sequence[Scenario] = (
    BulkScenario("up"),
    BulkScenario("down"),
    BulkScenario("duplex"),
    StreamsScenario(),
    RequestResponseScenario(),
    LatencyUnderLoadScenario(),
    ChurnScenario("stream"),
    ChurnScenario("connection"),
    HarmScenario("slow-reader", reads=True),
    HarmScenario("stalled-stream", reads=False),
    DistanceScenario(),
    IdleScenario(),
    LayersScenario(),
)
