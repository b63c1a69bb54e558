//! Bytes from the peer.

use super::frame::{ACK, FIN, Header, Kind, RST, SYN};
use super::stream::Stream;
use super::{Phase, Yamux};
use crate::mux::state::{Input, State};
use crate::mux::window::INITIAL_WINDOW;
use crate::mux::{MuxEvent, Role, StreamId, Violation, codes};
use crate::time::Instant;

/// What is still to come of the data frame that is being received. It is taken as it comes, never
/// collected: a frame may be as large as the window.
#[derive(Debug, Default)]
pub(super) struct Body {
    left: u32,
    /// `None`: to be thrown away.
    stream: Option<StreamId>,
    has_fin: bool,
}

impl Yamux {
    /// Takes bytes from the peer; any split of them gives the same result.
    ///
    /// # Errors
    ///
    /// The [`Violation`] by which the peer ended the connection, now or earlier. What came before
    /// it was delivered, nothing after it is; the go-away that tells the peer is ready to be sent.
    pub fn receive(
        &mut self,
        plaintext: &[u8],
        now: Instant,
        events: &mut Vec<MuxEvent>,
    ) -> Result<(), Violation> {
        if let Phase::Failed { violation, .. } = self.phase {
            return Err(violation);
        }
        if plaintext.is_empty() {
            return Ok(());
        }
        self.keepalive.heard(now);
        let result = self.receive_frames(plaintext, now, events);
        if let Err(violation) = result {
            self.fail(violation);
        }
        self.settle();
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
                self.receive_body(chunk, events);
            } else if let Some(header) = self.header.receive(&mut input) {
                let header = Header::decode(&header)?;
                self.stats.frames_received += 1;
                match header.kind {
                    Kind::Data | Kind::WindowUpdate => self.receive_stream_frame(header, now, events)?,
                    Kind::Ping => self.receive_ping(header, now, events)?,
                    Kind::GoAway => self.receive_go_away(header, now, events)?,
                }
            }
        }
        Ok(())
    }

    /// SYN, then ACK, then RST, then body or credit, then FIN: any of them may come together.
    fn receive_stream_frame(
        &mut self,
        header: Header,
        now: Instant,
        events: &mut Vec<MuxEvent>,
    ) -> Result<(), Violation> {
        if header.stream == 0 {
            return Err(Violation::StreamZero);
        }
        if header.has(SYN) {
            self.receive_syn(header, now, events)?;
        }
        let Some(stream) = self.streams.on_wire(header.stream) else {
            return self.ignore(header, now);
        };
        let id = stream.id;
        if stream.handshake.is_unacknowledged() {
            // Any frame shows that the peer knows the stream; not all of them bother to say so.
            stream.handshake = stream.handshake.after_receiving();
            self.unacknowledged -= 1;
            self.tell_open_credit(events);
        } else if header.length == 0 && header.flags & (SYN | FIN | RST) == 0 {
            self.abuse.empty(&self.config, now)?;
        }
        if header.has(RST) {
            return self.receive_reset(id, header, now, events);
        }
        match header.kind {
            Kind::Data => self.begin_body(id, header, now, events),
            _ => self.receive_credit(id, header, now, events),
        }
    }

    fn receive_syn(
        &mut self,
        header: Header,
        now: Instant,
        events: &mut Vec<MuxEvent>,
    ) -> Result<(), Violation> {
        let peers_parity = match self.role {
            Role::Client => 0,
            Role::Server => 1,
        };
        if header.stream % 2 != peers_parity {
            return Err(Violation::WrongParity(header.stream));
        }
        if self.streams.is_on_wire(header.stream) {
            return Err(Violation::DuplicateStream(header.stream.into()));
        }
        let is_full = self.inbound >= self.config.max_inbound_streams
            || self.unaccepted >= self.config.max_unaccepted_streams;
        if is_full || self.peer_left || self.phase != Phase::Running {
            // It need not be remembered: what else comes for it is for a stream that does not exist.
            self.stats.streams_refused += 1;
            if !header.has(RST) {
                self.answer(Header::reset(header.stream, codes::stream::RESOURCE_LIMIT));
            }
            return Ok(());
        }
        let id = self.streams.insert(Stream::inbound(header.stream, now));
        self.streams.bind(id);
        self.inbound += 1;
        self.unaccepted += 1;
        self.stats.streams_accepted += 1;
        events.push(MuxEvent::Opened(id));
        Ok(())
    }

    fn receive_reset(
        &mut self,
        id: StreamId,
        header: Header,
        now: Instant,
        events: &mut Vec<MuxEvent>,
    ) -> Result<(), Violation> {
        // A body here would be an odd thing, but its length still says where the next frame is.
        let (code, body) = match header.kind {
            Kind::Data => (codes::stream::NONE, header.length),
            _ => (header.length, 0),
        };
        self.body = Body { left: body, stream: None, has_fin: false };
        self.stats.resets_received += 1;
        let Some(stream) = self.streams.get_mut(id) else { return Ok(()) };
        let is_inbound = stream.is_inbound;
        let is_released = stream.is_released;
        stream.reset_code = code;
        stream.is_write_blocked = false;
        stream.state = stream.state.after(Input::ResetReceived);
        let keeps_data = stream.state == State::Cut;
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

    fn begin_body(
        &mut self,
        id: StreamId,
        header: Header,
        now: Instant,
        events: &mut Vec<MuxEvent>,
    ) -> Result<(), Violation> {
        let Some(stream) = self.streams.get_mut(id) else { return Ok(()) };
        let window = stream.receive_window.left();
        if header.length > window {
            return Err(Violation::WindowExceeded { stream: header.stream, length: header.length, window });
        }
        if !stream.state.can_receive() {
            // Never delivered, and never given back as credit.
            self.body = Body { left: header.length, stream: None, has_fin: false };
            self.stats.frames_after_fin += 1;
            return self.abuse.after_fin(&self.config, now);
        }
        self.body = Body { left: header.length, stream: Some(id), has_fin: header.has(FIN) };
        if header.length == 0 {
            self.end_body(events);
        }
        Ok(())
    }

    fn receive_body(&mut self, chunk: &[u8], events: &mut Vec<MuxEvent>) {
        self.body.left -= u32::try_from(chunk.len()).unwrap_or(self.body.left);
        // The application may have reset the stream since the frame began.
        let Some(stream) = self.body.stream.and_then(|id| self.streams.get_mut(id)) else { return };
        stream.receive_window.receive(chunk.len());
        if stream.discards {
            if stream.is_update_welcome() {
                let id = stream.id;
                self.announce(id);
            }
        } else {
            let before = stream.unread.capacity();
            if stream.unread.is_empty() {
                events.push(MuxEvent::Readable(stream.id));
            }
            let has_places = stream.unread.has_places();
            if has_places || (stream.is_awaited && self.segment.is_receiving()) {
                if !has_places {
                    self.segment.add_user(stream.id);
                }
                stream.unread.place(self.segment.place(chunk));
            } else {
                // A copy before that of the reader: the bytes lie in a buffer that the next segment needs.
                stream.unread.push(&mut self.spares, chunk);
            }
            self.account.resize_inbound(before, stream.unread.capacity());
            self.stats.buffered_in += chunk.len();
        }
        if self.body.left == 0 {
            self.end_body(events);
        }
    }

    fn end_body(&mut self, events: &mut Vec<MuxEvent>) {
        if let (Some(id), true) = (self.body.stream, self.body.has_fin) {
            self.receive_fin(id, events);
        }
        self.body.stream = None;
    }

    fn receive_credit(
        &mut self,
        id: StreamId,
        header: Header,
        now: Instant,
        events: &mut Vec<MuxEvent>,
    ) -> Result<(), Violation> {
        let Some(stream) = self.streams.get_mut(id) else { return Ok(()) };
        // Credit is welcome even after our FIN, peers give it for what they read late.
        if !stream.send_window.add(header.length) {
            return Err(Violation::CreditOverflow { stream: header.stream, credit: header.length });
        }
        let can_receive = stream.state.can_receive();
        self.schedule(id);
        if !header.has(FIN) {
            return Ok(());
        }
        if !can_receive {
            self.stats.frames_after_fin += 1;
            return self.abuse.after_fin(&self.config, now);
        }
        self.receive_fin(id, events);
        Ok(())
    }

    fn receive_fin(&mut self, id: StreamId, events: &mut Vec<MuxEvent>) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        stream.state = stream.state.after(Input::FinReceived);
        if !stream.discards {
            events.push(MuxEvent::Readable(id));
        }
        self.after_closing(id);
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

    /// A frame for a stream that does not exist: mostly one that we have just reset. Its body is
    /// skipped and nothing is answered.
    fn ignore(&mut self, header: Header, now: Instant) -> Result<(), Violation> {
        if header.kind == Kind::Data {
            if header.has(SYN) && header.length > INITIAL_WINDOW {
                return Err(Violation::WindowExceeded {
                    stream: header.stream,
                    length: header.length,
                    window: INITIAL_WINDOW,
                });
            }
            self.body = Body { left: header.length, stream: None, has_fin: false };
        }
        self.stats.frames_ignored += 1;
        self.abuse.ignored(&self.config, now)
    }

    fn receive_ping(
        &mut self,
        header: Header,
        now: Instant,
        events: &mut Vec<MuxEvent>,
    ) -> Result<(), Violation> {
        if header.has(ACK) {
            return match self.keepalive.receive_pong(header.length, now) {
                Some(rtt) => {
                    events.push(MuxEvent::Rtt(rtt));
                    Ok(())
                }
                None => self.abuse.empty(&self.config, now),
            };
        }
        if header.has(SYN) {
            // Answered once: a second answer would end the connection with rust and js.
            self.stats.pings_received += 1;
            self.answer(Header::pong(header.length));
        }
        self.abuse.empty(&self.config, now)
    }

    fn receive_go_away(
        &mut self,
        header: Header,
        now: Instant,
        events: &mut Vec<MuxEvent>,
    ) -> Result<(), Violation> {
        if std::mem::replace(&mut self.peer_left, true) {
            return self.abuse.empty(&self.config, now);
        }
        events.push(MuxEvent::GoAway { code: header.length });
        Ok(())
    }

    /// The peer broke the protocol: only the go-away is still said.
    fn fail(&mut self, violation: Violation) {
        let go_away_sent = self.phase == Phase::Left;
        self.phase = Phase::Failed { violation, go_away_sent };
    }
}
