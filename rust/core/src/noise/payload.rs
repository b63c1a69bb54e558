//! libp2p's part of the handshake: whose static key it is.

use prost::Message as _;

use super::Error;
use crate::identity::{PeerId, Proven, PublicKey};
use crate::messages::{self, NoiseExtensions, NoisePayload};

/// What stands in front of the static key when an identity signs it.
pub(super) const SIGNATURE_DOMAIN: &[u8] = b"noise-libp2p-static-key:";

/// The extensions of one handshake, to be appended to the encoded payload; protobuf fields may follow
/// each other in any pieces. Nothing at all when no muxer is offered.
pub(super) fn encode_extensions(muxers: &[String]) -> Vec<u8> {
    if muxers.is_empty() {
        return Vec::new();
    }
    let stream_muxers = muxers.iter().map(|name| name.clone().into_bytes()).collect();
    let extensions = Some(NoiseExtensions { stream_muxers });
    NoisePayload { extensions, ..NoisePayload::default() }.encode_to_vec()
}

/// Who the peer proved to be, and what it offers.
pub(super) struct Remote {
    pub(super) key: PublicKey,
    pub(super) peer: PeerId,
    pub(super) muxers: Vec<String>,
}

/// Checks a payload against the static key that this handshake has authenticated. The peer id goes
/// first: when the wrong peer answers, that is what the caller has to hear.
pub(super) fn verify(
    payload: &[u8],
    static_key: &[u8; 32],
    expected: Option<PeerId>,
    proven: &Proven,
) -> Result<Remote, Error> {
    let payload = NoisePayload::decode(payload)?;
    let missing = |field| messages::Error::MissingField { message: "noise payload", field };
    let identity_key = payload.identity_key.as_ref().ok_or_else(|| missing("identity_key"))?;
    let signature = payload.identity_sig.as_ref().ok_or_else(|| missing("identity_sig"))?;
    let key = PublicKey::decode(identity_key).map_err(Error::IdentityKey)?;
    let peer = key.peer_id();
    if let Some(expected) = expected.filter(|expected| *expected != peer) {
        return Err(Error::PeerIdMismatch { expected, actual: peer });
    }
    let digest = Proven::digest(&[identity_key, static_key, signature]);
    if proven.has(&digest) {
        return Ok(Remote { key, peer, muxers: payload.stream_muxers() });
    }
    let mut signed = [0; SIGNATURE_DOMAIN.len() + 32];
    signed[..SIGNATURE_DOMAIN.len()].copy_from_slice(SIGNATURE_DOMAIN);
    signed[SIGNATURE_DOMAIN.len()..].copy_from_slice(static_key);
    key.verify(&signed, signature).map_err(|_| Error::IdentitySignature)?;
    proven.add(&digest);
    Ok(Remote { key, peer, muxers: payload.stream_muxers() })
}
