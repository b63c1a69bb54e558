"""A transport whose wire goes wrong at one byte that the test chooses."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from plait.addresses import from_socket
from plait.transports import MemorySpace, MemoryTransport, TcpTransport
from plait.transports.memory import connect_pair


@dataclass
class Fault:
    """What happens to the byte at `offset` of one direction of a connection, and to all that follow.

    Attributes:
        toward: `"listener"` or `"dialer"`.
        kind: `"cut"` breaks the connection, `"end"` ends it as a FIN does, `"stall"` swallows the rest,
            `"garble"` flips one bit of this byte and lets the rest through.
    """

    toward: str = "listener"
    kind: str = "none"
    offset: int = 0


class Relay(asyncio.Protocol):
    """Takes bytes from one side and gives them to the other half."""

    def __init__(self, toward: str, fault: Fault, passed: dict[str, int]) -> None:
        self.toward = toward
        self.fault = fault if fault.toward == toward else Fault()
        self.passed = passed
        self.other: Relay | None = None
        self.transport: Any = None
        self.connected = asyncio.Event()
        self.waiting: list[bytes] = []
        # A transport whose both directions have ended does not close by itself.
        self.has_received_end = self.has_sent_end = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.connected.set()
        for data in self.waiting:
            self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        assert self.other is not None
        start = self.passed[self.toward]
        self.passed[self.toward] += len(data)
        room = self.fault.offset - start
        if self.fault.kind == "none" or room >= len(data):
            self.other.give(data)
            return
        before, after = data[: max(room, 0)], data[max(room, 0) :]
        match self.fault.kind:
            case "garble":
                self.other.give(before + (bytes([after[0] ^ 0x10]) + after[1:] if room >= 0 else after))
            case "stall":
                self.other.give(before)
            case "end":
                self.other.give(before)
                self.other.end()
            case "cut":
                self.other.give(before)
                # In a turn of its own, so that what came before is still taken.
                asyncio.get_running_loop().call_later(0.001, self.cut)

    def give(self, data: bytes) -> None:
        if self.transport is None:
            self.waiting.append(data)
        elif data and not self.transport.is_closing():
            self.transport.write(data)

    def end(self) -> None:
        if self.transport is not None and not self.transport.is_closing() and not self.has_sent_end:
            self.has_sent_end = True
            self.transport.write_eof()
            self.close_if_ended()

    def close_if_ended(self) -> None:
        if self.has_received_end and self.has_sent_end:
            self.transport.close()

    def cut(self) -> None:
        assert self.other is not None
        for each in (self.transport, self.other.transport):
            if each is not None:
                each.abort()

    def eof_received(self) -> bool:
        assert self.other is not None
        self.has_received_end = True
        # Also through a stalled wire, so that nothing of it outlives the test.
        self.other.end()
        self.close_if_ended()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        assert self.other is not None
        if self.other.transport is not None:
            self.other.transport.close() if error is None else self.other.transport.abort()


class FaultyMemory(MemoryTransport):
    """Dials within a space, through two relays."""

    def __init__(self, space: MemorySpace, fault: Fault, passed: dict[str, int]) -> None:
        super().__init__(space)
        self.fault, self.passed = fault, passed

    async def dial(self, address: Any, factory: Any) -> None:
        near, far = relays(self.fault, self.passed)
        await super().dial(address, lambda: far)
        connect_pair(factory(), near)


class FaultyTcp(TcpTransport):
    """Dials over TCP, through two relays and a socket of their own."""

    def __init__(self, space: MemorySpace, fault: Fault, passed: dict[str, int]) -> None:
        super().__init__()
        self.fault, self.passed = fault, passed

    async def dial(self, address: Any, factory: Any) -> None:
        near, far = relays(self.fault, self.passed)
        server = await asyncio.get_running_loop().create_server(lambda: near, "127.0.0.1", 0)
        try:
            await super().dial(address, lambda: far)
            # As a host would, so that it is the driver of bare sockets whose wire goes wrong.
            await super().dial(from_socket(server.sockets[0].getsockname()), factory)
            await near.connected.wait()
        finally:
            server.close()
            await asyncio.sleep(0)


def relays(fault: Fault, passed: dict[str, int]) -> tuple[Relay, Relay]:
    passed.update(listener=0, dialer=0)
    near, far = Relay("listener", fault, passed), Relay("dialer", fault, passed)
    near.other, far.other = far, near
    return near, far


@dataclass
class Wire:
    """One kind of transport: where its listeners are, and how it dials well and badly."""

    name: str
    listen: str
    space: MemorySpace

    def good(self) -> Sequence[Any]:
        return [TcpTransport()] if self.name == "tcp" else [MemoryTransport(self.space)]

    def faulty(self, fault: Fault, passed: dict[str, int]) -> Sequence[Any]:
        return [(FaultyTcp if self.name == "tcp" else FaultyMemory)(self.space, fault, passed)]


@pytest.fixture(params=["memory", "tcp"])
def wire(request: pytest.FixtureRequest) -> Wire:
    listen = "/ip4/127.0.0.1/tcp/0" if request.param == "tcp" else "/memory/0"
    return Wire(request.param, listen, MemorySpace())


@pytest.fixture
def fault_type() -> type[Fault]:
    return Fault
