//! What the core asks of a multiplexer that somebody else speaks: its framing, and nothing else.

use std::fmt::Debug;

use crate::fault::Fault;
use crate::mux::Role;
use crate::time::Instant;

/// A multiplexer by its protocol. Shared by all connections.
pub trait ForeignMuxer: Debug + Send + Sync {
    /// The id that multistream-select proposes, and that handshakes carry.
    fn protocol(&self) -> &str;

    /// One end of a new connection.
    ///
    /// # Errors
    /// It cannot begin.
    fn begin(&self, role: Role, now: Instant) -> Result<Box<dyn ForeignConnection>, Fault>;
}

/// The framing of one connection: bytes to frames, and commands to bytes.
///
/// It keeps no data and need not check what a stream may do: buffers, bounds and the states of streams
/// are kept by [`super::Foreign`]. Streams have numbers of the plug-in's choice, which are unique among
/// those that are alive, in both directions together.
///
/// It is called from `receive`, `transmit` and `handle_timeout` of the connection, never from commands
/// of the application.
pub trait ForeignConnection: Debug + Send + Sync {
    /// Takes all of `data`, in any pieces, and appends what it means.
    ///
    /// # Errors
    /// The peer broke the protocol, or the plug-in failed. What was appended before it counts.
    fn receive(&mut self, data: &[u8], now: Instant, frames: &mut Vec<ForeignFrame>) -> Result<(), Fault>;

    /// Begins a stream of ours; `None`: not now, ask again when something was received.
    ///
    /// # Errors
    /// There can be no more streams on this connection.
    fn open(&mut self) -> Result<Option<u64>, Fault>;

    /// Frames bytes of a stream; how many. With fewer than it was given the stream waits for
    /// [`ForeignFrame::Credit`].
    ///
    /// # Errors
    /// The plug-in failed.
    fn send(&mut self, stream: u64, data: &[u8]) -> Result<usize, Fault>;

    /// Frames the end of our direction of a stream.
    ///
    /// # Errors
    /// The plug-in failed.
    fn finish(&mut self, stream: u64) -> Result<(), Fault>;

    /// Frames a reset of a stream. Its number is not named again.
    ///
    /// # Errors
    /// The plug-in failed.
    fn reset(&mut self, stream: u64, code: u32) -> Result<(), Fault>;

    /// The application has read so many bytes of a stream: credit for the peer, where there is credit.
    ///
    /// # Errors
    /// The plug-in failed.
    fn consumed(&mut self, stream: u64, count: usize) -> Result<(), Fault>;

    /// Frames our last word.
    ///
    /// # Errors
    /// The plug-in failed.
    fn go_away(&mut self, code: u32) -> Result<(), Fault>;

    /// Appends the bytes of all frames since the last call. Called after each of the others, also after
    /// one that failed.
    ///
    /// # Errors
    /// The plug-in failed.
    fn transmit(&mut self, out: &mut Vec<u8>) -> Result<(), Fault>;

    /// The time of [`ForeignConnection::next_timeout`] has come.
    ///
    /// # Errors
    /// The peer is lost, or the plug-in failed.
    fn handle_timeout(&mut self, now: Instant, frames: &mut Vec<ForeignFrame>) -> Result<(), Fault>;

    /// When [`ForeignConnection::handle_timeout`] is to be called.
    ///
    /// # Errors
    /// The plug-in failed.
    fn next_timeout(&self) -> Result<Option<Instant>, Fault>;
}

/// What a frame of the peer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForeignFrame {
    /// The peer begins a stream.
    Opened(u64),
    /// Bytes of a stream.
    Data(u64, Vec<u8>),
    /// The peer ends its direction of a stream.
    Fin(u64),
    /// The peer resets a stream, with a code; 0 says nothing.
    Reset(u64, u32),
    /// A stream that took fewer bytes than it was given takes more.
    Credit(u64),
    /// The peer's last word, with a code.
    GoAway(u32),
}
