//! Public keys of users: one normal form whatever the encoding they came in.

use std::fmt;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use pkcs1::ALGORITHM_OID as OID_RSA;
use spki::SubjectPublicKeyInfoRef;
use spki::der::asn1::{AnyRef, BitStringRef, ObjectIdentifier};
use spki::der::{Decode, Encode, Tag, Tagged};

use crate::key_strength::WeakOrUnreadableKey::{self, Structure};
use crate::key_strength::{MAX_BYTES, check_ed25519, check_p256, check_rsa};

/// id-ecPublicKey (RFC 5480, 2.1.1).
const OID_EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// secp256r1 (RFC 5480, 2.1.1.1).
const OID_P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
/// id-Ed25519 (RFC 8410, 3).
const OID_ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// Tags of DER.
const SEQUENCE: u8 = 0x30;
pub(crate) const INTEGER: u8 = 0x02;

/// A public key that is strong enough to register: RSA of 2048 to 8192 bits with an odd exponent of
/// at least 65537, P-256, or Ed25519. Two spellings of one key are equal.
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
            [SEQUENCE, ..] => Self::from_der(bytes),
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
        // The first field tells the two apart: in an SPKI it is the algorithm.
        let first = sequence(bytes)?.first().copied();
        match first {
            Some(SEQUENCE) => from_spki(bytes),
            Some(INTEGER) => from_pkcs1(bytes),
            _ => Err(WeakOrUnreadableKey::Structure),
        }
    }

    /// The key as SubjectPublicKeyInfo in DER: the form that TLS shows and that keys are compared
    /// in.
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

    /// The base64 text for `service.yaml`: RSA keys as PKCS#1, as the workshop's are, others as
    /// SPKI.
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
        // The fingerprint: the key itself is too long for a line of a log.
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
    let info = SubjectPublicKeyInfoRef {
        // With the NULL, which is part of the one form that TLS shows (RFC 8017, A.1): without it
        // the same key would compare unequal.
        algorithm: pkcs1::ALGORITHM_ID,
        subject_public_key: BitStringRef::from_bytes(bytes).map_err(|_| Structure)?,
    };
    Ok(PublicKey {
        spki: info.to_der().map_err(|_| Structure)?,
        algorithm: KeyAlgorithm::Rsa { bits },
    })
}

fn from_spki(bytes: &[u8]) -> Result<PublicKey, WeakOrUnreadableKey> {
    // A PKCS#8 or SEC1 file begins with a version number; what begins with a sequence and is not an
    // SPKI is some other thing.
    let info = SubjectPublicKeyInfoRef::from_der(bytes).map_err(|_| Structure)?;
    // A key has no unused bits (X.690, 8.6.2).
    let key = info.subject_public_key.as_bytes().ok_or(Structure)?;
    let parameters = info.algorithm.parameters;
    let algorithm = match info.algorithm.oid {
        OID_RSA => {
            if parameters != Some(AnyRef::NULL) {
                return Err(Structure);
            }
            KeyAlgorithm::Rsa {
                bits: check_rsa(key)?,
            }
        }
        OID_EC => {
            if info.algorithm.parameters_oid() != Ok(OID_P256) {
                return Err(WeakOrUnreadableKey::Algorithm);
            }
            check_p256(key)?;
            KeyAlgorithm::P256
        }
        OID_ED25519 => {
            check_ed25519(key)?;
            // They must be absent (RFC 8410, 3), so that one key has one encoding.
            if parameters.is_some() {
                return Err(Structure);
            }
            KeyAlgorithm::Ed25519
        }
        _ => return Err(WeakOrUnreadableKey::Algorithm),
    };
    Ok(PublicKey {
        // As it came: DER has one encoding of a key, and nothing else was accepted.
        spki: bytes.to_vec(),
        algorithm,
    })
}

/// The content of the one sequence that `bytes` are.
pub(crate) fn sequence(bytes: &[u8]) -> Result<&[u8], WeakOrUnreadableKey> {
    let value = AnyRef::from_der(bytes).map_err(|_| Structure)?;
    match value.tag() {
        Tag::Sequence => Ok(value.value()),
        _ => Err(Structure),
    }
}

/// The key inside the SPKI's bit string.
fn inner_key(spki: &[u8]) -> &[u8] {
    SubjectPublicKeyInfoRef::from_der(spki)
        .expect("the SPKI was checked when the key was made")
        .subject_public_key
        .raw_bytes()
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{self, KeyPair as _};

    use super::*;
    use crate::key_strength::ED25519_SMALL_ORDER;

    /// The two public keys that the workshop's text prints.
    pub(super) const ALICE: &str = "MIIBCgKCAQEAsNooqfUM3YYBVwfoXp8zTyqdc7EAshRLQQPXeBVSie2L5BAuqnnZS9GiQmg8CiJnz5e+LVLNl9Xm+n9HO/bvWcBbMIh+LucqTgjDjenTH55pAuWMEfCcGMlZg5Kwsrwm4BMrB0oJbNGecRfLRwciIh8M8BtaUZYlrq5xFmSY0Ew1M0hPQZJx0AOwXVQMhZ5iU12JItxcK+MbWiikcpC3R3QBwdWfXkbchd33savOgHyVMcV4PNjkxLjH7d7ui5zjadWMSRvyq+EvY34ycBju+N1DGRqpiuVqU7uUiDPKRIOdC80BpgeE2tPULRlHCJIiVAakQneM2PIBAp4hR4DLrQIDAQAB";
    const BOB: &str = "MIIBCgKCAQEAwJ5+Lx51TgvQ+1vUyYpTQoSJKRyTiDN45DAeJWPk4QiCXnKmScQiOrArw2QQ2pvUyYA2NU7vScikXaZXyCjGW/HHvERWkjaPFJcWNapOjEoZsSCEJhEDle7VEYHJ3JFcH4C+HHNZ+5Z9If6yCraELN8QRjXwAe+vzHex9zsw5dhX+7CcvP59B1BpBzWFtPgJHu4gAi9SnIW1/Zi8WtdBYheZr5Vya6Sg4TptrPD5iFhfbGwCiMXcfPPY5lpi/WPynqge27GoGVcd7PTCJaYEYsHkGd+wBOiLCX6hr+Fr3nXEu6qmmMOoqAIZR45DihIhf5iVgaSBXqT/IfK21tqGjwIDAQAB";

    fn refused(bytes: &[u8]) -> WeakOrUnreadableKey {
        PublicKey::read(bytes).expect_err("this key must be refused")
    }

    /// One value with its tag and length, whatever they say: what no library would write.
    fn value(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        let mut out = match length {
            [0, short] if short < 0x80 => vec![tag, short],
            [0, long] => vec![tag, 0x81, long],
            [a, b] => vec![tag, 0x82, a, b],
        };
        out.extend_from_slice(content);
        out
    }

    fn sequence_of(values: &[Vec<u8>]) -> Vec<u8> {
        value(0x30, &values.concat())
    }

    fn oid(oid: ObjectIdentifier) -> Vec<u8> {
        value(0x06, oid.as_bytes())
    }

    fn bit_string(content: &[u8]) -> Vec<u8> {
        value(0x03, &[&[0], content].concat())
    }

    fn rsa(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
        sequence_of(&[value(0x02, modulus), value(0x02, exponent)])
    }

    fn ed25519(point: &[u8]) -> Vec<u8> {
        sequence_of(&[sequence_of(&[oid(OID_ED25519)]), bit_string(point)])
    }

    fn ec(curve: ObjectIdentifier, point: &[u8]) -> Vec<u8> {
        sequence_of(&[sequence_of(&[oid(OID_EC), oid(curve)]), bit_string(point)])
    }

    #[test]
    fn lengths_and_integers_in_a_longer_form_than_needed_are_refused() {
        let modulus = [&[0][..], &[0xff; 256]].concat();
        let e = &[1, 0, 1];
        assert!(PublicKey::read(&rsa(&modulus, e)).is_ok());
        for (modulus, exponent) in [
            ([&[0][..], &modulus].concat(), e.to_vec()),
            (modulus.clone(), vec![0, 1, 0, 1]),
            // Negative, and zero.
            (modulus[1..].to_vec(), e.to_vec()),
            (vec![], e.to_vec()),
        ] {
            assert_eq!(refused(&rsa(&modulus, &exponent)), Structure);
        }
        // Of the outer sequence: in three octets instead of two, and to be found by its end.
        let good = rsa(&modulus, e);
        let [_, 0x82, a, b, content @ ..] = good.as_slice() else {
            panic!("the length has two octets")
        };
        for head in [&[0x30, 0x83, 0, *a, *b][..], &[0x30, 0x80]] {
            let end: &[u8] = if head.len() == 2 { &[0, 0] } else { &[] };
            assert_eq!(refused(&[head, content, end].concat()), Structure);
        }
        // Of a short value, in one octet more.
        let point = signature::Ed25519KeyPair::generate().unwrap();
        let long = [&[0x03, 0x81, 33, 0][..], point.public_key().as_ref()].concat();
        let key = sequence_of(&[sequence_of(&[oid(OID_ED25519)]), long]);
        assert_eq!(refused(&key), Structure);
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
        let algorithm = sequence_of(&[oid(OID_RSA), value(0x05, &[])]);
        assert_eq!(
            refused(&sequence_of(&[algorithm, bit_string(&after)])),
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
            refused(&ec(
                ObjectIdentifier::new_unwrap("1.3.132.0.34"),
                &off_curve
            )),
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
