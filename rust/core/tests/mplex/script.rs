//! One end under test, and frames written by hand. The frames are put together here again, not by
//! the code under test, or both could be wrong together.

use std::sync::Arc;
use std::time::Duration;

use plait_core::limits::Budget;
use plait_core::mux::mplex::Mplex;
use plait_core::mux::{Available, MuxConfig, MuxEvent, Role, StreamId, Violation};
use plait_core::time::Instant;

/// Flags of the end that accepted the stream are odd, of the one that opened it even.
pub(crate) const NEW: u8 = 0;
pub(crate) const MESSAGE_ACCEPTOR: u8 = 1;
pub(crate) const MESSAGE_OPENER: u8 = 2;
pub(crate) const CLOSE_ACCEPTOR: u8 = 3;
pub(crate) const CLOSE_OPENER: u8 = 4;
pub(crate) const RESET_ACCEPTOR: u8 = 5;
pub(crate) const RESET_OPENER: u8 = 6;

/// What fills a stream.
pub(crate) const FULL: usize = 1 << 20;

/// A frame as it was found on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) flag: u8,
    pub(crate) stream: u64,
    pub(crate) body: Vec<u8>,
}

pub(crate) fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A header that announces `length` bytes.
pub(crate) fn header(flag: u8, stream: u64, length: u64) -> Vec<u8> {
    [varint(stream << 3 | u64::from(flag)), varint(length)].concat()
}

pub(crate) fn frame(flag: u8, stream: u64, body: &[u8]) -> Vec<u8> {
    [header(flag, stream, body.len() as u64), body.to_vec()].concat()
}

/// A frame as it is expected from the end under test.
pub(crate) fn sent(flag: u8, stream: u64, body: &[u8]) -> Frame {
    Frame { flag, stream, body: body.to_vec() }
}

/// Takes whole frames apart; anything else is a failure.
pub(crate) fn parse(mut bytes: &[u8]) -> Vec<Frame> {
    let number = |bytes: &mut &[u8]| {
        let end = bytes.iter().position(|&byte| byte < 0x80).expect("a whole varint");
        let (digits, rest) = bytes.split_at(end + 1);
        *bytes = rest;
        digits.iter().rev().fold(0u64, |value, &digit| value << 7 | u64::from(digit & 0x7f))
    };
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let head = number(&mut bytes);
        let length = number(&mut bytes);
        let (body, rest) = bytes.split_at(length as usize);
        frames.push(Frame { flag: (head & 7) as u8, stream: head >> 3, body: body.to_vec() });
        bytes = rest;
    }
    frames
}

/// One end, its time and its events.
pub(crate) struct End {
    pub(crate) mplex: Mplex,
    pub(crate) now: Instant,
    pub(crate) events: Vec<MuxEvent>,
}

impl End {
    pub(crate) fn new() -> Self {
        Self::with(MuxConfig::default())
    }

    pub(crate) fn with(config: MuxConfig) -> Self {
        Self::with_budget(config, Budget::unlimited())
    }

    pub(crate) fn with_budget(config: MuxConfig, budget: Budget) -> Self {
        let now = Instant::from_micros(1_000_000);
        let mplex = Mplex::new(Role::Server, &Arc::new(config), budget, now);
        Self { mplex, now, events: Vec::new() }
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        self.now = self.now + time;
    }

    /// Lets time pass to every deadline up to `time` from now.
    pub(crate) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(deadline) = self.mplex.next_timeout().filter(|&deadline| deadline <= until) {
            self.now = self.now.max(deadline);
            self.handle_timeout();
        }
        self.now = until;
    }

    pub(crate) fn handle_timeout(&mut self) {
        self.mplex.handle_timeout(self.now, &mut self.events);
    }

    #[track_caller]
    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        self.try_receive(bytes).unwrap();
    }

    pub(crate) fn try_receive(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        self.mplex.receive(bytes, self.now, &mut self.events)
    }

    pub(crate) fn take_events(&mut self) -> Vec<MuxEvent> {
        std::mem::take(&mut self.events)
    }

    /// Everything that is to be sent now, in records of 32 KiB.
    pub(crate) fn flush(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while self.mplex.has_pending() {
            frames.extend(self.transmit(32 << 10));
        }
        frames
    }

    /// One record of at most `room` bytes.
    pub(crate) fn transmit(&mut self, room: usize) -> Vec<Frame> {
        parse(&self.transmit_bytes(room))
    }

    pub(crate) fn transmit_bytes(&mut self, room: usize) -> Vec<u8> {
        let mut out = b"before".to_vec();
        let count = self.mplex.transmit(&mut out, room, self.now, &mut self.events);
        assert!(count <= room);
        assert_eq!(out.len(), 6 + count);
        out.split_off(6)
    }

    /// The stream `number` that the peer opens now, accepted.
    pub(crate) fn accepted(&mut self, number: u64) -> StreamId {
        self.receive(&frame(NEW, number, b""));
        let events = self.take_events();
        let [MuxEvent::Opened(id)] = events[..] else { panic!("not opened: {events:?}") };
        self.mplex.accept(id);
        assert_eq!(self.mplex.wire_id(id), Some(number));
        id
    }

    /// A stream of ours that the peer was told of.
    pub(crate) fn opened(&mut self) -> (StreamId, u64) {
        let id = self.mplex.open(self.now).unwrap().unwrap();
        let number = self.mplex.wire_id(id).unwrap();
        assert_eq!(self.flush(), [sent(NEW, number, number.to_string().as_bytes())]);
        (id, number)
    }

    pub(crate) fn read(&mut self, id: StreamId) -> Vec<u8> {
        let mut into = vec![0; self.buffered(id)];
        let count = self.mplex.read(id, &mut into).unwrap();
        assert_eq!(count, into.len());
        into
    }

    pub(crate) fn buffered(&self, id: StreamId) -> usize {
        match self.mplex.available(id).unwrap() {
            Available::Bytes(count) => count,
            Available::Nothing | Available::Finished => 0,
        }
    }

    pub(crate) fn write(&mut self, id: StreamId, data: &[u8]) -> usize {
        self.mplex.write(id, data).unwrap()
    }
}
