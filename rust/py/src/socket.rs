//! A session on a bare socket: bytes go from one to the other without becoming Python objects.
//!
//! Each verb does all that is due at once: it reads or tells the time, sends what there is to send, and
//! says in one last tuple what the driver has to do about the socket and the timer.

use std::cell::Cell;
use std::io;

use plait_core::mux::LEAST_SEGMENT;
use plait_core::session::{self, Event};
use plait_core::time::Instant;
use plait_io::Received;
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::buffers::{self, READ_SIZE};
use crate::events;
use crate::session::seconds;

/// What a driver was told about its socket and its timer.
#[derive(Default)]
pub(crate) struct Wire {
    /// Sealed bytes that the socket did not take.
    unsent: Vec<u8>,
    /// How many of them it has taken by now.
    sent: usize,
    /// The driver watches for room in the socket; until then nothing is sent.
    is_blocked: bool,
    is_overloaded: bool,
    is_finished: bool,
    /// The driver lets little wait in the socket.
    is_mixed: bool,
    /// When the driver's timer fires.
    armed: Option<Instant>,
    /// The session has a buffer until the end of the turn.
    held: Option<buffers::Held>,
}

/// What the driver has to do after one verb.
#[derive(Default)]
struct Need {
    flags: u8,
    deadline: Option<Instant>,
    error: Option<io::Error>,
}

/// The events of one call, from beginning to end.
pub(crate) struct Turn<'a> {
    session: &'a mut session::Session,
    wire: &'a mut Wire,
    events: Vec<Event>,
    fileno: i32,
    now: Instant,
    need: Need,
}

impl<'a> Turn<'a> {
    pub(crate) fn new(
        session: &'a mut session::Session,
        wire: &'a mut Wire,
        fileno: i32,
        now: Instant,
    ) -> Self {
        Self { session, wire, events: Vec::new(), fileno, now, need: Need::default() }
    }

    /// The socket can be read.
    pub(crate) fn read(mut self) -> Self {
        self.wire.leave_segment(self.session);
        // Taken, not borrowed: a plug-in that is called on the way may come here for another session.
        let mut buffer = buffers::take();
        let mut count = 0;
        while count < TURN_SIZE && !self.session.is_overloaded() && !self.session.is_over() {
            match plait_io::receive(self.fileno, &mut buffer) {
                Ok(Received::Bytes(length)) => {
                    let is_segment = length >= LEAST_SEGMENT && buffers::may_be_held();
                    if is_segment {
                        self.session.begin_segment(&buffer[..length]);
                    }
                    self.session.receive(&mut buffer[..length], self.now, &mut self.events);
                    count += length;
                    if is_segment {
                        match self.session.hold_segment(buffer) {
                            Some(back) => buffer = back,
                            None => {
                                self.wire.held = Some(buffers::Held::new());
                                return self;
                            }
                        }
                    }
                    // There is hardly more, and the loop calls again if there is.
                    if length < READ_SIZE {
                        break;
                    }
                }
                Ok(Received::Nothing) => break,
                Ok(Received::End) => {
                    self.need.flags |= ENDED;
                    break;
                }
                Err(error) => {
                    self.need.error = Some(error);
                    break;
                }
            }
        }
        buffers::give_back(buffer);
        self
    }

    /// The socket has room again.
    pub(crate) fn unblock(self) -> Self {
        self.wire.is_blocked = false;
        self
    }

    /// The timer has fired.
    pub(crate) fn expire(mut self) -> Self {
        self.wire.armed = None;
        self.session.handle_timeout(self.now, &mut self.events);
        self
    }

    /// The end of a turn.
    pub(crate) fn flush(self) -> Self {
        self.wire.leave_segment(self.session);
        self
    }

    /// Sends what there is, and gives the events with what the driver has to do; `None` when neither is any.
    pub(crate) fn finish(mut self, py: Python<'_>) -> PyResult<Option<Bound<'_, PyList>>> {
        // Whom the events wake has something to say more often than not, and the driver flushes right behind
        // them: one record and one system call instead of two.
        if self.events.is_empty() && self.need.error.is_none() && self.need.flags & ENDED == 0 {
            self.send();
        }
        if self.wire.held.is_some() {
            self.need.flags |= MORE;
        }
        self.look_at_load();
        self.look_at_mixture();
        self.arm();
        let Need { flags, deadline, error } = self.need;
        let has_need = flags != 0 || deadline.is_some() || error.is_some();
        if self.events.is_empty() && !has_need {
            return Ok(None);
        }
        let list = events::to_list(py, self.events)?;
        if has_need {
            list.append((WIRE, flags, deadline.map(seconds), error.map(PyErr::from)))?;
        }
        Ok(Some(list))
    }

    fn send(&mut self) {
        let mut out = OUT.take();
        let mut sent = 0;
        while !self.wire.is_blocked {
            if sent >= TURN_SIZE {
                self.need.flags |= MORE;
                break;
            }
            match self.send_once(&mut out) {
                Ok(0) => break,
                Ok(count) => sent += count,
                Err(error) => {
                    self.need.error = Some(error);
                    break;
                }
            }
        }
        OUT.set(out);
    }

    /// One write to the socket; how many bytes it took, 0 when there were none.
    fn send_once(&mut self, out: &mut Vec<u8>) -> io::Result<usize> {
        let wire = &mut *self.wire;
        if wire.unsent.is_empty() {
            out.clear();
            let before = self.events.len();
            self.session.transmit(out, WRITE_SIZE, self.now, &mut self.events);
            if self.events.len() > before {
                // A session that is closing waits to see whether these made anybody write.
                self.need.flags |= MORE;
            }
            if out.is_empty() {
                if self.session.is_leaving() && !wire.is_finished {
                    wire.is_finished = true;
                    self.need.flags |= FINISHED;
                }
                return Ok(0);
            }
            let taken = plait_io::send(self.fileno, out)?;
            if taken < out.len() {
                // Not copied: whoever sends next gets other memory.
                std::mem::swap(&mut wire.unsent, out);
                wire.sent = taken;
                wire.is_blocked = true;
                self.need.flags |= BLOCKED;
            }
            return Ok(taken);
        }
        let taken = plait_io::send(self.fileno, &wire.unsent[wire.sent..])?;
        wire.sent += taken;
        if wire.sent == wire.unsent.len() {
            // An idle connection owns no memory, and records are built in this again.
            wire.sent = 0;
            out.clear();
            std::mem::swap(&mut wire.unsent, out);
            wire.unsent = Vec::new();
        } else {
            wire.is_blocked = true;
            self.need.flags |= BLOCKED;
        }
        Ok(taken)
    }

    /// A peer that makes us answer and does not read the answers is not read either.
    fn look_at_load(&mut self) {
        let is_overloaded = self.session.is_overloaded();
        if is_overloaded != self.wire.is_overloaded {
            self.wire.is_overloaded = is_overloaded;
            self.need.flags |= if is_overloaded { OVERLOADED } else { RELIEVED };
        }
    }

    /// What the kernel has taken cannot be overtaken any more.
    fn look_at_mixture(&mut self) {
        let is_mixed = self.session.is_mixed(self.now);
        if is_mixed != self.wire.is_mixed {
            self.wire.is_mixed = is_mixed;
            self.need.flags |= if is_mixed { MIXED } else { UNMIXED };
        }
    }

    /// Only an earlier deadline is told: a timer that fires too early finds the later one, which is cheaper
    /// than moving it each time.
    fn arm(&mut self) {
        if let Some(deadline) = self.session.next_timeout()
            && self.wire.armed.is_none_or(|armed| deadline < armed)
        {
            self.wire.armed = Some(deadline);
            self.need.deadline = Some(deadline);
        }
    }
}

impl Wire {
    /// The end of the turn in which something was read: whoever waited for it has it by now.
    pub(crate) fn leave_segment(&mut self, session: &mut session::Session) {
        if let Some(buffer) = session.leave_segment() {
            buffers::give_back(buffer);
        }
        self.held = None;
    }

    /// A flush may send something, or has something to tell.
    pub(crate) fn is_relieved(&self, session: &session::Session) -> bool {
        self.is_overloaded && !session.is_overloaded()
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("WIRE", WIRE)?;
    module.add("WIRE_BLOCKED", BLOCKED)?;
    module.add("WIRE_MORE", MORE)?;
    module.add("WIRE_OVERLOADED", OVERLOADED)?;
    module.add("WIRE_RELIEVED", RELIEVED)?;
    module.add("WIRE_FINISHED", FINISHED)?;
    module.add("WIRE_ENDED", ENDED)?;
    module.add("WIRE_MIXED", MIXED)?;
    module.add("WIRE_UNMIXED", UNMIXED)
}

thread_local! {
    /// Where records are built before they are sent.
    static OUT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The kind of the last tuple, beside those of events.
const WIRE: u8 = 16;
const BLOCKED: u8 = 1;
const MORE: u8 = 2;
const OVERLOADED: u8 = 4;
const RELIEVED: u8 = 8;
const FINISHED: u8 = 16;
const ENDED: u8 = 32;
const MIXED: u8 = 64;
const UNMIXED: u8 = 128;

/// Sealed bytes for one write: each wakes the reader, which costs more than the call, and what it is made
/// of still fits into the second-level cache with it.
const WRITE_SIZE: usize = 512 << 10;
/// Bytes in one direction before others of the loop get their turn: some milliseconds.
const TURN_SIZE: usize = 1 << 20;
