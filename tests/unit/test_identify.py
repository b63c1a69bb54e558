"""Identify: what peers tell each other, what is believed, and what is bounded."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from plait.addresses import parse
from plait.events import IdentifyCompleted
from plait.exceptions import ProtocolNotSupportedError, RemoteProtocolError, StreamResetError
from plait.host import Host, HostConfig
from plait.identity import KeyPair, PeerRecordSigner
from plait.limits import Timeouts
from plait.protocols import identify
from plait.protocols.identify import MAX_SIZE, PROTOCOL, PUSH_PROTOCOL, RATE_LIMITED
from plait.testing import network, no_leaks
from plait.wire import IdentifyMessage

QUIET = HostConfig(identify=False)


async def tell(bob: Host, alice: Host, message: bytes) -> IdentifyCompleted:
    """What bob learns when alice answers with `message`."""

    async def answer(stream: Any) -> None:
        await stream.write(message)

    alice.handle(PROTOCOL, answer)
    return await bob.identified(await bob.connect(alice.addresses[0]))


async def test_both_sides_learn_about_each_other() -> None:
    async with network(2, config=HostConfig(agent_version="tester/1")) as (alice, bob):
        events = bob.events(IdentifyCompleted)
        connection = await bob.connect(alice.addresses[0])
        learned = await bob.identified(connection)
        assert learned.agent == "tester/1"
        assert set(learned.protocols) == set(alice.protocols)
        assert learned.addresses == (connection.remote_address,)
        assert learned.observed_address == connection.local_address
        assert await anext(events) == learned
        (inbound,) = alice.connections
        assert (await alice.identified(inbound)).peer == bob.peer_id
        assert bob.peerstore.protocols(alice.peer_id) == learned.protocols
        assert bob.peerstore.agent(alice.peer_id) == "tester/1"
        assert alice.peerstore.addresses(bob.peer_id)


async def test_the_answer_has_everything_that_others_need() -> None:
    async with (
        network(1) as (alice,),
        asker(alice) as bob,
        bob.open_stream(alice.addresses[0], PROTOCOL) as stream,
    ):
        message = IdentifyMessage.decode(await stream.read())
    assert message.public_key == alice.identity.public_key.to_protobuf()
    assert set(message.protocols) == {PROTOCOL, PUSH_PROTOCOL, "/ipfs/ping/1.0.0"}
    assert message.protocol_version == "ipfs/0.1.0"
    assert message.agent_version is not None
    assert message.agent_version.startswith("plait/")
    assert message.signed_peer_record is not None
    assert message.observed_addr is not None
    assert str(parse(message.observed_addr)).startswith("/memory/")


async def test_a_signed_record_counts_more_than_what_is_unsigned() -> None:
    async with network(1, config=QUIET) as (alice,):
        record = PeerRecordSigner(alice.identity).sign([bytes(parse("/ip4/1.2.3.4/tcp/1"))])
        message = IdentifyMessage(
            listen_addrs=(bytes(parse("/ip4/6.6.6.6/tcp/1")),), signed_peer_record=record
        )
        async with asker(alice) as bob:
            learned = await tell(bob, alice, message.encode())
            assert learned.addresses == (parse("/ip4/1.2.3.4/tcp/1"),)
            assert parse("/ip4/1.2.3.4/tcp/1") in bob.peerstore.addresses(alice.peer_id)
            assert parse("/ip4/6.6.6.6/tcp/1") not in bob.peerstore.addresses(alice.peer_id)


@pytest.mark.parametrize("record", [b"garbage", b"", None])
async def test_a_record_that_proves_nothing_is_ignored(record: bytes | None) -> None:
    async with network(1, config=QUIET) as (alice,):
        if record is None:
            record = PeerRecordSigner(KeyPair.generate()).sign([bytes(parse("/ip4/6.6.6.6/tcp/1"))])
        message = IdentifyMessage(
            listen_addrs=(bytes(parse("/ip4/1.2.3.4/tcp/1")),), signed_peer_record=record
        )
        async with asker(alice) as bob:
            learned = await tell(bob, alice, message.encode())
            assert learned.addresses == (parse("/ip4/1.2.3.4/tcp/1"),)


async def test_several_messages_are_merged() -> None:
    first = IdentifyMessage(agent_version="old", protocols=("/a/1",)).encode()
    second = IdentifyMessage(agent_version="new", protocols=("/b/1",)).encode()
    async with network(1, config=QUIET) as (alice,), asker(alice) as bob:
        learned = await tell(bob, alice, first + second)
        assert (learned.agent, learned.protocols) == ("new", ("/a/1", "/b/1"))


async def test_addresses_that_mean_nothing_are_left_out() -> None:
    good = parse("/ip4/1.2.3.4/tcp/1")
    async with network(1, config=QUIET) as (alice,), asker(alice) as bob:
        own = bytes(good) + bytes(parse(f"/p2p/{alice.peer_id}"))
        message = IdentifyMessage(listen_addrs=(b"", b"\xff\xff", own), observed_addr=b"\x00nonsense")
        learned = await tell(bob, alice, message.encode())
        assert learned.addresses == (good,)
        assert learned.observed_address is None


async def test_an_observed_address_over_a_relay_means_nothing() -> None:
    relayed = parse("/ip4/1.2.3.4/tcp/1/p2p-circuit")
    async with network(1, config=QUIET) as (alice,), asker(alice) as bob:
        learned = await tell(bob, alice, IdentifyMessage(observed_addr=bytes(relayed)).encode())
        assert learned.observed_address is None


@pytest.mark.parametrize(
    "answer",
    [b"\xff" * 20, b"\x05abc", b"\x02\x08", IdentifyMessage(agent_version="x" * 100).encode() * 11],
    ids=["length", "cut", "field", "eleven"],
)
async def test_malformed_answers_are_the_fault_of_the_peer(answer: bytes) -> None:
    async with network(1, config=QUIET) as (alice,), asker(alice) as bob:
        with pytest.raises(RemoteProtocolError):
            await tell(bob, alice, answer)
        assert not bob.connections[0].is_closed


async def test_an_endless_answer_is_cut_off() -> None:
    async with network(1, config=QUIET) as (alice,), asker(alice) as bob:
        with pytest.raises(RemoteProtocolError, match=str(MAX_SIZE)):
            await tell(bob, alice, bytes(2 * MAX_SIZE))


async def test_a_silent_peer_is_given_up() -> None:
    async with network(1, config=QUIET) as (alice,), asker(alice, Timeouts(identify=0.1)) as bob:

        @alice.handle(PROTOCOL)
        async def silent(stream: Any) -> None:
            await asyncio.Event().wait()

        with pytest.raises(TimeoutError):
            await bob.identified(await bob.connect(alice.addresses[0]))
        assert not bob.connections[0].is_closed


async def test_a_peer_without_identify_is_still_a_peer() -> None:
    async with network(1, config=QUIET) as (alice,), asker(alice) as bob:
        connection = await bob.connect(alice.addresses[0])
        with pytest.raises(ProtocolNotSupportedError):
            await bob.identified(connection)
        assert not connection.is_closed


async def test_a_stream_does_not_wait_for_identify() -> None:
    async with network(1, config=QUIET) as (alice,), asker(alice) as bob:
        go = asyncio.Event()

        @alice.handle(PROTOCOL)
        async def slow(stream: Any) -> None:
            await go.wait()

        @alice.handle("/now/1")
        async def now(stream: Any) -> None:
            await stream.write(b"now")

        async with bob.open_stream(alice.addresses[0], "/now/1") as stream:
            assert await stream.read() == b"now"
        go.set()


async def test_changes_are_pushed_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identify, "PUSH_DELAY", 0.05)
    async with network(2) as (alice, bob):
        connection = await bob.connect(alice.addresses[0])
        await bob.identified(connection)
        await alice.identified(alice.connections[0])
        events = bob.events(IdentifyCompleted)
        for number in range(5):
            alice.handle(f"/new/{number}", returns)
        pushed = await anext(events)
        assert {f"/new/{number}" for number in range(5)} <= set(pushed.protocols)
        assert set(pushed.protocols) == set(alice.protocols)


async def test_a_push_that_is_due_later_ends_with_the_host() -> None:
    async with no_leaks(patience=0.3):
        async with network(2, connected=True) as (alice, _):
            alice.handle("/new/1", returns)
            assert alice._identify._push_timer is not None  # type: ignore[union-attr]


async def test_a_second_push_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identify, "PUSH_DELAY", 0.01)
    async with network(2) as (alice, bob):
        await bob.identified(await bob.connect(alice.addresses[0]))
        await alice.identified(alice.connections[0])
        events = bob.events(IdentifyCompleted)
        alice.handle("/new/1", returns)
        await anext(events)
        alice.handle("/new/2", returns)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await anext(events)


async def test_a_change_during_identify_is_pushed_after_it() -> None:
    async with network(2) as (alice, bob):
        events = bob.events(IdentifyCompleted)
        identify: Any = alice._identify
        ask = identify.start

        def start(connection: Any) -> None:
            ask(connection)
            # Alice has not heard yet whether bob takes pushes, and the timer of a push may not even run.
            identify._edition += 1

        identify.start = start
        await bob.connect(alice.addresses[0])
        assert (await anext(events)).peer == alice.peer_id
        assert (await anext(events)).peer == alice.peer_id


async def test_a_push_without_protocols_does_not_take_them_away() -> None:
    async with network(2) as (alice, bob):
        await bob.identified(await bob.connect(alice.addresses[0]))
        before = bob.peerstore.protocols(alice.peer_id)
        events = bob.events(IdentifyCompleted)
        async with alice.open_stream(alice.connections[0], PUSH_PROTOCOL) as stream:
            await stream.write(IdentifyMessage(agent_version="renamed").encode())
        learned = await anext(events)
        assert learned.agent == "renamed"
        assert learned.protocols == before


async def test_pushes_are_rationed() -> None:
    async with network(2, connected=True) as (alice, bob):
        await alice.identified(alice.connections[0])
        message = IdentifyMessage(agent_version="again").encode()
        with pytest.raises(StreamResetError) as caught:
            for _ in range(identify.PUSH_BURST + 1):
                stream = await alice.open_stream(bob.peer_id, PUSH_PROTOCOL)
                await stream.write(message)
                await stream.write_eof()
                await stream.read()
        assert caught.value.error_code == RATE_LIMITED


async def test_the_first_message_is_enough_for_those_who_read_no_further() -> None:
    listen = [f"/memory/{number}" for number in range(5_000, 5_000 + 2 * identify.MAX_ADDRESSES)]
    async with network(1, config=QUIET) as (bob,):
        async with Host(listen=listen, config=HostConfig(transports=bob.config.transports)) as alice:
            for number in range(400):
                alice.handle(f"/some/protocol/with/a/long/name/{number}", returns)
            async with bob.open_stream(alice.addresses[0], PROTOCOL) as stream:
                first = _framed(await stream.read_message(4096))
                rest = await stream.read()
    message = IdentifyMessage.decode(first)
    assert message.public_key
    assert len(message.listen_addrs) == identify.MAX_ADDRESSES
    assert PROTOCOL in message.protocols
    merged = IdentifyMessage.decode(first + rest)
    assert len(merged.protocols) == 403
    assert merged.signed_peer_record


async def test_closing_in_the_middle_leaves_nothing() -> None:
    async with network(1, config=QUIET) as (alice,):

        @alice.handle(PROTOCOL)
        async def silent(stream: Any) -> None:
            await asyncio.Event().wait()

        async with asker(alice) as bob:
            await bob.connect(alice.addresses[0])


async def returns(stream: Any) -> None:
    return


def asker(alice: Host, timeouts: Timeouts | None = None) -> Host:
    """A host that asks, on the network of one that does not answer by itself."""
    return Host(
        listen=(),
        config=HostConfig(timeouts=timeouts or Timeouts(), transports=alice.config.transports),
    )


def _framed(body: bytes) -> bytes:
    """With its length in front, which takes two bytes from 128 on."""
    return bytes([len(body) & 0x7F | 0x80, len(body) >> 7]) + body
