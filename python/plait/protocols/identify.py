"""`/ipfs/id/1.0.0` and `/ipfs/id/push/1.0.0`: peers tell each other what they are.

Each side asks as soon as a connection is there, next to whatever the application does with it. All
that a peer says is a claim: it is bounded, remembered, and trusted only where it is signed.
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Coroutine, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from plait.addresses import is_loopback, is_relayed, parse_many, split_peer
from plait.events import IdentifyCompleted
from plait.exceptions import (
    ConnectionClosedError,
    LimitError,
    LocalProtocolError,
    PlaitError,
    RemoteProtocolError,
)
from plait.identity import PeerRecord, PeerRecordSigner
from plait.limits import TokenBucket
from plait.wire import IdentifyMessage

if TYPE_CHECKING:
    from multiaddr import Multiaddr

    from plait.abc import Connection, Network, Stream
    from plait.events import EventBus
    from plait.identity import PeerId
    from plait.limits import Timeouts
    from plait.peerstore import Peerstore

__all__ = ["PROTOCOL", "PUSH_PROTOCOL", "Identify"]

logger = logging.getLogger(__name__)

PROTOCOL = "/ipfs/id/1.0.0"
PUSH_PROTOCOL = "/ipfs/id/push/1.0.0"


class Identify:
    """Asks every peer what it is, and tells what we are: when asked, and when it changes.

    Args:
        network: the host.
        peerstore: where what peers say is remembered.
        bus: where `IdentifyCompleted` goes.
        agent: what we call ourselves.
        timeouts: `identify` is used, for each exchange.
    """

    def __init__(
        self, network: Network, peerstore: Peerstore, bus: EventBus, *, agent: str, timeouts: Timeouts
    ) -> None:
        self._network = network
        self._peerstore = peerstore
        self._bus = bus
        self._timeout = timeouts.identify
        self._description = _Description(network, agent)
        # Not weakly: what an exchange ended with may well refer to its connection.
        self._exchanges: dict[Connection, _Exchange] = {}
        self._push_budgets: weakref.WeakKeyDictionary[Connection, TokenBucket]
        self._push_budgets = weakref.WeakKeyDictionary()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._push_slots = asyncio.Semaphore(PARALLEL_PUSHES)
        self._push_timer: asyncio.TimerHandle | None = None
        self._last_push = float("-inf")
        # How often what we say has changed.
        self._edition = 0
        # Signed records that were verified, the latest last: a peer that comes back says the same again, and
        # verifying takes longer than all the rest.
        self._verified: dict[bytes, PeerRecord] = {}
        self._is_closed = False

    # Commands

    def start(self, connection: Connection) -> None:
        """Asks the peer of a new connection."""
        if self._is_closed:
            return
        exchange = _Exchange(self._edition)
        answered = partial(self._answered, weakref.ref(connection), exchange)
        try:
            connection.ask(PROTOCOL, limit=MAX_SIZE, timeout=self._timeout, answered=answered)
        except ConnectionClosedError:
            return
        except LimitError as error:
            exchange.end(error)
        self._exchanges[connection] = exchange
        connection.add_close_callback(self._forget)

    async def result(self, connection: Connection) -> IdentifyCompleted:
        """What the peer of a connection said when the connection was new.

        Raises:
            ProtocolNotSupportedError: the peer does not say.
            RemoteProtocolError: what it said is malformed or too long.
            TimeoutError: it did not say in time.
            ConnectionClosedError, StreamResetError: it broke off, or the connection is over.
            LocalProtocolError: nobody asked, because the host is closing.

        Cancelling it stops the wait only.
        """
        exchange = self._exchanges.get(connection)
        if exchange is None:
            if connection.is_closed:
                raise ConnectionClosedError("the connection is over, and what its peer said with it")
            raise LocalProtocolError("nobody asked this peer to identify itself")
        return await exchange.outcome()

    def changed(self) -> None:
        """Tells peers about our protocols and addresses soon: changes that follow go with it."""
        self._edition += 1
        if self._push_timer is None and not self._is_closed and self._network.connections:
            loop = asyncio.get_running_loop()
            due = max(loop.time() + PUSH_DELAY, self._last_push + PUSH_INTERVAL)
            self._push_timer = loop.call_at(due, self._push_to_all)

    async def close(self) -> None:
        """Ends all exchanges."""
        self._is_closed = True
        if self._push_timer is not None:
            self._push_timer.cancel()
        for exchange in tuple(self._exchanges.values()):
            exchange.end(LocalProtocolError("the host closed before the peer had identified itself"))
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    # Handlers

    def answer(self, stream: Stream) -> bytes:
        """Serves `/ipfs/id/1.0.0`: says at once what there is to say."""
        return self._description.encode(stream.connection)

    async def take_push(self, stream: Stream) -> None:
        """Serves `/ipfs/id/push/1.0.0`: takes what a peer says unasked."""
        connection = stream.connection
        budget = self._push_budgets.get(connection)
        if budget is None:
            clock = asyncio.get_running_loop().time
            budget = self._push_budgets[connection] = TokenBucket(PUSH_RATE, PUSH_BURST, clock)
        if not budget.take():
            stream.reset(RATE_LIMITED)
            return
        try:
            async with asyncio.timeout(self._timeout):
                message = await _read(stream)
        except TimeoutError:
            raise RemoteProtocolError(f"a push took more than {self._timeout:g} s") from None
        self._learn(connection, message)

    # What comes of asking

    def _answered(
        self,
        reference: weakref.ref[Connection],
        exchange: _Exchange,
        answer: bytes,
        error: Exception | None,
    ) -> None:
        connection = reference()
        if connection is None or exchange.is_over:
            return
        if error is None:
            try:
                exchange.said = self._learn(connection, IdentifyMessage.decode(answer))
            except PlaitError as malformed:
                error = malformed
        if error is not None:
            # Peers that close at once are no fault of ours: rust does it to idle connections.
            logger.debug("%s did not identify itself: %s", connection.remote_peer, error)
        elif exchange.edition != self._edition and self._push_timer is None:
            # Something changed when we did not know yet that this peer wants to be told.
            self._spawn(self._push(connection))
        exchange.end(error)

    def _forget(self, connection: Connection) -> None:
        self._exchanges.pop(connection, None)

    def _push_to_all(self) -> None:
        self._push_timer = None
        self._last_push = asyncio.get_running_loop().time()
        by_peer = {connection.remote_peer: connection for connection in self._network.connections}
        for connection in by_peer.values():
            self._spawn(self._push(connection))

    async def _push(self, connection: Connection) -> None:
        if PUSH_PROTOCOL not in self._peerstore.protocols(connection.remote_peer):
            return
        try:
            async with (
                self._push_slots,
                asyncio.timeout(self._timeout),
                await connection.open_stream(PUSH_PROTOCOL) as stream,
            ):
                await stream.write(self._description.encode(connection))
        except (PlaitError, TimeoutError) as error:
            # go resets pushes that come too often for its taste; it asks again on its own.
            logger.debug("push to %s failed: %s", connection.remote_peer, error)

    def _spawn(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, PlaitError | TimeoutError):
            logger.error("an exchange failed by our own fault", exc_info=error)

    # What peers say

    def _learn(self, connection: Connection, message: IdentifyMessage) -> _Said:
        peer = connection.remote_peer
        store = self._peerstore
        if message.protocols:
            store.set_protocols(peer, message.protocols)
            connection.remote_protocols = store.protocols(peer)
        if message.agent_version is not None:
            store.set_agent(peer, message.agent_version)
        certified = self._certified_addresses(peer, message)
        if not certified:
            store.add_addresses(peer, message.listen_addrs)
        addresses = certified or message.listen_addrs
        said = _Said(peer, store.agent(peer), store.protocols(peer), addresses, message.observed_addr)
        if self._bus.wants(IdentifyCompleted):
            self._bus.emit(said.completed)
        return said

    def _certified_addresses(self, peer: PeerId, message: IdentifyMessage) -> tuple[bytes, ...]:
        """The addresses that the peer signed; none when it did not, or when the signature proves nothing."""
        signed = message.signed_peer_record
        if signed is None:
            return ()
        record = self._verified.pop(signed, None)
        if record is None or record.peer != peer:
            try:
                record = PeerRecord.open(signed, peer)
            except PlaitError as error:
                # rust signs over another domain by default; what it says unsigned is as good.
                logger.debug("no valid peer record from %s: %s", peer, error)
                return ()
        self._verified[signed] = record
        if len(self._verified) > MAX_VERIFIED:
            del self._verified[next(iter(self._verified))]
        self._peerstore.add_record(record)
        return record.addresses


class _Said(NamedTuple):
    """What a peer said, with its addresses as they came: parsing them takes longer than all the rest, and
    mostly nobody asks for them."""

    peer: PeerId
    agent: str | None
    protocols: tuple[str, ...]
    addresses: tuple[bytes, ...]
    observed: bytes | None

    @property
    def completed(self) -> IdentifyCompleted:
        return IdentifyCompleted(
            peer=self.peer,
            agent=self.agent,
            protocols=self.protocols,
            addresses=_bare(self.addresses),
            observed_address=_observed(self.observed),
        )


class _Exchange:
    """What came of asking one peer.

    Attributes:
        edition: what we said of ourselves when we asked.
        said: what the peer said.
        is_over: it has said it, or will not any more.
    """

    __slots__ = ("_error", "_waiters", "edition", "is_over", "said")

    def __init__(self, edition: int) -> None:
        self.edition = edition
        self.said: _Said | None = None
        self.is_over = False
        self._error: Exception | None = None
        self._waiters: list[asyncio.Future[None]] = []

    def end(self, error: Exception | None) -> None:
        """Whoever waits goes on. A second end means nothing."""
        if self.is_over:
            return
        self.is_over = True
        self._error = error
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def outcome(self) -> IdentifyCompleted:
        """Waits for the end; raises what kept the peer from saying anything."""
        if not self.is_over:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            finally:
                self._waiters.remove(waiter)
        if self.said is None:
            assert self._error is not None
            raise self._error
        return self.said.completed


class _Description:
    """What we say about ourselves."""

    def __init__(self, network: Network, agent: str) -> None:
        self._network = network
        self._agent = agent[:MAX_AGENT]
        self._signer = PeerRecordSigner(network.identity)
        self._records: dict[tuple[bytes, ...], bytes] = {}
        # The host's addresses, and what they became: for peers on this machine, and for others.
        self._source: Sequence[Multiaddr] | None = None
        self._listed: dict[bool, tuple[bytes, ...]] = {}

    def encode(self, connection: Connection) -> bytes:
        """The messages for one peer, ready to be written.

        The first one has what every implementation needs; rust reads no further.
        """
        observed = connection.remote_address
        listed = self._addresses(is_loopback(observed))
        message = IdentifyMessage(
            public_key=self._network.identity.public_key.to_protobuf(),
            listen_addrs=listed,
            protocols=tuple(self._network.protocols),
            observed_addr=bytes(observed),
            protocol_version=PROTOCOL_VERSION,
            agent_version=self._agent,
            signed_peer_record=self._record(listed),
        )
        return message.encode()

    def _addresses(self, with_loopback: bool) -> tuple[bytes, ...]:
        """Where we listen. On another machine our loopback address would lead somebody to itself."""
        current = self._network.addresses
        if self._source is not current:
            bare = [split_peer(each)[0] for each in current]
            self._listed = {
                with_own: tuple(bytes(each) for each in bare if with_own or not is_loopback(each))
                for with_own in (True, False)
            }
            self._source = current
        return self._listed[with_loopback][:MAX_ADDRESSES]

    def _record(self, addresses: tuple[bytes, ...]) -> bytes | None:
        """Our signed record; signing takes longer than all the rest, so the same one serves many."""
        if not addresses:
            return None
        record = self._records.get(addresses)
        if record is None:
            if len(self._records) >= MAX_RECORDS:
                self._records.clear()
            record = self._records[addresses] = self._signer.sign(addresses)
        return record


async def _read(stream: Stream) -> IdentifyMessage:
    """Everything up to the peer's end, merged."""
    parts: list[bytes] = []
    size = 0
    while data := await stream.read(MAX_SIZE):
        parts.append(data)
        size += len(data)
        if size > MAX_SIZE:
            raise RemoteProtocolError(f"more than {MAX_SIZE} bytes of identify messages")
    return IdentifyMessage.decode(b"".join(parts))


def _bare(addresses: Sequence[bytes]) -> tuple[Multiaddr, ...]:
    return tuple(dict.fromkeys(split_peer(each)[0] for each in parse_many(addresses)))


def _observed(address: bytes | None) -> Multiaddr | None:
    """Where the peer sees us. Over a relay that is the relay's address, and means nothing."""
    found = _bare([address]) if address else ()
    return found[0] if found and not is_relayed(found[0]) else None


# By convention; nobody looks at it any more.
PROTOCOL_VERSION = "ipfs/0.1.0"
# As kubo has it; longer names only take room from addresses.
MAX_AGENT = 128
# Addresses that we name. rust reads 4 KiB in all, and a peer tries eight at a time.
MAX_ADDRESSES = 32
# One for peers on this machine, one for others, and those of a change under way.
MAX_RECORDS = 4
# Records that peers who come back need not prove again; each has a few hundred bytes.
MAX_VERIFIED = 256
# Bytes that we read of one peer: ten messages of at most 8 KiB each are in use, most of them short.
MAX_SIZE = 64 * 1024
# Seconds from a change to the push that tells of it: a program that adds handlers adds several.
PUSH_DELAY = 1.0
# Seconds between pushes: go takes one in five seconds from a network, after a burst of ten.
PUSH_INTERVAL = 5.0
# What we take: pushes per second of one connection, and at once.
PUSH_RATE = 0.5
PUSH_BURST = 10
# Pushes that we send at the same time.
PARALLEL_PUSHES = 32
# Error code of a reset, as go-libp2p publishes it.
RATE_LIMITED = 0x1003
