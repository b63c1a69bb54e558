"""Bare sessions carry what they are given, in memory, over sockets, on the loop, and say when they break."""

from __future__ import annotations

import os
import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from plait.bench.works.bare_sessions import Pair, in_memory, over_sockets
from plait.bench.works.driven_sessions import on_the_loop
from plait.exceptions import PlaitError
from plait.testing import no_leaks
from plait.upgrade import MPLEX, NOISE, PLAINTEXT, TLS, YAMUX

STACKS = [(NOISE, YAMUX), (TLS, MPLEX), (PLAINTEXT, YAMUX)]


@pytest.fixture(autouse=True)
def _knows_what_plaintext_is() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "plaintext")
        yield


@pytest.mark.parametrize("make", [in_memory, over_sockets])
@pytest.mark.parametrize(("security", "muxer"), STACKS)
def test_by_hand(make: Callable[[Any, Any], AbstractContextManager[Pair]], security: str, muxer: str) -> None:
    with make(security, muxer) as pair:
        # More than any window, so that credit goes back.
        pair.bulk(3 << 20, 65536)
        pair.operations(5, 64)
        pair.bulk(1 << 20, 1000)
        pair.operations(5, 10_000)


@pytest.mark.parametrize(("security", "muxer"), STACKS)
async def test_on_the_loop(security: str, muxer: str) -> None:
    async with no_leaks():
        async with on_the_loop(security, muxer) as pair:
            await pair.bulk(3 << 20, 65536)
            await pair.operations(5, 64)
            await pair.bulk(1 << 20, 1000)
            await pair.operations(5, 64)


async def test_a_connection_that_breaks_says_so() -> None:
    async with no_leaks():
        async with on_the_loop(NOISE, YAMUX) as pair:
            pair._far._driver.abort()
            with pytest.raises(PlaitError):
                await pair.bulk(64 << 20, 65536)
        async with on_the_loop(NOISE, YAMUX) as pair:
            pair._near._driver.abort()
        # Nobody waited for it, and nobody is told.


def test_a_socket_that_breaks_says_so() -> None:
    with over_sockets(NOISE, YAMUX) as pair:
        files = pair._wire._files  # type: ignore[attr-defined]
        with socket.socket(fileno=os.dup(files[1])) as far:
            far.shutdown(socket.SHUT_RDWR)
        with pytest.raises((PlaitError, OSError)):
            pair.bulk(64 << 20, 65536)


def test_a_wire_that_carries_nothing_is_no_endless_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plait.bench.works.bare_sessions.MOST_IDLE_TURNS", 100)
    with in_memory(NOISE, YAMUX) as pair:
        monkeypatch.setattr(pair._wire, "turn", lambda near, far: None)
        with pytest.raises(TimeoutError, match="nothing arrives"):
            pair.operations(1, 64)
