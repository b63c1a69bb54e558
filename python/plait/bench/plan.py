"""What a run measures, how often and how long. Every bound is a field with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from plait.exceptions import ConfigError

if TYPE_CHECKING:
    from plait.bench.scenarios import Scenario
    from plait.bench.subjects import Contender

__all__ = ["Plan"]

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A run before it is run; `dataclasses.replace` makes a variant. Sizes in bytes, times in seconds.

    The defaults are those of `full`.

    Attributes:
        scenarios: in the order in which they are asked.
        contenders: in the order of the columns; what else there is stands in `plait.bench.registry`.
        pin: keep the dialer on one core and the listener on another.

    Raises `ConfigError` for a count that is not positive, and for two contenders of one name.
    """

    scenarios: Sequence[Scenario]
    contenders: Sequence[Contender]

    # How often and how long
    # Four on each side are the least with which two subjects can be told apart; some rounds get lost.
    rounds: int = 7
    # Of the whole run: where it is behind that, rows get fewer rounds, down to `hurried_rounds`. 0: no bound.
    budget: float = 0.0
    # With two there is a figure and a notion of its noise, and no ranking.
    hurried_rounds: int = 2
    # Rounds measured again when a ceiling moved. A machine that needs more is not quiet enough for any.
    extra_rounds: int = 2
    # The steadiest of a row, which count whatever the ceilings did: on a busy machine wide intervals say more
    # than no figures.
    least_rounds: int = 4
    # Of scenarios that count memory, which depends little on the machine's noise, and where each starts anew.
    memory_rounds: int = 3
    # Cells in a row that a contender may fail: who hangs in all of them would only cost patience.
    most_failures: int = 3
    # Share of its median by which a ceiling may move: bursts of the same loop on a quiet machine stay within.
    tolerance: float = 0.15
    # Of one measurement: long beside a scheduler's tick and a window's growth, short beside a round.
    seconds: float = 1.0
    # What a measurement may take before it counts as hanging: the longest, churn, takes half a minute.
    patience: float = 90.0
    # Both ends in one process share a core: that is no network. Only a transport in memory needs it.
    processes: int = 2
    pin: bool = False
    # Of the order within each round, so that nobody always runs behind the same one.
    seed: int = 1

    # bulk
    write_sizes: Sequence[int] = (64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB)
    # The same for the other directions, where the size matters less.
    back_write_sizes: Sequence[int] = (64, KIB, 16 * KIB, 64 * KIB, MIB)
    # Where only one size is asked for: past it the rate of no stack grows much.
    write_size: int = 64 * KIB
    # streams
    pipe_counts: Sequence[int] = (1, 10, 100, 1_000, 10_000)
    # Of all streams together, where a stream ends before its time: what each has written waits in memory.
    streams_bytes: int = 2048 * MIB
    # request-response
    depths: Sequence[int] = (1, 2, 4, 8, 16, 32, 64, 128, 256)
    # Of a request and its response: a small call with an id and a few fields.
    message_size: int = 128
    # latency-under-load: one neighbour, and as many as a busy program has.
    loads: Sequence[int] = (1, 8)
    # stream-churn and connection-churn: one after the other is waiting, many at once is work.
    churn_at_once: Sequence[int] = (1, 32)
    # Streams of one measurement. All rounds together make the 100,000 that show a leak.
    stream_churns: int = 10_000
    connection_churns: int = 300
    # slow-reader and stalled-stream
    neighbours: int = 4
    # Of the slow reader: far below any loopback, fast enough to be seen in a second.
    slow_rate: int = 256 * KIB
    # Delays one way in milliseconds: here, a country, a continent, a planet.
    delays_ms: Sequence[int] = (0, 10, 50, 100)
    # The delayed link's, in bytes per second: 1 Gbit/s, which one core can fill with room to spare.
    link_rate: int = 125_000_000
    # Round trips that the distance scenario watches: windows that double each time are at 16 MiB in seven.
    watched_trips: int = 20
    # idle: divided by fewer, the allocator's pages would show. 800 inbound connections are a host's limit.
    idle_connections: int = 400
    idle_streams: int = 10_000
    # In which wake-ups are counted: the keep-alive of 30 s is longer, and left out.
    idle_seconds: float = 2.0
    # layers: half a second for the slowest of them, all in one thread.
    layers_bytes: int = 256 * MIB
    layers_operations: int = 5_000

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            numbers = value if isinstance(value, Sequence) else (value,)
            least = 0 if field.name in ("budget", "extra_rounds", "seed", "pin", "delays_ms") else 1e-9
            if any(isinstance(one, int | float) and one < least for one in numbers):
                raise ConfigError(f"{field.name} has to be more than {least:.0f}, not {value!r}")
        if self.processes not in (1, 2):
            raise ConfigError(f"both ends run in 1 process or in 2, not in {self.processes}")
        names = [str(one.subject) for one in self.contenders]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConfigError(f"two subjects are called {twice[0]}: findings could not tell them apart")

    @classmethod
    def quick(
        cls, scenarios: Sequence[Scenario] | None = None, contenders: Sequence[Contender] | None = None
    ) -> Plan:
        """Every scenario in small form, within two minutes on two cores; fewer contenders."""
        from plait.bench import registry

        return cls(
            scenarios=registry.scenarios() if scenarios is None else scenarios,
            contenders=registry.quick_contenders() if contenders is None else contenders,
            # The least with which anything can be ranked.
            rounds=4,
            extra_rounds=1,
            memory_rounds=1,
            # Two minutes, with the reports; a machine that does nothing else does not come near.
            budget=95.0,
            seconds=0.08,
            patience=15.0,
            write_sizes=(64, 4 * KIB, 64 * KIB, MIB),
            back_write_sizes=(64 * KIB,),
            pipe_counts=(1, 10, 100),
            depths=(1, 16, 64),
            loads=(8,),
            churn_at_once=(1, 32),
            stream_churns=300,
            connection_churns=20,
            delays_ms=(25,),
            watched_trips=10,
            idle_connections=50,
            idle_streams=500,
            idle_seconds=0.25,
            layers_bytes=32 * MIB,
            layers_operations=500,
        )

    @classmethod
    def full(
        cls, scenarios: Sequence[Scenario] | None = None, contenders: Sequence[Contender] | None = None
    ) -> Plan:
        """Everything that is registered, in full length: hours on two cores."""
        from plait.bench import registry

        return cls(
            scenarios=registry.scenarios() if scenarios is None else scenarios,
            contenders=registry.contenders() if contenders is None else contenders,
        )
