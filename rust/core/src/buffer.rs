//! Queues of bytes, and the memory they leave behind.

use std::collections::VecDeque;

/// Bytes in the order they were pushed.
///
/// It holds no memory until something is pushed, and gives it away when it is empty only through
/// [`SpareBuffers::reclaim`] or [`ByteQueue::shrink`]: its owner knows whether more is to come.
#[derive(Debug, Default)]
pub struct ByteQueue {
    /// Behind a pointer, for idle streams: each has two of these.
    #[allow(clippy::box_collection)]
    bytes: Option<Box<VecDeque<u8>>>,
}

impl ByteQueue {
    /// An empty queue without memory.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: None }
    }

    /// Appends `data`.
    pub fn push(&mut self, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        let bytes = self.bytes.get_or_insert_default();
        bytes.reserve(data.len());
        for piece in data.chunks(PIECE) {
            bytes.extend(piece);
        }
    }

    /// Moves the first bytes into `into`, as many as there are and fit; returns how many.
    pub fn copy_out(&mut self, into: &mut [u8]) -> usize {
        let count = self.len().min(into.len());
        let (first, second) = self.first(count);
        copy(first, &mut into[..first.len()]);
        copy(second, &mut into[first.len()..count]);
        self.consume(count);
        count
    }

    /// Moves the first `count` bytes, or all if there are fewer, to the end of `out`.
    pub fn append_to(&mut self, out: &mut Vec<u8>, count: usize) {
        let (first, second) = self.first(count);
        out.reserve(first.len() + second.len());
        for piece in first.chunks(PIECE).chain(second.chunks(PIECE)) {
            out.extend_from_slice(piece);
        }
        self.consume(count);
    }

    /// Forgets the first `count` bytes, or all if there are fewer.
    pub fn consume(&mut self, count: usize) {
        if let Some(bytes) = &mut self.bytes {
            bytes.drain(..count.min(bytes.len()));
        }
    }

    /// Gives up memory that holds nothing.
    pub fn shrink(&mut self) {
        if self.is_empty() {
            self.bytes = None;
        } else if let Some(bytes) = &mut self.bytes {
            bytes.shrink_to_fit();
        }
    }

    /// All bytes, in two parts because the memory is a ring.
    #[must_use]
    pub fn as_slices(&self) -> (&[u8], &[u8]) {
        self.bytes.as_ref().map_or((&[], &[]), |bytes| bytes.as_slices())
    }

    /// How many bytes are queued.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.as_ref().map_or(0, |bytes| bytes.len())
    }

    /// Whether nothing is queued.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes of memory are held, used or not.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.bytes.as_ref().map_or(0, |bytes| bytes.capacity())
    }

    fn first(&self, count: usize) -> (&[u8], &[u8]) {
        let (first, second) = self.as_slices();
        let head = count.min(first.len());
        (&first[..head], &second[..(count - head).min(second.len())])
    }
}

/// Copies `from` to `into`, which has the same length, in [`PIECE`]s.
///
/// # Panics
/// The lengths differ.
pub fn copy(from: &[u8], into: &mut [u8]) {
    assert_eq!(from.len(), into.len(), "both have the same length");
    for (from, into) in from.chunks(PIECE).zip(into.chunks_mut(PIECE)) {
        into.copy_from_slice(from);
    }
}

/// Bytes copied at once. From about 4 KiB on, the C library copies with one string instruction, and
/// that falls to a tenth of its speed on some processors when the target lies a few bytes behind the
/// source modulo a page. Frames lie just there, behind their headers. Smaller copies go by vectors.
const PIECE: usize = 2 << 10;

/// Memory of queues that ran empty, for the next queue that needs some.
///
/// A stream that is read as fast as it arrives fills and empties its queue all the time. Freeing
/// the memory each time costs page faults, keeping it would make every idle stream expensive: so
/// the streams of a connection lend it to each other.
#[derive(Debug, Default)]
pub struct SpareBuffers {
    // Moved in and out as they are, pointer and all.
    #[allow(clippy::vec_box)]
    buffers: Vec<Box<VecDeque<u8>>>,
    bytes: usize,
}

impl SpareBuffers {
    /// No spare memory yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { buffers: Vec::new(), bytes: 0 }
    }

    /// Appends `data` to `queue`, on spare memory if the queue has none.
    pub fn push(&mut self, queue: &mut ByteQueue, data: &[u8]) {
        if queue.bytes.is_none()
            && let Some(buffer) = self.buffers.pop()
        {
            self.bytes -= buffer.capacity();
            queue.bytes = Some(buffer);
        }
        queue.push(data);
    }

    /// Takes the memory of `queue` if it is empty: keeps it for others, or frees it when there is
    /// enough already.
    pub fn reclaim(&mut self, queue: &mut ByteQueue) {
        if !queue.is_empty() {
            return;
        }
        let Some(buffer) = queue.bytes.take() else { return };
        if self.buffers.len() < MAX_SPARES && self.bytes + buffer.capacity() <= MAX_SPARE_BYTES {
            self.bytes += buffer.capacity();
            self.buffers.push(buffer);
        }
    }

    /// Frees all spare memory.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    /// How many bytes of memory wait for a queue.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// As many streams as are busy at once between two turns of the application; more are served by
/// the allocator.
const MAX_SPARES: usize = 16;

/// What one read of the socket fills (1 MiB), without the slack of a ring that doubles: seldom is all of
/// it one stream's that nobody reads.
const MAX_SPARE_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_in_order_across_the_ring() {
        let mut queue = ByteQueue::new();
        let mut expected = 0u8;
        let mut next = 0u8;
        for round in 1..200usize {
            let data: Vec<u8> = (0..round % 23).map(|i| next.wrapping_add(i as u8)).collect();
            next = next.wrapping_add(data.len() as u8);
            queue.push(&data);
            let mut into = vec![0; round % 19];
            let count = queue.copy_out(&mut into);
            for byte in &into[..count] {
                assert_eq!(*byte, expected);
                expected = expected.wrapping_add(1);
            }
        }
        let mut rest = Vec::new();
        let len = queue.len();
        queue.append_to(&mut rest, len + 5);
        assert_eq!(rest.len(), len);
        assert!(queue.is_empty());
        assert!(rest.iter().all(|&byte| {
            let same = byte == expected;
            expected = expected.wrapping_add(1);
            same
        }));
    }

    #[test]
    fn consuming_more_than_there_is_empties() {
        let mut queue = ByteQueue::new();
        queue.push(b"abc");
        queue.consume(2);
        assert_eq!(queue.as_slices().0, b"c");
        queue.consume(9);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_queue_holds_no_memory_until_used_and_none_after_shrinking() {
        let mut queue = ByteQueue::new();
        assert_eq!(queue.capacity(), 0);
        queue.push(&[0; 100]);
        queue.consume(100);
        assert!(queue.capacity() >= 100);
        queue.shrink();
        assert_eq!(queue.capacity(), 0);
    }

    #[test]
    fn memory_goes_from_an_empty_queue_to_the_next() {
        let mut spares = SpareBuffers::new();
        let mut first = ByteQueue::new();
        spares.push(&mut first, &[1; 5000]);
        spares.reclaim(&mut first);
        assert_eq!(first.len(), 5000, "a queue that holds something keeps it");
        first.consume(5000);
        spares.reclaim(&mut first);
        assert_eq!(first.capacity(), 0);
        let kept = spares.bytes();
        assert!(kept >= 5000);

        let mut second = ByteQueue::new();
        spares.push(&mut second, b"x");
        assert_eq!(second.capacity(), kept);
        assert_eq!(spares.bytes(), 0);
        assert_eq!(second.as_slices().0, b"x");
    }

    #[test]
    fn spare_memory_is_bounded() {
        let mut spares = SpareBuffers::new();
        for size in [600 << 10, 600 << 10, 2 << 20] {
            let mut queue = ByteQueue::new();
            queue.push(&vec![0; size]);
            queue.consume(size);
            spares.reclaim(&mut queue);
            assert_eq!(queue.capacity(), 0);
        }
        assert!(spares.bytes() <= MAX_SPARE_BYTES);
        for _ in 0..100 {
            let mut queue = ByteQueue::new();
            queue.push(b"small");
            queue.consume(5);
            spares.reclaim(&mut queue);
        }
        assert!(spares.buffers.len() <= MAX_SPARES);
        spares.clear();
        assert_eq!(spares.bytes(), 0);
    }
}
