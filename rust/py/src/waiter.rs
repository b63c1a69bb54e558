//! What a task waits for that needs no future: it is woken by its stream itself.

use pyo3::exceptions::{PyStopAsyncIteration, PyStopIteration};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// One wait, awaited once. Here and not in Python: an exception that leaves a frame of Python, and every result of a
/// wait is one, makes frames of all that wait for it into objects, which then live as long as those wait again.
#[pyclass(module = "plait._core._rust")]
pub(crate) struct Waiter {
    /// Who is woken; nobody before it waits, and nobody any more once it was.
    sleeper: Option<Py<PyAny>>,
    read: Option<Read>,
}

/// What a wait gives that is a read of a stream.
struct Read {
    stream: Py<PyAny>,
    limit: u32,
    /// The end of the stream ends an iteration.
    iterates: bool,
}

#[pymethods]
impl Waiter {
    #[new]
    fn new(sleeper: Py<PyAny>) -> Self {
        Self { sleeper: Some(sleeper), read: None }
    }

    #[staticmethod]
    #[pyo3(signature = (stream, limit, *, iterates))]
    fn read(stream: Py<PyAny>, limit: usize, iterates: bool) -> Self {
        // More than this is not there at once.
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        Self { sleeper: None, read: Some(Read { stream, limit, iterates }) }
    }

    fn begin(&mut self, sleeper: Py<PyAny>) {
        self.sleeper = Some(sleeper);
    }

    fn wake(slf: &Bound<'_, Self>) -> PyResult<()> {
        let sleeper = slf.borrow_mut().sleeper.take();
        if let Some(sleeper) = sleeper {
            sleeper.call_method0(slf.py(), intern!(slf.py(), "wake"))?;
        }
        Ok(())
    }

    fn cancel(&mut self) -> bool {
        self.sleeper.take().is_some()
    }

    // ---- the verbs of a coroutine

    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        let (stream, limit, iterates) = {
            let this = slf.borrow();
            let Some(read) = &this.read else {
                return Ok(this.sleeper.as_ref().map(|_| slf.clone().into_any()));
            };
            (read.stream.clone_ref(py), read.limit, read.iterates)
        };
        let given = stream.bind(py).call_method1(intern!(py, "arrived"), (slf, limit))?;
        match given.cast_exact::<PyBytes>() {
            // Not there yet: it is what the task has to wait for.
            Err(_) => Ok(Some(given)),
            Ok(bytes) if iterates && bytes.as_bytes().is_empty() => Err(PyStopAsyncIteration::new_err(())),
            Ok(bytes) => Err(PyStopIteration::new_err(bytes.clone().unbind())),
        }
    }

    #[allow(unused_variables)] // as every coroutine names it
    fn send<'py>(slf: &Bound<'py, Self>, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        Self::__next__(slf)?.ok_or_else(|| PyStopIteration::new_err(()))
    }

    #[allow(unused_variables)]
    #[pyo3(signature = (kind, value = None, traceback = None))]
    fn throw(
        slf: &Bound<'_, Self>,
        kind: Bound<'_, PyAny>,
        value: Option<Bound<'_, PyAny>>,
        traceback: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        Self::close(slf)?;
        // The form with three arguments is deprecated from Python 3.12 on.
        Err(PyErr::from_value(value.unwrap_or(kind)))
    }

    fn close(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let stream = {
            let mut this = slf.borrow_mut();
            this.sleeper = None;
            this.read.as_ref().map(|read| read.stream.clone_ref(py))
        };
        if let Some(stream) = stream {
            stream.call_method1(py, intern!(py, "no_longer_awaited"), (slf,))?;
        }
        Ok(())
    }

    // ---- who waits and its stream know each other

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.sleeper)?;
        visit.call(self.read.as_ref().map(|read| &read.stream))
    }

    fn __clear__(&mut self) {
        self.sleeper = None;
        self.read = None;
    }
}
