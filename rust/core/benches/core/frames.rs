//! yamux without the channel below it.

use std::sync::Arc;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use plait_core::limits::Budget;
use plait_core::mux::yamux::Yamux;
use plait_core::mux::{MuxConfig, MuxEvent, Role, StreamId};
use plait_core::time::Instant;

const NOW: Instant = Instant::from_micros(1_000_000);

/// Window updates, which are nothing but a header: a hundred arrive together.
#[divan::bench]
fn receive_window_updates(bencher: Bencher) {
    let (mut server, _) = server();
    let batch = frame(WINDOW_UPDATE, 0, 1).repeat(100);
    let mut events = Vec::new();
    bencher
        .counter(ItemsCount::new(100usize))
        .bench_local(|| server.receive(&batch, NOW, &mut events).unwrap());
}

/// One data frame in, its bytes out to the application.
#[divan::bench(args = [64, 1400, 32 << 10])]
fn receive_data(bencher: Bencher, length: u32) {
    let (mut server, id) = server();
    let mut wire = frame(DATA, 0, length).to_vec();
    wire.resize(wire.len() + length as usize, 1);
    let (mut events, mut updates) = (Vec::new(), Vec::new());
    let mut into = vec![0; length as usize];
    bencher.counter(BytesCount::new(length)).bench_local(|| {
        server.receive(&wire, NOW, &mut events).unwrap();
        server.read(id, &mut into).unwrap();
        // Credit for the next one.
        server.transmit(&mut updates, 1 << 16, NOW, &mut events);
        updates.clear();
        events.clear();
    });
}

/// Bytes of the application into a frame.
#[divan::bench(args = [64, 1400, 32 << 10])]
fn send_data(bencher: Bencher, length: usize) {
    let mut client = Yamux::new(Role::Client, &Arc::new(MuxConfig::default()), Budget::unlimited(), NOW);
    let id = client.open(NOW).unwrap().unwrap();
    let data = vec![1; length];
    let (mut events, mut wire) = (Vec::new(), Vec::new());
    client.transmit(&mut wire, 1 << 16, NOW, &mut events);
    // So much that the window is not what is measured.
    let credit = frame(WINDOW_UPDATE, 0, u32::try_from(length).unwrap());
    bencher.counter(BytesCount::new(length)).bench_local(|| {
        client.receive(&credit, NOW, &mut events).unwrap();
        client.write(id, &data).unwrap();
        wire.clear();
        client.transmit(&mut wire, 1 << 16, NOW, &mut events);
        events.clear();
    });
}

/// A server on which the client has opened stream 1.
fn server() -> (Yamux, StreamId) {
    let mut server = Yamux::new(Role::Server, &Arc::new(MuxConfig::default()), Budget::unlimited(), NOW);
    let mut events = Vec::new();
    server.receive(&frame(WINDOW_UPDATE, SYN, 0), NOW, &mut events).unwrap();
    let Some(MuxEvent::Opened(id)) = events.first() else { unreachable!("no stream: {events:?}") };
    server.accept(*id);
    (server, *id)
}

fn frame(kind: u8, flag: u8, length: u32) -> [u8; 12] {
    let [a, b, c, d] = length.to_be_bytes();
    [0, kind, 0, flag, 0, 0, 0, 1, a, b, c, d]
}

const DATA: u8 = 0;
const WINDOW_UPDATE: u8 = 1;
const SYN: u8 = 1;
