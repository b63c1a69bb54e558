//! What libp2p sends inside the second and third Noise message.

use super::{Error, decode_bounded};

/// Longest payload accepted: a key, a signature and a list of muxers, even with RSA-8192, fit in 3 KiB.
pub const MAX_NOISE_PAYLOAD: usize = 8192;

/// Longest muxer list taken seriously; go too ignores a longer one.
const MAX_STREAM_MUXERS: usize = 100;

/// `NoiseHandshakePayload`: who owns the static key of this handshake.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct NoisePayload {
    /// The public key message of the sender.
    #[prost(bytes = "vec", optional, tag = "1")]
    pub identity_key: Option<Vec<u8>>,
    /// The identity's signature over the static key.
    #[prost(bytes = "vec", optional, tag = "2")]
    pub identity_sig: Option<Vec<u8>>,
    /// What else the sender says in the same flight.
    #[prost(message, optional, tag = "4")]
    pub extensions: Option<NoiseExtensions>,
}

impl NoisePayload {
    /// Decodes a payload of at most [`MAX_NOISE_PAYLOAD`] bytes; unknown fields are skipped.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        decode_bounded("noise payload", bytes, MAX_NOISE_PAYLOAD)
    }

    /// The muxers that the sender offers, in its order. Names that are not UTF-8 are left out, and a
    /// list over 100 entries counts as no list.
    #[must_use]
    pub fn stream_muxers(&self) -> Vec<String> {
        let Some(extensions) = &self.extensions else { return Vec::new() };
        if extensions.stream_muxers.len() > MAX_STREAM_MUXERS {
            return Vec::new();
        }
        extensions.stream_muxers.iter().filter_map(|name| String::from_utf8(name.clone()).ok()).collect()
    }
}

/// `NoiseExtensions`. Field 1, the certificate hashes of WebTransport, is no concern of this core and
/// is skipped like an unknown one.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct NoiseExtensions {
    /// Protocol ids of muxers. Bytes, so that a name which is not UTF-8 does not fail the handshake.
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub stream_muxers: Vec<Vec<u8>>,
}
