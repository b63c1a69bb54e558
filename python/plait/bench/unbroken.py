"""Stretches that no interrupt tears apart: a process that was made has to reach whoever will end it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

__all__ = ["unbroken"]


@contextmanager
def unbroken() -> Iterator[None]:
    """Ctrl-C, and SIGTERM and SIGHUP where Python handles them, wait; their handlers run when this is left.

    For what takes a moment, or has a limit. It may be nested, and does nothing outside of the main thread,
    where no handler runs.
    """
    with ExitStack() as stack:
        if threading.current_thread() is threading.main_thread():
            for number in ENDING:
                # What is ignored or ends the process has no handler that could tear anything apart.
                if callable(signal.getsignal(number)):
                    stack.enter_context(_waiting(number))
        yield


@contextmanager
def _waiting(number: signal.Signals) -> Iterator[None]:
    came = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal came
        came = True

    handler = signal.signal(number, note)
    try:
        yield
    finally:
        try:
            signal.signal(number, handler)
        except BaseException:
            # Before it does so it lets the handler of another signal run, and that has raised.
            signal.signal(number, handler)
            raise
        if came:
            signal.raise_signal(number)


# Windows has no SIGHUP.
ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
