"""Bare TCP sockets: connecting, accepting, and what happens when there are no more descriptors."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket

import pytest

from plait.addresses import host_port, parse
from plait.testing import no_leaks
from plait.transports import TcpTransport, sockets


class Takes:
    """A factory that takes bare sockets."""

    def __init__(self) -> None:
        self.taken: asyncio.Queue[socket.socket] = asyncio.Queue()

    def __call__(self) -> asyncio.Protocol:
        raise AssertionError("an asyncio transport was made")

    def take_socket(self, sock: socket.socket) -> None:
        self.taken.put_nowait(sock)


async def test_a_factory_that_takes_sockets_gets_them_at_both_ends() -> None:
    async with no_leaks():
        near, far, transport = Takes(), Takes(), TcpTransport()
        listener = await transport.listen(parse("/ip4/127.0.0.1/tcp/0"), far)
        await transport.dial(listener.addresses[0], near)
        dialed, accepted = await near.taken.get(), await far.taken.get()
        for sock in (dialed, accepted):
            assert sock.gettimeout() == 0
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        dialed.send(b"x")
        await asyncio.sleep(0)
        assert accepted.recv(2) == b"x"
        dialed.close()
        accepted.close()
        await listener.close()
        await listener.close()


async def test_without_bare_sockets_protocols_are_made() -> None:
    class Ends(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            made.put_nowait(transport)

    class Made(Takes):
        def __call__(self) -> asyncio.Protocol:
            return Ends()

    made: asyncio.Queue[asyncio.BaseTransport] = asyncio.Queue()
    async with no_leaks():
        transport = TcpTransport(bare_sockets=False)
        listener = await transport.listen(parse("/ip4/127.0.0.1/tcp/0"), Made())
        await transport.dial(listener.addresses[0], Made())
        for _ in range(2):
            (await made.get()).close()
        await listener.close()


async def test_nobody_there_is_an_error_and_leaves_nothing() -> None:
    async with no_leaks():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with pytest.raises(ConnectionRefusedError):
            await TcpTransport().dial(parse(f"/ip4/127.0.0.1/tcp/{port}"), Takes())


async def test_a_connect_that_is_cancelled_closes_its_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "_is_connected", lambda sock: False)
    async with no_leaks():
        with socket.socket() as full:
            # A listener whose queue is full lets a connect wait.
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            endpoint = host_port(parse(f"/ip4/127.0.0.1/tcp/{full.getsockname()[1]}"))
            assert endpoint is not None
            others = []
            while True:
                connecting = asyncio.ensure_future(sockets.connect(endpoint))
                done, _ = await asyncio.wait([connecting], timeout=0.2)
                if not done:
                    break
                others.append(connecting.result())
            connecting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await connecting
            for other in others:
                other.close()


async def test_no_descriptors_left_is_waited_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sockets, "PAUSE", 0.01)
    listening = Exhausted(socket.AF_INET)
    listening.setblocking(False)
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    taken: asyncio.Queue[socket.socket] = asyncio.Queue()
    acceptor = sockets.Acceptor(listening, taken.put_nowait)
    with caplog.at_level(logging.WARNING), socket.create_connection(listening.getsockname()):
        (await taken.get()).close()
    assert "no more connections" in caplog.text
    await acceptor.close()


class Exhausted(socket.socket):
    """The first connection finds no descriptor."""

    failures = [errno.EMFILE]  # noqa: RUF012

    def accept(self) -> tuple[socket.socket, object]:
        if self.failures:
            raise OSError(self.failures.pop(), "too many open files")
        accepted, address = super().accept()
        self.failures.append(errno.EMFILE)
        return accepted, address
