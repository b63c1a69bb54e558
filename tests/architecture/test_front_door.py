"""What `import plait` gives and what it costs."""

from __future__ import annotations

import subprocess
import sys

import plait

# Changing this list is changing the API: it belongs into the changelog.
FRONT_DOOR = [
    "Connection",
    "Host",
    "HostConfig",
    "KeyPair",
    "Limits",
    "PeerId",
    "PlaitError",
    "PublicKey",
    "Stream",
    "Timeouts",
    "__version__",
    "run",
]
# Loaded when they are needed: each alone costs more than all of plait should.
HEAVY = {
    "argparse",
    "cryptography",
    "hypothesis",
    "multiaddr",
    "plait.cli",
    "plait.files",
    "plait.testing",
    "rich",
    "trio",
    "uvloop",
}


def test_the_front_door_is_pinned() -> None:
    assert sorted(plait.__all__) == FRONT_DOOR


def test_each_name_of_the_front_door_is_there() -> None:
    assert [name for name in plait.__all__ if not hasattr(plait, name)] == []


def test_importing_plait_loads_nothing_heavy() -> None:
    program = "import sys, plait; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert HEAVY & set(done.stdout.split()) == set()
