//! Which kind of private key a file holds, and in which wrapping.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pkcs1::RsaPrivateKeyRef;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use spki::der::asn1::AnyRef;
use spki::der::{Decode, Reader, SliceReader, Tag, TagNumber, Tagged};
use zeroize::{Zeroize, Zeroizing};

/// Longer than any private key of the kinds that are read.
pub(crate) const MAX_FILE_BYTES: usize = 64 * 1024;
/// What the TLS library signs with.
const MAX_RSA_BITS: usize = 8192;

const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
/// The optional name of the curve in SEC1.
const SEC1_PARAMETERS: Tag = Tag::ContextSpecific {
    constructed: true,
    number: TagNumber(0),
};
/// With what every DER file of a key begins, and no text.
const SEQUENCE: u8 = 0x30;

/// Why a file holds no private key that can be used. No part of the file is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableKey {
    /// None of the known forms.
    #[error("it is not a private key in PKCS#1, PKCS#8 or SEC1 form (DER, PEM or base64)")]
    NotAKey,
    /// The other half of the pair.
    #[error("it is a public key, where the private one is needed")]
    Public,
    /// Protected by a passphrase.
    #[error(
        "it is encrypted: write it out without a passphrase, with `openssl pkey -in FILE -out FILE`"
    )]
    Encrypted,
    /// OpenSSH's own form.
    #[error("it is in OpenSSH's form: convert a copy with `ssh-keygen -p -m PEM -f FILE`")]
    OpenSsh,
    /// A kind of key that rooms do not accept.
    #[error("it is of a kind that is not accepted: use RSA of 2048 bits or more, P-256 or Ed25519")]
    Kind,
    /// An RSA key that is too short, or too long.
    #[error(
        "its RSA modulus has {bits} bits: fewer than 2048 are weak, more than 8192 not supported"
    )]
    Modulus {
        /// The length of the modulus.
        bits: usize,
    },
    /// An RSA key with an unsafe exponent.
    #[error("its RSA exponent is weak: it must be odd, and 65537 at least")]
    Exponent,
    /// The right form, but numbers that make no key.
    #[error("it has the form of a private key, but its numbers do not belong together")]
    Inconsistent,
}

/// Which of the known structures a DER private key has.
pub(crate) enum Form<'a> {
    /// PKCS#1, alone or inside PKCS#8.
    Rsa(&'a [u8]),
    P256Sec1,
    P256Pkcs8,
    Ed25519Pkcs8,
}

// Not the crates `pkcs8` and `sec1`: what a file is instead must be told (encrypted, public, of
// another kind), and whether its numbers belong together only the TLS library knows.
impl<'a> Form<'a> {
    pub(crate) fn read(der: &'a [u8]) -> Result<Form<'a>, UnreadableKey> {
        // One structure that fills the file: bytes after it would be something that nobody looked
        // at.
        let outer = AnyRef::from_der(der).map_err(|_| UnreadableKey::NotAKey)?;
        let elements = match outer.tag() {
            Tag::Sequence => elements(outer.value()).ok_or(UnreadableKey::NotAKey)?,
            _ => return Err(UnreadableKey::NotAKey),
        };
        match elements[..] {
            [(Tag::Integer, [0]), (Tag::Integer, _), ..] => Ok(Form::Rsa(der)),
            [
                (Tag::Integer, [1]),
                (Tag::OctetString, number),
                ref rest @ ..,
            ] => Form::of_sec1(number, rest),
            [
                (Tag::Integer, [0 | 1]),
                (Tag::Sequence, algorithm),
                (Tag::OctetString, key),
                ..,
            ] => Form::of_pkcs8(algorithm, key),
            // What it is instead is told, since the usual mistake is to name the wrong file.
            [(Tag::Sequence, _), (Tag::BitString, _), ..]
            | [(Tag::Integer, _), (Tag::Integer, _)] => Err(UnreadableKey::Public),
            [(Tag::Sequence, _), (Tag::OctetString, _), ..] => Err(UnreadableKey::Encrypted),
            _ => Err(UnreadableKey::NotAKey),
        }
    }

    fn of_sec1(number: &[u8], rest: &[Element<'_>]) -> Result<Form<'a>, UnreadableKey> {
        let curve = match rest {
            [(SEC1_PARAMETERS, name), ..] => object(elements(name).as_deref()),
            _ => None,
        };
        match (number.len(), curve) {
            // A curve that is not named is P-256 by its length of 32 bytes; the library then checks
            // the numbers.
            (32, Some(P256) | None) => Ok(Form::P256Sec1),
            _ => Err(UnreadableKey::Kind),
        }
    }

    fn of_pkcs8(algorithm: &[u8], key: &'a [u8]) -> Result<Form<'a>, UnreadableKey> {
        let algorithm = elements(algorithm).ok_or(UnreadableKey::NotAKey)?;
        let kind = object(Some(&algorithm)).ok_or(UnreadableKey::NotAKey)?;
        match (kind, object(algorithm.get(1..))) {
            (RSA_ENCRYPTION, None) => Ok(Form::Rsa(key)),
            (EC_PUBLIC_KEY, Some(P256)) => Ok(Form::P256Pkcs8),
            (ED25519, None) => Ok(Form::Ed25519Pkcs8),
            _ => Err(UnreadableKey::Kind),
        }
    }
}

/// A tag, and what the element with it holds.
type Element<'a> = (Tag, &'a [u8]);

/// The elements that stand one after the other in `contents`; `None` where these are not whole
/// elements.
fn elements(contents: &[u8]) -> Option<Vec<Element<'_>>> {
    let mut reader = SliceReader::new(contents).ok()?;
    let mut elements = Vec::new();
    while !reader.is_finished() {
        let element = AnyRef::decode(&mut reader).ok()?;
        elements.push((element.tag(), element.value()));
    }
    Some(elements)
}

/// What the first of `elements` names.
fn object<'a>(elements: Option<&[Element<'a>]>) -> Option<&'a [u8]> {
    match elements {
        Some([(Tag::ObjectIdentifier, name), ..]) => Some(name),
        _ => None,
    }
}

/// DER out of PEM or base64, or as it is.
pub(crate) fn unwrap_text(file: &[u8]) -> Result<Zeroizing<Vec<u8>>, UnreadableKey> {
    // Before decoding: a file that was named by mistake may be of any size.
    if file.len() > MAX_FILE_BYTES {
        return Err(UnreadableKey::NotAKey);
    }
    if file.first() == Some(&SEQUENCE) {
        return Ok(Zeroizing::new(file.to_vec()));
    }
    let text = std::str::from_utf8(file).map_err(|_| UnreadableKey::NotAKey)?;
    if text.contains("-----BEGIN ") {
        return unwrap_pem(text);
    }
    // Base64 as it is copied from a message, with line ends anywhere.
    let compact: Zeroizing<Vec<u8>> = Zeroizing::new(
        text.bytes()
            .filter(|byte| !byte.is_ascii_whitespace())
            .collect(),
    );
    let der = STANDARD.decode(compact.as_slice());
    der.map(Zeroizing::new).map_err(|_| UnreadableKey::NotAKey)
}

fn unwrap_pem(text: &str) -> Result<Zeroizing<Vec<u8>>, UnreadableKey> {
    // The library would only say that it cannot be read.
    if text.contains("ENCRYPTED") {
        return Err(UnreadableKey::Encrypted);
    }
    if text.contains("BEGIN OPENSSH PRIVATE KEY") {
        return Err(UnreadableKey::OpenSsh);
    }
    match PrivateKeyDer::from_pem_slice(text.as_bytes()) {
        Ok(mut key) => {
            let der = Zeroizing::new(key.secret_der().to_vec());
            // The decoder's own copy.
            key.zeroize();
            Ok(der)
        }
        Err(_) if text.contains("PUBLIC KEY-----") => Err(UnreadableKey::Public),
        Err(_) => Err(UnreadableKey::NotAKey),
    }
}

/// Refuses an RSA private key (PKCS#1) that is short or has an unsafe exponent.
pub(crate) fn check_rsa_strength(pkcs1: &[u8]) -> Result<(), UnreadableKey> {
    let key = RsaPrivateKeyRef::from_der(pkcs1).map_err(|_| UnreadableKey::NotAKey)?;
    let modulus = key.modulus.as_bytes();
    let exponent = key.public_exponent.as_bytes();
    let bits = bit_length(modulus);
    if !(2048..=MAX_RSA_BITS).contains(&bits) {
        return Err(UnreadableKey::Modulus { bits });
    }
    let odd = exponent.last().is_some_and(|last| last % 2 == 1);
    // 65537 is the smallest odd number of 17 bits.
    if !odd || bit_length(exponent) < 17 {
        return Err(UnreadableKey::Exponent);
    }
    Ok(())
}

/// Of an unsigned number, most significant byte first.
pub(crate) fn bit_length(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    match number[zeros..] {
        [] => 0,
        [first, ref rest @ ..] => 8 * rest.len() + (8 - first.leading_zeros() as usize),
    }
}
