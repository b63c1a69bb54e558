//! What has arrived for a stream and is not read yet.

use std::collections::VecDeque;

use super::StreamId;
use crate::buffer::{self, ByteQueue, SpareBuffers};

/// The bytes of one stream in the order in which they came: copies, and behind them places in the [`Segment`].
///
/// Idle streams are many, so that a queue without places has one word for them.
#[derive(Debug, Default)]
pub(super) struct Unread {
    copied: ByteQueue,
    placed: Option<Box<Placed>>,
}

#[derive(Debug, Default)]
struct Placed {
    places: VecDeque<Place>,
    length: usize,
}

/// Some bytes of a segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    start: usize,
    end: usize,
}

impl Unread {
    pub(super) const fn new() -> Self {
        Self { copied: ByteQueue::new(), placed: None }
    }

    /// Appends a copy. Only while there are no places: those are behind all copies.
    pub(super) fn push(&mut self, spares: &mut SpareBuffers, data: &[u8]) {
        debug_assert!(self.placed.is_none(), "copies go before places");
        spares.push(&mut self.copied, data);
    }

    /// Appends bytes that stay where they are.
    pub(super) fn place(&mut self, place: Place) {
        let placed = self.placed.get_or_insert_default();
        placed.length += place.end - place.start;
        placed.places.push_back(place);
    }

    pub(super) fn has_places(&self) -> bool {
        self.placed.is_some()
    }

    /// Moves the first bytes into `into`, as many as there are and fit; returns how many.
    pub(super) fn copy_out(&mut self, segment: &Segment, into: &mut [u8]) -> usize {
        let first = self.copied.copy_out(into);
        let Some(placed) = &self.placed else { return first };
        let mut count = first;
        for &place in &placed.places {
            let bytes = segment.bytes(place);
            let length = bytes.len().min(into.len() - count);
            buffer::copy(&bytes[..length], &mut into[count..count + length]);
            count += length;
        }
        self.consume_places(count - first);
        count
    }

    /// Forgets the first `count` bytes, or all if there are fewer.
    pub(super) fn consume(&mut self, count: usize) {
        let copied = count.min(self.copied.len());
        self.copied.consume(copied);
        self.consume_places(count - copied);
    }

    fn consume_places(&mut self, mut count: usize) {
        let Some(placed) = &mut self.placed else { return };
        placed.length = placed.length.saturating_sub(count);
        if placed.length == 0 {
            self.placed = None;
            return;
        }
        while let Some(place) = placed.places.front_mut() {
            if place.end - place.start > count {
                place.start += count;
                return;
            }
            count -= place.end - place.start;
            placed.places.pop_front();
        }
    }

    /// Copies what has only a place, since the segment goes.
    pub(super) fn leave(&mut self, segment: &Segment, spares: &mut SpareBuffers) {
        for place in self.placed.take().into_iter().flat_map(|placed| placed.places) {
            spares.push(&mut self.copied, segment.bytes(place));
        }
    }

    /// Memory that holds nothing goes to others.
    pub(super) fn reclaim(&mut self, spares: &mut SpareBuffers) {
        spares.reclaim(&mut self.copied);
    }

    /// The first bytes, in two parts; not all of them when there are places.
    pub(super) fn as_slices<'a>(&'a self, segment: &'a Segment) -> (&'a [u8], &'a [u8]) {
        match &self.placed {
            Some(placed) if self.copied.is_empty() => {
                (placed.places.front().map_or(&[], |&place| segment.bytes(place)), &[])
            }
            _ => self.copied.as_slices(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.copied.len() + self.placed.as_ref().map_or(0, |placed| placed.length)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes of memory of its own it holds, used or not.
    pub(super) fn capacity(&self) -> usize {
        self.copied.capacity()
    }
}

/// What was read from the socket at once. It stays until the end of the turn, so that who waits for many bytes gets
/// them from where they were decrypted.
#[derive(Debug, Default)]
pub(super) struct Segment {
    bytes: Vec<u8>,
    /// How many of them were received.
    length: usize,
    /// Where the bytes that are being received lie, and how many they are: those of the segment, which is not here
    /// before they are through.
    receiving: Option<(usize, usize)>,
    /// What came with them from elsewhere: the end of a record that had begun before, decrypted where its beginning
    /// was kept. Its places lie behind those of the segment.
    others: Vec<u8>,
    /// Streams that have places.
    users: Vec<StreamId>,
}

impl Segment {
    /// What is received until [`Segment::hold`] lies in `bytes`.
    pub(super) fn begin(&mut self, bytes: &[u8]) {
        debug_assert!(!self.is_held(), "one segment at a time");
        self.receiving = Some((bytes.as_ptr().addr(), bytes.len()));
    }

    pub(super) fn is_receiving(&self) -> bool {
        self.receiving.is_some()
    }

    /// Where to find bytes that are received now, from [`Segment::hold`] on.
    pub(super) fn place(&mut self, data: &[u8]) -> Place {
        // What is received beside a segment goes behind it.
        let (base, length) = self.receiving.unwrap_or((usize::MAX, self.length));
        if let Some(start) = data.as_ptr().addr().checked_sub(base)
            && start + data.len() <= length
        {
            return Place { start, end: start + data.len() };
        }
        let start = length + self.others.len();
        self.others.extend_from_slice(data);
        Place { start, end: start + data.len() }
    }

    /// The stream has its first place.
    pub(super) fn add_user(&mut self, id: StreamId) {
        self.users.push(id);
    }

    /// Everything is received: keeps the bytes, or gives them back when nobody has a place.
    pub(super) fn hold(&mut self, bytes: Vec<u8>) -> Option<Vec<u8>> {
        match self.receiving.take() {
            Some((_, length)) if self.is_held() => {
                (self.bytes, self.length) = (bytes, length);
                None
            }
            _ => Some(bytes),
        }
    }

    /// Some of it may still be read.
    pub(super) fn is_held(&self) -> bool {
        !self.users.is_empty()
    }

    /// Who has places: nobody any more.
    pub(super) fn take_users(&mut self) -> Vec<StreamId> {
        std::mem::take(&mut self.users)
    }

    /// The memory, once nobody has places any more.
    pub(super) fn take_bytes(&mut self) -> Vec<u8> {
        self.others = Vec::new();
        std::mem::take(&mut self.bytes)
    }

    fn bytes(&self, place: Place) -> &[u8] {
        let (bytes, before) =
            if place.start < self.length { (&self.bytes, 0) } else { (&self.others, self.length) };
        let bytes = bytes.get(place.start - before..place.end - before);
        debug_assert!(bytes.is_some(), "read before the segment is here");
        bytes.unwrap_or_default()
    }
}

/// Bytes from which on a read or a reader counts as large: below, a copy costs less than what saves it.
pub const LEAST_SEGMENT: usize = 32 << 10;
