//! Certificates with anything wrong in them.

use std::time::Duration;

use der::asn1::{AnyRef, BitStringRef, GeneralizedTime, ObjectIdentifier, OctetStringRef, UintRef};
use der::{Encode, Tag, TagNumber};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};

use crate::hex::bytes;
use crate::party::{NOW, Party};

pub(crate) const LIBP2P: &str = "1.3.6.1.4.1.53594.1.1";

/// A certificate to be made, good until a test changes something.
pub(crate) struct OddCertificate {
    pub(crate) pkcs8: Vec<u8>,
    pub(crate) version: Option<u8>,
    pub(crate) not_before: u64,
    pub(crate) not_after: u64,
    /// Whole AlgorithmIdentifiers, in hex: in the signed part, and beside the signature.
    pub(crate) algorithms: [&'static str; 2],
    /// Whole SubjectPublicKeyInfo.
    pub(crate) key: Vec<u8>,
    pub(crate) extensions: Vec<(&'static str, bool, Vec<u8>)>,
    /// Elements between the key and the extensions.
    pub(crate) unique_ids: Vec<u8>,
}

impl OddCertificate {
    /// What `identity` would send.
    pub(crate) fn of(identity: &Party) -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random).unwrap();
        let header = bytes("3059301306072a8648ce3d020106082a8648ce3d030107034200");
        let key = [header, pair.public_key().as_ref().to_vec()].concat();
        let signature = identity.sign(&signed_message(&key));
        Self {
            pkcs8: pkcs8.as_ref().to_vec(),
            version: Some(2),
            not_before: NOW - 3600,
            not_after: NOW + 3600,
            algorithms: [ECDSA_SHA256; 2],
            extensions: vec![(LIBP2P, true, signed_key(&identity.key().encode(), &signature))],
            key,
            unique_ids: Vec::new(),
        }
    }

    pub(crate) fn build(&self) -> Vec<u8> {
        let extensions: Vec<u8> = self.extensions.iter().flat_map(extension).collect();
        let time = |seconds| {
            GeneralizedTime::from_unix_duration(Duration::from_secs(seconds)).unwrap().to_der().unwrap()
        };
        let signed = sequence(&[
            self.version.map(|version| tagged(0, &version.to_der().unwrap())).unwrap_or_default(),
            UintRef::new(&[1]).unwrap().to_der().unwrap(),
            bytes(self.algorithms[0]),
            sequence(&[]),
            sequence(&[time(self.not_before), time(self.not_after)]),
            sequence(&[]),
            self.key.clone(),
            self.unique_ids.clone(),
            if extensions.is_empty() { Vec::new() } else { tagged(3, &sequence(&[extensions])) },
        ]);
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &self.pkcs8, &random).unwrap();
        let signature = pair.sign(&random, &signed).unwrap();
        let signature = BitStringRef::from_bytes(signature.as_ref()).unwrap().to_der().unwrap();
        sequence(&[signed, bytes(self.algorithms[1]), signature])
    }
}

pub(crate) fn signed_message(key: &[u8]) -> Vec<u8> {
    [b"libp2p-tls-handshake:", key].concat()
}

/// The value of the libp2p extension.
pub(crate) fn signed_key(identity: &[u8], signature: &[u8]) -> Vec<u8> {
    sequence(&[octets(identity), octets(signature)])
}

pub(crate) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    AnyRef::new(Tag::Sequence, &parts.concat()).unwrap().to_der().unwrap()
}

pub(crate) fn octets(content: &[u8]) -> Vec<u8> {
    OctetStringRef::new(content).unwrap().to_der().unwrap()
}

pub(crate) fn tagged(number: u32, content: &[u8]) -> Vec<u8> {
    AnyRef::new(TagNumber(number).context_specific(true), content).unwrap().to_der().unwrap()
}

fn extension((id, critical, value): &(&str, bool, Vec<u8>)) -> Vec<u8> {
    sequence(&[
        ObjectIdentifier::new_unwrap(id).to_der().unwrap(),
        if *critical { true.to_der().unwrap() } else { Vec::new() },
        octets(value),
    ])
}

pub(crate) const ECDSA_SHA256: &str = "300a06082a8648ce3d040302";
pub(crate) const ECDSA_SHA1: &str = "300906072a8648ce3d0401";
