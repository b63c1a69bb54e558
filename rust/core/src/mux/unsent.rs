//! What was written to a stream and is not sent yet.

use std::collections::VecDeque;
use std::fmt;

use super::account::Account;
use crate::buffer::{ByteQueue, SpareBuffers};

/// Bytes of the application that nobody changes any more, so that they need not be copied to be kept.
///
/// They are no memory of ours, and a copy beside the original would cost more than keeping the original alive. How
/// many there are is bounded all the same: by [`LONGEST_LOAN`] for each stream beyond its send buffer, and with many
/// streams by one loan each.
pub struct Lent {
    owner: Box<dyn AsRef<[u8]> + Send + Sync>,
    start: usize,
    end: usize,
}

impl Lent {
    /// What `owner` has from `start` on, at most [`LONGEST_LOAN`] bytes of it.
    #[must_use]
    pub fn new(owner: impl AsRef<[u8]> + Send + Sync + 'static, start: usize) -> Self {
        let length = owner.as_ref().len();
        let start = start.min(length);
        Self { owner: Box::new(owner), start, end: length.min(start.saturating_add(LONGEST_LOAN)) }
    }

    /// The owner has more bytes, for another loan.
    fn has_more(&self) -> bool {
        self.end < (*self.owner).as_ref().len()
    }

    /// The bytes that are left.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        (*self.owner).as_ref().get(self.start..self.end).unwrap_or_default()
    }
}

/// Shows no content.
impl fmt::Debug for Lent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Lent").field("length", &self.bytes().len()).finish_non_exhaustive()
    }
}

/// The bytes of one stream in the order they were written: copies, and behind them what was lent.
///
/// Idle streams are many, so that a queue without lent bytes has one word for them.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    /// Of both: asked for with every frame.
    length: usize,
    copied: ByteQueue,
    lent: Option<Box<LentQueue>>,
}

/// What became of bytes that were offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Loan {
    pub(super) taken: usize,
    /// Their owner has more, and waits to be asked for it.
    pub(super) is_cut: bool,
}

#[derive(Debug, Default)]
struct LentQueue {
    pieces: VecDeque<Piece>,
    /// Memory of the copies among them.
    memory: usize,
}

#[derive(Debug)]
enum Piece {
    Lent(Lent),
    /// Written behind something lent.
    Copied {
        bytes: Vec<u8>,
        start: usize,
    },
}

impl Unsent {
    pub(super) const fn new() -> Self {
        Self { length: 0, copied: ByteQueue::new(), lent: None }
    }

    /// Appends a copy of `data`.
    pub(super) fn push(&mut self, spares: &mut SpareBuffers, data: &[u8]) {
        self.length += data.len();
        match &mut self.lent {
            None => spares.push(&mut self.copied, data),
            Some(lent) if !data.is_empty() => lent.push(data),
            Some(_) => {}
        }
    }

    /// Appends all of what is lent, or nothing where there is enough: so the account says, when all streams
    /// together have `queued` bytes.
    pub(super) fn lend(&mut self, data: Lent, account: &Account, queued: usize) -> Loan {
        let count = data.bytes().len();
        if !account.takes_loan(count, self.length, queued) {
            return Loan { taken: 0, is_cut: count > 0 };
        }
        let is_cut = data.has_more();
        if count > 0 {
            self.length += count;
            self.lent.get_or_insert_default().pieces.push_back(Piece::Lent(data));
        }
        Loan { taken: count, is_cut }
    }

    /// Moves the first `count` bytes, or all if there are fewer, to the end of `out`.
    pub(super) fn append_to(&mut self, out: &mut Vec<u8>, count: usize) {
        let copied = count.min(self.copied.len());
        self.copied.append_to(out, copied);
        self.length -= copied;
        let mut missing = count - copied;
        while missing > 0 && self.lent.is_some() {
            let piece = self.first(missing);
            if piece.is_empty() {
                return;
            }
            out.extend_from_slice(piece);
            let length = piece.len();
            missing -= length;
            self.consume(length);
        }
    }

    /// The first bytes, at most `limit`: as many as are in one place.
    pub(super) fn first(&self, limit: usize) -> &[u8] {
        let bytes = match &self.lent {
            Some(lent) if self.copied.is_empty() => lent.pieces.front().map_or(&[][..], Piece::bytes),
            _ => self.copied.as_slices().0,
        };
        &bytes[..bytes.len().min(limit)]
    }

    /// Forgets the first `count` bytes, or all if there are fewer.
    pub(super) fn consume(&mut self, count: usize) {
        let copied = count.min(self.copied.len());
        self.copied.consume(copied);
        self.length -= copied;
        if let Some(lent) = &mut self.lent {
            self.length -= lent.consume(count - copied);
            if lent.pieces.is_empty() {
                self.lent = None;
            }
        }
    }

    /// Gives memory that holds nothing to others.
    pub(super) fn reclaim(&mut self, spares: &mut SpareBuffers) {
        spares.reclaim(&mut self.copied);
    }

    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// How many bytes of memory of ours are held, used or not.
    pub(super) fn capacity(&self) -> usize {
        self.copied.capacity() + self.lent.as_ref().map_or(0, |lent| lent.memory)
    }
}

impl LentQueue {
    fn push(&mut self, data: &[u8]) {
        let memory = match self.pieces.back_mut() {
            Some(Piece::Copied { bytes, .. }) => {
                let before = bytes.capacity();
                bytes.extend_from_slice(data);
                bytes.capacity() - before
            }
            _ => {
                let bytes = data.to_vec();
                let memory = bytes.capacity();
                self.pieces.push_back(Piece::Copied { bytes, start: 0 });
                memory
            }
        };
        self.memory += memory;
    }

    /// Forgets the first `count` bytes, or all if there are fewer; how many.
    fn consume(&mut self, count: usize) -> usize {
        let mut left = count;
        while left > 0
            && let Some(piece) = self.pieces.front_mut()
        {
            let length = piece.bytes().len();
            if left < length {
                piece.advance(left);
                return count;
            }
            left -= length;
            self.memory -= piece.memory();
            self.pieces.pop_front();
        }
        count - left
    }
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Lent(lent) => lent.bytes(),
            Self::Copied { bytes, start } => &bytes[*start..],
        }
    }

    const fn advance(&mut self, count: usize) {
        let (Self::Lent(Lent { start, .. }) | Self::Copied { start, .. }) = self;
        *start += count;
    }

    fn memory(&self) -> usize {
        match self {
            Self::Lent(_) => 0,
            Self::Copied { bytes, .. } => bytes.capacity(),
        }
    }
}

/// Bytes of one loan at most: each wakes a writer for the next, and that much hides what it costs.
pub const LONGEST_LOAN: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limits::Budget;
    use crate::mux::MuxConfig;

    fn account() -> Account {
        Account::new(&MuxConfig::default(), Budget::unlimited())
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push(Vec<u8>),
        Lend(Vec<u8>, usize),
        Take(usize),
        Consume(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..40);
        prop_oneof![
            bytes().prop_map(Step::Push),
            (bytes(), 0..50usize).prop_map(|(bytes, start)| Step::Lend(bytes, start)),
            (0..60usize).prop_map(Step::Take),
            (0..60usize).prop_map(Step::Consume),
        ]
    }

    #[test]
    fn a_loan_has_an_end() {
        let all = vec![7; LONGEST_LOAN + 5];
        assert_eq!(Lent::new(all.clone(), 0).bytes().len(), LONGEST_LOAN);
        assert_eq!(Lent::new(all.clone(), 9).bytes().len(), LONGEST_LOAN - 4);
        assert!(Lent::new(all, usize::MAX).bytes().is_empty());
    }

    #[test]
    fn only_copies_are_memory_of_ours() {
        let (mut unsent, mut spares) = (Unsent::new(), SpareBuffers::new());
        unsent.lend(Lent::new(vec![1; 5000], 0), &account(), 0);
        assert_eq!((unsent.len(), unsent.capacity()), (5000, 0));
        unsent.push(&mut spares, b"behind it");
        assert!((9..5000).contains(&unsent.capacity()));
    }

    proptest! {
        #[test]
        fn bytes_come_out_in_the_order_they_went_in(steps in prop::collection::vec(step(), 0..60)) {
            let (mut unsent, mut spares) = (Unsent::new(), SpareBuffers::new());
            let account = account();
            let mut model = VecDeque::new();
            for step in steps {
                match step {
                    Step::Push(bytes) => {
                        unsent.push(&mut spares, &bytes);
                        model.extend(bytes);
                    }
                    Step::Lend(bytes, start) => {
                        model.extend(bytes.get(start..).unwrap_or_default());
                        unsent.lend(Lent::new(bytes, start), &account, 0);
                    }
                    Step::Take(count) => {
                        let mut out = b"before".to_vec();
                        unsent.append_to(&mut out, count);
                        let expected: Vec<u8> = model.drain(..count.min(model.len())).collect();
                        prop_assert_eq!(&out[6..], &expected);
                    }
                    Step::Consume(count) => {
                        unsent.consume(count);
                        model.drain(..count.min(model.len()));
                    }
                }
                let all: Vec<u8> = model.iter().copied().collect();
                prop_assert_eq!(unsent.len(), all.len());
                prop_assert_eq!(unsent.is_empty(), all.is_empty());
                prop_assert!(all.starts_with(unsent.first(7)));
                prop_assert!(unsent.first(7).is_empty() == all.is_empty());
            }
            unsent.consume(usize::MAX);
            unsent.reclaim(&mut spares);
            prop_assert_eq!(unsent.capacity(), 0);
        }
    }
}
