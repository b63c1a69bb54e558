"""Staying awake for an answer that comes at once.

A process that sleeps is woken late: on one machine or in one rack that takes longer than everything else
about a short question and its answer. So a loop that has just written little to a peer whose last answer
came at once goes around for a moment instead of sleeping, as Go's scheduler does before it parks a thread.
Other connections, timers and tasks have their turns meanwhile; only a loop with nothing to do is kept busy.
"""

from __future__ import annotations

import asyncio
import weakref
from time import perf_counter

__all__ = ["PROMPT", "SMALL", "BusyPoll", "poll_of"]

# Seconds that a loop goes around for one answer: what it takes to be woken, and not much more.
AWAKE = 60e-6
# Seconds within which an answer came at once, also to somebody who slept. Beyond lies the local network,
# where being woken late matters little.
PROMPT = 150e-6
# Bytes of a write that asks for an answer. More is a transfer, which has something to do anyway.
SMALL = 4096


class BusyPoll:
    """Keeps one loop going around for a moment."""

    __slots__ = ("__weakref__", "_call_soon", "_is_awake", "_until")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._call_soon = loop.call_soon
        self._is_awake = False
        self._until = 0.0

    def stay_awake(self, now: float) -> None:
        """For a moment from `now` on, which is `perf_counter()`."""
        self._until = now + AWAKE
        if not self._is_awake:
            self._is_awake = True
            self._call_soon(self._turn)

    def _turn(self) -> None:
        if perf_counter() < self._until:
            self._call_soon(self._turn)
        else:
            self._is_awake = False


def poll_of(loop: asyncio.AbstractEventLoop) -> BusyPoll:
    """The one of this loop."""
    poll = _polls.get(loop)
    if poll is None:
        poll = _polls[loop] = BusyPoll(loop)
    return poll


_polls: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, BusyPoll] = weakref.WeakKeyDictionary()
