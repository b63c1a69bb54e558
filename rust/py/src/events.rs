//! A session's events as tuples: a number for the kind, then what belongs to it.

use plait_core::session::{self, Event};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::errors;

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("ESTABLISHED", ESTABLISHED)?;
    module.add("STREAM_OPENED", STREAM_OPENED)?;
    module.add("STREAM_READY", STREAM_READY)?;
    module.add("STREAM_REFUSED", STREAM_REFUSED)?;
    module.add("READABLE", READABLE)?;
    module.add("WRITABLE", WRITABLE)?;
    module.add("STREAM_RESET", STREAM_RESET)?;
    module.add("OPEN_CREDIT", OPEN_CREDIT)?;
    module.add("PING_RTT", PING_RTT)?;
    module.add("CLOSED", CLOSED)?;
    module.add("MUXER_AGREED", MUXER_AGREED)?;
    module.add_class::<Established>()
}

/// What an upgrade agreed on.
#[pyclass(frozen, module = "plait._core._rust")]
pub(crate) struct Established {
    agreed: session::Established,
}

#[pymethods]
impl Established {
    #[getter]
    fn remote_peer<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.agreed.remote.peer.as_bytes())
    }

    #[getter]
    fn remote_public_key<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.agreed.remote.key.encode())
    }

    #[getter]
    fn security(&self) -> &str {
        &self.agreed.security
    }

    #[getter]
    fn muxer(&self) -> &str {
        &self.agreed.muxer
    }

    #[getter]
    fn early_muxer(&self) -> bool {
        self.agreed.early_muxer
    }

    #[getter]
    fn muxer_agreed(&self) -> bool {
        self.agreed.muxer_agreed
    }

    #[getter]
    fn round_trips(&self) -> u32 {
        self.agreed.round_trips
    }
}

/// The events as a list of tuples, in order.
pub(crate) fn to_list(py: Python<'_>, events: Vec<Event>) -> PyResult<Bound<'_, PyList>> {
    let list = PyList::empty(py);
    for event in events {
        match event {
            Event::Readable(id) => list.append((READABLE, id.as_u64()))?,
            Event::Writable(id) => list.append((WRITABLE, id.as_u64()))?,
            Event::StreamOpened { id, protocol } => list.append((STREAM_OPENED, id.as_u64(), protocol))?,
            Event::StreamReady { id, protocol } => list.append((STREAM_READY, id.as_u64(), protocol))?,
            Event::StreamRefused { id, refusal } => {
                list.append((STREAM_REFUSED, id.as_u64(), errors::refusal(py, &refusal)?))?;
            }
            Event::StreamReset { id, code } => list.append((STREAM_RESET, id.as_u64(), code))?,
            Event::OpenCredit => list.append((OPEN_CREDIT,))?,
            Event::PingRtt(rtt) => list.append((PING_RTT, rtt.as_secs_f64()))?,
            Event::Established(agreed) => {
                list.append((ESTABLISHED, Bound::new(py, Established { agreed: *agreed })?))?;
            }
            Event::MuxerAgreed => list.append((MUXER_AGREED,))?,
            Event::Closed(reason) => list.append((CLOSED, errors::reason(py, &reason)?))?,
        }
    }
    Ok(list)
}

const ESTABLISHED: u8 = 0;
const STREAM_OPENED: u8 = 1;
const STREAM_READY: u8 = 2;
const STREAM_REFUSED: u8 = 3;
const READABLE: u8 = 4;
const WRITABLE: u8 = 5;
const STREAM_RESET: u8 = 6;
const OPEN_CREDIT: u8 = 7;
const PING_RTT: u8 = 8;
const CLOSED: u8 = 9;
const MUXER_AGREED: u8 = 10;
