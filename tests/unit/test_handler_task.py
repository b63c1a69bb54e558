"""Our own task does what one of asyncio's does: each of these runs with both."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import threading
import weakref
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

import pytest

from plait._core import Waiter
from plait.connection.waiting import begin_wait, running, wake
from plait.host.task import HandlerTask

Code: TypeAlias = "Coroutine[Any, Any, object]"
Start: TypeAlias = "Callable[[Code], Any]"


class Owner:
    """Holds what nobody else does."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.held: set[HandlerTask] = set()

    def hold(self, task: HandlerTask) -> None:
        self.held.add(task)

    def let_go(self, task: HandlerTask) -> None:
        self.held.discard(task)


class Ours(HandlerTask):
    """Remembers how its coroutine ended."""

    def __init__(self, owner: Owner, coroutine: Code, following: Code | None = None) -> None:
        self.following = following
        self.endings: list[str] = []
        super().__init__(owner, coroutine)

    def _describe(self) -> str:
        return "ours"

    def _after(self, error: BaseException | None) -> Code | None:
        self.endings.append(type(error).__name__)
        if isinstance(error, KeyboardInterrupt):
            raise error
        following, self.following = self.following, None
        return following


def ours(code: Code) -> Any:
    return Ours(Owner(), code)


def theirs(code: Code) -> Any:
    return asyncio.get_running_loop().create_task(code)


both = pytest.mark.parametrize("start", [ours, theirs])


async def ended(task: Any) -> None:
    """However it ended."""
    with contextlib.suppress(asyncio.CancelledError):
        await task


# ---- the same as asyncio's


@both
async def test_it_is_the_current_task_and_one_of_all(start: Start) -> None:
    seen: list[object] = []

    async def code() -> None:
        seen.append(asyncio.current_task())
        await asyncio.sleep(0)
        seen.append(asyncio.current_task())

    task = start(code())
    assert task in asyncio.all_tasks()
    assert not task.done()
    await task
    assert seen == [task, task]
    assert task not in asyncio.all_tasks()
    assert task.done()
    assert asyncio.current_task() is not task


@both
async def test_the_first_step_waits_for_the_loop(start: Start) -> None:
    begun: list[int] = []

    async def code() -> None:
        begun.append(1)

    task = start(code())
    assert not begun
    await task
    assert begun


@both
async def test_context_variables_stay_inside(start: Start) -> None:
    name = contextvars.ContextVar("name", default="nobody")
    seen: list[str] = []

    async def code(mine: str) -> None:
        seen.append(name.get())
        token = name.set(mine)
        await asyncio.sleep(0)
        seen.append(name.get())
        name.reset(token)

    name.set("parent")
    await asyncio.gather(start(code("a")), start(code("b")))
    assert seen == ["parent", "parent", "a", "b"]
    assert name.get() == "parent"


@both
async def test_cancelled_before_its_first_step(start: Start) -> None:
    begun: list[int] = []

    async def code() -> None:
        begun.append(1)

    task = start(code())
    assert task.cancel()
    assert task.cancelling() == 1
    await ended(task)
    assert not begun
    assert task.done()
    assert not task.cancel()


@both
async def test_cancelled_where_it_waits(start: Start) -> None:
    seen: list[tuple[object, ...]] = []

    async def code() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            seen.append(error.args)
            raise

    task = start(code())
    await asyncio.sleep(0)
    assert task.cancel("why")
    await ended(task)
    assert seen == [("why",)]


@both
async def test_cancelled_twice_before_it_hears_of_it(start: Start) -> None:
    seen: list[str] = []

    async def code() -> None:
        with pytest.raises(asyncio.CancelledError):
            await asyncio.Event().wait()
        seen.append("once")
        await asyncio.sleep(0)
        seen.append("went on")

    task = start(code())
    await asyncio.sleep(0)
    task.cancel()
    task.cancel()
    await task
    assert seen == ["once", "went on"]
    assert task.cancelling() == 2
    assert (task.uncancel(), task.uncancel(), task.uncancel()) == (1, 0, 0)


@both
async def test_a_task_that_cancels_itself_hears_of_it_where_it_waits_next(start: Start) -> None:
    seen: list[str] = []

    async def code() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        seen.append("still here")
        with pytest.raises(asyncio.CancelledError):
            await asyncio.sleep(10)
        task.uncancel()
        with pytest.raises(asyncio.CancelledError):
            task.cancel()
            await asyncio.sleep(0)
        seen.append("and here")

    task = start(code())
    await task
    assert seen == ["still here", "and here"]


@both
async def test_cancelling_reaches_the_task_that_it_waits_for(start: Start) -> None:
    inner = asyncio.create_task(asyncio.sleep(10))

    async def code() -> None:
        await inner

    task = start(code())
    await asyncio.sleep(0)
    task.cancel()
    await ended(task)
    assert inner.cancelled()


@both
async def test_timeouts_and_groups_work_in_it(start: Start) -> None:
    seen: list[str] = []

    async def fails() -> None:
        await asyncio.sleep(0)
        raise ZeroDivisionError

    async def code() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        seen.append("timeout")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 0.01)
        seen.append("wait_for")
        async with asyncio.TaskGroup() as group:
            child = group.create_task(asyncio.sleep(0, "child"))
        seen.append(child.result())
        with pytest.raises(ExceptionGroup) as caught:
            async with asyncio.TaskGroup() as group:
                group.create_task(fails())
                await asyncio.Event().wait()
        assert isinstance(caught.value.exceptions[0], ZeroDivisionError)
        seen.append(await asyncio.to_thread(str, "thread"))
        seen.extend(await asyncio.gather(asyncio.sleep(0, "a"), asyncio.sleep(0, "b")))

    task = start(code())
    await task
    assert task.cancelling() == 0
    assert seen == ["timeout", "wait_for", "child", "thread", "a", "b"]


@both
async def test_what_no_task_takes_is_an_error_in_the_coroutine(start: Start) -> None:
    class Yields:
        def __init__(self, what: object) -> None:
            self.what = what

        def __await__(self) -> Any:
            yield self.what

    other = asyncio.new_event_loop()
    try:

        async def code() -> None:
            for what in ("nonsense", asyncio.get_running_loop().create_future()):
                with pytest.raises(RuntimeError):
                    await Yields(what)
            with pytest.raises(RuntimeError, match="different loop"):
                await other.create_future()
            with pytest.raises(RuntimeError, match="itself"):
                await tasks[0]

        tasks = [start(code())]
        await tasks[0]
    finally:
        other.close()


@both
async def test_who_waits_for_it_is_told(start: Start) -> None:
    told: list[object] = []
    left_out = told.append
    task = start(asyncio.sleep(0))
    with pytest.raises(asyncio.InvalidStateError):
        task.result()
    with pytest.raises(asyncio.InvalidStateError):
        task.exception()
    task.add_done_callback(told.append)
    task.add_done_callback(left_out)
    assert task.remove_done_callback(left_out) == 2
    task.add_done_callback(told.append)
    done, pending = await asyncio.wait([task])
    assert done == {task}
    assert not pending
    await asyncio.sleep(0)
    assert told == [task]
    task.add_done_callback(told.append)
    await asyncio.sleep(0)
    assert told == [task, task]
    assert task.result() is None
    assert task.exception() is None
    assert not task.cancelled()
    await task


@both
async def test_what_can_be_seen_of_it(start: Start) -> None:
    async def code() -> None:
        await asyncio.Event().wait()

    task = start(code())
    await asyncio.sleep(0)
    task.set_name("a name")
    assert task.get_name() == "a name"
    assert "code" in repr(task)
    assert "a name" in repr(task)
    assert "pending" in repr(task)
    assert task.get_loop() is asyncio.get_running_loop()
    assert task.get_coro().cr_code.co_name == "code"
    assert [frame.f_code.co_name for frame in task.get_stack()] == ["code"]
    task.cancel()
    assert "cancelling" in repr(task)
    await ended(task)
    assert task.get_stack() == []


@both
async def test_an_interrupt_reaches_whoever_runs_the_loop(start: Start) -> None:
    def run() -> None:
        loop = asyncio.new_event_loop()

        async def code() -> None:
            raise KeyboardInterrupt

        async def main() -> None:
            task = start(code())
            with contextlib.suppress(KeyboardInterrupt):
                await task

        try:
            with pytest.raises(KeyboardInterrupt):
                loop.run_until_complete(main())
            loop.run_until_complete(asyncio.sleep(0))
        finally:
            loop.close()

    await asyncio.to_thread(run)


# ---- what is ours


async def test_every_ending_is_told_and_something_may_follow() -> None:
    seen: list[str] = []

    async def raises() -> None:
        raise ZeroDivisionError

    async def follows() -> None:
        await asyncio.sleep(0)
        seen.append("followed")

    task = Ours(Owner(), raises(), follows())
    await task
    assert (task.endings, seen) == (["ZeroDivisionError", "NoneType"], ["followed"])
    task = Ours(Owner(), asyncio.sleep(10))
    await asyncio.sleep(0)
    task.cancel()
    await task
    assert task.endings == ["CancelledError"]
    assert task.get_name() == "ours"


async def test_it_is_held_while_it_waits_for_what_others_may_forget() -> None:
    owner = Owner()
    futures: list[weakref.ref[asyncio.Future[None]]] = []

    async def code() -> None:
        future = asyncio.get_running_loop().create_future()
        futures.append(weakref.ref(future))
        await future

    task = weakref.ref(Ours(owner, code()))
    await asyncio.sleep(0)
    gc.collect()
    found, future = task(), futures[0]()
    assert found is not None
    assert future is not None
    assert owner.held == {found}
    future.set_result(None)
    await found
    assert not owner.held


async def test_a_task_that_got_lost_is_reported() -> None:
    loop = asyncio.get_running_loop()
    reports: list[str] = []
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: reports.append(context["message"]))
    try:

        async def code() -> None:
            await begin_wait(loop)  # type: ignore[misc]

        Ours(Owner(), code())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        gc.collect()
    finally:
        loop.set_exception_handler(before)
    assert reports == ["Task was destroyed but it is pending!"]


async def test_a_waiter_lets_it_go_on_once() -> None:
    loop = asyncio.get_running_loop()
    waits: list[Any] = []
    turns: list[int] = []

    async def code() -> None:
        for turn in range(3):
            waits.append(begin_wait(loop))
            await waits[-1]
            turns.append(turn)

    task = Ours(Owner(), code())
    for turn in range(3):
        await asyncio.sleep(0)
        assert isinstance(waits[turn], Waiter)
        wake(waits[turn])
        wake(waits[turn])
    await task
    assert turns == [0, 1, 2]


async def test_a_waiter_and_a_cancellation_meet_in_any_order() -> None:
    loop = asyncio.get_running_loop()
    seen: list[str] = []
    waits: list[Any] = []

    async def code() -> None:
        waits.append(begin_wait(loop))
        try:
            await waits[-1]
        except asyncio.CancelledError:
            seen.append("cancelled")
        await asyncio.sleep(0)
        seen.append("went on")

    for order in ("cw", "wc", "cc", "c"):
        task = Ours(Owner(), code())
        await asyncio.sleep(0)
        for each in order:
            if each == "c":
                task.cancel()
            else:
                wake(waits[-1])
        await task
        assert (order, seen) == (order, ["cancelled", "went on"])
        seen.clear()


async def test_a_cancellation_of_its_own_meets_a_waiter() -> None:
    loop = asyncio.get_running_loop()
    seen: list[str] = []

    async def code() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        try:
            await begin_wait(loop)  # type: ignore[misc]
        except asyncio.CancelledError:
            seen.append("cancelled")

    await Ours(Owner(), code())
    assert seen == ["cancelled"]


async def test_a_wait_in_any_other_task_is_a_future() -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(begin_wait(loop), asyncio.Future)
    kinds: list[object] = []

    async def inner() -> None:
        kinds.append(type(begin_wait(loop)))

    async def code() -> None:
        kinds.append(type(begin_wait(loop)))
        await asyncio.create_task(inner())
        kinds.append(type(begin_wait(loop)))

    await Ours(Owner(), code())
    assert kinds == [Waiter, asyncio.Future, Waiter]
    assert running.task is None


async def test_another_task_within_its_step_is_another_task() -> None:
    loop = asyncio.get_running_loop()
    kinds: list[object] = []

    async def elsewhere() -> None:
        kinds.append(type(begin_wait(asyncio.get_running_loop())))

    async def code() -> None:
        # As a task does that takes its first step at once.
        mine, other = asyncio.current_task(), asyncio.create_task(asyncio.sleep(0))
        assert mine is not None
        asyncio.tasks._leave_task(loop, mine)
        asyncio.tasks._enter_task(loop, other)
        kinds.append(type(begin_wait(loop)))
        asyncio.tasks._leave_task(loop, other)
        asyncio.tasks._enter_task(loop, mine)
        thread = threading.Thread(target=lambda: asyncio.run(elsewhere()))
        thread.start()
        thread.join()
        kinds.append(type(begin_wait(loop)))
        await other

    await Ours(Owner(), code())
    assert kinds == [asyncio.Future, asyncio.Future, Waiter]


async def test_tasks_of_two_threads_do_not_disturb_each_other() -> None:
    async def many() -> int:
        loop = asyncio.get_running_loop()
        count = 0

        async def code() -> None:
            nonlocal count
            for _ in range(200):
                wait = begin_wait(loop)
                loop.call_soon(wake, wait)
                await wait  # type: ignore[misc]
                count += 1

        owner = Owner()
        await asyncio.gather(*(Ours(owner, code()) for _ in range(10)))
        return count

    counts = await asyncio.gather(*(asyncio.to_thread(asyncio.run, many()) for _ in range(3)))
    assert counts == [2000] * 3


async def test_it_leaves_nothing_for_the_garbage_collector() -> None:
    class Thing:
        pass

    gone: list[weakref.ref[Any]] = []

    async def code(ending: str) -> None:
        thing = Thing()
        gone.append(weakref.ref(thing))
        await asyncio.sleep(0)
        if ending == "raises":
            raise ZeroDivisionError
        if ending == "waits":
            await asyncio.Event().wait()

    gc.collect()
    gc.disable()
    try:
        for ending in ("returns", "raises", "waits"):
            task = ours(code(ending))
            gone.append(weakref.ref(task))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            task.cancel()
            await ended(task)
            del task
            await asyncio.sleep(0)
        assert [each() for each in gone] == [None] * len(gone)
    finally:
        gc.enable()
