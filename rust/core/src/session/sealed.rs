//! A connection that has its keys: the secure channel with the muxer inside.
//!
//! The muxer was agreed on in the handshake, or is negotiated here, over the channel. A dialer does
//! not wait for the confirmation of its one proposal: frames follow it.

use super::config::Config;
use super::event::{Established, Event, Reason, Stage};
use super::negotiation::Negotiations;
use super::upgrade::{Keys, NOISE, Selection, YAMUX};
use crate::multistream::ProtocolSet;
use crate::mux::yamux::Yamux;
use crate::mux::{MuxEvent, Role, Violation};
use crate::noise::{self, EarlyMuxer};
use crate::secure::{RECORD_PREFIX, SecureChannel};
use crate::time::Instant;

/// Plaintext of one record at most. Half of a core's first-level data cache: larger records fall out
/// of it between copying and sealing, smaller ones pay more tags and more calls.
const RECORD_PLAINTEXT: usize = 32 * 1024;

/// No frame fits in less, so a record is not begun for it.
const LEAST_ROOM: usize = 64;

#[derive(Debug)]
pub(super) struct Sealed {
    channel: SecureChannel,
    selection: Option<Selection>,
    pub(super) mux: Yamux,
    pub(super) negotiations: Negotiations,
    established: Option<Box<Established>>,
    /// Bytes for the socket that were ready before the first record.
    clear: Vec<u8>,
    /// The muxer negotiation's bytes for the next record.
    greeting: Vec<u8>,
    mux_events: Vec<MuxEvent>,
    sealing: Result<(), ()>,
}

/// What went wrong with a record: the channel, or what was in it.
enum Failure {
    Record(noise::Error),
    Violation(Violation),
    Ended(Reason),
}

impl From<noise::Error> for Failure {
    fn from(error: noise::Error) -> Self {
        Self::Record(error)
    }
}

impl From<Failure> for Reason {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Record(error) => Self::Record(error),
            Failure::Violation(violation) => Self::Violation(violation),
            Failure::Ended(reason) => reason,
        }
    }
}

impl Sealed {
    /// # Errors
    /// Both sides named muxers in the handshake and share none: the spec wants the upgrade to fail.
    pub(super) fn new(keys: Keys, role: Role, config: &Config, now: Instant) -> Result<Self, Reason> {
        let Keys { completed, out } = keys;
        let early = match completed.early_muxer(&[YAMUX.to_owned()]) {
            EarlyMuxer::Agreed(_) => true,
            EarlyMuxer::NotOffered => false,
            EarlyMuxer::NoOverlap => {
                return Err(Reason::NothingInCommon { stage: Stage::Muxer, ours: vec![YAMUX.to_owned()] });
            }
        };
        let mut greeting = Vec::new();
        let selection = match (early, role) {
            (true, _) => None,
            (false, Role::Client) => Selection::dial(YAMUX, &mut greeting),
            (false, Role::Server) => Some(Selection::listen(YAMUX)),
        };
        let established = Established {
            remote_peer: completed.remote_peer,
            remote_key: completed.remote,
            security: NOISE,
            muxer: YAMUX,
            early_muxer: early,
            round_trips: 0,
        };
        Ok(Self {
            channel: SecureChannel::new(completed.sealer, completed.opener),
            selection,
            mux: Yamux::new(role, &config.mux, config.budget.clone(), now),
            negotiations: Negotiations::default(),
            established: Some(Box::new(established)),
            clear: out,
            greeting,
            mux_events: Vec::new(),
            sealing: Ok(()),
        })
    }

    /// Gives `Established` once: at once to a dialer, after the dialer's proposal to a listener.
    pub(super) fn announce(&mut self, round_trips: u32, events: &mut Vec<Event>) -> bool {
        if matches!(self.selection, Some(Selection::Listener(..))) {
            return false;
        }
        let Some(mut established) = self.established.take() else { return false };
        established.round_trips = round_trips;
        events.push(Event::Established(established));
        true
    }

    /// The first bytes that a peer sends over the channel prove that it accepted the handshake.
    pub(super) fn receive(&mut self, data: &mut [u8], now: Instant) -> Result<(), Reason> {
        let Self { channel, selection, mux, greeting, mux_events, .. } = self;
        channel
            .receive(data, |mut plaintext| {
                if let Some(pending) = selection {
                    let (used, agreed) =
                        pending.receive(plaintext, greeting, Stage::Muxer).map_err(Failure::Ended)?;
                    plaintext = &plaintext[used..];
                    if !agreed {
                        return Ok(());
                    }
                    *selection = None;
                }
                mux.receive(plaintext, now, mux_events).map_err(Failure::Violation)
            })
            .map_err(Reason::from)
    }

    /// Turns what the muxer said into events, running the streams' negotiations on the way.
    pub(super) fn dispatch(
        &mut self,
        config: &Config,
        protocols: &ProtocolSet,
        now: Instant,
        events: &mut Vec<Event>,
    ) -> Option<Reason> {
        let Self { mux, negotiations, mux_events, .. } = self;
        let mut ended = None;
        for event in mux_events.drain(..) {
            match event {
                MuxEvent::Opened(id) => negotiations.opened(id, mux, config, now),
                MuxEvent::Readable(id) => {
                    if !negotiations.receive(id, mux, protocols, events) {
                        events.push(Event::Readable(id));
                    }
                }
                MuxEvent::Writable(id) => events.push(Event::Writable(id)),
                MuxEvent::Reset { id, code, .. } => {
                    if !negotiations.reset(id, mux, now) {
                        events.push(Event::StreamReset { id, code });
                    }
                }
                MuxEvent::OpenCredit => events.push(Event::OpenCredit),
                MuxEvent::Rtt(rtt) => events.push(Event::PingRtt(rtt)),
                MuxEvent::GoAway { code } => ended = Some(Reason::Remote { code }),
                MuxEvent::KeepAliveExpired => ended = Some(Reason::KeepAlive),
            }
        }
        ended
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, events: &mut Vec<Event>) {
        self.mux.handle_timeout(now, &mut self.mux_events);
        self.negotiations.handle_timeout(&mut self.mux, now, events);
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        [self.mux.next_timeout(), self.negotiations.next_timeout()].into_iter().flatten().min()
    }

    /// Appends records until `limit` bytes are in `out` or nothing is left; whether anything was appended.
    pub(super) fn transmit(&mut self, out: &mut Vec<u8>, limit: usize, now: Instant) -> bool {
        let before = out.len();
        out.append(&mut self.clear);
        while self.sealing.is_ok() && out.len() < limit {
            let start = out.len();
            out.extend_from_slice(&[0; RECORD_PREFIX]);
            out.append(&mut self.greeting);
            // A listener's frames may only follow its confirmation of the muxer.
            if !matches!(self.selection, Some(Selection::Listener(..))) {
                let room = RECORD_PLAINTEXT.min((limit - start).max(LEAST_ROOM));
                let used = out.len() - start - RECORD_PREFIX;
                self.mux.transmit(out, room.saturating_sub(used), now, &mut self.mux_events);
            }
            if out.len() == start + RECORD_PREFIX {
                out.truncate(start);
                break;
            }
            if self.channel.seal(out, start).is_err() {
                out.truncate(start);
                self.sealing = Err(());
            }
        }
        out.len() > before
    }

    /// No more records can be sealed: the nonces are used up.
    pub(super) fn is_exhausted(&self) -> bool {
        self.sealing.is_err()
    }

    pub(super) fn has_partial(&self) -> bool {
        self.channel.has_partial()
    }

    pub(super) fn stage(&self) -> Option<Stage> {
        self.established.is_some().then_some(Stage::Muxer)
    }
}
