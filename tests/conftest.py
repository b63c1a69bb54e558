"""Every async test runs on asyncio's own loop and on uvloop.

What a test leaves behind fails it: a task that still runs, or an exception that only the event loop saw.
There are no async fixtures on purpose: what needs a loop is an async context manager that the test enters
itself, so that its end is part of the test.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import signal
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, settings

from plait.host.router import Router

try:
    import uvloop
except ImportError:  # no wheels for it on Windows
    uvloop = None  # type: ignore[assignment]

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.SelectorEventLoop}
if uvloop is not None:
    LOOPS["uvloop"] = uvloop.new_event_loop

# Longer than any healthy test needs on two busy cores, short enough to wait for when one hangs.
DEFAULT_LIMIT = 30.0

# The same examples on every run, so that a red run means a changed program; a slow machine is no failure.
settings.register_profile(
    "plait", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("plait")


def pytest_configure() -> None:
    # What a shell without job control starts in the background ignores Ctrl-C, and so would all children.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if not inspect.iscoroutinefunction(metafunc.function):
        return
    metafunc.fixturenames.append("loop_kind")
    one = metafunc.definition.get_closest_marker("one_loop") is not None
    metafunc.parametrize("loop_kind", ["asyncio"] if one else list(LOOPS))
    if metafunc.definition.get_closest_marker("in_handlers_too") is not None:
        metafunc.fixturenames.append("task_kind")
        metafunc.parametrize("task_kind", ["task", "handler"])


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    test = pyfuncitem.obj
    if not inspect.iscoroutinefunction(test):
        return None
    # Only what the test names: it need not take the loop's name itself.
    wanted = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in wanted}
    marker = pyfuncitem.get_closest_marker("limit")
    limit = DEFAULT_LIMIT if marker is None else float(marker.args[0])
    factory = LOOPS[str(pyfuncitem.callspec.params["loop_kind"])]
    code = test(**arguments)
    is_handler = pyfuncitem.callspec.params.get("task_kind") == "handler"
    run_on_loop(factory, in_a_handler(code) if is_handler else code, limit)
    return True


def run_on_loop(
    factory: Callable[[], asyncio.AbstractEventLoop], test: Coroutine[Any, Any, None], limit: float
) -> None:
    unseen: list[dict[str, Any]] = []
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.get_loop().set_exception_handler(lambda _, context: unseen.append(context))
        runner.run(watched(test, limit))
        # A future that nobody looked at speaks up only when it is collected.
        gc.collect(0)
    for context in unseen:
        raise AssertionError(f"only the event loop saw: {context['message']}") from context.get("exception")


async def in_a_handler(test: Coroutine[Any, Any, None]) -> None:
    """Runs it in the task of a handler, where streams wait in another way."""
    failures: list[BaseException] = []

    async def handler(stream: Any) -> None:
        try:
            await test
        except BaseException as error:
            failures.append(error)

    def close() -> bool:
        over.set()
        return True

    router, over = Router(1), asyncio.Event()
    stream = SimpleNamespace(protocol="/test/1", close_nowait=close)
    router.add(stream.protocol, handler)
    router.start(cast(Any, stream))
    try:
        await over.wait()
    finally:
        await router.close()
    for failure in failures:
        raise failure


async def watched(test: Coroutine[Any, Any, None], limit: float) -> None:
    try:
        async with asyncio.timeout(limit) as clock:
            await test
    except TimeoutError:
        if not clock.expired():
            raise
        running = "\n".join(f"  {task!r}" for task in asyncio.all_tasks())
        pytest.fail(f"not done after {limit:g} s; running then:\n{running}")
    # One turn, for the callbacks of what was just cancelled or closed.
    await asyncio.sleep(0)
    left = asyncio.all_tasks() - {asyncio.current_task()}
    if left:
        pytest.fail("tasks left behind:\n" + "\n".join(f"  {task!r}" for task in left))
