//! Public keys, peer ids and signed envelopes, against published vectors and by property.

mod hex;

use hex::bytes;
use k256::ecdsa::Signature as Secp256k1Signature;
use plait_core::identity::{
    Error, KeyType, PEER_RECORD_DOMAIN, PEER_RECORD_PAYLOAD_TYPE, PeerId, PublicKey, open_envelope,
    open_peer_record, signed_bytes,
};
use plait_core::messages::{self, Envelope, MAX_PUBLIC_KEY, PeerRecord};
use proptest::prelude::*;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

/// The four public keys of the peer id specification.
const SPEC_ED25519: &str = "080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e";
const SPEC_SECP256K1: &str = "08021221037777e994e452c21604f91de093ce415f5432f701dd8cd1a7a6fea0e630bfca99";
const SPEC_ECDSA: &str = "0803125b3059301306072a8648ce3d020106082a8648ce3d03010703420004de3d300fa36ae0e8f5d530899d83abab44abf3161f162a4bc901d8e6ecda020e8b6d5f8da30525e71d6851510c098e5c47c646a597fb4dcec034e9f77c409e62";
const SPEC_RSA: &str = "080012a60430820222300d06092a864886f70d01010105000382020f003082020a0282020100e1beab071d08200bde24eef00d049449b07770ff9910257b2d7d5dda242ce8f0e2f12e1af4b32d9efd2c090f66b0f29986dbb645dae9880089704a94e5066d594162ae6ee8892e6ec70701db0a6c445c04778eb3de1293aa1a23c3825b85c6620a2bc3f82f9b0c309bc0ab3aeb1873282bebd3da03c33e76c21e9beb172fd44c9e43be32e2c99827033cf8d0f0c606f4579326c930eb4e854395ad941256542c793902185153c474bed109d6ff5141ebf9cd256cf58893a37f83729f97e7cb435ec679d2e33901d27bb35aa0d7e20561da08885ef0abbf8e2fb48d6a5487047a9ecb1ad41fa7ed84f6e3e8ecd5d98b3982d2a901b4454991766da295ab78822add5612a2df83bcee814cf50973e80d7ef38111b1bd87da2ae92438a2c8cbcc70b31ee319939a3b9c761dbc13b5c086d6b64bf7ae7dacc14622375d92a8ff9af7eb962162bbddebf90acb32adb5e4e4029f1c96019949ecfbfeffd7ac1e3fbcc6b6168c34be3d5a2e5999fcbb39bba7adbca78eab09b9bc39f7fa4b93411f4cc175e70c0a083e96bfaefb04a9580b4753c1738a6a760ae1afd851a1a4bdad231cf56e9284d832483df215a46c1c21bdf0c6cfe951c18f1ee4078c79c13d63edb6e14feaeffabc90ad317e4875fe648101b0864097e998f0ca3025ef9638cd2b0caecd3770ab54a1d9c6ca959b0f5dcbc90caeefc4135baca6fd475224269bbe1b0203010001";

/// Keys of go-libp2p's fixtures and their signatures over [`GO_MESSAGE`].
const GO_MESSAGE: &[u8] = b"Libp2p is the _best_!";
const GO_RSA: &str = "080012a60230820122300d06092a864886f70d01010105000382010f003082010a0282010100f2b75b418c28ed7aabfe17e90dfb93c13f2ec6381d072f862fb75808b96d227eef2083d31f4a78069f85ad6a8c73896ea385a386430d1cc09a90a230f00911515c5538c4b62d897fc665df1150456aec75cdb2310c88f2079c82f56a79375c79e4f840f0eb15213f1972d6a248d684453ce5d3e3ec091f38c2f95c3ab5a1dfb603a9f955ebd9a75814ec5b725bb8882b047dbbae000ad88a5236596ad800c4ccfae3c74d69f8c665741d47972213dd4fdc83d39bab7ccce49f65e2dee7c76cd79c3500aafe7207ad41d843d89ac11e6653b872dfb2c5d790ec4eb6d954aa6e14a55463659edf0a2513c0aad9b8349f259a9b605b3d71dec43b69ee6be851a7530203010001";
const GO_RSA_SIGNATURE: &str = "6e111325f710ad394633cfd37e467e18c5137fb63d182c9b8ea34386727c833160dc010dee126ee2baf33515ff598730fbc3d3816ec5dbc626f8b17208432620f7915fbe1b6e5ace206d3fb98c3f93dab0e8c19f0c1592ed2c8a354bccd3c0d6de54747dc5e4fc234b87f7f4e0a63c7b6512ca3ca6a5a588e8639ee1820f2150fdb4bb00215e50b3227f4d1d21be8ea1e8c80eb3192749ad8cd5dc9bd2b3184015a06b8d6ffb6e0726aaa4aa7d3e7102c69a07f7340332bad47fdcfee22ba25c28233344436aba3e92c0276dcce8f2e56c44b66857591ce815d87db6e87b2b74b94812a95e85b6eeab706434d8b0687fa717594cd6a5a82024a15d1a0aedebfe";
const GO_SECP256K1: &str = "08021221023540ad842af8a43551a94d8383a555a99226506b88f953d2e70316a3a1b3d6a2";
const GO_SECP256K1_SIGNATURE: &str = "3044022031a7d633c2f3e45a16128d43751afaa8dc9ba24092c5f5b3cad2c8fe4cf388f2022049ea8d219f458683d24775d543ea8fb290704347fb35493c403bc2c259b29d9e";
const GO_ECDSA: &str = "0803125b3059301306072a8648ce3d020106082a8648ce3d03010703420004e29a8674f3614e0ccb72406bfe2137e9f8c5f7d62d137f0a2edd233e35374777fd1f9aed4d2cfa7371caafc6ef02db83b81f77cfe1bcd8c715acf0b9a2778ea9";
const GO_ECDSA_SIGNATURE: &str = "3046022100846a6685b9e72b560cb2fc4a75f9cbc38a90aaeaa7f3f25ee719832db7b93a65022100cd992bb7bd2bcc28c7db04987d10adc490fe348270954f7696cb0dffff0dfc3d";

fn key(hex: &str) -> PublicKey {
    PublicKey::decode(&bytes(hex)).unwrap()
}

/// A pair that signs, for what no published vector covers.
fn ed25519(seed: u8) -> (Ed25519KeyPair, PublicKey) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
    let public = PublicKey::new(KeyType::Ed25519, pair.public_key().as_ref()).unwrap();
    (pair, public)
}

#[test]
fn peer_ids_of_the_specification() {
    for (hex, kind, text, inline) in [
        (SPEC_ED25519, KeyType::Ed25519, "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq", true),
        (SPEC_SECP256K1, KeyType::Secp256k1, "16Uiu2HAmLhLvBoYaoZfaMUKuibM6ac163GwKY74c5kiSLg5KvLpY", true),
        (SPEC_ECDSA, KeyType::Ecdsa, "QmVMT29id3TUASyfZZ6k9hmNyc2nYabCo4uMSpDw4zrgDk", false),
        (SPEC_RSA, KeyType::Rsa, "QmaeANgBs1DTSxWSrPPtobgQuxW8XTfsS4ydbK4rCHzqxG", false),
    ] {
        let key = key(hex);
        let id = key.peer_id();
        assert_eq!(key.kind(), kind);
        assert_eq!(key.encode(), bytes(hex), "{kind} is encoded as it came");
        assert_eq!(id.to_string(), text);
        assert_eq!(PeerId::from_bytes(id.as_bytes()), Ok(id));
        assert_eq!(id.public_key(), inline.then_some(key), "{kind} inline in the id");
    }
}

#[test]
fn signatures_of_other_implementations_verify() {
    for (key_hex, signature_hex) in
        [(GO_RSA, GO_RSA_SIGNATURE), (GO_SECP256K1, GO_SECP256K1_SIGNATURE), (GO_ECDSA, GO_ECDSA_SIGNATURE)]
    {
        let key = key(key_hex);
        let signature = bytes(signature_hex);
        assert_eq!(key.verify(GO_MESSAGE, &signature), Ok(()), "{}", key.kind());
        assert_eq!(key.verify(b"Libp2p is the _best_?", &signature), Err(Error::InvalidSignature));
        for index in 0..signature.len() {
            let mut flipped = signature.clone();
            flipped[index] ^= 1;
            assert_eq!(key.verify(GO_MESSAGE, &flipped), Err(Error::InvalidSignature), "byte {index}");
        }
        for length in [0, 1, signature.len() - 1] {
            assert_eq!(key.verify(GO_MESSAGE, &signature[..length]), Err(Error::InvalidSignature));
        }
        let longer = [signature.as_slice(), &[0]].concat();
        assert_eq!(key.verify(GO_MESSAGE, &longer), Err(Error::InvalidSignature));
    }
}

#[test]
fn ed25519_vector_of_rfc_8032() {
    let key = PublicKey::new(
        KeyType::Ed25519,
        bytes("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"),
    );
    let signature = bytes(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da
         085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    );
    assert_eq!(key.clone().unwrap().verify(&[0x72], &signature), Ok(()));
    assert_eq!(key.clone().unwrap().verify(&[0x73], &signature), Err(Error::InvalidSignature));
    assert_eq!(key.unwrap().verify(&[0x72], &signature[..63]), Err(Error::InvalidSignature));
}

#[test]
fn ed25519_signature_with_the_group_order_added_is_refused() {
    let (pair, public) = ed25519(1);
    let mut signature = pair.sign(b"message").as_ref().to_vec();
    assert_eq!(public.verify(b"message", &signature), Ok(()));
    let order = bytes("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let mut carry = 0;
    for (digit, add) in signature[32..].iter_mut().zip(order) {
        let sum = u16::from(*digit) + u16::from(add) + carry;
        *digit = sum as u8;
        carry = sum >> 8;
    }
    assert_eq!(public.verify(b"message", &signature), Err(Error::InvalidSignature));
}

#[test]
fn ed25519_key_of_small_order_is_refused() {
    let mut neutral = [0; 32];
    neutral[0] = 1;
    // R is the neutral element and S is zero: without the cofactor this verifies for any message.
    let forged = [neutral, [0; 32]].concat();
    let naive = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, neutral);
    assert!(naive.verify(b"anything", &forged).is_ok(), "the forgery is one");
    for point in [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    ] {
        let key = PublicKey::new(KeyType::Ed25519, bytes(point)).unwrap();
        let refused = Error::InvalidKey { kind: KeyType::Ed25519, why: "is a point of small order" };
        assert_eq!(key.verify(b"anything", &forged), Err(refused), "{point}");
    }
}

#[test]
fn secp256k1_signature_with_high_s_is_refused() {
    let key = key(GO_SECP256K1);
    let low = Secp256k1Signature::from_der(&bytes(GO_SECP256K1_SIGNATURE)).unwrap();
    let (r, s) = low.split_scalars();
    let high = Secp256k1Signature::from_scalars(*r, -*s).unwrap();
    assert_eq!(key.verify(GO_MESSAGE, low.to_der().as_bytes()), Ok(()));
    assert_eq!(key.verify(GO_MESSAGE, high.to_der().as_bytes()), Err(Error::InvalidSignature));
}

#[test]
fn ecdsa_p256_signature_may_have_high_s() {
    let der = bytes(GO_ECDSA_SIGNATURE);
    assert!(der[5] >= 0x80 && der[40] > 0x80, "the fixture has a high S");
    assert_eq!(key(GO_ECDSA).verify(GO_MESSAGE, &der), Ok(()));
}

#[test]
fn points_off_their_curve_verify_nothing() {
    let off_curve = [
        PublicKey::new(KeyType::Ed25519, bytes(&format!("02{}", "00".repeat(31)))),
        PublicKey::new(KeyType::Secp256k1, bytes(&format!("02{}05", "00".repeat(31)))),
    ];
    for key in off_curve {
        let key = key.unwrap();
        let refused = Error::InvalidKey { kind: key.kind(), why: "is not a point of its curve" };
        assert_eq!(key.verify(b"", &[0; 64]), Err(refused));
    }
    let mut off_p256 = bytes(GO_ECDSA);
    *off_p256.last_mut().unwrap() ^= 1;
    let key = PublicKey::decode(&off_p256).unwrap();
    assert_eq!(key.verify(GO_MESSAGE, &bytes(GO_ECDSA_SIGNATURE)), Err(Error::InvalidSignature));
}

#[test]
fn key_messages_are_read_leniently_and_named_canonically() {
    let canonical = bytes(SPEC_ED25519);
    let data = &canonical[2..];
    let reordered = [data, &canonical[..2]].concat();
    let with_unknown_field = [canonical.as_slice(), &bytes("1a0178")].concat();
    let with_long_varints = [&bytes("08810012a000"), &canonical[4..]].concat();
    let repeated = [&bytes("0800"), canonical.as_slice()].concat();
    for message in [reordered, with_unknown_field, with_long_varints, repeated] {
        let key = PublicKey::decode(&message).unwrap();
        assert_eq!(key.encode(), canonical);
        assert_eq!(key.peer_id(), self::key(SPEC_ED25519).peer_id());
    }
}

#[test]
fn rsa_type_zero_is_written() {
    assert_eq!(key(GO_RSA).encode()[..2], [0x08, 0x00]);
}

#[test]
fn key_messages_with_something_missing_or_wrong_are_refused() {
    let missing = |field| Error::Message(messages::Error::MissingField { message: "public key", field });
    let without_type = bytes(SPEC_ED25519)[2..].to_vec();
    assert_eq!(PublicKey::decode(&[]), Err(missing("Type")));
    assert_eq!(PublicKey::decode(&without_type), Err(missing("Type")));
    assert_eq!(PublicKey::decode(&bytes("0801")), Err(missing("Data")));
    assert_eq!(PublicKey::decode(&bytes("08041200")), Err(Error::UnknownKeyType(4)));
    for length in 3..36 {
        let error = PublicKey::decode(&bytes(SPEC_ED25519)[..length]).unwrap_err();
        assert!(matches!(error, Error::Message(messages::Error::Malformed { .. })), "{length}: {error}");
    }
    let too_long = vec![0; MAX_PUBLIC_KEY + 1];
    let error = PublicKey::decode(&too_long).unwrap_err();
    assert!(matches!(error, Error::Message(messages::Error::TooLong { length: 2049, .. })), "{error}");
}

#[test]
fn key_bytes_of_the_wrong_form_are_refused() {
    let refused = |kind, data: Vec<u8>, reason: &str| {
        let Err(Error::InvalidKey { kind: named, why }) = PublicKey::new(kind, data) else {
            panic!("accepted: {reason}");
        };
        assert_eq!((named, why), (kind, reason));
    };
    for length in [0, 31, 33, 64] {
        refused(KeyType::Ed25519, vec![1; length], "is not 32 bytes");
    }
    let not_compressed = "is not a compressed point";
    refused(KeyType::Secp256k1, vec![], not_compressed);
    refused(KeyType::Secp256k1, vec![2; 32], not_compressed);
    refused(KeyType::Secp256k1, vec![4; 65], not_compressed);
    refused(KeyType::Secp256k1, vec![4; 33], not_compressed);

    let not_p256 = "is not a SubjectPublicKeyInfo with a P-256 point";
    let p256 = key(GO_ECDSA).data().to_vec();
    refused(KeyType::Ecdsa, p256[26..].to_vec(), not_p256);
    refused(KeyType::Ecdsa, p256[..90].to_vec(), not_p256);
    refused(KeyType::Ecdsa, [p256.as_slice(), &[0]].concat(), not_p256);
    let mut compressed = p256.clone();
    compressed[26] = 2;
    refused(KeyType::Ecdsa, compressed, not_p256);
    let mut other_curve = p256;
    other_curve[22] ^= 1;
    refused(KeyType::Ecdsa, other_curve, not_p256);
    refused(KeyType::Ecdsa, key(GO_RSA).data().to_vec(), not_p256);
}

#[test]
fn rsa_moduli_outside_2048_to_8192_bits_are_refused() {
    for (bits, expected) in [
        (1024, Some("has fewer than 2048 bits")),
        (2047, Some("has fewer than 2048 bits")),
        (2048, None),
        (8192, None),
        (8193, Some("has more than 8192 bits")),
        (15360, Some("has more than 8192 bits")),
    ] {
        let result = PublicKey::new(KeyType::Rsa, rsa_info(&modulus(bits), &[1, 0, 1]));
        let expected = expected.map(|why| Error::InvalidKey { kind: KeyType::Rsa, why });
        assert_eq!(result.err(), expected, "{bits} bits");
    }
}

#[test]
fn rsa_keys_have_one_encoding_only() {
    let good = modulus(2048);
    let padded = [&[0], good.as_slice()].concat();
    let negative = good[1..].to_vec();
    let info = rsa_info(&good, &[1, 0, 1]);
    let mut indefinite = info.clone();
    indefinite[1] = 0x80;
    let mut unused_bits = info.clone();
    unused_bits[23] = 1;
    let mut without_null = info.clone();
    without_null[17] = 4;
    for (what, data) in [
        ("padded modulus", rsa_info(&padded, &[1, 0, 1])),
        ("negative modulus", rsa_info(&negative, &[1, 0, 1])),
        ("zero modulus", rsa_info(&[0], &[1, 0, 1])),
        ("zero exponent", rsa_info(&good, &[0])),
        ("no exponent", rsa_info(&good, &[])),
        ("padded exponent", rsa_info(&good, &[0, 1, 0, 1])),
        ("bytes after it", [info.as_slice(), &[0]].concat()),
        ("cut short", info[..info.len() - 1].to_vec()),
        ("indefinite length", indefinite),
        ("long form of a short length", rsa_info_of(&[der(0x02, &good), bytes("028103010001")].concat())),
        ("length with a leading zero", rsa_info_of(&[der(0x02, &good), bytes("02820003010001")].concat())),
        ("unused bits", unused_bits),
        ("other parameters", without_null),
        ("nothing", vec![]),
    ] {
        let expected = Error::InvalidKey { kind: KeyType::Rsa, why: "is not a SubjectPublicKeyInfo of RSA" };
        assert_eq!(PublicKey::new(KeyType::Rsa, data), Err(expected), "{what}");
    }
}

#[test]
fn peer_id_is_an_inline_key_or_a_sha256_digest() {
    let accepted = |hex: &str| PeerId::from_bytes(&bytes(hex)).map(|id| id.as_bytes().to_vec());
    for hex in [
        "0000".to_owned(),
        format!("0024{}", SPEC_ED25519),
        format!("002a{}", "07".repeat(42)),
        format!("1220{}", "07".repeat(32)),
    ] {
        assert_eq!(accepted(&hex), Ok(bytes(&hex)));
    }
    for hex in [
        String::new(),
        "00".to_owned(),
        format!("002b{}", "07".repeat(43)),
        format!("1220{}", "07".repeat(31)),
        format!("1220{}", "07".repeat(33)),
        format!("121f{}", "07".repeat(31)),
        format!("1120{}", "07".repeat(32)),
        format!("1340{}", "07".repeat(64)),
        format!("800020{}", "07".repeat(32)),
        format!("00a400{SPEC_ED25519}"),
    ] {
        assert!(matches!(accepted(&hex), Err(Error::InvalidPeerId(_))), "{hex}");
    }
}

#[test]
fn inline_keys_that_are_not_canonical_are_nobodys() {
    let reordered = [&bytes(SPEC_ED25519)[2..], &[0x08, 0x01]].concat();
    let id = PeerId::from_bytes(&[&[0x00, 0x24], reordered.as_slice()].concat()).unwrap();
    assert_eq!(id.public_key(), None);
    let garbage = PeerId::from_bytes(&[0x00, 0x02, 0xff, 0xff]).unwrap();
    assert_eq!(garbage.public_key(), None);
}

const RECORD_ENVELOPE: &str = "0a24080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e
    120203011a36
    0a260024080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e10011a0a0a08047f000001060fa1
    2a40
    4504e51a36806e8eba9344a743f2e1cbd0170d2632fb413f98101f6e3ff26d3d
    a91f4eedebf36383fa5819438bce1d7398117236e52d2d1dfce98196294ac60e";

#[test]
fn signed_peer_record_vector() {
    let owner = key(SPEC_ED25519).peer_id();
    let record = open_peer_record(&bytes(RECORD_ENVELOPE), Some(&owner)).unwrap();
    let expected =
        PeerRecord { peer_id: owner.as_bytes().to_vec(), seq: 1, addresses: vec![bytes("047f000001060fa1")] };
    assert_eq!(record, expected);
    let envelope = Envelope::decode(&bytes(RECORD_ENVELOPE)).unwrap();
    assert_eq!(envelope.encode().unwrap(), bytes(RECORD_ENVELOPE));
    assert_eq!(expected.encode(), envelope.payload.unwrap());
    let prefix = bytes("126c69627032702d706565722d7265636f726402030136");
    let signed = signed_bytes(PEER_RECORD_DOMAIN, PEER_RECORD_PAYLOAD_TYPE, &expected.encode());
    assert_eq!(signed, [prefix, expected.encode()].concat());
}

#[test]
fn signed_peer_record_with_any_byte_flipped_does_not_open() {
    let good = bytes(RECORD_ENVELOPE);
    for index in 0..good.len() {
        let mut flipped = good.clone();
        flipped[index] ^= 1;
        assert!(open_peer_record(&flipped, None).is_err(), "byte {index}");
    }
}

#[test]
fn signed_envelope_opens_in_its_domain_and_as_its_type_only() {
    let (pair, public) = ed25519(3);
    let seal = |domain: &str, payload_type: &[u8]| {
        let signature = pair.sign(&signed_bytes(domain, payload_type, b"payload")).as_ref().to_vec();
        let envelope = Envelope {
            public_key: Some(public.encode()),
            payload_type: Some(payload_type.to_vec()),
            payload: Some(b"payload".to_vec()),
            signature: Some(signature),
        };
        envelope.encode().unwrap()
    };
    let open = |envelope: &[u8]| open_envelope(envelope, PEER_RECORD_DOMAIN, PEER_RECORD_PAYLOAD_TYPE);
    let good = seal(PEER_RECORD_DOMAIN, PEER_RECORD_PAYLOAD_TYPE);
    assert_eq!(open(&good), Ok((public.clone(), b"payload".to_vec())));
    let legacy = seal("libp2p-routing-state", PEER_RECORD_PAYLOAD_TYPE);
    assert_eq!(open(&legacy), Err(Error::InvalidSignature));
    let varint_type = seal(PEER_RECORD_DOMAIN, &[0x81, 0x06]);
    assert_eq!(open(&varint_type), Err(Error::UnexpectedPayloadType(vec![0x81, 0x06])));
    let text_type = seal("libp2p-routing-state", b"/libp2p/routing-state-record");
    assert!(matches!(open(&text_type), Err(Error::UnexpectedPayloadType(_))));
}

#[test]
fn peer_record_about_somebody_else_does_not_open() {
    let ((pair, signer), (_, victim)) = (ed25519(3), ed25519(4));
    let seal = |about: PeerId| {
        let record = PeerRecord { peer_id: about.as_bytes().to_vec(), seq: 1, addresses: vec![] };
        let signed = signed_bytes(PEER_RECORD_DOMAIN, PEER_RECORD_PAYLOAD_TYPE, &record.encode());
        let envelope = Envelope {
            public_key: Some(signer.encode()),
            payload_type: Some(PEER_RECORD_PAYLOAD_TYPE.to_vec()),
            payload: Some(record.encode()),
            signature: Some(pair.sign(&signed).as_ref().to_vec()),
        };
        envelope.encode().unwrap()
    };
    let (signer, victim) = (signer.peer_id(), victim.peer_id());
    let stolen = open_peer_record(&seal(victim), Some(&victim));
    assert_eq!(stolen, Err(Error::NotTheSigner { record: victim, signer }));
    let unexpected = open_peer_record(&seal(signer), Some(&victim));
    assert_eq!(unexpected, Err(Error::NotTheSigner { record: signer, signer: victim }));
    assert!(open_peer_record(&seal(signer), Some(&signer)).is_ok());
}

#[test]
fn envelope_with_a_field_missing_does_not_open() {
    for (field, remove) in [
        ("public_key", (|e| e.public_key = None) as fn(&mut Envelope)),
        ("payload_type", |e| e.payload_type = None),
        ("signature", |e| e.signature = None),
    ] {
        let mut envelope = Envelope::decode(&bytes(RECORD_ENVELOPE)).unwrap();
        remove(&mut envelope);
        let missing = messages::Error::MissingField { message: "envelope", field };
        let opened = open_peer_record(&envelope.encode().unwrap(), None);
        assert_eq!(opened, Err(Error::Message(missing)));
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_peer_id_or_an_error(multihash in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(id) = PeerId::from_bytes(&multihash) {
            prop_assert_eq!(id.as_bytes(), multihash);
            prop_assert!(id.public_key().is_none_or(|key| key.peer_id() == id));
        }
    }

    #[test]
    fn any_bytes_are_a_key_or_an_error(message in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(key) = PublicKey::decode(&message) {
            prop_assert_eq!(PublicKey::decode(&key.encode()), Ok(key));
        }
    }

    #[test]
    fn any_damage_to_an_rsa_key_is_survived(index in 0_usize..290, value: u8) {
        let mut message = bytes(GO_RSA);
        message[index] = value;
        if let Ok(key) = PublicKey::decode(&message) {
            let _ = key.verify(GO_MESSAGE, &bytes(GO_RSA_SIGNATURE));
        }
    }
}

/// A positive DER integer with exactly this many bits.
fn modulus(bits: usize) -> Vec<u8> {
    let mut integer = vec![0xff; bits.div_ceil(8)];
    integer[0] = 0xff >> (integer.len() * 8 - bits);
    if integer[0] >= 0x80 {
        integer.insert(0, 0);
    }
    integer
}

/// A SubjectPublicKeyInfo around the contents of two DER integers.
fn rsa_info(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    rsa_info_of(&[der(0x02, modulus), der(0x02, exponent)].concat())
}

fn rsa_info_of(integers: &[u8]) -> Vec<u8> {
    let key = der(0x30, integers);
    let algorithm = bytes("300d06092a864886f70d0101010500");
    der(0x30, &[algorithm, der(0x03, &[&[0], key.as_slice()].concat())].concat())
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = match content.len() {
        short @ 0..=0x7f => vec![short as u8],
        middle @ 0x80..=0xff => vec![0x81, middle as u8],
        long => vec![0x82, (long >> 8) as u8, long as u8],
    };
    [&[tag], length.as_slice(), content].concat()
}
