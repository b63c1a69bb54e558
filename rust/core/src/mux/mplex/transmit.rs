//! Bytes to the peer.

use super::frame::{Header, Kind, MAX_HEADER, MAX_MESSAGE};
use super::{Mplex, Phase};
use crate::mux::page::Page;
use crate::mux::schedule::SMALLEST_PIECE;
use crate::mux::state::Input;
use crate::mux::{MuxEvent, StreamId};
use crate::time::Instant;

impl Mplex {
    /// Appends frames to `out`, whole ones and never more than `room` bytes of them; returns how
    /// many bytes. Resets go first, then new streams, then the data of the streams in turn.
    ///
    /// Streams that may be written again come out as events. `room` has to be 15 bytes or more, or
    /// no stream can ever be opened.
    pub fn transmit(
        &mut self,
        out: &mut Vec<u8>,
        room: usize,
        now: Instant,
        events: &mut Vec<MuxEvent>,
    ) -> usize {
        let mut page = Page::new(out, room);
        if self.is_talking() {
            self.transmit_control(&mut page);
            self.transmit_new_streams(&mut page);
            // Data must not overtake the message that opens its stream.
            if self.new_streams.is_empty() {
                self.transmit_data(&mut page, now, events);
            }
            if self.phase == Phase::Leaving && !self.has_frames() {
                self.phase = Phase::Left;
            }
        }
        if page.len() > 0 {
            self.stir(now);
        }
        self.settle();
        self.watch_largest(now);
        page.len()
    }

    /// Whether [`Mplex::transmit`] has something to do.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        self.is_talking() && self.has_frames()
    }

    pub(super) fn has_frames(&self) -> bool {
        !self.control.is_empty() || !self.new_streams.is_empty() || !self.schedule.is_empty()
    }

    fn transmit_control(&mut self, page: &mut Page<'_>) {
        while page.fits(MAX_HEADER) {
            let Some(frame) = self.control.pop_front() else { break };
            self.put(page, frame);
        }
    }

    fn transmit_new_streams(&mut self, page: &mut Page<'_>) {
        while page.fits(NEW_STREAM) {
            let Some(id) = self.new_streams.pop_front() else { break };
            let Some(stream) = self.streams.get_mut(id) else { continue };
            stream.is_new = false;
            // Some peers show the name in their logs, and all of them send this one.
            let name = stream.wire.number.to_string();
            let header = Header::new(Kind::NewStream, stream.wire, u32::try_from(name.len()).unwrap_or(0));
            self.put(page, header);
            page.out.extend_from_slice(name.as_bytes());
            // Before it was told the peer cannot name it, whatever it guesses.
            self.streams.bind(id);
        }
    }

    fn transmit_data(&mut self, page: &mut Page<'_>, now: Instant, events: &mut Vec<MuxEvent>) {
        while page.fits(MAX_HEADER) {
            let Some(id) = self.schedule.front() else { break };
            let Some(stream) = self.streams.get_mut(id) else {
                self.schedule.pop(false, now);
                continue;
            };
            let sendable = if stream.state.can_send() { stream.unsent.len() } else { 0 };
            if sendable > 0 {
                let wanted = sendable.min(self.schedule.turn_left()).min(MAX_MESSAGE as usize);
                let count = wanted.min(page.room() - MAX_HEADER);
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
            if !self.put_close(page, id, now) {
                break;
            }
            self.schedule.pop(true, now);
            if let Some(stream) = self.streams.get_mut(id) {
                stream.is_scheduled = false;
            }
            self.after_closing(id);
        }
    }

    fn put_data(&mut self, page: &mut Page<'_>, id: StreamId, count: usize, now: Instant) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        let length = u32::try_from(count).unwrap_or(MAX_MESSAGE);
        Header::new(Kind::Message, stream.wire, length).encode(page.out);
        let before = stream.unsent.capacity();
        // The one copy on the way out: next to its header, where it is sealed in place.
        stream.unsent.append_to(page.out, count);
        stream.last_sent = now;
        stream.unsent.reclaim(&mut self.spares);
        self.account.resize_outbound(before, stream.unsent.capacity());
        self.stats.buffered_out -= count;
        self.stats.frames_sent += 1;
    }

    /// Close if it is due; `false` when there was no room for it.
    fn put_close(&mut self, page: &mut Page<'_>, id: StreamId, now: Instant) -> bool {
        let Some(stream) = self.streams.get_mut(id) else { return true };
        if !stream.is_close_due() {
            return true;
        }
        if !page.fits(MAX_HEADER) {
            return false;
        }
        stream.state = stream.state.after(Input::FinSent);
        stream.last_sent = now;
        let header = Header::new(Kind::Close, stream.wire, 0);
        self.put(page, header);
        true
    }

    fn put(&mut self, page: &mut Page<'_>, header: Header) {
        header.encode(page.out);
        self.stats.frames_sent += 1;
    }

    fn tell_writable(&mut self, id: StreamId, events: &mut Vec<MuxEvent>) {
        let most = self.account.send_buffer();
        let Some(stream) = self.streams.get_mut(id) else { return };
        if stream.is_write_blocked && stream.unsent.len() <= most / 2 {
            stream.is_write_blocked = false;
            events.push(MuxEvent::Writable(id));
        }
    }
}

/// The message that opens a stream of ours: less than 2^28 with the flag in five bytes, the length in
/// one, nine digits.
const NEW_STREAM: usize = 15;
