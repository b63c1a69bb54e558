"""Every pair over every stack, by the `matrix.py` that comes with the peers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from cells import AT_ONCE, GATING, OURS, Cell, Table, announce_retry, gates, pair
from peers_folder import peers_environment

STACKS = [f"tcp/{security}/{muxer}" for security in ("noise", "tls") for muxer in ("yamux", "mplex")]
STACKS += ["ws/noise/yamux", "ws/tls/yamux"]
# Seconds for one check. A healthy one takes well under one; some peers start slowly on two busy cores.
CHECK_LIMIT = 20
# Of py's checks only those that py passes against itself: known.toml has something on each of the others.
PY_CHECKS = ("identify", "ping", "digest")


def stacks(cache: Path, built: Sequence[str], wanted: Sequence[str], checks: Sequence[str]) -> Table:
    """Our pairs with every peer that stands, and with ourselves.

    Args:
        wanted: globs of stacks; all when empty.
        checks: only these; all when empty.
    """
    chosen = [stack for stack in STACKS if not wanted or any(fnmatchcase(stack, each) for each in wanted)]
    if not chosen:
        raise SystemExit(f"interop: no such stack; there are {' '.join(STACKS)}")
    gating = [name for name in (*built, OURS) if name in GATING]
    cells = run_matrix(cache, gating, gating, chosen, checks)
    for name in built:
        if name not in GATING:
            few = [check for check in PY_CHECKS if not checks or check in checks]
            cells += run_matrix(cache, [name], [OURS], chosen, few)
            cells += run_matrix(cache, [OURS], [name], chosen, few)
    for index, cell in enumerate(cells):
        if cell.state == "failed":
            announce_retry(cell)
            dialer, listener = cell.row.split(pair("", ""))
            few = [] if cell.gates else list(PY_CHECKS)
            for again in run_matrix(cache, [dialer], [listener], [cell.column], checks or few):
                again.tries = 2
                cells[index] = again
    return Table("transport/security/muxer", cells, f"checks with py: {', '.join(PY_CHECKS)}")


def run_matrix(
    cache: Path,
    dialers: Sequence[str],
    listeners: Sequence[str],
    stacks: Sequence[str],
    checks: Sequence[str],
) -> list[Cell]:
    command = [sys.executable, str(cache / "matrix.py"), "--only", OURS]
    command += ["--limit", str(CHECK_LIMIT), "--parallel", str(AT_ONCE)]
    for option, values in (
        ("--dialer", dialers),
        ("--listener", listeners),
        ("--stack", stacks),
        ("--check", checks),
    ):
        command += [part for value in values for part in (option, value)]
    environment = peers_environment() | {"PLAIT_PEER": os.environ["PLAIT_PEER"]}
    with tempfile.TemporaryDirectory(prefix="plait-interop-") as folder:
        table = Path(folder, "matrix.json")
        # Its own table would show the first try; ours comes at the end.
        command += ["--json", str(table)]
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False)
        if not table.is_file():
            raise SystemExit("interop: matrix.py ended without its table")
        rows = json.loads(table.read_text())
    return [as_cell(row) for row in rows if row["state"] != "unsupported"]


def as_cell(row: dict[str, Any]) -> Cell:
    dialer, listener = row["dialer"], row["listener"]
    return Cell(
        pair(dialer, listener),
        row["stack"],
        gates(dialer, listener),
        row["state"],
        failed=row["failed"],
        known=row["known"],
    )
