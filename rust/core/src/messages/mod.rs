//! The protobuf messages of libp2p, each with the largest size it may have.
//!
//! The schemas are derived, so building needs no protobuf compiler. What is public here is the
//! cleaned form: bounds checked, lists cut to their limits, entries that nobody can use dropped.
//! A string that is not UTF-8 never fails a whole message, because proto2 peers do not check it.

mod envelope;
mod identify;
mod key;
mod noise;

pub use envelope::{Envelope, MAX_ENVELOPE, PeerRecord};
pub use identify::{Identify, MAX_IDENTIFY, MAX_IDENTIFY_MESSAGES, MAX_IDENTIFY_SENT, MAX_IDENTIFY_TOTAL};
pub use key::{Key, MAX_PRIVATE_KEY, MAX_PUBLIC_KEY};
pub use noise::{MAX_NOISE_PAYLOAD, NoiseExtensions, NoisePayload};

/// Longest multiaddr kept from a message: names and certificate hashes included, real ones stay far below.
pub const MAX_MULTIADDR: usize = 1024;

/// Most multiaddrs kept from one list; a host with more has nothing to gain from the rest being tried.
pub const MAX_MULTIADDRS: usize = 100;

/// Longest protocol id kept from a message; longer ones cannot be proposed in one multistream message
/// together with anything else.
pub const MAX_PROTOCOL: usize = 512;

/// Most protocol ids kept for one peer: what go keeps, and more than any node is known to mount.
pub const MAX_PROTOCOLS: usize = 1024;

/// Why a message could not be decoded or encoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Over the bound of its kind; nothing of it was decoded.
    #[error("{message} message of {length} bytes is over its bound of {max}")]
    TooLong {
        /// Which kind of message.
        message: &'static str,
        /// Its length in bytes.
        length: usize,
        /// The bound, in bytes.
        max: usize,
    },
    /// Not protobuf, or a field has the wrong type.
    #[error("{message} message is malformed: {cause}")]
    Malformed {
        /// Which kind of message.
        message: &'static str,
        /// What the decoder met.
        cause: prost::DecodeError,
    },
    /// A required field is absent.
    #[error("{message} message has no {field}")]
    MissingField {
        /// Which kind of message.
        message: &'static str,
        /// The field, as its schema names it.
        field: &'static str,
    },
    /// More messages in a row than the exchange allows.
    #[error("{message} exchange of {count} messages is over its bound of {max}")]
    TooManyMessages {
        /// Which kind of message.
        message: &'static str,
        /// How many there were.
        count: usize,
        /// The bound.
        max: usize,
    },
}

/// Decodes `bytes`, looking at them only when they are within `max`.
fn decode_bounded<M: prost::Message + Default>(
    message: &'static str,
    bytes: &[u8],
    max: usize,
) -> Result<M, Error> {
    check_length(message, bytes.len(), max)?;
    M::decode(bytes).map_err(|cause| Error::Malformed { message, cause })
}

fn check_length(message: &'static str, length: usize, max: usize) -> Result<(), Error> {
    if length > max { Err(Error::TooLong { message, length, max }) } else { Ok(()) }
}

/// Whether a multiaddr is worth keeping. Old go sends empty ones, which js reads as `/` and fails on.
fn is_usable_multiaddr(multiaddr: &[u8]) -> bool {
    !multiaddr.is_empty() && multiaddr.len() <= MAX_MULTIADDR
}
