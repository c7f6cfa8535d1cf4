//! A room with its platform, its parties, and ways to lie.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use attestation::nitro::authority::{Authority, DocumentFields, Forgery};
use attestation::nitro::{Measurements, NitroVerifier};
use attestation::{
    AttestError, Attester, Evidence, Policy, ReportData, UnixTime, extended_register,
};
use attested_tls::{
    AcceptError, Accepted, Acceptor, Channel, ClientKey, Connector, ExpectedRoom, KeyAlgorithm,
    Refused, ServerKey,
};
use tokio::io::{AsyncReadExt, DuplexStream, duplex};

/// 2026-11-22 09:00:00 UTC, for everyone.
pub(crate) const NOW: u64 = 1_795_338_000;
pub(crate) const AGREEMENT: [u8; 48] = [0xaa; 48];
pub(crate) const BOOT: [u8; 32] = [0xbb; 32];
/// Longer than anything here takes, so that a test that hangs fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(NOW))
}

fn policy() -> Policy {
    let measurements = Measurements::new([1; 48], [2; 48], [3; 48]);
    Policy::from(measurements.expect("none is zero"))
}

/// A platform that says what it is asked to say, but for one change.
pub(crate) struct Platform {
    authority: Arc<Authority>,
    change: Change,
    /// All evidence that it made.
    pub(crate) made: Mutex<Vec<Evidence>>,
}

pub(crate) enum Change {
    None,
    Fields(Box<dyn Fn(&mut DocumentFields) + Send + Sync>),
    Forgery(Forgery),
    Bytes(Box<dyn Fn(Vec<u8>) -> Vec<u8> + Send + Sync>),
}

impl Change {
    pub(crate) fn fields(change: impl Fn(&mut DocumentFields) + Send + Sync + 'static) -> Change {
        Change::Fields(Box::new(change))
    }
}

impl Platform {
    pub(crate) fn new(authority: &Arc<Authority>, change: Change) -> Arc<Platform> {
        Arc::new(Platform {
            authority: Arc::clone(authority),
            change,
            made: Mutex::default(),
        })
    }
}

impl Attester for Platform {
    fn attest(&self, data: &ReportData) -> Result<Evidence, AttestError> {
        let mut fields = DocumentFields {
            module_id: "i-0123456789abcdef0-enc0123456789abcdef".to_owned(),
            timestamp_millis: NOW * 1000,
            pcrs: (0..16).map(|i| (i, vec![i + 1; 48])).collect(),
            public_key: data.public_key.clone(),
            user_data: data.user_data.clone(),
            nonce: data.nonce.clone(),
        };
        fields
            .pcrs
            .insert(16, extended_register(&AGREEMENT).to_vec());
        let document = match &self.change {
            Change::None => self.authority.document(&fields),
            Change::Fields(change) => {
                change(&mut fields);
                self.authority.document(&fields)
            }
            Change::Forgery(forgery) => self.authority.forge(&fields, *forgery),
            Change::Bytes(change) => change(self.authority.document(&fields)),
        };
        let evidence = Evidence::from_bytes(document);
        let mut made = self.made.lock().expect("no test panics here");
        made.push(evidence.clone());
        Ok(evidence)
    }
}

/// One room, and Alice who may enter it.
pub(crate) struct TestRoom {
    pub(crate) authority: Arc<Authority>,
    pub(crate) server_key: ServerKey,
    pub(crate) alice: ClientKey,
}

impl TestRoom {
    pub(crate) fn new() -> TestRoom {
        TestRoom {
            authority: Arc::new(Authority::generate()),
            server_key: ServerKey::generate(),
            alice: ClientKey::generate(KeyAlgorithm::P256),
        }
    }

    pub(crate) fn verifier(&self) -> NitroVerifier {
        NitroVerifier::dangerous_from_pem(&self.authority.root_pem()).expect("its own root")
    }

    pub(crate) fn expected(&self) -> ExpectedRoom {
        ExpectedRoom {
            verifier: Arc::new(self.verifier()),
            policy: policy(),
            agreement: Some(AGREEMENT),
            id: None,
        }
    }

    pub(crate) fn acceptor(&self, change: Change) -> Acceptor {
        self.acceptor_with(Platform::new(&self.authority, change))
    }

    pub(crate) fn acceptor_with(&self, attester: Arc<dyn Attester>) -> Acceptor {
        let registered = [self.alice.spki().to_vec()];
        Acceptor::new(
            self.server_key.clone(),
            registered,
            attester,
            AGREEMENT,
            BOOT,
        )
    }

    pub(crate) fn connector(&self) -> Connector {
        Connector::new(&self.alice, self.expected())
    }
}

pub(crate) type Both = (
    Result<Channel<DuplexStream>, Refused>,
    Result<Accepted<DuplexStream>, AcceptError>,
);

/// Both sides of one connection, at the same time.
pub(crate) async fn meet(connector: &Connector, acceptor: &Acceptor) -> Both {
    let (near, far) = duplex(16 * 1024);
    let both = async { tokio::join!(connector.connect(near, now()), acceptor.accept(far)) };
    patiently(both).await
}

pub(crate) async fn patiently<T>(future: impl Future<Output = T>) -> T {
    let outcome = tokio::time::timeout(PATIENCE, future).await;
    outcome.expect("it ends")
}

/// Connects to a room that lies in one point, and settles that the client sent nothing after its
/// nonce.
pub(crate) async fn refusal(room: &TestRoom, connector: &Connector, change: Change) -> Refused {
    let (channel, accepted) = meet(connector, &room.acceptor(change)).await;
    let refused = channel.map(|_| ()).expect_err("the room lies");
    let mut accepted = accepted.expect("the liar itself sees nothing wrong");
    let mut received = Vec::new();
    // The client just went away, which may or may not be an error.
    let _ = patiently(accepted.stream.read_to_end(&mut received)).await;
    assert!(received.is_empty(), "{} bytes were sent", received.len());
    refused
}
