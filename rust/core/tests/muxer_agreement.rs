//! A muxer that was proposed is not yet one that both sides speak: who hears of it, when, and what else comes.

use std::sync::Arc;
use std::time::Duration;

use plait_core::mux::Muxer;
use plait_core::plaintext::Claim;
use plait_core::secure::Security;
use plait_core::session::{Event, Opening, Reason, Stage};
use plait_core::testing::{DIALER, End, Pair, certificate, identity};

const ECHO: &str = "/echo/1.0.0";
const YAMUX: &str = "/yamux/1.0.0";
const MPLEX: &str = "/mplex/6.7.0";
const ONE_WAY: Duration = Duration::from_millis(50);
/// The default of the whole upgrade.
const UPGRADE: Duration = Duration::from_secs(10);

type Make = fn(u8) -> Security;

fn noise(seed: u8) -> Security {
    Security::Noise(identity(seed).0)
}

fn tls(seed: u8) -> Security {
    Security::Tls(certificate(seed))
}

fn plaintext(seed: u8) -> Security {
    Security::Plaintext(Arc::new(Claim::new(&identity(seed).1.public_key().unwrap())))
}

/// What each side speaks, and whether it says so inside the handshake.
#[derive(Clone, Copy, Debug)]
struct Side {
    muxers: &'static [&'static str],
    is_early: bool,
}

fn pair(security: Make, dialer: Side, listener: Side) -> Pair {
    Pair::opening(&[ECHO], [Opening::Initiate, Opening::Answer], |seed, config| {
        let side = if seed == DIALER { dialer } else { listener };
        config.muxers = side.muxers.iter().filter_map(|name| Muxer::named(name)).collect();
        config.early_muxers = side.is_early;
        config.security = vec![security(seed)];
    })
}

/// Every security protocol with every side that does and does not name muxers in the handshake.
fn every_way(mut check: impl FnMut(Make, [bool; 2])) {
    for security in [noise as Make, tls, plaintext] {
        for early in [[true, true], [true, false], [false, true], [false, false]] {
            check(security, early);
        }
    }
}

/// When the peer has agreed, as the dialer has heard it: with the connection, after it, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Agreed {
    Never,
    WithTheConnection,
    Later,
}

fn agreed(end: &End) -> Agreed {
    let count = end.events.iter().filter(|event| matches!(event, Event::MuxerAgreed)).count();
    let with_it = end.events.iter().find_map(|event| match event {
        Event::Established(established) => Some(established.muxer_agreed),
        _ => None,
    });
    match (with_it, count) {
        (None | Some(false), 0) => Agreed::Never,
        (Some(true), 0) => Agreed::WithTheConnection,
        (Some(false), 1) => Agreed::Later,
        _ => panic!("said twice: {:?}", end.events),
    }
}

fn is_established(end: &End) -> bool {
    end.events.iter().any(|event| matches!(event, Event::Established(_)))
}

fn closed(end: &End) -> Option<&Reason> {
    end.events.iter().find_map(|event| match event {
        Event::Closed(reason) => Some(reason),
        _ => None,
    })
}

#[test]
fn agreement_is_said_once_and_before_any_stream() {
    every_way(|security, [ours, theirs]| {
        let side = |is_early| Side { muxers: &[YAMUX], is_early };
        let mut pair = pair(security, side(ours), side(theirs));
        pair.run();
        let (ours, _) = pair.open(ECHO);
        pair.run();
        let is_early = pair
            .dialer
            .events
            .iter()
            .any(|event| matches!(event, Event::Established(established) if established.early_muxer));
        let expected = if is_early { Agreed::WithTheConnection } else { Agreed::Later };
        assert_eq!(agreed(&pair.dialer), expected, "{:?}", pair.dialer.events);
        // A listener is established by the agreement itself.
        assert_eq!(agreed(&pair.listener), Agreed::WithTheConnection);
        let position = |wanted: fn(&Event) -> bool| pair.dialer.events.iter().position(wanted);
        let ready = position(|event| matches!(event, Event::StreamReady { .. })).expect("a stream");
        assert!(
            position(|event| matches!(event, Event::MuxerAgreed)).is_none_or(|at| at < ready),
            "{ours:?}"
        );
    });
}

#[test]
fn nothing_in_common_is_no_connection_on_either_side() {
    every_way(|security, [ours, theirs]| {
        for opens_a_stream in [false, true] {
            let (dialer, listener) =
                (Side { muxers: &[MPLEX], is_early: ours }, Side { muxers: &[YAMUX], is_early: theirs });
            let mut pair = pair(security, dialer, listener);
            while !is_established(&pair.dialer) && pair.step() {}
            if opens_a_stream && closed(&pair.dialer).is_none() {
                // Its frames are right behind the proposal, where the listener expects another one.
                let id = pair.dialer.session.open_stream(vec![ECHO.into()], pair.now).unwrap().unwrap();
                pair.dialer.session.write(id, &[b'x'; 3000]).unwrap();
            }
            pair.run();
            assert_eq!(agreed(&pair.dialer), Agreed::Never, "{:?}", pair.dialer.events);
            assert!(!is_established(&pair.listener), "{:?}", pair.listener.events);
            for (end, muxer) in [(&pair.dialer, MPLEX), (&pair.listener, YAMUX)] {
                let reason = closed(end);
                let expected = matches!(
                    reason,
                    Some(Reason::NothingInCommon { stage: Stage::Muxer, ours }) if *ours == [muxer]
                );
                assert!(expected, "{ours} {theirs} {opens_a_stream}: {reason:?}");
                assert_eq!(end.session.next_timeout(), None);
            }
        }
    });
}

#[test]
fn the_word_of_the_peer_takes_one_round_trip_more() {
    for security in [noise as Make, tls] {
        let side = Side { muxers: &[YAMUX], is_early: false };
        let mut pair = pair(security, side, side);
        (pair.dialer.link.delay, pair.listener.link.delay) = (ONE_WAY, ONE_WAY);
        let start = pair.now;
        while !is_established(&pair.dialer) {
            assert!(pair.step());
        }
        assert_eq!(pair.now.since(start), 2 * ONE_WAY);
        while agreed(&pair.dialer) == Agreed::Never {
            assert!(pair.step());
        }
        assert_eq!(pair.now.since(start), 4 * ONE_WAY);
    }
}

#[test]
fn a_peer_that_does_not_answer_is_given_up_at_the_deadline_of_the_upgrade() {
    for security in [noise as Make, tls, plaintext] {
        let side = Side { muxers: &[YAMUX], is_early: false };
        let mut pair = pair(security, side, side);
        let start = pair.now;
        while !is_established(&pair.dialer) && pair.step() {}
        pair.dialer.link.stall = Some(pair.dialer.sent);
        let silent = pair.listener.sent;
        pair.listener.link.stall = Some(silent);
        pair.advance(UPGRADE - pair.now.since(start) - Duration::from_micros(1));
        assert_eq!((closed(&pair.dialer).is_none(), agreed(&pair.dialer)), (true, Agreed::Never));
        pair.advance(Duration::from_micros(1));
        for end in [&pair.dialer, &pair.listener] {
            let reason = closed(end);
            assert!(matches!(reason, Some(Reason::UpgradeTimeout(_))), "{reason:?}");
        }
        assert!(matches!(closed(&pair.dialer), Some(Reason::UpgradeTimeout(Stage::Muxer))));
    }
}

#[test]
fn a_peer_that_ends_instead_of_answering_ends_the_upgrade() {
    for security in [noise as Make, tls, plaintext] {
        let side = Side { muxers: &[YAMUX], is_early: false };
        let mut pair = pair(security, side, side);
        while !is_established(&pair.dialer) && pair.step() {}
        pair.dialer.session.receive_eof(&mut pair.dialer.events);
        let reason = closed(&pair.dialer);
        assert!(matches!(reason, Some(Reason::EofInUpgrade(Stage::Muxer))), "{reason:?}");
    }
}

#[test]
fn a_dialer_that_stays_after_it_was_refused_everything_is_said_to_have_nothing_in_common() {
    for security in [noise as Make, tls, plaintext] {
        let side = |muxers| Side { muxers, is_early: false };
        let mut pair = pair(security, side(&[MPLEX]), side(&[YAMUX]));
        // The listener's refusal is the first that gets lost, so the dialer neither ends nor goes on.
        while !is_established(&pair.dialer) && pair.step() {}
        pair.listener.link.stall = Some(pair.listener.sent);
        pair.advance(UPGRADE);
        let reason = closed(&pair.listener);
        assert!(matches!(reason, Some(Reason::NothingInCommon { stage: Stage::Muxer, .. })), "{reason:?}");
        let reason = closed(&pair.dialer);
        assert!(matches!(reason, Some(Reason::UpgradeTimeout(Stage::Muxer))), "{reason:?}");
    }
}

#[test]
fn a_connection_that_we_close_before_the_answer_is_ours_to_close() {
    let side = Side { muxers: &[YAMUX], is_early: false };
    let mut pair = pair(tls, side, side);
    while !is_established(&pair.dialer) && pair.step() {}
    pair.dialer.session.close(7, pair.now, &mut pair.dialer.events);
    pair.run();
    pair.advance(Duration::from_secs(2));
    assert!(matches!(closed(&pair.dialer), Some(Reason::Local { code: 7 })), "{:?}", pair.dialer.events);
    assert!(matches!(closed(&pair.listener), Some(Reason::Remote { code: 7 })), "{:?}", pair.listener.events);
}
