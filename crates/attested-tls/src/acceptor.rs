//! The enclave's side.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use attestation::{AttestError, Attester, ChannelBinding, Evidence, ReportData};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::sign::any_ecdsa_type;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, StartHandshake};

use crate::handshake::{self, NONCE_BYTES, RawKeySignatures};
use crate::{ALPN, AcceptError};

/// Evidence asked for at once. The hardware answers one after the other, so more would only fill
/// the thread pool.
const ATTESTATIONS_AT_ONCE: usize = 4;

/// How much of what a refused client still sends is read, and for how long, so that it gets to see
/// the alert (see `linger`).
const LINGER_BYTES: u64 = 64 * 1024;
const LINGER: Duration = Duration::from_secs(2);

/// The enclave's TLS key, P-256. It lives as long as the enclave and is in no file.
#[derive(Clone)]
pub struct ServerKey {
    certified: Arc<CertifiedKey>,
}

impl ServerKey {
    /// A key that exists nowhere else.
    ///
    /// # Panics
    /// When the operating system gives no randomness.
    pub fn generate() -> ServerKey {
        // Made in the enclave and written nowhere: a key that exists outside could be anyone's.
        const RANDOM: &str = "making a P-256 key fails only without system randomness";
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect(RANDOM);
        let pkcs8 = key.to_pkcs8v1().expect("a fresh key can be written");
        let pkcs8 = PrivatePkcs8KeyDer::from(pkcs8.as_ref());
        let key = any_ecdsa_type(&pkcs8.into()).expect("a key that was just written can be read");
        let spki = key.public_key().expect("P-256 keys have an SPKI").to_vec();
        let certified = CertifiedKey::new(vec![CertificateDer::from(spki)], key);
        ServerKey {
            certified: Arc::new(certified),
        }
    }

    /// The public key (SPKI, DER), as evidence names it.
    pub fn spki(&self) -> &[u8] {
        &self.certified.cert[0]
    }
}

impl fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerKey({})", handshake::fingerprint(self.spki()))
    }
}

/// Accepts connections for one room.
pub struct Acceptor {
    tls: Arc<ServerConfig>,
    key: ServerKey,
    attester: Arc<dyn Attester>,
    attestations: Arc<Semaphore>,
    agreement: [u8; 48],
    boot: [u8; 32],
}

impl Acceptor {
    /// For a room that was started with `agreement` (SHA-384) and drew the random `boot` nonce.
    ///
    /// Only holders of a key in `registered` (SPKI, DER) finish the handshake.
    pub fn new(
        key: ServerKey,
        registered: impl IntoIterator<Item = Vec<u8>>,
        attester: Arc<dyn Attester>,
        agreement: [u8; 48],
        boot: [u8; 32],
    ) -> Acceptor {
        let provider = handshake::provider();
        let clients = RegisteredKeys::new(&provider, registered.into_iter().collect());
        let resolver = AlwaysResolvesServerRawPublicKeys::new(Arc::clone(&key.certified));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(handshake::VERSIONS)
            .expect("the provider has suites of TLS 1.3")
            // A key that is not registered fails in the handshake, before the platform is asked for
            // anything.
            .with_client_cert_verifier(Arc::new(clients))
            .with_cert_resolver(Arc::new(resolver));
        config.alpn_protocols = vec![ALPN.to_vec()];
        // No tickets and no stored sessions: a resumed session would carry evidence of an earlier
        // one, and an exporter value that was attested then.
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Acceptor {
            tls: Arc::new(config),
            key,
            attester,
            attestations: Arc::new(Semaphore::new(ATTESTATIONS_AT_ONCE)),
            agreement,
            boot,
        }
    }

    /// Handshake and evidence exchange with one client: [`Acceptor::greet`], [`Acceptor::prove`]
    /// and [`Acceptor::show_evidence`] in a row. The caller applies a deadline.
    ///
    /// # Errors
    /// When one of them fails; the connection is then closed.
    pub async fn accept<IO>(&self, io: IO) -> Result<Accepted<IO>, AcceptError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let proven = self.prove(self.greet(io).await?).await?;
        self.show_evidence(proven).await
    }

    /// Reads a whole ClientHello. Nothing is computed or answered before it is there. The caller
    /// applies a deadline.
    ///
    /// # Errors
    /// [`AcceptError::Handshake`], [`AcceptError::Io`]; the connection is then closed.
    pub async fn greet<IO>(&self, io: IO) -> Result<Greeted<IO>, AcceptError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        // The ClientHello apart from the rest, so that a client that sends nothing costs no
        // handshake.
        let mut greeting = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), io);
        match (&mut greeting).await {
            Ok(start) => Ok(Greeted { start }),
            Err(error) => {
                if let Some(io) = greeting.take_io() {
                    linger(io).await;
                }
                Err(AcceptError::from_handshake(error))
            }
        }
    }

    /// Completes the handshake, in which the client proves that it holds a registered key. The
    /// caller applies a deadline.
    ///
    /// # Errors
    /// [`AcceptError::NotRegistered`], [`AcceptError::WrongProtocol`], [`AcceptError::Handshake`],
    /// [`AcceptError::Io`]; the connection is then closed.
    pub async fn prove<IO>(&self, client: Greeted<IO>) -> Result<Proven<IO>, AcceptError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let handshake = client.start.into_stream(Arc::clone(&self.tls));
        let mut stream = match handshake.into_fallible().await {
            Ok(stream) => stream,
            Err((error, io)) => {
                linger(io).await;
                return Err(AcceptError::from_handshake(error));
            }
        };
        let connection = stream.get_ref().1;
        // A client that offers no protocol at all gets this far.
        if connection.alpn_protocol() != Some(ALPN) {
            // The answer is the same however the closing goes.
            let _ = stream.shutdown().await;
            return Err(AcceptError::WrongProtocol);
        }
        // One raw key, never a chain.
        let client_spki = match connection.peer_certificates() {
            Some([spki]) => spki.to_vec(),
            _ => return Err(AcceptError::NotRegistered),
        };
        Ok(Proven {
            stream,
            client_spki,
        })
    }

    /// Answers the client's nonce with evidence about this very connection. The caller applies a
    /// deadline.
    ///
    /// # Errors
    /// [`AcceptError::Io`], [`AcceptError::Attest`]; the connection is then closed.
    pub async fn show_evidence<IO>(&self, client: Proven<IO>) -> Result<Accepted<IO>, AcceptError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let Proven {
            mut stream,
            client_spki,
        } = client;
        self.exchange(&mut stream).await?;
        Ok(Accepted {
            stream,
            client_spki,
        })
    }

    async fn exchange<IO>(&self, stream: &mut TlsStream<IO>) -> Result<(), AcceptError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let mut nonce = [0; NONCE_BYTES];
        stream
            .read_exact(&mut nonce)
            .await
            .map_err(AcceptError::Io)?;
        // Only a value of this very connection is ever attested: no caller can bring one along.
        let exporter = handshake::exporter(stream.get_ref().1, &nonce)
            .map_err(|error| AcceptError::Handshake(error.to_string()))?;
        let binding = ChannelBinding::new(exporter, self.agreement, self.boot);
        let evidence = self.attest(nonce, binding).await?;
        let evidence = evidence.as_bytes();
        // A length first: the client can refuse it before it reads.
        let length = u32::try_from(evidence.len())
            .map_err(|_| AcceptError::Attest(AttestError::new("the document is too long")))?;
        let mut reply = length.to_be_bytes().to_vec();
        // In one write: a length alone on the wire would wait for its evidence.
        reply.extend_from_slice(evidence);
        stream.write_all(&reply).await.map_err(AcceptError::Io)?;
        stream.flush().await.map_err(AcceptError::Io)
    }

    async fn attest(
        &self,
        nonce: [u8; NONCE_BYTES],
        binding: ChannelBinding,
    ) -> Result<Evidence, AcceptError> {
        // Waiting here and not in the thread pool, which other work needs.
        let permit = Arc::clone(&self.attestations).acquire_owned().await;
        let permit = permit.expect("the semaphore is never closed");
        let attester = Arc::clone(&self.attester);
        let data = ReportData {
            public_key: Some(self.key.spki().to_vec()),
            nonce: Some(nonce.to_vec()),
            user_data: Some(binding.encode()),
        };
        let call = tokio::task::spawn_blocking(move || {
            // Held until the call ends, even if the connection is given up meanwhile.
            let _permit = permit;
            attester.attest(&data)
        });
        // A panic of the driver ends this connection, not the enclave.
        call.await
            .unwrap_or_else(|_| Err(AttestError::new("the platform's driver panicked")))
            .map_err(AcceptError::Attest)
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let agreement = hex::encode(self.agreement);
        f.debug_struct("Acceptor")
            .field("key", &self.key)
            .field("agreement", &agreement)
            .finish_non_exhaustive()
    }
}

/// A connection on which a whole ClientHello has come.
pub struct Greeted<IO> {
    start: StartHandshake<IO>,
}

/// A connection on which the client proved that it holds a registered key.
pub struct Proven<IO> {
    stream: TlsStream<IO>,
    client_spki: Vec<u8>,
}

impl<IO> Proven<IO> {
    /// The client's registered key (SPKI, DER).
    pub fn client_spki(&self) -> &[u8] {
        &self.client_spki
    }
}

/// A connection on which the client proved its key and was shown evidence.
#[derive(Debug)]
pub struct Accepted<IO> {
    /// The stream, for whatever is spoken next.
    pub stream: TlsStream<IO>,
    /// The client's registered key (SPKI, DER).
    pub client_spki: Vec<u8>,
}

/// Lets a refused client see the alert. Closing at once, with what the client has sent by then
/// unread, would make TCP throw the alert away on its way.
async fn linger<IO: AsyncRead + AsyncWrite + Unpin>(mut io: IO) {
    // Half closed first: the client sees the end and the alert before the connection goes.
    let reading = async {
        io.shutdown().await?;
        tokio::io::copy(&mut io.take(LINGER_BYTES), &mut tokio::io::sink()).await
    };
    // Whether it ends well, badly or not at all, the connection is over.
    let _ = tokio::time::timeout(LINGER, reading).await;
}

/// Lets exactly the registered keys in.
#[derive(Debug)]
struct RegisteredKeys {
    keys: HashSet<Vec<u8>>,
    signatures: RawKeySignatures,
}

impl RegisteredKeys {
    fn new(provider: &CryptoProvider, keys: HashSet<Vec<u8>>) -> RegisteredKeys {
        // Those that `access` accepts as keys; RSA by PSS only, as TLS 1.3 has it.
        let schemes = [
            SignatureScheme::ED25519,
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::RSA_PSS_SHA256,
            SignatureScheme::RSA_PSS_SHA384,
            SignatureScheme::RSA_PSS_SHA512,
        ];
        let signatures = RawKeySignatures::new(provider, &schemes);
        RegisteredKeys { keys, signatures }
    }
}

impl ClientCertVerifier for RegisteredKeys {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        spki: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        // Compared as bytes of SPKI: one encoding of each key is registered.
        if intermediates.is_empty() && self.keys.contains(spki.as_ref()) {
            return Ok(ClientCertVerified::assertion());
        }
        // The client sees this as the alert `access_denied`.
        Err(CertificateError::ApplicationVerificationFailure.into())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _spki: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(handshake::no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        spki: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signatures.verify(message, spki, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.signatures.schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
