//! TLS peers without scruples, of any version and protocol.

use std::sync::Arc;

use attested_tls::{ALPN, ClientKey, KeyAlgorithm};
use rustls::client::AlwaysResolvesClientRawPublicKeys;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme,
    SupportedProtocolVersion,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Takes any raw key, and any proof of it: a peer without scruples.
#[derive(Debug)]
pub(crate) struct AnyKey;

impl ServerCertVerifier for AnyKey {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for AnyKey {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

pub(crate) fn certified(key: &ClientKey) -> Arc<CertifiedKey> {
    let private = PrivateKeyDer::try_from(key.private_der()).expect("it was just written");
    let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&private).expect("a good key");
    let spki = key.public_key().expect("it has one").to_vec();
    Arc::new(CertifiedKey::new(vec![CertificateDer::from(spki)], key))
}

pub(crate) fn raw_client(
    key: Option<&ClientKey>,
    version: &'static SupportedProtocolVersion,
    alpn: &[&[u8]],
) -> TlsConnector {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[version])
        .expect("the provider has suites for it")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyKey));
    let mut config = match key {
        Some(key) => builder.with_client_cert_resolver(Arc::new(
            AlwaysResolvesClientRawPublicKeys::new(certified(key)),
        )),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

/// What a client without scruples gets for a nonce of its choice.
pub(crate) async fn raw_exchange(key: &ClientKey, io: DuplexStream, nonce: &[u8]) -> Vec<u8> {
    let name = ServerName::try_from("enclave").expect("it is a name");
    let client = raw_client(Some(key), &TLS13, &[ALPN]);
    let mut stream = client.connect(name, io).await.expect("the room lets it in");
    stream.write_all(nonce).await.expect("it is open");
    stream.flush().await.expect("it is open");
    let length = stream.read_u32().await.expect("the room answers");
    let mut document = vec![0; usize::try_from(length).expect("it is short")];
    stream
        .read_exact(&mut document)
        .await
        .expect("the room answers");
    document
}

pub(crate) fn raw_server(
    version: &'static SupportedProtocolVersion,
    alpn: &[&[u8]],
) -> TlsAcceptor {
    let key = certified(&ClientKey::generate(KeyAlgorithm::P256));
    server_with(
        version,
        alpn,
        Arc::new(AlwaysResolvesServerRawPublicKeys::new(key)),
    )
}

pub(crate) fn server_with(
    version: &'static SupportedProtocolVersion,
    alpn: &[&[u8]],
    key: Arc<dyn ResolvesServerCert>,
) -> TlsAcceptor {
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[version])
        .expect("the provider has suites for it")
        .with_client_cert_verifier(Arc::new(AnyKey))
        .with_cert_resolver(key);
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}
