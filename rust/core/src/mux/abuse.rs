//! What a peer may do that costs us and is not forbidden, counted by the second.

use std::time::Duration;

use super::{MuxConfig, Violation};
use crate::time::Instant;

/// Counts of the second that began with the first thing counted in it.
#[derive(Debug)]
pub(super) struct Abuse {
    since: Instant,
    resets: u32,
    empty: u32,
    ignored: u32,
    after_fin: u32,
}

impl Abuse {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, resets: 0, empty: 0, ignored: 0, after_fin: 0 }
    }

    /// The peer reset a stream that it had opened.
    pub(super) fn reset(&mut self, config: &MuxConfig, now: Instant) -> Result<(), Violation> {
        self.turn_over(now);
        count(&mut self.resets, config.max_resets_per_second, Violation::TooManyResets)
    }

    /// A frame that says nothing, or a ping, which makes us say something.
    pub(super) fn empty(&mut self, config: &MuxConfig, now: Instant) -> Result<(), Violation> {
        self.turn_over(now);
        count(&mut self.empty, config.max_empty_frames_per_second, Violation::TooManyEmptyFrames)
    }

    /// A frame for a stream that does not exist.
    pub(super) fn ignored(&mut self, config: &MuxConfig, now: Instant) -> Result<(), Violation> {
        self.turn_over(now);
        count(&mut self.ignored, config.max_ignored_frames_per_second, Violation::TooManyIgnoredFrames)
    }

    /// A frame for a stream that the peer has ended.
    pub(super) fn after_fin(&mut self, config: &MuxConfig, now: Instant) -> Result<(), Violation> {
        self.turn_over(now);
        count(&mut self.after_fin, config.max_frames_after_fin_per_second, Violation::TooManyFramesAfterFin)
    }

    fn turn_over(&mut self, now: Instant) {
        if now.since(self.since) >= Duration::from_secs(1) {
            *self = Self::new(now);
        }
    }
}

fn count(counter: &mut u32, max: u32, violation: Violation) -> Result<(), Violation> {
    *counter = counter.saturating_add(1);
    if *counter > max { Err(violation) } else { Ok(()) }
}
