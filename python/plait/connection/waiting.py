"""How readers and writers wait for their stream.

Thousands of handlers may wait for peers that say nothing. In a task of ours such a wait is one small object;
any other task gets a future, which is what those wait for without a detour.
"""

from __future__ import annotations

from abc import abstractmethod
from asyncio import AbstractEventLoop, Future, current_task
from collections.abc import Callable
from typing import Any, TypeAlias

from plait._core import Waiter

__all__ = ["StreamTask", "Wait", "begin_wait", "fall_asleep", "running", "wake"]

Wait: TypeAlias = "Waiter | Future[None]"

# To compare it with ours, which are none of asyncio's.
_current_task: Callable[[AbstractEventLoop], object] = current_task


class StreamTask:
    """A task that takes a `Waiter` where others want a future. During its steps `running` has it."""

    __slots__ = ()

    @abstractmethod
    def wake(self) -> None:
        """Takes the next step soon."""


class Running:
    """The `StreamTask` that runs, if any does.

    Attributes:
        task: it may be one of another thread, or one that runs another task within its step. Mostly it is
            `None`, and then nobody has to look twice.
    """

    __slots__ = ("task",)

    def __init__(self) -> None:
        self.task: StreamTask | None = None


running = Running()


class _Stranger(StreamTask):
    """A task that waits for a future, as one that a handler made to wait in its place."""

    __slots__ = ("_future",)

    def __init__(self, future: Future[None]) -> None:
        self._future = future

    def wake(self) -> None:
        wake(self._future)


def fall_asleep(waiter: Waiter, loop: AbstractEventLoop) -> Any:
    """Begins a wait of whichever task runs; gives what its coroutine has to yield to it."""
    task = running.task
    if task is not None and task is _current_task(loop):
        waiter.begin(task)
        return waiter
    future = loop.create_future()
    waiter.begin(_Stranger(future))
    # What its own `__await__` says to the task.
    future._asyncio_future_blocking = True
    return future


def begin_wait(loop: AbstractEventLoop) -> Wait:
    """What the running task may await, once and at once; `wake` lets it go on."""
    task = running.task
    return Waiter(task) if task is not None and task is _current_task(loop) else loop.create_future()


def wake(wait: Wait) -> None:
    """Whoever waits goes on soon. Once is enough."""
    if isinstance(wait, Waiter):
        wait.wake()
    elif not wait.done():
        wait.set_result(None)
