"""slow-reader and stalled-stream: what one stream that is hardly read does to the others, and to memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plait.bench.results import Cell, Metric, Parameters, Subject
from plait.bench.scenarios.quantities import MB, has_streams
from plait.bench.scenarios.scenario import Figure, Judgement, Reading
from plait.bench.works import Harm, Harmed, Work

if TYPE_CHECKING:
    from plait.bench.plan import Plan

__all__ = ["HarmScenario"]

LOST = Metric("others lose", "%", "lower")
HELD = Metric("held back", "KiB", "lower")
BESIDE = Metric("rate of the others", "MB/s", "higher")
# In percent: the slow one needs a little CPU itself.
MOST_LOST = 5.0
MIB = 1024 * 1024
# Bytes: the largest window that a stream of plait may get, a send buffer, and the kernel's on both sides.
MOST_HELD = 32 * MIB


@dataclass(frozen=True)
class HarmScenario:
    """What the others lose and what is held back, with a verdict about each."""

    name: str
    reads: bool
    fresh: bool = False

    def rows(self, plan: Plan) -> Iterable[tuple[Parameters, Work[Any]]]:
        rate = plan.slow_rate if self.reads else 0
        yield {"others": plan.neighbours}, Harm(plan.neighbours, plan.write_size, rate, plan.seconds)

    def suits(self, subject: Subject, parameters: Parameters) -> bool:
        return has_streams(subject.muxer)

    def read(self, cell: Cell, outcome: Harmed, ceilings: Mapping[str, float]) -> Iterator[Reading]:
        lost = (1 - outcome.beside / outcome.without) * 100 if outcome.without else 0.0
        yield Figure(LOST, lost)
        yield Figure(BESIDE, outcome.beside / MB)
        yield Figure(HELD, outcome.held / 1024)
        yield Judgement("others unharmed", "the others lose", lost, MOST_LOST, "%")
        yield Judgement("memory bounded", "written and not read:", outcome.held / MIB, MOST_HELD / MIB, "MiB")
