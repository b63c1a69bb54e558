"""What a process has used: seconds of processor, memory, wake-ups."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import sys
import threading
import time
from pathlib import Path

from plait.bench.works.work import Usage

__all__ = ["settle", "usage"]


def usage() -> Usage:
    """Of this process, now; may be asked in any thread, and counts the main one's wake-ups alone."""
    return Usage(time.process_time(), _resident(), _wakeups())


def settle() -> None:
    """Gives memory that nobody holds back to the system, as far as it can be told to."""
    # What one pass finalizes, the next can free.
    gc.collect()
    gc.collect()
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            # glibc keeps what was freed; others have no such call.
            ctypes.CDLL(None).malloc_trim(0)


def _resident() -> int:
    with contextlib.suppress(OSError, ValueError, IndexError):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return 0


def _wakeups() -> int:
    thread = threading.main_thread().native_id
    with contextlib.suppress(OSError, ValueError):
        for line in Path(f"/proc/self/task/{thread}/status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches:"):
                return int(line.split()[1])
    return 0
