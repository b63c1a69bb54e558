"""Versions at the end of protocol names: which ones a handler can serve."""

from __future__ import annotations

import re
from collections.abc import Callable

from plait.exceptions import ConfigError

__all__ = ["compatible_with"]


def compatible_with(protocol: str) -> Callable[[str], bool]:
    """A `match` for handlers that speak a version and the older ones of its major version.

    `compatible_with("/chat/1.2.0")` takes `/chat/1.0.3` and `/chat/1.2.9`, and neither `/chat/1.3.0`, which
    may say what we do not know, nor `/chat/2.0.0`: semantic versions, as go-libp2p matches them.

    Raises:
        ConfigError: the name does not end in a version of three numbers.
    """
    ours = VERSIONED.fullmatch(protocol)
    if ours is None:
        raise ConfigError(f"{protocol[:80]!r} does not end in a version as in /chat/1.0.0")

    def matches(proposed: str) -> bool:
        theirs = VERSIONED.fullmatch(proposed)
        return (
            theirs is not None
            and theirs["name"] == ours["name"]
            and int(theirs["major"]) == int(ours["major"])
            and int(theirs["minor"]) <= int(ours["minor"])
        )

    return matches


# Numbers of a length that nobody needs, so that no peer makes us read long ones.
VERSIONED = re.compile(r"(?P<name>/.*)/(?P<major>[0-9]{1,9})\.(?P<minor>[0-9]{1,9})\.[0-9]{1,9}", re.DOTALL)
