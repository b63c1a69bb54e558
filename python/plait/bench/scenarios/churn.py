"""stream-churn and connection-churn: opened, used once, closed, over and over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from plait.bench.results import Cell, Metric, Parameters, Subject
from plait.bench.scenarios.quantities import CHURN, EACH, GROWN, has_streams
from plait.bench.scenarios.scenario import Figure, Reading
from plait.bench.works import Churned, ConnectionChurn, PipeChurn, Work

if TYPE_CHECKING:
    from plait.bench.plan import Plan

__all__ = ["ChurnScenario"]

CPU = Metric("cpu", "µs/each", "lower")


@dataclass(frozen=True)
class ChurnScenario:
    """Per second, µs each as one worker sees it, CPU of both ends, and memory left behind."""

    what: Literal["stream", "connection"]
    fresh: bool = False

    @property
    def name(self) -> str:
        return f"{self.what}-churn"

    def rows(self, plan: Plan) -> Iterable[tuple[Parameters, Work[Any]]]:
        for at_once in plan.churn_at_once:
            if self.what == "stream":
                yield {"at_once": at_once}, PipeChurn(plan.stream_churns, at_once)
            else:
                yield {"at_once": at_once}, ConnectionChurn(plan.connection_churns, at_once)

    def suits(self, subject: Subject, parameters: Parameters) -> bool:
        return self.what == "connection" or has_streams(subject.muxer)

    def read(self, cell: Cell, outcome: Churned, ceilings: Mapping[str, float]) -> Iterator[Reading]:
        yield Figure(CHURN, outcome.count / outcome.seconds)
        # Of many at once, each waits for the others.
        at_once = min(int(cell.parameters["at_once"]), outcome.count)
        yield Figure(EACH, outcome.seconds * at_once / outcome.count * 1e6)
        if outcome.near_cpu is not None:
            yield Figure(CPU, (outcome.near_cpu + (outcome.far_cpu or 0.0)) / outcome.count * 1e6)
        if outcome.grown is not None:
            yield Figure(GROWN, outcome.grown / outcome.count)
