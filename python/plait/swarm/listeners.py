"""Inbound connections: where we listen, and who is let in."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias, cast

from plait.addresses import host_port, is_unspecified, with_host
from plait.exceptions import LimitError, ListenError
from plait.limits import AdmissionControl
from plait.transports import interface_hosts

if TYPE_CHECKING:
    import socket

    from multiaddr import Multiaddr

    from plait.abc import Listener
    from plait.connection import BytesDriver, Connection, Driver, SocketDriver
    from plait.limits import Admission, Limits, Timeouts
    from plait.transports import TransportRegistry
    from plait.upgrade import Upgrader

__all__ = ["Listeners"]

logger = logging.getLogger(__name__)


class Listeners:
    """Listens on any number of addresses, and upgrades what is admitted.

    There is no task for an inbound connection: its driver has the deadline of the upgrade inside.

    Args:
        adopt: called with each connection that was upgraded.

    Attributes:
        refused: connections that were not admitted.
        failed: connections whose upgrade failed.
    """

    def __init__(
        self,
        transports: TransportRegistry,
        upgrader: Upgrader,
        *,
        timeouts: Timeouts,
        limits: Limits,
        adopt: Callable[[Connection], object],
    ) -> None:
        self._transports = transports
        self._upgrader = upgrader
        self._adopt = adopt
        self._loop = asyncio.get_running_loop()
        self._control = AdmissionControl(limits, timeouts, self._loop.time)
        self._grace = timeouts.handshake_grace
        self._listeners: list[Listener] = []
        self._upgrading: dict[Driver, Admission] = {}
        # Their upgrade failed, and their socket is about to close.
        self._ending: set[Driver] = set()
        self._waiting: deque[_Gate] = deque()
        self._retry: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._expanded: tuple[float, Sequence[Multiaddr]] | None = None
        self.refused = 0
        self.failed = 0
        upgrader.on_connection = self._on_connection
        upgrader.on_failure = self._on_failure

    async def listen(self, address: Multiaddr) -> Sequence[Multiaddr]:
        """Listens on an address; gives what it became, with the real port.

        Raises:
            ListenError: no transport takes the address, or the system refuses it.
        """
        transport = self._transports.for_listening(address)
        if transport is None:
            raise ListenError("no transport of this host listens on such an address", address=str(address))
        listener = await transport.listen(address, _Door(self))
        self._listeners.append(listener)
        self._expanded = None
        return listener.addresses

    async def close(self) -> None:
        """Listens no more, and drops what is not upgraded yet. Connections live on."""
        self._is_closed = True
        listeners, self._listeners = self._listeners, []
        self._expanded = None
        for listener in listeners:
            await listener.close()
        for gate in self._waiting:
            gate.abort()
        self._waiting.clear()
        if self._retry is not None:
            self._retry.cancel()
        left = (*self._upgrading, *self._ending)
        for driver in left:
            driver.abort()
        for driver in left:
            await driver.closed

    @property
    def bound(self) -> Sequence[Multiaddr]:
        """Where we listen, with real ports; an unspecified address stays one."""
        return [address for listener in self._listeners for address in listener.addresses]

    @property
    def addresses(self) -> Sequence[Multiaddr]:
        """Where we can be dialed: unspecified addresses replaced by those of the interfaces."""
        now = self._loop.time()
        if self._expanded is None or now - self._expanded[0] > INTERFACES_LIFETIME:
            found = dict.fromkeys(each for address in self.bound for each in _expand(address))
            self._expanded = (now, tuple(found))
        return self._expanded[1]

    @property
    def handshakes(self) -> int:
        """Inbound connections that are being upgraded."""
        return len(self._upgrading)

    # From a raw connection to an upgraded one

    def _arrive(self, gate: _Gate) -> None:
        if self._is_closed:
            gate.abort()
        elif self._waiting or not self._try_admit(gate):
            self._hold(gate)

    def _try_admit(self, gate: _Gate) -> bool:
        """Starts the upgrade, or ends the connection; false when only a slot is missing."""
        # Evicting needs the driver, and a driver is made only for who is admitted.
        drivers: list[Driver] = []
        try:
            admission = self._control.admit(gate.remote_host(), lambda: drivers[0].abort())
        except LimitError as error:
            if error.limit == "handshakes":
                return False
            self._refuse(gate, error)
            return True
        driver = gate.make_driver(self._upgrader)
        drivers.append(driver)
        self._upgrading[driver] = admission
        gate.start()
        return True

    def _hold(self, gate: _Gate) -> None:
        """Not reading a connection for a moment is kinder than refusing it."""
        if len(self._waiting) >= MAX_WAITING:
            # The one that waits longest: in front of an honest newcomer wait those that say nothing.
            self._refuse(self._waiting.popleft(), LimitError("too many connections wait for a handshake"))
        gate.hold()
        self._waiting.append(gate)
        self._retry_later()

    def _admit_waiting(self) -> None:
        while self._waiting:
            gate = self._waiting[0]
            if not gate.is_closing() and not self._try_admit(gate):
                self._retry_later()
                return
            self._waiting.popleft()

    def _retry_later(self) -> None:
        """By the time the oldest handshake had its grace, it makes room."""
        if self._retry is None:
            self._retry = self._loop.call_later(self._grace, self._on_retry)

    def _on_retry(self) -> None:
        self._retry = None
        self._admit_waiting()

    def _refuse(self, gate: _Gate, error: LimitError) -> None:
        self.refused += 1
        logger.debug("inbound connection refused: %s", error)
        gate.abort()

    def _on_connection(self, connection: Connection) -> None:
        admission = self._upgrading.pop(connection.driver)
        admission.upgraded()
        connection.add_close_callback(lambda _: admission.release())
        self._adopt(connection)
        self._slot_is_free()

    def _on_failure(self, driver: Driver, error: BaseException) -> None:
        admission = self._upgrading.pop(driver)
        self._ending.add(driver)
        driver.closed.add_done_callback(lambda _: self._on_ended(driver, admission))
        admission.upgraded()
        self.failed += 1
        logger.debug("inbound upgrade failed: %s", error)
        self._slot_is_free()

    def _on_ended(self, driver: Driver, admission: Admission) -> None:
        # Not sooner: until now it held a descriptor, which is what the limit is about.
        self._ending.discard(driver)
        admission.release()

    def _slot_is_free(self) -> None:
        if self._waiting and not self._is_closed:
            # In a turn of its own: we are inside a driver that is not done with its events.
            self._loop.call_soon(self._admit_waiting)


class _Door:
    """What transports hand what they accept to: a factory of asyncio protocols, which takes sockets too."""

    def __init__(self, listeners: Listeners) -> None:
        self._listeners = listeners

    def __call__(self) -> _TransportGate:
        return _TransportGate(self._listeners)

    def take_socket(self, sock: socket.socket) -> None:
        self._listeners._arrive(_SocketGate(sock))


class _SocketGate:
    """A socket that was accepted; until it may come in, what it sends waits in the kernel."""

    __slots__ = ("_driver", "_socket")

    _driver: SocketDriver

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def remote_host(self) -> str | None:
        try:
            name = self._socket.getpeername()
        except OSError:  # gone already, which the upgrade will find out
            return None
        return str(name[0])

    def hold(self) -> None:
        """Nobody reads it anyway."""

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None:
        self._socket.close()

    def make_driver(self, upgrader: Upgrader) -> Driver:
        self._driver = upgrader.inbound_socket(self._socket)
        return self._driver

    def start(self) -> None:
        self._driver.start()


class _TransportGate(asyncio.BufferedProtocol):
    """The first protocol of an accepted connection: asks whether it may come in, and waits until it may."""

    __slots__ = ("_buffer", "_driver", "_early", "_is_held", "_listeners", "_transport")

    _buffer: bytearray
    _driver: BytesDriver
    _transport: asyncio.Transport

    def __init__(self, listeners: Listeners) -> None:
        self._listeners = listeners
        self._is_held = False
        # What was read before the reading could be paused.
        self._early = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._listeners._arrive(self)

    def remote_host(self) -> str | None:
        name = self._transport.get_extra_info("peername")
        return str(name[0]) if name else None

    def hold(self) -> None:
        self._is_held = True
        self._transport.pause_reading()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def abort(self) -> None:
        self._transport.abort()

    def make_driver(self, upgrader: Upgrader) -> Driver:
        self._driver = upgrader.inbound()
        return self._driver

    def start(self) -> None:
        """From now on the driver is the protocol, as if it had always been."""
        driver = self._driver
        self._transport.set_protocol(driver)
        driver.connection_made(self._transport)
        if self._early:
            memoryview(driver.get_buffer(-1))[: len(self._early)] = self._early
            driver.buffer_updated(len(self._early))
        if self._is_held and not self._transport.is_closing():
            self._transport.resume_reading()

    # uvloop starts to read after `connection_made`, whatever that did: it reads once, then it is paused.

    def get_buffer(self, sizehint: int) -> bytearray:
        self._buffer = bytearray(MAX_EARLY)
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._early += self._buffer[:nbytes]
        self._transport.pause_reading()


_Gate: TypeAlias = "_SocketGate | _TransportGate"


def _expand(address: Multiaddr) -> Sequence[Multiaddr]:
    if not is_unspecified(address):
        return [address]
    endpoint = host_port(address)
    version = 6 if endpoint is not None and endpoint.network == "ip6" else 4
    return [with_host(address, host) for host in interface_hosts(version)]


# Descriptors that may wait for a handshake slot; at full load a slot is free every few milliseconds.
MAX_WAITING = 128
# Bytes of a connection that waits: its dialer's proposal and first handshake message have about 100.
MAX_EARLY = 1024
# Seconds until the interfaces are looked at again. A laptop that changes networks is found after that.
INTERFACES_LIFETIME = 5.0
