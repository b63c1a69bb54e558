//! Bytes from the peer.

use super::frame::{Header, Kind, WireId};
use super::stream::Stream;
use super::{Mplex, Phase};
use crate::mux::state::{Input, State};
use crate::mux::{MuxEvent, StreamId, Violation};
use crate::time::Instant;

/// What is still to come of the frame that is being received. It is taken as it comes, never
/// collected.
#[derive(Debug, Default)]
pub(super) struct Body {
    left: u32,
    /// `None`: to be thrown away.
    stream: Option<StreamId>,
}

impl Mplex {
    /// Takes bytes from the peer; any split of them gives the same result.
    ///
    /// # Errors
    ///
    /// The [`Violation`] by which the peer ended the connection, now or earlier. What came before
    /// it was delivered, nothing after it is; nothing is sent any more.
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
        let result = self.receive_frames(plaintext, now, events);
        if let Err(violation) = result {
            self.phase = Phase::Failed(violation);
        }
        self.settle();
        self.watch_largest(now);
        result
    }

    fn receive_frames(
        &mut self,
        mut input: &[u8],
        now: Instant,
        events: &mut Vec<MuxEvent>,
    ) -> Result<(), Violation> {
        while !input.is_empty() {
            if self.body.left > 0 {
                let most = usize::try_from(self.body.left).unwrap_or(usize::MAX);
                let (chunk, rest) = input.split_at(input.len().min(most));
                input = rest;
                self.receive_body(chunk, now, events);
            } else if let Some(header) = self.header.receive(&mut input)? {
                self.stats.frames_received += 1;
                // Names, and bodies where none belongs, are skipped.
                self.body = Body { left: header.length, stream: None };
                match header.kind {
                    Kind::NewStream => self.receive_new_stream(header.stream, now, events)?,
                    Kind::Message => self.begin_message(header, now)?,
                    Kind::Close => self.receive_close(header.stream, now, events)?,
                    Kind::Reset => self.receive_reset(header.stream, now, events)?,
                }
            }
        }
        Ok(())
    }

    fn receive_new_stream(
        &mut self,
        wire: WireId,
        now: Instant,
        events: &mut Vec<MuxEvent>,
    ) -> Result<(), Violation> {
        if self.streams.is_on_wire(wire) {
            return Err(Violation::DuplicateStream(wire.number));
        }
        let is_full = self.inbound >= self.config.max_inbound_streams
            || self.unaccepted >= self.config.max_unaccepted_streams;
        if is_full || self.phase != Phase::Running {
            // It need not be remembered: what else comes for it is for a stream that does not exist.
            self.stats.streams_refused += 1;
            self.answer(Header::new(Kind::Reset, wire, 0));
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

    fn begin_message(&mut self, header: Header, now: Instant) -> Result<(), Violation> {
        let Some(stream) = self.streams.on_wire(header.stream) else { return self.ignore(now) };
        if !stream.state.can_receive() {
            return self.receive_after_close(now);
        }
        self.body.stream = Some(stream.id);
        if header.length == 0 { self.abuse.empty(&self.config, now) } else { Ok(()) }
    }

    fn receive_body(&mut self, chunk: &[u8], now: Instant, events: &mut Vec<MuxEvent>) {
        self.body.left -= u32::try_from(chunk.len()).unwrap_or(self.body.left);
        // The stream may have been reset since the frame began, and be there still.
        let Some(stream) = self.body.stream.and_then(|id| self.streams.get_mut(id)) else { return };
        if !stream.keeps_input() {
            return;
        }
        let id = stream.id;
        let before = stream.unread.capacity();
        if stream.unread.is_empty() {
            events.push(MuxEvent::Readable(id));
        }
        // The one copy on the way in: the bytes lie in a buffer that the next segment needs.
        self.spares.push(&mut stream.unread, chunk);
        self.account.resize_inbound(before, stream.unread.capacity());
        self.stats.buffered_in += chunk.len();
        self.recount_full(id);
        if self.streams.get(id).is_some_and(|stream| stream.is_full) {
            self.watch(id, now);
        }
    }

    fn receive_close(
        &mut self,
        wire: WireId,
        now: Instant,
        events: &mut Vec<MuxEvent>,
    ) -> Result<(), Violation> {
        let Some(stream) = self.streams.on_wire(wire) else { return self.ignore(now) };
        if !stream.state.can_receive() {
            return self.receive_after_close(now);
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
        wire: WireId,
        now: Instant,
        events: &mut Vec<MuxEvent>,
    ) -> Result<(), Violation> {
        let Some(stream) = self.streams.on_wire(wire) else { return self.ignore(now) };
        let id = stream.id;
        let is_released = stream.is_released;
        stream.is_write_blocked = false;
        stream.state = stream.state.after(Input::ResetReceived);
        let keeps_data = stream.state == State::Cut;
        self.stats.resets_received += 1;
        self.streams.unbind(id);
        if !keeps_data {
            self.forget_unread(id);
        }
        // A peer may take what comes for a stream that it has reset as an attack, as js does.
        self.forget_unsent(id);
        if is_released {
            self.remove(id);
        } else {
            events.push(MuxEvent::Reset { id, code: 0 });
        }
        if wire.is_inbound { self.abuse.reset(&self.config, now) } else { Ok(()) }
    }

    /// Lets go of a stream that both ends have closed: of its wire id, and of all of it when the
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

    /// A frame for a stream that the peer has closed: it is never delivered.
    fn receive_after_close(&mut self, now: Instant) -> Result<(), Violation> {
        self.stats.frames_after_fin += 1;
        self.abuse.after_fin(&self.config, now)
    }
}
