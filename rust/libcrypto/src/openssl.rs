//! The calls into OpenSSL 3. The only place of `unsafe` code here.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_int, c_uchar, c_void};
use std::ptr::{self, NonNull};
use std::sync::OnceLock;

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

use super::{KEY_LENGTH, NONCE_LENGTH, TAG_LENGTH};

/// ChaCha20-Poly1305 of an OpenSSL that stays loaded.
#[derive(Clone, Copy, Debug)]
pub struct Cipher(&'static Functions);

/// The cipher, if this process has loaded OpenSSL 3 by the first call and the processor has AVX-512 with
/// IFMA, as server processors have since Ice Lake and Zen 4. Elsewhere nobody has measured that it gains anything.
#[must_use]
pub fn loaded() -> Option<Cipher> {
    CIPHER
        .get_or_init(|| if is_worth_it() { Functions::find(RTLD_NOLOAD) } else { None })
        .as_ref()
        .map(Cipher)
}

/// As [`loaded`], on any processor and loading it first: for tests and measurements.
#[must_use]
pub fn load() -> Option<Cipher> {
    CIPHER.get_or_init(|| Functions::find(0)).as_ref().map(Cipher)
}

impl Cipher {
    /// Encrypts `in_out` in place and gives the tag; `None` when OpenSSL cannot.
    #[must_use]
    pub fn seal(
        self,
        key: &[u8; KEY_LENGTH],
        nonce: &[u8; NONCE_LENGTH],
        associated: &[u8],
        in_out: &mut [u8],
    ) -> Option<[u8; TAG_LENGTH]> {
        self.with_context(|context| {
            context.begin(self.0, key, nonce, ENCRYPT)?;
            context.associate(self.0, associated)?;
            context.update(self.0, in_out)?;
            context.finish(self.0)?;
            let mut tag = [0; TAG_LENGTH];
            context.control(self.0, GET_TAG, &mut tag)?;
            Some(tag)
        })
    }

    /// Decrypts `in_out` in place; whether it and `associated` are what `tag` says. If not, `in_out` is zeros:
    /// OpenSSL decrypts before it knows, and nobody is to see that.
    #[must_use]
    pub fn open(
        self,
        key: &[u8; KEY_LENGTH],
        nonce: &[u8; NONCE_LENGTH],
        associated: &[u8],
        in_out: &mut [u8],
        tag: &[u8; TAG_LENGTH],
    ) -> bool {
        let opened = self.with_context(|context| {
            context.begin(self.0, key, nonce, DECRYPT)?;
            context.associate(self.0, associated)?;
            context.update(self.0, in_out)?;
            context.control(self.0, SET_TAG, &mut tag.clone())?;
            context.finish(self.0)
        });
        if opened.is_none() {
            in_out.fill(0);
        }
        opened.is_some()
    }

    /// One context for each thread: making one takes longer than a short record.
    fn with_context<R>(self, work: impl FnOnce(&mut Context) -> Option<R>) -> Option<R> {
        thread_local! {
            static CONTEXT: RefCell<Option<Context>> = const { RefCell::new(None) };
        }
        CONTEXT.with_borrow_mut(|context| {
            if context.is_none() {
                *context = Context::new(self.0);
            }
            work(context.as_mut()?)
        })
    }
}

/// One EVP_CIPHER_CTX.
struct Context {
    pointer: NonNull<c_void>,
    free: Free,
}

impl Context {
    fn new(functions: &Functions) -> Option<Self> {
        // SAFETY: takes nothing, gives a context of ours or null.
        let pointer = NonNull::new(unsafe { (functions.new)() })?;
        Some(Self { pointer, free: functions.free })
    }

    fn begin(
        &mut self,
        functions: &Functions,
        key: &[u8; KEY_LENGTH],
        nonce: &[u8; NONCE_LENGTH],
        direction: c_int,
    ) -> Option<()> {
        // SAFETY: the context is ours, the cipher lives as long as the process, key and nonce are as long as
        // this cipher reads. No parameters are given.
        done(unsafe {
            (functions.init)(
                self.pointer.as_ptr(),
                functions.cipher.as_ptr(),
                key.as_ptr(),
                nonce.as_ptr(),
                direction,
                ptr::null(),
            )
        })
    }

    fn associate(&mut self, functions: &Functions, data: &[u8]) -> Option<()> {
        if data.is_empty() {
            return Some(());
        }
        let (mut length, count) = (0, c_int::try_from(data.len()).ok()?);
        // SAFETY: without a target the bytes are authenticated only; `data` has `count` of them.
        done(unsafe {
            (functions.update)(self.pointer.as_ptr(), ptr::null_mut(), &raw mut length, data.as_ptr(), count)
        })
    }

    fn update(&mut self, functions: &Functions, in_out: &mut [u8]) -> Option<()> {
        let (mut length, count) = (0, c_int::try_from(in_out.len()).ok()?);
        let bytes = in_out.as_mut_ptr();
        // SAFETY: a stream cipher gives as many bytes as it takes, and may do so in place.
        done(unsafe { (functions.update)(self.pointer.as_ptr(), bytes, &raw mut length, bytes, count) })?;
        (length == count).then_some(())
    }

    fn finish(&mut self, functions: &Functions) -> Option<()> {
        let (mut length, mut nothing) = (0, [0; TAG_LENGTH]);
        // SAFETY: a stream cipher has nothing left to give; there would be room for a block.
        done(unsafe { (functions.finish)(self.pointer.as_ptr(), nothing.as_mut_ptr(), &raw mut length) })
    }

    fn control(&mut self, functions: &Functions, what: c_int, tag: &mut [u8; TAG_LENGTH]) -> Option<()> {
        // SAFETY: both controls read or write as many bytes as they are told the tag has.
        done(unsafe {
            (functions.control)(self.pointer.as_ptr(), what, TAG_LENGTH as c_int, tag.as_mut_ptr().cast())
        })
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: ours, and not used after this. The library stays loaded.
        unsafe { (self.free)(self.pointer.as_ptr()) }
    }
}

/// What is needed of libcrypto.so.3, whose names and types do not change within its version.
#[derive(Debug)]
struct Functions {
    cipher: NonNull<c_void>,
    new: New,
    free: Free,
    init: Init,
    update: Update,
    finish: Finish,
    control: Control,
}

// SAFETY: functions of a library that allows any thread, and a fetched cipher, which is never changed.
unsafe impl Send for Functions {}
// SAFETY: as above.
unsafe impl Sync for Functions {}

impl Functions {
    fn find(flags: c_int) -> Option<Self> {
        // SAFETY: OpenSSL may be loaded at any time: it sets itself up when it is first called.
        let library = unsafe { Library::open(Some(NAME), RTLD_NOW | RTLD_LOCAL | flags) }.ok()?;
        // SAFETY: the types are those of <openssl/evp.h>, version 3.
        let functions = unsafe {
            let fetch = *library.get::<Fetch>(b"EVP_CIPHER_fetch\0").ok()?;
            Self {
                cipher: NonNull::new(fetch(ptr::null_mut(), ALGORITHM.as_ptr(), ptr::null()))?,
                new: *library.get(b"EVP_CIPHER_CTX_new\0").ok()?,
                free: *library.get(b"EVP_CIPHER_CTX_free\0").ok()?,
                init: *library.get(b"EVP_CipherInit_ex2\0").ok()?,
                update: *library.get(b"EVP_CipherUpdate\0").ok()?,
                finish: *library.get(b"EVP_CipherFinal_ex\0").ok()?,
                control: *library.get(b"EVP_CIPHER_CTX_ctrl\0").ok()?,
            }
        };
        // Never unloaded: the functions are used until the process ends.
        let _ = library.into_raw();
        Some(functions)
    }
}

fn is_worth_it() -> bool {
    std::arch::is_x86_feature_detected!("avx512ifma") && std::arch::is_x86_feature_detected!("avx512vl")
}

/// Of OpenSSL's functions: 1 is success, everything else is none.
fn done(result: c_int) -> Option<()> {
    (result == 1).then_some(())
}

static CIPHER: OnceLock<Option<Functions>> = OnceLock::new();

type Fetch = unsafe extern "C" fn(*mut c_void, *const c_char, *const c_char) -> *mut c_void;
type New = unsafe extern "C" fn() -> *mut c_void;
type Free = unsafe extern "C" fn(*mut c_void);
type Init = unsafe extern "C" fn(
    *mut c_void,
    *const c_void,
    *const c_uchar,
    *const c_uchar,
    c_int,
    *const c_void,
) -> c_int;
type Update = unsafe extern "C" fn(*mut c_void, *mut c_uchar, *mut c_int, *const c_uchar, c_int) -> c_int;
type Finish = unsafe extern "C" fn(*mut c_void, *mut c_uchar, *mut c_int) -> c_int;
type Control = unsafe extern "C" fn(*mut c_void, c_int, c_int, *mut c_void) -> c_int;

const NAME: &str = "libcrypto.so.3";
const ALGORITHM: &CStr = c"ChaCha20-Poly1305";
/// <dlfcn.h> of Linux, whatever its C library: only what is loaded already.
const RTLD_NOLOAD: c_int = 4;
const ENCRYPT: c_int = 1;
const DECRYPT: c_int = 0;
/// `EVP_CTRL_AEAD_GET_TAG` and `EVP_CTRL_AEAD_SET_TAG` of <openssl/evp.h>.
const GET_TAG: c_int = 0x10;
const SET_TAG: c_int = 0x11;

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8439, section 2.8.2.
    #[test]
    fn the_vector_of_the_specification() {
        let Some(cipher) = load() else {
            #[allow(clippy::print_stderr)] // nothing else says that this tested nothing
            {
                eprintln!("*** NO OPENSSL 3 HERE: its cipher is not tested ***");
            }
            return;
        };
        let key: [u8; 32] = std::array::from_fn(|index| 0x80 + index as u8);
        let nonce = [7, 0, 0, 0, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47];
        let associated = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
        let text =
            b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
            sunscreen would be it.";
        let mut sealed = text.to_vec();
        let tag = cipher.seal(&key, &nonce, &associated, &mut sealed).unwrap();
        assert_eq!(sealed[..8], [0xd3, 0x1a, 0x8d, 0x34, 0x64, 0x8e, 0x60, 0xdb]);
        assert_eq!(
            tag,
            [0x1a, 0xe1, 0x0b, 0x59, 0x4f, 0x09, 0xe2, 0x6a, 0x7e, 0x90, 0x2e, 0xcb, 0xd0, 0x60, 0x06, 0x91]
        );
        let mut forged = sealed.clone();
        assert!(cipher.open(&key, &nonce, &associated, &mut sealed, &tag));
        assert_eq!(sealed, text);
        forged[3] ^= 1;
        assert!(!cipher.open(&key, &nonce, &associated, &mut forged, &tag));
        assert!(forged.iter().all(|&byte| byte == 0), "nobody sees what was forged");

        // Python's `ssl` would take an error that we leave behind for one of its own.
        type Peek = unsafe extern "C" fn() -> std::ffi::c_ulong;
        // SAFETY: it is loaded, and the type is that of <openssl/err.h>, version 3.
        let left = unsafe {
            let library = Library::open(Some(NAME), RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD).unwrap();
            (*library.get::<Peek>(b"ERR_peek_error\0").unwrap())()
        };
        assert_eq!(left, 0);
    }
}
