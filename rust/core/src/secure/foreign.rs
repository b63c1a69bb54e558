//! A security protocol that somebody else speaks: what the core asks of it.
//!
//! Bytes go in and bytes come out, as with ours. What comes out is not believed: the peer's identity is
//! compared with the expected one here, and counts are checked before they are used.

use std::fmt::Debug;

use super::{Completed, Error, Remote, SecureChannel, Side};
use crate::fault::Fault;
use crate::identity::{PeerId, PublicKey};
use crate::noise::EarlyMuxer;

/// A security protocol with this host's credentials for it. Made once, shared by all connections.
pub trait ForeignSecurity: Debug + Send + Sync {
    /// The id that multistream-select proposes.
    fn protocol(&self) -> &str;

    /// A new handshake. `muxers` is what we offer, in our order; whoever knows that only `expected` can
    /// answer may use it, but need not check it.
    ///
    /// # Errors
    /// It cannot begin.
    fn begin(
        &self,
        side: Side,
        muxers: &[String],
        expected: Option<&PeerId>,
    ) -> Result<Box<dyn ForeignHandshake>, Fault>;
}

/// One connection on its way to keys.
pub trait ForeignHandshake: Debug + Send + Sync {
    /// Takes all of `data`, in any pieces, and tells once who the peer is.
    ///
    /// # Errors
    /// The peer did something wrong, or the plug-in itself.
    fn receive(&mut self, data: &[u8]) -> Result<Option<ForeignCompleted>, Fault>;

    /// Appends what is due to be sent, also after the last [`ForeignHandshake::receive`] and after one
    /// that failed.
    ///
    /// # Errors
    /// Nothing can be sent.
    fn transmit(&mut self, out: &mut Vec<u8>) -> Result<(), Fault>;
}

/// What a handshake came to.
#[derive(Debug)]
pub struct ForeignCompleted {
    /// The key that the peer has proved to own.
    pub remote: PublicKey,
    /// The muxers that the peer says it has, in its order; empty when the handshake carries none.
    pub remote_muxers: Vec<String>,
    /// Bytes at the end of what was received last that belong to the channel already.
    pub unused: usize,
    /// The keys at work.
    pub channel: Box<dyn ForeignChannel>,
}

/// Both directions of a channel that has its keys.
pub trait ForeignChannel: Debug + Send + Sync {
    /// Takes all of `data`, in any pieces, and appends the plaintexts that it completes, one for each
    /// record.
    ///
    /// # Errors
    /// A forged or malformed record. What was appended before it is delivered, nothing after it.
    fn receive(&mut self, data: &[u8], plaintexts: &mut Vec<Vec<u8>>) -> Result<(), Fault>;

    /// Appends the record, or the records, of `plaintext`.
    ///
    /// # Errors
    /// No more can be sealed.
    fn seal(&mut self, plaintext: &[u8], out: &mut Vec<u8>) -> Result<(), Fault>;

    /// A record has begun and not ended: an end of the transport now is a truncation.
    ///
    /// # Errors
    /// It cannot be told.
    fn has_partial(&self) -> Result<bool, Fault>;
}

/// A [`ForeignHandshake`] with what is ours to check.
#[derive(Debug)]
pub struct Supervised {
    handshake: Box<dyn ForeignHandshake>,
    side: Side,
    muxers: Vec<String>,
    expected: Option<PeerId>,
}

impl Supervised {
    pub(super) fn begin(
        security: &dyn ForeignSecurity,
        side: Side,
        muxers: &[String],
        expected: Option<PeerId>,
    ) -> Result<Self, Error> {
        let handshake = security.begin(side, muxers, expected.as_ref())?;
        Ok(Self { handshake, side, muxers: muxers.to_vec(), expected })
    }

    pub(super) fn receive(&mut self, data: &[u8]) -> Result<(usize, Option<Completed>), Error> {
        let Some(completed) = self.handshake.receive(data)? else { return Ok((data.len(), None)) };
        let used = data
            .len()
            .checked_sub(completed.unused)
            .ok_or_else(|| Fault::misuse("left more bytes than it was given"))?;
        let peer = completed.remote.peer_id();
        if let Some(expected) = self.expected.filter(|expected| *expected != peer) {
            return Err(Error::PeerIdMismatch { expected, actual: peer });
        }
        let early_muxer = match self.side {
            Side::Initiator => EarlyMuxer::choose(&self.muxers, &completed.remote_muxers),
            Side::Responder => EarlyMuxer::choose(&completed.remote_muxers, &self.muxers),
        };
        let remote = Remote { peer, key: completed.remote };
        let channel = SecureChannel::Foreign(completed.channel);
        Ok((used, Some(Completed { remote, early_muxer, channel })))
    }

    pub(super) fn transmit(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        Ok(self.handshake.transmit(out)?)
    }
}
