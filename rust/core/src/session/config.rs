//! What all sessions of a host share.

use std::sync::Arc;
use std::time::Duration;

use crate::limits::Budget;
use crate::mux::{MuxConfig, Muxer};
use crate::secure::Security;

/// The identity and the bounds of a host's sessions. Made once, shared by all of them.
#[derive(Clone, Debug)]
pub struct Config {
    /// The security protocols in order of preference, at least one.
    pub security: Vec<Security>,
    /// The muxers in order of preference, at least one.
    pub muxers: Vec<Muxer>,
    /// Name the muxers inside the security handshake. A peer that does not read them there, or a host that
    /// does not name them, negotiates over the channel.
    pub early_muxers: bool,
    /// The muxer's bounds.
    pub mux: Arc<MuxConfig>,
    /// Bytes that all sessions of the host may hold for streams that nobody reads.
    pub budget: Budget,
    /// From the first byte to a muxed connection, for the whole of it: a deadline per message would
    /// let a peer hold a half-made connection for ever by sending a byte now and then.
    pub upgrade_timeout: Duration,
    /// From a stream's opening to its agreed protocol.
    pub negotiate_timeout: Duration,
    /// What a graceful close may take: flushing, and waiting for the peer's end.
    pub close_timeout: Duration,
    /// Inbound streams that have not agreed on a protocol yet. Each costs a parser; the peer pays nothing.
    pub max_negotiating: usize,
}

impl Config {
    /// The defaults of every bound, for a host that speaks these protocols and yamux.
    #[must_use]
    pub fn new(security: Vec<Security>, budget: Budget) -> Self {
        Self {
            security,
            muxers: vec![Muxer::Yamux],
            early_muxers: true,
            // The session accepts streams as soon as it sees them, and bounds what it negotiates by itself.
            mux: Arc::new(MuxConfig {
                max_unaccepted_streams: MuxConfig::default().max_inbound_streams,
                ..MuxConfig::default()
            }),
            budget,
            upgrade_timeout: Duration::from_secs(10),
            negotiate_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(1),
            max_negotiating: 128,
        }
    }
}

/// How the two sides of a new connection share the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// We begin every negotiation. What a dialer does, and one of two that punched a hole.
    Initiate,
    /// We wait for the other side to begin. What a listener does, and the other of the two.
    Answer,
    /// Both may think that they begin: the simultaneous-open extension decides, by the higher number.
    Contend {
        /// Random.
        number: u64,
    },
}
