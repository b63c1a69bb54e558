//! Whole connections in memory: upgrade, streams, ends, and what every cut and every flipped bit does.

use std::time::Duration;

use plait_core::mux::Available;
use plait_core::secure::{self, Security};
use plait_core::session::{Event, Opening, Reason, Refusal, Session, Stage};
use plait_core::testing::{End, LISTENER, Pair, fresh, identity};
use plait_core::time::Instant;
use proptest::prelude::*;

const ECHO: &str = "/echo/1.0.0";

fn established(events: &[Event]) -> Option<(bool, u32)> {
    events.iter().find_map(|event| match event {
        Event::Established(agreed) => Some((agreed.early_muxer, agreed.round_trips)),
        _ => None,
    })
}

fn closed(events: &[Event]) -> Option<&Reason> {
    events.iter().find_map(|event| match event {
        Event::Closed(reason) => Some(reason),
        _ => None,
    })
}

/// Throws away what a side wants to send.
fn drain(end: &mut End, now: Instant) {
    while end.session.transmit(&mut Vec::new(), 9999, now, &mut end.events) {}
}

#[test]
fn the_upgrade_takes_one_round_trip_of_the_dialer() {
    let mut pair = Pair::new(&[ECHO]);
    pair.dialer.link.delay = Duration::from_millis(50);
    pair.listener.link.delay = Duration::from_millis(50);
    let start = pair.now;
    while established(&pair.dialer.events).is_none() {
        assert!(pair.step());
    }
    // Header, proposal and the first handshake message in one flight; the muxer inside the handshake.
    assert_eq!(established(&pair.dialer.events), Some((true, 1)));
    assert_eq!(pair.now.since(start), Duration::from_millis(100));
    pair.run();
    assert_eq!(established(&pair.listener.events), Some((true, 1)));
}

#[test]
fn an_application_answers_after_two_round_trips() {
    let mut pair = Pair::new(&[ECHO]);
    pair.dialer.link.delay = Duration::from_millis(50);
    pair.listener.link.delay = Duration::from_millis(50);
    let start = pair.now;
    while established(&pair.dialer.events).is_none() {
        assert!(pair.step());
    }
    let id = pair.dialer.session.open_stream(vec![ECHO.into()], pair.now).unwrap().unwrap();
    assert_eq!(pair.dialer.session.write(id, b"hello").unwrap(), 5);
    let mut answered = false;
    loop {
        assert!(pair.step());
        for event in pair.listener.take_events() {
            if let Event::Readable(inbound) = event {
                let (data, _) = pair.listener.read_all(inbound);
                pair.listener.session.write(inbound, &data).unwrap();
                answered = true;
            }
        }
        if answered && matches!(pair.dialer.session.available(id), Ok(Available::Bytes(5))) {
            break;
        }
    }
    // With the transport's own handshake that makes three.
    assert_eq!(pair.now.since(start), Duration::from_millis(200));
}

#[test]
fn data_and_halves() {
    let mut pair = Pair::new(&[ECHO]);
    pair.run();
    let (ours, theirs) = pair.open(ECHO);
    pair.dialer.session.write(ours, b"question").unwrap();
    pair.dialer.session.close_write(ours);
    pair.run();
    assert_eq!(pair.listener.read_all(theirs), (b"question".to_vec(), true));
    pair.listener.session.write(theirs, b"answer").unwrap();
    pair.listener.session.release(theirs, pair.now);
    pair.run();
    assert_eq!(pair.dialer.read_all(ours), (b"answer".to_vec(), true));
    pair.dialer.session.release(ours, pair.now);
    pair.run();
    for end in [&pair.dialer, &pair.listener] {
        let stats = end.session.stats().unwrap();
        assert_eq!((stats.inbound_streams, stats.outbound_streams), (0, 0));
        assert_eq!((stats.buffered_in, stats.buffered_out), (0, 0));
    }
}

#[test]
fn a_reset_carries_its_code_and_is_no_end() {
    let mut pair = Pair::new(&[ECHO]);
    pair.run();
    let (ours, theirs) = pair.open(ECHO);
    pair.listener.session.reset(theirs, 0x1234);
    pair.run();
    let seen = pair
        .dialer
        .events
        .iter()
        .any(|event| matches!(event, Event::StreamReset { id, code: 0x1234 } if *id == ours));
    assert!(seen, "{:?}", pair.dialer.events);
    assert!(pair.dialer.session.available(ours).is_err());
}

#[test]
fn a_reset_that_comes_with_the_confirmation_keeps_its_code() {
    let mut pair = Pair::new(&[ECHO]);
    pair.run();
    let id = pair.dialer.session.open_stream(vec![ECHO.into()], pair.now).unwrap().unwrap();
    // The listener confirms and resets before either is sent.
    while pair.listener.events.iter().all(|event| !matches!(event, Event::StreamOpened { .. })) {
        let mut out = Vec::new();
        pair.dialer.session.transmit(&mut out, 9999, pair.now, &mut pair.dialer.events);
        pair.listener.session.receive(&mut out, pair.now, &mut pair.listener.events);
    }
    for event in pair.listener.take_events() {
        if let Event::StreamOpened { id, .. } = event {
            pair.listener.session.reset(id, 0x2001);
        }
    }
    pair.run();
    let seen = pair
        .dialer
        .events
        .iter()
        .any(|event| matches!(event, Event::StreamReset { id: reset, code: 0x2001 } if *reset == id));
    assert!(seen, "{:?}", pair.dialer.events);
}

#[test]
fn who_waits_before_the_peer_has_agreed_loses_nothing() {
    let mut pair = Pair::new(&[ECHO]);
    pair.run();
    let ours = pair.dialer.session.open_stream(vec![ECHO.into()], pair.now).unwrap().unwrap();
    assert_eq!(pair.dialer.read_all(ours), (Vec::new(), false));
    let mut theirs = None;
    while theirs.is_none() {
        assert!(pair.step());
        theirs = pair.listener.take_events().into_iter().find_map(|event| match event {
            Event::StreamOpened { id, .. } => Some(id),
            _ => None,
        });
    }
    // The confirmation and the data come in one segment.
    let data: Vec<u8> = (0..100_000_u32).map(|number| (number >> 3) as u8).collect();
    assert_eq!(pair.listener.session.write(theirs.unwrap(), &data).unwrap(), data.len());
    pair.run();
    assert_eq!(pair.dialer.read_all(ours), (data, false));
}

#[test]
fn what_comes_beside_a_segment_does_not_overtake_it() {
    let mut pair = Pair::new(&[ECHO]);
    pair.run();
    let (ours, theirs) = pair.open(ECHO);
    assert_eq!(pair.listener.read_all(theirs), (Vec::new(), false));
    let mut expected = Vec::new();
    for round in 0..3_u8 {
        let data = vec![round; 50_000];
        pair.dialer.session.write(ours, &data).unwrap();
        expected.extend(data);
        let mut sent = Vec::new();
        while pair.dialer.session.transmit(&mut sent, 1 << 20, pair.now, &mut pair.dialer.events) {}
        let listener = &mut pair.listener;
        if round == 0 {
            listener.session.begin_segment(&sent);
            listener.session.receive(&mut sent, pair.now, &mut listener.events);
            assert!(listener.session.hold_segment(sent).is_none());
        } else {
            // Nobody has left the segment, against the rule.
            listener.session.receive(&mut sent, pair.now, &mut listener.events);
        }
    }
    assert_eq!(pair.listener.read_all(theirs), (expected, false));
}

#[test]
fn an_unknown_protocol_is_refused_and_the_connection_lives() {
    let mut pair = Pair::new(&[ECHO]);
    pair.run();
    let id = pair.dialer.session.open_stream(vec!["/a".into(), "/b".into()], pair.now).unwrap().unwrap();
    pair.run();
    let refusal = pair.dialer.events.iter().find_map(|event| match event {
        Event::StreamRefused { id: refused, refusal } if *refused == id => Some(refusal),
        _ => None,
    });
    assert!(matches!(refusal, Some(Refusal::NotSupported(names)) if names == &["/a", "/b"]), "{refusal:?}");
    pair.open(ECHO);
}

#[test]
fn the_second_candidate_is_taken() {
    let mut pair = Pair::new(&["/b"]);
    pair.run();
    let id = pair.dialer.session.open_stream(vec!["/a".into(), "/b".into()], pair.now).unwrap().unwrap();
    pair.run();
    let ready = pair.dialer.events.iter().any(|event| {
        matches!(event, Event::StreamReady { id: ready, protocol } if *ready == id && protocol == "/b")
    });
    assert!(ready, "{:?}", pair.dialer.events);
}

#[test]
fn a_negotiation_that_stalls_is_given_up() {
    let mut pair = Pair::new(&[ECHO]);
    pair.run();
    pair.listener.link.cut = None;
    // The listener never answers: its bytes take longer than the dialer waits.
    pair.listener.link.delay = Duration::from_secs(20);
    let id = pair.dialer.session.open_stream(vec![ECHO.into()], pair.now).unwrap().unwrap();
    drain(&mut pair.dialer, pair.now);
    let deadline = pair.now + Duration::from_secs(10);
    pair.dialer.session.handle_timeout(deadline, &mut pair.dialer.events);
    let timed_out = pair.dialer.events.iter().any(|event| {
        matches!(event, Event::StreamRefused { id: refused, refusal: Refusal::TimedOut } if *refused == id)
    });
    assert!(timed_out, "{:?}", pair.dialer.events);
}

#[test]
fn a_close_flushes_and_is_orderly_on_both_sides() {
    let mut pair = Pair::new(&[ECHO]);
    pair.run();
    let (ours, theirs) = pair.open(ECHO);
    let data = vec![5; 200_000];
    assert_eq!(pair.dialer.session.write(ours, &data).unwrap(), data.len());
    pair.dialer.session.close(0x1006, pair.now, &mut pair.dialer.events);
    assert!(pair.dialer.session.open_stream(vec![ECHO.into()], pair.now).is_err());
    pair.run();
    assert!(matches!(closed(&pair.listener.events), Some(Reason::Remote { code: 0x1006 })));
    assert!(matches!(closed(&pair.dialer.events), Some(Reason::Local { code: 0x1006 })));
    // What had come before the end is still there to read.
    assert_eq!(pair.listener.read_all(theirs).0, data);
}

#[test]
fn a_close_waits_for_the_writer_that_had_to_wait() {
    let mut pair = Pair::new(&[ECHO]);
    pair.run();
    let (ours, theirs) = pair.open(ECHO);
    let data: Vec<u8> = (0..1_000_000_u32).map(|number| number.to_le_bytes()[1]).collect();
    let mut written = pair.dialer.session.write(ours, &data).unwrap();
    assert!(written < data.len());
    pair.dialer.session.close(0, pair.now, &mut pair.dialer.events);
    let mut received = Vec::new();
    while closed(&pair.listener.events).is_none() {
        pair.run();
        received.append(&mut pair.listener.read_all(theirs).0);
        for event in pair.dialer.take_events() {
            if matches!(event, Event::Writable(id) if id == ours) {
                written += pair.dialer.session.write(ours, &data[written..]).unwrap();
            }
        }
    }
    assert_eq!((written, received == data), (data.len(), true));
}

#[test]
fn a_close_without_an_answer_ends_at_its_deadline() {
    let mut pair = Pair::new(&[ECHO]);
    pair.run();
    pair.dialer.session.close(0, pair.now, &mut pair.dialer.events);
    let start = pair.now;
    drain(&mut pair.dialer, pair.now);
    let deadline = pair.dialer.session.next_timeout().unwrap();
    assert_eq!(deadline.since(start), Duration::from_secs(1));
    pair.dialer.session.handle_timeout(deadline, &mut pair.dialer.events);
    assert!(matches!(closed(&pair.dialer.events), Some(Reason::Local { code: 0 })));
    assert_eq!(pair.dialer.session.next_timeout(), None);
}

#[test]
fn a_silent_peer_is_dropped_by_the_keep_alive() {
    let mut pair = Pair::new(&[ECHO]);
    pair.run();
    pair.listener.link.delay = Duration::from_secs(3600);
    let mut end = pair.now;
    while closed(&pair.dialer.events).is_none() {
        end = pair.dialer.session.next_timeout().expect("a timer until the end");
        drain(&mut pair.dialer, end);
        pair.dialer.session.handle_timeout(end, &mut pair.dialer.events);
        assert!(end.since(pair.now) < Duration::from_secs(120));
    }
    assert!(matches!(closed(&pair.dialer.events), Some(Reason::KeepAlive)));
    assert!(end.since(pair.now) >= Duration::from_secs(10));
}

#[test]
fn an_upgrade_that_stalls_ends_at_its_deadline() {
    for stalled in [true, false] {
        let mut pair = Pair::new(&[ECHO]);
        let end = if stalled { &mut pair.dialer } else { &mut pair.listener };
        let deadline = end.session.next_timeout().unwrap();
        assert_eq!(deadline.since(pair.now), Duration::from_secs(10));
        end.session.handle_timeout(deadline, &mut end.events);
        assert!(matches!(closed(&end.events), Some(Reason::UpgradeTimeout(Stage::Security))));
    }
}

#[test]
fn the_wrong_peer_is_named() {
    let mut pair = Pair::new(&[ECHO]);
    let other = Pair::new(&[ECHO]);
    drop(other);
    let wrong = identity(LISTENER + 1).1;
    let config = std::sync::Arc::new(plait_core::session::Config::new(
        vec![Security::Noise(identity(1).0)],
        plait_core::limits::Budget::unlimited(),
    ));
    let protocols = std::sync::Arc::default();
    pair.dialer.session =
        Session::new(&config, &protocols, Opening::Initiate, Some(wrong), fresh(3), pair.now).unwrap();
    pair.run();
    let Some(Reason::Handshake(secure::Error::PeerIdMismatch { expected, actual })) =
        closed(&pair.dialer.events)
    else {
        panic!("{:?}", pair.dialer.events);
    };
    assert_eq!(*expected, wrong);
    assert_eq!(*actual, identity(LISTENER).1);
    assert!(established(&pair.listener.events).is_none());
}

#[test]
fn a_flood_of_unfinished_negotiations_is_refused() {
    let mut pair = Pair::with(&[ECHO], |config| config.max_negotiating = 3);
    pair.run();
    for _ in 0..5 {
        let id = pair.dialer.session.open_stream(vec!["/nobody".into(), "/knows".into()], pair.now);
        id.unwrap().unwrap();
    }
    // All five proposals are in one delivery, so that none is finished before the next one comes.
    pair.run();
    let resets =
        pair.dialer.events.iter().filter(|event| matches!(event, Event::StreamReset { code: 0x1002, .. }));
    assert_eq!(resets.count(), 2);
    pair.open(ECHO);
}

/// A connection with a bit of traffic, cut after `at` bytes of one direction.
fn cut(at: u64, dialer: bool) -> Pair {
    let mut pair = Pair::new(&[ECHO]);
    let end = if dialer { &mut pair.dialer } else { &mut pair.listener };
    end.link.cut = Some(at);
    pair.run();
    if let Ok(Some(id)) = pair.dialer.session.open_stream(vec![ECHO.into()], pair.now) {
        let _ = pair.dialer.session.write(id, b"some bytes");
        pair.run();
    }
    pair
}

#[test]
fn a_cut_after_any_byte_ends_the_side_that_reads() {
    for dialer in [true, false] {
        let whole = cut(u64::MAX, dialer);
        let length = if dialer { whole.dialer.sent } else { whole.listener.sent };
        assert!(length > 300);
        for at in 0..length {
            let pair = cut(at, dialer);
            let reader = if dialer { &pair.listener } else { &pair.dialer };
            let reason = closed(&reader.events);
            match established(&reader.events) {
                None => assert!(matches!(reason, Some(Reason::EofInUpgrade(_))), "at {at}: {reason:?}"),
                Some(_) => {
                    assert!(matches!(reason, Some(Reason::Eof | Reason::Truncated)), "at {at}: {reason:?}");
                }
            }
        }
    }
}

#[test]
fn a_flipped_bit_is_never_delivered() {
    for dialer in [true, false] {
        let mut offset = 0;
        loop {
            let mut pair = Pair::new(&[ECHO]);
            let end = if dialer { &mut pair.dialer } else { &mut pair.listener };
            end.link.flip = Some(offset);
            pair.run();
            if let Ok(Some(id)) = pair.dialer.session.open_stream(vec![ECHO.into()], pair.now) {
                pair.dialer.session.write(id, b"some bytes").unwrap();
                pair.run();
                for event in pair.listener.take_events() {
                    if let Event::Readable(id) = event {
                        assert_eq!(pair.listener.read_all(id).0, b"some bytes");
                    }
                }
            }
            let end = if dialer { &pair.dialer } else { &pair.listener };
            if offset >= end.sent {
                break;
            }
            offset += 1;
        }
        assert!(offset > 300);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_split_gives_the_same_bytes(
        chop in prop_oneof![Just(1_usize), 2..40_usize, 1000..70_000_usize],
        data in proptest::collection::vec(any::<u8>(), 0..120_000),
        waits in any::<bool>(),
    ) {
        let mut pair = Pair::new(&[ECHO]);
        pair.dialer.link.chop = chop;
        pair.listener.link.chop = chop;
        pair.run();
        let (ours, theirs) = pair.open(ECHO);
        if waits {
            prop_assert_eq!(pair.listener.read_all(theirs), (Vec::new(), false));
        }
        prop_assert_eq!(pair.dialer.session.write(ours, &data).unwrap(), data.len());
        pair.dialer.session.close_write(ours);
        pair.run();
        prop_assert_eq!(pair.listener.read_all(theirs), (data, true));
        prop_assert_eq!(pair.listener.session.stats().unwrap().buffered_in, 0);
    }

    #[test]
    fn arbitrary_bytes_end_or_wait_and_never_panic(data in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut pair = Pair::new(&[ECHO]);
        for end in [&mut pair.dialer, &mut pair.listener] {
            let mut bytes = data.clone();
            end.session.receive(&mut bytes, pair.now, &mut end.events);
            prop_assert!(established(&end.events).is_none());
        }
    }
}
