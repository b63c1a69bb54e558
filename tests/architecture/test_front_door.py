"""What `import plait` gives and what it costs."""

from __future__ import annotations

import subprocess
import sys

import plait

# Changing this list is changing the API: it belongs into the changelog.
FRONT_DOOR = [
    "Connection",
    "DialOptions",
    "Host",
    "HostConfig",
    "KeyPair",
    "Limits",
    "PeerId",
    "PlaitError",
    "PrivateNetwork",
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
    "websockets",
}


def test_the_front_door_is_pinned() -> None:
    assert sorted(plait.__all__) == FRONT_DOOR


def test_each_name_of_the_front_door_is_there() -> None:
    assert [name for name in plait.__all__ if not hasattr(plait, name)] == []


def test_importing_plait_loads_nothing_heavy() -> None:
    program = "import sys, plait; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert HEAVY & set(done.stdout.split()) == set()


def test_a_host_loads_the_websocket_library_with_its_first_websocket() -> None:
    program = """
import asyncio, sys, plait

async def main():
    async with plait.Host() as alice, plait.Host(listen=()) as bob:
        await bob.connect(alice.addresses[0])
    print("websockets" in sys.modules)
    async with plait.Host(listen="/ip4/127.0.0.1/tcp/0/ws"):
        print("websockets" in sys.modules)

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
