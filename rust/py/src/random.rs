//! Randomness: the core takes it as an argument, so it comes from here.

use pyo3::PyResult;
use pyo3::exceptions::PyOSError;
use ring::rand::{SecureRandom, SystemRandom};

/// Bytes that nobody can guess.
pub(crate) fn random<const N: usize>() -> PyResult<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| PyOSError::new_err("the system has no random numbers"))?;
    Ok(bytes)
}
