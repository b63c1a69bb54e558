//! Bytes that a stream takes without a copy: in every multiplexer of ours they behave as those it copies.

use std::sync::Arc;

use plait_core::limits::Budget;
use plait_core::mux::{LONGEST_LOAN, Lent, Mux, MuxConfig, MuxEvent, Muxer, Role, StreamError, StreamId};
use plait_core::time::Instant;

const NOW: Instant = Instant::from_micros(0);

/// Bytes that say whether somebody still holds them.
struct Owner {
    bytes: Vec<u8>,
    _held: Arc<()>,
}

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

struct Sender {
    name: &'static str,
    mux: Mux,
    id: StreamId,
    held: Arc<()>,
}

impl Sender {
    fn new(muxer: &Muxer, name: &'static str) -> Self {
        let mut mux =
            Mux::new(muxer, Role::Client, &Arc::new(MuxConfig::default()), Budget::unlimited(), NOW);
        let id = mux.open(NOW).unwrap().unwrap();
        Self { name, mux, id, held: Arc::new(()) }
    }

    fn lend(&mut self, byte: u8, size: usize) -> Result<usize, StreamError> {
        let owner = Owner { bytes: vec![byte; size], _held: Arc::clone(&self.held) };
        self.mux.lend(self.id, Lent::new(owner, 0))
    }

    fn loans(&self) -> usize {
        Arc::strong_count(&self.held) - 1
    }

    fn transmit(&mut self, room: usize) -> (Vec<u8>, Vec<MuxEvent>) {
        let (mut out, mut events) = (Vec::new(), Vec::new());
        self.mux.transmit(&mut out, room, NOW, &mut events);
        (out, events)
    }
}

impl Sender {
    fn far(&self) -> Mux {
        let muxer = match self.mux {
            Mux::Yamux(_) => Muxer::Yamux,
            Mux::Mplex(_) => Muxer::Mplex,
            _ => Muxer::Single,
        };
        Mux::new(&muxer, Role::Server, &Arc::new(MuxConfig::default()), Budget::unlimited(), NOW)
    }

    /// Moves bytes until nothing moves; how many of them were read, and whether more may be written.
    fn carry(&mut self, far: &mut Mux) -> (usize, bool) {
        let (mut read, mut may_write) = (0, false);
        while self.mux.has_pending() {
            let (out, events) = self.transmit(50_000);
            may_write |= events.contains(&MuxEvent::Writable(self.id));
            let mut events = Vec::new();
            far.receive(&out, NOW, &mut events).unwrap();
            for event in events {
                match event {
                    MuxEvent::Opened(id) => far.accept(id),
                    MuxEvent::Readable(id) => read += far.read(id, &mut vec![0; 100_000]).unwrap(),
                    _ => {}
                }
            }
            let mut back = Vec::new();
            far.transmit(&mut back, 50_000, NOW, &mut Vec::new());
            self.mux.receive(&back, NOW, &mut Vec::new()).unwrap();
        }
        (read, may_write)
    }
}

fn senders() -> Vec<Sender> {
    // Without credit on the wire everything can go; yamux is held up by the first window of 256 KiB.
    vec![
        Sender::new(&Muxer::Yamux, "yamux"),
        Sender::new(&Muxer::Mplex, "mplex"),
        Sender::new(&Muxer::Single, "single"),
    ]
}

#[test]
fn copies_and_loans_arrive_in_the_order_they_were_written() {
    for mut sender in senders() {
        let id = sender.id;
        assert_eq!(sender.mux.write(id, &[1; 1000]), Ok(1000));
        assert_eq!(sender.lend(2, 2000), Ok(2000));
        assert_eq!(sender.mux.write(id, &[3; 10]), Ok(10));
        assert_eq!(sender.mux.write(id, &[3; 20]), Ok(20));
        assert_eq!(sender.lend(4, 1000), Ok(1000));
        assert_eq!(sender.mux.stats().buffered_out, 4030);

        let mut far = sender.far();
        let mut events = Vec::new();
        while sender.mux.has_pending() {
            far.receive(&sender.transmit(500).0, NOW, &mut events).unwrap();
        }
        let opened = events.iter().find_map(|event| match event {
            MuxEvent::Opened(id) => Some(*id),
            _ => None,
        });
        let mut read = vec![0; 5000];
        let count = far.read(opened.unwrap(), &mut read).unwrap();
        let expected = [vec![1; 1000], vec![2; 2000], vec![3; 30], vec![4; 1000]].concat();
        assert_eq!(read[..count], expected, "{}", sender.name);
        assert_eq!((sender.loans(), sender.mux.stats().buffered_out), (0, 0), "{}", sender.name);
    }
}

#[test]
fn a_loan_is_taken_whole_while_the_queue_is_short_and_not_at_all_otherwise() {
    let full = MuxConfig::default().send_buffer;
    for mut sender in senders() {
        assert_eq!(sender.lend(1, full - 1), Ok(full - 1));
        assert_eq!(sender.lend(2, LONGEST_LOAN + 9), Ok(LONGEST_LOAN), "{}", sender.name);
        assert_eq!(sender.lend(3, 2), Ok(0), "{}", sender.name);
        assert_eq!(sender.mux.write(sender.id, b"x"), Ok(0), "{}", sender.name);
        assert_eq!(sender.loans(), 2, "what was not taken is not held");
        assert!(sender.mux.stats().memory < 1000, "it is the application's memory: {}", sender.name);
        let (_, events) = sender.transmit(full + 2000);
        let is_told = events.contains(&MuxEvent::Writable(sender.id));
        assert!(!is_told, "{}", sender.name);
        if sender.name == "yamux" {
            continue;
        }
        let (_, events) = sender.transmit(LONGEST_LOAN);
        assert!(events.contains(&MuxEvent::Writable(sender.id)), "{}", sender.name);
        assert_eq!(sender.lend(3, 1), Ok(1));
    }
}

#[test]
fn at_the_bound_of_the_connection_streams_take_one_loan_each() {
    let config = MuxConfig { max_buffered_out: 200 << 10, ..MuxConfig::default() };
    for muxer in [Muxer::Yamux, Muxer::Mplex] {
        let mut mux = Mux::new(&muxer, Role::Client, &Arc::new(config.clone()), Budget::unlimited(), NOW);
        let lent = |size: usize| Lent::new(vec![0; size], 0);
        let (first, second) = (mux.open(NOW).unwrap().unwrap(), mux.open(NOW).unwrap().unwrap());
        assert_eq!(mux.lend(first, lent(800 << 10)), Ok(800 << 10));
        assert_eq!(mux.lend(first, lent(1)), Ok(0), "it has its send buffer");
        assert_eq!(mux.lend(second, lent(100_000)), Ok(100_000));
        assert_eq!(mux.lend(second, lent(1)), Ok(0));
    }
}

#[test]
fn the_rest_of_what_is_longer_than_a_loan_is_asked_for() {
    for mut sender in senders() {
        let mut far = sender.far();
        assert_eq!(sender.lend(1, LONGEST_LOAN), Ok(LONGEST_LOAN));
        assert_eq!(sender.carry(&mut far), (LONGEST_LOAN, false), "all of it was taken: {}", sender.name);
        assert_eq!(sender.lend(1, LONGEST_LOAN + 1), Ok(LONGEST_LOAN));
        assert_eq!(sender.carry(&mut far), (LONGEST_LOAN, true), "{}", sender.name);
    }
}

#[test]
fn nothing_is_held_of_a_stream_that_was_reset() {
    for mut sender in senders() {
        assert_eq!(sender.lend(1, 100_000), Ok(100_000));
        sender.transmit(2000);
        assert_eq!(sender.loans(), 1);
        sender.mux.reset(sender.id, 1);
        assert_eq!(sender.loans(), 0, "{}", sender.name);
        assert!(sender.lend(1, 100).is_err(), "{}", sender.name);
    }
}

#[test]
fn the_end_follows_a_loan() {
    for mut sender in senders() {
        assert_eq!(sender.lend(7, 3000), Ok(3000));
        sender.mux.close_write(sender.id);
        assert_eq!(sender.lend(8, 3000), Err(StreamError::Closed), "{}", sender.name);
        let mut out = Vec::new();
        while sender.mux.has_pending() {
            out.extend(sender.transmit(4000).0);
        }
        let last = out.iter().rposition(|&byte| byte == 7).unwrap();
        assert_eq!(out.iter().filter(|&&byte| byte == 7).count(), 3000);
        match sender.name {
            // A window update with FIN.
            "yamux" => assert_eq!(out.len() - last - 1, 12),
            // Close, and no data.
            "mplex" => assert_eq!(out.len() - last - 1, 2),
            _ => assert_eq!(out.len() - last - 1, 0),
        }
    }
}

#[test]
fn an_empty_loan_is_nothing() {
    for mut sender in senders() {
        assert_eq!(sender.lend(1, 0), Ok(0));
        assert_eq!(sender.loans(), 0);
        sender.mux.write(sender.id, b"x").unwrap();
        let (out, events) = sender.transmit(4000);
        assert!(out.contains(&b'x'));
        assert_eq!(events, [], "{}", sender.name);
    }
}
