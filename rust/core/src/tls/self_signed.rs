//! Our own certificate.

use std::time::Duration;

use der::asn1::{AnyRef, BitStringRef, GeneralizedTime, OctetStringRef, UintRef, UtcTime};
use der::{Encode, Tag, TagNumber};

use super::EXTENSION;

/// Writes a certificate whose key info is `key`, with nothing in it that some verifier might trip over:
///
/// - The libp2p extension is the only one; js looks at the first and at no other.
/// - It is not critical, so that generic code before libp2p's lets it pass.
/// - Issuer and subject are empty, as those of rust-libp2p.
///
/// `serial` has to begin with a byte from 1 to 127: positive, and without the leading byte that some
/// decoders stumble over. `sign` signs with ECDSA on P-256 and SHA-256.
pub(super) fn build<E: From<der::Error>>(
    serial: &[u8],
    key: &[u8],
    identity_key: &[u8],
    identity_signature: &[u8],
    unix_time: u64,
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
) -> Result<Vec<u8>, E> {
    let signed_key = sequence(&[octets(identity_key)?, octets(identity_signature)?])?;
    let extension = sequence(&[EXTENSION.to_der()?, octets(&signed_key)?])?;
    let validity =
        sequence(&[time(unix_time.saturating_sub(BACKDATED))?, time(unix_time.saturating_add(LIFETIME))?])?;
    let signed = sequence(&[
        tagged(0, &VERSION_3.to_der()?)?,
        UintRef::new(serial)?.to_der()?,
        ECDSA_WITH_SHA256.to_vec(),
        sequence(&[])?,
        validity,
        sequence(&[])?,
        key.to_vec(),
        tagged(3, &sequence(&[extension])?)?,
    ])?;
    let signature = BitStringRef::from_bytes(&sign(&signed)?)?.to_der()?;
    Ok(sequence(&[signed, ECDSA_WITH_SHA256.to_vec(), signature])?)
}

fn sequence(parts: &[Vec<u8>]) -> der::Result<Vec<u8>> {
    AnyRef::new(Tag::Sequence, &parts.concat())?.to_der()
}

fn octets(content: &[u8]) -> der::Result<Vec<u8>> {
    OctetStringRef::new(content)?.to_der()
}

fn tagged(number: u32, content: &[u8]) -> der::Result<Vec<u8>> {
    AnyRef::new(TagNumber(number).context_specific(true), content)?.to_der()
}

/// UTCTime while its two digits for the year suffice, as X.509 demands.
fn time(unix_time: u64) -> der::Result<Vec<u8>> {
    let since_1970 = Duration::from_secs(unix_time);
    match UtcTime::from_unix_duration(since_1970) {
        Ok(time) => time.to_der(),
        Err(_) => GeneralizedTime::from_unix_duration(since_1970)?.to_der(),
    }
}

/// Versions count from zero; extensions came with the third.
const VERSION_3: u8 = 2;

/// An hour, so that peers whose clocks are slow accept it, as go and js do.
const BACKDATED: u64 = 60 * 60;

/// A hundred years: the key dies with the process, and an expiry would only end long-lived hosts.
const LIFETIME: u64 = 100 * 365 * 24 * 60 * 60;

/// The AlgorithmIdentifier ecdsa-with-SHA256, which has no parameters.
const ECDSA_WITH_SHA256: &[u8] = &[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
