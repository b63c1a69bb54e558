//! Frames as they come and go: every combination of flags, any split, everything malformed.

use plait_core::mux::{Available, MuxEvent, StreamError, Violation};

use crate::script::*;

#[test]
fn flags_come_together_in_every_combination_for_a_new_stream() {
    for (bytes, body, finished) in [
        (update(1, SYN, 0), "", false),
        (update(1, SYN, 1000), "", false),
        (update(1, SYN | ACK, 0), "", false),
        (update(1, SYN | FIN, 0), "", true),
        (data(1, SYN, b"hello"), "hello", false),
        (data(1, SYN | FIN, b"hello"), "hello", true),
        (data(1, SYN | FIN, b""), "", true),
        (data(1, SYN | ACK | FIN, b"x"), "x", true),
    ] {
        let mut end = End::server();
        let id = end.opened_by_peer(&bytes);
        assert_eq!(end.read(id), body.as_bytes(), "{bytes:?}");
        let expected = if finished { Available::Finished } else { Available::Nothing };
        assert_eq!(end.yamux.available(id), Ok(expected), "{bytes:?}");
    }
}

#[test]
fn flags_come_together_in_every_combination_for_a_stream_of_ours() {
    for (bytes, body, finished) in [
        (update(1, ACK, 0), "", false),
        (update(1, ACK | FIN, 0), "", true),
        (update(1, FIN, 0), "", true),
        (data(1, ACK, b"hello"), "hello", false),
        (data(1, ACK | FIN, b"hello"), "hello", true),
        (data(1, ACK | FIN, b""), "", true),
        (data(1, FIN, b"hello"), "hello", true),
        (data(1, 0, b"hello"), "hello", false),
    ] {
        let mut end = End::client();
        let id = end.yamux.open(end.now).unwrap().unwrap();
        end.flush();
        end.receive(&bytes);
        assert_eq!(end.read(id), body.as_bytes(), "{bytes:?}");
        let expected = if finished { Available::Finished } else { Available::Nothing };
        assert_eq!(end.yamux.available(id), Ok(expected), "{bytes:?}");
    }
}

#[test]
fn a_reset_carries_its_code_in_the_length_and_never_adds_to_the_window() {
    for (bytes, code) in [
        (update(1, RST, 0x1001), 0x1001),
        (update(1, ACK | RST, 7), 7),
        (update(1, RST, u32::MAX), u32::MAX),
        (data(1, RST, b""), 0),
        (data(1, ACK | RST, b""), 0),
        (update(1, FIN | RST, 5), 5),
    ] {
        let mut end = End::client();
        let id = end.yamux.open(end.now).unwrap().unwrap();
        end.flush();
        end.receive(&bytes);
        assert_eq!(end.take_events(), [MuxEvent::Reset { id, code }], "{bytes:?}");
        assert_eq!(end.yamux.available(id), Err(StreamError::Reset { code }));
        assert_eq!(end.yamux.write(id, b"x"), Err(StreamError::Reset { code }));
    }
}

#[test]
fn a_stream_opened_and_reset_in_one_frame_is_both() {
    let mut end = End::server();
    end.receive(&update(1, SYN | RST, 9));
    let events = end.take_events();
    let [MuxEvent::Opened(id), MuxEvent::Reset { id: same, code: 9 }] = events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(id, same);
}

#[test]
fn a_reset_with_a_body_is_skipped_to_the_next_frame() {
    let mut end = End::server();
    let id = end.accepted(1);
    end.receive(&[data(1, RST, b"odd"), update(3, SYN, 0)].concat());
    let events = end.take_events();
    assert_eq!(events[0], MuxEvent::Reset { id, code: 0 });
    assert!(matches!(events[1], MuxEvent::Opened(_)));
}

#[test]
fn a_header_may_be_split_at_every_byte() {
    let bytes = [data(1, SYN, b"one"), update(1, 0, 5), data(1, FIN, b"two")].concat();
    for cut in 0..=bytes.len() {
        let mut end = End::server();
        end.receive(&bytes[..cut]);
        end.receive(&bytes[cut..]);
        let events = end.take_events();
        let Some(&MuxEvent::Opened(id)) = events.first() else { panic!("{events:?}") };
        assert_eq!(events[1..], [MuxEvent::Readable(id), MuxEvent::Readable(id)]);
        assert_eq!(end.read(id), b"onetwo");
        assert_eq!(end.yamux.available(id), Ok(Available::Finished));
    }
}

#[test]
fn a_body_is_readable_before_all_of_it_has_come() {
    let mut end = End::server();
    let frame = data(1, SYN | FIN, &[7; 100_000]);
    let id = end.opened_by_peer(&frame[..12 + 10]);
    assert_eq!(end.read(id), [7; 10]);
    assert_eq!(end.yamux.available(id), Ok(Available::Nothing), "the end comes with the last byte");
    end.receive(&frame[22..50_000]);
    assert_eq!(end.take_events(), [MuxEvent::Readable(id)]);
    assert_eq!(end.read(id).len(), 50_000 - 22);
    end.receive(&frame[50_000..]);
    end.read(id);
    assert_eq!(end.yamux.available(id), Ok(Available::Finished));
}

#[test]
fn a_frame_as_large_as_the_window_streams_in_beside_other_calls() {
    let mut end = End::server();
    let frame = data(1, SYN, &vec![1; WINDOW as usize]);
    let id = end.opened_by_peer(&frame[..12]);
    for chunk in frame[12..].chunks(10_000) {
        end.receive(chunk);
        end.read(id);
        end.flush();
        end.handle_timeout();
    }
    end.receive(&data(1, 0, b"next"));
    assert_eq!(end.read(id), b"next");
}

#[test]
fn a_body_goes_on_to_nowhere_when_its_stream_is_reset_in_the_middle() {
    let mut end = End::server();
    let frame = data(1, SYN, &[1; 1000]);
    let id = end.opened_by_peer(&frame[..500]);
    end.yamux.reset(id, 3);
    end.receive(&frame[500..]);
    end.receive(&update(3, SYN, 0));
    assert!(matches!(end.take_events()[..], [MuxEvent::Opened(_)]));
    assert_eq!(end.flush(), [sent(UPDATE, RST, 1, 3)]);
}

#[test]
fn a_length_beyond_the_window_is_refused_before_any_byte_of_it() {
    let mut end = End::server();
    end.accepted(1);
    let result = end.try_receive(&header(DATA, 0, 1, 2 << 20));
    assert_eq!(result, Err(Violation::WindowExceeded { stream: 1, length: 2 << 20, window: WINDOW }));
    assert_eq!(end.yamux.stats().buffered_in, 0);
}

#[test]
fn malformed_headers_end_the_connection_with_a_protocol_error() {
    for (bytes, violation) in [
        ([&[1], &update(1, SYN, 0)[1..]].concat(), Violation::Version(1)),
        (header(4, 0, 1, 0), Violation::FrameType(4)),
        (header(255, 0, 0, 0), Violation::FrameType(255)),
        (data(0, 0, b"x"), Violation::StreamZero),
        (data(0, SYN, b""), Violation::StreamZero),
        (update(0, 0, 5), Violation::StreamZero),
        (update(0, RST, 0), Violation::StreamZero),
    ] {
        let mut end = End::server();
        assert_eq!(end.try_receive(&bytes), Err(violation));
        assert_eq!(end.flush(), [sent(GO_AWAY, 0, 0, 1)]);
    }
}

#[test]
fn flags_that_do_not_exist_mean_nothing() {
    let mut end = End::server();
    let id = end.opened_by_peer(&data(1, SYN | 0xfff0, b"hello"));
    assert_eq!(end.read(id), b"hello");
}

#[test]
fn empty_data_is_a_legal_way_to_say_nothing() {
    let mut end = End::server();
    let id = end.accepted(1);
    end.receive(&data(1, 0, b""));
    assert_eq!(end.take_events(), []);
    assert_eq!(end.yamux.available(id), Ok(Available::Nothing));
}

#[test]
fn frames_look_as_other_implementations_write_them() {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut end = End::client();
    let transmit = |end: &mut End| {
        let mut out = Vec::new();
        end.yamux.transmit(&mut out, 1000, end.now, &mut end.events);
        hex(&out)
    };
    let id = end.yamux.open(end.now).unwrap().unwrap();
    end.write(id, b"hello");
    assert_eq!(transmit(&mut end), "00000001000000010000000568656c6c6f");
    end.yamux.close_write(id);
    assert_eq!(transmit(&mut end), "000100040000000100000000");
    end.yamux.reset(id, 0x1001);
    assert_eq!(transmit(&mut end), "000100080000000100001001");
    end.receive(&ping(0));
    assert_eq!(transmit(&mut end), "000200020000000000000000");
    end.yamux.open(end.now).unwrap().unwrap();
    assert_eq!(transmit(&mut end), "000100010000000300000000");
    end.yamux.go_away(0x1005);
    assert_eq!(transmit(&mut end), "000300000000000000001005");
}
