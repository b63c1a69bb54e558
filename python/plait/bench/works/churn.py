"""Pipes and connections that are opened, used once and closed, over and over."""

from __future__ import annotations

from dataclasses import dataclass

from plait.bench.works.work import Near

__all__ = ["Churned", "ConnectionChurn", "PipeChurn"]


@dataclass(frozen=True, slots=True)
class Churned:
    """How it went.

    Attributes:
        count: how many were opened, used and closed.
        seconds: for all of them.
        grown: bytes by which both processes grew together between the first tenth and the end, after
            what nobody holds was given back; `None` where it is not known.
        near_cpu, far_cpu: as in `Moved`.
    """

    count: int
    seconds: float
    grown: int | None = None
    near_cpu: float | None = None
    far_cpu: float | None = None


@dataclass(frozen=True, slots=True)
class PipeChurn:
    """Open a pipe, one byte there and back, close. Gives `Churned`.

    Attributes:
        count: how many.
        at_once: by so many tasks, on one connection.
    """

    count: int
    at_once: int

    async def over(self, near: Near) -> Churned:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class ConnectionChurn:
    """Connect, with all that the security asks for, then close. Gives `Churned`.

    Attributes:
        count: how many.
        at_once: by so many tasks.
    """

    count: int
    at_once: int

    async def over(self, near: Near) -> Churned:
        raise NotImplementedError
