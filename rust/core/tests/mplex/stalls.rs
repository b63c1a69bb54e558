//! Streams that nobody reads: they stop the reading, and are reset before that lasts.

use std::time::Duration;

use plait_core::limits::Budget;
use plait_core::mux::{Available, MuxConfig, MuxEvent, StreamError, StreamId};

use crate::script::*;

fn stall() -> Duration {
    MuxConfig::default().stall_timeout
}

const MOMENT: Duration = Duration::from_millis(1);

/// The peer's stream `number` with `size` bytes unread.
fn filled(end: &mut End, number: u64, size: usize) -> StreamId {
    let id = end.accepted(number);
    fill(end, number, size);
    end.take_events();
    id
}

fn fill(end: &mut End, number: u64, size: usize) {
    for piece in vec![7; size].chunks(1 << 20) {
        end.receive(&frame(MESSAGE_OPENER, number, piece));
    }
}

#[test]
fn a_full_stream_stops_the_reading_until_it_is_read() {
    let mut end = End::new();
    let id = filled(&mut end, 0, FULL - 1);
    assert!(!end.mplex.is_overloaded());
    fill(&mut end, 0, 1);
    assert!(end.mplex.is_overloaded());
    end.mplex.consume(id, 1);
    assert!(!end.mplex.is_overloaded());
    fill(&mut end, 0, 1);
    assert!(end.mplex.is_overloaded());
    end.mplex.stop_reading(id);
    assert!(!end.mplex.is_overloaded());
}

#[test]
fn whatever_ends_a_full_stream_ends_the_overload() {
    for ending in 0..5 {
        let mut end = End::new();
        let id = filled(&mut end, 0, FULL);
        assert!(end.mplex.is_overloaded());
        match ending {
            0 => end.mplex.reset(id, 0),
            1 => end.mplex.release(id, end.now),
            2 => end.receive(&frame(RESET_OPENER, 0, b"")),
            3 => end.receive(&frame(CLOSE_OPENER, 0, b"")),
            _ => assert_eq!(end.read(id).len(), FULL),
        }
        assert!(!end.mplex.is_overloaded(), "{ending}");
        end.pass(stall() * 3);
        assert!(!end.take_events().contains(&MuxEvent::Reset { id, code: 0 }) || ending == 2, "{ending}");
    }
}

// With rust's default one stream that is not read stops all others for ever.
#[test]
fn one_unread_stream_does_not_stall_the_others_for_ever() {
    let mut end = End::new();
    let unread = filled(&mut end, 0, FULL);
    let other = filled(&mut end, 1, 10);
    end.write(unread, b"unsent");
    assert!(end.mplex.is_overloaded());
    assert_eq!(end.mplex.next_timeout(), Some(end.now + stall()));
    end.pass(stall() - MOMENT);
    assert!(end.mplex.is_overloaded());
    assert_eq!(end.take_events(), []);
    end.pass(MOMENT);
    assert_eq!(end.take_events(), [MuxEvent::Reset { id: unread, code: 0 }]);
    assert!(!end.mplex.is_overloaded());
    assert_eq!(end.flush(), [sent(RESET_ACCEPTOR, 0, b"")]);

    let error = StreamError::Reset { code: 0 };
    assert_eq!(end.mplex.available(unread), Err(error));
    assert_eq!(end.mplex.read(unread, &mut [0; 9]), Err(error));
    assert_eq!(end.mplex.write(unread, b"x"), Err(error));
    assert_eq!(end.mplex.peek(unread), (&[][..], &[][..]));
    let stats = end.mplex.stats();
    assert_eq!((stats.streams_given_up, stats.resets_received), (1, 0));
    assert_eq!((stats.buffered_in, stats.buffered_out), (10, 0));

    end.receive(&frame(MESSAGE_OPENER, 0, b"late"));
    assert_eq!(end.mplex.stats().frames_ignored, 1);
    fill(&mut end, 1, 5);
    assert_eq!(end.read(other).len(), 15);
    end.mplex.release(unread, end.now);
    assert_eq!((end.mplex.num_streams(), end.flush()), (1, vec![]));
}

// go resets a stream when one message cannot be delivered for five seconds, which is what happens to
// slow handlers under load.
#[test]
fn a_slow_reader_is_not_reset() {
    let mut end = End::new();
    let id = filled(&mut end, 0, FULL);
    for _ in 0..20 {
        end.pass(stall() - MOMENT);
        // A frame's worth: less than 4 KiB/s.
        assert_eq!(end.mplex.read(id, &mut [0; 16 << 10]), Ok(16 << 10));
        assert!(!end.mplex.is_overloaded());
        fill(&mut end, 0, 16 << 10);
        assert!(end.mplex.is_overloaded());
    }
    assert_eq!(end.take_events(), []);
}

#[test]
fn a_reader_that_takes_next_to_nothing_does_not_hold_up_the_others_for_ever() {
    let mut end = End::new();
    let id = filled(&mut end, 0, FULL);
    for _ in 0..11 {
        end.pass(stall() / 10);
        if end.mplex.read(id, &mut [0; 1]).is_ok() {
            fill(&mut end, 0, 1);
        }
    }
    assert_eq!(end.take_events(), [MuxEvent::Reset { id, code: 0 }]);
    assert!(!end.mplex.is_overloaded());
}

#[test]
fn a_stream_that_is_read_in_time_is_watched_no_more() {
    let mut end = End::new();
    let id = filled(&mut end, 0, FULL);
    end.pass(stall() / 2);
    end.read(id);
    end.pass(stall() / 2);
    assert_eq!(end.take_events(), []);
    fill(&mut end, 0, FULL);
    end.take_events();
    end.pass(stall() - MOMENT);
    assert_eq!(end.take_events(), []);
    end.pass(MOMENT);
    assert_eq!(end.take_events(), [MuxEvent::Reset { id, code: 0 }]);
}

#[test]
fn what_the_peer_has_completed_waits_for_its_reader() {
    let mut end = End::new();
    let id = filled(&mut end, 0, FULL + 100);
    end.receive(&frame(CLOSE_OPENER, 0, b""));
    end.take_events();
    end.pass(stall() * 10);
    assert_eq!(end.take_events(), []);
    assert_eq!(end.read(id).len(), FULL + 100);
    assert_eq!(end.mplex.available(id), Ok(Available::Finished));
}

#[test]
fn a_stall_in_the_middle_of_a_message_throws_the_rest_of_it_away() {
    let mut end = End::new();
    let id = filled(&mut end, 0, FULL);
    let bytes = frame(MESSAGE_OPENER, 0, &[1; 1000]);
    end.receive(&bytes[..500]);
    end.pass(stall());
    end.receive(&bytes[500..]);
    assert_eq!(end.take_events(), [MuxEvent::Reset { id, code: 0 }]);
    assert_eq!(end.mplex.stats().buffered_in, 0);
    // Its number is free again.
    end.accepted(0);
}

#[test]
fn several_full_streams_are_all_reset() {
    let mut end = End::new();
    let ids: Vec<_> = (0..3).map(|number| filled(&mut end, number, FULL)).collect();
    end.pass(stall());
    assert_eq!(end.take_events(), ids.iter().map(|&id| MuxEvent::Reset { id, code: 0 }).collect::<Vec<_>>());
    assert!(!end.mplex.is_overloaded());
}

#[test]
fn many_streams_that_are_not_full_do_not_stall_the_connection_for_ever() {
    let config = MuxConfig { max_buffered_in: 4 << 20, ..MuxConfig::default() };
    let mut end = End::with(config);
    let largest = filled(&mut end, 0, 900 << 10);
    for number in 1.. {
        filled(&mut end, number, 500 << 10);
        if end.mplex.is_overloaded() {
            break;
        }
    }
    end.pass(stall());
    assert_eq!(end.take_events(), [MuxEvent::Reset { id: largest, code: 0 }]);
    assert!(!end.mplex.is_overloaded());
    end.pass(stall() * 10);
    assert_eq!(end.take_events(), [], "one was enough");
}

#[test]
fn streams_that_the_peer_has_ended_do_not_stall_it_together_either() {
    let config = MuxConfig { max_buffered_in: 4 << 20, ..MuxConfig::default() };
    let mut end = End::with(config);
    for number in 0.. {
        filled(&mut end, number, 900 << 10);
        end.receive(&frame(CLOSE_OPENER, number, b""));
        end.take_events();
        if end.mplex.is_overloaded() {
            break;
        }
    }
    end.pass(stall());
    let events = end.take_events();
    let [MuxEvent::Reset { id, code: 0 }] = events[..] else { panic!("{events:?}") };
    assert_eq!(end.mplex.available(id), Err(StreamError::Reset { code: 0 }), "what is lost is no end");
    assert!(!end.mplex.is_overloaded());
}

#[test]
fn a_host_without_memory_does_not_stall_the_connection_for_ever() {
    let budget = Budget::new(0);
    let mut end = End::with_budget(MuxConfig::default(), budget);
    let id = filled(&mut end, 0, 500 << 10);
    assert!(end.mplex.is_overloaded());
    end.pass(stall());
    assert_eq!(end.take_events(), [MuxEvent::Reset { id, code: 0 }]);
    assert!(!end.mplex.is_overloaded());
}

#[test]
fn memory_for_a_stream_of_a_peer_that_never_stops_is_bounded_by_what_is_read_from_the_socket() {
    let mut end = End::new();
    let segment = frame(MESSAGE_OPENER, 0, &[7; 256 << 10]);
    let id = end.accepted(0);
    for _ in 0..20 {
        while !end.mplex.is_overloaded() {
            end.receive(&segment);
        }
        assert!(end.buffered(id) <= FULL + segment.len());
        assert!(end.mplex.stats().memory <= 4 << 20);
        end.mplex.consume(id, 300 << 10);
    }
}
