//! Connections that mean no good, or are merely broken: none of them ends the enclave or shuts
//! others out.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use attestation::nitro::NitroVerifier;
use attestation::{Policy, UnixTime};
use attested_tls::client::TlsStream;
use attested_tls::{ClientKey, Connector, ExpectedRoom, KeyAlgorithm};
use enclave::{Config, Enclave, Event, Limits, Platform, Reason, Running};
use protocol::Agreement;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::net::{TcpListener, TcpStream};

struct Stage {
    running: Running,
    alice: ClientKey,
    bob: ClientKey,
    log: Arc<Mutex<Vec<Event>>>,
}

impl Stage {
    async fn with(limits: Limits) -> Self {
        let [alice, bob] = [(); 2].map(|()| ClientKey::generate(KeyAlgorithm::P256));
        let service = testkit::service_yaml(&alice.public_text(), &bob.public_text());
        let agreement = Agreement::new(
            service,
            "method: MST\nepsilon: 3\nparty_names: [Alice, Bob]\n",
        )
        .unwrap();
        let log: Arc<Mutex<Vec<Event>>> = Arc::default();
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
    async fn refused(&self, reason: Reason, count: usize) {
        let logged = || {
            self.log
                .lock()
                .unwrap()
                .iter()
                .filter(|event| **event == Event::ConnectionRefused { reason })
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
    let stage = Stage::with(Limits {
        handshake_deadline: Duration::from_secs(2),
        ..Limits::default()
    })
    .await;
    let mut silent = stage.tcp().await;
    let mut nonsense = stage.tcp().await;
    nonsense
        .write_all(b"GET / HTTP/1.1\r\nHost: room\r\n\r\n")
        .await
        .unwrap();
    read_all(&mut nonsense).await;
    drop(nonsense);
    stage.refused(Reason::Handshake, 1).await;
    stage.is_well().await;
    assert_eq!(read_all(&mut silent).await, "");
    stage.refused(Reason::Deadline, 1).await;
    drop(stage.tcp().await);
    stage.refused(Reason::Lost, 1).await;
    assert!(
        stage
            .channel(&ClientKey::generate(KeyAlgorithm::Ed25519))
            .await
            .is_none()
    );
    stage.refused(Reason::NotRegistered, 1).await;
    stage.is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_cannot_take_all_connections() {
    let stage = Stage::with(Limits {
        connections_per_key: 2,
        ..Limits::default()
    })
    .await;
    let _held = [
        stage.served(&stage.bob).await,
        stage.served(&stage.bob).await,
    ];
    // It is closed before any evidence is made for it.
    assert!(stage.channel(&stage.bob).await.is_none());
    stage.refused(Reason::TooManyConnectionsOfKey, 1).await;
    stage.is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_has_no_more_than_its_share_of_all_connections() {
    let stage = Stage::with(Limits {
        connections: 5,
        ..Limits::default()
    })
    .await;
    let _held = [
        stage.served(&stage.bob).await,
        stage.served(&stage.bob).await,
    ];
    assert!(stage.channel(&stage.bob).await.is_none());
    stage.refused(Reason::TooManyConnectionsOfKey, 1).await;
    let _also_held = [
        stage.served(&stage.alice).await,
        stage.served(&stage.alice).await,
    ];
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_come_least_far_gives_way_and_a_newcomer_gets_in() {
    let stage = Stage::with(Limits {
        handshakes: 2,
        ..Limits::default()
    })
    .await;
    let mut greeted = stage.tcp().await;
    greeted
        .write_all(&stage.client_hello().await)
        .await
        .unwrap();
    // What the room answers: it has taken the message.
    greeted.read_u8().await.unwrap();
    let mut silent = stage.tcp().await;
    for round in 1..=20 {
        stage.is_well().await;
        assert_eq!(read_all(&mut silent).await, "");
        stage.refused(Reason::Displaced, round).await;
        silent = stage.tcp().await;
        silent.write_all(&[0x16, 3, 1, 2, 0, 1]).await.unwrap();
    }
    // Among those that have come as far, the oldest.
    let mut second = stage.tcp().await;
    second.write_all(&stage.client_hello().await).await.unwrap();
    second.read_u8().await.unwrap();
    let _third = stage.tcp().await;
    drop(read_all(&mut greeted).await);
    stage.refused(Reason::Displaced, 22).await;
    second.read_u8().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_message_that_trickles_is_not_waited_for_as_long_as_a_handshake() {
    let stage = Stage::with(Limits {
        hello_deadline: SHORT,
        handshake_deadline: Duration::from_secs(60),
        ..Limits::default()
    })
    .await;
    let hello = stage.client_hello().await;
    let mut trickle = stage.tcp().await;
    for byte in &hello[..20] {
        if trickle.write_all(&[*byte]).await.is_err() {
            break;
        }
        tokio::time::sleep(SHORT / 10).await;
    }
    assert_eq!(read_all(&mut trickle).await, "");
    stage.refused(Reason::Deadline, 1).await;
    let mut whole = stage.tcp().await;
    whole.write_all(&hello).await.unwrap();
    tokio::time::sleep(2 * SHORT).await;
    whole.read_u8().await.unwrap();
    stage.refused(Reason::Deadline, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_are_told_up_to_a_rate() {
    let stage = Stage::with(Limits::default()).await;
    for _ in 0..200 {
        let mut nonsense = stage.tcp().await;
        nonsense.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        read_all(&mut nonsense).await;
    }
    let told = stage.log.lock().unwrap().len();
    // Another window may have begun meanwhile.
    assert!((50..=100).contains(&told), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_counted_and_given_back() {
    let stage = Stage::with(Limits {
        connections: 1,
        ..Limits::default()
    })
    .await;
    let held = stage.served(&stage.bob).await;
    assert!(stage.channel(&stage.alice).await.is_none());
    stage.refused(Reason::TooManyConnections, 1).await;
    drop(held);
    tokio::time::sleep(SHORT).await;
    stage.is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_or_a_body_that_never_ends_is_not_waited_for() {
    let limits = Limits {
        header_deadline: SHORT,
        body_grace: SHORT,
        body_rate: 1,
        ..Limits::default()
    };
    let stage = Stage::with(limits).await;
    assert_eq!(stage.ask("").await, "");
    assert!(
        !stage
            .ask("GET /healthz HTTP/1.1\r\nhost: room\r\nx-slow: ")
            .await
            .contains("200")
    );
    let reply = stage
        .ask(
            "POST /upload_data HTTP/1.1\r\nhost: room\r\ncontent-type: multipart/form-data; \
              boundary=b\r\ncontent-length: 900\r\n\r\n--b\r\n",
        )
        .await;
    assert!(reply.starts_with("HTTP/1.1 400"), "{reply}");
    stage.is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_with_two_meanings_is_not_served() {
    let stage = Stage::with(Limits::default()).await;
    for request in [
        "GET /details HTTP/1.1\r\nhost: room\r\ncontent-length: 5\r\ncontent-length: \
         6\r\n\r\nhello!",
        "GET /details HTTP/1.1\r\nhost: room\r\ntransfer-encoding: chunked, \
         identity\r\n\r\n0\r\n\r\n",
        "GET /details HTTP/1.1\r\nhost: room\r\n folded: yes\r\n\r\n",
        "GET /details HTTP/1.1\r\nhost: room\r\ncontent-length: -1\r\n\r\n",
    ] {
        let reply = stage.ask(request).await;
        assert!(reply.starts_with("HTTP/1.1 400"), "{request:?}: {reply}");
    }
    let long = format!(
        "GET /details HTTP/1.1\r\nhost: room\r\nx-long: {}\r\n\r\n",
        "x".repeat(20_000)
    );
    let reply = stage.ask(&long).await;
    assert!(reply.starts_with("HTTP/1.1 431"), "{reply}");
    stage.is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_is_settled_by_the_key_alone() {
    let stage = Stage::with(Limits::default()).await;
    let mut stream = stage.channel(&stage.bob).await.unwrap();
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
    let stage = Stage::with(Limits::default()).await;
    let mut idle = stage.channel(&stage.alice).await.unwrap();
    let _silent = stage.tcp().await;
    let address = stage.running.address().tcp().unwrap();
    tokio::time::timeout(Duration::from_secs(6), stage.running.shutdown())
        .await
        .unwrap();
    assert_eq!(read_all(&mut idle).await, "");
    assert!(TcpStream::connect(address).await.is_err());
    assert_eq!(stage.log.lock().unwrap().last(), Some(&Event::Stopped));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_breaks_off_when_it_is_dropped() {
    let stage = Stage::with(Limits::default()).await;
    let mut idle = stage.channel(&stage.alice).await.unwrap();
    let address = stage.running.address().tcp().unwrap();
    drop(stage);
    assert_eq!(read_all(&mut idle).await, "");
    for _ in 0..100 {
        if TcpStream::connect(address).await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it still listens");
}
