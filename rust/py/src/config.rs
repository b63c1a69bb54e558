//! What sessions share: bounds, budget, protocols.

use std::sync::Arc;
use std::time::Duration;

use plait_core::limits::Budget;
use plait_core::mux::MuxConfig;
use plait_core::noise::StaticKeys;
use plait_core::{multistream, session};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::buf::with_buffer;
use crate::errors::{identity, protocol_name};

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
    fn new(py: Python<'_>, names: Vec<String>) -> PyResult<Self> {
        let size = names.len();
        let names = multistream::ProtocolSet::new(names).map_err(|error| protocol_name(py, &error))?;
        Ok(Self { names: Arc::new(names), size })
    }

    fn __contains__(&self, name: &str) -> bool {
        multistream::Supported::supports(&*self.names, name)
    }

    fn __len__(&self) -> usize {
        self.size
    }
}

/// What all sessions of a host share. Times in seconds, sizes in bytes.
#[pyclass(frozen, module = "plait._core._rust")]
pub(crate) struct SessionConfig {
    pub(crate) config: Arc<session::Config>,
}

#[pymethods]
impl SessionConfig {
    #[new]
    #[pyo3(signature = (*, noise_secret, identity_key, identity_signature, budget, upgrade_timeout=10.0,
        negotiate_timeout=10.0, close_timeout=1.0, linger=30.0, keepalive_interval=30.0,
        keepalive_timeout=10.0, max_inbound_streams=1024, max_negotiating_streams=128,
        max_unacknowledged_streams=256, max_stream_window=16_777_216, max_buffered=67_108_864,
        send_buffer=262_144))]
    // One keyword for each bound is the interface that Python sees.
    #[allow(clippy::too_many_arguments)]
    fn new(
        py: Python<'_>,
        noise_secret: &Bound<'_, PyAny>,
        identity_key: &Bound<'_, PyAny>,
        identity_signature: &Bound<'_, PyAny>,
        budget: &MemoryBudget,
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
        let secret = noise_key(noise_secret)?;
        let identity_key = with_buffer(identity_key, <[u8]>::to_vec)?;
        let signature = with_buffer(identity_signature, <[u8]>::to_vec)?;
        let keys = StaticKeys::new(secret, identity_key, signature).map_err(|error| identity(py, &error))?;
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
        let config = session::Config {
            keys: Arc::new(keys),
            mux: Arc::new(mux),
            budget: budget.budget.clone(),
            upgrade_timeout: seconds(upgrade_timeout)?,
            negotiate_timeout: seconds(negotiate_timeout)?,
            close_timeout: seconds(close_timeout)?,
            max_negotiating: max_negotiating_streams,
        };
        Ok(Self { config: Arc::new(config) })
    }
}

/// 32 bytes of an X25519 secret.
pub(crate) fn noise_key(secret: &Bound<'_, PyAny>) -> PyResult<[u8; 32]> {
    with_buffer(secret, |bytes| <[u8; 32]>::try_from(bytes))?
        .map_err(|_| PyValueError::new_err("an X25519 secret has 32 bytes"))
}

fn seconds(value: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value)
        .map_err(|_| PyValueError::new_err(format!("{value} is no number of seconds")))
}
