//! Streams that the application has released and the peer has not ended.

use std::collections::VecDeque;
use std::time::Duration;

use super::StreamId;
use crate::time::Instant;

/// Who waits until when. All wait equally long, so the order of arrival is the order of deadlines.
///
/// Most streams end long before their deadline; their entries are dropped when they get in the
/// way, not when they end.
#[derive(Debug, Default)]
pub(super) struct Linger {
    entries: VecDeque<(Instant, StreamId)>,
    /// How many entries stand for a stream that still waits.
    waiting: usize,
}

impl Linger {
    /// `id` waits until `deadline`; `waits` tells of any other entry whether its stream still does.
    pub(super) fn push(&mut self, deadline: Instant, id: StreamId, waits: impl Fn(StreamId) -> bool) {
        while self.entries.front().is_some_and(|&(_, first)| !waits(first)) {
            self.entries.pop_front();
        }
        if self.entries.len() > 2 * self.waiting + SLACK {
            self.entries.retain(|&(_, other)| waits(other));
        }
        self.entries.push_back((round_up(deadline), id));
        self.waiting += 1;
    }

    /// The next stream whose deadline has passed. It does not wait any more, unless it ended long
    /// ago: then [`Linger::ended`] was called for it.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<StreamId> {
        let &(deadline, id) = self.entries.front()?;
        if now < deadline {
            return None;
        }
        self.entries.pop_front();
        Some(id)
    }

    /// A stream that waited does not any more.
    pub(super) fn ended(&mut self) {
        debug_assert!(self.waiting > 0);
        self.waiting = self.waiting.saturating_sub(1);
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.entries.front().map(|&(deadline, _)| deadline)
    }

    pub(super) fn shrink(&mut self) {
        self.entries.shrink_to(SLACK);
    }

    #[cfg(debug_assertions)]
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }
}

/// Deadlines are rounded up to whole seconds: with thousands of streams a second, one timer for
/// each would be a storm of timers a linger time later.
fn round_up(deadline: Instant) -> Instant {
    let second = Duration::from_secs(1).as_micros() as u64;
    Instant::from_micros(deadline.as_micros().div_ceil(second).saturating_mul(second))
}

/// Entries that are not worth a look at all of them.
const SLACK: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    fn id(number: u64) -> StreamId {
        StreamId::from_u64(number)
    }

    #[test]
    fn deadlines_come_due_in_order_and_never_early() {
        let mut linger = Linger::default();
        linger.push(at(1), id(1), |_| true);
        linger.push(at(900), id(2), |_| true);
        linger.push(at(1001), id(3), |_| true);
        assert_eq!(linger.next_timeout(), Some(at(1000)));
        assert_eq!(linger.pop_due(at(999)), None);
        assert_eq!(linger.pop_due(at(1000)), Some(id(1)));
        assert_eq!(linger.pop_due(at(1000)), Some(id(2)));
        assert_eq!(linger.pop_due(at(1000)), None);
        assert_eq!(linger.next_timeout(), Some(at(2000)));
    }

    #[test]
    fn streams_that_ended_leave_no_entries_behind() {
        let mut linger = Linger::default();
        linger.push(at(0), id(0), |_| true);
        for number in 1..10_000 {
            linger.push(at(number), id(number), |other| other == id(0));
            linger.ended();
        }
        assert!(linger.entries.len() <= 2 * SLACK, "{}", linger.entries.len());
        assert_eq!(linger.pop_due(at(60_000)), Some(id(0)));
    }
}
