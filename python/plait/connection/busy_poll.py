"""Staying awake for an answer that comes at once.

A process that sleeps is woken late: on one machine or in one rack that takes longer than everything else
about a short question and its answer. So a loop that has just written little to a peer that answers at once
goes around for a moment instead of sleeping, as Go's scheduler does before it parks a thread. Other
connections, timers and tasks have their turns meanwhile; only a loop with nothing to do is kept busy.

Where both ends want the same core it is the other way around, and the answer comes sooner to who makes room
for it. So each connection tries both, and does what was quicker.
"""

from __future__ import annotations

import asyncio
import weakref
from time import perf_counter

__all__ = ["PROMPT", "SMALL", "Attention", "BusyPoll", "poll_of"]

# Seconds that a loop goes around for one answer: what it takes to be woken, and not much more.
AWAKE = 60e-6
# Seconds within which an answer came at once, also to somebody who slept. Beyond lies the local network,
# where being woken late matters little.
PROMPT = 150e-6
# Bytes of a write that asks for an answer. More is a transfer, which has something to do anyway.
SMALL = 4096
# How often the slower way is tried again.
TRIAL = 32
# How much of an average one answer is; more for one that is tried so seldom.
SHARE = 1 / 8
TRIAL_SHARE = 1 / 2


class Attention:
    """Whether answers come sooner to a loop that stays awake, for one peer that answers at once.

    Args:
        seconds: what the first answer took.
    """

    __slots__ = ("_asleep", "_awake", "_is_awake", "_is_trial", "_questions")

    def __init__(self, seconds: float) -> None:
        self._asleep = seconds
        # So that it is tried next.
        self._awake = 0.0
        self._is_awake = False
        self._is_trial = False
        self._questions = 0

    def ask(self) -> bool:
        """Whether to stay awake for the next answer."""
        self._questions += 1
        self._is_trial = self._questions % TRIAL == 0
        self._is_awake = (self._awake < self._asleep) is not self._is_trial
        return self._is_awake

    def answered(self, seconds: float) -> bool:
        """Learns; false when the peer does not answer at once any more."""
        # One late answer is an accident, however late.
        seconds = min(seconds, 2 * PROMPT)
        share = TRIAL_SHARE if self._is_trial else SHARE
        if not self._is_awake:
            self._asleep += (seconds - self._asleep) * share
        elif self._awake:
            self._awake += (seconds - self._awake) * share
        else:
            self._awake = seconds
        return min(self._asleep, self._awake) < PROMPT


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
