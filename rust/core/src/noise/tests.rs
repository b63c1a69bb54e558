//! Handshakes with peers that keep to Noise but not to libp2p.

use std::sync::Arc;

use prost::Message as _;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::xx::{Role, Xx};
use super::{Error, Handshake, StaticKeys};
use crate::identity::{self, KeyType, PeerId, Proven, PublicKey};
use crate::messages::{self, MAX_NOISE_PAYLOAD, NoisePayload};

/// An identity with the secret of its static key.
struct Party {
    identity: Ed25519KeyPair,
    secret: [u8; 32],
}

impl Party {
    fn new(seed: u8) -> Self {
        Self { identity: Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap(), secret: [seed; 32] }
    }

    fn key(&self) -> PublicKey {
        PublicKey::new(KeyType::Ed25519, self.identity.public_key().as_ref()).unwrap()
    }

    fn peer_id(&self) -> PeerId {
        self.key().peer_id()
    }

    fn sign(&self, secret: &[u8; 32]) -> Vec<u8> {
        let message = StaticKeys::signed_message(&StaticKeys::public_of(secret));
        self.identity.sign(&message).as_ref().to_vec()
    }

    fn static_keys(&self) -> Arc<StaticKeys> {
        Arc::new(StaticKeys::new(self.secret, self.key().encode(), self.sign(&self.secret)).unwrap())
    }

    /// The payload that an honest peer sends.
    fn payload(&self) -> NoisePayload {
        NoisePayload {
            identity_key: Some(self.key().encode()),
            identity_sig: Some(self.sign(&self.secret)),
            extensions: None,
        }
    }
}

/// What our initiator says to a responder with this payload.
fn answer_initiator(payload: &[u8], expected: Option<PeerId>) -> Result<(), Error> {
    let (ours, theirs) = (Party::new(1), Party::new(2));
    let mut handshake = Handshake::initiator(&ours.static_keys(), [3; 32], &[], expected)?;
    let mut peer = Xx::new(Role::Responder, &[], theirs.static_keys(), [4; 32]);
    let mut wire = Vec::new();
    handshake.transmit(&mut wire);
    peer.read_message(&mut wire[2..])?;
    let mut message = vec![0, 0];
    peer.write_message(&[payload], &mut message)?;
    assert!(handshake.receive(&framed(message))?.1.is_some());
    Ok(())
}

/// What our responder says to an initiator with this payload.
fn answer_responder(payload: &[u8], expected: Option<PeerId>) -> Result<(), Error> {
    let (ours, theirs) = (Party::new(1), Party::new(2));
    let mut handshake = Handshake::responder(&ours.static_keys(), [3; 32], &[], expected);
    let mut peer = Xx::new(Role::Initiator, &[], theirs.static_keys(), [4; 32]);
    let mut message = vec![0, 0];
    peer.write_message(&[], &mut message)?;
    assert!(handshake.receive(&framed(message))?.1.is_none());
    let mut wire = Vec::new();
    handshake.transmit(&mut wire);
    peer.read_message(&mut wire[2..])?;
    let mut message = vec![0, 0];
    peer.write_message(&[payload], &mut message)?;
    assert!(handshake.receive(&framed(message))?.1.is_some());
    Ok(())
}

fn framed(mut message: Vec<u8>) -> Vec<u8> {
    let length = u16::try_from(message.len() - 2).unwrap();
    message[..2].copy_from_slice(&length.to_be_bytes());
    message
}

/// Both roles come to the same verdict on a payload.
fn verdict(payload: &[u8], expected: Option<PeerId>) -> Result<(), Error> {
    let result = answer_initiator(payload, expected);
    assert_eq!(answer_responder(payload, expected), result);
    result
}

#[test]
fn honest_payload_is_accepted() {
    let peer = Party::new(2);
    assert_eq!(verdict(&peer.payload().encode_to_vec(), Some(peer.peer_id())), Ok(()));
}

#[test]
fn payload_without_a_key_or_a_signature_is_refused() {
    let missing =
        |field| Err(Error::Payload(messages::Error::MissingField { message: "noise payload", field }));
    let payload = Party::new(2).payload();
    assert_eq!(verdict(&[], None), missing("identity_key"));
    let without_key = NoisePayload { identity_key: None, ..payload.clone() };
    assert_eq!(verdict(&without_key.encode_to_vec(), None), missing("identity_key"));
    let without_signature = NoisePayload { identity_sig: None, ..payload };
    assert_eq!(verdict(&without_signature.encode_to_vec(), None), missing("identity_sig"));
}

#[test]
fn payload_behind_an_inner_length_is_refused() {
    let payload = Party::new(2).payload().encode_to_vec();
    let length = u16::try_from(payload.len()).unwrap();
    let old_rust = [&length.to_be_bytes(), payload.as_slice()].concat();
    let verdict = verdict(&old_rust, None);
    assert!(matches!(verdict, Err(Error::Payload(messages::Error::Malformed { .. }))), "{verdict:?}");
}

#[test]
fn payload_up_to_its_bound_is_read() {
    let padded = |length: usize| {
        let mut payload = Party::new(2).payload().encode_to_vec();
        let padding = length - payload.len() - 3;
        payload.push(3 << 3 | 2);
        prost::encode_length_delimiter(padding, &mut payload).unwrap();
        payload.resize(length, 0);
        payload
    };
    assert_eq!(verdict(&padded(MAX_NOISE_PAYLOAD), None), Ok(()));
    for too_long in
        [answer_initiator, answer_responder].map(|role| role(&padded(MAX_NOISE_PAYLOAD + 1), None))
    {
        assert!(matches!(too_long, Err(Error::MessageLength { .. })), "{too_long:?}");
    }
}

#[test]
fn identity_key_that_is_none_is_refused() {
    for (identity_key, error) in [
        (vec![], None),
        (vec![0x08, 0x09, 0x12, 0x00], Some(identity::Error::UnknownKeyType(9))),
        (vec![0xff], None),
    ] {
        let payload = NoisePayload { identity_key: Some(identity_key), ..Party::new(2).payload() };
        match verdict(&payload.encode_to_vec(), None) {
            Err(Error::IdentityKey(actual)) => assert!(error.is_none_or(|error| error == actual)),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn signature_over_another_static_key_is_refused() {
    let peer = Party::new(2);
    for signature in [
        peer.sign(&[9; 32]),
        Party::new(3).sign(&peer.secret),
        peer.identity.sign(&StaticKeys::public_of(&peer.secret)).as_ref().to_vec(),
        vec![],
        vec![0; 64],
    ] {
        let payload = NoisePayload { identity_sig: Some(signature), ..peer.payload() };
        assert_eq!(verdict(&payload.encode_to_vec(), None), Err(Error::IdentitySignature));
    }
}

/// What was proven once is not checked again, and proves nothing about anything else.
#[test]
fn a_proof_is_of_one_key_and_one_signature() {
    let (ours, theirs) = (Party::new(1).static_keys(), Party::new(2));
    let answered = |peer: &Party, payload: &NoisePayload| {
        let mut handshake = Handshake::initiator(&ours, [3; 32], &[], None).unwrap();
        let mut responder = Xx::new(Role::Responder, &[], peer.static_keys(), [4; 32]);
        let mut wire = Vec::new();
        handshake.transmit(&mut wire);
        responder.read_message(&mut wire[2..]).unwrap();
        let mut message = vec![0, 0];
        responder.write_message(&[&payload.encode_to_vec()], &mut message).unwrap();
        handshake.receive(&framed(message)).map(|(_, completed)| completed.unwrap().remote_peer)
    };
    let honest = theirs.payload();
    for _ in 0..2 {
        assert_eq!(answered(&theirs, &honest).ok(), Some(theirs.peer_id()));
    }
    let digest = Proven::digest(&[
        honest.identity_key.as_ref().unwrap(),
        &StaticKeys::public_of(&theirs.secret),
        honest.identity_sig.as_ref().unwrap(),
    ]);
    assert!(ours.proven().has(&digest));
    let mut forged = honest.clone();
    forged.identity_sig.as_mut().unwrap()[5] ^= 1;
    assert_eq!(answered(&theirs, &forged), Err(Error::IdentitySignature));
    // Overheard, and said by somebody with another static key.
    assert_eq!(answered(&Party::new(3), &honest), Err(Error::IdentitySignature));
    let claimed = NoisePayload { identity_key: Party::new(3).payload().identity_key, ..honest };
    assert_eq!(answered(&theirs, &claimed), Err(Error::IdentitySignature));
}

#[test]
fn payload_of_another_peer_cannot_be_used() {
    let overheard = Party::new(3).payload().encode_to_vec();
    assert_eq!(verdict(&overheard, Some(Party::new(3).peer_id())), Err(Error::IdentitySignature));
}

#[test]
fn wrong_peer_is_named_whatever_else_is_wrong() {
    let (expected, actual) = (Party::new(7).peer_id(), Party::new(2).peer_id());
    let payload = NoisePayload { identity_sig: Some(vec![0; 64]), ..Party::new(2).payload() };
    let mismatch = Err(Error::PeerIdMismatch { expected, actual });
    assert_eq!(verdict(&payload.encode_to_vec(), Some(expected)), mismatch);
}
