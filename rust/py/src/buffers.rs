//! What sockets are read into: shared by all sessions of a thread, so that an idle connection owns none.

use std::cell::{Cell, RefCell};

/// One read of the socket: as much as a near peer may have in it. What a read leaves has left the caches by the next.
pub(crate) const READ_SIZE: usize = 1 << 20;

/// Sessions that may keep what they have read until the end of a turn; more of them copy it.
const MOST_HELD: usize = 8;
/// Buffers that wait for the next read. Where one connection is busy, one is enough.
const MOST_SPARE: usize = 2;

/// Keeps the C library from giving memory back to the system after each large read, and taking it again page by page
/// for the next, which costs more than copying the bytes.
///
/// glibc learns from the largest block that was freed and had a mapping of its own: it gives the end of its memory back
/// once twice that is free. So one is freed, of two reads; no page of it was ever touched.
pub(crate) fn keep_memory() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(2 * READ_SIZE)));
}

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    static HELD: Cell<usize> = const { Cell::new(0) };
}

/// Memory for one read.
pub(crate) fn take() -> Vec<u8> {
    SPARE.with_borrow_mut(Vec::pop).unwrap_or_else(|| vec![0; READ_SIZE])
}

/// For the next read.
pub(crate) fn give_back(buffer: Vec<u8>) {
    SPARE.with_borrow_mut(|spare| {
        if spare.len() < MOST_SPARE {
            spare.push(buffer);
        }
    });
}

/// Whether one more may be kept.
pub(crate) fn may_be_held() -> bool {
    HELD.get() < MOST_HELD
}

/// One buffer that a session keeps.
pub(crate) struct Held(());

impl Held {
    pub(crate) fn new() -> Self {
        HELD.set(HELD.get() + 1);
        Self(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // A session may end up in another thread.
        HELD.set(HELD.get().saturating_sub(1));
    }
}
