//! Everything a peer can make expensive, at its bound and over it.

use std::time::Duration;

use plait_core::limits::Budget;
use plait_core::mux::{MuxConfig, MuxEvent, Violation};

use crate::script::*;

#[test]
fn streams_over_the_limit_are_reset_and_the_others_go_on() {
    let config = MuxConfig { max_inbound_streams: 3, ..MuxConfig::default() };
    let mut end = End::with(config);
    let ids: Vec<_> = [1, 2, 3].map(|number| end.accepted(number)).to_vec();
    let refused = [frame(NEW, 4, b"name"), frame(MESSAGE_OPENER, 4, b"more"), frame(CLOSE_OPENER, 4, b"")];
    end.receive(&refused.concat());
    assert_eq!(end.take_events(), []);
    assert_eq!(end.flush(), [sent(RESET_ACCEPTOR, 4, b"")]);
    assert_eq!((end.mplex.stats().streams_refused, end.mplex.stats().frames_ignored), (1, 2));
    end.receive(&frame(MESSAGE_OPENER, 2, b"works"));
    assert_eq!(end.read(ids[1]), b"works");
    // Our own do not count.
    end.opened();
    end.mplex.reset(ids[0], 0);
    end.flush();
    end.take_events();
    end.accepted(4);
}

#[test]
fn streams_that_nobody_accepts_are_bounded_on_their_own() {
    let config = MuxConfig { max_unaccepted_streams: 2, ..MuxConfig::default() };
    let mut end = End::with(config);
    for number in 0..3 {
        end.receive(&frame(NEW, number, b""));
    }
    let events = end.take_events();
    let [MuxEvent::Opened(first), MuxEvent::Opened(_)] = events[..] else { panic!("{events:?}") };
    assert_eq!(end.flush(), [sent(RESET_ACCEPTOR, 2, b"")]);
    end.mplex.accept(first);
    end.accepted(3);
}

#[test]
fn a_stream_that_the_peer_reset_counts_until_it_is_released() {
    let config = MuxConfig { max_inbound_streams: 1, ..MuxConfig::default() };
    let mut end = End::with(config);
    let id = end.accepted(0);
    end.receive(&[frame(RESET_OPENER, 0, b""), frame(NEW, 1, b"")].concat());
    assert_eq!(end.take_events(), [MuxEvent::Reset { id, code: 0 }]);
    assert_eq!(end.flush(), [sent(RESET_ACCEPTOR, 1, b"")]);
    end.mplex.release(id, end.now);
    end.accepted(2);
}

#[test]
fn a_flood_of_new_streams_costs_a_bounded_queue_of_refusals() {
    let config = MuxConfig { max_inbound_streams: 10, ..MuxConfig::default() };
    let mut end = End::with(config.clone());
    let mut opened = 0;
    while !end.mplex.is_overloaded() {
        end.receive(&frame(NEW, opened, b""));
        opened += 1;
    }
    assert_eq!(opened as usize, config.max_control_queue + 10);
    assert_eq!(end.mplex.num_streams(), 10);
    end.flush();
    assert!(!end.mplex.is_overloaded());
}

#[test]
fn a_peer_that_opens_and_resets_too_fast_is_cut_off() {
    let config = MuxConfig::default();
    let mut end = End::new();
    let open_and_reset = |end: &mut End| {
        let result = end.try_receive(&[frame(NEW, 0, b""), frame(RESET_OPENER, 0, b"")].concat());
        if let Some(&MuxEvent::Opened(id)) = end.take_events().first() {
            end.mplex.release(id, end.now);
        }
        result
    };
    for _ in 0..2 {
        for _ in 0..config.max_resets_per_second {
            assert_eq!(open_and_reset(&mut end), Ok(()));
        }
        end.wait(Duration::from_secs(1));
    }
    for _ in 0..config.max_resets_per_second {
        assert_eq!(open_and_reset(&mut end), Ok(()));
    }
    assert_eq!(open_and_reset(&mut end), Err(Violation::TooManyResets));
    assert_eq!(end.mplex.num_streams(), 0);
}

#[test]
fn resets_of_our_own_streams_are_not_counted_as_abuse() {
    let config = MuxConfig { max_resets_per_second: 2, ..MuxConfig::default() };
    let mut end = End::with(config);
    for _ in 0..10 {
        let (id, number) = end.opened();
        end.receive(&frame(RESET_ACCEPTOR, number, b""));
        end.mplex.release(id, end.now);
    }
}

#[test]
fn floods_that_say_nothing_are_cut_off() {
    let config = MuxConfig { max_empty_frames_per_second: 50, ..MuxConfig::default() };
    let mut end = End::with(config);
    end.accepted(0);
    for _ in 0..2 {
        end.wait(Duration::from_secs(1));
        for _ in 0..50 {
            end.receive(&frame(MESSAGE_OPENER, 0, b""));
        }
    }
    assert_eq!(end.try_receive(&frame(MESSAGE_OPENER, 0, b"")), Err(Violation::TooManyEmptyFrames));
}

#[test]
fn floods_for_streams_that_do_not_exist_are_cut_off() {
    let config = MuxConfig { max_ignored_frames_per_second: 50, ..MuxConfig::default() };
    for flag in [MESSAGE_ACCEPTOR, MESSAGE_OPENER, CLOSE_ACCEPTOR, CLOSE_OPENER, RESET_ACCEPTOR, RESET_OPENER]
    {
        let mut end = End::with(config.clone());
        for _ in 0..50 {
            end.receive(&frame(flag, 9, b"lost"));
        }
        assert_eq!(end.try_receive(&frame(flag, 9, b"lost")), Err(Violation::TooManyIgnoredFrames));
    }
}

#[test]
fn a_peer_that_goes_on_after_its_end_is_cut_off() {
    let config = MuxConfig { max_frames_after_fin_per_second: 3, ..MuxConfig::default() };
    let mut end = End::with(config);
    let id = end.accepted(0);
    end.receive(&frame(CLOSE_OPENER, 0, b""));
    for extra in [frame(MESSAGE_OPENER, 0, b"x"), frame(CLOSE_OPENER, 0, b""), frame(MESSAGE_OPENER, 0, b"")]
    {
        end.receive(&extra);
    }
    assert_eq!(end.try_receive(&frame(MESSAGE_OPENER, 0, b"x")), Err(Violation::TooManyFramesAfterFin));
    assert_eq!(end.buffered(id), 0);
}

#[test]
fn late_data_after_our_reset_is_honest() {
    let mut end = End::new();
    let id = end.accepted(0);
    end.mplex.reset(id, 0);
    // What a fast link holds, in the small messages that go sends.
    let late = frame(MESSAGE_OPENER, 0, &[0; 4076]);
    for _ in 0..20_000 {
        end.receive(&late);
    }
    assert_eq!(end.flush(), [sent(RESET_ACCEPTOR, 0, b"")]);
    assert_eq!(end.mplex.stats().memory, 0);
}

#[test]
fn streams_take_little_when_the_memory_for_sending_is_short() {
    let config = MuxConfig { max_buffered_out: 1 << 20, ..MuxConfig::default() };
    let mut end = End::with(config.clone());
    let ids: Vec<_> = (0..4).map(|_| end.opened().0).collect();
    for &id in &ids[..3] {
        assert_eq!(end.write(id, &[0; 1 << 20]), config.send_buffer);
    }
    assert_eq!(end.write(ids[3], &[0; 1 << 20]), config.min_send_buffer);
    end.flush();
    assert!(ids.iter().all(|&id| end.events.contains(&MuxEvent::Writable(id))));
    assert_eq!(end.write(ids[3], &[0; 1 << 20]), config.send_buffer);
}

#[test]
fn the_budget_is_charged_and_put_back() {
    let budget = Budget::new(8 << 20);
    let mut end = End::with_budget(MuxConfig::default(), budget.clone());
    let id = end.accepted(0);
    end.receive(&frame(MESSAGE_OPENER, 0, &[0; 1 << 20]));
    assert!(budget.used() >= 512 << 10);
    end.read(id);
    end.write(id, &[0; 1000]);
    drop(end);
    assert_eq!(budget.used(), 0);
}

#[test]
fn an_idle_connection_holds_no_memory_and_needs_no_timer() {
    let mut end = End::new();
    for number in 0..8 {
        let id = end.accepted(number);
        end.receive(&frame(MESSAGE_OPENER, number, &[0; 100_000]));
        end.read(id);
        end.write(id, &[0; 1000]);
        end.take_events();
    }
    end.flush();
    assert!(end.mplex.stats().memory > 0, "the next segment will need some");
    end.pass(MuxConfig::default().keepalive_interval);
    assert_eq!(end.mplex.stats().memory, 0);
    assert_eq!(end.mplex.next_timeout(), None);
}
