//! What must hold for any bytes, any split of them and any order of operations.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use plait_core::limits::Budget;
use plait_core::mux::yamux::Yamux;
use plait_core::mux::{Available, Lent, MuxConfig, MuxEvent, Role, Stats, StreamError, StreamId};
use plait_core::time::Instant;
use proptest::prelude::*;

use crate::script::*;

/// Failures are not kept in files: a case worth keeping becomes a test with a name.
fn cases() -> ProptestConfig {
    ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() }
}

/// Frames that mostly make sense, for a server.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let stream = prop_oneof![20 => (0u32..4).prop_map(|n| 2 * n + 1), 1 => 0u32..9];
    let flags = prop_oneof![
        6 => Just(0u16), 4 => Just(SYN), 1 => Just(SYN | FIN), 2 => Just(FIN), 1 => Just(RST), 1 => 0u16..16
    ];
    prop_oneof![
        6 => (stream.clone(), flags.clone(), 0usize..2000)
            .prop_map(|(stream, flags, size)| data(stream, flags, &vec![size as u8; size])),
        3 => (stream, flags, 0u32..1000).prop_map(|(stream, flags, credit)| update(stream, flags, credit)),
        1 => any::<u32>().prop_map(ping),
        1 => (0u32..3).prop_map(pong),
        1 => Just(data(1, 0, &[0; 60_000])),
    ]
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_split_of_the_bytes_gives_the_same_result(
        frames in proptest::collection::vec(frame(), 1..30),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let bytes = frames.concat();
        let mut whole = End::server();
        let expected = whole.try_receive(&bytes);

        let mut split = End::server();
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        cuts.push(bytes.len());
        cuts.sort_unstable();
        let mut start = 0;
        let mut result = Ok(());
        for cut in cuts {
            if result.is_ok() {
                result = split.try_receive(&bytes[start..cut]);
            }
            start = cut;
        }
        prop_assert_eq!(result, expected);
        prop_assert_eq!(&split.events, &whole.events);
        for event in whole.take_events() {
            if let MuxEvent::Opened(id) = event {
                prop_assert_eq!(split.yamux.available(id), whole.yamux.available(id));
                prop_assert_eq!(joined(split.yamux.peek(id)), joined(whole.yamux.peek(id)));
            }
        }
        // How far queues grow ahead of need is the allocator's business.
        let stats = |end: &End| Stats { memory: 0, ..end.yamux.stats() };
        prop_assert_eq!(stats(&split), stats(&whole));
        prop_assert_eq!(split.flush(), whole.flush());
    }

    #[test]
    fn any_bytes_are_survived(
        bytes in proptest::collection::vec(any::<u8>(), 0..500),
        frames in proptest::collection::vec(frame(), 0..5),
    ) {
        for role in [Role::Client, Role::Server] {
            let mut end = End::new(role, MuxConfig::default());
            let _ = end.try_receive(&frames.concat());
            let _ = end.try_receive(&bytes);
            end.flush();
        }
    }
}

fn joined((first, second): (&[u8], &[u8])) -> Vec<u8> {
    [first, second].concat()
}

/// One step of the application or of the wire; the numbers choose among what there is.
#[derive(Clone, Debug)]
enum Step {
    Open,
    Write {
        stream: usize,
        size: usize,
    },
    Read {
        stream: usize,
        size: usize,
    },
    CloseWrite {
        stream: usize,
    },
    StopReading {
        stream: usize,
    },
    Release {
        stream: usize,
    },
    Reset {
        stream: usize,
        code: u32,
    },
    Transmit {
        room: usize,
    },
    Deliver {
        most: usize,
    },
    /// The same bytes as one segment, of which some came before.
    DeliverSegment {
        most: usize,
        before: usize,
    },
    Await {
        stream: usize,
    },
    LeaveSegment,
    Wait {
        millis: u64,
    },
}

fn step() -> impl Strategy<Value = (bool, Step)> {
    let stream = 0usize..8;
    let step = prop_oneof![
        2 => Just(Step::Open),
        8 => (stream.clone(), 0usize..100_000).prop_map(|(stream, size)| Step::Write { stream, size }),
        8 => (stream.clone(), 0usize..100_000).prop_map(|(stream, size)| Step::Read { stream, size }),
        2 => stream.clone().prop_map(|stream| Step::CloseWrite { stream }),
        1 => stream.clone().prop_map(|stream| Step::StopReading { stream }),
        1 => stream.clone().prop_map(|stream| Step::Release { stream }),
        1 => (stream.clone(), 0u32..5).prop_map(|(stream, code)| Step::Reset { stream, code }),
        8 => (13usize..66_000).prop_map(|room| Step::Transmit { room }),
        4 => (1usize..70_000).prop_map(|most| Step::Deliver { most }),
        6 => (1usize..70_000, 0usize..2_000)
            .prop_map(|(most, before)| Step::DeliverSegment { most, before }),
        6 => stream.clone().prop_map(|stream| Step::Await { stream }),
        3 => Just(Step::LeaveSegment),
        1 => (0u64..100).prop_map(|millis| Step::Wait { millis }),
    ];
    (any::<bool>(), step)
}

/// What one application has done with a stream and seen of it, by wire id.
#[derive(Debug, Default)]
struct Seen {
    written: usize,
    read: usize,
    closed: bool,
    finished: bool,
    /// It will not look any more, or the peer has reset it.
    over: bool,
}

#[derive(Debug)]
struct Side {
    yamux: Yamux,
    streams: Vec<StreamId>,
    seen: HashMap<u32, Seen>,
    wire: HashMap<StreamId, u32>,
    outgoing: Vec<u8>,
}

impl Side {
    fn new(role: Role, now: Instant) -> Self {
        Self {
            yamux: Yamux::new(role, &Arc::new(MuxConfig::default()), Budget::unlimited(), now),
            streams: Vec::new(),
            seen: HashMap::new(),
            wire: HashMap::new(),
            outgoing: Vec::new(),
        }
    }

    fn learn(&mut self, id: StreamId) {
        let wire = self.yamux.wire_id(id).unwrap();
        self.streams.push(id);
        self.wire.insert(id, wire);
        assert!(self.seen.insert(wire, Seen::default()).is_none(), "an id was used twice");
    }

    fn stream(&self, number: usize) -> Option<StreamId> {
        (!self.streams.is_empty()).then(|| self.streams[number % self.streams.len()])
    }

    fn seen(&mut self, id: StreamId) -> &mut Seen {
        self.seen.get_mut(&self.wire[&id]).unwrap()
    }

    fn forget(&mut self, id: StreamId) {
        self.seen(id).over = true;
        self.streams.retain(|&other| other != id);
    }

    fn write(&mut self, id: StreamId, size: usize) {
        let wire = self.wire[&id];
        let start = self.seen(id).written;
        let bytes: Vec<u8> = (start..start + size).map(|position| content(wire, position)).collect();
        // Every third is lent, which is to make no difference.
        let written = match size % 3 {
            0 => self.yamux.lend(id, Lent::new(bytes, 0)),
            _ => self.yamux.write(id, &bytes),
        };
        match written {
            Ok(count) => self.seen(id).written += count,
            Err(StreamError::Closed) => assert!(self.seen(id).closed),
            Err(StreamError::Reset { .. }) => {}
            Err(StreamError::Unknown) => panic!("a stream was lost"),
        }
    }

    fn read(&mut self, id: StreamId, size: usize) {
        let wire = self.wire[&id];
        let mut into = vec![0; size];
        match self.yamux.read(id, &mut into) {
            Ok(count) => {
                let start = self.seen(id).read;
                for (offset, &byte) in into[..count].iter().enumerate() {
                    assert_eq!(byte, content(wire, start + offset), "stream {wire} at {}", start + offset);
                }
                self.seen(id).read += count;
                if self.yamux.available(id) == Ok(Available::Finished) {
                    self.seen(id).finished = true;
                }
            }
            Err(StreamError::Reset { .. } | StreamError::Closed) => self.seen(id).over = true,
            Err(StreamError::Unknown) => panic!("a stream was lost"),
        }
    }

    fn transmit(&mut self, room: usize, now: Instant) -> usize {
        let mut events = Vec::new();
        let count = self.yamux.transmit(&mut self.outgoing, room, now, &mut events);
        assert!(count <= room);
        count
    }

    fn receive(&mut self, bytes: &[u8], now: Instant) {
        self.leave_segment();
        let mut events = Vec::new();
        self.yamux.receive(bytes, now, &mut events).unwrap();
        self.learn_from(events);
    }

    /// As a session does it: the end of a record that had begun before lies elsewhere, the others where they came.
    fn receive_segment(&mut self, bytes: Vec<u8>, before: usize, now: Instant) {
        self.leave_segment();
        let mut events = Vec::new();
        self.yamux.begin_segment(&bytes);
        let (elsewhere, rest) = bytes.split_at(before.min(bytes.len()));
        let elsewhere = elsewhere.to_vec();
        self.yamux.receive(&elsewhere, now, &mut events).unwrap();
        for piece in rest.chunks(20_000) {
            self.yamux.receive(piece, now, &mut events).unwrap();
        }
        let is_given_back = self.yamux.hold_segment(bytes).is_some();
        assert_ne!(is_given_back, self.yamux.holds_segment());
        self.learn_from(events);
    }

    fn leave_segment(&mut self) {
        let held = self.yamux.holds_segment();
        assert_eq!(self.yamux.leave_segment().is_some(), held);
        assert!(!self.yamux.holds_segment());
    }

    fn learn_from(&mut self, events: Vec<MuxEvent>) {
        for event in events {
            match event {
                MuxEvent::Opened(id) => {
                    self.learn(id);
                    self.yamux.accept(id);
                }
                MuxEvent::Reset { id, .. } => assert!(self.wire.contains_key(&id)),
                _ => {}
            }
        }
    }
}

/// The byte at `position` of what is written to stream `wire`, the same in both directions.
fn content(wire: u32, position: usize) -> u8 {
    (position.wrapping_mul(31) ^ (position >> 8) ^ wire as usize) as u8
}

struct Pair {
    sides: [Side; 2],
    now: Instant,
}

impl Pair {
    fn new() -> Self {
        let now = Instant::from_micros(0);
        Self { sides: [Side::new(Role::Client, now), Side::new(Role::Server, now)], now }
    }

    fn apply(&mut self, at: usize, step: &Step) {
        let now = self.now;
        let side = &mut self.sides[at];
        match *step {
            Step::Open => {
                if let Some(id) = side.yamux.open(now).unwrap() {
                    side.learn(id);
                }
            }
            Step::Write { stream, size } => {
                if let Some(id) = side.stream(stream) {
                    side.write(id, size);
                }
            }
            Step::Read { stream, size } => {
                if let Some(id) = side.stream(stream) {
                    side.read(id, size);
                }
            }
            Step::CloseWrite { stream } => {
                if let Some(id) = side.stream(stream) {
                    side.yamux.close_write(id);
                    side.seen(id).closed = true;
                }
            }
            Step::StopReading { stream } => {
                if let Some(id) = side.stream(stream) {
                    side.yamux.stop_reading(id);
                    side.seen(id).over = true;
                }
            }
            Step::Release { stream } => {
                if let Some(id) = side.stream(stream) {
                    side.yamux.release(id, now);
                    side.seen(id).closed = true;
                    side.forget(id);
                }
            }
            Step::Reset { stream, code } => {
                if let Some(id) = side.stream(stream) {
                    side.yamux.reset(id, code);
                    side.forget(id);
                }
            }
            Step::Transmit { room } => {
                side.transmit(room, now);
            }
            Step::Deliver { most } => {
                let count = most.min(side.outgoing.len());
                let bytes: Vec<u8> = side.outgoing.drain(..count).collect();
                self.sides[1 - at].receive(&bytes, now);
            }
            Step::DeliverSegment { most, before } => {
                let count = most.min(side.outgoing.len());
                let bytes: Vec<u8> = side.outgoing.drain(..count).collect();
                self.sides[1 - at].receive_segment(bytes, before, now);
            }
            Step::Await { stream } => {
                if let Some(id) = side.stream(stream)
                    && side.yamux.available(id) == Ok(Available::Nothing)
                {
                    side.yamux.await_bytes(id);
                }
            }
            Step::LeaveSegment => side.leave_segment(),
            Step::Wait { millis } => {
                self.now = now + Duration::from_millis(millis);
                for side in &mut self.sides {
                    side.yamux.handle_timeout(self.now, &mut Vec::new());
                }
            }
        }
    }

    /// Lets both sides end all streams and read until nothing moves any more.
    fn settle(&mut self) {
        loop {
            let mut moved = false;
            for at in [0, 1] {
                while self.sides[at].yamux.has_pending() {
                    self.sides[at].transmit(20_000, self.now);
                }
                moved |= !self.sides[at].outgoing.is_empty();
                self.apply(at, &Step::Deliver { most: usize::MAX });
                for id in self.sides[at].streams.clone() {
                    self.sides[at].yamux.close_write(id);
                    self.sides[at].seen(id).closed = true;
                    moved |= self.sides[at].yamux.has_pending();
                    let before = self.sides[at].seen(id).read;
                    self.sides[at].read(id, 1 << 20);
                    moved |= self.sides[at].seen(id).read > before;
                }
            }
            if !moved {
                return;
            }
        }
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_pair_delivers_exactly_what_was_written_or_a_reset(
        steps in proptest::collection::vec(step(), 1..150),
    ) {
        let mut pair = Pair::new();
        for (is_server, step) in &steps {
            pair.apply(usize::from(*is_server), step);
        }
        pair.settle();

        let wires: Vec<u32> = pair.sides[0].seen.keys().copied().collect();
        for wire in wires {
            for (from, to) in [(0, 1), (1, 0)] {
                let (Some(sender), Some(receiver)) =
                    (pair.sides[from].seen.get(&wire), pair.sides[to].seen.get(&wire))
                else {
                    continue;
                };
                prop_assert!(receiver.read <= sender.written);
                if !receiver.over && !sender.over {
                    prop_assert_eq!(receiver.read, sender.written, "stream {}", wire);
                    prop_assert!(receiver.finished);
                }
                if receiver.finished {
                    prop_assert_eq!(receiver.read, sender.written, "an end too early, stream {}", wire);
                }
            }
        }
        for side in &mut pair.sides {
            for id in side.streams.clone() {
                side.yamux.release(id, pair.now);
                side.forget(id);
            }
        }
        pair.settle();
        let stats = pair.sides.each_ref().map(|side| side.yamux.stats());
        for stats in stats {
            prop_assert_eq!((stats.buffered_in, stats.buffered_out), (0, 0));
            prop_assert_eq!(stats.frames_after_fin, 0);
        }
        prop_assert_eq!(pair.sides[0].yamux.num_streams(), 0);
        prop_assert_eq!(pair.sides[1].yamux.num_streams(), 0);
    }
}
