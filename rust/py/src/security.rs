//! Security protocols with this host's credentials.

use std::sync::Arc;

use plait_core::noise::{self, StaticKeys};
use plait_core::plaintext::Claim;
use plait_core::secure;
use plait_core::tls::{self, CertificateKey, Credentials};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::buf::with_buffer;
use crate::errors;
use crate::foreign;
use crate::identity::public_key;
use crate::random::random;
use crate::session::unix_time;

/// One security protocol that a host speaks.
#[pyclass(frozen, module = "plait._core._rust")]
pub(crate) struct Security {
    pub(crate) security: secure::Security,
}

#[pymethods]
impl Security {
    /// Noise with a fresh static key that the identity vouches for.
    #[staticmethod]
    fn noise(py: Python<'_>, identity_key: &Bound<'_, PyAny>, sign: &Bound<'_, PyAny>) -> PyResult<Self> {
        let secret = random()?;
        let message = StaticKeys::signed_message(&StaticKeys::public_of(&secret));
        let identity_key = with_buffer(identity_key, <[u8]>::to_vec)?;
        let keys = StaticKeys::new(secret, identity_key, signature(sign, &message)?)
            .map_err(|error| errors::identity(py, &error))?;
        Ok(Self { security: secure::Security::Noise(Arc::new(keys)) })
    }

    /// TLS with a fresh certificate that the identity vouches for.
    #[staticmethod]
    fn tls(py: Python<'_>, identity_key: &Bound<'_, PyAny>, sign: &Bound<'_, PyAny>) -> PyResult<Self> {
        let key = CertificateKey::generate().map_err(|error| errors::credentials(py, &error))?;
        let signature = signature(sign, &key.signed_message())?;
        let identity_key = with_buffer(identity_key, <[u8]>::to_vec)?;
        let credentials = Credentials::new(key, identity_key, signature, unix_time())
            .map_err(|error| errors::credentials(py, &error))?;
        Ok(Self { security: secure::Security::Tls(Arc::new(credentials)) })
    }

    #[staticmethod]
    fn plaintext(identity_key: &Bound<'_, PyAny>) -> PyResult<Self> {
        let claim = Claim::new(&public_key(identity_key)?);
        Ok(Self { security: secure::Security::Plaintext(Arc::new(claim)) })
    }

    /// A protocol that is a Python object.
    #[staticmethod]
    fn foreign(plugin: &Bound<'_, PyAny>, identity: &Bound<'_, PyAny>) -> PyResult<Self> {
        let security = foreign::Security::new(plugin, identity)?;
        Ok(Self { security: secure::Security::Foreign(Arc::new(security)) })
    }

    /// Whether the CPU has instructions for the cipher that TLS would rather use.
    #[staticmethod]
    fn tls_is_fast() -> bool {
        tls::has_aes_instructions()
    }

    #[getter]
    fn protocol(&self) -> &str {
        self.security.protocol()
    }
}

/// What the identity's own signing function makes of a message.
fn signature(sign: &Bound<'_, PyAny>, message: &[u8]) -> PyResult<Vec<u8>> {
    let made = sign.call1((PyBytes::new(sign.py(), message),))?;
    with_buffer(&made, <[u8]>::to_vec)
}

/// Whose cipher long Noise records go through here.
#[pyfunction]
pub(crate) fn long_noise_records_by() -> &'static str {
    noise::long_messages_by()
}
