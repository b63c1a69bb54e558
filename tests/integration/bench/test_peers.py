"""Other implementations through their command line: what they say, and everything that they do wrong."""

from __future__ import annotations

import asyncio
import math
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import plait
from plait.bench.results import Subject
from plait.bench.subjects import Choosy, ContenderError, Setting, UnsupportedError
from plait.bench.subjects.pace import Pace
from plait.bench.subjects.peers import WRITE_SIZE, Peer, RunningPeer
from plait.bench.subjects.programs import Program
from plait.bench.subjects.remote import Remote
from plait.bench.works import Bulk, ConnectionChurn, Idle, Moved, PipeChurn, Requests, Work
from plait.exceptions import ConfigError

FAKE = (sys.executable, str(Path(__file__).with_name("fake_peer.py")))
REAL = Path(__file__).resolve().parents[2] / "interop" / "peer.py"
# Seconds for what a machine does at once unless it is very busy.
PATIENCE = 60.0
# For what never comes. The listener has to start within it where a test is about the dialer.
SOON = 0.3
UP = Bulk("up", WRITE_SIZE, 0.5)
PINGS = Requests(128, 1, 0.5)


@pytest.fixture(scope="module", autouse=True)
def loops() -> None:
    """libuv keeps a pipe for signals from its first loop to the end of the process."""
    plait.run(asyncio.sleep(0))


@pytest.fixture(autouse=True)
def nothing_left(loops: None) -> Iterator[None]:
    """No thread, no file descriptor, and no child of ours."""
    threads, files = threading.active_count(), len(os.listdir("/dev/fd"))
    yield
    assert threading.active_count() == threads
    assert len(os.listdir("/dev/fd")) == files
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@contextmanager
def fake(wrong: str = "", **setting: Any) -> Iterator[RunningPeer]:
    with Peer("fake", (*FAKE, "--wrong", wrong)).start(
        Setting(**{"patience": PATIENCE, **setting})
    ) as running:
        yield running


class TestPeers:
    def test_what_they_say(self) -> None:
        with fake() as peer:
            moved = peer.measure(UP, PATIENCE)
            assert moved.total / moved.seconds == pytest.approx(100e6)
            assert moved.seconds == pytest.approx(0.5, rel=0.5)
            assert (moved.near_cpu, len(moved.pipes)) == (0.01, 1)
            answered = peer.measure(PINGS, PATIENCE)
            assert not answered.latencies
            assert answered.quantiles == {0.5: pytest.approx(2e-4), 0.99: pytest.approx(5e-4)}
            for work in (PipeChurn(300, 4), ConnectionChurn(300, 4)):
                # All of them, since they take less time than they may.
                churned = peer.measure(work, PATIENCE)
                assert churned.count == 300
                assert churned.seconds == pytest.approx(0.3)
            assert 1000 <= peer.measure(PipeChurn(10_000, 32), PATIENCE).count <= 2000

    @pytest.mark.parametrize(
        ("wrong", "agent"),
        [("", "fake/1.0 [31m"), ("garbage", None), ("dies at once", None), ("nowhere", None)],
    )
    def test_what_they_call_themselves(self, wrong: str, agent: str | None) -> None:
        assert Peer("fake", (*FAKE, "--wrong", wrong)).agent() == agent

    def test_a_contender_like_any_other(self) -> None:
        peer = Peer.parse("go='a path/peer' --fast")
        assert isinstance(peer, Choosy)
        assert peer.command == ("a path/peer", "--fast")
        assert peer.subject == Subject("go", "tcp", "noise", "yamux")

    @pytest.mark.parametrize("text", ["", "go", "=peer", "go=", "go='", "go=  ", " =peer", "g\no=peer"])
    def test_what_is_no_peer(self, text: str) -> None:
        with pytest.raises(ConfigError):
            Peer.parse(text)

    @pytest.mark.parametrize(
        "work",
        [
            Bulk("duplex", WRITE_SIZE, 0.5),
            Bulk("up", 64, 0.5),
            Bulk("up", WRITE_SIZE, 0.5, pipes=2),
            Bulk("up", WRITE_SIZE, 0.5, most=1 << 20),
            Requests(128, 2, 0.5),
            Idle("stream", 10, 0.1),
        ],
        ids=repr,
    )
    def test_what_they_have_no_words_for(self, work: Work[Any]) -> None:
        with fake() as peer:
            with pytest.raises(UnsupportedError):
                peer.measure(work, PATIENCE)

    @pytest.mark.parametrize(
        ("wrong", "why"),
        [
            ("dies at once", "fake ended before it said 'listening': Error: address already in use"),
            ("garbage at once", "it printed '<html>not what you think</html>', which is no JSON object"),
            ("nowhere", r"fake listens on no loopback address: \[''\]"),
        ],
    )
    def test_it_does_not_listen(self, wrong: str, why: str) -> None:
        with pytest.raises(ContenderError, match=why):
            with fake(wrong):
                pass

    def test_it_never_says_where_it_listens(self) -> None:
        with pytest.raises(ContenderError, match=r"fake did not say 'listening' within 0\.3 s"):
            with fake("silent", patience=SOON):
                pass

    @pytest.mark.parametrize("program", ["/no/such/peer", "no-such-peer"])
    def test_it_is_not_installed(self, program: str) -> None:
        with pytest.raises(UnsupportedError, match=f"go cannot be started: there is no program {program}"):
            with Peer("go", (program,)).start(Setting()):
                pass

    @pytest.mark.parametrize("work", [UP, PINGS, PipeChurn(10, 2), ConnectionChurn(10, 2)], ids=repr)
    @pytest.mark.parametrize(
        ("wrong", "why"),
        [
            ("dies", "failed: it was ended by SIGSEGV"),
            ("garbage", r"failed: it printed '\[31m10 MB/s \[0m', which is no JSON object"),
            ("absurd", "fake answered without "),
            ("error", "failed: stream reset by remote"),
            (
                "kills its listener",
                "Error: connection reset; its listener had ended: it was ended by SIGKILL",
            ),
        ],
    )
    def test_the_dialer_does_wrong(self, wrong: str, why: str, work: Work[Any]) -> None:
        with fake(wrong) as peer:
            with pytest.raises(ContenderError, match=why):
                peer.measure(work, PATIENCE)

    def test_the_dialer_hangs(self) -> None:
        with fake("hangs") as peer:
            with pytest.raises(ContenderError, match=r"was not done within [\d.]+ s"):
                peer.measure(UP, SOON)

    def test_a_listener_does_not_grow_old(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with fake() as peer:
            peer.measure(PINGS, PATIENCE)
            first = peer._address
            peer.measure(PINGS, PATIENCE)
            assert peer._address == first
            monkeypatch.setattr("plait.bench.subjects.peers.LIFETIME", 0.0)
            peer.measure(PINGS, PATIENCE)
            assert peer._address != first

    def test_it_cannot_do_two_at_once(self) -> None:
        with fake("one by one") as peer:
            assert peer.measure(PipeChurn(10, 1), PATIENCE).count == 10
            with pytest.raises(UnsupportedError, match="fake ran 1 at once where 2 were asked for"):
                peer.measure(PipeChurn(10, 2), PATIENCE)


class TestPace:
    def test_it_finds_the_amount_and_remembers_it(self) -> None:
        asked: list[int] = []

        def once(amount: int) -> tuple[float, int]:
            asked.append(amount)
            return amount / 1000, amount

        pace = Pace(1, 10_000)
        assert pace.run(2.0, once) == 2000
        assert asked == [1, 16, 256, 2000]
        assert pace.run(1.0, once) == 1000
        assert pace.run(60.0, once) == 10_000
        assert asked[4:] == [1000, 10_000]

    @pytest.mark.parametrize("took", [0.0, 1e-9, 1e9])
    def test_clocks_that_say_nothing(self, took: float) -> None:
        asked: list[int] = []

        def once(amount: int) -> tuple[float, None]:
            asked.append(amount)
            return took, None

        Pace(4, 1 << 40).run(1.0, once)
        Pace(4, 4).run(1.0, once)
        assert len(asked) <= 7
        assert all(1 <= amount <= 4 * 16**5 for amount in asked)


class TestRemote:
    @pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
    def test_perf_and_ping(self, loop: str) -> None:
        with listener() as address:
            assert (Remote(address, loop=loop).agent() or "").startswith("plait/")
            with Remote(address, loop=loop).start(Setting(patience=PATIENCE)) as remote:
                for direction in ("up", "down"):
                    moved = remote.measure(Bulk(direction, WRITE_SIZE, 0.05), PATIENCE)
                    assert isinstance(moved, Moved)
                    assert moved.total > 0
                    assert 0 < moved.seconds < math.inf
                answered = remote.measure(Requests(128, 1, 0.05), PATIENCE)
                assert list(answered.latencies) == sorted(answered.latencies)
                assert len(answered.latencies) >= 5
                with pytest.raises(UnsupportedError, match="cannot do PipeChurn"):
                    remote.measure(PipeChurn(1, 1), PATIENCE)

    def test_it_goes_away(self) -> None:
        with Program("peer", [sys.executable, str(REAL), "listen"]) as program:
            address = program.event("listening", PATIENCE)["addrs"][0]
            with Remote(address, "there").start(Setting(patience=PATIENCE)) as remote:
                program.stop()
                assert Remote(address).agent() is None
                with pytest.raises(ContenderError, match=r"^there: could not connect"):
                    remote.measure(UP, PATIENCE)

    def test_it_does_not_serve_perf(self, tmp_path: Path) -> None:
        command = [sys.executable, "-m", "plait", "recv", "--json", "--out", str(tmp_path)]
        with Program("recv", [*command, "--listen", "/ip4/127.0.0.1/tcp/0"]) as program:
            address = program.event("listening", PATIENCE)["addresses"][0]
            with Remote(address).start(Setting(patience=PATIENCE)) as remote:
                with pytest.raises(UnsupportedError, match=r"^remote: .*/perf/1\.0\.0"):
                    remote.measure(UP, PATIENCE)
                assert remote.measure(PINGS, PATIENCE).latencies

    def test_nobody_answers(self) -> None:
        with Program("silent", [sys.executable, "-c", SILENT]) as program:
            port = program.event("listening", PATIENCE)["port"]
            address = f"/ip4/127.0.0.1/tcp/{port}/p2p/12D3KooWBwC8DxHrNKxcMLzNhbsy5r1B5pnoEPxzVzLUY4tjYBpE"
            with pytest.raises(ContenderError, match=r"^remote: "):
                with Remote(address).start(Setting(patience=SOON)):
                    pass


@contextmanager
def listener() -> Iterator[str]:
    with Program("peer", [sys.executable, str(REAL), "listen"]) as program:
        yield program.event("listening", PATIENCE)["addrs"][0]


# Takes connections, and says nothing on them.
SILENT = """
import json, signal, socket
server = socket.create_server(("127.0.0.1", 0))
print(json.dumps({"event": "listening", "port": server.getsockname()[1]}), flush=True)
signal.pause()
"""
