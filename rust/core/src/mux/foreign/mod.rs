//! A multiplexer that somebody else speaks, around which we put what all of ours have.
//!
//! The plug-in knows frames ([`ForeignConnection`]). Here are the streams with their buffers, bounds,
//! states and turns, so that a connection cannot tell it from a multiplexer of ours. What differs:
//!
//! - Commands of the application only note what is to be done. The plug-in is called while bytes are
//!   received or sent, or when its time has come, and when it fails, [`Foreign::fault`] says so from then
//!   on; it is not called again.
//! - Where the protocol has no credit, memory is bounded as in [`crate::mux::mplex`]: a stream with
//!   [`MuxConfig::max_stream_unread`] bytes unread stops the reading of the connection, and is reset when it
//!   is not read for [`MuxConfig::stall_timeout`]. Windows of that size or less never come to it.
//!
//! | part | is about |
//! |---|---|
//! | `framing` | what is asked of the plug-in |
//! | `stream` | one stream |
//! | `receive` | frames from the peer |
//! | `command` | what the application asks for |
//! | `transmit` | frames to the peer |
//! | `stall` | streams that hold the connection up |

mod command;
mod framing;
mod receive;
mod stall;
mod stream;
mod transmit;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

pub use framing::{ForeignConnection, ForeignFrame, ForeignMuxer};

use self::stall::Stalls;
use self::stream::Stream;
use super::abuse::Abuse;
use super::account::Account;
use super::linger::Linger;
use super::schedule::Schedule;
use super::table::Table;
use super::{Available, MuxConfig, MuxEvent, Role, Stats, StreamError, StreamId, Violation};
use crate::buffer::{ByteQueue, SpareBuffers};
use crate::fault::Fault;
use crate::limits::Budget;
use crate::time::Instant;

/// One end of a connection whose frames are somebody else's. It is used as [`crate::mux::yamux::Yamux`] is.
#[derive(Debug)]
pub struct Foreign {
    muxer: Arc<dyn ForeignMuxer>,
    role: Role,
    config: Arc<MuxConfig>,
    /// Begun when it is first needed: until then the peer may still choose another muxer.
    connection: Option<Box<dyn ForeignConnection>>,
    phase: Phase,
    fault: Option<Fault>,

    streams: Table<Stream>,
    /// The peer's streams that exist.
    inbound: usize,
    /// The peer's streams that the application has not accepted.
    unaccepted: usize,

    /// Resets, that go before everything else.
    control: VecDeque<(u64, u32)>,
    /// Streams of ours that the plug-in has no number for.
    new_streams: VecDeque<StreamId>,
    /// The plug-in said "not now".
    is_open_denied: bool,
    /// The application was told "not now".
    is_open_blocked: bool,
    /// Streams of which the plug-in has not heard how much was read.
    readers: Vec<StreamId>,
    schedule: Schedule,
    /// Bytes of frames that are on their way out.
    framed: ByteQueue,
    /// When the plug-in wants to be called.
    deadline: Option<Instant>,

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
    /// What is queued still goes, then our last word.
    Leaving {
        code: u32,
    },
    /// Nothing is framed any more.
    Left,
    /// The peer broke the rules, and nothing is framed any more.
    Failed(Violation),
}

impl Foreign {
    /// A new connection. `budget` is shared with other connections.
    #[must_use]
    pub fn new(
        muxer: &Arc<dyn ForeignMuxer>,
        role: Role,
        config: &Arc<MuxConfig>,
        budget: Budget,
        now: Instant,
    ) -> Self {
        Self {
            muxer: Arc::clone(muxer),
            role,
            config: Arc::clone(config),
            connection: None,
            phase: Phase::Running,
            fault: None,
            streams: Table::default(),
            inbound: 0,
            unaccepted: 0,
            control: VecDeque::new(),
            new_streams: VecDeque::new(),
            is_open_denied: false,
            is_open_blocked: false,
            readers: Vec::new(),
            schedule: Schedule::new(0),
            framed: ByteQueue::new(),
            deadline: None,
            account: Account::new(config, budget),
            spares: SpareBuffers::new(),
            stalls: Stalls::default(),
            linger: Linger::default(),
            abuse: Abuse::new(now),
            rest: None,
            stats: Stats::default(),
        }
    }

    /// How the plug-in failed, if it did. The connection is over then.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
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
        if self.deadline.is_some_and(|deadline| deadline <= now) && self.is_talking() {
            self.tick(now, events);
        }
        self.settle();
        self.watch_largest(now);
    }

    /// When [`Foreign::handle_timeout`] is to be called.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        let own = self.deadline.filter(|_| self.is_talking());
        [own, self.rest, self.linger.next_timeout(), self.stalls.next_timeout()].into_iter().flatten().min()
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

    /// Nothing should be read from the socket now: a stream is full, or the application does not
    /// read, or the peer does not read our answers, or the memory of the host is used up.
    #[must_use]
    pub fn is_overloaded(&self) -> bool {
        self.control.len() >= self.config.max_control_queue
            || self.framed.len() >= MAX_FRAMED
            || self.stalls.has_full()
            || self.account.is_full_inbound()
    }

    /// How many streams exist, those included that were released and wait for the peer.
    #[must_use]
    pub fn num_streams(&self) -> usize {
        self.streams.len()
    }

    /// The round trip is not known: pings are the plug-in's own matter.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        None
    }

    /// Small messages go before transfers on this connection: what waits below it delays them.
    #[must_use]
    pub fn is_mixed(&self, now: Instant) -> bool {
        self.schedule.is_mixed(now)
    }

    /// Numbers for limits and metrics. Frames are not counted: nobody tells where one ends.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            inbound_streams: self.inbound,
            outbound_streams: self.streams.len() - self.inbound,
            memory: self.account.memory(),
            ..self.stats
        }
    }

    /// Calls the plug-in, unless it has failed or the peer has. Its failure is noted, and whatever it wants
    /// to be sent is taken also then.
    fn call<R>(
        &mut self,
        now: Instant,
        verb: impl FnOnce(&mut dyn ForeignConnection) -> Result<R, Fault>,
    ) -> Option<R> {
        if self.fault.is_some() || matches!(self.phase, Phase::Failed(_)) {
            return None;
        }
        if self.connection.is_none() {
            match self.muxer.begin(self.role, now) {
                Ok(connection) => self.connection = Some(connection),
                Err(fault) => {
                    self.fault = Some(fault);
                    return None;
                }
            }
        }
        let connection = self.connection.as_deref_mut()?;
        let result = verb(connection);
        let mut out = Vec::new();
        let sent = connection.transmit(&mut out);
        let before = self.framed.capacity();
        self.framed.push(&out);
        self.account.resize_outbound(before, self.framed.capacity());
        match (result, sent) {
            (Ok(result), Ok(())) => return Some(result),
            (Err(fault), _) | (_, Err(fault)) => self.fault = Some(fault),
        }
        None
    }

    /// Asks the plug-in when it wants to be called.
    fn ask_deadline(&mut self, now: Instant) {
        let Some(connection) = &self.connection else { return };
        if self.fault.is_some() {
            return;
        }
        match connection.next_timeout() {
            // One that forgets to move its deadline on must not keep everybody else from running.
            Ok(deadline) => self.deadline = deadline.map(|deadline| deadline.max(now + SHORTEST_WAIT)),
            Err(fault) => self.fault = Some(fault),
        }
    }

    /// Takes a stream out of everything.
    fn remove(&mut self, id: StreamId) {
        self.forget_unread(id);
        self.forget_unsent(id);
        let Some(stream) = self.streams.remove(id) else { return };
        self.inbound -= usize::from(stream.is_inbound);
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
            self.abandon(id, 0);
        }
    }

    fn push_linger(&mut self, id: StreamId, now: Instant) {
        let streams = &self.streams;
        self.linger.push(now + self.config.linger, id, |other| streams.get(other).is_some());
    }

    /// Forgets a stream, and tells the peer if it knows of it.
    fn abandon(&mut self, id: StreamId, code: u32) {
        self.answer_reset(id, code);
        self.remove(id);
    }

    /// Tells the peer that a stream is reset, if it knows of it and has not ended it.
    fn answer_reset(&mut self, id: StreamId, code: u32) {
        let Some(stream) = self.streams.get(id) else { return };
        if stream.is_told() && !stream.state.is_over() && self.is_talking() {
            self.control.push_back((stream.wire, code));
        }
    }

    fn is_talking(&self) -> bool {
        self.fault.is_none() && matches!(self.phase, Phase::Running | Phase::Leaving { .. })
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
        self.readers.shrink_to(SPARE_PLACES);
        let before = self.framed.capacity();
        self.framed.shrink();
        self.account.resize_outbound(before, self.framed.capacity());
    }

    /// The end of every call that may have changed something.
    fn settle(&mut self) {
        self.account.settle(self.spares.bytes());
        if self.account.is_short() && self.spares.bytes() > 0 {
            self.spares.clear();
            self.account.settle(0);
        }
    }
}

/// Places in queues that are kept when the connection is idle.
const SPARE_PLACES: usize = 16;

/// The plug-in's time comes a thousand times a second at most.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// Framed bytes that wait for the socket before the reading has to stop: a peer that makes us answer and does
/// not read the answers gets no more. Two of the largest writes, so that data on its way never reaches it.
const MAX_FRAMED: usize = 256 << 10;
