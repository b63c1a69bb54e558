//! What a multiplexer tells whoever drives it.

use std::time::Duration;

use super::StreamId;

/// Something happened that the application may be waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MuxEvent {
    /// The peer opened a stream; `accept` it, or `reset` it.
    Opened(StreamId),
    /// A stream that had nothing to read has something, or the peer ended it.
    Readable(StreamId),
    /// A stream that took less than it was given takes bytes again.
    Writable(StreamId),
    /// The peer reset a stream. It stays until it is released: writes fail, and reads too unless
    /// the peer had ended its direction before, for then what it sent is complete.
    ///
    /// A stream that held its connection up comes here as well, reset by us, with nothing to read.
    Reset {
        /// The stream.
        id: StreamId,
        /// The reason as the peer gave it; 0 when it gave none.
        code: u32,
    },
    /// `open` said "not now"; it can be tried again.
    OpenCredit,
    /// A ping was answered after this long.
    Rtt(Duration),
    /// The peer will not go on with this connection. What is buffered stays readable.
    GoAway {
        /// The reason as the peer gave it.
        code: u32,
    },
    /// The peer answers no more: give the connection up.
    KeepAliveExpired,
}

/// What a stream has to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Available {
    /// So many bytes, more than zero.
    Bytes(usize),
    /// Nothing yet.
    Nothing,
    /// Nothing, and nothing will come: the peer ended its direction and all of it was read.
    Finished,
}

/// Numbers about one multiplexed connection, since it began unless they say "now".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Streams that exist now and that the peer opened.
    pub inbound_streams: usize,
    /// Streams that exist now and that we opened.
    pub outbound_streams: usize,
    /// Bytes received and not read, now.
    pub buffered_in: usize,
    /// Bytes written and not sent, now.
    pub buffered_out: usize,
    /// Memory that is held for bytes received and bytes to be sent, and for the next of them, now.
    pub memory: usize,
    /// Frames received.
    pub frames_received: u64,
    /// Frames sent.
    pub frames_sent: u64,
    /// Streams that the peer opened.
    pub streams_accepted: u64,
    /// Streams that the peer wanted to open and that were over a limit.
    pub streams_refused: u64,
    /// Streams that we opened.
    pub streams_opened: u64,
    /// Streams that the peer reset.
    pub resets_received: u64,
    /// Streams that were reset because they held their connection up.
    pub streams_given_up: u64,
    /// Pings of the peer that were answered.
    pub pings_received: u64,
    /// Frames for streams that did not exist.
    pub frames_ignored: u64,
    /// Frames for a stream after the peer had ended it.
    pub frames_after_fin: u64,
}
