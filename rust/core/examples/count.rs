//! Fixed amounts of work for an instruction counter; `benches/counts/count.py` runs it.
//!
//! `count WORK N` does its set-up and then N units, so that the difference of two runs is the units alone.

#[path = "../benches/core/wire.rs"]
mod wire;

use std::process::ExitCode;
use std::sync::Arc;

use plait_core::limits::Budget;
use plait_core::mux::yamux::Yamux;
use plait_core::mux::{MuxConfig, Role};
use plait_core::secure::Security;
use plait_core::testing::certificate;
use plait_core::time::Instant;
use wire::Hosts;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [work, units] = arguments.as_slice() else { return ExitCode::from(2) };
    let Ok(units) = units.parse::<usize>() else { return ExitCode::from(2) };
    match work.as_str() {
        "bulk" => bulk(&Hosts::new(), units),
        "bulk-tls" => bulk(&tls(), units),
        "frame" => frames(units),
        "message" => messages(&Hosts::new(), units),
        "message-tls" => messages(&tls(), units),
        "stream" => streams(units),
        "handshake" => handshakes(units),
        _ => return ExitCode::from(2),
    }
    ExitCode::SUCCESS
}

fn tls() -> Hosts {
    Hosts::speaking(|seed| Security::Tls(certificate(seed)))
}

/// A MiB written, sealed, opened and read.
fn bulk(hosts: &Hosts, units: usize) {
    let mut wire = hosts.connect();
    let streams = wire.open();
    let (data, mut into) = (vec![1; 1 << 20], vec![0; 256 << 10]);
    // The window grows to its end before anything is counted.
    for _ in 0..WARM_UP {
        wire.send(streams, &data, &mut into);
    }
    for _ in 0..units {
        wire.send(streams, &data, &mut into);
    }
}

/// A window update received: 12 bytes that no record is charged for.
fn frames(units: usize) {
    let now = Instant::from_micros(1_000_000);
    let mut mux = Yamux::new(Role::Server, &Arc::new(MuxConfig::default()), Budget::unlimited(), now);
    let mut events = Vec::new();
    mux.receive(&window_update(SYN), now, &mut events).unwrap();
    let batch = window_update(0).repeat(BATCH);
    for _ in 0..units / BATCH {
        mux.receive(&batch, now, &mut events).unwrap();
    }
}

/// 64 bytes written, sealed in a record of their own, opened and read.
fn messages(hosts: &Hosts, units: usize) {
    let mut wire = hosts.connect();
    let streams = wire.open();
    let (data, mut into) = ([1; 64], [0; 64]);
    for _ in 0..units {
        wire.send(streams, &data, &mut into);
    }
}

/// A stream opened, negotiated, used for 64 bytes and closed.
fn streams(units: usize) {
    let mut wire = Hosts::new().connect();
    let (data, mut into) = ([1; 64], [0; 64]);
    for _ in 0..units {
        wire.use_stream(&data, &mut into);
    }
}

/// Both sides of an upgrade.
fn handshakes(units: usize) {
    let hosts = Hosts::new();
    for _ in 0..units {
        hosts.connect();
    }
}

fn window_update(flag: u8) -> [u8; 12] {
    [0, 1, 0, flag, 0, 0, 0, 1, 0, 0, 0, 1]
}

const SYN: u8 = 1;
/// Frames that arrive together.
const BATCH: usize = 100;
/// MiB. From 256 KiB to 16 MiB the window doubles six times, each after half of it was read: 8 MiB in all.
const WARM_UP: usize = 10;
