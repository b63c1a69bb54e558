"""plait with the go, rust, js and py peers, as dialer and as listener over tcp/noise/yamux.

The peers' folder is copied into a cache outside the tree and built there, once a machine; a file that did not
change is not copied again, so their compilers see what is up to date. Exit status 1 when a cell that gates
failed twice.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
PEER = Path(__file__).resolve().with_name("peer.py")
STACK = "tcp/noise/yamux"
OURS = "plait"

# What setup.sh calls for each, and what to install when it is not there.
TOOLCHAINS = {
    "go": ("go", "the Go toolchain"),
    "rust": ("cargo", "the Rust toolchain"),
    "js": ("npm", "npm"),
    "py": ("python3", "Python with python3-venv"),
}
# py-libp2p fails by itself at times, whoever it talks to: its cells are shown and decide nothing.
GATING = ("go", "rust", "js", OURS)
# What a folder may hold that was built in place: it belongs to the machine that built it.
BUILT = {".git", "bin", "target", "node_modules", "venv", "__pycache__"}
# Seconds for one check. Some peers start slowly on two busy cores; a healthy check takes well under one.
CHECK_LIMIT = 40
# A reset that overtakes its own stream's opening is a race: once could be luck.
RESETS_AT_ONCE = 20


def main() -> int:
    options = parse()
    source = options.peers
    if not (source / "matrix.py").is_file():
        print(f"interop: no peers at {source} (PEERS=DIR names their folder): nothing to run")
        return 0
    cache = cache_folder()
    with turn(cache):
        refresh(source, cache)
        built, broken = build(cache, options.only)
        cells = matrix(cache, built, options.check)
        retry(cache, cells, options.check)
        cells += resets_at_once(cache, built)
    return verdict(cells, built, broken)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    default = Path(os.environ.get("PEERS") or ROOT.parent / "shared" / "peers")
    parser.add_argument("--peers", type=Path, default=default, metavar="DIR")
    parser.add_argument("--only", action="append", choices=TOOLCHAINS, help="only with this peer, repeatable")
    parser.add_argument("--check", action="append", default=[], help="only this check, repeatable")
    options = parser.parse_args()
    options.peers = options.peers.expanduser().resolve()
    options.only = options.only or list(TOOLCHAINS)
    return options


# --- the peers' folder, outside the tree -------------------------------------------------------------------


def cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base, "plait", "peers")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def turn(cache: Path) -> Iterator[None]:
    """Two runs at once would build over each other."""
    with open(cache.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def refresh(source: Path, cache: Path) -> None:
    """Makes the cache's sources equal to the folder's, touching only what differs."""
    current = {path.relative_to(source) for path in files(source)}
    for path in sorted(current):
        old, new = cache / path, source / path
        if not old.is_file() or old.read_bytes() != new.read_bytes():
            old.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(new, old)
        shutil.copymode(new, old)
    for path in files(cache):
        if path.relative_to(cache) not in current:
            path.unlink()


def files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - BUILT)
        yield from (Path(parent, name) for name in names)


def build(cache: Path, wanted: Sequence[str]) -> tuple[list[str], list[str]]:
    """Builds what this machine can build: the names of those that stand, and of those that failed."""
    able = []
    for name in wanted:
        tool, package = TOOLCHAINS[name]
        if shutil.which(tool):
            able.append(name)
        else:
            print(f"interop: *** {name} IS LEFT OUT: {tool} is missing ({package}) ***", flush=True)
    built: list[str] = []
    broken: list[str] = []
    for name in able:
        done = subprocess.run(["bash", "setup.sh", name], cwd=cache, env=peers_environment(), check=False)
        (built if done.returncode == 0 else broken).append(name)
    return built, broken


def peers_environment() -> dict[str, str]:
    """Ours, less what belongs to our own virtual environment and build."""
    ours = ("VIRTUAL_ENV", "PYO3_PYTHON", "CARGO_TARGET_DIR", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    return {name: value for name, value in os.environ.items() if name not in ours}


# --- the matrix --------------------------------------------------------------------------------------------


@dataclass
class Cell:
    dialer: str
    listener: str
    state: str  # ok, known or failed, in the matrix's words
    passed: list[str]
    failed: dict[str, str]  # check -> why
    known: dict[str, str]  # check -> reason, of those that failed
    tries: int = 1

    @property
    def gates(self) -> bool:
        return self.dialer in GATING and self.listener in GATING

    @property
    def name(self) -> str:
        return f"{self.dialer} → {self.listener}"

    @property
    def new(self) -> dict[str, str]:
        return {check: why for check, why in self.failed.items() if check not in self.known}


def matrix(cache: Path, built: Sequence[str], checks: Sequence[str]) -> list[Cell]:
    """Our pairs with every peer that stands, and with ourselves."""
    sides = [part for name in (*built, OURS) for part in ("--dialer", name, "--listener", name)]
    return run_matrix(cache, ["--only", OURS, *sides], checks)


def retry(cache: Path, cells: list[Cell], checks: Sequence[str]) -> None:
    """A failed cell gets one more try, and says so."""
    for index, cell in enumerate(cells):
        if cell.state != "failed":
            continue
        print(f"interop: {cell.name} failed ({', '.join(cell.new)}), once more", flush=True)
        for check, why in cell.new.items():
            print(f"         {check}: {why}")
        pair = ["--only", OURS, "--dialer", cell.dialer, "--listener", cell.listener]
        for again in run_matrix(cache, pair, checks):
            again.tries = 2
            cells[index] = again


def run_matrix(cache: Path, pairs: Sequence[str], checks: Sequence[str]) -> list[Cell]:
    command = [sys.executable, str(cache / "matrix.py"), "--stack", STACK, "--limit", str(CHECK_LIMIT)]
    command += [*pairs, *(part for check in checks for part in ("--check", check))]
    environment = peers_environment() | {"PLAIT_PEER": shlex.join([sys.executable, str(PEER)])}
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
    return Cell(row["dialer"], row["listener"], row["state"], row["passed"], row["failed"], row["known"])


# --- reset at t = 0 ----------------------------------------------------------------------------------------


def resets_at_once(cache: Path, built: Sequence[str]) -> list[Cell]:
    """We reset stream after stream before a byte is written; then the connection answers a ping.

    The other peers' command lines can reset only after a byte: that is the matrix's `abort`.
    """
    sys.path.insert(0, str(cache))
    import peers  # type: ignore[import-not-found, unused-ignore]

    os.environ["PLAIT_PEER"] = shlex.join([sys.executable, str(PEER)])
    found = peers.load([])
    stack = peers.Stack(*STACK.split("/"))

    def attempt(name: str) -> str | None:
        arguments = ["--at-once", "--count", str(RESETS_AT_ONCE)]
        try:
            with peers.Listener(found[name], stack, lifetime=4 * CHECK_LIMIT) as listener:
                peers.ask(found[OURS], "abort", stack, listener.address, *arguments, seconds=CHECK_LIMIT)
        except peers.PeerError as error:
            return str(error)
        return None

    return [reset_cell(name, attempt) for name in [*built, OURS]]


def reset_cell(listener: str, attempt: Callable[[str], str | None]) -> Cell:
    cell = Cell(OURS, listener, "ok", ["reset at once"], {}, {})
    if (why := attempt(listener)) is not None:
        print(f"interop: {cell.name} failed (reset at once), once more\n         {why}", flush=True)
        cell.tries = 2
        if (why := attempt(listener)) is not None:
            cell.state, cell.passed, cell.failed = "failed", [], {"reset at once": why}
    return cell


# --- the end -----------------------------------------------------------------------------------------------


def verdict(cells: Sequence[Cell], built: Sequence[str], broken: Sequence[str]) -> int:
    width = max(len(cell.name) for cell in cells)
    print(f"\ninterop over {STACK} with {', '.join(built) or 'nobody'}")
    for cell in cells:
        notes = [f"passed: {' '.join(cell.passed) or 'nothing'}"]
        if cell.tries > 1:
            notes.append("second try")
        if not cell.gates:
            notes.append("does not gate")
        print(f"  {cell.name:<{width}}  {cell.state:<7} {'; '.join(notes)}")
        for check, why in cell.failed.items():
            word = "known" if check in cell.known else "FAILED"
            print(f"  {'':<{width}}  {word:<7} {check}: {cell.known.get(check, why)}")
    for name in broken:
        print(f"  {name}: setup.sh FAILED, so nothing was tried with it")
    failed = sum(cell.state == "failed" for cell in cells if cell.gates)
    failed += sum(name in GATING for name in broken)
    passed = sum(cell.state != "failed" for cell in cells if cell.gates)
    print(f"interop: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
