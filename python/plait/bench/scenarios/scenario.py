"""The seam for a scenario: which works it asks for, and what their outcomes say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

from plait.bench.results import Cell, Metric, Parameters, Subject

if TYPE_CHECKING:
    from plait.bench.plan import Plan
    from plait.bench.works import Work

__all__ = ["Figure", "Judgement", "Line", "Reading", "Scenario"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One value of one round; it becomes a `Sample`.

    Attributes:
        ceiling: what the machine could do right then, in the metric's unit; 0 where it has none.
    """

    metric: Metric
    value: float
    ceiling: float = 0.0


@dataclass(frozen=True, slots=True)
class Line:
    """Values of one round that belong together; it becomes a `Curve`."""

    name: str
    x_unit: str
    y_unit: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Judgement:
    """Something that has to stay within a bound. All rounds together become one `Verdict`.

    That is against it only where their interval is beyond the bound: a round that the machine disturbed
    proves nothing.

    Attributes:
        name: of what holds: `others unharmed`.
        said: what the value is, to begin a sentence: `the others lose`.
        most: the greatest value with which it holds.
    """

    name: str
    said: str
    value: float
    most: float
    unit: str


Reading: TypeAlias = Figure | Line | Judgement


@runtime_checkable
class Scenario(Protocol):
    """One question, asked of all contenders in the same way.

    Attributes:
        name: as in the findings.
    """

    @property
    def name(self) -> str: ...

    @property
    def fresh(self) -> bool:
        """Whether contenders are started anew for each measurement: where the memory of a process is counted,
        what earlier ones left in it would be counted too. Such figures need few rounds and no warm-up."""

    def rows(self, plan: Plan) -> Iterable[tuple[Parameters, Work[Any]]]:
        """The parameters of each cell, with the work that measures it."""

    def suits(self, subject: Subject, parameters: Parameters) -> bool:
        """Whether the question makes sense for it; where not, its cell stays empty without a failure."""

    def read(self, cell: Cell, outcome: Any, ceilings: Mapping[str, float]) -> Iterator[Reading]:
        """What one outcome of the work of a cell says.

        Args:
            ceilings: of the machine beside this round, in MB/s: `loopback` for raw TCP, `aead` for sealing.
        """
