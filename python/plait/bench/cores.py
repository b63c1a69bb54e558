"""Keeping a thread on one core."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from plait.exceptions import ConfigError

__all__ = ["pinned", "two_cores"]


def two_cores() -> tuple[int, int]:
    """One for each end, as far apart as their numbers are.

    Raises `ConfigError` where there are none, or nothing can be kept on them.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < 2:
        raise ConfigError("two processes cannot be kept on two cores here", hint="measure without pinning")
    return cores[0], cores[-1]


@contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """This thread, and what it starts meanwhile, on one core; anywhere for `None` or where it cannot be."""
    if core is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
