//! Who is sent next, and in what pieces.

use plait_core::mux::{MuxConfig, MuxEvent, StreamId};

use crate::script::*;

fn streams(end: &mut End, count: usize) -> Vec<(StreamId, u64)> {
    (0..count).map(|_| end.opened()).collect()
}

#[test]
fn one_stream_alone_fills_the_record() {
    let mut end = End::new();
    let (id, _) = end.opened();
    end.write(id, &[0; 100_000]);
    let frames = end.transmit(32 << 10);
    assert_eq!(frames.len(), 1);
    assert!(frames[0].body.len() > (32 << 10) - 16);
}

#[test]
fn several_streams_take_turns_in_frames_of_at_most_16_kib() {
    let mut end = End::new();
    for (id, _) in streams(&mut end, 3) {
        end.write(id, &[0; 100_000]);
    }
    let frames: Vec<_> = (0..5).flat_map(|_| end.transmit(32 << 10)).collect();
    assert!(frames.iter().all(|frame| frame.body.len() <= 16 << 10));
    let order: Vec<_> = frames.iter().map(|frame| frame.stream).collect();
    assert_eq!(
        order,
        [0, 1, 2, 0, 0, 0, 0, 1, 1, 1],
        "a short turn, then long ones; two frames fill a record"
    );
}

#[test]
fn no_message_is_longer_than_the_protocol_allows() {
    let config = MuxConfig { send_buffer: 3 << 20, ..MuxConfig::default() };
    let mut end = End::with(config);
    let (id, _) = end.opened();
    assert_eq!(end.write(id, &vec![0; 5 << 20]), 3 << 20);
    let lengths: Vec<_> = end.transmit(8 << 20).iter().map(|frame| frame.body.len()).collect();
    assert_eq!(lengths, [1 << 20; 3]);
}

#[test]
fn writes_between_two_transmits_become_one_frame() {
    let mut end = End::new();
    let (id, number) = end.opened();
    for _ in 0..10 {
        end.write(id, b"ab");
    }
    assert_eq!(end.flush(), [sent(MESSAGE_OPENER, number, &b"ab".repeat(10))]);
}

#[test]
fn data_is_not_cut_into_crumbs_at_the_end_of_a_record() {
    let mut end = End::new();
    for (id, _) in streams(&mut end, 2) {
        end.write(id, &[0; 900]);
    }
    assert_eq!(end.transmit(1000), [sent(MESSAGE_OPENER, 0, &[0; 900])]);
    assert_eq!(end.transmit(1000), [sent(MESSAGE_OPENER, 1, &[0; 900])]);
}

#[test]
fn resets_and_new_streams_go_before_data() {
    let mut end = End::new();
    let old = streams(&mut end, 2);
    end.write(old[0].0, b"data");
    let new = end.mplex.open(end.now).unwrap().unwrap();
    end.write(new, b"more");
    end.mplex.reset(old[1].0, 4);
    assert_eq!(
        end.flush(),
        [
            sent(RESET_OPENER, 1, b""),
            sent(NEW, 2, b"2"),
            sent(MESSAGE_OPENER, 0, b"data"),
            sent(MESSAGE_OPENER, 2, b"more"),
        ]
    );
}

#[test]
fn a_writer_is_told_when_half_of_its_buffer_is_sent() {
    let mut end = End::new();
    let (id, _) = end.opened();
    assert_eq!(end.write(id, &[0; 300 << 10]), 256 << 10);
    assert_eq!(end.write(id, b"x"), 0);
    end.transmit(100 << 10);
    assert_eq!(end.take_events(), []);
    end.transmit(30 << 10);
    assert_eq!(end.take_events(), [MuxEvent::Writable(id)]);
    end.flush();
    assert_eq!(end.take_events(), [], "once");
}

#[test]
fn any_room_for_a_new_stream_makes_progress_and_is_never_exceeded() {
    for room in 15..200 {
        let mut end = End::new();
        for number in 0..3u8 {
            let id = end.mplex.open(end.now).unwrap().unwrap();
            end.write(id, &[number; 300]);
            end.mplex.close_write(id);
        }
        let mut received = [const { Vec::new() }; 3];
        let mut closes = 0;
        while end.mplex.has_pending() {
            let frames = end.transmit(room);
            assert!(!frames.is_empty(), "room {room}");
            for frame in frames {
                closes += usize::from(frame.flag == CLOSE_OPENER);
                if frame.flag == MESSAGE_OPENER {
                    received[frame.stream as usize].extend(frame.body);
                }
            }
        }
        assert_eq!(closes, 3);
        for (number, body) in received.iter().enumerate() {
            assert_eq!(body, &[number as u8; 300]);
        }
    }
}

#[test]
fn data_does_not_overtake_the_opening_of_its_stream_into_a_gap_that_is_too_small_for_that() {
    for room in 15..40 {
        let mut end = End::new();
        let ids: Vec<_> = (0..4).map(|_| end.mplex.open(end.now).unwrap().unwrap()).collect();
        for &id in ids.iter().rev() {
            end.write(id, b"x");
        }
        let mut told = 0;
        while end.mplex.has_pending() {
            for frame in end.transmit(room) {
                told += u64::from(frame.flag == NEW);
                assert!(frame.stream < told, "room {room}");
            }
        }
    }
}

#[test]
fn no_room_for_a_header_is_no_harm() {
    let mut end = End::new();
    let (id, number) = end.opened();
    end.write(id, b"data");
    for room in 0..12 {
        assert_eq!(end.transmit(room), []);
    }
    assert_eq!(end.flush(), [sent(MESSAGE_OPENER, number, b"data")]);
}
