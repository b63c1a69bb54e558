"""The native module seen from Python: errors, buffers, events, and a pair of sessions without sockets."""

from __future__ import annotations

import array
import gc
import re
import sys
from pathlib import Path

import pytest

from plait import _core
from plait.exceptions import (
    ConnectionClosedError,
    ConnectionLostError,
    HandshakeError,
    InvalidKeyError,
    InvalidPeerIdError,
    LocalProtocolError,
    NegotiationError,
    PeerIdMismatchError,
    PlaitError,
    PrivateNetworkError,
    ProtocolNotSupportedError,
    RemoteProtocolError,
    StreamClosedError,
    StreamResetError,
    UpgradeError,
)
from plait.identity import KeyPair, PeerId

ECHO = "/echo/1.0.0"
CORE = Path(__file__).parents[2] / "rust" / "core" / "src"

EXPECTED = {
    "Reason::Local": ConnectionClosedError,
    "Reason::Remote": ConnectionClosedError,
    "Reason::Eof": ConnectionLostError,
    "Reason::Truncated": ConnectionLostError,
    "Reason::EofInUpgrade": UpgradeError,
    "Reason::KeepAlive": ConnectionLostError,
    "Reason::UpgradeTimeout": UpgradeError,
    "Reason::NothingInCommon": NegotiationError,
    "Reason::Negotiation": NegotiationError,
    "Reason::OtherNetwork": PrivateNetworkError,
    "Reason::Record": ConnectionLostError,
    "Reason::Violation": RemoteProtocolError,
    "Refusal::NotSupported": ProtocolNotSupportedError,
    "Refusal::Malformed": NegotiationError,
    "Refusal::Ended": NegotiationError,
    "Refusal::TimedOut": NegotiationError,
    "Error::Closed": ConnectionClosedError,
    "Error::NotEstablished": LocalProtocolError,
    "Error::Stream(Closed)": StreamClosedError,
    "Error::Stream(Unknown)": StreamClosedError,
    "identity::InvalidPeerId": InvalidPeerIdError,
    "identity::InvalidKey": InvalidKeyError,
    "identity::UnknownKeyType": InvalidKeyError,
    "identity::Message": InvalidKeyError,
}


def session_pair(expected: PeerId | None = None) -> tuple[_core.Session, _core.Session, PeerId]:
    budget = _core.MemoryBudget(1 << 20)
    identities = [KeyPair.from_seed(bytes([number]) * 32) for number in (1, 2)]
    configs = []
    for identity in identities:
        noise = _core.Security.noise(identity.public_key.to_protobuf(), identity.sign)
        configs.append(
            _core.SessionConfig(security=[noise], muxers=[_core.Muxer.named("/yamux/1.0.0")], budget=budget)
        )
    protocols = _core.ProtocolSet([ECHO])
    listener_id = identities[1].peer_id
    wanted = bytes(expected or listener_id)
    dialer = _core.Session.dial(configs[0], protocols, wanted, 1.0)
    return dialer, _core.Session.accept(configs[1], protocols, 1.0), listener_id


def carry(dialer: _core.Session, listener: _core.Session) -> tuple[list, list]:
    """Moves bytes until both are silent; the events of both."""
    seen: tuple[list, list] = ([], [])
    moved = True
    while moved:
        moved = False
        for source, target, events in ((dialer, listener, seen[1]), (listener, dialer, seen[0])):
            while data := source.transmit(1 << 17, 1.0):
                moved = True
                events += target.receive_bytes(data, 1.0)
    return seen


def test_every_error_of_the_core_has_its_class():
    samples = _core.every_error()
    for name, error in samples:
        assert isinstance(error, PlaitError), name
        assert str(error)
        if name in EXPECTED:
            assert type(error) is EXPECTED[name], name
    names = {name for name, _ in samples}
    assert names >= set(EXPECTED)
    mismatch = [error for _, error in samples if isinstance(error, PeerIdMismatchError)]
    assert len(mismatch) == 1
    assert isinstance(mismatch[0].expected, PeerId)
    assert mismatch[0].expected != mismatch[0].actual
    (reset,) = [error for _, error in samples if isinstance(error, StreamResetError)]
    assert (reset.error_code, reset.remote) == (7, True)
    assert [type(error) for name, error in samples if name == "Reason::Handshake"].count(HandshakeError) == 1


@pytest.mark.parametrize(("enum", "file"), [("Reason", "session/event.rs"), ("Refusal", "session/event.rs")])
def test_no_variant_is_missing_among_the_samples(enum: str, file: str):
    text = (CORE / file).read_text()
    body = re.search(rf"pub enum {enum} \{{(.*?)\n\}}", text, re.S)
    assert body
    variants = set(re.findall(r"^    ([A-Z]\w*)", body[1], re.M))
    assert variants
    assert {f"{enum}::{variant}" for variant in variants} <= {name for name, _ in _core.every_error()}


def test_a_pair_of_sessions_speaks():
    dialer, listener, listener_id = session_pair()
    at_dialer, at_listener = carry(dialer, listener)
    agreed = at_dialer[0][1]
    assert at_dialer[0][0] == _core.ESTABLISHED
    assert agreed.remote_peer == bytes(listener_id)
    assert (agreed.security, agreed.muxer, agreed.early_muxer) == ("/noise", "/yamux/1.0.0", True)
    assert agreed.round_trips == 1
    assert at_listener[0][0] == _core.ESTABLISHED

    ours = dialer.open_stream([ECHO], 1.0)
    assert ours is not None
    at_dialer, at_listener = carry(dialer, listener)
    assert (_core.STREAM_READY, ours, ECHO) in at_dialer
    (theirs,) = [event[1] for event in at_listener if event[0] == _core.STREAM_OPENED]
    assert dialer.read(ours, 10) is None
    assert dialer.write(ours, b"hello", 1) == 4
    dialer.close_write(ours)
    _, at_listener = carry(dialer, listener)
    assert (_core.READABLE, theirs) in at_listener
    assert listener.read(theirs, 2) == b"el"
    target = bytearray(10)
    assert listener.read_into(theirs, target) == 2
    assert target[:2] == b"lo"
    assert listener.read(theirs, 10) == b""
    assert listener.read_into(theirs, target) == 0


def test_any_contiguous_buffer_can_be_written():
    dialer, listener, _ = session_pair()
    carry(dialer, listener)
    ours = dialer.open_stream([ECHO], 1.0)
    assert ours is not None
    numbers = array.array("I", [1, 2, 3])
    for data in (b"ab", bytearray(b"ab"), memoryview(b"xaby")[1:3]):
        assert dialer.write(ours, data, 0) == 2
    assert dialer.write(ours, numbers, 0) == numbers.itemsize * 3
    assert dialer.write(ours, b"", 0) == 0
    assert dialer.write(ours, b"ab", 5) == 0
    with pytest.raises(BufferError):
        dialer.write(ours, memoryview(b"abcd")[::2], 0)
    with pytest.raises(TypeError):
        dialer.write(ours, "text", 0)  # type: ignore[arg-type]
    _, at_listener = carry(dialer, listener)
    (theirs,) = [event[1] for event in at_listener if event[0] == _core.STREAM_OPENED]
    assert listener.read(theirs, 100) == b"ab" * 3 + numbers.tobytes()


def test_large_bytes_are_kept_until_they_are_sent_and_others_are_copied():
    dialer, listener, _ = session_pair()
    carry(dialer, listener)
    ours = dialer.open_stream([ECHO], 1.0)
    assert ours is not None
    text = bytes(range(256)) * 64
    before = sys.getrefcount(text)
    changing = bytearray(text)
    assert dialer.write(ours, text, 100) == len(text) - 100
    assert sys.getrefcount(text) == before + 1
    assert dialer.write(ours, changing, 0) == len(text)
    changing[:] = bytes(len(text))
    assert dialer.write(ours, text[:100], 0) == 100
    _, at_listener = carry(dialer, listener)
    assert sys.getrefcount(text) == before
    (theirs,) = [event[1] for event in at_listener if event[0] == _core.STREAM_OPENED]
    assert listener.read(theirs, 100_000) == text[100:] + text + text[:100]

    # A mebibyte at once, and then nothing before half the send buffer is free.
    large = bytes(1_500_000)
    before = sys.getrefcount(large)
    assert dialer.write(ours, large, 0) == 1 << 20
    assert dialer.write(ours, large, 1 << 20) == 0
    assert sys.getrefcount(large) == before + 1
    dialer.reset(ours, 0)
    assert sys.getrefcount(large) == before


def test_read_into_wants_memory_that_can_be_written():
    dialer, listener, _ = session_pair()
    carry(dialer, listener)
    ours = dialer.open_stream([ECHO], 1.0)
    assert ours is not None
    dialer.write(ours, b"data", 0)
    _, events = carry(dialer, listener)
    (theirs,) = [event[1] for event in events if event[0] == _core.STREAM_OPENED]
    with pytest.raises(BufferError):
        listener.read_into(theirs, b"read only")
    assert listener.read(theirs, 100) == b"data"


def test_the_receive_buffer_lends_its_memory():
    buffer = _core.ReceiveBuffer(64)
    assert len(buffer) == 64
    view = memoryview(buffer)
    assert not view.readonly
    view[:4] = b"data"
    del buffer
    gc.collect()
    assert bytes(view[:4]) == b"data"
    with pytest.raises(ValueError):
        _core.ReceiveBuffer(0)


def test_more_bytes_than_the_buffer_has_are_refused():
    dialer, _, _ = session_pair()
    with pytest.raises(ValueError):
        dialer.receive(_core.ReceiveBuffer(8), 9, 1.0)


@pytest.mark.parametrize("now", [float("nan"), float("inf"), -1.0])
def test_a_time_that_is_none_is_refused(now: float):
    dialer, _, _ = session_pair()
    with pytest.raises(ValueError):
        dialer.transmit(100, now)


def test_commands_before_the_end_of_the_upgrade_are_refused():
    dialer, _, _ = session_pair()
    with pytest.raises(LocalProtocolError):
        dialer.open_stream([ECHO], 1.0)


@pytest.mark.parametrize(
    "names", [[], [""], ["/a\n"], ["na"], ["/" + "x" * 2000], [f"/{n}" for n in range(40)]]
)
def test_names_that_cannot_be_proposed_are_refused(names: list[str]):
    dialer, listener, _ = session_pair()
    carry(dialer, listener)
    with pytest.raises(LocalProtocolError):
        dialer.open_stream(names, 1.0)


def test_the_wrong_peer_is_an_exception_that_names_both():
    wrong = KeyPair.from_seed(b"3" * 32).peer_id
    dialer, listener, right = session_pair(wrong)
    at_dialer, _ = carry(dialer, listener)
    kind, error = at_dialer[-1]
    assert kind == _core.CLOSED
    assert isinstance(error, PeerIdMismatchError)
    assert (error.expected, error.actual) == (wrong, right)


def test_a_key_that_did_not_sign_makes_no_credentials():
    identity = KeyPair.from_seed(b"4" * 32)
    with pytest.raises(PlaitError):
        _core.Security.noise(identity.public_key.to_protobuf(), lambda _: identity.sign(b"something else"))
