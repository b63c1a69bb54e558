//! Bytes as other implementations write and read them.

use plait_core::mux::{Available, MuxEvent, StreamError};

use crate::script::*;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

#[test]
fn what_the_opener_sends() {
    let mut end = End::new();
    let id = end.mplex.open(end.now).unwrap().unwrap();
    assert_eq!(hex(&end.transmit_bytes(1000)), "000130");
    end.write(id, b"hello");
    assert_eq!(hex(&end.transmit_bytes(1000)), "020568656c6c6f");
    end.mplex.close_write(id);
    assert_eq!(hex(&end.transmit_bytes(1000)), "0400");

    let ids: Vec<_> = (1..=17).map(|_| end.mplex.open(end.now).unwrap().unwrap()).collect();
    end.flush();
    end.mplex.reset(ids[16], 0x1001);
    assert_eq!(hex(&end.transmit_bytes(1000)), "8e0100");
}

#[test]
fn what_the_acceptor_sends() {
    let mut end = End::new();
    let id = end.accepted(0);
    end.write(id, b"world");
    assert_eq!(hex(&end.transmit_bytes(1000)), "0105776f726c64");
    end.mplex.close_write(id);
    assert_eq!(hex(&end.transmit_bytes(1000)), "0300");
    let id = end.accepted(17);
    end.mplex.reset(id, 0x1001);
    assert_eq!(hex(&end.transmit_bytes(1000)), "8d0100");
}

#[test]
fn what_the_opener_says_to_us() {
    let mut end = End::new();
    end.receive(&bytes("000130"));
    let events = end.take_events();
    let [MuxEvent::Opened(id)] = events[..] else { panic!("{events:?}") };
    end.receive(&bytes("020568656c6c6f"));
    assert_eq!(end.read(id), b"hello");
    end.receive(&bytes("0400"));
    assert_eq!(end.mplex.available(id), Ok(Available::Finished));
    assert_eq!(end.take_events(), [MuxEvent::Readable(id), MuxEvent::Readable(id)]);

    end.receive(&bytes("880100"));
    let events = end.take_events();
    let [MuxEvent::Opened(id)] = events[..] else { panic!("{events:?}") };
    assert_eq!(end.mplex.wire_id(id), Some(17));
    end.receive(&bytes("8e0100"));
    assert_eq!(end.take_events(), [MuxEvent::Reset { id, code: 0 }]);
}

#[test]
fn what_the_acceptor_says_to_us() {
    let mut end = End::new();
    let (id, _) = end.opened();
    end.receive(&bytes("0105776f726c64"));
    assert_eq!(end.read(id), b"world");
    end.receive(&bytes("0300"));
    assert_eq!(end.mplex.available(id), Ok(Available::Finished));

    let ids: Vec<_> = (1..=17).map(|_| end.opened().0).collect();
    end.receive(&bytes("8d0100"));
    assert_eq!(end.mplex.available(ids[16]), Err(StreamError::Reset { code: 0 }));
}
