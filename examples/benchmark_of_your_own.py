"""A muxer of one's own beside yamux, and a question that `plait bench` does not ask.

python examples/benchmark_of_your_own.py
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from plait.bench import Plan, register_contender, register_scenario, reports, scenario
from plait.bench.results import Cell, Metric, Parameters, Subject
from plait.bench.run import run
from plait.bench.scenarios import Figure, Reading
from plait.bench.subjects import TwoEnds
from plait.bench.subjects.plait_ends import PlaitEnds
from plait.bench.works import Near, Work, link_to, one_there_and_back

FIRST_BYTE = Metric("first byte", "µs", "lower")


@dataclass(frozen=True)
class FirstByte:
    """The work: what is done once, over any stack; gives seconds."""

    async def over(self, near: Near) -> float:
        begin = time.perf_counter()
        async with link_to(near) as link:
            await one_there_and_back(await link.open())
            return time.perf_counter() - begin


@dataclass(frozen=True)
class FirstByteScenario:
    """The question: from nothing to the first byte back."""

    name: str = "first-byte"
    fresh: bool = False

    def rows(self, plan: Plan) -> Iterable[tuple[Parameters, Work[Any]]]:
        yield {}, FirstByte()

    def suits(self, subject: Subject, parameters: Parameters) -> bool:
        return True

    def read(self, cell: Cell, outcome: float, ceilings: Mapping[str, float]) -> Iterator[Reading]:
        yield Figure(FIRST_BYTE, outcome * 1e6)


def main() -> None:
    # The listener's process imports it, so it is named and not given: the one in plugin_muxer.py.
    framed = register_contender(TwoEnds(PlaitEnds(muxer="plugin_muxer:Framed")))
    yamux = TwoEnds(PlaitEnds())
    question = register_scenario(FirstByteScenario())

    plan = Plan.quick(scenarios=[question, scenario("bulk-duplex")], contenders=[yamux, framed])
    print(reports.table(run(plan)))


if __name__ == "__main__":
    main()
