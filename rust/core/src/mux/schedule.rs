//! Whose turn it is to send.

use std::collections::VecDeque;
use std::time::Duration;

use super::StreamId;
use crate::time::Instant;

/// The streams that have something to send: deficit round robin, in two rows.
///
/// Those that always have more stand in the row of `waiting` and have turns of equally many bytes: long ones where
/// they are over soon, since they cost less, and short ones on a slow link. Who had nothing to send until now stands
/// in `fresh` and goes first, for one short turn: a ping or a small request need not wait until each transfer beside it
/// had its turn. That is a privilege only once for all turns of the others, so nobody can hold them up with it.
///
/// Only the stream at the front of a row can be in the middle of its turn, so one counter for each does.
#[derive(Debug)]
pub(super) struct Schedule {
    fresh: VecDeque<StreamId>,
    fresh_left: usize,
    waiting: VecDeque<StreamId>,
    waiting_left: usize,
    /// How many turns of those that wait are over.
    turns: u32,
    pace: Pace,
    /// The data of one frame.
    piece: usize,
    /// When a message that fits one short turn went before others that wait.
    overtaken: Option<Instant>,
}

/// How many frames a turn has, by how long turns took.
#[derive(Debug)]
struct Pace {
    frames: u32,
    /// When that was judged last, and how many turns were over then.
    judged: Option<Instant>,
    turns: u32,
}

/// When a stream was fresh the last time, in turns of those that wait.
pub(super) type LastFresh = Option<u32>;

impl Schedule {
    /// `header` is what a frame takes besides its data, in bytes.
    pub(super) const fn new(header: usize) -> Self {
        let piece = FRAME - header;
        Self {
            fresh: VecDeque::new(),
            fresh_left: piece,
            waiting: VecDeque::new(),
            waiting_left: piece * LONG_TURN as usize,
            turns: 0,
            pace: Pace { frames: LONG_TURN, judged: None, turns: 0 },
            piece,
            overtaken: None,
        }
    }

    /// Adds a stream that is not in it. `last` is the stream's to keep.
    pub(super) fn push(&mut self, id: StreamId, last: &mut LastFresh) {
        let passed = last.map_or(usize::MAX, |last| self.turns.wrapping_sub(last) as usize);
        if passed >= self.waiting.len() {
            *last = Some(self.turns);
            self.fresh.push_back(id);
        } else {
            self.waiting.push_back(id);
        }
    }

    /// The stream whose turn it is.
    pub(super) fn front(&self) -> Option<StreamId> {
        self.fresh.front().or_else(|| self.waiting.front()).copied()
    }

    /// How many bytes the stream at the front may send now, in one frame; no bound when nobody else waits.
    pub(super) fn turn_left(&self) -> usize {
        if self.len() == 1 {
            usize::MAX
        } else if self.fresh.is_empty() {
            self.waiting_left.min(self.piece)
        } else {
            self.fresh_left
        }
    }

    /// The stream at the front has sent `count` bytes and has more: if its turn is over it goes to
    /// the end of those that wait.
    pub(super) fn spend(&mut self, count: usize, now: Instant) {
        if let Some(front) = self.fresh.front().copied() {
            self.fresh_left = self.fresh_left.saturating_sub(count);
            if self.fresh_left < SMALLEST_PIECE {
                self.fresh.pop_front();
                self.fresh_left = self.piece;
                self.waiting.push_back(front);
            }
        } else {
            self.waiting_left = self.waiting_left.saturating_sub(count);
            if self.waiting_left < SMALLEST_PIECE {
                self.waiting.rotate_left(1);
                self.end_turn(now);
            }
        }
    }

    /// The stream at the front has nothing more to send now. `is_done` unless it only waits for credit: a
    /// transfer to a slow reader is no small message.
    pub(super) fn pop(&mut self, is_done: bool, now: Instant) {
        if self.fresh.pop_front().is_some() {
            self.fresh_left = self.piece;
            if is_done && !self.waiting.is_empty() {
                self.overtaken = Some(now);
            }
        } else {
            self.waiting.pop_front();
            self.end_turn(now);
        }
    }

    /// Small messages went before large transfers just now, and more of them may come.
    pub(super) fn is_mixed(&self, now: Instant) -> bool {
        self.overtaken.is_some_and(|when| now.since(when) < MIXED)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.waiting.is_empty()
    }

    pub(super) fn shrink(&mut self) {
        self.fresh.shrink_to(SPARE_PLACES);
        self.waiting.shrink_to(SPARE_PLACES);
    }

    fn len(&self) -> usize {
        self.fresh.len() + self.waiting.len()
    }

    fn end_turn(&mut self, now: Instant) {
        self.turns = self.turns.wrapping_add(1);
        self.waiting_left = self.piece * self.pace.frames(self.turns, self.waiting.len(), now) as usize;
    }
}

impl Pace {
    /// Of the next turn, when `turns` are over and `count` streams wait.
    fn frames(&mut self, turns: u32, count: usize, now: Instant) -> u32 {
        let passed = now.since(*self.judged.get_or_insert(now));
        if passed >= JUDGED_EVERY {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            let round = passed.saturating_mul(count) / turns.wrapping_sub(self.turns).max(1);
            let frames = u128::from(self.frames) * ROUND.as_micros() / round.as_micros().max(1);
            self.frames = u32::try_from(frames).unwrap_or(u32::MAX).clamp(1, LONG_TURN);
            (self.judged, self.turns) = (Some(now), turns);
        }
        self.frames
    }
}

/// Most frames of one turn: whoever reads at the far end is woken for each turn, so long ones cost less there. Each
/// reader still holds what the turn before brought, so that longer ones fall out of the caches.
const LONG_TURN: u32 = 4;

/// How long the others' turns may take together, if turns of one frame are not longer already: on a slow link nobody
/// is to wait for a transfer beside his.
const ROUND: Duration = Duration::from_millis(100);
/// Short beside a round, and long enough for a clock of milliseconds.
const JUDGED_EVERY: Duration = Duration::from_millis(10);

/// What one stream sends in one frame while others wait, in bytes with the header: a whole number of
/// them fills a record of 16, 32 or 48 KiB.
const FRAME: usize = 16 << 10;

/// Data is not cut into pieces smaller than this only because a record or a turn ends: the
/// header and the work at the far end would cost more than the bytes.
pub(super) const SMALLEST_PIECE: usize = 512;

/// How long a connection is thought to carry small messages beside transfers after the last of them.
const MIXED: Duration = Duration::from_secs(1);

/// Places that are kept when the connection is idle.
const SPARE_PLACES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: usize = 12;
    const NOW: Instant = Instant::from_micros(0);
    const PIECE: usize = FRAME - HEADER;

    fn id(number: u64) -> StreamId {
        StreamId::from_u64(number)
    }

    /// Streams 1 to `count`, all of which have used up their short turn.
    fn busy(count: u64) -> Schedule {
        let mut schedule = Schedule::new(HEADER);
        for number in 1..=count {
            schedule.push(id(number), &mut None);
        }
        for _ in 0..count {
            schedule.spend(PIECE, NOW);
        }
        assert_eq!(schedule.front(), Some(id(1)));
        schedule
    }

    #[test]
    fn a_turn_may_be_spent_in_pieces() {
        let mut schedule = Schedule::new(HEADER);
        schedule.push(id(1), &mut None);
        assert_eq!(schedule.turn_left(), usize::MAX);
        schedule.push(id(2), &mut None);
        assert_eq!(schedule.turn_left(), PIECE);
        schedule.spend(PIECE - 1000, NOW);
        assert_eq!((schedule.front(), schedule.turn_left()), (Some(id(1)), 1000));
        schedule.spend(1000, NOW);
        assert_eq!((schedule.front(), schedule.turn_left()), (Some(id(2)), PIECE));
    }

    #[test]
    fn those_that_always_have_more_have_long_turns_of_several_frames() {
        let mut schedule = busy(3);
        for stream in [1, 2, 3, 1] {
            for _ in 0..LONG_TURN {
                assert_eq!((schedule.front(), schedule.turn_left()), (Some(id(stream)), PIECE));
                schedule.spend(PIECE, NOW);
            }
        }
    }

    /// Lets all have turns for a second, on a link of so many bytes each second.
    fn send_for_a_second(schedule: &mut Schedule, start: Instant, rate: usize) -> Instant {
        let mut now = start;
        while now.since(start) < Duration::from_secs(1) {
            let count = schedule.turn_left().min(1000);
            now = now + Duration::from_nanos((count * 1_000_000_000 / rate) as u64);
            schedule.spend(count, now);
        }
        now
    }

    #[test]
    fn turns_are_as_long_as_all_may_wait_for_them() {
        let frames = |count: u64, rate| {
            let mut schedule = busy(count);
            send_for_a_second(&mut schedule, NOW, rate);
            schedule.pace.frames
        };
        assert_eq!(frames(100, 1_000_000_000), LONG_TURN);
        // A tenth of a second has 4 MB, a turn of each 1.6 or 6.5 MB with one frame or four.
        assert_eq!(frames(100, 40_000_000), 2);
        assert_eq!(frames(1000, 60_000_000), 1, "however long all wait then");
    }

    #[test]
    fn turns_follow_the_link() {
        let mut schedule = busy(10);
        let mut now = NOW;
        for (rate, frames) in [(1_000_000_000, LONG_TURN), (1_000_000, 1), (1_000_000_000, LONG_TURN)] {
            now = send_for_a_second(&mut schedule, now, rate);
            assert_eq!(schedule.pace.frames, frames, "{rate}");
        }
    }

    #[test]
    fn a_pause_shortens_turns_for_a_moment_only() {
        let mut schedule = busy(100);
        let now = send_for_a_second(&mut schedule, NOW, 1_000_000_000) + Duration::from_secs(3600);
        schedule.spend(LONG_TURN as usize * PIECE, now);
        assert_eq!(schedule.pace.frames, 1);
        send_for_a_second(&mut schedule, now, 1_000_000_000);
        assert_eq!(schedule.pace.frames, LONG_TURN);
    }

    #[test]
    fn who_had_nothing_to_send_goes_first_and_interrupts_no_turn() {
        let mut schedule = busy(2);
        schedule.spend(PIECE, NOW);
        let mut last = None;
        schedule.push(id(9), &mut last);
        assert_eq!((schedule.front(), schedule.turn_left()), (Some(id(9)), PIECE));
        schedule.spend(100, NOW);
        schedule.pop(true, NOW);
        assert_eq!(schedule.front(), Some(id(1)));
        for _ in 1..LONG_TURN {
            schedule.spend(PIECE, NOW);
        }
        assert_eq!(schedule.front(), Some(id(2)));
        assert_eq!(last, Some(0));
    }

    #[test]
    fn who_was_fresh_waits_until_everybody_else_had_a_turn() {
        let mut schedule = busy(3);
        let mut last = None;
        schedule.push(id(9), &mut last);
        schedule.pop(true, NOW);
        for turns in 0..3 {
            // It comes back at once, and has to stand with the others.
            schedule.push(id(9), &mut last);
            assert_ne!(schedule.front(), Some(id(9)), "{turns}");
            schedule.waiting.pop_back();
            for _ in 0..LONG_TURN {
                schedule.spend(PIECE, NOW);
            }
        }
        schedule.push(id(9), &mut last);
        assert_eq!(schedule.front(), Some(id(9)));
    }

    #[test]
    fn the_next_stream_has_a_whole_turn_when_one_leaves() {
        let mut schedule = busy(3);
        schedule.spend(10_000, NOW);
        schedule.pop(true, NOW);
        assert_eq!(schedule.front(), Some(id(2)));
        for _ in 0..LONG_TURN {
            assert_eq!((schedule.front(), schedule.turn_left()), (Some(id(2)), PIECE));
            schedule.spend(PIECE, NOW);
        }
        assert_eq!(schedule.front(), Some(id(3)));
    }

    #[test]
    fn a_rest_too_small_for_a_frame_ends_the_turn() {
        let mut schedule = busy(2);
        schedule.spend(LONG_TURN as usize * PIECE - SMALLEST_PIECE + 1, NOW);
        assert_eq!(schedule.front(), Some(id(2)));
    }

    #[test]
    fn the_count_of_turns_goes_around() {
        let mut schedule = busy(2);
        schedule.turns = u32::MAX;
        let mut last = None;
        schedule.push(id(9), &mut last);
        schedule.pop(true, NOW);
        for _ in 0..2 * LONG_TURN {
            schedule.spend(PIECE, NOW);
        }
        assert_eq!(schedule.turns, 1);
        schedule.push(id(9), &mut last);
        assert_eq!(schedule.front(), Some(id(9)));
    }

    #[test]
    fn small_messages_beside_transfers_are_noticed_for_a_while() {
        let mut schedule = busy(2);
        schedule.pop(true, NOW);
        assert!(!schedule.is_mixed(NOW), "a transfer that ends is none");
        schedule.push(id(9), &mut None);
        schedule.spend(PIECE, NOW);
        assert!(!schedule.is_mixed(NOW), "nor is one that begins");
        schedule.push(id(8), &mut None);
        schedule.spend(100, NOW);
        schedule.pop(false, NOW);
        assert!(!schedule.is_mixed(NOW), "nor one that waits for credit");
        schedule.push(id(10), &mut None);
        schedule.spend(100, NOW);
        schedule.pop(true, NOW);
        assert!(schedule.is_mixed(NOW));
        assert!(schedule.is_mixed(NOW + MIXED / 2));
        assert!(!schedule.is_mixed(NOW + MIXED));

        let mut alone = Schedule::new(HEADER);
        alone.push(id(1), &mut None);
        alone.pop(true, NOW);
        assert!(!alone.is_mixed(NOW), "nobody waited");
    }
}
