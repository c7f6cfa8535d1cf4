//! A root that outlives the process which made it.

use rcgen::{Certificate, KeyPair};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::Authority;

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";

#[derive(Debug)]
pub(super) struct RootCertificate {
    pub(super) der: Vec<u8>,
    pub(super) pem: String,
}

impl From<Certificate> for RootCertificate {
    fn from(certificate: Certificate) -> Self {
        Self {
            der: certificate.der().to_vec(),
            pem: certificate.pem(),
        }
    }
}

/// Why a text is not a root that [`Authority::to_keep`] wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotKept {
    /// It does not begin with a private key.
    #[error("it does not begin with a private key in PEM")]
    Key,
    /// No certificate follows.
    #[error("no certificate in PEM follows its private key")]
    Certificate,
}

impl Authority {
    /// The root's private key and certificate in PEM. Whoever has them can make documents under
    /// this root.
    pub fn to_keep(&self) -> String {
        self.root.serialize_pem() + &self.root_certificate.pem
    }

    /// An authority under a root that was kept; all keys below the root are new.
    ///
    /// # Errors
    /// [`NotKept`]. Whether key and certificate belong together shows in the first document that is
    /// verified.
    ///
    /// # Panics
    /// When the operating system gives no randomness.
    pub fn from_kept(pem: &str) -> Result<Authority, NotKept> {
        let (key, _) = pem.split_once(CERTIFICATE).ok_or(NotKept::Certificate)?;
        let certificate = &pem[key.len()..];
        let der = CertificateDer::from_pem_slice(certificate.as_bytes());
        let certificate = RootCertificate {
            der: der.map_err(|_| NotKept::Certificate)?.to_vec(),
            pem: certificate.to_owned(),
        };
        let key = KeyPair::from_pem(key).map_err(|_| NotKept::Key)?;
        Ok(Authority::under(key, certificate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_root_is_the_same_root_with_the_same_key() {
        let first = Authority::generate();
        let second = Authority::from_kept(&first.to_keep()).expect("it was just written");
        assert_eq!(second.root_pem(), first.root_pem());
        assert_eq!(second.to_keep(), first.to_keep());
    }

    #[test]
    fn half_a_root_is_none() {
        let kept = Authority::generate().to_keep();
        let at = kept.find(CERTIFICATE).expect("it has one");
        let refusal = |text: &str| Authority::from_kept(text).map(drop);
        assert_eq!(refusal(&kept[..at]), Err(NotKept::Certificate));
        assert_eq!(refusal(&kept[..at + 40]), Err(NotKept::Certificate));
        assert_eq!(refusal(&kept[at..]), Err(NotKept::Key));
        assert_eq!(refusal(""), Err(NotKept::Certificate));
    }
}
