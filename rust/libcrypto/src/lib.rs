//! ChaCha20-Poly1305 of the OpenSSL that this process has loaded anyway.
//!
//! Python's own `ssl` is OpenSSL, so nearly every process that speaks asyncio has one. Its ChaCha20-Poly1305 has
//! AVX-512, which `ring` has not. Nothing is linked and nothing is shipped: where there is no OpenSSL, or the
//! processor would gain nothing by it, [`loaded`] says so, and who asks goes on with what it has.
//!
//! Purpose: calls into one C library. Takes and gives: bytes. May look at: nothing else of this workspace.

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod nowhere;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod openssl;

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub use nowhere::{Cipher, load, loaded};
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub use openssl::{Cipher, load, loaded};

/// Bytes of a key.
pub const KEY_LENGTH: usize = 32;

/// Bytes of a nonce.
pub const NONCE_LENGTH: usize = 12;

/// Bytes of a tag.
pub const TAG_LENGTH: usize = 16;
