"""distance: a link with delay, and how much of it one stream uses, how soon."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plait.bench.results import Cell, Metric, Parameters, Subject
from plait.bench.scenarios.scenario import Figure, Line, Reading
from plait.bench.works import Distance, Travelled, Work

if TYPE_CHECKING:
    from plait.bench.plan import Plan

__all__ = ["DistanceScenario"]

SHARE = Metric("share of the link", "%", "higher")
SOON = Metric("time to 80 %", "s", "lower")
FAR = 0.8
# Seconds watched at least, where the round trip is nothing.
LEAST = 0.5


@dataclass(frozen=True)
class DistanceScenario:
    """The share at the end, when it was first above 80 %, and the curve."""

    name: str = "distance"
    fresh: bool = False

    def rows(self, plan: Plan) -> Iterable[tuple[Parameters, Work[Any]]]:
        for delay in plan.delays_ms:
            seconds = max(LEAST, plan.watched_trips * 2 * delay / 1000)
            work = Distance(delay / 1000, plan.link_rate, seconds, plan.write_size)
            yield {"delay_ms": delay}, work

    def suits(self, subject: Subject, parameters: Parameters) -> bool:
        # In one process, and the link in place of the transport: loops, sockets and drivers have no say.
        return subject.implementation == "plait" and subject.transport == "tcp" and subject.driver == "fd"

    def read(self, cell: Cell, outcome: Travelled, ceilings: Mapping[str, float]) -> Iterator[Reading]:
        yield Figure(SHARE, outcome.share * 100)
        reached = next((at for at, share in outcome.points if share >= FAR), None)
        if reached is not None:
            yield Figure(SOON, reached)
        yield Line("share of the link", "s", "share", outcome.points)
