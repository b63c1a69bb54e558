//! Streams that hold the connection up, because nobody reads them.

use std::collections::VecDeque;

use super::Foreign;
use crate::mux::state::Input;
use crate::mux::{MuxEvent, StreamId};
use crate::time::Instant;

/// Who is watched until when, in the order of the looks at them, and how many streams are full.
#[derive(Debug, Default)]
pub(super) struct Stalls {
    watched: VecDeque<(Instant, StreamId)>,
    full: usize,
}

impl Stalls {
    pub(super) fn has_full(&self) -> bool {
        self.full > 0
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.watched.front().map(|&(look, _)| look)
    }
}

impl Foreign {
    /// Brings the number of full streams in line with this one, after it was filled, read or ended.
    pub(super) fn recount_full(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        let is_full = stream.keeps_input() && stream.unread.len() >= self.config.max_stream_unread;
        if is_full != std::mem::replace(&mut stream.is_full, is_full) {
            if is_full {
                self.stalls.full += 1;
            } else {
                self.stalls.full -= 1;
            }
        }
    }

    /// Lets the stream be looked at when the time for a stall is up.
    pub(super) fn watch(&mut self, id: StreamId, now: Instant) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        if stream.progress.is_none() {
            stream.progress = Some(0);
            self.stalls.watched.push_back((now + self.config.stall_timeout, id));
        }
    }

    /// When all streams together hold too much, the one that holds most is the one to watch.
    pub(super) fn watch_largest(&mut self, now: Instant) {
        if !self.account.is_full_inbound() || !self.stalls.watched.is_empty() {
            return;
        }
        let largest = self.streams.iter().max_by_key(|stream| stream.unread.capacity());
        if let Some(id) = largest.map(|stream| stream.id) {
            self.watch(id, now);
        }
    }

    /// Looks at the streams whose time is up.
    pub(super) fn end_stalls(&mut self, now: Instant, events: &mut Vec<MuxEvent>) {
        while let Some(&(look, id)) = self.stalls.watched.front() {
            if now < look {
                break;
            }
            self.stalls.watched.pop_front();
            let is_crowded = self.account.is_full_inbound();
            let Some(stream) = self.streams.get_mut(id) else { continue };
            let progress = stream.progress.take().unwrap_or(0);
            let holds_up = stream.is_full || (is_crowded && !stream.unread.is_empty());
            if !holds_up {
                continue;
            }
            if progress < LEAST_PROGRESS {
                self.give_up(id, events);
            } else {
                self.watch(id, now);
            }
        }
    }

    /// Resets a stream that the application has not released, and says so to both ends.
    fn give_up(&mut self, id: StreamId, events: &mut Vec<MuxEvent>) {
        self.answer_reset(id, 0);
        let Some(stream) = self.streams.get_mut(id) else { return };
        stream.state = stream.state.after(Input::GivenUp);
        stream.is_write_blocked = false;
        self.streams.unbind(id);
        self.forget_unread(id);
        self.forget_unsent(id);
        self.stats.streams_given_up += 1;
        events.push(MuxEvent::Reset { id, code: 0 });
    }
}

/// What has to be read of a stream in the time for a stall, in bytes: one small frame. With less, a
/// reader that takes a byte now and then could hold up all others for ever.
const LEAST_PROGRESS: usize = 16 << 10;
