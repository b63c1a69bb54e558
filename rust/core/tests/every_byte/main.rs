//! Every way up, with the wire cut, stalled or garbled at one byte after the other, in both directions.
//! Whatever the byte, both sides end with an error of the right kind and in time, and nothing is delivered
//! that was not sent.

mod fault;
mod path;

use std::time::Duration;

use fault::{Fault, Kind};
use path::{Exchange, NOISE, PLAINTEXT, Path, TLS, closed};

#[test]
fn noise() {
    every_way(NOISE, false);
}

#[test]
fn tls() {
    every_way(TLS, false);
}

#[test]
fn plaintext() {
    every_way(PLAINTEXT, false);
}

#[test]
fn noise_in_a_private_network() {
    every_way(NOISE, true);
}

#[test]
fn tls_in_a_private_network() {
    every_way(TLS, true);
}

#[test]
fn what_was_held_for_the_application_goes_back_to_the_budget() {
    for security in [NOISE, TLS, PLAINTEXT] {
        let first = Path::all(security, false)[0];
        for is_toward_listener in [true, false] {
            let (mut pair, budget) = first.pair();
            pair.run();
            let (ours, theirs) = pair.open(path::ECHO);
            for (end, id) in [(&mut pair.dialer, ours), (&mut pair.listener, theirs)] {
                assert!(end.session.write(id, &[1; 400_000]).is_ok_and(|taken| taken > 0));
            }
            // In the middle of what both sides send and neither reads.
            let end = if is_toward_listener { &mut pair.dialer } else { &mut pair.listener };
            end.link.cut = Some(end.sent + 200_000);
            pair.advance(Duration::ZERO);
            assert!([&pair.dialer, &pair.listener].iter().all(|end| closed(end).is_some()), "{first:?}");
            assert!(budget.used() > 0, "{first:?}: the test holds nothing");
            drop(pair);
            assert_eq!(budget.used(), 0, "{first:?}");
        }
    }
}

fn every_way(security: &'static str, is_private: bool) {
    std::thread::scope(|scope| {
        for path in Path::all(security, is_private) {
            scope.spawn(move || every_byte(path));
        }
    });
}

fn every_byte(path: Path) {
    for (is_toward_listener, size) in healthy(path) {
        for at in 0..=size {
            for kind in KINDS {
                Fault { kind, is_toward_listener, at }.check(path);
            }
        }
    }
}

/// How many bytes an exchange takes in each direction.
fn healthy(path: Path) -> [(bool, u64); 2] {
    let (mut pair, _) = path.pair();
    let exchange = Exchange::run(&mut pair);
    assert!(exchange.is_complete(), "{path:?}: {exchange:?}");
    [(true, pair.dialer.sent), (false, pair.listener.sent)]
}

/// What goes wrong: among the garbled, the lowest bit, and the one that makes varints go on and lengths enormous.
const KINDS: [Kind; 4] = [Kind::Cut, Kind::Stall, Kind::Garble { mask: 0x01 }, Kind::Garble { mask: 0x80 }];
