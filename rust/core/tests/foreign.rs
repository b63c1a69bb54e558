//! Security protocols and muxers that are somebody else's: what the core makes of what they say, of what they
//! get wrong, and of their failures.

// The test and the connection both look into the script.
#![allow(clippy::disallowed_types)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use plait_core::fault::Fault;
use plait_core::identity::PeerId;
use plait_core::mux::foreign::{Foreign, ForeignConnection, ForeignFrame, ForeignMuxer};
use plait_core::mux::{Available, Error, MuxConfig, MuxEvent, Muxer, Role, StreamError, StreamId, Violation};
use plait_core::secure::{
    self, ForeignChannel, ForeignCompleted, ForeignHandshake, ForeignSecurity, Security, Side,
};
use plait_core::session::{Event, Opening, Reason};
use plait_core::testing::{DIALER, End, LISTENER, Pair, identity};
use plait_core::time::Instant;

const ECHO: &str = "/echo/1.0.0";

// ---- a security protocol: each side says its byte, and everything is turned upside down

#[derive(Debug)]
struct Flip {
    seed: u8,
    /// Says that it left so many bytes.
    unused: usize,
    /// Refuses to seal after so many records.
    records: usize,
    muxers: Vec<String>,
}

impl Flip {
    fn new(seed: u8) -> Self {
        Self { seed, unused: 0, records: usize::MAX, muxers: Vec::new() }
    }
}

#[derive(Debug)]
struct FlipHandshake {
    out: Vec<u8>,
    unused: usize,
    records: usize,
    muxers: Vec<String>,
}

#[derive(Debug)]
struct FlipChannel {
    records: usize,
}

impl ForeignSecurity for Flip {
    fn protocol(&self) -> &str {
        "/flip/1.0.0"
    }

    fn begin(&self, _: Side, _: &[String], _: Option<&PeerId>) -> Result<Box<dyn ForeignHandshake>, Fault> {
        let Self { seed, unused, records, muxers } = self;
        let (unused, records, muxers) = (*unused, *records, muxers.clone());
        Ok(Box::new(FlipHandshake { out: vec![*seed], unused, records, muxers }))
    }
}

impl ForeignHandshake for FlipHandshake {
    fn receive(&mut self, data: &[u8]) -> Result<Option<ForeignCompleted>, Fault> {
        let Some((&seed, rest)) = data.split_first() else { return Ok(None) };
        if seed == 0 {
            return Err(Fault::misuse("was told a lie"));
        }
        Ok(Some(ForeignCompleted {
            remote: identity(seed).1.public_key().ok_or_else(|| Fault::misuse("knows no key"))?,
            remote_muxers: self.muxers.clone(),
            unused: rest.len() + self.unused,
            channel: Box::new(FlipChannel { records: self.records }),
        }))
    }

    fn transmit(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
        out.append(&mut self.out);
        Ok(())
    }
}

impl ForeignChannel for FlipChannel {
    fn receive(&mut self, data: &[u8], plaintexts: &mut Vec<Vec<u8>>) -> Result<(), Fault> {
        plaintexts.push(data.iter().map(|byte| !byte).collect());
        Ok(())
    }

    fn seal(&mut self, plaintext: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        self.records = self.records.checked_sub(1).ok_or_else(|| Fault::misuse("has no more keys"))?;
        out.extend(plaintext.iter().map(|byte| !byte));
        Ok(())
    }

    fn has_partial(&self) -> Result<bool, Fault> {
        Ok(false)
    }
}

fn flipped(configure: impl Fn(u8, &mut Flip)) -> Pair {
    Pair::opening(&[ECHO], [Opening::Initiate, Opening::Answer], |seed, config| {
        let mut flip = Flip::new(seed);
        configure(seed, &mut flip);
        config.security = vec![Security::Foreign(Arc::new(flip))];
    })
}

fn closed(end: &End) -> Option<&Reason> {
    end.events.iter().find_map(|event| match event {
        Event::Closed(reason) => Some(reason),
        _ => None,
    })
}

fn agreed(end: &End) -> Option<(PeerId, String, bool)> {
    end.events.iter().find_map(|event| match event {
        Event::Established(agreed) => Some((agreed.remote.peer, agreed.security.clone(), agreed.early_muxer)),
        _ => None,
    })
}

#[test]
fn a_foreign_channel_carries_streams() {
    for chop in [1, 7, usize::MAX] {
        let mut pair = flipped(|_, _| {});
        pair.dialer.link.chop = chop;
        pair.listener.link.chop = chop;
        pair.run();
        assert_eq!(agreed(&pair.dialer), Some((identity(LISTENER).1, "/flip/1.0.0".to_owned(), false)));
        assert_eq!(agreed(&pair.listener), Some((identity(DIALER).1, "/flip/1.0.0".to_owned(), false)));
        let (ours, theirs) = pair.open(ECHO);
        pair.dialer.session.write(ours, b"over it").unwrap();
        pair.dialer.session.close_write(ours);
        pair.run();
        assert_eq!(pair.listener.read_all(theirs), (b"over it".to_vec(), true));
    }
}

#[test]
fn a_foreign_handshake_may_carry_the_muxers() {
    let mut pair = flipped(|_, flip| flip.muxers = vec!["/x".into(), "/yamux/1.0.0".into()]);
    pair.run();
    for end in [&pair.dialer, &pair.listener] {
        assert!(agreed(end).is_some_and(|(_, _, early)| early), "{:?}", end.events);
    }
    let mut pair = flipped(|_, flip| flip.muxers = vec!["/x".into()]);
    pair.run();
    assert!(matches!(closed(&pair.dialer), Some(Reason::NothingInCommon { .. })));
}

#[test]
fn whoever_answers_is_checked_whatever_the_plugin_does() {
    let mut pair = flipped(|seed, flip| flip.seed = if seed == LISTENER { 9 } else { seed });
    pair.run();
    let reason = closed(&pair.dialer);
    assert!(
        matches!(reason, Some(Reason::Handshake(secure::Error::PeerIdMismatch { expected, actual }))
            if (*expected, *actual) == (identity(LISTENER).1, identity(9).1)),
        "{reason:?}"
    );
}

#[test]
fn a_foreign_handshake_that_fails_ends_the_upgrade() {
    let mut pair = flipped(|_, flip| flip.seed = 0);
    pair.run();
    for end in [&pair.dialer, &pair.listener] {
        assert!(
            matches!(closed(end), Some(Reason::Handshake(secure::Error::Foreign(_)))),
            "{:?}",
            end.events
        );
    }
}

#[test]
fn bytes_that_were_never_given_cannot_be_left() {
    let mut pair = flipped(|_, flip| flip.unused = 9);
    pair.run();
    let reason = closed(&pair.dialer);
    assert!(matches!(reason, Some(Reason::Handshake(secure::Error::Foreign(_)))), "{reason:?}");
}

#[test]
fn a_channel_without_keys_ends_the_connection_at_once() {
    let mut pair = flipped(|seed, flip| flip.records = if seed == DIALER { 0 } else { 9 });
    pair.run();
    let reason = closed(&pair.dialer);
    assert!(matches!(reason, Some(Reason::Record(secure::Error::Foreign(_)))), "{reason:?}");
}

// ---- a muxer whose frames are what the test puts there

/// What the connection was asked, and what it is to answer.
#[derive(Debug, Default)]
struct Script {
    said: Vec<String>,
    frames: Vec<ForeignFrame>,
    fails: bool,
    /// The number of the next stream; `None`: not now.
    next: Option<u64>,
    /// Bytes that `send` takes before it wants credit.
    credit: usize,
    timeout: Option<Instant>,
    /// Takes this much more than it was given.
    greed: usize,
}

#[derive(Clone, Debug)]
struct Scripted(Arc<Mutex<Script>>);

impl ForeignMuxer for Scripted {
    fn protocol(&self) -> &str {
        "/scripted/1.0.0"
    }

    fn begin(&self, _: Role, _: Instant) -> Result<Box<dyn ForeignConnection>, Fault> {
        self.say("begin".to_owned())?;
        Ok(Box::new(self.clone()))
    }
}

impl Scripted {
    fn say(&self, what: String) -> Result<(), Fault> {
        let mut script = self.0.lock().unwrap();
        script.said.push(what);
        if script.fails { Err(Fault::misuse("fails")) } else { Ok(()) }
    }
}

impl ForeignConnection for Scripted {
    fn receive(&mut self, data: &[u8], _: Instant, frames: &mut Vec<ForeignFrame>) -> Result<(), Fault> {
        frames.append(&mut self.0.lock().unwrap().frames);
        self.say(format!("receive {}", data.len()))
    }

    fn open(&mut self) -> Result<Option<u64>, Fault> {
        self.say("open".to_owned())?;
        let mut script = self.0.lock().unwrap();
        let number = script.next;
        script.next = number.map(|number| number.wrapping_add(2));
        Ok(number)
    }

    fn send(&mut self, stream: u64, data: &[u8]) -> Result<usize, Fault> {
        let mut script = self.0.lock().unwrap();
        let count = data.len().min(script.credit) + script.greed;
        script.credit = script.credit.saturating_sub(count);
        drop(script);
        self.say(format!("send {stream} {count}"))?;
        Ok(count)
    }

    fn finish(&mut self, stream: u64) -> Result<(), Fault> {
        self.say(format!("finish {stream}"))
    }

    fn reset(&mut self, stream: u64, code: u32) -> Result<(), Fault> {
        self.say(format!("reset {stream} {code}"))
    }

    fn consumed(&mut self, stream: u64, count: usize) -> Result<(), Fault> {
        self.say(format!("consumed {stream} {count}"))
    }

    fn go_away(&mut self, code: u32) -> Result<(), Fault> {
        self.say(format!("go away {code}"))
    }

    fn transmit(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
        out.push(b'.');
        Ok(())
    }

    fn handle_timeout(&mut self, _: Instant, frames: &mut Vec<ForeignFrame>) -> Result<(), Fault> {
        frames.append(&mut self.0.lock().unwrap().frames);
        self.say("timeout".to_owned())
    }

    fn next_timeout(&self) -> Result<Option<Instant>, Fault> {
        Ok(self.0.lock().unwrap().timeout)
    }
}

struct Half {
    mux: Foreign,
    script: Arc<Mutex<Script>>,
    now: Instant,
    events: Vec<MuxEvent>,
}

impl Half {
    fn new() -> Self {
        Self::with(MuxConfig::default())
    }

    fn with(config: MuxConfig) -> Self {
        let script = Arc::new(Mutex::new(Script { next: Some(1), credit: usize::MAX, ..Script::default() }));
        let muxer: Arc<dyn ForeignMuxer> = Arc::new(Scripted(Arc::clone(&script)));
        let now = Instant::from_micros(1_000_000);
        let budget = plait_core::limits::Budget::unlimited();
        let mux = Foreign::new(&muxer, Role::Client, &Arc::new(config), budget, now);
        Self { mux, script, now, events: Vec::new() }
    }

    /// These frames arrive.
    fn receive(&mut self, frames: &[ForeignFrame]) -> Result<(), Violation> {
        self.script.lock().unwrap().frames = frames.to_vec();
        self.mux.receive(b"x", self.now, &mut self.events)
    }

    fn transmit(&mut self) -> usize {
        self.mux.transmit(&mut Vec::new(), 1 << 15, self.now, &mut self.events)
    }

    fn said(&self) -> Vec<String> {
        std::mem::take(&mut self.script.lock().unwrap().said)
    }

    fn accept(&mut self, wire: u64) -> StreamId {
        self.receive(&[ForeignFrame::Opened(wire)]).unwrap();
        let Some(&MuxEvent::Opened(id)) = self.events.last() else { panic!("{:?}", self.events) };
        self.mux.accept(id);
        self.events.clear();
        id
    }
}

fn data(wire: u64, length: usize) -> ForeignFrame {
    ForeignFrame::Data(wire, vec![7; length])
}

#[test]
fn commands_reach_the_plugin_only_while_bytes_move() {
    let mut half = Half::new();
    let id = half.mux.open(half.now).unwrap().unwrap();
    half.mux.write(id, b"hello").unwrap();
    half.mux.close_write(id);
    assert!(half.said().is_empty());
    assert!(half.mux.has_pending());
    half.transmit();
    assert_eq!(half.said(), ["begin", "open", "send 1 5", "finish 1"]);
    half.receive(&[data(1, 9)]).unwrap();
    half.mux.read(id, &mut [0; 4]).unwrap();
    assert_eq!(half.said(), ["receive 1"]);
    half.mux.consume(id, 3);
    half.transmit();
    assert_eq!(half.said(), ["consumed 1 7"]);
    half.mux.reset(id, 5);
    half.mux.go_away(6);
    half.transmit();
    assert_eq!(half.said(), ["reset 1 5", "go away 6"]);
}

#[test]
fn a_stream_without_credit_waits_and_the_writer_is_told() {
    let mut half = Half::new();
    half.script.lock().unwrap().credit = 10;
    let id = half.mux.open(half.now).unwrap().unwrap();
    let most = MuxConfig::default().send_buffer;
    assert_eq!(half.mux.write(id, &vec![0; most + 1]), Ok(most));
    half.transmit();
    assert_eq!(half.said().last().map(String::as_str), Some("send 1 10"));
    while half.transmit() > 0 {}
    assert!(!half.mux.has_pending(), "it would ask for ever");
    half.script.lock().unwrap().credit = usize::MAX;
    half.receive(&[ForeignFrame::Credit(1)]).unwrap();
    while half.transmit() > 0 {}
    assert!(half.events.contains(&MuxEvent::Writable(id)));
    assert_eq!(half.mux.stats().buffered_out, 0);
}

#[test]
fn not_now_is_asked_again_when_something_came() {
    let mut half = Half::with(MuxConfig { max_unacknowledged_streams: 1, ..MuxConfig::default() });
    half.script.lock().unwrap().next = None;
    half.mux.open(half.now).unwrap().unwrap();
    assert_eq!(half.mux.open(half.now), Ok(None));
    half.transmit();
    half.transmit();
    assert_eq!(half.said(), ["begin", "open"]);
    half.script.lock().unwrap().next = Some(1);
    half.receive(&[]).unwrap();
    half.transmit();
    assert_eq!(half.said(), ["receive 1", "open"]);
    assert_eq!(half.events, [MuxEvent::OpenCredit]);
}

#[test]
fn the_states_of_streams_are_kept_here() {
    let mut half = Half::new();
    let id = half.accept(2);
    half.receive(&[data(2, 3), ForeignFrame::Fin(2), data(2, 1)]).unwrap();
    assert_eq!(half.events, [MuxEvent::Readable(id), MuxEvent::Readable(id)]);
    assert_eq!(half.mux.read(id, &mut [0; 9]), Ok(3), "nothing comes after the end");
    assert_eq!(half.mux.available(id), Ok(Available::Finished));
    assert_eq!(half.mux.stats().frames_after_fin, 1);

    let other = half.accept(4);
    half.receive(&[data(4, 3), ForeignFrame::Reset(4, 8)]).unwrap();
    assert_eq!(half.events.last(), Some(&MuxEvent::Reset { id: other, code: 8 }));
    assert_eq!(half.mux.available(other), Err(StreamError::Reset { code: 8 }));
    assert_eq!(half.mux.write(other, b"x"), Err(StreamError::Reset { code: 8 }));
    half.receive(&[data(4, 3), ForeignFrame::Fin(99)]).unwrap();
    assert_eq!(half.mux.stats().frames_ignored, 2);
}

#[test]
fn a_number_that_is_in_use_is_a_violation_or_a_fault() {
    let mut half = Half::new();
    half.accept(2);
    assert_eq!(half.receive(&[ForeignFrame::Opened(2)]), Err(Violation::DuplicateStream(2)));
    assert_eq!(half.receive(&[data(2, 1)]), Err(Violation::DuplicateStream(2)));

    let mut half = Half::new();
    half.accept(1);
    half.mux.open(half.now).unwrap();
    half.transmit();
    assert!(half.mux.fault().is_some());
    let mut half = Half::new();
    half.script.lock().unwrap().next = Some(u64::MAX);
    half.mux.open(half.now).unwrap();
    half.transmit();
    assert!(half.mux.fault().is_some());
}

#[test]
fn more_bytes_than_it_was_given_cannot_be_taken() {
    let mut half = Half::new();
    half.script.lock().unwrap().greed = 1;
    let id = half.mux.open(half.now).unwrap().unwrap();
    half.mux.write(id, b"x").unwrap();
    half.transmit();
    assert!(half.mux.fault().is_some());
}

#[test]
fn a_plugin_that_failed_is_not_called_again() {
    let mut half = Half::new();
    let id = half.accept(2);
    half.script.lock().unwrap().fails = true;
    half.said();
    half.receive(&[data(2, 4)]).unwrap();
    assert!(half.mux.fault().is_some());
    assert_eq!(half.mux.read(id, &mut [0; 9]), Ok(4), "what it said before counts");
    assert!(half.transmit() > 0, "and what it wanted to send");
    half.receive(&[]).unwrap();
    half.mux.handle_timeout(half.now + Duration::from_secs(9), &mut half.events);
    assert_eq!(half.transmit(), 0);
    assert_eq!(half.said(), ["receive 1"]);
    assert_eq!(half.mux.open(half.now), Err(Error::GoingAway));
}

#[test]
fn a_deadline_that_does_not_move_on_does_not_spin() {
    let mut half = Half::new();
    half.script.lock().unwrap().timeout = Some(half.now);
    half.transmit();
    half.receive(&[]).unwrap();
    let next = half.mux.next_timeout().unwrap();
    assert!(next > half.now);
    half.now = next;
    half.mux.handle_timeout(next, &mut half.events);
    assert!(half.said().contains(&"timeout".to_owned()));
    assert!(half.mux.next_timeout().unwrap() > next);
}

#[test]
fn a_stream_that_nobody_reads_stops_the_reading_and_is_reset() {
    let mut half = Half::new();
    let id = half.accept(2);
    let most = MuxConfig::default().max_stream_unread;
    half.receive(&[data(2, most)]).unwrap();
    assert!(half.mux.is_overloaded());
    half.now = half.now + Duration::from_secs(6);
    half.mux.handle_timeout(half.now, &mut half.events);
    assert!(!half.mux.is_overloaded());
    assert_eq!(half.events.last(), Some(&MuxEvent::Reset { id, code: 0 }));
    half.transmit();
    assert_eq!(half.said().last().map(String::as_str), Some("reset 2 0"));
    assert_eq!(half.mux.stats().streams_given_up, 1);
}

#[test]
fn streams_over_the_limit_are_refused() {
    let mut half = Half::with(MuxConfig { max_inbound_streams: 1, ..MuxConfig::default() });
    half.accept(2);
    half.receive(&[ForeignFrame::Opened(4)]).unwrap();
    assert_eq!(half.events, []);
    half.transmit();
    assert_eq!(half.said().last().map(String::as_str), Some("reset 4 4098"));
}

#[test]
fn a_released_stream_is_gone_when_both_have_ended_or_its_time_is_up() {
    let mut half = Half::new();
    let (first, second) = (half.accept(2), half.accept(4));
    half.mux.release(first, half.now);
    half.mux.release(second, half.now);
    half.receive(&[ForeignFrame::Fin(2)]).unwrap();
    half.transmit();
    assert_eq!(half.mux.num_streams(), 1);
    half.now = half.now + Duration::from_secs(120);
    half.mux.handle_timeout(half.now, &mut half.events);
    half.transmit();
    assert_eq!(half.mux.num_streams(), 0);
    assert_eq!(half.said().last().map(String::as_str), Some("reset 4 0"));
}

#[test]
fn a_failure_ends_the_session_with_the_fault() {
    let script = Arc::new(Mutex::new(Script { fails: true, ..Script::default() }));
    let mut pair = Pair::with(&[ECHO], |config| {
        config.muxers = vec![Muxer::Foreign(Arc::new(Scripted(Arc::clone(&script))))];
    });
    pair.run();
    assert!(agreed(&pair.dialer).is_some());
    pair.dialer.session.open_stream(vec![ECHO.into()], pair.now).unwrap();
    pair.run();
    assert!(matches!(closed(&pair.dialer), Some(Reason::Muxer(_))), "{:?}", pair.dialer.events);
}
