"""plait with the go, rust, js and py peers, as dialer and as listener, over every stack that both have.

Exit status 1 when a cell that gates failed twice.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path

from cells import GATING, Table
from early_muxers import early_muxers
from identities import identities
from official_form import official_form
from pairs import Pairs
from peers_folder import TOOLCHAINS, build, cache_folder, refresh, turn
from private_networks import private_networks
from resets import resets
from stacks import stacks
from verdict import verdict

ROOT = Path(__file__).resolve().parent.parent.parent
PEER = Path(__file__).resolve().with_name("peer.py")
TABLES = ("stacks", "identities", "early", "networks", "resets", "official")


def main() -> int:
    options = parse()
    start = time.monotonic()
    tables: list[Table] = []
    broken: list[str] = []
    if (options.peers / "matrix.py").is_file():
        os.environ["PLAIT_PEER"] = shlex.join([sys.executable, str(PEER)])
        cache = cache_folder()
        with turn(cache):
            refresh(options.peers, cache)
            built, broken = build(cache, options.only)
            tables = with_peers(cache, built, options)
    else:
        print(
            f"interop: no peers at {options.peers} (PEERS=DIR names their folder): nothing to run with them"
        )
    if "official" in options.table:
        tables.append(official_form())
    return verdict(tables, [name for name in broken if name in GATING], time.monotonic() - start)


def with_peers(cache: Path, built: list[str], options: argparse.Namespace) -> list[Table]:
    pairs = Pairs(cache)
    tables: dict[str, Callable[[], Table]] = {
        "stacks": lambda: stacks(cache, built, options.stack, options.check),
        "identities": lambda: identities(pairs, built),
        "early": lambda: early_muxers(pairs, built),
        "networks": lambda: private_networks(cache, built),
        "resets": lambda: resets(pairs, built),
    }
    return [make() for name, make in tables.items() if name in options.table]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    default = Path(os.environ.get("PEERS") or ROOT.parent / "shared" / "peers")
    parser.add_argument("--peers", type=Path, default=default, metavar="DIR")
    parser.add_argument("--only", action="append", choices=TOOLCHAINS, help="only with this peer, repeatable")
    parser.add_argument("--table", action="append", choices=TABLES, help="only this table, repeatable")
    parser.add_argument("--stack", action="append", default=[], metavar="GLOB", help="of stacks: only these")
    parser.add_argument("--check", action="append", default=[], help="of stacks: only this check, repeatable")
    options = parser.parse_args()
    options.peers = options.peers.expanduser().resolve()
    options.only = options.only or list(TOOLCHAINS)
    options.table = options.table or list(TABLES)
    return options


if __name__ == "__main__":
    sys.exit(main())
