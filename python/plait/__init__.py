"""libp2p for Python: hosts, connections and streams between peers.

Purpose: the front door; what a program needs has a name here.
Takes: nothing.
Gives: the names in `__all__`. Each is loaded when it is first used: a program that only asks for the
    version, or prints its help, should not wait for an event loop and a cryptography library.
May look at: every room.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plait._core import __version__ as __version__
    from plait.connection import Connection, Stream
    from plait.exceptions import PlaitError
    from plait.host import Host, HostConfig, run
    from plait.identity import KeyPair, PeerId, PublicKey
    from plait.limits import Limits, Timeouts
    from plait.upgrade import DialOptions, PrivateNetwork

__all__ = [
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

ROOMS = {
    "Connection": "plait.connection",
    "DialOptions": "plait.upgrade",
    "Host": "plait.host",
    "HostConfig": "plait.host",
    "KeyPair": "plait.identity",
    "Limits": "plait.limits",
    "PeerId": "plait.identity",
    "PlaitError": "plait.exceptions",
    "PrivateNetwork": "plait.upgrade",
    "PublicKey": "plait.identity",
    "Stream": "plait.connection",
    "Timeouts": "plait.limits",
    "__version__": "plait._core",
    "run": "plait.host",
}


def __getattr__(name: str) -> Any:
    room = ROOMS.get(name)
    if room is not None:
        value = getattr(importlib.import_module(room), name)
    elif name in OPEN_ROOMS:
        # `import plait` is enough for `plait.exceptions.DialError`.
        value = importlib.import_module(f"plait.{name}")
    else:
        raise AttributeError(f"module 'plait' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *OPEN_ROOMS})


OPEN_ROOMS = frozenset(
    {
        "addresses",
        "events",
        "exceptions",
        "files",
        "identity",
        "limits",
        "protocols",
        "testing",
        "transports",
        "upgrade",
    }
)
