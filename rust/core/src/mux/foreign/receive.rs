//! Frames from the peer.

use super::stream::{Stream, UNTOLD};
use super::{Foreign, ForeignFrame, Phase};
use crate::fault::Fault;
use crate::mux::codes::stream as code;
use crate::mux::state::{Input, State};
use crate::mux::{MuxEvent, StreamId, Violation};
use crate::time::Instant;

impl Foreign {
    /// Takes bytes from the peer.
    ///
    /// # Errors
    ///
    /// The [`Violation`] by which the peer ended the connection, now or earlier. When it is the plug-in
    /// that says so, [`Foreign::fault`] has its error instead.
    pub fn receive(
        &mut self,
        plaintext: &[u8],
        now: Instant,
        events: &mut Vec<MuxEvent>,
    ) -> Result<(), Violation> {
        if let Phase::Failed(violation) = self.phase {
            return Err(violation);
        }
        if plaintext.is_empty() {
            return Ok(());
        }
        self.stir(now);
        let mut frames = Vec::new();
        self.call(now, |connection| connection.receive(plaintext, now, &mut frames));
        // What it said before it failed counts.
        let result = self.receive_frames(frames, now, events);
        self.ask_deadline(now);
        self.settle();
        self.watch_largest(now);
        result
    }

    /// The plug-in's time has come.
    pub(super) fn tick(&mut self, now: Instant, events: &mut Vec<MuxEvent>) {
        let mut frames = Vec::new();
        self.call(now, |connection| connection.handle_timeout(now, &mut frames));
        if let Err(violation) = self.receive_frames(frames, now, events) {
            self.fault = Some(Fault::new(violation));
        }
        self.ask_deadline(now);
    }

    fn receive_frames(
        &mut self,
        frames: Vec<ForeignFrame>,
        now: Instant,
        events: &mut Vec<MuxEvent>,
    ) -> Result<(), Violation> {
        for frame in frames {
            let result = match frame {
                ForeignFrame::Opened(wire) => self.receive_new_stream(wire, now, events),
                ForeignFrame::Data(wire, data) => self.receive_data(wire, &data, now, events),
                ForeignFrame::Fin(wire) => self.receive_fin(wire, now, events),
                ForeignFrame::Reset(wire, code) => self.receive_reset(wire, code, now, events),
                ForeignFrame::Credit(wire) => self.receive_credit(wire, now),
                ForeignFrame::GoAway(code) => {
                    events.push(MuxEvent::GoAway { code });
                    Ok(())
                }
            };
            if let Err(violation) = result {
                self.phase = Phase::Failed(violation);
                return result;
            }
        }
        // What was received may have made room for more streams.
        self.is_open_denied = false;
        Ok(())
    }

    fn receive_new_stream(
        &mut self,
        wire: u64,
        now: Instant,
        events: &mut Vec<MuxEvent>,
    ) -> Result<(), Violation> {
        if wire == UNTOLD || self.streams.is_on_wire(wire) {
            return Err(Violation::DuplicateStream(wire));
        }
        let is_full = self.inbound >= self.config.max_inbound_streams
            || self.unaccepted >= self.config.max_unaccepted_streams;
        if is_full || self.phase != Phase::Running {
            self.stats.streams_refused += 1;
            if self.is_talking() {
                self.control.push_back((wire, code::RESOURCE_LIMIT));
            }
            return Ok(());
        }
        let id = self.streams.insert(Stream::new(wire, now));
        self.streams.bind(id);
        self.inbound += 1;
        self.unaccepted += 1;
        self.stats.streams_accepted += 1;
        events.push(MuxEvent::Opened(id));
        Ok(())
    }

    fn receive_data(
        &mut self,
        wire: u64,
        data: &[u8],
        now: Instant,
        events: &mut Vec<MuxEvent>,
    ) -> Result<(), Violation> {
        let Some(stream) = self.streams.on_wire(wire) else { return self.ignore(now) };
        if !stream.state.can_receive() {
            return self.receive_after_fin(now);
        }
        let id = stream.id;
        if data.is_empty() {
            return self.abuse.empty(&self.config, now);
        }
        if stream.discards {
            self.count_consumed(id, data.len());
            return Ok(());
        }
        let before = stream.unread.capacity();
        if stream.unread.is_empty() {
            events.push(MuxEvent::Readable(id));
        }
        self.spares.push(&mut stream.unread, data);
        self.account.resize_inbound(before, stream.unread.capacity());
        self.stats.buffered_in += data.len();
        self.recount_full(id);
        if self.streams.get(id).is_some_and(|stream| stream.is_full) {
            self.watch(id, now);
        }
        Ok(())
    }

    fn receive_fin(&mut self, wire: u64, now: Instant, events: &mut Vec<MuxEvent>) -> Result<(), Violation> {
        let Some(stream) = self.streams.on_wire(wire) else { return self.ignore(now) };
        if !stream.state.can_receive() {
            return self.receive_after_fin(now);
        }
        let id = stream.id;
        stream.state = stream.state.after(Input::FinReceived);
        if !stream.discards {
            events.push(MuxEvent::Readable(id));
        }
        self.recount_full(id);
        self.after_closing(id);
        Ok(())
    }

    fn receive_reset(
        &mut self,
        wire: u64,
        code: u32,
        now: Instant,
        events: &mut Vec<MuxEvent>,
    ) -> Result<(), Violation> {
        let Some(stream) = self.streams.on_wire(wire) else { return self.ignore(now) };
        let (id, is_released, is_inbound) = (stream.id, stream.is_released, stream.is_inbound);
        stream.is_write_blocked = false;
        stream.reset_code = code;
        stream.state = stream.state.after(Input::ResetReceived);
        let keeps_data = stream.state == State::Cut;
        self.stats.resets_received += 1;
        self.streams.unbind(id);
        if !keeps_data {
            self.forget_unread(id);
        }
        self.forget_unsent(id);
        if is_released {
            self.remove(id);
        } else {
            events.push(MuxEvent::Reset { id, code });
        }
        if is_inbound { self.abuse.reset(&self.config, now) } else { Ok(()) }
    }

    fn receive_credit(&mut self, wire: u64, now: Instant) -> Result<(), Violation> {
        let Some(stream) = self.streams.on_wire(wire) else { return self.ignore(now) };
        stream.is_starved = false;
        let id = stream.id;
        self.enqueue(id);
        Ok(())
    }

    /// Lets go of a stream that both ends have closed: of its number, and of all of it when the
    /// application has released it.
    pub(super) fn after_closing(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get(id) else { return };
        if !stream.state.is_over() {
            return;
        }
        if stream.is_released {
            self.remove(id);
        } else {
            self.streams.unbind(id);
        }
    }

    /// A frame for a stream that does not exist: mostly one that we have just reset. Nothing is
    /// answered.
    fn ignore(&mut self, now: Instant) -> Result<(), Violation> {
        self.stats.frames_ignored += 1;
        self.abuse.ignored(&self.config, now)
    }

    /// A frame for a stream that the peer has ended: it is never delivered.
    fn receive_after_fin(&mut self, now: Instant) -> Result<(), Violation> {
        self.stats.frames_after_fin += 1;
        self.abuse.after_fin(&self.config, now)
    }
}
