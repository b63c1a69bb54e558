"""Dials peers: checks their addresses, shares one dial among all who wait for it, keeps the deadlines."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
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

__all__ = ["Dialer"]

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
        self._tasks: set[asyncio.Task[Connection]] = set()
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
        candidates = tuple(dict.fromkeys(addresses))
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
        task = asyncio.get_running_loop().create_task(self._run(peer, addresses, options))
        shared = _SharedDial((peer, options), task, frozenset(addresses))
        self._shared[shared.key] = shared
        self._tasks.add(task)
        task.add_done_callback(lambda _: self._end(shared))
        return shared

    async def _join(self, shared: _SharedDial) -> Connection:
        shared.waiters += 1
        try:
            # Unlike an `await` of the task, this leaves it alone when we are cancelled.
            await asyncio.wait([shared.task])
        finally:
            shared.waiters -= 1
            if shared.waiters == 0 and not shared.task.done():
                # Nobody may join a dial that is on its way out.
                self._forget(shared)
                shared.task.cancel()
        if shared.task.cancelled():
            raise ConnectionClosedError("the host is closing", remote=False)
        return shared.task.result()

    def _end(self, shared: _SharedDial) -> None:
        self._forget(shared)
        self._tasks.discard(shared.task)
        if not shared.task.cancelled():
            # Whoever waited may be gone: the error counts as seen.
            shared.task.exception()

    def _forget(self, shared: _SharedDial) -> None:
        if self._shared.get(shared.key) is shared:
            del self._shared[shared.key]

    # The dial of one peer

    async def _run(
        self, peer: PeerId, candidates: Sequence[Multiaddr], options: DialOptions | None
    ) -> Connection:
        race = DialRace(
            self._resolve,
            lambda attempt: self._connect(peer, attempt, options),
            parallel=self._limits.dials_per_peer,
            maximum=self._limits.addresses_per_dial,
        )
        names: list[Multiaddr] = []
        addresses: list[Multiaddr] = []
        for address in candidates[: self._limits.addresses_per_dial]:
            error = self._objection(address)
            if error is not None:
                race.attempts.append(DialAttempt(str(address), "check", error, 0.0))
            else:
                (names if _has_name(address) else addresses).append(address)
        try:
            async with asyncio.timeout(self._timeouts.dial_total):
                connection = await race.run(names, addresses)
        except TimeoutError:
            raise DialTimeoutError(
                f"no connection to {peer} within {self._timeouts.dial_total:g} s",
                peer=peer,
                attempts=race.attempts,
            ) from None
        if connection is None:
            for attempt in race.attempts:
                if isinstance(attempt.error, ConfigError):
                    # The options are wrong whatever the address.
                    raise attempt.error
            raise _failure(peer, race.attempts)
        refusal = self._adopt(connection)
        if refusal is not None:
            raise refusal
        return connection

    async def _resolve(self, attempt: Attempt) -> Sequence[Multiaddr]:
        attempt.begin("resolve")
        async with _deadline(self._timeouts.resolve, "the name was not resolved"):
            return await self._transport(attempt.address).resolve(attempt.address)

    async def _connect(
        self, peer: PeerId, attempt: Attempt, options: DialOptions | None, *, guess: bool = True
    ) -> Connection:
        address = attempt.address
        # A name may stand for anything, also for what we never dial.
        error = self._objection(address)
        if error is not None:
            raise error
        async with self._slots:
            attempt.begin("connect")
            dial = self._upgrader.outbound(peer, address, options, guess=guess)
            try:
                async with _deadline(self._timeouts.dial_address, "no connection"):
                    async with _deadline(self._timeouts.tcp_connect, "no answer"):
                        await self._transport(address).dial(address, dial)
                    attempt.begin("upgrade")
                    return await dial.established
            except UpgradeError as upgrade_error:
                attempt.stage = upgrade_error.stage or attempt.stage
                if not (dial.is_guess and isinstance(upgrade_error, NegotiationError)):
                    raise
            except BaseException:
                dial.abort()
                raise
        # The peer no longer takes what it took the last time; nothing but the proposal was said.
        return await self._connect(peer, attempt, options, guess=False)

    def _objection(self, address: Multiaddr) -> PlaitError | None:
        """Why an address is not tried at all."""
        if is_unspecified(address):
            return DialRefusedError("an unspecified address is a place to listen, not to dial")
        if self._transports.for_dialing(address) is None:
            return DialRefusedError("no transport of this host dials such an address")
        return None

    def _transport(self, address: Multiaddr) -> Transport:
        transport = self._transports.for_dialing(address)
        if transport is None:
            raise DialRefusedError("no transport of this host dials such an address")
        return transport


class _SharedDial:
    """One dial, and how many wait for it."""

    __slots__ = ("addresses", "key", "task", "waiters")

    def __init__(self, key: _Key, task: asyncio.Task[Connection], addresses: frozenset[Multiaddr]) -> None:
        self.key = key
        self.task = task
        self.addresses = addresses
        self.waiters = 0


def _failure(peer: PeerId, attempts: Sequence[DialAttempt]) -> DialError:
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


@contextlib.asynccontextmanager
async def _deadline(seconds: float, what: str) -> AsyncIterator[None]:
    """As `asyncio.timeout`, but the error says what took too long."""
    try:
        async with asyncio.timeout(seconds) as clock:
            yield
    except TimeoutError:
        if not clock.expired():
            raise
        raise TimeoutError(f"{what} within {seconds:g} s") from None


# Protocols whose value has to be looked up before anything can be dialed.
NAMES = frozenset({"dns", "dns4", "dns6"})
