//! A peer that sends whatever it likes, to mplex, which an application uses meanwhile.
//!
//! Two copies get the same bytes, one whole and one in pieces: they must do and say the same.

#![no_main]

use std::sync::Arc;
use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use plait_core::limits::Budget;
use plait_core::mux::mplex::Mplex;
use plait_core::mux::{Lent, MuxConfig, MuxEvent, Role, Stats, StreamId, Violation};
use plait_core::time::Instant;
use plait_core::varint;
use plait_fuzz::Lengths;

#[derive(Arbitrary, Debug)]
struct Input {
    lengths: Lengths,
    steps: Vec<Step>,
}

#[derive(Arbitrary, Clone, Debug)]
enum Step {
    Bytes(Vec<u8>),
    Frame(Frame),
    Open,
    Accept(u8),
    Read(u8, u16),
    Peek(u8, u16),
    Write(u8, u16),
    CloseWrite(u8),
    StopReading(u8),
    Release(u8),
    Reset(u8, u32),
    Transmit(u16),
    Advance(u16),
    GoAway(u32),
}

/// A frame from a small world: few streams, so that frames meet the streams that earlier ones opened.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct Frame {
    flag: u8,
    stream: u8,
    length: Length,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Length {
    /// A body of this length follows.
    Body(u8),
    /// A body that is larger than any segment.
    Bulk(u16),
    /// Only the length field; a body would have to come from elsewhere.
    Bare(u32),
}

impl Frame {
    fn encode(self, out: &mut Vec<u8>) {
        let (claimed, body) = match self.length {
            Length::Body(length) => (u64::from(length), usize::from(length)),
            Length::Bulk(length) => (u64::from(length), usize::from(length)),
            // Half of them are longer than a message may be.
            Length::Bare(length) => (u64::from(length % (2 << 20)), 0),
        };
        varint::encode(u64::from(self.stream % 8) << 3 | u64::from(self.flag % 8), out);
        varint::encode(claimed, out);
        out.resize(out.len() + body, self.stream);
    }
}

fuzz_target!(|input: Input| {
    let Input { lengths, steps } = input;
    let budget = Budget::unlimited();
    let mut whole = Side::new(&budget);
    let mut split = Side::new(&budget);
    for step in steps.iter().take(MOST_STEPS) {
        let is_overloaded = whole.mux.is_overloaded();
        assert_eq!(is_overloaded, split.mux.is_overloaded());
        let mut wire = Vec::new();
        match step {
            Step::Bytes(bytes) => wire.extend_from_slice(bytes),
            Step::Frame(frame) => frame.encode(&mut wire),
            command => {
                whole.command(command);
                split.command(command);
            }
        }
        if !is_overloaded && !wire.is_empty() {
            let at_once = whole.receive([&*wire]);
            assert_eq!(at_once, split.receive(lengths.cut(&wire)));
        }
        assert_eq!(whole.take(), split.take());
    }
    whole.transmit(usize::MAX);
    split.transmit(usize::MAX);
    assert_eq!(whole.take(), split.take());
    drop((whole, split));
    assert_eq!(budget.used(), 0);
});

struct Side {
    mux: Mplex,
    now: Instant,
    streams: Vec<StreamId>,
    events: Vec<MuxEvent>,
    sent: Vec<u8>,
    has_failed: bool,
}

impl Side {
    fn new(budget: &Budget) -> Self {
        let config = Arc::new(MuxConfig {
            max_inbound_streams: 6,
            max_unaccepted_streams: 4,
            max_stream_unread: MAX_STREAM_UNREAD,
            stall_timeout: Duration::from_secs(2),
            max_control_queue: 8,
            max_empty_frames_per_second: 20,
            max_resets_per_second: 4,
            max_ignored_frames_per_second: 20,
            max_frames_after_fin_per_second: 4,
            ..MuxConfig::default()
        });
        let now = Instant::from_micros(1_000_000);
        Self {
            mux: Mplex::new(Role::Server, &config, budget.clone(), now),
            now,
            streams: Vec::new(),
            events: Vec::new(),
            sent: Vec::new(),
            has_failed: false,
        }
    }

    fn receive<'a>(&mut self, pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<(), Violation> {
        let before = self.events.len();
        let mut result = Ok(());
        for piece in pieces {
            result = self.mux.receive(piece, self.now, &mut self.events);
            if result.is_err() {
                break;
            }
        }
        if self.has_failed {
            assert_eq!(self.events.len(), before, "something was delivered after a violation");
        }
        self.has_failed |= result.is_err();
        for event in &self.events[before..] {
            if let MuxEvent::Opened(id) = event {
                self.streams.push(*id);
            }
        }
        let stats = self.mux.stats();
        let streams = stats.inbound_streams + stats.outbound_streams;
        // What one segment can bring in before the overload is seen.
        assert!(stats.buffered_in <= streams * (MAX_STREAM_UNREAD + usize::from(u16::MAX)));
        assert!(stats.memory <= MAX_MEMORY + streams * MAX_STREAM_MEMORY, "{stats:?}");
        result
    }

    fn command(&mut self, step: &Step) {
        let Self { mux, now, streams, events, .. } = self;
        let stream = |index: &u8| match streams.len() {
            0 => StreamId::from_u64(u64::from(*index)),
            count => streams[usize::from(*index) % count],
        };
        match step {
            Step::Bytes(_) | Step::Frame(_) => {}
            Step::Open => {
                if let Ok(Some(id)) = mux.open(*now) {
                    streams.push(id);
                }
            }
            Step::Accept(index) => mux.accept(stream(index)),
            Step::Read(index, count) => {
                let _ = mux.read(stream(index), &mut vec![0; usize::from(*count)]);
            }
            Step::Peek(index, count) => {
                let id = stream(index);
                let _ = (mux.peek(id), mux.available(id));
                mux.consume(id, usize::from(*count));
            }
            Step::Write(index, count) => {
                let data = vec![1; usize::from(*count)];
                let _ = match count % 2 {
                    0 => mux.lend(stream(index), Lent::new(data, 0)),
                    _ => mux.write(stream(index), &data),
                };
            }
            Step::CloseWrite(index) => mux.close_write(stream(index)),
            Step::StopReading(index) => mux.stop_reading(stream(index)),
            Step::Release(index) => mux.release(stream(index), *now),
            Step::Reset(index, code) => mux.reset(stream(index), *code),
            Step::Transmit(room) => self.transmit(usize::from(*room)),
            Step::Advance(millis) => {
                *now = *now + Duration::from_millis(u64::from(*millis));
                // A call that comes very late may ask for another one at once, but not for ever.
                for _ in 0..MOST_TIMEOUTS {
                    mux.handle_timeout(*now, events);
                }
                assert!(mux.next_timeout().is_none_or(|next| next > *now), "a timer that does not advance");
            }
            Step::GoAway(code) => mux.go_away(*code),
        }
    }

    fn transmit(&mut self, room: usize) {
        let start = self.sent.len();
        let count = self.mux.transmit(&mut self.sent, room, self.now, &mut self.events);
        assert_eq!(self.sent.len(), start + count);
        assert!(count <= room);
        check_frames(&self.sent[start..]);
        if room == usize::MAX {
            assert!(!self.mux.has_pending());
        }
    }

    fn take(&mut self) -> (Vec<MuxEvent>, Vec<u8>, Stats) {
        // How memory is kept depends on the pieces, and is nobody's business but the bounds'.
        let stats = Stats { memory: 0, ..self.mux.stats() };
        (std::mem::take(&mut self.events), std::mem::take(&mut self.sent), stats)
    }
}

/// Keeps one input under some milliseconds.
const MOST_STEPS: usize = 300;

/// Rest, linger and stall, and one more.
const MOST_TIMEOUTS: usize = 4;

/// Less than two large bodies, so that streams are full now and then. The bound of the connection is
/// left far away: it counts memory, and that depends on the pieces.
const MAX_STREAM_UNREAD: usize = 100 << 10;
/// What is received and spare, and what one stream may hold of it all.
const MAX_MEMORY: usize = 4 << 20;
const MAX_STREAM_MEMORY: usize = 1 << 20;

/// Walks over frames that we made ourselves.
fn check_frames(mut wire: &[u8]) {
    let number = |wire: &mut &[u8]| {
        let (value, used) = varint::decode(wire).expect("a varint").expect("a whole one");
        *wire = &wire[used..];
        value
    };
    while !wire.is_empty() {
        assert!(number(&mut wire) % 8 < 7, "an unknown flag");
        let length = number(&mut wire) as usize;
        assert!(length <= wire.len(), "a frame was cut in two");
        wire = &wire[length..];
    }
}
