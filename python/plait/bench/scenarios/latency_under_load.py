"""latency-under-load: pings on one stream while others move bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plait.bench.results import Cell, Metric, Parameters, Subject
from plait.bench.scenarios.latency import curve
from plait.bench.scenarios.quantities import MB, has_streams
from plait.bench.scenarios.scenario import Figure, Reading
from plait.bench.statistics import quantile
from plait.bench.works import Beside, Pings, Work

if TYPE_CHECKING:
    from plait.bench.plan import Plan

__all__ = ["LatencyUnderLoadScenario"]

GROWS = Metric("p99 grows by", "µs", "lower")
LOADED_P99 = Metric("p99", "µs", "lower")
LOADED_P50 = Metric("p50", "µs", "lower")
QUIET_P99 = Metric("p99 without load", "µs", "lower")
# Beside the latency and not for its own sake: who moves less has shorter queues.
MOVED = Metric("rate meanwhile", "MB/s", "neither")


@dataclass(frozen=True)
class LatencyUnderLoadScenario:
    """How much p99 grows, what both are, and how much was moved meanwhile."""

    name: str = "latency-under-load"
    fresh: bool = False

    def rows(self, plan: Plan) -> Iterable[tuple[Parameters, Work[Any]]]:
        for count in plan.loads:
            yield {"bulk_streams": count}, Pings(count, plan.write_size, plan.seconds)

    def suits(self, subject: Subject, parameters: Parameters) -> bool:
        # Between connections of their own, it is the kernel that shares.
        return has_streams(subject.muxer)

    def read(self, cell: Cell, outcome: Beside, ceilings: Mapping[str, float]) -> Iterator[Reading]:
        quiet, loaded = quantile(outcome.quiet, 0.99) * 1e6, quantile(outcome.loaded, 0.99) * 1e6
        yield Figure(GROWS, loaded - quiet)
        yield Figure(LOADED_P50, quantile(outcome.loaded, 0.5) * 1e6)
        yield Figure(LOADED_P99, loaded)
        yield Figure(QUIET_P99, quiet)
        yield Figure(MOVED, outcome.rate / MB)
        yield curve(outcome.loaded)
