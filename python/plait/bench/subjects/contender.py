"""The seam for something that can be measured, whatever it is made of.

A contender is named and cheap until it is started. Started, it takes works (`plait.bench.works`) one at
a time. What runs in two processes of plait's own is made of `Ends` instead, which is less to write:
`plait.bench.subjects.TwoEnds` makes a contender of them.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from plait.exceptions import PlaitError

if TYPE_CHECKING:
    from plait.bench.results import Subject
    from plait.bench.works import Work

__all__ = ["Choosy", "Contender", "ContenderError", "Running", "Setting", "UnsupportedError"]

T = TypeVar("T")


class ContenderError(PlaitError):
    """It did not start, died, hung, or said what makes no sense: its cell has no figure, and the next has."""

    code = "E-CONTENDER"


class UnsupportedError(ContenderError):
    """It cannot do this at all, or is not installed; asking again gives the same."""

    code = "E-UNSUPPORTED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Where a contender runs.

    Attributes:
        processes: 2, or 1 for both ends in this process.
        cores: of the dialer and of the listener; `None`: wherever the scheduler puts them.
        patience: seconds that starting or ending may take.
    """

    processes: int = 2
    cores: tuple[int, int] | None = None
    patience: float = 15.0


class Running(Protocol):
    """A contender that has started."""

    def measure(self, work: Work[T], patience: float) -> T:
        """Does the work once, and gives what the work's class says.

        Args:
            work: what to do; an implementation that is not made of `Ends` does the ones it knows.
            patience: seconds after which it hangs.

        Raises:
            UnsupportedError: it cannot do this work, with the sentence that says why.
            ContenderError: this time it failed. The engine then closes it and starts it anew.

        `KeyboardInterrupt` goes through, with nothing left running inside.
        """


@runtime_checkable
class Contender(Protocol):
    """Something that can be measured: one column of the tables."""

    @property
    def subject(self) -> Subject:
        """Its name in all findings. No two contenders of a run have the same."""

    def start(self, setting: Setting) -> AbstractContextManager[Running]:
        """Entering starts it; leaving ends all its processes, whatever state they are in.

        Entering raises:
            UnsupportedError: it is not installed, or this platform cannot run it.
            ContenderError: it did not start.
        """


@runtime_checkable
class Choosy(Contender, Protocol):
    """A contender that can do few works: a program of somebody else, an address."""

    def knows(self, work: Work[Any]) -> bool:
        """Whether it can do this one; where not, its cell stays empty without a failure."""
