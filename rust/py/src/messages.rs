//! Protobuf messages as tuples of Python objects.

use plait_core::delimited;
use plait_core::messages::{Envelope, Error, Identify, MAX_IDENTIFY, PeerRecord};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::buf::with_buffer;
use crate::errors::{self, SplitError};

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(decode_identify, module)?)?;
    module.add_function(wrap_pyfunction!(encode_identify, module)?)?;
    module.add_function(wrap_pyfunction!(decode_envelope, module)?)?;
    module.add_function(wrap_pyfunction!(encode_envelope, module)?)?;
    module.add_function(wrap_pyfunction!(decode_peer_record, module)?)?;
    module.add_function(wrap_pyfunction!(encode_peer_record, module)?)
}

type Bytes<'py> = Bound<'py, PyBytes>;
type IdentifyTuple<'py> = (
    Option<Bytes<'py>>,
    Vec<Bytes<'py>>,
    Vec<String>,
    Option<Bytes<'py>>,
    Option<String>,
    Option<String>,
    Option<Bytes<'py>>,
);

/// All messages of one exchange, each with its length in front.
#[pyfunction]
fn decode_identify<'py>(py: Python<'py>, messages: &Bound<'py, PyAny>) -> PyResult<IdentifyTuple<'py>> {
    let identify = with_buffer(messages, |data| {
        let bodies = split(data).map_err(|error| errors::delimited(py, &error))?;
        Identify::decode_all(bodies).map_err(|error| errors::message(py, &error))
    })??;
    let bytes = |data: Vec<u8>| PyBytes::new(py, &data);
    Ok((
        identify.public_key.map(bytes),
        identify.listen_addresses.into_iter().map(bytes).collect(),
        identify.protocols,
        identify.observed_address.map(bytes),
        identify.protocol_version,
        identify.agent_version,
        identify.signed_peer_record.map(bytes),
    ))
}

#[pyfunction]
// The seven fields of the message, as Python gives them.
#[allow(clippy::too_many_arguments)]
fn encode_identify<'py>(
    py: Python<'py>,
    public_key: Option<&Bound<'py, PyAny>>,
    listen_addrs: Vec<Bound<'py, PyAny>>,
    protocols: Vec<String>,
    observed_addr: Option<&Bound<'py, PyAny>>,
    protocol_version: Option<String>,
    agent_version: Option<String>,
    signed_peer_record: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bytes<'py>> {
    let identify = Identify {
        public_key: public_key.map(owned).transpose()?,
        listen_addresses: listen_addrs.iter().map(owned).collect::<PyResult<_>>()?,
        protocols,
        observed_address: observed_addr.map(owned).transpose()?,
        protocol_version,
        agent_version,
        signed_peer_record: signed_peer_record.map(owned).transpose()?,
    };
    let mut out = Vec::new();
    for message in identify.encode().map_err(|error| errors::too_large(py, &error))? {
        delimited::encode(&message, &mut out);
    }
    Ok(PyBytes::new(py, &out))
}

#[pyfunction]
fn decode_envelope<'py>(
    py: Python<'py>,
    data: &Bound<'py, PyAny>,
) -> PyResult<(Bytes<'py>, Bytes<'py>, Bytes<'py>, Bytes<'py>)> {
    let envelope = with_buffer(data, Envelope::decode)?.map_err(|error| errors::message(py, &error))?;
    let required = |field: Option<Vec<u8>>, name| match field {
        Some(data) => Ok(PyBytes::new(py, &data)),
        None => Err(errors::message(py, &Error::MissingField { message: "envelope", field: name })),
    };
    Ok((
        required(envelope.public_key, "public_key")?,
        required(envelope.payload_type, "payload_type")?,
        PyBytes::new(py, &envelope.payload.unwrap_or_default()),
        required(envelope.signature, "signature")?,
    ))
}

#[pyfunction]
fn encode_envelope<'py>(
    py: Python<'py>,
    public_key: &Bound<'py, PyAny>,
    payload_type: &Bound<'py, PyAny>,
    payload: &Bound<'py, PyAny>,
    signature: &Bound<'py, PyAny>,
) -> PyResult<Bytes<'py>> {
    let envelope = Envelope {
        public_key: Some(owned(public_key)?),
        payload_type: Some(owned(payload_type)?),
        payload: Some(owned(payload)?),
        signature: Some(owned(signature)?),
    };
    let bytes = envelope.encode().map_err(|error| errors::too_large(py, &error))?;
    Ok(PyBytes::new(py, &bytes))
}

#[pyfunction]
fn decode_peer_record<'py>(
    py: Python<'py>,
    data: &Bound<'py, PyAny>,
) -> PyResult<(Bytes<'py>, u64, Vec<Bytes<'py>>)> {
    let record = with_buffer(data, PeerRecord::decode)?.map_err(|error| errors::message(py, &error))?;
    let addresses = record.addresses.iter().map(|address| PyBytes::new(py, address)).collect();
    Ok((PyBytes::new(py, &record.peer_id), record.seq, addresses))
}

#[pyfunction]
fn encode_peer_record<'py>(
    py: Python<'py>,
    peer_id: &Bound<'py, PyAny>,
    seq: u64,
    addresses: Vec<Bound<'py, PyAny>>,
) -> PyResult<Bytes<'py>> {
    let record = PeerRecord {
        peer_id: owned(peer_id)?,
        seq,
        addresses: addresses.iter().map(owned).collect::<PyResult<_>>()?,
    };
    Ok(PyBytes::new(py, &record.encode()))
}

fn owned(data: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    with_buffer(data, <[u8]>::to_vec)
}

fn split(mut data: &[u8]) -> Result<Vec<&[u8]>, SplitError> {
    let mut bodies = Vec::new();
    while !data.is_empty() {
        let Some((body, used)) = delimited::decode(data, MAX_IDENTIFY)? else {
            return Err(SplitError::Truncated);
        };
        bodies.push(body);
        data = &data[used..];
    }
    Ok(bodies)
}
