//! Credit: how much each end of a stream may still send.

use std::time::Duration;

use crate::time::Instant;

/// What every stream may send in each direction before any credit was given, in bytes. Fixed by
/// the protocol, whatever an implementation is configured to.
pub(super) const INITIAL_WINDOW: u32 = 256 << 10;

/// What the peer may send on one stream.
///
/// Of its size, the peer may still send `left`; the rest is either unread (its owner knows how
/// much) or was read and not given back yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReceiveWindow {
    size: u32,
    left: u32,
    /// When half of it had gone by for the last time, and what was given back since.
    halved: Instant,
    given: u32,
}

impl ReceiveWindow {
    pub(super) fn new(now: Instant) -> Self {
        Self { size: INITIAL_WINDOW, left: INITIAL_WINDOW, halved: now, given: 0 }
    }

    /// What the peer may still send, in bytes.
    pub(super) fn left(&self) -> u32 {
        self.left
    }

    /// `count` bytes arrived. The caller has checked them against [`ReceiveWindow::left`] when
    /// the frame began; should it ever be wrong, the window is empty rather than huge.
    pub(super) fn receive(&mut self, count: usize) {
        debug_assert!(count <= self.left as usize);
        self.left = self.left.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX));
    }

    /// What was read and not given back yet, when `unread` bytes wait to be read.
    pub(super) fn credit(&self, unread: usize) -> u32 {
        let held = u32::try_from(unread).unwrap_or(u32::MAX).saturating_add(self.left);
        self.size.saturating_sub(held)
    }

    /// Whether enough was read that the peer may hear of it along with others: a quarter of the window.
    pub(super) fn is_update_welcome(&self, unread: usize) -> bool {
        self.credit(unread) >= self.size / 4
    }

    /// Whether enough was read that the peer should hear of it: half of the window, so that it
    /// hears before it has to stop, and not for every few bytes.
    pub(super) fn is_update_due(&self, unread: usize) -> bool {
        self.credit(unread) >= self.size / 2
    }

    /// `credit` bytes are given back to the peer.
    pub(super) fn give(&mut self, credit: u32, now: Instant) {
        debug_assert!(credit <= self.size - self.left);
        self.left = self.left.saturating_add(credit).min(self.size);
        self.given = self.given.saturating_add(credit);
        if self.given >= self.size / 2 {
            (self.halved, self.given) = (now, 0);
        }
    }

    /// How many bytes the window should grow by when `credit` is given back `now`: it doubles, up to `max`, when
    /// half of it went by so fast that the window, not the sender or the reader, was the limit. 0 when it should
    /// stay, and always while the round trip is not known.
    pub(super) fn wanted_growth(
        &self,
        credit: u32,
        now: Instant,
        min_rtt: Option<Duration>,
        max: u32,
    ) -> u32 {
        let Some(min_rtt) = min_rtt else { return 0 };
        let is_half = self.given.saturating_add(credit) >= self.size / 2;
        if !is_half || now.since(self.halved) >= min_rtt.max(SHORTEST_RTT) * EPOCH_ROUND_TRIPS {
            return 0;
        }
        max.min(self.size.saturating_mul(2)).saturating_sub(self.size)
    }

    /// The window grows by `more` bytes, to be given as credit.
    pub(super) fn grow(&mut self, more: u32) {
        self.size = self.size.saturating_add(more);
    }

    /// How many bytes the window is larger than at its start.
    pub(super) fn growth(&self) -> usize {
        self.size.saturating_sub(INITIAL_WINDOW) as usize
    }
}

/// What we may send on one stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct SendWindow {
    left: u32,
}

impl SendWindow {
    pub(super) fn new() -> Self {
        Self { left: INITIAL_WINDOW }
    }

    /// What we may still send, in bytes.
    pub(super) fn left(self) -> usize {
        self.left as usize
    }

    /// The peer gave `credit` bytes; `false`, and nothing changed, when no window can hold that.
    #[must_use]
    pub(super) fn add(&mut self, credit: u32) -> bool {
        let sum = self.left.checked_add(credit);
        self.left = sum.unwrap_or(self.left);
        sum.is_some()
    }

    /// `count` bytes were sent, at most [`SendWindow::left`].
    pub(super) fn send(&mut self, count: usize) {
        debug_assert!(count <= self.left());
        self.left = self.left.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX));
    }
}

/// On a loopback the round trip is so short that scheduling, not the path, decides how fast half
/// a window goes by; without a floor, fast local peers would keep the smallest window.
const SHORTEST_RTT: Duration = Duration::from_micros(250);

/// A sender that is limited by its window alone needs about one round trip for each window. Four
/// leave room for a reader that is not always prompt, as go does.
const EPOCH_ROUND_TRIPS: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RTT: Duration = Duration::from_millis(10);
    const HALF: u32 = INITIAL_WINDOW / 2;

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    #[test]
    fn credit_is_what_was_read_and_not_given() {
        let mut window = ReceiveWindow::new(at(0));
        window.receive(200_000);
        assert_eq!(window.credit(200_000), 0);
        assert!(!window.is_update_welcome(140_000));
        assert_eq!(window.credit(80_000), 120_000);
        assert!(window.is_update_welcome(80_000) && !window.is_update_due(80_000));
        assert!(window.is_update_due(60_000));
        window.give(140_000, at(1));
        assert_eq!(window.left(), INITIAL_WINDOW - 60_000);
        assert_eq!(window.credit(60_000), 0);
    }

    #[test]
    fn the_window_doubles_when_half_of_it_went_by_within_four_round_trips() {
        let mut window = ReceiveWindow::new(at(0));
        assert_eq!(window.wanted_growth(HALF, at(39), Some(RTT), 16 << 20), INITIAL_WINDOW);
        assert_eq!(window.wanted_growth(HALF, at(40), Some(RTT), 16 << 20), 0);
        assert_eq!(window.wanted_growth(HALF, at(0), None, 16 << 20), 0, "the round trip is not known");
        window.grow(INITIAL_WINDOW);
        assert_eq!(window.growth(), INITIAL_WINDOW as usize);
        assert_eq!(window.credit(0), INITIAL_WINDOW);
    }

    #[test]
    fn it_takes_half_of_the_window_to_grow_in_however_many_pieces_it_is_given() {
        let mut window = ReceiveWindow::new(at(0));
        window.receive(HALF as usize);
        assert_eq!(window.wanted_growth(HALF / 2, at(1), Some(RTT), 16 << 20), 0);
        window.give(HALF / 2, at(1));
        assert_eq!(window.wanted_growth(HALF / 2, at(39), Some(RTT), 16 << 20), INITIAL_WINDOW);
        assert_eq!(window.wanted_growth(HALF / 2, at(40), Some(RTT), 16 << 20), 0, "since the first piece");
        window.give(HALF / 2, at(40));
        assert_eq!(window.wanted_growth(HALF, at(79), Some(RTT), 16 << 20), INITIAL_WINDOW);
    }

    #[test]
    fn growth_stops_at_the_maximum() {
        let mut window = ReceiveWindow::new(at(0));
        assert_eq!(window.wanted_growth(HALF, at(1), Some(RTT), 300_000), 300_000 - INITIAL_WINDOW);
        window.grow(300_000 - INITIAL_WINDOW);
        assert_eq!(window.wanted_growth(HALF, at(1), Some(RTT), 300_000), 0);
        assert_eq!(window.wanted_growth(HALF, at(1), Some(RTT), 1), 0, "a maximum below the start");
    }

    #[test]
    fn a_round_trip_too_short_to_measure_still_grows() {
        let window = ReceiveWindow::new(at(0));
        let soon = Instant::from_micros(999);
        assert_eq!(
            window.wanted_growth(HALF, soon, Some(Duration::from_micros(3)), u32::MAX),
            INITIAL_WINDOW
        );
    }

    #[test]
    fn credit_that_overflows_changes_nothing() {
        let mut window = SendWindow::new();
        assert!(!window.add(u32::MAX));
        assert_eq!(window.left(), INITIAL_WINDOW as usize);
        assert!(window.add(u32::MAX - INITIAL_WINDOW));
        assert!(!window.add(1));
    }

    proptest! {
        #[test]
        fn a_receive_window_never_promises_more_than_its_size(
            steps in proptest::collection::vec((0u8..4, any::<u32>()), 1..200),
        ) {
            let mut window = ReceiveWindow::new(at(0));
            let mut unread = 0usize;
            for (step, number) in steps {
                match step {
                    0 => {
                        let count = (number % (window.left() + 1)) as usize;
                        window.receive(count);
                        unread += count;
                    }
                    1 => unread -= number as usize % (unread + 1),
                    2 => {
                        let credit = window.credit(unread);
                        window.give(credit, at(1));
                    }
                    _ => window.grow(window.wanted_growth(HALF, at(1), Some(RTT), 16 << 20)),
                }
                let held = u64::from(window.left()) + unread as u64;
                prop_assert_eq!(held + u64::from(window.credit(unread)), u64::from(window.size));
                prop_assert!(window.size <= 16 << 20);
            }
        }
    }
}
