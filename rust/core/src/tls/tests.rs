//! What cannot be seen from outside: memory that is held, and counters that nobody lives to see.

use std::sync::Arc;

use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::certificate::verify;
use super::record::RECORDS_PER_KEY;
use super::{CertificateKey, Channel, Credentials, Error, Handshake, OVERHEAD, PREFIX};
use crate::identity::{KeyType, Proven, PublicKey};

const NOW: u64 = 1_790_000_000;

fn credentials() -> Arc<Credentials> {
    let identity = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let public = PublicKey::new(KeyType::Ed25519, identity.public_key().as_ref()).unwrap();
    let key = CertificateKey::generate().unwrap();
    let signature = identity.sign(&key.signed_message()).as_ref().to_vec();
    Arc::new(Credentials::new(key, public.encode(), signature, NOW).unwrap())
}

fn channels() -> (Channel, Channel) {
    let mut client = Handshake::client(&credentials(), &[], None, NOW).unwrap();
    let mut server = Handshake::server(&credentials(), &[], None, NOW).unwrap();
    let mut wire = [Vec::new(), Vec::new(), Vec::new()];
    client.transmit(&mut wire[0]);
    server.receive(&wire[0]).unwrap();
    server.transmit(&mut wire[1]);
    let ours = client.receive(&wire[1]).unwrap().1.unwrap();
    client.transmit(&mut wire[2]);
    let theirs = server.receive(&wire[2]).unwrap().1.unwrap();
    (ours.channel, theirs.channel)
}

fn seal(channel: &mut Channel, plaintext: &[u8]) -> Vec<u8> {
    let mut record = [&[0; PREFIX], plaintext].concat();
    channel.seal(&mut record, 0).unwrap();
    record
}

fn open(channel: &mut Channel, data: &[u8]) -> Vec<u8> {
    let mut delivered = Vec::new();
    let sink = |plaintext: &[u8]| {
        delivered.extend_from_slice(plaintext);
        Ok::<_, Error>(())
    };
    channel.receive(&mut data.to_vec(), sink).unwrap();
    delivered
}

/// What was proven once is not checked again, but for what may change: the time, and who is expected.
#[test]
fn a_certificate_that_comes_again_is_judged_again() {
    let (ours, theirs) = (credentials(), credentials());
    let der = theirs.certificate();
    let judge = |der: &[u8], expected, time| {
        let algorithms = &ours.provider().signature_verification_algorithms;
        verify(&[der], expected, time, algorithms, ours.proven()).map(|remote| remote.peer)
    };
    let peer = judge(der, None, NOW).unwrap();
    assert!(ours.proven().has(&Proven::digest(&[der])));
    assert_eq!(judge(der, Some(peer), NOW).unwrap(), peer);
    assert!(matches!(judge(der, None, NOW - 7200), Err(Error::NotYetValid { .. })));
    assert!(matches!(judge(der, None, u64::MAX / 2), Err(Error::Expired { .. })));
    let other = PublicKey::new(KeyType::Ed25519, [1; 32]).unwrap().peer_id();
    assert_eq!(judge(der, Some(other), NOW), Err(Error::PeerIdMismatch { expected: other, actual: peer }));
    for at in 0..der.len() {
        let mut forged = der.to_vec();
        forged[at] ^= 1;
        assert!(judge(&forged, None, NOW).is_err(), "byte {at}");
    }
}

#[test]
fn a_worn_key_is_changed_in_front_of_the_next_record() {
    let (mut ours, mut theirs) = channels();
    (ours.sending.sequence, theirs.receiving.sequence) = (RECORDS_PER_KEY - 1, RECORDS_PER_KEY - 1);
    let last = seal(&mut ours, b"last");
    assert_eq!(last.len(), PREFIX + 4 + OVERHEAD);
    let first = seal(&mut ours, b"first");
    assert_eq!(first.len(), 2 * (PREFIX + OVERHEAD) + 5 + 5);
    assert_eq!(ours.sending.sequence, 1);
    assert_eq!(open(&mut theirs, &[last, first].concat()), b"lastfirst");
    assert!(!theirs.has_pending(), "nothing was asked of the other side");
}

#[test]
fn a_length_alone_reserves_nothing() {
    let (mut ours, _) = channels();
    for (byte, most) in [(23, 4), (3, 8), (3, 12), (0x41, 16), (0, 20), (0, 24)] {
        assert_eq!(open(&mut ours, &[byte]), b"");
        assert!(ours.partial.capacity() <= most.max(8), "{}", ours.partial.capacity());
    }
    let mut server = Handshake::server(&credentials(), &[], None, NOW).unwrap();
    server.receive(&[22, 3, 1, 0x40, 0, 1]).unwrap();
    assert!(server.incoming.capacity() <= 24, "{}", server.incoming.capacity());
}

#[test]
fn nothing_is_held_between_records() {
    let (mut ours, mut theirs) = channels();
    let record = seal(&mut ours, &[7; 1000]);
    assert_eq!(open(&mut theirs, &record[..500]), b"");
    assert_eq!(theirs.partial.capacity(), record.len(), "room for the rest, once half of it came");
    assert_eq!(open(&mut theirs, &record[500..]), [7; 1000]);
    assert_eq!(theirs.partial.capacity() + theirs.message.capacity(), 0);
}

#[test]
fn a_failed_channel_holds_nothing() {
    let (mut ours, _) = channels();
    assert_eq!(open(&mut ours, &[23, 3, 3, 0x41]), b"");
    let refused = ours.receive(&mut [0xff], |_| Ok::<_, Error>(()));
    assert_eq!(refused, Err(Error::RecordTooLong(0x41ff)));
    assert_eq!(ours.partial.capacity(), 0);
}
