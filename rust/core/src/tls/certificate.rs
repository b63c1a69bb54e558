//! The verdict on a peer's certificate.
//!
//! Own code on top of a DER reader, and no path building: a certificate that signs itself and has an
//! extension of libp2p is what web verifiers are made to refuse.

use der::asn1::{AnyRef, BitStringRef, GeneralizedTime, IntRef, ObjectIdentifier, OctetStringRef, UtcTime};
use der::{Decode, Reader, SliceReader, Tag, TagMode, TagNumber};
use rustls::crypto::WebPkiSupportedAlgorithms;

use super::{EXTENSION, Error, SIGNATURE_DOMAIN};
use crate::identity::{PeerId, Proven, PublicKey};

/// Checks the certificates that a peer sent, each in DER, and says whose they are. `unix_time` is in
/// seconds; with `expected`, anybody else is an error.
///
/// That the peer has the certificate's key is not known from this: a handshake shows it.
pub fn verify_certificate(
    chain: &[&[u8]],
    expected: Option<PeerId>,
    unix_time: u64,
) -> Result<PublicKey, Error> {
    let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
    verify(chain, expected, unix_time, &algorithms, &Proven::new()).map(|remote| remote.key)
}

/// Who a certificate proved its owner to be, and the key that it speaks for.
#[derive(Clone, Debug)]
pub(super) struct Remote {
    pub(super) key: PublicKey,
    pub(super) peer: PeerId,
    /// The SubjectPublicKeyInfo as it stands in the certificate.
    pub(super) certificate_key: Vec<u8>,
}

/// In the order of their cost, lengths first, signatures late. Of the two things that can be wrong
/// about an identity the peer id goes first: when the wrong peer answers, that is what the caller has
/// to hear.
pub(super) fn verify(
    chain: &[&[u8]],
    expected: Option<PeerId>,
    unix_time: u64,
    algorithms: &WebPkiSupportedAlgorithms,
    proven: &Proven,
) -> Result<Remote, Error> {
    let [der] = chain else { return Err(Error::CertificateCount(chain.len())) };
    if der.len() > MAX_CERTIFICATE {
        return Err(Error::CertificateTooLong(der.len()));
    }
    // Both signatures are within the certificate, and so is all that they depend on.
    let digest = Proven::digest(&[der]);
    let is_proven = proven.has(&digest);
    let certificate = Certificate::parse(der).map_err(|_| Error::MalformedCertificate)?;
    certificate.check_validity(unix_time)?;
    let signed_key = certificate.signed_key()?;
    if !is_proven {
        certificate.check_self_signature(algorithms)?;
    }
    let (identity, signature) = parse_signed_key(signed_key).map_err(|_| Error::MalformedExtension)?;
    let key = PublicKey::decode(identity).map_err(Error::IdentityKey)?;
    let peer = key.peer_id();
    if let Some(expected) = expected.filter(|expected| *expected != peer) {
        return Err(Error::PeerIdMismatch { expected, actual: peer });
    }
    if !is_proven {
        let signed = [SIGNATURE_DOMAIN, certificate.key].concat();
        key.verify(&signed, signature).map_err(|_| Error::IdentitySignature)?;
        proven.add(&digest);
    }
    Ok(Remote { key, peer, certificate_key: certificate.key.to_vec() })
}

/// The parts of a certificate that anything depends on.
struct Certificate<'a> {
    /// What is signed: a whole element, as it was received.
    signed: &'a [u8],
    /// The content of an AlgorithmIdentifier.
    algorithm: &'a [u8],
    signature: &'a [u8],
    not_before: u64,
    not_after: u64,
    /// A whole SubjectPublicKeyInfo, as it was received: other encodings of the same key are signed
    /// by nobody.
    key: &'a [u8],
    extensions: Vec<Extension<'a>>,
}

struct Extension<'a> {
    id: ObjectIdentifier,
    critical: bool,
    value: &'a [u8],
}

impl<'a> Certificate<'a> {
    fn parse(der: &'a [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(der)?;
        let (signed, algorithm, signature) = reader.sequence(|fields| {
            let signed = fields.tlv_bytes()?;
            Ok::<_, der::Error>((signed, sequence(fields)?, bits(fields)?))
        })?;
        reader.finish()?;
        let mut reader = SliceReader::new(signed)?;
        reader.sequence(|fields| {
            let version = fields.context_specific::<u8>(TagNumber(0), TagMode::Explicit)?;
            let _serial = IntRef::decode(fields)?;
            // Not under the outer signature twice for nothing: the two could be made to differ.
            let inner_algorithm = sequence(fields)?;
            if version != Some(VERSION_3) || inner_algorithm != algorithm {
                return Err(Tag::Sequence.value_error().into());
            }
            let _issuer = sequence(fields)?;
            let (not_before, not_after) =
                fields.sequence(|validity| Ok::<_, der::Error>((time(validity)?, time(validity)?)))?;
            let _subject = sequence(fields)?;
            let key = fields.tlv_bytes()?;
            // What may stand here, issuerUniqueID and subjectUniqueID, the specification forbids.
            let extensions = match fields.is_finished() {
                true => Vec::new(),
                false => extensions(AnyRef::decode(fields)?)?,
            };
            Ok(Self { signed, algorithm, signature, not_before, not_after, key, extensions })
        })
    }

    fn check_validity(&self, now: u64) -> Result<(), Error> {
        let Self { not_before, not_after, .. } = *self;
        if now < not_before {
            return Err(Error::NotYetValid { not_before, now });
        }
        if now > not_after {
            return Err(Error::Expired { not_after, now });
        }
        Ok(())
    }

    /// The value of libp2p's extension, which may stand anywhere in the list.
    fn signed_key(&self) -> Result<&'a [u8], Error> {
        let mut found = None;
        for extension in &self.extensions {
            match extension.id {
                EXTENSION if found.is_some() => return Err(Error::DuplicateExtension),
                EXTENSION => found = Some(extension.value),
                KEY_USAGE => check_key_usage(extension.value)?,
                id if extension.critical => return Err(Error::UnknownCriticalExtension(id.to_string())),
                _ => {}
            }
        }
        match found {
            None => Err(Error::MissingExtension),
            Some(value) if value.len() > MAX_EXTENSION => Err(Error::ExtensionTooLong(value.len())),
            Some(value) => Ok(value),
        }
    }

    /// Only the algorithm of each TLS signature scheme that TLS 1.3 would use it with: that leaves out
    /// P-384 with SHA-256, which the other implementations refuse too.
    fn check_self_signature(&self, algorithms: &WebPkiSupportedAlgorithms) -> Result<(), Error> {
        let (key_algorithm, key) = parse_key(self.key).map_err(|_| Error::MalformedCertificate)?;
        let candidates = algorithms.mapping.iter().filter_map(|(_, candidates)| candidates.first());
        let algorithm = candidates
            .filter(|candidate| candidate.public_key_alg_id().as_ref() == key_algorithm)
            .find(|candidate| candidate.signature_alg_id().as_ref() == self.algorithm)
            .ok_or(Error::SignatureAlgorithm)?;
        algorithm.verify_signature(key, self.signed, self.signature).map_err(|_| Error::SelfSignature)
    }
}

/// The content of a SEQUENCE that is compared or ignored, but not looked into.
fn sequence<'a>(reader: &mut SliceReader<'a>) -> der::Result<&'a [u8]> {
    let element = AnyRef::decode(reader)?;
    der::Tagged::tag(&element).assert_eq(Tag::Sequence)?;
    Ok(element.value())
}

fn bits<'a>(reader: &mut SliceReader<'a>) -> der::Result<&'a [u8]> {
    BitStringRef::decode(reader)?.as_bytes().ok_or_else(|| Tag::BitString.value_error().into())
}

/// Seconds since 1970, and zero for all that was before: some certificates begin with the year 1.
fn time(reader: &mut SliceReader<'_>) -> der::Result<u64> {
    let element = AnyRef::decode(reader)?;
    let (digits, tag) = (element.value(), der::Tagged::tag(&element));
    let before_1970 = match tag {
        Tag::UtcTime => (&b"50"[..]..b"70").contains(&digits),
        _ => digits < &b"1970"[..],
    };
    let duration = match tag {
        Tag::UtcTime | Tag::GeneralizedTime if before_1970 => return Ok(0),
        Tag::UtcTime => element.decode_as::<UtcTime>()?.to_unix_duration(),
        _ => element.decode_as::<GeneralizedTime>()?.to_unix_duration(),
    };
    Ok(duration.as_secs())
}

fn extensions(field: AnyRef<'_>) -> der::Result<Vec<Extension<'_>>> {
    der::Tagged::tag(&field).assert_eq(TagNumber(3).context_specific(true))?;
    let mut reader = SliceReader::new(field.value())?;
    let list = reader.sequence(|list| {
        let mut extensions = Vec::new();
        while !list.is_finished() {
            extensions.push(list.sequence(|fields| {
                Ok::<_, der::Error>(Extension {
                    id: ObjectIdentifier::decode(fields)?,
                    critical: Option::<bool>::decode(fields)?.unwrap_or(false),
                    value: <&OctetStringRef>::decode(fields)?.as_bytes(),
                })
            })?);
        }
        Ok::<_, der::Error>(extensions)
    })?;
    reader.finish()?;
    Ok(list)
}

/// The algorithm's content and the key itself.
fn parse_key(info: &[u8]) -> der::Result<(&[u8], &[u8])> {
    let mut reader = SliceReader::new(info)?;
    let parts = reader.sequence(|fields| Ok::<_, der::Error>((sequence(fields)?, bits(fields)?)))?;
    reader.finish()?;
    Ok(parts)
}

/// The public key message and the signature in the libp2p extension.
fn parse_signed_key(value: &[u8]) -> der::Result<(&[u8], &[u8])> {
    let mut reader = SliceReader::new(value)?;
    let parts = reader.sequence(|fields| {
        let key = <&OctetStringRef>::decode(fields)?.as_bytes();
        Ok::<_, der::Error>((key, <&OctetStringRef>::decode(fields)?.as_bytes()))
    })?;
    reader.finish()?;
    Ok(parts)
}

/// A certificate need not say what its key is for; one that does has to name digital signatures.
fn check_key_usage(value: &[u8]) -> Result<(), Error> {
    let usage = BitStringRef::from_der(value).map_err(|_| Error::MalformedCertificate)?;
    let signs = usage.raw_bytes().first().is_some_and(|first| first & DIGITAL_SIGNATURE != 0);
    if signs { Ok(()) } else { Err(Error::KeyUsage) }
}

const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");

/// The first bit of a key usage.
const DIGITAL_SIGNATURE: u8 = 0x80;

/// Versions count from zero; extensions came with the third.
const VERSION_3: u8 = 2;

/// Room for a certificate key and an identity of RSA with 8192 bits each.
const MAX_CERTIFICATE: usize = 8 * 1024;

/// An RSA identity of 8192 bits takes some 2100 bytes.
const MAX_EXTENSION: usize = 4 * 1024;
