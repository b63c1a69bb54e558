"""The seam for a scenario: which works it asks for, and what their outcomes say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

from plait.bench.results import Metric, Parameters, Subject

if TYPE_CHECKING:
    from plait.bench.plan import Plan
    from plait.bench.works import Work

__all__ = ["Figure", "Judgement", "Line", "Reading", "Scenario"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One value of one round; it becomes a `Sample`.

    Attributes:
        rated: whether raw TCP's ceiling is in this metric's unit, MB/s.
    """

    metric: Metric
    value: float
    rated: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """Values of one round that belong together; it becomes a `Curve`."""

    name: str
    x_unit: str
    y_unit: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Judgement:
    """Something that held in this round or did not; all rounds together become one `Verdict`.

    Attributes:
        shortfall: how far it is from what it should be, to find the worst round.
    """

    name: str
    passed: bool
    detail: str
    shortfall: float = 0.0


Reading: TypeAlias = Figure | Line | Judgement


@runtime_checkable
class Scenario(Protocol):
    """One question, asked of all contenders in the same way.

    Attributes:
        name: as in the findings.
    """

    @property
    def name(self) -> str: ...

    def rows(self, plan: Plan) -> Iterable[tuple[Parameters, Work[Any]]]:
        """The parameters of each cell, with the work that measures it."""

    def suits(self, subject: Subject, parameters: Parameters) -> bool:
        """Whether the question makes sense for it; where not, its cell stays empty without a failure."""

    def read(self, parameters: Parameters, outcome: Any) -> Iterator[Reading]:
        """What one outcome of the work of a cell says."""
