//! Keys and peer ids.

use plait_core::identity::{KeyType, PeerId, PublicKey};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::buf::with_buffer;
use crate::errors::identity;

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(decode_public_key, module)?)?;
    module.add_function(wrap_pyfunction!(encode_public_key, module)?)?;
    module.add_function(wrap_pyfunction!(peer_id_from_public_key, module)?)?;
    module.add_function(wrap_pyfunction!(check_peer_id, module)?)?;
    module.add_function(wrap_pyfunction!(verify, module)?)
}

#[pyfunction]
fn decode_public_key<'py>(
    py: Python<'py>,
    protobuf: &Bound<'py, PyAny>,
) -> PyResult<(i32, Bound<'py, PyBytes>)> {
    let key = public_key(protobuf)?;
    Ok((key.kind().number(), PyBytes::new(py, key.data())))
}

#[pyfunction]
fn encode_public_key<'py>(
    py: Python<'py>,
    kind: i32,
    data: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
    let kind = KeyType::from_number(kind).map_err(|error| identity(py, &error))?;
    let data = with_buffer(data, <[u8]>::to_vec)?;
    let key = PublicKey::new(kind, data).map_err(|error| identity(py, &error))?;
    Ok(PyBytes::new(py, &key.encode()))
}

#[pyfunction]
fn peer_id_from_public_key<'py>(
    py: Python<'py>,
    protobuf: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
    Ok(PyBytes::new(py, public_key(protobuf)?.peer_id().as_bytes()))
}

#[pyfunction]
fn check_peer_id(multihash: &Bound<'_, PyAny>) -> PyResult<()> {
    with_buffer(multihash, |bytes| PeerId::from_bytes(bytes).map(drop))?
        .map_err(|error| identity(multihash.py(), &error))
}

#[pyfunction]
fn verify(
    public_key: &Bound<'_, PyAny>,
    message: &Bound<'_, PyAny>,
    signature: &Bound<'_, PyAny>,
) -> PyResult<bool> {
    let key = self::public_key(public_key)?;
    with_buffer(message, |message| {
        with_buffer(signature, |signature| key.verify(message, signature).is_ok())
    })?
}

pub(crate) fn public_key(protobuf: &Bound<'_, PyAny>) -> PyResult<PublicKey> {
    with_buffer(protobuf, PublicKey::decode)?.map_err(|error| identity(protobuf.py(), &error))
}
