//! A connection without a multiplexer.

use std::sync::Arc;
use std::time::Duration;

use plait_core::limits::Budget;
use plait_core::mux::single::Single;
use plait_core::mux::{Available, Error, MuxConfig, MuxEvent, Role, StreamError, StreamId};
use plait_core::time::Instant;
use proptest::prelude::*;

struct End {
    single: Single,
    now: Instant,
    events: Vec<MuxEvent>,
}

impl End {
    fn new(role: Role) -> Self {
        Self::with(role, MuxConfig::default(), Budget::unlimited())
    }

    fn with(role: Role, config: MuxConfig, budget: Budget) -> Self {
        let now = Instant::from_micros(1_000_000);
        Self { single: Single::new(role, &Arc::new(config), budget, now), now, events: Vec::new() }
    }

    /// An end whose application has the stream.
    fn open(role: Role) -> (Self, StreamId) {
        let mut end = Self::new(role);
        let id = match role {
            Role::Client => end.single.open(end.now).unwrap().unwrap(),
            Role::Server => {
                end.handle_timeout();
                let [MuxEvent::Opened(id)] = end.take_events()[..] else { panic!("not opened") };
                end.single.accept(id);
                id
            }
        };
        (end, id)
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.single.receive(bytes, self.now, &mut self.events).unwrap();
    }

    fn handle_timeout(&mut self) {
        self.single.handle_timeout(self.now, &mut self.events);
    }

    fn transmit(&mut self, room: usize) -> Vec<u8> {
        let mut out = b"before".to_vec();
        let count = self.single.transmit(&mut out, room, self.now, &mut self.events);
        assert_eq!(out.len(), 6 + count);
        out.split_off(6)
    }

    fn take_events(&mut self) -> Vec<MuxEvent> {
        std::mem::take(&mut self.events)
    }
}

#[test]
fn bytes_go_as_they_are() {
    let (mut client, at_client) = End::open(Role::Client);
    let (mut server, at_server) = End::open(Role::Server);
    assert_eq!(at_client, at_server);
    assert_eq!(client.single.write(at_client, b"question"), Ok(8));
    let bytes = client.transmit(100);
    assert_eq!(bytes, b"question");
    server.receive(&bytes);
    assert_eq!(server.take_events(), [MuxEvent::Readable(at_server)]);
    assert_eq!(server.single.available(at_server), Ok(Available::Bytes(8)));
    server.single.consume(at_server, 4);
    assert_eq!(server.single.peek(at_server).0, b"tion");
    let mut into = [0; 9];
    assert_eq!(server.single.read(at_server, &mut into), Ok(4));
    assert_eq!(server.single.available(at_server), Ok(Available::Nothing));
    assert_eq!(server.single.write(at_server, b"answer"), Ok(6));
    assert_eq!(server.transmit(3), b"ans");
    assert!(server.single.has_pending());
    assert_eq!(server.transmit(100), b"wer");
    assert!(!server.single.has_pending());
}

#[test]
fn the_client_opens_the_stream_once_and_the_server_never() {
    let (mut client, _) = End::open(Role::Client);
    assert_eq!(client.single.open(client.now), Err(Error::OnlyOneStream));
    let mut server = End::new(Role::Server);
    assert_eq!(server.single.open(server.now), Err(Error::OnlyOneStream));
    let mut leaving = End::new(Role::Client);
    leaving.single.go_away(0);
    assert_eq!(leaving.single.open(leaving.now), Err(Error::GoingAway));
}

#[test]
fn the_server_hears_of_the_stream_at_once_or_with_the_first_bytes() {
    let mut idle = End::new(Role::Server);
    assert_eq!(idle.single.next_timeout(), Some(idle.now));
    idle.handle_timeout();
    let events = idle.take_events();
    let [MuxEvent::Opened(id)] = events[..] else { panic!("{events:?}") };
    assert_eq!(idle.single.next_timeout(), None);
    idle.handle_timeout();
    assert_eq!(idle.take_events(), [], "once");

    let mut busy = End::new(Role::Server);
    busy.receive(b"first");
    assert_eq!(busy.take_events(), [MuxEvent::Opened(id), MuxEvent::Readable(id)]);
}

#[test]
fn what_comes_before_the_client_opens_waits_for_it() {
    let mut end = End::new(Role::Client);
    assert_eq!((end.single.num_streams(), end.single.next_timeout()), (0, None));
    end.receive(b"early");
    assert_eq!(end.take_events(), []);
    let id = end.single.open(end.now).unwrap().unwrap();
    assert_eq!(end.single.next_timeout(), Some(end.now));
    end.handle_timeout();
    assert_eq!(end.take_events(), [MuxEvent::Readable(id)]);
    assert_eq!(end.single.peek(id).0, b"early");
}

#[test]
fn readable_comes_when_there_was_nothing_to_read() {
    let (mut end, id) = End::open(Role::Server);
    end.receive(b"one");
    end.receive(b"two");
    assert_eq!(end.take_events(), [MuxEvent::Readable(id)]);
    end.single.consume(id, 6);
    end.receive(b"three");
    assert_eq!(end.take_events(), [MuxEvent::Readable(id)]);
    end.receive(b"");
    assert_eq!(end.take_events(), []);
}

#[test]
fn a_writer_is_told_when_half_of_its_buffer_is_sent() {
    let (mut end, id) = End::open(Role::Client);
    let most = MuxConfig::default().send_buffer;
    assert_eq!(end.single.write(id, &vec![0; most + 1]), Ok(most));
    end.transmit(most / 2 - 1);
    assert_eq!(end.take_events(), []);
    end.transmit(1);
    assert_eq!(end.take_events(), [MuxEvent::Writable(id)]);
    end.transmit(most);
    assert_eq!(end.take_events(), [], "once");
}

#[test]
fn bytes_that_nobody_reads_stop_the_reading() {
    let (mut end, id) = End::open(Role::Server);
    let most = MuxConfig::default().max_stream_unread;
    end.receive(&vec![0; most - 1]);
    assert!(!end.single.is_overloaded());
    end.receive(&[0]);
    assert!(end.single.is_overloaded());
    end.now = end.now + Duration::from_secs(3600);
    end.handle_timeout();
    assert!(end.single.is_overloaded(), "it holds up nobody else, so it may wait for ever");
    end.single.consume(id, 1);
    assert!(!end.single.is_overloaded());
}

#[test]
fn after_close_write_nothing_more_is_taken_and_what_was_taken_goes() {
    let (mut end, id) = End::open(Role::Client);
    end.single.write(id, b"last").unwrap();
    end.single.close_write(id);
    assert_eq!(end.single.write(id, b"x"), Err(StreamError::Closed));
    assert_eq!(end.transmit(100), b"last");
    end.receive(b"still read");
    assert_eq!(end.single.peek(id).0, b"still read");
    assert_eq!(end.single.num_streams(), 1);
}

#[test]
fn a_stream_that_is_not_read_any_more_keeps_nothing() {
    let (mut end, id) = End::open(Role::Server);
    end.receive(b"unread");
    end.single.stop_reading(id);
    end.receive(&vec![0; 4 << 20]);
    assert_eq!(end.single.stats().buffered_in, 0);
    assert_eq!(end.single.available(id), Err(StreamError::Closed));
    assert_eq!(end.single.write(id, b"still written"), Ok(13));
}

#[test]
fn a_released_stream_is_gone_when_what_was_written_is_sent() {
    let (mut end, id) = End::open(Role::Server);
    end.receive(b"unread");
    end.single.write(id, b"last").unwrap();
    end.single.release(id, end.now);
    assert_eq!(end.single.write(id, b"x"), Err(StreamError::Unknown));
    end.receive(b"late");
    assert_eq!((end.single.num_streams(), end.single.stats().buffered_in), (1, 0));
    assert_eq!(end.transmit(100), b"last");
    assert_eq!(end.single.num_streams(), 0);

    let (mut end, id) = End::open(Role::Client);
    end.single.release(id, end.now);
    assert_eq!(end.single.num_streams(), 0);
    assert_eq!(end.single.open(end.now), Err(Error::OnlyOneStream));
}

#[test]
fn a_stream_that_we_reset_is_gone_with_what_was_written() {
    let (mut end, id) = End::open(Role::Client);
    end.single.write(id, b"never mind").unwrap();
    end.single.reset(id, 5);
    assert!(!end.single.has_pending());
    assert_eq!((end.transmit(100), end.single.num_streams()), (vec![], 0));
    assert_eq!(end.single.available(id), Err(StreamError::Unknown));
    end.receive(b"late");
    assert_eq!((end.take_events(), end.single.stats().buffered_in), (vec![], 0));
}

#[test]
fn go_away_lets_go_what_is_queued() {
    let (mut end, id) = End::open(Role::Client);
    end.single.write(id, b"last").unwrap();
    end.single.go_away(9);
    assert_eq!(end.single.write(id, b"x"), Err(StreamError::Closed));
    assert_eq!(end.transmit(100), b"last");
    assert!(!end.single.has_pending());
}

#[test]
fn names_that_were_never_given_are_no_streams() {
    let mut end = End::new(Role::Client);
    end.receive(b"early");
    for id in [StreamId::from_u64(0), StreamId::from_u64(1)] {
        assert_eq!(end.single.write(id, b"x"), Err(StreamError::Unknown));
        assert_eq!(end.single.read(id, &mut [0]), Err(StreamError::Unknown));
        assert_eq!(end.single.peek(id), (&[][..], &[][..]));
        end.single.consume(id, 5);
        end.single.close_write(id);
        end.single.stop_reading(id);
        end.single.release(id, end.now);
        end.single.reset(id, 0);
    }
    let id = end.single.open(end.now).unwrap().unwrap();
    assert_eq!(end.single.write(id, b"x"), Ok(1));
    assert_eq!(end.single.peek(id).0, b"early");
}

#[test]
fn memory_is_charged_put_back_and_not_kept_by_an_idle_connection() {
    let budget = Budget::new(8 << 20);
    let mut end = End::with(Role::Server, MuxConfig::default(), budget.clone());
    end.receive(&vec![0; 900 << 10]);
    let Some(&MuxEvent::Opened(id)) = end.events.first() else { panic!("not opened") };
    assert!(budget.used() >= 512 << 10);
    end.single.consume(id, 900 << 10);
    assert!(end.single.stats().memory > 0, "the next segment will need some");
    end.now = end.single.next_timeout().unwrap();
    end.handle_timeout();
    assert_eq!((end.single.stats().memory, end.single.next_timeout()), (0, None));
    end.receive(&vec![0; 900 << 10]);
    drop(end);
    assert_eq!(budget.used(), 0);
}

#[test]
fn a_host_without_memory_stops_the_reading_early() {
    let mut end = End::with(Role::Server, MuxConfig::default(), Budget::new(0));
    end.receive(&vec![0; 500 << 10]);
    assert!(end.single.is_overloaded());
    let Some(&MuxEvent::Opened(id)) = end.events.first() else { panic!("not opened") };
    end.single.consume(id, usize::MAX);
    assert!(!end.single.is_overloaded());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_arrives_is_what_was_written(
        steps in proptest::collection::vec((0u8..3, 0usize..100_000), 1..60),
    ) {
        let (mut from, at_sender) = End::open(Role::Client);
        let (mut to, at_receiver) = End::open(Role::Server);
        let content = |position: usize| (position.wrapping_mul(31) ^ (position >> 8)) as u8;
        let (mut written, mut read) = (0, 0);
        for (step, size) in steps {
            match step {
                0 => {
                    let bytes: Vec<u8> = (written..written + size).map(content).collect();
                    written += from.single.write(at_sender, &bytes).unwrap();
                }
                1 => {
                    let bytes = from.transmit(size);
                    to.receive(&bytes);
                }
                _ => {
                    let mut into = vec![0; size];
                    let count = to.single.read(at_receiver, &mut into).unwrap();
                    prop_assert!((read..read + count).map(content).eq(into[..count].iter().copied()));
                    read += count;
                }
            }
            let (unsent, unread) = (from.single.stats().buffered_out, to.single.stats().buffered_in);
            prop_assert_eq!(read + unread + unsent, written);
        }
    }
}
