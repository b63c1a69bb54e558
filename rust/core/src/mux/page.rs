//! The room that one call to transmit has.

/// Where frames go, and how many bytes of them still may.
#[derive(Debug)]
pub(super) struct Page<'a> {
    pub(super) out: &'a mut Vec<u8>,
    start: usize,
    end: usize,
}

impl<'a> Page<'a> {
    /// `room` bytes behind what `out` holds.
    pub(super) fn new(out: &'a mut Vec<u8>, room: usize) -> Self {
        let start = out.len();
        Self { out, start, end: start.saturating_add(room) }
    }

    pub(super) fn room(&self) -> usize {
        self.end - self.out.len()
    }

    pub(super) fn fits(&self, count: usize) -> bool {
        self.room() >= count
    }

    /// How many bytes of frames are on it.
    pub(super) fn len(&self) -> usize {
        self.out.len() - self.start
    }
}
