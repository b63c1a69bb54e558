//! Limits that several connections share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A number of bytes that several owners draw from; clones draw from the same one.
///
/// A host gives one to all its connections, so that what each may hold by its own bound cannot add
/// up to more than the machine has.
#[derive(Clone, Debug)]
pub struct Budget {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    used: AtomicUsize,
    max: usize,
}

impl Budget {
    /// A budget of `max` bytes, of which nothing is used.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { shared: Arc::new(Shared { used: AtomicUsize::new(0), max }) }
    }

    /// A budget that never runs out.
    #[must_use]
    pub fn unlimited() -> Self {
        Self::new(usize::MAX)
    }

    /// Takes `bytes` out of the budget; `false`, with nothing taken, when that much is not left.
    #[must_use]
    pub fn try_charge(&self, bytes: usize) -> bool {
        // Relaxed: the counter guards no other memory, only its own sum matters.
        self.shared
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|&sum| sum <= self.shared.max)
            })
            .is_ok()
    }

    /// Puts back `bytes` that were charged before.
    pub fn release(&self, bytes: usize) {
        let before = self.shared.used.fetch_sub(bytes, Ordering::Relaxed);
        debug_assert!(before >= bytes, "more was put back than was charged");
    }

    /// How many bytes are charged now, by all owners.
    #[must_use]
    pub fn used(&self) -> usize {
        self.shared.used.load(Ordering::Relaxed)
    }

    /// The size of the whole budget in bytes.
    #[must_use]
    pub fn max(&self) -> usize {
        self.shared.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_draw_from_the_same_budget() {
        let budget = Budget::new(10);
        let other = budget.clone();
        assert!(budget.try_charge(6));
        assert!(!other.try_charge(5));
        assert!(other.try_charge(4));
        assert_eq!(budget.used(), 10);
        budget.release(6);
        assert_eq!(other.used(), 4);
    }

    #[test]
    fn a_charge_that_would_overflow_is_refused() {
        let budget = Budget::unlimited();
        assert!(budget.try_charge(usize::MAX));
        assert!(!budget.try_charge(1));
        assert_eq!(budget.used(), usize::MAX);
    }
}
