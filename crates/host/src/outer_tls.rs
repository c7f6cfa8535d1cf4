//! TLS of the hop between client or load balancer and host. The channel inside has its own, which
//! ends in the enclave.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// Of a chain of certificates, or a key.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Why certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OuterTlsError {
    /// A file that cannot be read, or not as PEM.
    #[error("{}: {source}", path.display())]
    File {
        /// Path of the file.
        path: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// A file without a certificate.
    #[error("{} has no certificate in it", .0.display())]
    NoCertificate(PathBuf),
    /// The two do not fit, or are of a kind that cannot be used.
    #[error("certificate and key cannot be used together: {0}")]
    Unusable(#[from] rustls::Error),
}

/// Reads a chain of certificates, the server's own first, and its private key, both PEM.
///
/// # Errors
/// [`OuterTlsError`].
pub fn outer_tls(certificate: &Path, key: &Path) -> Result<TlsAcceptor, OuterTlsError> {
    let chain: Vec<_> = read(certificate, |pem| {
        CertificateDer::pem_slice_iter(pem).collect()
    })?;
    // The parser skips what is not a certificate, so that an empty chain gives no error by itself.
    if chain.is_empty() {
        return Err(OuterTlsError::NoCertificate(certificate.to_owned()));
    }
    let key = read(key, PrivateKeyDer::from_pem_slice)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    // An upgrade needs HTTP/1.1; clients that name no protocol are served as well.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn read<T>(
    path: &Path,
    parse: impl FnOnce(&[u8]) -> Result<T, pem::Error>,
) -> Result<T, OuterTlsError> {
    let content = protocol::read_file(path, MAX_FILE_BYTES).map_err(pem::Error::Io);
    content
        .and_then(|content| parse(&content))
        .map_err(|source| OuterTlsError::File {
            path: path.to_owned(),
            source,
        })
}
