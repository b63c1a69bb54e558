//! How released streams and whole connections end.

use std::time::Duration;

use plait_core::mux::{Available, MuxConfig, MuxEvent, StreamError, Violation};

use crate::script::*;

fn linger() -> Duration {
    MuxConfig::default().linger
}

/// Lets time pass to every deadline up to `time` from now, with the peer alive.
fn pass(end: &mut End, time: Duration) {
    let until = end.now + time;
    while let Some(deadline) = end.yamux.next_timeout().filter(|&deadline| deadline <= until) {
        end.now = deadline;
        end.receive(&pong(u32::MAX));
        end.handle_timeout();
    }
    end.now = until;
}

fn without_pings(frames: Vec<Frame>) -> Vec<Frame> {
    frames.into_iter().filter(|frame| frame.kind != PING).collect()
}

#[test]
fn a_released_stream_is_reset_when_the_peer_does_not_end_it_in_time() {
    let mut end = End::server();
    let id = end.accepted(1);
    end.yamux.release(id, end.now);
    assert_eq!(end.flush(), [sent(UPDATE, FIN, 1, 0)]);
    pass(&mut end, linger() - Duration::from_secs(1));
    assert_eq!(without_pings(end.flush()), []);
    assert_eq!(end.yamux.num_streams(), 1);
    pass(&mut end, Duration::from_secs(2));
    assert_eq!(without_pings(end.flush()), [sent(UPDATE, RST, 1, 0x1006)]);
    assert_eq!(end.yamux.num_streams(), 0);
    assert_eq!(end.take_events(), []);
}

#[test]
fn a_released_stream_goes_with_the_peers_end() {
    for last in [update(1, FIN, 0), data(1, FIN, b"late"), update(1, RST, 3)] {
        let mut end = End::server();
        let id = end.accepted(1);
        end.yamux.release(id, end.now);
        end.flush();
        end.receive(&last);
        assert_eq!(end.yamux.num_streams(), 0);
        assert_eq!(end.take_events(), [], "the application has forgotten it");
        pass(&mut end, linger() * 3);
        assert_eq!(without_pings(end.flush()), []);
    }
}

#[test]
fn a_released_stream_still_sends_what_was_written() {
    let mut end = End::server();
    let id = end.accepted(1);
    end.receive(&data(1, FIN, b""));
    end.take_events();
    end.write(id, b"the answer");
    end.yamux.release(id, end.now);
    assert_eq!(end.flush(), [sent_data(1, 0, b"the answer"), sent(UPDATE, FIN, 1, 0)]);
    assert_eq!(end.yamux.num_streams(), 0);
}

#[test]
fn late_data_of_a_released_stream_is_given_back_as_credit() {
    let mut end = End::server();
    let id = end.accepted(1);
    end.receive(&data(1, 0, &[1; 60_000]));
    end.yamux.release(id, end.now);
    end.flush();
    end.receive(&data(1, 0, &[2; 100_000]));
    assert_eq!(end.flush(), [sent(UPDATE, 0, 1, 160_000)]);
    assert_eq!(end.yamux.stats().buffered_in, 0);
}

#[test]
fn a_slow_peer_that_still_takes_what_was_written_gets_more_time() {
    let mut end = End::server();
    let id = end.accepted(1);
    end.write(id, &vec![0; WINDOW as usize]);
    end.flush();
    end.write(id, b"rest");
    end.yamux.release(id, end.now);
    for _ in 0..10 {
        pass(&mut end, linger() / 3);
        end.receive(&update(1, 0, 0));
    }
    assert_eq!(end.yamux.num_streams(), 0, "no credit is no progress");
    assert_eq!(without_pings(end.flush()), [sent(UPDATE, RST, 1, 0x1006)]);

    let mut end = End::server();
    let id = end.accepted(1);
    end.write(id, &vec![0; WINDOW as usize]);
    end.flush();
    end.write(id, &[0; 10]);
    end.yamux.release(id, end.now);
    for _ in 0..9 {
        pass(&mut end, linger() / 3);
        end.receive(&update(1, 0, 1));
        assert_eq!(without_pings(end.flush()), [sent_data(1, 0, &[0])]);
    }
    assert_eq!(end.yamux.num_streams(), 1);
}

#[test]
fn releasing_what_was_never_accepted_still_acknowledges_and_ends_it() {
    let mut end = End::server();
    let id = end.opened_by_peer(&update(1, SYN | FIN, 0));
    end.yamux.release(id, end.now);
    assert_eq!(end.flush(), [sent(UPDATE, ACK, 1, 0), sent(UPDATE, FIN, 1, 0)]);
    assert_eq!(end.yamux.num_streams(), 0);
}

#[test]
fn go_away_is_the_last_frame_and_follows_what_can_be_sent() {
    let mut end = End::client();
    let (id, wire) = end.opened();
    end.write(id, b"last words");
    end.yamux.close_write(id);
    end.receive(&ping(77));
    end.yamux.go_away(0x1006);
    assert_eq!(
        end.flush(),
        [
            sent(PING, ACK, 0, 77),
            sent_data(wire, 0, b"last words"),
            sent(UPDATE, FIN, wire, 0),
            sent(GO_AWAY, 0, 0, 0x1006),
        ]
    );
    end.yamux.go_away(0);
    end.yamux.reset(id, 0);
    end.receive(&ping(78).repeat(2000));
    end.receive(&update(2, SYN, 0));
    assert_eq!(end.flush(), []);
    assert!(!end.yamux.has_pending() && !end.yamux.is_overloaded());
    assert_eq!(end.take_events(), []);
}

#[test]
fn go_away_stays_the_last_frame_when_the_rest_takes_several_records() {
    let mut end = End::client();
    let streams = [end.opened(), end.opened()];
    for (id, _) in streams {
        end.write(id, &[0; 900]);
    }
    end.yamux.go_away(0);
    // There would have been room for it in the first one.
    assert_eq!(end.transmit(1000), [sent_data(1, 0, &[0; 900])]);
    assert_eq!(end.transmit(1000), [sent_data(3, 0, &[0; 900]), sent(GO_AWAY, 0, 0, 0)]);
}

#[test]
fn go_away_does_not_wait_for_windows() {
    let mut end = End::client();
    let (id, _) = end.opened();
    end.write(id, &vec![0; WINDOW as usize]);
    end.flush();
    end.write(id, b"stuck");
    end.yamux.go_away(0);
    assert_eq!(end.yamux.write(id, b"more"), Err(StreamError::Closed));
    assert_eq!(end.flush(), [sent(GO_AWAY, 0, 0, 0)]);
    assert_eq!(end.yamux.stats().buffered_out, 5);
}

#[test]
fn what_was_received_before_a_go_away_stays_readable() {
    for code in [0, 1, 0x1005] {
        let mut end = End::server();
        let id = end.accepted(1);
        end.receive(&[data(1, 0, b"unread"), go_away(code), go_away(9)].concat());
        assert_eq!(end.take_events(), [MuxEvent::Readable(id), MuxEvent::GoAway { code }], "once");
        assert_eq!(end.read(id), b"unread");
        assert_eq!(end.yamux.available(id), Ok(Available::Nothing), "transport loss is not an end of stream");
    }
}

#[test]
fn a_violation_says_go_away_and_nothing_else() {
    let mut end = End::server();
    let id = end.accepted(1);
    end.write(id, b"unsent");
    end.receive(&ping(5));
    let bytes = [data(1, 0, b"good"), data(2, SYN, b"bad"), data(1, 0, b"never")].concat();
    assert_eq!(end.try_receive(&bytes), Err(Violation::WrongParity(2)));
    assert_eq!(end.take_events(), [MuxEvent::Readable(id)]);
    assert_eq!(end.flush(), [sent(GO_AWAY, 0, 0, 1)]);
    assert_eq!(end.try_receive(&data(1, 0, b"never")), Err(Violation::WrongParity(2)));
    assert_eq!(end.read(id), b"good", "what came before it is delivered");
    assert_eq!(end.yamux.write(id, b"x"), Err(StreamError::Closed));
    assert!(end.yamux.open(end.now).is_err());
    end.yamux.reset(id, 1);
    assert_eq!(end.flush(), []);
    assert!(!end.yamux.has_pending());
}

#[test]
fn a_violation_after_our_go_away_is_not_answered() {
    let mut end = End::server();
    end.yamux.go_away(0);
    end.flush();
    assert!(end.try_receive(&data(2, SYN, b"bad")).is_err());
    assert!(!end.yamux.has_pending());
    assert_eq!(end.transmit(1000), []);
}
