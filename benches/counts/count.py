"""Instructions that the core runs for fixed work, by callgrind: the same on a busy machine and an idle one.

Three columns, by whose function ran. `core` is our code, with what the compiler inlined into it. `libc` is
copying and allocating; a large copy counts one instruction a byte, so four copies of a MiB are 4 Mi.
`crypto` is ring and the curves: under valgrind they see a processor without AVX-512 and take other paths
than in production, so it is printed and never compared.

What is compared has to be the same work elsewhere too. Our code has no path for one kind of processor; what
is inlined into it from ring has, so `core` is compared where the compiler and the features that ring sees are
those of the baseline: under valgrind, all processors with AVX2. The C library chooses by more than that and
by the sizes of the caches, so `libc` is compared on the same model only. What is not compared is said.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BASELINE = Path(__file__).with_name("baseline.json")
COLUMNS = ("core", "libc", "crypto")


@dataclass(frozen=True)
class Work:
    name: str
    unit: str
    # How many units the shorter run does; enough that one allocation more or less does not show.
    units: int


WORKS = (
    Work("bulk", "MiB written, sealed, opened and read; Noise", 8),
    Work("bulk-tls", "the same; TLS", 8),
    Work("message", "64 B in a record of their own; Noise", 4000),
    Work("message-tls", "the same; TLS", 4000),
    Work("frame", "12-byte frame received", 100_000),
    Work("stream", "stream opened, negotiated, used for 64 B, closed", 1000),
    Work("handshake", "upgrade, both sides", 10),
)

# Instructions by kind and name of the function.
Functions = dict[tuple[str, str], float]
Counts = dict[str, dict[str, float]]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="fail when a count is off the baseline")
    parser.add_argument("--write", action="store_true", help="make these counts the baseline")
    parser.add_argument(
        "--tolerance", type=float, default=3.0, metavar="PERCENT", help="of --check: %(default)s"
    )
    parser.add_argument(
        "--top", type=int, default=0, metavar="N", help="the N costliest functions of each work"
    )
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("valgrind is missing: apt-get install valgrind", file=sys.stderr)
        return 2
    program = build()
    here = environment()
    counts: Counts = {}
    for work in WORKS:
        functions = count(program, work)
        counts[work.name] = columns(functions)
        costliest = sorted(functions, key=functions.__getitem__, reverse=True)
        for key in costliest[: options.top]:
            print(f"  {work.name:10}{functions[key]:14,.1f}  {key[0]:7} {key[1][:100]}")
    baseline = json.loads(BASELINE.read_text()) if BASELINE.exists() else None
    print_table(counts, baseline["counts"] if baseline else None)
    if options.write:
        BASELINE.write_text(json.dumps({"environment": here, "counts": counts}, indent=2) + "\n")
    if options.check:
        return check(counts, baseline, here, options.tolerance)
    return 0


def build() -> Path:
    command = ["cargo", "build", "--quiet", "--locked", "--release", "-p", "plait-core", "--example", "count"]
    done = subprocess.run(
        [*command, "--message-format=json"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    return Path(next(message["executable"] for message in messages if message.get("executable")))


def environment() -> dict[str, str]:
    """What shifts the counts although no line of ours changed: our code by the compiler, the rest by all."""

    def first_line(*command: str) -> str:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[0]

    cpu = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", cpu)
    flags = re.search(r"(?:flags|Features)\s*: (.*)", cpu)
    features = sorted(FEATURES.intersection(flags[1].split() if flags else ()))
    return {
        "rustc": first_line("rustc", "--version"),
        "libc": " ".join(platform.libc_ver()),
        "valgrind": first_line("valgrind", "--version"),
        "cpu": model[1] if model else platform.machine(),
        "cpu features": " ".join(features),
    }


# Of what valgrind lets programs see, that by which libraries choose their code.
FEATURES = frozenset(
    ("abm", "aes", "avx", "avx2", "bmi1", "bmi2", "fma", "movbe", "pclmulqdq", "popcnt", "sse4_2", "ssse3")
) | {"asimd", "pmull", "sha2"}


def count(program: Path, work: Work) -> Functions:
    """Instructions per unit. The difference of two runs is the units alone, without the set-up."""
    once = profile(program, work.name, work.units)
    twice = profile(program, work.name, 2 * work.units)
    return {key: (twice[key] - once[key]) / work.units for key in once.keys() | twice.keys()}


def profile(program: Path, work: str, units: int) -> defaultdict[tuple[str, str], int]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "callgrind.out")
        tool = ["valgrind", "--tool=callgrind", "--quiet", f"--callgrind-out-file={out}"]
        plain = ["--compress-strings=no", "--compress-pos=no"]
        subprocess.run([*tool, *plain, str(program), work, str(units)], check=True)
        return parse(out.read_text())


def parse(text: str) -> defaultdict[tuple[str, str], int]:
    """What each function ran itself, without what it called."""
    functions: defaultdict[tuple[str, str], int] = defaultdict(int)
    library, key, is_call = "", ("", ""), False
    for line in text.splitlines():
        if line.startswith("ob="):
            library = line[3:]
        elif line.startswith("fn="):
            key = (kind(library, line[3:]), line[3:])
        elif line.startswith("calls="):
            is_call = True  # the next line is the cost of the call, which the callee has for itself
        elif line[:1].isdigit():
            if not is_call:
                functions[key] += int(line.split()[1])
            is_call = False
    return functions


def kind(library: str, function: str) -> str:
    if ".so" in library:
        return "libc"
    return "crypto" if CRYPTO.search(function) else "core"


CRYPTO = re.compile(
    r"\b(?:graviola\w*|openssl\w*|ring(?:_core\w*)?|\w+25519_dalek|ed25519|sha2|digest|block_buffer|subtle|zeroize)\b"
    # Labels in ring's assembly.
    r"|^_(?:aesni|vpaes|gcm|ghash|chacha20|poly1305|sha\d+|x25519)\w*"
)


def columns(functions: Functions) -> dict[str, float]:
    sums = dict.fromkeys(COLUMNS, 0.0)
    for (kind, _), instructions in functions.items():
        sums[kind] += instructions
    return {column: round(total, 1) for column, total in sums.items()}


def print_table(counts: Counts, baseline: Counts | None) -> None:
    print(f"{'instructions per':50}{'core':>14}{'libc':>14}{'crypto':>16}")
    for work in WORKS:
        now = counts[work.name]
        print(f"{work.unit:50}{now['core']:14,.0f}{now['libc']:14,.0f}{now['crypto']:16,.0f}")
        if baseline is not None and work.name in baseline:
            core, libc, crypto = (
                f"{percent(now[column], baseline[work.name][column]):+.1f} %" for column in COLUMNS
            )
            print(f"{'':50}{core:>14}{libc:>14}{crypto:>16}")


def check(counts: Counts, baseline: dict[str, Any] | None, here: dict[str, str], tolerance: float) -> int:
    if baseline is None:
        print(f"no baseline: {Path(sys.argv[0]).name} --write makes one", file=sys.stderr)
        return 2
    other = {name for name, value in here.items() if baseline["environment"].get(name) != value}
    for name in sorted(other):
        print(f"the baseline is of another {name}: {baseline['environment'].get(name)!r}, not {here[name]!r}")
    compared = [column for column, needs in COMPARED.items() if not needs & other]
    off = []
    for work in WORKS:
        if work.name not in baseline["counts"]:
            off.append(f"{work.name}: not in the baseline")
            continue
        for column in compared:
            change = percent(counts[work.name][column], baseline["counts"][work.name][column])
            if abs(change) > tolerance:
                off.append(f"{work.name}: {column} {change:+.1f} %")
    for column in COMPARED.keys() - compared:
        print(f"*** {column} IS NOT COMPARED: it would differ here whatever we wrote ***")
    if compared:
        verdict = f"{len(off)} off" if off else "all within"
        print(f"compared: {' and '.join(compared)} of {len(WORKS)} works, {verdict} {tolerance:g} %")
    else:
        print("nothing is compared; --write makes these counts the baseline")
    for line in off:
        print(f"off the baseline by more than {tolerance:g} %: {line}", file=sys.stderr)
    return 1 if off else 0


# What is compared, and what of the environment it depends on.
COMPARED = {
    "core": {"rustc", "cpu features"},
    "libc": {"rustc", "cpu features", "cpu", "libc", "valgrind"},
}


def percent(now: float, before: float) -> float:
    # Less than one instruction is what the set-up did more or less of.
    return (now - before) / max(before, 1.0) * 100 if abs(now - before) >= 1 else 0.0


if __name__ == "__main__":
    sys.exit(main())
