//! Who signed an image.
//!
//! The signature section is CBOR: an array of one map,
//! `{"signing_certificate": PEM, "signature": COSE_Sign1}`, both as arrays of small integers (so
//! serde writes a `Vec<u8>`, and so AWS's tools and QEMU read it). The signed payload is the map
//! `{"register_index": 0, "register_value": PCR0}`, PCR0 again as an array of integers; the
//! envelope is untagged, with ES384 in its protected header and an empty unprotected one
//! (aws-nitro-enclaves-image-format, `src/utils/eif_signer.rs`).

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey,
};
use ciborium::Value;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// The label of the algorithm in a COSE header, and ES384 (RFC 9053, section 2.1).
const ALG: i64 = 1;
const ES384: i64 = -35;

/// A certificate and its private key.
pub struct Signer {
    certificate_pem: Vec<u8>,
    certificate: CertificateDer<'static>,
    key: EcdsaKeyPair,
}

impl Signer {
    /// From PEM files: an X.509 certificate, and its P-384 private key (`EC PRIVATE KEY` or
    /// `PRIVATE KEY`).
    ///
    /// # Errors
    /// When one cannot be read, is of another curve, or they do not belong together.
    pub fn from_pem(certificate: &[u8], private_key: &[u8]) -> Result<Signer, InvalidSigner> {
        let der = certificate_of(certificate).ok_or(InvalidSigner::Certificate)?;
        let public_key = public_key_of(&der).ok_or(InvalidSigner::Certificate)?;
        let private_key =
            PrivateKeyDer::from_pem_slice(private_key).map_err(|_| InvalidSigner::PrivateKey)?;
        let key = EcdsaKeyPair::from_private_key_der(
            &ECDSA_P384_SHA384_FIXED_SIGNING,
            private_key.secret_der(),
        )
        .map_err(|_| InvalidSigner::PrivateKey)?;
        if key.public_key().as_ref() != public_key {
            return Err(InvalidSigner::Mismatch);
        }
        Ok(Signer {
            certificate_pem: certificate.to_vec(),
            certificate: der,
            key,
        })
    }

    /// The certificate (DER), which PCR8 is over.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// The bytes of a signature section over PCR0.
    pub(crate) fn sign(&self, pcr0: &Digest) -> Result<Vec<u8>, InvalidSigner> {
        let protected = to_cbor(&Value::Map(vec![(ALG.into(), ES384.into())]));
        let payload = payload(pcr0);
        let to_sign = to_be_signed(&protected, &payload);
        let signature = self
            .key
            .sign(&SystemRandom::new(), &to_sign)
            .map_err(|_| InvalidSigner::Signing)?;
        let envelope = Value::Array(vec![
            Value::Bytes(protected),
            Value::Map(Vec::new()),
            Value::Bytes(payload),
            Value::Bytes(signature.as_ref().to_vec()),
        ]);
        Ok(to_cbor(&[RegisterSignature {
            signing_certificate: self.certificate_pem.clone(),
            signature: to_cbor(&envelope),
        }]))
    }
}

/// Why an image cannot be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSigner {
    /// Not PEM, not X.509.
    #[error("the signing certificate is not an X.509 certificate in PEM")]
    Certificate,
    /// Not PEM, or not a key of P-384, which hosts insist on.
    #[error("the private key is not a P-384 key in PEM")]
    PrivateKey,
    /// The host would refuse the image.
    #[error("the private key does not belong to the signing certificate")]
    Mismatch,
    /// The generator or the key failed.
    #[error("signing failed")]
    Signing,
}

/// A signature section, taken apart. Nothing is verified before [`Signature::verify`].
#[derive(Debug, Clone)]
pub struct Signature {
    certificate: CertificateDer<'static>,
    envelope: Vec<u8>,
}

impl Signature {
    pub(crate) fn decode(bytes: &[u8]) -> Result<Signature, InvalidSignature> {
        let signatures: Vec<RegisterSignature> =
            from_cbor(bytes).ok_or(InvalidSignature::Malformed)?;
        let [signature] = <[RegisterSignature; 1]>::try_from(signatures)
            .map_err(|signatures| InvalidSignature::Count(signatures.len()))?;
        let certificate =
            certificate_of(&signature.signing_certificate).ok_or(InvalidSignature::Certificate)?;
        Ok(Signature {
            certificate,
            envelope: signature.signature,
        })
    }

    /// The signing certificate (DER), which PCR8 is over.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// Checks that the certificate's key signed exactly this PCR0. Neither the certificate's issuer
    /// nor its dates are looked at: who signs is told by PCR8, and the host checks the dates when
    /// it starts the image.
    ///
    /// # Errors
    /// When the signature is of another algorithm, about something else, or wrong.
    pub fn verify(&self, pcr0: &Digest) -> Result<(), InvalidSignature> {
        let parts: [Value; 4] = from_cbor(&self.envelope).ok_or(InvalidSignature::Malformed)?;
        let [
            Value::Bytes(protected),
            Value::Map(_),
            Value::Bytes(signed),
            Value::Bytes(signature),
        ] = parts
        else {
            return Err(InvalidSignature::Malformed);
        };
        let header: Value = from_cbor(&protected).ok_or(InvalidSignature::Malformed)?;
        if header != Value::Map(vec![(ALG.into(), ES384.into())]) {
            return Err(InvalidSignature::Algorithm);
        }
        if signed != payload(pcr0) {
            return Err(InvalidSignature::OtherImage);
        }
        let key = public_key_of(&self.certificate).ok_or(InvalidSignature::Certificate)?;
        UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, key)
            .verify(&to_be_signed(&protected, &signed), &signature)
            .map_err(|_| InvalidSignature::Wrong)
    }
}

/// Why a signature section says nothing about an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSignature {
    /// Not the CBOR that AWS's tools write.
    #[error("the signature section is not the CBOR that images are signed with")]
    Malformed,
    /// Hosts look at one, over PCR0.
    #[error("the signature section holds {0} signatures, where images have one")]
    Count(usize),
    /// Not PEM, not X.509.
    #[error("the signing certificate in the signature section cannot be read")]
    Certificate,
    /// Not ES384.
    #[error("the image is signed with another algorithm than ES384")]
    Algorithm,
    /// A signature taken from somewhere else.
    #[error("the signature is about another image (another PCR0)")]
    OtherImage,
    /// Made with another key, or changed.
    #[error("the signature is wrong: the certificate's key did not make it")]
    Wrong,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RegisterSignature {
    signing_certificate: Vec<u8>,
    signature: Vec<u8>,
}

#[derive(Serialize)]
struct Register<'a> {
    register_index: i32,
    register_value: &'a [u8],
}

fn payload(pcr0: &Digest) -> Vec<u8> {
    to_cbor(&Register {
        register_index: 0,
        register_value: pcr0,
    })
}

/// The `Sig_structure` of RFC 9052, section 4.4.
fn to_be_signed(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    to_cbor(&Value::Array(vec![
        "Signature1".into(),
        protected.into(),
        Value::Bytes(Vec::new()),
        payload.into(),
    ]))
}

fn certificate_of(pem: &[u8]) -> Option<CertificateDer<'static>> {
    let certificate = CertificateDer::from_pem_slice(pem).ok()?;
    public_key_of(&certificate)?;
    Some(certificate)
}

/// The subject's key: for P-384 an uncompressed point.
fn public_key_of(certificate: &[u8]) -> Option<Vec<u8>> {
    let (rest, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let key = certificate.public_key().subject_public_key.data.to_vec();
    rest.is_empty().then_some(key)
}

fn to_cbor(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).expect("writing to memory does not fail");
    bytes
}

/// The one value that `bytes` are, with nothing after it.
fn from_cbor<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Option<T> {
    let mut rest = bytes;
    let value = ciborium::from_reader(&mut rest).ok()?;
    rest.is_empty().then_some(value)
}
