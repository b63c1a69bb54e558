"""Messages with a varint in front, through the native module."""

from __future__ import annotations

from pytest_benchmark.fixture import BenchmarkFixture

from plait.identity import KeyPair
from plait.wire import IdentifyMessage

MESSAGE = IdentifyMessage(
    public_key=KeyPair.from_seed(bytes(32)).public_key.to_protobuf(),
    listen_addrs=tuple(bytes([4, 127, 0, 0, 1, 6, 15, number]) for number in range(4)),
    protocols=tuple(f"/protocol/{number}/1.0.0" for number in range(20)),
    observed_addr=bytes([4, 127, 0, 0, 1, 6, 15, 9]),
    protocol_version="ipfs/0.1.0",
    agent_version="plait/0.1.0",
    signed_peer_record=None,
)


def test_identify_messages_written(benchmark: BenchmarkFixture) -> None:
    benchmark(MESSAGE.encode)


def test_identify_messages_read(benchmark: BenchmarkFixture) -> None:
    assert benchmark(IdentifyMessage.decode, MESSAGE.encode()).protocols == MESSAGE.protocols
