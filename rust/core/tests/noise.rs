//! The Noise handshake: the end-to-end vector, any split, and everything that must end it.

mod hex;

use std::sync::Arc;

use hex::bytes;
use plait_core::identity::{self, KeyType, PeerId, PublicKey};
use plait_core::noise::{Completed, EarlyMuxer, Error, Handshake, StaticKeys};
use proptest::prelude::*;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

const YAMUX: &str = "/yamux/1.0.0";
const MPLEX: &str = "/mplex/6.7.0";

/// The parties of the vector: static and ephemeral keys that count up, identities from their seeds.
const INITIATOR_SEED: &str = "7e0830617c4a7de83925dfb2694556b12936c477a0e1feb2e148ec9da60fee7d";
const RESPONDER_SEED: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

const WIRE: [&str; 3] = [
    "0020358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd166254",
    "00d864b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d484663414af878d3e46a2f58911a816d6e8346d
     4ea17a6f2a0bb4ef4ed56c133cff4560a34e36ea82109f26cf2e5a5caf992b8b4dc7d75b054a033342dbf265914e2d75a503d5
     cd8638097f1f7c78c1823545fb36868775ab87e84e207e8f24c789c8d7239959102ccc6861f1a381ab95a7f237c935ae54de96
     2df0411f9c531d0100ed1971f9e74b54cd76b2af781e14eefa289f8c2fe27ba35b94216610cafd32b1ac73bf9b837316a6a5e6
     bc7d4877b2048fe76f9390438306",
    "00b887f864c11ba449f46a0a4f4e2eacbb7b0457784f4fca1937f572c93603e9c4d910eeda59c9686ec4e854b8b6f114f64702
     320cd7b9b479fd98c480fafdd61f5e93858f566ed8b6e39a20b486d45185eb32978db15c655ce1de6fbbdffb953a0c39f0b45a
     87a12bdc01aee67172c64b22b78e1170970225393bcdaf4d88e502fc1b160fd8ebc2f9bab60db8d2f09cc148c20dbe81083101
     8a8cbc9debef6fdb1c510dfc961b06f8a7dadf4965bc1d31cae482a293e09b5f3b",
];

fn counting_from(first: u8) -> [u8; 32] {
    std::array::from_fn(|index| first + index as u8)
}

fn static_keys(secret: [u8; 32], seed: &str) -> Arc<StaticKeys> {
    let pair = Ed25519KeyPair::from_seed_unchecked(&bytes(seed)).unwrap();
    let identity = PublicKey::new(KeyType::Ed25519, pair.public_key().as_ref()).unwrap();
    let signature = pair.sign(&StaticKeys::signed_message(&StaticKeys::public_of(&secret)));
    Arc::new(StaticKeys::new(secret, identity.encode(), signature.as_ref().to_vec()).unwrap())
}

fn muxers(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// The initiator of the vector, dialing `expected`.
fn initiator_expecting(expected: Option<PeerId>, names: &[&str]) -> Handshake {
    let keys = static_keys(counting_from(0), INITIATOR_SEED);
    Handshake::initiator(&keys, counting_from(0x20), &muxers(names), expected).unwrap()
}

fn initiator() -> Handshake {
    initiator_expecting(None, &[YAMUX])
}

fn responder_offering(names: &[&str]) -> Handshake {
    let keys = static_keys(counting_from(1), RESPONDER_SEED);
    Handshake::responder(&keys, counting_from(0x41), &muxers(names), None)
}

fn responder() -> Handshake {
    responder_offering(&[YAMUX])
}

fn sent(handshake: &mut Handshake) -> Vec<u8> {
    let mut out = Vec::new();
    handshake.transmit(&mut out);
    out
}

/// Gives all of `data`, which must neither end the handshake nor belong to anything else.
fn receive(handshake: &mut Handshake, data: &[u8]) {
    let (consumed, completed) = handshake.receive(data).unwrap();
    assert_eq!(consumed, data.len());
    assert!(completed.is_none());
}

fn finish(handshake: &mut Handshake, data: &[u8]) -> Completed {
    let (consumed, completed) = handshake.receive(data).unwrap();
    assert_eq!(consumed, data.len());
    completed.unwrap()
}

/// Both sides of a whole handshake.
fn connect(mut initiator: Handshake, mut responder: Handshake) -> (Completed, Completed) {
    receive(&mut responder, &sent(&mut initiator));
    let ours = finish(&mut initiator, &sent(&mut responder));
    let theirs = finish(&mut responder, &sent(&mut initiator));
    (ours, theirs)
}

fn error(handshake: &mut Handshake, data: &[u8]) -> Error {
    let error = handshake.receive(data).map(|_| ()).unwrap_err();
    assert_eq!(handshake.receive(&[]).map(|_| ()), Err(Error::Ended), "after {error}");
    assert_eq!(sent(handshake), [], "after {error}");
    error
}

#[test]
fn end_to_end_vector() {
    let (mut initiator, mut responder) = (initiator(), responder());
    let first = sent(&mut initiator);
    assert_eq!(first, bytes(WIRE[0]));
    receive(&mut responder, &first);
    let second = sent(&mut responder);
    assert_eq!(second, bytes(WIRE[1]));
    let mut ours = finish(&mut initiator, &second);
    let third = sent(&mut initiator);
    assert_eq!(third, bytes(WIRE[2]));
    let mut theirs = finish(&mut responder, &third);

    let hash = bytes("30a1ae82e8b2129d17176807291973962f46088b7f53dd248dfcb16ce1863820");
    assert_eq!(ours.handshake_hash.as_slice(), hash);
    assert_eq!(theirs.handshake_hash.as_slice(), hash);
    assert_eq!(ours.remote_peer.to_string(), "12D3KooWA4Xop1JaT3MHxwYMkCepYsv4iPVopMXwCz5iHYdBfeSB");
    assert_eq!(theirs.remote_peer.to_string(), "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq");
    assert_eq!(ours.remote.peer_id(), ours.remote_peer);
    for (from, to, plaintext, record) in [
        (&mut ours.sealer, &mut theirs.opener, b"hello", "0015b42ef02ba64ca5462c152305239cdc119c12e46dd8"),
        (&mut theirs.sealer, &mut ours.opener, b"world", "0015205fba428bd2b9e097db69e14bbb943978ff11d775"),
    ] {
        let mut buffer = [&[0, 0], &plaintext[..]].concat();
        from.seal(&mut buffer, 0).unwrap();
        assert_eq!(buffer, bytes(record));
        assert_eq!(to.open(&mut buffer[2..]).unwrap(), plaintext);
    }
}

#[test]
fn bytes_after_the_handshake_are_left_for_the_records() {
    let (mut initiator, mut responder) = (initiator(), responder());
    receive(&mut responder, &sent(&mut initiator));
    let mut ours = finish(&mut initiator, &sent(&mut responder));
    let mut flight = sent(&mut initiator);
    let handshake = flight.len();
    flight.extend_from_slice(b"\0\0early");
    ours.sealer.seal(&mut flight, handshake).unwrap();
    let (consumed, completed) = responder.receive(&flight).unwrap();
    assert_eq!(consumed, handshake);
    assert_eq!(completed.unwrap().opener.open(&mut flight[handshake + 2..]).unwrap(), b"early");
}

#[test]
fn a_completed_handshake_takes_nothing_more() {
    let (mut initiator, mut responder) = (initiator(), responder());
    receive(&mut responder, &sent(&mut initiator));
    let second = sent(&mut responder);
    finish(&mut initiator, &second);
    assert_eq!(initiator.receive(&second).map(|_| ()), Err(Error::Ended));
    assert_eq!(sent(&mut initiator), bytes(WIRE[2]), "what was due is still sent");
}

#[test]
fn no_prefix_of_a_handshake_completes_it() {
    let mut responder = responder();
    let mut initiator = initiator();
    for byte in &bytes(WIRE[0])[..33] {
        receive(&mut responder, &[*byte]);
        assert_eq!(sent(&mut responder), []);
    }
    for byte in &bytes(WIRE[1])[..217] {
        receive(&mut initiator, &[*byte]);
    }
    assert_eq!(sent(&mut initiator), bytes(WIRE[0]));
}

#[test]
fn first_message_with_a_payload_is_refused() {
    let message = [&[0, 33], &bytes(WIRE[0])[2..], &[1]].concat();
    assert_eq!(error(&mut responder(), &message), Error::EarlyPayload);
    assert_eq!(error(&mut responder(), &[0xff, 0xff]), Error::EarlyPayload, "the length is enough to know");
}

#[test]
fn handshake_lengths_that_cannot_be_are_refused_from_the_prefix_alone() {
    let after_first = || {
        let mut responder = responder();
        receive(&mut responder, &bytes(WIRE[0]));
        sent(&mut responder);
        responder
    };
    let refused = |message, length, min, max| Error::MessageLength { message, length, min, max };
    assert_eq!(error(&mut responder(), &[0, 0]), refused(1, 0, 32, 32));
    assert_eq!(error(&mut responder(), &[0, 31]), refused(1, 31, 32, 32));
    for length in [0_u16, 95, 8289, 65535] {
        let expected = refused(2, length.into(), 96, 8288);
        assert_eq!(error(&mut initiator(), &length.to_be_bytes()), expected);
    }
    for length in [0_u16, 63, 8257, 65535] {
        let expected = refused(3, length.into(), 64, 8256);
        assert_eq!(error(&mut after_first(), &length.to_be_bytes()), expected);
    }
}

#[test]
fn ephemeral_keys_of_small_order_are_refused() {
    for point in [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ] {
        let message = [&[0, 32], bytes(point).as_slice()].concat();
        assert_eq!(error(&mut responder(), &message), Error::SmallOrderKey, "{point}");
        let mut second = bytes(WIRE[1]);
        second[2..34].copy_from_slice(&bytes(point));
        assert_eq!(error(&mut initiator(), &second), Error::SmallOrderKey, "{point}");
    }
}

#[test]
fn the_dialed_peer_has_to_answer() {
    let (answering, somebody_else) = (vector_peer(RESPONDER_SEED), vector_peer(INITIATOR_SEED));
    let mut right = initiator_expecting(Some(answering), &[YAMUX]);
    assert_eq!(finish(&mut right, &bytes(WIRE[1])).remote_peer, answering);
    let mut wrong = initiator_expecting(Some(somebody_else), &[YAMUX]);
    assert_eq!(sent(&mut wrong), bytes(WIRE[0]));
    let mismatch = error(&mut wrong, &bytes(WIRE[1]));
    assert_eq!(mismatch, Error::PeerIdMismatch { expected: somebody_else, actual: answering });
    assert_eq!(mismatch.to_string(), format!("dialed {somebody_else}, but {answering} answered"));
}

#[test]
fn a_responder_may_expect_a_peer_too() {
    let keys = static_keys(counting_from(1), RESPONDER_SEED);
    let expected = vector_peer(RESPONDER_SEED);
    let mut responder = Handshake::responder(&keys, counting_from(0x41), &muxers(&[YAMUX]), Some(expected));
    receive(&mut responder, &bytes(WIRE[0]));
    assert_eq!(sent(&mut responder), bytes(WIRE[1]));
    let actual = vector_peer(INITIATOR_SEED);
    assert_eq!(error(&mut responder, &bytes(WIRE[2])), Error::PeerIdMismatch { expected, actual });
}

#[test]
fn a_message_of_another_handshake_is_refused() {
    let keys = static_keys(counting_from(1), RESPONDER_SEED);
    let mut other = Handshake::responder(&keys, counting_from(0x42), &muxers(&[YAMUX]), None);
    receive(&mut other, &bytes(WIRE[0]));
    assert_eq!(error(&mut other, &bytes(WIRE[2])), Error::Decryption);
}

#[test]
fn muxers_are_agreed_in_the_order_of_the_initiator() {
    for (initiators, responders, agreed) in [
        (&[YAMUX][..], &[YAMUX][..], EarlyMuxer::Agreed(YAMUX.to_owned())),
        (&[YAMUX, MPLEX], &[MPLEX, YAMUX], EarlyMuxer::Agreed(YAMUX.to_owned())),
        (&[MPLEX, YAMUX], &[YAMUX], EarlyMuxer::Agreed(YAMUX.to_owned())),
        (&[MPLEX], &[YAMUX], EarlyMuxer::NoOverlap),
        (&[], &[YAMUX], EarlyMuxer::NotOffered),
        (&[YAMUX], &[], EarlyMuxer::NotOffered),
        (&[], &[], EarlyMuxer::NotOffered),
    ] {
        let (ours, theirs) = connect(initiator_expecting(None, initiators), responder_offering(responders));
        assert_eq!(ours.remote_muxers, responders);
        assert_eq!(theirs.remote_muxers, initiators);
        assert_eq!(ours.early_muxer(&muxers(initiators)), agreed);
        assert_eq!(theirs.early_muxer(&muxers(responders)), agreed);
    }
}

#[test]
fn static_keys_need_a_signature_that_peers_would_accept() {
    let (secret, other) = (counting_from(0), counting_from(1));
    let pair = Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap();
    let identity = PublicKey::new(KeyType::Ed25519, pair.public_key().as_ref()).unwrap();
    let sign = |secret| pair.sign(&StaticKeys::signed_message(&StaticKeys::public_of(secret)));
    let keys = StaticKeys::new(secret, identity.encode(), sign(&secret).as_ref().to_vec()).unwrap();
    assert_eq!(*keys.public(), StaticKeys::public_of(&secret));
    let refused = StaticKeys::new(secret, identity.encode(), sign(&other).as_ref().to_vec());
    assert_eq!(refused.map(|_| ()), Err(identity::Error::InvalidSignature));
}

#[test]
fn nothing_shows_a_secret() {
    let keys = static_keys([0xa7; 32], INITIATOR_SEED);
    let shown = format!("{keys:?} {:?}", Handshake::responder(&keys, [0xa7; 32], &[], None));
    assert!(!shown.contains("167, 167") && !shown.contains("a7"), "{shown}");
}

proptest! {
    // Each case is a handshake without optimisation.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_split_of_the_bytes_gives_the_same_handshake(
        cuts in proptest::collection::vec(1_usize..60, 1..30),
    ) {
        let mut cuts = cuts.into_iter().cycle();
        let mut pieces = |handshake: &mut Handshake, flight: Vec<u8>| {
            let mut rest = flight.as_slice();
            let mut last = None;
            while !rest.is_empty() {
                let piece = &rest[..cuts.next().unwrap().min(rest.len())];
                let (consumed, completed) = handshake.receive(piece).unwrap();
                assert_eq!(consumed, piece.len());
                rest = &rest[consumed..];
                last = completed;
            }
            last
        };
        let (mut initiator, mut responder) = (initiator(), responder());
        prop_assert!(pieces(&mut responder, sent(&mut initiator)).is_none());
        let ours = pieces(&mut initiator, sent(&mut responder)).unwrap();
        let theirs = pieces(&mut responder, sent(&mut initiator)).unwrap();
        let expected = bytes("30a1ae82e8b2129d17176807291973962f46088b7f53dd248dfcb16ce1863820");
        prop_assert_eq!(ours.handshake_hash.as_slice(), &expected);
        prop_assert_eq!(theirs.handshake_hash.as_slice(), &expected);
    }

    #[test]
    fn a_flipped_bit_in_the_second_message_ends_the_handshake(index in 2_usize..218, bit in 0_u32..8) {
        let mut second = bytes(WIRE[1]);
        second[index] ^= 1_u8 << bit;
        // X25519 ignores the highest bit of a key, but the hash does not.
        prop_assert_eq!(error(&mut initiator(), &second), Error::Decryption);
    }

    #[test]
    fn a_flipped_bit_in_the_third_message_ends_the_handshake(index in 2_usize..186, bit in 0_u32..8) {
        let mut responder = responder();
        receive(&mut responder, &bytes(WIRE[0]));
        let mut third = bytes(WIRE[2]);
        third[index] ^= 1_u8 << bit;
        prop_assert_eq!(error(&mut responder, &third), Error::Decryption);
    }

    #[test]
    fn any_bytes_are_survived(data in proptest::collection::vec(any::<u8>(), 0..500)) {
        let _ = initiator().receive(&data);
        let mut responder = responder();
        receive(&mut responder, &bytes(WIRE[0]));
        let _ = responder.receive(&data);
    }
}

fn vector_peer(seed: &str) -> PeerId {
    let pair = Ed25519KeyPair::from_seed_unchecked(&bytes(seed)).unwrap();
    PublicKey::new(KeyType::Ed25519, pair.public_key().as_ref()).unwrap().peer_id()
}
