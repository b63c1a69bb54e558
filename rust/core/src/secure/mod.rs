//! Secure channels: one handshake and one channel type over all security protocols.
//!
//! | part | is about |
//! |---|---|
//! | [`Security`] | what a host can speak, with the credentials that it needs for it |
//! | [`Handshake`] | one connection on its way to keys |
//! | [`SecureChannel`] | records, opened where they lie and sealed where they were written |
//!
//! A new protocol adds one variant to each; one that somebody else speaks goes through [`ForeignSecurity`].

mod channel;
mod foreign;
mod handshake;

use std::sync::Arc;

pub use channel::SecureChannel;
pub use foreign::{ForeignChannel, ForeignCompleted, ForeignHandshake, ForeignSecurity, Supervised};
pub use handshake::{Completed, Fresh, Handshake, Remote, Side};

use crate::fault::Fault;
use crate::identity::PeerId;
use crate::noise::{self, StaticKeys};
use crate::plaintext::{self, Claim};
use crate::tls::{self, Alert, Credentials};

/// A security protocol with this host's credentials for it. Made once, shared by all connections.
#[derive(Clone, Debug)]
pub enum Security {
    /// `/noise`
    Noise(Arc<StaticKeys>),
    /// `/tls/1.0.0`
    Tls(Arc<Credentials>),
    /// `/plaintext/2.0.0`: no security at all, for tests and measurements.
    Plaintext(Arc<Claim>),
    /// A protocol that somebody else speaks.
    Foreign(Arc<dyn ForeignSecurity>),
}

impl Security {
    /// The id that multistream-select proposes.
    #[must_use]
    pub fn protocol(&self) -> &str {
        match self {
            Self::Noise(_) => noise::PROTOCOL,
            Self::Tls(_) => tls::PROTOCOL,
            Self::Plaintext(_) => plaintext::PROTOCOL,
            Self::Foreign(security) => security.protocol(),
        }
    }
}

/// Why a handshake or a record failed. All of them end the connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The peer proved to be somebody else than was dialed.
    #[error("dialed {expected}, but {actual} answered")]
    PeerIdMismatch {
        /// Whom we dialed.
        expected: PeerId,
        /// Who says it is there.
        actual: PeerId,
    },
    /// Noise failed otherwise.
    #[error("Noise: {0}")]
    Noise(noise::Error),
    /// TLS failed otherwise.
    #[error("TLS: {0}")]
    Tls(tls::Error),
    /// The exchange of plaintext identities failed otherwise.
    #[error("plaintext: {0}")]
    Plaintext(plaintext::Error),
    /// A plug-in failed, or told that the peer did.
    #[error("{0}")]
    Foreign(#[from] Fault),
}

impl Error {
    /// Nothing is wrong but that the two have no muxer in common, which TLS finds out by itself.
    #[must_use]
    pub fn is_about_muxers(&self) -> bool {
        match self {
            Self::Tls(tls::Error::NoApplicationProtocol) => true,
            Self::Tls(tls::Error::AlertReceived(alert)) => *alert == Alert::NO_APPLICATION_PROTOCOL,
            _ => false,
        }
    }
}

impl From<noise::Error> for Error {
    fn from(error: noise::Error) -> Self {
        match error {
            noise::Error::PeerIdMismatch { expected, actual } => Self::PeerIdMismatch { expected, actual },
            other => Self::Noise(other),
        }
    }
}

impl From<tls::Error> for Error {
    fn from(error: tls::Error) -> Self {
        match error {
            tls::Error::PeerIdMismatch { expected, actual } => Self::PeerIdMismatch { expected, actual },
            other => Self::Tls(other),
        }
    }
}

impl From<plaintext::Error> for Error {
    fn from(error: plaintext::Error) -> Self {
        match error {
            plaintext::Error::PeerIdMismatch { expected, actual } => {
                Self::PeerIdMismatch { expected, actual }
            }
            other => Self::Plaintext(other),
        }
    }
}
