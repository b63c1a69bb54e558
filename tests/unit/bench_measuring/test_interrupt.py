"""Ctrl-C in a real run, from outside: what was found is there, and every process is gone."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

# Far more than ending takes; the whole run would take many minutes.
PATIENCE = 30.0
PROGRAM = """
import json, sys
from plait.bench import Plan, scenario
from plait.bench.results import Environment, Sample
from plait.bench.run import SilentWatcher, run
from plait.bench.subjects import TwoEnds
from plait.bench.subjects.plait_ends import PlaitEnds
from plait.bench.subjects.raw_tcp import RawTcpEnds

class Watcher(SilentWatcher):
    def step(self, text):
        print(text, flush=True)

plan = Plan(
    scenarios=[scenario("bulk-up")], contenders=[TwoEnds(RawTcpEnds()), TwoEnds(PlaitEnds())],
    seconds=SECONDS, rounds=50, write_sizes=(64, 65536),
)
found = run(plan, Watcher(), environment=Environment("", 1, "", "", "", None))
rounds = [one.round for one in found.findings if isinstance(one, Sample)]
print(json.dumps({"finished": found.finished, "rounds": max(rounds, default=None)}))
"""


# In short measurements it comes between two things; in a long one into the middle of it.
@pytest.mark.parametrize(("seconds", "steps"), [("0.02", 12), ("30.0", 1)])
def test_ctrl_c_ends_everything_and_keeps_the_findings(seconds: str, steps: int) -> None:
    program = PROGRAM.replace("SECONDS", seconds)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        try:
            for _ in range(steps):
                assert running.stdout.readline().startswith("bulk-up, ")
            running.send_signal(signal.SIGINT)
            said, _ = running.communicate(timeout=PATIENCE)
        finally:
            running.kill()
        status = running.returncode
    assert status == 0
    told = json.loads(said.splitlines()[-1])
    assert told["finished"] is False
    if steps == 1:
        assert told["rounds"] is None
    else:
        assert told["rounds"] >= 3
