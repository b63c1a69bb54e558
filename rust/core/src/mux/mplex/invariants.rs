//! What must hold between any two calls, checked in debug builds.

use super::Mplex;
use super::stream::Stream;
use crate::mux::LONGEST_LOAN;

impl Mplex {
    /// Panics when the counters, queues and tables contradict each other.
    pub(super) fn assert_invariants(&self) {
        // With many streams the check would make each test quadratic; few find the same mistakes.
        if self.streams.len() > 64 {
            return;
        }
        let count =
            |condition: fn(&Stream) -> bool| self.streams.iter().filter(|&stream| condition(stream)).count();
        assert_eq!(self.streams.iter().count(), self.streams.len());
        assert_eq!(self.inbound, count(|stream| stream.wire.is_inbound));
        assert_eq!(self.unaccepted, count(|stream| !stream.is_accepted));
        assert_eq!(self.linger.waiting(), count(|stream| stream.is_released));
        assert_eq!(self.stalls.full(), count(|stream| stream.is_full));
        assert!(!self.stalls.has_full() || self.stalls.next_timeout().is_some(), "nobody ends the stall");

        let unread: usize = self.streams.iter().map(|stream| stream.unread.len()).sum();
        let unsent: usize = self.streams.iter().map(|stream| stream.unsent.len()).sum();
        assert_eq!((self.stats.buffered_in, self.stats.buffered_out), (unread, unsent));
        let inbound: usize = self.streams.iter().map(|stream| stream.unread.capacity()).sum();
        let outbound: usize = self.streams.iter().map(|stream| stream.unsent.capacity()).sum();
        assert_eq!(self.account.held(), (inbound, outbound, 0));

        for stream in self.streams.iter() {
            let bound = self.config.max_stream_unread;
            assert_eq!(stream.is_full, stream.keeps_input() && stream.unread.len() >= bound);
            assert!(stream.is_watched || !stream.is_full);
            assert!(stream.unread.is_empty() || !stream.discards);
            let most = self.config.send_buffer.max(self.config.min_send_buffer) + LONGEST_LOAN;
            assert!(stream.unsent.len() <= most);
            assert!(stream.is_scheduled || !stream.has_output(), "nobody sends it: {stream:?}");
        }
    }
}
