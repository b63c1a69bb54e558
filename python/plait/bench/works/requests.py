"""Small requests that wait for their responses, and pings beside bulk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from plait.bench.works.work import Near

__all__ = ["Answered", "Beside", "Pings", "Requests"]


@dataclass(frozen=True, slots=True)
class Answered:
    """What came back.

    Attributes:
        seconds: from the first request to the last response.
        latencies: seconds from each request to its response, ascending; empty where whoever measured
            tells only some quantiles.
        near_cpu, far_cpu: as in `Moved`.
        quantiles: those, by their share: `{0.5: …, 0.99: …}`; empty beside latencies.
    """

    seconds: float
    latencies: Sequence[float]
    near_cpu: float | None = None
    far_cpu: float | None = None
    quantiles: Mapping[float, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Requests:
    """Gives `Answered`.

    Attributes:
        size: bytes of a request, and of its response.
        depth: how many are on the way at once, on one pipe; each response makes room for one request.
        seconds: how long requests are sent.
    """

    size: int
    depth: int
    seconds: float

    async def over(self, near: Near) -> Answered:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Beside:
    """The same pings without and with company.

    Attributes:
        quiet, loaded: seconds of each round trip, ascending.
        rate: bytes per second that the bulk moved meanwhile.
    """

    quiet: Sequence[float]
    loaded: Sequence[float]
    rate: float


@dataclass(frozen=True, slots=True)
class Pings:
    """One ping at a time on one pipe, first alone, then while other pipes of the connection move bulk up.

    Gives `Beside`.

    Attributes:
        pipes: how many move bulk.
        write_size: bytes of each of their writes.
        seconds: of each of the two halves.
    """

    pipes: int
    write_size: int
    seconds: float

    async def over(self, near: Near) -> Beside:
        raise NotImplementedError
