"""What a command says: text for people, or one JSON object a line for programs."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import Any

from plait.exceptions import PlaitError

__all__ = ["Output", "counted", "duration", "size"]


class Output:
    """Results go to standard output, everything else to standard error.

    Attributes:
        json: whether the results are JSON.
        verbosity: 0 by default, above with ``-v``, below with ``-q``.
    """

    def __init__(self, *, json: bool, verbosity: int) -> None:
        self.json = json
        self.verbosity = verbosity

    def result(self, event: str, text: str | None = None, **fields: Any) -> None:
        """An event with its fields, or the text that says the same; no text, nothing for people."""
        if self.json:
            # At once, or a program that reads us would see it only at the end.
            print(json.dumps({"event": event, **fields}), flush=True)
        elif text is not None:
            print(text, flush=True)

    def note(self, text: str) -> None:
        """A hint for people."""
        if not self.json and self.verbosity >= 0:
            print(text, file=sys.stderr, flush=True)

    def error(
        self, error: BaseException, text: str | None = None, *, event: str = "error", **fields: Any
    ) -> None:
        """What went wrong; with ``-v`` also what caused it."""
        text = text or _text(error)
        if self.json:
            code = error.code if isinstance(error, PlaitError) else type(error).__name__
            # It may be standard output that failed.
            with contextlib.suppress(OSError):
                self.result(event, code=code, message=text, **fields)
                return
        # A terminal that was closed hears nothing, and the exit status says the rest.
        with contextlib.suppress(OSError):
            print(f"plait: {text}", file=sys.stderr, flush=True)
            while self.verbosity > 0 and (cause := error.__cause__) is not None:
                print(f"  because of {type(cause).__name__}: {cause}", file=sys.stderr, flush=True)
                error = cause

    def defect(self, error: BaseException) -> None:
        """An error that nothing a user or a peer does should cause."""
        self.error(error, f"this is a defect of plait: {type(error).__name__}: {error}")


def _text(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror and not isinstance(error, PlaitError):
        # Without the number and the brackets of Python's own form, and with the name that was asked for.
        path = error.filename2 or error.filename
        return f"{path}: {error.strerror}" if path else error.strerror
    return str(error) or type(error).__name__


def counted(files: int) -> str:
    """1 file, 2 files."""
    return f"{files} file{'' if files == 1 else 's'}"


def size(count: float) -> str:
    """Bytes as people write them: 1.07 GB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.4g} TB"


def duration(seconds: float) -> str:
    """A time to wait: 0:07, 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
