//! Plug-ins: security protocols and muxers that are Python objects, behind the core's traits.
//!
//! They are called with the interpreter's lock held, from inside a session's method, and everything that
//! they give is checked on its way. What they raise becomes a [`Fault`] and never an exception here.

use plait_core::fault::Fault;
use plait_core::identity::{PeerId, PublicKey};
use plait_core::mux::Role;
use plait_core::mux::foreign::{ForeignConnection, ForeignFrame, ForeignMuxer};
use plait_core::secure::{ForeignChannel, ForeignCompleted, ForeignHandshake, ForeignSecurity, Side};
use plait_core::time::Instant;
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyTuple, PyType};

use crate::buf::with_buffer;
use crate::session::{instant, seconds};

/// What Python code of somebody else gave, or what it raised.
fn guarded<R>(call: impl FnOnce(Python<'_>) -> PyResult<R>) -> Result<R, Fault> {
    Python::attach(|py| call(py).map_err(Fault::new))
}

// ---- security

/// A `plait.abc.SecurityProtocol` with the identity of the host.
#[derive(Debug)]
pub(crate) struct Security {
    protocol: String,
    plugin: Py<PyAny>,
    identity: Py<PyAny>,
}

impl Security {
    pub(crate) fn new(plugin: &Bound<'_, PyAny>, identity: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self {
            protocol: plugin.getattr("protocol")?.extract()?,
            plugin: plugin.clone().unbind(),
            identity: identity.clone().unbind(),
        })
    }
}

impl ForeignSecurity for Security {
    fn protocol(&self) -> &str {
        &self.protocol
    }

    fn begin(
        &self,
        side: Side,
        muxers: &[String],
        expected: Option<&PeerId>,
    ) -> Result<Box<dyn ForeignHandshake>, Fault> {
        let role = match side {
            Side::Initiator => INITIATOR,
            Side::Responder => RESPONDER,
        };
        guarded(|py| {
            let expected = expected
                .map(|id| py.import("plait.identity")?.getattr("PeerId")?.call1((id.as_bytes(),)))
                .transpose()?;
            let arguments = (&self.identity, role, expected, PyTuple::new(py, muxers)?);
            let handshake = self.plugin.call_method1(py, intern!(py, "begin"), arguments)?;
            Ok(Box::new(Handshake(handshake)) as Box<dyn ForeignHandshake>)
        })
    }
}

/// A `plait.abc.SecurityHandshake`.
#[derive(Debug)]
struct Handshake(Py<PyAny>);

impl ForeignHandshake for Handshake {
    fn receive(&mut self, data: &[u8]) -> Result<Option<ForeignCompleted>, Fault> {
        guarded(|py| {
            let given = PyBytes::new(py, data);
            let secured = self.0.bind(py).call_method1(intern!(py, "receive"), (given,))?;
            if secured.is_none() { Ok(None) } else { completed(&secured, data).map(Some) }
        })
    }

    fn transmit(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
        guarded(|py| append(&self.0.bind(py).call_method0(intern!(py, "transmit"))?, out))
    }
}

/// What a `plait.abc.Secured` says.
fn completed(secured: &Bound<'_, PyAny>, received: &[u8]) -> PyResult<ForeignCompleted> {
    let py = secured.py();
    let key = secured.getattr(intern!(py, "remote_public_key"))?.call_method0(intern!(py, "to_protobuf"))?;
    let remote =
        with_buffer(&key, PublicKey::decode)?.map_err(|error| crate::errors::identity(py, &error))?;
    let unused = with_buffer(&secured.getattr(intern!(py, "unused"))?, |unused| {
        received.ends_with(unused).then_some(unused.len())
    })?;
    Ok(ForeignCompleted {
        remote,
        remote_muxers: secured.getattr(intern!(py, "remote_muxers"))?.extract()?,
        unused: unused.ok_or_else(|| PyTypeError::new_err("the unused bytes are not the last received"))?,
        channel: Box::new(Channel(secured.getattr(intern!(py, "channel"))?.unbind())),
    })
}

/// A `plait.abc.SecureChannel`.
#[derive(Debug)]
struct Channel(Py<PyAny>);

impl ForeignChannel for Channel {
    fn receive(&mut self, data: &[u8], plaintexts: &mut Vec<Vec<u8>>) -> Result<(), Fault> {
        guarded(|py| {
            let given = PyBytes::new(py, data);
            for plaintext in self.0.bind(py).call_method1(intern!(py, "receive"), (given,))?.try_iter()? {
                plaintexts.push(with_buffer(&plaintext?, <[u8]>::to_vec)?);
            }
            Ok(())
        })
    }

    fn seal(&mut self, plaintext: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        guarded(|py| {
            let given = PyBytes::new(py, plaintext);
            append(&self.0.bind(py).call_method1(intern!(py, "seal"), (given,))?, out)
        })
    }

    fn has_partial(&self) -> Result<bool, Fault> {
        guarded(|py| self.0.bind(py).getattr(intern!(py, "has_partial"))?.is_truthy())
    }
}

// ---- muxer

/// A `plait.abc.Muxer`.
#[derive(Debug)]
pub(crate) struct Muxer {
    protocol: String,
    plugin: Py<PyAny>,
}

impl Muxer {
    pub(crate) fn new(plugin: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self { protocol: plugin.getattr("protocol")?.extract()?, plugin: plugin.clone().unbind() })
    }
}

impl ForeignMuxer for Muxer {
    fn protocol(&self) -> &str {
        &self.protocol
    }

    fn begin(&self, role: Role, now: Instant) -> Result<Box<dyn ForeignConnection>, Fault> {
        let role = match role {
            Role::Client => INITIATOR,
            Role::Server => RESPONDER,
        };
        guarded(|py| {
            let connection = self.plugin.call_method1(py, intern!(py, "begin"), (role, seconds(now)))?;
            Ok(Box::new(Connection(connection)) as Box<dyn ForeignConnection>)
        })
    }
}

/// A `plait.abc.MuxedConnection`.
#[derive(Debug)]
struct Connection(Py<PyAny>);

impl ForeignConnection for Connection {
    fn receive(&mut self, data: &[u8], now: Instant, frames: &mut Vec<ForeignFrame>) -> Result<(), Fault> {
        guarded(|py| {
            let arguments = (PyBytes::new(py, data), seconds(now));
            collect(&self.0.bind(py).call_method1(intern!(py, "receive"), arguments)?, frames)
        })
    }

    fn open(&mut self) -> Result<Option<u64>, Fault> {
        guarded(|py| self.0.bind(py).call_method0(intern!(py, "open"))?.extract())
    }

    fn send(&mut self, stream: u64, data: &[u8]) -> Result<usize, Fault> {
        guarded(|py| {
            let arguments = (stream, PyBytes::new(py, data));
            self.0.bind(py).call_method1(intern!(py, "send"), arguments)?.extract()
        })
    }

    fn finish(&mut self, stream: u64) -> Result<(), Fault> {
        guarded(|py| self.0.bind(py).call_method1(intern!(py, "finish"), (stream,)).map(drop))
    }

    fn reset(&mut self, stream: u64, code: u32) -> Result<(), Fault> {
        guarded(|py| self.0.bind(py).call_method1(intern!(py, "reset"), (stream, code)).map(drop))
    }

    fn consumed(&mut self, stream: u64, count: usize) -> Result<(), Fault> {
        guarded(|py| self.0.bind(py).call_method1(intern!(py, "consumed"), (stream, count)).map(drop))
    }

    fn go_away(&mut self, code: u32) -> Result<(), Fault> {
        guarded(|py| self.0.bind(py).call_method1(intern!(py, "go_away"), (code,)).map(drop))
    }

    fn transmit(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
        guarded(|py| append(&self.0.bind(py).call_method0(intern!(py, "transmit"))?, out))
    }

    fn handle_timeout(&mut self, now: Instant, frames: &mut Vec<ForeignFrame>) -> Result<(), Fault> {
        guarded(|py| {
            let given = self.0.bind(py).call_method1(intern!(py, "handle_timeout"), (seconds(now),))?;
            collect(&given, frames)
        })
    }

    fn next_timeout(&self) -> Result<Option<Instant>, Fault> {
        guarded(|py| {
            let wanted: Option<f64> = self.0.bind(py).call_method0(intern!(py, "next_timeout"))?.extract()?;
            wanted.map(instant).transpose()
        })
    }
}

/// The frames that an iterable gives, up to where it raises.
fn collect(given: &Bound<'_, PyAny>, frames: &mut Vec<ForeignFrame>) -> PyResult<()> {
    for each in given.try_iter()? {
        frames.push(frame(&each?)?);
    }
    Ok(())
}

fn frame(given: &Bound<'_, PyAny>) -> PyResult<ForeignFrame> {
    let py = given.py();
    let kind = given.get_type();
    let classes = FRAMES.get_or_try_init(py, || Frames::import(py))?;
    let is = |class: &Py<PyType>| kind.is(class);
    if is(&classes.data) {
        let (stream, data) = given.extract::<(u64, Bound<'_, PyAny>)>()?;
        return Ok(ForeignFrame::Data(stream, with_buffer(&data, <[u8]>::to_vec)?));
    }
    if is(&classes.reset) {
        let (stream, code) = given.extract()?;
        return Ok(ForeignFrame::Reset(stream, code));
    }
    let (number,): (u64,) = if kind.is_subclass_of::<PyTuple>()? {
        given.extract()?
    } else {
        return Err(PyTypeError::new_err(format!("{given:?} is no frame of plait.abc")));
    };
    if is(&classes.opened) {
        Ok(ForeignFrame::Opened(number))
    } else if is(&classes.fin) {
        Ok(ForeignFrame::Fin(number))
    } else if is(&classes.credit) {
        Ok(ForeignFrame::Credit(number))
    } else if is(&classes.go_away) {
        Ok(ForeignFrame::GoAway(u32::try_from(number)?))
    } else {
        Err(PyTypeError::new_err(format!("{given:?} is no frame of plait.abc")))
    }
}

/// The classes of `plait.abc` for what a frame means.
struct Frames {
    opened: Py<PyType>,
    data: Py<PyType>,
    fin: Py<PyType>,
    reset: Py<PyType>,
    credit: Py<PyType>,
    go_away: Py<PyType>,
}

impl Frames {
    fn import(py: Python<'_>) -> PyResult<Self> {
        let module = py.import("plait.abc")?;
        let class = |name| PyResult::Ok(module.getattr(name)?.cast_into::<PyType>()?.unbind());
        Ok(Self {
            opened: class("StreamOpened")?,
            data: class("StreamData")?,
            fin: class("StreamFin")?,
            reset: class("StreamReset")?,
            credit: class("StreamCredit")?,
            go_away: class("GoAway")?,
        })
    }
}

static FRAMES: PyOnceLock<Frames> = PyOnceLock::new();

fn append(bytes: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> PyResult<()> {
    with_buffer(bytes, |bytes| out.extend_from_slice(bytes))
}

/// The two roles as `plait.types.Role` names them.
const INITIATOR: &str = "initiator";
const RESPONDER: &str = "responder";
