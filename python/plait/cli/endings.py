"""The signals beside Ctrl-C that end a command in order, and the exit status that says which it was."""

from __future__ import annotations

import signal

__all__ = ["INTERRUPTED", "ending_signals", "status_of"]


def ending_signals() -> list[signal.Signals]:
    """SIGTERM and SIGHUP, which a terminal that is closed sends; not what is ignored, as by `nohup`."""
    # Windows has only the first.
    there = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    return [number for number in there if signal.getsignal(number) is not signal.SIG_IGN]


def status_of(number: signal.Signals) -> int:
    """128 and the signal's number, as shells have it."""
    return 128 + number


INTERRUPTED = status_of(signal.SIGINT)
