//! The session, verb by verb.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

use plait_core::buffer;
use plait_core::mux::{Available, LEAST_SEGMENT, Lent, StreamId};
use plait_core::pnet::Veil;
use plait_core::secure::Fresh;
use plait_core::session::{self, Event, Opening};
use plait_core::time::Instant;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict, PyList};

use crate::block::FileBlock;
use crate::buf::{ReceiveBuffer, new_bytes, with_buffer, with_writable};
use crate::config::{ProtocolSet, SessionConfig};
use crate::errors::{self, command};
use crate::events;
use crate::random::random;
use crate::socket::{Turn, Wire};

/// One connection without its socket: secure channel and muxer behind one set of verbs.
#[pyclass(module = "plait._core._rust")]
pub(crate) struct Session {
    session: session::Session,
    /// What `transmit` gave besides bytes.
    events: Vec<Event>,
    /// What a driver over a transport was told the last time.
    was_overloaded: bool,
    /// What a driver over a bare socket was told.
    wire: Wire,
    /// Python code runs while bytes are received and sent, so nothing may be lent meanwhile.
    has_plugins: bool,
}

#[pymethods]
impl Session {
    #[staticmethod]
    #[pyo3(signature = (config, protocols, expected_peer, now, *, contend = false))]
    fn dial(
        py: Python<'_>,
        config: &SessionConfig,
        protocols: &ProtocolSet,
        expected_peer: Option<&Bound<'_, PyAny>>,
        now: f64,
        contend: bool,
    ) -> PyResult<Self> {
        let opening = if contend {
            Opening::Contend { number: u64::from_le_bytes(random()?) }
        } else {
            Opening::Initiate
        };
        Self::new(py, config, protocols, opening, expected_peer, now)
    }

    #[staticmethod]
    #[pyo3(signature = (config, protocols, now, *, expected_peer = None))]
    fn accept(
        py: Python<'_>,
        config: &SessionConfig,
        protocols: &ProtocolSet,
        now: f64,
        expected_peer: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        Self::new(py, config, protocols, Opening::Answer, expected_peer, now)
    }

    // ---- in

    fn receive<'py>(
        &mut self,
        py: Python<'py>,
        buffer: &ReceiveBuffer,
        count: usize,
        now: f64,
    ) -> PyResult<Bound<'py, PyList>> {
        let now = instant(now)?;
        let mut events = Vec::new();
        if self.has_plugins {
            // A plug-in might read from a socket meanwhile, and the buffer is that of all connections.
            let mut copy = buffer.with_bytes(count, |data| data.to_vec())?;
            self.session.receive(&mut copy, now, &mut events);
        } else {
            buffer.with_bytes(count, |data| self.session.receive(data, now, &mut events))?;
        }
        events::to_list(py, events)
    }

    fn receive_bytes<'py>(
        &mut self,
        py: Python<'py>,
        data: &Bound<'py, PyAny>,
        now: f64,
    ) -> PyResult<Bound<'py, PyList>> {
        let now = instant(now)?;
        let mut events = Vec::new();
        // Records are opened in place, and these bytes are not ours to change.
        let mut copy = with_buffer(data, <[u8]>::to_vec)?;
        self.session.receive(&mut copy, now, &mut events);
        events::to_list(py, events)
    }

    fn receive_eof<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let mut events = Vec::new();
        self.session.receive_eof(&mut events);
        events::to_list(py, events)
    }

    fn handle_timeout<'py>(&mut self, py: Python<'py>, now: f64) -> PyResult<Bound<'py, PyList>> {
        let mut events = Vec::new();
        self.session.handle_timeout(instant(now)?, &mut events);
        events::to_list(py, events)
    }

    // ---- commands

    fn open_stream(&mut self, py: Python<'_>, protocols: Vec<String>, now: f64) -> PyResult<Option<u64>> {
        let id = self.session.open_stream(protocols, instant(now)?).map_err(|error| command(py, &error))?;
        Ok(id.map(StreamId::as_u64))
    }

    fn read<'py>(
        &mut self,
        py: Python<'py>,
        stream: u64,
        limit: usize,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let id = StreamId::from_u64(stream);
        let length = match self.session.available(id).map_err(|error| command(py, &error))? {
            Available::Nothing => {
                if limit >= LEAST_SEGMENT {
                    self.session.await_bytes(id);
                }
                return Ok(None);
            }
            Available::Finished => 0,
            Available::Bytes(length) => length.min(limit),
        };
        let mut outcome = Ok(length);
        let bytes = new_bytes(py, length, |into| {
            if !into.is_empty() {
                outcome = self.session.read(id, into);
            }
        })?;
        match outcome {
            Ok(count) if count == length => Ok(Some(bytes)),
            // The core gives what `available` promised; anything else would be uninitialised bytes.
            Ok(_) => Err(PyValueError::new_err("the session gave fewer bytes than it had")),
            Err(error) => Err(command(py, &error)),
        }
    }

    fn read_into(
        &mut self,
        py: Python<'_>,
        stream: u64,
        buffer: &Bound<'_, PyAny>,
    ) -> PyResult<Option<usize>> {
        let id = StreamId::from_u64(stream);
        match self.session.available(id).map_err(|error| command(py, &error))? {
            Available::Nothing => {
                let room = match buffer.cast_exact::<FileBlock>() {
                    Ok(block) => block.get().room()?,
                    Err(_) => buffer.len()?,
                };
                if room >= LEAST_SEGMENT {
                    self.session.await_bytes(id);
                }
                Ok(None)
            }
            Available::Finished => Ok(Some(0)),
            Available::Bytes(_) => {
                let mut read =
                    |into: &mut [u8]| self.session.read(id, into).map_err(|error| command(py, &error));
                if let Ok(block) = buffer.cast_exact::<FileBlock>() {
                    return block.get().fill(read).map(Some);
                }
                with_writable(buffer, |into| read(into))?.map(Some)
            }
        }
    }

    fn write(
        &mut self,
        py: Python<'_>,
        stream: u64,
        data: &Bound<'_, PyAny>,
        offset: usize,
    ) -> PyResult<usize> {
        let id = StreamId::from_u64(stream);
        // What cannot change need not be copied, and then the size of a piece costs nothing.
        if let Ok(bytes) = data.cast_exact::<PyBytes>()
            && bytes.as_bytes().len().saturating_sub(offset) >= LEAST_LOAN
        {
            let lent = Lent::new(PyBackedBytes::from(bytes.clone()), offset);
            return self.session.lend(id, lent).map_err(|error| command(py, &error));
        }
        let write = |bytes: &[u8]| self.session.write(id, bytes.get(offset..).unwrap_or_default());
        let taken = match data.cast_exact::<FileBlock>() {
            Ok(block) => block.get().with_bytes(write),
            Err(_) => with_buffer(data, write),
        };
        taken?.map_err(|error| command(py, &error))
    }

    fn close_write(&mut self, stream: u64) {
        self.session.close_write(StreamId::from_u64(stream));
    }

    fn stop_reading(&mut self, stream: u64) {
        self.session.stop_reading(StreamId::from_u64(stream));
    }

    fn release(&mut self, stream: u64, now: f64) -> PyResult<()> {
        self.session.release(StreamId::from_u64(stream), instant(now)?);
        Ok(())
    }

    fn reset(&mut self, stream: u64, error_code: u32) {
        self.session.reset(StreamId::from_u64(stream), error_code);
    }

    fn close<'py>(&mut self, py: Python<'py>, error_code: u32, now: f64) -> PyResult<Bound<'py, PyList>> {
        let mut events = Vec::new();
        self.session.close(error_code, instant(now)?, &mut events);
        events::to_list(py, events)
    }

    fn set_protocols(&mut self, protocols: &ProtocolSet) {
        self.session.set_protocols(&protocols.names);
    }

    // ---- out

    fn transmit<'py>(&mut self, py: Python<'py>, limit: usize, now: f64) -> PyResult<Bound<'py, PyBytes>> {
        let now = instant(now)?;
        // Taken, not borrowed: a plug-in that is called on the way may come here for another session.
        let mut out = OUT.take();
        out.clear();
        self.session.transmit(&mut out, limit, now, &mut self.events);
        // The transport keeps what it cannot send at once, so it needs bytes of its own.
        let bytes = new_bytes(py, out.len(), |into| buffer::copy(&out, into));
        OUT.set(out);
        bytes
    }

    fn take_events<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyList>>> {
        if self.events.is_empty() {
            return Ok(None);
        }
        events::to_list(py, std::mem::take(&mut self.events)).map(Some)
    }

    // ---- in and out at once, on a bare socket

    fn read_socket<'py>(
        &mut self,
        py: Python<'py>,
        fileno: i32,
        now: f64,
    ) -> PyResult<Option<Bound<'py, PyList>>> {
        Turn::new(&mut self.session, &mut self.wire, fileno, instant(now)?).read().finish(py)
    }

    #[pyo3(signature = (fileno, now, *, has_room = false))]
    fn flush_socket<'py>(
        &mut self,
        py: Python<'py>,
        fileno: i32,
        now: f64,
        has_room: bool,
    ) -> PyResult<Option<Bound<'py, PyList>>> {
        let turn = Turn::new(&mut self.session, &mut self.wire, fileno, instant(now)?).flush();
        if has_room { turn.unblock() } else { turn }.finish(py)
    }

    fn expire_socket<'py>(
        &mut self,
        py: Python<'py>,
        fileno: i32,
        now: f64,
    ) -> PyResult<Option<Bound<'py, PyList>>> {
        Turn::new(&mut self.session, &mut self.wire, fileno, instant(now)?).expire().finish(py)
    }

    fn leave_segment(&mut self) {
        self.wire.leave_segment(&mut self.session);
    }

    // ---- getters

    fn next_timeout(&self) -> Option<f64> {
        self.session.next_timeout().map(seconds)
    }

    #[getter]
    fn has_pending(&self) -> bool {
        // A read may have ended an overload, which only the next look at it tells the driver.
        self.session.has_pending()
            || (self.was_overloaded && !self.session.is_overloaded())
            || self.wire.is_relieved(&self.session)
    }

    #[getter]
    fn is_overloaded(&mut self) -> bool {
        self.was_overloaded = self.session.is_overloaded();
        self.was_overloaded
    }

    #[getter]
    fn is_leaving(&self) -> bool {
        self.session.is_leaving()
    }

    #[getter]
    fn rtt(&self) -> Option<f64> {
        self.session.rtt().map(|rtt| rtt.as_secs_f64())
    }

    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let stats = self.session.stats().unwrap_or_default();
        let dict = PyDict::new(py);
        dict.set_item("inbound_streams", stats.inbound_streams)?;
        dict.set_item("outbound_streams", stats.outbound_streams)?;
        dict.set_item("buffered_in", stats.buffered_in)?;
        dict.set_item("buffered_out", stats.buffered_out)?;
        dict.set_item("memory", stats.memory)?;
        dict.set_item("frames_received", stats.frames_received)?;
        dict.set_item("frames_sent", stats.frames_sent)?;
        dict.set_item("streams_accepted", stats.streams_accepted)?;
        dict.set_item("streams_refused", stats.streams_refused)?;
        dict.set_item("streams_opened", stats.streams_opened)?;
        dict.set_item("resets_received", stats.resets_received)?;
        dict.set_item("pings_received", stats.pings_received)?;
        dict.set_item("frames_ignored", stats.frames_ignored)?;
        dict.set_item("frames_after_fin", stats.frames_after_fin)?;
        Ok(dict)
    }
}

impl Session {
    fn new(
        py: Python<'_>,
        config: &SessionConfig,
        protocols: &ProtocolSet,
        opening: Opening,
        expected_peer: Option<&Bound<'_, PyAny>>,
        now: f64,
    ) -> PyResult<Self> {
        let expected = expected_peer.map(errors::peer_id).transpose()?;
        let fresh = Fresh { seed: random()?, unix_time: unix_time() };
        let (names, now) = (&protocols.names, instant(now)?);
        let session = session::Session::new(&config.config, names, opening, expected, fresh, now)
            .map_err(|error| command(py, &error))?;
        let session = match &config.network {
            Some(key) => session.behind(Veil::new(key.clone(), random()?)),
            None => session,
        };
        let has_plugins = config.has_plugins();
        Ok(Self { session, events: Vec::new(), was_overloaded: false, wire: Wire::default(), has_plugins })
    }
}

thread_local! {
    /// Where records are built before they become `bytes`: one for all sessions of a thread, so that an
    /// idle connection owns none.
    static OUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A time in seconds on the caller's clock.
pub(crate) fn instant(now: f64) -> PyResult<Instant> {
    if now.is_finite() && now >= 0.0 {
        // Between 0 and 2^63 after the check, up to what a clock can show.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Ok(Instant::from_micros((now * MICROS).ceil() as u64))
    } else {
        Err(PyValueError::new_err("the time is not a number of seconds"))
    }
}

/// The same back.
pub(crate) fn seconds(time: Instant) -> f64 {
    #[allow(clippy::cast_precision_loss)] // microseconds fit a float for 285 years
    let micros = time.as_micros() as f64;
    micros / MICROS
}

/// The system's clock, for the validity of certificates. Before 1970 nothing is valid.
pub(crate) fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

const MICROS: f64 = 1e6;

/// Bytes of a write from which on keeping the object costs less than copying what is in it.
const LEAST_LOAN: usize = 8 << 10;
