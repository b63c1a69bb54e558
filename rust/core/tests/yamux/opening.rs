//! Streams are opened and acknowledged.

use plait_core::mux::{Error, MuxConfig, MuxEvent, Role, Violation};

use crate::script::*;

#[test]
fn each_role_has_its_half_of_the_ids() {
    for (mut end, ids) in [(End::client(), [1, 3, 5]), (End::server(), [2, 4, 6])] {
        let opened: Vec<_> = ids
            .iter()
            .map(|_| {
                let id = end.yamux.open(end.now).unwrap().unwrap();
                end.yamux.wire_id(id).unwrap()
            })
            .collect();
        assert_eq!(opened, ids);
    }
}

#[test]
fn an_id_of_our_half_is_a_violation() {
    for (mut end, wire) in [(End::client(), 1), (End::server(), 2)] {
        assert_eq!(end.try_receive(&update(wire, SYN, 0)), Err(Violation::WrongParity(wire)));
        assert_eq!(end.flush(), [sent(GO_AWAY, 0, 0, 1)]);
    }
}

#[test]
fn opening_a_live_stream_again_is_a_violation() {
    for state in ["open", "we closed", "peer closed"] {
        let mut end = End::server();
        let id = end.accepted(1);
        match state {
            "we closed" => end.yamux.close_write(id),
            "peer closed" => end.receive(&update(1, FIN, 0)),
            _ => {}
        }
        end.flush();
        assert_eq!(end.try_receive(&data(1, SYN, b"")), Err(Violation::DuplicateStream(1)), "{state}");
        assert_eq!(end.flush(), [sent(GO_AWAY, 0, 0, 1)]);
    }
}

#[test]
fn syn_rides_on_the_first_data() {
    let mut end = End::client();
    let id = end.yamux.open(end.now).unwrap().unwrap();
    end.write(id, b"hello");
    assert_eq!(end.flush(), [sent_data(1, SYN, b"hello")]);
    end.receive(&data(1, ACK, b"answer"));
    assert_eq!(end.read(id), b"answer");
    end.write(id, b"again");
    assert_eq!(end.flush(), [sent_data(1, 0, b"again")]);
}

#[test]
fn syn_goes_alone_when_nothing_was_written() {
    let mut end = End::client();
    let id = end.yamux.open(end.now).unwrap().unwrap();
    assert_eq!(end.flush(), [sent(UPDATE, SYN, 1, 0)]);
    end.write(id, b"hello");
    assert_eq!(end.flush(), [sent_data(1, 0, b"hello")]);
}

#[test]
fn data_goes_before_any_acknowledgement_up_to_the_first_window() {
    let mut end = End::client();
    let id = end.yamux.open(end.now).unwrap().unwrap();
    assert_eq!(end.write(id, &vec![0; WINDOW as usize]), WINDOW as usize);
    let total: u32 = end.flush().iter().map(|frame| frame.length).sum();
    assert_eq!(total, WINDOW);
}

#[test]
fn a_stream_opened_and_closed_without_data_is_complete_on_the_wire() {
    let mut end = End::client();
    let id = end.yamux.open(end.now).unwrap().unwrap();
    end.yamux.close_write(id);
    assert_eq!(end.flush(), [sent(UPDATE, SYN, 1, 0), sent(UPDATE, FIN, 1, 0)]);

    let id = end.yamux.open(end.now).unwrap().unwrap();
    end.yamux.release(id, end.now);
    assert_eq!(end.flush(), [sent(UPDATE, SYN, 3, 0), sent(UPDATE, FIN, 3, 0)]);
}

#[test]
fn a_stream_reset_before_its_syn_never_appears() {
    let mut end = End::client();
    let id = end.yamux.open(end.now).unwrap().unwrap();
    end.write(id, b"hello");
    end.yamux.reset(id, 1);
    assert_eq!(end.flush(), []);
    assert_eq!(end.yamux.num_streams(), 0);
    // What the peer says about it can only be a guess.
    end.receive(&data(1, ACK, b"guess"));
    assert_eq!(end.take_events(), []);
}

#[test]
fn a_stream_is_not_on_the_wire_before_its_syn() {
    let mut end = End::client();
    let id = end.yamux.open(end.now).unwrap().unwrap();
    end.receive(&data(1, ACK, b"guess"));
    assert_eq!(end.take_events(), []);
    assert_eq!(end.buffered(id), 0);
    assert_eq!(end.flush(), [sent(UPDATE, SYN, 1, 0)]);
}

#[test]
fn nothing_is_acknowledged_before_the_application_wants_it() {
    let mut end = End::server();
    let id = end.opened_by_peer(&data(1, SYN, b"hello"));
    assert_eq!(end.flush(), []);
    end.yamux.accept(id);
    assert_eq!(end.flush(), [sent(UPDATE, ACK, 1, 0)]);
    end.yamux.accept(id);
    assert_eq!(end.flush(), [], "once");
}

#[test]
fn the_acknowledgement_rides_on_the_first_frame_and_only_on_it() {
    let mut end = End::server();
    let id = end.opened_by_peer(&update(1, SYN, 0));
    end.yamux.accept(id);
    end.write(id, b"hello");
    assert_eq!(end.flush(), [sent_data(1, ACK, b"hello")]);
    end.write(id, b"again");
    assert_eq!(end.flush(), [sent_data(1, 0, b"again")]);

    let id = end.opened_by_peer(&data(3, SYN, &vec![0; WINDOW as usize]));
    end.yamux.accept(id);
    end.read(id);
    assert_eq!(end.flush(), [sent(UPDATE, ACK, 3, WINDOW)]);
}

#[test]
fn the_acknowledgement_goes_apart_from_fin_and_before_it() {
    let mut end = End::server();
    let id = end.opened_by_peer(&update(1, SYN | FIN, 0));
    end.yamux.accept(id);
    end.yamux.close_write(id);
    assert_eq!(end.flush(), [sent(UPDATE, ACK, 1, 0), sent(UPDATE, FIN, 1, 0)]);
}

#[test]
fn a_stream_that_is_closed_before_it_was_accepted_is_acknowledged_first() {
    let mut end = End::server();
    let id = end.opened_by_peer(&update(1, SYN, 0));
    end.yamux.close_write(id);
    assert_eq!(end.flush(), [sent(UPDATE, ACK, 1, 0), sent(UPDATE, FIN, 1, 0)]);
}

#[test]
fn a_refusal_is_a_reset_without_acknowledgement() {
    let mut end = End::server();
    let id = end.opened_by_peer(&update(1, SYN, 0));
    end.yamux.accept(id);
    end.yamux.reset(id, 0x1001);
    assert_eq!(end.flush(), [sent(UPDATE, RST, 1, 0x1001)]);
}

#[test]
fn opening_waits_while_too_many_are_unacknowledged() {
    let mut end = End::client();
    let ids: Vec<_> = (0..256).map(|_| end.yamux.open(end.now).unwrap().unwrap()).collect();
    assert_eq!(end.yamux.open(end.now), Ok(None));
    end.flush();
    assert_eq!(end.take_events(), []);
    // Any frame will do, rust sends no other; and it counts once.
    end.receive(&data(1, 0, b"x"));
    assert_eq!(end.take_events(), [MuxEvent::OpenCredit, MuxEvent::Readable(ids[0])]);
    end.receive(&update(1, ACK, 0));
    assert!(end.yamux.open(end.now).unwrap().is_some());
    assert_eq!(end.yamux.open(end.now), Ok(None));

    // A stream that ends unacknowledged makes room as well.
    end.yamux.reset(ids[7], 0);
    end.flush();
    assert_eq!(end.take_events(), [MuxEvent::OpenCredit]);
    assert!(end.yamux.open(end.now).unwrap().is_some());
    assert_eq!(end.yamux.open(end.now), Ok(None));
    end.receive(&update(5, RST, 0));
    assert_eq!(end.take_events(), [MuxEvent::OpenCredit, MuxEvent::Reset { id: ids[2], code: 0 }]);
}

#[test]
fn an_id_may_be_used_again_when_both_ends_have_closed() {
    let mut end = End::server();
    let old = end.opened_by_peer(&data(1, SYN | FIN, b"old"));
    end.yamux.accept(old);
    end.yamux.close_write(old);
    end.flush();
    end.take_events();
    // The application has not read the old one yet.
    let new = end.opened_by_peer(&data(1, SYN, b"new"));
    assert_ne!(old, new);
    assert_eq!((end.read(old), end.read(new)), (b"old".to_vec(), b"new".to_vec()));
    end.yamux.release(old, end.now);
    end.receive(&data(1, 0, b"more"));
    assert_eq!(end.read(new), b"more");
}

#[test]
fn an_id_may_be_used_again_after_a_reset_from_either_end() {
    let mut end = End::server();
    let id = end.accepted(1);
    end.yamux.reset(id, 0);
    end.flush();
    let id = end.accepted(1);
    end.receive(&update(1, RST, 0));
    assert_eq!(end.take_events(), [MuxEvent::Reset { id, code: 0 }]);
    end.accepted(1);
}

#[test]
fn nothing_is_opened_on_a_connection_that_goes_away() {
    let mut end = End::client();
    end.yamux.go_away(0);
    assert_eq!(end.yamux.open(end.now), Err(Error::GoingAway));

    let mut end = End::client();
    end.receive(&go_away(0));
    assert_eq!(end.yamux.open(end.now), Err(Error::GoingAway));
    end.receive(&update(2, SYN, 0));
    assert_eq!(end.take_events(), [MuxEvent::GoAway { code: 0 }]);
    assert_eq!(end.flush(), [sent(UPDATE, RST, 2, 0x1002)]);
}

#[test]
fn streams_the_application_never_accepted_are_bounded_apart() {
    let config = MuxConfig { max_unaccepted_streams: 2, ..MuxConfig::default() };
    let mut end = End::new(Role::Server, config);
    let first = end.opened_by_peer(&update(1, SYN, 0));
    end.opened_by_peer(&update(3, SYN, 0));
    end.receive(&data(5, SYN, b"body"));
    assert_eq!(end.take_events(), []);
    assert_eq!(end.flush(), [sent(UPDATE, RST, 5, 0x1002)]);
    end.yamux.accept(first);
    end.opened_by_peer(&update(7, SYN, 0));
}
