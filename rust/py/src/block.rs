//! Bytes on their way between a file and a stream, in memory that Python only holds the handle of.

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::buf::with_buffer;
use crate::files::os_error;

/// Some bytes between a file and a stream, in memory that is used again and again.
///
/// A thread may fill or empty it by a file without the GIL. Meanwhile it cannot be used for anything else.
#[pyclass(frozen, module = "plait._core._rust")]
#[derive(Debug)]
pub(crate) struct FileBlock {
    content: Mutex<Content>,
}

#[derive(Debug)]
struct Content {
    memory: Box<[u8]>,
    length: usize,
    /// How many bytes it takes now, up to its size.
    limit: usize,
}

#[pymethods]
impl FileBlock {
    #[new]
    fn new(size: usize) -> PyResult<Self> {
        if size == 0 {
            return Err(PyValueError::new_err("a block of no bytes carries none"));
        }
        let memory = vec![0; size].into_boxed_slice();
        Ok(Self { content: Mutex::new(Content { memory, length: 0, limit: size }) })
    }

    fn __len__(&self) -> PyResult<usize> {
        Ok(self.content()?.length)
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.with_bytes(|bytes| PyBytes::new(py, bytes))
    }

    #[getter]
    pub(crate) fn room(&self) -> PyResult<usize> {
        let content = self.content()?;
        Ok(content.limit - content.length)
    }

    fn clear(&self, limit: usize) -> PyResult<()> {
        let mut content = self.content()?;
        content.length = 0;
        content.limit = limit.min(content.memory.len());
        Ok(())
    }

    fn extend(&self, data: &Bound<'_, PyAny>) -> PyResult<usize> {
        let mut content = self.content()?;
        with_buffer(data, |data| {
            let room = content.room();
            let count = data.len().min(room.len());
            room[..count].copy_from_slice(&data[..count]);
            content.length += count;
            count
        })
    }

    fn read_file(&self, py: Python<'_>, fileno: i32, offset: u64) -> PyResult<usize> {
        py.detach(|| {
            self.fill(|room| plait_io::read_at(fileno, room, offset).map_err(|error| os_error(&error, None)))
        })
    }

    fn read_cached(&self, fileno: i32, offset: u64) -> PyResult<Option<usize>> {
        let mut content = self.content()?;
        let count = plait_io::read_cached_at(fileno, content.room(), offset)
            .map_err(|error| os_error(&error, None))?;
        content.length += count.unwrap_or(0);
        Ok(count)
    }

    fn write_file(&self, py: Python<'_>, fileno: i32, offset: u64) -> PyResult<usize> {
        py.detach(|| {
            self.with_bytes(|bytes| plait_io::write_at(fileno, bytes, offset).map(|()| bytes.len()))
        })?
        .map_err(|error| os_error(&error, None))
    }
}

impl FileBlock {
    /// Appends what `fill` puts into the room that there is; how many bytes.
    pub(crate) fn fill(&self, fill: impl FnOnce(&mut [u8]) -> PyResult<usize>) -> PyResult<usize> {
        let mut content = self.content()?;
        let count = fill(content.room())?;
        content.length += count;
        Ok(count)
    }

    /// Lends what is in it.
    pub(crate) fn with_bytes<R>(&self, lend: impl FnOnce(&[u8]) -> R) -> PyResult<R> {
        let content = self.content()?;
        Ok(lend(&content.memory[..content.length]))
    }

    /// Never waits: who has a block at work elsewhere has made a mistake, and would stop the event loop.
    fn content(&self) -> PyResult<MutexGuard<'_, Content>> {
        match self.content.try_lock() {
            Ok(content) => Ok(content),
            // Bytes and two numbers that are right at every moment.
            Err(TryLockError::Poisoned(poisoned)) => Ok(PoisonError::into_inner(poisoned)),
            Err(TryLockError::WouldBlock) => Err(PyValueError::new_err("the block is in use")),
        }
    }
}

impl Content {
    fn room(&mut self) -> &mut [u8] {
        &mut self.memory[self.length..self.limit]
    }
}
