"""Arguments that several commands take, and what they may be."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import plait

__all__ = ["add_identity", "add_output", "count", "load_identity", "seconds"]


def add_identity(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--identity",
        type=Path,
        metavar="FILE",
        help="key file made by `plait id new`: keeps the peer id (default: a new one each time)",
    )


def add_output(parser: argparse.ArgumentParser, *, nested: bool = False) -> None:
    """``--json``, ``-q`` and ``-v``; `nested` in a command of a command, where what came before it stays."""
    off: bool | str = argparse.SUPPRESS if nested else False
    none: int | str = argparse.SUPPRESS if nested else 0
    parser.add_argument(
        "--json", action="store_true", default=off, help="one JSON object a line on standard output"
    )
    parser.add_argument("-q", "--quiet", action="count", default=none, help="no progress, no hints")
    parser.add_argument("-v", "--verbose", action="count", default=none, help="more; twice for the log")


def load_identity(options: argparse.Namespace) -> plait.KeyPair | None:
    """The key pair of ``--identity``; a missing or malformed file raises as `KeyPair.load` does."""
    import plait

    return None if options.identity is None else plait.KeyPair.load(options.identity)


def count(text: str) -> int:
    """A whole number from 1 on."""
    value = int(text) if text.isascii() and text.isdigit() else 0
    if not 0 < value <= MAX_COUNT:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {MAX_COUNT}")
    return value


def seconds(text: str) -> float:
    """A time from 0 on."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= MAX_COUNT:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0 to {MAX_COUNT}")
    return value


# Anything above is a slip of the finger.
MAX_COUNT = 1_000_000
