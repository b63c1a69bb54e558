"""idle: what connections and streams cost that do nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plait.bench.results import Cell, Metric, Parameters, Subject
from plait.bench.scenarios.quantities import has_streams
from plait.bench.scenarios.scenario import Figure, Reading
from plait.bench.works import Held, Idle, Work

if TYPE_CHECKING:
    from plait.bench.plan import Plan

__all__ = ["IdleScenario"]

WAKEUPS = Metric("wake-ups", "/s", "lower")


@dataclass(frozen=True)
class IdleScenario:
    """Bytes for each in the listener's process, and wake-ups of both processes with all of them."""

    name: str = "idle"
    # A process that has done something else has memory to spare, and would seem to need none.
    fresh: bool = True

    def rows(self, plan: Plan) -> Iterable[tuple[Parameters, Work[Any]]]:
        yield {"what": "connection"}, Idle("connection", plan.idle_connections, plan.idle_seconds)
        yield {"what": "stream"}, Idle("stream", plan.idle_streams, plan.idle_seconds)

    def suits(self, subject: Subject, parameters: Parameters) -> bool:
        # In memory both ends are one process, whose memory has been used for all else.
        return subject.transport != "memory" and (
            parameters["what"] == "connection" or has_streams(subject.muxer)
        )

    def read(self, cell: Cell, outcome: Held, ceilings: Mapping[str, float]) -> Iterator[Reading]:
        # The listener is a process that has done nothing else. The dialer's has done everything before this,
        # and what it had to spare would make its figure too small.
        unit = f"B/{cell.parameters['what']}"
        if outcome.far is not None:
            yield Figure(Metric("memory", unit, "lower"), outcome.far)
        elif outcome.near is not None:
            yield Figure(Metric("memory of both ends", unit, "lower"), outcome.near)
        if outcome.wakeups is not None:
            yield Figure(WAKEUPS, outcome.wakeups)
