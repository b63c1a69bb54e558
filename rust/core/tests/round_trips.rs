//! How many round trips pass from a connect to an application's answer, on a wire with a delay.
//!
//! The table is that of `docs/upgrade.md`, which this holds to be true.

use std::time::Duration;

use plait_core::mux::{Available, Muxer};
use plait_core::pnet::NetworkKey;
use plait_core::secure::Security;
use plait_core::session::{Config, Event, Opening};
use plait_core::testing::{DIALER, Pair, certificate, identity};

const ECHO: &str = "/echo/1.0.0";
const ONE_WAY: Duration = Duration::from_millis(50);
/// The transport's own handshake, which no session sees.
const TCP: u32 = 1;

#[test]
fn the_table_of_the_docs() {
    for row in ROWS {
        for security in [noise, tls] {
            let measured = [
                TCP + round_trips(row, security, Waits::Connected),
                TCP + round_trips(row, security, Waits::Answered),
                TCP + round_trips(row, security, Waits::Confirmed),
            ];
            assert_eq!(measured, row.expected, "{} | {}", row.security, row.muxer);
        }
        let [connected, answered, confirmed] = row.expected;
        let line = format!("| {} | {} | {connected} | {answered} | {confirmed} |", row.security, row.muxer);
        assert!(DOCS.contains(&line), "docs/upgrade.md has no line\n{line}");
    }
    let lines = DOCS.lines().skip_while(|line| !line.starts_with("| security | muxer |")).skip(2);
    assert_eq!(
        lines.take_while(|line| line.starts_with('|')).count(),
        ROWS.len(),
        "rows that nobody measures"
    );
}

/// One row: how the two sides differ from the default, and what it takes, with TCP's own round trip.
#[derive(Clone, Copy)]
struct Row {
    security: &'static str,
    muxer: &'static str,
    /// To a connection that both sides have agreed on, to an answer on a stream that does not wait, to one on a stream that does.
    expected: [u32; 3],
    openings: [Opening; 2],
    configure: fn(u8, Candidates, &mut Config),
    is_private: bool,
}

/// The protocol that both sides speak, and the dialer's other one.
#[derive(Clone)]
struct Candidates {
    common: Security,
    other: Security,
}

const PLAIN: Row = Row {
    security: "one candidate",
    muxer: "early",
    expected: [2, 3, 4],
    openings: [Opening::Initiate, Opening::Answer],
    configure: |_, _, _| {},
    is_private: false,
};

const ROWS: [Row; 9] = [
    PLAIN,
    Row {
        muxer: "negotiated, one",
        expected: [3, 3, 4],
        configure: |_, _, config| config.early_muxers = false,
        ..PLAIN
    },
    Row {
        muxer: "negotiated, the first of two",
        expected: [3, 4, 5],
        configure: |_, _, config| {
            config.early_muxers = false;
            config.muxers = vec![Muxer::Yamux, Muxer::Mplex];
        },
        ..PLAIN
    },
    Row {
        muxer: "negotiated, the second of two",
        expected: [4, 4, 5],
        configure: |seed, _, config| {
            config.early_muxers = false;
            config.muxers =
                if seed == DIALER { vec![Muxer::Mplex, Muxer::Yamux] } else { vec![Muxer::Yamux] };
        },
        ..PLAIN
    },
    Row {
        security: "two candidates, the first is taken",
        expected: [3, 4, 5],
        configure: |_, both, config| config.security = vec![both.common, both.other],
        ..PLAIN
    },
    Row {
        security: "two candidates, the second is taken",
        expected: [3, 4, 5],
        configure: |seed, both, config| {
            if seed == DIALER {
                config.security = vec![both.other, both.common];
            }
        },
        ..PLAIN
    },
    Row {
        security: "two candidates, the first is taken",
        muxer: "negotiated, one",
        expected: [4, 4, 5],
        configure: |_, both, config| {
            config.security = vec![both.common, both.other];
            config.early_muxers = false;
        },
        ..PLAIN
    },
    Row { security: "one candidate, private network", is_private: true, ..PLAIN },
    Row {
        security: "one candidate, simultaneous open",
        expected: [4, 5, 6],
        openings: [Opening::Contend { number: 2 }, Opening::Contend { number: 1 }],
        ..PLAIN
    },
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    /// For the connection, and for the peer's word on a muxer that was only proposed.
    Connected,
    /// For the answer to what went with the proposal of its stream.
    Answered,
    /// For the stream's protocol first, then for the answer.
    Confirmed,
}

/// How often the dialer waits for the other side, on the clock of the wire.
fn round_trips(row: Row, security: fn(u8, bool) -> Security, waits: Waits) -> u32 {
    let mut pair = Pair::opening(&[ECHO], row.openings, |seed, config| {
        let both = Candidates { common: security(seed, true), other: security(seed, false) };
        config.security = vec![both.common.clone()];
        (row.configure)(seed, both, config);
    });
    if row.is_private {
        pair = pair.behind([NetworkKey::new([1; 32]), NetworkKey::new([1; 32])]);
    }
    pair.dialer.link.delay = ONE_WAY;
    pair.listener.link.delay = ONE_WAY;
    let start = pair.now;

    let round_trips = until(&mut pair, |pair| {
        pair.dialer.events.iter().find_map(|event| match event {
            Event::Established(agreed) => Some(agreed.round_trips),
            _ => None,
        })
    });
    let passed = |pair: &Pair| {
        u32::try_from(pair.now.since(start).as_micros() / (2 * ONE_WAY).as_micros()).expect("a few")
    };
    if row.openings[0] == Opening::Initiate {
        assert_eq!(round_trips, passed(&pair), "what the connection says of itself");
    } else {
        // Messages that cross are waited for, each half as long as an answer.
        assert!(round_trips > passed(&pair), "what the connection says of itself");
    }
    if waits == Waits::Connected {
        until(&mut pair, |pair| {
            let is_agreed = |event: &Event| match event {
                Event::Established(established) => established.muxer_agreed,
                Event::MuxerAgreed => true,
                _ => false,
            };
            pair.dialer.events.iter().any(is_agreed).then_some(())
        });
        return passed(&pair);
    }

    let id = pair.dialer.session.open_stream(vec![ECHO.into()], pair.now).unwrap().unwrap();
    if waits == Waits::Confirmed {
        until(&mut pair, |pair| {
            let is_ready =
                |event: &Event| matches!(event, Event::StreamReady { id: ready, .. } if *ready == id);
            pair.dialer.events.iter().any(is_ready).then_some(())
        });
    }
    assert_eq!(pair.dialer.session.write(id, b"question").unwrap(), 8);
    until(&mut pair, |pair| {
        for event in pair.listener.take_events() {
            if let Event::Readable(inbound) = event {
                let (data, _) = pair.listener.read_all(inbound);
                pair.listener.session.write(inbound, &data).unwrap();
            }
        }
        matches!(pair.dialer.session.available(id), Ok(Available::Bytes(8))).then_some(())
    });
    passed(&pair)
}

fn until<T>(pair: &mut Pair, mut found: impl FnMut(&mut Pair) -> Option<T>) -> T {
    loop {
        if let Some(found) = found(pair) {
            return found;
        }
        assert!(pair.step(), "nothing moves: {:?} {:?}", pair.dialer.events, pair.listener.events);
    }
}

fn noise(seed: u8, is_it: bool) -> Security {
    if is_it { Security::Noise(identity(seed).0) } else { Security::Tls(certificate(seed)) }
}

fn tls(seed: u8, is_it: bool) -> Security {
    noise(seed, !is_it)
}

const DOCS: &str = include_str!("../../../docs/upgrade.md");
