//! Yamux (`/yamux/1.0.0`): streams with credit over one ordered channel.

use std::sync::Arc;
use std::time::Duration;

use super::{Available, Error, MuxConfig, MuxEvent, Role, Stats, StreamError, StreamId, Violation};
use crate::limits::Budget;
use crate::time::Instant;

/// One end of a yamux connection, without the connection: bytes in, events and bytes out.
#[derive(Debug)]
pub struct Yamux {}

#[allow(unused_variables, missing_docs)]
impl Yamux {
    pub fn new(role: Role, config: &Arc<MuxConfig>, budget: Budget, now: Instant) -> Self {
        unimplemented!()
    }
    /// Takes decrypted bytes from the peer, any split of them.
    pub fn receive(
        &mut self,
        plaintext: &[u8],
        now: Instant,
        events: &mut Vec<MuxEvent>,
    ) -> Result<(), Violation> {
        unimplemented!()
    }
    pub fn handle_timeout(&mut self, now: Instant, events: &mut Vec<MuxEvent>) {
        unimplemented!()
    }
    /// `Ok(None)`: too many of ours are unacknowledged, `MuxEvent::OpenCredit` follows.
    pub fn open(&mut self, now: Instant) -> Result<Option<StreamId>, Error> {
        unimplemented!()
    }
    pub fn accept(&mut self, id: StreamId) {
        unimplemented!()
    }
    /// `Ok(0)`: nothing to read, `available` says why.
    pub fn read(&mut self, id: StreamId, into: &mut [u8]) -> Result<usize, StreamError> {
        unimplemented!()
    }
    pub fn consume(&mut self, id: StreamId, n: usize) {
        unimplemented!()
    }
    pub fn write(&mut self, id: StreamId, data: &[u8]) -> Result<usize, StreamError> {
        unimplemented!()
    }
    pub fn close_write(&mut self, id: StreamId) {
        unimplemented!()
    }
    pub fn stop_reading(&mut self, id: StreamId) {
        unimplemented!()
    }
    pub fn release(&mut self, id: StreamId, now: Instant) {
        unimplemented!()
    }
    pub fn reset(&mut self, id: StreamId, code: u32) {
        unimplemented!()
    }
    pub fn go_away(&mut self, code: u32) {
        unimplemented!()
    }
    /// Appends whole frames, never more than `room` bytes; `Writable` and `OpenCredit` come out here.
    pub fn transmit(
        &mut self,
        out: &mut Vec<u8>,
        room: usize,
        now: Instant,
        events: &mut Vec<MuxEvent>,
    ) -> usize {
        unimplemented!()
    }
    pub fn next_timeout(&self) -> Option<Instant> {
        unimplemented!()
    }
    pub fn available(&self, id: StreamId) -> Result<Available, StreamError> {
        unimplemented!()
    }
    pub fn peek(&self, id: StreamId) -> (&[u8], &[u8]) {
        unimplemented!()
    }
    pub fn has_pending(&self) -> bool {
        unimplemented!()
    }
    pub fn is_overloaded(&self) -> bool {
        unimplemented!()
    }
    /// The id of a stream on the wire, for logs.
    pub fn wire_id(&self, id: StreamId) -> Option<u32> {
        unimplemented!()
    }
    pub fn num_streams(&self) -> usize {
        unimplemented!()
    }
    pub fn rtt(&self) -> Option<Duration> {
        unimplemented!()
    }
    pub fn stats(&self) -> Stats {
        unimplemented!()
    }
}
