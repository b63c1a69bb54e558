//! Where streams are kept, and how they are found.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use super::StreamId;

/// The streams by their local name, and those that are alive on the wire also by their wire id.
///
/// The two lives differ: a stream that both ends have closed is gone from the wire, and the peer
/// may use its id again, while the application still reads what was received.
#[derive(Debug)]
pub(super) struct Table<S: Named> {
    /// Never moved: to grow by moving thousands of streams would leave holes of that size in the memory.
    pages: Vec<Box<[Option<S>; PAGE]>>,
    /// Slots that ever had a stream.
    used: u32,
    free: Vec<u32>,
    by_wire: HashMap<S::Wire, u32, BuildHasherDefault<WireHasher>>,
    /// The upper half of the next name, so that a slot never has the same name twice.
    next_serial: u32,
}

/// A stream of some multiplexer, with its two names.
pub(super) trait Named {
    /// What the peer calls a stream.
    type Wire: Copy + Eq + Hash;

    fn id(&self) -> StreamId;
    /// Only the table gives local names.
    fn set_id(&mut self, id: StreamId);
    fn wire(&self) -> Self::Wire;
}

impl<S: Named> Default for Table<S> {
    fn default() -> Self {
        Self { pages: Vec::new(), used: 0, free: Vec::new(), by_wire: HashMap::default(), next_serial: 0 }
    }
}

impl<S: Named> Table<S> {
    /// Keeps `stream` under a new name, not yet to be found by its wire id.
    pub(super) fn insert(&mut self, mut stream: S) -> StreamId {
        let slot = self.free.pop().unwrap_or_else(|| {
            if self.used as usize == self.pages.len() * PAGE {
                self.pages.push(Box::new([const { None }; PAGE]));
            }
            self.used += 1;
            self.used - 1
        });
        let id = StreamId::from_u64(u64::from(self.next_serial) << 32 | u64::from(slot));
        self.next_serial = self.next_serial.wrapping_add(1);
        stream.set_id(id);
        self.pages[slot as usize / PAGE][slot as usize % PAGE] = Some(stream);
        id
    }

    /// Takes a stream out of the table, and off the wire.
    pub(super) fn remove(&mut self, id: StreamId) -> Option<S> {
        self.get(id)?;
        self.unbind(id);
        self.free.push(slot(id));
        self.slot_mut(slot(id))?.take()
    }

    /// From now on the stream is found by its wire id.
    pub(super) fn bind(&mut self, id: StreamId) {
        if let Some(stream) = self.get(id) {
            self.by_wire.insert(stream.wire(), slot(id));
        }
    }

    /// The stream's wire id is free again.
    pub(super) fn unbind(&mut self, id: StreamId) {
        let Some(stream) = self.get(id) else { return };
        let wire = stream.wire();
        // The id may already stand for the peer's next stream.
        if self.by_wire.get(&wire) == Some(&slot(id)) {
            self.by_wire.remove(&wire);
        }
    }

    pub(super) fn get(&self, id: StreamId) -> Option<&S> {
        let slot = slot(id) as usize;
        self.pages.get(slot / PAGE)?[slot % PAGE].as_ref().filter(|stream| stream.id() == id)
    }

    pub(super) fn get_mut(&mut self, id: StreamId) -> Option<&mut S> {
        self.slot_mut(slot(id))?.as_mut().filter(|stream| stream.id() == id)
    }

    /// The stream that `wire` stands for now.
    pub(super) fn on_wire(&mut self, wire: S::Wire) -> Option<&mut S> {
        let slot = *self.by_wire.get(&wire)?;
        self.slot_mut(slot)?.as_mut()
    }

    pub(super) fn is_on_wire(&self, wire: S::Wire) -> bool {
        self.by_wire.contains_key(&wire)
    }

    pub(super) fn len(&self) -> usize {
        self.used as usize - self.free.len()
    }

    /// Gives memory back after a time with many more streams.
    pub(super) fn shrink(&mut self) {
        if self.len() == 0 {
            self.pages = Vec::new();
            self.used = 0;
            self.free = Vec::new();
        }
        if self.by_wire.capacity() > 4 * self.by_wire.len() {
            self.by_wire.shrink_to_fit();
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &S> {
        self.pages.iter().flat_map(|page| page.iter()).flatten()
    }

    fn slot_mut(&mut self, slot: u32) -> Option<&mut Option<S>> {
        Some(&mut self.pages.get_mut(slot as usize / PAGE)?[slot as usize % PAGE])
    }
}

/// Streams that get their memory together: few, since most connections have few streams.
const PAGE: usize = 4;

fn slot(id: StreamId) -> u32 {
    // The lower half of the name.
    (id.as_u64() & u64::from(u32::MAX)) as u32
}

/// Spreads ids that follow each other by a multiplication.
///
/// The peer can choose ids that collide; with the bound on its streams that costs it more than us,
/// so a keyed hash would only be slower.
#[derive(Clone, Copy, Debug, Default)]
struct WireHasher(u64);

impl Hasher for WireHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u32(u32::from(byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        // The golden ratio in 64 bits: its multiples spread evenly. The table takes its place from
        // the low bits and its tag from the high ones, so the well-mixed high half goes to both.
        let mixed = (self.0 ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = mixed ^ (mixed >> 32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Stream {
        id: StreamId,
        wire: u32,
    }

    impl Named for Stream {
        type Wire = u32;

        fn id(&self) -> StreamId {
            self.id
        }

        fn set_id(&mut self, id: StreamId) {
            self.id = id;
        }

        fn wire(&self) -> u32 {
            self.wire
        }
    }

    fn stream(wire: u32) -> Stream {
        Stream { id: StreamId::from_u64(0), wire }
    }

    #[test]
    fn a_name_is_never_given_twice() {
        let mut table = Table::<Stream>::default();
        let first = table.insert(stream(1));
        assert!(table.remove(first).is_some());
        let second = table.insert(stream(1));
        assert_ne!(first, second);
        assert!(table.get(first).is_none() && table.get_mut(first).is_none());
        assert!(table.remove(first).is_none());
        assert_eq!(table.get(second).map(|stream| stream.wire), Some(1));
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn a_wire_id_is_found_only_while_it_is_bound() {
        let mut table = Table::<Stream>::default();
        let old = table.insert(stream(1));
        assert!(!table.is_on_wire(1));
        table.bind(old);
        assert_eq!(table.on_wire(1).map(|stream| stream.id), Some(old));
        table.unbind(old);
        assert!(table.on_wire(1).is_none());

        let new = table.insert(stream(1));
        table.bind(new);
        assert!(table.remove(old).is_some());
        assert_eq!(table.on_wire(1).map(|stream| stream.id), Some(new), "the old one took it along");
    }

    #[test]
    fn numbers_that_were_never_names_find_nothing() {
        let mut table = Table::<Stream>::default();
        let id = table.insert(stream(1));
        for number in [id.as_u64() + 1, u64::MAX, id.as_u64() | 1 << 32] {
            assert!(table.get(StreamId::from_u64(number)).is_none());
        }
    }

    #[test]
    fn memory_goes_when_the_streams_are_gone() {
        let mut table = Table::<Stream>::default();
        let ids: Vec<_> = (0..1000).map(|wire| table.insert(stream(wire))).collect();
        ids.iter().for_each(|&id| table.bind(id));
        ids.iter().for_each(|&id| assert!(table.remove(id).is_some()));
        table.shrink();
        assert_eq!((table.pages.capacity(), table.free.capacity(), table.by_wire.capacity()), (0, 0, 0));
        let next = table.insert(stream(1));
        assert!(!ids.contains(&next));
    }
}
