//! What a multiplexer may use.

use std::time::Duration;

/// The bounds of one multiplexed connection, each with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MuxConfig {
    /// Streams opened by the peer that may exist at once; further ones are reset. Twice what
    /// rust-libp2p allows, as many as js does: nobody sends more on purpose.
    pub max_inbound_streams: usize,
    /// Streams opened by the peer that the application has not accepted yet; further ones are
    /// reset. go and rust stop opening at 256 unacknowledged streams, so a good peer never meets it.
    pub max_unaccepted_streams: usize,
    /// Our own streams that the peer has not acknowledged yet. go and rust keep 256 for us; with
    /// more they would drop some.
    pub max_unacknowledged_streams: usize,
    /// The largest receive window of one stream, in bytes. 16 MiB fill 1 Gbit/s at 130 ms, and
    /// it is where go and js stop as well.
    pub max_stream_window: u32,
    /// Where the wire has no credit: bytes of one stream that nobody has read yet. Over it the driver
    /// stops reading the socket. The largest message of mplex, and four segments from the socket,
    /// so that a reader which is only a turn late stops nobody.
    pub max_stream_unread: usize,
    /// How long a stream of mplex may hold up its connection before it is reset. As go does.
    pub stall_timeout: Duration,
    /// Memory for received bytes that nobody has read yet, and window growth, of the connection, in
    /// bytes. Over it the driver stops reading the socket. 64 MiB = 256 streams full to the first window.
    pub max_buffered_in: usize,
    /// Memory for bytes that the application wrote and the peer has not taken, of the connection, in
    /// bytes. Near it each stream takes only [`MuxConfig::min_send_buffer`]. As much as for receiving.
    pub max_buffered_out: usize,
    /// What one stream takes from the application before it says that it is full, in bytes: the
    /// first window of the peer, so that one write can fill it.
    pub send_buffer: usize,
    /// What one stream still takes when the memory for sending is short, in bytes: one full frame
    /// of data, so that every stream goes on, only slower.
    pub min_send_buffer: usize,
    /// Time between two pings. 30 s is what go and js do, and below the idle timeout of most NATs.
    pub keepalive_interval: Duration,
    /// How long a ping may stay unanswered, with nothing else received, before the peer counts as
    /// lost. As go does.
    pub keepalive_timeout: Duration,
    /// How long a stream that the application has released waits for the peer's end before it is
    /// reset. Long enough for a slow peer to finish, short enough that none piles up.
    pub linger: Duration,
    /// Answers (pongs, resets) that may wait to be sent before the driver has to stop reading: a
    /// peer that asks and does not read its answers gets no more. 12 KiB of memory.
    pub max_control_queue: usize,
    /// Peer's streams that it may reset itself within a second. A whole full house may be cancelled
    /// at once; more than that is the "rapid reset" attack.
    pub max_resets_per_second: u32,
    /// Frames that say nothing (pings, unexpected pongs, empty data, empty credit) within a second.
    /// Honest peers send a few a minute.
    pub max_empty_frames_per_second: u32,
    /// Frames for streams that do not exist within a second. Right after a reset up to a window of
    /// them is honest, and each stream that closes may still get a late window update.
    pub max_ignored_frames_per_second: u32,
    /// Frames for a stream after the peer ended it, within a second. Honest peers send none, but
    /// some versions of some do.
    pub max_frames_after_fin_per_second: u32,
}

impl Default for MuxConfig {
    fn default() -> Self {
        Self {
            max_inbound_streams: 1024,
            max_unaccepted_streams: 256,
            max_unacknowledged_streams: 256,
            max_stream_window: 16 << 20,
            max_stream_unread: 1 << 20,
            stall_timeout: Duration::from_secs(5),
            max_buffered_in: 64 << 20,
            max_buffered_out: 64 << 20,
            send_buffer: 256 << 10,
            min_send_buffer: 16 << 10,
            keepalive_interval: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(10),
            linger: Duration::from_secs(30),
            max_control_queue: 1024,
            max_resets_per_second: 1024,
            max_empty_frames_per_second: 10_000,
            max_ignored_frames_per_second: 250_000,
            max_frames_after_fin_per_second: 100,
        }
    }
}
