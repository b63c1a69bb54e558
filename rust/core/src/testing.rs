//! Two sessions with a pipe between them and a clock that only moves when told to.
//!
//! For tests, benches and fuzz targets: a whole connection without sockets, with delivery that can be
//! chopped, delayed, cut or altered at a chosen byte.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ed25519_dalek::{Signer, SigningKey};

use crate::identity::{KeyType, PeerId, PublicKey};
use crate::limits::Budget;
use crate::multistream::ProtocolSet;
use crate::mux::{Available, StreamId};
use crate::noise::StaticKeys;
use crate::pnet::{NONCE_LENGTH, NetworkKey, Veil};
use crate::secure::{Fresh, Security};
use crate::session::{Config, Event, Opening, Session};
use crate::time::Instant;
use crate::tls::{CertificateKey, Credentials};

/// Keys and peer id that follow from one byte.
#[must_use]
///
/// # Panics
/// Never: such keys are always valid.
pub fn identity(seed: u8) -> (Arc<StaticKeys>, PeerId) {
    // Making one costs as much as half a handshake, and tests make thousands of pairs with the same two.
    static MADE: [OnceLock<(Arc<StaticKeys>, PeerId)>; 256] = [const { OnceLock::new() }; 256];
    MADE[usize::from(seed)].get_or_init(|| make_identity(seed)).clone()
}

fn make_identity(seed: u8) -> (Arc<StaticKeys>, PeerId) {
    let signing = SigningKey::from_bytes(&[seed; 32]);
    let public = PublicKey::new(KeyType::Ed25519, signing.verifying_key().to_bytes())
        .unwrap_or_else(|error| unreachable!("32 bytes are an Ed25519 key: {error}"));
    let secret = [seed.wrapping_add(128); 32];
    let message = StaticKeys::signed_message(&StaticKeys::public_of(&secret));
    let signature = signing.sign(&message).to_bytes().to_vec();
    let keys = StaticKeys::new(secret, public.encode(), signature)
        .unwrap_or_else(|error| unreachable!("the signature is this key's: {error}"));
    (Arc::new(keys), public.peer_id())
}

/// A certificate for the identity that follows from one byte; the key in it is new each time.
///
/// # Panics
/// The operating system has no randomness.
#[must_use]
pub fn certificate(seed: u8) -> Arc<Credentials> {
    let signing = SigningKey::from_bytes(&[seed; 32]);
    let made = CertificateKey::generate().and_then(|key| {
        let signature = signing.sign(&key.signed_message()).to_bytes().to_vec();
        let public = PublicKey::new(KeyType::Ed25519, signing.verifying_key().to_bytes())
            .unwrap_or_else(|error| unreachable!("32 bytes are an Ed25519 key: {error}"));
        Credentials::new(key, public.encode(), signature, fresh(seed).unix_time)
    });
    Arc::new(made.unwrap_or_else(|error| unreachable!("the signature is this key's: {error}")))
}

/// What a handshake needs, the same for the same byte, in November 2026.
#[must_use]
pub const fn fresh(seed: u8) -> Fresh {
    Fresh { seed: [seed; 32], unix_time: 1_795_000_000 }
}

/// The peer that [`Pair`] dials from.
pub const DIALER: u8 = 1;
/// The peer that [`Pair`] dials to.
pub const LISTENER: u8 = 2;

/// What the pipe does to the bytes of one direction.
#[derive(Clone, Debug)]
pub struct Link {
    /// From sending to delivery.
    pub delay: Duration,
    /// Bytes of one delivery at most.
    pub chop: usize,
    /// After this many bytes the pipe is cut: the receiver sees the end of the transport.
    pub cut: Option<u64>,
    /// After this many bytes nothing arrives any more, not even the end of the transport.
    pub stall: Option<u64>,
    /// The byte at this offset arrives with the bits of `mask` flipped.
    pub flip: Option<u64>,
    /// Which bits those are; the lowest unless told otherwise.
    pub mask: u8,
}

impl Default for Link {
    fn default() -> Self {
        Self { delay: Duration::ZERO, chop: usize::MAX, cut: None, stall: None, flip: None, mask: 1 }
    }
}

/// One side of a [`Pair`].
#[derive(Debug)]
pub struct End {
    /// The session itself.
    pub session: Session,
    /// All events so far that were not taken.
    pub events: Vec<Event>,
    /// What happens to the bytes that this side sends.
    pub link: Link,
    /// Bytes that left this side.
    pub sent: u64,
    inbox: VecDeque<(Instant, Vec<u8>)>,
    ended: bool,
}

/// A dialer and a listener, connected.
#[derive(Debug)]
pub struct Pair {
    /// The side that dialed.
    pub dialer: End,
    /// The side that was dialed.
    pub listener: End,
    /// The time that both sides see.
    pub now: Instant,
}

impl Pair {
    /// Two sessions with default bounds that have not exchanged a byte. The listener supports `protocols`.
    #[must_use]
    pub fn new(protocols: &[&str]) -> Self {
        Self::with(protocols, |_| {})
    }

    /// As [`Pair::new`], with other bounds for both sides.
    #[must_use]
    pub fn with(protocols: &[&str], configure: impl Fn(&mut Config)) -> Self {
        Self::opening(protocols, [Opening::Initiate, Opening::Answer], |_, config| configure(config))
    }

    /// As [`Pair::new`], with other roles and with bounds and protocols for each side by its seed,
    /// [`DIALER`] or [`LISTENER`].
    #[must_use]
    pub fn opening(protocols: &[&str], openings: [Opening; 2], configure: impl Fn(u8, &mut Config)) -> Self {
        let now = Instant::from_micros(1_000_000);
        let supported = Arc::new(ProtocolSet::new(protocols.iter().copied()).unwrap_or_default());
        let session = |seed, opening, expected| {
            let mut config = Config::new(vec![Security::Noise(identity(seed).0)], Budget::unlimited());
            configure(seed, &mut config);
            Session::new(&Arc::new(config), &supported, opening, expected, fresh(seed), now)
                .unwrap_or_else(|error| unreachable!("a first message can always be made: {error}"))
        };
        let expected = Some(identity(LISTENER).1);
        let [dialer, listener] = openings;
        Self {
            dialer: End::new(session(DIALER, dialer, expected)),
            listener: End::new(session(LISTENER, listener, None)),
            now,
        }
    }

    /// The same with each side in the private network of its key.
    #[must_use]
    pub fn behind(self, keys: [NetworkKey; 2]) -> Self {
        let [dialer, listener] = keys;
        let behind = |end: End, key, nonce| {
            let session = end.session.behind(Veil::new(key, [nonce; NONCE_LENGTH]));
            End { session, ..end }
        };
        Self {
            dialer: behind(self.dialer, dialer, 1),
            listener: behind(self.listener, listener, 2),
            now: self.now,
        }
    }

    /// Moves everything that can move now, and the clock while something is in flight; `false` when
    /// nothing happened.
    pub fn step(&mut self) -> bool {
        let Self { dialer, listener, now } = self;
        let sent = dialer.send(listener, *now) | listener.send(dialer, *now);
        let next = [&*dialer, &*listener].iter().filter_map(|end| Some(end.inbox.front()?.0)).min();
        let Some(next) = next else { return sent };
        *now = (*now).max(next);
        dialer.deliver(*now);
        listener.deliver(*now);
        true
    }

    /// Steps until both sides are silent. Bounded, so that two sides which never stop fail a test instead of hanging it.
    pub fn run(&mut self) {
        for _ in 0..1_000_000 {
            if !self.step() {
                return;
            }
        }
        unreachable!("the two sides talk for ever");
    }

    /// Lets time pass: timers fire when they are due, bytes move meanwhile.
    pub fn advance(&mut self, by: Duration) {
        let until = self.now + by;
        self.run();
        loop {
            let next =
                [&self.dialer, &self.listener].iter().filter_map(|end| end.session.next_timeout()).min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            self.now = self.now.max(next);
            for end in [&mut self.dialer, &mut self.listener] {
                end.session.handle_timeout(self.now, &mut end.events);
            }
            self.run();
        }
        self.now = self.now.max(until);
    }

    /// A stream on which both sides have agreed: its ids at the dialer and at the listener.
    ///
    /// # Panics
    /// The stream could not be opened; a test that wants that looks at the events instead.
    pub fn open(&mut self, protocol: &str) -> (StreamId, StreamId) {
        let id = match self.dialer.session.open_stream(vec![protocol.to_owned()], self.now) {
            Ok(Some(id)) => id,
            other => unreachable!("no stream was opened: {other:?}"),
        };
        self.run();
        let opened = self.listener.events.iter().rev().find_map(|event| match event {
            Event::StreamOpened { id, .. } => Some(*id),
            _ => None,
        });
        let Some(opened) = opened else {
            unreachable!("the listener has no stream: {:?}", self.listener.events)
        };
        (id, opened)
    }
}

impl End {
    fn new(session: Session) -> Self {
        Self {
            session,
            events: Vec::new(),
            link: Link::default(),
            sent: 0,
            inbox: VecDeque::new(),
            ended: false,
        }
    }

    /// All events since the last call.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Everything that can be read now, and whether the peer has finished; more is awaited if it has not.
    pub fn read_all(&mut self, id: StreamId) -> (Vec<u8>, bool) {
        let mut all = Vec::new();
        loop {
            match self.session.available(id) {
                Ok(Available::Bytes(count)) => {
                    let start = all.len();
                    all.resize(start + count, 0);
                    let read = self.session.read(id, &mut all[start..]).unwrap_or(0);
                    all.truncate(start + read);
                }
                Ok(Available::Finished) => return (all, true),
                Ok(Available::Nothing) => {
                    self.session.await_bytes(id);
                    return (all, false);
                }
                Err(_) => return (all, false),
            }
        }
    }

    fn send(&mut self, to: &mut Self, now: Instant) -> bool {
        if self.ended {
            return false;
        }
        let mut out = Vec::new();
        let mut any = false;
        while self.session.transmit(&mut out, 128 * 1024, now, &mut self.events) {
            any = true;
        }
        for (offset, byte) in (self.sent..).zip(&mut out) {
            if self.link.flip == Some(offset) {
                *byte ^= self.link.mask;
            }
        }
        let until = |end: Option<u64>| {
            let left = end.map_or(u64::MAX, |end| end.saturating_sub(self.sent));
            usize::try_from(left).unwrap_or(usize::MAX)
        };
        let (cut, stall) = (until(self.link.cut), until(self.link.stall));
        for piece in out[..out.len().min(cut).min(stall)].chunks(self.link.chop) {
            to.inbox.push_back((now + self.link.delay, piece.to_vec()));
        }
        self.sent += out.len() as u64;
        if cut < out.len() || cut == 0 || (self.session.is_leaving() && !any) {
            self.ended = true;
            if stall > out.len() {
                to.inbox.push_back((now + self.link.delay, Vec::new()));
            }
        }
        any
    }

    fn deliver(&mut self, now: Instant) {
        while self.inbox.front().is_some_and(|(due, _)| *due <= now) {
            let Some((_, mut data)) = self.inbox.pop_front() else { return };
            // As a driver over a bare socket does.
            self.session.leave_segment();
            if data.is_empty() {
                self.session.receive_eof(&mut self.events);
            } else {
                self.session.begin_segment(&data);
                let middle = data.len() / 2;
                let (first, second) = data.split_at_mut(middle);
                self.session.receive(first, now, &mut self.events);
                self.session.receive(second, now, &mut self.events);
                self.session.hold_segment(data);
            }
        }
    }
}
