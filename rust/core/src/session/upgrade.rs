//! The upgrade up to the keys: multistream-select for the secure channel, then its handshake.
//!
//! A dialer that has only one security protocol to propose, or only one left, does not wait for its
//! confirmation: proposal and first handshake message leave together. Before that it waits, for a listener
//! that refuses the one takes everything behind it for the next proposal.

use std::sync::Arc;

use super::config::{Config, Opening};
use super::event::{Reason, Stage};
use super::selection::Selection;
use crate::identity::PeerId;
use crate::noise::EarlyMuxer;
use crate::secure::{self, Completed, Fresh, Handshake, Side};

/// A connection that has no keys yet.
#[derive(Debug)]
pub(super) struct Upgrade {
    config: Arc<Config>,
    side: Side,
    expected: Option<PeerId>,
    /// For the handshake, used when it begins.
    fresh: Fresh,
    selection: Option<Selection>,
    handshake: Option<Handshake>,
    /// Index of the security protocol that is proposed or agreed on.
    security: usize,
    out: Vec<u8>,
}

impl Upgrade {
    /// Begins, in the way that `opening` says.
    pub(super) fn begin(
        config: &Arc<Config>,
        opening: Opening,
        expected: Option<PeerId>,
        fresh: Fresh,
    ) -> Result<Self, Reason> {
        let names = config.security.iter().map(|security| security.protocol().to_owned()).collect();
        let mut out = Vec::with_capacity(128);
        let selection = match opening {
            Opening::Initiate => Selection::dial(Stage::Security, names, &mut out)?,
            Opening::Answer => Selection::listen(Stage::Security, names),
            Opening::Contend { number } => Selection::contend(Stage::Security, names, number, &mut out)?,
        };
        let mut upgrade = Self {
            config: Arc::clone(config),
            side: selection.side(),
            expected,
            fresh,
            security: 0,
            handshake: None,
            out,
            selection: None,
        };
        upgrade.selection = Some(selection);
        upgrade.begin_early()?;
        Ok(upgrade)
    }

    pub(super) fn stage(&self) -> Stage {
        if self.selection.is_some() { Stage::Security } else { Stage::Handshake }
    }

    /// Takes this stage's bytes from the front of `data`. With the keys come the bytes that are still to send.
    pub(super) fn receive(&mut self, data: &mut [u8]) -> Result<(usize, Option<Keys>), Reason> {
        let mut used = 0;
        if let Some(selection) = &mut self.selection {
            let (taken, agreed) = selection.receive(data, &mut self.out)?;
            used += taken;
            let Some(index) = agreed else {
                self.begin_early()?;
                return Ok((used, None));
            };
            self.security = index;
            self.side = selection.side();
            self.selection = None;
            if self.handshake.is_none() {
                self.begin_handshake()?;
            }
        }
        let Some(handshake) = &mut self.handshake else { return Ok((used, None)) };
        let received = handshake.receive(&mut data[used..]);
        // Also after a failure: some protocols tell the peer.
        let sent = handshake.transmit(&mut self.out);
        let (taken, completed) = received.map_err(|error| self.handshake_failure(error))?;
        sent.map_err(Reason::Handshake)?;
        used += taken;
        if completed.as_ref().is_some_and(|completed| completed.early_muxer == EarlyMuxer::NoOverlap) {
            // What is still to send tells the peer the same.
            return Err(self.no_muxer());
        }
        let keys = completed.map(|completed| Keys {
            completed,
            side: self.side,
            security: self.config.security[self.security].protocol().to_owned(),
            out: std::mem::take(&mut self.out),
        });
        Ok((used, keys))
    }

    pub(super) fn transmit(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.out);
    }

    /// What the end of the transport means now.
    pub(super) fn at_eof(&self) -> Reason {
        self.selection.as_ref().map_or(Reason::EofInUpgrade(Stage::Handshake), Selection::at_eof)
    }

    /// Begins the handshake behind a proposal that has no alternative.
    fn begin_early(&mut self) -> Result<(), Reason> {
        match self.selection.as_ref().and_then(Selection::only_candidate) {
            Some(index) if self.handshake.is_none() => {
                self.security = index;
                self.begin_handshake()
            }
            _ => Ok(()),
        }
    }

    fn handshake_failure(&self, error: secure::Error) -> Reason {
        if error.is_about_muxers() { self.no_muxer() } else { Reason::Handshake(error) }
    }

    fn no_muxer(&self) -> Reason {
        Reason::NothingInCommon { stage: Stage::Muxer, ours: self.muxers() }
    }

    fn muxers(&self) -> Vec<String> {
        self.config.muxers.iter().map(|muxer| muxer.protocol().to_owned()).collect()
    }

    fn begin_handshake(&mut self) -> Result<(), Reason> {
        let muxers = if self.config.early_muxers { self.muxers() } else { Vec::new() };
        let Some(security) = self.config.security.get(self.security) else { return Ok(()) };
        let mut handshake = Handshake::new(security, self.side, self.fresh, &muxers, self.expected)
            .map_err(Reason::Handshake)?;
        handshake.transmit(&mut self.out).map_err(Reason::Handshake)?;
        self.handshake = Some(handshake);
        Ok(())
    }
}

/// The end of this stage: keys, who the peer is, and the last handshake bytes to send.
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) completed: Completed,
    pub(super) side: Side,
    pub(super) security: String,
    pub(super) out: Vec<u8>,
}
