//! What two sides speak on their way up, and one exchange over it.

use std::sync::{Arc, LazyLock};

use plait_core::limits::Budget;
use plait_core::mux::{Muxer, StreamId};
use plait_core::plaintext::{self, Claim};
use plait_core::pnet::NetworkKey;
use plait_core::secure::Security;
use plait_core::session::{Established, Event, Opening, Reason};
use plait_core::testing::{DIALER, End, LISTENER, Pair, certificate, identity};
use plait_core::tls::Credentials;
use plait_core::{noise, tls};

pub(crate) const NOISE: &str = noise::PROTOCOL;
pub(crate) const TLS: &str = tls::PROTOCOL;
pub(crate) const PLAINTEXT: &str = plaintext::PROTOCOL;
pub(crate) const YAMUX: &str = "/yamux/1.0.0";
pub(crate) const MPLEX: &str = "/mplex/6.7.0";

pub(crate) const ECHO: &str = "/echo/1.0.0";
pub(crate) const QUESTION: &[u8] = b"a question";
pub(crate) const ANSWER: &[u8] = b"the answer";

/// One way up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    pub(crate) security: &'static str,
    pub(crate) is_private: bool,
    pub(crate) muxer: &'static str,
    /// The muxer inside of the handshake, or negotiated over the channel.
    pub(crate) is_early: bool,
    /// Both sides begin.
    pub(crate) is_simultaneous: bool,
}

impl Path {
    /// All ways over one security protocol.
    pub(crate) fn all(security: &'static str, is_private: bool) -> Vec<Self> {
        let early: &[bool] = if security == PLAINTEXT { &[false] } else { &[true, false] };
        let mut all = Vec::new();
        for is_simultaneous in [false, true] {
            for &is_early in early {
                for muxer in [YAMUX, MPLEX] {
                    all.push(Self { security, is_private, muxer, is_early, is_simultaneous });
                }
            }
        }
        all
    }

    /// Two sides that have not exchanged a byte, and the budget that both draw from.
    pub(crate) fn pair(self) -> (Pair, Budget) {
        let budget = Budget::new(1 << 30);
        let openings = if self.is_simultaneous {
            [Opening::Contend { number: 2 }, Opening::Contend { number: 1 }]
        } else {
            [Opening::Initiate, Opening::Answer]
        };
        let pair = Pair::opening(&[ECHO], openings, |seed, config| {
            config.security = vec![credentials(self.security, seed)];
            config.muxers = vec![Muxer::named(self.muxer).unwrap()];
            config.early_muxers = self.is_early;
            config.budget = budget.clone();
        });
        let key = || NetworkKey::new([7; 32]);
        (if self.is_private { pair.behind([key(), key()]) } else { pair }, budget)
    }
}

fn credentials(security: &str, seed: u8) -> Security {
    // Each is a key made and a signature: once for all connections, as hosts do it.
    static CERTIFICATES: LazyLock<[Arc<Credentials>; 2]> =
        LazyLock::new(|| [DIALER, LISTENER].map(certificate));
    match security {
        NOISE => Security::Noise(identity(seed).0),
        TLS => Security::Tls(Arc::clone(&CERTIFICATES[usize::from(seed == LISTENER)])),
        _ => {
            let key = identity(seed).1.public_key().expect("an Ed25519 key is inside of its peer id");
            Security::Plaintext(Arc::new(Claim::new(&key)))
        }
    }
}

/// What a question and its answer came to.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    /// What the listener read, and whether the end came with it.
    pub(crate) question: (Vec<u8>, bool),
    /// The same for the dialer.
    pub(crate) answer: (Vec<u8>, bool),
}

impl Exchange {
    /// As far as the two sides come without time passing.
    pub(crate) fn run(pair: &mut Pair) -> Self {
        let mut exchange = Self::default();
        pair.run();
        let Some(ours) = ask(pair) else { return exchange };
        pair.run();
        if let Some(theirs) = opened(&pair.listener) {
            exchange.question = pair.listener.read_all(theirs);
            if exchange.question.1 && pair.listener.session.write(theirs, ANSWER).is_ok() {
                pair.listener.session.close_write(theirs);
            }
            pair.run();
            exchange.answer = pair.dialer.read_all(ours);
        }
        exchange
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.question == (QUESTION.to_vec(), true) && self.answer == (ANSWER.to_vec(), true)
    }

    /// Nothing was delivered that was not sent, and no end in front of the rest.
    pub(crate) fn is_honest(&self) -> bool {
        let is_part = |(data, is_whole): &(Vec<u8>, bool), sent: &[u8]| {
            sent.starts_with(data) && (!is_whole || data == sent)
        };
        is_part(&self.question, QUESTION) && is_part(&self.answer, ANSWER)
    }
}

fn ask(pair: &mut Pair) -> Option<StreamId> {
    let id = pair.dialer.session.open_stream(vec![ECHO.into()], pair.now).ok().flatten()?;
    let taken = pair.dialer.session.write(id, QUESTION).expect("a new stream takes something");
    assert_eq!(taken, QUESTION.len());
    pair.dialer.session.close_write(id);
    Some(id)
}

fn opened(end: &End) -> Option<StreamId> {
    end.events.iter().find_map(|event| match event {
        Event::StreamOpened { id, .. } => Some(*id),
        _ => None,
    })
}

pub(crate) fn established(end: &End) -> Option<&Established> {
    end.events.iter().find_map(|event| match event {
        Event::Established(agreed) => Some(&**agreed),
        _ => None,
    })
}

/// Established, with the peer's word on the muxer.
pub(crate) fn is_agreed(end: &End) -> bool {
    let later = end.events.iter().any(|event| matches!(event, Event::MuxerAgreed));
    later || established(end).is_some_and(|agreed| agreed.muxer_agreed)
}

pub(crate) fn closed(end: &End) -> Option<&Reason> {
    end.events.iter().find_map(|event| match event {
        Event::Closed(reason) => Some(reason),
        _ => None,
    })
}
