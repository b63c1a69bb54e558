"""bulk-up, bulk-down, bulk-duplex: one stream, as many bytes as it takes, by the size of writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plait.bench.results import Cell, Metric, Parameters, Subject
from plait.bench.scenarios.quantities import MB, RATE, cpu_figures
from plait.bench.scenarios.scenario import Figure, Reading
from plait.bench.works import Bulk, Direction, Moved, Work

if TYPE_CHECKING:
    from plait.bench.plan import Plan

__all__ = ["BulkScenario"]

OF_AEAD = Metric("share of the AEAD's ceiling", "%", "neither")
# What every byte of these is sealed with once and opened once.
SEALED = ("noise", "tls")


@dataclass(frozen=True)
class BulkScenario:
    """MB/s and CPU seconds per GB; beside them what share of sealing alone that is."""

    direction: Direction
    fresh: bool = False

    @property
    def name(self) -> str:
        return f"bulk-{self.direction}"

    def rows(self, plan: Plan) -> Iterable[tuple[Parameters, Work[Any]]]:
        for size in plan.write_sizes if self.direction == "up" else plan.back_write_sizes:
            yield {"write_size": size}, Bulk(self.direction, size, plan.seconds)

    def suits(self, subject: Subject, parameters: Parameters) -> bool:
        return True

    def read(self, cell: Cell, outcome: Moved, ceilings: Mapping[str, float]) -> Iterator[Reading]:
        rate = outcome.total / outcome.seconds / MB
        yield Figure(RATE, rate, ceilings.get("loopback", 0.0))
        yield from cpu_figures(outcome.near_cpu, outcome.far_cpu, outcome.total)
        if cell.subject.security in SEALED and ceilings.get("aead"):
            yield Figure(OF_AEAD, rate / ceilings["aead"] * 100)
