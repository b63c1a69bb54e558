"""As many bytes as a pipe takes, or many pipes of one connection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from plait.bench.works.work import Near

__all__ = ["Bulk", "Direction", "Moved"]

Direction: TypeAlias = Literal["up", "down", "duplex"]


@dataclass(frozen=True, slots=True)
class Moved:
    """What came through.

    Attributes:
        seconds: from the first byte to when the last one was counted.
        pipes: bytes of each pipe, both directions together, as their readers counted them.
        near_cpu, far_cpu: seconds of processor of the dialer's and of the listener's process; in one
            process all is in `near_cpu`. `None` where it is not known.
    """

    seconds: float
    pipes: Sequence[int]
    near_cpu: float | None = None
    far_cpu: float | None = None

    @property
    def total(self) -> int:
        """Bytes, of all pipes."""
        return sum(self.pipes)


@dataclass(frozen=True, slots=True)
class Bulk:
    """Gives `Moved`.

    Attributes:
        direction: `up` from the dialer to the listener, `down` back, `duplex` both at once.
        write_size: bytes of each write.
        seconds: how long bytes are sent.
        pipes: how many at once, all on one connection.
    """

    direction: Direction
    write_size: int
    seconds: float
    pipes: int = 1

    async def over(self, near: Near) -> Moved:
        raise NotImplementedError
