//! A connection that has its keys: the secure channel with the muxer inside.
//!
//! The muxer was agreed on in the handshake, or is negotiated here, over the channel. A dialer with one
//! muxer does not wait for its confirmation: frames follow the proposal.

use std::sync::Arc;

use super::config::Config;
use super::event::{Established, Event, Reason, Stage};
use super::negotiation::Negotiations;
use super::selection::Selection;
use super::upgrade::Keys;
use crate::multistream::ProtocolSet;
use crate::mux::{Mux, MuxEvent, Role, Violation};
use crate::noise::EarlyMuxer;
use crate::secure::{self, SecureChannel, Side};
use crate::time::Instant;

/// No frame fits in less, so a record is not begun for it.
const LEAST_ROOM: usize = 64;

#[derive(Debug)]
pub(super) struct Sealed {
    config: Arc<Config>,
    channel: SecureChannel,
    role: Role,
    selection: Option<Selection>,
    pub(super) mux: Mux,
    pub(super) negotiations: Negotiations,
    established: Option<Box<Established>>,
    /// Bytes for the socket that were ready before the first record.
    clear: Vec<u8>,
    /// The muxer negotiation's bytes for the next record.
    greeting: Vec<u8>,
    mux_events: Vec<MuxEvent>,
    /// The peer has sent something over the channel.
    heard: bool,
    is_leaving: bool,
    sealing: Result<(), secure::Error>,
}

/// What went wrong with a record: the channel, or what was in it.
enum Failure {
    Record(secure::Error),
    Violation(Violation),
    Ended(Reason),
}

impl From<secure::Error> for Failure {
    fn from(error: secure::Error) -> Self {
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
    pub(super) fn new(keys: Keys, config: &Arc<Config>, now: Instant) -> Result<Self, Reason> {
        let Keys { completed, side, security, out } = keys;
        let names: Vec<String> = config.muxers.iter().map(|muxer| muxer.protocol().to_owned()).collect();
        let nothing = || Reason::NothingInCommon { stage: Stage::Muxer, ours: names.clone() };
        let mut greeting = Vec::new();
        let (early, selection) = match completed.early_muxer {
            EarlyMuxer::Agreed(name) => (names.iter().position(|our| *our == name), None),
            EarlyMuxer::NoOverlap => return Err(nothing()),
            EarlyMuxer::NotOffered => (
                None,
                Some(match side {
                    Side::Initiator => Selection::dial(Stage::Muxer, names.clone(), &mut greeting)?,
                    Side::Responder => Selection::listen(Stage::Muxer, names.clone()),
                }),
            ),
        };
        let muxer = config.muxers.get(early.unwrap_or(0)).ok_or_else(nothing)?;
        let role = match side {
            Side::Initiator => Role::Client,
            Side::Responder => Role::Server,
        };
        let established = Established {
            remote: completed.remote,
            security,
            muxer: muxer.protocol().to_owned(),
            early_muxer: early.is_some(),
            muxer_agreed: false,
            round_trips: 0,
        };
        Ok(Self {
            config: Arc::clone(config),
            channel: completed.channel,
            role,
            selection,
            mux: Mux::new(muxer, role, &config.mux, config.budget.clone(), now),
            negotiations: Negotiations::default(),
            established: Some(Box::new(established)),
            clear: out,
            greeting,
            mux_events: Vec::new(),
            heard: false,
            is_leaving: false,
            sealing: Ok(()),
        })
    }

    /// Gives `Established` once: to a dialer that need not wait at once, to others when the muxer is known.
    pub(super) fn announce(&mut self, round_trips: u32, events: &mut Vec<Event>) -> bool {
        if self.must_wait() {
            return false;
        }
        let Some(mut established) = self.established.take() else { return false };
        established.round_trips = round_trips;
        established.muxer_agreed = self.has_agreed();
        events.push(Event::Established(established));
        true
    }

    /// Both sides speak the muxer, as far as is known here.
    pub(super) const fn has_agreed(&self) -> bool {
        self.selection.is_none()
    }

    /// The muxer is not known, so no frame can be sent.
    fn must_wait(&self) -> bool {
        self.selection.as_ref().is_some_and(|selection| selection.only_candidate().is_none())
    }

    /// The first bytes that a peer sends over the channel prove that it accepted the handshake.
    pub(super) fn receive(&mut self, data: &mut [u8], now: Instant) -> Result<(), Reason> {
        let Self { config, channel, role, selection, mux, established, greeting, mux_events, heard, .. } =
            self;
        let before = *heard;
        channel
            .receive(data, |mut plaintext| {
                *heard = true;
                if let Some(pending) = selection {
                    let (used, agreed) = pending.receive(plaintext, greeting).map_err(Failure::Ended)?;
                    plaintext = &plaintext[used..];
                    // A dialer goes on as soon as there is only one left to propose.
                    let chosen = agreed.or_else(|| pending.only_candidate());
                    if let Some(muxer) = chosen.and_then(|index| config.muxers.get(index))
                        && let Some(established) =
                            established.as_mut().filter(|it| it.muxer != muxer.protocol())
                    {
                        *mux = Mux::new(muxer, *role, &config.mux, config.budget.clone(), now);
                        muxer.protocol().clone_into(&mut established.muxer);
                    }
                    if agreed.is_none() {
                        return Ok(());
                    }
                    *selection = None;
                }
                mux.receive(plaintext, now, mux_events).map_err(Failure::Violation)
            })
            .map_err(|failure| match failure {
                // Our last word in a handshake is answered by nothing but the first record: a refusal of
                // it comes here.
                Failure::Record(error) if !before => Reason::Handshake(error),
                other => Reason::from(other),
            })
    }

    /// Turns what the muxer said into events, running the streams' negotiations on the way.
    pub(super) fn dispatch(
        &mut self,
        protocols: &ProtocolSet,
        now: Instant,
        events: &mut Vec<Event>,
    ) -> Option<Reason> {
        let Self { config, mux, negotiations, mux_events, .. } = self;
        let mut ended = None;
        for event in mux_events.drain(..) {
            match event {
                MuxEvent::Opened(id) if mux.is_raw() => {
                    mux.accept(id);
                    events.push(Event::StreamOpened { id, protocol: String::new() });
                }
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
        self.channel.transmit(out);
        while self.sealing.is_ok() && out.len() < limit {
            let start = out.len();
            let prefix = self.channel.prefix();
            out.resize(start + prefix, 0);
            out.append(&mut self.greeting);
            if !self.must_wait() {
                let room = self.channel.record_size().min((limit - start).max(LEAST_ROOM));
                let used = out.len() - start - prefix;
                self.mux.transmit(out, room.saturating_sub(used), now, &mut self.mux_events);
            }
            if out.len() == start + prefix {
                out.truncate(start);
                break;
            }
            if let Err(error) = self.channel.seal(out, start) {
                out.truncate(start);
                self.sealing = Err(error);
            }
        }
        if self.is_leaving && !self.mux.has_pending() {
            self.channel.finish(out);
        }
        out.len() > before
    }

    /// Nothing will be written any more: go-away follows what is queued, and ends the channel.
    pub(super) fn leave(&mut self, code: u32) {
        self.mux.go_away(code);
        self.is_leaving = true;
    }

    pub(super) fn has_pending(&self) -> bool {
        self.mux.has_pending() || self.channel.has_pending()
    }

    /// The peer has ended the channel, before its transport.
    pub(super) fn is_finished_by_peer(&self) -> bool {
        self.channel.is_finished_by_peer()
    }

    /// Nothing more can be sent, for whatever reason.
    pub(super) fn has_failed(&self) -> bool {
        self.sealing.is_err() || self.mux.fault().is_some()
    }

    /// Why nothing more can be sent, if so.
    pub(super) fn failure(&self) -> Option<Reason> {
        let unsealed = self.sealing.clone().err().map(Reason::Record);
        unsealed.or_else(|| self.mux.fault().cloned().map(Reason::Muxer))
    }

    /// What the end of the transport means now.
    pub(super) fn at_eof(&self) -> Reason {
        match (&self.selection, &self.established) {
            (Some(selection), _) => selection.at_eof(),
            (None, Some(_)) => Reason::EofInUpgrade(Stage::Muxer),
            (_, None) if self.channel.has_partial() => Reason::Truncated,
            (_, None) => Reason::Eof,
        }
    }
}
