"""Our peer's command line, against itself: what the matrix and the race read must be there."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PEER = [sys.executable, "-W", "error", str(Path(__file__).with_name("peer.py"))]
# Longer than any command needs; a hung one is ended and shown instead of waited for.
PATIENCE = 60

COMMANDS: dict[str, tuple[list[str], set[str]]] = {
    "identify": ([], {"agent", "protocols", "listenAddrs", "observedAddr"}),
    "ping": (["--count", "5"], {"rtt_ms"}),
    "perf": (["--up", "300000", "--down", "200000"], {"seconds", "up", "down"}),
    "streams": (["--count", "20", "--parallel", "4"], {"per_second", "parallel", "ms"}),
    "handshakes": (["--count", "6", "--parallel", "2"], {"per_second", "parallel", "ms"}),
    "digest": (["--up", "300000"], {"ok", "bytes"}),
    "echo": (["--up", "600000"], {"ok", "bytes"}),
    "reset": ([], {"status", "is_reset", "ping_after_ms"}),
    "abort": ([], {"status", "ping_after_ms"}),
    "info": ([], {"connections"}),
    "hold": (["--count", "5", "--parallel", "2", "--seconds", "0.05"], {"alive"}),
    "hold-streams": (["--count", "20", "--parallel", "4", "--seconds", "0.05"], {"alive"}),
}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with listener() as child:
        yield said(child)["addrs"][0]
        child.terminate()
        _, errors = child.communicate(timeout=PATIENCE)
    assert (child.returncode, errors) == (0, "")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_says_what_is_read_of_it(command: str, address: str) -> None:
    arguments, fields = COMMANDS[command]
    *_, report = ask(command, "--to", address, *arguments)
    assert fields <= set(report)


@pytest.mark.parametrize(("security", "protocol"), [("noise", "/noise"), ("tls", "/tls/1.0.0")])
def test_what_is_the_same_on_every_line(security: str, protocol: str, address: str) -> None:
    (report,) = ask("ping", "--to", address, "--count", "1", "--security", security)
    assert (report["security"], report["muxer"]) == (protocol, "/yamux/1.0.0")
    assert report["early_muxer"] is True
    assert report["cpu_s"] >= 0 <= report["dial_ms"]


def test_a_listener_says_what_it_negotiated_if_told_to() -> None:
    with listener("--connections", "--security", "noise", "--muxer", "mplex") as child:
        ask("ping", "--to", said(child)["addrs"][0], "--count", "1", "--muxer", "mplex")
        seen = said(child)
        child.terminate()
        out, errors = child.communicate(timeout=PATIENCE)
    assert (seen["security"], seen["muxer"], seen["early_muxer"]) == ("/noise", "/mplex/6.7.0", True)
    assert (child.returncode, out, errors) == (0, "", "")


def test_resets_at_once_leave_the_connection_alive(address: str) -> None:
    (report,) = ask("abort", "--to", address, "--at-once", "--count", "20")
    assert report["ping_after_ms"] > 0


def test_a_seed_gives_the_same_peer() -> None:
    seed = "2a" * 32
    peers = set()
    for _ in range(2):
        with listener("--seed", seed) as child:
            peers.add(said(child)["peer"])
            child.terminate()
            child.communicate(timeout=PATIENCE)
    assert len(peers) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_listener_ends_in_order_when_told(number: signal.Signals) -> None:
    with listener() as child:
        said(child)
        child.send_signal(number)
        out, errors = child.communicate(timeout=PATIENCE)
    assert (child.returncode, out, errors) == (0, "", "")


def test_a_listener_ends_by_itself() -> None:
    with listener("--seconds", "0.1") as child:
        _, errors = child.communicate(timeout=PATIENCE)
    assert (child.returncode, errors) == (0, "")


def test_nobody_there_is_one_line_and_no_traceback() -> None:
    with listener() as child:
        gone = said(child)["addrs"][0]
        child.terminate()
        child.communicate(timeout=PATIENCE)
    command = [*PEER, "ping", "--to", gone]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"].startswith("DialError")
    assert "Traceback" not in done.stderr


@contextlib.contextmanager
def listener(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        [*PEER, "listen", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        text=True,
    )
    with child:
        try:
            yield child
        finally:
            child.kill()


def said(child: subprocess.Popen[str]) -> dict[str, Any]:
    assert child.stdout is not None
    line = child.stdout.readline()
    assert line, child.stderr and child.stderr.read()
    found: dict[str, Any] = json.loads(line)
    return found


def ask(command: str, *arguments: str) -> list[dict[str, Any]]:
    line = [*PEER, command, *arguments]
    done = subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done
    return [json.loads(row) for row in done.stdout.splitlines()]
