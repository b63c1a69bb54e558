//! Pings of ours: how far away the peer is, and whether it is there at all.

use std::time::Duration;

use crate::mux::MuxConfig;
use crate::time::Instant;

/// One ping at a time, the first at once, then one in every interval.
///
/// Not only on a silent connection: windows grow by the round trip, and the first measurement may
/// have met a busy peer.
#[derive(Debug)]
pub(super) struct Keepalive {
    ping: Ping,
    next_id: u32,
    /// When anything was last received.
    heard: Instant,
    interval: Duration,
    timeout: Duration,
    /// How long the ping that is due may stay unanswered. The first one asks for the round trip only, and
    /// says nothing about a peer that has just proved to be there: it has as long as a silent peer has later.
    patience: Duration,
    rtt: Option<Duration>,
    min_rtt: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
enum Ping {
    /// The next one is due then.
    Waiting { due: Instant },
    /// Due since then, and not sent.
    Owed { since: Instant },
    /// Due since then, sent, and not answered.
    InFlight { since: Instant, id: u32, sent: Instant },
    /// None was answered, and there will be none.
    Expired,
}

impl Keepalive {
    pub(super) fn new(config: &MuxConfig, now: Instant) -> Self {
        Self {
            ping: Ping::Owed { since: now },
            next_id: 0,
            heard: now,
            interval: config.keepalive_interval,
            timeout: config.keepalive_timeout,
            patience: config.keepalive_interval.saturating_add(config.keepalive_timeout),
            rtt: None,
            min_rtt: None,
        }
    }

    /// Something was received.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// The ping `id` was answered: the round trip if it is the one in flight. Anything else is
    /// somebody's mistake and changes nothing.
    pub(super) fn receive_pong(&mut self, id: u32, now: Instant) -> Option<Duration> {
        let Ping::InFlight { since, id: expected, sent } = self.ping else { return None };
        if id != expected {
            return None;
        }
        let rtt = now.since(sent);
        self.rtt = Some(rtt);
        self.min_rtt = Some(self.min_rtt.map_or(rtt, |min| min.min(rtt)));
        self.ping = Ping::Waiting { due: since + self.interval };
        Some(rtt)
    }

    /// `true`, once, when the peer has to be given up.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> bool {
        match self.ping {
            Ping::Waiting { due } if now >= due => {
                self.ping = Ping::Owed { since: now };
                self.patience = self.timeout;
            }
            Ping::Owed { since } | Ping::InFlight { since, .. } if now >= since + self.patience => {
                if self.heard <= since {
                    self.ping = Ping::Expired;
                    return true;
                }
                // The peer is there: it sends, it only does not answer, or does not read so that
                // the ping could not be sent. The next silence will be asked about again.
                self.ping = match self.ping {
                    Ping::InFlight { .. } => Ping::Waiting { due: since + self.interval },
                    _ => Ping::Owed { since: now },
                };
                self.patience = self.timeout;
            }
            _ => {}
        }
        false
    }

    /// The id of the ping to send now, if one is due. It counts as sent.
    pub(super) fn transmit(&mut self, now: Instant) -> Option<u32> {
        let Ping::Owed { since } = self.ping else { return None };
        let id = self.next_id;
        self.next_id = id.wrapping_add(1);
        self.ping = Ping::InFlight { since, id, sent: now };
        Some(id)
    }

    pub(super) fn has_pending(&self) -> bool {
        matches!(self.ping, Ping::Owed { .. })
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        match self.ping {
            Ping::Waiting { due } => Some(due),
            Ping::Owed { since } | Ping::InFlight { since, .. } => Some(since + self.patience),
            Ping::Expired => None,
        }
    }

    /// The latest round trip.
    pub(super) fn rtt(&self) -> Option<Duration> {
        self.rtt
    }

    /// The shortest round trip so far: the path without queues and without a busy peer.
    pub(super) fn min_rtt(&self) -> Option<Duration> {
        self.min_rtt
    }
}
