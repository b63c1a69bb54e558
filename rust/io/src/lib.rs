//! System calls on connected stream sockets and on files, and nothing else: no protocol, no buffer, no decision.
//!
//! The core knows no sockets and the binding only translates, so this is a room of its own. Nothing here keeps
//! a descriptor: who calls owns it, and has it open for the length of the call. What is done to a socket never
//! blocks, whatever its mode is; what is done to a file may, where it says so.

mod files;

pub use files::{read_at, read_cached_at, write_at};
#[cfg(unix)]
use unix::borrow;
#[cfg(unix)]
pub use unix::{receive, send};

/// What one look at a socket gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// So many bytes, more than zero.
    Bytes(usize),
    /// Nothing now.
    Nothing,
    /// The peer sends nothing more.
    End,
}

#[cfg(unix)]
mod unix {
    use std::io;
    use std::os::fd::{BorrowedFd, RawFd};

    use rustix::io::{Errno, retry_on_intr};
    use rustix::net::{RecvFlags, SendFlags};

    use super::Received;

    /// Reads what is there, up to the size of `buffer`.
    ///
    /// # Errors
    /// The connection is broken, or the descriptor is not one of an open socket.
    pub fn receive(descriptor: RawFd, buffer: &mut [u8]) -> io::Result<Received> {
        let socket = borrow(descriptor)?;
        match retry_on_intr(|| rustix::net::recv(socket, &mut *buffer, RecvFlags::DONTWAIT)) {
            Ok((_, 0)) => Ok(Received::End),
            Ok((_, count)) => Ok(Received::Bytes(count)),
            Err(Errno::AGAIN) => Ok(Received::Nothing),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes what the kernel takes; how many bytes, 0 when it takes none now.
    ///
    /// # Errors
    /// The connection is broken, or the descriptor is not one of an open socket.
    pub fn send(descriptor: RawFd, data: &[u8]) -> io::Result<usize> {
        let socket = borrow(descriptor)?;
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        match retry_on_intr(|| rustix::net::send(socket, data, flags)) {
            Ok(count) => Ok(count),
            Err(Errno::AGAIN) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn borrow<'a>(descriptor: RawFd) -> io::Result<BorrowedFd<'a>> {
        if descriptor < 0 {
            return Err(Errno::BADF.into());
        }
        // SAFETY: it is not -1, and it is used for one system call, which fails on a descriptor that is not
        // open. That the number still means the same socket or file is the caller's part; were it another's, bytes
        // would go astray, and memory would not.
        Ok(unsafe { BorrowedFd::borrow_raw(descriptor) })
    }
}

/// Reads what is there. Not on this platform.
///
/// # Errors
/// Always: descriptors are numbers on Unix only.
#[cfg(not(unix))]
pub fn receive(_descriptor: i32, _buffer: &mut [u8]) -> std::io::Result<Received> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// Writes what the kernel takes. Not on this platform.
///
/// # Errors
/// Always: descriptors are numbers on Unix only.
#[cfg(not(unix))]
pub fn send(_descriptor: i32, _data: &[u8]) -> std::io::Result<usize> {
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::{self, Read, Write};
    use std::net::Shutdown;
    use std::os::fd::{AsRawFd, RawFd};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn bytes_then_nothing_then_the_end() {
        let (near, mut far) = UnixStream::pair().unwrap();
        let mut buffer = [0; 8];
        assert_eq!(receive(near.as_raw_fd(), &mut buffer).unwrap(), Received::Nothing);
        far.write_all(b"abc").unwrap();
        assert_eq!(receive(near.as_raw_fd(), &mut buffer).unwrap(), Received::Bytes(3));
        assert_eq!(&buffer[..3], b"abc");
        far.shutdown(Shutdown::Write).unwrap();
        assert_eq!(receive(near.as_raw_fd(), &mut buffer).unwrap(), Received::End);
        assert_eq!(send(near.as_raw_fd(), b"still open").unwrap(), 10);
        let mut seen = [0; 10];
        far.read_exact(&mut seen).unwrap();
        assert_eq!(&seen, b"still open");
        drop(far);
        assert_eq!(send(near.as_raw_fd(), b"x").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_full_socket_takes_nothing_and_does_not_block() {
        let (near, _far) = UnixStream::pair().unwrap();
        while send(near.as_raw_fd(), &[0; 65536]).unwrap() > 0 {}
        assert_eq!(send(near.as_raw_fd(), b"x").unwrap(), 0);
    }

    #[test]
    fn a_descriptor_that_is_not_open_is_refused() {
        let mut buffer = [0; 8];
        for descriptor in [-1, RawFd::MAX] {
            assert!(receive(descriptor, &mut buffer).is_err());
            assert!(send(descriptor, b"x").is_err());
        }
    }
}
