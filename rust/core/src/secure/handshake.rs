//! One connection on its way to keys, whatever the protocol.

use super::{Error, SecureChannel, Security};
use crate::identity::{PeerId, PublicKey};
use crate::noise::{self, EarlyMuxer};
use crate::plaintext;

/// Which end begins the handshake. Mostly who dialed; hole punching decides it otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Begins.
    Initiator,
    /// Answers.
    Responder,
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
    /// Each side says who it is.
    Plaintext(plaintext::Handshake),
    /// Somebody else does it.
    Foreign,
}

/// What a handshake came to.
#[derive(Debug)]
pub struct Completed {
    /// Who the peer is; `None` when somebody else has to find out.
    pub remote: Option<Remote>,
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
    /// Begins. `seed` are 32 random bytes, used once; `muxers` is what we offer, in our order; with
    /// `expected`, anybody else who answers is an error.
    ///
    /// # Errors
    /// The first message cannot be made.
    pub fn new(
        security: &Security,
        side: Side,
        seed: [u8; 32],
        muxers: &[String],
        expected: Option<PeerId>,
    ) -> Result<Self, Error> {
        Ok(match security {
            Security::Noise(keys) => {
                let handshake = match side {
                    Side::Initiator => noise::Handshake::initiator(keys, seed, muxers, expected)?,
                    Side::Responder => noise::Handshake::responder(keys, seed, muxers, expected),
                };
                Self::Noise { handshake: Box::new(handshake), muxers: muxers.to_vec() }
            }
            Security::Plaintext(claim) => Self::Plaintext(plaintext::Handshake::new(claim, expected)),
            Security::Foreign(_) => Self::Foreign,
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
                    remote: Some(Remote { peer: completed.remote_peer, key: completed.remote }),
                    channel: SecureChannel::noise(completed.sealer, completed.opener),
                });
                Ok((used, completed))
            }
            Self::Plaintext(handshake) => {
                let (used, remote) = handshake.receive(data)?;
                let completed = remote.map(|(peer, key)| Completed {
                    remote: Some(Remote { peer, key }),
                    early_muxer: EarlyMuxer::NotOffered,
                    channel: SecureChannel::Clear,
                });
                Ok((used, completed))
            }
            Self::Foreign => Ok((
                0,
                Some(Completed {
                    remote: None,
                    early_muxer: EarlyMuxer::NotOffered,
                    channel: SecureChannel::Clear,
                }),
            )),
        }
    }

    /// Appends what is due to be sent, also after the last [`Handshake::receive`].
    pub fn transmit(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::Noise { handshake, .. } => handshake.transmit(out),
            Self::Plaintext(handshake) => handshake.transmit(out),
            Self::Foreign => {}
        }
    }
}
