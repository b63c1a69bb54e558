//! TLS: whole handshakes of both sides, and records sealed and opened where they stand.

use std::sync::Arc;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use ed25519_dalek::{Signer as _, SigningKey};
use plait_core::identity::{KeyType, PublicKey};
use plait_core::tls::{CertificateKey, Channel, Credentials, Error, Handshake, MAX_PLAINTEXT, PREFIX};

/// A small message, a network packet, and the largest record.
const LENGTHS: [usize; 3] = [64, 1400, MAX_PLAINTEXT];

/// Any time will do.
const NOW: u64 = 1_790_000_000;

#[divan::bench]
fn handshake(bencher: Bencher) {
    let hosts = [credentials(1), credentials(2)];
    bencher.counter(ItemsCount::new(1usize)).bench_local(|| connect(&hosts));
}

#[divan::bench]
fn seal(bencher: Bencher) {
    let (mut channel, _) = connect(&[credentials(1), credentials(2)]);
    let mut record = vec![0; PREFIX + MAX_PLAINTEXT];
    bencher.counter(BytesCount::new(MAX_PLAINTEXT)).bench_local(|| {
        record.truncate(PREFIX + MAX_PLAINTEXT);
        channel.seal(&mut record, 0)
    });
}

/// Nothing opens twice, so this seals as well.
#[divan::bench(args = LENGTHS)]
fn seal_and_open(bencher: Bencher, length: usize) {
    let (mut ours, mut theirs) = connect(&[credentials(1), credentials(2)]);
    let mut record = vec![0; PREFIX + length];
    bencher.counter(BytesCount::new(length)).bench_local(|| {
        record.truncate(PREFIX + length);
        ours.seal(&mut record, 0)?;
        theirs.receive(&mut record, |plaintext| {
            divan::black_box(plaintext);
            Ok::<(), Error>(())
        })
    });
}

fn credentials(seed: u8) -> Arc<Credentials> {
    let identity = SigningKey::from_bytes(&[seed; 32]);
    let public = PublicKey::new(KeyType::Ed25519, identity.verifying_key().to_bytes()).unwrap();
    let key = CertificateKey::generate().unwrap();
    let signature = identity.sign(&key.signed_message()).to_bytes().to_vec();
    Arc::new(Credentials::new(key, public.encode(), signature, NOW).unwrap())
}

fn connect([ours, theirs]: &[Arc<Credentials>; 2]) -> (Channel, Channel) {
    let muxers = ["/yamux/1.0.0".to_owned()];
    let mut client = Handshake::client(ours, &muxers, None, NOW).unwrap();
    let mut server = Handshake::server(theirs, &muxers, None, NOW).unwrap();
    let mut wire = Vec::new();
    client.transmit(&mut wire);
    server.receive(&wire).unwrap();
    wire.clear();
    server.transmit(&mut wire);
    let ours = client.receive(&wire).unwrap().1.unwrap().channel;
    wire.clear();
    client.transmit(&mut wire);
    (ours, server.receive(&wire).unwrap().1.unwrap().channel)
}
