"""How long `import plait` takes, beside an interpreter that imports nothing. Prints; asserts nothing.

Names of the front door are loaded at their first use, so what a host needs is measured too. Each sample is a
fresh interpreter; the kinds take turns, so that a busy moment hits all of them.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

PROGRAMS = {
    "nothing": "pass",
    "import plait": "import plait",
    "plait.Host": "import plait; plait.Host",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=21)
    rounds = parser.parse_args().rounds
    samples: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(rounds):
        for name, program in PROGRAMS.items():
            samples[name].append(seconds(program))
    medians = {name: statistics.median(taken) * 1e3 for name, taken in samples.items()}
    for name, taken in samples.items():
        low, high = min(taken) * 1e3, max(taken) * 1e3
        above = medians[name] - medians["nothing"]
        print(f"{name:13} {medians[name]:6.1f} ms [{low:.1f}-{high:.1f}], {above:5.1f} above nothing")


def seconds(program: str) -> float:
    begin = time.perf_counter()
    # Isolated, so that neither this folder nor the user's settings count.
    subprocess.run([sys.executable, "-I", "-c", program], check=True)
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
