"""The peerstore: bounds, lifetimes, and whose word counts."""

import math

import pytest

from plait import addresses
from plait.exceptions import InvalidKeyError
from plait.identity import KeyPair, PeerRecord
from plait.limits import Limits
from plait.peerstore import Peerstore

ONE = KeyPair.from_seed(bytes(32))
TWO = KeyPair.from_seed(b"\1" * 32)
PEER = ONE.peer_id


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(clock):
    return Peerstore(Limits(), clock)


def address(number):
    return f"/ip4/10.0.{number >> 8}.{number & 255}/tcp/4001"


def texts(store, peer=PEER):
    return [str(known) for known in store.addresses(peer)]


def record(sequence, *numbers):
    return PeerRecord(PEER, sequence, tuple(bytes(addresses.parse(address(number))) for number in numbers))


def test_unknown_peers(store):
    assert store.addresses(PEER) == ()
    assert store.protocols(PEER) == ()
    assert store.agent(PEER) is None
    assert PEER not in store
    store.remove(PEER)
    store.remove_address(PEER, address(1))
    assert len(store) == 0


def test_newest_address_comes_first(store):
    store.add_addresses(PEER, [address(1), address(2)])
    store.add_addresses(PEER, [address(1)])
    assert texts(store) == [address(1), address(2)]
    assert store.peers() == (PEER,)


def test_suffix_of_the_peer_is_cut_and_other_peers_are_left_out(store):
    store.add_addresses(
        PEER,
        [f"{address(1)}/p2p/{PEER}", f"{address(2)}/p2p/{TWO.peer_id}", address(1)],
    )
    assert texts(store) == [address(1)]


def test_addresses_we_do_not_understand_are_left_out(store):
    store.add_addresses(PEER, ["/ip9/1", b"\xff", b"", address(1), "/" + "x" * 5000])
    assert texts(store) == [address(1)]


def test_learned_addresses_expire(store, clock):
    store.add_addresses(PEER, [address(1)], lifetime=60)
    store.add_addresses(PEER, [address(2)], lifetime=math.inf)
    clock.now += 60
    assert texts(store) == [address(2)]


def test_shorter_lifetime_does_not_shorten(store, clock):
    store.add_addresses(PEER, [address(1)], lifetime=math.inf)
    store.add_addresses(PEER, [address(1)], lifetime=1)
    clock.now += 100
    assert texts(store) == [address(1)]


def test_nothing_expires_while_connected(store, clock):
    store.set_connected(PEER, True)
    store.add_addresses(PEER, [address(1)], lifetime=1)
    clock.now += 100
    assert texts(store) == [address(1)]
    store.set_connected(PEER, False)
    clock.now += 100
    assert texts(store) == [address(1)]
    clock.now += 3600
    assert texts(store) == []


def test_number_of_addresses(store):
    store.add_addresses(PEER, [address(0)], lifetime=math.inf)
    store.set_connected(PEER, True)
    for start in range(1, 501, 50):
        store.add_addresses(PEER, [address(number) for number in range(start, start + 50)])
    assert len(texts(store)) == 100
    store.set_connected(PEER, False)
    # The newest, and the one that a user gave.
    assert texts(store) == [*[address(number) for number in range(500, 481, -1)], address(0)]


def test_long_lists_are_not_read_to_the_end(store):
    def endless():
        number = 0
        while True:
            number += 1
            yield address(number)

    store.add_addresses(PEER, endless())
    assert len(texts(store)) == 20


def test_newer_record_replaces_what_the_older_one_said(store):
    assert store.add_record(record(5, 1, 2))
    # Once signed, an address that somebody repeats is still what the record said.
    store.add_addresses(PEER, [address(9), address(1)])
    assert texts(store) == [address(1), address(2), address(9)]
    assert store.add_record(record(6, 3))
    assert texts(store) == [address(3), address(9)]


def test_older_record_is_ignored(store):
    store.add_record(record(6, 3))
    assert not store.add_record(record(5, 1))
    assert texts(store) == [address(3)]


def test_same_record_makes_addresses_live_longer(store, clock):
    store.add_record(record(6, 3))
    clock.now += 3000
    assert not store.add_record(record(6, 3))
    clock.now += 3000
    assert texts(store) == [address(3)]


def test_record_with_sequence_zero_is_a_record(store):
    assert store.add_record(record(0, 1))
    assert texts(store) == [address(1)]


def test_remove_address(store):
    store.add_addresses(PEER, [address(1), address(2)])
    store.remove_address(PEER, f"{address(1)}/p2p/{PEER}")
    assert texts(store) == [address(2)]


def test_protocols_are_bounded(store):
    store.set_protocols(PEER, ["/a", "/b", "/a", "/" + "x" * 512])
    assert store.protocols(PEER) == ("/a", "/b")
    store.set_protocols(PEER, [f"/{number}" for number in range(5000)])
    assert len(store.protocols(PEER)) == 1024
    store.set_protocols(PEER, [])
    assert store.protocols(PEER) == ()


def test_agent_is_safe_to_print(store):
    store.set_agent(PEER, "plait/0.1\x1b[31m\n" + "x" * 1000)
    agent = store.agent(PEER)
    assert agent is not None
    assert agent.startswith("plait/0.1\ufffd[31m\ufffdx")
    assert len(agent) == 256
    store.set_agent(PEER, None)
    assert store.agent(PEER) is None


def test_public_keys(store):
    assert store.public_key(PEER) == ONE.public_key
    with pytest.raises(InvalidKeyError, match=str(PEER)):
        store.set_public_key(PEER, TWO.public_key)
    store.set_public_key(PEER, ONE.public_key)
    assert store.public_key(PEER) == ONE.public_key


def test_number_of_peers(clock):
    store = Peerstore(Limits(peers=3), clock)
    peers = [KeyPair.from_seed(bytes([number]) * 32).peer_id for number in range(6)]
    store.set_connected(peers[0], True)
    for peer in peers[1:4]:
        store.add_addresses(peer, [address(1)])
    assert store.peers() == (peers[0], peers[2], peers[3])
    store.set_agent(peers[2], "used again")
    store.add_addresses(peers[4], [address(1)])
    assert set(store.peers()) == {peers[0], peers[2], peers[4]}
    store.set_connected(peers[0], False)
    store.set_connected(peers[2], True)
    store.set_connected(peers[4], True)
    store.set_agent(peers[5], "new")
    assert peers[0] not in store
