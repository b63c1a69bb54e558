"""The event bus: who gets what, in which order, and what happens to the slow."""

import asyncio
import gc

import pytest

from plait.events import (
    Event,
    EventBus,
    EventsDropped,
    ListenStarted,
    PeerConnected,
    PeerDisconnected,
)
from plait.exceptions import ConcurrencyError, ConfigError
from plait.identity import PeerId

PEER = PeerId.from_text("12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq")
UP = PeerConnected(PEER)
DOWN = PeerDisconnected(PEER)


async def rest(subscription):
    subscription.close()
    return [event async for event in subscription]


async def test_subscribers_get_what_they_asked_for():
    bus = EventBus(10)
    everything, downs = bus.subscribe(), bus.subscribe(PeerDisconnected)
    both = bus.subscribe(PeerConnected, PeerDisconnected)
    bus.emit(UP)
    bus.emit(DOWN)
    assert await rest(everything) == [UP, DOWN]
    assert await rest(downs) == [DOWN]
    assert await rest(both) == [UP, DOWN]


async def test_events_before_subscribing_are_not_seen():
    bus = EventBus(10)
    bus.emit(UP)
    subscription = bus.subscribe()
    bus.emit(DOWN)
    assert await rest(subscription) == [DOWN]


async def test_waiting_subscriber_is_woken():
    bus = EventBus(10)
    subscription = bus.subscribe()
    waiting = asyncio.ensure_future(anext(subscription))
    await asyncio.sleep(0)
    assert not waiting.done()
    bus.emit(UP)
    bus.emit(DOWN)
    assert await waiting == UP
    assert await anext(subscription) == DOWN


async def test_overflow_drops_the_oldest_and_says_so_first():
    bus = EventBus(2)
    subscription = bus.subscribe(PeerConnected, PeerDisconnected)
    for event in (UP, UP, UP, DOWN, DOWN):
        bus.emit(event)
    assert await anext(subscription) == EventsDropped(3)
    bus.emit(UP)
    assert await rest(subscription) == [EventsDropped(1), DOWN, UP]


async def test_cancelled_wait_loses_no_event():
    bus = EventBus(10)
    subscription = bus.subscribe()
    waiting = asyncio.ensure_future(anext(subscription))
    await asyncio.sleep(0)
    bus.emit(UP)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await anext(subscription) == UP


async def test_closing_the_bus_ends_waits_after_what_is_left():
    bus = EventBus(10)
    idle, behind = bus.subscribe(), bus.subscribe(ListenStarted, PeerConnected)
    waiting = asyncio.ensure_future(anext(idle))
    await asyncio.sleep(0)
    bus.emit(UP)
    assert await waiting == UP
    waiting = asyncio.ensure_future(anext(idle))
    await asyncio.sleep(0)
    bus.close()
    with pytest.raises(StopAsyncIteration):
        await waiting
    bus.emit(DOWN)
    assert [event async for event in behind] == [UP]
    assert [event async for event in bus.subscribe()] == []


async def test_leaving_the_context_closes():
    bus = EventBus(10)
    with bus.subscribe(PeerConnected) as subscription:
        assert bus.wants(PeerConnected)
    bus.emit(UP)
    assert [event async for event in subscription] == []


def test_nobody_wants_what_nobody_subscribed_to():
    bus = EventBus(10)
    assert not bus.wants(PeerConnected)
    subscription = bus.subscribe(PeerConnected)
    assert bus.wants(PeerConnected)
    assert not bus.wants(PeerDisconnected)
    other = bus.subscribe(Event)
    assert bus.wants(PeerDisconnected)
    del subscription, other
    gc.collect()
    assert not bus.wants(PeerConnected)


async def test_abandoned_loop_is_forgotten():
    bus = EventBus(10)
    bus_events = bus.subscribe(PeerConnected)
    bus.emit(UP)
    async for event in bus_events:
        assert event == UP
        break
    del bus_events
    gc.collect()
    assert not bus.wants(PeerConnected)


async def test_two_tasks_on_one_subscription():
    bus = EventBus(10)
    subscription = bus.subscribe()
    waiting = asyncio.ensure_future(anext(subscription))
    await asyncio.sleep(0)
    with pytest.raises(ConcurrencyError):
        await anext(subscription)
    bus.emit(UP)
    assert await waiting == UP


@pytest.mark.parametrize("wrong", [UP, int, "PeerConnected"])
def test_only_event_classes_can_be_subscribed_to(wrong):
    with pytest.raises(ConfigError):
        EventBus(10).subscribe(wrong)
