//! Frames as they come and go: both directions of an id, any split, everything malformed.

use plait_core::mux::{Available, MuxEvent, StreamError, Violation};
use plait_core::varint;

use crate::script::*;

#[test]
fn the_same_number_from_both_ends_is_two_streams() {
    let mut end = End::new();
    let theirs = end.accepted(0);
    let (ours, number) = end.opened();
    assert_eq!(number, 0);
    end.receive(&[frame(MESSAGE_OPENER, 0, b"theirs"), frame(MESSAGE_ACCEPTOR, 0, b"ours")].concat());
    assert_eq!((end.read(theirs), end.read(ours)), (b"theirs".to_vec(), b"ours".to_vec()));
    end.write(theirs, b"answer");
    end.write(ours, b"question");
    assert_eq!(end.flush(), [sent(MESSAGE_ACCEPTOR, 0, b"answer"), sent(MESSAGE_OPENER, 0, b"question")]);
    end.receive(&frame(RESET_OPENER, 0, b""));
    assert_eq!(end.mplex.available(theirs), Err(StreamError::Reset { code: 0 }));
    end.receive(&frame(CLOSE_ACCEPTOR, 0, b""));
    assert_eq!(end.mplex.available(ours), Ok(Available::Finished));
}

#[test]
fn the_largest_id_of_the_protocol_works() {
    let mut end = End::new();
    let last = (1 << 60) - 1;
    let id = end.accepted(last);
    end.receive(&frame(MESSAGE_OPENER, last, b"far"));
    assert_eq!(end.read(id), b"far");
    end.write(id, b"out");
    end.mplex.close_write(id);
    assert_eq!(end.flush(), [sent(MESSAGE_ACCEPTOR, last, b"out"), sent(CLOSE_ACCEPTOR, last, b"")]);
}

#[test]
fn names_of_any_kind_and_length_are_skipped() {
    for name in [vec![], b"0".to_vec(), vec![0xff; 300], vec![b'n'; 1 << 20]] {
        let mut end = End::new();
        end.receive(&[frame(NEW, 5, &name), frame(MESSAGE_OPENER, 5, b"data")].concat());
        let events = end.take_events();
        let [MuxEvent::Opened(id), MuxEvent::Readable(_)] = events[..] else { panic!("{events:?}") };
        assert_eq!(end.read(id), b"data");
    }
}

#[test]
fn a_stream_is_opened_before_all_of_its_name_has_come_and_the_name_is_not_kept() {
    let mut end = End::new();
    let bytes = frame(NEW, 5, &[b'n'; 1 << 20]);
    end.receive(&bytes[..10]);
    assert!(matches!(end.take_events()[..], [MuxEvent::Opened(_)]));
    end.receive(&bytes[10..500_000]);
    assert_eq!((end.mplex.stats().buffered_in, end.mplex.stats().memory), (0, 0));
}

#[test]
fn a_close_or_reset_with_a_body_is_skipped_to_the_next_frame() {
    for (flag, finished) in [(CLOSE_OPENER, true), (RESET_OPENER, false)] {
        let mut end = End::new();
        let id = end.accepted(0);
        end.receive(&[frame(flag, 0, b"odd"), frame(NEW, 1, b"")].concat());
        assert!(matches!(end.take_events()[..], [_, MuxEvent::Opened(_)]));
        let expected = if finished { Ok(Available::Finished) } else { Err(StreamError::Reset { code: 0 }) };
        assert_eq!(end.mplex.available(id), expected, "its body is not data");
    }
}

#[test]
fn frames_may_be_split_at_every_byte() {
    let bytes = [
        frame(NEW, 300, b"name"),
        frame(MESSAGE_OPENER, 300, &[7; 200]),
        frame(MESSAGE_OPENER, 300, b"two"),
        frame(CLOSE_OPENER, 300, b""),
    ]
    .concat();
    for cut in 0..=bytes.len() {
        let mut end = End::new();
        end.receive(&bytes[..cut]);
        end.receive(&bytes[cut..]);
        let events = end.take_events();
        let Some(&MuxEvent::Opened(id)) = events.first() else { panic!("{events:?}") };
        assert_eq!(events[1..], [MuxEvent::Readable(id), MuxEvent::Readable(id)]);
        assert_eq!(end.read(id), [&[7; 200][..], b"two"].concat());
        assert_eq!(end.mplex.available(id), Ok(Available::Finished));
    }
}

#[test]
fn a_message_is_readable_before_all_of_it_has_come() {
    let mut end = End::new();
    let id = end.accepted(0);
    let bytes = frame(MESSAGE_OPENER, 0, &[7; 100_000]);
    end.receive(&bytes[..14]);
    assert_eq!(end.read(id), [7; 10]);
    end.receive(&bytes[14..50_000]);
    assert_eq!(end.take_events(), [MuxEvent::Readable(id), MuxEvent::Readable(id)]);
    assert_eq!(end.read(id).len(), 50_000 - 14);
    end.receive(&bytes[50_000..]);
    assert_eq!(end.read(id).len(), 50_004);
}

#[test]
fn a_body_goes_on_to_nowhere_when_its_stream_is_reset_in_the_middle() {
    let mut end = End::new();
    let id = end.accepted(0);
    let bytes = frame(MESSAGE_OPENER, 0, &[1; 1000]);
    end.receive(&bytes[..500]);
    end.mplex.reset(id, 3);
    end.receive(&bytes[500..]);
    end.take_events();
    end.receive(&frame(NEW, 1, b""));
    assert!(matches!(end.take_events()[..], [MuxEvent::Opened(_)]));
    assert_eq!(end.flush(), [sent(RESET_ACCEPTOR, 0, b"")]);
}

#[test]
fn a_message_of_one_mebibyte_is_taken_and_a_longer_one_refused_before_any_byte_of_it() {
    let mut end = End::new();
    let id = end.accepted(0);
    end.receive(&frame(MESSAGE_OPENER, 0, &[1; 1 << 20]));
    assert_eq!(end.read(id).len(), 1 << 20);
    for (flag, length) in
        [(MESSAGE_OPENER, (1 << 20) + 1), (MESSAGE_OPENER, 1 << 32), (NEW, 1 << 62), (CLOSE_OPENER, 1 << 40)]
    {
        let mut end = End::new();
        end.accepted(0);
        assert_eq!(end.try_receive(&header(flag, 0, length)), Err(Violation::MessageTooLong(length)));
        assert_eq!(end.mplex.stats().memory, 0);
    }
}

#[test]
fn malformed_headers_end_the_connection() {
    for (bytes, violation) in [
        (frame(7, 0, b""), Violation::UnknownFlag),
        (frame(7, 1 << 50, b"x"), Violation::UnknownFlag),
        (vec![0xff; 9], Violation::Header(varint::Error::TooLong)),
        (vec![0x82, 0x00, 0x00], Violation::Header(varint::Error::NotMinimal)),
        (vec![0x02, 0x81, 0x00], Violation::Header(varint::Error::NotMinimal)),
        (frame(NEW, 9, b""), Violation::DuplicateStream(9)),
    ] {
        let mut end = End::new();
        end.accepted(9);
        assert_eq!(end.try_receive(&bytes), Err(violation), "{bytes:02x?}");
        assert_eq!(violation.code(), if bytes[0] == 72 { 1 } else { 0x1003 });
        assert_eq!(end.flush(), [], "there is nothing to answer with");
    }
}

#[test]
fn an_empty_message_is_a_legal_way_to_say_nothing() {
    let mut end = End::new();
    let id = end.accepted(0);
    end.receive(&frame(MESSAGE_OPENER, 0, b""));
    assert_eq!(end.take_events(), []);
    assert_eq!(end.mplex.available(id), Ok(Available::Nothing));
}

#[test]
fn frames_for_streams_that_do_not_exist_are_skipped_and_not_answered() {
    let mut end = End::new();
    let flags =
        [MESSAGE_ACCEPTOR, MESSAGE_OPENER, CLOSE_ACCEPTOR, CLOSE_OPENER, RESET_ACCEPTOR, RESET_OPENER];
    for flag in flags {
        end.receive(&frame(flag, 3, b"lost"));
    }
    assert_eq!(end.mplex.stats().frames_ignored, 6);
    assert_eq!((end.take_events(), end.flush()), (vec![], vec![]));
    end.accepted(3);
}

#[test]
fn a_stream_that_was_not_told_yet_cannot_be_named_by_the_peer() {
    let mut end = End::new();
    let id = end.mplex.open(end.now).unwrap().unwrap();
    end.receive(&frame(MESSAGE_ACCEPTOR, 0, b"guess"));
    end.receive(&frame(RESET_ACCEPTOR, 0, b""));
    assert_eq!(end.mplex.available(id), Ok(Available::Nothing));
    assert_eq!(end.mplex.stats().frames_ignored, 2);
}
