//! The ways up: which security protocol and which muxer two sides come to, and who begins.

use std::sync::Arc;
use std::time::Duration;

use plait_core::identity::{KeyType, PublicKey};
use plait_core::multistream::{self, SIMULTANEOUS, encode_header, encode_message};
use plait_core::mux::{Muxer, single};
use plait_core::plaintext::Claim;
use plait_core::pnet::NetworkKey;
use plait_core::secure::Security;
use plait_core::session::{Config, Established, Event, Opening, Reason, Stage};
use plait_core::testing::{DIALER, End, LISTENER, Pair, certificate, identity};
use proptest::prelude::*;

const ECHO: &str = "/echo/1.0.0";
const YAMUX: &str = "/yamux/1.0.0";
const MPLEX: &str = "/mplex/6.7.0";
const ROLES: [Opening; 2] = [Opening::Initiate, Opening::Answer];

fn noise(seed: u8) -> Security {
    Security::Noise(identity(seed).0)
}

fn tls(seed: u8) -> Security {
    Security::Tls(certificate(seed))
}

fn plaintext(seed: u8) -> Security {
    let peer = identity(seed).1;
    let key = peer.public_key().unwrap();
    assert_eq!(key.kind(), KeyType::Ed25519);
    Security::Plaintext(Arc::new(Claim::new(&key)))
}

fn established(end: &End) -> Option<&Established> {
    end.events.iter().find_map(|event| match event {
        Event::Established(agreed) => Some(&**agreed),
        _ => None,
    })
}

fn closed(end: &End) -> Option<&Reason> {
    end.events.iter().find_map(|event| match event {
        Event::Closed(reason) => Some(reason),
        _ => None,
    })
}

/// Both sides got through, agree on everything, and a stream works.
fn check_agreement(pair: &mut Pair, security: &str, muxer: &str) {
    let [dialer, listener] = [&pair.dialer, &pair.listener].map(|end| {
        let agreed = established(end).unwrap_or_else(|| panic!("not established: {:?}", end.events));
        (agreed.security.clone(), agreed.muxer.clone(), agreed.remote.peer)
    });
    assert_eq!(dialer, (security.into(), muxer.into(), identity(LISTENER).1));
    assert_eq!(listener, (security.into(), muxer.into(), identity(DIALER).1));
    let (ours, theirs) = pair.open(ECHO);
    pair.dialer.session.write(ours, b"over it").unwrap();
    pair.dialer.session.close_write(ours);
    pair.run();
    assert_eq!(pair.listener.read_all(theirs), (b"over it".to_vec(), true));
}

fn with_security(
    dialer: fn(u8) -> Vec<Security>,
    listener: fn(u8) -> Vec<Security>,
    openings: [Opening; 2],
) -> Pair {
    Pair::opening(&[ECHO], openings, |seed, config| {
        config.security = if seed == DIALER { dialer(seed) } else { listener(seed) };
    })
}

#[test]
fn the_dialers_preference_decides() {
    type List = fn(u8) -> Vec<Security>;
    let both: List = |seed| vec![noise(seed), plaintext(seed)];
    let turned: List = |seed| vec![plaintext(seed), noise(seed)];
    let one: List = |seed| vec![noise(seed)];
    let secure: List = |seed| vec![tls(seed), noise(seed)];
    let only_tls: List = |seed| vec![tls(seed)];
    let rows: [(List, List, &str, u32); 9] = [
        (only_tls, secure, "/tls/1.0.0", 1),
        (secure, secure, "/tls/1.0.0", 2),
        (secure, one, "/noise", 2),
        (both, secure, "/noise", 2),
        (one, both, "/noise", 1),
        (both, turned, "/noise", 2),
        // In plaintext the listener has nothing to wait for.
        (turned, both, "/plaintext/2.0.0", 1),
        // The handshake goes with the last proposal.
        (turned, one, "/noise", 2),
        (one, one, "/noise", 1),
    ];
    for (dialer, listener, security, round_trips) in rows {
        let mut pair = with_security(dialer, listener, ROLES);
        pair.run();
        assert_eq!(established(&pair.dialer).map(|agreed| agreed.round_trips), Some(round_trips));
        check_agreement(&mut pair, security, "/yamux/1.0.0");
    }
}

#[test]
fn nothing_in_common_is_said_on_both_sides() {
    let mut pair = with_security(|seed| vec![noise(seed)], |seed| vec![plaintext(seed)], ROLES);
    pair.run();
    let reason = closed(&pair.dialer);
    assert!(
        matches!(reason, Some(Reason::NothingInCommon { stage: Stage::Security, ours }) if *ours == ["/noise"]),
        "{reason:?}"
    );
    // The dialer's handshake came behind its proposal, which says the same.
    let reason = closed(&pair.listener);
    assert!(
        matches!(reason, Some(Reason::NothingInCommon { ours, .. }) if *ours == ["/plaintext/2.0.0"]),
        "{reason:?}"
    );
    let two = |seed| vec![tls(seed), noise(seed)];
    let mut pair = with_security(two, |seed| vec![plaintext(seed)], ROLES);
    pair.run();
    assert!(matches!(closed(&pair.dialer), Some(Reason::NothingInCommon { ours, .. }) if ours.len() == 2));
    pair.listener.session.receive_eof(&mut pair.listener.events);
    let reason = closed(&pair.listener);
    assert!(
        matches!(reason, Some(Reason::NothingInCommon { ours, .. }) if *ours == ["/plaintext/2.0.0"]),
        "{reason:?}"
    );
}

#[test]
fn roles_may_be_fixed_the_other_way_round() {
    let mut pair = Pair::opening(&[ECHO], [Opening::Answer, Opening::Initiate], |_, _| {});
    pair.run();
    check_agreement(&mut pair, "/noise", "/yamux/1.0.0");
}

#[test]
fn two_dialers_that_meet_decide_by_their_numbers() {
    for numbers in [[1, 2], [2, 1], [0, u64::MAX], [u64::MAX, u64::MAX - 1]] {
        let openings = numbers.map(|number| Opening::Contend { number });
        let mut pair = Pair::opening(&[ECHO], openings, |seed, config| {
            config.security = vec![plaintext(seed), noise(seed)];
        });
        pair.run();
        check_agreement(&mut pair, "/plaintext/2.0.0", "/yamux/1.0.0");
    }
}

#[test]
fn the_same_number_twice_ends_both() {
    let mut pair = Pair::opening(&[ECHO], [Opening::Contend { number: 7 }; 2], |_, _| {});
    pair.run();
    for end in [&pair.dialer, &pair.listener] {
        let reason = closed(end);
        assert!(
            matches!(reason, Some(Reason::Negotiation { error: multistream::Error::Tie, .. })),
            "{reason:?}"
        );
    }
}

#[test]
fn a_contender_that_meets_a_listener_goes_on_as_the_dialer() {
    for listener in [vec![noise(LISTENER)], vec![plaintext(LISTENER)]] {
        let openings = [Opening::Contend { number: 7 }, Opening::Answer];
        let mut pair = Pair::opening(&[ECHO], openings, |seed, config| {
            config.security =
                if seed == DIALER { vec![noise(seed), plaintext(seed)] } else { listener.clone() };
        });
        pair.run();
        check_agreement(&mut pair, listener[0].protocol(), "/yamux/1.0.0");
    }
}

#[test]
fn a_contender_against_every_wrong_answer() {
    let message = |words: &[&str]| {
        let mut bytes = Vec::new();
        encode_header(&mut bytes);
        words.iter().for_each(|word| encode_message(word, &mut bytes));
        bytes
    };
    let wrong: [&[&str]; 7] = [
        &["/noise"],
        &["ls"],
        &[SIMULTANEOUS, "select:"],
        &[SIMULTANEOUS, "select:-1"],
        &[SIMULTANEOUS, "select:18446744073709551616"],
        &[SIMULTANEOUS, "select:9", "responder"],
        &[SIMULTANEOUS, "select:1", "initiator"],
    ];
    for words in wrong {
        let openings = [Opening::Contend { number: 5 }, Opening::Answer];
        let mut end = Pair::opening(&[ECHO], openings, |_, _| {}).dialer;
        let now = plait_core::time::Instant::from_micros(1_000_000);
        end.session.receive(&mut message(words), now, &mut end.events);
        let unexpected = multistream::Error::UnexpectedAnswer;
        assert!(
            matches!(closed(&end), Some(Reason::Negotiation { error, .. }) if *error == unexpected),
            "{words:?}: {:?}",
            end.events
        );
    }
    let mut flood = vec![SIMULTANEOUS];
    flood.extend(["/noise"; 17]);
    let openings = [Opening::Contend { number: 5 }, Opening::Answer];
    let mut end = Pair::opening(&[ECHO], openings, |_, _| {}).dialer;
    let now = plait_core::time::Instant::from_micros(1_000_000);
    end.session.receive(&mut message(&flood), now, &mut end.events);
    assert!(matches!(
        closed(&end),
        Some(Reason::Negotiation { error: multistream::Error::TooManyRounds, .. })
    ));
}

#[test]
fn a_private_network_carries_everything() {
    for chop in [1, 7, 24, 25, 1000] {
        let key = NetworkKey::new([5; 32]);
        let mut pair = Pair::new(&[ECHO]).behind([key.clone(), key]);
        pair.dialer.link.chop = chop;
        pair.listener.link.chop = chop;
        pair.run();
        check_agreement(&mut pair, "/noise", "/yamux/1.0.0");
    }
}

#[test]
fn another_network_is_named_and_told_nothing() {
    let mut pair = Pair::new(&[ECHO]).behind([5, 6].map(|byte| NetworkKey::new([byte; 32])));
    pair.run();
    for end in [&pair.dialer, &pair.listener] {
        assert!(matches!(closed(end), Some(Reason::OtherNetwork)), "{:?}", end.events);
        assert!(established(end).is_none());
    }
    // The nonce and what was sent before the other side was heard.
    assert!(pair.listener.sent <= 24, "{}", pair.listener.sent);
}

#[test]
fn a_nonce_and_then_silence_is_another_network_and_less_is_a_timeout() {
    for (sent, is_named) in [(24, true), (23, false), (0, false)] {
        let mut pair = Pair::new(&[ECHO]).behind([5, 5].map(|byte| NetworkKey::new([byte; 32])));
        let end = &mut pair.dialer;
        end.session.transmit(&mut Vec::new(), 1000, pair.now, &mut end.events);
        end.session.receive(&mut vec![9; sent], pair.now, &mut end.events);
        assert!(closed(end).is_none());
        let deadline = end.session.next_timeout().unwrap();
        end.session.handle_timeout(deadline, &mut end.events);
        match closed(end) {
            Some(Reason::OtherNetwork) => assert!(is_named, "{sent}"),
            Some(Reason::UpgradeTimeout(_)) => assert!(!is_named, "{sent}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_stranger_to_the_network_gets_no_answer() {
    let mut pair = Pair::new(&[ECHO]);
    pair.listener = Pair::new(&[ECHO]).behind([5, 5].map(|byte| NetworkKey::new([byte; 32]))).listener;
    pair.run();
    assert!(matches!(closed(&pair.listener), Some(Reason::OtherNetwork)), "{:?}", pair.listener.events);
    assert!(established(&pair.dialer).is_none());
    assert_eq!(pair.listener.sent, 24);
}

#[test]
fn a_member_is_told_when_the_listener_is_a_stranger() {
    let mut pair = Pair::new(&[ECHO]);
    pair.dialer = Pair::new(&[ECHO]).behind([5, 5].map(|byte| NetworkKey::new([byte; 32]))).dialer;
    pair.run();
    // A listener without a key finds no header in the nonce and ends without a word.
    assert_eq!(pair.listener.sent, 0);
    assert!(matches!(closed(&pair.dialer), Some(Reason::OtherNetwork)), "{:?}", pair.dialer.events);
}

#[test]
fn a_greeting_in_the_clear_is_told_from_a_nonce_before_there_is_a_whole_one() {
    // The listener that says its header first and then waits; the dialer that waits for the header's answer.
    for opening in ROLES {
        let mut pair = Pair::opening(&[ECHO], [opening, Opening::Answer], |_, _| {});
        pair = pair.behind([5, 5].map(|byte| NetworkKey::new([byte; 32])));
        let end = &mut pair.dialer;
        let mut before = Vec::new();
        end.session.transmit(&mut before, 1000, pair.now, &mut end.events);
        let mut greeting = Vec::new();
        encode_header(&mut greeting);
        assert!(greeting.len() < 24);
        let (most, last) = greeting.split_at_mut(12);
        end.session.receive(most, pair.now, &mut end.events);
        assert!(closed(end).is_none());
        end.session.receive(last, pair.now, &mut end.events);
        assert!(matches!(closed(end), Some(Reason::OtherNetwork)), "{:?}", end.events);
        let mut after = Vec::new();
        end.session.transmit(&mut after, 1000, pair.now, &mut end.events);
        assert!(after.is_empty(), "the stranger is told nothing: {after:?}");
        assert_eq!(before[..24], [1; 24], "the nonce");
    }
}

#[test]
fn a_nonce_that_begins_like_a_greeting_is_a_nonce() {
    let mut nonce = *b"\x13/multistream/1.0.1\n....";
    nonce[20] = b'x';
    let key = || NetworkKey::new([5; 32]);
    let mut theirs = Pair::new(&[ECHO]).behind([key(), key()]).listener;
    let mut veil = plait_core::pnet::Veil::new(key(), nonce);
    let mut wire = Vec::new();
    veil.begin(&mut wire);
    let start = wire.len();
    encode_header(&mut wire);
    veil.cover(&mut wire[start..]);
    let now = plait_core::time::Instant::from_micros(1_000_000);
    for byte in &mut wire {
        theirs.session.receive(std::slice::from_mut(byte), now, &mut theirs.events);
    }
    assert!(closed(&theirs).is_none(), "{:?}", theirs.events);
    let mut out = Vec::new();
    theirs.session.transmit(&mut out, 1000, now, &mut theirs.events);
    assert_eq!(out.len(), 24 + 20, "the nonce, and the header back");
}

#[test]
fn plaintext_vector() {
    // The Ed25519 key of the peer-id specification.
    let key = PublicKey::decode(&decode(
        "080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e",
    ))
    .unwrap();
    let mut handshake = plait_core::plaintext::Handshake::new(&Claim::new(&key), Some(key.peer_id()));
    let mut sent = Vec::new();
    handshake.transmit(&mut sent);
    let expected = "4e0a260024080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e\
                    1224080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e";
    assert_eq!(sent, decode(expected));
    for split in 0..sent.len() {
        let mut handshake = plait_core::plaintext::Handshake::new(&Claim::new(&key), Some(key.peer_id()));
        assert_eq!(handshake.receive(&sent[..split]), Ok((split, None)));
        let rest = [&sent[split..], b"payload"].concat();
        let (used, remote) = handshake.receive(&rest).unwrap();
        assert_eq!((used, remote), (sent.len() - split, Some((key.peer_id(), key.clone()))));
    }
    let stranger = Some(identity(1).1);
    let mut handshake = plait_core::plaintext::Handshake::new(&Claim::new(&key), stranger);
    assert!(matches!(handshake.receive(&sent), Err(plait_core::plaintext::Error::PeerIdMismatch { .. })));
    let mut foreign = sent.clone();
    foreign[20] ^= 1;
    let mut handshake = plait_core::plaintext::Handshake::new(&Claim::new(&key), None);
    assert!(handshake.receive(&foreign).is_err());
}

fn decode(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect()
}

proptest! {
    #[test]
    fn any_split_comes_to_the_same(
        chops in [1_usize..90, 1_usize..90],
        contend in any::<bool>(),
        candidates in 1_usize..3,
        is_tls in any::<bool>(),
    ) {
        let openings = if contend {
            [Opening::Contend { number: 3 }, Opening::Contend { number: 4 }]
        } else {
            ROLES
        };
        let mut pair = Pair::opening(&[ECHO], openings, |seed, config| {
            config.security = if is_tls { vec![tls(seed), noise(seed)] } else { vec![noise(seed), tls(seed)] };
            config.security.truncate(candidates);
        });
        pair.dialer.link.chop = chops[0];
        pair.listener.link.chop = chops[1];
        pair.run();
        let security = if is_tls { "/tls/1.0.0" } else { "/noise" };
        check_agreement(&mut pair, security, "/yamux/1.0.0");
    }

    #[test]
    fn a_cut_anywhere_ends_both(at in 0_u64..900, at_dialer in any::<bool>(), contend in any::<bool>()) {
        let openings = if contend { [Opening::Contend { number: 1 }, Opening::Contend { number: 2 }] } else { ROLES };
        let mut pair = Pair::opening(&[ECHO], openings, |seed, config| {
            config.security = vec![plaintext(seed), noise(seed)];
        });
        if at_dialer { pair.dialer.link.cut = Some(at) } else { pair.listener.link.cut = Some(at) }
        pair.run();
        pair.advance(Duration::from_secs(120));
        prop_assert!(closed(&pair.dialer).is_some() || closed(&pair.listener).is_some() || at > 200);
    }
}

fn with_muxers(security: fn(u8) -> Security, dialer: &[&str], listener: &[&str]) -> Pair {
    Pair::opening(&[ECHO], ROLES, |seed, config| {
        let names = if seed == DIALER { dialer } else { listener };
        config.muxers = names.iter().filter_map(|name| Muxer::named(name)).collect();
        config.security = vec![security(seed)];
    })
}

#[test]
fn the_dialers_muxer_is_taken_in_the_handshake() {
    let rows = [
        (&[YAMUX, MPLEX][..], &[MPLEX, YAMUX][..], YAMUX),
        (&[MPLEX, YAMUX], &[MPLEX, YAMUX], MPLEX),
        (&[MPLEX, YAMUX], &[YAMUX], YAMUX),
        (&[MPLEX], &[YAMUX, MPLEX], MPLEX),
    ];
    for (security, (dialer, listener, agreed)) in
        [noise, tls].into_iter().flat_map(|security| rows.map(|row| (security, row)))
    {
        let mut pair = with_muxers(security, dialer, listener);
        pair.run();
        assert!(established(&pair.dialer).is_some_and(|agreed| agreed.early_muxer));
        let name = security(1).protocol().to_owned();
        check_agreement(&mut pair, &name, agreed);
    }
}

#[test]
fn muxers_are_negotiated_where_the_handshake_does_not_carry_them() {
    for (dialer, listener, agreed) in [
        (&[YAMUX][..], &[MPLEX, YAMUX][..], YAMUX),
        (&[YAMUX, MPLEX], &[MPLEX, YAMUX], YAMUX),
        (&[MPLEX, YAMUX], &[YAMUX], YAMUX),
        (&[YAMUX, MPLEX], &[MPLEX], MPLEX),
    ] {
        let mut pair = with_muxers(plaintext, dialer, listener);
        pair.run();
        assert!(established(&pair.dialer).is_some_and(|agreed| !agreed.early_muxer));
        check_agreement(&mut pair, "/plaintext/2.0.0", agreed);
    }
}

#[test]
fn no_common_muxer_is_said_on_both_sides() {
    for security in [noise, tls, plaintext] {
        let mut pair = Pair::opening(&[ECHO], ROLES, |seed, config| {
            config.muxers = vec![if seed == DIALER { Muxer::Mplex } else { Muxer::Yamux }];
            config.security = vec![security(seed)];
        });
        pair.run();
        pair.listener.session.receive_eof(&mut pair.listener.events);
        for (end, muxer) in [(&pair.dialer, MPLEX), (&pair.listener, YAMUX)] {
            let reason = closed(end);
            assert!(
                matches!(reason, Some(Reason::NothingInCommon { stage: Stage::Muxer, ours }) if *ours == [muxer]),
                "{reason:?}"
            );
        }
    }
}

#[test]
fn without_a_muxer_the_channel_is_one_stream() {
    let mut pair = with_muxers(noise, &[single::PROTOCOL], &[YAMUX, single::PROTOCOL]);
    pair.run();
    let agreed = established(&pair.dialer).unwrap();
    assert_eq!((agreed.muxer.as_str(), agreed.early_muxer), (single::PROTOCOL, true));
    check_raw(&mut pair);
}

/// Bytes go both ways over the one stream that nobody negotiates.
fn check_raw(pair: &mut Pair) {
    let ours = pair.dialer.session.open_stream(vec![], pair.now).unwrap().unwrap();
    pair.dialer.session.write(ours, b"question").unwrap();
    pair.run();
    pair.advance(Duration::ZERO);
    let opened = pair.listener.events.iter().find_map(|event| match event {
        Event::StreamOpened { id, protocol } => Some((*id, protocol.clone())),
        _ => None,
    });
    let (theirs, protocol) = opened.unwrap_or_else(|| panic!("{:?}", pair.listener.events));
    assert_eq!(protocol, "");
    assert_eq!(pair.listener.read_all(theirs).0, b"question");
    pair.listener.session.write(theirs, b"answer").unwrap();
    pair.run();
    assert_eq!(pair.dialer.read_all(ours).0, b"answer");
}

#[test]
fn configs_name_their_muxers() {
    assert_eq!(Muxer::named("/x/1.0.0"), None);
    assert_eq!(Config::new(vec![noise(1)], plait_core::limits::Budget::unlimited()).muxers, [Muxer::Yamux]);
}
