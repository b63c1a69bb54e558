//! Hosts to connect, and what a test does with two of them.

use std::sync::{Arc, LazyLock};

use plait_core::identity::{KeyType, PeerId, PublicKey};
use plait_core::tls::{CertificateKey, Channel, Completed, Credentials, Error, Handshake, PREFIX};
use ring::signature::{Ed25519KeyPair, KeyPair as _};

pub(crate) const YAMUX: &str = "/yamux/1.0.0";
pub(crate) const MPLEX: &str = "/mplex/6.7.0";

/// Autumn of 2026, in seconds.
pub(crate) const NOW: u64 = 1_790_000_000;

/// A host whose identity follows from one byte.
pub(crate) struct Party {
    identity: Ed25519KeyPair,
}

impl Party {
    pub(crate) fn new(seed: u8) -> Self {
        Self { identity: Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap() }
    }

    pub(crate) fn key(&self) -> PublicKey {
        PublicKey::new(KeyType::Ed25519, self.identity.public_key().as_ref()).unwrap()
    }

    pub(crate) fn peer_id(&self) -> PeerId {
        self.key().peer_id()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.identity.sign(message).as_ref().to_vec()
    }

    pub(crate) fn credentials(&self) -> Arc<Credentials> {
        let key = CertificateKey::generate().unwrap();
        let signature = self.sign(&key.signed_message());
        Arc::new(Credentials::new(key, self.key().encode(), signature, NOW).unwrap())
    }

    pub(crate) fn client(&self, muxers: &[&str], expected: Option<PeerId>) -> Handshake {
        Handshake::client(&self.credentials(), &names(muxers), expected, NOW).unwrap()
    }

    pub(crate) fn server(&self, muxers: &[&str]) -> Handshake {
        Handshake::server(&self.credentials(), &names(muxers), None, NOW).unwrap()
    }
}

/// Made once, as by a host: most of what thousands of handshakes would take.
static CREDENTIALS: LazyLock<[Arc<Credentials>; 2]> =
    LazyLock::new(|| [1, 2].map(|seed| Party::new(seed).credentials()));

/// The client of most tests, which is party 1.
pub(crate) fn client() -> Handshake {
    Handshake::client(&CREDENTIALS[0], &names(&[YAMUX]), None, NOW).unwrap()
}

/// The server of most tests, which is party 2.
pub(crate) fn server() -> Handshake {
    Handshake::server(&CREDENTIALS[1], &names(&[YAMUX]), None, NOW).unwrap()
}

pub(crate) fn names(muxers: &[&str]) -> Vec<String> {
    muxers.iter().map(|&name| name.to_owned()).collect()
}

pub(crate) fn sent(handshake: &mut Handshake) -> Vec<u8> {
    let mut out = Vec::new();
    handshake.transmit(&mut out);
    out
}

/// Gives all of `data`, which must neither end the handshake nor belong to anything else.
pub(crate) fn receive(handshake: &mut Handshake, data: &[u8]) {
    let (consumed, completed) = handshake.receive(data).unwrap();
    assert_eq!(consumed, data.len());
    assert!(completed.is_none());
}

pub(crate) fn finish(handshake: &mut Handshake, data: &[u8]) -> Completed {
    let (consumed, completed) = handshake.receive(data).unwrap();
    assert_eq!(consumed, data.len());
    completed.unwrap()
}

/// Both sides of a whole handshake.
pub(crate) fn connect(mut client: Handshake, mut server: Handshake) -> (Completed, Completed) {
    receive(&mut server, &sent(&mut client));
    let ours = finish(&mut client, &sent(&mut server));
    let theirs = finish(&mut server, &sent(&mut client));
    assert_eq!(sent(&mut server), [], "no tickets");
    (ours, theirs)
}

/// The channels of a handshake between the usual parties.
pub(crate) fn channels() -> (Channel, Channel) {
    let (ours, theirs) = connect(client(), server());
    (ours.channel, theirs.channel)
}

pub(crate) fn seal(channel: &mut Channel, plaintext: &[u8]) -> Vec<u8> {
    let mut buffer = [&[0; PREFIX], plaintext].concat();
    channel.seal(&mut buffer, 0).unwrap();
    buffer
}

/// What the channel has to say of itself.
pub(crate) fn said(channel: &mut Channel) -> Vec<u8> {
    let mut out = Vec::new();
    channel.transmit(&mut out);
    out
}

/// What the channel delivers of `data`, up to its first error.
pub(crate) fn open(channel: &mut Channel, data: &[u8]) -> (Vec<Vec<u8>>, Result<(), Error>) {
    let mut delivered = Vec::new();
    let result = channel.receive(&mut data.to_vec(), |plaintext| {
        delivered.push(plaintext.to_vec());
        Ok(())
    });
    (delivered, result)
}
