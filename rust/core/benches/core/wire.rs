//! Two sessions with one buffer between them: what is measured is theirs, not the pipe's.

use std::sync::Arc;

use plait_core::identity::PeerId;
use plait_core::limits::Budget;
use plait_core::multistream::ProtocolSet;
use plait_core::mux::StreamId;
use plait_core::secure::Security;
use plait_core::session::{Config, Event, Opening, Session};
use plait_core::testing::{DIALER, LISTENER, fresh, identity};
use plait_core::time::Instant;

/// What both sides speak.
pub(crate) const ECHO: &str = "/echo/1.0.0";

/// What a driver takes for one write to the socket.
const SEGMENT: usize = 128 << 10;

/// Two hosts. Their identities are made once, as in a program that runs.
pub(crate) struct Hosts {
    dialer: Arc<Config>,
    listener: Arc<Config>,
    listening_peer: PeerId,
    protocols: Arc<ProtocolSet>,
}

impl Hosts {
    pub(crate) fn new() -> Self {
        Self::speaking(|seed| Security::Noise(identity(seed).0))
    }

    /// The same with another security protocol, made for each side by its seed.
    pub(crate) fn speaking(security: impl Fn(u8) -> Security) -> Self {
        let config = |seed| Arc::new(Config::new(vec![security(seed)], Budget::unlimited()));
        Self {
            dialer: config(DIALER),
            listener: config(LISTENER),
            listening_peer: identity(LISTENER).1,
            protocols: Arc::new(ProtocolSet::new([ECHO]).unwrap()),
        }
    }

    /// A connection, up to the silence after the upgrade.
    pub(crate) fn connect(&self) -> Wire {
        let now = Instant::from_micros(1_000_000);
        let expected = Some(self.listening_peer);
        let session = |config, opening, expected, seed| {
            Session::new(config, &self.protocols, opening, expected, fresh(seed), now).unwrap()
        };
        let mut wire = Wire {
            dialer: session(&self.dialer, Opening::Initiate, expected, 7),
            listener: session(&self.listener, Opening::Answer, None, 9),
            now,
            segment: Vec::with_capacity(2 * SEGMENT),
            events: Vec::new(),
        };
        wire.carry(|_, _| {});
        wire
    }
}

/// A connection.
pub(crate) struct Wire {
    pub(crate) dialer: Session,
    pub(crate) listener: Session,
    pub(crate) now: Instant,
    segment: Vec<u8>,
    events: Vec<Event>,
}

impl Wire {
    /// Carries segments until both sides are silent. The listener's application sees its events.
    pub(crate) fn carry(&mut self, mut application: impl FnMut(&mut Session, Event)) {
        let Self { dialer, listener, now, segment, events } = self;
        loop {
            let there = carry_segment(dialer, listener, segment, *now, events);
            events.drain(..).for_each(|event| application(listener, event));
            let back = carry_segment(listener, dialer, segment, *now, events);
            events.clear();
            if !there && !back {
                return;
            }
        }
    }

    /// A stream of the dialer, negotiated: its id here and there.
    pub(crate) fn open(&mut self) -> (StreamId, StreamId) {
        let ours = self.dialer.open_stream(vec![ECHO.to_owned()], self.now).unwrap().unwrap();
        let mut theirs = None;
        self.carry(|_, event| {
            if let Event::StreamOpened { id, .. } = event {
                theirs = Some(id);
            }
        });
        (ours, theirs.unwrap())
    }

    /// Writes `data`, and reads it at the other side into `into`, by the segment.
    pub(crate) fn send(&mut self, (ours, theirs): (StreamId, StreamId), data: &[u8], into: &mut [u8]) {
        let mut rest = data;
        while !rest.is_empty() {
            let taken = self.dialer.write(ours, rest).unwrap();
            rest = &rest[taken..];
            self.carry(|listener, event| {
                if event_is_readable(&event) {
                    while listener.read(theirs, into).unwrap() > 0 {}
                }
            });
        }
    }

    /// Opens a stream, sends `data` on it and closes it on both sides.
    pub(crate) fn use_stream(&mut self, data: &[u8], into: &mut [u8]) {
        let ours = self.dialer.open_stream(vec![ECHO.to_owned()], self.now).unwrap().unwrap();
        self.dialer.write(ours, data).unwrap();
        self.dialer.close_write(ours);
        let now = self.now;
        self.carry(|listener, event| {
            if let Event::Readable(id) = event {
                while matches!(listener.read(id, into), Ok(1..)) {}
                listener.release(id, now);
            }
        });
        self.dialer.release(ours, now);
        self.carry(|_, _| {});
        assert_eq!(self.dialer.stats().unwrap().outbound_streams, 0);
    }
}

fn carry_segment(
    from: &mut Session,
    to: &mut Session,
    segment: &mut Vec<u8>,
    now: Instant,
    events: &mut Vec<Event>,
) -> bool {
    segment.clear();
    let any = from.transmit(segment, SEGMENT, now, events);
    events.clear();
    if any {
        to.receive(segment, now, events);
    }
    any
}

fn event_is_readable(event: &Event) -> bool {
    matches!(event, Event::Readable(_))
}
