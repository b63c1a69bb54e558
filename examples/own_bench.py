"""A muxer and a question of one's own, beside those of `plait bench`.

PYTHONPATH=examples plait bench --quick --load own_bench --scenario requests-by-size --subject noise
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from plait.bench import Plan, register_contender, register_scenario
from plait.bench.results import Cell, Metric, Parameters, Subject
from plait.bench.scenarios import Figure
from plait.bench.statistics import quantile
from plait.bench.subjects import TwoEnds
from plait.bench.subjects.plait_ends import PlaitEnds
from plait.bench.works import Answered, Requests

P50 = Metric("p50", "µs", "lower")


@dataclass(frozen=True)
class RequestsBySize:
    """How long one request takes, by its size."""

    name: str = "requests-by-size"
    # Whether everybody is started anew for each measurement, as where memory is counted.
    fresh: bool = False

    def rows(self, plan: Plan) -> Iterator[tuple[Parameters, Requests]]:
        for size in (16, 1024, 16384):
            yield {"message_size": size}, Requests(size, depth=1, seconds=plan.seconds)

    def suits(self, subject: Subject, parameters: Parameters) -> bool:
        return True

    def read(self, cell: Cell, outcome: Answered, ceilings: Mapping[str, float]) -> Iterator[Figure]:
        # Other implementations tell no more than some quantiles.
        median = quantile(outcome.latencies, 0.5) if outcome.latencies else outcome.quantiles[0.5]
        yield Figure(P50, median * 1e6)


# The plug-in by the name under which the listener's process can import it.
register_contender(TwoEnds(PlaitEnds(muxer="plugin_muxer:Framed")))
register_scenario(RequestsBySize())
