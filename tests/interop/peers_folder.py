"""The other implementations' peers, copied into a cache outside the tree and built there, once a machine.

A file that did not change is not copied again, so their compilers see what is up to date.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

# What setup.sh calls for each, and what to install when it is not there.
TOOLCHAINS = {
    "go": ("go", "the Go toolchain"),
    "rust": ("cargo", "the Rust toolchain"),
    "js": ("npm", "npm"),
    "py": ("python3", "Python with python3-venv"),
}
# What a folder may hold that was built in place: it belongs to the machine that built it.
BUILT = {".git", "bin", "target", "node_modules", "venv", "__pycache__"}


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
