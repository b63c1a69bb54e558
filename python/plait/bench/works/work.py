"""The seam for something to do: what a scenario asks and a contender does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from plait.bench.results import Subject
    from plait.bench.subjects.ends import Ends, Link

__all__ = ["Near", "Usage", "Work"]

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used so far.

    Attributes:
        cpu: seconds, in user mode and in the kernel.
        memory: bytes that are resident; 0 where the platform does not say.
        wakeups: how often its main thread slept and was woken; 0 where the platform does not say.
    """

    cpu: float
    memory: int = 0
    wakeups: int = 0


class Near(Protocol):
    """The dialer's end of a running contender, as a work sees it."""

    @property
    def subject(self) -> Subject:
        """Who is measured."""

    @property
    def ends(self) -> Ends:
        """What it is made of, for a work that puts something between the ends."""

    @property
    def alone(self) -> bool:
        """Both ends are in this process: what one has used, the other has too."""

    async def connect(self) -> Link:
        """A new connection; the work closes it."""

    def usage(self) -> Usage:
        """Of this process."""

    async def far_usage(self, *, settle: bool = False) -> Usage:
        """Of the listener's process; `settle` first gives back what nobody holds any more."""


class Work(Protocol[T_co]):
    """Something to do once: a frozen dataclass with its sizes in it.

    A contender that is not made of `Ends` looks at the class and does the same in its own way.
    """

    async def over(self, near: Near) -> T_co:
        """Does it over connections of `near`, all of which it closes, also when it is cancelled."""
