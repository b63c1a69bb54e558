//! What a session tells its driver.

use std::time::Duration;

use crate::fault::Fault;
use crate::mux::{StreamId, Violation};
use crate::secure::Remote;
use crate::{multistream, secure};

/// Something that happened; given in the order in which it did.
#[derive(Debug)]
pub enum Event {
    /// The peer is authenticated and the muxer runs.
    Established(Box<Established>),
    /// The peer confirmed a muxer that we had gone on with before its answer. Until then it may still refuse it.
    MuxerAgreed,
    /// The peer opened a stream and proposed a protocol that we support.
    StreamOpened {
        /// The new stream.
        id: StreamId,
        /// What both agreed on.
        protocol: String,
    },
    /// The peer confirmed the protocol of a stream that we opened.
    StreamReady {
        /// Our stream.
        id: StreamId,
        /// Which of the candidates the peer took.
        protocol: String,
    },
    /// A stream that we opened came to no protocol; it is gone already.
    StreamRefused {
        /// Our stream.
        id: StreamId,
        /// Why.
        refusal: Refusal,
    },
    /// The stream's buffer is no longer empty, or the peer finished.
    Readable(StreamId),
    /// A stream that took nothing takes bytes again.
    Writable(StreamId),
    /// The peer aborted the stream, or we did because it broke a limit.
    StreamReset {
        /// The stream; its entry stays until it is released.
        id: StreamId,
        /// The code on the wire; 0 says nothing.
        code: u32,
    },
    /// A stream can be opened again after `open_stream` gave `None`.
    OpenCredit,
    /// A ping came back.
    PingRtt(Duration),
    /// The last event. What `transmit` still gives should be sent before the socket is closed.
    Closed(Reason),
}

/// What the upgrade agreed on.
#[derive(Debug)]
pub struct Established {
    /// The peer, as its key says; checked against the expected one.
    pub remote: Remote,
    /// The protocol id of the secure channel.
    pub security: String,
    /// The protocol id of the muxer.
    pub muxer: String,
    /// The muxer came inside the security handshake.
    pub early_muxer: bool,
    /// The peer has agreed to the muxer. Else it was the only one left to propose, and [`Event::MuxerAgreed`]
    /// or the end of the session follows.
    pub muxer_agreed: bool,
    /// How often we had to wait for the peer, not counting the transport's own handshake.
    pub round_trips: u32,
}

/// Why an outbound stream got no protocol.
#[derive(Debug)]
pub enum Refusal {
    /// The peer answered `na` to each of these.
    NotSupported(Vec<String>),
    /// The peer's answers were not multistream-select.
    Malformed(multistream::Error),
    /// The stream ended before an answer.
    Ended,
    /// No answer within the configured time.
    TimedOut,
}

/// Which part of the upgrade was under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// multistream-select for the secure channel.
    Security,
    /// The secure channel's handshake.
    Handshake,
    /// multistream-select for the muxer.
    Muxer,
}

impl Stage {
    /// The word for messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Security => "security negotiation",
            Self::Handshake => "security handshake",
            Self::Muxer => "muxer negotiation",
        }
    }
}

/// Why a session ended.
#[derive(Debug)]
pub enum Reason {
    /// We closed it.
    Local {
        /// The code that we sent.
        code: u32,
    },
    /// The peer said go-away.
    Remote {
        /// The code that it sent.
        code: u32,
    },
    /// The transport ended between two records, without a word from the muxer.
    Eof,
    /// The transport ended inside a record.
    Truncated,
    /// The transport ended during the upgrade.
    EofInUpgrade(Stage),
    /// Nothing came for too long, not even the answer to a ping.
    KeepAlive,
    /// The upgrade took too long.
    UpgradeTimeout(Stage),
    /// The peer took none of our proposals.
    NothingInCommon {
        /// For the secure channel or for the muxer.
        stage: Stage,
        /// What we proposed or accept.
        ours: Vec<String>,
    },
    /// The peer's bytes were not multistream-select.
    Negotiation {
        /// For the secure channel or for the muxer.
        stage: Stage,
        /// What was wrong with them.
        error: multistream::Error,
    },
    /// In a private network, the peer greeted in the clear, its first bytes were noise, or it ended without any:
    /// it has another key, or none.
    OtherNetwork,
    /// The handshake failed, a wrong peer included.
    Handshake(secure::Error),
    /// A record could not be opened, or none can be sealed any more.
    Record(secure::Error),
    /// The peer broke the muxer's rules.
    Violation(Violation),
    /// A muxer that somebody else speaks failed, or told that the peer did.
    Muxer(Fault),
}
