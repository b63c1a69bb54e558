"""A task of our own make, for handlers: thousands may wait for peers that say nothing.

asyncio lets others make tasks ("Extending", in its documentation). One of its own takes twice the memory and
a future for each wait, while this one is woken by its stream itself.
"""

from __future__ import annotations

from abc import abstractmethod
from asyncio import AbstractEventLoop, CancelledError, Future, InvalidStateError, base_tasks, tasks
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Protocol, TextIO, TypeAlias

from plait._core import Waiter
from plait.connection.waiting import StreamTask, running

__all__ = ["HandlerTask"]

Callback: TypeAlias = "Callable[[Any], object]"

# What asyncio has for tasks of others takes them by the verbs they have, whatever its annotations say.
_enter: Callable[[AbstractEventLoop, Any], None] = tasks._enter_task
_leave: Callable[[AbstractEventLoop, Any], None] = tasks._leave_task
_register: Callable[[Any], None] = tasks._register_task


class Owner(Protocol):
    """Whose tasks they are."""

    @property
    def loop(self) -> AbstractEventLoop:
        """Where they run."""

    def hold(self, task: HandlerTask) -> None:
        """It waits for something that may be known to nobody else, so somebody has to know it."""

    def let_go(self, task: HandlerTask) -> None:
        """It goes on."""


@dataclass(slots=True)
class _Extra:
    """What most tasks never need."""

    callbacks: list[tuple[Callback, Context | None]] = field(default_factory=list)
    name: str | None = None
    # Cancellations that were asked for and not taken back.
    cancels: int = 0
    # The next step begins with one.
    must_cancel: bool = False
    message: Any = None


class HandlerTask(StreamTask):
    """Runs one coroutine as `asyncio.Task` does, and is what `asyncio.current_task` gives to who runs in it.

    It has the verbs of that class. Whatever becomes of the coroutine, its result is `None`: whom that
    concerns hears of it in `_after`.
    """

    __slots__ = (
        "__weakref__",
        "_asyncio_future_blocking",
        "_context",
        "_coroutine",
        "_extra",
        "_owner",
        "_wait",
    )

    def __init__(self, owner: Owner, coroutine: Coroutine[Any, Any, object]) -> None:
        self._owner = owner
        # `None`: it is over.
        self._coroutine: Coroutine[Any, Any, object] | None = coroutine
        self._context = copy_context()
        # What it waits for. When a step is under way or comes soon, what it waited for last: that is over.
        self._wait: Waiter | Future[Any] | None = None
        self._extra: _Extra | None = None
        self._asyncio_future_blocking = False
        # Its weak reference takes it out again.
        _register(self)
        self.wake()

    # ---- what differs between tasks

    @abstractmethod
    def _describe(self) -> str:
        """Its name, until it gets another."""

    @abstractmethod
    def _after(self, error: BaseException | None) -> Coroutine[Any, Any, object] | None:
        """The coroutine has ended, by `error` if by any. Gives what the task runs next, `None` if nothing.

        An exception that this raises goes to the event loop.
        """

    # ---- one step after the other

    def wake(self) -> None:
        """Takes the next step soon."""
        self._owner.loop.call_soon(self._step, context=self._context)

    def _throw_soon(self, error: BaseException) -> None:
        self._owner.loop.call_soon(self._step, error, context=self._context)

    def _step(self, error: BaseException | None = None) -> None:
        coroutine = self._coroutine
        assert coroutine is not None  # nothing wakes a task that is over
        if self._extra is not None and self._extra.must_cancel:
            self._extra.must_cancel = False
            if not isinstance(error, CancelledError):
                error = self._cancelled_error()
        loop = self._owner.loop
        _enter(loop, self)
        running.task = self
        try:
            wanted = coroutine.send(None) if error is None else coroutine.throw(error)
        except BaseException as ended:
            # The traceback of the one knows this frame, and the frame must not know either.
            error = None
            self._coroutine = None
            self._coroutine = self._after(None if isinstance(ended, StopIteration) else ended)
            if self._coroutine is not None:
                self.wake()
        else:
            if isinstance(wanted, Waiter) and self._extra is None:
                # Its stream keeps this task alive.
                self._wait = wanted
            else:
                self._wait_for(wanted, loop)
        finally:
            running.task = None
            _leave(loop, self)
            if self._coroutine is None:
                self._end()

    def _wait_for(self, wanted: Any, loop: AbstractEventLoop) -> None:
        """What the coroutine has yielded."""
        if isinstance(wanted, Waiter):
            self._wait = wanted
        elif wanted is None:
            self.wake()
        elif not getattr(wanted, "_asyncio_future_blocking", False):
            self._throw_soon(RuntimeError(f"Task got bad yield: {wanted!r}"))
        elif wanted is self:
            self._throw_soon(RuntimeError(f"Task cannot await on itself: {self!r}"))
        elif wanted.get_loop() is not loop:
            self._throw_soon(RuntimeError(f"Task {self!r} got {wanted!r} attached to a different loop"))
        else:
            wanted._asyncio_future_blocking = False
            wanted.add_done_callback(self._go_on, context=self._context)
            self._wait = wanted
            self._owner.hold(self)
        if (extra := self._extra) is not None and extra.must_cancel:
            extra.must_cancel = not self._cancel_wait(extra.message)

    def _go_on(self, future: Future[Any]) -> None:
        self._owner.let_go(self)
        # It may have an error whose traceback knows this frame.
        self._wait = None
        try:
            future.result()
        except BaseException as error:
            self._step(error)
        else:
            self._step()

    def _end(self) -> None:
        if self._extra is not None:
            callbacks, self._extra.callbacks = self._extra.callbacks, []
            for callback, context in callbacks:
                self._owner.loop.call_soon(callback, self, context=context)

    def __del__(self) -> None:
        if self._coroutine is not None:
            context = {"task": self, "message": "Task was destroyed but it is pending!"}
            self._owner.loop.call_exception_handler(context)

    # ---- cancelling

    def cancel(self, msg: Any = None) -> bool:
        """The coroutine gets `CancelledError` where it waits; `False` when it is over already."""
        if self._coroutine is None:
            return False
        extra = self._needs_extra()
        extra.cancels += 1
        extra.message = msg
        extra.must_cancel = not self._cancel_wait(msg)
        return True

    def cancelling(self) -> int:
        """How many cancellations were asked for and not taken back."""
        return 0 if self._extra is None else self._extra.cancels

    def uncancel(self) -> int:
        """Takes one back; how many are left."""
        if self._extra is None:
            return 0
        self._extra.cancels = max(0, self._extra.cancels - 1)
        return self._extra.cancels

    def _cancel_wait(self, message: Any) -> bool:
        """Ends what it waits for; `False` when the next step comes already."""
        if isinstance(self._wait, Waiter):
            if not self._wait.cancel():
                return False
            self._throw_soon(self._cancelled_error())
            return True
        return self._wait is not None and self._wait.cancel(msg=message)

    def _cancelled_error(self) -> CancelledError:
        message = None if self._extra is None else self._extra.message
        return CancelledError() if message is None else CancelledError(message)

    # ---- as a future

    def done(self) -> bool:
        """It is over."""
        return self._coroutine is None

    def cancelled(self) -> bool:
        """Never: a cancellation ends with the handler."""
        return False

    def result(self) -> None:
        """Nothing. Raises `asyncio.InvalidStateError` when it is not over."""
        if self._coroutine is not None:
            raise InvalidStateError("Result is not set.")

    def exception(self) -> None:
        """Never one. Raises `asyncio.InvalidStateError` when it is not over."""
        if self._coroutine is not None:
            raise InvalidStateError("Exception is not set.")

    def add_done_callback(self, fn: Callback, /, *, context: Context | None = None) -> None:
        """Calls `fn` with this task soon after it is over."""
        if self._coroutine is None:
            self._owner.loop.call_soon(fn, self, context=context)
        else:
            self._needs_extra().callbacks.append((fn, context))

    def remove_done_callback(self, fn: Callback, /) -> int:
        """Calls it no more; how many times it would have been."""
        if self._extra is None:
            return 0
        before = self._extra.callbacks
        self._extra.callbacks = [entry for entry in before if entry[0] != fn]
        return len(before) - len(self._extra.callbacks)

    def __await__(self) -> Generator[Any, Any, None]:
        if self._coroutine is not None:
            self._asyncio_future_blocking = True
            yield self
        self.result()

    # ---- for those who look at tasks

    def get_loop(self) -> AbstractEventLoop:
        """Where it runs."""
        return self._owner.loop

    def get_coro(self) -> Coroutine[Any, Any, object] | None:
        """What it runs."""
        return self._coroutine

    def get_context(self) -> Context:
        """In which it runs."""
        return self._context

    def get_name(self) -> str:
        """What it serves."""
        return self._describe() if self._extra is None or self._extra.name is None else self._extra.name

    def set_name(self, value: object, /) -> None:
        """From now on `get_name` gives this."""
        self._needs_extra().name = str(value)

    def get_stack(self, *, limit: int | None = None) -> list[FrameType]:
        """The frame in which the coroutine waits."""
        stack: Callable[..., list[FrameType]] = base_tasks._task_get_stack
        return stack(self, limit)

    def print_stack(self, *, limit: int | None = None, file: TextIO | None = None) -> None:
        """The same as text."""
        write: Callable[..., None] = base_tasks._task_print_stack
        write(self, limit, file)

    # Names by which libraries look into `asyncio.Task`.

    @property
    def _coro(self) -> Coroutine[Any, Any, object] | None:
        return self._coroutine

    @property
    def _loop(self) -> AbstractEventLoop:
        return self._owner.loop

    @property
    def _fut_waiter(self) -> Waiter | Future[Any] | None:
        return self._wait

    @property
    def _must_cancel(self) -> bool:
        return self._extra is not None and self._extra.must_cancel

    @property
    def _exception(self) -> None:
        return None

    def __repr__(self) -> str:
        state = "done" if self._coroutine is None else "cancelling" if self.cancelling() else "pending"
        what = getattr(self._coroutine, "__qualname__", None)
        return f"<{type(self).__name__} {state} name={self.get_name()!r} coro={what}>"

    # ---- private

    def _needs_extra(self) -> _Extra:
        if self._extra is None:
            self._extra = _Extra()
        return self._extra
