"""Sends a file from one plait process to another over loopback and proves that it arrived.

    python examples/send_a_file.py [FILE]

Without FILE it makes one (`--size`, 1 GiB). The receiver is `plait recv`, the sender `plait send`, each a
process of its own, as on two machines. Exit status 0 only if the file that arrived is byte for byte the file
that was sent.
"""

from __future__ import annotations

import argparse
import contextlib
import filecmp
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PLAIT = [sys.executable, "-m", "plait"]
LISTEN = "/ip4/127.0.0.1/tcp/0"
GIB = 1 << 30
# Written again and again, each time with its number in front, so that no two blocks of the file are equal.
BLOCK = 1 << 20


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path, help="what to send (default: a file made on the spot)")
    parser.add_argument("--size", type=int, default=GIB, help="bytes of the file that is made (1 GiB)")
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="plait-") as folder, ended_by_signals():
            return run(options.file, options.size, Path(folder))
    except ExampleError as error:
        print(f"send_a_file: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


class ExampleError(Exception):
    """Something that the person who started this can mend, or a transfer that failed."""


def run(given: Path | None, size: int, folder: Path) -> int:
    if given is not None and not given.is_file():
        raise ExampleError(f"{given} is not a file")
    check_room(folder, given.stat().st_size if given else 2 * size)
    source = given or make_file(folder / "sample.bin", size)
    inbox = folder / "inbox"
    inbox.mkdir()
    with receiver(inbox) as child:
        address = event(child, "listening")["addresses"][0]
        print(f"receiving at {address}", flush=True)
        report = send(source, address)
        verdict = event(child, "done")
        child.wait()
    if child.returncode != 0 or not verdict["verified"]:
        raise ExampleError(f"plait recv ended with exit status {child.returncode}")
    arrived = inbox / source.name
    if not arrived.is_file() or not filecmp.cmp(source, arrived, shallow=False):
        raise ExampleError("what arrived is not what was sent")
    show(report)
    return 0


def receiver(inbox: Path) -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
    # Quiet: two progress bars would get into each other's way.
    return child_process([*PLAIT, "recv", "-q", "--once", "--json", "--listen", LISTEN, "--out", str(inbox)])


def send(source: Path, address: str) -> dict[str, Any]:
    """Its progress bar goes to our own terminal, its report comes back."""
    with child_process([*PLAIT, "send", "--json", str(source), address]) as child:
        report = event(child, "done")
        child.wait()
    if child.returncode != 0:
        raise ExampleError(f"plait send ended with exit status {child.returncode}")
    return report


def show(report: dict[str, Any]) -> None:
    print(f"negotiated {report['transport']}, {report['security']}, {report['muxer']}")
    rate = report["mb_per_second"]
    print(f"{report['bytes']:,} bytes in {report['seconds']:.2f} s: {rate:,.0f} MB/s")
    print("verified")


# ---- processes and files -----------------------------------------------------------------------------------


@contextlib.contextmanager
def child_process(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """Standard output is ours to read, standard error stays the terminal; it ends when we do."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield child
        finally:
            if child.poll() is None:
                child.terminate()


def event(child: subprocess.Popen[str], name: str) -> dict[str, Any]:
    """The next event of this name; progress and errors on the way are shown."""
    assert child.stdout is not None  # a pipe, since child_process asks for one
    for line in child.stdout:
        found: dict[str, Any] = json.loads(line)
        match found.pop("event"):
            case kind if kind == name:
                return found
            case "progress":
                print(progress(found), flush=True)
            case "error" | "failed":
                print(f"plait: {found['message']}", file=sys.stderr)
    raise ExampleError(f"plait ended before '{name}', with exit status {child.wait()}")


def progress(found: dict[str, Any]) -> str:
    """Where there is no terminal for a bar."""
    done, total, rate = found["bytes"] / 1e6, found["total"] / 1e6, found["bytes_per_second"] / 1e6
    left = found["remaining_seconds"]
    eta = "" if left is None else f", {left:.0f} s left"
    return f"{done:,.0f} of {total:,.0f} MB, {rate:,.0f} MB/s{eta}"


def make_file(path: Path, size: int) -> Path:
    block = os.urandom(BLOCK)
    with path.open("wb") as file:
        for number in range(-(-size // BLOCK)):
            file.write(number.to_bytes(8, "big") + block[8:])
        file.truncate(size)
    return path


def check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ExampleError(f"{folder} has {free:,} bytes free, {needed:,} are needed; TMPDIR names another")


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """SIGTERM leaves no file and no process behind either."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


if __name__ == "__main__":
    sys.exit(main())
