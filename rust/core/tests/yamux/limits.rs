//! Everything a peer can make expensive, at its bound and over it.

use std::time::Duration;

use plait_core::limits::Budget;
use plait_core::mux::{MuxConfig, MuxEvent, Role, StreamId, Violation};

use crate::script::*;

#[test]
fn streams_over_the_limit_are_reset_and_the_others_go_on() {
    let config = MuxConfig { max_inbound_streams: 3, ..MuxConfig::default() };
    let mut end = End::new(Role::Server, config);
    let ids: Vec<_> = [1, 3, 5].map(|wire| end.accepted(wire)).to_vec();
    end.receive(&[data(7, SYN, b"body"), data(7, 0, b"more"), update(7, FIN, 0)].concat());
    assert_eq!(end.take_events(), []);
    assert_eq!(end.flush(), [sent(UPDATE, RST, 7, 0x1002)]);
    assert_eq!(end.yamux.stats().streams_refused, 1);
    end.receive(&data(3, 0, b"works"));
    assert_eq!(end.read(ids[1]), b"works");
    end.receive(&update(9, SYN | RST, 0));
    assert_eq!(end.flush(), [], "a stream that is over already needs no refusal");
    // Our own do not count.
    end.opened();
    end.yamux.reset(ids[0], 0);
    end.flush();
    end.accepted(7);
}

#[test]
fn a_stream_that_the_peer_reset_counts_until_it_is_released() {
    let config = MuxConfig { max_inbound_streams: 1, ..MuxConfig::default() };
    let mut end = End::new(Role::Server, config);
    let id = end.accepted(1);
    end.receive(&[update(1, RST, 0), update(3, SYN, 0)].concat());
    assert_eq!(end.take_events(), [MuxEvent::Reset { id, code: 0 }]);
    assert_eq!(end.flush(), [sent(UPDATE, RST, 3, 0x1002)]);
    end.yamux.release(id, end.now);
    end.accepted(5);
}

#[test]
fn a_flood_of_new_streams_costs_a_bounded_queue_of_refusals() {
    let config = MuxConfig { max_inbound_streams: 10, ..MuxConfig::default() };
    let mut end = End::new(Role::Server, config.clone());
    let mut opened = 0;
    for wire in (1..).step_by(2) {
        end.receive(&update(wire, SYN, 0));
        opened += 1;
        if end.yamux.is_overloaded() {
            break;
        }
    }
    assert_eq!(opened, config.max_control_queue + 10);
    assert_eq!(end.yamux.num_streams(), 10);
    end.flush();
    assert!(!end.yamux.is_overloaded());
}

#[test]
fn a_peer_that_opens_and_resets_too_fast_is_cut_off() {
    let config = MuxConfig::default();
    let mut end = End::server();
    let open_and_reset = |end: &mut End, wire: u32| {
        let result = end.try_receive(&[update(wire, SYN, 0), update(wire, RST, 0)].concat());
        if let Some(&MuxEvent::Opened(id)) = end.take_events().first() {
            end.yamux.release(id, end.now);
        }
        result
    };
    for second in 0..3 {
        for count in 0..config.max_resets_per_second {
            assert_eq!(open_and_reset(&mut end, 1 + 2 * count), Ok(()), "{second} {count}");
        }
        end.wait(Duration::from_secs(1));
    }
    for count in 0..config.max_resets_per_second {
        assert_eq!(open_and_reset(&mut end, 1 + 2 * count), Ok(()));
    }
    assert_eq!(open_and_reset(&mut end, 1), Err(Violation::TooManyResets));
    assert_eq!(end.flush(), [sent(GO_AWAY, 0, 0, 0x1003)]);
    assert_eq!(end.yamux.num_streams(), 0);
}

#[test]
fn resets_of_our_own_streams_are_not_counted_as_abuse() {
    let config = MuxConfig { max_resets_per_second: 2, ..MuxConfig::default() };
    let mut end = End::new(Role::Client, config);
    for _ in 0..10 {
        let (id, wire) = end.opened();
        end.receive(&update(wire, RST, 0x1002));
        end.yamux.release(id, end.now);
    }
}

#[test]
fn floods_that_say_nothing_are_cut_off() {
    let config = MuxConfig { max_empty_frames_per_second: 50, ..MuxConfig::default() };
    for empty in [
        data(1, 0, b""),
        update(1, 0, 0),
        update(1, ACK, 0),
        pong(12345),
        ping(1),
        header(PING, 0, 0, 1),
        go_away(0),
    ] {
        let mut end = End::new(Role::Server, config.clone());
        end.accepted(1);
        end.receive(&go_away(0));
        for _ in 0..50 {
            end.receive(&empty);
        }
        end.wait(Duration::from_secs(1));
        for _ in 0..50 {
            end.receive(&empty);
        }
        assert_eq!(end.try_receive(&empty), Err(Violation::TooManyEmptyFrames), "{empty:?}");
        assert_eq!(end.flush(), [sent(GO_AWAY, 0, 0, 0x1003)]);
    }
}

#[test]
fn floods_for_streams_that_do_not_exist_are_cut_off() {
    let config = MuxConfig { max_ignored_frames_per_second: 50, ..MuxConfig::default() };
    let mut end = End::new(Role::Server, config);
    for _ in 0..50 {
        end.receive(&data(9, 0, b"lost"));
    }
    assert_eq!(end.try_receive(&data(9, 0, b"lost")), Err(Violation::TooManyIgnoredFrames));
}

#[test]
fn a_peer_that_goes_on_after_its_end_is_cut_off() {
    let config = MuxConfig { max_frames_after_fin_per_second: 5, ..MuxConfig::default() };
    let mut end = End::new(Role::Server, config);
    let id = end.accepted(1);
    end.receive(&update(1, FIN, 0));
    for extra in [data(1, 0, b"x"), update(1, FIN, 0), data(1, FIN, b""), data(1, 0, b"y"), data(1, 0, b"z")]
    {
        end.receive(&extra);
    }
    // Credit is no such thing.
    end.receive(&update(1, 0, 5));
    assert_eq!(end.try_receive(&data(1, 0, b"x")), Err(Violation::TooManyFramesAfterFin));
    assert_eq!(end.buffered(id), 0);
}

#[test]
fn a_window_of_late_data_after_our_reset_is_honest() {
    let mut end = End::server();
    let id = end.accepted(1);
    end.yamux.reset(id, 0);
    let late = data(1, 0, &[0; 64]).repeat(WINDOW as usize / 64);
    for _ in 0..16 {
        end.receive(&late);
    }
    assert_eq!(end.flush(), [sent(UPDATE, RST, 1, 0)]);
}

#[test]
fn answers_that_the_peer_does_not_read_stop_the_reading() {
    let config = MuxConfig { max_control_queue: 8, ..MuxConfig::default() };
    let mut end = End::new(Role::Server, config);
    for id in 0..8 {
        assert!(!end.yamux.is_overloaded());
        end.receive(&ping(id));
    }
    assert!(end.yamux.is_overloaded());
    assert_eq!(end.transmit(12), [sent(PING, ACK, 0, 0)]);
    assert!(!end.yamux.is_overloaded());
    let rest: Vec<_> = (1..8).map(|id| sent(PING, ACK, 0, id)).collect();
    assert_eq!(end.flush(), rest);
}

/// Streams 1, 3, … each with `size` bytes unread.
fn fill(end: &mut End, count: u32, size: usize) -> Vec<StreamId> {
    (0..count)
        .map(|number| {
            let id = end.accepted(1 + 2 * number);
            end.receive(&data(1 + 2 * number, 0, &vec![0; size]));
            id
        })
        .collect()
}

#[test]
fn bytes_that_nobody_reads_stop_the_reading() {
    let config = MuxConfig { max_buffered_in: 1 << 20, ..MuxConfig::default() };
    let mut end = End::new(Role::Server, config);
    let ids = fill(&mut end, 4, WINDOW as usize);
    assert!(!end.yamux.is_overloaded());
    end.accepted(99);
    end.receive(&data(99, 0, b"one more"));
    assert!(end.yamux.is_overloaded());
    end.read(ids[2]);
    assert!(!end.yamux.is_overloaded());
}

#[test]
fn memory_counts_and_not_only_bytes() {
    let config = MuxConfig { max_buffered_in: 1 << 20, ..MuxConfig::default() };
    let mut end = End::new(Role::Server, config);
    for id in fill(&mut end, 5, WINDOW as usize) {
        end.yamux.consume(id, WINDOW as usize - 1);
    }
    assert_eq!(end.yamux.stats().buffered_in, 5);
    assert!(end.yamux.is_overloaded(), "five bytes hold five large buffers");
}

#[test]
fn one_connection_without_budget_left_by_others_is_still_served() {
    let budget = Budget::new(1 << 20);
    let mut greedy = End::with_budget(Role::Server, MuxConfig::default(), budget.clone());
    let held = fill(&mut greedy, 5, WINDOW as usize);
    assert_eq!(budget.used(), 1 << 20);
    assert!(!greedy.yamux.is_overloaded());
    greedy.accepted(99);
    greedy.receive(&data(99, 0, b"one more"));
    assert!(greedy.yamux.is_overloaded());

    let mut modest = End::with_budget(Role::Server, MuxConfig::default(), budget.clone());
    let id = modest.accepted(1);
    for _ in 0..100 {
        modest.receive(&data(1, 0, &[0; 100_000]));
        assert!(!modest.yamux.is_overloaded());
        modest.read(id);
        modest.flush();
        modest.write(id, &[0; 1000]);
        modest.receive(&update(1, 0, 1000));
    }
    for id in held {
        greedy.read(id);
    }
    assert!(!greedy.yamux.is_overloaded());
    drop((greedy, modest));
    assert_eq!(budget.used(), 0);
}

#[test]
fn streams_take_little_when_the_memory_for_sending_is_short() {
    let config = MuxConfig { max_buffered_out: 1 << 20, ..MuxConfig::default() };
    let mut end = End::new(Role::Client, config.clone());
    let (id, wire) = end.opened();
    let streams: Vec<_> = (0..4).map(|_| end.opened().0).collect();
    for &stream in &streams[..3] {
        assert_eq!(end.write(stream, &vec![0; WINDOW as usize]), config.send_buffer);
    }
    assert_eq!(end.write(streams[3], &vec![0; WINDOW as usize]), config.min_send_buffer);
    // It still goes on, a little at a time.
    assert_eq!(end.write(id, &vec![0; WINDOW as usize]), config.min_send_buffer);
    end.flush();
    assert!(end.take_events().contains(&MuxEvent::Writable(id)));
    assert_eq!(end.write(id, &vec![0; WINDOW as usize]), config.send_buffer);
    end.receive(&update(wire, 0, WINDOW));
    end.flush();
}

#[test]
fn an_idle_connection_holds_no_memory() {
    let mut end = End::server();
    for id in fill(&mut end, 8, WINDOW as usize) {
        end.read(id);
        end.write(id, &[0; 1000]);
    }
    end.flush();
    assert!((1..=1 << 20).contains(&end.yamux.stats().memory), "the next segment will need some");
    end.receive(&pong(0));
    end.now = end.yamux.next_timeout().unwrap();
    end.handle_timeout();
    assert_eq!(end.yamux.stats().memory, 0);
}

#[test]
fn memory_for_the_next_bytes_is_not_kept_when_the_host_has_none() {
    let budget = Budget::new(0);
    let mut end = End::with_budget(Role::Server, MuxConfig::default(), budget);
    let ids = fill(&mut end, 3, WINDOW as usize);
    assert!(end.yamux.is_overloaded());
    for id in ids {
        end.read(id);
    }
    assert!(end.yamux.stats().memory <= WINDOW as usize);
    assert!(!end.yamux.is_overloaded());
}
