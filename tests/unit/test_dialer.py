"""The dialer without a network: which addresses are tried, when, and who gets the connection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from plait.addresses import parse
from plait.exceptions import (
    ConnectionClosedError,
    DialError,
    DialRefusedError,
    DialTimeoutError,
    LimitError,
    NoAddressError,
    PeerIdMismatchError,
)
from plait.identity import KeyPair
from plait.limits import Limits, Timeouts
from plait.swarm.dial_ranker import PRIVATE_DELAY, PUBLIC_DELAY, rank
from plait.swarm.dialer import Dialer
from plait.transports import TransportRegistry

ALICE = KeyPair.from_seed(bytes([1] * 32)).peer_id
BOB = KeyPair.from_seed(bytes([2] * 32)).peer_id
CAROL = KeyPair.from_seed(bytes([3] * 32)).peer_id

NEAR = [parse(f"/ip4/10.0.0.{number}/tcp/1") for number in range(1, 100)]
FAR = [parse(f"/ip4/8.8.8.{number}/tcp/1") for number in range(1, 100)]


class FakeConnection:
    def __init__(self, address: Any) -> None:
        self.address = address
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True


class FakeDial:
    def __init__(self, address: Any) -> None:
        self.address = address
        self.aborted = False
        self.is_guess = False
        self.established: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def abort(self) -> None:
        self.aborted = True


class Net:
    """Upgrader and transport in one: each address behaves as the test says."""

    def __init__(self, **options: Any) -> None:
        self.behave: Callable[[FakeDial], Awaitable[None]] = connects
        self.names: dict[Any, Sequence[Any]] = {}
        self.drivers: list[FakeDial] = []
        self.dialed: asyncio.Condition = asyncio.Condition()
        self.adopted: list[Any] = []
        timeouts = {"tcp_connect": 5.0, "dial_address": 5.0, "dial_total": 5.0, **options.pop("timeouts", {})}
        self.dialer = Dialer(
            ALICE,
            TransportRegistry([self]),
            self,  # type: ignore[arg-type]
            timeouts=Timeouts(**timeouts),
            limits=Limits(**options),
            adopt=self.adopt,
        )

        self.refusal: Any = None

    def adopt(self, connection: Any) -> Any:
        self.adopted.append(connection)
        return self.refusal

    # As upgrader

    def outbound(self, peer: Any, address: Any, options: Any, *, guess: bool) -> FakeDial:
        assert peer == BOB
        self.drivers.append(FakeDial(address))
        return self.drivers[-1]

    # As transport

    def can_dial(self, address: Any) -> bool:
        return "/tcp/" in str(address)

    def can_listen(self, address: Any) -> bool:
        return False

    async def listen(self, address: Any, factory: Any) -> Any:
        raise NotImplementedError

    async def resolve(self, address: Any) -> Sequence[Any]:
        found = self.names.get(address)
        if found is None:
            raise OSError("no such name")
        return found

    async def dial(self, address: Any, factory: Any) -> None:
        async with self.dialed:
            self.dialed.notify_all()
        await self.behave(factory)

    # For tests

    async def reached(self, count: int) -> None:
        """Waits until so many addresses are under way."""
        async with self.dialed:
            await self.dialed.wait_for(lambda: len(self.drivers) >= count)

    @property
    def tried(self) -> list[Any]:
        return [driver.address for driver in self.drivers]


async def connects(driver: FakeDial) -> None:
    driver.established.set_result(FakeConnection(driver.address))


async def refuses(driver: FakeDial) -> None:
    raise ConnectionRefusedError("nobody there")


async def is_silent(driver: FakeDial) -> None:
    await asyncio.Event().wait()


async def is_somebody_else(driver: FakeDial) -> None:
    driver.established.set_exception(
        PeerIdMismatchError("somebody else", expected=BOB, actual=CAROL, stage="security")
    )


async def never_upgrades(driver: FakeDial) -> None:
    return


def only(*good: Any, otherwise: Callable[[FakeDial], Awaitable[None]] = refuses) -> Any:
    async def behave(driver: FakeDial) -> None:
        await (connects if driver.address in good else otherwise)(driver)

    return behave


async def test_one_address_that_answers() -> None:
    net = Net()
    connection = await net.dialer.dial(BOB, NEAR[:1])
    assert net.adopted == [connection]
    assert net.dialer.running == 0


async def test_a_failure_lets_the_next_one_start_at_once() -> None:
    net = Net(timeouts={"dial_total": 5.0})
    net.behave = only(FAR[20])
    # Twenty delays of 250 ms would be over the time.
    connection: Any = await net.dialer.dial(BOB, FAR[:21])
    assert connection.address == FAR[20]


async def test_a_silent_address_does_not_hold_up_the_next() -> None:
    net = Net()
    net.behave = only(NEAR[1], otherwise=is_silent)
    connection: Any = await net.dialer.dial(BOB, NEAR[:2])
    assert connection.address == NEAR[1]
    assert [driver.aborted for driver in net.drivers] == [True, False]


async def test_the_losers_of_a_race_are_closed() -> None:
    net = Net()
    both = asyncio.Event()

    async def behave(driver: FakeDial) -> None:
        if driver.address == NEAR[0]:
            await both.wait()
        else:
            both.set()
        await connects(driver)

    net.behave = behave
    winner: Any = await net.dialer.dial(BOB, NEAR[:2])
    made = [driver.established.result() for driver in net.drivers if driver.established.done()]
    assert [each for each in made if not each.aborted] == [winner]
    assert net.adopted == [winner]


async def test_every_failed_address_has_one_record() -> None:
    net = Net()
    unspecified, relayed, name = (
        parse("/ip4/0.0.0.0/tcp/1"),
        parse("/ip4/1.1.1.1/udp/1"),
        parse("/dns/no.test/tcp/1"),
    )

    async def behave(driver: FakeDial) -> None:
        await (is_somebody_else if driver.address == NEAR[0] else refuses)(driver)

    net.behave = behave
    with pytest.raises(DialError) as caught:
        await net.dialer.dial(BOB, [NEAR[0], FAR[0], unspecified, relayed, name])
    stages = {attempt.address: attempt.stage for attempt in caught.value.attempts}
    assert stages == {
        str(NEAR[0]): "security",
        str(FAR[0]): "connect",
        str(unspecified): "check",
        str(relayed): "check",
        str(name): "resolve",
    }
    assert len(caught.value.attempts) == 5
    assert isinstance(caught.value.__cause__, PeerIdMismatchError)
    assert caught.value.peer == BOB


async def test_a_name_is_dialed_at_what_it_stands_for() -> None:
    net = Net()
    name = parse("/dns/some.test/tcp/1")
    net.names[name] = [parse("/ip4/0.0.0.0/tcp/1"), NEAR[3], NEAR[3]]
    net.behave = only(NEAR[3])
    connection: Any = await net.dialer.dial(BOB, [name])
    assert connection.address == NEAR[3]
    assert net.tried == [NEAR[3]]


async def test_a_name_that_hangs_does_not_hold_up_an_address() -> None:
    net = Net()
    asked = asyncio.Event()

    async def resolve(address: Any) -> Sequence[Any]:
        asked.set()
        await asyncio.Event().wait()
        return []

    net.resolve = resolve  # type: ignore[method-assign]
    connection: Any = await net.dialer.dial(BOB, [parse("/dns/slow.test/tcp/1"), NEAR[0]])
    assert asked.is_set()
    assert connection.address == NEAR[0]


async def test_all_that_is_unfinished_is_recorded_when_the_time_is_up() -> None:
    net = Net(timeouts={"tcp_connect": 0.05, "dial_address": 0.05, "dial_total": 0.05}, dials_per_peer=1)
    net.behave = never_upgrades
    with pytest.raises(DialTimeoutError) as caught:
        await net.dialer.dial(BOB, NEAR[:3])
    assert isinstance(caught.value, TimeoutError)
    assert {each.address for each in caught.value.attempts} == {str(each) for each in NEAR[:3]}
    assert len(caught.value.attempts) == 3


async def test_each_stage_has_its_deadline() -> None:
    net = Net(timeouts={"tcp_connect": 0.02, "dial_address": 0.04})

    async def behave(driver: FakeDial) -> None:
        await (is_silent if driver.address == NEAR[0] else never_upgrades)(driver)

    net.behave = behave
    with pytest.raises(DialError) as caught:
        await net.dialer.dial(BOB, NEAR[:2])
    assert not isinstance(caught.value, DialTimeoutError)
    assert {each.address: each.stage for each in caught.value.attempts} == {
        str(NEAR[0]): "connect",
        str(NEAR[1]): "upgrade",
    }
    assert all("0.0" in str(each.error) for each in caught.value.attempts)
    assert all(driver.aborted for driver in net.drivers)


async def test_waiters_share_one_dial() -> None:
    net = Net()
    go = asyncio.Event()

    async def behave(driver: FakeDial) -> None:
        await go.wait()
        await connects(driver)

    net.behave = behave
    waiters = [asyncio.ensure_future(net.dialer.dial(BOB, NEAR[:1])) for _ in range(3)]
    await net.reached(1)
    go.set()
    connections = await asyncio.gather(*waiters)
    assert connections[0] is connections[1] is connections[2]
    assert len(net.drivers) == 1


async def test_waiters_share_one_failure() -> None:
    net = Net()
    net.behave = refuses
    results = await asyncio.gather(
        *(net.dialer.dial(BOB, NEAR[:1]) for _ in range(3)), return_exceptions=True
    )
    assert all(isinstance(each, DialError) for each in results)
    assert len(net.drivers) == 1


async def test_a_waiter_that_is_cancelled_leaves_the_others() -> None:
    net = Net()
    net.behave = never_upgrades
    first = asyncio.ensure_future(net.dialer.dial(BOB, NEAR[:1]))
    second = asyncio.ensure_future(net.dialer.dial(BOB, NEAR[:1]))
    await net.reached(1)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    net.drivers[0].established.set_result(FakeConnection(NEAR[0]))
    assert net.adopted == [await second]
    assert not net.drivers[0].aborted


async def test_the_last_waiter_that_is_cancelled_cancels_the_dial() -> None:
    net = Net()
    net.behave = is_silent
    waiters = [asyncio.ensure_future(net.dialer.dial(BOB, NEAR[:1])) for _ in range(2)]
    await net.reached(1)
    for waiter in waiters:
        waiter.cancel()
    await asyncio.gather(*waiters, return_exceptions=True)
    await net.dialer.close()
    assert net.drivers[0].aborted
    assert net.adopted == []


async def test_nobody_joins_a_dial_that_is_being_cancelled() -> None:
    net = Net()
    net.behave = is_silent
    first = asyncio.ensure_future(net.dialer.dial(BOB, NEAR[:1]))
    await net.reached(1)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    net.behave = connects
    connection: Any = await net.dialer.dial(BOB, NEAR[:1])
    assert connection is net.drivers[1].established.result()


async def test_whoever_joins_with_other_addresses_gets_them_tried() -> None:
    net = Net()
    go = asyncio.Event()

    async def behave(driver: FakeDial) -> None:
        await go.wait()
        await only(NEAR[1])(driver)

    net.behave = behave
    wrong = asyncio.ensure_future(net.dialer.dial(BOB, NEAR[:1]))
    await net.reached(1)
    right = asyncio.ensure_future(net.dialer.dial(BOB, NEAR[1:2]))
    await asyncio.sleep(0)
    go.set()
    with pytest.raises(DialError):
        await wrong
    connection: Any = await right
    assert connection.address == NEAR[1]


async def test_a_connection_that_is_not_wanted_is_not_given_out() -> None:
    net = Net()
    net.refusal = LimitError("full")
    with pytest.raises(LimitError, match="full"):
        await net.dialer.dial(BOB, NEAR[:1])


async def test_closing_tells_those_who_wait() -> None:
    net = Net()
    net.behave = is_silent
    waiting = asyncio.ensure_future(net.dialer.dial(BOB, NEAR[:1]))
    await net.reached(1)
    await net.dialer.close()
    with pytest.raises(ConnectionClosedError):
        await waiting
    with pytest.raises(ConnectionClosedError):
        await net.dialer.dial(BOB, NEAR[:1])


async def test_a_peer_gets_a_bounded_number_of_attempts_at_once() -> None:
    net = Net(dials_per_peer=3, addresses_per_dial=10)
    net.behave = is_silent
    task = asyncio.ensure_future(net.dialer.dial(BOB, NEAR))
    await net.reached(3)
    await asyncio.sleep(3 * PRIVATE_DELAY)
    assert len(net.drivers) == 3
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await net.dialer.close()


async def test_both_queues_share_the_bound() -> None:
    net = Net(dials_per_peer=1)
    net.behave = is_silent
    task = asyncio.ensure_future(net.dialer.dial(BOB, [*NEAR[:2], *FAR[:2]]))
    await net.reached(1)
    await asyncio.sleep(0)
    assert len(net.drivers) == 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await net.dialer.close()


async def test_a_dial_has_a_bounded_number_of_addresses() -> None:
    net = Net(addresses_per_dial=5)
    net.behave = refuses
    with pytest.raises(DialError) as caught:
        await net.dialer.dial(BOB, NEAR)
    assert len(caught.value.attempts) == 5


async def test_the_host_has_a_bounded_number_of_attempts_at_once() -> None:
    net = Net(dials=1, dials_per_peer=1)
    net.behave = is_silent
    task = asyncio.ensure_future(net.dialer.dial(BOB, NEAR[:1]))
    await net.reached(1)
    other = asyncio.ensure_future(net.dialer._connect(BOB, _attempt(NEAR[1]), None))
    await asyncio.sleep(0)
    assert len(net.drivers) == 1
    for each in (task, other):
        each.cancel()
    await asyncio.gather(task, other, return_exceptions=True)
    await net.dialer.close()


async def test_we_do_not_dial_ourselves() -> None:
    net = Net()
    with pytest.raises(DialRefusedError, match="our own"):
        await net.dialer.dial(ALICE, NEAR[:1])
    assert net.drivers == []


async def test_a_peer_without_addresses_is_told_apart() -> None:
    with pytest.raises(NoAddressError, match=str(BOB)):
        await Net().dialer.dial(BOB, [])


def test_families_take_turns_and_private_addresses_a_queue_of_their_own() -> None:
    six = [parse(f"/ip6/2001:4860:4860::{number}/tcp/1") for number in (1, 2)]
    near, far = rank([FAR[0], NEAR[0], six[0], FAR[1], FAR[2], six[1]])
    assert near.addresses == (NEAR[0],)
    assert far.addresses == (six[0], FAR[0], six[1], FAR[1], FAR[2])
    assert (near.delay, far.delay) == (PRIVATE_DELAY, PUBLIC_DELAY)


def test_addresses_without_a_network_count_as_near() -> None:
    near, far = rank([parse("/memory/1"), parse("/ip6/::1/tcp/1")])
    assert far.addresses == ()
    assert set(near.addresses) == {parse("/memory/1"), parse("/ip6/::1/tcp/1")}


def _attempt(address: Any) -> Any:
    from plait.swarm.race import Attempt

    return Attempt(address)
