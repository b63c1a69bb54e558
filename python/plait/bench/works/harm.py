"""Pipes that are read slowly or not at all, and what that does to the others."""

from __future__ import annotations

from dataclasses import dataclass

from plait.bench.works.work import Near

__all__ = ["Harm", "Harmed"]


@dataclass(frozen=True, slots=True)
class Harmed:
    """What the others lost, and what was held back.

    Attributes:
        without: bytes per second that the others moved with nobody in the way.
        beside: the same beside the slow one.
        taken: bytes that the listener read from the slow one.
        accepted: bytes that the slow one's writer got rid of: those not read are held somewhere.
        grown: bytes by which both processes grew together; `None` where it is not known.
    """

    without: float
    beside: float
    taken: int
    accepted: int
    grown: int | None = None


@dataclass(frozen=True, slots=True)
class Harm:
    """Bulk on several pipes while the listener hardly reads one more. Gives `Harmed`.

    Attributes:
        pipes: how many are read as fast as they come.
        write_size: bytes of each write.
        slow_rate: bytes per second that the listener reads from the slow one; 0: nothing ever.
        seconds: of each of the two halves, without the slow one and beside it.
    """

    pipes: int
    write_size: int
    slow_rate: int
    seconds: float

    async def over(self, near: Near) -> Harmed:
        raise NotImplementedError
