//! Mplex (`/mplex/6.7.0`): streams without credit over one ordered channel.
//!
//! The specifications call it deprecated; it is for peers that speak nothing better. What it lacks
//! decides how it is used:
//!
//! - No credit, so the peer may send on a stream that nobody reads. See "Memory" below.
//! - No ping: no round trip is known, and nothing here notices that the peer is gone.
//! - No go-away: a connection ends with its transport. [`Mplex::go_away`] only stops the sending,
//!   its code reaches nobody, and a violation is not answered.
//! - No acknowledgement: [`Mplex::open`] never has to wait. How many streams the peer bears cannot be
//!   known: rust resets the ones beyond 128, and js gives up connections that open more than five
//!   within a second. Slowing everybody down for the latter would make mplex useless with the others.
//! - A reset without a reason: codes are not sent, and 0 is what arrives.
//!
//! # Memory
//!
//! A stream that has [`MuxConfig::max_stream_unread`] bytes unread is full, and while there is a full
//! one the connection is overloaded: the driver stops reading the socket, which holds back all
//! streams, since nothing holds back one. A stream that is read slowly so slows the connection down to
//! its pace. One that is not read at all is reset: in each [`MuxConfig::stall_timeout`] that it is
//! full it has to be read a little, or the application gets [`MuxEvent::Reset`] for it. The
//! same befalls the largest stream when all together are over the bound of the connection. A
//! stream that the peer has ended grows no more, and holds up nobody by itself.
//!
//! | part | is about |
//! |---|---|
//! | `frame` | the two varints of a header |
//! | `stream` | one stream |
//! | `receive` | bytes from the peer |
//! | `command` | what the application asks for |
//! | `transmit` | bytes to the peer |
//! | `stall` | streams that hold the connection up |

mod command;
mod frame;
#[cfg(debug_assertions)]
mod invariants;
mod receive;
mod stall;
mod stream;
mod transmit;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use self::frame::{Header, HeaderReader, Kind, MAX_HEADER};
use self::receive::Body;
use self::stall::Stalls;
use self::stream::Stream;
use super::abuse::Abuse;
use super::account::Account;
use super::linger::Linger;
use super::schedule::Schedule;
use super::table::Table;
use super::{Available, MuxConfig, MuxEvent, Role, Stats, StreamError, StreamId, Violation};
use crate::buffer::SpareBuffers;
use crate::limits::Budget;
use crate::time::Instant;

/// The id that multistream-select proposes, and that handshakes carry.
pub const PROTOCOL: &str = "/mplex/6.7.0";

/// One end of an mplex connection, without the connection: bytes in, events and bytes out.
///
/// It is used as [`crate::mux::yamux::Yamux`] is, and never gives [`MuxEvent::OpenCredit`],
/// [`MuxEvent::Rtt`], [`MuxEvent::GoAway`] or [`MuxEvent::KeepAliveExpired`].
#[derive(Debug)]
pub struct Mplex {
    config: Arc<MuxConfig>,
    phase: Phase,

    streams: Table<Stream>,
    /// The peer's streams that exist.
    inbound: usize,
    /// The peer's streams that the application has not accepted.
    unaccepted: usize,
    next_number: u64,

    header: HeaderReader,
    body: Body,

    /// Resets, that go before everything else.
    control: VecDeque<Header>,
    /// Streams of ours that the peer is to be told of.
    new_streams: VecDeque<StreamId>,
    schedule: Schedule,

    account: Account,
    spares: SpareBuffers,
    stalls: Stalls,
    linger: Linger,
    abuse: Abuse,
    /// When memory is given back that only a busy connection needs; `None` after that was done.
    rest: Option<Instant>,
    stats: Stats,
}

/// How far the end of the connection has come, on our side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    /// What is queued still goes.
    Leaving,
    /// Nothing is sent any more.
    Left,
    /// The peer broke the protocol, and nothing is sent any more.
    Failed(Violation),
}

impl Mplex {
    /// A new connection. Nothing distinguishes its two ends. `budget` is shared with other connections.
    #[must_use]
    pub fn new(_role: Role, config: &Arc<MuxConfig>, budget: Budget, now: Instant) -> Self {
        Self {
            config: Arc::clone(config),
            phase: Phase::Running,
            streams: Table::default(),
            inbound: 0,
            unaccepted: 0,
            next_number: 0,
            header: HeaderReader::default(),
            body: Body::default(),
            control: VecDeque::new(),
            new_streams: VecDeque::new(),
            schedule: Schedule::new(MAX_HEADER),
            account: Account::new(config, budget),
            spares: SpareBuffers::new(),
            stalls: Stalls::default(),
            linger: Linger::default(),
            abuse: Abuse::new(now),
            rest: None,
            stats: Stats::default(),
        }
    }

    /// Does what is due `now`; early and late calls do no harm.
    pub fn handle_timeout(&mut self, now: Instant, events: &mut Vec<MuxEvent>) {
        if self.rest.is_some_and(|rest| rest <= now) {
            self.rest = None;
            self.shrink();
        }
        while let Some(id) = self.linger.pop_due(now) {
            self.end_linger(id, now);
        }
        self.end_stalls(now, events);
        self.settle();
        self.watch_largest(now);
    }

    /// When [`Mplex::handle_timeout`] is to be called.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        [self.rest, self.linger.next_timeout(), self.stalls.next_timeout()].into_iter().flatten().min()
    }

    /// What a stream has to read.
    ///
    /// # Errors
    ///
    /// [`StreamError::Reset`] when the peer reset it (unless it had ended it before: then what it
    /// sent stays readable) or when it held the connection up, [`StreamError::Closed`] when we gave
    /// up reading it.
    pub fn available(&self, id: StreamId) -> Result<Available, StreamError> {
        self.streams.get(id).ok_or(StreamError::Unknown)?.available()
    }

    /// All that a stream has to read, in two parts, left where it is.
    #[must_use]
    pub fn peek(&self, id: StreamId) -> (&[u8], &[u8]) {
        self.streams.get(id).map_or((&[], &[]), |stream| stream.unread.as_slices())
    }

    /// The number of a stream on the wire; the peer may have given the same one to a stream of its own.
    #[must_use]
    pub fn wire_id(&self, id: StreamId) -> Option<u64> {
        self.streams.get(id).map(|stream| stream.wire.number)
    }

    /// Nothing should be read from the socket now: a stream is full, or the application does not
    /// read, or the peer does not read our answers, or the memory of the host is used up.
    #[must_use]
    pub fn is_overloaded(&self) -> bool {
        self.control.len() >= self.config.max_control_queue
            || self.stalls.has_full()
            || self.account.is_full_inbound()
    }

    /// How many streams exist, those included that were released and wait for the peer.
    #[must_use]
    pub fn num_streams(&self) -> usize {
        self.streams.len()
    }

    /// The round trip is not known: there is no ping.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        None
    }

    /// Small messages go before transfers on this connection: what waits below it delays them.
    #[must_use]
    pub fn is_mixed(&self, now: Instant) -> bool {
        self.schedule.is_mixed(now)
    }

    /// Numbers for limits and metrics.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            inbound_streams: self.inbound,
            outbound_streams: self.streams.len() - self.inbound,
            memory: self.account.memory(),
            ..self.stats
        }
    }

    /// Takes a stream out of everything.
    fn remove(&mut self, id: StreamId) {
        self.forget_unread(id);
        self.forget_unsent(id);
        let Some(stream) = self.streams.remove(id) else { return };
        self.inbound -= usize::from(stream.wire.is_inbound);
        self.unaccepted -= usize::from(!stream.is_accepted);
        if stream.is_released {
            self.linger.ended();
        }
    }

    fn forget_unread(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        self.stats.buffered_in -= stream.unread.len();
        self.account.resize_inbound(stream.unread.capacity(), 0);
        stream.unread.consume(usize::MAX);
        self.spares.reclaim(&mut stream.unread);
        self.recount_full(id);
    }

    fn forget_unsent(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        self.stats.buffered_out -= stream.unsent.len();
        self.account.resize_outbound(stream.unsent.capacity(), 0);
        stream.unsent.consume(usize::MAX);
        stream.unsent.reclaim(&mut self.spares);
    }

    /// The time of a stream that was released is up.
    fn end_linger(&mut self, id: StreamId, now: Instant) {
        let Some(stream) = self.streams.get(id) else { return };
        if now.since(stream.last_sent) < self.config.linger / 2 {
            // A slow peer that still takes what was written may go on.
            self.linger.ended();
            self.push_linger(id, now);
        } else {
            self.abandon(id);
        }
    }

    fn push_linger(&mut self, id: StreamId, now: Instant) {
        let streams = &self.streams;
        self.linger.push(now + self.config.linger, id, |other| streams.get(other).is_some());
    }

    /// Forgets a stream, and tells the peer if it knows of it.
    fn abandon(&mut self, id: StreamId) {
        self.answer_reset(id);
        self.remove(id);
    }

    /// Tells the peer that a stream is reset, if it knows of it and has not ended it.
    fn answer_reset(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get(id) else { return };
        if !stream.is_new && !stream.state.is_over() {
            self.answer(Header::new(Kind::Reset, stream.wire, 0));
        }
    }

    /// Queues a frame that goes before all data, unless nothing is said any more.
    fn answer(&mut self, frame: Header) {
        if self.is_talking() {
            self.control.push_back(frame);
        }
    }

    fn is_talking(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::Leaving)
    }

    /// Something moves; when it has stopped for as long as another protocol waits between two pings,
    /// there is memory to give back.
    fn stir(&mut self, now: Instant) {
        self.rest.get_or_insert(now + self.config.keepalive_interval);
    }

    /// Gives back memory that only a busy connection needs.
    fn shrink(&mut self) {
        self.spares.clear();
        self.streams.shrink();
        self.schedule.shrink();
        self.linger.shrink();
        self.control.shrink_to(SPARE_PLACES);
        self.new_streams.shrink_to(SPARE_PLACES);
    }

    /// The end of every call that may have changed something.
    fn settle(&mut self) {
        self.account.settle(self.spares.bytes());
        if self.account.is_short() && self.spares.bytes() > 0 {
            self.spares.clear();
            self.account.settle(0);
        }
        #[cfg(debug_assertions)]
        self.assert_invariants();
    }
}

/// Places in queues that are kept when the connection is idle.
const SPARE_PLACES: usize = 16;
