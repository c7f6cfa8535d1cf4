//! The key of a party: reading it from a file, making a new one.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use crate::der::{BIT_STRING, Der, INTEGER, OBJECT, OCTET_STRING, SEQUENCE};
use crate::handshake;

/// Longer than any private key of the kinds that are read.
const MAX_FILE_BYTES: usize = 64 * 1024;
/// What the TLS library signs with.
const MAX_RSA_BITS: usize = 8192;

const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const RANDOM: &str = "making a key fails only without system randomness";

/// The kinds of keys that can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// RSA with 2048 bits, as the workshop's keys.
    Rsa2048,
    /// RSA with 3072 bits.
    Rsa3072,
    /// ECDSA on P-256.
    P256,
    /// Ed25519.
    Ed25519,
}

impl KeyAlgorithm {
    /// All of them, in the order in which help lists them.
    pub const ALL: [KeyAlgorithm; 4] = [
        KeyAlgorithm::Rsa2048,
        KeyAlgorithm::Rsa3072,
        KeyAlgorithm::P256,
        KeyAlgorithm::Ed25519,
    ];

    /// `rsa-2048`, `rsa-3072`, `p256` or `ed25519`.
    pub fn name(self) -> &'static str {
        match self {
            KeyAlgorithm::Rsa2048 => "rsa-2048",
            KeyAlgorithm::Rsa3072 => "rsa-3072",
            KeyAlgorithm::P256 => "p256",
            KeyAlgorithm::Ed25519 => "ed25519",
        }
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for KeyAlgorithm {
    type Err = UnknownAlgorithm;

    fn from_str(text: &str) -> Result<KeyAlgorithm, UnknownAlgorithm> {
        let mut all = KeyAlgorithm::ALL.into_iter();
        all.find(|algorithm| algorithm.name() == text)
            .ok_or_else(|| UnknownAlgorithm(text.to_owned()))
    }
}

/// A name that no algorithm has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no key algorithm {0:?}: take rsa-2048, rsa-3072, p256 or ed25519")]
pub struct UnknownAlgorithm(String);

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
    /// An RSA key that is too short.
    #[error(
        "its RSA modulus has {bits} bits, which is too weak: 2048 are the least, 8192 the most"
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

/// A private key of a party: RSA of 2048 bits or more, P-256, or Ed25519.
///
/// `Debug` shows a fingerprint of the public half only; what is written out is overwritten when dropped.
#[derive(Clone)]
pub struct ClientKey {
    private: Arc<Zeroizing<Vec<u8>>>,
    public: Vec<u8>,
    certified: Arc<CertifiedKey>,
}

impl ClientKey {
    /// Reads PKCS#1, PKCS#8 or SEC1, in DER, PEM or base64, whatever the file is called.
    ///
    /// # Errors
    /// When the bytes are no such key, or a weak one.
    pub fn read(file: &[u8]) -> Result<ClientKey, UnreadableKey> {
        if file.len() > MAX_FILE_BYTES {
            return Err(UnreadableKey::NotAKey);
        }
        let der = unwrap_text(file)?;
        match Form::of(&der)? {
            Form::Pkcs1 => ClientKey::rsa(&der),
            Form::Sec1 => {
                let key = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_ASN1_SIGNING, &der);
                ClientKey::p256(&key.map_err(|_| UnreadableKey::Kind)?)
            }
            Form::Pkcs8 { algorithm, key } => match algorithm {
                RSA_ENCRYPTION => ClientKey::rsa(key),
                EC_PUBLIC_KEY => {
                    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der);
                    ClientKey::p256(&key.map_err(|_| UnreadableKey::Kind)?)
                }
                ED25519 => {
                    let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der);
                    ClientKey::ed25519(&key.map_err(|_| UnreadableKey::Inconsistent)?)
                }
                _ => Err(UnreadableKey::Kind),
            },
        }
    }

    /// A new key.
    ///
    /// # Panics
    /// When the operating system gives no randomness.
    pub fn generate(algorithm: KeyAlgorithm) -> ClientKey {
        let rsa = |size| {
            let key = RsaKeyPair::generate(size).expect(RANDOM);
            let pkcs8 =
                aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&key);
            let pkcs8 = pkcs8.expect("a fresh key can be written");
            match Form::of(pkcs8.as_ref()) {
                Ok(Form::Pkcs8 { key, .. }) => ClientKey::rsa(key),
                _ => Err(UnreadableKey::NotAKey),
            }
        };
        let key = match algorithm {
            KeyAlgorithm::Rsa2048 => rsa(KeySize::Rsa2048),
            KeyAlgorithm::Rsa3072 => rsa(KeySize::Rsa3072),
            KeyAlgorithm::P256 => {
                let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING);
                ClientKey::p256(&key.expect(RANDOM))
            }
            KeyAlgorithm::Ed25519 => ClientKey::ed25519(&Ed25519KeyPair::generate().expect(RANDOM)),
        };
        key.expect("a key that was just made is strong and readable")
    }

    /// The private key in DER: RSA as PKCS#1, as the workshop's keys are; others as PKCS#8.
    pub fn private_der(&self) -> &[u8] {
        &self.private
    }

    /// The public key in DER: RSA as PKCS#1, as the workshop's keys are; others as SPKI.
    pub fn public_der(&self) -> &[u8] {
        &self.public
    }

    /// [`ClientKey::public_der`] in base64: what stands as `public_key` in `service.yaml`.
    pub fn public_text(&self) -> String {
        STANDARD.encode(&self.public)
    }

    /// The public key as SPKI in DER, whatever its kind.
    pub fn spki(&self) -> &[u8] {
        &self.certified.cert[0]
    }

    pub(crate) fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.certified)
    }

    fn rsa(pkcs1: &[u8]) -> Result<ClientKey, UnreadableKey> {
        check_rsa_strength(pkcs1)?;
        let key = RsaKeyPair::from_der(pkcs1).map_err(|_| UnreadableKey::Inconsistent)?;
        let public = key.public_key().as_ref().to_vec();
        ClientKey::assemble(PrivateKeyDer::Pkcs1(pkcs1.into()), Some(public))
    }

    fn p256(key: &EcdsaKeyPair) -> Result<ClientKey, UnreadableKey> {
        let pkcs8 = key.to_pkcs8v1().map_err(|_| UnreadableKey::Inconsistent)?;
        ClientKey::assemble(PrivateKeyDer::Pkcs8(pkcs8.as_ref().into()), None)
    }

    fn ed25519(key: &Ed25519KeyPair) -> Result<ClientKey, UnreadableKey> {
        let pkcs8 = key.to_pkcs8v1().map_err(|_| UnreadableKey::Inconsistent)?;
        ClientKey::assemble(PrivateKeyDer::Pkcs8(pkcs8.as_ref().into()), None)
    }

    fn assemble(
        private: PrivateKeyDer<'_>,
        public: Option<Vec<u8>>,
    ) -> Result<ClientKey, UnreadableKey> {
        let copy = Zeroizing::new(private.secret_der().to_vec());
        let key = any_supported_type(&private);
        let key = key.map_err(|_| UnreadableKey::Inconsistent)?;
        let spki = key.public_key().ok_or(UnreadableKey::Kind)?.to_vec();
        Ok(ClientKey {
            private: Arc::new(copy),
            public: public.unwrap_or_else(|| spki.clone()),
            certified: Arc::new(CertifiedKey::new(vec![CertificateDer::from(spki)], key)),
        })
    }
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientKey({})", handshake::fingerprint(self.spki()))
    }
}

/// Which of the known structures a DER private key has.
enum Form<'a> {
    Pkcs1,
    Sec1,
    Pkcs8 { algorithm: &'a [u8], key: &'a [u8] },
}

impl<'a> Form<'a> {
    fn of(der: &'a [u8]) -> Result<Form<'a>, UnreadableKey> {
        let outer = Der::only_sequence(der).ok_or(UnreadableKey::NotAKey)?;
        Form::of_private(outer).ok_or_else(|| Form::explain(outer))
    }

    fn of_private(mut outer: Der<'a>) -> Option<Form<'a>> {
        let version = outer.expect(INTEGER)?;
        match (version, outer.peek()?) {
            ([0], INTEGER) => {
                // A public key of PKCS#1 ends after its second integer.
                outer.expect(INTEGER)?;
                outer.expect(INTEGER)?;
                Some(Form::Pkcs1)
            }
            ([1], OCTET_STRING) => Some(Form::Sec1),
            ([0 | 1], SEQUENCE) => {
                let mut algorithm = Der::new(outer.expect(SEQUENCE)?);
                let algorithm = algorithm.expect(OBJECT)?;
                let key = outer.expect(OCTET_STRING)?;
                Some(Form::Pkcs8 { algorithm, key })
            }
            _ => None,
        }
    }

    /// What else it may be.
    fn explain(outer: Der<'_>) -> UnreadableKey {
        let mut elements = outer;
        match (
            elements.peek(),
            elements.expect(SEQUENCE).is_some(),
            elements.peek(),
        ) {
            (Some(SEQUENCE), true, Some(BIT_STRING)) => UnreadableKey::Public,
            (Some(SEQUENCE), true, Some(OCTET_STRING)) => UnreadableKey::Encrypted,
            _ => {
                let mut elements = outer;
                let pair = (elements.expect(INTEGER), elements.expect(INTEGER));
                match (pair, elements.peek()) {
                    ((Some(_), Some(_)), None) => UnreadableKey::Public,
                    _ => UnreadableKey::NotAKey,
                }
            }
        }
    }
}

/// DER out of PEM or base64, or as it is.
fn unwrap_text(file: &[u8]) -> Result<Zeroizing<Vec<u8>>, UnreadableKey> {
    if file.first() == Some(&SEQUENCE) {
        return Ok(Zeroizing::new(file.to_vec()));
    }
    let text = std::str::from_utf8(file).map_err(|_| UnreadableKey::NotAKey)?;
    if text.contains("-----BEGIN ") {
        return unwrap_pem(text);
    }
    let compact: Zeroizing<Vec<u8>> = Zeroizing::new(
        text.bytes()
            .filter(|byte| !byte.is_ascii_whitespace())
            .collect(),
    );
    let der = STANDARD.decode(compact.as_slice());
    der.map(Zeroizing::new).map_err(|_| UnreadableKey::NotAKey)
}

fn unwrap_pem(text: &str) -> Result<Zeroizing<Vec<u8>>, UnreadableKey> {
    if text.contains("ENCRYPTED") {
        return Err(UnreadableKey::Encrypted);
    }
    if text.contains("BEGIN OPENSSH PRIVATE KEY") {
        return Err(UnreadableKey::OpenSsh);
    }
    match PrivateKeyDer::from_pem_slice(text.as_bytes()) {
        Ok(key) => Ok(Zeroizing::new(key.secret_der().to_vec())),
        Err(_) if text.contains("PUBLIC KEY-----") => Err(UnreadableKey::Public),
        Err(_) => Err(UnreadableKey::NotAKey),
    }
}

fn check_rsa_strength(pkcs1: &[u8]) -> Result<(), UnreadableKey> {
    let numbers = Der::only_sequence(pkcs1).and_then(|mut key| {
        key.expect(INTEGER)?;
        Some((key.expect(INTEGER)?, key.expect(INTEGER)?))
    });
    let (modulus, exponent) = numbers.ok_or(UnreadableKey::NotAKey)?;
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
fn bit_length(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    match number[zeros..] {
        [] => 0,
        [first, ref rest @ ..] => 8 * rest.len() + (8 - first.leading_zeros() as usize),
    }
}
