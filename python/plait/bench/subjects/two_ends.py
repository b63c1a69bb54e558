"""A contender made of `Ends`: the dialer in this process, the listener in a child, or both here."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from plait.bench import usage
from plait.bench.subjects.answering import answer
from plait.bench.subjects.child import Child
from plait.bench.subjects.contender import ContenderError, Setting, UnsupportedError
from plait.bench.subjects.listening import order
from plait.bench.subjects.loops import loop_factory
from plait.bench.unbroken import unbroken
from plait.bench.works.work import Usage
from plait.exceptions import PlaitError

if TYPE_CHECKING:
    from plait.bench.results import Subject
    from plait.bench.subjects.ends import Dialer, Ends, Link
    from plait.bench.works import Work

__all__ = ["TwoEnds"]

T = TypeVar("T")

# Between the broken connection that a dying listener leaves and its exit status.
DYING = 1.0
# For what a listener has used: a thread of its own answers, and has little to do.
ANSWER = 10.0


@dataclass(frozen=True)
class TwoEnds:
    """Measures a stack that is written as `Ends`."""

    ends: Ends

    @property
    def subject(self) -> Subject:
        return self.ends.subject

    @contextmanager
    def start(self, setting: Setting) -> Iterator[_Running]:
        with ExitStack() as stack:
            child, address = None, ""
            if setting.processes > 1 and not self.ends.shares_memory:
                told = order(self.ends, setting.cores[1] if setting.cores else None)
                with unbroken():
                    child = stack.enter_context(Child("plait.bench.subjects.listening", "the listener"))
                address = str(child.ask(told, setting.patience).get("address", ""))
            runner = stack.enter_context(asyncio.Runner(loop_factory=loop_factory(self.subject.loop)))
            running = _Running(self.ends, runner, child, setting.patience)
            stack.callback(running.close)
            running.open(address)
            yield running


class _Running:
    """One loop, which runs only during `measure`: a contender that waits for its turn costs nothing."""

    def __init__(self, ends: Ends, runner: asyncio.Runner, child: Child | None, patience: float) -> None:
        self._ends = ends
        self._runner = runner
        self._child = child
        self._patience = patience
        self._holder: asyncio.Task[None] | None = None
        self._near: _Near | None = None

    def open(self, address: str) -> None:
        self._run(self._open(address), self._patience)

    def measure(self, work: Work[T], patience: float) -> T:
        assert self._near is not None
        self._near.patience = min(patience, ANSWER)
        return self._run(work.over(self._near), patience)

    def close(self) -> None:
        if self._holder is not None and not self._runner.get_loop().is_closed():
            self._holder.cancel()
            # What will not end in order is cancelled with the loop.
            with contextlib.suppress(Exception, asyncio.CancelledError):
                self._runner.run(_within(self._ended(), self._patience))

    def _run(self, doing: Coroutine[Any, Any, T], patience: float) -> T:
        try:
            return self._runner.run(_within(doing, patience))
        except asyncio.CancelledError:
            # Nobody else cancels it. A Ctrl-C that comes before it has begun comes out as this.
            raise KeyboardInterrupt from None
        except Exception as error:
            raise self._explained(error, patience) from error
        finally:
            # Ctrl-C may come before it is awaited at all, and Python would complain of that.
            doing.close()

    def _explained(self, error: BaseException, patience: float) -> ContenderError:
        while isinstance(error, BaseExceptionGroup):
            # The first is what broke the others.
            error = error.exceptions[0]
        if isinstance(error, UnsupportedError):
            return error
        if isinstance(error, _HangsError):
            return ContenderError(f"hangs: not done after {patience:g} s")
        if self._child is not None and (death := self._child.died(DYING)) is not None:
            return death
        if isinstance(error, ContenderError):
            return error
        said = " ".join(str(error).split())
        if isinstance(error, ConnectionError) and not isinstance(error, PlaitError):
            return ContenderError(f"the connection broke off: {said}")
        return ContenderError(f"{type(error).__name__}: {said}" if said else type(error).__name__)

    async def _open(self, address: str) -> None:
        """In a task of its own, since what it enters belongs to a task, and each measurement is another."""
        ready: asyncio.Future[_Near] = asyncio.get_running_loop().create_future()
        self._holder = asyncio.create_task(self._hold(address, ready))
        waited: list[asyncio.Future[Any]] = [ready, self._holder]
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            await self._holder
        self._near = await ready

    async def _hold(self, address: str, ready: asyncio.Future[_Near]) -> None:
        async with AsyncExitStack() as stack:
            if not address:
                address = await stack.enter_async_context(self._ends.serve(answer))
            dialer = await stack.enter_async_context(self._ends.dialer(address))
            ready.set_result(_Near(self._ends, dialer, self._child))
            await asyncio.get_running_loop().create_future()

    async def _ended(self) -> None:
        assert self._holder is not None
        await asyncio.wait([self._holder])


class _Near:
    """The dialer's end."""

    def __init__(self, ends: Ends, dialer: Dialer, child: Child | None) -> None:
        self.ends = ends
        self.subject = ends.subject
        self.alone = child is None
        self.patience = ANSWER
        self._dialer = dialer
        self._child = child

    async def connect(self) -> Link:
        return await self._dialer.connect()

    def usage(self) -> Usage:
        return usage.usage()

    async def far_usage(self, *, settle: bool = False) -> Usage:
        if self._child is None:
            if settle:
                usage.settle()
            return usage.usage()
        # The loop waits too, for the fraction of a millisecond that the other process needs.
        said = self._child.ask({"settle": settle}, self.patience)
        try:
            return Usage(float(said["cpu"]), int(said["memory"]), int(said["wakeups"]))
        except (KeyError, TypeError, ValueError):
            raise ContenderError(f"{self._child.name} said {said!r} about what it used") from None


class _HangsError(Exception):
    """Its time was over; a `TimeoutError` of the stack itself is something else."""


async def _within(doing: Coroutine[Any, Any, T], seconds: float) -> T:
    clock = asyncio.timeout(seconds)
    try:
        async with clock:
            return await doing
    except TimeoutError:
        if clock.expired():
            raise _HangsError from None
        raise
