//! What an enclave claims of itself, unverified: for emulators whose documents nobody has signed,
//! so that no client of ours talks to them.
//!
//! Usage: claimed_registers ENCLAVE_SOCKET PORT PRIVATE_KEY_FILE
//!
//! Prints `PCRn HEX` for every register in the enclave's document.

use std::sync::Arc;

use anyhow::{Context, bail};
use attested_tls::ClientKey;
use ciborium::Value;
use rustls::client::AlwaysResolvesClientRawPublicKeys;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::{default_provider, sign::any_supported_type};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio_rustls::TlsConnector;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [socket, port, key] = arguments.as_slice() else {
        bail!("usage: claimed_registers ENCLAVE_SOCKET PORT PRIVATE_KEY_FILE");
    };
    let key = ClientKey::read(&std::fs::read(key)?)?;
    let stream = enter(socket, port).await?;
    print_registers(&ask_for_document(stream, &key).await?)
}

async fn enter(socket: &str, port: &str) -> anyhow::Result<UnixStream> {
    let mut stream = UnixStream::connect(socket).await?;
    stream
        .write_all(format!("CONNECT {port}\n").as_bytes())
        .await?;
    let mut answer = Vec::new();
    while answer.last() != Some(&b'\n') {
        answer.push(stream.read_u8().await.context("nothing listens there")?);
    }
    Ok(stream)
}

async fn ask_for_document(stream: UnixStream, key: &ClientKey) -> anyhow::Result<Vec<u8>> {
    let mut stream = tls(key)?
        .connect(ServerName::try_from("enclave")?, stream)
        .await?;
    stream.write_all(&[7; 32]).await?;
    stream.flush().await?;
    let length = stream.read_u32().await?;
    let mut document = vec![0; usize::try_from(length)?];
    stream.read_exact(&mut document).await?;
    Ok(document)
}

#[expect(
    clippy::print_stdout,
    reason = "the registers are the program's output"
)]
fn print_registers(document: &[u8]) -> anyhow::Result<()> {
    let envelope: Vec<Value> = ciborium::from_reader(document)?;
    let payload = envelope.get(2).and_then(Value::as_bytes);
    let payload: Value = ciborium::from_reader(payload.context("no payload")?.as_slice())?;
    let fields = payload.as_map().context("no map")?;
    let pcrs = fields
        .iter()
        .find(|(name, _)| name.as_text() == Some("pcrs"));
    for (index, value) in pcrs
        .and_then(|(_, pcrs)| pcrs.as_map())
        .context("no pcrs")?
    {
        let index = index.as_integer().context("a strange index")?;
        let value = value.as_bytes().context("a strange register")?;
        println!("PCR{} {}", i128::from(index), hex::encode(value));
    }
    Ok(())
}

fn tls(key: &ClientKey) -> anyhow::Result<TlsConnector> {
    let private = PrivateKeyDer::try_from(key.private_der()).map_err(anyhow::Error::msg)?;
    let private = any_supported_type(&private)?;
    let spki = private
        .public_key()
        .context("a key without a public half")?;
    let certified = CertifiedKey::new(vec![CertificateDer::from(spki.to_vec())], private);
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyKey))
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(Arc::new(
            certified,
        ))));
    config.alpn_protocols = vec![attested_tls::ALPN.to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Takes whoever answers.
#[derive(Debug)]
struct AnyKey;

impl ServerCertVerifier for AnyKey {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 was not offered".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
