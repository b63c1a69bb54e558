//! Frames to the peer.

use super::stream::UNTOLD;
use super::{Foreign, Phase};
use crate::fault::Fault;
use crate::mux::state::Input;
use crate::mux::{MuxEvent, StreamId};
use crate::time::Instant;

impl Foreign {
    /// Appends bytes of frames to `out`, never more than `room`; returns how many. Resets go first, then
    /// new streams, then the data of the streams in turn. A frame that does not fit goes in pieces.
    ///
    /// Streams that may be written again come out as events.
    pub fn transmit(
        &mut self,
        out: &mut Vec<u8>,
        room: usize,
        now: Instant,
        events: &mut Vec<MuxEvent>,
    ) -> usize {
        if self.is_talking() {
            self.tell_consumed(now);
            self.frame_resets(now);
            self.frame_new_streams(room, now);
            self.frame_data(room, now, events);
            self.frame_go_away(now);
        }
        self.tell_open_credit(events);
        self.ask_deadline(now);
        let count = self.framed.len().min(room);
        if count > 0 {
            self.framed.append_to(out, count);
            self.stir(now);
        }
        self.settle();
        self.watch_largest(now);
        count
    }

    /// Whether [`Foreign::transmit`] has something to do.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        let is_last_word_due = matches!(self.phase, Phase::Leaving { .. });
        !self.framed.is_empty()
            || (self.is_talking() && (is_last_word_due || self.has_frames() || !self.readers.is_empty()))
    }

    fn has_frames(&self) -> bool {
        let may_open = !self.new_streams.is_empty() && !self.is_open_denied;
        !self.control.is_empty() || may_open || !self.schedule.is_empty()
    }

    fn tell_consumed(&mut self, now: Instant) {
        for id in std::mem::take(&mut self.readers) {
            let Some(stream) = self.streams.get_mut(id) else { continue };
            let (wire, count) = (stream.wire, std::mem::take(&mut stream.consumed));
            if stream.state.can_receive() {
                self.call(now, |connection| connection.consumed(wire, count));
            }
        }
    }

    fn frame_resets(&mut self, now: Instant) {
        while let Some((wire, code)) = self.control.pop_front() {
            self.call(now, |connection| connection.reset(wire, code));
        }
    }

    fn frame_new_streams(&mut self, room: usize, now: Instant) {
        while self.is_talking() && !self.is_open_denied && self.framed.len() < room {
            let Some(&id) = self.new_streams.front() else { break };
            if self.streams.get(id).is_none() {
                // Given up before anybody heard of it.
                self.new_streams.pop_front();
                continue;
            }
            let Some(opened) = self.call(now, |connection| connection.open()) else { break };
            let Some(wire) = opened else {
                self.is_open_denied = true;
                break;
            };
            if wire == UNTOLD || self.streams.is_on_wire(wire) {
                self.fault = Some(Fault::misuse("gave a stream the number of another"));
                break;
            }
            self.new_streams.pop_front();
            if let Some(stream) = self.streams.get_mut(id) {
                stream.wire = wire;
            }
            self.streams.bind(id);
            self.enqueue(id);
        }
    }

    fn frame_data(&mut self, room: usize, now: Instant, events: &mut Vec<MuxEvent>) {
        while self.is_talking() && self.framed.len() < room {
            let Some(id) = self.schedule.front() else { break };
            let Some(stream) = self.streams.get(id) else {
                self.schedule.pop(false, now);
                continue;
            };
            let sendable = if stream.state.can_send() { stream.unsent.len() } else { 0 };
            if sendable > 0 && !stream.is_starved {
                let count = self.frame_piece(id, now);
                self.tell_writable(id, events);
                let goes_on = self.streams.get(id).is_some_and(|stream| !stream.is_starved);
                if goes_on && count < sendable {
                    self.schedule.spend(count, now);
                    continue;
                }
            }
            self.frame_fin(id, now);
            if let Some(stream) = self.streams.get_mut(id) {
                stream.is_scheduled = false;
                self.schedule.pop(!stream.is_starved, now);
            }
            self.after_closing(id);
        }
    }

    /// One piece of the stream's data; how many bytes the plug-in took.
    fn frame_piece(&mut self, id: StreamId, now: Instant) -> usize {
        let most = self.schedule.turn_left().min(MAX_PIECE);
        let Some(stream) = self.streams.get_mut(id) else { return 0 };
        let wire = stream.wire;
        // Lent to the call, which needs all the rest.
        let mut unsent = std::mem::take(&mut stream.unsent);
        let piece = unsent.first(most);
        let given = piece.len();
        let taken = self.call(now, |connection| connection.send(wire, piece));
        let taken = match taken {
            Some(taken) if taken > given => {
                self.fault = Some(Fault::misuse("took more bytes than it was given"));
                0
            }
            taken => taken.unwrap_or(0),
        };
        let before = unsent.capacity();
        unsent.consume(taken);
        unsent.reclaim(&mut self.spares);
        self.account.resize_outbound(before, unsent.capacity());
        self.stats.buffered_out -= taken;
        if let Some(stream) = self.streams.get_mut(id) {
            stream.unsent = unsent;
            stream.is_starved = taken < given;
            if taken > 0 {
                stream.last_sent = now;
            }
        }
        taken
    }

    /// The end of our direction, if it is due.
    fn frame_fin(&mut self, id: StreamId, now: Instant) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        if !stream.is_close_due() {
            return;
        }
        let wire = stream.wire;
        stream.state = stream.state.after(Input::FinSent);
        stream.last_sent = now;
        self.call(now, |connection| connection.finish(wire));
    }

    fn frame_go_away(&mut self, now: Instant) {
        let Phase::Leaving { code } = self.phase else { return };
        if self.is_talking() && self.schedule.is_empty() {
            self.call(now, |connection| connection.go_away(code));
            self.phase = Phase::Left;
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

    fn tell_open_credit(&mut self, events: &mut Vec<MuxEvent>) {
        if self.is_open_blocked && self.new_streams.len() < self.config.max_unacknowledged_streams {
            self.is_open_blocked = false;
            events.push(MuxEvent::OpenCredit);
        }
    }
}

/// What the plug-in is given at once, in bytes, when no other stream waits for its turn: enough that
/// the call costs little beside the copying, little enough that a slow link is not filled by one stream.
const MAX_PIECE: usize = 64 << 10;
