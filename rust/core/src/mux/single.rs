//! No multiplexer: the whole connection is one stream.
//!
//! For measuring what a multiplexer costs. The
//! stream exists from the beginning, on both sides under the same name; the client is given it by its
//! one `open`, the server by [`MuxEvent::Opened`]. Nothing but its bytes is sent, so much of what
//! the verbs mean elsewhere cannot be carried:
//!
//! - The peer learns of [`Single::close_write`] only by the end of the connection, and ours never
//!   reads an end of stream, only the loss of the connection.
//! - [`Single::release`] and [`Single::reset`] leave a connection that is good for nothing: when
//!   [`Single::num_streams`] is back to 0 its owner is to close it. Released, it
//!   still sends what was written; reset, it does not.
//! - Nothing answers and nothing is asked: no round trip is known, and nothing here notices that
//!   the peer is gone.

use std::sync::Arc;
use std::time::Duration;

use super::account::Account;
use super::unsent::Unsent;
use super::{Available, Error, Lent, MuxConfig, MuxEvent, Role, Stats, StreamError, StreamId, Violation};
use crate::buffer::{ByteQueue, SpareBuffers};
use crate::limits::Budget;
use crate::time::Instant;

/// One end of a connection that is one stream. It is used as [`crate::mux::yamux::Yamux`] is.
#[derive(Debug)]
pub struct Single {
    role: Role,
    config: Arc<MuxConfig>,
    began: Instant,
    phase: Phase,
    /// No byte is taken from the application any more, by its wish or because the connection ends.
    is_write_closed: bool,
    /// No byte is kept for the application any more.
    discards: bool,
    is_leaving: bool,
    /// The application was told that the queue is full.
    is_write_blocked: bool,
    /// The server's application does not know yet that there is a stream.
    owes_opened: bool,
    /// The application does not know yet that there is something to read.
    owes_readable: bool,

    unread: ByteQueue,
    unsent: Unsent,
    account: Account,
    spares: SpareBuffers,
    /// When memory is given back that only a busy connection needs; `None` after that was done.
    rest: Option<Instant>,
    stats: Stats,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Our application has not asked for the stream; what arrives waits for it.
    Unopened,
    Open,
    /// The application has forgotten the stream; what it wrote still goes.
    Released,
    Gone,
}

impl Single {
    /// A new connection. `budget` is shared with other connections.
    #[must_use]
    pub fn new(role: Role, config: &Arc<MuxConfig>, budget: Budget, now: Instant) -> Self {
        let is_server = role == Role::Server;
        Self {
            role,
            config: Arc::clone(config),
            began: now,
            phase: if is_server { Phase::Open } else { Phase::Unopened },
            is_write_closed: false,
            discards: false,
            is_leaving: false,
            is_write_blocked: false,
            owes_opened: is_server,
            owes_readable: false,
            unread: ByteQueue::new(),
            unsent: Unsent::new(),
            account: Account::new(config, budget),
            spares: SpareBuffers::new(),
            rest: None,
            stats: Stats { streams_accepted: u64::from(is_server), ..Stats::default() },
        }
    }

    /// Takes bytes from the peer. The server's [`MuxEvent::Opened`] comes with the first of them, or
    /// with [`Single::handle_timeout`] if that is called before.
    ///
    /// # Errors
    ///
    /// None: no bytes are wrong.
    pub fn receive(
        &mut self,
        plaintext: &[u8],
        now: Instant,
        events: &mut Vec<MuxEvent>,
    ) -> Result<(), Violation> {
        let is_kept = matches!(self.phase, Phase::Unopened | Phase::Open) && !self.discards;
        if is_kept && !plaintext.is_empty() {
            self.owes_readable |= self.unread.is_empty();
            // The one copy on the way in: the bytes lie in a buffer that the next segment needs.
            self.spares.push(&mut self.unread, plaintext);
            self.stir(now);
        }
        self.tell(events);
        self.settle();
        Ok(())
    }

    /// Does what is due `now`; early and late calls do no harm.
    pub fn handle_timeout(&mut self, now: Instant, events: &mut Vec<MuxEvent>) {
        self.tell(events);
        if self.rest.is_some_and(|rest| rest <= now) {
            self.rest = None;
            self.spares.clear();
        }
        self.settle();
    }

    /// When [`Single::handle_timeout`] is to be called: at once while the application has to be told
    /// of the stream, or of bytes that came before it opened the stream.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        let is_due = self.owes_opened || (self.owes_readable && self.phase == Phase::Open);
        is_due.then_some(self.began).or(self.rest)
    }

    /// The stream, once, and for the client only.
    ///
    /// # Errors
    ///
    /// [`Error::GoingAway`] when the connection is about to end, [`Error::OnlyOneStream`] when
    /// there is nothing (more) to open.
    pub fn open(&mut self, _now: Instant) -> Result<Option<StreamId>, Error> {
        if self.is_leaving {
            return Err(Error::GoingAway);
        }
        if self.phase != Phase::Unopened {
            return Err(Error::OnlyOneStream);
        }
        self.phase = Phase::Open;
        self.stats.streams_opened = 1;
        Ok(Some(STREAM))
    }

    /// The application wants the stream. Nobody else hears of it.
    pub fn accept(&mut self, _id: StreamId) {}

    /// What the stream has to read; never [`Available::Finished`].
    ///
    /// # Errors
    ///
    /// [`StreamError::Closed`] when we gave up reading it.
    pub fn available(&self, id: StreamId) -> Result<Available, StreamError> {
        self.check(id)?;
        if self.discards {
            return Err(StreamError::Closed);
        }
        Ok(match self.unread.len() {
            0 => Available::Nothing,
            count => Available::Bytes(count),
        })
    }

    /// All that the stream has to read, in two parts, left where it is.
    #[must_use]
    pub fn peek(&self, id: StreamId) -> (&[u8], &[u8]) {
        if self.check(id).is_ok() { self.unread.as_slices() } else { (&[], &[]) }
    }

    /// Moves received bytes into `into`, as many as there are and fit.
    ///
    /// # Errors
    ///
    /// As [`Single::available`].
    pub fn read(&mut self, id: StreamId, into: &mut [u8]) -> Result<usize, StreamError> {
        self.available(id)?;
        let count = self.unread.copy_out(into);
        self.settle();
        Ok(count)
    }

    /// Counts the first `count` bytes that [`Single::peek`] shows as read.
    pub fn consume(&mut self, id: StreamId, count: usize) {
        if self.check(id).is_ok() {
            self.unread.consume(count);
            self.settle();
        }
    }

    /// Takes bytes to be sent; returns how many. When it takes fewer than it was given,
    /// [`MuxEvent::Writable`] follows once half of them or more are sent.
    ///
    /// # Errors
    ///
    /// [`StreamError::Closed`] after [`Single::close_write`] or when the connection is about to end.
    pub fn write(&mut self, id: StreamId, data: &[u8]) -> Result<usize, StreamError> {
        self.check(id)?;
        if self.is_write_closed || self.is_leaving {
            return Err(StreamError::Closed);
        }
        let count = data.len().min(self.account.send_buffer().saturating_sub(self.unsent.len()));
        self.is_write_blocked |= count < data.len();
        if count > 0 {
            self.unsent.push(&mut self.spares, &data[..count]);
            self.settle();
        }
        Ok(count)
    }

    /// Takes bytes to be sent as they are: all of a loan, or none when there is enough. Returns
    /// how many of all that the owner has, and goes on as [`Single::write`].
    ///
    /// # Errors
    ///
    /// As [`Single::write`].
    pub fn lend(&mut self, id: StreamId, data: Lent) -> Result<usize, StreamError> {
        self.check(id)?;
        if self.is_write_closed || self.is_leaving {
            return Err(StreamError::Closed);
        }
        let queued = self.unsent.len();
        let loan = self.unsent.lend(data, &self.account, queued);
        self.is_write_blocked |= loan.is_cut;
        Ok(loan.taken)
    }

    /// No more will be written. The peer does not hear of it while the connection lives.
    pub fn close_write(&mut self, id: StreamId) {
        self.is_write_closed |= self.check(id).is_ok();
    }

    /// No more will be read: what has arrived and what arrives is thrown away.
    pub fn stop_reading(&mut self, id: StreamId) {
        if self.check(id).is_ok() {
            self.discards = true;
            self.unread.consume(usize::MAX);
            self.settle();
        }
    }

    /// The application is done with the stream; it is gone when what was written is sent.
    pub fn release(&mut self, id: StreamId, _now: Instant) {
        if self.check(id).is_ok() {
            self.phase = if self.unsent.is_empty() { Phase::Gone } else { Phase::Released };
            self.unread.consume(usize::MAX);
            self.settle();
        }
    }

    /// Forgets the stream with all that was written and not sent. The peer is told nothing.
    pub fn reset(&mut self, id: StreamId, _code: u32) {
        if self.check(id).is_ok() {
            self.phase = Phase::Gone;
            self.unread.consume(usize::MAX);
            self.unsent.consume(usize::MAX);
            self.settle();
        }
    }

    /// Nothing is written any more; what is queued still goes. The peer hears of it, without the
    /// `code`, by the end of the transport.
    pub fn go_away(&mut self, _code: u32) {
        self.is_leaving = true;
    }

    /// Appends bytes of the stream to `out`, never more than `room`; returns how many.
    pub fn transmit(
        &mut self,
        out: &mut Vec<u8>,
        room: usize,
        now: Instant,
        events: &mut Vec<MuxEvent>,
    ) -> usize {
        let count = self.unsent.len().min(room);
        if count > 0 {
            // The one copy on the way out: to where it is sealed in place.
            self.unsent.append_to(out, count);
            self.stir(now);
        }
        if self.phase == Phase::Released && self.unsent.is_empty() {
            self.phase = Phase::Gone;
        }
        if self.is_write_blocked
            && self.phase == Phase::Open
            && self.unsent.len() <= self.account.send_buffer() / 2
        {
            self.is_write_blocked = false;
            events.push(MuxEvent::Writable(STREAM));
        }
        self.settle();
        count
    }

    /// Whether [`Single::transmit`] has something to do.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Nothing should be read from the socket now: the application does not read, or the memory of
    /// the host is used up.
    #[must_use]
    pub fn is_overloaded(&self) -> bool {
        self.unread.len() >= self.config.max_stream_unread || self.account.is_full_inbound()
    }

    /// 1 from the moment that the application has the stream until it is released and sent, or reset.
    #[must_use]
    pub fn num_streams(&self) -> usize {
        usize::from(matches!(self.phase, Phase::Open | Phase::Released))
    }

    /// The round trip is not known: there is no ping.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        None
    }

    /// There are no others that small messages could go before.
    #[must_use]
    pub fn is_mixed(&self, _now: Instant) -> bool {
        false
    }

    /// Numbers for limits and metrics.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let (inbound_streams, outbound_streams) = match self.role {
            Role::Client => (0, self.num_streams()),
            Role::Server => (self.num_streams(), 0),
        };
        Stats {
            inbound_streams,
            outbound_streams,
            buffered_in: self.unread.len(),
            buffered_out: self.unsent.len(),
            memory: self.account.memory(),
            ..self.stats
        }
    }

    fn check(&self, id: StreamId) -> Result<(), StreamError> {
        if id == STREAM && self.phase == Phase::Open { Ok(()) } else { Err(StreamError::Unknown) }
    }

    fn tell(&mut self, events: &mut Vec<MuxEvent>) {
        if std::mem::take(&mut self.owes_opened) {
            events.push(MuxEvent::Opened(STREAM));
        }
        if self.phase == Phase::Open && std::mem::take(&mut self.owes_readable) {
            events.push(MuxEvent::Readable(STREAM));
        }
    }

    /// Something moves; when it has stopped for as long as a multiplexer waits between two pings,
    /// there is memory to give back.
    fn stir(&mut self, now: Instant) {
        self.rest.get_or_insert(now + self.config.keepalive_interval);
    }

    /// The end of every call that may have changed something.
    fn settle(&mut self) {
        self.spares.reclaim(&mut self.unread);
        self.unsent.reclaim(&mut self.spares);
        self.account.hold(self.unread.capacity(), self.unsent.capacity());
        self.account.settle(self.spares.bytes());
        if self.account.is_short() && self.spares.bytes() > 0 {
            self.spares.clear();
            self.account.settle(0);
        }
    }
}

/// The id that both sides have to offer. No host does by itself: it is for measuring.
pub const PROTOCOL: &str = "/plait/single/1.0.0";

/// The name of the stream, on both sides.
const STREAM: StreamId = StreamId::from_u64(0);
