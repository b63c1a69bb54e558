"""The synthetic run lies beside the tests of the reports, where `importlib` mode does not look by itself."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "bench_reports"))
