"""layers: the same work with one layer more each time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plait.bench.results import Cell, Metric, Parameters, Subject
from plait.bench.scenarios.scenario import Figure, Reading
from plait.bench.works import Layered, Layers, Work

if TYPE_CHECKING:
    from plait.bench.plan import Plan

__all__ = ["LayersScenario"]


@dataclass(frozen=True)
class LayersScenario:
    """Nanoseconds per byte and microseconds per operation that each layer adds; a layer is a metric."""

    name: str = "layers"
    fresh: bool = False

    def rows(self, plan: Plan) -> Iterable[tuple[Parameters, Work[Any]]]:
        yield {}, Layers(plan.layers_bytes, plan.layers_operations)

    def suits(self, subject: Subject, parameters: Parameters) -> bool:
        # Only there the socket is a layer of its own.
        return subject.implementation == "plait" and subject.driver == "fd"

    def read(self, cell: Cell, outcome: Layered, ceilings: Mapping[str, float]) -> Iterator[Reading]:
        for name, added in outcome.layers.items():
            yield Figure(Metric(name, "ns/byte", "lower"), added.per_byte)
        for name, added in outcome.layers.items():
            yield Figure(Metric(name, "µs/operation", "lower"), added.per_operation)
