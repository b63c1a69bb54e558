//! What the application asks for.

use super::frame::WireId;
use super::stream::Stream;
use super::{Mplex, Phase};
use crate::mux::{Error, Lent, StreamError, StreamId};
use crate::time::Instant;

impl Mplex {
    /// A new stream of ours. It is never "not now": there is nothing to wait for.
    ///
    /// The peer hears of it with the next [`Mplex::transmit`].
    ///
    /// # Errors
    ///
    /// [`Error::GoingAway`] when the connection is about to end, [`Error::IdsExhausted`] when it
    /// has to be replaced by a new one.
    pub fn open(&mut self, now: Instant) -> Result<Option<StreamId>, Error> {
        if self.phase != Phase::Running {
            return Err(Error::GoingAway);
        }
        if self.next_number > LAST_NUMBER {
            return Err(Error::IdsExhausted);
        }
        let wire = WireId { number: self.next_number, is_inbound: false };
        let id = self.streams.insert(Stream::new(wire, now));
        self.next_number += 1;
        self.new_streams.push_back(id);
        self.stats.streams_opened += 1;
        self.settle();
        Ok(Some(id))
    }

    /// The application wants this stream of the peer. The peer does not hear of it.
    pub fn accept(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        if !std::mem::replace(&mut stream.is_accepted, true) {
            self.unaccepted -= 1;
        }
        self.settle();
    }

    /// Moves received bytes into `into`, as many as there are and fit. `Ok(0)`: nothing is there,
    /// [`Mplex::available`] tells why.
    ///
    /// # Errors
    ///
    /// As [`Mplex::available`].
    pub fn read(&mut self, id: StreamId, into: &mut [u8]) -> Result<usize, StreamError> {
        let stream = self.streams.get_mut(id).ok_or(StreamError::Unknown)?;
        stream.available()?;
        let count = stream.unread.copy_out(into);
        self.after_reading(id, count);
        Ok(count)
    }

    /// Counts the first `count` bytes that [`Mplex::peek`] shows as read.
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
    /// [`StreamError::Reset`] when the stream was reset, [`StreamError::Closed`] after
    /// [`Mplex::close_write`] or when the connection is about to end.
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
    /// how many of all that the owner has, and goes on as [`Mplex::write`].
    ///
    /// # Errors
    ///
    /// As [`Mplex::write`].
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

    /// No more will be written: Close follows what was.
    pub fn close_write(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        stream.close_owed = true;
        self.schedule(id);
        self.settle();
    }

    /// No more will be read: what has arrived and what arrives is thrown away, because the protocol
    /// has no way to tell the peer to stop.
    pub fn stop_reading(&mut self, id: StreamId) {
        self.discard_reads(id);
        self.settle();
    }

    /// The application is done with the stream and will not name it again: nothing more is read,
    /// Close follows what was written, and if the peer does not end its direction in time, a reset.
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
            stream.close_owed = true;
            self.push_linger(id, now);
            self.schedule(id);
            self.discard_reads(id);
            self.accept(id);
        }
        self.settle();
    }

    /// Ends both directions at once and forgets the stream. Nothing is sent when the peer has not
    /// heard of it yet, or when it is over already. The peer does not get the `code`.
    pub fn reset(&mut self, id: StreamId, _code: u32) {
        self.abandon(id);
        self.settle();
    }

    /// No stream is opened or written any more, and when what is queued has gone nothing more is
    /// sent. The peer hears of it, without the `code`, by the end of the transport.
    pub fn go_away(&mut self, _code: u32) {
        if self.phase == Phase::Running {
            self.phase = if self.has_frames() { Phase::Leaving } else { Phase::Left };
        }
    }

    /// Gives the stream a turn if it has something to send.
    fn schedule(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        if stream.has_output() && !std::mem::replace(&mut stream.is_scheduled, true) {
            self.schedule.push(id, &mut stream.last_fresh);
        }
    }

    fn after_reading(&mut self, id: StreamId, count: usize) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        stream.progress = stream.progress.saturating_add(count);
        self.stats.buffered_in -= count;
        let before = stream.unread.capacity();
        self.spares.reclaim(&mut stream.unread);
        self.account.resize_inbound(before, stream.unread.capacity());
        self.recount_full(id);
        self.settle();
    }

    fn discard_reads(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        stream.discards = true;
        self.forget_unread(id);
    }
}

/// The last id of ours: js computes ids and flags in 32 bits.
const LAST_NUMBER: u64 = (1 << 28) - 1;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::limits::Budget;
    use crate::mux::{MuxConfig, Role};

    #[test]
    fn ids_run_out_before_they_are_too_large_for_js() {
        let now = Instant::from_micros(0);
        let mut mplex = Mplex::new(Role::Client, &Arc::new(MuxConfig::default()), Budget::unlimited(), now);
        mplex.next_number = LAST_NUMBER;
        let id = mplex.open(now).unwrap().unwrap();
        assert_eq!(mplex.wire_id(id), Some((1 << 28) - 1));
        assert_eq!(mplex.open(now), Err(Error::IdsExhausted));
    }
}
