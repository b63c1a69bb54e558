//! What sessions share: bounds, budget, protocols.

use std::sync::Arc;
use std::time::Duration;

use plait_core::limits::Budget;
use plait_core::mux::{self, MuxConfig};
use plait_core::pnet::{KEY_LENGTH, NetworkKey};
use plait_core::{multistream, secure, session};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::buf::with_buffer;
use crate::errors::{network_file, protocol_name};
use crate::foreign;
use crate::security::Security;

/// Bytes that all sessions of a host may hold for streams that are not read.
#[pyclass(frozen, module = "plait._core._rust")]
pub(crate) struct MemoryBudget {
    budget: Budget,
    limit: usize,
}

#[pymethods]
impl MemoryBudget {
    #[new]
    fn new(limit: usize) -> Self {
        Self { budget: Budget::new(limit), limit }
    }

    #[getter]
    fn limit(&self) -> usize {
        self.limit
    }

    #[getter]
    fn used(&self) -> usize {
        self.budget.used()
    }
}

/// The protocols that a host answers to: made anew when one is added, shared by its sessions.
#[pyclass(frozen, module = "plait._core._rust")]
pub(crate) struct ProtocolSet {
    pub(crate) names: Arc<multistream::ProtocolSet>,
    size: usize,
}

#[pymethods]
impl ProtocolSet {
    #[new]
    #[pyo3(signature = (names, rule = None))]
    fn new(py: Python<'_>, names: Vec<String>, rule: Option<Py<PyAny>>) -> PyResult<Self> {
        let size = names.len();
        let mut names = multistream::ProtocolSet::new(names).map_err(|error| protocol_name(py, &error))?;
        if let Some(rule) = rule {
            names = names.with_rule(Arc::new(move |name| accepts(&rule, name)));
        }
        Ok(Self { names: Arc::new(names), size })
    }

    fn __contains__(&self, name: &str) -> bool {
        multistream::Supported::supports(&*self.names, name)
    }

    fn __len__(&self) -> usize {
        self.size
    }
}

/// The verdict of a rule written in Python. One that fails accepts nothing, and Python's hook for errors
/// that nobody can catch is told.
fn accepts(rule: &Py<PyAny>, name: &str) -> bool {
    Python::attach(|py| {
        let rule = rule.bind(py);
        rule.call1((name,)).and_then(|verdict| verdict.is_truthy()).unwrap_or_else(|error| {
            error.write_unraisable(py, Some(rule));
            false
        })
    })
}

/// One muxer that a host speaks.
#[pyclass(frozen, module = "plait._core._rust")]
pub(crate) struct Muxer {
    muxer: mux::Muxer,
}

#[pymethods]
impl Muxer {
    #[staticmethod]
    fn named(protocol: &str) -> PyResult<Self> {
        let muxer = mux::Muxer::named(protocol);
        let unknown = || PyValueError::new_err(format!("{protocol} is no muxer of ours"));
        Ok(Self { muxer: muxer.ok_or_else(unknown)? })
    }

    /// A protocol that is a Python object.
    #[staticmethod]
    fn foreign(plugin: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self { muxer: mux::Muxer::Foreign(Arc::new(foreign::Muxer::new(plugin)?)) })
    }

    #[getter]
    fn protocol(&self) -> &str {
        self.muxer.protocol()
    }
}

/// What all sessions of a host share. Times in seconds, sizes in bytes.
#[pyclass(frozen, module = "plait._core._rust")]
pub(crate) struct SessionConfig {
    pub(crate) config: Arc<session::Config>,
    pub(crate) network: Option<NetworkKey>,
}

#[pymethods]
impl SessionConfig {
    #[new]
    #[pyo3(signature = (*, security, muxers, budget, private_network=None, upgrade_timeout=10.0,
        negotiate_timeout=10.0, close_timeout=1.0, linger=30.0, keepalive_interval=30.0,
        keepalive_timeout=10.0, max_inbound_streams=1024, max_negotiating_streams=128,
        max_unacknowledged_streams=256, max_stream_window=16_777_216, max_buffered=67_108_864,
        send_buffer=262_144))]
    // One keyword for each bound is the interface that Python sees.
    #[allow(clippy::too_many_arguments)]
    fn new(
        security: Vec<PyRef<'_, Security>>,
        muxers: Vec<PyRef<'_, Muxer>>,
        budget: &MemoryBudget,
        private_network: Option<&Bound<'_, PyAny>>,
        upgrade_timeout: f64,
        negotiate_timeout: f64,
        close_timeout: f64,
        linger: f64,
        keepalive_interval: f64,
        keepalive_timeout: f64,
        max_inbound_streams: usize,
        max_negotiating_streams: usize,
        max_unacknowledged_streams: usize,
        max_stream_window: u32,
        max_buffered: usize,
        send_buffer: usize,
    ) -> PyResult<Self> {
        let mux = MuxConfig {
            max_inbound_streams,
            // The session accepts whatever it may as soon as it sees it, and bounds what it negotiates itself.
            max_unaccepted_streams: max_inbound_streams,
            max_unacknowledged_streams,
            max_stream_window,
            max_buffered_in: max_buffered,
            max_buffered_out: max_buffered,
            send_buffer,
            keepalive_interval: seconds(keepalive_interval)?,
            keepalive_timeout: seconds(keepalive_timeout)?,
            linger: seconds(linger)?,
            ..MuxConfig::default()
        };
        let network = private_network.map(network_key).transpose()?;
        let config = session::Config {
            security: security.iter().map(|each| each.security.clone()).collect(),
            muxers: muxers.iter().map(|each| each.muxer.clone()).collect(),
            early_muxers: true,
            mux: Arc::new(mux),
            budget: budget.budget.clone(),
            upgrade_timeout: seconds(upgrade_timeout)?,
            negotiate_timeout: seconds(negotiate_timeout)?,
            close_timeout: seconds(close_timeout)?,
            max_negotiating: max_negotiating_streams,
        };
        Ok(Self { config: Arc::new(config), network })
    }

    fn replace(&self, security: Vec<PyRef<'_, Security>>, muxers: Vec<PyRef<'_, Muxer>>) -> Self {
        let mut config = (*self.config).clone();
        config.security = security.iter().map(|each| each.security.clone()).collect();
        config.muxers = muxers.iter().map(|each| each.muxer.clone()).collect();
        Self { config: Arc::new(config), network: self.network.clone() }
    }
}

impl SessionConfig {
    /// Whether sessions call Python code while they receive and transmit.
    pub(crate) fn has_plugins(&self) -> bool {
        self.config.security.iter().any(|each| matches!(each, secure::Security::Foreign(_)))
            || self.config.muxers.iter().any(|each| matches!(each, mux::Muxer::Foreign(_)))
    }
}

#[pyfunction]
pub(crate) fn parse_network_key<'py>(
    py: Python<'py>,
    file: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
    let key = with_buffer(file, NetworkKey::parse)?.map_err(|error| network_file(py, error))?;
    Ok(PyBytes::new(py, key.as_bytes()))
}

#[pyfunction]
pub(crate) fn format_network_key(key: &Bound<'_, PyAny>) -> PyResult<String> {
    Ok(network_key(key)?.to_file())
}

fn network_key(key: &Bound<'_, PyAny>) -> PyResult<NetworkKey> {
    with_buffer(key, |bytes| <[u8; KEY_LENGTH]>::try_from(bytes))?
        .map(NetworkKey::new)
        .map_err(|_| PyValueError::new_err("a network key has 32 bytes"))
}

fn seconds(value: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value)
        .map_err(|_| PyValueError::new_err(format!("{value} is no number of seconds")))
}
