"""Connections and pipes that are there and do nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from plait.bench.works.work import Near

__all__ = ["Held", "Idle"]


@dataclass(frozen=True, slots=True)
class Held:
    """What they cost.

    Attributes:
        near, far: bytes by which the dialer's and the listener's process grew for each; in one process
            all is in `near`. `None` where it is not known.
        wakeups: of both processes per second, with all of them open; `None` where it is not known.
    """

    count: int
    near: float | None = None
    far: float | None = None
    wakeups: float | None = None


@dataclass(frozen=True, slots=True)
class Idle:
    """Opens so many, uses each once, and looks at both processes. Gives `Held`.

    Attributes:
        what: connections, or pipes of one connection.
        count: how many.
        seconds: how long wake-ups are counted.
    """

    what: Literal["connection", "stream"]
    count: int
    seconds: float

    async def over(self, near: Near) -> Held:
        raise NotImplementedError
