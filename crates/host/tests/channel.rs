//! The real client and a real enclave's program, with the host and whatever else in between.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod stage;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use attestation::Policy;
use attestation::nitro::NitroVerifier;
use attested_tls::Connector;
use client::{
    ClientKey, Endpoint, Error, ExpectedRoom, HttpProxy, KeyAlgorithm, NewKey, OuterTrust, Proxy,
    Session, keygen, read_keys,
};
use enclave::{Config, Enclave, EnclaveLimits, Platform, Running};
use host::HostEvent;
use protocol::Agreement;
use stage::{Backend, Behind, Serving, Setup, noise, request};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// A room, its host, and a party.
struct Room {
    enclave: Running,
    host: Serving,
    alice: NewKey,
    folder: TempDir,
    _backend: Backend,
}

impl Room {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [alice, bob] =
            ["alice", "bob"].map(|name| keygen(name, folder.path(), KeyAlgorithm::P256).unwrap());
        let service = testkit::service_yaml(&alice.key.public_text(), &bob.key.public_text());
        let runtime = "method: MST\nepsilon: 3\nparty_names: [Alice, Bob]\n";
        let enclave = Enclave::start(Config {
            agreement: Agreement::new(service, runtime).unwrap(),
            platform: Platform::simulated().unwrap(),
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap().into(),
            limits: EnclaveLimits::default(),
            events: Arc::new(|_| ()),
        })
        .unwrap();
        let backend = Backend::start(Behind::Server(enclave.address().tcp().unwrap()));
        let tls = certificates(folder.path());
        let setup = Setup {
            tls: Some(tls),
            ..Setup::new(&backend)
        };
        Self {
            enclave,
            host: Serving::start(setup).await,
            alice,
            folder,
            _backend: backend,
        }
    }

    async fn session(&self, endpoint: Endpoint) -> Result<Session, Error> {
        Session::open(endpoint, self.alice_key(), self.expected_room()).await
    }

    fn alice_key(&self) -> ClientKey {
        let pair = read_keys(&self.alice.private_file, &self.alice.public_file);
        pair.unwrap().key
    }

    fn expected_room(&self) -> ExpectedRoom {
        ExpectedRoom {
            verifier: Arc::new(
                NitroVerifier::dangerous_from_pem(self.enclave.root_pem().as_ref().unwrap())
                    .unwrap(),
            ),
            policy: Policy::from(*self.enclave.measurements().unwrap()),
            agreement: Some(self.enclave.agreement().to_bytes()),
            id: Some(self.enclave.room().to_bytes()),
        }
    }

    async fn refusal(&self, endpoint: Endpoint) -> Error {
        match self.session(endpoint).await {
            Ok(_) => panic!("it was accepted"),
            Err(error) => error,
        }
    }

    fn over_tcp(&self) -> Endpoint {
        Endpoint::parse(&format!("https://{}", self.host.tcp), 443).unwrap()
    }

    fn over_websocket(&self) -> Endpoint {
        let port = self.host.websocket.port();
        let trust = OuterTrust::from_pem_file(&self.folder.path().join("ca.pem")).unwrap();
        let endpoint = Endpoint::parse(&format!("wss://localhost:{port}"), 443).unwrap();
        endpoint.trusting(trust)
    }
}

/// A load balancer's certificate for localhost, under an authority of its own.
fn certificates(folder: &Path) -> tokio_rustls::TlsAcceptor {
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let authority = rcgen::CertifiedIssuer::self_signed(authority, authority_key).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .signed_by(&key, &authority)
        .unwrap();
    let path = |name: &str| folder.join(name);
    std::fs::write(path("ca.pem"), authority.pem()).unwrap();
    std::fs::write(path("certificate.pem"), certificate.pem()).unwrap();
    std::fs::write(path("key.pem"), key.serialize_pem()).unwrap();
    host::outer_tls(&path("certificate.pem"), &path("key.pem")).unwrap()
}

/// An HTTP proxy that gives one answer to every CONNECT, and connects where it is 200. What it was
/// asked comes out of the channel.
async fn proxy(answer: &'static str) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let asked = asked.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                let head = String::from_utf8(head).unwrap();
                let to = head.split(' ').nth(1).unwrap().to_owned();
                drop(asked.send(head));
                stream.write_all(answer.as_bytes()).await.unwrap();
                if answer.starts_with("HTTP/1.1 200") {
                    let mut upstream = TcpStream::connect(to).await.unwrap();
                    drop(copy_bidirectional(&mut stream, &mut upstream).await);
                }
            });
        }
    });
    (address, told)
}

const OPEN: &str = "HTTP/1.1 200 Connection established\r\nVia: a proxy\r\n\r\n";

fn through(address: SocketAddr) -> Option<HttpProxy> {
    Some(HttpProxy::parse(&format!("http://alice:p%40ss@{address}")).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_carrier_leads_to_the_same_verified_room_and_carries_an_upload() {
    let room = Room::open().await;
    let (address, mut asked) = proxy(OPEN).await;
    let ways = [
        room.over_tcp(),
        room.over_websocket(),
        room.over_tcp().through(through(address)),
        room.over_websocket().through(through(address)),
    ];
    for way in ways {
        let shown = format!("{way:?}");
        let session = room.session(way).await.unwrap();
        assert_eq!(session.verified().room(), room.enclave.room().as_bytes());
        let proxy = Proxy::bind(session, 0).await.unwrap();
        let local = SocketAddr::from(([127, 0, 0, 1], proxy.port()));
        let serving = tokio::spawn(proxy.serve(std::future::pending(), |_| ()));
        let mut table = "id,note\n".to_owned();
        for (id, chunk) in noise(3, 3_000_000).chunks(100).enumerate() {
            table.push_str(&format!("{id},{:?}\n", chunk[0] % 7));
        }
        let body = format!(
            "--b\r\nContent-Disposition: form-data; name=\"file\"; \
             filename=\"t.csv\"\r\nContent-Type: text/csv\r\n\r\n{table}\r\n--b--\r\n"
        );
        let answer = request(
            local,
            &format!(
                "POST /upload_data HTTP/1.1\r\nHost: localhost:{}\r\nUser-Agent: curl/8.0\r\n\
                 Connection: close\r\nContent-Length: {}\r\nContent-Type: \
                 multipart/form-data; boundary=b\r\n\r\n{body}",
                local.port(),
                body.len()
            ),
        )
        .await;
        assert!(answer.contains("\"rows\":30000"), "{shown}: {answer}");
        serving.abort();
    }
    let asked = asked.recv().await.unwrap();
    assert!(
        asked.starts_with(&format!("CONNECT {} HTTP/1.1\r\n", room.host.tcp)),
        "{asked}"
    );
    // alice:p@ss
    assert!(asked.contains("\r\nProxy-Authorization: Basic YWxpY2U6cEBzcw==\r\n"));
    room.enclave.shutdown().await;
}

#[tokio::test]
async fn a_proxy_that_does_not_connect_is_said_so() {
    let room = Room::open().await;
    for (answer, hint) in [
        (
            "HTTP/1.1 403 Forbidden\r\n\r\n",
            "it answered 403 (forbidden",
        ),
        (
            "HTTP/1.1 407 Who\r\n\r\n",
            "it answered 407 (it wants a user",
        ),
        (
            "HTTP/1.1 502 No\r\n\r\n",
            "it answered 502 (it could not reach",
        ),
    ] {
        let (address, _asked) = proxy(answer).await;
        let error = room
            .refusal(room.over_tcp().through(through(address)))
            .await;
        assert!(matches!(error, Error::ProxyRefused { .. }), "{error}");
        let sentence = error.to_string();
        assert!(
            sentence.contains(hint) && !sentence.contains("ss@"),
            "{sentence}"
        );
    }
    let (address, _asked) = proxy("SSH-2.0-OpenSSH\r\n\r\n").await;
    let error = room
        .refusal(room.over_tcp().through(through(address)))
        .await;
    assert!(matches!(error, Error::ProxyAnswer { .. }), "{error}");
    let free = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let error = room.refusal(room.over_tcp().through(through(free))).await;
    assert!(matches!(error, Error::ProxyUnreachable { .. }), "{error}");
}

#[tokio::test]
async fn an_outer_hop_that_is_not_what_it_says_is_refused() {
    let room = Room::open().await;
    let port = room.host.websocket.port();
    let parse = |text: String| Endpoint::parse(&text, 443).unwrap();
    let trust = || OuterTrust::from_pem_file(&room.folder.path().join("ca.pem")).unwrap();

    // Its authority is unknown to this machine; its name is another one; it speaks no TLS at all.
    let unknown = room.refusal(parse(format!("wss://localhost:{port}"))).await;
    assert!(matches!(unknown, Error::OuterTls { .. }), "{unknown}");
    let other_name = parse(format!("wss://127.0.0.1:{port}")).trusting(trust());
    let error = room.refusal(other_name).await;
    assert!(matches!(error, Error::OuterTls { .. }), "{error}");
    let tcp = parse(format!(
        "wss://localhost:{}",
        room.enclave.address().tcp().unwrap().port()
    ));
    let error = room.refusal(tcp.trusting(trust())).await;
    assert!(matches!(error, Error::OuterTls { .. }), "{error}");

    let elsewhere = parse(format!("wss://localhost:{port}/elsewhere")).trusting(trust());
    let error = room.refusal(elsewhere).await;
    assert!(
        matches!(error, Error::UpgradeRefused { status: 404, .. }),
        "{error}"
    );
    let plain = parse(format!("ws://{}", room.host.websocket));
    let error = room.refusal(plain).await;
    assert!(matches!(error, Error::NoWebSocket { .. }), "{error}");

    let none = OuterTrust::from_pem_file(&room.folder.path().join("key.pem")).unwrap_err();
    assert!(matches!(none, Error::OuterCa { .. }), "{none}");
}

/// Where the host takes a connection for settled must lie between the two.
#[tokio::test]
async fn only_evidence_is_longer_than_a_handshake() {
    let room = Room::open().await;
    let stranger = ClientKey::generate(KeyAlgorithm::P256);
    let alice = room.alice_key();
    let from_enclave = |event: &HostEvent| match event {
        HostEvent::ConnectionEnded { from_enclave, .. } => Some(*from_enclave),
        _ => None,
    };
    for key in [&stranger, &alice] {
        let stream = TcpStream::connect(room.host.tcp).await.unwrap();
        let connector = Connector::new(key, room.expected_room());
        drop(
            connector
                .connect(stream, attestation::UnixTime::now())
                .await,
        );
    }
    let ended = |event: &HostEvent| from_enclave(event).is_some();
    room.host.wait_for(2, ended).await;
    let mut bytes: Vec<u64> = room.host.events().iter().filter_map(from_enclave).collect();
    bytes.sort_unstable();
    assert!((1..2048).contains(&bytes[0]), "{bytes:?}");
    assert!(bytes[1] > 3072 + 256, "{bytes:?}");
}
