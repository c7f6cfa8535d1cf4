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
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use crate::handshake;
use crate::key_form::{Form, UnreadableKey, check_rsa_strength, unwrap_text};

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

/// A private key of a party: RSA of 2048 bits or more, P-256, or Ed25519.
///
/// `Debug` shows a fingerprint of the public half only; what is written out is overwritten when
/// dropped.
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
    /// When the bytes are not such a key, or a weak one.
    pub fn read(file: &[u8]) -> Result<ClientKey, UnreadableKey> {
        // By content and never by the file's name: keys are often misnamed.
        let der = unwrap_text(file)?;
        match Form::read(&der)? {
            Form::Rsa(pkcs1) => ClientKey::rsa(pkcs1),
            Form::P256Sec1 => {
                let key = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_ASN1_SIGNING, &der);
                ClientKey::p256(&key.map_err(|_| UnreadableKey::Inconsistent)?)
            }
            Form::P256Pkcs8 => {
                let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der);
                ClientKey::p256(&key.map_err(|_| UnreadableKey::Inconsistent)?)
            }
            Form::Ed25519Pkcs8 => {
                // The public half may be missing from the file, and is then computed.
                let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der);
                ClientKey::ed25519(&key.map_err(|_| UnreadableKey::Inconsistent)?)
            }
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
            match Form::read(pkcs8.as_ref()) {
                Ok(Form::Rsa(pkcs1)) => ClientKey::rsa(pkcs1),
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

    /// [`ClientKey::public_der`] in base64: what goes into `public_key` of `service.yaml`.
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
        // Strength first: a weak key may be consistent.
        check_rsa_strength(pkcs1)?;
        let key = RsaKeyPair::from_der(pkcs1).map_err(|_| UnreadableKey::Inconsistent)?;
        let public = key.public_key().as_ref().to_vec();
        ClientKey::assemble(PrivateKeyDer::Pkcs1(pkcs1.into()), Some(public))
    }

    fn p256(key: &EcdsaKeyPair) -> Result<ClientKey, UnreadableKey> {
        let pkcs8 = key.to_pkcs8v1().map_err(|_| UnreadableKey::Inconsistent)?;
        // Written anew, so that each kind of key has one form from here on.
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
        // Overwritten on drop; the library keeps its own copy for as long as the key lives.
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

#[cfg(test)]
mod tests {
    use pkcs1::RsaPublicKeyRef;
    use spki::der::Decode;

    use super::*;
    use crate::key_form::{MAX_FILE_BYTES, bit_length};

    const RSA_2048_PKCS8: &[u8] = include_bytes!("../tests/keys/rsa-2048.pkcs8.der");
    const RSA_2048_PKCS1: &[u8] = include_bytes!("../tests/keys/rsa-2048.pkcs1.der");
    const RSA_2048_PUBLIC: &[u8] = include_bytes!("../tests/keys/rsa-2048.public.pkcs1.der");
    const RSA_2048_SPKI: &[u8] = include_bytes!("../tests/keys/rsa-2048.spki.der");
    const RSA_1024: &[u8] = include_bytes!("../tests/keys/rsa-1024.pkcs1.der");
    const RSA_E3: &[u8] = include_bytes!("../tests/keys/rsa-2048-e3.pkcs1.der");
    const P256_SEC1: &[u8] = include_bytes!("../tests/keys/p256.sec1.der");
    const P256_PKCS8: &[u8] = include_bytes!("../tests/keys/p256.pkcs8.der");
    const P256_SPKI: &[u8] = include_bytes!("../tests/keys/p256.spki.der");
    const P384_SEC1: &[u8] = include_bytes!("../tests/keys/p384.sec1.der");
    const P384_PKCS8: &[u8] = include_bytes!("../tests/keys/p384.pkcs8.der");
    const X25519: &[u8] = include_bytes!("../tests/keys/x25519.pkcs8.der");
    const ED25519_PKCS8: &[u8] = include_bytes!("../tests/keys/ed25519.pkcs8.der");
    const ED25519_SPKI: &[u8] = include_bytes!("../tests/keys/ed25519.spki.der");
    const ENCRYPTED: &[u8] = include_bytes!("../tests/keys/encrypted.pkcs8.der");

    fn pem(label: &str, der: &[u8]) -> String {
        let base64 = STANDARD.encode(der);
        let lines = base64.as_bytes().chunks(64).map(String::from_utf8_lossy);
        let lines: Vec<_> = lines.collect();
        format!(
            "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
            lines.join("\n")
        )
    }

    fn refusal(file: &[u8]) -> UnreadableKey {
        ClientKey::read(file).expect_err("it is not acceptable")
    }

    #[test]
    fn every_form_is_read_as_der_pem_and_base64() {
        for (label, der, spki) in [
            ("RSA PRIVATE KEY", RSA_2048_PKCS1, RSA_2048_SPKI),
            ("PRIVATE KEY", RSA_2048_PKCS8, RSA_2048_SPKI),
            ("EC PRIVATE KEY", P256_SEC1, P256_SPKI),
            ("PRIVATE KEY", P256_PKCS8, P256_SPKI),
            ("PRIVATE KEY", ED25519_PKCS8, ED25519_SPKI),
        ] {
            let base64 = STANDARD.encode(der);
            let wrapped = format!(" {}\r\n{}\n", &base64[..20], &base64[20..]);
            let pem = pem(label, der);
            let commented = format!("Bag Attributes\n  friendlyName: x\n{pem}");
            for file in [
                der,
                base64.as_bytes(),
                wrapped.as_bytes(),
                pem.as_bytes(),
                commented.as_bytes(),
            ] {
                let key = ClientKey::read(file).expect(label);
                assert_eq!(key.spki(), spki, "{label}");
            }
        }
    }

    /// What OpenSSL and the workshop's tools write for the same key.
    #[test]
    fn rsa_is_written_as_pkcs1_and_others_as_pkcs8_and_spki() {
        let rsa = ClientKey::read(RSA_2048_PKCS8).expect("a good key");
        assert_eq!(rsa.private_der(), RSA_2048_PKCS1);
        assert_eq!(rsa.public_der(), RSA_2048_PUBLIC);
        assert!(rsa.public_text().starts_with("MIIBCgKCAQEA"));
        for (file, spki) in [(P256_SEC1, P256_SPKI), (ED25519_PKCS8, ED25519_SPKI)] {
            let key = ClientKey::read(file).expect("a good key");
            assert_eq!(key.public_der(), spki);
            assert!(matches!(
                Form::read(key.private_der()),
                Ok(Form::P256Pkcs8 | Form::Ed25519Pkcs8)
            ));
        }
    }

    #[test]
    fn a_new_key_is_read_back() {
        for algorithm in KeyAlgorithm::ALL {
            let key = ClientKey::generate(algorithm);
            let again = ClientKey::read(key.private_der()).expect("it was just written");
            assert_eq!(again.spki(), key.spki(), "{algorithm}");
            assert_eq!(again.private_der(), key.private_der(), "{algorithm}");
            assert_eq!(algorithm.name().parse(), Ok(algorithm));
        }
        let sizes = [KeyAlgorithm::Rsa2048, KeyAlgorithm::Rsa3072].map(|algorithm| {
            let key = ClientKey::generate(algorithm);
            let public = RsaPublicKeyRef::from_der(key.public_der()).expect("PKCS#1");
            bit_length(public.modulus.as_bytes())
        });
        assert_eq!(sizes, [2048, 3072]);
        assert_eq!(
            "dsa"
                .parse::<KeyAlgorithm>()
                .expect_err("unknown")
                .to_string(),
            "there is no key algorithm \"dsa\": take rsa-2048, rsa-3072, p256 or ed25519"
        );
    }

    #[test]
    fn weak_and_foreign_keys_are_refused_by_name() {
        assert_eq!(refusal(RSA_1024), UnreadableKey::Modulus { bits: 1024 });
        assert!(
            refusal(RSA_1024)
                .to_string()
                .contains("1024 bits: fewer than 2048 are weak")
        );
        assert_eq!(refusal(RSA_E3), UnreadableKey::Exponent);
        for other in [P384_SEC1, P384_PKCS8, X25519] {
            assert_eq!(refusal(other), UnreadableKey::Kind);
        }
        for public in [RSA_2048_SPKI, RSA_2048_PUBLIC, P256_SPKI, ED25519_SPKI] {
            assert_eq!(refusal(public), UnreadableKey::Public);
            assert_eq!(
                refusal(STANDARD.encode(public).as_bytes()),
                UnreadableKey::Public
            );
        }
        assert_eq!(
            refusal(pem("PUBLIC KEY", P256_SPKI).as_bytes()),
            UnreadableKey::Public
        );
        assert_eq!(refusal(ENCRYPTED), UnreadableKey::Encrypted);
        let encrypted = pem("ENCRYPTED PRIVATE KEY", ENCRYPTED);
        assert_eq!(refusal(encrypted.as_bytes()), UnreadableKey::Encrypted);
        let open_ssh = pem("OPENSSH PRIVATE KEY", b"openssh-key-v1");
        assert_eq!(refusal(open_ssh.as_bytes()), UnreadableKey::OpenSsh);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let trailing = [RSA_2048_PKCS1, &[0]].concat();
        let long = vec![b'A'; MAX_FILE_BYTES + 1];
        let bad_pem = pem("PRIVATE KEY", b"nonsense");
        for file in [
            b"".as_slice(),
            b"0",
            b"hello",
            b"\xff\xfe",
            &RSA_2048_PKCS1[..600],
            &trailing,
            &long,
            bad_pem.as_bytes(),
        ] {
            assert_eq!(refusal(file), UnreadableKey::NotAKey);
        }
    }

    #[test]
    fn a_key_with_a_damaged_number_is_refused() {
        let mut rsa = RSA_2048_PKCS1.to_vec();
        rsa[400] ^= 4;
        assert_eq!(refusal(&rsa), UnreadableKey::Inconsistent);
        let mut p256 = P256_SEC1.to_vec();
        p256[20] ^= 4;
        assert_eq!(refusal(&p256), UnreadableKey::Inconsistent);
    }

    #[test]
    fn debug_shows_nothing_private() {
        let key = ClientKey::read(P256_SEC1).expect("a good key");
        assert_eq!(
            format!("{key:?}"),
            format!("ClientKey({})", handshake::fingerprint(P256_SPKI))
        );
    }
}
