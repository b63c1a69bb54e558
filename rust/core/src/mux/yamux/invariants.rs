//! What must hold between any two calls, checked in debug builds.

use super::Yamux;
use crate::mux::LONGEST_LOAN;
use crate::mux::window::INITIAL_WINDOW;

impl Yamux {
    /// Panics when the counters, queues and tables contradict each other.
    pub(super) fn assert_invariants(&self) {
        // With many streams the check would make each test quadratic; few find the same mistakes.
        if self.streams.len() > 64 {
            return;
        }
        let count = |condition: fn(&super::stream::Stream) -> bool| {
            self.streams.iter().filter(|&stream| condition(stream)).count()
        };
        assert_eq!(self.streams.iter().count(), self.streams.len());
        assert_eq!(self.inbound, count(|stream| stream.is_inbound));
        assert_eq!(self.unaccepted, count(|stream| !stream.is_accepted));
        assert_eq!(self.linger.waiting(), count(|stream| stream.is_released));
        assert_eq!(self.unacknowledged, count(|stream| stream.handshake.is_unacknowledged()));
        assert_eq!(0, count(|stream| stream.handshake.is_unacknowledged() && stream.state.is_over()));

        let unread: usize = self.streams.iter().map(|stream| stream.unread.len()).sum();
        let unsent: usize = self.streams.iter().map(|stream| stream.unsent.len()).sum();
        assert_eq!((self.stats.buffered_in, self.stats.buffered_out), (unread, unsent));
        let inbound: usize = self.streams.iter().map(|stream| stream.unread.capacity()).sum();
        let outbound: usize = self.streams.iter().map(|stream| stream.unsent.capacity()).sum();
        let growth: usize = self.streams.iter().map(|stream| stream.receive_window.growth()).sum();
        assert_eq!(self.account.held(), (inbound, outbound, growth));

        for stream in self.streams.iter() {
            let promised = stream.receive_window.left() as usize + stream.unread.len();
            assert!(promised <= INITIAL_WINDOW as usize + stream.receive_window.growth());
            assert!(stream.unread.is_empty() || !stream.discards);
            let most = self.config.send_buffer.max(self.config.min_send_buffer) + LONGEST_LOAN;
            assert!(stream.unsent.len() <= most);
            let has_data = stream.state.can_send() && stream.sendable() > 0;
            assert!(stream.is_scheduled || !(has_data || stream.is_fin_due()), "nobody sends it: {stream:?}");
            assert!(stream.is_announced || stream.is_scheduled || !stream.owes_flag());
            let waits = stream.is_announced && stream.is_update_due();
            assert!(self.is_hurried || !waits, "its credit is not sent: {stream:?}");
        }
    }
}
