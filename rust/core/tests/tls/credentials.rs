//! Our own certificate: what it has in it, and what peers would trip over if it were otherwise.

use plait_core::identity;
use plait_core::tls::{CertificateKey, Credentials, Error, verify_certificate};

use crate::hex::bytes;
use crate::party::{NOW, Party};

const HOUR: u64 = 3600;
const YEAR: u64 = 365 * 24 * HOUR;

#[test]
fn peers_would_accept_it() {
    let party = Party::new(1);
    let credentials = party.credentials();
    let at = |now| verify_certificate(&[credentials.certificate()], Some(party.peer_id()), now);
    assert_eq!(at(NOW), Ok(party.key()));
    assert_eq!(at(NOW - HOUR), Ok(party.key()), "by those whose clock is slow");
    assert!(matches!(at(NOW - HOUR - 1), Err(Error::NotYetValid { .. })));
    assert_eq!(at(NOW + 99 * YEAR), Ok(party.key()));
    assert!(matches!(at(NOW + 101 * YEAR), Err(Error::Expired { .. })));
}

#[test]
fn its_form_is_the_plainest_there_is() {
    // js reads only the first extension, rust refuses critical ones that it does not know, and others
    // encode the key again before they verify: so one extension, and a key in its only canonical form.
    let party = Party::new(1);
    let key = CertificateKey::generate().unwrap();
    let message = key.signed_message();
    let info = message.strip_prefix(b"libp2p-tls-handshake:").unwrap().to_vec();
    assert!(info.starts_with(&bytes("3059301306072a8648ce3d020106082a8648ce3d03010703420004")));
    assert_eq!(info.len(), 91);
    let signature = party.sign(&message);
    let credentials = Credentials::new(key, party.key().encode(), signature.clone(), NOW).unwrap();
    let certificate = credentials.certificate();
    let [0x30, 0x82, _, _, 0x30, 0x82, _, _, signed @ ..] = certificate else { panic!("{certificate:02x?}") };
    let serial = signed.strip_prefix(bytes("a003020102 0210").as_slice()).expect("version 3, 16 bytes");
    assert!((0x40..0x80).contains(&serial[0]), "positive, and no byte too many");
    let names_and_times = serial[16..].strip_prefix(bytes("300a06082a8648ce3d040302 3000").as_slice());
    let times = names_and_times.expect("ecdsa-with-SHA256, no issuer");
    let times = times.strip_prefix(b"\x30\x20\x17\x0d260921131320Z\x18\x0f21260828141320Z");
    let after = times.expect("UTCTime before 2050, GeneralizedTime from then on");
    let after = after.strip_prefix(&[0x30, 0]).expect("no subject").strip_prefix(info.as_slice()).unwrap();
    let value = [bytes("3068 0424"), party.key().encode(), bytes("0440"), signature].concat();
    let extension = [bytes("a37c307a3078 060a2b0601040183a25a0101 046a"), value].concat();
    let after = after.strip_prefix(extension.as_slice()).expect("one extension, not critical");
    assert!(after.starts_with(&bytes("300a06082a8648ce3d040302 03")), "and nothing more");
}

#[test]
fn each_certificate_has_its_own_key_and_serial() {
    let (one, other) = (CertificateKey::generate().unwrap(), CertificateKey::generate().unwrap());
    assert_ne!(one.signed_message(), other.signed_message());
    let serial = |party: &Party| party.credentials().certificate()[15..31].to_vec();
    assert_ne!(serial(&Party::new(1)), serial(&Party::new(1)));
}

#[test]
fn the_identity_has_to_have_signed_the_key() {
    let party = Party::new(1);
    let key = CertificateKey::generate().unwrap();
    let signature = Party::new(2).sign(&key.signed_message());
    let refused = Credentials::new(key, party.key().encode(), signature, NOW).map(|_| ());
    assert_eq!(refused, Err(Error::Credentials(identity::Error::InvalidSignature)));
}

#[test]
fn a_time_that_no_certificate_can_say_is_refused() {
    let party = Party::new(1);
    for time in [u64::MAX, 300_000_000_000] {
        let key = CertificateKey::generate().unwrap();
        let signature = party.sign(&key.signed_message());
        let refused = Credentials::new(key, party.key().encode(), signature, time).map(|_| ());
        assert_eq!(refused, Err(Error::Unavailable("a certificate")));
    }
}

#[test]
fn a_clock_at_its_beginning_does_no_harm() {
    let party = Party::new(1);
    let key = CertificateKey::generate().unwrap();
    let signature = party.sign(&key.signed_message());
    let credentials = Credentials::new(key, party.key().encode(), signature, 0).unwrap();
    assert_eq!(verify_certificate(&[credentials.certificate()], None, 0), Ok(party.key()));
}

#[test]
fn nothing_shows_a_secret() {
    let shown = format!("{:?}", CertificateKey::generate().unwrap());
    assert!(shown.starts_with("CertificateKey { info: [") && shown.ends_with("], .. }"), "{shown}");
    let shown = format!("{:?}", Party::new(1).credentials());
    assert!(shown.starts_with("Credentials { certificate: ") && shown.ends_with(", .. }"), "{shown}");
}
