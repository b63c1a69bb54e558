"""What happens to a host, for programs that want to watch.

Purpose: typed events, and a bus that never lets a slow watcher cost memory.
Takes: events from the rooms where things happen.
Gives: the event classes, `EventBus`, `Subscription`.
May look at: identity, exceptions, types.
"""

from __future__ import annotations

import weakref
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from plait.exceptions import ConcurrencyError, ConfigError

if TYPE_CHECKING:
    from asyncio import Future
    from types import TracebackType

    from multiaddr import Multiaddr

    from plait.identity import PeerId
    from plait.types import Direction

__all__ = [
    "ConnectionClosed",
    "ConnectionOpened",
    "Event",
    "EventBus",
    "EventsDropped",
    "IdentifyCompleted",
    "ListenStarted",
    "ListenStopped",
    "PeerConnected",
    "PeerDisconnected",
    "StreamClosed",
    "StreamOpened",
    "Subscription",
]


@dataclass(frozen=True, slots=True)
class Event:
    """Root of all events. Subscribing to it means all of them."""


@dataclass(frozen=True, slots=True)
class PeerConnected(Event):
    """The first connection with a peer is there."""

    peer: PeerId


@dataclass(frozen=True, slots=True)
class PeerDisconnected(Event):
    """The last connection with a peer has ended."""

    peer: PeerId


@dataclass(frozen=True, slots=True)
class ConnectionOpened(Event):
    """A connection was upgraded and can carry streams."""

    peer: PeerId
    address: Multiaddr
    direction: Direction
    security: str
    muxer: str


@dataclass(frozen=True, slots=True)
class ConnectionClosed(Event):
    """A connection has ended; `error` says how, and is `None` when we closed it."""

    peer: PeerId
    address: Multiaddr
    direction: Direction
    error: BaseException | None


@dataclass(frozen=True, slots=True)
class StreamOpened(Event):
    """A stream has its protocol."""

    peer: PeerId
    protocol: str
    direction: Direction


@dataclass(frozen=True, slots=True)
class StreamClosed(Event):
    """The program is done with a stream; `error` is what broke it, `None` when it ended in order."""

    peer: PeerId
    protocol: str
    direction: Direction
    error: BaseException | None


@dataclass(frozen=True, slots=True)
class ListenStarted(Event):
    """The host can be reached at `address`, which has the real port."""

    address: Multiaddr


@dataclass(frozen=True, slots=True)
class ListenStopped(Event):
    """The host no longer listens at `address`; `error` is `None` when it was asked to stop."""

    address: Multiaddr
    error: BaseException | None


@dataclass(frozen=True, slots=True)
class IdentifyCompleted(Event):
    """A peer has told about itself. All of it is its own claim."""

    peer: PeerId
    agent: str | None
    protocols: tuple[str, ...]
    addresses: tuple[Multiaddr, ...]
    observed_address: Multiaddr | None


@dataclass(frozen=True, slots=True)
class EventsDropped(Event):
    """The subscriber was too slow: this many events were lost before the next one."""

    count: int


E = TypeVar("E")


class EventBus:
    """Hands events to whoever subscribed. Belongs to one event loop.

    Args:
        capacity: events that a subscriber may be behind before the oldest are dropped.
    """

    __slots__ = ("_capacity", "_closed", "_routes", "_subscriptions")

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        # Weak, so that a loop somebody left with `break` does not collect events for ever.
        self._subscriptions: set[weakref.ref[Subscription[Any]]] = set()
        self._routes: dict[type[Event], bool] = {}
        self._closed = False

    @overload
    def subscribe(self) -> Subscription[Event]: ...

    @overload
    def subscribe(self, *classes: type[E]) -> Subscription[E]: ...

    def subscribe(self, *classes: Any) -> Subscription[Any]:
        """Events of these classes from now on; all events when none is named.

        Raises:
            ConfigError: something that is no event class.
        """
        for wanted in classes:
            if not (isinstance(wanted, type) and issubclass(wanted, Event)):
                raise ConfigError(f"{wanted!r} is no event class")
        subscription: Subscription[Any] = Subscription(classes or (Event,), self._capacity)
        if self._closed:
            subscription.close()
        self._subscriptions.add(weakref.ref(subscription, self._forget))
        self._routes.clear()
        return subscription

    def wants(self, kind: type[Event]) -> bool:
        """Whether anybody would get events of this class: asked before frequent ones are even made."""
        known = self._routes.get(kind)
        if known is None:
            known = any(subscription.wants(kind) for subscription in self._present())
            self._routes[kind] = known
        return known

    def emit(self, event: Event) -> None:
        """Hands out an event. Never waits and never raises for what a subscriber does."""
        if not self.wants(type(event)):
            return
        is_taken = False
        for subscription in self._present():
            if subscription.wants(type(event)):
                subscription.put(event)
                is_taken = True
        if not is_taken:
            # Who wanted them has closed.
            self._routes.clear()

    def close(self) -> None:
        """Ends every subscription once what it has was taken."""
        self._closed = True
        for subscription in self._present():
            subscription.close()

    def _present(self) -> list[Subscription[Any]]:
        return [each for each in (reference() for reference in self._subscriptions) if each is not None]

    def _forget(self, reference: weakref.ref[Subscription[Any]]) -> None:
        self._subscriptions.discard(reference)
        self._routes.clear()


class Subscription(Generic[E]):
    """Events of one subscriber, as an asynchronous iterator for one task.

    It ends when the bus closes or `close` is called. Cancelling a wait for the next event loses none.
    When the subscriber is too slow, the oldest events go, and it gets an `EventsDropped` instead.
    """

    __slots__ = ("__weakref__", "_capacity", "_classes", "_closed", "_dropped", "_events", "_waiter")

    def __init__(self, classes: tuple[type, ...], capacity: int) -> None:
        self._classes = classes
        self._capacity = capacity
        self._events: deque[E] = deque()
        self._dropped = 0
        self._closed = False
        self._waiter: Future[None] | None = None

    def wants(self, kind: type) -> bool:
        """Whether events of this class come here."""
        return not self._closed and issubclass(kind, self._classes)

    def put(self, event: E) -> None:
        """Adds an event, at the cost of the oldest when there is no room."""
        if len(self._events) >= self._capacity:
            self._events.popleft()
            self._dropped += 1
        self._events.append(event)
        self._wake()

    def close(self) -> None:
        """No more events; those that are here can still be taken."""
        self._closed = True
        self._wake()

    def __aiter__(self) -> Subscription[E]:
        return self

    async def __anext__(self) -> E | EventsDropped:
        while not self._events:
            if self._closed:
                raise StopAsyncIteration
            await self._wait()
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            return EventsDropped(dropped)
        return self._events.popleft()

    def __enter__(self) -> Subscription[E]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def _wait(self) -> None:
        if self._waiter is not None:
            raise ConcurrencyError("two tasks wait for events of one subscription")
        # Loaded here, where a loop is running and it is there anyway, and not by `import plait`.
        import asyncio

        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
