"""Event loops by the name that a subject has."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable

from plait.bench.subjects.contender import UnsupportedError

__all__ = ["BEST", "loop_factory"]

# What `plait.run` takes.
BEST = "asyncio" if importlib.util.find_spec("uvloop") is None else "uvloop"


def loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """What makes the loop; asyncio's own for every name but `uvloop`.

    Raises `UnsupportedError` where uvloop is not installed.
    """
    if name != "uvloop":
        return asyncio.new_event_loop
    try:
        import uvloop
    except ImportError:
        raise UnsupportedError("uvloop is not installed") from None
    return uvloop.new_event_loop
