//! The waist: one connection without its socket.
//!
//! Everything above (connection, stream, host) and everything below (transports) meets here. A session
//! runs the upgrade, opens and seals records, and multiplexes streams; who drives it gives it bytes and
//! the time, and does three things after *any* call: use the events, send what [`Session::transmit`]
//! gives, and arm one timer for [`Session::next_timeout`].
//!
//! Methods are of four kinds. *In*, from the wire or the clock: [`Session::receive`],
//! [`Session::receive_eof`], [`Session::handle_timeout`]. *Commands*, from the application:
//! [`Session::open_stream`], [`Session::read`], [`Session::write`], [`Session::close_write`],
//! [`Session::stop_reading`], [`Session::release`], [`Session::reset`], [`Session::close`]. *Out*:
//! [`Session::transmit`], [`Session::next_timeout`]. The rest are getters.
//!
//! A peer cannot make any of them fail: what it does wrong ends the session with [`Event::Closed`],
//! after which streams still give what they had received.

mod config;
mod error;
mod event;
mod life;
mod negotiation;
mod sealed;
mod selection;
mod upgrade;

use std::sync::Arc;
use std::time::Duration;

pub use config::{Config, Opening};
pub use error::Error;
pub use event::{Established, Event, Reason, Refusal, Stage};

use crate::identity::PeerId;
use crate::multistream::{self, Dialer, ProtocolSet};
use crate::mux::{Available, Lent, Stats, StreamId};
use crate::pnet::Veil;
use crate::secure::Fresh;
use crate::time::Instant;
use life::Life;
use sealed::Sealed;
use upgrade::Upgrade;

/// One connection: upgrade, secure channel and muxer, fused.
#[derive(Debug)]
pub struct Session {
    config: Arc<Config>,
    protocols: Arc<ProtocolSet>,
    /// Under everything else, in a private network.
    veil: Option<Box<Veil>>,
    layer: Layer,
    life: Life,
    /// Waits for the peer during the upgrade; `true` from our sending to its answer.
    flight: bool,
    round_trips: u32,
}

/// How far up the connection has come. One way only.
#[derive(Debug)]
enum Layer {
    Clear(Box<Upgrade>),
    Sealed(Box<Sealed>),
}

impl Session {
    /// A new connection, upgraded in the way that `opening` says.
    /// With `expected`, anybody else at the other end is an error.
    ///
    /// # Errors
    /// Nothing to propose, or the first handshake message could not be made.
    pub fn new(
        config: &Arc<Config>,
        protocols: &Arc<ProtocolSet>,
        opening: Opening,
        expected: Option<PeerId>,
        fresh: Fresh,
        now: Instant,
    ) -> Result<Self, Error> {
        let upgrade = Upgrade::begin(config, opening, expected, fresh).map_err(Error::Upgrade)?;
        Ok(Self {
            config: Arc::clone(config),
            protocols: Arc::clone(protocols),
            veil: None,
            layer: Layer::Clear(Box::new(upgrade)),
            life: Life::Upgrading { deadline: now + config.upgrade_timeout },
            flight: false,
            round_trips: 0,
        })
    }

    /// The same in a private network. Whoever has another key, or none, sees only noise and is told nothing.
    #[must_use]
    pub fn behind(mut self, veil: Veil) -> Self {
        self.veil = Some(Box::new(veil));
        self
    }

    // ---- in

    /// Bytes from the wire, in any pieces. Records are opened where they lie, so `data` is garbage afterwards.
    pub fn receive(&mut self, mut data: &mut [u8], now: Instant, events: &mut Vec<Event>) {
        if self.life == Life::Over || data.is_empty() {
            return;
        }
        if std::mem::take(&mut self.flight) {
            self.round_trips += 1;
        }
        if let Some(veil) = &mut self.veil {
            data = veil.uncover(data);
            if veil.is_greeted_in_clear() {
                return self.end(Reason::OtherNetwork, events);
            }
        }
        if let Layer::Clear(upgrade) = &mut self.layer {
            match upgrade.receive(data) {
                Err(Reason::Negotiation { error: multistream::Error::HeaderExpected, .. })
                    if self.veil.is_some() =>
                {
                    return self.end(Reason::OtherNetwork, events);
                }
                Err(reason) => return self.end(reason, events),
                Ok((_, None)) => return,
                Ok((used, Some(keys))) => match Sealed::new(keys, &self.config, now) {
                    Err(reason) => return self.end(reason, events),
                    Ok(sealed) => {
                        self.layer = Layer::Sealed(Box::new(sealed));
                        data = &mut data[used..];
                    }
                },
            }
        }
        let Layer::Sealed(sealed) = &mut self.layer else { return };
        let received = sealed.receive(data, now);
        let is_finished = sealed.is_finished_by_peer();
        self.settle(received, now, events);
        if is_finished {
            self.receive_eof(events);
        }
    }

    /// What [`Session::receive`] gets until [`Session::hold_segment`] is part of `segment`, in pieces that follow each
    /// other: who waits for it may read it there. The one before has to be left.
    pub fn begin_segment(&mut self, segment: &[u8]) {
        if let Layer::Sealed(sealed) = &mut self.layer {
            sealed.mux.begin_segment(segment);
        }
    }

    /// All of the segment that there is was received. Keeps the memory until [`Session::leave_segment`] when somebody
    /// waited for some of it, and gives it back otherwise.
    pub fn hold_segment(&mut self, segment: Vec<u8>) -> Option<Vec<u8>> {
        match &mut self.layer {
            Layer::Clear(_) => Some(segment),
            Layer::Sealed(sealed) => sealed.mux.hold_segment(segment),
        }
    }

    /// What of the segment nobody has read is copied, and its memory is free again; `None` when there is none.
    pub fn leave_segment(&mut self) -> Option<Vec<u8>> {
        match &mut self.layer {
            Layer::Clear(_) => None,
            Layer::Sealed(sealed) => sealed.mux.leave_segment(),
        }
    }

    /// The transport ended: the peer sends nothing more.
    pub fn receive_eof(&mut self, events: &mut Vec<Event>) {
        let reason = match (self.life, &self.layer) {
            (Life::Over, _) => return,
            (Life::Leaving { code, .. }, _) => Reason::Local { code },
            (_, Layer::Clear(_)) if self.veil.as_ref().is_some_and(|veil| veil.is_silent()) => {
                Reason::OtherNetwork
            }
            _ => self.at_eof(),
        };
        self.end(reason, events);
    }

    /// The time that [`Session::next_timeout`] named has come. Calling it early does nothing.
    pub fn handle_timeout(&mut self, now: Instant, events: &mut Vec<Event>) {
        match self.life {
            Life::Over => return,
            Life::Upgrading { deadline } | Life::Guessing { deadline } if deadline <= now => {
                return self.end(self.at_deadline(), events);
            }
            Life::Flushing { code, deadline } | Life::Leaving { code, deadline } if deadline <= now => {
                if let Layer::Sealed(sealed) = &mut self.layer {
                    sealed.leave(code);
                }
                return self.end(Reason::Local { code }, events);
            }
            _ => {}
        }
        if let Layer::Sealed(sealed) = &mut self.layer {
            sealed.handle_timeout(now, events);
            self.settle(Ok(()), now, events);
        }
    }

    // ---- commands

    /// Opens a stream and proposes `protocols` in this order; its outcome comes as
    /// [`Event::StreamReady`] or [`Event::StreamRefused`]. What is written before that follows the
    /// proposal if there is one candidate only ([`Dialer::is_lazy`]), so the peer must be known to speak it.
    ///
    /// `None`: too many streams are not acknowledged yet; [`Event::OpenCredit`] follows.
    ///
    /// Without a muxer it gives the one stream, ready at once, and proposes nothing.
    ///
    /// # Errors
    /// Not established or closing; protocols that cannot be proposed; no stream ids left.
    pub fn open_stream(&mut self, protocols: Vec<String>, now: Instant) -> Result<Option<StreamId>, Error> {
        match self.life {
            Life::Upgrading { .. } => return Err(Error::NotEstablished),
            Life::Guessing { .. } | Life::Open => {}
            Life::Flushing { .. } | Life::Leaving { .. } | Life::Over => return Err(Error::Closed),
        }
        let wait = self.config.negotiate_timeout;
        let sealed = self.sealed()?;
        if sealed.mux.is_raw() {
            return Ok(sealed.mux.open(now)?);
        }
        let dialer = Dialer::new(protocols)?;
        let Some(id) = sealed.mux.open(now)? else { return Ok(None) };
        sealed.negotiations.dial(id, dialer, &mut sealed.mux, wait, now);
        Ok(Some(id))
    }

    /// What a read would give now.
    ///
    /// # Errors
    /// The stream is reset, closed by us, or unknown.
    pub fn available(&mut self, id: StreamId) -> Result<Available, Error> {
        let sealed = self.sealed()?;
        if sealed.negotiations.contains(id) {
            return Ok(Available::Nothing);
        }
        Ok(sealed.mux.available(id)?)
    }

    /// Copies received bytes out and gives the peer credit for them. 0 when there is nothing.
    ///
    /// # Errors
    /// The stream is reset, closed by us, or unknown.
    pub fn read(&mut self, id: StreamId, into: &mut [u8]) -> Result<usize, Error> {
        let sealed = self.sealed()?;
        if sealed.negotiations.contains(id) {
            return Ok(0);
        }
        Ok(sealed.mux.read(id, into)?)
    }

    /// What is read next is waited for, and read many bytes at once.
    pub fn await_bytes(&mut self, id: StreamId) {
        if let Layer::Sealed(sealed) = &mut self.layer
            // What is negotiated is read as soon as it is here, which is before the segment is.
            && !sealed.negotiations.contains(id)
        {
            sealed.mux.await_bytes(id);
        }
    }

    /// Queues bytes; how many were taken. When it is fewer than given, [`Event::Writable`] follows.
    ///
    /// # Errors
    /// The stream is reset, finished or closed by us, or unknown; the go-away is on its way.
    pub fn write(&mut self, id: StreamId, data: &[u8]) -> Result<usize, Error> {
        if self.is_leaving() {
            return Err(Error::Closed);
        }
        Ok(self.sealed()?.mux.write(id, data)?)
    }

    /// Queues bytes as they are, without a copy; how many, 0 when the send buffer is full. Goes on as
    /// [`Session::write`].
    ///
    /// # Errors
    /// As [`Session::write`].
    pub fn lend(&mut self, id: StreamId, data: Lent) -> Result<usize, Error> {
        if self.is_leaving() {
            return Err(Error::Closed);
        }
        Ok(self.sealed()?.mux.lend(id, data)?)
    }

    /// Ends our half of the stream, after what is queued.
    pub fn close_write(&mut self, id: StreamId) {
        if let Layer::Sealed(sealed) = &mut self.layer {
            sealed.mux.close_write(id);
        }
    }

    /// From now on what the peer sends on this stream is thrown away, with credit given back.
    pub fn stop_reading(&mut self, id: StreamId) {
        if let Layer::Sealed(sealed) = &mut self.layer {
            sealed.mux.stop_reading(id);
        }
    }

    /// The application is done with the stream: both of the above. The peer has the linger time to end its half.
    pub fn release(&mut self, id: StreamId, now: Instant) {
        if let Layer::Sealed(sealed) = &mut self.layer {
            sealed.negotiations.forget(id);
            sealed.mux.release(id, now);
        }
    }

    /// Aborts the stream in both directions with a code for the peer.
    pub fn reset(&mut self, id: StreamId, code: u32) {
        if let Layer::Sealed(sealed) = &mut self.layer {
            sealed.negotiations.forget(id);
            sealed.mux.reset(id, code);
        }
    }

    /// Closes gracefully: what streams have queued goes out, then go-away with `code`; the peer's end is
    /// awaited for the configured time. During the upgrade it ends at once. A second call does nothing.
    pub fn close(&mut self, code: u32, now: Instant, events: &mut Vec<Event>) {
        match self.life {
            Life::Upgrading { .. } => self.end(Reason::Local { code }, events),
            Life::Guessing { .. } | Life::Open => {
                self.life = Life::Flushing { code, deadline: now + self.config.close_timeout };
            }
            Life::Flushing { .. } | Life::Leaving { .. } | Life::Over => {}
        }
    }

    /// The protocols for streams that the peer opens from now on.
    pub fn set_protocols(&mut self, protocols: &Arc<ProtocolSet>) {
        self.protocols = Arc::clone(protocols);
    }

    // ---- out

    /// Appends framed and sealed bytes for the socket, about `limit` at most; whether there were any.
    ///
    /// Room in the streams' buffers comes back here, as [`Event::Writable`]. While closing, leave such an
    /// event in `events` until the stream was told: the go-away waits for what it still writes.
    pub fn transmit(
        &mut self,
        out: &mut Vec<u8>,
        limit: usize,
        now: Instant,
        events: &mut Vec<Event>,
    ) -> bool {
        let begun = self.veil.as_mut().is_some_and(|veil| veil.begin(out));
        let start = out.len();
        let any = self.transmit_layer(out, limit, now, events);
        if let Some(veil) = &mut self.veil {
            veil.cover(&mut out[start..]);
        }
        any | begun
    }

    fn transmit_layer(
        &mut self,
        out: &mut Vec<u8>,
        limit: usize,
        now: Instant,
        events: &mut Vec<Event>,
    ) -> bool {
        let limit = out.len().saturating_add(limit);
        let (any, has_failed) = match &mut self.layer {
            Layer::Clear(upgrade) => {
                let before = out.len();
                upgrade.transmit(out);
                (out.len() > before, false)
            }
            Layer::Sealed(sealed) => (sealed.transmit(out, limit, now), sealed.has_failed()),
        };
        if any && matches!(self.life, Life::Upgrading { .. }) {
            self.flight = true;
        }
        if (any || has_failed) && self.life != Life::Over {
            self.settle(Ok(()), now, events);
        }
        any | self.leave_when_flushed(out, limit, now, events)
    }

    /// The go-away, once nothing is left to send. Who is still to hear that a stream takes bytes again
    /// may have some: as long as such an event is in `events`, it waits.
    fn leave_when_flushed(
        &mut self,
        out: &mut Vec<u8>,
        limit: usize,
        now: Instant,
        events: &[Event],
    ) -> bool {
        let (Life::Flushing { code, deadline }, Layer::Sealed(sealed)) = (self.life, &mut self.layer) else {
            return false;
        };
        if sealed.mux.stats().buffered_out > 0 || events.iter().any(|e| matches!(e, Event::Writable(_))) {
            return false;
        }
        sealed.leave(code);
        self.life = Life::Leaving { code, deadline };
        sealed.transmit(out, limit, now)
    }

    /// When [`Session::handle_timeout`] wants to be called.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        let own = match self.life {
            Life::Over => return None,
            Life::Upgrading { deadline }
            | Life::Guessing { deadline }
            | Life::Flushing { deadline, .. }
            | Life::Leaving { deadline, .. } => Some(deadline),
            Life::Open => None,
        };
        let inner = match &self.layer {
            Layer::Clear(_) => None,
            Layer::Sealed(sealed) => sealed.next_timeout(),
        };
        own.into_iter().chain(inner).min()
    }

    // ---- getters

    /// The peer does not read what it makes us send: the socket must not be read until it does.
    #[must_use]
    pub fn is_overloaded(&self) -> bool {
        match &self.layer {
            Layer::Clear(_) => false,
            Layer::Sealed(sealed) => self.life != Life::Over && sealed.mux.is_overloaded(),
        }
    }

    /// There is a segment to leave.
    #[must_use]
    pub fn holds_segment(&self) -> bool {
        match &self.layer {
            Layer::Clear(_) => false,
            Layer::Sealed(sealed) => sealed.mux.holds_segment(),
        }
    }

    /// [`Session::transmit`] would give something, as far as can be told without doing it.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        match &self.layer {
            Layer::Clear(_) => true,
            Layer::Sealed(sealed) => sealed.has_pending(),
        }
    }

    /// Nothing more will be queued: the socket's write side can be ended once it has taken everything.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        matches!(self.life, Life::Leaving { .. } | Life::Over)
    }

    /// [`Event::Closed`] was given.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.life == Life::Over
    }

    /// Small messages go before transfers on this connection: what waits below it delays them.
    #[must_use]
    pub fn is_mixed(&self, now: Instant) -> bool {
        match &self.layer {
            Layer::Clear(_) => false,
            Layer::Sealed(sealed) => sealed.mux.is_mixed(now),
        }
    }

    /// The smallest round trip seen by pings.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        match &self.layer {
            Layer::Clear(_) => None,
            Layer::Sealed(sealed) => sealed.mux.rtt(),
        }
    }

    /// The muxer's counters; `None` before it runs.
    #[must_use]
    pub fn stats(&self) -> Option<Stats> {
        match &self.layer {
            Layer::Clear(_) => None,
            Layer::Sealed(sealed) => Some(sealed.mux.stats()),
        }
    }

    // ---- private

    /// After the muxer saw bytes or time: its events, then the end if there was one.
    fn settle(&mut self, received: Result<(), Reason>, now: Instant, events: &mut Vec<Event>) {
        let Layer::Sealed(sealed) = &mut self.layer else { return };
        self.life = match self.life {
            Life::Upgrading { deadline } if sealed.announce(self.round_trips, events) => {
                if sealed.has_agreed() { Life::Open } else { Life::Guessing { deadline } }
            }
            Life::Guessing { .. } if sealed.has_agreed() => {
                events.push(Event::MuxerAgreed);
                Life::Open
            }
            other => other,
        };
        let ended = sealed.dispatch(&self.protocols, now, events);
        let failed = sealed.failure();
        if let Some(reason) = received.err().or(ended).or(failed) {
            self.end(reason, events);
        }
    }

    fn end(&mut self, reason: Reason, events: &mut Vec<Event>) {
        if self.life != Life::Over {
            self.life = Life::Over;
            events.push(Event::Closed(reason));
        }
    }

    fn at_eof(&self) -> Reason {
        match &self.layer {
            Layer::Clear(upgrade) => upgrade.at_eof(),
            Layer::Sealed(sealed) => sealed.at_eof(),
        }
    }

    /// What the end of the upgrade's time means: a dialer that was refused everything may leave without a
    /// word, or stay without one.
    fn at_deadline(&self) -> Reason {
        match self.at_eof() {
            refused @ Reason::NothingInCommon { .. } => refused,
            _ if self.veil.as_ref().is_some_and(|veil| veil.is_nonce_all()) => Reason::OtherNetwork,
            _ => Reason::UpgradeTimeout(self.stage()),
        }
    }

    fn stage(&self) -> Stage {
        match &self.layer {
            Layer::Clear(upgrade) => upgrade.stage(),
            Layer::Sealed(_) => Stage::Muxer,
        }
    }

    fn sealed(&mut self) -> Result<&mut Sealed, Error> {
        match &mut self.layer {
            Layer::Clear(_) => Err(Error::NotEstablished),
            Layer::Sealed(sealed) => Ok(sealed),
        }
    }
}
