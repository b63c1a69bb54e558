"""The dial of one peer over several addresses: started one after the other, the first success wins."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from plait.exceptions import DialAttempt
from plait.swarm.dial_ranker import rank

if TYPE_CHECKING:
    from multiaddr import Multiaddr

    from plait.connection import Connection

__all__ = ["Attempt", "DialRace"]


class Attempt:
    """One address under way.

    Attributes:
        address: as it was given.
        stage: what it is doing now.
        started: when it began, on the clock of the event loop.
    """

    __slots__ = ("address", "stage", "started")

    def __init__(self, address: Multiaddr) -> None:
        self.address = address
        self.stage = "waiting"
        self.started: float | None = None

    def begin(self, stage: str) -> None:
        self.stage = stage
        if self.started is None:
            self.started = asyncio.get_running_loop().time()

    def failed(self, error: BaseException) -> DialAttempt:
        """The record of how it ended."""
        now = asyncio.get_running_loop().time()
        seconds = 0.0 if self.started is None else now - self.started
        return DialAttempt(str(self.address), self.stage, error, seconds)


Connect: TypeAlias = "Callable[[Attempt], Coroutine[Any, Any, Connection]]"
Resolve: TypeAlias = "Callable[[Attempt], Coroutine[Any, Any, Sequence[Multiaddr]]]"


class DialRace:
    """Tries addresses until one leads to a connection.

    Args:
        resolve: gives the numeric addresses behind one that has a name.
        connect: makes a connection to one numeric address.
        parallel: addresses tried at the same time.
        maximum: addresses tried in all.

    Attributes:
        attempts: one record for each address that failed, in the order of their ends.
    """

    def __init__(self, resolve: Resolve, connect: Connect, *, parallel: int, maximum: int) -> None:
        self._resolve = resolve
        self._connect = connect
        self._parallel = parallel
        self._room = maximum
        self._loop = asyncio.get_running_loop()
        self._seen: set[Multiaddr] = set()
        self._queues: list[_Queue] = []
        self._resolving: dict[asyncio.Task[Sequence[Multiaddr]], Attempt] = {}
        self._connecting: dict[asyncio.Task[Connection], tuple[Attempt, _Queue]] = {}
        self.attempts: list[DialAttempt] = []

    async def run(self, names: Iterable[Multiaddr], addresses: Iterable[Multiaddr]) -> Connection | None:
        """The first connection, or `None` when every address has failed.

        Args:
            names: addresses that have to be resolved first.
            addresses: numeric ones.

        When it ends, in whatever way, the others are cancelled and closed. Cancelling it cancels
        all of them, and leaves a record of each.
        """
        for name in names:
            attempt = Attempt(name)
            self._resolving[self._loop.create_task(self._resolve(attempt))] = attempt
        self._enqueue(addresses)
        winner: Connection | None = None
        try:
            while winner is None:
                wait = self._start_due()
                running: set[asyncio.Task[Any]] = {*self._resolving, *self._connecting}
                if not running:
                    break
                done, _ = await asyncio.wait(running, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
                winner = self._collect(done)
            await self._cancel_rest()
        except BaseException:
            self._record_unfinished()
            if winner is not None:
                winner.abort()
            await self._cancel_rest()
            raise
        return winner

    def _enqueue(self, addresses: Iterable[Multiaddr]) -> None:
        new = [each for each in dict.fromkeys(addresses) if each not in self._seen][: self._room]
        self._room -= len(new)
        self._seen.update(new)
        now = self._loop.time()
        self._queues += [_Queue(each.addresses, each.delay, now) for each in rank(new) if each.addresses]

    def _start_due(self) -> float | None:
        """Starts what is due; gives the seconds until the next start, `None` when an end decides."""
        now = self._loop.time()
        waits: list[float] = []
        for queue in self._queues:
            while queue.waiting and queue.due <= now and len(self._connecting) < self._parallel:
                attempt = Attempt(queue.waiting.popleft())
                self._connecting[self._loop.create_task(self._connect(attempt))] = (attempt, queue)
                queue.due = now + queue.delay
            if queue.waiting and len(self._connecting) < self._parallel:
                waits.append(queue.due - now)
        return min(waits, default=None)

    def _collect(self, done: Iterable[asyncio.Task[Any]]) -> Connection | None:
        winner: Connection | None = None
        for task in done:
            if task in self._resolving:
                attempt = self._resolving.pop(task)
                found = _result(task, attempt, self.attempts)
                if found is not None:
                    self._enqueue(found)
                continue
            attempt, queue = self._connecting[task]
            if winner is not None and task.exception() is None:
                # Two at the same moment: the other one stays in the list and is closed as a loser.
                continue
            del self._connecting[task]
            # A failure frees the next one at once.
            queue.due = self._loop.time()
            winner = _result(task, attempt, self.attempts) or winner
        return winner

    def _record_unfinished(self) -> None:
        error = TimeoutError("not done when the time for the whole dial was up")
        unfinished = [*self._resolving.values(), *(attempt for attempt, _ in self._connecting.values())]
        unfinished += [Attempt(address) for queue in self._queues for address in queue.waiting]
        self.attempts += [attempt.failed(error) for attempt in unfinished]

    async def _cancel_rest(self) -> None:
        rest: list[asyncio.Task[Any]] = [*self._resolving, *self._connecting]
        for task in rest:
            task.cancel()
        if rest:
            await asyncio.gather(*rest, return_exceptions=True)
        for task in self._connecting:
            if not task.cancelled() and task.exception() is None:
                task.result().abort()
        self._resolving.clear()
        self._connecting.clear()


class _Queue:
    """What is left of a `DialQueue`, and when its next address is due."""

    __slots__ = ("delay", "due", "waiting")

    def __init__(self, addresses: Sequence[Multiaddr], delay: float, due: float) -> None:
        self.waiting = deque(addresses)
        self.delay = delay
        self.due = due


def _result(task: asyncio.Task[Any], attempt: Attempt, failures: list[DialAttempt]) -> Any:
    """What the task gave; `None`, and a record among the failures, when it failed."""
    if task.cancelled():
        failures.append(attempt.failed(asyncio.CancelledError()))
        return None
    error = task.exception()
    if error is not None:
        failures.append(attempt.failed(error))
        return None
    return task.result()
