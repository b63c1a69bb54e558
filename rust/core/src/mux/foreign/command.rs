//! What the application asks for. None of it calls the plug-in.

use super::stream::{Stream, UNTOLD};
use super::{Foreign, Phase};
use crate::mux::{Error, Lent, StreamError, StreamId};
use crate::time::Instant;

impl Foreign {
    /// A new stream of ours; `None`: "not now", [`crate::mux::MuxEvent::OpenCredit`] follows.
    ///
    /// The plug-in hears of it with the next [`Foreign::transmit`].
    ///
    /// # Errors
    ///
    /// [`Error::GoingAway`] when the connection is about to end.
    pub fn open(&mut self, now: Instant) -> Result<Option<StreamId>, Error> {
        if self.phase != Phase::Running || self.fault.is_some() {
            return Err(Error::GoingAway);
        }
        if self.new_streams.len() >= self.config.max_unacknowledged_streams {
            self.is_open_blocked = true;
            return Ok(None);
        }
        let id = self.streams.insert(Stream::new(UNTOLD, now));
        self.new_streams.push_back(id);
        self.stats.streams_opened += 1;
        Ok(Some(id))
    }

    /// The application wants this stream of the peer. The peer does not hear of it.
    pub fn accept(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        if !std::mem::replace(&mut stream.is_accepted, true) {
            self.unaccepted -= 1;
        }
    }

    /// Moves received bytes into `into`, as many as there are and fit. `Ok(0)`: nothing is there,
    /// [`Foreign::available`] tells why.
    ///
    /// # Errors
    ///
    /// As [`Foreign::available`].
    pub fn read(&mut self, id: StreamId, into: &mut [u8]) -> Result<usize, StreamError> {
        let stream = self.streams.get_mut(id).ok_or(StreamError::Unknown)?;
        stream.available()?;
        let count = stream.unread.copy_out(into);
        self.after_reading(id, count);
        Ok(count)
    }

    /// Counts the first `count` bytes that [`Foreign::peek`] shows as read.
    pub fn consume(&mut self, id: StreamId, count: usize) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        let count = count.min(stream.unread.len());
        stream.unread.consume(count);
        self.after_reading(id, count);
    }

    /// Takes bytes to be sent; returns how many. When it takes fewer than it was given,
    /// [`crate::mux::MuxEvent::Writable`] follows once half of them or more are framed.
    ///
    /// # Errors
    ///
    /// [`StreamError::Reset`] when the stream was reset, [`StreamError::Closed`] after
    /// [`Foreign::close_write`] or when the connection is about to end.
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
            self.enqueue(id);
        }
        self.settle();
        Ok(count)
    }

    /// Takes bytes to be sent as they are: all of a loan, or none when the stream has enough. Returns
    /// how many of all that the owner has, and goes on as [`Foreign::write`].
    ///
    /// # Errors
    ///
    /// As [`Foreign::write`].
    pub fn lend(&mut self, id: StreamId, data: Lent) -> Result<usize, StreamError> {
        let stream = self.streams.get_mut(id).ok_or(StreamError::Unknown)?;
        stream.check_writable()?;
        if self.phase != Phase::Running {
            return Err(StreamError::Closed);
        }
        let loan = stream.unsent.lend(data, &self.account, self.stats.buffered_out);
        stream.is_write_blocked |= loan.is_cut;
        self.stats.buffered_out += loan.taken;
        self.enqueue(id);
        self.settle();
        Ok(loan.taken)
    }

    /// No more will be written: the end follows what was.
    pub fn close_write(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        stream.close_owed = true;
        self.enqueue(id);
    }

    /// No more will be read: what has arrived and what arrives is thrown away, and counts as read.
    pub fn stop_reading(&mut self, id: StreamId) {
        self.discard_reads(id);
        self.settle();
    }

    /// The application is done with the stream and will not name it again: nothing more is read,
    /// the end follows what was written, and if the peer does not end its direction in time, a reset.
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
            self.enqueue(id);
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

    /// No stream is opened or written any more; our last word follows what is queued.
    pub fn go_away(&mut self, code: u32) {
        if self.phase == Phase::Running {
            self.phase = Phase::Leaving { code };
        }
    }

    /// Gives the stream a turn if it has something to send.
    pub(super) fn enqueue(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        if stream.has_output() && !std::mem::replace(&mut stream.is_scheduled, true) {
            self.schedule.push(id, &mut stream.last_fresh);
        }
    }

    /// So many bytes of the stream are out of the way; the plug-in is to hear of it.
    pub(super) fn count_consumed(&mut self, id: StreamId, count: usize) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        // Nobody wants credit for a direction that is over.
        if count == 0 || !stream.state.can_receive() {
            return;
        }
        if stream.consumed == 0 {
            self.readers.push(id);
        }
        stream.consumed = stream.consumed.saturating_add(count);
    }

    fn after_reading(&mut self, id: StreamId, count: usize) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        stream.progress = stream.progress.map(|progress| progress.saturating_add(count));
        self.stats.buffered_in -= count;
        let before = stream.unread.capacity();
        self.spares.reclaim(&mut stream.unread);
        self.account.resize_inbound(before, stream.unread.capacity());
        self.count_consumed(id, count);
        self.recount_full(id);
        self.settle();
    }

    fn discard_reads(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        stream.discards = true;
        let count = stream.unread.len();
        self.count_consumed(id, count);
        self.forget_unread(id);
    }
}
