"""Threads for the disk, so that neither it nor hashing ever stops the event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

__all__ = ["BLOCK", "DiskThreads"]

P = ParamSpec("P")
R = TypeVar("R")


class DiskThreads:
    """A few threads that take jobs of one block each. They end with this object, or at `close`."""

    __slots__ = ("_executor",)

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="plait-files")

    def start(self, job: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[R]:
        """Begins a job; the result can be awaited later, or never."""
        loop = asyncio.get_running_loop()
        future = asyncio.wrap_future(self._executor.submit(job, *args, **kwargs), loop=loop)
        # A block that was read ahead may be wanted no more; then its error is nobody's either.
        future.add_done_callback(_look_at)
        return future

    async def settle(self, job: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Runs a job to its end even when the waiting task is cancelled: for giving things back.

        Cancelling is kept until the job is done, which takes no longer than a block and a rename.
        """
        future = self.start(job, *args, **kwargs)
        cancelled: asyncio.CancelledError | None = None
        while not future.done():
            try:
                await asyncio.wait([future])
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled
        return future.result()

    def close(self) -> None:
        """Ends the threads when their jobs are done; waits for nothing."""
        self._executor.shutdown(wait=False)


def _look_at(future: asyncio.Future[R]) -> None:
    if not future.cancelled():
        future.exception()


# Bytes that are read, hashed and written in one job: below, waking threads for each costs noticeably;
# above, nothing is gained any more, and every transfer holds two of them.
BLOCK = 1024 * 1024

# One job per file and direction is in flight; more threads than cores only take turns at hashing.
THREADS = min(4, os.cpu_count() or 1) + 1
