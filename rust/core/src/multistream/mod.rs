//! multistream-select 1.0: how two peers agree on what a channel or a stream speaks.
//!
//! ```text
//! dialer    header, proposal ───────────────►
//!           ◄─────────────── header, the same name: agreed
//!           ◄─────────────── header, `na`: refused
//!           next proposal ──────────────────►
//! ```
//!
//! A [`Dialer`] or a [`Listener`] lives once in each stream, so neither keeps or allocates anything
//! for messages that arrive whole. Both take bytes split in any way, take not one byte more than
//! the negotiation, and give the same result for every split. The end of the input before an
//! agreement is the caller's to see, and means that the negotiation failed.

mod dialer;
mod listener;
mod message;
mod protocol_set;
mod simultaneous;

pub use dialer::{Dialer, Progress};
pub use listener::Listener;
pub(crate) use message::ENCODED_HEADER;
pub use message::{HEADER, MAX_MESSAGE_BYTES, encode_header, encode_message};
pub use protocol_set::{InvalidProtocol, MAX_PROTOCOL_BYTES, ProtocolSet, Rule, Supported};
pub use simultaneous::{Decision, SIMULTANEOUS, Simultaneous};

use crate::{delimited, varint};

/// What the peer did that ends a negotiation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The length of a message is not a varint.
    #[error("negotiation message length: {0}")]
    Length(varint::Error),
    /// A message is over the bound of 1 KiB.
    #[error("negotiation message of {length} bytes is over the bound of {MAX_MESSAGE_BYTES}")]
    TooLarge {
        /// What the peer announced.
        length: u64,
    },
    /// A message does not end in a newline.
    #[error("negotiation message does not end in a newline")]
    MissingNewline,
    /// A message has a newline before its end.
    #[error("negotiation message has a newline inside")]
    EmbeddedNewline,
    /// A message is not text.
    #[error("negotiation message is not UTF-8")]
    NotUtf8,
    /// The first message is not the header of the one version that exists.
    #[error("peer does not begin with {HEADER}")]
    HeaderExpected,
    /// The answer to a proposal is neither that proposal nor `na`.
    #[error("peer answers a proposal with something else")]
    UnexpectedAnswer,
    /// The peer would go on for ever.
    #[error("negotiation takes more than {MAX_ROUNDS} rounds")]
    TooManyRounds,
    /// Two dialers met and drew the same number.
    #[error("both sides of a simultaneous open drew the same number")]
    Tie,
    /// After our `na` came something that is no proposal.
    ///
    /// Most likely data that a dialer, sure of its protocol, had sent behind the proposal. That is
    /// the dialer's right: fail the stream, and hold nothing against the peer.
    #[error("what follows a refused proposal is no proposal")]
    AfterRefusal,
}

impl From<delimited::Error> for Error {
    fn from(error: delimited::Error) -> Self {
        match error {
            delimited::Error::Length(error) => Self::Length(error),
            delimited::Error::TooLarge { length, max: _ } => Self::TooLarge { length },
        }
    }
}

/// Messages without progress towards an agreement that one negotiation may take, and so also the
/// candidates that a dialer may have. Peers offer two or three protocols; sixteen is generous, and
/// still ends a peer that would ask until the deadline.
pub const MAX_ROUNDS: u8 = 16;
