//! SubjectPublicKeyInfo, unwrapped to the form in which keys are verified with.
//!
//! Strict DER: what is accepted has one encoding only, so a key cannot have two peer ids.

/// The uncompressed point of a P-256 key.
pub(super) fn p256_point(info: &[u8]) -> Option<&[u8]> {
    let point = info.strip_prefix(P256_HEADER)?;
    (point.len() == P256_POINT && point.first() == Some(&UNCOMPRESSED)).then_some(point)
}

/// The PKCS#1 `RSAPublicKey` of an RSA key, with a modulus of 2048 to 8192 bits.
pub(super) fn rsa_public_key(info: &[u8]) -> Result<&[u8], &'static str> {
    let (key, modulus) = unwrap_rsa(info).ok_or("is not a SubjectPublicKeyInfo of RSA")?;
    match modulus_bits(modulus) {
        0..MIN_MODULUS_BITS => Err("has fewer than 2048 bits"),
        MIN_MODULUS_BITS..=MAX_MODULUS_BITS => Ok(key),
        _ => Err("has more than 8192 bits"),
    }
}

/// The `RSAPublicKey` and the modulus in it.
fn unwrap_rsa(info: &[u8]) -> Option<(&[u8], &[u8])> {
    let info = only_element(SEQUENCE, info)?;
    let bits = only_element(BIT_STRING, info.strip_prefix(RSA_ALGORITHM)?)?;
    let key = bits.strip_prefix(&[NO_UNUSED_BITS])?;
    let (modulus, exponent) = element(INTEGER, only_element(SEQUENCE, key)?)?;
    is_positive(only_element(INTEGER, exponent)?).then_some(())?;
    is_positive(modulus).then_some((key, modulus))
}

fn modulus_bits(modulus: &[u8]) -> usize {
    let significant = match modulus {
        [0, rest @ ..] => rest,
        all => all,
    };
    let unused = significant.first().map_or(0, |byte| byte.leading_zeros() as usize);
    significant.len().saturating_mul(8).saturating_sub(unused)
}

/// Whether the bytes are the shortest form of an integer above zero.
fn is_positive(integer: &[u8]) -> bool {
    match integer {
        [] | [0] => false,
        [0, second, ..] => *second >= 0x80,
        [first, ..] => *first < 0x80,
    }
}

/// The content of the element that takes all of `input`.
fn only_element(tag: u8, input: &[u8]) -> Option<&[u8]> {
    element(tag, input).and_then(|(content, rest)| rest.is_empty().then_some(content))
}

/// The content of the element at the start of `input`, and what follows it.
fn element(tag: u8, input: &[u8]) -> Option<(&[u8], &[u8])> {
    let input = input.strip_prefix(&[tag])?;
    let (length, rest) = match input {
        [short @ 0..=0x7f, rest @ ..] => (usize::from(*short), rest),
        [0x81, long @ 0x80..=0xff, rest @ ..] => (usize::from(*long), rest),
        [0x82, high @ 1..=0xff, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        _ => return None,
    };
    rest.split_at_checked(length)
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const NO_UNUSED_BITS: u8 = 0;
const UNCOMPRESSED: u8 = 4;

/// rsaEncryption with its NULL parameters.
const RSA_ALGORITHM: &[u8] =
    &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

/// Everything before the point: id-ecPublicKey on prime256v1, then a bit string of 66 bytes.
const P256_HEADER: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// One byte of form, two coordinates.
const P256_POINT: usize = 65;

/// Shorter moduli can be factored.
const MIN_MODULUS_BITS: usize = 2048;

/// Longer moduli cost the verifier more than they cost whoever sends them; all implementations stop here.
const MAX_MODULUS_BITS: usize = 8192;
