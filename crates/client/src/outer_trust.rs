//! Who vouches for a load balancer, where the channel goes through TLS of its own.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::Error;

/// The lists of operating systems have some 200 KiB.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// The authorities that the outer hop of `wss://` is judged by: by default those of the operating
/// system. They say that a load balancer is the one that was asked for; what it then carries is
/// checked again, against evidence, and trusts none of them.
#[derive(Clone, Debug, Default)]
pub struct OuterTrust {
    /// `None` is the operating system's.
    named: Option<Arc<RootCertStore>>,
}

impl OuterTrust {
    /// The certificates in `file` (PEM) alone.
    ///
    /// # Errors
    /// [`Error::OuterCa`] where the file cannot be read or holds none.
    pub fn from_pem_file(file: &Path) -> Result<Self, Error> {
        let refuse = |why: String| Error::OuterCa {
            path: file.to_owned(),
            why,
        };
        let pem = protocol::read_file(file, MAX_FILE_BYTES);
        let pem = pem.map_err(|error| refuse(error.to_string()))?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            // One certificate that cannot be used spoils the file: a chain with a hole would fail
            // later, with a stranger message.
            let certificate = certificate.map_err(|error| refuse(error.to_string()))?;
            let added = roots.add(certificate);
            added.map_err(|error| refuse(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(refuse("there is no certificate in it".to_owned()));
        }
        Ok(Self {
            named: Some(Arc::new(roots)),
        })
    }

    /// TLS over `stream` to the server that calls itself `host`.
    ///
    /// # Errors
    /// What is wrong, for a person.
    pub(crate) async fn secure<S>(&self, stream: S, host: &str) -> Result<TlsStream<S>, String>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        // The name is checked here, unlike in the inner channel: this hop is ordinary TLS.
        let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(self.roots()?)
            .with_no_client_auth();
        // Upgrades need HTTP/1.1.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .map_err(|error| error.to_string())
    }

    fn roots(&self) -> Result<Arc<RootCertStore>, String> {
        if let Some(named) = &self.named {
            return Ok(Arc::clone(named));
        }
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        // Lists of systems have certificates that no library reads; one of them must not spoil the
        // rest.
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            return Err(
                "this machine has no list of certificate authorities; name one with --outer-ca"
                    .to_owned(),
            );
        }
        Ok(Arc::new(roots))
    }
}
