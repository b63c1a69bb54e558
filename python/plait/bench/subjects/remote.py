"""Somebody at an address who serves `/perf/1.0.0`: bulk up and down, and pings; plait is the dialer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

from plait.bench.results import Subject
from plait.bench.subjects.contender import ContenderError, Setting, UnsupportedError
from plait.bench.subjects.pace import Pace
from plait.bench.subjects.peers import AGENT_PATIENCE, LARGEST_PING, does_bulk
from plait.bench.subjects.programs import one_line
from plait.bench.works import Answered, Bulk, Moved, Requests, Work
from plait.exceptions import PlaitError, ProtocolNotSupportedError

if TYPE_CHECKING:
    from plait import Connection, Host

__all__ = ["Remote"]

T = TypeVar("T")
Action: TypeAlias = "Callable[[Connection, Host], Coroutine[Any, Any, T]]"


@dataclass(frozen=True, slots=True)
class Remote:
    """A contender: plait's defaults here, and whoever listens there.

    Attributes:
        address: a multiaddr that ends in `/p2p/…`.
        name: of whoever is there; its column.
        loop: of the dialer, `uvloop` or `asyncio`.

    What is negotiated is between the two; a bare name says nothing about it.
    """

    address: str
    name: str = "remote"
    loop: str = "uvloop"

    @property
    def subject(self) -> Subject:
        return Subject(self.name, loop=self.loop)

    def knows(self, work: Work[Any]) -> bool:
        """Whether perf or ping can do this work."""
        match work:
            case Bulk():
                return does_bulk(work)
            case Requests():
                return work.depth == 1 and work.size <= LARGEST_PING
        return False

    @contextmanager
    def start(self, setting: Setting) -> Iterator[RunningRemote]:
        """As `Contender.start`; nothing is started, since it listens already. It is dialed once, to know."""
        with asyncio.Runner(loop_factory=self._loop_factory()) as runner:
            running = RunningRemote(self, runner)
            running.dial(setting.patience)
            yield running

    def agent(self) -> str | None:
        """What it calls itself, with its version; `None` when it does not say, for whatever reason."""
        try:
            with asyncio.Runner(loop_factory=self._loop_factory()) as runner:
                return RunningRemote(self, runner).agent(AGENT_PATIENCE)
        except ContenderError:
            # If that matters, measuring will say why.
            return None

    def _loop_factory(self) -> Callable[[], asyncio.AbstractEventLoop] | None:
        if self.loop == "asyncio":
            return None
        try:
            import uvloop
        except ImportError:
            raise UnsupportedError("uvloop is not installed") from None
        return uvloop.new_event_loop


class RunningRemote:
    """Each work has a connection of its own: nobody would answer keep-alives between two of them."""

    def __init__(self, remote: Remote, runner: asyncio.Runner) -> None:
        self._remote = remote
        self._runner = runner
        self._paces: dict[str, Pace] = {}

    def dial(self, patience: float) -> None:
        """Connects and goes away. Raises `ContenderError`."""

        async def nothing(connection: Connection, host: Host) -> None:
            pass

        self._run(nothing, time.monotonic() + patience)

    def agent(self, patience: float) -> str | None:
        """As `Remote.agent`. Raises `ContenderError`."""

        async def ask(connection: Connection, host: Host) -> str | None:
            return one_line((await host.identified(connection)).agent or "") or None

        return self._run(ask, time.monotonic() + patience)

    def measure(self, work: Work[T], patience: float) -> T:
        """As `Running.measure`."""
        if not self._remote.knows(work):
            raise UnsupportedError(f"perf and ping cannot do {type(work).__name__}")
        # What it gives is what the class of the work says, which no type checker can see.
        return cast(T, self._outcome(work, time.monotonic() + patience))

    def _outcome(self, work: Work[Any], end: float) -> object:
        match work:
            case Bulk():
                return self._bulk(work, end)
            case Requests():
                return self._pings(work, end)
        raise AssertionError("`knows` and this agree")

    def _bulk(self, work: Bulk, end: float) -> Moved:
        from plait.protocols import perf

        def once(amount: int) -> tuple[float, Moved]:
            upload, download = (amount, 0) if work.direction == "up" else (0, amount)

            async def move(connection: Connection, host: Host) -> Moved:
                cpu = time.process_time()
                found = await perf.measure(connection, upload, download)
                cpu = time.process_time() - cpu
                # The first byte of a download is behind a round trip that no byte of it has to wait for.
                seconds = found.upload_seconds if upload else found.download_seconds
                return Moved(seconds, [amount], near_cpu=cpu)

            moved = self._run(move, end)
            return moved.seconds, moved

        pace = self._paces.setdefault(work.direction, Pace(FIRST_BYTES, MOST_BYTES))
        return pace.run(work.seconds, once)

    def _pings(self, work: Requests, end: float) -> Answered:
        from plait.protocols import ping

        def once(amount: int) -> tuple[float, Answered]:
            async def probe(connection: Connection, host: Host) -> Answered:
                cpu, begin = time.process_time(), time.perf_counter()
                times = [elapsed async for elapsed in ping(connection, count=amount, interval=0)]
                seconds = time.perf_counter() - begin
                return Answered(seconds, sorted(times), near_cpu=time.process_time() - cpu)

            answered = self._run(probe, end)
            return answered.seconds, answered

        pace = self._paces.setdefault("ping", Pace(FIRST_PINGS, MOST_PINGS))
        return pace.run(work.seconds, once)

    def _run(self, action: Action[T], end: float) -> T:
        """The action over a new connection. Raises `ContenderError` for all that can go wrong."""
        name, address = self._remote.name, self._remote.address
        try:
            return self._runner.run(self._connected(action, max(0.0, end - time.monotonic())))
        except ProtocolNotSupportedError as error:
            raise UnsupportedError(f"{name}: {one_line(str(error), LONGEST_REASON)}") from error
        except TimeoutError as error:
            # One of ours that says more is an error of plait as well.
            said = (
                one_line(str(error), LONGEST_REASON)
                if isinstance(error, PlaitError)
                else f"{address} does not answer"
            )
            raise ContenderError(f"{name}: {said}") from error
        except (PlaitError, OSError) as error:
            raise ContenderError(
                f"{name}: {one_line(str(error) or type(error).__name__, LONGEST_REASON)}"
            ) from error

    async def _connected(self, action: Action[T], patience: float) -> T:
        import plait

        async with asyncio.timeout(patience), plait.Host(listen=()) as host:
            return await action(await host.connect(self._remote.address), host)


# A few round trips' worth; then what keeps within the bounds of servers that have plait's defaults.
FIRST_BYTES, MOST_BYTES = 1 << 20, 8 << 30
FIRST_PINGS, MOST_PINGS = 5, 100_000
# Of plait's own words, which name addresses.
LONGEST_REASON = 400
