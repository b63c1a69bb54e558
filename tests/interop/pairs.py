"""One command of one dialer against a fresh listener: what the tables beside the matrix are made of."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cells import CheckError

# Seconds for one command, and for a listener to be there. A retry gets as much again.
LIMIT = 30

Report = dict[str, Any]


@dataclass(frozen=True)
class Side:
    """A peer, and what its command line gets beside the stack."""

    name: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What the dialer reported, and what our listener saw if it was told to say."""

    dialer: Report
    listener: Report | None


class RefusedError(CheckError):
    """The dialer's command ended and had failed; in its own words."""


class Pairs:
    """Starts the peers of a folder; `PLAIT_PEER` in the environment is our own."""

    def __init__(self, cache: Path, commands: Mapping[str, Sequence[str]] | None = None) -> None:
        """`commands` replaces those of the folder, by the peer's name."""
        sys.path.insert(0, str(cache))
        import peers  # type: ignore[import-not-found, unused-ignore]

        self._peers: Any = peers
        self._found = peers.load([f"{name}={shlex.join(argv)}" for name, argv in (commands or {}).items()])
        # What is running when we are told to end must not outlive us.
        peers.tidy_exit()

    def ask(
        self, dialer: Side, listener: Side, stack: str, command: str, *arguments: str, limit: float = LIMIT
    ) -> Answer:
        """Raises `RefusedError`, and `CheckError` for a command without an end or without a listener."""
        chosen = self._peers.Stack(*stack.split("/"))
        with self._listening(listener, chosen) as serving:
            peer = self._found[dialer.name]
            argv = peer.argv(command, chosen, "--to", serving.address, *dialer.arguments, *arguments)
            with self._peers.Process(peer, argv) as process:
                try:
                    report = process.result(limit)
                except self._peers.PeerError as error:
                    if process.child.poll() is None:
                        raise CheckError(str(error)) from None
                    raise RefusedError(full_error(process.lines()) or str(error)) from None
            seen = serving.event("connected", limit) if "--connections" in listener.arguments else None
        return Answer(report, seen)

    @contextlib.contextmanager
    def _listening(self, side: Side, stack: Any) -> Iterator[Any]:
        peer = self._found[side.name]
        peer = replace(peer, extra={**peer.extra, "listen": list(side.arguments)})
        try:
            with self._peers.Listener(peer, stack, lifetime=2 * LIMIT) as serving:
                yield serving
        except self._peers.PeerError as error:
            raise CheckError(f"no listener: {error}") from None


def full_error(rows: list[Report]) -> str:
    """The dialer's error without the cut that the matrix's tables need; empty when it said none."""
    return next((str(row["error"]) for row in reversed(rows) if row.get("error")), "")
