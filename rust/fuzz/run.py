"""Runs each fuzz target for a while; the first crash, hang or memory over the bound fails it.

Inputs that reach new code are kept in `corpus/`, what failed in `artifacts/`. A failure prints the input as
the target sees it and the command that repeats it.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
TARGETS = tuple(sorted(path.stem for path in (FOLDER / "fuzz_targets").glob("*.rs")))
# What the fuzzer can hardly guess and any peer says.
DICTIONARIES = {"multistream": "multistream.dict", "session_bytes": "multistream.dict"}
CARGO_FUZZ = "0.13.2"
# Coverage and the debug assertions are what is wanted; the core has no unsafe code for a sanitizer to watch.
BUILD = ["--fuzz-dir", str(FOLDER), "--sanitizer", "none"]
LIMITS = {
    "rss_limit_mb": 1024,  # ten times what any target needs
    "timeout": 20,  # seconds for one input, which takes milliseconds on an idle machine
    "max_len": 4096,  # some hundred operations; longer inputs only get slower
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60, help="for each target (%(default)s)")
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help=f"all unless named: {', '.join(TARGETS)}"
    )
    options = parser.parse_args()
    targets = options.targets or TARGETS
    if unknown := set(targets) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    environment = tools()
    subprocess.run(["cargo", "fuzz", "build", *BUILD], env=environment, check=True)
    failed = [target for target in targets if not run(target, options.seconds, environment)]
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def tools() -> dict[str, str]:
    """The environment with cargo-fuzz, which is put beside the build when the machine has none."""
    own = FOLDER / "target" / "tools"
    # Coverage flags are for nightly compilers; this lets a stable one take them.
    environment = {**os.environ, "RUSTC_BOOTSTRAP": "1"}
    environment["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), str(own / "bin")])
    if shutil.which("cargo-fuzz", path=environment["PATH"]) is None:
        print(f"cargo-fuzz is missing: building {CARGO_FUZZ} from crates.io (minutes, once)", flush=True)
        install = ["cargo", "install", "cargo-fuzz", "--quiet", "--locked", "--version", CARGO_FUZZ]
        subprocess.run([*install, "--root", str(own)], check=True)
    return environment


def run(target: str, seconds: int, environment: dict[str, str]) -> bool:
    limits = [f"-{name}={value}" for name, value in LIMITS.items()]
    if dictionary := DICTIONARIES.get(target):
        limits.append(f"-dict={FOLDER / dictionary}")
    command = ["cargo", "fuzz", "run", *BUILD, target, "--", f"-max_total_time={seconds}", *limits]
    done = subprocess.run(
        [*command, "-print_final_stats=1"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if done.returncode != 0:
        print(done.stdout[-6000:], file=sys.stderr)
        return False
    print(f"{target:18} {inputs(done.stdout):>12,} inputs in {seconds} s, clean", flush=True)
    return True


def inputs(output: str) -> int:
    found = re.search(r"number_of_executed_units: (\d+)", output)
    return int(found[1]) if found else 0


if __name__ == "__main__":
    sys.exit(main())
