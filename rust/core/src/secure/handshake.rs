//! One connection on its way to keys, whatever the protocol.

use std::fmt;

use super::{Error, SecureChannel, Security, Supervised};
use crate::identity::{PeerId, PublicKey};
use crate::noise::{self, EarlyMuxer};
use crate::{plaintext, tls};

/// Which end begins the handshake. Mostly who dialed; hole punching decides it otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Begins.
    Initiator,
    /// Answers.
    Responder,
}

/// What a handshake needs that is new each time.
#[derive(Clone, Copy)]
pub struct Fresh {
    /// Random bytes that nobody knows, used once.
    pub seed: [u8; 32],
    /// Seconds since 1970, at which the peer's certificate has to be valid.
    pub unix_time: u64,
}

/// Shows nothing of the seed: a secret is made of it.
impl fmt::Debug for Fresh {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Fresh").field("unix_time", &self.unix_time).finish_non_exhaustive()
    }
}

/// A handshake that is under way.
#[derive(Debug)]
pub enum Handshake {
    /// Noise XX.
    Noise {
        /// The handshake itself.
        handshake: Box<noise::Handshake>,
        /// What we offer, to compare with the peer's list.
        muxers: Vec<String>,
    },
    /// TLS 1.3.
    Tls(Box<tls::Handshake>),
    /// Each side says who it is.
    Plaintext(plaintext::Handshake),
    /// Somebody else does it.
    Foreign(Box<Supervised>),
}

/// What a handshake came to.
#[derive(Debug)]
pub struct Completed {
    /// Who the peer is.
    pub remote: Remote,
    /// The muxer, if the handshake came to one.
    pub early_muxer: EarlyMuxer,
    /// The keys at work.
    pub channel: SecureChannel,
}

/// A peer and the key that proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// The peer's id.
    pub peer: PeerId,
    /// The key that it follows from.
    pub key: PublicKey,
}

impl Handshake {
    /// Begins. `muxers` is what we offer, in our order; with `expected`, anybody else who answers is an
    /// error.
    ///
    /// # Errors
    /// The first message cannot be made.
    pub fn new(
        security: &Security,
        side: Side,
        fresh: Fresh,
        muxers: &[String],
        expected: Option<PeerId>,
    ) -> Result<Self, Error> {
        Ok(match security {
            Security::Noise(keys) => {
                let handshake = match side {
                    Side::Initiator => noise::Handshake::initiator(keys, fresh.seed, muxers, expected)?,
                    Side::Responder => noise::Handshake::responder(keys, fresh.seed, muxers, expected),
                };
                Self::Noise { handshake: Box::new(handshake), muxers: muxers.to_vec() }
            }
            Security::Tls(credentials) => {
                let Fresh { unix_time, .. } = fresh;
                Self::Tls(Box::new(match side {
                    Side::Initiator => tls::Handshake::client(credentials, muxers, expected, unix_time)?,
                    Side::Responder => tls::Handshake::server(credentials, muxers, expected, unix_time)?,
                }))
            }
            Security::Plaintext(claim) => Self::Plaintext(plaintext::Handshake::new(claim, expected)),
            Security::Foreign(security) => {
                Self::Foreign(Box::new(Supervised::begin(&**security, side, muxers, expected)?))
            }
        })
    }

    /// Takes the handshake's bytes from the front of `data`; the rest belongs to the channel.
    ///
    /// # Errors
    /// Whatever the peer did wrong.
    pub fn receive(&mut self, data: &mut [u8]) -> Result<(usize, Option<Completed>), Error> {
        match self {
            Self::Noise { handshake, muxers } => {
                let (used, completed) = handshake.receive(data)?;
                let completed = completed.map(|completed| Completed {
                    early_muxer: completed.early_muxer(muxers),
                    remote: Remote { peer: completed.remote_peer, key: completed.remote },
                    channel: SecureChannel::noise(completed.sealer, completed.opener),
                });
                Ok((used, completed))
            }
            Self::Tls(handshake) => {
                let (used, completed) = handshake.receive(data)?;
                let completed = completed.map(|completed| Completed {
                    remote: Remote { peer: completed.remote_peer, key: completed.remote },
                    early_muxer: completed.early_muxer,
                    channel: SecureChannel::Tls(Box::new(completed.channel)),
                });
                Ok((used, completed))
            }
            Self::Plaintext(handshake) => {
                let (used, remote) = handshake.receive(data)?;
                let completed = remote.map(|(peer, key)| Completed {
                    remote: Remote { peer, key },
                    early_muxer: EarlyMuxer::NotOffered,
                    channel: SecureChannel::Clear,
                });
                Ok((used, completed))
            }
            Self::Foreign(handshake) => handshake.receive(data),
        }
    }

    /// Appends what is due to be sent, also after the last [`Handshake::receive`].
    ///
    /// # Errors
    /// A plug-in failed.
    pub fn transmit(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        match self {
            Self::Noise { handshake, .. } => handshake.transmit(out),
            Self::Tls(handshake) => handshake.transmit(out),
            Self::Plaintext(handshake) => handshake.transmit(out),
            Self::Foreign(handshake) => return handshake.transmit(out),
        }
        Ok(())
    }
}
