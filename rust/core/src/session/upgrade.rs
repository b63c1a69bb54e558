//! The upgrade up to the keys: multistream-select for the secure channel, then its handshake.
//!
//! A dialer with one security protocol does not wait for its confirmation: header, proposal and
//! first handshake message leave together.

use std::sync::Arc;

use super::event::{Reason, Stage};
use crate::identity::PeerId;
use crate::multistream::{Dialer, Listener, Progress, ProtocolSet};
use crate::noise::{self, Completed, Handshake, StaticKeys};

/// The protocol id of Noise.
pub const NOISE: &str = "/noise";
/// The protocol id of yamux.
pub const YAMUX: &str = "/yamux/1.0.0";

/// A connection that has no keys yet.
#[derive(Debug)]
pub(super) struct Upgrade {
    selection: Option<Selection>,
    handshake: Handshake,
    out: Vec<u8>,
}

/// One side of a multistream-select that is under way.
#[derive(Debug)]
pub(super) enum Selection {
    Dialer(Dialer),
    Listener(Listener, ProtocolSet),
}

impl Selection {
    /// The dialer's side with one candidate, its opening bytes in `out`.
    pub(super) fn dial(protocol: &str, out: &mut Vec<u8>) -> Option<Self> {
        // One short constant name is always a legal candidate list; `None` would mean it is not.
        let mut dialer = Dialer::new(vec![protocol.to_owned()]).ok()?;
        dialer.transmit(out);
        Some(Self::Dialer(dialer))
    }

    /// The listener's side, which waits for the dialer's bytes.
    pub(super) fn listen(protocol: &str) -> Self {
        // Such a name is always legal; an empty set would refuse everything, which is the safe side.
        Self::Listener(Listener::new(), ProtocolSet::new([protocol]).unwrap_or_default())
    }

    /// Takes the negotiation's bytes from the front of `data`; `true` when both agreed.
    pub(super) fn receive(
        &mut self,
        data: &[u8],
        out: &mut Vec<u8>,
        stage: Stage,
    ) -> Result<(usize, bool), Reason> {
        let malformed = |error| Reason::Negotiation { stage, error };
        match self {
            Self::Dialer(dialer) => {
                let (used, progress) = dialer.receive(data).map_err(malformed)?;
                match progress {
                    Progress::Pending => {
                        dialer.transmit(out);
                        Ok((used, false))
                    }
                    Progress::Agreed(_) => Ok((used, true)),
                    Progress::Refused => {
                        let ours = vec![dialer.candidate().to_owned()];
                        Err(Reason::NothingInCommon { stage, ours })
                    }
                }
            }
            Self::Listener(listener, supported) => {
                let (used, agreed) = listener.receive(data, supported, out).map_err(malformed)?;
                Ok((used, agreed.is_some()))
            }
        }
    }
}

impl Upgrade {
    pub(super) fn dial(
        keys: &Arc<StaticKeys>,
        ephemeral: [u8; 32],
        expected: Option<PeerId>,
    ) -> Result<Self, noise::Error> {
        let mut out = Vec::with_capacity(128);
        let selection = Selection::dial(NOISE, &mut out);
        let mut handshake = Handshake::initiator(keys, ephemeral, &muxers(), expected)?;
        handshake.transmit(&mut out);
        Ok(Self { selection, handshake, out })
    }

    pub(super) fn accept(keys: &Arc<StaticKeys>, ephemeral: [u8; 32]) -> Self {
        Self {
            selection: Some(Selection::listen(NOISE)),
            handshake: Handshake::responder(keys, ephemeral, &muxers(), None),
            out: Vec::new(),
        }
    }

    pub(super) fn stage(&self) -> Stage {
        if self.selection.is_some() { Stage::Security } else { Stage::Handshake }
    }

    /// Takes this stage's bytes from the front of `data`. With the keys come the bytes that are still to send.
    pub(super) fn receive(&mut self, data: &[u8]) -> Result<(usize, Option<Keys>), Reason> {
        let mut used = 0;
        if let Some(selection) = &mut self.selection {
            let (taken, agreed) = selection.receive(data, &mut self.out, Stage::Security)?;
            used += taken;
            if !agreed {
                return Ok((used, None));
            }
            self.selection = None;
        }
        let (taken, completed) = self.handshake.receive(&data[used..]).map_err(Reason::Handshake)?;
        used += taken;
        self.handshake.transmit(&mut self.out);
        let keys = completed.map(|completed| Keys { completed, out: std::mem::take(&mut self.out) });
        Ok((used, keys))
    }

    pub(super) fn transmit(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.out);
    }
}

/// The end of this stage: keys, who the peer is, and the last handshake bytes to send.
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) completed: Completed,
    pub(super) out: Vec<u8>,
}

fn muxers() -> Vec<String> {
    vec![YAMUX.to_owned()]
}
