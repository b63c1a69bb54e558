//! The one message that carries both public and private keys.

use std::fmt;

use super::{Error, decode_bounded};

/// Longest public key message: RSA with 8192 bits takes about 1.1 KiB.
pub const MAX_PUBLIC_KEY: usize = 2048;

/// Longest private key message: RSA with 8192 bits takes about 4.7 KiB.
pub const MAX_PRIVATE_KEY: usize = 8192;

/// A key as it is stored and sent: its type's number and its bytes, not yet checked against each other.
///
/// Both fields are always written, also type 0, so that the encoding is the canonical one that peer
/// ids are made of.
#[derive(Clone, PartialEq, Eq, prost::Message)]
#[prost(skip_debug)]
pub struct Key {
    /// `Type`: 0 RSA, 1 Ed25519, 2 secp256k1, 3 ECDSA.
    #[prost(int32, optional, tag = "1")]
    pub kind: Option<i32>,
    /// `Data`, in the form of that type.
    #[prost(bytes = "vec", optional, tag = "2")]
    pub data: Option<Vec<u8>>,
}

impl Key {
    /// Decodes a public key message of at most [`MAX_PUBLIC_KEY`] bytes.
    pub fn decode_public(bytes: &[u8]) -> Result<Self, Error> {
        decode_bounded("public key", bytes, MAX_PUBLIC_KEY)
    }

    /// Decodes a private key message of at most [`MAX_PRIVATE_KEY`] bytes.
    pub fn decode_private(bytes: &[u8]) -> Result<Self, Error> {
        decode_bounded("private key", bytes, MAX_PRIVATE_KEY)
    }

    /// The message with both fields, in the canonical encoding.
    #[must_use]
    pub fn encode(kind: i32, data: Vec<u8>) -> Vec<u8> {
        prost::Message::encode_to_vec(&Self { kind: Some(kind), data: Some(data) })
    }
}

/// Shows no bytes: they may be a private key.
impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Key").field("kind", &self.kind).finish_non_exhaustive()
    }
}
