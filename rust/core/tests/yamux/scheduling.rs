//! Who is sent next, and in what pieces.

use std::time::Duration;

use plait_core::mux::StreamId;

use crate::script::*;

fn streams(end: &mut End, count: usize) -> Vec<(StreamId, u32)> {
    (0..count).map(|_| end.opened()).collect()
}

#[test]
fn one_stream_alone_fills_the_record() {
    let mut end = End::client();
    let (id, _) = end.opened();
    end.write(id, &[0; 100_000]);
    let frames = end.transmit(32 << 10);
    assert_eq!(frames.len(), 1);
    assert_eq!(frames[0].length, (32 << 10) - 12);
}

#[test]
fn several_streams_take_turns_in_frames_of_at_most_16_kib() {
    let mut end = End::client();
    let streams = streams(&mut end, 3);
    for &(id, _) in &streams {
        end.write(id, &[0; 100_000]);
    }
    let frames: Vec<_> = (0..5).flat_map(|_| end.transmit(32 << 10)).collect();
    assert!(frames.iter().all(|frame| frame.length <= 16 << 10));
    let order: Vec<_> = frames.iter().map(|frame| frame.stream).collect();
    assert_eq!(
        order,
        [1, 3, 5, 1, 1, 1, 1, 3, 3, 3],
        "a short turn, then long ones; two frames fill a record"
    );
}

#[test]
fn small_messages_beside_transfers_are_told_and_the_trickle_to_a_slow_reader_is_not() {
    let mut end = End::client();
    let streams = streams(&mut end, 4);
    let (slow, wire) = streams[0];
    // All the credit that the peer of the slow one gives at first.
    end.write(slow, &vec![0; WINDOW as usize]);
    end.flush();
    end.write(slow, &[0; 50_000]);
    for &(id, _) in &streams[1..3] {
        end.write(id, &vec![0; 200_000]);
    }
    for _ in 0..3 {
        end.transmit(32 << 10);
    }
    end.receive(&update(wire, 0, 1000));
    let frames = end.transmit(32 << 10);
    assert_eq!((frames[0].stream, frames[0].length), (wire, 1000), "it goes first all the same");
    assert!(!end.yamux.is_mixed(end.now));

    let (question, number) = streams[3];
    end.write(question, b"a question");
    let frames = end.transmit(32 << 10);
    assert_eq!((frames[0].stream, frames[0].length), (number, 10));
    assert!(end.yamux.is_mixed(end.now));
    end.wait(Duration::from_secs(1));
    assert!(!end.yamux.is_mixed(end.now));
}

#[test]
fn a_turn_goes_on_in_the_next_record() {
    let mut end = End::client();
    let streams = streams(&mut end, 2);
    for &(id, _) in &streams {
        end.write(id, &[0; 200_000]);
    }
    let frames: Vec<_> = (0..60).flat_map(|_| end.transmit(5000)).collect();
    let sent =
        |wire| frames.iter().filter(|frame| frame.stream == wire).map(|frame| frame.length).sum::<u32>();
    assert!(sent(1).abs_diff(sent(3)) <= 64 << 10, "{} and {}", sent(1), sent(3));
    let turns = frames.windows(2).filter(|pair| pair[0].stream != pair[1].stream).count();
    assert!((4..=6).contains(&turns), "some 290,000 bytes are two short turns and four long ones: {turns}");
}

#[test]
fn a_small_request_goes_before_transfers_that_wait() {
    let mut end = End::client();
    let streams = streams(&mut end, 9);
    let (asks, transfers) = streams.split_first().unwrap();
    for &(id, _) in transfers {
        end.write(id, &[0; 200_000]);
    }
    for _ in 0..8 {
        end.transmit(32 << 10);
    }
    for _ in 0..3 {
        end.write(asks.0, b"a question");
        let frames = end.transmit(32 << 10);
        assert_eq!((frames[0].stream, frames[0].length), (1, 10));
        // All others have a turn before it may go first again: eight of 64 KiB are sixteen records.
        for _ in 0..16 {
            end.transmit(32 << 10);
        }
    }
}

#[test]
fn bytes_are_shared_fairly_between_small_and_large_writers() {
    let mut end = End::client();
    let streams = streams(&mut end, 10);
    let mut sent = [0u32; 20];
    for _ in 0..200 {
        // Nine write a little all the time, one has always more than it can send.
        for (number, &(id, _)) in streams.iter().enumerate() {
            let size = if number == 0 { 256 << 10 } else { 300 };
            end.write(id, &vec![0; size]);
        }
        for frame in end.transmit(8 << 10) {
            sent[frame.stream as usize] += frame.length;
        }
        for &(_, wire) in &streams {
            end.receive(&update(wire, 0, 8 << 10));
        }
    }
    for &(_, wire) in &streams[1..] {
        assert!(sent[wire as usize] > 300 * 50, "{sent:?}");
    }
    assert!(sent[1] > 200 * 4000, "the rest belongs to the large one: {sent:?}");
}

#[test]
fn a_stream_without_window_holds_nobody_up() {
    let mut end = End::client();
    let streams = streams(&mut end, 2);
    end.write(streams[0].0, &vec![0; WINDOW as usize]);
    end.flush();
    end.write(streams[0].0, b"blocked");
    end.write(streams[1].0, b"free");
    assert_eq!(end.flush(), [sent_data(3, 0, b"free")]);
    assert!(!end.yamux.has_pending());
}

#[test]
fn many_small_messages_fill_one_record() {
    let mut end = End::client();
    let streams = streams(&mut end, 100);
    for &(id, _) in &streams {
        end.write(id, &[1; 50]);
    }
    assert_eq!(end.transmit(32 << 10).len(), 100);
    assert!(!end.yamux.has_pending());
}

#[test]
fn writes_between_two_transmits_become_one_frame() {
    let mut end = End::client();
    let (id, wire) = end.opened();
    for _ in 0..10 {
        end.write(id, b"ab");
    }
    assert_eq!(end.flush(), [sent_data(wire, 0, &b"ab".repeat(10))]);
}

#[test]
fn data_is_not_cut_into_crumbs_at_the_end_of_a_record() {
    let mut end = End::client();
    let streams = streams(&mut end, 2);
    end.write(streams[0].0, &[0; 900]);
    end.write(streams[1].0, &[0; 900]);
    assert_eq!(end.transmit(1000), [sent_data(1, 0, &[0; 900])]);
    assert_eq!(end.transmit(1000), [sent_data(3, 0, &[0; 900])]);
}

#[test]
fn any_room_beyond_a_header_makes_progress_and_is_never_exceeded() {
    for room in 13..200 {
        let mut end = End::client();
        let streams = streams(&mut end, 3);
        for (number, &(id, _)) in streams.iter().enumerate() {
            end.write(id, &vec![number as u8; 300]);
            end.yamux.close_write(id);
        }
        let mut received = [const { Vec::new() }; 6];
        let mut fins = 0;
        while end.yamux.has_pending() {
            let frames = end.transmit(room);
            assert!(!frames.is_empty(), "room {room}");
            for frame in frames {
                fins += usize::from(frame.flags == FIN);
                received[frame.stream as usize].extend(frame.body);
            }
        }
        assert_eq!(fins, 3);
        for (number, &(_, wire)) in streams.iter().enumerate() {
            assert_eq!(received[wire as usize], vec![number as u8; 300]);
        }
    }
}

#[test]
fn no_room_for_a_header_is_no_harm() {
    let mut end = End::client();
    let (id, wire) = end.opened();
    end.write(id, b"data");
    end.receive(&ping(1));
    for room in 0..12 {
        assert_eq!(end.transmit(room), []);
    }
    assert_eq!(end.flush(), [sent(PING, ACK, 0, 1), sent_data(wire, 0, b"data")]);
}

#[test]
fn credit_and_resets_go_before_data() {
    let mut end = End::client();
    let streams = streams(&mut end, 3);
    end.receive(&data(3, 0, &vec![0; WINDOW as usize]));
    end.write(streams[0].0, b"data");
    end.read(streams[1].0);
    end.yamux.reset(streams[2].0, 4);
    assert_eq!(end.flush(), [sent(UPDATE, RST, 5, 4), sent(UPDATE, 0, 3, WINDOW), sent_data(1, 0, b"data")]);
}
