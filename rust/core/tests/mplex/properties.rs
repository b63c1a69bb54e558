//! What must hold for any bytes, any split of them and any order of operations.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use plait_core::limits::Budget;
use plait_core::mux::mplex::Mplex;
use plait_core::mux::{Available, Lent, MuxConfig, MuxEvent, Role, Stats, StreamError, StreamId};
use plait_core::time::Instant;
use proptest::prelude::*;

use crate::script::*;

/// Failures are not kept in files: a case worth keeping becomes a test with a name.
fn cases() -> ProptestConfig {
    ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() }
}

/// Frames that mostly make sense, to an end that has opened two streams.
fn frame_bytes() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![20 => 0u64..4, 1 => any::<u64>().prop_map(|number| number >> 4)];
    let flag = prop_oneof![
        4 => Just(NEW), 6 => Just(MESSAGE_OPENER), 4 => Just(MESSAGE_ACCEPTOR), 2 => CLOSE_ACCEPTOR..=RESET_OPENER
    ];
    prop_oneof![
        9 => (flag, number, 0usize..2000)
            .prop_map(|(flag, number, size)| frame(flag, number, &vec![size as u8; size])),
        1 => Just(frame(MESSAGE_OPENER, 1, &[0; 60_000])),
    ]
}

fn with_two_streams() -> End {
    let mut end = End::new();
    end.opened();
    end.opened();
    end
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_split_of_the_bytes_gives_the_same_result(
        frames in proptest::collection::vec(frame_bytes(), 1..30),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let bytes = frames.concat();
        let mut whole = with_two_streams();
        let expected = whole.try_receive(&bytes);

        let mut split = with_two_streams();
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
                prop_assert_eq!(split.mplex.available(id), whole.mplex.available(id));
                prop_assert_eq!(joined(split.mplex.peek(id)), joined(whole.mplex.peek(id)));
            }
        }
        // How far queues grow ahead of need is the allocator's business.
        let stats = |end: &End| Stats { memory: 0, ..end.mplex.stats() };
        prop_assert_eq!(stats(&split), stats(&whole));
        prop_assert_eq!(split.flush(), whole.flush());
    }

    #[test]
    fn any_bytes_are_survived(
        bytes in proptest::collection::vec(any::<u8>(), 0..500),
        frames in proptest::collection::vec(frame_bytes(), 0..5),
    ) {
        let mut end = with_two_streams();
        let _ = end.try_receive(&frames.concat());
        let _ = end.try_receive(&bytes);
        end.flush();
    }
}

fn joined((first, second): (&[u8], &[u8])) -> Vec<u8> {
    [first, second].concat()
}

/// One step of the application or of the wire; the numbers choose among what there is.
#[derive(Clone, Debug)]
enum Step {
    Open,
    Write { stream: usize, size: usize },
    Read { stream: usize, size: usize },
    CloseWrite { stream: usize },
    StopReading { stream: usize },
    Release { stream: usize },
    Reset { stream: usize, code: u32 },
    Transmit { room: usize },
    Deliver { most: usize },
    Wait { millis: u64 },
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
        1 => (stream, 0u32..5).prop_map(|(stream, code)| Step::Reset { stream, code }),
        8 => (15usize..66_000).prop_map(|room| Step::Transmit { room }),
        8 => (1usize..70_000).prop_map(|most| Step::Deliver { most }),
        1 => (0u64..3000).prop_map(|millis| Step::Wait { millis }),
    ];
    (any::<bool>(), step)
}

/// What both ends call a stream: who opened it, and its number.
type Key = (usize, u64);

/// What one application has done with a stream and seen of it.
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
    mplex: Mplex,
    streams: Vec<StreamId>,
    seen: HashMap<Key, Seen>,
    keys: HashMap<StreamId, Key>,
    outgoing: Vec<u8>,
}

impl Side {
    fn new(role: Role, now: Instant) -> Self {
        Self {
            mplex: Mplex::new(role, &Arc::new(MuxConfig::default()), Budget::unlimited(), now),
            streams: Vec::new(),
            seen: HashMap::new(),
            keys: HashMap::new(),
            outgoing: Vec::new(),
        }
    }

    fn learn(&mut self, id: StreamId, opener: usize) {
        let key = (opener, self.mplex.wire_id(id).unwrap());
        self.streams.push(id);
        self.keys.insert(id, key);
        assert!(self.seen.insert(key, Seen::default()).is_none(), "an id was used twice");
    }

    fn stream(&self, number: usize) -> Option<StreamId> {
        (!self.streams.is_empty()).then(|| self.streams[number % self.streams.len()])
    }

    fn seen(&mut self, id: StreamId) -> &mut Seen {
        self.seen.get_mut(&self.keys[&id]).unwrap()
    }

    fn forget(&mut self, id: StreamId) {
        self.seen(id).over = true;
        self.streams.retain(|&other| other != id);
    }

    fn write(&mut self, id: StreamId, size: usize) {
        let key = self.keys[&id];
        let start = self.seen(id).written;
        let bytes: Vec<u8> = (start..start + size).map(|position| content(key, position)).collect();
        // Every third is lent, which is to make no difference.
        let written = match size % 3 {
            0 => self.mplex.lend(id, Lent::new(bytes, 0)),
            _ => self.mplex.write(id, &bytes),
        };
        match written {
            Ok(count) => self.seen(id).written += count,
            Err(StreamError::Closed) => assert!(self.seen(id).closed),
            Err(StreamError::Reset { .. }) => {}
            Err(StreamError::Unknown) => panic!("a stream was lost"),
        }
    }

    fn read(&mut self, id: StreamId, size: usize) {
        let key = self.keys[&id];
        let mut into = vec![0; size];
        match self.mplex.read(id, &mut into) {
            Ok(count) => {
                let start = self.seen(id).read;
                for (offset, &byte) in into[..count].iter().enumerate() {
                    assert_eq!(byte, content(key, start + offset), "stream {key:?} at {}", start + offset);
                }
                self.seen(id).read += count;
                if self.mplex.available(id) == Ok(Available::Finished) {
                    self.seen(id).finished = true;
                }
            }
            Err(StreamError::Reset { .. } | StreamError::Closed) => self.seen(id).over = true,
            Err(StreamError::Unknown) => panic!("a stream was lost"),
        }
    }

    fn transmit(&mut self, room: usize, now: Instant) -> usize {
        let mut events = Vec::new();
        let count = self.mplex.transmit(&mut self.outgoing, room, now, &mut events);
        assert!(count <= room);
        count
    }

    fn receive(&mut self, bytes: &[u8], peer: usize, now: Instant) {
        let mut events = Vec::new();
        self.mplex.receive(bytes, now, &mut events).unwrap();
        for event in events {
            match event {
                MuxEvent::Opened(id) => {
                    self.learn(id, peer);
                    self.mplex.accept(id);
                }
                MuxEvent::Reset { id, .. } => assert!(self.keys.contains_key(&id)),
                _ => {}
            }
        }
    }
}

/// The byte at `position` of what is written to a stream, the same in both directions.
fn content((opener, number): Key, position: usize) -> u8 {
    (position.wrapping_mul(31) ^ (position >> 8) ^ (2 * number as usize + opener)) as u8
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
                if let Some(id) = side.mplex.open(now).unwrap() {
                    side.learn(id, at);
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
                    side.mplex.close_write(id);
                    side.seen(id).closed = true;
                }
            }
            Step::StopReading { stream } => {
                if let Some(id) = side.stream(stream) {
                    side.mplex.stop_reading(id);
                    side.seen(id).over = true;
                }
            }
            Step::Release { stream } => {
                if let Some(id) = side.stream(stream) {
                    side.mplex.release(id, now);
                    side.seen(id).closed = true;
                    side.forget(id);
                }
            }
            Step::Reset { stream, code } => {
                if let Some(id) = side.stream(stream) {
                    side.mplex.reset(id, code);
                    side.forget(id);
                }
            }
            Step::Transmit { room } => {
                side.transmit(room, now);
            }
            Step::Deliver { most } => {
                if self.sides[1 - at].mplex.is_overloaded() {
                    return;
                }
                let side = &mut self.sides[at];
                let count = most.min(side.outgoing.len());
                let bytes: Vec<u8> = side.outgoing.drain(..count).collect();
                self.sides[1 - at].receive(&bytes, at, now);
            }
            Step::Wait { millis } => {
                self.now = now + Duration::from_millis(millis);
                for side in &mut self.sides {
                    side.mplex.handle_timeout(self.now, &mut Vec::new());
                }
            }
        }
    }

    /// Lets both sides end all streams and read until nothing moves any more.
    fn settle(&mut self) {
        loop {
            let mut moved = false;
            for at in [0, 1] {
                while self.sides[at].mplex.has_pending() {
                    self.sides[at].transmit(20_000, self.now);
                }
                moved |= !self.sides[at].outgoing.is_empty();
                self.apply(at, &Step::Deliver { most: usize::MAX });
                for id in self.sides[at].streams.clone() {
                    self.sides[at].mplex.close_write(id);
                    self.sides[at].seen(id).closed = true;
                    moved |= self.sides[at].mplex.has_pending();
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

        let keys: Vec<Key> = pair.sides[0].seen.keys().copied().collect();
        for key in keys {
            for (from, to) in [(0, 1), (1, 0)] {
                let (Some(sender), Some(receiver)) =
                    (pair.sides[from].seen.get(&key), pair.sides[to].seen.get(&key))
                else {
                    continue;
                };
                prop_assert!(receiver.read <= sender.written);
                if !receiver.over && !sender.over {
                    prop_assert_eq!(receiver.read, sender.written, "stream {:?}", key);
                    prop_assert!(receiver.finished);
                }
                if receiver.finished {
                    prop_assert_eq!(receiver.read, sender.written, "an end too early, stream {:?}", key);
                }
            }
        }
        for side in &mut pair.sides {
            for id in side.streams.clone() {
                side.mplex.release(id, pair.now);
                side.forget(id);
            }
        }
        pair.settle();
        let stats = pair.sides.each_ref().map(|side| side.mplex.stats());
        for stats in stats {
            prop_assert_eq!((stats.buffered_in, stats.buffered_out), (0, 0));
            prop_assert_eq!(stats.frames_after_fin, 0);
        }
        prop_assert_eq!(pair.sides[0].mplex.num_streams(), 0);
        prop_assert_eq!(pair.sides[1].mplex.num_streams(), 0);
    }
}
