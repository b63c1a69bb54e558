//! The memory of one connection, held against its own bounds and the budget of the host.

use super::{LONGEST_LOAN, MuxConfig};
use crate::limits::Budget;

/// Counts the memory that the streams of a connection hold.
///
/// Memory, not bytes: a queue of 64 KiB that holds one byte counts as 64 KiB, or a peer could make
/// us hold far more than the bound says.
#[derive(Debug)]
pub(super) struct Account {
    budget: Budget,
    /// What the host's budget was charged for this connection.
    charged: usize,
    /// The budget refused when last asked.
    is_short: bool,
    inbound: usize,
    outbound: usize,
    /// Memory that no stream uses now.
    spare: usize,
    /// How far all receive windows together are beyond their start: promised to the peer.
    growth: usize,
    max_inbound: usize,
    max_outbound: usize,
    send_buffer: usize,
    min_send_buffer: usize,
}

impl Account {
    pub(super) fn new(config: &MuxConfig, budget: Budget) -> Self {
        Self {
            budget,
            charged: 0,
            is_short: false,
            inbound: 0,
            outbound: 0,
            spare: 0,
            growth: 0,
            max_inbound: config.max_buffered_in,
            max_outbound: config.max_buffered_out,
            send_buffer: config.send_buffer,
            min_send_buffer: config.min_send_buffer,
        }
    }

    /// The memory of a receive queue went from `before` to `after` bytes.
    pub(super) fn resize_inbound(&mut self, before: usize, after: usize) {
        self.inbound = self.inbound - before + after;
    }

    /// The memory of a send queue went from `before` to `after` bytes.
    pub(super) fn resize_outbound(&mut self, before: usize, after: usize) {
        self.outbound = self.outbound - before + after;
    }

    /// All queues together hold this much memory; for who has so few that they are simply asked.
    pub(super) fn hold(&mut self, inbound: usize, outbound: usize) {
        (self.inbound, self.outbound) = (inbound, outbound);
    }

    /// Promises `more` bytes of receive window to the peer, if the bounds allow it.
    pub(super) fn try_grow(&mut self, more: usize) -> bool {
        let Some(growth) = self.growth.checked_add(more).filter(|&sum| sum <= self.max_inbound) else {
            return false;
        };
        let before = std::mem::replace(&mut self.growth, growth);
        self.settle(self.spare);
        if self.is_short {
            self.growth = before;
            self.settle(self.spare);
            return false;
        }
        true
    }

    /// A stream whose window had grown by `less` is gone.
    pub(super) fn shrink(&mut self, less: usize) {
        self.growth -= less;
    }

    /// Brings the charge on the host's budget in line with what is held, by the streams and as
    /// `spare` memory for them. To be called once after each batch of changes.
    pub(super) fn settle(&mut self, spare: usize) {
        self.spare = spare;
        // What was promised by growing covers what then arrives, so the larger of both counts.
        let inbound = self.growth.max((self.inbound + spare).saturating_sub(FREE));
        let wanted = inbound.saturating_add(self.outbound.saturating_sub(FREE)).div_ceil(STEP) * STEP;
        if wanted > self.charged {
            self.is_short = !self.budget.try_charge(wanted - self.charged);
            if self.is_short {
                return;
            }
        } else {
            self.is_short = false;
            // One step is kept: a connection at the edge of a step would go to the budget each time.
            if wanted != 0 && self.charged - wanted <= STEP {
                return;
            }
            self.budget.release(self.charged - wanted);
        }
        self.charged = wanted;
    }

    /// The host's budget had not enough for this connection.
    pub(super) fn is_short(&self) -> bool {
        self.is_short
    }

    /// Nothing more may be received until the application has read.
    pub(super) fn is_full_inbound(&self) -> bool {
        self.inbound > self.max_inbound || (self.is_short && self.inbound > FREE)
    }

    /// What one stream takes from the application, in bytes.
    pub(super) fn send_buffer(&self) -> usize {
        let is_tight = self.is_short || self.outbound >= self.max_outbound - self.max_outbound / 4;
        if is_tight { self.min_send_buffer } else { self.send_buffer }
    }

    /// Whether a stream that has `waiting` bytes takes `count` more that are lent, when all streams together have
    /// `queued`. The fewer there are, the more of them it takes; with enough credit it always takes one.
    pub(super) fn takes_loan(&self, count: usize, waiting: usize, queued: usize) -> bool {
        if self.is_short || queued >= self.max_outbound.saturating_mul(MOST_LOANS) {
            waiting < self.min_send_buffer
        } else {
            let is_roomy = queued < self.max_outbound && waiting + count <= self.send_buffer + LONGEST_LOAN;
            waiting < self.send_buffer || is_roomy
        }
    }

    /// All memory that is held, for what was received, for what is to be sent, and spare.
    pub(super) fn memory(&self) -> usize {
        self.inbound + self.outbound + self.spare
    }

    #[cfg(debug_assertions)]
    pub(super) fn held(&self) -> (usize, usize, usize) {
        (self.inbound, self.outbound, self.growth)
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.budget.release(self.charged);
    }
}

/// Memory in each direction that a connection always has: when others have used up the host's
/// budget, one that reads promptly must still be served. One segment from the socket.
const FREE: usize = 256 << 10;

/// The budget is charged in steps of this many bytes, so that small messages do not touch the
/// counter that all connections share.
const STEP: usize = 64 << 10;

/// Bytes of the application that may wait, in bounds for copies: they cost no memory that it would not hold
/// anyway while it waits to write them, but it would write fewer of them.
const MOST_LOANS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn account(budget: &Budget) -> Account {
        let config =
            MuxConfig { max_buffered_in: 1 << 20, max_buffered_out: 1 << 20, ..MuxConfig::default() };
        Account::new(&config, budget.clone())
    }

    #[test]
    fn a_little_is_free_and_the_rest_is_charged_in_steps() {
        let budget = Budget::new(1 << 20);
        let mut account = account(&budget);
        account.resize_inbound(0, FREE);
        account.settle(0);
        assert_eq!(budget.used(), 0);
        account.resize_inbound(FREE, FREE + 1);
        account.settle(0);
        assert_eq!(budget.used(), STEP);
        account.resize_inbound(FREE + 1, 0);
        account.settle(0);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn dropping_the_account_puts_everything_back() {
        let budget = Budget::new(1 << 20);
        let mut account = account(&budget);
        account.resize_outbound(0, FREE * 2);
        assert!(account.try_grow(FREE));
        assert_eq!(budget.used(), FREE * 2);
        drop(account);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn growth_covers_what_arrives() {
        let budget = Budget::new(1 << 20);
        let mut account = account(&budget);
        assert!(account.try_grow(FREE));
        account.resize_inbound(0, FREE * 2);
        account.settle(0);
        assert_eq!(budget.used(), FREE);
    }

    #[test]
    fn growth_stops_at_the_connections_bound_and_at_the_budget() {
        let budget = Budget::new(512 << 10);
        let mut first = account(&budget);
        assert!(!first.try_grow((1 << 20) + 1));
        assert!(!first.try_grow(usize::MAX));
        assert!(first.try_grow(512 << 10));
        let mut second = account(&budget);
        assert!(!second.try_grow(STEP));
        assert!(!second.is_full_inbound(), "without bytes it is not full, however short the budget");
        first.shrink(512 << 10);
        first.settle(0);
        assert!(second.try_grow(STEP));
    }

    #[test]
    fn a_connection_without_budget_still_has_its_free_part() {
        let budget = Budget::new(0);
        let mut account = account(&budget);
        account.resize_inbound(0, FREE);
        account.settle(0);
        assert!(!account.is_full_inbound());
        account.resize_inbound(FREE, FREE * 2);
        account.settle(0);
        assert!(account.is_full_inbound() && account.send_buffer() == account.min_send_buffer);
        account.resize_inbound(FREE * 2, FREE);
        account.settle(0);
        assert!(!account.is_full_inbound() && account.send_buffer() == account.send_buffer);
    }
}
