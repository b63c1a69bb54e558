"""Attacks a listening peer with bytes made by hand, while an honest one has to be served all the time.

python tests/probe/probe.py --verbose             every case
python tests/probe/probe.py --only "flood"        those whose group or name has these words
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
import time
from pathlib import Path

import flood_cases
import record_cases
import stream_cases
import upgrade_cases
from registry import CASES, Case
from watch import IDLE_CPU, MEMORY_LEFT, MEMORY_PEAK, PATIENCE, Watched

ROOMS = (upgrade_cases, record_cases, stream_cases, flood_cases)
# The witness shares two cores with the attacker, the target and whatever else runs there.
WITNESS_PATIENCE = 5.0
# Cases that are done before anything is measured, so that what is allocated once is there.
WARM_UP = 3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--verbose", action="store_true", help="one line for each case")
    parser.add_argument("--only", default="", help="cases whose group or name has this text")
    parser.add_argument("--list", action="store_true", help="name the cases and do nothing")
    options = parser.parse_args()
    chosen = [each for each in CASES if options.only in f"{each.group}: {each.name}"]
    if options.list:
        for each in chosen:
            print(f"{each.group}: {each.name}")
        return 0
    target = Watched()
    try:
        failures = attack(target, chosen, options.verbose)
    finally:
        target.stop()
    failures += [f"the target wrote: {line.rstrip()}" for line in target.errors]
    for failure in failures:
        print(f"FAILED {failure}")
    print(f"{len(chosen)} cases, {len(failures)} failures")
    return 1 if failures else 0


def attack(target: Watched, cases: list[Case], verbose: bool) -> list[str]:
    failures: list[str] = []
    for each in CASES[:WARM_UP]:
        each.check(target.address)
    with Witness(target) as witness:
        witness.check()
        memory, descriptors = target.memory(), target.descriptors()
        for each in cases:
            name = f"{each.group}: {each.name}"
            begin = time.monotonic()
            trouble = run(each, target, witness)
            seconds = time.monotonic() - begin
            if trouble:
                failures.append(f"{name}: {trouble}")
            if verbose:
                print(f"{'FAILED' if trouble else 'ok':6} {seconds:6.2f} s  {name}", flush=True)
            if target.process.poll() is not None:
                return [*failures, f"the target is gone: exit status {target.process.returncode}"]
        failures += aftermath(target, memory, descriptors)
        witness.check()
        if verbose:
            print(
                f"witness: {witness.count} answers, slowest {witness.slowest:.3f} s; memory "
                f"{memory >> 20} -> {target.memory() >> 20} MiB, most {target.peak() >> 20} MiB; "
                f"descriptors {descriptors} -> {target.descriptors()}"
            )
    return failures


def run(case: Case, target: Watched, witness: Witness) -> str:
    """What went wrong; empty when nothing did."""
    try:
        case.check(target.address)
        witness.check()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def aftermath(target: Watched, memory: int, descriptors: int) -> list[str]:
    """What did not come back."""
    failures = []
    for what, done in (
        ("descriptors", lambda: target.descriptors() <= descriptors),
        ("memory", lambda: target.memory() <= memory + MEMORY_LEFT),
        ("processor time", lambda: target.idle_cpu() <= IDLE_CPU),
    ):
        try:
            target.wait_for(what, done)
        except AssertionError as error:
            failures.append(f"{error}: {target.memory() >> 20} MiB, {target.descriptors()} descriptors")
    if target.peak() > MEMORY_PEAK:
        failures.append(f"memory went up to {target.peak() >> 20} MiB")
    return failures


class Witness:
    """The honest peer, in a process of its own so that our own work does not slow it down."""

    def __init__(self, target: Watched) -> None:
        script = Path(__file__).with_name("witness.py")
        command = [sys.executable, str(script), target.address[0], str(target.address[1])]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.count = 0
        self.slowest = self._slowest_now = 0.0
        self._answered = threading.Condition()
        threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self) -> Witness:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._answered:
                self.count += 1
                self._slowest_now = max(self._slowest_now, float(line))
                self._answered.notify_all()

    def check(self) -> None:
        """It is answered now, and never had to wait for long."""
        with self._answered:
            due = self.count + 2
            if not self._answered.wait_for(lambda: self.count >= due, WITNESS_PATIENCE):
                raise AssertionError("the witness is not answered")
            slowest, self._slowest_now = self._slowest_now, 0.0
        self.slowest = max(self.slowest, slowest)
        if slowest > WITNESS_PATIENCE:
            raise AssertionError(f"the witness waited {slowest:.1f} s for an answer")


if __name__ == "__main__":
    assert all(ROOMS)
    sys.exit(main())
