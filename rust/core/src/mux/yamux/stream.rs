//! One stream.

use super::frame::{ACK, SYN};
use super::handshake::Handshake;
use crate::mux::schedule::LastFresh;
use crate::mux::state::State;
use crate::mux::table::Named;
use crate::mux::unread::Unread;
use crate::mux::unsent::Unsent;
use crate::mux::window::{ReceiveWindow, SendWindow};
use crate::mux::{Available, StreamError, StreamId};
use crate::time::Instant;

/// What is known about one stream. There may be ten thousand idle ones, so it is small, and its
/// queues hold memory only while they hold bytes.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) id: StreamId,
    /// Its id on the wire.
    pub(super) wire: u32,
    /// The peer opened it.
    pub(super) is_inbound: bool,
    pub(super) state: State,
    pub(super) handshake: Handshake,
    /// Why the peer reset it, if it did.
    pub(super) reset_code: u32,

    /// Received and not read.
    pub(super) unread: Unread,
    pub(super) receive_window: ReceiveWindow,
    /// Written and not sent.
    pub(super) unsent: Unsent,
    pub(super) send_window: SendWindow,
    /// When data or FIN was last sent, or it was released after that.
    pub(super) last_sent: Instant,

    /// The application knows of it and wants it; always so for our own.
    pub(super) is_accepted: bool,
    /// The application reads no more: what arrives is thrown away, and given back as credit.
    pub(super) discards: bool,
    /// The application writes no more: FIN follows the data.
    pub(super) fin_owed: bool,
    /// The application was told that the queue is full.
    pub(super) is_write_blocked: bool,
    /// The application has forgotten it.
    pub(super) is_released: bool,
    /// When it last went first in the schedule.
    pub(super) last_fresh: LastFresh,
    /// It has a place in the schedule.
    pub(super) is_scheduled: bool,
    /// It has a place among the announcements.
    pub(super) is_announced: bool,
    /// The application waits for many bytes.
    pub(super) is_awaited: bool,
}

impl Stream {
    /// A stream that we open.
    pub(super) fn outbound(wire: u32, now: Instant) -> Self {
        Self::new(wire, false, Handshake::SynOwed, now)
    }

    /// A stream that the peer has opened.
    pub(super) fn inbound(wire: u32, now: Instant) -> Self {
        Self::new(wire, true, Handshake::AckOwed, now)
    }

    fn new(wire: u32, is_inbound: bool, handshake: Handshake, now: Instant) -> Self {
        Self {
            id: StreamId::from_u64(0),
            wire,
            is_inbound,
            state: State::Open,
            handshake,
            reset_code: 0,
            unread: Unread::new(),
            receive_window: ReceiveWindow::new(now),
            unsent: Unsent::new(),
            send_window: SendWindow::new(),
            is_accepted: !is_inbound,
            discards: false,
            fin_owed: false,
            is_write_blocked: false,
            is_released: false,
            last_sent: now,
            last_fresh: None,
            is_scheduled: false,
            is_announced: false,
            is_awaited: false,
        }
    }

    /// The flag that the frame which is sent now has to carry.
    pub(super) fn take_flag(&mut self) -> u16 {
        let flag = match self.handshake {
            Handshake::SynOwed => SYN,
            Handshake::AckOwed => ACK,
            Handshake::SynSent | Handshake::Done => 0,
        };
        self.handshake = self.handshake.after_sending();
        flag
    }

    /// Whether the peer is owed a frame that says it knows, or is to know, of the stream.
    pub(super) fn owes_flag(&self) -> bool {
        match self.handshake {
            Handshake::SynOwed => true,
            // Until the application wants it the peer is not to believe so.
            Handshake::AckOwed => self.is_accepted && !self.state.is_over(),
            Handshake::SynSent | Handshake::Done => false,
        }
    }

    /// How many bytes could be sent now.
    pub(super) fn sendable(&self) -> usize {
        self.unsent.len().min(self.send_window.left())
    }

    /// All data is sent, and FIN is not.
    pub(super) fn is_fin_due(&self) -> bool {
        self.fin_owed && self.unsent.is_empty() && self.state.can_send()
    }

    /// The peer may still send, and may hear how much along with others.
    pub(super) fn is_update_welcome(&self) -> bool {
        self.state.can_receive() && self.receive_window.is_update_welcome(self.unread.len())
    }

    /// The peer may still send, and should hear how much.
    pub(super) fn is_update_due(&self) -> bool {
        self.state.can_receive() && self.receive_window.is_update_due(self.unread.len())
    }

    /// What it owes the peer is to go out now, not with the next frame that does.
    pub(super) fn is_hurried(&self) -> bool {
        self.owes_flag() || self.is_update_due()
    }

    pub(super) fn available(&self) -> Result<Available, StreamError> {
        if self.state == State::Reset {
            return Err(StreamError::Reset { code: self.reset_code });
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
            State::Reset | State::Cut => Err(StreamError::Reset { code: self.reset_code }),
            _ if self.fin_owed => Err(StreamError::Closed),
            _ => Ok(()),
        }
    }
}

impl Named for Stream {
    type Wire = u32;

    fn id(&self) -> StreamId {
        self.id
    }

    fn set_id(&mut self, id: StreamId) {
        self.id = id;
    }

    fn wire(&self) -> u32 {
        self.wire
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_stream_is_small() {
        // Ten thousand idle streams are to cost less than 1 KB each, the tables included.
        assert!(size_of::<Stream>() <= 112, "{}", size_of::<Stream>());
        assert_eq!(size_of::<Option<Stream>>(), size_of::<Stream>());
    }
}
