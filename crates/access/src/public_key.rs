//! Public keys of users: one normal form whatever the encoding they came in.

use std::fmt;

use aws_lc_rs::{digest, signature};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::der::{self, Reader};

const OID_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const OID_EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const OID_P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const OID_ED25519: &[u8] = &[0x2b, 0x65, 0x70];

const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// Longest text or DER accepted: an RSA-8192 key as PEM is under 2 KiB.
const MAX_BYTES: usize = 16 * 1024;

/// A public key that is strong enough to register: RSA of 2048 to 8192 bits with an odd exponent of at least
/// 65537, P-256, or Ed25519. Two spellings of one key are equal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey {
    spki: Vec<u8>,
    algorithm: KeyAlgorithm,
}

/// What kind of key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyAlgorithm {
    /// RSA with a modulus of this many bits.
    Rsa {
        /// Length of the modulus.
        bits: usize,
    },
    /// ECDSA on the curve P-256.
    P256,
    /// Ed25519.
    Ed25519,
}

/// Why a text or file is not a public key to register.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakOrUnreadableKey {
    /// Nothing there.
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
        "this is a private key; an agreement is read by everyone, so give the public key (NAME_public.der)"
    )]
    PrivateKey,
    /// Not a PKCS#1 or SPKI public key, or with bytes after it.
    #[error("the key is neither a PKCS#1 nor an SPKI public key, or has bytes after its end")]
    Structure,
    /// A kind of key that the channel does not authenticate.
    #[error(
        "the key is of a kind that is not supported; use RSA of at least 2048 bits, P-256 or Ed25519"
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
    #[error("the RSA key's modulus is even, so it is no RSA key")]
    RsaModulus,
    /// Not a point of the curve, or one that anybody can sign for.
    #[error("the key is not a usable point of its curve")]
    Point,
}

impl PublicKey {
    /// Reads a key as text: base64 of PKCS#1 or SPKI (line breaks allowed), or PEM.
    ///
    /// # Errors
    /// Whatever is wrong with it, also when it is only weak.
    pub fn parse(text: &str) -> Result<Self, WeakOrUnreadableKey> {
        if text.len() > MAX_BYTES {
            return Err(WeakOrUnreadableKey::TooLong);
        }
        let text = text.trim();
        if text.is_empty() {
            return Err(WeakOrUnreadableKey::Empty);
        }
        let body = match text.strip_prefix("-----BEGIN ") {
            Some(after) => pem_body(after)?,
            None => text,
        };
        let compact: String = body.split_ascii_whitespace().collect();
        let der = BASE64
            .decode(compact)
            .map_err(|_| WeakOrUnreadableKey::Base64)?;
        Self::from_der(&der)
    }

    /// Reads a key file whatever its ending: DER, PEM or base64.
    ///
    /// # Errors
    /// Whatever is wrong with it, also when it is only weak.
    pub fn read(bytes: &[u8]) -> Result<Self, WeakOrUnreadableKey> {
        match bytes {
            // No text form begins with the character '0', which is the tag of a sequence.
            [der::SEQUENCE, ..] => Self::from_der(bytes),
            _ => match std::str::from_utf8(bytes) {
                Ok(text) => Self::parse(text),
                Err(_) => Self::from_der(bytes),
            },
        }
    }

    /// Reads PKCS#1 or SPKI in DER.
    ///
    /// # Errors
    /// Whatever is wrong with it, also when it is only weak.
    pub fn from_der(bytes: &[u8]) -> Result<Self, WeakOrUnreadableKey> {
        if bytes.is_empty() {
            return Err(WeakOrUnreadableKey::Empty);
        }
        if bytes.len() > MAX_BYTES {
            return Err(WeakOrUnreadableKey::TooLong);
        }
        let mut outer = Reader::new(bytes);
        let content = outer
            .value(der::SEQUENCE)
            .ok_or(WeakOrUnreadableKey::Structure)?;
        if !outer.is_empty() {
            return Err(WeakOrUnreadableKey::Structure);
        }
        match content.first() {
            Some(&der::SEQUENCE) => from_spki(content),
            Some(&der::INTEGER) => from_pkcs1(bytes),
            _ => Err(WeakOrUnreadableKey::Structure),
        }
    }

    /// The key as SubjectPublicKeyInfo in DER: the form that TLS shows and that keys are compared in.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// What kind of key it is.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// SHA-256 of the SPKI.
    pub fn fingerprint(&self) -> [u8; 32] {
        digest::digest(&digest::SHA256, &self.spki)
            .as_ref()
            .try_into()
            .expect("SHA-256 has 32 bytes")
    }

    /// The base64 text for `service.yaml`: RSA keys as PKCS#1, as the workshop's are, others as SPKI.
    pub fn to_text(&self) -> String {
        let bits = self.spki.as_slice();
        match self.algorithm {
            KeyAlgorithm::Rsa { .. } => BASE64.encode(inner_key(bits)),
            KeyAlgorithm::P256 | KeyAlgorithm::Ed25519 => BASE64.encode(bits),
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "PublicKey({:?}, {})",
            self.algorithm,
            BASE64.encode(self.fingerprint())
        )
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyAlgorithm::Rsa { bits } => write!(f, "RSA-{bits}"),
            KeyAlgorithm::P256 => write!(f, "P-256"),
            KeyAlgorithm::Ed25519 => write!(f, "Ed25519"),
        }
    }
}

/// The base64 lines of a PEM text, given what follows `-----BEGIN `.
fn pem_body(after_begin: &str) -> Result<&str, WeakOrUnreadableKey> {
    let (label, rest) = after_begin
        .split_once("-----")
        .ok_or(WeakOrUnreadableKey::Structure)?;
    if label.ends_with("PRIVATE KEY") {
        return Err(WeakOrUnreadableKey::PrivateKey);
    }
    if label != "PUBLIC KEY" && label != "RSA PUBLIC KEY" {
        return Err(WeakOrUnreadableKey::Structure);
    }
    let (body, tail) = rest
        .split_once("-----END ")
        .ok_or(WeakOrUnreadableKey::Structure)?;
    if tail.strip_prefix(label) != Some("-----") {
        return Err(WeakOrUnreadableKey::Structure);
    }
    Ok(body)
}

/// A PKCS#1 key, wrapped into an SPKI.
fn from_pkcs1(bytes: &[u8]) -> Result<PublicKey, WeakOrUnreadableKey> {
    let bits = check_rsa(bytes)?;
    let algorithm = der::sequence(&[der::write(der::OID, OID_RSA), der::write(der::NULL, &[])]);
    Ok(PublicKey {
        spki: der::sequence(&[algorithm, bit_string(bytes)]),
        algorithm: KeyAlgorithm::Rsa { bits },
    })
}

/// An SPKI, given the content of its outer sequence.
fn from_spki(content: &[u8]) -> Result<PublicKey, WeakOrUnreadableKey> {
    let structure = WeakOrUnreadableKey::Structure;
    let mut fields = Reader::new(content);
    let identifier = fields.value(der::SEQUENCE).ok_or(structure.clone())?;
    let Some(key) = fields.value(der::BIT_STRING).filter(|_| fields.is_empty()) else {
        // A PKCS#8 or SEC1 file begins with a version number; what begins with a sequence is some other thing.
        return Err(structure);
    };
    let Some((0, key)) = key.split_first() else {
        return Err(structure);
    };
    let mut identifier = Reader::new(identifier);
    let oid = identifier.value(der::OID).ok_or(structure.clone())?;
    let algorithm = match oid {
        OID_RSA => {
            let null = identifier.value(der::NULL).ok_or(structure.clone())?;
            if !null.is_empty() {
                return Err(structure);
            }
            KeyAlgorithm::Rsa {
                bits: check_rsa(key)?,
            }
        }
        OID_EC => {
            if identifier.value(der::OID) != Some(OID_P256) {
                return Err(WeakOrUnreadableKey::Algorithm);
            }
            check_p256(key)?;
            KeyAlgorithm::P256
        }
        OID_ED25519 => {
            check_ed25519(key)?;
            KeyAlgorithm::Ed25519
        }
        _ => return Err(WeakOrUnreadableKey::Algorithm),
    };
    if !identifier.is_empty() {
        return Err(structure);
    }
    Ok(PublicKey {
        spki: der::write(der::SEQUENCE, content),
        algorithm,
    })
}

/// Bits of the modulus, once the PKCS#1 key is known to be sound.
fn check_rsa(pkcs1: &[u8]) -> Result<usize, WeakOrUnreadableKey> {
    let structure = WeakOrUnreadableKey::Structure;
    let mut outer = Reader::new(pkcs1);
    let content = outer
        .value(der::SEQUENCE)
        .filter(|_| outer.is_empty())
        .ok_or(structure.clone())?;
    let mut fields = Reader::new(content);
    // Private keys (PKCS#1, PKCS#8, SEC1) begin with a version number, where a public key has its modulus.
    if content.starts_with(&[der::INTEGER, 1]) {
        return Err(WeakOrUnreadableKey::PrivateKey);
    }
    let modulus = fields.positive_integer().ok_or(structure.clone())?;
    let exponent = fields
        .positive_integer()
        .filter(|_| fields.is_empty())
        .ok_or(structure)?;
    let bits = bit_length(modulus);
    if !RSA_BITS.contains(&bits) {
        return Err(WeakOrUnreadableKey::RsaSize { bits });
    }
    if modulus.last().is_none_or(|last| last & 1 == 0) {
        return Err(WeakOrUnreadableKey::RsaModulus);
    }
    // Exponents beyond 33 bits are refused by every TLS library we know, so nobody could connect with one.
    let odd = exponent.last().is_some_and(|last| last & 1 == 1);
    if !odd || !(17..=33).contains(&bit_length(exponent)) {
        return Err(WeakOrUnreadableKey::RsaExponent);
    }
    Ok(bits)
}

fn check_p256(point: &[u8]) -> Result<(), WeakOrUnreadableKey> {
    // Only the uncompressed form, so that one key has one SPKI.
    if point.len() != 65 || point[0] != 4 {
        return Err(WeakOrUnreadableKey::Point);
    }
    signature::ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_ASN1, point)
        .map(|_| ())
        .map_err(|_| WeakOrUnreadableKey::Point)
}

/// The y coordinates (sign bit cleared, little-endian) of the points of order 1, 2, 4 and 8, in every encoding
/// below 2^255: for such a key anybody can make a signature that verifies. p = 2^255 - 19.
const ED25519_SMALL_ORDER: [[u8; 32]; 7] = {
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

fn check_ed25519(point: &[u8]) -> Result<(), WeakOrUnreadableKey> {
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

fn bit_string(content: &[u8]) -> Vec<u8> {
    let mut octets = vec![0];
    octets.extend_from_slice(content);
    der::write(der::BIT_STRING, &octets)
}

/// The key inside the SPKI's bit string.
fn inner_key(spki: &[u8]) -> &[u8] {
    let mut outer = Reader::new(spki);
    let content = outer
        .value(der::SEQUENCE)
        .expect("the SPKI was checked when the key was made");
    let mut fields = Reader::new(content);
    fields
        .value(der::SEQUENCE)
        .expect("the SPKI was checked when the key was made");
    &fields
        .value(der::BIT_STRING)
        .expect("the SPKI was checked when the key was made")[1..]
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::KeyPair as _;

    use super::*;

    /// The two public keys that the workshop's text prints.
    pub(super) const ALICE: &str = "MIIBCgKCAQEAsNooqfUM3YYBVwfoXp8zTyqdc7EAshRLQQPXeBVSie2L5BAuqnnZS9GiQmg8CiJnz5e+LVLNl9Xm+n9HO/bvWcBbMIh+LucqTgjDjenTH55pAuWMEfCcGMlZg5Kwsrwm4BMrB0oJbNGecRfLRwciIh8M8BtaUZYlrq5xFmSY0Ew1M0hPQZJx0AOwXVQMhZ5iU12JItxcK+MbWiikcpC3R3QBwdWfXkbchd33savOgHyVMcV4PNjkxLjH7d7ui5zjadWMSRvyq+EvY34ycBju+N1DGRqpiuVqU7uUiDPKRIOdC80BpgeE2tPULRlHCJIiVAakQneM2PIBAp4hR4DLrQIDAQAB";
    const BOB: &str = "MIIBCgKCAQEAwJ5+Lx51TgvQ+1vUyYpTQoSJKRyTiDN45DAeJWPk4QiCXnKmScQiOrArw2QQ2pvUyYA2NU7vScikXaZXyCjGW/HHvERWkjaPFJcWNapOjEoZsSCEJhEDle7VEYHJ3JFcH4C+HHNZ+5Z9If6yCraELN8QRjXwAe+vzHex9zsw5dhX+7CcvP59B1BpBzWFtPgJHu4gAi9SnIW1/Zi8WtdBYheZr5Vya6Sg4TptrPD5iFhfbGwCiMXcfPPY5lpi/WPynqge27GoGVcd7PTCJaYEYsHkGd+wBOiLCX6hr+Fr3nXEu6qmmMOoqAIZR45DihIhf5iVgaSBXqT/IfK21tqGjwIDAQAB";

    fn refused(bytes: &[u8]) -> WeakOrUnreadableKey {
        PublicKey::read(bytes).expect_err("this key must be refused")
    }

    fn rsa(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
        der::sequence(&[
            der::write(der::INTEGER, modulus),
            der::write(der::INTEGER, exponent),
        ])
    }

    fn ed25519(point: &[u8]) -> Vec<u8> {
        der::sequence(&[
            der::sequence(&[der::write(der::OID, OID_ED25519)]),
            bit_string(point),
        ])
    }

    fn ec(curve: &[u8], point: &[u8]) -> Vec<u8> {
        let algorithm = der::sequence(&[der::write(der::OID, OID_EC), der::write(der::OID, curve)]);
        der::sequence(&[algorithm, bit_string(point)])
    }

    #[test]
    fn the_workshops_keys_are_read_in_every_encoding_as_one_key() {
        for text in [ALICE, BOB] {
            let key = PublicKey::parse(text).unwrap();
            assert_eq!(key.algorithm(), KeyAlgorithm::Rsa { bits: 2048 });
            assert_eq!(key.to_text(), text);
            let pkcs1 = BASE64.decode(text).unwrap();
            let spki = BASE64.encode(key.spki());
            let pem = format!("-----BEGIN PUBLIC KEY-----\n{spki}\n-----END PUBLIC KEY-----\n");
            let pem_pkcs1 =
                format!("-----BEGIN RSA PUBLIC KEY-----\r\n{text}\r\n-----END RSA PUBLIC KEY-----");
            let folded = format!("  {}\n {}\n", &text[..64], &text[64..]);
            for form in [
                pkcs1.as_slice(),
                key.spki(),
                spki.as_bytes(),
                pem.as_bytes(),
                pem_pkcs1.as_bytes(),
                folded.as_bytes(),
            ] {
                assert_eq!(PublicKey::read(form).unwrap(), key);
            }
        }
        assert_ne!(PublicKey::parse(ALICE), PublicKey::parse(BOB));
    }

    #[test]
    fn the_spki_of_an_rsa_key_is_what_the_library_makes_of_it() {
        let pair = aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048).unwrap();
        let key = PublicKey::from_der(pair.public_key().as_ref()).unwrap();
        let spki: aws_lc_rs::encoding::PublicKeyX509Der<'_> =
            aws_lc_rs::encoding::AsDer::as_der(pair.public_key()).unwrap();
        assert_eq!(key.spki(), spki.as_ref());
    }

    #[test]
    fn p256_and_ed25519_keys_are_read() {
        let pair =
            signature::EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let key = PublicKey::read(&ec(OID_P256, pair.public_key().as_ref())).unwrap();
        assert_eq!(key.algorithm(), KeyAlgorithm::P256);
        assert_eq!(PublicKey::parse(&key.to_text()).unwrap(), key);

        let pair = signature::Ed25519KeyPair::generate().unwrap();
        let key = PublicKey::read(&ed25519(pair.public_key().as_ref())).unwrap();
        assert_eq!(key.algorithm(), KeyAlgorithm::Ed25519);
        assert_eq!(PublicKey::parse(&key.to_text()).unwrap(), key);
    }

    #[test]
    fn weak_rsa_keys_are_refused() {
        let mut modulus = vec![0xff; 256];
        let mut padded = vec![0];
        padded.extend_from_slice(&modulus);
        let e = &[1, 0, 1];
        assert!(PublicKey::read(&rsa(&padded, e)).is_ok());
        assert_eq!(
            refused(&rsa(&padded, &[3])),
            WeakOrUnreadableKey::RsaExponent
        );
        assert_eq!(
            refused(&rsa(&padded, &[1])),
            WeakOrUnreadableKey::RsaExponent
        );
        assert_eq!(
            refused(&rsa(&padded, &[1, 0, 0])),
            WeakOrUnreadableKey::RsaExponent
        );
        assert_eq!(
            refused(&rsa(&padded, &[1; 9])),
            WeakOrUnreadableKey::RsaExponent
        );
        assert_eq!(
            refused(&rsa(&padded[..129], e)),
            WeakOrUnreadableKey::RsaSize { bits: 1024 }
        );
        modulus[0] = 0x7f;
        assert_eq!(
            refused(&rsa(&modulus, e)),
            WeakOrUnreadableKey::RsaSize { bits: 2047 }
        );
        *padded.last_mut().unwrap() = 0xfe;
        assert_eq!(refused(&rsa(&padded, e)), WeakOrUnreadableKey::RsaModulus);
    }

    #[test]
    fn bytes_after_the_key_are_refused_inside_and_outside() {
        let pkcs1 = BASE64.decode(ALICE).unwrap();
        let mut after = pkcs1.clone();
        after.push(0);
        assert_eq!(refused(&after), WeakOrUnreadableKey::Structure);
        let algorithm = der::sequence(&[der::write(der::OID, OID_RSA), der::write(der::NULL, &[])]);
        assert_eq!(
            refused(&der::sequence(&[algorithm, bit_string(&after)])),
            WeakOrUnreadableKey::Structure
        );
    }

    #[test]
    fn a_private_key_is_named_as_one() {
        let pem = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----";
        assert_eq!(refused(pem.as_bytes()), WeakOrUnreadableKey::PrivateKey);
        let pair = aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048).unwrap();
        let pkcs8: aws_lc_rs::encoding::Pkcs8V1Der<'_> =
            aws_lc_rs::encoding::AsDer::as_der(&pair).unwrap();
        assert_eq!(refused(pkcs8.as_ref()), WeakOrUnreadableKey::PrivateKey);
    }

    #[test]
    fn texts_that_are_no_key_are_refused() {
        assert_eq!(refused(b""), WeakOrUnreadableKey::Empty);
        assert_eq!(refused(b" \n"), WeakOrUnreadableKey::Empty);
        assert_eq!(refused(b"not a key!"), WeakOrUnreadableKey::Base64);
        assert_eq!(refused(b"AAAA"), WeakOrUnreadableKey::Structure);
        assert_eq!(
            refused(&vec![b'A'; MAX_BYTES + 1]),
            WeakOrUnreadableKey::TooLong
        );
        assert_eq!(
            refused(&ALICE.as_bytes()[..300]),
            WeakOrUnreadableKey::Structure
        );
    }

    #[test]
    fn points_that_anybody_can_sign_for_or_off_the_curve_are_refused() {
        for y in ED25519_SMALL_ORDER {
            assert_eq!(refused(&ed25519(&y)), WeakOrUnreadableKey::Point);
            let mut negative = y;
            negative[31] |= 0x80;
            assert_eq!(refused(&ed25519(&negative)), WeakOrUnreadableKey::Point);
        }
        let mut off_curve = vec![4];
        off_curve.extend([9; 64]);
        assert_eq!(
            refused(&ec(OID_P256, &off_curve)),
            WeakOrUnreadableKey::Point
        );
        assert_eq!(
            refused(&ec(&[0x2b, 0x81, 0x04, 0x00, 0x22], &off_curve)),
            WeakOrUnreadableKey::Algorithm
        );
    }

    #[test]
    fn the_coordinates_of_the_points_of_order_eight_add_up_to_p() {
        // They are y and -y: their sum is p = 2^255 - 19, which a mistyped constant would not give.
        let (a, b) = (ED25519_SMALL_ORDER[2], ED25519_SMALL_ORDER[3]);
        let mut carry = 0u16;
        let sum: Vec<u8> = a
            .iter()
            .zip(b)
            .map(|(a, b)| {
                carry += u16::from(*a) + u16::from(b);
                let octet = carry.to_le_bytes()[0];
                carry >>= 8;
                octet
            })
            .collect();
        assert_eq!(sum, ED25519_SMALL_ORDER[5]);
    }
}
