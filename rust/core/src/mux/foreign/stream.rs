//! One stream.

use crate::buffer::ByteQueue;
use crate::mux::schedule::LastFresh;
use crate::mux::state::State;
use crate::mux::table::Named;
use crate::mux::unsent::Unsent;
use crate::mux::{Available, StreamError, StreamId};
use crate::time::Instant;

/// What is known about one stream. Its queues hold memory only while they hold bytes.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) id: StreamId,
    /// The plug-in's number; [`UNTOLD`] before it gave one.
    pub(super) wire: u64,
    pub(super) is_inbound: bool,
    pub(super) state: State,
    /// The code of the reset that ended it.
    pub(super) reset_code: u32,

    /// Received and not read.
    pub(super) unread: ByteQueue,
    /// Written and not framed.
    pub(super) unsent: Unsent,
    /// Bytes read that the plug-in has not heard of.
    pub(super) consumed: usize,
    /// When something was last framed, or it was released after that.
    pub(super) last_sent: Instant,
    /// Bytes read since it is watched; `None` when it is not.
    pub(super) progress: Option<usize>,

    /// The application knows of it and wants it; always so for our own.
    pub(super) is_accepted: bool,
    /// The application reads no more: what arrives is thrown away.
    pub(super) discards: bool,
    /// The application writes no more: the end follows the data.
    pub(super) close_owed: bool,
    /// The application was told that the queue is full.
    pub(super) is_write_blocked: bool,
    /// The plug-in took less than it was given.
    pub(super) is_starved: bool,
    /// The application has forgotten it.
    pub(super) is_released: bool,
    /// When it last went first in the schedule.
    pub(super) last_fresh: LastFresh,
    /// It has a place in the schedule.
    pub(super) is_scheduled: bool,
    /// It is counted among those that stop the reading.
    pub(super) is_full: bool,
}

impl Stream {
    pub(super) fn new(wire: u64, now: Instant) -> Self {
        let is_inbound = wire != UNTOLD;
        Self {
            id: StreamId::from_u64(0),
            wire,
            is_inbound,
            state: State::Open,
            reset_code: 0,
            unread: ByteQueue::new(),
            unsent: Unsent::new(),
            consumed: 0,
            last_sent: now,
            progress: None,
            is_accepted: !is_inbound,
            discards: false,
            close_owed: false,
            is_write_blocked: false,
            is_starved: false,
            is_released: false,
            last_fresh: None,
            is_scheduled: false,
            is_full: false,
        }
    }

    /// The peer knows of it, or will before anything else about it.
    pub(super) fn is_told(&self) -> bool {
        self.wire != UNTOLD
    }

    /// All data is framed, and the end is not.
    pub(super) fn is_close_due(&self) -> bool {
        self.close_owed && self.unsent.is_empty() && self.state.can_send()
    }

    /// There is something to frame.
    pub(super) fn has_output(&self) -> bool {
        let has_data = self.state.can_send() && !self.unsent.is_empty() && !self.is_starved;
        self.is_told() && (has_data || self.is_close_due())
    }

    /// What arrives is kept for the application.
    pub(super) fn keeps_input(&self) -> bool {
        self.state.can_receive() && !self.discards
    }

    pub(super) fn available(&self) -> Result<Available, StreamError> {
        if self.state == State::Reset {
            return Err(self.reset());
        }
        if self.discards {
            return Err(StreamError::Closed);
        }
        Ok(match self.unread.len() {
            0 if self.state.can_receive() => Available::Nothing,
            0 => Available::Finished,
            count => Available::Bytes(count),
        })
    }

    /// Whether the application may write.
    pub(super) fn check_writable(&self) -> Result<(), StreamError> {
        match self.state {
            State::Reset | State::Cut => Err(self.reset()),
            _ if self.close_owed => Err(StreamError::Closed),
            _ => Ok(()),
        }
    }

    fn reset(&self) -> StreamError {
        StreamError::Reset { code: self.reset_code }
    }
}

impl Named for Stream {
    type Wire = u64;

    fn id(&self) -> StreamId {
        self.id
    }

    fn set_id(&mut self, id: StreamId) {
        self.id = id;
    }

    fn wire(&self) -> u64 {
        self.wire
    }
}

/// The number that no plug-in may give.
pub(super) const UNTOLD: u64 = u64::MAX;
