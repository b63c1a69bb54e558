"""A contender, a scenario and a machine that measure nothing, and say what they were asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from plait.bench.plan import Plan
from plait.bench.results import Cell, Environment, Finding, Metric, Parameters, Sample, Subject
from plait.bench.scenarios import Figure, Judgement, Line, Reading
from plait.bench.subjects import Setting
from plait.bench.works import Work

RATE = Metric("rate", "MB/s", "higher")
HERE = Environment("fake CPU", 2, "fake kernel", "fake Python", "0.0.0", None)


@dataclass(frozen=True)
class FakeWork:
    size: int

    async def over(self, near: object) -> float:
        raise AssertionError("a fake contender does not do works")


@dataclass
class FakeScenario:
    name: str = "fake"
    sizes: Sequence[int] = (1,)
    fresh: bool = False

    def rows(self, plan: Plan) -> Iterable[tuple[Parameters, Work[Any]]]:
        return [({"write_size": size}, FakeWork(size)) for size in self.sizes]

    def suits(self, subject: Subject, parameters: Parameters) -> bool:
        return subject.implementation != "unsuited"

    def read(self, cell: Cell, outcome: float, ceilings: Mapping[str, float]) -> Iterator[Reading]:
        yield Figure(RATE, outcome, ceilings["loopback"])
        yield Line("curve", "s", "share", [(0.0, outcome)])
        yield Judgement("holds", "it is", outcome, 100.0, "MB/s")


@dataclass
class FakeContender:
    """Gives `value`, or does what `does` does with the number of the measurement."""

    name: str
    value: float = 1.0
    does: Callable[[int], float] | None = None
    log: list[str] = field(default_factory=list)
    cannot_start: Exception | None = None
    alive: int = 0
    count: int = 0

    @property
    def subject(self) -> Subject:
        return Subject(self.name)

    @contextmanager
    def start(self, setting: Setting) -> Iterator[FakeContender]:
        if self.cannot_start is not None:
            raise self.cannot_start
        self.log.append(f"{self.name} starts")
        self.alive += 1
        try:
            yield self
        finally:
            self.alive -= 1
            self.log.append(f"{self.name} ends")

    def measure(self, work: Any, patience: float) -> Any:
        self.log.append(f"{self.name} {work.size}")
        self.count += 1
        return self.value if self.does is None else self.does(self.count - 1)


@dataclass
class FakeCeilings:
    """Gives these one after the other, the last for ever."""

    values: Sequence[float] = (1000.0,)
    log: list[str] = field(default_factory=list)
    count: int = 0

    def measure(self) -> Mapping[str, float]:
        self.log.append("ceiling")
        value = self.values[min(self.count, len(self.values) - 1)]
        self.count += 1
        return {"loopback": value}


@dataclass
class Recorder:
    """A watcher."""

    total: int = -1
    steps: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def begins(self, plan: Plan, total_steps: int) -> None:
        self.total = total_steps

    def step(self, text: str) -> None:
        self.steps.append(text)

    def found(self, finding: Finding) -> None:
        self.findings.append(finding)


def plan_of(*contenders: FakeContender, scenarios: Sequence[Any] = (), **changes: Any) -> Plan:
    settings: dict[str, Any] = {"rounds": 4, "extra_rounds": 2, "patience": 1.0, **changes}
    return Plan(scenarios=scenarios or [FakeScenario()], contenders=contenders, **settings)


def samples_of(findings: Sequence[Finding], name: str) -> list[Sample]:
    return [one for one in findings if isinstance(one, Sample) and one.cell.subject.implementation == name]
