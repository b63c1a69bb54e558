//! A stream in every state, with everything that can happen to it.

use plait_core::mux::{Available, MuxEvent, StreamError, StreamId};

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

/// A server with the peer's stream 1 in `state`, one byte of it unread if that can be.
fn in_state(state: State) -> (End, StreamId) {
    let mut end = End::server();
    let id = end.accepted(1);
    end.receive(&data(1, 0, b"u"));
    if matches!(state, State::SendClosed | State::Closed) {
        end.yamux.close_write(id);
        assert_eq!(end.flush(), [sent(UPDATE, FIN, 1, 0)]);
    }
    if matches!(state, State::ReceiveClosed | State::Closed | State::Cut) {
        end.receive(&update(1, FIN, 0));
    }
    if matches!(state, State::Cut | State::Reset) {
        end.receive(&update(1, RST, 5));
    }
    if state == State::Gone {
        end.yamux.reset(id, 0);
        end.flush();
    }
    end.take_events();
    (end, id)
}

#[test]
fn what_can_be_read_and_written_in_every_state() {
    let reset = StreamError::Reset { code: 5 };
    for state in STATES {
        let (mut end, id) = in_state(state);
        let written = match state {
            State::Open | State::ReceiveClosed => Ok(1),
            State::SendClosed | State::Closed => Err(StreamError::Closed),
            State::Cut | State::Reset => Err(reset),
            State::Gone => Err(StreamError::Unknown),
        };
        assert_eq!(end.yamux.write(id, b"w"), written, "{state:?}");
        let readable = match state {
            State::Reset => Err(reset),
            State::Gone => Err(StreamError::Unknown),
            _ => Ok(1),
        };
        assert_eq!(end.yamux.read(id, &mut [0; 9]), readable, "{state:?}");
        let then = match state {
            State::Open | State::SendClosed => Ok(Available::Nothing),
            State::ReceiveClosed | State::Closed | State::Cut => Ok(Available::Finished),
            State::Reset => Err(reset),
            State::Gone => Err(StreamError::Unknown),
        };
        assert_eq!(end.yamux.available(id), then, "{state:?}");
    }
}

#[test]
fn what_every_frame_does_in_every_state() {
    for state in STATES {
        let is_live = matches!(state, State::Open | State::SendClosed | State::ReceiveClosed);
        let can_receive = matches!(state, State::Open | State::SendClosed);
        let can_send = matches!(state, State::Open | State::ReceiveClosed);

        let (mut end, id) = in_state(state);
        end.receive(&data(1, 0, b"more"));
        assert_eq!(end.yamux.peek(id).0.len(), expected_bytes(state, can_receive), "data, {state:?}");
        assert_eq!(end.yamux.stats().frames_ignored, u64::from(!is_live));
        assert_eq!(end.yamux.stats().frames_after_fin, u64::from(is_live && !can_receive));
        assert_eq!(end.take_events(), [], "it was readable before");

        let (mut end, id) = in_state(state);
        end.receive(&update(1, FIN, 0));
        let events = end.take_events();
        assert_eq!(events, if can_receive { vec![MuxEvent::Readable(id)] } else { vec![] }, "FIN, {state:?}");
        assert_eq!(end.yamux.stats().frames_after_fin, u64::from(is_live && !can_receive));

        let (mut end, id) = in_state(state);
        end.receive(&update(1, RST, 8));
        let events = end.take_events();
        assert_eq!(
            events,
            if is_live { vec![MuxEvent::Reset { id, code: 8 }] } else { vec![] },
            "RST, {state:?}"
        );
        assert_eq!(end.yamux.stats().resets_received - resets_before(state), u64::from(is_live));

        let (mut end, id) = in_state(state);
        if can_send {
            assert_eq!(end.write(id, &vec![0; WINDOW as usize]), WINDOW as usize);
            assert_eq!(end.flush().iter().map(|frame| frame.length).sum::<u32>(), WINDOW);
            assert_eq!(end.write(id, b"blocked"), 7);
            assert_eq!(end.flush(), []);
        }
        end.receive(&update(1, 0, 3));
        let expected = if can_send { vec![sent_data(1, 0, b"blo")] } else { vec![] };
        assert_eq!(end.flush(), expected, "credit, {state:?}");
    }
}

fn expected_bytes(state: State, can_receive: bool) -> usize {
    match state {
        State::Reset | State::Gone => 0,
        _ if can_receive => 5,
        _ => 1,
    }
}

fn resets_before(state: State) -> u64 {
    u64::from(matches!(state, State::Cut | State::Reset))
}

#[test]
fn what_every_command_sends_in_every_state() {
    for state in STATES {
        let is_live = matches!(state, State::Open | State::SendClosed | State::ReceiveClosed);
        let can_send = matches!(state, State::Open | State::ReceiveClosed);
        let fin = if can_send { vec![sent(UPDATE, FIN, 1, 0)] } else { vec![] };

        let (mut end, id) = in_state(state);
        end.yamux.close_write(id);
        end.yamux.close_write(id);
        assert_eq!(end.flush(), fin, "close_write, {state:?}");

        let (mut end, id) = in_state(state);
        end.yamux.reset(id, 6);
        end.yamux.reset(id, 7);
        let expected = if is_live { vec![sent(UPDATE, RST, 1, 6)] } else { vec![] };
        assert_eq!(end.flush(), expected, "reset, {state:?}");
        assert_eq!(end.yamux.available(id), Err(StreamError::Unknown));
        assert_eq!(end.yamux.num_streams(), 0);

        let (mut end, id) = in_state(state);
        end.yamux.stop_reading(id);
        assert_eq!(end.flush(), [], "stop_reading, {state:?}");
        assert_eq!(end.yamux.peek(id).0, b"");
        assert_eq!(end.yamux.stats().buffered_in, 0);

        let (mut end, id) = in_state(state);
        end.yamux.release(id, end.now);
        end.yamux.release(id, end.now);
        assert_eq!(end.flush(), fin, "release, {state:?}");
        let waits = matches!(state, State::Open | State::SendClosed);
        assert_eq!(end.yamux.num_streams(), usize::from(waits), "release, {state:?}");
    }
}

#[test]
fn data_after_the_end_is_never_delivered() {
    let mut end = End::server();
    let id = end.accepted(1);
    end.receive(&[data(1, FIN, b"all"), data(1, 0, b"extra"), data(1, FIN, b"")].concat());
    assert_eq!(end.read(id), b"all");
    assert_eq!(end.yamux.available(id), Ok(Available::Finished));
    assert_eq!(end.yamux.stats().frames_after_fin, 2);
}

#[test]
fn a_reset_throws_away_what_was_not_read() {
    let mut end = End::server();
    let id = end.accepted(1);
    end.receive(&data(1, 0, b"unread"));
    end.write(id, b"unsent");
    end.receive(&update(1, RST, 1));
    assert_eq!(end.yamux.peek(id).0, b"");
    let stats = end.yamux.stats();
    assert_eq!((stats.buffered_in, stats.buffered_out, stats.resets_received), (0, 0, 1));
    assert_eq!(end.flush(), []);
    end.yamux.release(id, end.now);
    assert_eq!(end.yamux.num_streams(), 0);
}

#[test]
fn a_reset_after_the_end_leaves_what_was_sent_before() {
    let mut end = End::server();
    let id = end.accepted(1);
    end.receive(&[data(1, FIN, b"whole"), update(1, RST, 4)].concat());
    assert_eq!(end.read(id), b"whole");
    assert_eq!(end.yamux.available(id), Ok(Available::Finished));
    assert_eq!(end.yamux.write(id, b"x"), Err(StreamError::Reset { code: 4 }));
}

#[test]
fn frames_for_a_stream_that_was_reset_are_ignored_in_silence() {
    let mut end = End::client();
    let (id, wire) = end.opened();
    end.yamux.reset(id, 2);
    assert_eq!(end.flush(), [sent(UPDATE, RST, wire, 2)]);
    for late in [data(wire, 0, &[0; 1000]), update(wire, 0, 500), data(wire, FIN, b"x"), update(wire, RST, 1)]
    {
        end.receive(&late);
    }
    assert_eq!(end.take_events(), []);
    assert_eq!(end.flush(), []);
    assert_eq!(end.yamux.stats().frames_ignored, 4);
}

#[test]
fn frames_for_a_stream_that_never_was_are_ignored_in_silence() {
    let mut end = End::server();
    end.receive(&[data(99, 0, &[1; 70_000]), update(98, FIN, 0), data(97, RST, b"")].concat());
    assert_eq!(end.take_events(), []);
    assert_eq!(end.flush(), []);
    end.accepted(1);
}

#[test]
fn fin_follows_the_data_in_a_frame_of_its_own() {
    let mut end = End::client();
    let (id, wire) = end.opened();
    end.write(id, b"all of it");
    end.yamux.close_write(id);
    assert_eq!(end.flush(), [sent_data(wire, 0, b"all of it"), sent(UPDATE, FIN, wire, 0)]);
    assert_eq!(end.yamux.write(id, b"more"), Err(StreamError::Closed));
    assert_eq!(end.yamux.available(id), Ok(Available::Nothing), "the other direction is open");
}

#[test]
fn fin_waits_for_the_window() {
    let mut end = End::client();
    let (id, wire) = end.opened();
    end.write(id, &vec![0; WINDOW as usize]);
    end.flush();
    end.write(id, b"rest");
    end.yamux.close_write(id);
    assert_eq!(end.flush(), []);
    end.receive(&update(wire, 0, 100));
    assert_eq!(end.flush(), [sent_data(wire, 0, b"rest"), sent(UPDATE, FIN, wire, 0)]);
}

#[test]
fn reading_can_be_given_up_for_good() {
    let mut end = End::server();
    let id = end.accepted(1);
    end.yamux.stop_reading(id);
    end.receive(&data(1, FIN, b"late"));
    assert_eq!(end.take_events(), []);
    assert_eq!(end.yamux.available(id), Err(StreamError::Closed));
    assert_eq!(end.yamux.read(id, &mut [0; 9]), Err(StreamError::Closed));
    assert_eq!(end.write(id, b"still"), 5);
}
