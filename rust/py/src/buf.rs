//! Memory that Python and Rust both see. The only place of `unsafe` code.

use std::cell::UnsafeCell;
use std::os::raw::c_int;
use std::ptr;

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyBufferError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use pyo3::{ffi, intern};

/// Memory that a socket is read into, shared by all connections of one event loop.
///
/// It is decrypted in place, so its content means nothing once a session has received it.
#[pyclass(frozen, module = "plait._core._rust")]
pub(crate) struct ReceiveBuffer {
    memory: Box<[UnsafeCell<u8>]>,
}

// SAFETY: the memory is only reached with the interpreter's lock held: by the event loop while it
// reads a socket into it, and by `with_bytes`. Both treat it as plain bytes with no invariant.
unsafe impl Sync for ReceiveBuffer {}

#[pymethods]
impl ReceiveBuffer {
    #[new]
    fn new(size: usize) -> PyResult<Self> {
        if size == 0 {
            return Err(PyValueError::new_err("a buffer of no bytes cannot receive any"));
        }
        Ok(Self { memory: (0..size).map(|_| UnsafeCell::new(0)).collect() })
    }

    fn __len__(&self) -> usize {
        self.memory.len()
    }

    /// # Safety
    /// Called by Python's buffer protocol with a view to fill.
    unsafe fn __getbuffer__(slf: &Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        let memory = &slf.get().memory;
        let Ok(length) = ffi::Py_ssize_t::try_from(memory.len()) else {
            return Err(PyBufferError::new_err("the buffer is too large"));
        };
        // SAFETY: `view` is Python's; the view keeps `slf` alive, and with it the memory, which never moves.
        let result = unsafe {
            ffi::PyBuffer_FillInfo(view, slf.as_ptr(), memory.as_ptr().cast_mut().cast(), length, 0, flags)
        };
        if result == 0 { Ok(()) } else { Err(PyErr::fetch(slf.py())) }
    }

    /// # Safety
    /// Called by Python's buffer protocol; nothing was allocated for the view.
    unsafe fn __releasebuffer__(&self, _view: *mut ffi::Py_buffer) {}
}

impl ReceiveBuffer {
    /// Lends the first `count` bytes for the length of one call.
    pub(crate) fn with_bytes<R>(&self, count: usize, lend: impl FnOnce(&mut [u8]) -> R) -> PyResult<R> {
        let Some(memory) = self.memory.get(..count) else {
            return Err(PyValueError::new_err("more bytes than the buffer has"));
        };
        // SAFETY: the memory is in `UnsafeCell`s, lives as long as `self`, and nobody else touches it
        // before `lend` returns: the interpreter's lock is held and `lend` calls no Python code that
        // could reach this buffer again.
        let bytes = unsafe { std::slice::from_raw_parts_mut(memory.as_ptr().cast_mut().cast::<u8>(), count) };
        Ok(lend(bytes))
    }
}

/// Lends the bytes of any contiguous buffer for the length of one call.
pub(crate) fn with_buffer<R>(data: &Bound<'_, PyAny>, lend: impl FnOnce(&[u8]) -> R) -> PyResult<R> {
    if let Ok(bytes) = data.cast_exact::<PyBytes>() {
        return Ok(lend(bytes.as_bytes()));
    }
    let buffer = contiguous(data)?;
    // SAFETY: the buffer is held until `lend` has returned, and is contiguous. Another thread could
    // write to it only with the interpreter's lock, which is not released meanwhile.
    let bytes = unsafe { std::slice::from_raw_parts(start(&buffer).cast::<u8>(), buffer.len_bytes()) };
    Ok(lend(bytes))
}

/// Lends the bytes of a writable contiguous buffer for the length of one call.
pub(crate) fn with_writable<R>(data: &Bound<'_, PyAny>, lend: impl FnOnce(&mut [u8]) -> R) -> PyResult<R> {
    let buffer = contiguous(data)?;
    if buffer.readonly() {
        return Err(PyBufferError::new_err("the buffer cannot be written to"));
    }
    // SAFETY: as in `with_buffer`; and it is writable.
    let bytes = unsafe { std::slice::from_raw_parts_mut(start(&buffer).cast::<u8>(), buffer.len_bytes()) };
    Ok(lend(bytes))
}

/// A new `bytes` of `length`, filled by `fill`, without writing zeros first.
///
/// `fill` gets memory whose content is arbitrary and must overwrite all of it.
pub(crate) fn new_bytes<'py>(
    py: Python<'py>,
    length: usize,
    fill: impl FnOnce(&mut [u8]),
) -> PyResult<Bound<'py, PyBytes>> {
    let size = ffi::Py_ssize_t::try_from(length).map_err(|_| PyValueError::new_err("too many bytes"))?;
    // SAFETY: a null pointer asks for uninitialised memory; the result is checked, and owned by us alone
    // until it is returned, so writing to it breaks nobody's view of an immutable object. `fill` writes
    // bytes only; that it writes all of them is what its callers promise, and any byte is a valid byte.
    unsafe {
        let object = ffi::PyBytes_FromStringAndSize(ptr::null(), size);
        let bytes = Bound::from_owned_ptr_or_err(py, object)?.cast_into_unchecked::<PyBytes>();
        let memory = ffi::PyBytes_AsString(bytes.as_ptr()).cast::<u8>();
        ptr::write_bytes(memory, 0, if cfg!(debug_assertions) { length } else { 0 });
        fill(std::slice::from_raw_parts_mut(memory, length));
        Ok(bytes)
    }
}

/// A buffer of bytes in one piece, whatever it says its items are.
fn contiguous(data: &Bound<'_, PyAny>) -> PyResult<PyBuffer<u8>> {
    let buffer = match PyBuffer::<u8>::get(data) {
        Ok(buffer) => buffer,
        // Items of another type: the same memory as bytes, as `memoryview.cast("B")` gives it.
        Err(error) => {
            let py = data.py();
            let view = pyo3::types::PyMemoryView::from(data).map_err(|_| error)?;
            PyBuffer::<u8>::get(&view.call_method1(intern!(py, "cast"), ("B",))?)?
        }
    };
    if buffer.is_c_contiguous() {
        Ok(buffer)
    } else {
        Err(PyBufferError::new_err("the buffer is not in one piece"))
    }
}

/// The buffer's first byte; never null, which slices do not allow even when they are empty.
fn start(buffer: &PyBuffer<u8>) -> *mut u8 {
    let pointer = buffer.buf_ptr().cast::<u8>();
    if pointer.is_null() { ptr::NonNull::dangling().as_ptr() } else { pointer }
}
