"""streams: many streams of one connection send at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plait.bench.results import Cell, Metric, Parameters, Subject
from plait.bench.scenarios.quantities import MB, RATE, cpu_figures, has_streams
from plait.bench.scenarios.scenario import Figure, Reading
from plait.bench.statistics import jain
from plait.bench.works import Bulk, Moved, Work

if TYPE_CHECKING:
    from plait.bench.plan import Plan

__all__ = ["StreamsScenario"]

FAIRNESS = Metric("fairness", "Jain", "higher")
SLOWEST = Metric("slowest over fastest", "×", "higher")
# Without a muxer each is a connection: more of them would measure handshakes.
MOST_CONNECTIONS = 10


@dataclass(frozen=True)
class StreamsScenario:
    """Total rate, Jain's index, slowest over fastest.

    A stream's share is its bytes over the time until its last byte was counted, since who is done sooner
    has had more of the connection.
    """

    name: str = "streams"
    fresh: bool = False

    def rows(self, plan: Plan) -> Iterable[tuple[Parameters, Work[Any]]]:
        for count in plan.pipe_counts:
            size = max(1, min(plan.write_size, plan.streams_bytes // count))
            yield {"streams": count}, Bulk("up", size, plan.seconds, count, plan.streams_bytes)

    def suits(self, subject: Subject, parameters: Parameters) -> bool:
        return has_streams(subject.muxer) or int(parameters["streams"]) <= MOST_CONNECTIONS

    def read(self, cell: Cell, outcome: Moved, ceilings: Mapping[str, float]) -> Iterator[Reading]:
        yield Figure(RATE, outcome.total / outcome.seconds / MB, ceilings.get("loopback", 0.0))
        if len(outcome.pipes) > 1 and len(outcome.after) == len(outcome.pipes):
            shares = [count / after for count, after in zip(outcome.pipes, outcome.after, strict=True)]
            yield Figure(FAIRNESS, jain(shares))
            yield Figure(SLOWEST, min(shares) / max(shares) if max(shares) else 1.0)
        yield from cpu_figures(outcome.near_cpu, outcome.far_cpu, outcome.total)
