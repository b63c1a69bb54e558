//! A whole session, from its first byte on: strangers, connections that break, and peers with keys
//! that do what they like.

#![no_main]

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use plait_core::identity::PeerId;
use plait_core::limits::Budget;
use plait_core::multistream::{ProtocolSet, encode_header, encode_message};
use plait_core::mux::{Lent, StreamId, yamux};
use plait_core::noise::{self, Handshake, Sealer, StaticKeys};
use plait_core::secure::Security;
use plait_core::session::{Config, Event, Opening, Session};
use plait_core::testing::{DIALER, LISTENER, Link, Pair, fresh, identity};
use plait_core::time::Instant;
use plait_fuzz::{Frame, Lengths, data_frame};

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    /// Bytes of somebody who has no keys.
    Stranger { is_dialing: bool, is_greeted: bool, lengths: Lengths, bytes: &'a [u8] },
    /// An honest connection over a pipe that is not.
    Pipe { faults: [Fault; 2], length: u16 },
    /// A peer that finished the handshake.
    Insider { is_early: bool, steps: Vec<Step> },
}

#[derive(Arbitrary, Clone, Copy, Debug)]
struct Fault {
    chop: u8,
    cut: Option<u16>,
    flip: Option<u16>,
}

#[derive(Arbitrary, Debug)]
enum Step {
    Plaintext(Vec<u8>),
    Frames(Vec<Frame>),
    /// A stream with an honest negotiation, and some data.
    Stream {
        stream: u8,
        flags: u8,
        length: u8,
    },
    /// Bytes that are no record.
    Wire(Vec<u8>),
    End,
    Open(u8),
    Write(u8, u16),
    Read(u8, u16),
    CloseWrite(u8),
    StopReading(u8),
    Release(u8),
    Reset(u8),
    Close,
    Advance(u16),
    /// The socket takes so much.
    Transmit(u16),
}

fuzz_target!(|input: Input| match input {
    Input::Stranger { is_dialing, is_greeted, lengths, bytes } => {
        stranger(is_dialing, is_greeted, lengths, bytes);
    }
    Input::Pipe { faults, length } => pipe(faults, usize::from(length)),
    Input::Insider { is_early, steps } => insider(is_early, &steps),
});

fn stranger(is_dialing: bool, is_greeted: bool, lengths: Lengths, bytes: &[u8]) {
    let mut driver = Driver::new(is_dialing);
    driver.transmit(usize::MAX);
    let mut wire = Vec::new();
    if is_greeted {
        encode_header(&mut wire);
        encode_message(noise::PROTOCOL, &mut wire);
    }
    wire.extend_from_slice(bytes);
    for piece in lengths.cut(&wire) {
        driver.receive(piece);
        driver.transmit(usize::MAX);
    }
    driver.advance(Duration::from_secs(60));
    assert!(driver.is_over, "a stranger holds a session past its deadline");
    assert!(driver.session.stats().is_none(), "a stranger got through");
}

fn pipe(faults: [Fault; 2], length: usize) {
    let mut pair = Pair::new(&[ECHO]);
    let [there, back] = faults.map(|fault| Link {
        chop: usize::from(fault.chop) + 1,
        cut: fault.cut.map(u64::from),
        flip: fault.flip.map(u64::from),
        ..Link::default()
    });
    pair.dialer.link = there;
    pair.listener.link = back;
    pair.run();
    let sent: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
    if let Ok(Some(id)) = pair.dialer.session.open_stream(vec![ECHO.into()], pair.now) {
        let _ = pair.dialer.session.write(id, &sent);
        pair.dialer.session.close_write(id);
    }
    pair.run();
    let mut received = Vec::new();
    for event in pair.listener.take_events() {
        if let Event::Readable(id) = event {
            let (data, is_finished) = pair.listener.read_all(id);
            received.extend_from_slice(&data);
            assert!(!is_finished || received == sent, "an end that is none");
        }
    }
    assert!(sent.starts_with(&received));
    pair.advance(Duration::from_secs(120));
}

fn insider(is_early: bool, steps: &[Step]) {
    let mut driver = Driver::new(false);
    let Some(mut sealer) = shake_hands(&mut driver, is_early) else {
        unreachable!("an honest handshake failed")
    };
    if !is_early {
        let mut greeting = Vec::new();
        encode_header(&mut greeting);
        encode_message(yamux::PROTOCOL, &mut greeting);
        driver.receive_sealed(&mut sealer, &greeting);
    }
    for step in steps.iter().take(MOST_STEPS) {
        let now = driver.now;
        match step {
            Step::Plaintext(plaintext) => driver.receive_sealed(&mut sealer, plaintext),
            Step::Frames(frames) => {
                let mut plaintext = Vec::new();
                frames.iter().take(MOST_FRAMES).for_each(|frame| frame.encode(&mut plaintext));
                driver.receive_sealed(&mut sealer, &plaintext);
            }
            Step::Stream { stream, flags, length } => {
                let mut body = Vec::new();
                encode_header(&mut body);
                encode_message(ECHO, &mut body);
                body.resize(body.len() + usize::from(*length), b'x');
                let mut plaintext = Vec::new();
                data_frame(u32::from(*stream) * 2 + 1, SYN | (flags & FIN), &body, &mut plaintext);
                driver.receive_sealed(&mut sealer, &plaintext);
            }
            Step::Wire(bytes) => driver.receive(bytes),
            Step::End => {
                driver.session.receive_eof(&mut driver.events);
                driver.take_events();
                assert!(driver.is_over);
            }
            Step::Open(names) => {
                let names = if names % 2 == 0 { vec![ECHO.into()] } else { vec!["/b".into(), ECHO.into()] };
                if let Ok(Some(id)) = driver.session.open_stream(names, now) {
                    driver.streams.push(id);
                }
            }
            Step::Write(index, length) => {
                if let Some(id) = driver.stream(*index) {
                    let data = vec![2; usize::from(*length)];
                    let _ = match length % 2 {
                        0 => driver.session.lend(id, Lent::new(data, 0)),
                        _ => driver.session.write(id, &data),
                    };
                }
            }
            Step::Read(index, length) => {
                if let Some(id) = driver.stream(*index) {
                    let _ = driver.session.available(id);
                    let _ = driver.session.read(id, &mut vec![0; usize::from(*length)]);
                }
            }
            Step::CloseWrite(index) => {
                driver.stream(*index).into_iter().for_each(|id| driver.session.close_write(id));
            }
            Step::StopReading(index) => {
                driver.stream(*index).into_iter().for_each(|id| driver.session.stop_reading(id));
            }
            Step::Release(index) => {
                driver.stream(*index).into_iter().for_each(|id| driver.session.release(id, now));
            }
            Step::Reset(index) => {
                driver.stream(*index).into_iter().for_each(|id| driver.session.reset(id, 0x1000));
            }
            Step::Close => driver.session.close(0, now, &mut driver.events),
            Step::Advance(millis) => driver.advance(Duration::from_millis(u64::from(*millis))),
            Step::Transmit(limit) => driver.transmit(usize::from(*limit)),
        }
        driver.take_events();
    }
    let budget = driver.budget.clone();
    drop(driver);
    assert_eq!(budget.used(), 0);
}

/// The part of a peer with keys, up to its last handshake message.
fn shake_hands(driver: &mut Driver, is_early: bool) -> Option<Sealer> {
    let muxers = if is_early { vec![yamux::PROTOCOL.to_owned()] } else { Vec::new() };
    let (keys, _) = &*THEIRS;
    let expected = Some(OURS.1);
    let mut handshake = Handshake::initiator(keys, [7; 32], &muxers, expected).ok()?;
    let mut wire = Vec::new();
    encode_header(&mut wire);
    encode_message(noise::PROTOCOL, &mut wire);
    let agreement = wire.len();
    handshake.transmit(&mut wire);
    driver.receive(&wire);
    let answer = driver.transmit_all();
    let (_, completed) = handshake.receive(&answer[agreement..]).ok()?;
    let mut wire = Vec::new();
    handshake.transmit(&mut wire);
    driver.receive(&wire);
    Some(completed?.sealer)
}

struct Driver {
    session: Session,
    now: Instant,
    budget: Budget,
    events: Vec<Event>,
    streams: Vec<StreamId>,
    is_over: bool,
}

impl Driver {
    fn new(is_dialing: bool) -> Self {
        let now = Instant::from_micros(1_000_000);
        let budget = Budget::new(16 << 20);
        let protocols = Arc::new(ProtocolSet::new([ECHO]).unwrap());
        let config = Arc::new(Config::new(vec![Security::Noise(Arc::clone(&OURS.0))], budget.clone()));
        let (opening, expected) =
            if is_dialing { (Opening::Initiate, Some(THEIRS.1)) } else { (Opening::Answer, None) };
        let session = Session::new(&config, &protocols, opening, expected, fresh(9), now).unwrap();
        Self { session, now, budget, events: Vec::new(), streams: Vec::new(), is_over: false }
    }

    fn receive(&mut self, bytes: &[u8]) {
        if self.session.is_overloaded() {
            return;
        }
        self.session.receive(&mut bytes.to_vec(), self.now, &mut self.events);
        self.take_events();
        if let Some(stats) = self.session.stats() {
            assert!(stats.buffered_in <= MAX_BUFFERED_IN + bytes.len());
        }
    }

    fn receive_sealed(&mut self, sealer: &mut Sealer, plaintext: &[u8]) {
        let mut record = vec![0; 2];
        record.extend_from_slice(plaintext);
        // A record that is not delivered would be a gap in the nonces, which is another input's business.
        if !self.session.is_overloaded() && sealer.seal(&mut record, 0).is_ok() {
            self.receive(&record);
        }
    }

    fn transmit(&mut self, limit: usize) {
        let limit = limit.min(SEGMENT);
        let mut out = Vec::new();
        let any = self.session.transmit(&mut out, limit, self.now, &mut self.events);
        assert_eq!(any, !out.is_empty());
        // A record that was begun is finished.
        assert!(out.len() <= limit + RECORD_MARGIN, "{} bytes for a limit of {limit}", out.len());
        self.take_events();
    }

    fn transmit_all(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        while self.session.transmit(&mut out, SEGMENT, self.now, &mut self.events) {}
        self.take_events();
        out
    }

    fn advance(&mut self, by: Duration) {
        let until = self.now + by;
        while let Some(next) = self.session.next_timeout().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            // A call that comes very late may ask for another one at once, but not for ever.
            for _ in 0..MOST_TIMEOUTS {
                self.session.handle_timeout(self.now, &mut self.events);
                self.take_events();
            }
            let again = self.session.next_timeout();
            assert!(again.is_none_or(|again| again > self.now), "a timer that does not advance");
        }
        self.now = until;
    }

    fn take_events(&mut self) {
        for event in std::mem::take(&mut self.events) {
            assert!(!self.is_over, "{event:?} after the last event");
            match event {
                Event::StreamOpened { id, .. } => self.streams.push(id),
                Event::Closed(_) => self.is_over = true,
                _ => {}
            }
        }
        assert_eq!(self.is_over, self.session.is_over());
    }

    fn stream(&self, index: u8) -> Option<StreamId> {
        let index = usize::from(index).checked_rem(self.streams.len())?;
        Some(self.streams[index])
    }
}

static OURS: LazyLock<(Arc<StaticKeys>, PeerId)> = LazyLock::new(|| identity(LISTENER));
static THEIRS: LazyLock<(Arc<StaticKeys>, PeerId)> = LazyLock::new(|| identity(DIALER));

const ECHO: &str = "/echo/1.0.0";
const SYN: u8 = 1;
const FIN: u8 = 4;
const SEGMENT: usize = 128 << 10;
/// A frame's header, a record's length and tag, the smallest record, and the muxer's negotiation.
const RECORD_MARGIN: usize = 512;
/// The bound of the session's defaults.
const MAX_BUFFERED_IN: usize = 64 << 20;
/// The session's own deadline, the negotiations', ping and linger.
const MOST_TIMEOUTS: usize = 4;
/// Keeps one input under some milliseconds.
const MOST_STEPS: usize = 100;
const MOST_FRAMES: usize = 64;
