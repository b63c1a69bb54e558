"""Programs that do what they should, and all the ways in which they do not."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from pathlib import Path

import pytest

from plait.bench.subjects import UnsupportedError
from plait.bench.subjects.programs import Program, ProgramError

# Seconds for what a machine does at once unless it is very busy.
PATIENCE = 60.0
# For what never happens: long enough for a line that is under way.
SOON = 0.2
SAY = "import json, sys, time\ndef say(**fields): print(json.dumps(fields), flush=True)\n"
# Until it is ended, without a timer: nothing ever arrives.
FOREVER = "import signal\nwhile True: signal.pause()\n"


def program(code: str, **named: int) -> Program:
    return Program("fake", [sys.executable, "-c", SAY + code], **named)


def test_an_event_and_a_result() -> None:
    code = "print('noise'); say(event='listening', addrs=['a']); say(event='other'); say(rate=1)"
    with program(code) as running:
        assert running.event("listening", PATIENCE)["addrs"] == ["a"]
        assert running.result(PATIENCE) == {"rate": 1}
        assert running.has_ended(PATIENCE)


def test_the_last_result_counts() -> None:
    with program("say(rate=1)\nsay(rate=2)\nsay(event='end')") as running:
        assert running.result(PATIENCE) == {"rate": 2}


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("sys.exit(3)", r"it gave no reason \(exit status 3\)"),
        ("pass", "it printed no result"),
        ("print('<html>')", "it printed '<html>', which is no JSON object"),
        ("print('[1, 2]')", "which is no JSON object"),
        ("print('[' * 100_000)", "which is no JSON object"),
        ("say(error='no route')\nsys.exit(1)", "no route"),
        ("say(error='no route')", "no route"),
        ("say(rate=1)\nsys.exit('Error: too late')", "Error: too late"),
        ("raise KeyError('x')", "KeyError: 'x'"),
        ("print('first', file=sys.stderr)\nprint('at place', file=sys.stderr)\nsys.exit(1)", "first"),
        ("import os\nos.kill(os.getpid(), 11)", "it was ended by SIGSEGV"),
        ("say(error='a' * 1000)", "a{150,}…$"),
        (r"say(error='two\nlines\x1b[2J')", r"two lines \[2J$"),
    ],
)
def test_it_fails(code: str, why: str) -> None:
    with program(code) as running:
        with pytest.raises(ProgramError, match=rf"^fake failed: .*{why}"):
            running.result(PATIENCE)


def test_it_ends_before_the_event() -> None:
    with program("say(event='other')\nsys.exit('Error: port is taken')") as running:
        with pytest.raises(ProgramError, match="ended before it said 'listening': Error: port is taken"):
            running.event("listening", PATIENCE)


@pytest.mark.parametrize("said", ["", "print('still dialing', file=sys.stderr, flush=True)\n"])
def test_it_hangs(said: str) -> None:
    with program(f"{said}say(event='there')\n{FOREVER}") as running:
        running.event("there", PATIENCE)
        with pytest.raises(ProgramError, match=r"did not say 'listening' within 0\.2 s"):
            running.event("listening", SOON)
        with pytest.raises(ProgramError, match=r"was not done within 0\.2 s"):
            running.result(SOON)
        pid = running._child.pid
    assert_gone(pid)


@pytest.mark.parametrize("where", ["stdout", "stderr"])
@pytest.mark.parametrize("end", ["\\n", ""])
def test_it_prints_without_an_end(where: str, end: str) -> None:
    with program(f"while True: sys.{where}.write('x' * 10_000 + '{end}')") as running:
        with pytest.raises(ProgramError, match="printed more than 4194304 bytes"):
            running.event("listening", PATIENCE)
        with pytest.raises(ProgramError, match="printed more than 4194304 bytes"):
            running.result(PATIENCE)


@pytest.mark.parametrize("argv", [["/no/such/program"], ["no-such-program-anywhere"]])
def test_it_is_not_there(argv: list[str]) -> None:
    with pytest.raises(UnsupportedError, match=f"^fake cannot be started: there is no program {argv[0]}$"):
        Program("fake", argv)


def test_it_cannot_be_run(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("text")
    for argv in ([str(tmp_path / "text")], [str(tmp_path)], ["\0"]):
        with pytest.raises(UnsupportedError, match=r"^fake cannot be started: "):
            Program("fake", argv)


def test_it_does_not_want_to_end() -> None:
    code = f"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nsay(event='there')\n{FOREVER}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("plait.bench.subjects.programs.PATIENCE", SOON)
        with program(code) as running:
            running.event("there", PATIENCE)
            pid = running._child.pid
    assert_gone(pid)


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="no such thing on this platform")
def test_a_wrapper_leaves_nothing_behind() -> None:
    child = (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); signal.pause()"
    )
    code = f"""
import subprocess
child = subprocess.Popen([sys.executable, '-c', {child!r}], stdout=subprocess.PIPE)
child.stdout.readline()
say(event='there', pid=child.pid)
"""
    with program(code + FOREVER) as running:
        grandchild = os.pidfd_open(running.event("there", PATIENCE)["pid"])
    try:
        ended, _, _ = select.select([grandchild], [], [], PATIENCE)
    finally:
        os.close(grandchild)
    assert ended


def test_nothing_of_ours_stays_behind() -> None:
    threads, files = threading.active_count(), len(os.listdir("/dev/fd"))
    for code in ("say(rate=1)", FOREVER, "while True: print('x' * 10_000)"):
        with program(code):
            pass
    assert threading.active_count() == threads
    assert len(os.listdir("/dev/fd")) == files


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this platform")
def test_on_one_core() -> None:
    before = os.sched_getaffinity(0)
    core = max(before)
    with program("import os\nsay(cores=sorted(os.sched_getaffinity(0)))", core=core) as running:
        assert running.result(PATIENCE) == {"cores": [core]}
    assert os.sched_getaffinity(0) == before


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_processor_time() -> None:
    busy = "end = time.process_time() + 0.1\nwhile time.process_time() < end: pass\nsay(event='done')\n"
    with program(busy + FOREVER) as running:
        running.event("done", PATIENCE)
        assert (running.cpu_seconds() or 0) >= 0.08
    assert running.cpu_seconds() == 0


def assert_gone(pid: int) -> None:
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
