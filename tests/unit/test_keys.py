"""Public keys of every kind, Ed25519 key pairs, and key files."""

import logging
import os
import pickle
import stat

import pytest

from plait.exceptions import InvalidKeyError
from plait.identity import KeyPair, KeyType, PublicKey
from plait.wire import decode_private_key

ED25519_PRIVATE = bytes.fromhex(
    "080112407e0830617c4a7de83925dfb2694556b12936c477a0e1feb2e148ec9da60fee7d"
    "1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e"
)
ED25519_PUBLIC = "080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e"
PUBLIC = {
    ED25519_PUBLIC: (KeyType.ED25519, "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"),
    "08021221037777e994e452c21604f91de093ce415f5432f701dd8cd1a7a6fea0e630bfca99": (
        KeyType.SECP256K1,
        "16Uiu2HAmLhLvBoYaoZfaMUKuibM6ac163GwKY74c5kiSLg5KvLpY",
    ),
    "0803125b3059301306072a8648ce3d020106082a8648ce3d03010703420004de3d300fa36ae0e8f5d530899d83abab44abf3"
    "161f162a4bc901d8e6ecda020e8b6d5f8da30525e71d6851510c098e5c47c646a597fb4dcec034e9f77c409e62": (
        KeyType.ECDSA,
        "QmVMT29id3TUASyfZZ6k9hmNyc2nYabCo4uMSpDw4zrgDk",
    ),
}


@pytest.fixture
def pair():
    return KeyPair.from_protobuf(ED25519_PRIVATE)


@pytest.mark.parametrize(("protobuf", "expected"), PUBLIC.items())
def test_public_key_vectors(protobuf, expected):
    kind, peer = expected
    key = PublicKey.from_protobuf(bytes.fromhex(protobuf))
    assert key.kind is kind
    assert str(key.peer_id) == peer
    assert key.to_protobuf().hex() == protobuf
    assert PublicKey(key.kind, key.data) == key
    assert pickle.loads(pickle.dumps(key)) == key


def test_peer_id_is_that_of_the_canonical_form():
    data = ED25519_PUBLIC[8:]
    swapped = bytes.fromhex("1220" + data + "0801")
    assert PublicKey.from_protobuf(swapped).to_protobuf().hex() == ED25519_PUBLIC


@pytest.mark.parametrize("protobuf", ["", "ff", "0801", "080112021ed1", "08091200", "00" * 64])
def test_bad_public_keys(protobuf):
    with pytest.raises(InvalidKeyError):
        PublicKey.from_protobuf(bytes.fromhex(protobuf))


def test_private_key_vector(pair):
    assert pair.to_protobuf() == ED25519_PRIVATE
    assert pair.public_key.to_protobuf().hex() == ED25519_PUBLIC
    assert pair.peer_id == pair.public_key.peer_id


def test_other_lengths_of_private_keys_are_read(pair):
    seed, public = ED25519_PRIVATE[4:36], ED25519_PRIVATE[36:]
    for data in (seed, seed + public, seed + public + public):
        read = KeyPair.from_protobuf(bytes([0x08, 1, 0x12, len(data)]) + data)
        assert read.to_protobuf() == ED25519_PRIVATE


def test_halves_that_do_not_belong_together_are_refused():
    with pytest.raises(InvalidKeyError, match="do not belong together"):
        KeyPair.from_protobuf(ED25519_PRIVATE[:-1] + b"\x00")


def test_unknown_kinds_of_private_keys_are_named():
    with pytest.raises(InvalidKeyError, match="unknown key type 4"):
        KeyPair.from_protobuf(b"\x08\x04" + ED25519_PRIVATE[2:])


@pytest.mark.parametrize("length", [*range(68), 69, 200])
def test_bad_private_keys(length):
    with pytest.raises(InvalidKeyError):
        KeyPair.from_protobuf((ED25519_PRIVATE + bytes(200))[:length])


def test_two_byte_lengths_are_read():
    data = bytes(200)
    kind, read = decode_private_key(bytes([0x08, 0, 0x12, 0xC8, 0x01]) + data)
    assert (kind, read) == (KeyType.RSA, data)


def test_signatures(pair):
    signature = pair.sign(b"message")
    assert len(signature) == 64
    assert pair.public_key.verify(b"message", signature)
    assert not pair.public_key.verify(b"massage", signature)
    assert not pair.public_key.verify(b"message", signature[:-1])
    assert not KeyPair.generate().public_key.verify(b"message", signature)


def test_generated_pairs_differ():
    assert KeyPair.generate().peer_id != KeyPair.generate().peer_id


def test_seed_must_have_its_length():
    with pytest.raises(InvalidKeyError, match="32 bytes, not 31"):
        KeyPair.from_seed(bytes(31))


def test_the_private_half_is_never_shown(pair):
    assert repr(pair) == f"<KeyPair of {pair.peer_id}>"


def test_key_file(pair, tmp_path, caplog):
    path = tmp_path / "identity.key"
    pair.save(path)
    assert path.read_bytes() == ED25519_PRIVATE
    assert KeyPair.load(path).peer_id == pair.peer_id
    assert os.listdir(tmp_path) == ["identity.key"]
    assert not caplog.records


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
def test_key_file_is_for_its_owner_only(pair, tmp_path, caplog):
    path = tmp_path / "identity.key"
    pair.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    with caplog.at_level(logging.WARNING):
        KeyPair.load(path)
    assert "can be read by others" in caplog.text


def test_key_file_is_not_overwritten_by_accident(pair, tmp_path):
    path = tmp_path / "identity.key"
    pair.save(path)
    other = KeyPair.generate()
    with pytest.raises(FileExistsError):
        other.save(path)
    assert KeyPair.load(path).peer_id == pair.peer_id
    other.save(path, overwrite=True)
    assert KeyPair.load(path).peer_id == other.peer_id
    assert os.listdir(tmp_path) == ["identity.key"]


def test_key_file_on_a_file_system_without_links(pair, tmp_path, monkeypatch):
    def no_links(*_):
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", no_links)
    path = tmp_path / "identity.key"
    pair.save(path)
    with pytest.raises(FileExistsError):
        pair.save(path)
    assert KeyPair.load(path).peer_id == pair.peer_id
    assert os.listdir(tmp_path) == ["identity.key"]


def test_nothing_is_left_when_writing_fails(pair, tmp_path, monkeypatch):
    def full_disk(_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="no space left"):
        pair.save(tmp_path / "identity.key")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PRIVATE KEY-----\n", bytes(100_000)])
def test_other_files_are_no_keys(content, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(InvalidKeyError, match=r"notes\.txt"):
        KeyPair.load(path)


def test_large_files_are_not_read_to_the_end(tmp_path):
    path = tmp_path / "film.mp4"
    path.write_bytes(bytes(100_000))
    path.chmod(0o600)
    with pytest.raises(InvalidKeyError, match="more than 8192 bytes"):
        KeyPair.load(path)


def test_missing_key_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        KeyPair.load(tmp_path / "nothing")
