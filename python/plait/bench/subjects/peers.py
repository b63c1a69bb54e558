"""Other implementations of libp2p, through the command line that their peers share.

`COMMAND listen …` prints `{"event": "listening", "addrs": […]}` and serves until SIGTERM; `COMMAND perf`,
`ping`, `streams` and `handshakes` with `--to ADDR` print one result and end, with exit status 0 when it
held. All take `--transport`, `--security` and `--muxer`.
"""

from __future__ import annotations

import math
import shlex
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

from plait.bench.results import Subject
from plait.bench.subjects.contender import ContenderError, Setting, UnsupportedError
from plait.bench.subjects.pace import Pace
from plait.bench.subjects.programs import Program, one_line
from plait.bench.unbroken import unbroken
from plait.bench.works import Answered, Bulk, Churned, ConnectionChurn, Moved, PipeChurn, Requests, Work
from plait.exceptions import ConfigError

__all__ = ["LARGEST_PING", "WRITE_SIZE", "Peer", "does_bulk"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Peer:
    """A contender: a peer as dialer against the same peer as listener.

    Attributes:
        name: of the implementation.
        command: its program, with arguments that come before all others.
        transport, security, muxer: what both are asked for, and all that they then offer.
    """

    name: str
    command: tuple[str, ...]
    transport: str = "tcp"
    security: str = "noise"
    muxer: str = "yamux"

    @classmethod
    def parse(cls, text: str) -> Peer:
        """From `NAME=COMMAND`, the command as a shell splits it. Raises `ConfigError`."""
        name, sign, command = text.partition("=")
        try:
            words = shlex.split(command)
        except ValueError as error:
            raise ConfigError(f"the command of the peer {text!r} cannot be split: {error}") from None
        if not sign or not name.strip() or not words or not text.isprintable():
            raise ConfigError(f"{text!r} is no peer", hint="write NAME=COMMAND")
        return cls(name.strip(), tuple(words))

    def over(self, transport: str, security: str = "", muxer: str = "") -> Peer:
        """The same over another stack; what is empty stays."""
        return replace(
            self,
            transport=transport or self.transport,
            security=security or self.security,
            muxer=muxer or self.muxer,
        )

    @property
    def subject(self) -> Subject:
        return Subject(self.name, self.transport, self.security, self.muxer)

    def knows(self, work: Work[Any]) -> bool:
        """Whether the shared command line has words for this work."""
        match work:
            case Bulk():
                return does_bulk(work)
            case Requests():
                return work.depth == 1 and work.size <= LARGEST_PING
            case PipeChurn() | ConnectionChurn():
                return True
        return False

    @contextmanager
    def start(self, setting: Setting) -> Iterator[RunningPeer]:
        """As `Contender.start`; in two processes of its own, whatever the setting says."""
        running = RunningPeer(self, setting)
        try:
            running.listen()
            yield running
        finally:
            running.stop()

    def agent(self) -> str | None:
        """What it calls itself, with its version; `None` when it does not say, for whatever reason."""
        running = RunningPeer(self, Setting(patience=AGENT_PATIENCE))
        try:
            running.listen()
            return running.agent(AGENT_PATIENCE)
        except ContenderError:
            # If that matters, measuring will say why.
            return None
        finally:
            running.stop()

    def argv(self, command: str, *arguments: str) -> list[str]:
        """The words that start it for this command over its stack."""
        stack = ["--transport", self.transport, "--security", self.security, "--muxer", self.muxer]
        return [*self.command, command, *stack, *arguments]


class RunningPeer:
    """A peer that listens; each work starts the dialer anew, with its dial outside of what is measured."""

    def __init__(self, peer: Peer, setting: Setting) -> None:
        self._peer = peer
        self._cores: tuple[int | None, int | None] = setting.cores or (None, None)
        self._patience = setting.patience
        self._listener: Program | None = None
        self._since = 0.0
        self._address = ""
        self._paces: dict[str, Pace] = {}

    def listen(self) -> None:
        """Starts the listener, in place of one that is there. Raises `ContenderError`."""
        self.stop()
        argv = self._peer.argv("listen", "--seconds", f"{LIFETIME:.0f}")
        with unbroken():
            listener = self._listener = Program(self._peer.name, argv, self._cores[1])
        self._since = time.monotonic()
        addresses = listener.event("listening", self._patience).get("addrs")
        address = _loopback(addresses)
        if address is None:
            raise ContenderError(f"{self._peer.name} listens on no loopback address: {_shown(addresses)}")
        self._address = address

    def agent(self, patience: float) -> str | None:
        """As `Peer.agent`. Raises `ContenderError`."""
        answer, _ = self._ask("identify", time.monotonic() + patience)
        said = answer.fields.get("agent")
        return one_line(said) if isinstance(said, str) and said else None

    def stop(self) -> None:
        """Ends the listener."""
        with unbroken():
            listener, self._listener = self._listener, None
            if listener is not None:
                listener.stop()

    def measure(self, work: Work[T], patience: float) -> T:
        """As `Running.measure`."""
        if not self._peer.knows(work):
            raise UnsupportedError(f"the peers' command line has no words for {type(work).__name__}")
        if time.monotonic() - self._since > LIFETIME / 2:
            self.listen()
        # What it gives is what the class of the work says, which no type checker can see.
        return cast(T, self._outcome(work, time.monotonic() + patience))

    def _outcome(self, work: Work[Any], end: float) -> object:
        match work:
            case Bulk():
                return self._bulk(work, end)
            case Requests():
                return self._pings(work, end)
            case PipeChurn():
                return self._churn("streams", work.count, work.at_once, end)
            case ConnectionChurn():
                return self._churn("handshakes", work.count, work.at_once, end)
        raise AssertionError("`knows` and this agree")

    def _bulk(self, work: Bulk, end: float) -> Moved:
        def once(amount: int) -> tuple[float, Moved]:
            answer, far = self._ask("perf", end, f"--{work.direction}", str(amount))
            seconds = answer.positive("seconds")
            return seconds, Moved(seconds, [amount], near_cpu=answer.optional("cpu_s"), far_cpu=far)

        pace = self._paces.setdefault(f"perf {work.direction}", Pace(FIRST_BYTES, MOST_BYTES))
        return pace.run(work.seconds, once)

    def _pings(self, work: Requests, end: float) -> Answered:
        def once(amount: int) -> tuple[float, Answered]:
            answer, far = self._ask("ping", end, "--count", str(amount))
            times = answer.inside("rtt_ms")
            if times.positive("n") != amount:
                raise ContenderError(f"{self._peer.name} answered {times.positive('n'):g} of {amount} pings")
            known = {0.5: times.positive("p50") / 1e3, 0.99: times.positive("p99") / 1e3}
            # One at a time, and no peer says how long all of them took.
            seconds = amount * known[0.5]
            return seconds, Answered(
                seconds, (), near_cpu=answer.optional("cpu_s"), far_cpu=far, quantiles=known
            )

        pace = self._paces.setdefault("ping", Pace(FIRST_PINGS, MOST_PINGS))
        return pace.run(work.seconds, once)

    def _churn(self, command: str, count: int, at_once: int, end: float) -> Churned:
        def once(amount: int) -> tuple[float, Churned]:
            answer, far = self._ask(command, end, "--count", str(amount), "--parallel", str(at_once))
            # One that has no word for it ignores the option, and runs them one after the other.
            ran = answer.positive("parallel")
            if ran != at_once:
                raise UnsupportedError(
                    f"{self._peer.name} ran {ran:g} at once where {at_once} were asked for"
                )
            seconds = amount / answer.positive("per_second")
            return seconds, Churned(amount, seconds, near_cpu=answer.optional("cpu_s"), far_cpu=far)

        # The slowest would need minutes for as many as the fastest does in a second.
        first = min(count, FIRST_CHURNS + 2 * at_once)
        return self._paces.setdefault(f"{command} {at_once}", Pace(first, count)).run(CHURN_SECONDS, once)

    def _ask(self, command: str, end: float, *arguments: str) -> tuple[Answer, float | None]:
        """The answer, and the seconds of processor that the listener used meanwhile, with the dial."""
        listener = self._listener
        assert listener is not None  # from `listen` to `stop`
        before = listener.cpu_seconds()
        argv = self._peer.argv(command, "--to", self._address, *arguments)
        try:
            with ExitStack() as stack:
                with unbroken():
                    dialer = stack.enter_context(
                        Program(f"{self._peer.name} {command}", argv, self._cores[0])
                    )
                answer = Answer(self._peer.name, dialer.result(max(0.0, end - time.monotonic())))
        except ContenderError as error:
            if listener.has_ended(DYING):
                raise ContenderError(f"{error}; its listener had ended: {listener.why()}") from None
            raise
        after = listener.cpu_seconds()
        return answer, None if before is None or after is None else after - before


def does_bulk(work: Bulk) -> bool:
    """Whether `/perf/1.0.0` can do it: one stream, one way, with a size of its own; no bound but the time."""
    return work.direction != "duplex" and work.pipes == 1 and work.write_size == WRITE_SIZE and not work.most


@dataclass(frozen=True, slots=True)
class Answer:
    """An object that somebody printed. The getters raise `ContenderError` for what is not there or absurd."""

    name: str
    fields: Mapping[str, Any]

    def positive(self, field: str) -> float:
        value = self.fields.get(field)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            raise ContenderError(f"{self.name} answered without a usable {field!r}: {_shown(self.fields)}")
        return float(value)

    def optional(self, field: str) -> float | None:
        """A number from 0 on; `None` where there is none."""
        value = self.fields.get(field)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            return None
        return float(value)

    def inside(self, field: str) -> Answer:
        value = self.fields.get(field)
        if not isinstance(value, dict):
            raise ContenderError(f"{self.name} answered without {field!r}: {_shown(self.fields)}")
        return Answer(self.name, value)


def _loopback(addresses: object) -> str | None:
    if isinstance(addresses, list):
        for address in addresses:
            if isinstance(address, str) and address.startswith("/ip4/127.0.0.1/") and "/p2p/" in address:
                return address
    return None


def _shown(value: object) -> str:
    return one_line(repr(value), 100)


# Bytes of a write that all peers make.
WRITE_SIZE = 64 << 10
# A ping has 32 bytes; what fits into one packet as well takes as long.
LARGEST_PING = 1 << 10
# Seconds after which a listener ends by itself, should nobody be there any more who ends it; longer than any
# measurement, and a new one takes its place in time.
LIFETIME = 1200.0
# Seconds between what a dying listener does to its dialer and its end.
DYING = 0.5
# Seconds for a word that nothing depends on.
AGENT_PATIENCE = 5.0
# Some milliseconds for the slowest; then as much as a fast machine moves in some seconds.
FIRST_BYTES, MOST_BYTES = 4 << 20, 8 << 30
FIRST_PINGS, MOST_PINGS = 50, 100_000
FIRST_CHURNS = 20
# Long beside a start, and what all rounds of the slowest can be waited for.
CHURN_SECONDS = 2.0
