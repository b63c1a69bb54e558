//! The handshake as libp2p frames and fills it.
//!
//! ```text
//!  initiator                                responder
//!  writes 1 ──────────── e ───────────────▶ reads 1, writes 2
//!  reads 2, writes 3 ◀── e, ee, s, es, payload ──
//!  done    ───────────── s, se, payload ──▶ reads 3, done
//! ```

use std::fmt;
use std::sync::Arc;

use super::payload::{self, Remote};
use super::xx::{Role, Xx};
use super::{EarlyMuxer, Error, LENGTH_PREFIX, Opener, Sealer, StaticKeys, TAG_LENGTH};
use crate::identity::{PeerId, PublicKey};
use crate::messages::MAX_NOISE_PAYLOAD;

/// A handshake that is under way. It ends by giving [`Completed`], or with its first error.
pub struct Handshake {
    role: Role,
    /// `None` once the handshake has completed or failed.
    pattern: Option<Xx>,
    expected: Option<PeerId>,
    statics: Arc<StaticKeys>,
    extensions: Vec<u8>,
    /// The message that is arriving, with its length prefix.
    incoming: Vec<u8>,
    /// Framed messages that [`transmit`](Self::transmit) has not taken yet.
    outgoing: Vec<u8>,
    /// Which message is awaited, from 1.
    awaited: u8,
}

/// What a handshake came to.
#[derive(Debug)]
pub struct Completed {
    /// The key that the peer proved to own.
    pub remote: PublicKey,
    /// The peer's id.
    pub remote_peer: PeerId,
    /// The muxers that the peer offers, in its order; empty when it says nothing about them.
    pub remote_muxers: Vec<String>,
    /// For the records we send.
    pub sealer: Sealer,
    /// For the records we receive.
    pub opener: Opener,
    /// The same on both sides and on no other connection.
    pub handshake_hash: [u8; 32],
    role: Role,
}

impl Completed {
    /// The muxer that both sides arrive at, `local` being the list that this handshake was given.
    #[must_use]
    pub fn early_muxer(&self, local: &[String]) -> EarlyMuxer {
        match self.role {
            Role::Initiator => EarlyMuxer::choose(local, &self.remote_muxers),
            Role::Responder => EarlyMuxer::choose(&self.remote_muxers, local),
        }
    }
}

impl Handshake {
    /// The side that begins. `ephemeral` is 32 random bytes, never used before; `muxers` is what we
    /// offer, in our order; with `expected`, anybody else who answers is an error.
    pub fn initiator(
        statics: &Arc<StaticKeys>,
        ephemeral: [u8; 32],
        muxers: &[String],
        expected: Option<PeerId>,
    ) -> Result<Self, Error> {
        let mut handshake = Self::new(Role::Initiator, statics, ephemeral, muxers, expected);
        handshake.write_message(false)?;
        Ok(handshake)
    }

    /// The side that answers; arguments as for [`initiator`](Self::initiator).
    #[must_use]
    pub fn responder(
        statics: &Arc<StaticKeys>,
        ephemeral: [u8; 32],
        muxers: &[String],
        expected: Option<PeerId>,
    ) -> Self {
        Self::new(Role::Responder, statics, ephemeral, muxers, expected)
    }

    fn new(
        role: Role,
        statics: &Arc<StaticKeys>,
        ephemeral: [u8; 32],
        muxers: &[String],
        expected: Option<PeerId>,
    ) -> Self {
        Self {
            role,
            pattern: Some(Xx::new(role, &[], Arc::clone(statics), ephemeral)),
            expected,
            statics: Arc::clone(statics),
            extensions: payload::encode_extensions(muxers),
            incoming: Vec::new(),
            outgoing: Vec::new(),
            awaited: if role == Role::Initiator { 2 } else { 1 },
        }
    }

    /// Takes bytes from the wire, split anyhow, and says how many: only those of the handshake, what
    /// follows belongs to the records.
    ///
    /// With [`Completed`] the handshake is over, and the initiator's last message is still to be
    /// [transmitted](Self::transmit): that the responder accepts it, only its first record will show.
    /// After an error, or when over, every call fails with [`Error::Ended`].
    pub fn receive(&mut self, data: &[u8]) -> Result<(usize, Option<Completed>), Error> {
        if self.pattern.is_none() {
            return Err(Error::Ended);
        }
        let result = self.receive_messages(data);
        if result.is_err() {
            self.pattern = None;
            self.outgoing = Vec::new();
        }
        result
    }

    /// Appends what is due to be sent, framed.
    pub fn transmit(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.outgoing);
    }

    fn receive_messages(&mut self, data: &[u8]) -> Result<(usize, Option<Completed>), Error> {
        let mut rest = data;
        loop {
            let missing = self.missing()?;
            if missing == 0 {
                let completed = self.handle_message()?;
                if completed.is_some() {
                    return Ok((data.len() - rest.len(), completed));
                }
            } else if let Some((taken, after)) = rest.split_at_checked(missing) {
                self.incoming.extend_from_slice(taken);
                rest = after;
            } else {
                self.incoming.extend_from_slice(rest);
                return Ok((data.len(), None));
            }
        }
    }

    /// How many bytes complete the length prefix or, once that is there, the message. A length that
    /// the message cannot have fails here, before any of it is kept.
    fn missing(&self) -> Result<usize, Error> {
        let [high, low, body @ ..] = self.incoming.as_slice() else {
            return Ok(LENGTH_PREFIX - self.incoming.len());
        };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (min, max) = match self.awaited {
            1 => (EPHEMERAL, EPHEMERAL),
            2 => (EPHEMERAL + STATIC + TAG_LENGTH, EPHEMERAL + STATIC + TAG_LENGTH + MAX_NOISE_PAYLOAD),
            _ => (STATIC + TAG_LENGTH, STATIC + TAG_LENGTH + MAX_NOISE_PAYLOAD),
        };
        if self.awaited == 1 && length > max {
            return Err(Error::EarlyPayload);
        }
        if !(min..=max).contains(&length) {
            return Err(Error::MessageLength { message: self.awaited, length, min, max });
        }
        Ok(length - body.len())
    }

    /// Reads the message in `incoming`, which is whole, and writes the one that answers it.
    fn handle_message(&mut self) -> Result<Option<Completed>, Error> {
        let mut message = std::mem::take(&mut self.incoming);
        let pattern = self.pattern.as_mut().ok_or(Error::Ended)?;
        let payload = pattern.read_message(&mut message[LENGTH_PREFIX..])?;
        if self.awaited == 1 {
            self.write_message(true)?;
            self.awaited = 3;
            return Ok(None);
        }
        let remote = payload::verify(payload, pattern.remote_static(), self.expected, self.statics.proven())?;
        if self.role == Role::Initiator {
            self.write_message(true)?;
        }
        self.complete(remote).map(Some)
    }

    /// Frames the next message of ours, with or without saying who we are.
    fn write_message(&mut self, with_identity: bool) -> Result<(), Error> {
        let pattern = self.pattern.as_mut().ok_or(Error::Ended)?;
        let payload: &[&[u8]] = if with_identity { &[self.statics.payload(), &self.extensions] } else { &[] };
        let start = self.outgoing.len();
        let length: usize = payload.iter().map(|part| part.len()).sum();
        self.outgoing.reserve(LENGTH_PREFIX + EPHEMERAL + STATIC + length + TAG_LENGTH);
        self.outgoing.extend_from_slice(&[0; LENGTH_PREFIX]);
        pattern.write_message(payload, &mut self.outgoing)?;
        let length = self.outgoing.len() - start - LENGTH_PREFIX;
        let prefix = u16::try_from(length).map_err(|_| Error::PlaintextLength(length))?;
        self.outgoing[start..][..LENGTH_PREFIX].copy_from_slice(&prefix.to_be_bytes());
        Ok(())
    }

    fn complete(&mut self, remote: Remote) -> Result<Completed, Error> {
        let pattern = self.pattern.take().ok_or(Error::Ended)?;
        let split = pattern.split()?;
        let (ours, theirs) = match self.role {
            Role::Initiator => (split.initiator, split.responder),
            Role::Responder => (split.responder, split.initiator),
        };
        Ok(Completed {
            remote: remote.key,
            remote_peer: remote.peer,
            remote_muxers: remote.muxers,
            sealer: Sealer::new(ours),
            opener: Opener::new(theirs),
            handshake_hash: split.handshake_hash,
            role: self.role,
        })
    }
}

/// Shows no keys.
impl fmt::Debug for Handshake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { role, awaited, .. } = self;
        let mut shown = formatter.debug_struct("Handshake");
        shown.field("role", role).field("awaited", awaited).finish_non_exhaustive()
    }
}

/// An X25519 key in the clear.
const EPHEMERAL: usize = 32;

/// An X25519 key under the AEAD.
const STATIC: usize = 32 + TAG_LENGTH;
