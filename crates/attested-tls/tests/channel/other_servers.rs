//! Servers that are no room: of another protocol, too old, silent, slow, broken.

use std::sync::Arc;
use std::time::Duration;

use attestation::{AttestError, Attester, Evidence, ReportData};
use attested_tls::{ALPN, ClientKey, KeyAlgorithm, Refused};
use rustls::server::AlwaysResolvesServerRawPublicKeys;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio_rustls::TlsAcceptor;

use crate::raw_tls::{certified, raw_server, server_with};
use crate::test_room::{TestRoom, meet, now, patiently};

/// Alice connects to a server that is no room; gives what the server then reads from her.
async fn refused_by_alice(server: &TlsAcceptor) -> (Refused, Vec<u8>) {
    let room = TestRoom::new();
    let (near, far) = duplex(16 * 1024);
    let connector = room.connector();
    let (channel, read) = patiently(async {
        tokio::join!(connector.connect(near, now()), async {
            let mut read = Vec::new();
            if let Ok(mut stream) = server.accept(far).await {
                // She goes away without ceremony.
                let _ = stream.read_to_end(&mut read).await;
            }
            read
        })
    })
    .await;
    (channel.map(|_| ()).expect_err("it is no room"), read)
}

#[tokio::test]
async fn a_server_of_another_protocol_or_none_is_refused() {
    let protocols: [&[&[u8]]; 3] = [&[b"http/1.1"], &[b"synclave/2"], &[]];
    for alpn in protocols {
        let (refused, read) = refused_by_alice(&raw_server(&TLS13, alpn)).await;
        assert!(
            matches!(refused, Refused::WrongProtocol),
            "{alpn:?}: {refused:?}"
        );
        assert!(read.is_empty());
    }
}

#[tokio::test]
async fn a_server_of_tls_1_2_is_refused() {
    let (refused, read) = refused_by_alice(&raw_server(&TLS12, &[ALPN])).await;
    assert!(matches!(refused, Refused::OldTls), "{refused:?}");
    assert!(read.is_empty());
}

#[tokio::test]
async fn a_server_with_a_certificate_instead_of_a_raw_key_is_refused() {
    let key = certified(&ClientKey::generate(KeyAlgorithm::P256));
    let key = CertifiedKey::new(key.cert.clone(), Arc::clone(&key.key));
    let server = server_with(&TLS13, &[ALPN], Arc::new(SingleCertAndKey::from(key)));
    let (refused, read) = refused_by_alice(&server).await;
    assert!(matches!(refused, Refused::Tls(_)), "{refused:?}");
    assert!(read.is_empty());
}

#[tokio::test]
async fn a_server_with_an_rsa_key_is_refused() {
    let key = certified(&ClientKey::generate(KeyAlgorithm::Rsa2048));
    let key = Arc::new(AlwaysResolvesServerRawPublicKeys::new(key));
    let server = server_with(&TLS13, &[ALPN], key);
    let (refused, read) = refused_by_alice(&server).await;
    assert!(matches!(refused, Refused::Tls(_)), "{refused:?}");
    assert!(read.is_empty());
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_is_refused() {
    let room = TestRoom::new();
    let (near, mut far) = duplex(16 * 1024);
    far.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        .await
        .expect("it is open");
    let refused = patiently(room.connector().connect(near, now())).await;
    let refused = refused.map(|_| ()).expect_err("it is no room");
    assert_eq!(
        refused.to_string(),
        "the TLS handshake failed: the other side does not speak TLS"
    );
}

/// What a server does after it has read the nonce.
struct Answer {
    bytes: Vec<u8>,
    then_closes: bool,
}

/// Alice, who waits a second, and a TLS server of the right protocol that answers her nonce so.
async fn answered(answer: Answer) -> Option<Refused> {
    let room = TestRoom::new();
    let server = raw_server(&TLS13, &[ALPN]);
    let connector = room.connector();
    let (near, far) = duplex(16 * 1024);
    let (outcome, rest) = patiently(async {
        tokio::join!(
            tokio::time::timeout(Duration::from_secs(1), connector.connect(near, now())),
            async {
                let mut stream = server.accept(far).await.expect("she wants to connect");
                let mut nonce = [0; 32];
                stream
                    .read_exact(&mut nonce)
                    .await
                    .expect("she sends a nonce");
                stream.write_all(&answer.bytes).await.expect("it is open");
                stream.flush().await.expect("it is open");
                if answer.then_closes {
                    stream.shutdown().await.expect("it is open");
                }
                let mut rest = Vec::new();
                // Until she has had enough, and goes away without ceremony.
                let _ = stream.read_to_end(&mut rest).await;
                rest
            }
        )
    })
    .await;
    assert!(rest.is_empty(), "she sent more than the nonce");
    outcome
        .ok()
        .map(|channel| channel.map(|_| ()).expect_err("it is no room"))
}

#[tokio::test]
async fn a_silent_or_slow_server_keeps_the_client_no_longer_than_its_deadline() {
    for bytes in [
        &[][..],
        &[0],
        &[0, 0, 0x10, 0],
        &[0, 0, 0x10, 0, 0x84, 0x44],
    ] {
        let answer = Answer {
            bytes: bytes.to_vec(),
            then_closes: false,
        };
        assert!(answered(answer).await.is_none(), "it waits for the rest");
    }
}

#[tokio::test]
async fn a_server_that_closes_early_is_refused() {
    for bytes in [
        &[][..],
        &[0],
        &[0, 0, 0x10, 0],
        &[0, 0, 0x10, 0, 0x84, 0x44],
    ] {
        let answer = Answer {
            bytes: bytes.to_vec(),
            then_closes: true,
        };
        let refused = answered(answer).await.expect("it does not wait");
        assert!(matches!(refused, Refused::Closed), "{refused:?}");
    }
}

#[tokio::test]
async fn a_huge_length_is_refused_without_waiting_for_the_bytes() {
    let answer = Answer {
        bytes: vec![0xff; 4],
        then_closes: false,
    };
    let refused = answered(answer).await.expect("it does not wait");
    assert_eq!(refused.slug(), "evidence-too-large");
}

#[tokio::test]
async fn a_server_that_says_nothing_at_all_ends_with_the_deadline() {
    let room = TestRoom::new();
    let (near, _far) = duplex(16 * 1024);
    let connector = room.connector();
    let connecting = connector.connect(near, now());
    let outcome = tokio::time::timeout(Duration::from_millis(200), connecting).await;
    assert!(outcome.is_err(), "nothing came");
}

/// A platform that gives no evidence.
struct Broken {
    panics: bool,
}

impl Attester for Broken {
    fn attest(&self, _: &ReportData) -> Result<Evidence, AttestError> {
        assert!(!self.panics, "the driver is broken");
        Err(AttestError::new("the device is busy"))
    }
}

#[tokio::test]
async fn a_platform_without_evidence_closes_the_connection() {
    for (panics, sentence) in [
        (false, "the platform gave no evidence: the device is busy"),
        (
            true,
            "the platform gave no evidence: the platform's driver panicked",
        ),
    ] {
        let room = TestRoom::new();
        let acceptor = room.acceptor_with(Arc::new(Broken { panics }));
        let (channel, accepted) = meet(&room.connector(), &acceptor).await;
        let refused = channel.map(|_| ()).expect_err("there is no evidence");
        assert!(matches!(refused, Refused::Closed), "{refused:?}");
        let error = accepted.map(|_| ()).expect_err("there is no evidence");
        assert_eq!(error.to_string(), sentence);
    }
}
