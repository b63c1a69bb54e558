"""No test that measures leaves a process or a descriptor behind."""

from __future__ import annotations

import contextlib
import gc
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

with contextlib.suppress(ImportError):
    # libuv has a pipe for signals from its first loop on.
    __import__("uvloop").new_event_loop().close()


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    before = descriptors()
    yield
    gc.collect()
    end = time.monotonic() + 2
    while (children() or set(descriptors().items()) - set(before.items())) and time.monotonic() < end:
        time.sleep(0.01)
    assert children() == []
    assert set(descriptors().items()) - set(before.items()) == set()


def descriptors() -> dict[int, str]:
    """Without what libuv keeps from its first listener on."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue
        if target != os.devnull:
            found[int(name)] = target
    return found


def children() -> list[str]:
    threads = Path("/proc/self/task")
    return [pid for thread in threads.iterdir() for pid in (thread / "children").read_text().split()]
