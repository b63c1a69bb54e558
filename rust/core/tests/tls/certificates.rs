//! The verdict on certificates: the vectors of the specification, each algorithm, each thing wrong.

use plait_core::identity::{self, KeyType, PeerId};
use plait_core::tls::{Error, verify_certificate};

use crate::hex::bytes;
use crate::odd_certificate::{
    ECDSA_SHA1, ECDSA_SHA256, LIBP2P, OddCertificate, octets, sequence, signed_key, signed_message, tagged,
};
use crate::party::{NOW, Party};

const KEY_USAGE: &str = "2.5.29.15";
const BASIC_CONSTRAINTS: &str = "2.5.29.19";

/// Somebody's own extension, which nobody else knows.
const UNKNOWN: &str = "1.3.6.1.4.1.99999.1";

fn verdict(certificate: &[u8]) -> Result<PeerId, Error> {
    verify_certificate(&[certificate], None, NOW).map(|key| key.peer_id())
}

/// The verdict on an honest certificate of peer 2 after `change`.
fn changed(change: impl FnOnce(&mut OddCertificate)) -> Result<PeerId, Error> {
    let mut certificate = OddCertificate::of(&Party::new(2));
    change(&mut certificate);
    verdict(&certificate.build())
}

fn accepted() -> Result<PeerId, Error> {
    Ok(Party::new(2).peer_id())
}

#[test]
fn certificates_of_the_specification() {
    let certificates: Vec<Vec<u8>> = include_str!("specification.txt").lines().map(bytes).collect();
    for (index, kind, peer) in [
        (0, KeyType::Ed25519, "12D3KooWM6CgA9iBFZmcYAHA6A2qvbAxqfkmrYiRQuz3XEsk4Ksv"),
        (1, KeyType::Ecdsa, "QmfXbAwNjJLXfesgztEHe8HwgVDCMMpZ9Eax1HYq6hn9uE"),
        (2, KeyType::Secp256k1, "16Uiu2HAkutTMoTzDw1tCvSRtu6YoixJwS46S1ZFxW8hSx9fWHiPs"),
    ] {
        let key = verify_certificate(&[&certificates[index]], None, NOW).unwrap();
        assert_eq!(key.kind(), kind);
        assert_eq!(key.peer_id().to_string(), peer);
    }
    assert_eq!(verdict(&certificates[3]), Err(Error::IdentitySignature));
}

#[test]
fn each_signature_algorithm_has_its_verdict() {
    for line in include_str!("certificates.txt").lines() {
        let [expected, name, certificate] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let expected = match expected {
            "accepted" => Ok(Party::new(1).peer_id()),
            "algorithm" => Err(Error::SignatureAlgorithm),
            "signature" => Err(Error::SelfSignature),
            other => panic!("unknown verdict {other}"),
        };
        assert_eq!(verdict(&bytes(certificate)), expected, "{name}");
    }
}

#[test]
fn exactly_one_certificate_is_accepted() {
    let certificate = OddCertificate::of(&Party::new(2)).build();
    assert_eq!(verdict(&certificate), accepted());
    assert_eq!(verify_certificate(&[], None, NOW), Err(Error::CertificateCount(0)));
    assert_eq!(verify_certificate(&[&certificate, &certificate], None, NOW), Err(Error::CertificateCount(2)));
}

#[test]
fn validity_includes_both_ends_and_nothing_outside() {
    let certificate = OddCertificate::of(&Party::new(2));
    let (not_before, not_after) = (certificate.not_before, certificate.not_after);
    let encoded = certificate.build();
    let at = |now| verify_certificate(&[&encoded], None, now).map(|key| key.peer_id());
    assert_eq!(at(not_before - 1), Err(Error::NotYetValid { not_before, now: not_before - 1 }));
    assert_eq!(at(not_before), accepted());
    assert_eq!(at(not_after), accepted());
    assert_eq!(at(not_after + 1), Err(Error::Expired { not_after, now: not_after + 1 }));
    assert_eq!(at(u64::MAX), Err(Error::Expired { not_after, now: u64::MAX }));
}

#[test]
fn certificates_may_begin_before_1970() {
    // The two forms of a time, put in where as many bytes stood: the signature is what fails next.
    let encoded = OddCertificate::of(&Party::new(2)).build();
    let at = encoded.windows(2).position(|pair| pair == [0x18, 15]).unwrap();
    for (time, verdict_then) in [
        (&b"00010101000000Z"[..], Err(Error::SelfSignature)),
        (b"19691231235959Z", Err(Error::SelfSignature)),
        (b"99990101000000Z", Err(Error::NotYetValid { not_before: 253_370_764_800, now: NOW })),
        (b"20261301000000Z", Err(Error::MalformedCertificate)),
        (b"garbage garbage", Err(Error::MalformedCertificate)),
    ] {
        let mut changed = encoded.clone();
        changed[at + 2..][..15].copy_from_slice(time);
        assert_eq!(verdict(&changed), verdict_then);
    }
}

#[test]
fn self_signature_is_checked() {
    let other = OddCertificate::of(&Party::new(2)).pkcs8;
    assert_eq!(changed(|certificate| certificate.pkcs8 = other), Err(Error::SelfSignature));
}

#[test]
fn sha_1_is_refused() {
    assert_eq!(
        changed(|certificate| certificate.algorithms = [ECDSA_SHA1; 2]),
        Err(Error::SignatureAlgorithm)
    );
}

#[test]
fn the_two_algorithms_of_a_certificate_are_one() {
    for algorithms in [[ECDSA_SHA1, ECDSA_SHA256], [ECDSA_SHA256, ECDSA_SHA1]] {
        assert_eq!(
            changed(|certificate| certificate.algorithms = algorithms),
            Err(Error::MalformedCertificate)
        );
    }
}

#[test]
fn a_curve_that_is_spelled_out_is_refused() {
    // Parameters that are a sequence where the name of the curve would stand.
    let spelled_out = |certificate: &mut OddCertificate| {
        let point = certificate.key[23..].to_vec();
        let algorithm = sequence(&[bytes("06072a8648ce3d0201"), sequence(&[vec![2, 1, 1]])]);
        certificate.key = sequence(&[algorithm, point]);
    };
    assert_eq!(changed(spelled_out), Err(Error::SignatureAlgorithm));
}

#[test]
fn the_extension_may_be_critical_or_not() {
    for critical in [true, false] {
        assert_eq!(changed(|certificate| certificate.extensions[0].1 = critical), accepted());
    }
}

#[test]
fn the_extension_is_found_anywhere_in_the_list() {
    for place in 0..3 {
        let third = |certificate: &mut OddCertificate| {
            let ours = certificate.extensions.pop().unwrap();
            certificate.extensions = vec![(UNKNOWN, false, vec![]), (BASIC_CONSTRAINTS, false, vec![1])];
            certificate.extensions.insert(place, ours);
        };
        assert_eq!(changed(third), accepted(), "at {place}");
    }
}

#[test]
fn a_missing_extension_is_named() {
    assert_eq!(changed(|certificate| certificate.extensions.clear()), Err(Error::MissingExtension));
    let other = |certificate: &mut OddCertificate| certificate.extensions[0].0 = "1.3.6.1.4.1.53594.1.2";
    assert_eq!(
        changed(|certificate| {
            other(certificate);
            certificate.extensions[0].1 = false
        }),
        Err(Error::MissingExtension)
    );
}

#[test]
fn a_duplicated_extension_is_refused() {
    let twice = |certificate: &mut OddCertificate| {
        certificate.extensions.push(certificate.extensions[0].clone());
    };
    assert_eq!(changed(twice), Err(Error::DuplicateExtension));
}

#[test]
fn unknown_extensions_are_ignored_unless_critical() {
    for id in [UNKNOWN, BASIC_CONSTRAINTS] {
        let with =
            |critical| changed(|certificate| certificate.extensions.push((id, critical, vec![0x30, 0])));
        assert_eq!(with(false), accepted());
        assert_eq!(with(true), Err(Error::UnknownCriticalExtension(id.to_owned())));
    }
}

#[test]
fn key_usage_has_to_allow_signatures() {
    for critical in [true, false] {
        let with = |usage: &[u8]| {
            changed(|certificate| certificate.extensions.push((KEY_USAGE, critical, usage.to_vec())))
        };
        assert_eq!(with(&[3, 2, 7, 0x80]), accepted());
        assert_eq!(with(&[3, 2, 5, 0xa0]), accepted());
        assert_eq!(with(&[3, 2, 5, 0x20]), Err(Error::KeyUsage));
        assert_eq!(with(&[3, 1, 0]), Err(Error::KeyUsage));
        assert_eq!(with(&[3]), Err(Error::MalformedCertificate));
    }
}

#[test]
fn the_extension_is_exactly_two_octet_strings() {
    let identity = Party::new(2);
    let with = |value: fn(&[u8], &[u8]) -> Vec<u8>| {
        changed(|certificate| {
            let signature = identity.sign(&signed_message(&certificate.key));
            certificate.extensions[0].2 = value(&identity.key().encode(), &signature);
        })
    };
    assert_eq!(with(signed_key), accepted());
    let malformed = Err(Error::MalformedExtension);
    assert_eq!(with(|key, signature| [signed_key(key, signature), vec![0]].concat()), malformed);
    assert_eq!(with(|key, signature| sequence(&[octets(key), octets(signature), vec![5, 0]])), malformed);
    assert_eq!(with(|key, _| sequence(&[octets(key)])), malformed);
    assert_eq!(with(|key, signature| [octets(key), octets(signature)].concat()), malformed);
    assert_eq!(with(|_, _| Vec::new()), malformed);
    assert_eq!(with(|_, _| vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), malformed);
}

#[test]
fn identity_key_without_its_type_is_refused() {
    // RSA has the number 0, which a sloppy encoder leaves out.
    let without_type = |certificate: &mut OddCertificate| {
        certificate.extensions[0].2 = signed_key(&[0x12, 0x02, 1, 2], &[1]);
    };
    let refused = changed(without_type);
    assert!(matches!(refused, Err(Error::IdentityKey(identity::Error::Message(_)))), "{refused:?}");
    let unknown_type = |certificate: &mut OddCertificate| {
        certificate.extensions[0].2 = signed_key(&[0x08, 0x09, 0x12, 0x00], &[1]);
    };
    assert_eq!(changed(unknown_type), Err(Error::IdentityKey(identity::Error::UnknownKeyType(9))));
}

#[test]
fn the_identity_has_to_have_signed_this_very_key() {
    let peer = Party::new(2);
    let mut certificate = OddCertificate::of(&peer);
    let other_key = OddCertificate::of(&peer).key;
    let message = signed_message(&certificate.key);
    for signature in [
        peer.sign(&signed_message(&other_key)),
        Party::new(3).sign(&message),
        peer.sign(&certificate.key),
        vec![],
        vec![0; 64],
    ] {
        certificate.extensions[0].2 = signed_key(&peer.key().encode(), &signature);
        assert_eq!(verdict(&certificate.build()), Err(Error::IdentitySignature));
    }
}

#[test]
fn the_wrong_peer_is_named_even_with_a_wrong_signature() {
    let mut certificate = OddCertificate::of(&Party::new(2));
    let (expected, actual) = (Party::new(7).peer_id(), Party::new(2).peer_id());
    let mismatch = Err(Error::PeerIdMismatch { expected, actual });
    assert_eq!(verify_certificate(&[&certificate.build()], Some(expected), NOW), mismatch);
    certificate.extensions[0].2 = signed_key(&Party::new(2).key().encode(), &[0; 64]);
    assert_eq!(verify_certificate(&[&certificate.build()], Some(expected), NOW), mismatch);
}

#[test]
fn sizes_are_bounded_before_any_signature() {
    let padded = |length| {
        changed(|certificate| {
            certificate.extensions[0].2.resize(length, 0);
            certificate.pkcs8 = OddCertificate::of(&Party::new(3)).pkcs8;
        })
    };
    assert_eq!(padded(4097), Err(Error::ExtensionTooLong(4097)));
    assert_eq!(padded(4096), Err(Error::SelfSignature));
    let long =
        |certificate: &mut OddCertificate| certificate.extensions.push((UNKNOWN, false, vec![0; 8000]));
    assert!(matches!(changed(long), Err(Error::CertificateTooLong(8193..))));
}

#[test]
fn other_versions_and_unique_ids_are_refused() {
    for version in [None, Some(0), Some(1), Some(3)] {
        assert_eq!(changed(|certificate| certificate.version = version), Err(Error::MalformedCertificate));
    }
    for unique_id in [1, 2] {
        let with = |certificate: &mut OddCertificate| {
            certificate.unique_ids = tagged(unique_id, &[0, 1]);
        };
        assert_eq!(changed(with), Err(Error::MalformedCertificate));
    }
}

#[test]
fn a_certificate_is_all_of_its_bytes_and_no_more() {
    let certificate = OddCertificate::of(&Party::new(2)).build();
    for length in 0..certificate.len() {
        assert_eq!(verdict(&certificate[..length]), Err(Error::MalformedCertificate), "{length} bytes");
    }
    assert_eq!(verdict(&[&certificate[..], &[0]].concat()), Err(Error::MalformedCertificate));
}

#[test]
fn no_byte_of_a_certificate_can_be_changed() {
    let certificate = OddCertificate::of(&Party::new(2)).build();
    for index in 0..certificate.len() {
        let mut damaged = certificate.clone();
        damaged[index] ^= 1;
        assert!(verdict(&damaged).is_err(), "byte {index}");
    }
}

#[test]
fn the_extension_has_the_registered_number() {
    let certificate = OddCertificate::of(&Party::new(2));
    assert_eq!(certificate.extensions[0].0, LIBP2P);
    let encoded = bytes("060a2b0601040183a25a0101");
    assert!(certificate.build().windows(encoded.len()).any(|window| window == encoded));
}
