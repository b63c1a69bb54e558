"""plait with plait through the official transport test, by its pytest file."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

from cells import Cell, Table, announce_retry

FOLDER = Path(__file__).resolve().with_name("official")
ROOT = FOLDER.parent.parent.parent
TITLE = "libp2p's official transport test over Redis, plait with plait"
# A test of one stack in one form; the others look at what surrounds it.
STACK = re.compile(r"test_plait_with_plait\[(?P<stack>[\w/]+)-(?P<form>\w+)\]")
REST = "waits, leftovers, errors"


def official_form() -> Table:
    cells = run()
    if failed := [cell for cell in cells if cell.state == "failed"]:
        for cell in failed:
            announce_retry(cell)
        cells = run()
        again = {cell.name for cell in failed}
        for cell in cells:
            cell.tries = 2 if cell.name in again else 1
    return Table(TITLE, cells)


def run() -> list[Cell]:
    print("interop: the official transport test", flush=True)
    with tempfile.TemporaryDirectory(prefix="plait-interop-") as folder:
        report = Path(folder, "report.xml")
        command = [
            sys.executable,
            "-m",
            "pytest",
            "--quiet",
            "--tb=short",
            f"--junitxml={report}",
            str(FOLDER),
        ]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as pytest:
            try:
                output, _ = pytest.communicate()
            except BaseException:
                # It has a server to stop, which it would not do when killed.
                pytest.send_signal(signal.SIGINT)
                raise
        if not report.is_file():
            return [Cell(REST, "pytest", True, "failed", failed={"pytest": output.decode()})]
        tests = list(ElementTree.parse(report).iter("testcase"))
    skipped = {str(each.get("message")) for test in tests for each in test.iter("skipped")}
    for why in sorted(skipped):
        print(f"interop: {why}", flush=True)
    found: dict[tuple[str, str], Cell] = {}
    for test in tests:
        if test.find("skipped") is None:
            add(found, test)
    return list(found.values())


def add(cells: dict[tuple[str, str], Cell], test: ElementTree.Element) -> None:
    name = str(test.get("name"))
    stack = STACK.fullmatch(name)
    row, column = (f"{stack['form']} form", stack["stack"]) if stack else (REST, "tcp/noise/yamux")
    cell = cells.setdefault((row, column), Cell(row, column, True))
    for kind in ("failure", "error"):
        if (problem := test.find(kind)) is not None:
            cell.state = "failed"
            cell.failed[name] = " ".join(str(problem.get("message")).split())
