//! How released streams and whole connections end.

use std::time::Duration;

use plait_core::mux::{Available, MuxConfig, MuxEvent, StreamError, Violation};

use crate::script::*;

fn linger() -> Duration {
    MuxConfig::default().linger
}

#[test]
fn a_released_stream_is_reset_when_the_peer_does_not_end_it_in_time() {
    let mut end = End::new();
    let id = end.accepted(0);
    end.mplex.release(id, end.now);
    assert_eq!(end.flush(), [sent(CLOSE_ACCEPTOR, 0, b"")]);
    end.pass(linger() - Duration::from_secs(1));
    assert_eq!((end.flush(), end.mplex.num_streams()), (vec![], 1));
    end.pass(Duration::from_secs(2));
    assert_eq!(end.flush(), [sent(RESET_ACCEPTOR, 0, b"")]);
    assert_eq!(end.mplex.num_streams(), 0);
    assert_eq!(end.take_events(), []);
}

#[test]
fn a_released_stream_goes_with_the_peers_end() {
    for last in [CLOSE_OPENER, RESET_OPENER] {
        let mut end = End::new();
        let id = end.accepted(0);
        end.mplex.release(id, end.now);
        end.flush();
        end.receive(&[frame(MESSAGE_OPENER, 0, b"late"), frame(last, 0, b"")].concat());
        assert_eq!(end.mplex.num_streams(), 0);
        assert_eq!(end.take_events(), [], "the application has forgotten it");
        end.pass(linger() * 3);
        assert_eq!(end.flush(), []);
    }
}

#[test]
fn a_released_stream_still_sends_what_was_written_and_keeps_nothing_that_comes() {
    let mut end = End::new();
    let id = end.accepted(0);
    end.write(id, b"the answer");
    end.mplex.release(id, end.now);
    for _ in 0..4 {
        end.receive(&frame(MESSAGE_OPENER, 0, &[0; 1 << 20]));
    }
    assert_eq!(end.mplex.stats().buffered_in, 0);
    assert!(!end.mplex.is_overloaded());
    assert_eq!(end.flush(), [sent(MESSAGE_ACCEPTOR, 0, b"the answer"), sent(CLOSE_ACCEPTOR, 0, b"")]);
}

#[test]
fn a_slow_peer_that_still_takes_what_was_written_gets_more_time() {
    let mut end = End::new();
    let id = end.accepted(0);
    end.write(id, &[0; 10_000]);
    end.mplex.release(id, end.now);
    for _ in 0..9 {
        end.pass(linger() / 3);
        assert_eq!(end.transmit(1000).len(), 1);
    }
    assert_eq!(end.mplex.num_streams(), 1);
    end.pass(linger() * 2);
    assert_eq!(end.mplex.num_streams(), 0);
    assert_eq!(end.flush(), [sent(RESET_ACCEPTOR, 0, b"")]);
}

#[test]
fn a_stream_may_be_released_before_the_peer_was_told_of_it() {
    let mut end = End::new();
    let id = end.mplex.open(end.now).unwrap().unwrap();
    end.write(id, b"one way");
    end.mplex.release(id, end.now);
    assert_eq!(
        end.flush(),
        [sent(NEW, 0, b"0"), sent(MESSAGE_OPENER, 0, b"one way"), sent(CLOSE_OPENER, 0, b"")]
    );
    end.receive(&frame(CLOSE_ACCEPTOR, 0, b""));
    assert_eq!(end.mplex.num_streams(), 0);
}

#[test]
fn go_away_lets_go_what_is_queued_and_then_nothing_more() {
    let mut end = End::new();
    let (id, number) = end.opened();
    end.write(id, b"last words");
    end.mplex.close_write(id);
    end.mplex.go_away(0x1006);
    end.receive(&frame(NEW, 5, b""));
    assert!(end.mplex.has_pending());
    assert_eq!(
        end.flush(),
        [
            sent(RESET_ACCEPTOR, 5, b""),
            sent(MESSAGE_OPENER, number, b"last words"),
            sent(CLOSE_OPENER, number, b""),
        ]
    );
    end.mplex.go_away(0);
    end.mplex.reset(id, 0);
    end.receive(&frame(NEW, 6, b"").repeat(1));
    assert!(!end.mplex.has_pending());
    assert_eq!((end.transmit(1000), end.take_events()), (vec![], vec![]));
}

#[test]
fn go_away_on_an_idle_connection_says_nothing() {
    let mut end = End::new();
    let id = end.accepted(0);
    end.mplex.go_away(0);
    assert!(!end.mplex.has_pending());
    assert_eq!(end.mplex.write(id, b"x"), Err(StreamError::Closed));
    end.receive(&[frame(MESSAGE_OPENER, 0, b"still read"), frame(NEW, 1, b"")].concat());
    assert_eq!(end.take_events(), [MuxEvent::Readable(id)]);
    assert_eq!(end.read(id), b"still read");
    assert_eq!(end.transmit(1000), []);
    assert_eq!(end.mplex.available(id), Ok(Available::Nothing), "transport loss is not an end of stream");
}

#[test]
fn after_a_violation_nothing_is_sent_and_nothing_delivered() {
    let mut end = End::new();
    let id = end.accepted(0);
    end.write(id, b"unsent");
    let bytes = [frame(MESSAGE_OPENER, 0, b"good"), frame(NEW, 0, b""), frame(MESSAGE_OPENER, 0, b"never")];
    assert_eq!(end.try_receive(&bytes.concat()), Err(Violation::DuplicateStream(0)));
    assert_eq!(end.take_events(), [MuxEvent::Readable(id)]);
    assert_eq!(end.try_receive(&frame(MESSAGE_OPENER, 0, b"never")), Err(Violation::DuplicateStream(0)));
    assert_eq!(end.read(id), b"good", "what came before it is delivered");
    assert_eq!(end.mplex.write(id, b"x"), Err(StreamError::Closed));
    end.mplex.reset(id, 1);
    assert!(!end.mplex.has_pending());
    assert_eq!(end.transmit(1000), []);
}

#[test]
fn a_quiet_peer_is_nobodys_business_here() {
    let mut end = End::new();
    let id = end.accepted(0);
    end.pass(Duration::from_secs(3600));
    assert_eq!((end.take_events(), end.flush()), (vec![], vec![]));
    assert_eq!((end.mplex.rtt(), end.mplex.next_timeout()), (None, None));
    end.receive(&frame(MESSAGE_OPENER, 0, b"back"));
    assert_eq!(end.read(id), b"back");
}
