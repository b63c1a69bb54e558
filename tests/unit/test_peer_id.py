"""Peer ids: the published vectors in every text form, and what is refused."""

import pickle

import pytest

from plait.exceptions import InvalidPeerIdError
from plait.identity import PeerId, multibase

ED25519 = "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"
ED25519_CID32 = "bafzaajaiaejcahwr5d5ofrfbis4l5d6uwr57hu5tjodrypfm6yaq6dsc2r2pzyt6"
ED25519_CID36 = "k51qzi5uqu5dgy8qsq67hbz73jqkw87l3fgf4a91qb0d9b5173tir7n4vxk1oe"
SECP256K1 = "16Uiu2HAmLhLvBoYaoZfaMUKuibM6ac163GwKY74c5kiSLg5KvLpY"
ECDSA = "QmVMT29id3TUASyfZZ6k9hmNyc2nYabCo4uMSpDw4zrgDk"
RSA = "QmaeANgBs1DTSxWSrPPtobgQuxW8XTfsS4ydbK4rCHzqxG"
RSA_HEX = "1220b6c8a8c0a3105fc27afca4fb1173791f038e4343fd56b7c67b616dbc30a04ccd"


@pytest.mark.parametrize("text", [ED25519, SECP256K1, ECDSA, RSA])
def test_base58_round_trip(text):
    peer = PeerId.from_text(text)
    assert str(peer) == text
    assert PeerId(bytes(peer)) == peer
    assert PeerId.from_text(peer.to_cid()) == peer


def test_forms_of_one_id_are_equal():
    peer = PeerId.from_text(ED25519)
    cid = b"\x01\x72" + bytes(peer)
    forms = [
        ED25519_CID32,
        ED25519_CID32.upper(),
        ED25519_CID36,
        ED25519_CID36.upper(),
        multibase.encode("z", cid),
        "f" + cid.hex(),
    ]
    assert {PeerId.from_text(form) for form in forms} == {peer}
    assert peer.to_cid() == ED25519_CID32


def test_bytes_are_the_multihash():
    assert bytes(PeerId.from_text(RSA)).hex() == RSA_HEX
    assert bytes(PeerId.from_text(ED25519)).hex().startswith("0024080112201ed1")


def test_key_inside_the_id():
    key = PeerId.from_text(ED25519).public_key
    assert key is not None
    assert key.peer_id == PeerId.from_text(ED25519)
    assert PeerId.from_text(RSA).public_key is None


def test_equality_hash_and_pickle():
    one, two = PeerId.from_text(ED25519), PeerId.from_text(ED25519_CID36)
    assert one == two
    assert hash(one) == hash(two)
    assert one != PeerId.from_text(RSA)
    assert one != ED25519
    assert pickle.loads(pickle.dumps(one)) == one
    assert repr(one) == f"PeerId.from_text('{ED25519}')"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "Qm",
        "12D3KooW",
        ED25519[:-1],
        ED25519 + "1",
        ED25519.replace("W", "0", 1),
        "hello",
        "🦀" * 10,
        "1" * 1_000_000,
        # A CID of content, which is no peer, and a multihash in multibase without a CID around it.
        multibase.encode("b", b"\x01\x70" + bytes.fromhex(RSA_HEX)),
        multibase.encode("z", bytes.fromhex(RSA_HEX)),
        "b!!!",
        "fzz",
        "k~",
    ],
)
def test_refused_text(text):
    with pytest.raises(InvalidPeerIdError) as caught:
        PeerId.from_text(text)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "multihash",
    [
        b"",
        b"\x00",
        b"\x12\x20" + bytes(31),
        b"\x12\x20" + bytes(33),
        b"\x13\x20" + bytes(32),
        b"\x00\x2b" + bytes(43),
    ],
)
def test_refused_bytes(multihash):
    with pytest.raises(InvalidPeerIdError):
        PeerId(multihash)


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0\x01", bytes(range(64))])
@pytest.mark.parametrize("prefix", ["b", "k", "z", "u"])
def test_multibase_round_trip(prefix, data):
    assert multibase.decode(multibase.encode(prefix, data)) == data


def test_base58_names_the_bad_character():
    with pytest.raises(ValueError, match="character 'l' at position 2 is no digit of base 58"):
        multibase.decode_base58("12l")
