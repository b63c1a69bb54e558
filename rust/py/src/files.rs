//! Files read and written in blocks, each hashed with BLAKE3 while it is in the cache.
//!
//! Everything that touches the disk or hashes runs without the GIL: the caller's threads overlap with the
//! event loop. What is read, where it goes and when it counts is decided in Python.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::block::FileBlock;

/// Adds the classes of this file to the native module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<FileBlock>()?;
    module.add_class::<FileReader>()?;
    module.add_class::<FileWriter>()
}

/// A file that is read from its start, block by block.
#[pyclass(frozen, module = "plait._core._rust")]
#[derive(Debug)]
struct FileReader {
    path: PathBuf,
    // `None` once closed. The lock is only ever taken without the GIL, so a thread that waits for it cannot
    // keep its owner from finishing.
    open: Mutex<Option<Reading>>,
}

#[derive(Debug)]
struct Reading {
    file: File,
    hasher: blake3::Hasher,
}

#[pymethods]
impl FileReader {
    #[new]
    fn new(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let file = py.detach(|| File::open(&path)).map_err(|error| os_error(&error, Some(&path)))?;
        let reading = Reading { file, hasher: blake3::Hasher::new() };
        Ok(Self { path, open: Mutex::new(Some(reading)) })
    }

    fn read(&self, py: Python<'_>, block: &Bound<'_, FileBlock>) -> PyResult<usize> {
        let block = block.get();
        py.detach(|| match lock(&self.open).as_mut() {
            None => Err(closed()),
            Some(reading) => {
                block.fill(|room| reading.fill(room).map_err(|error| os_error(&error, Some(&self.path))))
            }
        })
    }

    fn digest<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let digest = py.detach(|| match lock(&self.open).as_ref() {
            None => Err(closed()),
            Some(reading) => Ok(reading.hasher.finalize()),
        })?;
        Ok(PyBytes::new(py, digest.as_bytes()))
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| *lock(&self.open) = None);
    }
}

impl Reading {
    /// Fills `into` as far as the file goes and hashes what it read.
    fn fill(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < into.len() {
            match self.file.read(&mut into[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.hasher.update(&into[..filled]);
        Ok(filled)
    }
}

/// A file that is written under a temporary name and gets its final one when it is complete.
#[pyclass(frozen, module = "plait._core._rust")]
#[derive(Debug)]
struct FileWriter {
    temporary: PathBuf,
    target: PathBuf,
    state: Mutex<Writing>,
}

/// ```text
/// New ──create──> Open ──commit──> Done
///  └──────abort────┴─────abort────> Done
/// ```
#[derive(Debug)]
enum Writing {
    New,
    Open { file: File, hasher: Box<blake3::Hasher> },
    Done,
}

#[pymethods]
impl FileWriter {
    #[new]
    fn new(temporary: PathBuf, target: PathBuf) -> Self {
        Self { temporary, target, state: Mutex::new(Writing::New) }
    }

    fn create(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| {
            let mut state = lock(&self.state);
            let Writing::New = *state else {
                return Err(PyValueError::new_err("the file was created or given up before"));
            };
            let file = OpenOptions::new().write(true).create_new(true).open(&self.temporary);
            let file = file.map_err(|error| os_error(&error, Some(&self.temporary)))?;
            *state = Writing::Open { file, hasher: Box::default() };
            Ok(())
        })
    }

    fn write(&self, py: Python<'_>, block: &Bound<'_, FileBlock>) -> PyResult<()> {
        let block = block.get();
        py.detach(|| match &mut *lock(&self.state) {
            Writing::Open { file, hasher } => block
                .with_bytes(|bytes| {
                    hasher.update(bytes);
                    file.write_all(bytes)
                })?
                .map_err(|error| os_error(&error, Some(&self.temporary))),
            Writing::New | Writing::Done => Err(closed()),
        })
    }

    fn digest<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let digest = py.detach(|| match &*lock(&self.state) {
            Writing::Open { hasher, .. } => Ok(hasher.finalize()),
            Writing::New | Writing::Done => Err(closed()),
        })?;
        Ok(PyBytes::new(py, digest.as_bytes()))
    }

    #[pyo3(signature = (*, overwrite = false, fsync = false))]
    fn commit(&self, py: Python<'_>, overwrite: bool, fsync: bool) -> PyResult<()> {
        py.detach(|| {
            let mut state = lock(&self.state);
            let Writing::Open { file, .. } = &*state else {
                return Err(closed());
            };
            if fsync {
                file.sync_all().map_err(|error| os_error(&error, Some(&self.temporary)))?;
            }
            // If this fails the state stays one in which `abort` removes the file.
            let named = if overwrite {
                fs::rename(&self.temporary, &self.target)
            } else {
                name_unless_taken(&self.temporary, &self.target)
            };
            named.map_err(|error| os_error(&error, Some(&self.target)))?;
            *state = Writing::Done;
            if fsync { sync_folder(&self.target) } else { Ok(()) }
        })
    }

    fn abort(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.give_up())
    }
}

impl FileWriter {
    fn give_up(&self) -> PyResult<()> {
        let before = std::mem::replace(&mut *lock(&self.state), Writing::Done);
        let Writing::Open { file, .. } = before else {
            return Ok(());
        };
        drop(file);
        match fs::remove_file(&self.temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(os_error(&error, Some(&self.temporary)))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for FileWriter {
    fn drop(&mut self) {
        // Whoever forgot it is gone, and so is anyone who could be told of an error.
        let _ = self.give_up();
    }
}

/// Gives the file at `temporary` the name `target`, in one step, and only if nothing has that name.
fn name_unless_taken(temporary: &Path, target: &Path) -> io::Result<()> {
    match fs::hard_link(temporary, target) {
        Ok(()) => {
            // The file is there, which is all that was asked for. A folder that lets us add a name and
            // not take one away keeps the second one.
            let _ = fs::remove_file(temporary);
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // A file system without hard links (exFAT, some network shares). Between the look and the
        // rename another program could take the name; no call of the standard library is better there.
        Err(_) if fs::symlink_metadata(target).is_ok() => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => fs::rename(temporary, target),
    }
}

/// Makes the new name in a folder survive a power cut, where folders can be opened.
fn sync_folder(target: &Path) -> PyResult<()> {
    let Some(folder) = target.parent().filter(|_| cfg!(unix)) else {
        return Ok(());
    };
    // The parent of a bare name is the empty path, which cannot be opened.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| os_error(&error, Some(folder)))
}

/// The `OSError` that Python itself would raise: `OSError(errno, text, path)` picks its subclass by `errno`.
pub(crate) fn os_error(error: &io::Error, path: Option<&Path>) -> PyErr {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default().to_owned();
    let name = path.map(|path| path.as_os_str().to_owned());
    match (error.raw_os_error(), name) {
        // Python derives errno from the Windows code when it is given as the fourth argument.
        (Some(code), Some(name)) if cfg!(windows) => PyOSError::new_err((0, text, name, code)),
        (Some(code), Some(name)) => PyOSError::new_err((code, text, name)),
        (Some(code), None) => PyOSError::new_err((code, text)),
        (None, Some(name)) => {
            io::Error::new(error.kind(), format!("{text}: {}", Path::new(&name).display())).into()
        }
        (None, None) => io::Error::new(error.kind(), text).into(),
    }
}

fn closed() -> PyErr {
    PyValueError::new_err("the file is not open")
}

/// The content of a lock. A thread that panicked while it held one is no reason to panic again.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
