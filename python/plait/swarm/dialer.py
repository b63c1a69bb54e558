"""Dials peers: checks their addresses, shares one dial among all who wait for it, keeps the deadlines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from plait.addresses import components, is_unspecified
from plait.exceptions import (
    ConfigError,
    ConnectionClosedError,
    DialAttempt,
    DialError,
    DialRefusedError,
    DialTimeoutError,
    NegotiationError,
    NoAddressError,
    PeerIdMismatchError,
    PlaitError,
    UpgradeError,
    WrongPeerError,
)
from plait.swarm.race import Attempt, DialRace

if TYPE_CHECKING:
    from multiaddr import Multiaddr

    from plait.abc import Transport
    from plait.connection import Connection
    from plait.identity import PeerId
    from plait.limits import Limits, Timeouts
    from plait.transports import TransportRegistry
    from plait.upgrade import DialOptions, Upgrader

__all__ = ["Dialer", "dial_error"]

_Key: TypeAlias = "tuple[PeerId, DialOptions | None]"


class Dialer:
    """Makes outbound connections.

    Args:
        local_peer: who we are; we do not dial ourselves.
        adopt: called with each connection before anybody who waits for it; gives the error when the
            connection is not wanted after all.
    """

    def __init__(
        self,
        local_peer: PeerId,
        transports: TransportRegistry,
        upgrader: Upgrader,
        *,
        timeouts: Timeouts,
        limits: Limits,
        adopt: Callable[[Connection], PlaitError | None],
    ) -> None:
        self._local_peer = local_peer
        self._transports = transports
        self._upgrader = upgrader
        self._timeouts = timeouts
        self._limits = limits
        self._adopt = adopt
        self._slots = asyncio.Semaphore(limits.dials)
        # As long as others may join.
        self._shared: dict[_Key, _SharedDial] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False

    async def dial(
        self, peer: PeerId, addresses: Iterable[Multiaddr], options: DialOptions | None = None
    ) -> Connection:
        """A new connection to a peer, or the one that a running dial of it with the same options leads to.

        Cancelling stops the wait; the dial itself is cancelled with the last who waits for it.

        Args:
            addresses: where the peer may be found, without `/p2p`.
            options: how this dial differs from others of the host.

        Raises:
            DialRefusedError: the peer is this host.
            NoAddressError: there is no address.
            DialTimeoutError: no address led anywhere in `Timeouts.dial_total`.
            DialError: every address failed; `attempts` says how, and the cause is the most telling.
            ConnectionClosedError: the host is closing.
            LimitError: the host has all the connections it may have.
            ConfigError: the options name a protocol that the host does not have.
        """
        candidates = tuple(addresses)
        if len(candidates) > 1:
            candidates = tuple(dict.fromkeys(candidates))
        if peer == self._local_peer:
            raise DialRefusedError("this is our own peer id", peer=peer, hint="dial another host")
        if not candidates:
            raise NoAddressError(f"no address of {peer} is known", peer=peer, hint="dial it by an address")
        while True:
            if self._is_closed:
                raise ConnectionClosedError("the host is closing", remote=False)
            shared = self._shared.get((peer, options))
            if shared is None:
                shared = self._start(peer, candidates, options)
            try:
                return await self._join(shared)
            except DialError:
                # Somebody else's dial may have failed on other addresses than ours.
                if shared.addresses.issuperset(candidates):
                    raise

    async def close(self) -> None:
        """Cancels every dial; those who wait get `ConnectionClosedError`."""
        self._is_closed = True
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    @property
    def running(self) -> int:
        """Peers that are being dialed."""
        return len(self._tasks)

    # One dial, many waiters

    def _start(
        self, peer: PeerId, addresses: Sequence[Multiaddr], options: DialOptions | None
    ) -> _SharedDial:
        shared = _SharedDial((peer, options), frozenset(addresses))
        shared.task = asyncio.get_running_loop().create_task(self._serve(shared, addresses))
        self._shared[shared.key] = shared
        self._tasks.add(shared.task)
        # Once more, since a task that is cancelled before its first step never gets to its own end.
        shared.task.add_done_callback(lambda _: self._end(shared))
        return shared

    async def _serve(self, shared: _SharedDial, addresses: Sequence[Multiaddr]) -> None:
        peer, options = shared.key
        try:
            shared.connection = await self._run(peer, addresses, options)
        except Exception as error:
            shared.error = error
        # Who waits goes on in the next turn; the task's callbacks would cost one more.
        self._end(shared)

    async def _join(self, shared: _SharedDial) -> Connection:
        waiter = asyncio.get_running_loop().create_future()
        shared.waiters.add(waiter)
        try:
            await waiter
        finally:
            shared.waiters.discard(waiter)
            if not shared.waiters and not shared.is_over:
                # Nobody may join a dial that is on its way out.
                self._forget(shared)
                shared.task.cancel()
        if shared.connection is not None:
            return shared.connection
        raise shared.error or ConnectionClosedError("the host is closing", remote=False)

    def _end(self, shared: _SharedDial) -> None:
        self._forget(shared)
        self._tasks.discard(shared.task)
        shared.wake()

    def _forget(self, shared: _SharedDial) -> None:
        if self._shared.get(shared.key) is shared:
            del self._shared[shared.key]

    # The dial of one peer

    async def _run(
        self, peer: PeerId, candidates: Sequence[Multiaddr], options: DialOptions | None
    ) -> Connection:
        if len(candidates) == 1 and not _has_name(candidates[0]) and not self._slots.locked():
            # No time for the whole dial: that of one address is shorter, and nobody waits for a slot.
            connection, attempts = await self._connect_only(peer, candidates[0], options)
        else:
            connection, attempts = await self._race(peer, candidates, options)
        if connection is None:
            for attempt in attempts:
                if isinstance(attempt.error, ConfigError):
                    # The options are wrong whatever the address.
                    raise attempt.error
            raise dial_error(peer, attempts)
        refusal = self._adopt(connection)
        if refusal is not None:
            raise refusal
        return connection

    async def _race(
        self, peer: PeerId, candidates: Sequence[Multiaddr], options: DialOptions | None
    ) -> tuple[Connection | None, Sequence[DialAttempt]]:
        race = DialRace(
            self._resolve,
            lambda attempt: self._connect(peer, attempt, options),
            parallel=self._limits.dials_per_peer,
            maximum=self._limits.addresses_per_dial,
        )
        names: list[Multiaddr] = []
        addresses: list[Multiaddr] = []
        for address in candidates[: self._limits.addresses_per_dial]:
            try:
                self._transport(address)
            except DialRefusedError as error:
                race.attempts.append(DialAttempt(str(address), "check", error, 0.0))
            else:
                (names if _has_name(address) else addresses).append(address)
        try:
            async with asyncio.timeout(self._timeouts.dial_total):
                return await race.run(names, addresses), race.attempts
        except TimeoutError:
            raise DialTimeoutError(
                f"no connection to {peer} within {self._timeouts.dial_total:g} s",
                peer=peer,
                attempts=race.attempts,
            ) from None

    async def _connect_only(
        self, peer: PeerId, address: Multiaddr, options: DialOptions | None
    ) -> tuple[Connection | None, Sequence[DialAttempt]]:
        """The usual dial: one address, and nothing to race against."""
        attempt = Attempt(address)
        attempt.stage = "check"
        try:
            return await self._connect(peer, attempt, options), ()
        except Exception as error:
            return None, (attempt.failed(error),)

    async def _resolve(self, attempt: Attempt) -> Sequence[Multiaddr]:
        attempt.begin("resolve")
        try:
            async with asyncio.timeout(self._timeouts.resolve) as clock:
                return await self._transport(attempt.address).resolve(attempt.address)
        except TimeoutError:
            if not clock.expired():
                raise
            raise TimeoutError(f"the name was not resolved within {self._timeouts.resolve:g} s") from None

    async def _connect(
        self, peer: PeerId, attempt: Attempt, options: DialOptions | None, *, guess: bool = True
    ) -> Connection:
        address = attempt.address
        # Asked again, since a name may stand for anything, also for what we never dial.
        transport = self._transport(address)
        async with self._slots:
            attempt.begin("connect")
            dial = self._upgrader.outbound(peer, address, options, guess=guess)
            clock = asyncio.timeout(self._timeouts.tcp_connect)
            begun = asyncio.get_running_loop().time()
            try:
                async with clock:
                    await transport.dial(address, dial)
                    attempt.begin("upgrade")
                    clock.reschedule(begun + self._timeouts.dial_address)
                    return await dial.established
            except TimeoutError:
                dial.abort()
                if not clock.expired():
                    raise
                if attempt.stage == "upgrade":
                    raise TimeoutError(f"no connection within {self._timeouts.dial_address:g} s") from None
                raise TimeoutError(f"no answer within {self._timeouts.tcp_connect:g} s") from None
            except UpgradeError as upgrade_error:
                attempt.stage = upgrade_error.stage or attempt.stage
                if not (dial.is_guess and isinstance(upgrade_error, NegotiationError)):
                    raise
            except BaseException:
                dial.abort()
                raise
        # The peer no longer takes what it took the last time; nothing but the proposal was said.
        return await self._connect(peer, attempt, options, guess=False)

    def _transport(self, address: Multiaddr) -> Transport:
        """What dials the address; raises `DialRefusedError` when it is not tried at all."""
        if is_unspecified(address):
            raise DialRefusedError("an unspecified address is a place to listen, not to dial")
        transport = self._transports.for_dialing(address)
        if transport is None:
            raise DialRefusedError("no transport of this host dials such an address")
        return transport


class _SharedDial:
    """One dial, and who waits for it."""

    __slots__ = ("addresses", "connection", "error", "is_over", "key", "task", "waiters")

    task: asyncio.Task[None]

    def __init__(self, key: _Key, addresses: frozenset[Multiaddr]) -> None:
        self.key = key
        self.addresses = addresses
        self.waiters: set[asyncio.Future[None]] = set()
        # One of the two when it is over; neither when it was cancelled.
        self.connection: Connection | None = None
        self.error: Exception | None = None
        self.is_over = False

    def wake(self) -> None:
        self.is_over = True
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(None)


def dial_error(peer: PeerId, attempts: Sequence[DialAttempt]) -> DialError:
    """The error of a dial that led nowhere, with the most telling of its attempts as the cause."""
    # What a peer said after it had answered tells more than a place where nobody did.
    telling = [each.error for each in attempts if each.stage not in ("check", "resolve", "connect")]
    cause = (telling or [each.error for each in attempts])[0]
    error = DialError(f"could not connect to {peer}", peer=peer, attempts=attempts)
    if isinstance(cause, PeerIdMismatchError) and all(
        isinstance(each, PeerIdMismatchError) for each in telling
    ):
        error = WrongPeerError(
            f"could not connect to {peer}: {cause.actual} answered",
            peer=peer,
            attempts=attempts,
            expected=cause.expected,
            actual=cause.actual,
            stage=cause.stage,
        )
    error.__cause__ = cause
    return error


def _has_name(address: Multiaddr) -> bool:
    return components(address)[0].name in NAMES


# Protocols whose value has to be looked up before anything can be dialed.
NAMES = frozenset({"dns", "dns4", "dns6"})
