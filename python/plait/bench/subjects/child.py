"""A child process that speaks JSON lines, as its parent has it: every answer has a deadline."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from plait.bench.subjects.contender import ContenderError, UnsupportedError
from plait.bench.unbroken import unbroken

__all__ = ["Child"]

# No line of the protocol is nearly as long; a child that says more says garbage.
LONGEST_LINE = 64 * 1024
# Of what it said on its standard error, to find the last line.
LAST_WORDS = 4096
# Of a line that is quoted in a message.
QUOTED = 120


class Child:
    """Runs `python -m module` from when it is made until the context is left.

    Ctrl-C may come between the two: who makes it does so `unbroken`, up to where it is sure to be stopped.

    Args:
        module: that speaks the protocol.
        name: for messages.
    """

    def __init__(self, module: str, name: str, arguments: Sequence[str] = ()) -> None:
        self.name = name
        self._words = tempfile.TemporaryFile()  # noqa: SIM115  closed in `stop`
        self._heard = b""
        # What this process can import, the child can too.
        path = os.pathsep.join(part or os.getcwd() for part in sys.path)
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            env={**os.environ, "PYTHONPATH": path},
            bufsize=0,
            # Ctrl-C is for the parent, which then ends it.
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, line: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Says a line and gives the answer.

        Raises:
            UnsupportedError: the answer is an error that says so.
            ContenderError: it died, did not answer in time, or not with an object of JSON.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(line).encode() + b"\n")
        except OSError:
            raise self.died() or ContenderError(f"{self.name} listens to nobody") from None
        heard = self._read_line(time.monotonic() + seconds, seconds)
        try:
            answer = json.loads(heard)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise ContenderError(f"{self.name} said {_quoted(heard)}, which is no answer")
        if "error" in answer:
            kind = UnsupportedError if answer.get("unsupported") is True else ContenderError
            raise kind(f"{self.name}: {_one_line(str(answer['error']))}")
        return answer

    def died(self, patience: float = 0.0) -> ContenderError | None:
        """The error that says how it ended; `None` while it runs, and after waiting so many seconds."""
        try:
            status = self._process.wait(patience)
        except subprocess.TimeoutExpired:
            return None
        said = self._last_words()
        return ContenderError(f"{self.name} ended ({_status(status)}){': ' + said if said else ''}")

    def stop(self) -> None:
        """Ends it, at once; an interrupt waits for that. Calling it twice is fine."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        with unbroken():
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()
            self._words.close()

    def _read_line(self, deadline: float, seconds: float) -> bytes:
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._heard:
                if len(self._heard) > LONGEST_LINE:
                    raise ContenderError(f"{self.name} said {_quoted(self._heard)} and no end of the line")
                left = deadline - time.monotonic()
                if left <= 0 or not selector.select(left):
                    raise ContenderError(f"{self.name} hangs: no answer in {seconds:g} s")
                data = os.read(self._process.stdout.fileno(), LONGEST_LINE)
                if not data:
                    raise self.died(max(0.0, left)) or ContenderError(f"{self.name} ended its answers")
                self._heard += data
        line, _, self._heard = self._heard.partition(b"\n")
        return line

    def _last_words(self) -> str:
        with contextlib.suppress(OSError, ValueError):
            size = self._words.seek(0, os.SEEK_END)
            self._words.seek(max(0, size - LAST_WORDS))
            lines = [
                line for line in self._words.read().decode(errors="replace").splitlines() if line.strip()
            ]
            return _one_line(lines[-1]) if lines else ""
        return ""


def _status(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-status).name
    return f"signal {-status}"


def _quoted(line: bytes) -> str:
    return repr(line[:QUOTED].decode(errors="replace")) + ("…" if len(line) > QUOTED else "")


def _one_line(words: str) -> str:
    return " ".join(words.split())
