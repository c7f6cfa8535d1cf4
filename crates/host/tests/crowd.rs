//! Crowds that connect to shut a party out, against the programs as they are run.
//!
//! The crowd and the party are in this process; so is a bridge, since a simulated enclave listens
//! on TCP and not on vsock.

#![expect(clippy::print_stderr, reason = "tests may say what they saw")]
#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod stage;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use attestation::nitro::{Measurements, NitroVerifier};
use attestation::{Policy, UnixTime};
use attested_tls::Connector;
use client::{ClientKey, Endpoint, ExpectedRoom, KeyAlgorithm, Session, keygen, read_keys};
use rustix::process::{Resource, getrlimit, setrlimit};
use stage::{Backend, Behind, connect_from};
use testkit::Running;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// How long a party may take to connect, with every check.
const PATIENCE: Duration = Duration::from_secs(15);
const TRIES: u32 = 10;
/// Connections of one address of a crowd: fewer than the host allows one.
const OF_ONE_ADDRESS: u8 = 30;

/// What the members of a crowd do.
#[derive(Clone)]
enum Manner {
    /// Send these bytes, and then nothing.
    Say(Vec<u8>),
    /// Send a byte every two seconds.
    Trickle,
    /// Prove a key that is not in the agreement, as fast as they are let.
    Handshake(Arc<Connector>),
}

/// Whether they come back when they are closed.
#[derive(Clone, Copy, PartialEq)]
enum Back {
    Never,
    AtOnce,
}

/// Connections from `addresses` addresses that are up until this is dropped.
struct Crowd {
    _members: JoinSet<()>,
}

impl Crowd {
    /// Comes together within a few seconds, or however long the machine takes for it.
    async fn connect(addresses: u8, to: SocketAddr, manner: &Manner, back: Back) -> Self {
        let mut members = JoinSet::new();
        let (there, mut arrived) = tokio::sync::mpsc::unbounded_channel::<()>();
        for last in 2..2 + addresses {
            for _ in 0..OF_ONE_ADDRESS {
                let (manner, there) = (manner.clone(), there.clone());
                members.spawn(async move {
                    loop {
                        if let Ok(stream) = connect_from(last, to).await {
                            let _nobody_counts = there.send(());
                            behave(stream, &manner).await;
                        }
                        if back == Back::Never {
                            return;
                        }
                    }
                });
            }
        }
        for _ in 0..u32::from(addresses) * u32::from(OF_ONE_ADDRESS) {
            arrived.recv().await.unwrap();
        }
        Self { _members: members }
    }
}

/// Until the other side closes.
async fn behave(mut stream: TcpStream, manner: &Manner) {
    match manner {
        Manner::Say(words) => {
            drop(stream.write_all(words).await);
            drop(stream.read_to_end(&mut Vec::new()).await);
        }
        Manner::Trickle => {
            while stream.write_all(&[22]).await.is_ok() {
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
        }
        Manner::Handshake(connector) => {
            drop(connector.connect(stream, UnixTime::now()).await);
        }
    }
}

/// `synclave-enclave --simulated`, and a party of its agreement.
struct Room {
    folder: tempfile::TempDir,
    enclave: SocketAddr,
    _program: Running,
}

impl Room {
    fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let room = folder.path().join("room");
        std::fs::create_dir(&room).unwrap();
        let [alice, bob] = ["alice", "bob"].map(|name| {
            let pair = keygen(name, folder.path(), KeyAlgorithm::P256).unwrap();
            pair.key.public_text()
        });
        let runtime = "method: MST\nepsilon: 3\nparty_names: [Alice, Bob]\n";
        std::fs::write(
            room.join("service.yaml"),
            testkit::service_yaml(&alice, &bob),
        )
        .unwrap();
        std::fs::write(room.join("runtime.yaml"), runtime).unwrap();
        let mut command = Command::new(enclave_program());
        command
            .args(["--simulated", "--room", "room", "--listen", "127.0.0.1:0"])
            .args([
                "--root-out",
                "root.pem",
                "--measurements-out",
                "measurements.json",
            ])
            .current_dir(folder.path());
        let (program, addresses) = start(command, &["ready"]);
        Self {
            folder,
            enclave: addresses[0],
            _program: program,
        }
    }

    fn expected_room(&self) -> ExpectedRoom {
        let read = |name| std::fs::read_to_string(self.folder.path().join(name)).unwrap();
        ExpectedRoom {
            verifier: Arc::new(NitroVerifier::dangerous_from_pem(&read("root.pem")).unwrap()),
            policy: Policy::from(Measurements::from_json(&read("measurements.json")).unwrap()),
            agreement: None,
            id: None,
        }
    }

    /// The party connects this often; returns how long the slowest took.
    async fn party_connects(&self, endpoint: &str) -> Duration {
        let path = |name| self.folder.path().join(name);
        let mut slowest = Duration::ZERO;
        for attempt in 0..TRIES {
            let pair = read_keys(&path("alice_private.der"), &path("alice_public.der"));
            let key = pair.unwrap().key;
            let endpoint = Endpoint::parse(endpoint, 443).unwrap();
            let start = Instant::now();
            let opening = Session::open(endpoint, key, self.expected_room());
            let opened = tokio::time::timeout(PATIENCE, opening).await;
            let opened = opened.unwrap_or_else(|_| panic!("attempt {attempt} took too long"));
            drop(opened.unwrap_or_else(|error| panic!("attempt {attempt}: {error}")));
            slowest = slowest.max(start.elapsed());
        }
        slowest
    }
}

/// `synclave-host` before a room.
struct Host {
    tcp: SocketAddr,
    websocket: SocketAddr,
    _bridge: Backend,
    _program: Running,
}

impl Host {
    fn before(room: &Room, options: &[&str]) -> Self {
        let bridge = Backend::start(Behind::Server(room.enclave));
        let mut command = Command::new(env!("CARGO_BIN_EXE_synclave-host"));
        command
            .args([
                "--listen",
                "127.0.0.1:0",
                "--listen-websocket",
                "127.0.0.1:0",
            ])
            .args(["--enclave", &bridge.address.to_string()])
            .args(options);
        let (program, addresses) = start(command, &["\"tcp\"", "\"websocket\""]);
        Self {
            tcp: addresses[0],
            websocket: addresses[1],
            _bridge: bridge,
            _program: program,
        }
    }
}

/// The addresses in the events that have these words, in this order. The log is read to its end, so
/// that nobody waits for a reader.
fn start(mut command: Command, events: &[&str]) -> (Running, Vec<SocketAddr>) {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let mut lines = stderr.lines();
    let mut addresses = Vec::new();
    while addresses.len() < events.len() {
        let line = lines.next().expect("it starts").unwrap();
        if line.contains(events[addresses.len()]) {
            let event: serde_json::Value = serde_json::from_str(&line).unwrap();
            addresses.push(event["address"].as_str().unwrap().parse().unwrap());
        }
    }
    std::thread::spawn(move || lines.for_each(drop));
    (Running(child), addresses)
}

/// The program of another package: as the tests of the whole workspace have built it, or else built
/// now, which takes minutes.
fn enclave_program() -> PathBuf {
    let host = Path::new(env!("CARGO_BIN_EXE_synclave-host"));
    let program = host.with_file_name("synclave-enclave");
    if !program.exists() {
        let mut command = Command::new(env!("CARGO"));
        command.args(["build", "--quiet", "--package", "synclave-enclave"]);
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        assert!(command.status().unwrap().success());
    }
    program
}

/// Every connection of a crowd is a file of this process; false, with a line that says so, where it
/// may not have enough.
fn may_open(files: u64) -> bool {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _as_it_was = setrlimit(Resource::Nofile, limit);
    let enough = limit.current.is_none_or(|most| most >= files);
    if !enough {
        eprintln!("skipped: it takes {files} open files, and this process may not have as many");
    }
    enough
}

const SIX_BYTES: [u8; 6] = [0x16, 3, 1, 2, 0, 1];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "slow: 540 and 5,400 connections"]
async fn silent_sockets_of_18_and_180_addresses_do_not_shut_a_party_out() {
    if !may_open(8000) {
        return;
    }
    let room = Room::open();
    let host = Host::before(&room, &[]);
    for addresses in [18, 180] {
        for words in [&SIX_BYTES[..], &[]] {
            let manner = Manner::Say(words.to_vec());
            let _crowd = Crowd::connect(addresses, host.tcp, &manner, Back::Never).await;
            let slowest = room.party_connects(&host.tcp.to_string()).await;
            eprintln!("{addresses} addresses, {} bytes: {slowest:?}", words.len());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "slow: 540 connections that come back"]
async fn crowds_that_come_back_at_once_do_not_shut_a_party_out() {
    if !may_open(4000) {
        return;
    }
    let room = Room::open();
    let host = Host::before(&room, &[]);
    let stranger = ClientKey::generate(KeyAlgorithm::P256);
    let stranger = Connector::new(&stranger, room.expected_room());
    for (name, manner) in [
        ("six bytes", Manner::Say(SIX_BYTES.to_vec())),
        ("a byte now and then", Manner::Trickle),
        ("a ClientHello", Manner::Say(client_hello(&room).await)),
        ("a stranger's key", Manner::Handshake(Arc::new(stranger))),
    ] {
        let _crowd = Crowd::connect(18, host.tcp, &manner, Back::AtOnce).await;
        let slowest = room.party_connects(&host.tcp.to_string()).await;
        eprintln!("{name}: {slowest:?}");
    }
    let half = b"GET /connect HTTP/1.1\r\nHost: room\r\nUpgr".to_vec();
    let _crowd = Crowd::connect(18, host.websocket, &Manner::Say(half), Back::AtOnce).await;
    let slowest = room
        .party_connects(&format!("ws://{}", host.websocket))
        .await;
    eprintln!("half an upgrade: {slowest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "slow: 540 connections that come back"]
async fn behind_a_load_balancer_the_crowds_addresses_are_those_of_its_headers() {
    if !may_open(4000) {
        return;
    }
    let room = Room::open();
    let host = Host::before(&room, &["--proxy-protocol"]);
    let balancer = balancer(host.tcp).await;
    let manner = Manner::Say(SIX_BYTES.to_vec());
    let _crowd = Crowd::connect(18, balancer, &manner, Back::AtOnce).await;
    let slowest = room.party_connects(&balancer.to_string()).await;
    eprintln!("behind a load balancer: {slowest:?}");
}

/// The first message of a party, to be said again by anybody.
async fn client_hello(room: &Room) -> Vec<u8> {
    let key = ClientKey::generate(KeyAlgorithm::P256);
    let connector = Connector::new(&key, room.expected_room());
    let (near, mut far) = duplex(16 * 1024);
    let connecting = tokio::spawn(async move { connector.connect(near, UnixTime::now()).await });
    let mut hello = vec![0; 5];
    far.read_exact(&mut hello).await.unwrap();
    let length = usize::from(u16::from_be_bytes([hello[3], hello[4]]));
    hello.resize(5 + length, 0);
    far.read_exact(&mut hello[5..]).await.unwrap();
    connecting.abort();
    hello
}

/// A load balancer that says who connects, in a PROXY header of version 2.
async fn balancer(to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut client, peer) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let SocketAddr::V4(peer) = peer else { return };
                let Ok(mut host) = TcpStream::connect(to).await else {
                    return;
                };
                let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
                header.extend(peer.ip().octets());
                header.extend([10, 0, 0, 1]);
                header.extend(peer.port().to_be_bytes());
                header.extend([0x01, 0xbb]);
                if host.write_all(&header).await.is_ok() {
                    drop(copy_bidirectional(&mut client, &mut host).await);
                }
            });
        }
    });
    address
}
