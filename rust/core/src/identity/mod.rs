//! Who a peer is: public keys, the peer ids made of them, and what they have signed.

mod base58;
mod peer_id;
mod proven;
mod public_key;
mod signed;
mod spki;

pub use peer_id::PeerId;
pub(crate) use proven::Proven;
pub use public_key::{KeyType, PublicKey};
pub use signed::{
    PEER_RECORD_DOMAIN, PEER_RECORD_PAYLOAD_TYPE, open_envelope, open_peer_record, signed_bytes,
};

use crate::messages;

/// Why a key, a peer id or a signature was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The protobuf around it is not what it should be.
    #[error(transparent)]
    Message(#[from] messages::Error),
    /// A key type that libp2p does not define.
    #[error("unknown key type {0}")]
    UnknownKeyType(i32),
    /// The key's bytes are not a key of its type, or one that must not be trusted.
    #[error("{kind} public key {why}")]
    InvalidKey {
        /// What the key says it is.
        kind: KeyType,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The bytes are not a peer id.
    #[error("peer id {0}")]
    InvalidPeerId(&'static str),
    /// The signature was not made over these bytes by this key, or is not a legal one.
    #[error("the signature does not match")]
    InvalidSignature,
    /// The envelope holds something else than what was asked for.
    #[error("the envelope's payload type is {0:02x?}")]
    UnexpectedPayloadType(Vec<u8>),
    /// The record speaks of one peer and was signed, or expected, by another.
    #[error("the peer record is of {record}, not of {signer}")]
    NotTheSigner {
        /// Whom the record is about.
        record: PeerId,
        /// Whom it should be about.
        signer: PeerId,
    },
}
