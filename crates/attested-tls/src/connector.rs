//! The client's side.

use std::fmt;
use std::sync::Arc;

use attestation::{
    Attested, ChannelBinding, Evidence, Freshness, MAX_EVIDENCE_BYTES, Policy, Refusal, Step,
    UnixTime, Verifier,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::handshake::{self, NONCE_BYTES, RawKeySignatures};
use crate::{ALPN, ClientKey, Refused};

/// The room that a connection must lead to.
#[derive(Debug, Clone)]
pub struct ExpectedRoom {
    /// Judges the evidence of the platform that the room must run on.
    pub verifier: Arc<dyn Verifier>,
    /// The program that it must run.
    pub policy: Policy,
    /// SHA-384 of the agreement. `None` takes the room's own, which [`VerifiedChannel::agreement`]
    /// then tells: a person, or a hash given by one, has to accept it before anything confidential
    /// is sent.
    pub agreement: Option<[u8; 48]>,
    /// The room's id, once it is known: every further connection must lead to the same one. `None`
    /// on the first.
    pub id: Option<[u8; 32]>,
}

/// Opens connections to one room.
pub struct Connector {
    tls: TlsConnector,
    expected: ExpectedRoom,
}

impl Connector {
    /// Connections on which the client shows `key`.
    pub fn new(key: &ClientKey, expected: ExpectedRoom) -> Connector {
        let provider = handshake::provider();
        let signatures =
            // The enclave's key is of this one kind, so that nothing else needs to be accepted.
            RawKeySignatures::new(&provider, &[SignatureScheme::ECDSA_NISTP256_SHA256]);
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(handshake::VERSIONS)
            .expect("the provider has suites of TLS 1.3")
            // "Dangerous" to rustls, as no certificate is checked in the handshake: evidence takes
            // its place, before anything is sent.
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(KeyOfEvidence { signatures }))
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(
                key.certified(),
            )));
        config.alpn_protocols = vec![ALPN.to_vec()];
        // Each connection is to be verified anew.
        config.resumption = Resumption::disabled();
        // The host on the way need not learn a name, and there is none to check.
        config.enable_sni = false;
        Connector {
            tls: TlsConnector::from(Arc::new(config)),
            expected,
        }
    }

    /// Handshake, evidence exchange, and every check; `now` is the client's own time. The caller
    /// applies a deadline.
    ///
    /// Until all checks have passed nothing is sent but the handshake and 32 random bytes.
    ///
    /// # Errors
    /// The first check that failed; the connection is then closed.
    pub async fn connect<IO>(&self, io: IO, now: UnixTime) -> Result<Channel<IO>, Refused>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        // A placeholder that the library wants; it is neither sent nor checked.
        let name = ServerName::try_from("enclave").expect("it is a name");
        let connecting = self.tls.connect(name, io).await;
        let mut stream = connecting.map_err(Refused::from_io)?;
        // A front end that ends TLS itself would get this far, but does not choose our protocol.
        if stream.get_ref().1.alpn_protocol() != Some(ALPN) {
            return Err(Refused::WrongProtocol);
        }
        let mut nonce = [0; NONCE_BYTES];
        // Fresh for each connection: evidence that was recorded answers another nonce.
        aws_lc_rs::rand::fill(&mut nonce)
            .map_err(|_| Refused::Tls("the operating system gives no randomness".to_owned()))?;
        let evidence = exchange(&mut stream, &nonce).await?;
        let connection = stream.get_ref().1;
        let exporter = handshake::exporter(connection, &nonce)
            .map_err(|error| Refused::Tls(error.to_string()))?;
        let session = Session {
            nonce,
            exporter,
            // Borrowed from the connection itself: no caller can hand in the values of another.
            server_spki: connection.peer_certificates().and_then(|keys| keys.first()),
        };
        let verified = self.verify(evidence, &session, now)?;
        Ok(Channel { stream, verified })
    }

    /// The checks in the order in which the design lists them.
    fn verify(
        &self,
        evidence: Evidence,
        session: &Session<'_>,
        now: UnixTime,
    ) -> Result<VerifiedChannel, Refused> {
        let ExpectedRoom {
            verifier, policy, ..
        } = &self.expected;
        let attested = verifier.verify(&evidence, now, Freshness::Live, policy)?;
        let mut steps = attested.steps().to_vec();

        let binding = ChannelBinding::decode(attested.bound.user_data().unwrap_or_default());
        // Without an expectation the room's own word counts for now; whoever calls has to show it
        // to a person.
        let agreement = match (self.expected.agreement, &binding) {
            (Some(agreement), _) => agreement,
            (None, Ok(binding)) => *binding.agreement(),
            (None, Err(error)) => return Err(Refused::Binding(*error)),
        };
        steps.push(attested.measured_agreement(&agreement)?.into());
        let mut passed = |check, found: String| steps.push(Step::passed(check, found));

        // Both must be there: an absent key is not a wildcard.
        let (Some(vouched), Some(shown)) = (attested.bound.public_key(), session.server_spki)
        else {
            return Err(Refused::WrongServerKey);
        };
        if vouched != shown.as_ref() {
            return Err(Refused::WrongServerKey);
        }
        passed("server key", handshake::fingerprint(vouched));

        // Before the exporter, whose context it is: a replay is then called a replay.
        if attested.bound.nonce() != Some(&session.nonce) {
            return Err(Refused::WrongNonce);
        }
        passed("nonce", "the evidence answers this challenge".to_owned());

        let binding = binding?;
        // The check that a relay cannot pass: evidence made for another connection carries another
        // value.
        if *binding.exporter() != session.exporter {
            return Err(Refused::Relayed);
        }
        passed(
            "connection",
            "the evidence was made for this one".to_owned(),
        );

        if *binding.agreement() != agreement {
            return Err(Refused::WrongAgreement {
                found: hex::encode(binding.agreement()),
                expected: hex::encode(agreement),
            });
        }
        passed("agreement", hex::encode(agreement));

        let expected = self.expected.id;
        if expected.is_some_and(|room| room != *binding.room()) {
            return Err(Refused::WrongRoom {
                found: hex::encode(binding.room()),
                expected: expected.map(hex::encode).unwrap_or_default(),
            });
        }
        passed("room", hex::encode(binding.room()));

        Ok(VerifiedChannel {
            attested,
            evidence,
            binding,
            steps,
        })
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("expected", &self.expected)
            .finish_non_exhaustive()
    }
}

/// A connection that leads into the enclave that was asked for.
#[derive(Debug)]
pub struct Channel<IO> {
    /// The stream, for whatever is spoken next.
    pub stream: TlsStream<IO>,
    /// What was verified.
    pub verified: VerifiedChannel,
}

/// What is known about the other end of a channel. Only [`Connector::connect`] makes one, after
/// every check passed.
#[derive(Debug, Clone)]
pub struct VerifiedChannel {
    attested: Attested,
    evidence: Evidence,
    binding: ChannelBinding,
    steps: Vec<Step>,
}

impl VerifiedChannel {
    /// What the evidence says, with the proof that it was verified.
    pub fn attested(&self) -> &Attested {
        &self.attested
    }

    /// The evidence as it came, to keep.
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// SHA-384 of the agreement the room works under.
    pub fn agreement(&self) -> &[u8; 48] {
        self.binding.agreement()
    }

    /// The room's id.
    pub fn room(&self) -> &[u8; 32] {
        self.binding.room()
    }

    /// The random value that sets this room apart from others of the same agreement.
    pub fn boot(&self) -> &[u8; 32] {
        self.binding.boot()
    }

    /// What was checked, in order, for a person to read.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}

/// What this end knows about the connection itself.
struct Session<'a> {
    nonce: [u8; NONCE_BYTES],
    exporter: [u8; 32],
    server_spki: Option<&'a CertificateDer<'a>>,
}

/// Sends the nonce and reads the evidence.
async fn exchange<IO>(
    stream: &mut TlsStream<IO>,
    nonce: &[u8; NONCE_BYTES],
) -> Result<Evidence, Refused>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let sent = async {
        stream.write_all(nonce).await?;
        stream.flush().await
    };
    let sent = sent.await;
    // In TLS 1.3 a refusal of the client's key arrives after the handshake is over on this side. It
    // may be there to read although the writing failed.
    let mut length = [0; 4];
    let read = stream.read_exact(&mut length).await;
    match (sent, read) {
        (Ok(()), Ok(_)) => {}
        (Ok(()), Err(error)) => return Err(Refused::from_io(error)),
        (Err(error), Ok(_)) => return Err(Refused::Io(error)),
        // What was told is more useful than that writing failed.
        (Err(sending), Err(reading)) => {
            return Err(match Refused::from_io(reading) {
                Refused::Closed | Refused::Io(_) => Refused::from_io(sending),
                told => told,
            });
        }
    }
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    // Before anything is allocated for it.
    if length > MAX_EVIDENCE_BYTES {
        return Err(Refusal::TooLarge { bytes: length }.into());
    }
    let mut evidence = vec![0; length];
    let read = stream.read_exact(&mut evidence).await;
    read.map_err(Refused::from_io)?;
    Ok(Evidence::from_bytes(evidence))
}

/// Takes any key of the server in the handshake, once it proved to hold it: the evidence says which
/// key is right.
#[derive(Debug)]
struct KeyOfEvidence {
    signatures: RawKeySignatures,
}

impl ServerCertVerifier for KeyOfEvidence {
    fn verify_server_cert(
        &self,
        _spki: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // Taken as it is: what makes a key right is that evidence names it.
        Ok(ServerCertVerified::assertion())
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
