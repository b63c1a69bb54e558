"""A program of somebody else: JSON lines on its standard output, anything on its standard error.

Nothing here trusts the program: it may be missing, end early, never end, print no JSON, or print without an
end. Each wait has a limit, all that is kept of its output is bounded, and when the context is left neither
the program nor a child of it is there.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from plait.bench.cores import pinned
from plait.bench.subjects.contender import ContenderError, UnsupportedError
from plait.bench.unbroken import unbroken

__all__ = ["Program", "ProgramError", "one_line"]


class ProgramError(ContenderError):
    """A program did not do what it was asked for; the text is one line that says why."""


class Program:
    """Runs from when it is made until the context is left, in a session of its own.

    Ctrl-C may come between the two: who makes it does so `unbroken`, up to where it is sure to be stopped.

    Args:
        name: for messages.
        argv: the program and its arguments.
        core: the only one that it may run on, where the platform can do that.

    Raises `UnsupportedError` when it cannot be started.
    """

    def __init__(self, name: str, argv: Sequence[str], core: int | None = None) -> None:
        self.name = name
        self._changed = threading.Condition()
        self._rows: deque[dict[str, Any]] = deque(maxlen=KEPT_ROWS)
        self._words: deque[str] = deque(maxlen=KEPT_WORDS)
        self._garbage = ""
        self._flooded = False
        self._open = 2
        try:
            with pinned(core):
                self._child = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    # Whatever a wrapper starts can then be ended with it, and Ctrl-C is for us alone.
                    start_new_session=True,
                )
        except (OSError, ValueError) as error:
            raise UnsupportedError(f"{name} cannot be started: {_reason(error, argv)}") from None
        self._readers = [
            threading.Thread(target=self._read, args=(file, keep), name=f"output of {name}", daemon=True)
            for file, keep in ((self._child.stdout, self._keep_row), (self._child.stderr, self._keep_words))
        ]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def has_ended(self, within: float = 0.0) -> bool:
        """Whether it is no longer there, after so many seconds at most."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(within)
        return self._child.poll() is not None

    def event(self, name: str, seconds: float) -> dict[str, Any]:
        """The first `{"event": name}`. Raises `ProgramError` when there is none, after `seconds` at most."""

        def look() -> dict[str, Any] | None:
            return next((row for row in self._rows if row.get("event") == name), None)

        found = self._wait_for(look, seconds)
        if found is not None:
            return found
        if self._flooded:
            raise ProgramError(f"{self.name} printed more than {MOST_OUTPUT} bytes and no {name!r}")
        if self._open:
            raise ProgramError(f"{self.name} did not say {name!r} within {seconds:.3g} s{self._heard()}")
        raise ProgramError(f"{self.name} ended before it said {name!r}: {self.why()}")

    def result(self, seconds: float) -> dict[str, Any]:
        """The last object that is no event, once the program has ended well.

        Raises `ProgramError` when it ends in another way, or is not done after `seconds`.
        """
        end = time.monotonic() + seconds
        self._wait_for(lambda: None, seconds)
        if self._flooded:
            raise ProgramError(f"{self.name} printed more than {MOST_OUTPUT} bytes")
        status = None
        if not self._open:
            # It may close its output long before it ends, as what becomes a daemon does.
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = self._child.wait(max(0.0, end - time.monotonic()))
        if status is None:
            raise ProgramError(f"{self.name} was not done within {seconds:.3g} s{self._heard()}")
        rows = [row for row in self._rows if "event" not in row]
        if status or not rows or "error" in rows[-1]:
            raise ProgramError(f"{self.name} failed: {self.why()}")
        return rows[-1]

    def why(self) -> str:
        """The line of its output that names the error best; its exit status when it gave no reason."""
        with self._changed:
            rows, words = list(self._rows), list(self._words)
        for row in reversed(rows):
            if row.get("error"):
                return one_line(str(row["error"]))
        lines = [line for line in words if not TRACE.match(line)]
        named = [line for line in lines if ERROR.search(line)]
        if named or lines:
            return one_line((named or lines)[-1])
        if self._garbage:
            return f"it printed {self._garbage!r}, which is no JSON object"
        status = self._child.poll()
        if status is None:
            return "it gave no reason"
        return _ending(status) if status else "it printed no result"

    def cpu_seconds(self) -> float | None:
        """User and system time of its whole session so far; `None` where `/proc` does not tell."""
        try:
            ticks = os.sysconf("SC_CLK_TCK")
            return sum(sum(map(int, fields[11:15])) for fields in _session(self._child.pid)) / ticks
        except (AttributeError, OSError, ValueError):
            return None

    def stop(self) -> None:
        """Ends it and all of its session; waits `PATIENCE` seconds for an orderly end. May be repeated.

        An interrupt waits for that as well.
        """
        with unbroken():
            self._stop()

    def _stop(self) -> None:
        if not self.has_ended():
            self._signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(PATIENCE)
        # Also after an orderly end: a wrapper may have left the program that it started, and as long as one
        # process of the session is there, nobody else gets its number.
        self._signal(KILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(PATIENCE)
        for reader in self._readers:
            # Somebody outside of its session may have inherited the other end.
            reader.join(PATIENCE)
        for file, reader in zip((self._child.stdout, self._child.stderr), self._readers, strict=True):
            if file is not None and not reader.is_alive():
                file.close()

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self._child.pid, number)
            else:
                self._child.terminate()

    def _wait_for(self, look: Callable[[], dict[str, Any] | None], seconds: float) -> dict[str, Any] | None:
        """What `look` finds, or `None` when the output ends, floods, or the time is over."""
        end = time.monotonic() + seconds
        with self._changed:
            while (found := look()) is None and self._open and not self._flooded:
                left = end - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    return look()
            return found

    def _heard(self) -> str:
        """The last words of somebody who still runs."""
        if self._words:
            return f" ({one_line(self._words[-1])})"
        return f" (it printed {self._garbage!r})" if self._garbage else ""

    def _read(self, file: IO[bytes], keep: Callable[[bytes], None]) -> None:
        left = MOST_OUTPUT
        # A line without an end must not fill the memory.
        while left > 0 and (line := file.readline(LONGEST_LINE)):
            left -= len(line)
            with self._changed:
                keep(line)
                self._changed.notify_all()
        with self._changed:
            if left <= 0:
                self._flooded = True
            self._open -= 1
            self._changed.notify_all()

    def _keep_row(self, line: bytes) -> None:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict):
            self._rows.append(row)
        elif not self._garbage:
            self._garbage = one_line(line.decode("utf-8", "replace"), LONGEST_GARBAGE)

    def _keep_words(self, line: bytes) -> None:
        words = FRAME.sub("", line.decode("utf-8", "replace")).strip()
        if words:
            self._words.append(words)


def one_line(text: str, longest: int = 160) -> str:
    """Somebody else's words, short, printable and on one line."""
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _reason(error: Exception, argv: Sequence[str]) -> str:
    if isinstance(error, FileNotFoundError):
        return f"there is no program {argv[0]}"
    strerror = error.strerror if isinstance(error, OSError) else None
    return f"{argv[0]}: {strerror or error}"


def _ending(status: int) -> str:
    if status > 0:
        return f"it gave no reason (exit status {status})"
    with contextlib.suppress(ValueError):
        return f"it was ended by {signal.Signals(-status).name}"
    return f"it was ended by signal {-status}"


def _session(leader: int) -> Iterator[list[str]]:
    """Of each process in the session, its line in `/proc`, from the state on."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            # It may end while we look.
            with contextlib.suppress(OSError):
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == leader:
                    yield fields


# Seconds that a program has for an orderly end, and its output for arriving.
PATIENCE = 3.0
# Results are some hundred bytes; a listener may log, and that for many minutes.
MOST_OUTPUT = 4 << 20
LONGEST_LINE = 64 << 10
KEPT_ROWS = 100
KEPT_WORDS = 50
LONGEST_GARBAGE = 60
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)

# Lines of a stack trace say where, not what; trees of exceptions have a frame around each line.
TRACE = re.compile(r"(at |File \"|Traceback|During handling|The above exception|goroutine |note: |~*\^+~*$)")
FRAME = re.compile(r"^[\s|+└├│-]+")
ERROR = re.compile(
    r"^(\[cause\]: |thread .* panicked|panic|fatal|[Ee]rror\b|[\w.]*(Error|Exception|Reset|EOF|TooSlow)\b)"
)
