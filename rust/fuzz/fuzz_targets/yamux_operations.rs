//! Two honest multiplexers and two applications that call anything in any order.
//!
//! What is read is a prefix of what was written; nobody breaks the protocol; memory stays within the
//! bounds; nobody has to look without being told; and once everybody reads, everything arrives.

#![no_main]

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use plait_core::limits::Budget;
use plait_core::mux::yamux::Yamux;
use plait_core::mux::{Available, LONGEST_LOAN, Lent, MuxConfig, MuxEvent, Role, StreamId};
use plait_core::time::Instant;
use plait_fuzz::check_frames;

#[derive(Arbitrary, Debug)]
struct Input {
    /// In units of 64 KiB; 0 is no bound.
    budget: u8,
    operations: Vec<Operation>,
}

#[derive(Arbitrary, Debug)]
struct Operation {
    /// Whose.
    is_client: bool,
    action: Action,
}

#[derive(Arbitrary, Debug)]
enum Action {
    Open,
    Accept(u8),
    Write(u8, u32),
    Read(u8, u32),
    CloseWrite(u8),
    StopReading(u8),
    Release(u8),
    Reset(u8),
    Transmit(u16),
    /// So much of what the other side sent arrives.
    Deliver(u16),
    /// Both sides send and receive until they are silent.
    Settle,
    Advance(u16),
    GoAway,
}

fuzz_target!(|input: Input| {
    let budget = match input.budget {
        0 => Budget::unlimited(),
        units => Budget::new(usize::from(units) << 16),
    };
    let mut world = World::new(&budget);
    for operation in input.operations.iter().take(MOST_OPERATIONS) {
        world.apply(operation);
        world.check_bounds();
        world.check_told();
    }
    world.finish();
    drop(world);
    assert_eq!(budget.used(), 0);
});

struct World {
    ends: [End; 2],
    now: Instant,
    /// What was written to a stream, by its id on the wire and the writer.
    written: HashMap<(u32, usize), u64>,
    is_leaving: bool,
}

struct End {
    mux: Yamux,
    handles: Vec<Handle>,
    /// On its way to this end.
    inbox: Vec<u8>,
    events: Vec<MuxEvent>,
    /// `open` said "not now", and nothing was heard since.
    waits_for_credit: bool,
}

/// What the application knows of a stream that it holds.
#[derive(Clone, Copy)]
struct Handle {
    id: StreamId,
    wire: u32,
    read: u64,
    /// There was an event, and nothing has shown since that all was read.
    is_readable: bool,
    /// A write was cut short, and nothing was heard since.
    waits_to_write: bool,
}

impl World {
    fn new(budget: &Budget) -> Self {
        let now = Instant::from_micros(1_000_000);
        let config = Arc::new(config());
        let end = |role| End {
            mux: Yamux::new(role, &config, budget.clone(), now),
            handles: Vec::new(),
            inbox: Vec::new(),
            events: Vec::new(),
            waits_for_credit: false,
        };
        Self { ends: [end(Role::Client), end(Role::Server)], now, written: HashMap::new(), is_leaving: false }
    }

    fn apply(&mut self, operation: &Operation) {
        let who = usize::from(!operation.is_client);
        let now = self.now;
        let end = &mut self.ends[who];
        match operation.action {
            Action::Open => match end.mux.open(now) {
                Ok(Some(id)) => end.hold(id),
                Ok(None) => end.waits_for_credit = true,
                Err(_) => {}
            },
            Action::Accept(index) => {
                if let Some(index) = end.index(index) {
                    end.mux.accept(end.handles[index].id);
                }
            }
            Action::Write(index, length) => {
                if let Some(index) = end.index(index) {
                    self.write(who, index, length as usize % MOST_WRITTEN);
                }
            }
            Action::Read(index, length) => {
                if let Some(index) = end.index(index) {
                    self.read(who, index, length as usize % MOST_WRITTEN);
                }
            }
            Action::CloseWrite(index) => {
                if let Some(index) = end.index(index) {
                    end.mux.close_write(end.handles[index].id);
                }
            }
            Action::StopReading(index) => {
                if let Some(index) = end.index(index) {
                    end.mux.stop_reading(end.handles[index].id);
                }
            }
            Action::Release(index) => {
                if let Some(index) = end.index(index) {
                    end.mux.release(end.handles.swap_remove(index).id, now);
                }
            }
            Action::Reset(index) => {
                if let Some(index) = end.index(index) {
                    end.mux.reset(end.handles.swap_remove(index).id, 0x1000);
                }
            }
            Action::Transmit(room) => {
                self.transmit(who, usize::from(room));
            }
            Action::Deliver(count) => {
                self.deliver(who, usize::from(count));
            }
            Action::Settle => self.settle(),
            Action::Advance(millis) => {
                self.now = now + Duration::from_millis(u64::from(millis));
                for end in &mut self.ends {
                    end.mux.handle_timeout(self.now, &mut end.events);
                }
            }
            Action::GoAway => {
                end.mux.go_away(0);
                self.is_leaving = true;
            }
        }
        self.ends[who].take_events();
    }

    fn write(&mut self, who: usize, index: usize, length: usize) {
        let end = &mut self.ends[who];
        let handle = &mut end.handles[index];
        let written = self.written.entry((handle.wire, who)).or_default();
        let data = content(handle.wire, who, *written, length);
        // Some is lent instead, which is to make no difference.
        let taken = match length % 3 {
            0 => end.mux.lend(handle.id, Lent::new(data, 0)),
            _ => end.mux.write(handle.id, data),
        };
        if let Ok(count) = taken {
            *written += count as u64;
            handle.waits_to_write |= count < length;
        }
    }

    /// Reads and compares; how much came, or `None` when the stream can give nothing more.
    fn read(&mut self, who: usize, index: usize, most: usize) -> Option<usize> {
        let end = &mut self.ends[who];
        let handle = &mut end.handles[index];
        let mut data = vec![0; most];
        let count = end.mux.read(handle.id, &mut data).ok()?;
        let writer = 1 - who;
        assert!(data[..count] == *content(handle.wire, writer, handle.read, count), "other bytes");
        handle.read += count as u64;
        let written = self.written.get(&(handle.wire, writer)).copied().unwrap_or(0);
        assert!(handle.read <= written, "more was read than written");
        if end.mux.available(handle.id) == Ok(Available::Finished) {
            assert_eq!(handle.read, written, "an end before the last byte");
        }
        Some(count)
    }

    fn transmit(&mut self, who: usize, room: usize) -> bool {
        let mut out = Vec::new();
        let end = &mut self.ends[who];
        let count = end.mux.transmit(&mut out, room, self.now, &mut end.events);
        assert!(count == out.len() && count <= room);
        check_frames(&out);
        end.take_events();
        self.ends[1 - who].inbox.append(&mut out);
        count > 0
    }

    fn deliver(&mut self, who: usize, most: usize) -> bool {
        let end = &mut self.ends[who];
        // As a driver does: an overloaded end does not read its socket.
        if end.mux.is_overloaded() {
            return false;
        }
        let piece: Vec<u8> = end.inbox.drain(..most.min(end.inbox.len())).collect();
        let result = end.mux.receive(&piece, self.now, &mut end.events);
        assert_eq!(result, Ok(()), "honest ends never break the protocol");
        end.take_events();
        !piece.is_empty()
    }

    fn settle(&mut self) {
        for _ in 0..MOST_ROUNDS {
            let mut has_moved = false;
            for who in 0..2 {
                has_moved |= self.transmit(who, SEGMENT);
                has_moved |= self.deliver(who, SEGMENT);
            }
            if !has_moved {
                return;
            }
        }
        unreachable!("the two ends talk for ever");
    }

    /// Everybody accepts and reads until nothing comes any more. Then nothing may be left anywhere.
    fn finish(&mut self) {
        for _ in 0..MOST_ROUNDS {
            self.settle();
            let mut has_read = false;
            for who in 0..2 {
                for index in 0..self.ends[who].handles.len() {
                    let end = &mut self.ends[who];
                    end.mux.accept(end.handles[index].id);
                    has_read |= self.read(who, index, MOST_WRITTEN).is_some_and(|count| count > 0);
                }
            }
            let is_silent = self.ends.iter().all(|end| end.inbox.is_empty() && !end.mux.has_pending());
            if !has_read && is_silent {
                return self.check_all_arrived();
            }
        }
        unreachable!("it never ends");
    }

    fn check_all_arrived(&mut self) {
        if self.is_leaving {
            return;
        }
        for (who, end) in self.ends.iter_mut().enumerate() {
            let stats = end.mux.stats();
            assert_eq!((stats.buffered_in, stats.buffered_out), (0, 0));
            assert!(!end.waits_for_credit, "nobody said that streams can be opened again");
            for handle in &end.handles {
                if end.mux.available(handle.id).is_ok() {
                    let written = self.written.get(&(handle.wire, 1 - who)).copied().unwrap_or(0);
                    assert_eq!(handle.read, written, "stream {} got stuck", handle.wire);
                }
                if end.mux.write(handle.id, &[]).is_ok() {
                    assert!(!handle.waits_to_write, "nobody said that {} takes bytes again", handle.wire);
                }
            }
        }
    }

    /// Whoever has something to read was told, and whoever has not will be.
    fn check_told(&mut self) {
        for end in &mut self.ends {
            for handle in &mut end.handles {
                match end.mux.available(handle.id) {
                    Ok(Available::Nothing) => handle.is_readable = false,
                    Ok(state) => assert!(handle.is_readable, "{state:?}, and no event"),
                    Err(_) => {}
                }
            }
        }
    }

    fn check_bounds(&self) {
        for end in &self.ends {
            let stats = end.mux.stats();
            assert!(stats.buffered_in <= MAX_BUFFERED_IN + SEGMENT);
            let held = stats.inbound_streams + stats.outbound_streams;
            assert!(stats.buffered_out <= held * (SEND_BUFFER + LONGEST_LOAN));
            assert!(stats.memory <= MAX_MEMORY, "{stats:?}");
        }
    }
}

impl End {
    fn index(&self, index: u8) -> Option<usize> {
        usize::from(index).checked_rem(self.handles.len())
    }

    fn hold(&mut self, id: StreamId) {
        let wire = self.mux.wire_id(id).expect("a new stream exists");
        self.handles.push(Handle { id, wire, read: 0, is_readable: false, waits_to_write: false });
    }

    fn take_events(&mut self) {
        for event in std::mem::take(&mut self.events) {
            match event {
                MuxEvent::Opened(id) => self.hold(id),
                MuxEvent::OpenCredit => self.waits_for_credit = false,
                MuxEvent::Readable(id) => self.with_handle(id, |handle| handle.is_readable = true),
                MuxEvent::Writable(id) => self.with_handle(id, |handle| handle.waits_to_write = false),
                _ => {}
            }
        }
    }

    fn with_handle(&mut self, id: StreamId, act: impl FnOnce(&mut Handle)) {
        if let Some(handle) = self.handles.iter_mut().find(|handle| handle.id == id) {
            act(handle);
        }
    }
}

/// What stands from `offset` on in one direction of a stream: other bytes for each.
fn content(wire: u32, writer: usize, offset: u64, length: usize) -> &'static [u8] {
    let start = (offset + u64::from(wire) * 7919 + writer as u64 * 30_011) % PERIOD;
    &CONTENT[start as usize..][..length]
}

static CONTENT: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let byte = |index: u64| (index % PERIOD).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[0];
    (0..PERIOD + MOST_WRITTEN as u64).map(byte).collect()
});

/// A prime, so that no power of two lost or doubled goes unseen.
const PERIOD: u64 = 65_521;

/// Bounds that a few operations can reach.
fn config() -> MuxConfig {
    MuxConfig {
        max_inbound_streams: 8,
        max_unaccepted_streams: 6,
        max_unacknowledged_streams: 4,
        max_stream_window: 1 << 20,
        max_buffered_in: MAX_BUFFERED_IN,
        max_buffered_out: 512 << 10,
        send_buffer: SEND_BUFFER,
        max_control_queue: 8,
        ..MuxConfig::default()
    }
}

const MAX_BUFFERED_IN: usize = 600 << 10;
const SEND_BUFFER: usize = 128 << 10;
/// Both directions, what streams still take when memory is short, and queues that are half empty.
const MAX_MEMORY: usize = 4 << 20;
/// A little over a send buffer, so that writes block.
const MOST_WRITTEN: usize = 160 << 10;
/// What a driver moves at once.
const SEGMENT: usize = 64 << 10;
/// Keeps one input under some milliseconds.
const MOST_OPERATIONS: usize = 300;
/// More than all that one input can have written needs.
const MOST_ROUNDS: usize = 20_000;
