//! Credit in both directions.

use std::time::Duration;

use plait_core::limits::Budget;
use plait_core::mux::{MuxConfig, MuxEvent, Role, StreamId, Violation};

use crate::script::*;

const RTT: Duration = Duration::from_millis(20);

#[test]
fn the_body_that_opens_a_stream_counts_against_the_first_window() {
    let mut end = End::server();
    let id = end.opened_by_peer(&data(1, SYN, &vec![0; WINDOW as usize]));
    assert_eq!(end.buffered(id), WINDOW as usize);
    assert!(end.try_receive(&data(1, 0, b"x")).is_err());

    let mut end = End::server();
    let result = end.try_receive(&header(DATA, SYN, 1, WINDOW + 1));
    assert_eq!(result, Err(Violation::WindowExceeded { stream: 1, length: WINDOW + 1, window: WINDOW }));
    assert_eq!(end.flush(), [sent(GO_AWAY, 0, 0, 1)]);
}

#[test]
fn the_body_of_a_refused_stream_is_held_to_the_window_as_well() {
    let mut end = End::new(Role::Server, MuxConfig { max_inbound_streams: 0, ..MuxConfig::default() });
    end.receive(&data(1, SYN, &vec![0; WINDOW as usize]));
    assert!(end.try_receive(&header(DATA, SYN, 3, WINDOW + 1)).is_err());
}

#[test]
fn more_than_the_window_is_a_violation_however_it_is_cut() {
    let mut end = End::server();
    end.accepted(1);
    end.receive(&data(1, 0, &vec![0; WINDOW as usize - 1]));
    end.receive(&data(1, 0, b"x"));
    let result = end.try_receive(&data(1, 0, b"y"));
    assert_eq!(result, Err(Violation::WindowExceeded { stream: 1, length: 1, window: 0 }));
}

#[test]
fn credit_that_overflows_is_a_violation() {
    let mut end = End::server();
    end.accepted(1);
    end.receive(&update(1, 0, u32::MAX - WINDOW));
    assert_eq!(end.try_receive(&update(1, 0, 1)), Err(Violation::CreditOverflow { stream: 1, credit: 1 }));
    assert_eq!(end.flush(), [sent(GO_AWAY, 0, 0, 1)]);

    let mut end = End::server();
    let result = end.try_receive(&update(1, SYN, u32::MAX));
    assert_eq!(result, Err(Violation::CreditOverflow { stream: 1, credit: u32::MAX }));
}

#[test]
fn credit_that_comes_with_syn_is_on_top_of_the_first_window() {
    let mut end = End::server();
    let id = end.opened_by_peer(&update(1, SYN, WINDOW));
    end.yamux.accept(id);
    assert_eq!(send_all(&mut end, id, 3 * WINDOW as usize), 2 * WINDOW);
}

/// Writes up to `count` bytes and sends what the window allows; returns how many were sent.
fn send_all(end: &mut End, id: StreamId, count: usize) -> u32 {
    let (mut left, mut total) = (count, 0);
    loop {
        left -= end.write(id, &vec![0; left]);
        let sent: u32 = end.flush().iter().map(|frame| frame.body.len() as u32).sum();
        if sent == 0 {
            return total;
        }
        total += sent;
    }
}

#[test]
fn credit_is_given_for_what_was_read_once_it_is_half_a_window() {
    let mut end = End::server();
    let id = end.accepted(1);
    end.receive(&data(1, 0, &vec![0; WINDOW as usize]));
    assert_eq!(end.flush(), [], "nothing for what has only arrived");
    end.yamux.consume(id, WINDOW as usize / 2 - 1);
    assert!(!end.yamux.has_pending());
    end.yamux.consume(id, 1);
    assert_eq!(end.flush(), [sent(UPDATE, 0, 1, WINDOW / 2)]);
    assert_eq!(end.flush(), []);
    end.read(id);
    assert_eq!(end.flush(), [sent(UPDATE, 0, 1, WINDOW / 2)]);
}

#[test]
fn credit_for_a_quarter_of_a_window_waits_for_other_frames() {
    let read = |end: &mut End, id| {
        end.yamux.consume(id, WINDOW as usize / 4);
        assert!(!end.yamux.has_pending());
        assert_eq!(end.flush(), []);
    };
    let mut end = End::server();
    let (id, other) = (end.accepted(1), end.accepted(3));
    for wire in [1, 3] {
        end.receive(&data(wire, 0, &vec![0; WINDOW as usize]));
    }
    read(&mut end, id);
    end.write(other, b"data");
    assert_eq!(end.flush(), [sent(UPDATE, 0, 1, WINDOW / 4), sent_data(3, 0, b"data")]);

    read(&mut end, id);
    end.receive(&ping(7));
    assert_eq!(end.flush().len(), 2, "an answer");

    read(&mut end, id);
    end.yamux.consume(other, WINDOW as usize / 2);
    assert_eq!(end.flush(), [sent(UPDATE, 0, 1, WINDOW / 4), sent(UPDATE, 0, 3, WINDOW / 2)]);

    read(&mut end, id);
    end.yamux.reset(other, 0);
    assert_eq!(end.flush().len(), 2, "a reset");

    let left = WINDOW as usize / 4 - 1;
    end.receive(&data(1, 0, &vec![0; left]));
    end.yamux.consume(id, left);
    assert_eq!(end.flush(), [], "less does not go along either");
    end.receive(&ping(8));
    assert_eq!(end.flush().len(), 1);
}

#[test]
fn reads_between_two_transmits_make_one_update() {
    let mut end = End::server();
    let id = end.accepted(1);
    end.receive(&data(1, 0, &vec![0; WINDOW as usize]));
    for _ in 0..16 {
        end.yamux.consume(id, WINDOW as usize / 16);
    }
    assert_eq!(end.flush(), [sent(UPDATE, 0, 1, WINDOW)]);
}

#[test]
fn a_peer_that_has_ended_gets_no_credit() {
    let mut end = End::server();
    let id = end.accepted(1);
    end.receive(&data(1, FIN, &vec![0; WINDOW as usize]));
    end.read(id);
    assert_eq!(end.flush(), []);
}

#[test]
fn what_is_thrown_away_is_given_back() {
    let mut end = End::server().knows_rtt(RTT);
    let id = end.accepted(1);
    end.receive(&data(1, 0, &vec![0; WINDOW as usize]));
    end.yamux.stop_reading(id);
    assert_eq!(end.flush(), [sent(UPDATE, 0, 1, WINDOW)], "and the window does not grow for it");
    end.receive(&data(1, 0, &vec![0; WINDOW as usize / 2]));
    assert_eq!(end.flush(), [sent(UPDATE, 0, 1, WINDOW / 2)]);
}

#[test]
fn a_sender_stops_at_the_window_and_goes_on_with_credit() {
    let mut end = End::client();
    let (id, wire) = end.opened();
    assert_eq!(send_all(&mut end, id, WINDOW as usize + 10), WINDOW);
    end.receive(&update(wire, 0, 4));
    assert_eq!(end.flush(), [sent_data(wire, 0, &[0; 4])]);
    end.receive(&update(wire, 0, 100));
    assert_eq!(end.flush(), [sent_data(wire, 0, &[0; 6])]);
}

#[test]
fn credit_is_accepted_after_our_own_end() {
    let mut end = End::client();
    let (id, wire) = end.opened();
    end.yamux.close_write(id);
    end.flush();
    end.receive(&update(wire, 0, 100));
    end.receive(&data(wire, 0, b"answer"));
    assert_eq!(end.read(id), b"answer");
}

#[test]
fn a_full_queue_takes_nothing_and_says_when_half_of_it_is_free() {
    let config = MuxConfig::default();
    let mut end = End::client();
    let (id, wire) = end.opened();
    assert_eq!(end.write(id, &vec![0; 2 * config.send_buffer]), config.send_buffer);
    assert_eq!(end.write(id, b"x"), 0);
    end.transmit(config.send_buffer / 2);
    assert_eq!(end.take_events(), [], "the headers take a little of it");
    end.transmit(1000);
    assert_eq!(end.take_events(), [MuxEvent::Writable(id)]);
    end.flush();
    assert_eq!(end.take_events(), [], "once");

    // The window is used up now: the next one follows only when the peer gives credit.
    assert_eq!(end.write(id, &vec![0; 2 * config.send_buffer]), config.send_buffer);
    assert_eq!(end.flush(), []);
    assert_eq!(end.take_events(), []);
    end.receive(&update(wire, 0, config.send_buffer as u32));
    end.flush();
    assert_eq!(end.take_events(), [MuxEvent::Writable(id)]);
}

#[test]
fn a_write_that_was_taken_whole_promises_nothing() {
    let mut end = End::client();
    let (id, _) = end.opened();
    let size = MuxConfig::default().send_buffer;
    assert_eq!(end.write(id, &vec![0; size]), size);
    end.flush();
    assert_eq!(end.take_events(), []);
}

/// The peer fills the window and the application reads all of it, after `time`; the credit given.
fn round(end: &mut End, id: StreamId, window: u32, time: Duration) -> u32 {
    end.wait(time);
    end.receive(&data(1, 0, &vec![0; window as usize]));
    end.read(id);
    let frames = end.flush();
    let [Frame { kind: UPDATE, flags: 0, stream: 1, length, .. }] = frames[..] else { panic!("{frames:?}") };
    length
}

#[test]
fn a_window_that_is_used_up_within_four_round_trips_doubles_up_to_the_maximum() {
    let mut end = End::server().knows_rtt(RTT);
    let id = end.accepted(1);
    let mut window = WINDOW;
    while window < MuxConfig::default().max_stream_window {
        assert_eq!(round(&mut end, id, window, 3 * RTT), 2 * window);
        window *= 2;
    }
    assert_eq!(round(&mut end, id, window, RTT), window, "and not beyond");
}

#[test]
fn a_window_that_is_used_slowly_stays() {
    let mut end = End::server().knows_rtt(RTT);
    let id = end.accepted(1);
    assert_eq!(round(&mut end, id, WINDOW, 4 * RTT), WINDOW);
    assert_eq!(round(&mut end, id, WINDOW, 4 * RTT), WINDOW);
}

#[test]
fn no_window_grows_before_the_round_trip_is_known() {
    let mut end = End::server();
    let id = end.accepted(1);
    assert_eq!(round(&mut end, id, WINDOW, Duration::ZERO), WINDOW);
}

#[test]
fn the_shortest_round_trip_counts() {
    let mut end = End::server().knows_rtt(RTT);
    let id = end.accepted(1);
    // A later ping meets a queue.
    end.wait(Duration::from_secs(30));
    end.handle_timeout();
    assert_eq!(end.flush(), [sent(PING, SYN, 0, 1)]);
    end.wait(Duration::from_secs(5));
    end.receive(&pong(1));
    assert_eq!(end.yamux.rtt(), Some(Duration::from_secs(5)));
    assert_eq!(round(&mut end, id, WINDOW, 4 * RTT), WINDOW);
    assert_eq!(round(&mut end, id, WINDOW, 4 * RTT), WINDOW);
}

#[test]
fn all_windows_together_grow_no_further_than_the_connection_may_hold() {
    let config = MuxConfig { max_buffered_in: 3 * WINDOW as usize, ..MuxConfig::default() };
    let mut end = End::new(Role::Server, config).knows_rtt(RTT);
    let id = end.accepted(1);
    assert_eq!(round(&mut end, id, WINDOW, RTT), 2 * WINDOW);
    assert_eq!(round(&mut end, id, 2 * WINDOW, RTT), 4 * WINDOW);
    assert_eq!(round(&mut end, id, 4 * WINDOW, RTT), 4 * WINDOW);
    // What grew is free again when the stream is gone.
    end.yamux.reset(id, 0);
    end.flush();
    let id = end.accepted(1);
    assert_eq!(round(&mut end, id, WINDOW, RTT), 2 * WINDOW);
}

#[test]
fn windows_do_not_grow_on_memory_that_the_host_does_not_have() {
    let budget = Budget::new(WINDOW as usize);
    let config = MuxConfig::default();
    let mut end = End::with_budget(Role::Server, config, budget.clone()).knows_rtt(RTT);
    let id = end.accepted(1);
    assert_eq!(round(&mut end, id, WINDOW, RTT), 2 * WINDOW);
    assert_eq!(budget.used(), WINDOW as usize);
    assert_eq!(round(&mut end, id, 2 * WINDOW, RTT), 2 * WINDOW);
    drop(end);
    assert_eq!(budget.used(), 0);
}
