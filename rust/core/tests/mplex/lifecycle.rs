//! A stream in every state, with everything that can happen to it.

use plait_core::mux::{Available, Error, MuxConfig, MuxEvent, StreamError, StreamId};

use crate::script::*;

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Open,
    SendClosed,
    ReceiveClosed,
    Closed,
    /// The peer's end, then its reset.
    Cut,
    Reset,
    /// By us.
    Gone,
}

const STATES: [State; 7] = [
    State::Open,
    State::SendClosed,
    State::ReceiveClosed,
    State::Closed,
    State::Cut,
    State::Reset,
    State::Gone,
];

/// An end with a stream in `state`, one byte of it unread if that can be. The peer opened the
/// stream, or we did; its number is 0 either way.
fn in_state(state: State, is_ours: bool) -> (End, StreamId) {
    let mut end = End::new();
    let id = if is_ours { end.opened().0 } else { end.accepted(0) };
    end.receive(&from_peer(MESSAGE_OPENER, is_ours, b"u"));
    if matches!(state, State::SendClosed | State::Closed) {
        end.mplex.close_write(id);
        assert_eq!(end.flush(), [from_us(CLOSE_OPENER, is_ours, b"")]);
    }
    if matches!(state, State::ReceiveClosed | State::Closed | State::Cut) {
        end.receive(&from_peer(CLOSE_OPENER, is_ours, b""));
    }
    if matches!(state, State::Cut | State::Reset) {
        end.receive(&from_peer(RESET_OPENER, is_ours, b""));
    }
    if state == State::Gone {
        end.mplex.reset(id, 0);
        assert_eq!(end.flush(), [from_us(RESET_OPENER, is_ours, b"")]);
    }
    end.take_events();
    (end, id)
}

/// What the peer sends; the odd flag is one less than the even one.
fn from_peer(flag: u8, is_ours: bool, body: &[u8]) -> Vec<u8> {
    frame(flag - u8::from(is_ours), 0, body)
}

fn from_us(flag: u8, is_ours: bool, body: &[u8]) -> Frame {
    sent(flag - u8::from(!is_ours), 0, body)
}

const RESET: StreamError = StreamError::Reset { code: 0 };

#[test]
fn what_can_be_read_and_written_in_every_state() {
    for (state, is_ours) in STATES.into_iter().flat_map(|state| [(state, true), (state, false)]) {
        let (mut end, id) = in_state(state, is_ours);
        let written = match state {
            State::Open | State::ReceiveClosed => Ok(1),
            State::SendClosed | State::Closed => Err(StreamError::Closed),
            State::Cut | State::Reset => Err(RESET),
            State::Gone => Err(StreamError::Unknown),
        };
        assert_eq!(end.mplex.write(id, b"w"), written, "{state:?}");
        let readable = match state {
            State::Reset => Err(RESET),
            State::Gone => Err(StreamError::Unknown),
            _ => Ok(1),
        };
        assert_eq!(end.mplex.read(id, &mut [0; 9]), readable, "{state:?}");
        let then = match state {
            State::Open | State::SendClosed => Ok(Available::Nothing),
            State::ReceiveClosed | State::Closed | State::Cut => Ok(Available::Finished),
            State::Reset => Err(RESET),
            State::Gone => Err(StreamError::Unknown),
        };
        assert_eq!(end.mplex.available(id), then, "{state:?}");
    }
}

#[test]
fn what_every_frame_does_in_every_state() {
    for (state, is_ours) in STATES.into_iter().flat_map(|state| [(state, true), (state, false)]) {
        let is_live = matches!(state, State::Open | State::SendClosed | State::ReceiveClosed);
        let can_receive = matches!(state, State::Open | State::SendClosed);

        let (mut end, id) = in_state(state, is_ours);
        end.receive(&from_peer(MESSAGE_OPENER, is_ours, b"more"));
        let expected = match state {
            State::Reset | State::Gone => 0,
            _ if can_receive => 5,
            _ => 1,
        };
        assert_eq!(end.mplex.peek(id).0.len(), expected, "data, {state:?}");
        assert_eq!(end.mplex.stats().frames_ignored, u64::from(!is_live));
        assert_eq!(end.mplex.stats().frames_after_fin, u64::from(is_live && !can_receive));
        assert_eq!(end.take_events(), [], "it was readable before");
        assert_eq!(end.flush(), []);

        let (mut end, id) = in_state(state, is_ours);
        end.receive(&from_peer(CLOSE_OPENER, is_ours, b""));
        let expected = if can_receive { vec![MuxEvent::Readable(id)] } else { vec![] };
        assert_eq!(end.take_events(), expected, "Close, {state:?}");
        assert_eq!(end.mplex.stats().frames_after_fin, u64::from(is_live && !can_receive));

        let (mut end, id) = in_state(state, is_ours);
        let before = end.mplex.stats().resets_received;
        end.receive(&from_peer(RESET_OPENER, is_ours, b""));
        let expected = if is_live { vec![MuxEvent::Reset { id, code: 0 }] } else { vec![] };
        assert_eq!(end.take_events(), expected, "Reset, {state:?}");
        assert_eq!(end.mplex.stats().resets_received - before, u64::from(is_live));
        assert_eq!(end.flush(), [], "a reset is not answered");
    }
}

#[test]
fn what_every_command_says_in_every_state() {
    for (state, is_ours) in STATES.into_iter().flat_map(|state| [(state, true), (state, false)]) {
        let can_send = matches!(state, State::Open | State::ReceiveClosed);
        let is_live = can_send || state == State::SendClosed;

        let (mut end, id) = in_state(state, is_ours);
        end.mplex.close_write(id);
        end.mplex.close_write(id);
        let close = from_us(CLOSE_OPENER, is_ours, b"");
        let expected = if can_send { vec![close.clone()] } else { vec![] };
        assert_eq!(end.flush(), expected, "close, {state:?}");

        let (mut end, id) = in_state(state, is_ours);
        end.mplex.reset(id, 7);
        end.mplex.reset(id, 7);
        let expected = if is_live { vec![from_us(RESET_OPENER, is_ours, b"")] } else { vec![] };
        assert_eq!(end.flush(), expected, "reset, {state:?}");
        assert_eq!(end.mplex.num_streams(), 0);

        let (mut end, id) = in_state(state, is_ours);
        end.mplex.release(id, end.now);
        end.mplex.release(id, end.now);
        let expected = if can_send { vec![close] } else { vec![] };
        assert_eq!(end.flush(), expected, "release, {state:?}");
        let waits = matches!(state, State::Open | State::SendClosed);
        assert_eq!(end.mplex.num_streams(), usize::from(waits), "{state:?}");

        let (mut end, id) = in_state(state, is_ours);
        end.mplex.stop_reading(id);
        assert_eq!(end.flush(), []);
        let expected = match state {
            State::Reset => Err(RESET),
            State::Gone => Err(StreamError::Unknown),
            _ => Err(StreamError::Closed),
        };
        assert_eq!(end.mplex.available(id), expected, "{state:?}");
        assert_eq!(end.mplex.stats().buffered_in, 0);
    }
}

#[test]
fn each_direction_ends_on_its_own() {
    let mut end = End::new();
    let id = end.accepted(0);
    end.receive(&[frame(MESSAGE_OPENER, 0, b"question"), frame(CLOSE_OPENER, 0, b"")].concat());
    assert_eq!(end.read(id), b"question");
    assert_eq!(end.mplex.available(id), Ok(Available::Finished));
    end.write(id, b"answer");
    end.mplex.close_write(id);
    assert_eq!(end.flush(), [sent(MESSAGE_ACCEPTOR, 0, b"answer"), sent(CLOSE_ACCEPTOR, 0, b"")]);
    assert_eq!(end.mplex.num_streams(), 1, "until it is released");
    end.mplex.release(id, end.now);
    assert_eq!(end.mplex.num_streams(), 0);
}

#[test]
fn a_number_may_be_used_again_when_both_ends_have_closed() {
    let mut end = End::new();
    let old = end.accepted(4);
    end.receive(&[frame(MESSAGE_OPENER, 4, b"old"), frame(CLOSE_OPENER, 4, b"")].concat());
    end.mplex.close_write(old);
    end.flush();
    end.take_events();
    let new = end.accepted(4);
    end.receive(&frame(MESSAGE_OPENER, 4, b"new"));
    assert_eq!((end.read(old), end.read(new)), (b"old".to_vec(), b"new".to_vec()));
    end.mplex.release(old, end.now);
    end.receive(&frame(MESSAGE_OPENER, 4, b"more"));
    assert_eq!(end.read(new), b"more", "the old one took it along");
}

#[test]
fn a_reset_carries_no_reason_either_way() {
    let mut end = End::new();
    let id = end.accepted(0);
    end.mplex.reset(id, 0x1001);
    assert_eq!(end.flush(), [sent(RESET_ACCEPTOR, 0, b"")]);
    let id = end.accepted(0);
    end.receive(&frame(RESET_OPENER, 0, &[0, 0, 0x10, 1]));
    assert_eq!(end.take_events(), [MuxEvent::Reset { id, code: 0 }]);
}

#[test]
fn data_after_close_is_never_delivered() {
    let mut end = End::new();
    let id = end.accepted(0);
    end.receive(&[frame(CLOSE_OPENER, 0, b""), frame(MESSAGE_OPENER, 0, b"late")].concat());
    assert_eq!(end.take_events(), [MuxEvent::Readable(id)]);
    assert_eq!(end.mplex.available(id), Ok(Available::Finished));
    assert_eq!(end.mplex.stats().frames_after_fin, 1);
}

// js ends a connection that sends it several messages for a stream which it has reset.
#[test]
fn nothing_is_sent_for_a_stream_that_the_peer_has_reset() {
    let mut end = End::new();
    let (id, number) = end.opened();
    end.write(id, &[0; 100_000]);
    assert_eq!(end.transmit(1000).len(), 1);
    end.receive(&frame(RESET_ACCEPTOR, number, b""));
    assert_eq!(end.mplex.stats().buffered_out, 0);
    end.mplex.close_write(id);
    assert_eq!(end.mplex.write(id, b"x"), Err(RESET));
    end.mplex.reset(id, 0);
    assert_eq!(end.flush(), []);
}

#[test]
fn a_stream_that_was_reset_before_it_was_told_is_never_told() {
    let mut end = End::new();
    let id = end.mplex.open(end.now).unwrap().unwrap();
    end.write(id, b"never mind");
    end.mplex.reset(id, 1);
    assert_eq!(end.flush(), []);
    assert_eq!(end.opened().1, 1, "its number is not used again");
}

#[test]
fn opening_goes_out_before_data_and_close_after_it() {
    let mut end = End::new();
    let id = end.mplex.open(end.now).unwrap().unwrap();
    end.write(id, b"data");
    end.mplex.close_write(id);
    assert_eq!(
        end.flush(),
        [sent(NEW, 0, b"0"), sent(MESSAGE_OPENER, 0, b"data"), sent(CLOSE_OPENER, 0, b"")]
    );
}

// js gives up a connection that opens more than five streams in a second. There is no telling who
// the peer is, and all others take a burst.
#[test]
fn streams_open_in_bursts_although_js_cuts_off_six_in_a_second() {
    let config = MuxConfig { max_unacknowledged_streams: 1, ..MuxConfig::default() };
    let mut end = End::with(config);
    for _ in 0..1000 {
        assert!(matches!(end.mplex.open(end.now), Ok(Some(_))));
    }
    assert_eq!(end.flush().len(), 1000);
    assert_eq!(end.take_events(), []);
}

#[test]
fn no_stream_is_opened_when_the_connection_ends() {
    let mut end = End::new();
    end.mplex.go_away(0);
    assert_eq!(end.mplex.open(end.now), Err(Error::GoingAway));
    let mut end = End::new();
    assert!(end.try_receive(&frame(7, 0, b"")).is_err());
    assert_eq!(end.mplex.open(end.now), Err(Error::GoingAway));
}

#[test]
fn names_that_were_never_given_are_no_streams() {
    let mut end = End::new();
    let id = StreamId::from_u64(12345);
    assert_eq!(end.mplex.write(id, b"x"), Err(StreamError::Unknown));
    assert_eq!(end.mplex.read(id, &mut [0]), Err(StreamError::Unknown));
    assert_eq!(end.mplex.peek(id), (&[][..], &[][..]));
    end.mplex.consume(id, 1);
    end.mplex.accept(id);
    end.mplex.close_write(id);
    end.mplex.stop_reading(id);
    end.mplex.release(id, end.now);
    end.mplex.reset(id, 0);
    assert!(!end.mplex.has_pending());
}
