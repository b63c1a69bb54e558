"""A check that a piece of code leaves nothing behind in the event loop or in the process."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from plait.connection import Connection, Driver
from plait.transports.memory import MemoryPipe

__all__ = ["LeakError", "no_leaks"]


class LeakError(AssertionError):
    """Something was left behind; the text names all of it."""


@asynccontextmanager
async def no_leaks(patience: float = 2.0) -> AsyncIterator[None]:
    """`async with no_leaks():` raises `LeakError` when the block left something that was not there before.

    Tasks, timers (asyncio's own loop only), file descriptors, connections, their drivers, and
    transports in memory are counted. When the block raises, that is what comes out.

    Args:
        patience: seconds that things which are about to end may take for it.
    """
    before = _alive()
    yield
    deadline = asyncio.get_running_loop().time() + patience
    while left := {key: what for key, what in _alive().items() if key not in before}:
        if asyncio.get_running_loop().time() > deadline:
            raise LeakError("left behind:\n" + "\n".join(f"  {what!r}" for what in left.values()))
        del left
        # There is nothing to wait for: whatever ends them is not ours to know.
        await asyncio.sleep(PAUSE)
    # Only now: as long as it was held here, nothing of it could go away and hand on its identity.
    del before


def _alive() -> dict[Hashable, Any]:
    """What could be left behind, by something that tells it apart."""
    gc.collect()
    loop = asyncio.get_running_loop()
    current = asyncio.current_task()
    found: dict[Hashable, Any] = {task: task for task in asyncio.all_tasks() if task is not current}
    # uvloop does not show its timers.
    for timer in getattr(loop, "_scheduled", ()):
        if not timer.cancelled():
            found["timer", id(timer)] = timer
    for descriptor, target in _descriptors().items():
        found["descriptor", descriptor, target] = f"descriptor {descriptor}: {target}"
    for thing in gc.get_objects():
        if isinstance(thing, Connection | Driver | MemoryPipe) and not _is_over(thing):
            found[type(thing), id(thing)] = thing
    return found


def _is_over(thing: Connection | Driver | MemoryPipe) -> bool:
    if isinstance(thing, MemoryPipe):
        return thing.is_closing()
    driver = thing.driver if isinstance(thing, Connection) else thing
    return driver.closed.done()


def _descriptors() -> dict[int, str]:
    """Open file descriptors; empty where the system does not show them."""
    for folder in (Path("/proc/self/fd"), Path("/dev/fd")):
        if folder.is_dir():
            found = {}
            for name in os.listdir(folder):
                try:
                    target = os.readlink(folder / name)
                except OSError:
                    # The one that lists the folder is gone by now.
                    continue
                # libuv keeps one from its first listener on, to have one left when there are no more.
                if target != os.devnull:
                    found[int(name)] = target
            return found
    return {}


# Short beside any patience, long beside a turn of the loop.
PAUSE = 0.01
