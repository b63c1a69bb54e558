//! Bytes to the peer.

use super::frame::{FIN, HEADER_LEN, Header};
use super::handshake::Handshake;
use super::{Phase, Yamux};
use crate::mux::page::Page;
use crate::mux::schedule::SMALLEST_PIECE;
use crate::mux::state::Input;
use crate::mux::{MuxEvent, StreamId};
use crate::time::Instant;

impl Yamux {
    /// Appends frames to `out`, whole ones and never more than `room` bytes of them; returns how
    /// many bytes. Answers, resets and credit go first, then the data of the streams in turn.
    ///
    /// Events come out as well: streams that may be written again, and credit to open. `room` has
    /// to be more than a header (12 bytes), or no data can ever go.
    pub fn transmit(
        &mut self,
        out: &mut Vec<u8>,
        room: usize,
        now: Instant,
        events: &mut Vec<MuxEvent>,
    ) -> usize {
        let mut page = Page::new(out, room);
        if matches!(self.phase, Phase::Running | Phase::Leaving { .. }) && self.has_frames() {
            self.transmit_control(&mut page, now);
            self.transmit_announcements(&mut page, now);
            self.transmit_data(&mut page, now, events);
        }
        self.transmit_go_away(&mut page);
        self.tell_open_credit(events);
        self.settle();
        page.len()
    }

    /// Whether [`Yamux::transmit`] has something to do.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        match self.phase {
            Phase::Running => self.has_frames() || self.has_open_credit(),
            Phase::Leaving { .. } => true,
            Phase::Failed { go_away_sent, .. } => !go_away_sent,
            Phase::Left => false,
        }
    }

    fn has_frames(&self) -> bool {
        self.keepalive.has_pending()
            || !self.control.is_empty()
            || self.is_hurried
            || !self.schedule.is_empty()
    }

    fn transmit_control(&mut self, page: &mut Page<'_>, now: Instant) {
        if page.fits(HEADER_LEN)
            && let Some(id) = self.keepalive.transmit(now)
        {
            self.put(page, Header::ping(id));
        }
        while page.fits(HEADER_LEN) {
            let Some(frame) = self.control.pop_front() else { break };
            page.out.extend_from_slice(&frame);
            self.stats.frames_sent += 1;
        }
    }

    /// Window updates, and the SYN or ACK of streams that have nothing else to say.
    fn transmit_announcements(&mut self, page: &mut Page<'_>, now: Instant) {
        while page.fits(HEADER_LEN) {
            let Some(id) = self.announcements.pop_front() else { break };
            let Some(stream) = self.streams.get_mut(id) else { continue };
            stream.is_announced = false;
            if stream.state.is_over() {
                continue;
            }
            let has_update = stream.is_update_welcome();
            // Data is about to be sent, and carries the flag as well.
            let owes_flag = stream.owes_flag() && stream.sendable() == 0;
            if has_update || owes_flag {
                let credit = if has_update { self.give_credit(id, now) } else { 0 };
                self.put_update(page, id, credit);
            }
        }
        self.is_hurried &= !self.announcements.is_empty();
    }

    /// The credit for what was read, and for the growth of the window if it should grow.
    fn give_credit(&mut self, id: StreamId, now: Instant) -> u32 {
        let Some(stream) = self.streams.get_mut(id) else { return 0 };
        let window = &mut stream.receive_window;
        // What is thrown away need not come faster.
        if !stream.discards {
            let max = self.config.max_stream_window;
            let read = window.credit(stream.unread.len());
            let more = window.wanted_growth(read, now, self.keepalive.min_rtt(), max);
            if more > 0 && self.account.try_grow(more as usize) {
                window.grow(more);
            }
        }
        let credit = window.credit(stream.unread.len());
        window.give(credit, now);
        credit
    }

    fn transmit_data(&mut self, page: &mut Page<'_>, now: Instant, events: &mut Vec<MuxEvent>) {
        while page.fits(HEADER_LEN) {
            let Some(id) = self.schedule.front() else { break };
            let Some(stream) = self.streams.get_mut(id) else {
                self.schedule.pop(false, now);
                continue;
            };
            let sendable = if stream.state.can_send() { stream.sendable() } else { 0 };
            if sendable > 0 {
                let wanted = sendable.min(self.schedule.turn_left());
                let count = wanted.min(page.room() - HEADER_LEN);
                if count == 0 || (count < wanted.min(SMALLEST_PIECE) && page.len() > 0) {
                    break;
                }
                self.put_data(page, id, count, now);
                self.tell_writable(id, events);
                if sendable > count {
                    self.schedule.spend(count, now);
                    continue;
                }
            }
            if !self.put_fin(page, id, now) {
                break;
            }
            if let Some(stream) = self.streams.get_mut(id) {
                stream.is_scheduled = false;
                self.schedule.pop(stream.unsent.is_empty(), now);
            }
            self.after_closing(id);
        }
    }

    fn put_data(&mut self, page: &mut Page<'_>, id: StreamId, count: usize, now: Instant) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        // A frame is never larger than the window, which is counted in 32 bits.
        let length = u32::try_from(count).unwrap_or(u32::MAX);
        let is_new = stream.handshake == Handshake::SynOwed;
        let header = Header::data(stream.wire, stream.take_flag(), length);
        page.out.extend_from_slice(&header.encode());
        let before = stream.unsent.capacity();
        // The one copy on the way out: next to its header, where it is sealed in place.
        stream.unsent.append_to(page.out, count);
        stream.send_window.send(count);
        stream.last_sent = now;
        stream.unsent.reclaim(&mut self.spares);
        self.account.resize_outbound(before, stream.unsent.capacity());
        self.stats.buffered_out -= count;
        self.stats.frames_sent += 1;
        if is_new {
            self.streams.bind(id);
        }
    }

    /// FIN if it is due, in a frame of its own: some peers lose data or flags that come with it.
    /// `false` when there was no room for it.
    fn put_fin(&mut self, page: &mut Page<'_>, id: StreamId, now: Instant) -> bool {
        let Some(stream) = self.streams.get(id) else { return true };
        if !stream.is_fin_due() {
            return true;
        }
        if matches!(stream.handshake, Handshake::SynOwed | Handshake::AckOwed) {
            self.put_update(page, id, 0);
        }
        if !page.fits(HEADER_LEN) {
            return false;
        }
        let Some(stream) = self.streams.get_mut(id) else { return true };
        stream.state = stream.state.after(Input::FinSent);
        stream.last_sent = now;
        let header = Header::window_update(stream.wire, FIN, 0);
        self.put(page, header);
        true
    }

    /// A window update with the flag that the stream owes.
    fn put_update(&mut self, page: &mut Page<'_>, id: StreamId, credit: u32) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        let is_new = stream.handshake == Handshake::SynOwed;
        let header = Header::window_update(stream.wire, stream.take_flag(), credit);
        self.put(page, header);
        if is_new {
            // Before its SYN is out the peer cannot name it, whatever it guesses.
            self.streams.bind(id);
        }
    }

    fn put(&mut self, page: &mut Page<'_>, header: Header) {
        page.out.extend_from_slice(&header.encode());
        self.stats.frames_sent += 1;
    }

    fn transmit_go_away(&mut self, page: &mut Page<'_>) {
        let code = match self.phase {
            Phase::Leaving { code } if !self.has_frames() => code,
            Phase::Failed { violation, go_away_sent: false } => violation.code(),
            _ => return,
        };
        if !page.fits(HEADER_LEN) {
            return;
        }
        self.put(page, Header::go_away(code));
        match &mut self.phase {
            Phase::Failed { go_away_sent, .. } => *go_away_sent = true,
            phase => *phase = Phase::Left,
        }
    }

    fn tell_writable(&mut self, id: StreamId, events: &mut Vec<MuxEvent>) {
        let most = self.account.send_buffer();
        let Some(stream) = self.streams.get_mut(id) else { return };
        if stream.is_write_blocked && stream.unsent.len() <= most / 2 {
            stream.is_write_blocked = false;
            events.push(MuxEvent::Writable(id));
        }
    }

    fn has_open_credit(&self) -> bool {
        self.wants_open && self.unacknowledged < self.config.max_unacknowledged_streams
    }

    pub(super) fn tell_open_credit(&mut self, events: &mut Vec<MuxEvent>) {
        if self.has_open_credit() {
            self.wants_open = false;
            events.push(MuxEvent::OpenCredit);
        }
    }
}
