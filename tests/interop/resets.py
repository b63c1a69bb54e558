"""Reset at t = 0: stream after stream is reset before a byte is written, then the connection answers a ping.

The other peers' command lines can reset only after a byte: that is the matrix's `abort`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from cells import OURS, Table, Trial, gates, pair, run_all
from pairs import Pairs, Side

STACK = "tcp/noise/yamux"
# A reset that overtakes its own stream's opening is a race: once could be luck.
RESETS_AT_ONCE = 20


def resets(pairs: Pairs, built: Sequence[str]) -> Table:
    trials = [
        Trial(pair(OURS, name), STACK, gates(name), "abort", partial(attempt, pairs, name))
        for name in (*built, OURS)
    ]
    return Table(
        f"{RESETS_AT_ONCE} streams reset before their first byte, then a ping", run_all("resets", trials)
    )


def attempt(pairs: Pairs, listener: str) -> str:
    pairs.ask(Side(OURS), Side(listener), STACK, "abort", "--at-once", "--count", str(RESETS_AT_ONCE))
    return "ok"
