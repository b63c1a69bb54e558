"""Our own keys of all four kinds: the vectors of the peer id specification, signatures, and every form."""

import json
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from plait.exceptions import ConfigError, InvalidKeyError
from plait.identity import KeyPair, KeyType, PeerRecord, PeerRecordSigner, PublicKey, SignedEnvelope
from plait.wire import decode_private_key, encode_private_key

VECTORS = json.loads(Path(__file__).with_name("peer_id_vectors.json").read_text())
KINDS = list(KeyType)
WITH_TRADITIONAL_FORM = [kind for kind in KINDS if kind is not KeyType.ED25519]
ORDER_OF_SECP256K1 = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
MESSAGE = b"what is signed"

by_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
by_traditional_kind = pytest.mark.parametrize("kind", WITH_TRADITIONAL_FORM, ids=lambda kind: kind.name)


def private(kind):
    return bytes.fromhex(VECTORS[kind.name]["private"])


@pytest.fixture(scope="module")
def pairs():
    # The specification's RSA key is long, and its primes are tested whenever it is read.
    short = {KeyType.RSA: KeyPair.generate(KeyType.RSA)}
    return short | {kind: KeyPair.from_protobuf(private(kind)) for kind in KINDS if kind not in short}


class TestVectors:
    @by_kind
    def test_private_key_gives_public_key_and_peer_id(self, kind):
        pair, vector = KeyPair.from_protobuf(private(kind)), VECTORS[kind.name]
        assert pair.public_key.kind is kind
        assert pair.public_key.to_protobuf().hex() == vector["public"]
        assert str(pair.peer_id) == vector["peer_id"]
        assert pair.to_protobuf() == private(kind)

    @by_kind
    def test_public_key(self, kind):
        vector = VECTORS[kind.name]
        key = PublicKey.from_protobuf(bytes.fromhex(vector["public"]))
        assert (key.kind, str(key.peer_id)) == (kind, vector["peer_id"])


class TestSignatures:
    @by_kind
    def test_the_core_verifies_them(self, kind, pairs):
        public = pairs[kind].public_key
        signature = pairs[kind].sign(MESSAGE)
        assert public.verify(MESSAGE, signature)
        assert not public.verify(MESSAGE + b".", signature)
        assert not public.verify(MESSAGE, signature[:-1])
        assert not KeyPair.generate(kind).public_key.verify(MESSAGE, signature)

    @by_kind
    def test_cryptography_verifies_them(self, kind, pairs):
        data, signature = pairs[kind].public_key.data, pairs[kind].sign(bytearray(MESSAGE))
        verify_with_cryptography(kind, data, MESSAGE, signature)
        with pytest.raises(InvalidSignature):
            verify_with_cryptography(kind, data, MESSAGE + b".", signature)

    def test_secp256k1_has_the_smaller_s_always(self, pairs):
        # Half of all signatures need it: that none of these did is less likely than a broken machine.
        for number in range(64):
            message = bytes([number])
            signature = pairs[KeyType.SECP256K1].sign(message)
            r, s = decode_dss_signature(signature)
            assert 0 < s <= ORDER_OF_SECP256K1 // 2
            assert pairs[KeyType.SECP256K1].public_key.verify(message, signature)
            assert encode_dss_signature(r, s) == signature

    @by_kind
    def test_envelopes_and_peer_records(self, kind, pairs):
        pair = pairs[kind]
        envelope = SignedEnvelope.seal(pair, "domain", b"\x01", b"payload").encode()
        assert SignedEnvelope.open(envelope, "domain", b"\x01").public_key == pair.public_key
        record = PeerRecord.open(PeerRecordSigner(pair).sign([]))
        assert record.peer == pair.peer_id


def verify_with_cryptography(kind, data, message, signature):
    match kind:
        case KeyType.ED25519:
            ed25519.Ed25519PublicKey.from_public_bytes(data).verify(signature, message)
        case KeyType.SECP256K1:
            point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), data)
            point.verify(signature, message, ec.ECDSA(hashes.SHA256()))
        case KeyType.ECDSA:
            serialization.load_der_public_key(data).verify(signature, message, ec.ECDSA(hashes.SHA256()))
        case KeyType.RSA:
            serialization.load_der_public_key(data).verify(signature, message, PKCS1v15(), hashes.SHA256())


class TestGenerate:
    @by_kind
    def test_two_differ_and_are_of_the_kind(self, kind):
        one, other = KeyPair.generate(kind), KeyPair.generate(kind)
        assert one.peer_id != other.peer_id
        assert one.public_key.kind is kind
        assert KeyPair.from_protobuf(one.to_protobuf()).public_key == one.public_key

    def test_the_default_is_ed25519(self):
        assert KeyPair.generate().public_key.kind is KeyType.ED25519

    @pytest.mark.parametrize(("asked", "made"), [(None, 2048), (2048, 2048), (8192, 8192)])
    def test_rsa_size_is_handed_on(self, asked, made, pairs, monkeypatch):
        key = serialization.load_pem_private_key(pairs[KeyType.RSA].to_pem(), None)
        sizes = []

        def generate(exponent, bits):
            sizes.append((exponent, bits))
            return key  # a real one of the longest size takes many seconds

        monkeypatch.setattr(rsa, "generate_private_key", generate)
        KeyPair.generate(KeyType.RSA, bits=asked)
        assert sizes == [(65537, made)]

    def test_rsa_of_another_size(self):
        data = KeyPair.generate(KeyType.RSA, bits=2056).public_key.data
        assert serialization.load_der_public_key(data).key_size == 2056

    @pytest.mark.parametrize("bits", [0, -1, 1024, 2047, 8193, 1 << 20])
    def test_rsa_sizes_that_peers_refuse(self, bits):
        with pytest.raises(ConfigError, match="2048 to 8192"):
            KeyPair.generate(KeyType.RSA, bits=bits)

    @by_traditional_kind
    def test_only_rsa_has_a_size(self, kind):
        if kind is not KeyType.RSA:
            with pytest.raises(ConfigError, match="only RSA"):
                KeyPair.generate(kind, bits=2048)


class TestRoundTrips:
    @by_kind
    @pytest.mark.parametrize("password", [None, "päss", b"\xff\x00"])
    def test_pkcs8(self, kind, password, pairs):
        pair = pairs[kind]
        for read, written in (
            (KeyPair.from_pem, pair.to_pem(password=password)),
            (KeyPair.from_der, pair.to_der(password=password)),
        ):
            assert read(written, password=password).to_protobuf() == pair.to_protobuf()
        label = b"PRIVATE KEY" if password is None else b"ENCRYPTED PRIVATE KEY"
        assert pair.to_pem(password=password).startswith(b"-----BEGIN " + label)

    @by_traditional_kind
    def test_sec1_and_pkcs1(self, kind, pairs):
        pair = pairs[kind]
        text = pair.to_pem(traditional=True)
        assert text.startswith(b"-----BEGIN RSA" if kind is KeyType.RSA else b"-----BEGIN EC ")
        assert KeyPair.from_pem(text.decode()).to_protobuf() == pair.to_protobuf()
        content = pair.to_der(traditional=True)
        assert KeyPair.from_der(memoryview(content)).to_protobuf() == pair.to_protobuf()
        if kind is not KeyType.SECP256K1:
            assert content == decode_private_key(pair.to_protobuf())[1]

    @by_kind
    @pytest.mark.parametrize("encoding", ["protobuf", "pem", "der"])
    def test_files_are_known_by_their_content(self, kind, encoding, pairs, tmp_path, caplog):
        path = tmp_path / "key"
        pairs[kind].save(path, encoding=encoding)
        assert KeyPair.load(path).to_protobuf() == pairs[kind].to_protobuf()
        assert not caplog.records  # which would say that others can read it

    @by_kind
    def test_encrypted_files(self, kind, pairs, tmp_path):
        path = tmp_path / "key"
        for encoding in ("pem", "der"):
            pairs[kind].save(path, encoding=encoding, password="secret", overwrite=True)
            assert KeyPair.load(path, password="secret").public_key == pairs[kind].public_key
            with pytest.raises(InvalidKeyError, match=r"key: .*encrypted") as error:
                KeyPair.load(path)
            assert error.value.hint == "it needs its password"
            with pytest.raises(InvalidKeyError, match="password does not open"):
                KeyPair.load(path, password="public")

    def test_traditional_files(self, pairs, tmp_path):
        pairs[KeyType.ECDSA].save(tmp_path / "key", encoding="pem", traditional=True)
        assert (tmp_path / "key").read_bytes().startswith(b"-----BEGIN EC PRIVATE KEY")
        assert KeyPair.load(tmp_path / "key").public_key == pairs[KeyType.ECDSA].public_key

    @by_kind
    def test_a_key_of_cryptography(self, kind, pairs):
        native = serialization.load_pem_private_key(pairs[kind].to_pem(), None)
        assert KeyPair(native).to_protobuf() == pairs[kind].to_protobuf()

    def test_text_around_the_key(self, pairs):
        text = pairs[KeyType.ECDSA].to_pem(traditional=True)
        parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
        for around in (b"Bag Attributes\n" + text, parameters + text, text.replace(b"\n", b"\r\n")):
            assert KeyPair.from_pem(around).public_key == pairs[KeyType.ECDSA].public_key

    @pytest.mark.parametrize("settings", [{"password": "x"}, {"traditional": True}])
    def test_key_message_has_one_form(self, settings, pairs, tmp_path):
        with pytest.raises(ConfigError, match="one form"):
            pairs[KeyType.RSA].save(tmp_path / "key", **settings)
        assert not list(tmp_path.iterdir())

    def test_forms_that_there_are_not(self, pairs):
        with pytest.raises(ConfigError, match="Ed25519"):
            pairs[KeyType.ED25519].to_pem(traditional=True)
        with pytest.raises(ConfigError, match="too weak"):
            pairs[KeyType.RSA].to_der(traditional=True, password="x")
        with pytest.raises(ConfigError, match="empty password"):
            pairs[KeyType.RSA].to_pem(password="")

    def test_a_password_that_nothing_needs(self, pairs, tmp_path):
        for encoding in ("protobuf", "pem", "der"):
            pairs[KeyType.ED25519].save(tmp_path / "key", encoding=encoding, overwrite=True)
            with pytest.raises(InvalidKeyError, match="not encrypted"):
                KeyPair.load(tmp_path / "key", password="x")


class TestEcdsaForms:
    """Some implementations leave out what both sides know."""

    def test_without_the_curve_and_the_public_key(self, pairs):
        scalar = decode_private_key(private(KeyType.ECDSA))[1][7:39]
        pair = KeyPair.from_protobuf(message(KeyType.ECDSA, bytes.fromhex("30250201010420") + scalar))
        assert pair.to_protobuf() == private(KeyType.ECDSA)

    def test_without_the_curve(self, pairs):
        data = decode_private_key(private(KeyType.ECDSA))[1]
        pair = KeyPair.from_protobuf(message(KeyType.ECDSA, b"\x30\x6b" + data[2:39] + data[51:]))
        assert pair.to_protobuf() == private(KeyType.ECDSA)

    def test_public_key_of_somebody_else(self):
        data = decode_private_key(private(KeyType.ECDSA))[1]
        point = KeyPair.generate(KeyType.ECDSA).public_key.data[-65:]
        with pytest.raises(InvalidKeyError):
            KeyPair.from_protobuf(message(KeyType.ECDSA, data[:-65] + point))


class TestMalformed:
    @pytest.mark.parametrize(
        ("kind", "data", "match"),
        [
            (KeyType.ED25519, bytes(31), "32 bytes"),
            (KeyType.ED25519, bytes(65), "do not belong together"),
            (KeyType.ED25519, bytes(96), "do not belong together"),
            (KeyType.SECP256K1, b"", "32 bytes"),
            (KeyType.SECP256K1, bytes(31), "32 bytes"),
            (KeyType.SECP256K1, bytes(33), "32 bytes"),
            (KeyType.SECP256K1, bytes(32), "order"),
            (KeyType.SECP256K1, ORDER_OF_SECP256K1.to_bytes(32, "big"), "order"),
            (KeyType.SECP256K1, b"\xff" * 32, "order"),
            (KeyType.ECDSA, b"", "P-256"),
            (KeyType.ECDSA, bytes(32), "P-256"),
            (KeyType.ECDSA, bytes(121), "P-256"),
            (KeyType.ECDSA, bytes(300), "P-256"),
            (KeyType.RSA, b"", "PKCS#1"),
            (KeyType.RSA, bytes(1200), "PKCS#1"),
        ],
    )
    def test_data(self, kind, data, match):
        with pytest.raises(InvalidKeyError, match=match):
            KeyPair.from_protobuf(message(kind, data))

    @pytest.mark.parametrize("kind", [KeyType.ECDSA, KeyType.RSA], ids=lambda kind: kind.name)
    def test_der_cut_short_or_with_more_after_it(self, kind, pairs):
        data = decode_private_key(pairs[kind].to_protobuf())[1]
        for wrong in (data[:-1], data[:40], data + b"\x00", data[1:]):
            with pytest.raises(InvalidKeyError):
                KeyPair.from_protobuf(message(kind, wrong))

    def test_der_of_another_kind(self, pairs):
        for kind, other in (
            (KeyType.RSA, KeyType.ECDSA),
            (KeyType.ECDSA, KeyType.RSA),
            (KeyType.ECDSA, KeyType.SECP256K1),
            (KeyType.RSA, KeyType.SECP256K1),
        ):
            with pytest.raises(InvalidKeyError, match="PKCS#1" if kind is KeyType.RSA else "P-256"):
                KeyPair.from_protobuf(message(kind, pairs[other].to_der(traditional=True)))

    def test_rsa_parts_that_do_not_belong_together(self):
        key = KeyPair.generate(KeyType.RSA).to_protobuf()
        for position in (100, 400, 700, 900, 1100, len(key) - 1):
            damaged = bytearray(key)
            damaged[position] ^= 4
            with pytest.raises(InvalidKeyError):
                KeyPair.from_protobuf(damaged)

    def test_rsa_that_is_too_short(self):
        native = rsa.generate_private_key(65537, 1024)
        with pytest.raises(InvalidKeyError, match="fewer than 2048 bits"):
            KeyPair(native)
        with pytest.raises(InvalidKeyError, match="fewer than 2048 bits"):
            KeyPair.from_protobuf(message(KeyType.RSA, der(native, "TraditionalOpenSSL")))

    @by_kind
    def test_public_keys_are_named(self, kind, pairs):
        if kind is not KeyType.ED25519:
            with pytest.raises(InvalidKeyError, match=f"public key of type {kind.name}"):
                KeyPair.from_protobuf(bytes.fromhex(VECTORS[kind.name]["public"]))
        native = serialization.load_pem_private_key(pairs[kind].to_pem(), None).public_key()
        info = serialization.PublicFormat.SubjectPublicKeyInfo
        with pytest.raises(InvalidKeyError, match="DER with a public key"):
            KeyPair.from_der(native.public_bytes(serialization.Encoding.DER, info))
        with pytest.raises(InvalidKeyError, match="PEM with PUBLIC KEY"):
            KeyPair.from_pem(native.public_bytes(serialization.Encoding.PEM, info))

    @pytest.mark.parametrize(
        ("make", "name"),
        [
            (x25519.X25519PrivateKey.generate, "type X25519"),
            (ed448.Ed448PrivateKey.generate, "type Ed448"),
            (lambda: ec.generate_private_key(ec.SECP384R1()), "curve secp384r1"),
            (lambda: ec.generate_private_key(ec.BrainpoolP256R1()), "curve brainpoolP256r1"),
            (lambda: dsa.generate_private_key(1024), "type DSA"),
        ],
    )
    def test_kinds_that_peers_do_not_know_are_named(self, make, name):
        native = make()
        with pytest.raises(InvalidKeyError, match=name) as error:
            KeyPair.from_der(der(native, "PKCS8"))
        assert error.value.hint
        with pytest.raises(InvalidKeyError, match=name):
            KeyPair(native)

    @pytest.mark.parametrize(
        ("content", "found"),
        [
            (b"", "there is nothing"),
            (b"hello\n", "text"),
            (b"\x00" * 32, "unknown bytes"),
            (b"\xff\xfe" * 16, "unknown bytes"),
            (b"\x30", "DER without a private key"),
            (b"\x30\x80" * 100, "DER without a private key"),
            (b"\x30\x03\x02\x01\x00", "DER without a private key"),
            (b"\x08\x01", "no libp2p key message"),
            (b"\x08\x09\x12\x00", "unknown key type 9"),
            (b"-----BEGIN \n", "PEM with no readable label"),
            (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "PEM with CERTIFICATE"),
            (b"-----BEGIN PRIVATE KEY-----\n", "PEM without a private key"),
            (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "PEM without a private key"),
        ],
    )
    def test_files_say_what_was_found(self, content, found, tmp_path):
        path = tmp_path / "notes.txt"
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(InvalidKeyError, match=found) as error:
            KeyPair.load(path)
        assert "notes.txt" in str(error.value)

    def test_openssh_has_its_own_form(self):
        native = ed25519.Ed25519PrivateKey.generate()
        with pytest.raises(InvalidKeyError, match="PEM with OPENSSH PRIVATE KEY"):
            KeyPair.from_pem(
                native.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.OpenSSH,
                    serialization.NoEncryption(),
                )
            )

    def test_pem_is_asked_for_and_something_else_is_there(self):
        with pytest.raises(InvalidKeyError, match="nothing in it is PEM"):
            KeyPair.from_pem(private(KeyType.ED25519))

    @given(st.sampled_from(KINDS), st.binary(max_size=200))
    def test_any_data(self, kind, data):
        usable_or_refused(lambda: KeyPair.from_protobuf(message(kind, data)))

    @given(st.integers(0, 120), st.integers(0, 255))
    def test_any_damage_to_an_ecdsa_key(self, position, value):
        data = bytearray(decode_private_key(private(KeyType.ECDSA))[1])
        data[position] = value
        usable_or_refused(lambda: KeyPair.from_protobuf(message(KeyType.ECDSA, bytes(data))))
        usable_or_refused(lambda: KeyPair.from_der(bytes(data)))


def usable_or_refused(read):
    try:
        pair = read()
    except InvalidKeyError:
        return
    assert pair.public_key.verify(MESSAGE, pair.sign(MESSAGE))


def message(kind, data):
    return encode_private_key(kind, data)


def der(native, form):
    return native.private_bytes(
        serialization.Encoding.DER,
        getattr(serialization.PrivateFormat, form),
        serialization.NoEncryption(),
    )


def test_no_key_is_longer_than_its_message_can_say():
    longest = bytes((1 << 14) - 1)
    assert decode_private_key(encode_private_key(KeyType.RSA, longest)) == (KeyType.RSA, longest)
    with pytest.raises(InvalidKeyError, match="longer than any"):
        encode_private_key(KeyType.RSA, longest + b"\x00")
