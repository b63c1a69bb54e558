"""`plait id`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from plait.cli.arguments import add_output, count
from plait.cli.output import Output

if TYPE_CHECKING:
    from plait import KeyPair

__all__ = ["DESCRIPTION", "HELP", "NAME", "add_arguments", "run"]

NAME = "id"
HELP = "make or show a key file, which is a peer id that stays"
DESCRIPTION = """\
A key file holds a private key and is readable by its owner only. `new` makes one and never
replaces one; `show` prints its peer id in both text forms, and the public key. `show` and
`--identity` also read unencrypted PEM and DER files of other programs."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    for name, text in (("new", "make a key file"), ("show", "show what is in one")):
        # A parser each, or no option could stand before FILE.
        action = actions.add_parser(
            name, help=text, description=text, epilog=parser.epilog, formatter_class=parser.formatter_class
        )
        add_output(action, nested=True)
        action.add_argument(
            "file", nargs="?", type=Path, default=Path(DEFAULT), metavar="FILE", help=f"default: {DEFAULT}"
        )
        if name == "new":
            _add_kind(action)


def _add_kind(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--key",
        choices=KINDS,
        default=KINDS[0],
        metavar="KIND",
        help=f"{', '.join(KINDS)} (default: {KINDS[0]})",
    )
    parser.add_argument("--bits", type=count, metavar="N", help="of an rsa key: 2048 (default) to 8192")


def run(options: argparse.Namespace, out: Output) -> int:
    import plait
    from plait.identity import KeyType

    if options.action == "new":
        pair = plait.KeyPair.generate(KeyType[options.key.upper()], bits=options.bits)
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

# Of `plait.identity.KeyType`, the default first. Written out: the parser is made for every command, and must
# not load the room that knows them.
KINDS = ("ed25519", "secp256k1", "ecdsa", "rsa")
