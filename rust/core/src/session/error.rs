//! What a command of the application can fail with.

use super::event::Reason;
use crate::multistream;
use crate::mux::{self, StreamError};

/// Why a command failed. Never the peer's bytes: those end the session instead.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The session is closing or over.
    #[error("the connection is closed")]
    Closed,
    /// The upgrade is not finished.
    #[error("the connection is not established")]
    NotEstablished,
    /// The upgrade cannot begin: no protocols, or no first message.
    #[error("the upgrade cannot begin: {0:?}")]
    Upgrade(Reason),
    /// The protocols cannot be proposed.
    #[error(transparent)]
    Protocols(#[from] multistream::InvalidProtocol),
    /// The muxer refused to open a stream.
    #[error(transparent)]
    Mux(#[from] mux::Error),
    /// The stream is reset, closed or unknown.
    #[error(transparent)]
    Stream(#[from] StreamError),
}
