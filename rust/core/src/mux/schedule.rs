//! Whose turn it is to send.

use std::collections::VecDeque;

use super::StreamId;

/// The streams that have something to send, each with a turn of equally many bytes: deficit round
/// robin. Only the stream at the front can be in the middle of its turn, so one counter does for
/// all of them.
#[derive(Debug)]
pub(super) struct Schedule {
    streams: VecDeque<StreamId>,
    turn: usize,
    turn_left: usize,
}

impl Schedule {
    /// `header` is what a frame takes besides its data, in bytes.
    pub(super) const fn new(header: usize) -> Self {
        let turn = FRAME - header;
        Self { streams: VecDeque::new(), turn, turn_left: turn }
    }

    /// Adds a stream that is not in it, at the end.
    pub(super) fn push(&mut self, id: StreamId) {
        self.streams.push_back(id);
    }

    /// The stream whose turn it is.
    pub(super) fn front(&self) -> Option<StreamId> {
        self.streams.front().copied()
    }

    /// How many bytes the stream at the front may still send in this turn; no bound when nobody
    /// else waits.
    pub(super) fn turn_left(&self) -> usize {
        if self.streams.len() == 1 { usize::MAX } else { self.turn_left }
    }

    /// The stream at the front has sent `count` bytes and has more: if its turn is over it goes to
    /// the end.
    pub(super) fn spend(&mut self, count: usize) {
        self.turn_left = self.turn_left.saturating_sub(count);
        if self.turn_left < SMALLEST_PIECE {
            self.streams.rotate_left(1);
            self.turn_left = self.turn;
        }
    }

    /// The stream at the front has nothing more to send.
    pub(super) fn pop(&mut self) {
        self.streams.pop_front();
        self.turn_left = self.turn;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    pub(super) fn shrink(&mut self) {
        self.streams.shrink_to(SPARE_PLACES);
    }
}

/// What one stream sends before the next one has its turn, in bytes with the header: a whole number
/// of them fills a record of 16, 32 or 48 KiB.
const FRAME: usize = 16 << 10;

/// Data is not cut into pieces smaller than this only because a record or a turn ends: the
/// header and the work at the far end would cost more than the bytes.
pub(super) const SMALLEST_PIECE: usize = 512;

/// Places that are kept when the connection is idle.
const SPARE_PLACES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: usize = 12;
    const TURN: usize = FRAME - HEADER;

    fn id(number: u64) -> StreamId {
        StreamId::from_u64(number)
    }

    #[test]
    fn a_turn_may_be_spent_in_pieces() {
        let mut schedule = Schedule::new(HEADER);
        schedule.push(id(1));
        assert_eq!(schedule.turn_left(), usize::MAX);
        schedule.push(id(2));
        assert_eq!(schedule.turn_left(), TURN);
        schedule.spend(TURN - 1000);
        assert_eq!((schedule.front(), schedule.turn_left()), (Some(id(1)), 1000));
        schedule.spend(1000);
        assert_eq!((schedule.front(), schedule.turn_left()), (Some(id(2)), TURN));
    }

    #[test]
    fn the_next_stream_has_a_whole_turn_when_one_leaves() {
        let mut schedule = Schedule::new(HEADER);
        for number in 1..=3 {
            schedule.push(id(number));
        }
        schedule.spend(10_000);
        schedule.pop();
        assert_eq!((schedule.front(), schedule.turn_left()), (Some(id(2)), TURN));
    }

    #[test]
    fn a_rest_too_small_for_a_frame_ends_the_turn() {
        let mut schedule = Schedule::new(HEADER);
        schedule.push(id(1));
        schedule.push(id(2));
        schedule.spend(TURN - SMALLEST_PIECE + 1);
        assert_eq!(schedule.front(), Some(id(2)));
    }
}
