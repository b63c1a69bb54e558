"""request-response: small requests, so many on the way at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plait.bench.results import Cell, Metric, Parameters, Subject
from plait.bench.scenarios.latency import PERCENTILES, curve
from plait.bench.scenarios.scenario import Figure, Reading
from plait.bench.statistics import quantile
from plait.bench.works import Answered, Requests, Work

if TYPE_CHECKING:
    from plait.bench.plan import Plan

__all__ = ["RequestResponseScenario"]

REQUESTS = Metric("rate", "requests/s", "higher")
CPU = Metric("cpu", "µs/request", "lower")


@dataclass(frozen=True)
class RequestResponseScenario:
    """Per second, percentiles of the latency, and its curve."""

    name: str = "request-response"
    fresh: bool = False

    def rows(self, plan: Plan) -> Iterable[tuple[Parameters, Work[Any]]]:
        for depth in plan.depths:
            yield {"depth": depth}, Requests(plan.message_size, depth, plan.seconds)

    def suits(self, subject: Subject, parameters: Parameters) -> bool:
        return True

    def read(self, cell: Cell, outcome: Answered, ceilings: Mapping[str, float]) -> Iterator[Reading]:
        times = outcome.latencies
        if not times:
            # Whoever tells only quantiles does not tell how many there were.
            for share, seconds in outcome.quantiles.items():
                if share in PERCENTILES:
                    yield Figure(PERCENTILES[share], seconds * 1e6)
            return
        yield Figure(REQUESTS, len(times) / outcome.seconds)
        for share, metric in PERCENTILES.items():
            # A percentile of fewer values than it has parts would be the greatest of them.
            if len(times) * (1 - share) >= 1:
                yield Figure(metric, quantile(times, share) * 1e6)
        if outcome.near_cpu is not None:
            yield Figure(CPU, (outcome.near_cpu + (outcome.far_cpu or 0.0)) / len(times) * 1e6)
        yield curve(times)
