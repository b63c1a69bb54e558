//! What the application asks for.

use super::stream::Stream;
use super::{Phase, Yamux};
use crate::mux::{Error, Lent, StreamError, StreamId};
use crate::time::Instant;

impl Yamux {
    /// A new stream of ours, or `None` while the peer has not acknowledged the last ones;
    /// [`crate::mux::MuxEvent::OpenCredit`] follows then.
    ///
    /// The peer hears of it with the next [`Yamux::transmit`], together with the first data if any
    /// was written by then.
    ///
    /// # Errors
    ///
    /// [`Error::GoingAway`] when the connection is about to end, [`Error::IdsExhausted`] when it
    /// has to be replaced by a new one.
    pub fn open(&mut self, now: Instant) -> Result<Option<StreamId>, Error> {
        if self.phase != Phase::Running || self.peer_left {
            return Err(Error::GoingAway);
        }
        if self.next_wire > LAST_WIRE_ID {
            return Err(Error::IdsExhausted);
        }
        if self.unacknowledged >= self.config.max_unacknowledged_streams {
            self.wants_open = true;
            return Ok(None);
        }
        let id = self.streams.insert(Stream::outbound(self.next_wire, now));
        self.next_wire += 2;
        self.unacknowledged += 1;
        self.stats.streams_opened += 1;
        self.announce(id);
        self.settle();
        Ok(Some(id))
    }

    /// The application wants this stream of the peer. It is acknowledged with the next frame for
    /// it, at the latest by the next [`Yamux::transmit`], because peers stop opening streams when
    /// too many are unacknowledged.
    pub fn accept(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        if !std::mem::replace(&mut stream.is_accepted, true) {
            self.unaccepted -= 1;
            if !stream.state.is_over() {
                self.announce(id);
            }
        }
        self.settle();
    }

    /// Moves received bytes into `into`, as many as there are and fit, and gives the peer credit
    /// for them. `Ok(0)`: nothing is there, [`Yamux::available`] tells why.
    ///
    /// # Errors
    ///
    /// As [`Yamux::available`].
    pub fn read(&mut self, id: StreamId, into: &mut [u8]) -> Result<usize, StreamError> {
        let stream = self.streams.get_mut(id).ok_or(StreamError::Unknown)?;
        stream.available()?;
        let count = stream.unread.copy_out(&self.segment, into);
        self.after_reading(id, count);
        Ok(count)
    }

    /// The application waits for what comes next, and reads many bytes at once: until it does, they stay in the
    /// segment that they come with.
    pub fn await_bytes(&mut self, id: StreamId) {
        if let Some(stream) = self.streams.get_mut(id) {
            stream.is_awaited = true;
        }
    }

    /// What [`Yamux::receive`] gets next lies in `bytes`, until [`Yamux::hold_segment`].
    pub fn begin_segment(&mut self, bytes: &[u8]) {
        self.segment.begin(bytes);
    }

    /// All of the segment is received. Keeps the memory until [`Yamux::leave_segment`] when some of it is to be read,
    /// or gives it back.
    pub fn hold_segment(&mut self, bytes: Vec<u8>) -> Option<Vec<u8>> {
        self.segment.hold(bytes)
    }

    /// There is a segment to leave.
    #[must_use]
    pub fn holds_segment(&self) -> bool {
        self.segment.is_held()
    }

    /// Copies what of the segment was not read, and gives its memory back; `None` when there is none.
    pub fn leave_segment(&mut self) -> Option<Vec<u8>> {
        if !self.segment.is_held() {
            return None;
        }
        for id in self.segment.take_users() {
            let Some(stream) = self.streams.get_mut(id) else { continue };
            let before = stream.unread.capacity();
            stream.unread.leave(&self.segment, &mut self.spares);
            self.account.resize_inbound(before, stream.unread.capacity());
        }
        self.settle();
        Some(self.segment.take_bytes())
    }

    /// Counts the first `count` bytes that [`Yamux::peek`] shows as read.
    pub fn consume(&mut self, id: StreamId, count: usize) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        let count = count.min(stream.unread.len());
        stream.unread.consume(count);
        self.after_reading(id, count);
    }

    /// Takes bytes to be sent; returns how many. When it takes fewer than it was given,
    /// [`crate::mux::MuxEvent::Writable`] follows once half of them or more are sent.
    ///
    /// # Errors
    ///
    /// [`StreamError::Reset`] when the peer reset the stream, [`StreamError::Closed`] after
    /// [`Yamux::close_write`] or when the connection is about to end.
    pub fn write(&mut self, id: StreamId, data: &[u8]) -> Result<usize, StreamError> {
        let most = self.account.send_buffer();
        let stream = self.streams.get_mut(id).ok_or(StreamError::Unknown)?;
        stream.check_writable()?;
        if self.phase != Phase::Running {
            return Err(StreamError::Closed);
        }
        let count = data.len().min(most.saturating_sub(stream.unsent.len()));
        stream.is_write_blocked |= count < data.len();
        if count > 0 {
            let before = stream.unsent.capacity();
            stream.unsent.push(&mut self.spares, &data[..count]);
            self.account.resize_outbound(before, stream.unsent.capacity());
            self.stats.buffered_out += count;
            self.schedule(id);
        }
        self.settle();
        Ok(count)
    }

    /// Takes bytes to be sent as they are: all of a loan, or none when the stream has enough. Returns
    /// how many of all that the owner has, and goes on as [`Yamux::write`].
    ///
    /// # Errors
    ///
    /// As [`Yamux::write`].
    pub fn lend(&mut self, id: StreamId, data: Lent) -> Result<usize, StreamError> {
        let stream = self.streams.get_mut(id).ok_or(StreamError::Unknown)?;
        stream.check_writable()?;
        if self.phase != Phase::Running {
            return Err(StreamError::Closed);
        }
        let loan = stream.unsent.lend(data, &self.account, self.stats.buffered_out);
        stream.is_write_blocked |= loan.is_cut;
        self.stats.buffered_out += loan.taken;
        self.schedule(id);
        self.settle();
        Ok(loan.taken)
    }

    /// No more will be written: FIN follows what was.
    pub fn close_write(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        stream.fin_owed = true;
        self.schedule(id);
        self.settle();
    }

    /// No more will be read: what has arrived and what arrives is thrown away, and the peer gets
    /// credit for it, because the protocol has no way to tell it to stop.
    pub fn stop_reading(&mut self, id: StreamId) {
        self.discard_reads(id);
        self.settle();
    }

    /// The application is done with the stream and will not name it again: nothing more is read,
    /// FIN follows what was written, and if the peer does not end its direction in time, a reset.
    pub fn release(&mut self, id: StreamId, now: Instant) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        if stream.is_released {
            return;
        }
        if stream.state.is_over() {
            self.remove(id);
        } else {
            stream.is_released = true;
            stream.last_sent = now;
            stream.is_write_blocked = false;
            stream.fin_owed = true;
            self.push_linger(id, now);
            self.schedule(id);
            self.discard_reads(id);
            self.accept(id);
        }
        self.settle();
    }

    /// Ends both directions at once and forgets the stream. Nothing is sent when the peer has not
    /// heard of it yet, or when it is over already.
    pub fn reset(&mut self, id: StreamId, code: u32) {
        self.abandon(id, code);
        self.settle();
    }

    /// Ends the connection with `code`: no stream is opened or written any more, and go-away
    /// follows what can be sent now. Peers close as soon as they read it, so whoever wants all
    /// data to arrive calls it when nothing is left in [`crate::mux::Stats::buffered_out`].
    pub fn go_away(&mut self, code: u32) {
        if self.phase == Phase::Running {
            self.phase = Phase::Leaving { code };
        }
    }

    /// Gives the stream a turn if it has something to send.
    pub(super) fn schedule(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        let has_data = stream.state.can_send() && stream.sendable() > 0;
        if (has_data || stream.is_fin_due()) && !std::mem::replace(&mut stream.is_scheduled, true) {
            self.schedule.push(id, &mut stream.last_fresh);
        }
    }

    /// Lets the next transmit look at what the stream owes the peer.
    pub(super) fn announce(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        if !std::mem::replace(&mut stream.is_announced, true) {
            self.announcements.push_back(id);
        }
        self.is_hurried |= stream.is_hurried();
    }

    fn after_reading(&mut self, id: StreamId, count: usize) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        stream.is_awaited = false;
        self.stats.buffered_in -= count;
        let before = stream.unread.capacity();
        stream.unread.reclaim(&mut self.spares);
        self.account.resize_inbound(before, stream.unread.capacity());
        if stream.is_update_welcome() {
            self.announce(id);
        }
        self.settle();
    }

    fn discard_reads(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        stream.discards = true;
        let count = stream.unread.len();
        stream.unread.consume(count);
        self.after_reading(id, count);
    }
}

/// The last id of ours. Half of the space is left so that no peer that keeps ids in 31 bits, or
/// counts a little ahead, gets into trouble.
const LAST_WIRE_ID: u32 = u32::MAX / 2;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::limits::Budget;
    use crate::mux::{MuxConfig, Role};

    #[test]
    fn ids_run_out_well_before_they_wrap() {
        for (role, last) in [(Role::Client, LAST_WIRE_ID), (Role::Server, LAST_WIRE_ID - 1)] {
            let now = Instant::from_micros(0);
            let mut yamux = Yamux::new(role, &Arc::new(MuxConfig::default()), Budget::unlimited(), now);
            yamux.next_wire = last;
            let id = yamux.open(now).unwrap().unwrap();
            assert_eq!(yamux.wire_id(id), Some(last));
            assert_eq!(yamux.open(now), Err(Error::IdsExhausted));
        }
    }
}
