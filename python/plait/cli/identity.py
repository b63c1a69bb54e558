"""`plait id`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from plait.cli.output import Output

if TYPE_CHECKING:
    from plait import KeyPair

__all__ = ["DESCRIPTION", "HELP", "NAME", "add_arguments", "run"]

NAME = "id"
HELP = "make or show a key file, which is a peer id that stays"
DESCRIPTION = """\
A key file holds a private key and is readable by its owner only. `new` makes one and never
replaces one; `show` prints its peer id in both text forms, and the public key."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=["new", "show"])
    parser.add_argument(
        "file", nargs="?", type=Path, default=Path(DEFAULT), metavar="FILE", help=f"default: {DEFAULT}"
    )


def run(options: argparse.Namespace, out: Output) -> int:
    import plait

    if options.action == "new":
        pair = plait.KeyPair.generate()
        pair.save(options.file)
        out.note(f"wrote {options.file}; keep it secret")
    else:
        pair = plait.KeyPair.load(options.file)
    _show(pair, options, out)
    return 0


def _show(pair: KeyPair, options: argparse.Namespace, out: Output) -> None:
    public = pair.public_key
    kind, key = public.kind.name.lower(), public.to_protobuf().hex()
    text = str(pair.peer_id)
    if options.action == "show":
        text += f"\n{pair.peer_id.to_cid()}\n{kind} {key}"
    out.result(
        "id",
        text,
        file=str(options.file),
        peer=str(pair.peer_id),
        cid=pair.peer_id.to_cid(),
        key_type=kind,
        public_key=key,
    )


# In the folder where one works, and in plain sight: nothing else of plait reads it unasked.
DEFAULT = "plait.key"
