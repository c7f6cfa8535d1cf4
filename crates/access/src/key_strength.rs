//! Which keys are strong enough to register.

use aws_lc_rs::signature;
use pkcs1::RsaPublicKeyRef;
use spki::der::Decode;

use crate::public_key::{INTEGER, sequence};

// What the TLS library verifies: its RSA algorithms are for moduli of 2048 to 8192 bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// Longest text or DER accepted: an RSA-8192 key as PEM is under 2 KiB.
pub(crate) const MAX_BYTES: usize = 16 * 1024;

/// Why a text or file is not a public key to register.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakOrUnreadableKey {
    /// The text or file is empty.
    #[error("the key is empty")]
    Empty,
    /// Longer than any key of a supported kind.
    #[error("the key is longer than {MAX_BYTES} bytes, which no supported key is")]
    TooLong,
    /// The text is not base64.
    #[error("the key is not valid base64 (copy the whole text that `synclave keygen` printed)")]
    Base64,
    /// A secret was about to be published.
    #[error(
        "this is a private key; an agreement is read by everyone, so give the public key \
         (NAME_public.der)"
    )]
    PrivateKey,
    /// Not a PKCS#1 or SPKI public key, or with bytes after it.
    #[error("the key is neither a PKCS#1 nor an SPKI public key, or has bytes after its end")]
    Structure,
    /// A kind of key that the channel does not authenticate.
    #[error(
        "the key is of a kind that is not supported; use RSA of at least 2048 bits, P-256 or \
         Ed25519"
    )]
    Algorithm,
    /// Too short or too long a modulus.
    #[error("the RSA key has {bits} bits; it must have {} to {}", RSA_BITS.start(), RSA_BITS.end())]
    RsaSize {
        /// Length of the modulus.
        bits: usize,
    },
    /// An exponent that is known to be dangerous.
    #[error("the RSA key's public exponent must be odd and at least 65537")]
    RsaExponent,
    /// An even modulus.
    #[error("the RSA key's modulus is even, so it is not an RSA key")]
    RsaModulus,
    /// Not a point of the curve, or one that anybody can sign for.
    #[error("the key is not a usable point of its curve")]
    Point,
}

/// Bits of the modulus, once the PKCS#1 key is known to be sound.
pub(crate) fn check_rsa(pkcs1: &[u8]) -> Result<usize, WeakOrUnreadableKey> {
    // Private keys (PKCS#1, PKCS#8, SEC1) begin with a version number, where a public key has its
    // modulus.
    if sequence(pkcs1)?.starts_with(&[INTEGER, 1]) {
        return Err(WeakOrUnreadableKey::PrivateKey);
    }
    // Strict: positive integers in the fewest octets, so that one key has one fingerprint.
    let key = RsaPublicKeyRef::from_der(pkcs1).map_err(|_| WeakOrUnreadableKey::Structure)?;
    let (modulus, exponent) = (key.modulus.as_bytes(), key.public_exponent.as_bytes());
    let bits = bit_length(modulus);
    if !RSA_BITS.contains(&bits) {
        return Err(WeakOrUnreadableKey::RsaSize { bits });
    }
    if modulus.last().is_none_or(|last| last & 1 == 0) {
        return Err(WeakOrUnreadableKey::RsaModulus);
    }
    // Exponents beyond 33 bits are refused by every TLS library we know, so nobody could connect
    // with one.
    let odd = exponent.last().is_some_and(|last| last & 1 == 1);
    if !odd || !(17..=33).contains(&bit_length(exponent)) {
        return Err(WeakOrUnreadableKey::RsaExponent);
    }
    Ok(bits)
}

pub(crate) fn check_p256(point: &[u8]) -> Result<(), WeakOrUnreadableKey> {
    // Only the uncompressed form, so that one key has one SPKI.
    if point.len() != 65 || point[0] != 4 {
        return Err(WeakOrUnreadableKey::Point);
    }
    signature::ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_ASN1, point)
        .map(|_| ())
        .map_err(|_| WeakOrUnreadableKey::Point)
}

/// The y coordinates (sign bit cleared, little-endian) of the points of order 1, 2, 4 and 8, in
/// every encoding below 2^255: for such a key anybody can make a signature that verifies. p = 2^255
/// - 19.
pub(crate) const ED25519_SMALL_ORDER: [[u8; 32]; 7] = {
    const fn ends(first: u8, middle: u8, last: u8) -> [u8; 32] {
        let mut y = [middle; 32];
        y[0] = first;
        y[31] = last;
        y
    }
    [
        ends(0, 0, 0),
        ends(1, 0, 0),
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef,
            0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88,
            0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10,
            0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77,
            0x92, 0xac, 0x03, 0x7a,
        ],
        ends(0xec, 0xff, 0x7f),
        ends(0xed, 0xff, 0x7f),
        ends(0xee, 0xff, 0x7f),
    ]
};

pub(crate) fn check_ed25519(point: &[u8]) -> Result<(), WeakOrUnreadableKey> {
    let mut y: [u8; 32] = point.try_into().map_err(|_| WeakOrUnreadableKey::Point)?;
    y[31] &= 0x7f;
    if ED25519_SMALL_ORDER.contains(&y) {
        return Err(WeakOrUnreadableKey::Point);
    }
    Ok(())
}

fn bit_length(magnitude: &[u8]) -> usize {
    match magnitude.iter().position(|octet| *octet != 0) {
        Some(first) => {
            (magnitude.len() - first) * 8
                - usize::try_from(magnitude[first].leading_zeros()).unwrap_or(0)
        }
        None => 0,
    }
}
