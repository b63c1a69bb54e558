//! One type over the multiplexers, so that a session need not know which one was agreed on.

use std::sync::Arc;
use std::time::Duration;

use super::foreign::{Foreign, ForeignMuxer};
use super::mplex::{self, Mplex};
use super::single::{self, Single};
use super::yamux::{self, Yamux};
use super::{Available, Error, Lent, MuxConfig, MuxEvent, Role, Stats, StreamError, StreamId, Violation};
use crate::fault::Fault;
use crate::limits::Budget;
use crate::time::Instant;

/// A multiplexer by its name.
#[derive(Clone, Debug)]
pub enum Muxer {
    /// `/yamux/1.0.0`
    Yamux,
    /// `/mplex/6.7.0`
    Mplex,
    /// None: one stream carries the bytes of the channel.
    Single,
    /// A protocol that somebody else speaks.
    Foreign(Arc<dyn ForeignMuxer>),
}

impl Muxer {
    /// The multiplexer of ours with this protocol id.
    #[must_use]
    pub fn named(protocol: &str) -> Option<Self> {
        match protocol {
            yamux::PROTOCOL => Some(Self::Yamux),
            mplex::PROTOCOL => Some(Self::Mplex),
            single::PROTOCOL => Some(Self::Single),
            _ => None,
        }
    }

    /// The id that multistream-select proposes, and that handshakes carry.
    #[must_use]
    pub fn protocol(&self) -> &str {
        match self {
            Self::Yamux => yamux::PROTOCOL,
            Self::Mplex => mplex::PROTOCOL,
            Self::Single => single::PROTOCOL,
            Self::Foreign(muxer) => muxer.protocol(),
        }
    }
}

/// The protocol is all that peers see of it.
impl PartialEq for Muxer {
    fn eq(&self, other: &Self) -> bool {
        self.protocol() == other.protocol()
    }
}

impl Eq for Muxer {}

/// A multiplexed connection. Every verb is described at [`Yamux`]; what the others do differently, at theirs.
#[derive(Debug)]
pub enum Mux {
    /// Streams with credit.
    Yamux(Box<Yamux>),
    /// Streams without.
    Mplex(Box<Mplex>),
    /// The channel itself as the one stream.
    Single(Box<Single>),
    /// Streams as somebody else frames them.
    Foreign(Box<Foreign>),
}

/// The same call for whichever it is.
macro_rules! each {
    ($self:expr, $mux:ident => $call:expr) => {
        match $self {
            Mux::Yamux($mux) => $call,
            Mux::Mplex($mux) => $call,
            Mux::Single($mux) => $call,
            Mux::Foreign($mux) => $call,
        }
    };
}

#[allow(missing_docs, clippy::missing_errors_doc)] // said once, at the multiplexers
impl Mux {
    #[must_use]
    pub fn new(kind: &Muxer, role: Role, config: &Arc<MuxConfig>, budget: Budget, now: Instant) -> Self {
        match kind {
            Muxer::Yamux => Self::Yamux(Box::new(Yamux::new(role, config, budget, now))),
            Muxer::Mplex => Self::Mplex(Box::new(Mplex::new(role, config, budget, now))),
            Muxer::Single => Self::Single(Box::new(Single::new(role, config, budget, now))),
            Muxer::Foreign(muxer) => Self::Foreign(Box::new(Foreign::new(muxer, role, config, budget, now))),
        }
    }

    /// There is one stream, which is nobody's to negotiate: it carries the bytes of the channel.
    #[must_use]
    pub fn is_raw(&self) -> bool {
        matches!(self, Self::Single(_))
    }

    /// How the code of somebody else failed, if it did.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Foreign(mux) => mux.fault(),
            Self::Yamux(_) | Self::Mplex(_) | Self::Single(_) => None,
        }
    }

    // ---- the wire and the clock

    pub fn receive(
        &mut self,
        data: &[u8],
        now: Instant,
        events: &mut Vec<MuxEvent>,
    ) -> Result<(), Violation> {
        each!(self, mux => mux.receive(data, now, events))
    }

    pub fn transmit(
        &mut self,
        out: &mut Vec<u8>,
        room: usize,
        now: Instant,
        events: &mut Vec<MuxEvent>,
    ) -> usize {
        each!(self, mux => mux.transmit(out, room, now, events))
    }

    #[must_use]
    pub fn has_pending(&self) -> bool {
        each!(self, mux => mux.has_pending())
    }

    pub fn handle_timeout(&mut self, now: Instant, events: &mut Vec<MuxEvent>) {
        each!(self, mux => mux.handle_timeout(now, events));
    }

    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        each!(self, mux => mux.next_timeout())
    }

    // ---- streams

    pub fn open(&mut self, now: Instant) -> Result<Option<StreamId>, Error> {
        each!(self, mux => mux.open(now))
    }

    pub fn accept(&mut self, id: StreamId) {
        each!(self, mux => mux.accept(id));
    }

    pub fn available(&self, id: StreamId) -> Result<Available, StreamError> {
        each!(self, mux => mux.available(id))
    }

    #[must_use]
    pub fn peek(&self, id: StreamId) -> (&[u8], &[u8]) {
        each!(self, mux => mux.peek(id))
    }

    pub fn consume(&mut self, id: StreamId, count: usize) {
        each!(self, mux => mux.consume(id, count));
    }

    pub fn read(&mut self, id: StreamId, into: &mut [u8]) -> Result<usize, StreamError> {
        each!(self, mux => mux.read(id, into))
    }

    pub fn await_bytes(&mut self, id: StreamId) {
        if let Self::Yamux(mux) = self {
            mux.await_bytes(id);
        }
    }

    pub fn begin_segment(&mut self, bytes: &[u8]) {
        if let Self::Yamux(mux) = self {
            mux.begin_segment(bytes);
        }
    }

    pub fn hold_segment(&mut self, bytes: Vec<u8>) -> Option<Vec<u8>> {
        match self {
            Self::Yamux(mux) => mux.hold_segment(bytes),
            Self::Mplex(_) | Self::Single(_) | Self::Foreign(_) => Some(bytes),
        }
    }

    #[must_use]
    pub fn holds_segment(&self) -> bool {
        matches!(self, Self::Yamux(mux) if mux.holds_segment())
    }

    pub fn leave_segment(&mut self) -> Option<Vec<u8>> {
        match self {
            Self::Yamux(mux) => mux.leave_segment(),
            Self::Mplex(_) | Self::Single(_) | Self::Foreign(_) => None,
        }
    }

    pub fn write(&mut self, id: StreamId, data: &[u8]) -> Result<usize, StreamError> {
        each!(self, mux => mux.write(id, data))
    }

    pub fn lend(&mut self, id: StreamId, data: Lent) -> Result<usize, StreamError> {
        each!(self, mux => mux.lend(id, data))
    }

    pub fn close_write(&mut self, id: StreamId) {
        each!(self, mux => mux.close_write(id));
    }

    pub fn stop_reading(&mut self, id: StreamId) {
        each!(self, mux => mux.stop_reading(id));
    }

    pub fn release(&mut self, id: StreamId, now: Instant) {
        each!(self, mux => mux.release(id, now));
    }

    pub fn reset(&mut self, id: StreamId, code: u32) {
        each!(self, mux => mux.reset(id, code));
    }

    // ---- the whole of it

    pub fn go_away(&mut self, code: u32) {
        each!(self, mux => mux.go_away(code));
    }

    #[must_use]
    pub fn is_overloaded(&self) -> bool {
        each!(self, mux => mux.is_overloaded())
    }

    #[must_use]
    pub fn is_mixed(&self, now: Instant) -> bool {
        each!(self, mux => mux.is_mixed(now))
    }

    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        each!(self, mux => mux.rtt())
    }

    #[must_use]
    pub fn stats(&self) -> Stats {
        each!(self, mux => mux.stats())
    }
}
