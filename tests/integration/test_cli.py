"""The command line as a user meets it: processes, their output, and their exit status."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import plait

PLAIT = [sys.executable, "-m", "plait"]
SECURITY = plait.HostConfig().security
ADDRESS = "/ip4/127.0.0.1/tcp/0"
# Nobody listens on the discard port of a test machine; the peer id is of the specification's test key.
NOBODY = "/ip4/127.0.0.1/tcp/9/p2p/12D3KooWBwC8DxHrNKxcMLzNhbsy5r1B5pnoEPxzVzLUY4tjYBpE"
# Seconds for a process to do what takes it one: the machine may be very busy.
PATIENCE = 60.0


class TestSendAndReceive:
    def test_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "data").write_bytes(content := os.urandom(3 << 20))
        with receiver(tmp_path / "inbox", "--once", "--json") as recv:
            sent = run("send", "--json", tmp_path / "data", recv.address)
            assert recv.wait() == 0
        assert sent.returncode == 0
        assert (tmp_path / "inbox" / "data").read_bytes() == content
        connected, *_, file, done = events(sent.stdout)
        assert (connected["event"], connected["peer"]) == ("connected", recv.peer)
        assert (file["name"], file["bytes"]) == ("data", len(content))
        assert done == {
            **done,
            "event": "done",
            "files": 1,
            "failed": 0,
            "bytes": len(content),
            "verified": True,
        }
        assert done == {**done, "transport": "tcp", "security": SECURITY[0], "muxer": "/yamux/1.0.0"}
        assert done["seconds"] > 0
        at_receiver = {event["event"]: event for event in recv.events()}
        assert at_receiver["file"]["digest"] == file["digest"]
        assert at_receiver["done"]["verified"] is True

    def test_text_for_people(self, tmp_path: Path) -> None:
        (tmp_path / "data").write_bytes(b"x" * 1000)
        with receiver(tmp_path / "inbox", "--once") as recv:
            sent = run("send", tmp_path / "data", recv.address)
            assert recv.wait() == 0
        assert sent.stdout.startswith("sent 1 file, 1000 bytes in ")
        assert sent.stdout.endswith(f"MB/s, tcp, {SECURITY[0]}, /yamux/1.0.0, verified\n")
        received = recv.output()
        assert "data: 1 kB, " in received
        assert "received 1 file, 1000 bytes in " in received

    def test_folders_and_several_paths(self, tmp_path: Path) -> None:
        for name in ("top/a", "top/sub/b", "top/sub/c", "single"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(name)
        (tmp_path / "top" / "link").symlink_to("/etc/passwd")
        with receiver(tmp_path / "inbox", "--once", "--json") as recv:
            paths = [tmp_path / "top", tmp_path / "single"]
            sent = run("send", *paths, recv.address, "--parallel", "2")
            assert recv.wait() == 0
        assert sent.returncode == 0
        assert "left out" in sent.stderr
        inbox = tmp_path / "inbox"
        arrived = sorted(str(path.relative_to(inbox)) for path in inbox.rglob("*") if path.is_file())
        assert arrived == ["single", "top/a", "top/sub/b", "top/sub/c"]
        assert all((inbox / name).read_text() == name for name in arrived)

    def test_a_file_that_is_there_is_kept_and_can_be_overwritten(self, tmp_path: Path) -> None:
        (tmp_path / "data").write_text("new")
        (tmp_path / "inbox").mkdir()
        (tmp_path / "inbox" / "data").write_text("old")
        with receiver(tmp_path / "inbox", "--once", "--json") as recv:
            sent = run("send", tmp_path / "data", recv.address)
            assert recv.wait() == 1
        assert sent.returncode == 1
        assert "data: the receiver has a file or folder of this name" in sent.stderr
        assert "1 file FAILED" in sent.stdout
        assert (tmp_path / "inbox" / "data").read_text() == "old"
        with receiver(tmp_path / "inbox", "--once", "--json", "--overwrite") as recv:
            assert run("send", tmp_path / "data", recv.address).returncode == 0
        assert (tmp_path / "inbox" / "data").read_text() == "new"

    def test_only_certain_senders(self, tmp_path: Path) -> None:
        (tmp_path / "data").touch()
        key = tmp_path / "key"
        (identity,) = events(run("id", "new", key, "--json").stdout)
        with receiver(tmp_path / "inbox", "--json", "--from", identity["peer"]) as recv:
            stranger = run("send", "--json", tmp_path / "data", recv.address)
            assert [event["event"] for event in events(stranger.stdout)] == ["connected", "failed", "done"]
            assert stranger.returncode == 1
            friend = run("send", "--json", tmp_path / "data", recv.address, "--identity", key)
            assert friend.returncode == 0

    def test_the_disk_fills(self, tmp_path: Path) -> None:
        (tmp_path / "large").write_bytes(bytes(8 << 20))
        limited = ["bash", "-c", 'ulimit -f 2048 && exec "$@"', "bash", *PLAIT]
        with receiver(tmp_path / "inbox", "--once", "--json", command=limited) as recv:
            sent = run("send", tmp_path / "large", recv.address)
            assert recv.wait() == 1
        assert sent.returncode == 1
        assert sent.stderr.count("the receiver's disk is full") == 1
        assert "Traceback" not in sent.stderr
        assert list((tmp_path / "inbox").iterdir()) == []


class TestInterrupts:
    @pytest.mark.parametrize(
        ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
    )
    def test_of_a_waiting_receiver(self, tmp_path: Path, number: signal.Signals, status: int) -> None:
        with receiver(tmp_path / "inbox", "--json") as recv:
            recv.process.send_signal(number)
            assert recv.wait() == status
        assert "Traceback" not in recv.output()

    @pytest.mark.parametrize("side", ["sender", "receiver"])
    def test_in_the_middle_of_a_file(self, tmp_path: Path, side: str) -> None:
        # No data in it, so that it costs nothing to make; large enough to be interrupted for certain.
        with (tmp_path / "large").open("wb") as file:
            file.truncate(64 << 30)
        # Enough room is looked for before the first byte, and a test machine need not have it.
        with receiver(tmp_path / "inbox", "--json", "--once", command=WITH_ROOM) as recv:
            sender = start("send", "--json", tmp_path / "large", recv.address)
            assert recv.next_event("progress")["bytes"] > 0
            (sender if side == "sender" else recv.process).send_signal(signal.SIGINT)
            output, errors = sender.communicate(timeout=PATIENCE)
            statuses = (sender.returncode, recv.wait())
        assert statuses == ((130, 1) if side == "sender" else (1, 130))
        assert "Traceback" not in output + errors + recv.output()
        assert list((tmp_path / "inbox").iterdir()) == []


class TestPeers:
    def test_ping_and_info(self, tmp_path: Path) -> None:
        with receiver(tmp_path, "--json") as recv:
            pings = events(run("ping", "--json", recv.address, "--count", "3", "--interval", "0").stdout)
            (info,) = events(run("info", "--json", recv.address).stdout)
            text = run("info", recv.address).stdout
        assert [event["event"] for event in pings] == ["ping"] * 3 + ["done"]
        assert pings[-1]["min_ms"] <= pings[-1]["mean_ms"] <= pings[-1]["max_ms"]
        assert info["peer"] == recv.peer
        assert "/plait/files/1.0.0" in info["protocols"]
        assert info["agent"].startswith("plait/")
        assert info["observed_address"].startswith("/ip4/127.0.0.1/tcp/")
        assert (info["security"], info["muxer"]) == (SECURITY[0], "/yamux/1.0.0")
        assert "/plait/files/1.0.0" in text

    def test_nobody_is_there(self) -> None:
        for command in (["ping", NOBODY], ["info", NOBODY], ["send", __file__, NOBODY]):
            done = run(*command)
            assert done.returncode == 1
            assert "/ip4/127.0.0.1/tcp/9" in done.stderr
        (error,) = events(run("ping", "--json", NOBODY).stdout)
        assert (error["event"], error["code"]) == ("error", "E-DIAL")

    def test_somebody_else_is_there(self, tmp_path: Path) -> None:
        with receiver(tmp_path, "--json") as recv:
            done = run("ping", recv.address.replace(recv.peer, NOBODY.rpartition("/")[2]))
        assert done.returncode == 1
        assert recv.peer in done.stderr


class TestIdentity:
    def test_new_and_show(self, tmp_path: Path) -> None:
        made = run("id", "new", "--json", cwd=tmp_path)
        shown = run("id", "show", "plait.key", "--json", cwd=tmp_path)
        assert made.returncode == shown.returncode == 0
        assert events(made.stdout) == events(shown.stdout)
        assert (tmp_path / "plait.key").stat().st_mode & 0o777 == 0o600
        (identity,) = events(shown.stdout)
        assert run("id", "show", cwd=tmp_path).stdout.split()[:2] == [identity["peer"], identity["cid"]]
        again = run("id", "new", cwd=tmp_path)
        assert again.returncode == 1
        assert again.stderr == "plait: plait.key: File exists\n"
        assert events(run("id", "show", "--json", cwd=tmp_path).stdout) == [identity]

    def test_it_is_used(self, tmp_path: Path) -> None:
        (identity,) = events(run("id", "new", tmp_path / "key", "--json").stdout)
        with receiver(tmp_path, "--json", "--identity", str(tmp_path / "key")) as recv:
            assert recv.peer == identity["peer"]


class TestWrongUsage:
    @pytest.mark.parametrize(
        "arguments",
        [
            [],
            ["fly"],
            ["send"],
            ["send", "only-one"],
            ["send", __file__, "not an address"],
            ["send", __file__, "/ip4/127.0.0.1/tcp/4001"],
            ["send", __file__, "/ip4/127.0.0.1/tcp/99999/p2p/12D3KooW"],
            ["send", "--parallel", "0", __file__, NOBODY],
            ["send", "--parallel", "many", __file__, NOBODY],
            ["ping", "/"],
            ["ping", NOBODY, "--count", "-1"],
            ["ping", NOBODY, "--interval", "nan"],
            ["info", ""],
            ["recv", "--listen", "/ip4/300.0.0.1/tcp/0"],
            ["recv", "--from", "nobody"],
            ["id", "lose"],
        ],
    )
    def test_is_told_in_words(self, arguments: list[str], tmp_path: Path) -> None:
        done = run(*arguments, cwd=tmp_path)
        assert done.returncode == 2, done.stderr
        assert done.stderr
        assert "Traceback" not in done.stderr

    @pytest.mark.parametrize(
        "arguments",
        [
            ["send", "/no/such/file", NOBODY],
            ["id", "show", "/no/such/file"],
            ["id", "show", "/dev/null"],
            ["id", "new", "/no/such/folder/key"],
            ["ping", NOBODY, "--identity", "/no/such/file"],
            ["recv", "--listen", "/ip4/203.0.113.1/tcp/0"],
        ],
    )
    def test_what_is_not_there(self, arguments: list[str]) -> None:
        done = run(*arguments)
        assert done.returncode == 1, done.stderr
        assert done.stderr.startswith("plait: ")
        assert "Traceback" not in done.stderr
        assert "defect" not in done.stderr


class TestOutput:
    def test_help_has_the_exit_codes(self) -> None:
        for arguments in (["--help"], ["send", "--help"], ["recv", "--help"]):
            done = run(*arguments)
            assert done.returncode == 0
            assert "130  Ctrl-C" in done.stdout

    def test_version(self) -> None:
        (version,) = events(run("version", "--json").stdout)
        assert version["plait"] == plait.__version__
        assert run("--version").stdout.startswith("plait ")

    def test_help_loads_neither_the_loop_nor_the_native_module(self) -> None:
        program = f"""
import sys
from plait.cli import main
try:
    main(["--help"])
except SystemExit:
    sys.exit(str([name for name in {HEAVY} if name in sys.modules]))
"""
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        assert done.stderr == "[]\n"

    def test_a_reader_that_goes_away(self) -> None:
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", '"$@" | true', "bash", *PLAIT, "--help"],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert "Traceback" not in done.stderr

    @pytest.mark.parametrize("rich", [True, False])
    def test_a_terminal_gets_a_bar(self, tmp_path: Path, rich: bool) -> None:
        with (tmp_path / "large").open("wb") as file:
            file.truncate(64 << 30)
        # Without rich: a module of that name that cannot be imported.
        (tmp_path / "rich.py").write_text("raise ImportError\n")
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
        if not rich:
            environment["PYTHONPATH"] = f"{tmp_path}{os.pathsep}{environment.get('PYTHONPATH', '')}"
        else:
            pytest.importorskip("rich")
        with receiver(tmp_path / "inbox", "--json", "-q", command=WITH_ROOM) as recv:
            master, slave = pty.openpty()
            command = [*PLAIT, "send", str(tmp_path / "large"), recv.address]
            sender = subprocess.Popen(command, stderr=slave, stdout=slave, env=environment)
            os.close(slave)
            shown = b""
            while b"B/s" not in shown and (more := os.read(master, 4096)):
                shown += more
            sender.send_signal(signal.SIGINT)
            while read_or_end(master):
                pass
            os.close(master)
            assert sender.wait(PATIENCE) == 130
        assert b"68.7" in shown
        assert (b"\x1b[" in shown) is rich


class Receiver:
    """A running `plait recv --json`, or without: then only its addresses are known."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: list[str] = []
        first = self._next_line()
        event = json.loads(first) if first.startswith("{") else {}
        self.address: str = event["addresses"][0] if event else first.strip()
        self.peer: str = self.address.rpartition("/")[2]

    def next_event(self, name: str) -> dict[str, Any]:
        while line := self._next_line():
            event: dict[str, Any] = json.loads(line)
            if event["event"] == name:
                return event
        raise AssertionError(f"no {name} in {self._lines}")

    def wait(self) -> int:
        return self.process.wait(PATIENCE)

    def output(self) -> str:
        assert self.process.stdout is not None
        if not self.process.stdout.closed:
            self._lines += self.process.stdout.readlines()
        return "".join(self._lines)

    def events(self) -> list[dict[str, Any]]:
        return events(self.output())

    def _next_line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self._lines.append(line)
        return line


@contextmanager
def receiver(inbox: Path, *options: str, command: Sequence[str] = PLAIT) -> Iterator[Receiver]:
    """A `plait recv` on loopback, ended with the block if it has not ended by itself."""
    errors = subprocess.STDOUT if "--json" in options else subprocess.DEVNULL
    arguments = [*command, "recv", "--listen", ADDRESS, "--out", str(inbox), *options]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=errors, text=True)
    # What waits for a line of its output must not wait for ever.
    watchdog = threading.Timer(2 * PATIENCE, process.kill)
    watchdog.start()
    try:
        running = Receiver(process)
        yield running
        process.terminate()
        process.wait(PATIENCE)
        running.output()
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [*PLAIT, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [*PLAIT, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, cwd=cwd)


def events(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def read_or_end(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:
        # How Linux says that nobody has the other end any more.
        return b""


# What takes longer to load than the help takes to print.
HEAVY = ("asyncio", "plait._core", "rich", "multiaddr", "cryptography")

# A `plait recv` on a disk without end. The file that is received never gets far.
WITH_ROOM = [
    sys.executable,
    "-c",
    "import shutil, sys\n"
    "real = shutil.disk_usage\n"
    "shutil.disk_usage = lambda path: real(path)._replace(free=1 << 62)\n"
    "from plait.cli import main\n"
    "sys.exit(main(sys.argv[1:]))",
]
