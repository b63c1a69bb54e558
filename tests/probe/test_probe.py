"""All cases of the probe against a child process on its defaults."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# It takes less than a minute on a machine that has nothing else to do.
PATIENCE = 170


def test_nothing_that_a_peer_sends_disturbs_anybody_else() -> None:
    command = [sys.executable, str(Path(__file__).with_name("probe.py")), "--verbose"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
