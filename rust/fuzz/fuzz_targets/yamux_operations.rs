//! Two honest multiplexers and two applications that call anything in any order.
//!
//! What is read is a prefix of what was written; nobody breaks the protocol; memory stays within the
//! bounds; and once everybody reads, everything that was written arrives.

#![no_main]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use plait_core::limits::Budget;
use plait_core::mux::yamux::Yamux;
use plait_core::mux::{Available, MuxConfig, MuxEvent, Role, StreamId};
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
}

/// What the application knows of a stream that it holds.
#[derive(Clone, Copy)]
struct Handle {
    id: StreamId,
    wire: u32,
    read: u64,
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
        };
        Self { ends: [end(Role::Client), end(Role::Server)], now, written: HashMap::new(), is_leaving: false }
    }

    fn apply(&mut self, operation: &Operation) {
        let who = usize::from(!operation.is_client);
        let now = self.now;
        let end = &mut self.ends[who];
        match operation.action {
            Action::Open => {
                if let Ok(Some(id)) = end.mux.open(now) {
                    end.hold(id);
                }
            }
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
        let Handle { id, wire, .. } = end.handles[index];
        let written = self.written.entry((wire, who)).or_default();
        let data: Vec<u8> = (*written..).take(length).map(|offset| content(wire, who, offset)).collect();
        *written += end.mux.write(id, &data).unwrap_or(0) as u64;
    }

    /// Reads and compares; how much came, or `None` when the stream can give nothing more.
    fn read(&mut self, who: usize, index: usize, most: usize) -> Option<usize> {
        let end = &mut self.ends[who];
        let handle = &mut end.handles[index];
        let mut data = vec![0; most];
        let count = end.mux.read(handle.id, &mut data).ok()?;
        let writer = 1 - who;
        for (offset, byte) in (handle.read..).zip(&data[..count]) {
            assert_eq!(*byte, content(handle.wire, writer, offset), "at {offset}");
        }
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

    fn check_all_arrived(&self) {
        if self.is_leaving {
            return;
        }
        for (who, end) in self.ends.iter().enumerate() {
            let stats = end.mux.stats();
            assert_eq!((stats.buffered_in, stats.buffered_out), (0, 0));
            for handle in &end.handles {
                if end.mux.available(handle.id).is_ok() {
                    let written = self.written.get(&(handle.wire, 1 - who)).copied().unwrap_or(0);
                    assert_eq!(handle.read, written, "stream {} got stuck", handle.wire);
                }
            }
        }
    }

    fn check_bounds(&self) {
        for end in &self.ends {
            let stats = end.mux.stats();
            assert!(stats.buffered_in <= MAX_BUFFERED_IN + SEGMENT);
            let held = stats.inbound_streams + stats.outbound_streams;
            assert!(stats.buffered_out <= held * SEND_BUFFER);
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
        self.handles.push(Handle { id, wire, read: 0 });
    }

    fn take_events(&mut self) {
        for event in std::mem::take(&mut self.events) {
            if let MuxEvent::Opened(id) = event {
                self.hold(id);
            }
        }
    }
}

/// Tells streams, directions and places apart.
fn content(wire: u32, writer: usize, offset: u64) -> u8 {
    (u64::from(wire) * 37 + writer as u64 * 101 + offset + (offset >> 8) * 3 + (offset >> 16) * 7) as u8
}

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
