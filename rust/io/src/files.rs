//! Reads and writes at a place in a file, by its descriptor.

use std::io;

#[cfg(unix)]
pub use unix::{read_at, write_at};

/// Reads what the system has in memory: so much, or `None` when it would have to wait for the disk, or cannot
/// tell.
///
/// # Errors
/// The file cannot be read, or the descriptor is not one of an open file.
#[cfg(target_os = "linux")]
pub fn read_cached_at(descriptor: i32, buffer: &mut [u8], offset: u64) -> io::Result<Option<usize>> {
    use rustix::io::{Errno, ReadWriteFlags, preadv2, retry_on_intr};

    let file = crate::borrow(descriptor)?;
    let read = || preadv2(file, &mut [io::IoSliceMut::new(buffer)], offset, ReadWriteFlags::NOWAIT);
    match retry_on_intr(read) {
        Ok(count) => Ok(Some(count)),
        // Not in memory; a file system or a kernel that does not know the flag.
        Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Reads what the system has in memory. No call of this platform tells.
///
/// # Errors
/// None.
#[cfg(not(target_os = "linux"))]
pub fn read_cached_at(_descriptor: i32, _buffer: &mut [u8], _offset: u64) -> io::Result<Option<usize>> {
    Ok(None)
}

#[cfg(unix)]
mod unix {
    use std::io;

    use rustix::io::{pread, pwrite, retry_on_intr};

    /// Fills `buffer` from `offset` on as far as the file goes, and waits for the disk; how many bytes.
    ///
    /// # Errors
    /// The file cannot be read, or the descriptor is not one of an open file.
    pub fn read_at(descriptor: i32, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let file = crate::borrow(descriptor)?;
        let mut filled = 0;
        while filled < buffer.len() {
            match retry_on_intr(|| pread(file, &mut buffer[filled..], offset + filled as u64))? {
                0 => break,
                count => filled += count,
            }
        }
        Ok(filled)
    }

    /// Writes all of `data` at `offset`, and waits for the disk where the system makes it wait.
    ///
    /// # Errors
    /// The file cannot be written, or the descriptor is not one of an open file.
    pub fn write_at(descriptor: i32, data: &[u8], offset: u64) -> io::Result<()> {
        let file = crate::borrow(descriptor)?;
        let mut written = 0;
        while written < data.len() {
            match retry_on_intr(|| pwrite(file, &data[written..], offset + written as u64))? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => written += count,
            }
        }
        Ok(())
    }
}

/// Fills `buffer`. Not on this platform.
///
/// # Errors
/// Always: descriptors are numbers on Unix only.
#[cfg(not(unix))]
pub fn read_at(_descriptor: i32, _buffer: &mut [u8], _offset: u64) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Writes `data`. Not on this platform.
///
/// # Errors
/// Always: descriptors are numbers on Unix only.
#[cfg(not(unix))]
pub fn write_at(_descriptor: i32, _data: &[u8], _offset: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{self, File};
    use std::io;
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn what_is_written_is_read_at_its_place() {
        let path = std::env::temp_dir().join(format!("plait-io-{}", std::process::id()));
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let descriptor = file.as_raw_fd();
        write_at(descriptor, b"world", 6).unwrap();
        write_at(descriptor, b"hello ", 0).unwrap();
        let mut buffer = [0; 20];
        assert_eq!(read_at(descriptor, &mut buffer, 0).unwrap(), 11);
        assert_eq!(&buffer[..11], b"hello world");
        assert_eq!(read_at(descriptor, &mut buffer[..3], 4).unwrap(), 3);
        assert_eq!(&buffer[..3], b"o w");
        assert_eq!(read_at(descriptor, &mut buffer, 11).unwrap(), 0);
        // Just written, so in memory, if the file system can say so.
        if let Some(count) = read_cached_at(descriptor, &mut buffer, 6).unwrap() {
            assert_eq!(&buffer[..count], &b"world"[..count]);
        }
    }

    #[test]
    fn a_descriptor_that_is_no_open_file_is_refused() {
        let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
        for descriptor in [-1, i32::MAX, near.as_raw_fd()] {
            assert!(read_at(descriptor, &mut [0], 0).is_err());
            assert!(read_cached_at(descriptor, &mut [0], 0).is_err());
            assert!(write_at(descriptor, b"x", 0).is_err());
        }
        let closed: io::Result<usize> = read_at(-1, &mut [], 0);
        assert!(closed.is_err());
    }
}
