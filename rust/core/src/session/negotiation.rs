//! The protocol of each stream: multistream-select inside the session.
//!
//! Every stream pays it, so it runs here and not in Python. A stream is in the table only until its
//! protocol is agreed on; its bytes reach the application afterwards.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::config::Config;
use super::event::{Event, Refusal};
use crate::multistream::{Dialer, Error, Listener, Progress, ProtocolSet};
use crate::mux::codes::stream as code;
use crate::mux::{Available, Mux, StreamId};
use crate::time::Instant;

/// The streams that have not agreed on a protocol yet.
#[derive(Debug, Default)]
pub(super) struct Negotiations {
    pending: HashMap<StreamId, Negotiation>,
    inbound: usize,
    /// In the order of their making, which is the order of their deadlines: the timeout is one for all.
    deadlines: VecDeque<(Instant, StreamId)>,
}

#[derive(Debug)]
enum Negotiation {
    Dialer(Box<Dialer>),
    Listener(Listener),
}

impl Negotiations {
    /// A stream of ours begins: its proposal goes to the stream's send buffer.
    pub(super) fn dial(
        &mut self,
        id: StreamId,
        mut dialer: Dialer,
        mux: &mut Mux,
        wait: Duration,
        now: Instant,
    ) {
        let mut out = Vec::new();
        dialer.transmit(&mut out);
        send(mux, id, &out);
        self.pending.insert(id, Negotiation::Dialer(Box::new(dialer)));
        self.deadlines.push_back((now + wait, id));
    }

    /// A stream of the peer begins.
    pub(super) fn opened(&mut self, id: StreamId, mux: &mut Mux, config: &Config, now: Instant) {
        if self.inbound >= config.max_negotiating {
            mux.reset(id, code::RESOURCE_LIMIT);
            return;
        }
        mux.accept(id);
        self.inbound += 1;
        self.pending.insert(id, Negotiation::Listener(Listener::new()));
        self.deadlines.push_back((now + config.negotiate_timeout, id));
    }

    /// The protocol is not known yet: what the stream's buffer holds is not the application's.
    pub(super) fn contains(&self, id: StreamId) -> bool {
        !self.pending.is_empty() && self.pending.contains_key(&id)
    }

    /// Feeds the stream's bytes to its negotiation; `false` when it has none.
    pub(super) fn receive(
        &mut self,
        id: StreamId,
        mux: &mut Mux,
        protocols: &ProtocolSet,
        events: &mut Vec<Event>,
    ) -> bool {
        if self.pending.is_empty() {
            return false;
        }
        let Some(negotiation) = self.pending.get_mut(&id) else { return false };
        match negotiation.advance(id, mux, protocols) {
            Outcome::Pending => return true,
            Outcome::Opened(protocol) => events.push(Event::StreamOpened { id, protocol }),
            Outcome::Ready(protocol) => events.push(Event::StreamReady { id, protocol }),
            Outcome::Failed(refusal) => {
                mux.reset(id, code::NEGOTIATION_FAILED);
                if let Some(refusal) = refusal {
                    events.push(Event::StreamRefused { id, refusal });
                }
                self.remove(id);
                return true;
            }
        }
        self.remove(id);
        if !matches!(mux.available(id), Ok(Available::Nothing)) {
            events.push(Event::Readable(id));
        }
        true
    }

    /// The peer reset the stream; `true` when nobody above knows it.
    pub(super) fn reset(&mut self, id: StreamId, mux: &mut Mux, now: Instant) -> bool {
        match self.remove(id) {
            Some(Negotiation::Listener(_)) => {
                mux.release(id, now);
                true
            }
            Some(Negotiation::Dialer(_)) | None => false,
        }
    }

    /// The application gave the stream up; the negotiation's answer is of no use any more.
    pub(super) fn forget(&mut self, id: StreamId) {
        self.remove(id);
    }

    pub(super) fn handle_timeout(&mut self, mux: &mut Mux, now: Instant, events: &mut Vec<Event>) {
        while let Some(&(deadline, id)) = self.deadlines.front() {
            if deadline > now {
                break;
            }
            self.deadlines.pop_front();
            if let Some(negotiation) = self.remove(id) {
                mux.reset(id, code::NEGOTIATION_FAILED);
                if let Negotiation::Dialer(_) = negotiation {
                    events.push(Event::StreamRefused { id, refusal: Refusal::TimedOut });
                }
            }
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.deadlines.front().map(|(deadline, _)| *deadline)
    }

    fn remove(&mut self, id: StreamId) -> Option<Negotiation> {
        let removed = self.pending.remove(&id)?;
        if let Negotiation::Listener(_) = removed {
            self.inbound -= 1;
        }
        if self.pending.is_empty() {
            // Nobody is waiting, so no deadline means anything; without this each would wake the driver once.
            self.deadlines.clear();
            if self.pending.capacity() > IDLE_CAPACITY {
                self.pending.shrink_to(IDLE_CAPACITY);
                self.deadlines.shrink_to(IDLE_CAPACITY);
            }
        }
        Some(removed)
    }
}

/// What one look at a stream's bytes came to.
enum Outcome {
    Pending,
    Opened(String),
    Ready(String),
    Failed(Option<Refusal>),
}

impl Negotiation {
    fn advance(&mut self, id: StreamId, mux: &mut Mux, protocols: &ProtocolSet) -> Outcome {
        loop {
            let (front, _) = mux.peek(id);
            if front.is_empty() {
                return match (mux.available(id), self) {
                    // After a reset the event that says so is next, and knows the code.
                    (Ok(Available::Nothing) | Err(_), _) => Outcome::Pending,
                    (_, Self::Listener(_)) => Outcome::Failed(None),
                    (_, Self::Dialer(_)) => Outcome::Failed(Some(Refusal::Ended)),
                };
            }
            let mut out = Vec::new();
            let (used, outcome) = match self {
                Self::Listener(listener) => match listener.receive(front, protocols, &mut out) {
                    Ok((used, None)) => (used, None),
                    Ok((used, Some(protocol))) => (used, Some(Outcome::Opened(protocol))),
                    Err(_) => return Outcome::Failed(None),
                },
                Self::Dialer(dialer) => match dialer.answer(front, &mut out) {
                    Ok(answer) => answer,
                    Err(error) => return Outcome::Failed(Some(Refusal::Malformed(error))),
                },
            };
            mux.consume(id, used);
            send(mux, id, &out);
            if let Some(outcome) = outcome {
                return outcome;
            }
        }
    }
}

trait Answer {
    /// One step of a dialer: how many bytes it took, and its end if it came to one.
    fn answer(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(usize, Option<Outcome>), Error>;
}

impl Answer for Dialer {
    fn answer(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(usize, Option<Outcome>), Error> {
        let (used, progress) = self.receive(data)?;
        let outcome = match progress {
            Progress::Pending => {
                self.transmit(out);
                None
            }
            Progress::Agreed(index) => Some(Outcome::Ready(self.protocol(index).to_owned())),
            Progress::Refused => {
                Some(Outcome::Failed(Some(Refusal::NotSupported(self.protocols().to_vec()))))
            }
        };
        Ok((used, outcome))
    }
}

/// A negotiation's few bytes into the stream's send buffer. It is far larger than a whole negotiation,
/// whose rounds are bounded, so a stream that does not take them is reset or gone already.
fn send(mux: &mut Mux, id: StreamId, bytes: &[u8]) {
    if !bytes.is_empty() && mux.write(id, bytes).is_ok_and(|taken| taken < bytes.len()) {
        mux.reset(id, code::NEGOTIATION_FAILED);
    }
}

/// Room that an idle connection keeps for its next negotiations.
const IDLE_CAPACITY: usize = 4;
