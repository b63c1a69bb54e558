"""Options and what they ask for, with scenarios and subjects of the tests' own."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from plait.bench import registry
from plait.bench.plan import Plan
from plait.bench.results import Cell, Parameters, Subject
from plait.bench.scenarios import Reading
from plait.bench.subjects import Contender, Running, Setting
from plait.bench.subjects.peers import WRITE_SIZE
from plait.bench.works import Bulk, Idle, Requests, Work
from plait.cli.bench import add_arguments
from plait.cli.bench.choosing import choose, not_installed
from plait.exceptions import ConfigError, InvalidMultiaddrError

ADDRESS = "/ip4/127.0.0.1/tcp/9/p2p/12D3KooWBwC8DxHrNKxcMLzNhbsy5r1B5pnoEPxzVzLUY4tjYBpE"


@dataclass(frozen=True)
class Fake:
    subject: Subject

    def start(self, setting: Setting) -> AbstractContextManager[Running]:
        raise NotImplementedError


@dataclass(frozen=True)
class Question:
    name: str
    work: Work[Any]
    fresh: bool = False

    def rows(self, plan: Plan) -> list[tuple[Parameters, Work[Any]]]:
        return [({}, self.work)]

    def suits(self, subject: Subject, parameters: Parameters) -> bool:
        return True

    def read(self, cell: Cell, outcome: Any, ceilings: Mapping[str, float]) -> Iterator[Reading]:
        yield from ()


RAW = Fake(Subject("raw-tcp", "tcp", loop="uvloop"))
GRPC = Fake(Subject("grpc", "tcp"))
NOISE = Fake(Subject("plait", "tcp", "noise", "yamux", "uvloop", "fd"))
SLOW = Fake(Subject("plait", "tcp", "noise", "yamux", "asyncio", "bytes"))
TLS = Fake(Subject("plait", "tcp", "tls", "yamux", "uvloop", "fd"))
WS = Fake(Subject("plait", "ws", "tls", "mplex", "uvloop", "bytes"))
ALL = [RAW, GRPC, NOISE, SLOW, TLS, WS]
QUESTIONS = [
    Question("bulk-up", Bulk("up", WRITE_SIZE, 0.1)),
    Question("bulk-duplex", Bulk("duplex", WRITE_SIZE, 0.1)),
    Question("request-response", Requests(128, 1, 0.1)),
    Question("idle", Idle("stream", 10, 0.1)),
]


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that nobody else changes, on a machine with uvloop and without grpcio."""
    monkeypatch.setattr(registry, "contenders", lambda: ALL)
    monkeypatch.setattr(registry, "quick_contenders", lambda: [RAW, NOISE])
    monkeypatch.setattr(registry, "scenarios", lambda: QUESTIONS)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "grpc" else object())


def chosen(*words: str) -> Sequence[Contender]:
    return plan(*words).contenders


def plan(*words: str) -> Plan:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return choose(parser.parse_args(words))


def names(of: Plan) -> list[str]:
    return [one.name for one in of.scenarios]


def test_everything_that_is_installed() -> None:
    assert chosen() == [RAW, NOISE, SLOW, TLS, WS]
    assert chosen("--quick") == [RAW, NOISE]
    assert names(plan()) == [one.name for one in QUESTIONS]


def test_sizes() -> None:
    quick = plan("--quick")
    assert quick.rounds == Plan.quick(QUESTIONS, ALL).rounds
    asked = plan("--quick", "--rounds", "3", "--seconds", "0.5", "--patience", "60", "--pin")
    assert (asked.rounds, asked.seconds, asked.patience, asked.pin) == (3, 0.5, 60, True)
    with pytest.raises(ConfigError):
        plan("--seconds", "0")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--subject raw-tcp", [RAW]),
        ("--subject raw-tcp --subject tls", [RAW, TLS, WS]),
        ("--stack tcp/noise/yamux", [RAW, NOISE, SLOW]),
        ("--stack tcp/tls", [RAW, TLS]),
        ("--stack ws --subject plait", [WS]),
        ("--loop asyncio", [SLOW]),
        ("--driver fd", [RAW, NOISE, TLS]),
        ("--loop asyncio --driver bytes --stack tcp", [SLOW]),
        ("--quick --stack tcp/tls", [RAW, TLS]),
        ("--quick --driver fd", [RAW, NOISE]),
        ("--quick --stack tcp/noise --stack ws", [RAW, NOISE, WS]),
        ("--quick --loop asyncio", [SLOW]),
        ("--subject grpc", [GRPC]),
    ],
)
def test_subjects(words: str, expected: list[Fake]) -> None:
    assert chosen(*words.split()) == expected


def test_all_words_have_to_be_in_a_name() -> None:
    assert chosen("--subject", "plait tls ws") == [WS]


def test_peers_come_on_top() -> None:
    *ours, peer = chosen("--quick", "--peer", "go=bin/peer")
    assert ours == [RAW, NOISE]
    assert peer.subject == Subject("go", "tcp", "noise", "yamux")
    both = chosen("--peer", "go=bin/peer", "--stack", "tcp/tls", "--stack", "ws/tls/mplex")
    assert [str(one.subject) for one in both[-2:]] == ["go tcp/tls/yamux", "go ws/tls/mplex"]
    assert len(chosen("--peer", "go=bin/peer", "--subject", "raw-tcp")) == 2
    (alone,) = chosen("--peer", "go=bin/peer", "--subject", "go")
    assert alone.subject.implementation == "go"


def test_an_address_is_measured_alone() -> None:
    alone = plan("--to", ADDRESS)
    assert [one.subject for one in alone.contenders] == [Subject("remote", loop="uvloop")]
    assert names(alone) == ["bulk-up", "request-response"]
    assert chosen("--to", ADDRESS, "--loop", "asyncio")[0].subject.loop == "asyncio"
    beside = chosen("--to", f"there={ADDRESS}", "--subject", "noise", "--subject", "there")
    assert [one.subject.implementation for one in beside] == ["plait", "plait", "there"]
    two = chosen("--to", ADDRESS, "--to", ADDRESS)
    assert [one.subject.implementation for one in two] == ["remote-1", "remote-2"]


def test_what_is_loaded_is_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mine = Fake(Subject("mine", "tcp"))
    monkeypatch.setattr(registry, "contenders", lambda: [*ALL, *([mine] if "of_mine" in sys.modules else [])])
    (tmp_path / "of_mine.py").write_text("")
    (tmp_path / "broken.py").write_text("raise RuntimeError('out of order')")
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        assert chosen("--quick", "--load", "of_mine") == [RAW, NOISE, mine]
    finally:
        del sys.modules["of_mine"]
    for name, why in (("nowhere", "No module named 'nowhere'"), ("broken", "RuntimeError: out of order")):
        with pytest.raises(ConfigError, match=f"^{name} cannot be loaded: .*{why}"):
            plan("--load", name)


def test_scenarios() -> None:
    assert (
        names(plan("--scenario", "bulk")) == names(plan("--scenario", "bulk-")) == ["bulk-up", "bulk-duplex"]
    )
    assert names(plan("--scenario", "idle", "--scenario", "bulk-up")) == ["bulk-up", "idle"]
    # Who asks for it by name gets it, and is told why there is nothing in it.
    assert names(plan("--to", ADDRESS, "--scenario", "idle")) == ["idle"]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--scenario", "bulk-upp"], "did you mean bulk-up"),
        (["--scenario", "zzz"], "there are bulk-up, bulk-duplex, request-response, idle"),
        (["--scenario", ""], ""),
        (["--subject", "plaitt"], "did you mean plait?"),
        (["--subject", "grcp"], "did you mean grpc?"),
        (["--subject", "zzz"], "`plait bench list`"),
        (["--subject", " "], "`plait bench list`"),
        (["--stack", "tcp/noise/yamx"], "did you mean tcp/noise/yamux"),
        (["--stack", "quic"], "there are tcp/noise/yamux"),
        (["--loop", "uvlop"], "did you mean uvloop?"),
        (["--driver", "io_uring"], "there are bytes, fd"),
        (["--subject", "ws", "--driver", "fd"], "`plait bench list`"),
        (["--peer", "go"], "write NAME=COMMAND"),
        (["--peer", "go=a", "--peer", "go=b"], ""),
        (["--to", "/ip4/127.0.0.1/tcp/9"], "/p2p/"),
    ],
)
def test_what_cannot_be_meant(words: list[str], hint: str) -> None:
    with pytest.raises(ConfigError) as raised:
        plan(*words)
    assert hint in str(raised.value)


def test_what_is_no_address() -> None:
    with pytest.raises(InvalidMultiaddrError):
        plan("--to", "localhost:4001")


def test_what_is_not_installed() -> None:
    assert not_installed(GRPC.subject) == "grpcio"
    assert not_installed(NOISE.subject) is None
