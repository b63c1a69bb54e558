//! `/noise`: Noise XX on X25519, ChaCha20-Poly1305 and SHA-256, with libp2p's payload.
//!
//! A [`Handshake`] turns bytes of the wire into [`Completed`]: who the peer is, and a [`Sealer`] and an
//! [`Opener`] for the records that follow. The primitives are those of x25519-dalek and ring; what is
//! here is the order in which the Noise specification (revision 34) puts them together.
//!
//! Nothing here tells the peer why it failed: the caller closes, whatever the [`Error`].

mod cipher;
mod early_muxer;
mod handshake;
mod payload;
mod quickest;
mod record;
mod static_keys;
mod symmetric;
#[cfg(test)]
mod tests;
mod xx;

pub use cipher::{Aead, Ring};
pub use early_muxer::EarlyMuxer;
pub use handshake::{Completed, Handshake};
pub use quickest::{Quickest, long_messages_by};
pub use record::{MAX_PLAINTEXT, Opener, RecordReader, Sealer};
pub use static_keys::StaticKeys;

use crate::identity::{self, PeerId};
use crate::messages;

/// The id that multistream-select proposes.
pub const PROTOCOL: &str = "/noise";

/// The length in front of each message, big-endian.
pub const LENGTH_PREFIX: usize = 2;

/// What the AEAD adds to each plaintext.
pub const TAG_LENGTH: usize = 16;

/// The longest Noise message, which is what its length prefix can say.
pub const MAX_MESSAGE: usize = 65535;

/// Why a handshake or a record failed. All of them end the connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The first message carries something besides its key; nothing may be said before there is a secret.
    #[error("handshake message 1 carries a payload")]
    EarlyPayload,
    /// A handshake message is shorter than its keys and tags, or longer than any payload makes it.
    #[error("handshake message {message} is {length} bytes long, not {min} to {max}")]
    MessageLength {
        /// Which message, from 1.
        message: u8,
        /// The length in front of it.
        length: usize,
        /// The shortest that it can be.
        min: usize,
        /// The longest that is accepted.
        max: usize,
    },
    /// The peer's X25519 key is a point of small order, so the secret would be no secret.
    #[error("the peer's Diffie-Hellman key is of small order")]
    SmallOrderKey,
    /// Flipped, replayed, reordered, or made with another key.
    #[error("decryption failed")]
    Decryption,
    /// The payload is not the message it should be, or lacks a field.
    #[error(transparent)]
    Payload(#[from] messages::Error),
    /// The identity key in the payload is not one.
    #[error("identity key: {0}")]
    IdentityKey(identity::Error),
    /// The peer proved to be somebody else than was dialed.
    #[error("dialed {expected}, but {actual} answered")]
    PeerIdMismatch {
        /// Whom we dialed.
        expected: PeerId,
        /// Who says it is there.
        actual: PeerId,
    },
    /// The peer's identity has not signed the static key of this handshake.
    #[error("the peer's identity has not signed its static key")]
    IdentitySignature,
    /// A record too short to have a tag.
    #[error("record of {0} bytes is shorter than its tag")]
    RecordTooShort(usize),
    /// Local misuse: a record has between 1 and [`MAX_PLAINTEXT`] bytes of plaintext.
    #[error("cannot seal {0} bytes in one record")]
    PlaintextLength(usize),
    /// All nonces of this direction are used; only a new connection has new ones.
    #[error("the channel has used up its nonces")]
    NoncesExhausted,
    /// It failed before, or the handshake is over.
    #[error("the channel has ended")]
    Ended,
}
