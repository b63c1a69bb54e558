//! One end under test, and frames written by hand. The frames are put together here again, not by
//! the code under test, or both could be wrong together.

use std::sync::Arc;
use std::time::Duration;

use plait_core::limits::Budget;
use plait_core::mux::yamux::Yamux;
use plait_core::mux::{Available, MuxConfig, MuxEvent, Role, StreamId, Violation};
use plait_core::time::Instant;

pub(crate) const DATA: u8 = 0;
pub(crate) const UPDATE: u8 = 1;
pub(crate) const PING: u8 = 2;
pub(crate) const GO_AWAY: u8 = 3;

pub(crate) const SYN: u16 = 1;
pub(crate) const ACK: u16 = 2;
pub(crate) const FIN: u16 = 4;
pub(crate) const RST: u16 = 8;

pub(crate) const WINDOW: u32 = 256 << 10;

/// A frame as it was found on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u16,
    pub(crate) stream: u32,
    pub(crate) length: u32,
    pub(crate) body: Vec<u8>,
}

pub(crate) fn header(kind: u8, flags: u16, stream: u32, length: u32) -> Vec<u8> {
    let mut bytes = vec![0, kind];
    bytes.extend(flags.to_be_bytes());
    bytes.extend(stream.to_be_bytes());
    bytes.extend(length.to_be_bytes());
    bytes
}

pub(crate) fn data(stream: u32, flags: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = header(DATA, flags, stream, body.len() as u32);
    bytes.extend(body);
    bytes
}

pub(crate) fn update(stream: u32, flags: u16, credit: u32) -> Vec<u8> {
    header(UPDATE, flags, stream, credit)
}

pub(crate) fn ping(id: u32) -> Vec<u8> {
    header(PING, SYN, 0, id)
}

pub(crate) fn pong(id: u32) -> Vec<u8> {
    header(PING, ACK, 0, id)
}

pub(crate) fn go_away(code: u32) -> Vec<u8> {
    header(GO_AWAY, 0, 0, code)
}

/// A data frame without its bytes, as it is expected from the other end.
pub(crate) fn sent_data(stream: u32, flags: u16, body: &[u8]) -> Frame {
    Frame { kind: DATA, flags, stream, length: body.len() as u32, body: body.to_vec() }
}

pub(crate) fn sent(kind: u8, flags: u16, stream: u32, length: u32) -> Frame {
    Frame { kind, flags, stream, length, body: Vec::new() }
}

/// Takes whole frames apart; anything else is a failure.
pub(crate) fn parse(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let (head, rest) = bytes.split_at(12);
        assert_eq!(head[0], 0, "version");
        let length = u32::from_be_bytes(head[8..12].try_into().unwrap());
        let body = if head[1] == DATA { length as usize } else { 0 };
        let (body, rest) = rest.split_at(body);
        frames.push(Frame {
            kind: head[1],
            flags: u16::from_be_bytes([head[2], head[3]]),
            stream: u32::from_be_bytes(head[4..8].try_into().unwrap()),
            length,
            body: body.to_vec(),
        });
        bytes = rest;
    }
    frames
}

/// One end, its time and its events. The ping of the beginning is sent and left unanswered.
pub(crate) struct End {
    pub(crate) yamux: Yamux,
    pub(crate) now: Instant,
    pub(crate) events: Vec<MuxEvent>,
}

impl End {
    pub(crate) fn client() -> Self {
        Self::new(Role::Client, MuxConfig::default())
    }

    pub(crate) fn server() -> Self {
        Self::new(Role::Server, MuxConfig::default())
    }

    pub(crate) fn new(role: Role, config: MuxConfig) -> Self {
        Self::with_budget(role, config, Budget::unlimited())
    }

    pub(crate) fn with_budget(role: Role, config: MuxConfig, budget: Budget) -> Self {
        let now = Instant::from_micros(1_000_000);
        let mut end =
            Self { yamux: Yamux::new(role, &Arc::new(config), budget, now), now, events: Vec::new() };
        assert_eq!(end.flush(), [sent(PING, SYN, 0, 0)]);
        end
    }

    /// Answers the first ping after `rtt`, so that windows may grow.
    pub(crate) fn knows_rtt(mut self, rtt: Duration) -> Self {
        self.wait(rtt);
        self.receive(&pong(0));
        assert_eq!(self.take_events(), [MuxEvent::Rtt(rtt)]);
        self
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        self.now = self.now + time;
    }

    pub(crate) fn handle_timeout(&mut self) {
        self.yamux.handle_timeout(self.now, &mut self.events);
    }

    #[track_caller]
    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        self.try_receive(bytes).unwrap();
    }

    pub(crate) fn try_receive(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        self.yamux.receive(bytes, self.now, &mut self.events)
    }

    pub(crate) fn take_events(&mut self) -> Vec<MuxEvent> {
        std::mem::take(&mut self.events)
    }

    /// Everything that is to be sent now, in records of 32 KiB.
    pub(crate) fn flush(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while self.yamux.has_pending() {
            frames.extend(self.transmit(32 << 10));
        }
        frames
    }

    /// One record of at most `room` bytes.
    pub(crate) fn transmit(&mut self, room: usize) -> Vec<Frame> {
        let mut out = b"before".to_vec();
        let count = self.yamux.transmit(&mut out, room, self.now, &mut self.events);
        assert!(count <= room);
        assert_eq!(out.len(), 6 + count);
        parse(&out[6..])
    }

    /// A stream that the peer opens now, accepted and acknowledged.
    pub(crate) fn accepted(&mut self, wire: u32) -> StreamId {
        let id = self.opened_by_peer(&update(wire, SYN, 0));
        self.yamux.accept(id);
        assert_eq!(self.flush(), [sent(UPDATE, ACK, wire, 0)]);
        id
    }

    /// The stream that the peer opens with the frame `bytes`.
    pub(crate) fn opened_by_peer(&mut self, bytes: &[u8]) -> StreamId {
        self.receive(bytes);
        let events = self.take_events();
        let opened = events.iter().find_map(|event| match event {
            MuxEvent::Opened(id) => Some(*id),
            _ => None,
        });
        opened.unwrap_or_else(|| panic!("not opened: {events:?}"))
    }

    /// A stream of ours that the peer knows and has acknowledged.
    pub(crate) fn opened(&mut self) -> (StreamId, u32) {
        let id = self.yamux.open(self.now).unwrap().unwrap();
        let wire = self.yamux.wire_id(id).unwrap();
        assert_eq!(self.flush(), [sent(UPDATE, SYN, wire, 0)]);
        self.receive(&update(wire, ACK, 0));
        (id, wire)
    }

    pub(crate) fn read(&mut self, id: StreamId) -> Vec<u8> {
        let mut into = vec![0; self.buffered(id)];
        let count = self.yamux.read(id, &mut into).unwrap();
        assert_eq!(count, into.len());
        into
    }

    pub(crate) fn buffered(&self, id: StreamId) -> usize {
        match self.yamux.available(id).unwrap() {
            Available::Bytes(count) => count,
            Available::Nothing | Available::Finished => 0,
        }
    }

    pub(crate) fn write(&mut self, id: StreamId, data: &[u8]) -> usize {
        self.yamux.write(id, data).unwrap()
    }
}
