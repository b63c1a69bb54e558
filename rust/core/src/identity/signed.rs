//! Signed envelopes: opening one is verifying it.

use super::{Error, PeerId, PublicKey};
use crate::messages::{self, Envelope, PeerRecord};

/// The domain in which peer records are signed. A record signed in the obsolete domain
/// `libp2p-routing-state`, as rust-libp2p still does by default, does not open.
pub const PEER_RECORD_DOMAIN: &str = "libp2p-peer-record";

/// The payload type of a peer record: these two bytes as they are, not a varint.
pub const PEER_RECORD_PAYLOAD_TYPE: &[u8] = &[0x03, 0x01];

/// What the signature of an envelope covers: the three fields, each after its length.
#[must_use]
pub fn signed_bytes(domain: &str, payload_type: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut bytes =
        Vec::with_capacity(domain.len() + payload_type.len() + payload.len() + 3 * MAX_LENGTH_PREFIX);
    for field in [domain.as_bytes(), payload_type, payload] {
        prost::encoding::encode_varint(field.len() as u64, &mut bytes);
        bytes.extend_from_slice(field);
    }
    bytes
}

/// The payload of an envelope and the key that has signed it, in this domain and as this type.
pub fn open_envelope(
    envelope: &[u8],
    domain: &str,
    payload_type: &[u8],
) -> Result<(PublicKey, Vec<u8>), Error> {
    let envelope = Envelope::decode(envelope)?;
    let missing = |field| messages::Error::MissingField { message: "envelope", field };
    let key = PublicKey::decode(&envelope.public_key.ok_or_else(|| missing("public_key"))?)?;
    let actual_type = envelope.payload_type.ok_or_else(|| missing("payload_type"))?;
    let payload = envelope.payload.unwrap_or_default();
    let signature = envelope.signature.ok_or_else(|| missing("signature"))?;
    if actual_type != payload_type {
        return Err(Error::UnexpectedPayloadType(actual_type));
    }
    key.verify(&signed_bytes(domain, payload_type, &payload), &signature)?;
    Ok((key, payload))
}

/// The peer record in an envelope, signed by the peer that it is about, which is `expected` if that is given.
pub fn open_peer_record(envelope: &[u8], expected: Option<&PeerId>) -> Result<PeerRecord, Error> {
    let (key, payload) = open_envelope(envelope, PEER_RECORD_DOMAIN, PEER_RECORD_PAYLOAD_TYPE)?;
    let record = PeerRecord::decode(&payload)?;
    let about = PeerId::from_bytes(&record.peer_id)?;
    let signer = key.peer_id();
    for owner in [Some(&signer), expected].into_iter().flatten() {
        if about != *owner {
            return Err(Error::NotTheSigner { record: about, signer: *owner });
        }
    }
    Ok(record)
}

/// The longest varint.
const MAX_LENGTH_PREFIX: usize = 10;
