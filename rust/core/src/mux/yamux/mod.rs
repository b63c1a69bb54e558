//! Yamux (`/yamux/1.0.0`): streams with credit over one ordered channel.
//!
//! | part | is about |
//! |---|---|
//! | `frame` | the 12 bytes of a header |
//! | `stream`, `handshake` | one stream; how its opening is told and answered |
//! | `receive` | bytes from the peer |
//! | `command` | what the application asks for |
//! | `transmit` | bytes to the peer |
//! | `keepalive` | pings |

mod command;
mod frame;
mod handshake;
#[cfg(debug_assertions)]
mod invariants;
mod keepalive;
mod receive;
mod stream;
mod transmit;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use self::frame::{HEADER_LEN, Header, HeaderReader};
use self::handshake::Handshake;
use self::keepalive::Keepalive;
use self::receive::Body;
use self::stream::Stream;
use super::abuse::Abuse;
use super::account::Account;
use super::linger::Linger;
use super::schedule::Schedule;
use super::table::Table;
use super::unread::Segment;
use super::{Available, MuxConfig, MuxEvent, Role, Stats, StreamError, StreamId, Violation, codes};
use crate::buffer::SpareBuffers;
use crate::limits::Budget;
use crate::time::Instant;

/// The id that multistream-select proposes, and that handshakes carry.
pub const PROTOCOL: &str = "/yamux/1.0.0";

/// One end of a yamux connection, without the connection: bytes in, events and bytes out.
///
/// Four kinds of methods, to be used in turn:
///
/// - input: [`Yamux::receive`] and [`Yamux::handle_timeout`] tell what happened, and append events;
/// - commands of the application: [`Yamux::open`], [`Yamux::read`], [`Yamux::write`], …;
/// - output, due after any call of the first two kinds: [`Yamux::transmit`] while
///   [`Yamux::has_pending`], then [`Yamux::next_timeout`];
/// - getters.
///
/// While [`Yamux::is_overloaded`] nothing should be read from the socket. That is how memory stays
/// bounded when the application does not read, or when the peer does not read our answers. It ends
/// by reads, by [`Yamux::transmit`], and by other connections that give memory back, which is
/// noticed with the next call of any kind.
#[derive(Debug)]
pub struct Yamux {
    role: Role,
    config: Arc<MuxConfig>,
    phase: Phase,
    /// The peer said go-away.
    peer_left: bool,

    streams: Table<Stream>,
    /// The peer's streams that exist.
    inbound: usize,
    /// The peer's streams that the application has not accepted.
    unaccepted: usize,
    /// Our streams that the peer has not acknowledged.
    unacknowledged: usize,
    /// `open` said "not now", and nobody was told that it may be tried again.
    wants_open: bool,
    next_wire: u32,

    header: HeaderReader,
    body: Body,

    /// Frames of the connection, and resets, that go before everything else.
    control: VecDeque<[u8; HEADER_LEN]>,
    /// Streams that may owe the peer a flag or credit.
    announcements: VecDeque<StreamId>,
    /// One of them does not wait for other frames. Those of many streams go out together, since each record of its
    /// own wakes the peer.
    is_hurried: bool,
    schedule: Schedule,

    account: Account,
    spares: SpareBuffers,
    segment: Segment,
    keepalive: Keepalive,
    linger: Linger,
    abuse: Abuse,
    stats: Stats,
}

/// How far the end of the connection has come, on our side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    /// Go-away follows what can be sent now.
    Leaving {
        code: u32,
    },
    /// The peer broke the protocol: only go-away follows.
    Failed {
        violation: Violation,
        go_away_sent: bool,
    },
    /// Go-away was sent, and it was the last frame.
    Left,
}

impl Yamux {
    /// A new connection, with a ping to send. `budget` is shared with other connections.
    #[must_use]
    pub fn new(role: Role, config: &Arc<MuxConfig>, budget: Budget, now: Instant) -> Self {
        Self {
            role,
            config: Arc::clone(config),
            phase: Phase::Running,
            peer_left: false,
            streams: Table::default(),
            inbound: 0,
            unaccepted: 0,
            unacknowledged: 0,
            wants_open: false,
            next_wire: match role {
                Role::Client => 1,
                Role::Server => 2,
            },
            header: HeaderReader::default(),
            body: Body::default(),
            control: VecDeque::new(),
            announcements: VecDeque::new(),
            is_hurried: false,
            schedule: Schedule::new(HEADER_LEN),
            account: Account::new(config, budget),
            spares: SpareBuffers::new(),
            segment: Segment::default(),
            keepalive: Keepalive::new(config, now),
            linger: Linger::default(),
            abuse: Abuse::new(now),
            stats: Stats::default(),
        }
    }

    /// Does what is due `now`; early and late calls do no harm.
    pub fn handle_timeout(&mut self, now: Instant, events: &mut Vec<MuxEvent>) {
        if self.account.is_full_inbound() {
            // It is our application that does not read; the peer's silence says nothing then.
            self.keepalive.heard(now);
        }
        if self.keepalive.handle_timeout(now) {
            events.push(MuxEvent::KeepAliveExpired);
        }
        if self.keepalive.has_pending() {
            self.shrink();
        }
        while let Some(id) = self.linger.pop_due(now) {
            self.end_linger(id, now);
        }
        self.settle();
    }

    /// When [`Yamux::handle_timeout`] is to be called.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        self.keepalive.next_timeout().into_iter().chain(self.linger.next_timeout()).min()
    }

    /// What a stream has to read.
    ///
    /// # Errors
    ///
    /// [`StreamError::Reset`] when the peer reset it (unless it had ended it before: then what it
    /// sent stays readable), [`StreamError::Closed`] when we gave up reading it.
    pub fn available(&self, id: StreamId) -> Result<Available, StreamError> {
        self.streams.get(id).ok_or(StreamError::Unknown)?.available()
    }

    /// The first bytes that a stream has to read, in two parts, left where they are; all of them unless it is
    /// [awaited](Yamux::await_bytes).
    #[must_use]
    pub fn peek(&self, id: StreamId) -> (&[u8], &[u8]) {
        self.streams.get(id).map_or((&[], &[]), |stream| stream.unread.as_slices(&self.segment))
    }

    /// The id of a stream on the wire, as the peer names it.
    #[must_use]
    pub fn wire_id(&self, id: StreamId) -> Option<u32> {
        self.streams.get(id).map(|stream| stream.wire)
    }

    /// Nothing should be read from the socket now: the application does not read, or the peer does
    /// not read our answers, or the memory of the host is used up. When that lasts longer than a
    /// ping may take, the connection is given up, because nothing is heard of the peer.
    #[must_use]
    pub fn is_overloaded(&self) -> bool {
        self.control.len() >= self.config.max_control_queue || self.account.is_full_inbound()
    }

    /// How many streams exist, those included that were released and wait for the peer.
    #[must_use]
    pub fn num_streams(&self) -> usize {
        self.streams.len()
    }

    /// The latest round trip, if any ping was answered.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.keepalive.rtt()
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
        self.inbound -= usize::from(stream.is_inbound);
        self.unaccepted -= usize::from(!stream.is_accepted);
        self.unacknowledged -= usize::from(stream.handshake.is_unacknowledged());
        if stream.is_released {
            self.linger.ended();
        }
        self.account.shrink(stream.receive_window.growth());
    }

    fn forget_unread(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        self.stats.buffered_in -= stream.unread.len();
        self.account.resize_inbound(stream.unread.capacity(), 0);
        stream.unread.consume(usize::MAX);
        stream.unread.reclaim(&mut self.spares);
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
            self.abandon(id, codes::stream::GARBAGE_COLLECTED);
        }
    }

    fn push_linger(&mut self, id: StreamId, now: Instant) {
        let streams = &self.streams;
        self.linger.push(now + self.config.linger, id, |other| streams.get(other).is_some());
    }

    /// Forgets a stream, and tells the peer if it knows of it.
    fn abandon(&mut self, id: StreamId, code: u32) {
        let Some(stream) = self.streams.get(id) else { return };
        if stream.handshake != Handshake::SynOwed && !stream.state.is_over() {
            let frame = Header::reset(stream.wire, code);
            self.answer(frame);
        }
        self.remove(id);
    }

    /// Queues a frame that goes before all data, unless nothing is said any more.
    fn answer(&mut self, frame: Header) {
        if matches!(self.phase, Phase::Running | Phase::Leaving { .. }) {
            self.control.push_back(frame.encode());
        }
    }

    /// Gives back memory that only a busy connection needs.
    fn shrink(&mut self) {
        self.spares.clear();
        self.streams.shrink();
        self.schedule.shrink();
        self.linger.shrink();
        self.control.shrink_to(SPARE_PLACES);
        self.announcements.shrink_to(SPARE_PLACES);
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
