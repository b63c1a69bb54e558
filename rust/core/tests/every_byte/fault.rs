//! A wire that goes wrong at one byte, and what both sides have to make of it.

use std::time::Duration;

use plait_core::pnet::NONCE_LENGTH;
use plait_core::session::{Event, Reason};
use plait_core::testing::{DIALER, End, LISTENER, Pair, identity};

use crate::path::{Exchange, MPLEX, PLAINTEXT, Path, closed, established, is_agreed};

/// How a wire goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The transport ends there.
    Cut,
    /// Nothing more arrives.
    Stall,
    /// This byte arrives with some bits flipped.
    Garble { mask: u8 },
}

/// Where it does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    pub(crate) is_toward_listener: bool,
    pub(crate) at: u64,
}

impl Fault {
    /// Runs one connection over such a wire.
    pub(crate) fn check(self, path: Path) {
        let (mut pair, budget) = path.pair();
        let link = if self.is_toward_listener { &mut pair.dialer.link } else { &mut pair.listener.link };
        match self.kind {
            Kind::Cut => link.cut = Some(self.at),
            Kind::Stall => link.stall = Some(self.at),
            Kind::Garble { mask } => (link.flip, link.mask) = (Some(self.at), mask),
        }
        let case = || format!("{self:?} on {path:?}");

        let exchange = Exchange::run(&mut pair);
        let sent = if self.is_toward_listener { pair.dialer.sent } else { pair.listener.sent };
        // Signatures of TLS are now and then a byte shorter than those of the run that was measured.
        if self.kind == Kind::Cut && sent >= self.at {
            // Nobody waits for anything: the end goes through from one side to the other.
            assert!(ends(&pair).iter().all(|end| closed(end).is_some()), "{}", case());
        }
        // A moment before the deadline nobody has given up, and at the deadline everybody has.
        pair.advance(UPGRADE - Duration::from_micros(1));
        let is_early = |end: &&End| matches!(closed(end), Some(Reason::UpgradeTimeout(_)));
        assert!(!ends(&pair).iter().any(is_early), "{}", case());
        pair.advance(Duration::from_micros(1));
        for end in ends(&pair) {
            assert!(closed(end).is_some() || is_agreed(end), "{}", case());
        }
        pair.advance(KEEP_ALIVE);

        // Without a secure channel a flipped byte goes through to the application.
        let is_protected = path.security != PLAINTEXT || !matches!(self.kind, Kind::Garble { .. });
        let received = self.received(&pair);
        for (end, received) in ends(&pair).into_iter().zip(received) {
            check_agreement(end, path, &case);
            let Some(reason) = closed(end) else {
                // A muxer without pings does not notice that the other side is gone. TCP does.
                let is_unnoticed = exchange.is_complete() || path.muxer == MPLEX || !is_protected;
                assert!(is_unnoticed, "{}: not over: {:?}", case(), end.events);
                continue;
            };
            let is_up = is_agreed(end);
            assert!(self.explains(reason, path, is_up, received), "{}: {reason:?}", case());
            assert!(matches!(end.events.last(), Some(Event::Closed(_))), "{}: {:?}", case(), end.events);
        }
        assert!(exchange.is_honest() || !is_protected, "{}: {exchange:?}", case());
        if !ends(&pair).iter().any(|end| closed(end).is_some()) && path.muxer != MPLEX && is_protected {
            // A byte that means nothing, such as the version in the head of a first TLS record.
            assert!(exchange.is_complete(), "{}: {exchange:?}", case());
        }

        for end in [&mut pair.dialer, &mut pair.listener] {
            end.session.close(0, pair.now, &mut end.events);
        }
        pair.advance(Duration::from_secs(5));
        for end in ends(&pair) {
            assert!(end.session.is_over() && end.session.next_timeout().is_none(), "{}", case());
        }
        drop(pair);
        assert_eq!(budget.used(), 0, "{}", case());
    }

    /// How many bytes the dialer and the listener got.
    fn received(self, pair: &Pair) -> [u64; 2] {
        let until = |sent: u64, is_faulty: bool| match self.kind {
            Kind::Cut | Kind::Stall if is_faulty => sent.min(self.at),
            _ => sent,
        };
        [
            until(pair.listener.sent, !self.is_toward_listener),
            until(pair.dialer.sent, self.is_toward_listener),
        ]
    }

    /// Whether a side may give this as the reason of its end.
    fn explains(self, reason: &Reason, path: Path, is_up: bool, received: u64) -> bool {
        let is_garbled = matches!(self.kind, Kind::Garble { .. });
        // Who hears a nonce at most has met somebody outside of the network, as far as it can know.
        let is_silent = path.is_private && received <= NONCE_LENGTH as u64;
        match reason {
            Reason::EofInUpgrade(_) => !is_up && self.kind != Kind::Stall && !is_silent,
            Reason::OtherNetwork => !is_up && (is_silent || (path.is_private && is_garbled)),
            Reason::UpgradeTimeout(_) => !is_up && self.kind != Kind::Cut,
            // The other side gave up first, and that is all there is to know.
            Reason::Eof => is_up,
            Reason::Truncated => is_up && self.kind != Kind::Stall,
            Reason::KeepAlive => is_up && self.kind != Kind::Cut,
            Reason::NothingInCommon { .. } | Reason::Negotiation { .. } | Reason::Handshake(_) => is_garbled,
            Reason::Record(_) => is_up && is_garbled,
            // Only without a secure channel do the bytes of a frame come to the muxer as they came.
            Reason::Violation(_) | Reason::Remote { .. } => is_up && is_garbled && path.security == PLAINTEXT,
            Reason::Local { .. } | Reason::Muxer(_) => false,
        }
    }
}

/// What a side believes, if it believes to be connected, is so.
fn check_agreement(end: &End, path: Path, case: &dyn Fn() -> String) {
    let Some(agreed) = established(end) else { return };
    let ids = [DIALER, LISTENER].map(|seed| identity(seed).1);
    assert!(ids.contains(&agreed.remote.peer), "{}", case());
    assert_eq!((&*agreed.security, &*agreed.muxer), (path.security, path.muxer), "{}", case());
}

fn ends(pair: &Pair) -> [&End; 2] {
    [&pair.dialer, &pair.listener]
}

/// The default of the whole upgrade.
const UPGRADE: Duration = Duration::from_secs(10);
/// Longer than the default interval of the keep-alive and the wait for its answer.
const KEEP_ALIVE: Duration = Duration::from_secs(90);
