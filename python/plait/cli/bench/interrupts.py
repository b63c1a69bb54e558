"""Ctrl-C, SIGTERM and SIGHUP in a run: all end it with its children, and none costs a finding."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Self

from plait.cli.endings import ending_signals

__all__ = ["Interrupts"]


class Interrupts:
    """In force while it is entered, where the thread is the main one; nothing elsewhere.

    Findings of one row are handed over together. Between `hold` and `release` an interrupt waits: it would
    cost those that come after it. While something is measured the handlers are those that event loops
    expect, so that what is under way is cancelled and not torn apart.

    Attributes:
        by: the signal that ended it, if one did.
        waiting: one came while it was held.
    """

    def __init__(self) -> None:
        self.by = signal.SIGINT
        self.waiting = False
        self._active = threading.current_thread() is threading.main_thread()
        self._held = False

    def __enter__(self) -> Self:
        if self._active:
            self._interrupt = signal.getsignal(signal.SIGINT)
            self._before = {number: signal.signal(number, self._on_ending) for number in ending_signals()}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._active:
            for number, handler in self._before.items():
                signal.signal(number, handler)
            signal.signal(signal.SIGINT, self._interrupt)

    def hold(self) -> None:
        """From now on an interrupt waits."""
        if self._active and not self._held:
            self._held = True
            if not self._ignored:
                signal.signal(signal.SIGINT, self._on_sigint)

    def release(self) -> None:
        """No longer. Raises `KeyboardInterrupt` when one has waited."""
        self.let_go()
        if self.waiting:
            raise KeyboardInterrupt

    def let_go(self) -> None:
        """No longer; one that has waited is in `waiting`."""
        if self._held:
            signal.signal(signal.SIGINT, self._interrupt)
            self._held = False

    def _on_sigint(self, number: int, frame: FrameType | None) -> None:
        self.waiting = True

    def _on_ending(self, number: int, frame: FrameType | None) -> None:
        self.by = signal.Signals(number)
        if self._held:
            self.waiting = True
        elif self._ignored:
            raise KeyboardInterrupt
        else:
            signal.raise_signal(signal.SIGINT)

    @property
    def _ignored(self) -> bool:
        """A shell without job control starts what runs in the background so."""
        return self._interrupt is signal.SIG_IGN
