//! The native module `plait._core._rust`: translation between Python and `plait-core`.
//!
//! No protocol is decided here. Bytes come in and go out by the buffer protocol, core errors become
//! Python's classes in `errors`, and every `unsafe` line is in `buf`.

mod block;
mod buf;
mod buffers;
mod config;
mod errors;
mod events;
mod files;
mod foreign;
mod identity;
mod messages;
mod random;
mod security;
mod session;
mod socket;
mod waiter;

use pyo3::prelude::*;

#[pymodule]
fn _rust(module: &Bound<'_, PyModule>) -> PyResult<()> {
    buffers::keep_memory();
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<buf::ReceiveBuffer>()?;
    module.add_class::<config::MemoryBudget>()?;
    module.add_class::<config::ProtocolSet>()?;
    module.add_class::<config::SessionConfig>()?;
    module.add_class::<security::Security>()?;
    module.add_class::<config::Muxer>()?;
    module.add_class::<session::Session>()?;
    module.add_class::<waiter::Waiter>()?;
    events::register(module)?;
    socket::register(module)?;
    identity::register(module)?;
    messages::register(module)?;
    files::register(module)?;
    module.add_function(wrap_pyfunction!(security::long_noise_records_by, module)?)?;
    module.add_function(wrap_pyfunction!(config::parse_network_key, module)?)?;
    module.add_function(wrap_pyfunction!(config::format_network_key, module)?)?;
    module.add_function(wrap_pyfunction!(errors::every_error, module)?)
}
