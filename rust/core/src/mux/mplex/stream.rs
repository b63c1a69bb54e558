//! One stream.

use super::frame::WireId;
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
    pub(super) wire: WireId,
    pub(super) state: State,

    /// Received and not read.
    pub(super) unread: ByteQueue,
    /// Written and not sent.
    pub(super) unsent: Unsent,
    /// When data or Close was last sent, or it was released after that.
    pub(super) last_sent: Instant,
    /// Bytes read since it is watched.
    pub(super) progress: usize,

    /// Ours, and the peer was not told of it.
    pub(super) is_new: bool,
    /// The application knows of it and wants it; always so for our own.
    pub(super) is_accepted: bool,
    /// The application reads no more: what arrives is thrown away.
    pub(super) discards: bool,
    /// The application writes no more: Close follows the data.
    pub(super) close_owed: bool,
    /// The application was told that the queue is full.
    pub(super) is_write_blocked: bool,
    /// The application has forgotten it.
    pub(super) is_released: bool,
    /// When it last went first in the schedule.
    pub(super) last_fresh: LastFresh,
    /// It has a place in the schedule.
    pub(super) is_scheduled: bool,
    /// It is counted among those that stop the reading.
    pub(super) is_full: bool,
    /// Somebody will look whether it still holds the connection up.
    pub(super) is_watched: bool,
}

impl Stream {
    pub(super) fn new(wire: WireId, now: Instant) -> Self {
        Self {
            id: StreamId::from_u64(0),
            wire,
            state: State::Open,
            unread: ByteQueue::new(),
            unsent: Unsent::new(),
            last_sent: now,
            progress: 0,
            is_new: !wire.is_inbound,
            is_accepted: !wire.is_inbound,
            discards: false,
            close_owed: false,
            is_write_blocked: false,
            is_released: false,
            last_fresh: None,
            is_scheduled: false,
            is_full: false,
            is_watched: false,
        }
    }

    /// All data is sent, and Close is not.
    pub(super) fn is_close_due(&self) -> bool {
        self.close_owed && self.unsent.is_empty() && self.state.can_send()
    }

    /// There is something to send.
    pub(super) fn has_output(&self) -> bool {
        (self.state.can_send() && !self.unsent.is_empty()) || self.is_close_due()
    }

    /// What arrives is kept for the application.
    pub(super) fn keeps_input(&self) -> bool {
        self.state.can_receive() && !self.discards
    }

    pub(super) fn available(&self) -> Result<Available, StreamError> {
        if self.state == State::Reset {
            return Err(RESET);
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
            State::Reset | State::Cut => Err(RESET),
            _ if self.close_owed => Err(StreamError::Closed),
            _ => Ok(()),
        }
    }
}

impl Named for Stream {
    type Wire = WireId;

    fn id(&self) -> StreamId {
        self.id
    }

    fn set_id(&mut self, id: StreamId) {
        self.id = id;
    }

    fn wire(&self) -> WireId {
        self.wire
    }
}

/// A reset of mplex carries no reason.
const RESET: StreamError = StreamError::Reset { code: 0 };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_stream_is_small() {
        assert!(size_of::<Stream>() <= 96, "{}", size_of::<Stream>());
        assert_eq!(size_of::<Option<Stream>>(), size_of::<Stream>());
    }
}
