"""Two hosts dial each other at once, and TCP makes one connection of it, with a dialer at both ends."""

from __future__ import annotations

import asyncio
import ctypes
import socket
import struct
import sys
from typing import Any

import pytest

import plait
from plait.exceptions import DialError, UpgradeError
from plait.host import HostConfig
from plait.limits import Timeouts
from plait.testing import no_leaks
from plait.transports import TcpTransport
from plait.upgrade import MPLEX, NOISE, TLS, YAMUX, DialOptions

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the crossing needs Linux' socket filter")

ECHO = "/echo/1"


class Crossing:
    """One TCP connection between two sockets that connect to each other, neither of which ever listened.

    A connect to a port where nobody is gets a reset at once, so the two have to be under way together. The
    first one connects to a port that hears nothing; then the second one takes that port and connects to the
    first, which is still asking.
    """

    def __init__(self) -> None:
        self._deaf = bound(0)
        self._deaf.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, drop_everything())
        self._deaf.listen(1)
        first = bound(0)
        self.names = [first.getsockname(), self._deaf.getsockname()]
        self._sockets = [first]
        self._missing = 2
        self._met = asyncio.Event()

    async def connect(self, end: int) -> socket.socket:
        """The socket of one end, once both have dialed."""
        self._missing -= 1
        if self._missing == 0:
            self._cross()
            self._met.set()
        await self._met.wait()
        return self._sockets[end]

    def _cross(self) -> None:
        (first,) = self._sockets
        first.connect_ex(self.names[1])
        assert state(first) == TCP_SYN_SENT
        self._deaf.close()
        second = bound(self.names[1][1])
        second.connect_ex(self.names[0])
        self._sockets.append(second)
        assert [state(each) for each in self._sockets] == [TCP_ESTABLISHED] * 2
        assert [each.getpeername() for each in self._sockets] == self.names[::-1]


class CrossingTransport(TcpTransport):
    """Dials one end of a crossing, whatever the address."""

    def __init__(self, crossing: Crossing, end: int) -> None:
        self._crossing, self._end = crossing, end

    async def dial(self, address: Any, factory: Any) -> None:
        sock = await self._crossing.connect(self._end)
        await asyncio.get_running_loop().create_connection(factory, sock=sock)


class Meeting:
    """Two hosts that listen nowhere and dial each other."""

    def __init__(self, **settings: Any) -> None:
        self.crossing = Crossing()
        self.hosts = [
            plait.Host(
                listen=(),
                config=HostConfig(
                    transports=lambda end=end: [CrossingTransport(self.crossing, end)], **settings
                ),
            )
            for end in (0, 1)
        ]

    async def dial(self, *options: DialOptions) -> list[plait.Connection | BaseException]:
        """Both at once; each gets the other's connection, or why not."""

        async def one(end: int) -> plait.Connection:
            port, peer = self.crossing.names[1 - end][1], self.hosts[1 - end].peer_id
            return await self.hosts[end].connect(f"/ip4/127.0.0.1/tcp/{port}/p2p/{peer}", options[end])

        return await asyncio.gather(one(0), one(1), return_exceptions=True)


SIMULTANEOUS = (DialOptions(role="simultaneous"), DialOptions(role="simultaneous"))
FIXED = (DialOptions(role="initiator"), DialOptions(role="responder"))
TURNED = FIXED[::-1]


@pytest.mark.parametrize("muxer", [YAMUX, MPLEX])
@pytest.mark.parametrize("security", [NOISE, TLS])
@pytest.mark.parametrize("options", [SIMULTANEOUS, FIXED, TURNED], ids=["simultaneous", "fixed", "turned"])
async def test_two_dials_that_cross_make_one_connection(options, security, muxer):
    async with no_leaks():
        meeting = Meeting(security=[security], muxers=[muxer])
        async with meeting.hosts[0] as alice, meeting.hosts[1] as bob:
            for host in (alice, bob):
                host.handle(ECHO, echo)
            near, far = await meeting.dial(*options)
            assert isinstance(near, plait.Connection)
            assert isinstance(far, plait.Connection)
            assert (near.remote_peer, far.remote_peer) == (bob.peer_id, alice.peer_id)
            assert (alice.connections, bob.connections) == ((near,), (far,))
            for connection in (near, far):
                assert connection.direction == "outbound"
                assert (connection.security, connection.muxer) == (security, muxer)
            # At the same time, so that the numbers of the streams would clash if both had begun.
            await asyncio.gather(*(echoed(each) for each in (near, far) for _ in range(20)))
            await near.close()
            await far.wait_closed()


async def test_several_candidates_on_both_sides_come_to_one():
    async with no_leaks():
        meeting = Meeting(security=[NOISE, TLS])
        meeting.hosts[1] = plait.Host(
            listen=(),
            config=HostConfig(
                transports=lambda: [CrossingTransport(meeting.crossing, 1)], security=[TLS, NOISE]
            ),
        )
        async with meeting.hosts[0] as alice, meeting.hosts[1] as bob:
            bob.handle(ECHO, echo)
            near, far = await meeting.dial(*SIMULTANEOUS)
            assert isinstance(near, plait.Connection)
            assert isinstance(far, plait.Connection)
            # The preference of whoever drew the higher number, which is up to chance.
            assert near.security == far.security
            assert near.security in (NOISE, TLS)
            await echoed(near)
            assert len(alice.connections) == len(bob.connections) == 1


@pytest.mark.parametrize("role", ["initiator", "responder"])
async def test_the_same_role_on_both_sides_is_an_error_and_no_wait_for_ever(role):
    async with no_leaks():
        meeting = Meeting(timeouts=Timeouts(upgrade=0.5))
        async with meeting.hosts[0] as alice, meeting.hosts[1] as bob:
            outcome = await meeting.dial(DialOptions(role=role), DialOptions(role=role))
            for error in outcome:
                assert isinstance(error, DialError)
                assert isinstance(error.attempts[0].error, UpgradeError)
            assert (alice.connections, bob.connections) == ((), ())


async def echo(stream: plait.Stream) -> None:
    await stream.write(await stream.read())


async def echoed(connection: plait.Connection) -> None:
    async with await connection.open_stream(ECHO) as stream:
        await stream.write(b"across")
        await stream.write_eof()
        assert await stream.read() == b"across"


def bound(port: int) -> socket.socket:
    sock = socket.socket()
    # The second one takes a port that the first one still asks for.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    sock.setblocking(False)
    return sock


def state(sock: socket.socket) -> int:
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]


def drop_everything() -> bytes:
    """A filter of one instruction: keep 0 bytes of each packet. Then not even a reset answers."""
    return struct.pack("@HP", 1, ctypes.addressof(RETURN_NOTHING))


RETURN_NOTHING = ctypes.create_string_buffer(struct.pack("@HBBI", 0x06, 0, 0, 0))
# From asm-generic/socket.h and netinet/tcp.h.
SO_ATTACH_FILTER = 26
TCP_ESTABLISHED = 1
TCP_SYN_SENT = 2
