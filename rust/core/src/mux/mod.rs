//! Stream multiplexers: many streams over one ordered, reliable byte channel.
//!
//! Here are the words that every multiplexer shares: roles, ids, limits, events, errors and the
//! arithmetic of windows; and what several of them do alike. [`yamux`] is the one to use, [`mplex`]
//! is for peers that know nothing else, [`foreign`] is for one that somebody else speaks, and [`single`]
//! stands where there is none.

mod abuse;
mod account;
pub mod codes;
mod config;
mod error;
mod event;
pub mod foreign;
mod linger;
pub mod mplex;
mod muxer;
mod page;
mod schedule;
pub mod single;
mod state;
mod table;
mod unread;
mod unsent;
mod window;
pub mod yamux;

pub use config::MuxConfig;
pub use error::{Error, StreamError, Violation};
pub use event::{Available, MuxEvent, Stats};
pub use muxer::{Mux, Muxer};
pub use unread::LEAST_SEGMENT;
pub use unsent::{LONGEST_LOAN, Lent};

/// Which end of the connection this is, as far as stream ids go.
///
/// The initiator of the multiplexer's negotiation is the client. That is not always the end that
/// dialled: hole punching swaps them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Opens streams with odd ids.
    Client,
    /// Opens streams with even ids.
    Server,
}

/// The local name of a stream, never used twice on one connection.
///
/// It is not the id on the wire: a peer may use that one again as soon as the stream is closed on
/// the wire, while the application still holds (and reads) the old stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(u64);

impl StreamId {
    /// The name as a number, to be carried through a foreign interface.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The name that [`StreamId::as_u64`] gave. A number it never gave names no stream.
    #[must_use]
    pub const fn from_u64(number: u64) -> Self {
        Self(number)
    }
}
