"""What a run of the benchmark found, as scenarios give it and reports take it.

A run is a list of findings, in the order in which they were made: nothing here is computed from
another finding, so a file of them that ends in the middle is still whole up to there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

__all__ = [
    "Better",
    "Cell",
    "Curve",
    "Environment",
    "Failure",
    "Finding",
    "Metric",
    "Parameters",
    "Run",
    "Sample",
    "Subject",
    "Verdict",
]

Better: TypeAlias = Literal["higher", "lower", "neither"]
# By name, in the order in which they are shown: {"write_size": 65536, "streams": 10}.
Parameters: TypeAlias = Mapping[str, int | float | str]


@dataclass(frozen=True, slots=True)
class Environment:
    """Where it was measured; everything that a figure may hang on.

    Attributes:
        cpu: the model, as the kernel names it.
        cores: how many this process may use.
        kernel: its name and release.
        python: the interpreter and its version.
        plait: its version.
        commit: of plait's source tree, with `+` when the tree was changed; `None` outside of one.
        versions: of what takes part: `{"uvloop": "0.22.1", "grpcio": "…"}`.
        features: of the CPU that decide speed: `("aes", "avx512f")`.
    """

    cpu: str
    cores: int
    kernel: str
    python: str
    plait: str
    commit: str | None
    versions: Mapping[str, str] = field(default_factory=dict)
    features: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured: one column of a table.

    Attributes:
        implementation: `plait`, a baseline (`raw-tcp`, `asyncio-tls`, `websockets`, `grpc`), or a peer.
        transport: `tcp`, `ws`, `memory`; these five are empty where they have no meaning.
        security: `noise`, `tls`, `none`.
        muxer: `yamux`, `mplex`, `none`.
        loop: `uvloop` or `asyncio`.
        driver: what moves bytes between socket and session.
    """

    implementation: str
    transport: str = ""
    security: str = ""
    muxer: str = ""
    loop: str = ""
    driver: str = ""

    def __str__(self) -> str:
        stack = "/".join(part for part in (self.transport, self.security, self.muxer) if part)
        return " ".join(part for part in (self.implementation, stack, self.loop, self.driver) if part)


@dataclass(frozen=True, slots=True)
class Metric:
    """One quantity: its name (`rate`), its unit (`MB/s`), and which way is better."""

    name: str
    unit: str
    better: Better


@dataclass(frozen=True, slots=True)
class Cell:
    """One scenario, with one subject, with one set of parameters."""

    scenario: str
    subject: Subject
    parameters: Parameters = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one round.

    Attributes:
        round: counted from 0, shared by all cells of a scenario; -1 is the warm-up.
        ceiling: what the machine could do right then, in the metric's unit where it has one; else 0.
        kept: whether it counts: a round beside a ceiling that moved is kept in the file and in no figure.
    """

    cell: Cell
    metric: Metric
    round: int
    value: float
    ceiling: float = 0.0
    kept: bool = True


@dataclass(frozen=True, slots=True)
class Curve:
    """Many values of one cell that belong together: a latency CDF, a rate over time.

    Attributes:
        name: `latency`, `share of the link`.
        points: (x, y) in ascending x.
    """

    cell: Cell
    name: str
    x_unit: str
    y_unit: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Something that holds or does not: `others unharmed`, with the sentence that says how far."""

    cell: Cell
    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A cell that could not be measured, and one line that says why."""

    cell: Cell
    why: str


Finding: TypeAlias = Sample | Curve | Verdict | Failure


@dataclass(slots=True)
class Run:
    """All that one command found.

    Attributes:
        started: in UTC, ISO 8601.
        command: the words of the command line.
        finished: whether it came to its end; a run that was broken off keeps what it has.
    """

    started: str
    command: Sequence[str]
    environment: Environment
    findings: list[Finding] = field(default_factory=list)
    finished: bool = False
