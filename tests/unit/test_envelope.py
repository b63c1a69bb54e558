"""Signed envelopes and peer records: the vector, and every way in which one can be wrong."""

import pytest

from plait.exceptions import InvalidEnvelopeError
from plait.identity import KeyPair, PeerRecord, PeerRecordSigner, SignedEnvelope
from plait.wire import EnvelopeMessage, PeerRecordMessage

SEED = bytes.fromhex("7e0830617c4a7de83925dfb2694556b12936c477a0e1feb2e148ec9da60fee7d")
ADDRESS = bytes.fromhex("047f000001060fa1")
PAYLOAD = (
    "0a260024080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e"
    "10011a0a0a08047f000001060fa1"
)
SIGNATURE = (
    "4504e51a36806e8eba9344a743f2e1cbd0170d2632fb413f98101f6e3ff26d3d"
    "a91f4eedebf36383fa5819438bce1d7398117236e52d2d1dfce98196294ac60e"
)
ENVELOPE = bytes.fromhex(
    "0a24080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e"
    "120203011a36" + PAYLOAD + "2a40" + SIGNATURE
)
DOMAIN = "libp2p-peer-record"
RECORD_TYPE = b"\x03\x01"


@pytest.fixture
def pair():
    return KeyPair.from_seed(SEED)


def record(signer, subject, addresses=(ADDRESS,)):
    payload = PeerRecordMessage(bytes(subject), 1, tuple(addresses)).encode()
    return SignedEnvelope.seal(signer, DOMAIN, RECORD_TYPE, payload).encode()


def test_vector_is_read(pair):
    read = PeerRecord.open(ENVELOPE)
    assert read == PeerRecord(pair.peer_id, 1, (ADDRESS,))
    assert PeerRecord.open(ENVELOPE, expected=pair.peer_id) == read


def test_vector_is_written(pair):
    signer = PeerRecordSigner(pair, clock=lambda: 1)
    assert signer.sign([ADDRESS]) == ENVELOPE


def test_records_get_newer_even_when_the_clock_does_not(pair):
    times = iter([100, 100, 50, 200])
    signer = PeerRecordSigner(pair, clock=lambda: next(times))
    sequences = [PeerRecord.open(signer.sign([])).sequence for _ in range(4)]
    assert sequences == [100, 101, 102, 200]


def test_default_sequence_is_in_nanoseconds(pair):
    # Seconds and milliseconds would have seven and four digits less.
    assert PeerRecord.open(PeerRecordSigner(pair).sign([])).sequence > 10**18


def test_empty_addresses_are_dropped_both_ways(pair):
    sent = EnvelopeMessage.decode(PeerRecordSigner(pair).sign([b"", ADDRESS])).payload
    assert PeerRecordMessage.decode(sent).addresses == (ADDRESS,)
    assert PeerRecord.open(record(pair, pair.peer_id, [b"", ADDRESS])).addresses == (ADDRESS,)


def test_any_flipped_byte_is_noticed():
    for index in range(len(ENVELOPE)):
        broken = bytearray(ENVELOPE)
        broken[index] ^= 1
        with pytest.raises(InvalidEnvelopeError):
            PeerRecord.open(broken)


def test_any_cut_is_noticed():
    for length in range(len(ENVELOPE)):
        with pytest.raises(InvalidEnvelopeError):
            PeerRecord.open(ENVELOPE[:length])


def test_record_about_somebody_else(pair):
    other = KeyPair.generate()
    with pytest.raises(InvalidEnvelopeError, match="for somebody else"):
        PeerRecord.open(record(other, pair.peer_id))


def test_record_of_another_peer_than_expected(pair):
    other = KeyPair.generate()
    with pytest.raises(InvalidEnvelopeError, match=str(other.peer_id)):
        PeerRecord.open(record(other, other.peer_id), expected=pair.peer_id)


def test_key_in_the_envelope_must_have_signed(pair):
    message = EnvelopeMessage.decode(ENVELOPE)
    other = KeyPair.generate().public_key.to_protobuf()
    forged = EnvelopeMessage(other, message.payload_type, message.payload, message.signature).encode()
    with pytest.raises(InvalidEnvelopeError, match="signature"):
        SignedEnvelope.open(forged, DOMAIN, RECORD_TYPE)


def test_domain_and_type_are_signed(pair):
    sealed = SignedEnvelope.seal(pair, "one-domain", b"\x01", b"payload")
    assert SignedEnvelope.open(sealed.encode(), "one-domain", b"\x01") == sealed
    with pytest.raises(InvalidEnvelopeError, match="other-domain"):
        SignedEnvelope.open(sealed.encode(), "other-domain", b"\x01")
    with pytest.raises(InvalidEnvelopeError, match="type"):
        SignedEnvelope.open(sealed.encode(), "one-domain", b"\x02")


def test_bytes_cannot_move_between_the_signed_parts(pair):
    sealed = SignedEnvelope.seal(pair, "domain", b"ab", b"c")
    key = pair.public_key.to_protobuf()
    moved = EnvelopeMessage(key, b"a", b"bc", sealed.signature).encode()
    with pytest.raises(InvalidEnvelopeError, match="signature"):
        SignedEnvelope.open(moved, "domain", b"a")


def test_lengths_over_127_are_signed_as_two_bytes(pair):
    sealed = SignedEnvelope.seal(pair, "domain", b"\x01", bytes(300))
    signed = b"\x06domain" + b"\x01\x01" + b"\xac\x02" + bytes(300)
    assert pair.public_key.verify(signed, sealed.signature)
