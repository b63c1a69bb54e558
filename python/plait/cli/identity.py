"""`plait id`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from plait.cli.arguments import count
from plait.cli.output import Output
from plait.exceptions import ConfigError

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
    parser.add_argument("action", choices=["new", "show"])
    kinds = [kind.lower() for kind in KINDS]
    parser.add_argument(
        "--key", choices=kinds, metavar="KIND", help=f"of `new`: {', '.join(kinds)} (default: {kinds[0]})"
    )
    parser.add_argument("--bits", type=count, metavar="N", help="of `new --key rsa`: 2048 (default) to 8192")
    parser.add_argument(
        "file", nargs="?", type=Path, default=Path(DEFAULT), metavar="FILE", help=f"default: {DEFAULT}"
    )


def run(options: argparse.Namespace, out: Output) -> int:
    import plait
    from plait.identity import KeyType

    if options.action == "new":
        kind = KeyType[(options.key or KINDS[0]).upper()]
        pair = plait.KeyPair.generate(kind, bits=options.bits)
        pair.save(options.file)
        out.note(f"wrote {options.file}; keep it secret")
    elif options.key is not None or options.bits is not None:
        raise ConfigError("a key file that is there has its kind: --key and --bits are for `plait id new`")
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

# Names of `plait.identity.KeyType`, the default first. Written out: the parser is made for every command,
# and must not load the room that knows them.
KINDS = ("ED25519", "SECP256K1", "ECDSA", "RSA")
