//! Pings in both directions, with virtual time.

use std::sync::Arc;
use std::time::Duration;

use plait_core::limits::Budget;
use plait_core::mux::yamux::Yamux;
use plait_core::mux::{MuxConfig, MuxEvent, Role};
use plait_core::time::Instant;

use crate::script::*;

const INTERVAL: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(10);
/// The first ping is no question whether the peer is there.
const FIRST: Duration = Duration::from_secs(40);

#[test]
fn the_first_ping_goes_at_once_and_measures_the_round_trip() {
    let mut end = End::client();
    assert_eq!(end.yamux.rtt(), None);
    end.wait(Duration::from_micros(1234));
    end.receive(&pong(0));
    assert_eq!(end.take_events(), [MuxEvent::Rtt(Duration::from_micros(1234))]);
    assert_eq!(end.yamux.rtt(), Some(Duration::from_micros(1234)));
}

#[test]
fn the_round_trip_begins_when_the_ping_is_sent() {
    let start = Instant::from_micros(0);
    let mut yamux = Yamux::new(Role::Client, &Arc::new(MuxConfig::default()), Budget::unlimited(), start);
    let (mut out, mut events) = (Vec::new(), Vec::new());
    assert_eq!(yamux.transmit(&mut out, 11, start, &mut events), 0, "no room for it");
    let later = start + Duration::from_secs(2);
    assert_eq!(yamux.transmit(&mut out, 12, later, &mut events), 12);
    yamux.receive(&pong(0), later + Duration::from_millis(3), &mut events).unwrap();
    assert_eq!(events, [MuxEvent::Rtt(Duration::from_millis(3))]);
}

#[test]
fn a_ping_goes_out_in_every_interval_with_its_own_id() {
    let mut end = End::client();
    for id in 0..5 {
        end.wait(Duration::from_millis(10));
        end.receive(&pong(id));
        let due = end.yamux.next_timeout().unwrap();
        assert_eq!(due.since(end.now), INTERVAL - Duration::from_millis(10));
        end.now = Instant::from_micros(due.as_micros() - 1);
        end.handle_timeout();
        assert_eq!(end.flush(), []);
        end.now = due;
        end.handle_timeout();
        assert_eq!(end.flush(), [sent(PING, SYN, 0, id + 1)]);
        end.handle_timeout();
        assert_eq!(end.flush(), [], "one at a time");
    }
}

#[test]
fn a_silent_peer_is_given_up_when_its_pong_is_late() {
    let mut end = End::client().knows_rtt(Duration::from_millis(1));
    end.now = end.yamux.next_timeout().unwrap();
    end.handle_timeout();
    let deadline = end.yamux.next_timeout().unwrap();
    assert_eq!(deadline.since(end.now), TIMEOUT);
    end.now = deadline;
    end.handle_timeout();
    assert_eq!(end.take_events(), [MuxEvent::KeepAliveExpired]);
    assert_eq!(end.yamux.next_timeout(), None);
    end.wait(INTERVAL);
    end.handle_timeout();
    assert_eq!(end.take_events(), [], "once");
}

#[test]
fn a_peer_is_given_up_even_when_the_ping_could_not_be_sent() {
    let start = Instant::from_micros(0);
    let mut yamux = Yamux::new(Role::Client, &Arc::new(MuxConfig::default()), Budget::unlimited(), start);
    let mut events = Vec::new();
    assert_eq!(yamux.next_timeout(), Some(start + FIRST));
    yamux.handle_timeout(start + FIRST, &mut events);
    assert_eq!(events, [MuxEvent::KeepAliveExpired]);
}

#[test]
fn a_peer_that_sends_anything_is_there_and_is_asked_again() {
    let mut end = End::client();
    end.wait(Duration::from_secs(1));
    end.receive(&ping(9));
    end.now = end.yamux.next_timeout().unwrap();
    end.handle_timeout();
    assert_eq!(end.take_events(), []);
    assert_eq!(end.flush(), [sent(PING, ACK, 0, 9)]);
    // The answer that never came is not waited for any more.
    end.receive(&pong(0));
    assert_eq!(end.take_events(), []);
    assert!(end.yamux.next_timeout().unwrap() <= end.now, "the next one is overdue");
    end.handle_timeout();
    assert_eq!(end.flush(), [sent(PING, SYN, 0, 1)]);
    // Now it is silent.
    end.now = end.yamux.next_timeout().unwrap();
    end.handle_timeout();
    assert_eq!(end.take_events(), [MuxEvent::KeepAliveExpired]);
}

#[test]
fn a_peer_that_dies_is_noticed_within_interval_and_timeout() {
    let mut end = End::client().knows_rtt(Duration::from_millis(1));
    let died = end.now;
    while end.events.is_empty() {
        end.now = end.yamux.next_timeout().unwrap();
        end.handle_timeout();
        end.flush();
    }
    assert_eq!(end.take_events(), [MuxEvent::KeepAliveExpired]);
    assert!(end.now.since(died) <= INTERVAL + TIMEOUT);
}

#[test]
fn an_unknown_pong_changes_nothing() {
    let mut end = End::client();
    end.receive(&pong(77));
    assert_eq!(end.take_events(), []);
    end.wait(Duration::from_millis(5));
    end.receive(&[pong(0), pong(0)].concat());
    assert_eq!(end.take_events(), [MuxEvent::Rtt(Duration::from_millis(5))], "twice is once");
}

#[test]
fn every_ping_is_answered_once_with_its_id() {
    let mut end = End::server();
    end.receive(&[ping(0), ping(u32::MAX), ping(0)].concat());
    assert_eq!(end.flush(), [sent(PING, ACK, 0, 0), sent(PING, ACK, 0, u32::MAX), sent(PING, ACK, 0, 0)]);
    assert_eq!(end.flush(), []);
    assert_eq!(end.yamux.stats().pings_received, 3);
}

#[test]
fn a_ping_without_flags_is_not_answered() {
    let mut end = End::server();
    end.receive(&header(PING, 0, 0, 5));
    assert_eq!(end.flush(), []);
}

#[test]
fn pongs_go_before_data() {
    let mut end = End::client();
    let (id, wire) = end.opened();
    end.write(id, b"data");
    end.receive(&ping(3));
    assert_eq!(end.flush(), [sent(PING, ACK, 0, 3), sent_data(wire, 0, b"data")]);
}
