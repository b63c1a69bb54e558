"""The child process under attack, seen from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

PEER = Path(__file__).parent.parent / "interop" / "peer.py"

# What may be left after everything, above what was there before. The allocator keeps what it has touched
# once, in pieces; a leak of the cases' size would be many times this.
MEMORY_LEFT = 64 << 20
# At any time: the budget of a host for unread bytes (256 MiB) may be used, and not much else.
MEMORY_PEAK = 512 << 20
# Processor seconds in one idle second.
IDLE_CPU = 0.2
# How long all of it may take to come back: a few of the target's own timeouts.
PATIENCE = 15.0


class Watched:
    """A listening peer on the defaults that users get."""

    _current: ClassVar[Watched]

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(PEER), "listen"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the target does not start: " + self.process.communicate()[1])
        self.target: str = json.loads(line)["addrs"][0]
        parts = self.target.split("/")
        self.address = (parts[2], int(parts[4]))
        self.errors: list[str] = []
        threading.Thread(target=self._collect_errors, daemon=True).start()
        Watched._current = self

    @classmethod
    def current(cls) -> Watched:
        return cls._current

    def _collect_errors(self) -> None:
        assert self.process.stderr is not None
        self.errors.extend(self.process.stderr)

    def memory(self) -> int:
        """Resident bytes."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def peak(self) -> int:
        """The most resident bytes there ever were."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = (each for each in status.splitlines() if each.startswith("VmHWM"))
        return int(line.split()[1]) * 1024

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def cpu(self) -> float:
        """Processor seconds so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def wait_for(self, what: str, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not done():
            if time.monotonic() > deadline:
                raise AssertionError(f"{what} did not come back in {PATIENCE:g} s")
            time.sleep(0.1)

    def idle_cpu(self) -> float:
        before = self.cpu()
        time.sleep(1.0)
        return self.cpu() - before

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError("the target did not end when told") from None
