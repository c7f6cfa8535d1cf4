//! Connections that mean no good, or are merely broken: none of them ends the enclave or shuts
//! others out.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use attestation::nitro::NitroVerifier;
use attestation::{Policy, UnixTime};
use attested_tls::client::TlsStream;
use attested_tls::{ClientKey, Connector, ExpectedRoom, KeyAlgorithm};
use enclave::{Config, Enclave, EnclaveEvent, EnclaveLimits, Platform, RefusalReason, Running};
use protocol::Agreement;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::net::{TcpListener, TcpStream};

struct TestEnclave {
    running: Running,
    alice: ClientKey,
    bob: ClientKey,
    log: Arc<Mutex<Vec<EnclaveEvent>>>,
}

impl TestEnclave {
    async fn with(limits: EnclaveLimits) -> Self {
        let [alice, bob] = [(); 2].map(|()| ClientKey::generate(KeyAlgorithm::P256));
        let service = testkit::service_yaml(&alice.public_text(), &bob.public_text());
        let agreement = Agreement::new(
            service,
            "method: MST\nepsilon: 3\nparty_names: [Alice, Bob]\n",
        )
        .unwrap();
        let log: Arc<Mutex<Vec<EnclaveEvent>>> = Arc::default();
        let events = Arc::clone(&log);
        let running = Enclave::start(Config {
            agreement,
            platform: Platform::simulated().unwrap(),
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap().into(),
            limits,
            events: Arc::new(move |event| events.lock().unwrap().push(event)),
        })
        .unwrap();
        Self {
            running,
            alice,
            bob,
            log,
        }
    }

    async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.running.address().tcp().unwrap())
            .await
            .unwrap()
    }

    /// The first message of a client.
    async fn client_hello(&self) -> Vec<u8> {
        let connector = self.connector(&self.alice);
        let (near, mut far) = duplex(16 * 1024);
        let connecting =
            tokio::spawn(async move { connector.connect(near, UnixTime::now()).await });
        let mut hello = vec![0; 5];
        far.read_exact(&mut hello).await.unwrap();
        let length = usize::from(u16::from_be_bytes([hello[3], hello[4]]));
        hello.resize(5 + length, 0);
        far.read_exact(&mut hello[5..]).await.unwrap();
        connecting.abort();
        hello
    }

    fn connector(&self, key: &ClientKey) -> Connector {
        let expected = ExpectedRoom {
            verifier: Arc::new(
                NitroVerifier::dangerous_from_pem(&self.running.root_pem().unwrap()).unwrap(),
            ),
            policy: Policy::from(*self.running.measurements().unwrap()),
            agreement: None,
            id: None,
        };
        Connector::new(key, expected)
    }

    /// A connection past its evidence; `None` where the enclave closed it before.
    async fn channel(&self, key: &ClientKey) -> Option<TlsStream<TcpStream>> {
        let connected = self
            .connector(key)
            .connect(self.tcp().await, UnixTime::now())
            .await;
        connected.ok().map(|channel| channel.stream)
    }

    /// A connection that has taken its place for certain: it has carried a request.
    async fn served(&self, key: &ClientKey) -> TlsStream<TcpStream> {
        let mut stream = self.channel(key).await.unwrap();
        let request = b"GET /healthz HTTP/1.1\r\nhost: room\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut reply = [0; 12];
        stream.read_exact(&mut reply).await.unwrap();
        assert_eq!(&reply, b"HTTP/1.1 200");
        stream
    }

    /// Sends bytes as Alice over a connection of their own; gives everything that comes back.
    async fn ask(&self, request: &str) -> String {
        let mut stream = self.channel(&self.alice).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        read_all(&mut stream).await
    }

    async fn is_well(&self) {
        let reply = self
            .ask("GET /healthz HTTP/1.1\r\nhost: room\r\nconnection: close\r\n\r\n")
            .await;
        assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    }

    /// Waits until the log has `count` refusals for this reason.
    async fn refused(&self, reason: RefusalReason, count: usize) {
        let logged = || {
            self.log
                .lock()
                .unwrap()
                .iter()
                .filter(|event| **event == EnclaveEvent::ConnectionRefused { reason })
                .count()
        };
        for _ in 0..200 {
            if logged() == count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!(
            "{} of {count} refusals for {reason:?}: {:?}",
            logged(),
            self.log.lock().unwrap()
        );
    }
}

/// An end without a farewell is an end as well.
async fn read_all(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut bytes = Vec::new();
    drop(stream.read_to_end(&mut bytes).await);
    String::from_utf8_lossy(&bytes).into_owned()
}

const SHORT: Duration = Duration::from_millis(300);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_says_nothing_or_nonsense_is_closed_and_others_are_served() {
    let test = TestEnclave::with(EnclaveLimits {
        handshake_deadline: Duration::from_secs(2),
        ..EnclaveLimits::default()
    })
    .await;
    let mut silent = test.tcp().await;
    let mut nonsense = test.tcp().await;
    nonsense
        .write_all(b"GET / HTTP/1.1\r\nHost: room\r\n\r\n")
        .await
        .unwrap();
    read_all(&mut nonsense).await;
    drop(nonsense);
    test.refused(RefusalReason::Handshake, 1).await;
    test.is_well().await;
    assert_eq!(read_all(&mut silent).await, "");
    test.refused(RefusalReason::Deadline, 1).await;
    drop(test.tcp().await);
    test.refused(RefusalReason::Lost, 1).await;
    assert!(
        test.channel(&ClientKey::generate(KeyAlgorithm::Ed25519))
            .await
            .is_none()
    );
    test.refused(RefusalReason::NotRegistered, 1).await;
    test.is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_cannot_take_all_connections() {
    let test = TestEnclave::with(EnclaveLimits {
        connections_per_key: 2,
        ..EnclaveLimits::default()
    })
    .await;
    let _held = [test.served(&test.bob).await, test.served(&test.bob).await];
    // It is closed before any evidence is made for it.
    assert!(test.channel(&test.bob).await.is_none());
    test.refused(RefusalReason::TooManyConnectionsOfKey, 1)
        .await;
    test.is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_has_no_more_than_its_share_of_all_connections() {
    let test = TestEnclave::with(EnclaveLimits {
        connections: 5,
        ..EnclaveLimits::default()
    })
    .await;
    let _held = [test.served(&test.bob).await, test.served(&test.bob).await];
    assert!(test.channel(&test.bob).await.is_none());
    test.refused(RefusalReason::TooManyConnectionsOfKey, 1)
        .await;
    let _also_held = [
        test.served(&test.alice).await,
        test.served(&test.alice).await,
    ];
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_come_least_far_gives_way_and_a_newcomer_gets_in() {
    let test = TestEnclave::with(EnclaveLimits {
        handshakes: 2,
        ..EnclaveLimits::default()
    })
    .await;
    let mut greeted = test.tcp().await;
    greeted.write_all(&test.client_hello().await).await.unwrap();
    // What the room answers: it has taken the message.
    greeted.read_u8().await.unwrap();
    let mut silent = test.tcp().await;
    for round in 1..=20 {
        test.is_well().await;
        assert_eq!(read_all(&mut silent).await, "");
        test.refused(RefusalReason::Displaced, round).await;
        silent = test.tcp().await;
        silent.write_all(&[0x16, 3, 1, 2, 0, 1]).await.unwrap();
    }
    // Among those that have come as far, the oldest.
    let mut second = test.tcp().await;
    second.write_all(&test.client_hello().await).await.unwrap();
    second.read_u8().await.unwrap();
    let _third = test.tcp().await;
    drop(read_all(&mut greeted).await);
    test.refused(RefusalReason::Displaced, 22).await;
    second.read_u8().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_message_that_trickles_is_not_waited_for_as_long_as_a_handshake() {
    let test = TestEnclave::with(EnclaveLimits {
        hello_deadline: SHORT,
        handshake_deadline: Duration::from_secs(60),
        ..EnclaveLimits::default()
    })
    .await;
    let hello = test.client_hello().await;
    let mut trickle = test.tcp().await;
    for byte in &hello[..20] {
        if trickle.write_all(&[*byte]).await.is_err() {
            break;
        }
        tokio::time::sleep(SHORT / 10).await;
    }
    assert_eq!(read_all(&mut trickle).await, "");
    test.refused(RefusalReason::Deadline, 1).await;
    let mut whole = test.tcp().await;
    whole.write_all(&hello).await.unwrap();
    tokio::time::sleep(2 * SHORT).await;
    whole.read_u8().await.unwrap();
    test.refused(RefusalReason::Deadline, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_are_told_up_to_a_rate() {
    let test = TestEnclave::with(EnclaveLimits::default()).await;
    for _ in 0..200 {
        let mut nonsense = test.tcp().await;
        nonsense.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        read_all(&mut nonsense).await;
    }
    let told = test.log.lock().unwrap().len();
    // Another window may have begun meanwhile.
    assert!((50..=100).contains(&told), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_counted_and_given_back() {
    let test = TestEnclave::with(EnclaveLimits {
        connections: 1,
        ..EnclaveLimits::default()
    })
    .await;
    let held = test.served(&test.bob).await;
    assert!(test.channel(&test.alice).await.is_none());
    test.refused(RefusalReason::TooManyConnections, 1).await;
    drop(held);
    tokio::time::sleep(SHORT).await;
    test.is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_or_a_body_that_never_ends_is_not_waited_for() {
    let limits = EnclaveLimits {
        header_deadline: SHORT,
        body_grace: SHORT,
        body_rate: 1,
        ..EnclaveLimits::default()
    };
    let test = TestEnclave::with(limits).await;
    assert_eq!(test.ask("").await, "");
    assert!(
        !test
            .ask("GET /healthz HTTP/1.1\r\nhost: room\r\nx-slow: ")
            .await
            .contains("200")
    );
    let reply = test
        .ask(
            "POST /upload_data HTTP/1.1\r\nhost: room\r\ncontent-type: multipart/form-data; \
              boundary=b\r\ncontent-length: 900\r\n\r\n--b\r\n",
        )
        .await;
    assert!(reply.starts_with("HTTP/1.1 400"), "{reply}");
    test.is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_with_two_meanings_is_not_served() {
    let test = TestEnclave::with(EnclaveLimits::default()).await;
    for request in [
        "GET /details HTTP/1.1\r\nhost: room\r\ncontent-length: 5\r\ncontent-length: \
         6\r\n\r\nhello!",
        "GET /details HTTP/1.1\r\nhost: room\r\ntransfer-encoding: chunked, \
         identity\r\n\r\n0\r\n\r\n",
        "GET /details HTTP/1.1\r\nhost: room\r\n folded: yes\r\n\r\n",
        "GET /details HTTP/1.1\r\nhost: room\r\ncontent-length: -1\r\n\r\n",
    ] {
        let reply = test.ask(request).await;
        assert!(reply.starts_with("HTTP/1.1 400"), "{request:?}: {reply}");
    }
    let long = format!(
        "GET /details HTTP/1.1\r\nhost: room\r\nx-long: {}\r\n\r\n",
        "x".repeat(20_000)
    );
    let reply = test.ask(&long).await;
    assert!(reply.starts_with("HTTP/1.1 431"), "{reply}");
    test.is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_is_settled_by_the_key_alone() {
    let test = TestEnclave::with(EnclaveLimits::default()).await;
    let mut stream = test.channel(&test.bob).await.unwrap();
    let forged = "GET /status HTTP/1.1\r\nhost: room\r\nx-oblv-user-name: \
                  Alice\r\nx_synclave_user: Alice\r\nconnection: close\r\n\r\n";
    stream.write_all(forged.as_bytes()).await.unwrap();
    let reply = read_all(&mut stream).await;
    let (_, body) = reply.split_once("\r\n\r\n").unwrap();
    let status: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(status["you"]["name"], "Bob");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_ends_in_time_although_connections_are_open() {
    let test = TestEnclave::with(EnclaveLimits::default()).await;
    let mut idle = test.channel(&test.alice).await.unwrap();
    let _silent = test.tcp().await;
    let address = test.running.address().tcp().unwrap();
    tokio::time::timeout(Duration::from_secs(6), test.running.shutdown())
        .await
        .unwrap();
    assert_eq!(read_all(&mut idle).await, "");
    assert!(TcpStream::connect(address).await.is_err());
    assert_eq!(
        test.log.lock().unwrap().last(),
        Some(&EnclaveEvent::Stopped)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_breaks_off_when_it_is_dropped() {
    let test = TestEnclave::with(EnclaveLimits::default()).await;
    let mut idle = test.channel(&test.alice).await.unwrap();
    let address = test.running.address().tcp().unwrap();
    drop(test);
    assert_eq!(read_all(&mut idle).await, "");
    for _ in 0..100 {
        if TcpStream::connect(address).await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it still listens");
}
