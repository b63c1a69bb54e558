"""Every bound of a host, by name and with its reason, and the counters that enforce them.

Purpose: protective timeouts, limits, and admission of inbound connections.
Takes: settings, addresses of whoever connects, a clock.
Gives: `Timeouts`, `Limits`, `Quota`, `TokenBucket`, `AdmissionControl`.
May look at: exceptions.
"""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from itertools import islice
from typing import TypeAlias

from plait.exceptions import ConfigError, LimitError

__all__ = ["Admission", "AdmissionControl", "Limits", "Quota", "Timeouts", "TokenBucket"]

Clock: TypeAlias = Callable[[], float]

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long a host waits, in seconds. They protect; `asyncio.timeout` is for what a program wants."""

    # Long enough for a TCP connect with two lost packets (1 s + 2 s of retransmission).
    tcp_connect: float = 5.0
    # The resolver of the system retries within 5 s; a name that takes longer is as good as dead.
    resolve: float = 5.0
    # Connect and upgrade of one address; an upgrade has four round trips at most.
    dial_address: float = 15.0
    # All addresses of a peer together: two slow ones one after the other, no more.
    dial_total: float = 30.0
    # The whole upgrade, not one read of it, so that a byte now and then does not hold a slot.
    upgrade: float = 10.0
    # An inbound handshake younger than this is never dropped for a newer one: honest peers need a
    # few round trips, and a second covers them across any ocean.
    handshake_grace: float = 1.0
    # The protocol of one stream. Other implementations wait as long, so less would cut slow ones off.
    negotiate: float = 10.0
    # Others allow 5 s too, and go holds its streams back until it has an answer.
    identify: float = 5.0
    # One round trip of a ping; more than this is a lost peer for every practical purpose.
    ping: float = 10.0
    # Flush, go-away and the peer's end for one connection. What is unsent by then is lost.
    close: float = 1.0
    # All of a host: services, connections in parallel, handler tasks.
    shutdown: float = 5.0
    # How long a stream that we have left waits for the peer's end before it is reset.
    linger: float = 30.0
    # Silence after which a connection is probed: under the idle time of common NATs and firewalls.
    keepalive_interval: float = 30.0
    # How long the probe may stay unanswered; with the interval, 40 s to notice a dead link.
    keepalive_timeout: float = 10.0

    def __post_init__(self) -> None:
        _check_positive(self)
        if self.tcp_connect > self.dial_address:
            raise ConfigError("tcp_connect is longer than dial_address, so it would never be reached")
        if self.dial_address > self.dial_total:
            raise ConfigError("dial_address is longer than dial_total, so it would never be reached")
        if self.close > self.shutdown:
            raise ConfigError("close is longer than shutdown, so connections would never close in order")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a host does and keeps at once. Sizes in bytes, rates per second."""

    # Connections
    # Most systems give a process 1,024 descriptors; some are for files, listeners and dials.
    connections: int = 900
    # The rest stays free for our own dials when strangers take all they can get.
    inbound_connections: int = 800
    # Per IPv4 address and per IPv6 /56, which is what one subscriber gets. Others use the same 8.
    connections_per_address: int = 8
    # New connections per second from one address: more is a loop, not a peer that lost its link.
    inbound_rate: float = 1.0
    # As many at once as a peer that restarts with all its connections, twice.
    inbound_burst: int = 16
    # Each costs two key exchanges and a signature check, about half a millisecond of processor.
    handshakes: int = 64
    # Half of what one address may hold, so that it cannot fill the slots by itself.
    handshakes_per_address: int = 4
    # Addresses whose rate is remembered, some 300 bytes each.
    tracked_addresses: int = 10_000

    # Dials
    # Sockets in the middle of connecting; they come out of the same descriptors.
    dials: int = 100
    # Addresses of one peer tried at the same time: past eight the peer sees a flood.
    dials_per_peer: int = 8
    # Addresses of one peer after names were resolved; a name can stand for any number of them.
    addresses_per_dial: int = 100

    # Streams
    # Open inbound streams of one connection. Others stop between 256 and 1,024.
    inbound_streams: int = 1024
    # Inbound streams of one connection whose protocol is not agreed on yet; others wait in the muxer.
    negotiating_streams: int = 128
    # Streams we opened that the peer has not acknowledged: the bound that go and rust enforce.
    unacknowledged_streams: int = 256
    # Handler tasks of the host, some 4 KiB each: every stream of four full connections.
    handler_tasks: int = 4096

    # Memory
    # Received and not yet read, of one stream: 1 Gbit/s at 130 ms.
    stream_window: int = 16 * MIB
    # The same of one connection: four streams at full speed.
    connection_buffer: int = 64 * MIB
    # The same of the host: four connections that do not read. Small machines have 1 GiB in all.
    host_buffer: int = 256 * MIB
    # Written and not yet sent, of one stream: a few scheduling delays at 1 GB/s. Pieces of `bytes` of 8 KiB
    # or more are not copied, and up to 1 MiB of them may wait besides.
    send_buffer: int = 256 * KIB

    # What is kept about peers
    # Peers remembered, about 4 KiB each with all they may bring.
    peers: int = 4096
    # Addresses of a connected peer: hosts with many interfaces and transports have some fifty.
    addresses_per_peer: int = 100
    # Addresses kept of a peer once it is gone: what a later dial would try.
    addresses_per_absent_peer: int = 20
    # Protocols of a peer. Real hosts speak about twenty.
    protocols_per_peer: int = 1024
    # Characters of the name of one protocol; names in use stay under 100.
    protocol_length: int = 512
    # Events that a slow subscriber may be behind: seconds of a busy host.
    queued_events: int = 1024

    def __post_init__(self) -> None:
        _check_positive(self)
        for small, large in ORDERED_LIMITS:
            if getattr(self, small) > getattr(self, large):
                raise ConfigError(f"{small} is larger than {large}, so it would never be reached")


class Quota:
    """A counter with a ceiling.

    Args:
        limit: the name of the limit, as in `Limits`.
        maximum: how much may be in use.
        scope: whose limit it is, for the error.
    """

    __slots__ = ("limit", "maximum", "scope", "used")

    def __init__(self, limit: str, maximum: int, scope: str = "host") -> None:
        self.limit = limit
        self.maximum = maximum
        self.scope = scope
        self.used = 0

    def acquire(self) -> None:
        """Takes one, or raises `LimitError` and takes nothing."""
        if self.used >= self.maximum:
            raise self.error()
        self.used += 1

    def release(self) -> None:
        """Gives one back."""
        if self.used == 0:
            raise RuntimeError(f"{self.limit} of {self.scope} was released more often than acquired")
        self.used -= 1

    @property
    def is_full(self) -> bool:
        """Whether `acquire` would raise."""
        return self.used >= self.maximum

    def error(self) -> LimitError:
        """The error that says that nothing is left."""
        return LimitError(
            f"{self.limit} of {self.scope} is used up: {self.used} of {self.maximum}",
            limit=self.limit,
            scope=self.scope,
            current=self.used,
            maximum=self.maximum,
        )


class TokenBucket:
    """Allows `rate` things per second in the long run and `burst` of them at once."""

    __slots__ = ("_burst", "_clock", "_rate", "_tokens", "_updated")

    def __init__(self, rate: float, burst: float, clock: Clock = time.monotonic) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._tokens = float(burst)
        self._clock = clock
        self._updated = clock()

    def take(self, amount: float = 1.0) -> bool:
        """Takes `amount`, or takes nothing and says no."""
        if self.available < amount:
            return False
        self._tokens -= amount
        return True

    @property
    def available(self) -> float:
        """How much could be taken now."""
        now = self._clock()
        # A clock that goes backwards must not take away what was there.
        elapsed = max(0.0, now - self._updated)
        self._updated = now
        self._tokens = min(self._burst, self._tokens + elapsed * self._rate)
        return self._tokens

    @property
    def is_full(self) -> bool:
        """Whether it has forgotten everything that was taken."""
        return self.available >= self._burst


class AdmissionControl:
    """Decides which inbound connections may come in, before any byte of theirs is looked at.

    Limits by address do not apply to loopback, nor to transports that have no addresses; the totals
    apply to all. When every handshake slot is taken, the oldest handshake makes room if it had its
    grace, so that peers which connect and say nothing cannot keep the others out.
    """

    __slots__ = ("_addresses", "_clock", "_connections", "_grace", "_handshakes", "_limits")

    def __init__(self, limits: Limits, timeouts: Timeouts, clock: Clock = time.monotonic) -> None:
        self._limits = limits
        self._grace = timeouts.handshake_grace
        self._clock = clock
        self._connections = Quota("inbound_connections", limits.inbound_connections)
        # Both are dicts for their order: the first entry is the oldest.
        self._handshakes: dict[Admission, None] = {}
        self._addresses: dict[bytes, _AddressUse] = {}

    def admit(self, host: str | None, evict: Callable[[], None]) -> Admission:
        """Lets one connection in, or raises `LimitError`.

        Args:
            host: IP address of the peer as text; `None` when the transport has none.
            evict: ends the connection at once; called at most once, and only during its handshake.
        """
        network = network_of(host)
        use = None if network is None else self._use_of(network)
        if use is not None:
            self._check_address(use, str(host))
        if self._connections.is_full:
            raise self._connections.error()
        if len(self._handshakes) >= self._limits.handshakes:
            self._evict_oldest_handshake()
        self._connections.acquire()
        if use is not None:
            use.connections += 1
            use.handshakes += 1
        admission = Admission(self, use, evict, self._clock())
        self._handshakes[admission] = None
        return admission

    @property
    def connections(self) -> int:
        """Inbound connections that are in, with those still in their handshake."""
        return self._connections.used

    @property
    def handshakes(self) -> int:
        """Inbound connections in their handshake."""
        return len(self._handshakes)

    @property
    def tracked_addresses(self) -> int:
        """Addresses of which something is remembered."""
        return len(self._addresses)

    def _use_of(self, network: bytes) -> _AddressUse:
        use = self._addresses.pop(network, None)
        if use is None:
            self._forget_addresses()
            bucket = TokenBucket(self._limits.inbound_rate, self._limits.inbound_burst, self._clock)
            use = _AddressUse(bucket)
        self._addresses[network] = use
        return use

    def _check_address(self, use: _AddressUse, host: str) -> None:
        limits = self._limits
        if use.connections >= limits.connections_per_address:
            raise _address_error("connections_per_address", host, use.connections, limits)
        if use.handshakes >= limits.handshakes_per_address:
            raise _address_error("handshakes_per_address", host, use.handshakes, limits)
        if not use.bucket.take():
            raise _address_error("inbound_burst", host, limits.inbound_burst, limits)

    def _forget_addresses(self) -> None:
        # Two looked at for one added: what has expired goes away faster than new ones come.
        for network in list(islice(self._addresses, 2)):
            use = self._addresses.pop(network)
            if use.connections or not use.bucket.is_full:
                self._addresses[network] = use
        if len(self._addresses) >= self._limits.tracked_addresses:
            idle = (network for network, use in self._addresses.items() if not use.connections)
            oldest = next(idle, None)
            if oldest is not None:
                del self._addresses[oldest]

    def _evict_oldest_handshake(self) -> None:
        oldest = next(iter(self._handshakes))
        if self._clock() - oldest.since < self._grace:
            current = len(self._handshakes)
            raise LimitError(
                f"all {current} slots for inbound handshakes are taken",
                limit="handshakes",
                scope="host",
                current=current,
                maximum=self._limits.handshakes,
            )
        oldest.evict()

    def _end_handshake(self, admission: Admission, use: _AddressUse | None) -> bool:
        if admission not in self._handshakes:
            return False
        del self._handshakes[admission]
        if use is not None:
            use.handshakes -= 1
        return True

    def _end_connection(self, use: _AddressUse | None) -> None:
        self._connections.release()
        if use is not None:
            use.connections -= 1


class Admission:
    """The place of one inbound connection. Whoever holds it calls `release` when the connection ends.

    Attributes:
        since: when it was admitted, on the clock of the `AdmissionControl`.
    """

    __slots__ = ("_control", "_evict", "_released", "_use", "since")

    def __init__(
        self, control: AdmissionControl, use: _AddressUse | None, evict: Callable[[], None], since: float
    ) -> None:
        self._control = control
        self._use = use
        self._evict: Callable[[], None] | None = evict
        self._released = False
        self.since = since

    def upgraded(self) -> None:
        """Ends the handshake: its slot is free, and the connection can no longer be evicted."""
        self._control._end_handshake(self, self._use)
        self._evict = None

    def release(self) -> None:
        """Gives the place back. Calling it again does nothing."""
        if self._released:
            return
        self._released = True
        self.upgraded()
        self._control._end_connection(self._use)

    def evict(self) -> None:
        """Ends the connection in favour of another one, if it is still in its handshake."""
        evict, self._evict = self._evict, None
        if evict is not None:
            self.release()
            evict()


class _AddressUse:
    """What one address has in use, and how fast it came."""

    __slots__ = ("bucket", "connections", "handshakes")

    def __init__(self, bucket: TokenBucket) -> None:
        self.bucket = bucket
        self.connections = 0
        self.handshakes = 0


def network_of(host: str | None) -> bytes | None:
    """What limits by address count as one: an IPv4 address or an IPv6 /56.

    `None` for those that are exempt: loopback, and hosts that are no IP address.
    """
    if host is None:
        return None
    try:
        packed = socket.inet_pton(socket.AF_INET, host)
    except OSError:
        try:
            packed = socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
        except OSError:
            return None
    if packed.startswith(V4_MAPPED):
        packed = packed[len(V4_MAPPED) :]
    if len(packed) == 4:
        return None if packed[0] == 127 else packed
    return None if packed == V6_LOOPBACK else packed[:7]


def _address_error(limit: str, host: str, current: int, limits: Limits) -> LimitError:
    maximum = getattr(limits, limit)
    return LimitError(
        f"{host} has used up {limit}: {current} of {maximum}",
        limit=limit,
        scope=host,
        current=current,
        maximum=maximum,
    )


def _check_positive(settings: Timeouts | Limits) -> None:
    for field in fields(settings):
        value = getattr(settings, field.name)
        # Finite, because event loops do not take infinity as a time; NaN fails the comparison too.
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            raise ConfigError(f"{field.name} must be a positive, finite number, not {value!r}")
        if field.type == "int" and not isinstance(value, int):
            raise ConfigError(f"{field.name} must be a whole number, not {value!r}")


V4_MAPPED = bytes(10) + b"\xff\xff"
V6_LOOPBACK = bytes(15) + b"\x01"

# A limit above the one it is part of would be a promise that is never kept.
ORDERED_LIMITS = (
    ("inbound_connections", "connections"),
    ("inbound_connections", "tracked_addresses"),
    ("dials_per_peer", "dials"),
    ("negotiating_streams", "inbound_streams"),
    ("stream_window", "connection_buffer"),
    ("connection_buffer", "host_buffer"),
    ("addresses_per_absent_peer", "addresses_per_peer"),
)
