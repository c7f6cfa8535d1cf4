//! Clients that the room refuses: unregistered, without a key, of another protocol, too old,
//! silent.

use std::sync::Arc;
use std::time::Duration;

use attested_tls::{ALPN, AcceptError, ClientKey, Connector, KeyAlgorithm, Refused};
use rustls::ClientConfig;
use rustls::client::AlwaysResolvesClientRawPublicKeys;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use crate::raw_tls::{AnyKey, certified, raw_client};
use crate::test_room::{Change, Platform, TestRoom, meet, now, patiently};

#[tokio::test]
async fn a_key_that_is_not_registered_is_told_so_and_gets_no_evidence() {
    let room = TestRoom::new();
    for algorithm in KeyAlgorithm::ALL {
        let mallory = ClientKey::generate(algorithm);
        let connector = Connector::new(&mallory, room.expected());
        let platform = Platform::new(&room.authority, Change::None);
        let acceptor = room.acceptor_with(platform.clone());
        let (channel, accepted) = meet(&connector, &acceptor).await;
        let refused = channel.map(|_| ()).expect_err("Mallory has no place here");
        assert!(
            matches!(refused, Refused::NotRegistered),
            "{algorithm}: {refused:?}"
        );
        assert_eq!(refused.slug(), "key-not-registered");
        let error = accepted.map(|_| ()).expect_err("Mallory has no place here");
        assert!(matches!(error, AcceptError::NotRegistered), "{error:?}");
        assert!(
            platform
                .made
                .lock()
                .expect("no test panics here")
                .is_empty()
        );
    }
}

#[tokio::test]
async fn a_key_that_is_not_registered_is_told_so_over_tcp_too() {
    let room = TestRoom::new();
    let acceptor = room.acceptor(Change::None);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let mallory = ClientKey::generate(KeyAlgorithm::P256);
    let connector = Connector::new(&mallory, room.expected());
    for _ in 0..50 {
        let ((), ()) = patiently(async {
            tokio::join!(
                async {
                    let tcp = TcpStream::connect(address).await.expect("it listens");
                    let refused = connector.connect(tcp, now()).await;
                    let refused = refused.map(|_| ()).expect_err("Mallory has no place here");
                    assert!(matches!(refused, Refused::NotRegistered), "{refused:?}");
                },
                async {
                    let (tcp, _) = listener.accept().await.expect("someone comes");
                    let error = acceptor.accept(tcp).await.map(|_| ());
                    let error = error.expect_err("Mallory has no place here");
                    assert!(matches!(error, AcceptError::NotRegistered), "{error:?}");
                }
            )
        })
        .await;
    }
}

/// A room that closed at once would make some TCP stacks throw the alert away, because of the nonce
/// that is still on its way.
#[tokio::test]
async fn a_refused_client_may_go_on_writing_until_it_has_read_why() {
    let room = TestRoom::new();
    let acceptor = room.acceptor(Change::None);
    let (near, far) = duplex(16 * 1024);
    let mallory = ClientKey::generate(KeyAlgorithm::P256);
    let client = raw_client(Some(&mallory), &TLS13, &[ALPN]);
    let room = tokio::spawn(async move { acceptor.accept(far).await.map(|_| ()) });
    let name = ServerName::try_from("enclave").expect("it is a name");
    let mut stream = client
        .connect(name, near)
        .await
        .expect("on this side it is over");
    // Long enough for the room to have refused.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!room.is_finished(), "the room waits for the client to go");
    stream
        .write_all(&[7; 32])
        .await
        .expect("the room still reads");
    stream.flush().await.expect("the room still reads");
    let error = stream.read_u8().await.expect_err("an alert comes");
    assert_eq!(error.to_string(), "received fatal alert: AccessDenied");
    drop(stream);
    let error = patiently(room)
        .await
        .expect("it does not panic")
        .expect_err("it refused");
    assert!(matches!(error, AcceptError::NotRegistered), "{error:?}");
}

/// A registered public key without its private half.
#[tokio::test]
async fn a_registered_key_must_be_held_not_only_known() {
    let room = TestRoom::new();
    let mallory = certified(&ClientKey::generate(KeyAlgorithm::P256));
    let borrowed = CertificateDer::from(room.alice.spki().to_vec());
    let borrowed = CertifiedKey::new(vec![borrowed], Arc::clone(&mallory.key));
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&TLS13])
        .expect("the provider has suites for it")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyKey))
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(Arc::new(
            borrowed,
        ))));
    config.alpn_protocols = vec![ALPN.to_vec()];
    let error = refused_by_room(&room, TlsConnector::from(Arc::new(config))).await;
    assert!(matches!(error, AcceptError::Handshake(_)), "{error:?}");
}

/// A client connects to the room and sends a nonce; gives the room's reason and settles that it got
/// no answer.
async fn refused_by_room(room: &TestRoom, client: TlsConnector) -> AcceptError {
    let platform = Platform::new(&room.authority, Change::None);
    let acceptor = room.acceptor_with(platform.clone());
    let (near, far) = duplex(16 * 1024);
    let ((), accepted) = patiently(async {
        tokio::join!(
            async {
                let name = ServerName::try_from("enclave").expect("it is a name");
                if let Ok(mut stream) = client.connect(name, near).await {
                    // The room may have closed the connection already.
                    let _ = stream.write_all(&[7; 32]).await;
                    let _ = stream.flush().await;
                    let mut read = Vec::new();
                    let _ = stream.read_to_end(&mut read).await;
                    assert!(read.is_empty(), "the room answered");
                }
            },
            acceptor.accept(far)
        )
    })
    .await;
    assert!(
        platform
            .made
            .lock()
            .expect("no test panics here")
            .is_empty()
    );
    accepted
        .map(|_| ())
        .expect_err("it is no client of this room")
}

#[tokio::test]
async fn a_client_without_a_key_is_refused() {
    let room = TestRoom::new();
    let error = refused_by_room(&room, raw_client(None, &TLS13, &[ALPN])).await;
    assert!(matches!(error, AcceptError::Handshake(_)), "{error:?}");
}

#[tokio::test]
async fn a_client_of_another_protocol_or_none_is_refused() {
    let room = TestRoom::new();
    let protocols: [&[&[u8]]; 3] = [&[b"http/1.1"], &[b"synclave/2"], &[]];
    for alpn in protocols {
        let error = refused_by_room(&room, raw_client(Some(&room.alice), &TLS13, alpn)).await;
        assert!(
            matches!(error, AcceptError::WrongProtocol),
            "{alpn:?}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_client_of_tls_1_2_is_refused() {
    let room = TestRoom::new();
    let error = refused_by_room(&room, raw_client(None, &TLS12, &[ALPN])).await;
    assert!(matches!(error, AcceptError::Handshake(_)), "{error:?}");
}

#[tokio::test]
async fn a_client_that_never_sends_its_nonce_ends_with_the_deadline_and_costs_no_evidence() {
    let room = TestRoom::new();
    let platform = Platform::new(&room.authority, Change::None);
    let acceptor = room.acceptor_with(platform.clone());
    let (near, far) = duplex(16 * 1024);
    let name = ServerName::try_from("enclave").expect("it is a name");
    let client = raw_client(Some(&room.alice), &TLS13, &[ALPN]);
    let (stream, outcome) = patiently(async {
        tokio::join!(
            client.connect(name, near),
            tokio::time::timeout(Duration::from_millis(500), acceptor.accept(far))
        )
    })
    .await;
    stream.expect("the room lets her in");
    assert!(outcome.is_err(), "the room waits for the nonce");
    assert!(
        platform
            .made
            .lock()
            .expect("no test panics here")
            .is_empty()
    );
}

#[tokio::test]
async fn a_clients_key_is_known_before_it_asks_for_evidence() {
    let room = TestRoom::new();
    let platform = Platform::new(&room.authority, Change::None);
    let acceptor = room.acceptor_with(platform.clone());
    let (near, far) = duplex(16 * 1024);
    let name = ServerName::try_from("enclave").expect("it is a name");
    let client = raw_client(Some(&room.alice), &TLS13, &[ALPN]);
    let proving = async {
        let greeted = acceptor.greet(far).await.expect("a ClientHello comes");
        acceptor.prove(greeted).await
    };
    let (stream, proven) =
        patiently(async { tokio::join!(client.connect(name, near), proving) }).await;
    let _silent = stream.expect("the room lets her in");
    let proven = proven.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(proven.client_spki(), room.alice.spki());
    let made = platform.made.lock().expect("no test panics here");
    assert!(made.is_empty());
}
