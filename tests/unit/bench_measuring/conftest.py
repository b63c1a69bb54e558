"""Modules that children import lie beside the tests; and no test leaves a process or a descriptor behind."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from left_behind import nothing_is_left_behind  # noqa: E402, F401
