"""What is measured: plait's stacks, what else Python has, and other implementations.

Purpose: give everything that can be measured the same two seams.
Takes: works; a child process for the listener; sockets, since baselines have no plait under them.
Gives: `Contender` for what is measured as a whole, `Ends` for a stack with both ends in Python, `TwoEnds`
    that makes one of the other.
May look at: `bench.works`, `bench.results`; rooms below `bench`.
"""

from plait.bench.subjects.contender import (
    Choosy,
    Contender,
    ContenderError,
    Running,
    Setting,
    UnsupportedError,
)
from plait.bench.subjects.ends import Answer, Dialer, Ends, Link, Pipe
from plait.bench.subjects.two_ends import TwoEnds

__all__ = [
    "Answer",
    "Choosy",
    "Contender",
    "ContenderError",
    "Dialer",
    "Ends",
    "Link",
    "Pipe",
    "Running",
    "Setting",
    "TwoEnds",
    "UnsupportedError",
]
