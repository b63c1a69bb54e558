"""How far a transfer has come."""

from __future__ import annotations

import time

__all__ = ["Progress"]


class Progress:
    """Counts of one transfer of one or more files. The same object is handed to every callback.

    Attributes:
        total: bytes that are to be moved, as far as known: it grows while files are offered.
        files: how many files that is.
        bytes: bytes that were moved so far.
        files_done: files whose digest was verified.
        files_failed: files that were refused, or given up.
    """

    __slots__ = ("_ended", "_started", "bytes", "files", "files_done", "files_failed", "total")

    def __init__(self, total: int = 0, files: int = 0) -> None:
        self.total = total
        self.files = files
        self.bytes = 0
        self.files_done = 0
        self.files_failed = 0
        self._started: float | None = None
        self._ended: float | None = None

    def start(self) -> None:
        """Starts the clock, unless it runs."""
        if self._started is None:
            self._started = time.monotonic()
        self._ended = None

    def stop(self) -> None:
        """Stops the clock until the next `start`."""
        self._ended = time.monotonic()

    @property
    def seconds(self) -> float:
        """Time since the first byte was asked for, until the last one was verified."""
        if self._started is None:
            return 0.0
        return (self._ended or time.monotonic()) - self._started

    @property
    def rate(self) -> float:
        """Bytes per second on average."""
        seconds = self.seconds
        return self.bytes / seconds if seconds > 0 else 0.0

    @property
    def remaining_seconds(self) -> float | None:
        """How long the rest takes at the average rate; ``None`` before the first byte."""
        rate = self.rate
        return (self.total - self.bytes) / rate if rate > 0 else None

    def __repr__(self) -> str:
        return f"<Progress {self.bytes}/{self.total} bytes, {self.files_done}/{self.files} files>"
