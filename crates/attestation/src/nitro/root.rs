//! The root that evidence must lead to.

use std::fmt;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// The fingerprint (SHA-256 of the DER) of the one root certificate that is trusted.
///
/// There is no value that stands for "any root".
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Root {
    fingerprint: [u8; 32],
}

impl Root {
    /// AWS's root for Nitro Enclaves, `AWS_NitroEnclaves_Root-G1`, valid from 2019-10-28 to
    /// 2049-10-28.
    pub fn aws_nitro() -> Root {
        // From AWS's published certificate; tests verify real documents against it.
        Root {
            fingerprint: [
                0x64, 0x1a, 0x03, 0x21, 0xa3, 0xe2, 0x44, 0xef, 0xe4, 0x56, 0x46, 0x31, 0x95, 0xd6,
                0x06, 0x31, 0x7e, 0xd7, 0xcd, 0xcc, 0x3c, 0x17, 0x56, 0xe0, 0x98, 0x93, 0xf3, 0xc6,
                0x8f, 0x79, 0xbb, 0x5b,
            ],
        }
    }

    /// A root of someone's own, such as a simulated platform's: one certificate in PEM.
    ///
    /// Evidence under it proves only that the holder of that root's key wrote it, not that any
    /// hardware did.
    ///
    /// # Errors
    /// When the text holds no certificate, or more than one.
    pub fn dangerous_from_pem(pem: &str) -> Result<Root, InvalidRoot> {
        // Spelled dangerous: with another root, evidence is only somebody's word.
        let mut certificates = CertificateDer::pem_slice_iter(pem.as_bytes());
        let first = certificates.next().ok_or(InvalidRoot::Empty)?;
        let first = first.map_err(|_| InvalidRoot::NotACertificate)?;
        // Of several one would be trusted, and which one would hang on their order.
        if certificates.next().is_some() {
            return Err(InvalidRoot::Several);
        }
        match x509_parser::parse_x509_certificate(&first) {
            Ok(([], _)) => Ok(Root::of_der(&first)),
            _ => Err(InvalidRoot::NotACertificate),
        }
    }

    /// SHA-256 of the root certificate's DER.
    pub fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    // Of all bytes, the signature included: a re-signed root is another root.
    pub(crate) fn of_der(certificate: &[u8]) -> Root {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate);
        let fingerprint = digest.as_ref().try_into().expect("SHA-256 has 32 bytes");
        Root { fingerprint }
    }
}

/// `AWS Nitro (641a03...)` for AWS's root, otherwise `641a03...`: the whole fingerprint in hex.
impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fingerprint = hex::encode(self.fingerprint);
        if *self == Root::aws_nitro() {
            write!(f, "AWS Nitro ({fingerprint})")
        } else {
            f.write_str(&fingerprint)
        }
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Root({self})")
    }
}

/// Why a text is not a root certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRoot {
    /// No PEM section is a certificate.
    #[error("the root file holds no certificate: it must begin with -----BEGIN CERTIFICATE-----")]
    Empty,
    /// The section is not PEM, or its bytes are not X.509.
    #[error("the root file's certificate cannot be read: it must be one X.509 certificate in PEM")]
    NotACertificate,
    /// A chain instead of a root.
    #[error("the root file holds several certificates: leave only the root in it")]
    Several,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aws_root_has_the_published_fingerprint() {
        let text = "AWS Nitro (641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b)";
        assert_eq!(Root::aws_nitro().to_string(), text);
    }

    #[cfg(feature = "authority")]
    #[test]
    fn a_root_is_exactly_one_certificate() {
        let pem = crate::nitro::authority::Authority::generate().root_pem();
        let root = Root::dangerous_from_pem(&pem).expect("one certificate");
        let with_text = format!("the root of our test platform\n{pem}\n");
        assert_eq!(Root::dangerous_from_pem(&with_text), Ok(root));
        let twice = Root::dangerous_from_pem(&format!("{pem}{pem}"));
        assert_eq!(twice, Err(InvalidRoot::Several));
        for text in [
            "",
            "root.pem",
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        ] {
            assert_eq!(
                Root::dangerous_from_pem(text),
                Err(InvalidRoot::Empty),
                "{text}"
            );
        }
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(
            Root::dangerous_from_pem(garbage),
            Err(InvalidRoot::NotACertificate)
        );
    }
}
