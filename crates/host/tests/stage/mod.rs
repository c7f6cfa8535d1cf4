//! A host on loopback, and something in the enclave's place behind the hybrid form of vsock.

#![allow(dead_code, reason = "each test program uses its own part of the stage")]
#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use host::{
    Carrier, ClientAddress, Config, ConnectionLimits, EnclaveAddress, EnclaveError, Entrance,
    HostEvent, Launch, Restarts, serve,
};
use protocol::{Agreement, CONFIGURATION_PORT, ConfigurationReply, PARTIES_PORT, RoomId};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// What is in the enclave's place.
#[derive(Clone)]
pub(crate) enum Behind {
    /// Says back what it hears, and closes when the other side has.
    Echo,
    /// Reads nothing and says nothing.
    Deaf,
    /// A server over TCP: an enclave of this process.
    Server(SocketAddr),
}

/// How it takes a configuration.
#[derive(Clone, Copy)]
pub(crate) enum Configured {
    /// As an enclave does; each time it is another room.
    Well,
    /// It does not want it.
    Refuses,
    /// What it got is another agreement.
    Changed,
}

/// The hybrid form of vsock, as emulators offer it.
pub(crate) struct Backend {
    pub(crate) address: EnclaveAddress,
    folder: TempDir,
    task: JoinHandle<()>,
}

impl Backend {
    pub(crate) fn start(behind: Behind) -> Self {
        Self::with(behind, Configured::Well)
    }

    pub(crate) fn with(behind: Behind, configured: Configured) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("enclave.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let rooms = Arc::new(AtomicU8::new(1));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (behind, rooms) = (behind.clone(), Arc::clone(&rooms));
                tokio::spawn(answer(stream, behind, configured, rooms));
            }
        });
        Self {
            address: EnclaveAddress::Unix { path },
            folder,
            task,
        }
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    mut stream: UnixStream,
    behind: Behind,
    configured: Configured,
    rooms: Arc<AtomicU8>,
) {
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        let Ok(byte) = stream.read_u8().await else {
            return;
        };
        line.push(byte);
    }
    let line = String::from_utf8(line).unwrap();
    let port: u32 = line["CONNECT ".len()..].trim().parse().unwrap();
    // The host may have gone meanwhile.
    if stream.write_all(b"OK 1024\n").await.is_err() {
        return;
    }
    match port {
        CONFIGURATION_PORT => configure(stream, configured, &rooms).await,
        PARTIES_PORT => match behind {
            Behind::Echo => echo(stream).await,
            Behind::Deaf => std::future::pending().await,
            Behind::Server(address) => {
                let Ok(mut server) = TcpStream::connect(address).await else {
                    return;
                };
                drop(copy_bidirectional(&mut stream, &mut server).await);
            }
        },
        other => panic!("nobody connects to {other}"),
    }
}

async fn configure(stream: UnixStream, configured: Configured, rooms: &AtomicU8) {
    let stream = stream.into_std().unwrap();
    let answering = tokio::task::spawn_blocking(move || {
        stream.set_nonblocking(false).unwrap();
        let agreement = Agreement::from_configuration(&stream).unwrap();
        (stream, agreement.sha384())
    });
    let (stream, agreement) = answering.await.unwrap();
    let room = RoomId::from_bytes([rooms.fetch_add(1, Ordering::Relaxed); 32]);
    let reply = match configured {
        Configured::Well => ConfigurationReply::Accepted { agreement, room },
        Configured::Changed => ConfigurationReply::Accepted {
            agreement: Agreement::new("another", "one").unwrap().sha384(),
            room,
        },
        Configured::Refuses => ConfigurationReply::Refused {
            detail: "runtime.yaml: `epsilom` is unknown".to_owned(),
        },
    };
    let line = serde_json::to_string(&reply).unwrap() + "\n";
    std::io::Write::write_all(&mut &stream, line.as_bytes()).unwrap();
}

async fn echo(stream: UnixStream) {
    let (mut from, mut to) = stream.into_split();
    drop(tokio::io::copy(&mut from, &mut to).await);
    drop(to.shutdown().await);
}

/// A host in this process; it is told to stop when this is dropped.
pub(crate) struct Serving {
    pub(crate) tcp: SocketAddr,
    pub(crate) websocket: SocketAddr,
    pub(crate) metrics: SocketAddr,
    log: Arc<Mutex<Vec<HostEvent>>>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), EnclaveError>>,
}

/// How a host of a test is set up.
pub(crate) struct Setup {
    pub(crate) launch: Launch,
    pub(crate) agreement: Option<Agreement>,
    pub(crate) limits: ConnectionLimits,
    pub(crate) client: ClientAddress,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) restarts: Restarts,
    pub(crate) drain: Duration,
}

impl Setup {
    pub(crate) fn new(backend: &Backend) -> Self {
        Self {
            launch: Launch::Attached {
                address: backend.address.clone(),
            },
            agreement: None,
            limits: ConnectionLimits::default(),
            client: ClientAddress::Peer,
            tls: None,
            restarts: Restarts {
                first_pause: Duration::from_millis(50),
                longest_pause: Duration::from_millis(200),
                steady_after: Duration::from_secs(60),
            },
            drain: Duration::from_secs(5),
        }
    }

    /// The same, where a shell script keeps the enclave alive.
    pub(crate) fn running(backend: &Backend, script: &str) -> Self {
        Self {
            launch: Launch::Command {
                command: ["sh", "-c", script].map(Into::into).to_vec(),
                address: backend.address.clone(),
            },
            agreement: Some(agreement()),
            ..Self::new(backend)
        }
    }

    pub(crate) async fn serve(self) -> Serving {
        let [tcp, websocket, metrics] = [listener().await, listener().await, listener().await];
        let address = |listener: &TcpListener| listener.local_addr().unwrap();
        let (tcp_address, websocket_address) = (address(&tcp), address(&websocket));
        let metrics_address = address(&metrics);
        let log: Arc<Mutex<Vec<HostEvent>>> = Arc::default();
        let events = Arc::clone(&log);
        let client_over_tcp = match self.client {
            ClientAddress::ForwardedFor => ClientAddress::Peer,
            other => other,
        };
        let config = Config {
            entrances: vec![
                Entrance {
                    listener: tcp,
                    carrier: Carrier::Tcp,
                    tls: None,
                    client: client_over_tcp,
                },
                Entrance {
                    listener: websocket,
                    carrier: Carrier::WebSocket,
                    tls: self.tls,
                    client: self.client,
                },
            ],
            metrics: Some(metrics),
            launch: self.launch,
            agreement: self.agreement,
            boot: Duration::from_secs(20),
            restarts: self.restarts,
            limits: self.limits,
            drain: self.drain,
            events: Arc::new(move |event| events.lock().unwrap().push(event)),
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(serve(config, async { drop(stopped.await) }));
        Serving {
            tcp: tcp_address,
            websocket: websocket_address,
            metrics: metrics_address,
            log,
            stop: Some(stop),
            task,
        }
    }
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

pub(crate) fn agreement() -> Agreement {
    Agreement::new("service: 1\n", "runtime: 1\n").unwrap()
}

impl Serving {
    pub(crate) async fn start(setup: Setup) -> Self {
        let serving = setup.serve().await;
        serving.wait_until_up().await;
        serving
    }

    pub(crate) async fn wait_until_up(&self) {
        let is_up = |event: &HostEvent| {
            matches!(
                event,
                HostEvent::EnclaveAttached { .. } | HostEvent::EnclaveConfigured { .. }
            )
        };
        self.wait_for(1, is_up).await;
        // The event comes just before the enclave is offered.
        for _ in 0..500 {
            if self.metric("enclave_up").await == 1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it is not up: {:?}", self.events());
    }

    /// Waits until the log has this number of events of a kind.
    pub(crate) async fn wait_for(&self, count: usize, is: impl Fn(&HostEvent) -> bool) {
        for _ in 0..1000 {
            if self.events().iter().filter(|event| is(event)).count() >= count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it was waited for in vain: {:?}", self.events());
    }

    pub(crate) fn events(&self) -> Vec<HostEvent> {
        self.log.lock().unwrap().clone()
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.tcp).await.unwrap()
    }

    /// A connection of another client: one from 127.0.0.`last`.
    pub(crate) async fn connect_from(&self, last: u8) -> TcpStream {
        connect_from(last, self.tcp).await.unwrap()
    }

    /// What `metric`, with its labels, shows.
    pub(crate) async fn metric(&self, metric: &str) -> u64 {
        let text = get(self.metrics, "/metrics").await;
        let prefix = format!("synclave_host_{metric} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&prefix));
        line.unwrap_or_else(|| panic!("no {metric} in {text}"))
            .parse()
            .unwrap()
    }

    pub(crate) fn tell_to_stop(&mut self) {
        drop(self.stop.take());
    }

    /// How it ended, and what it said.
    pub(crate) async fn ended(mut self) -> (Result<(), EnclaveError>, Vec<HostEvent>) {
        let ended = tokio::time::timeout(Duration::from_secs(30), &mut self.task);
        let ended = ended.await.expect("it ends in time").unwrap();
        (ended, self.events())
    }

    pub(crate) async fn end(mut self) -> Vec<HostEvent> {
        self.tell_to_stop();
        let (ended, events) = self.ended().await;
        ended.unwrap();
        events
    }
}

/// A connection from 127.0.0.`last`: each address of this machine is another client.
pub(crate) async fn connect_from(last: u8, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from(([127, 0, 0, last], 0)))?;
    socket.connect(to).await
}

/// Says more than fits into a handshake, and hears it back: then the host takes it for settled.
pub(crate) async fn settle(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    let words = noise(9, 4096);
    stream.write_all(&words).await.unwrap();
    let mut back = vec![0; words.len()];
    stream.read_exact(&mut back).await.unwrap();
    assert!(back == words);
}

/// The answer to a GET, head and body, by a client that writes its own bytes.
pub(crate) async fn get(address: SocketAddr, path: &str) -> String {
    request(
        address,
        &format!("GET {path} HTTP/1.1\r\nHost: host\r\n\r\n"),
    )
    .await
}

pub(crate) async fn request(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer).await);
    String::from_utf8(answer).unwrap()
}

/// What is left of the other side's connection: nothing comes any more, in whatever way it ended.
pub(crate) async fn is_closed(stream: &mut (impl AsyncRead + Unpin)) -> bool {
    let mut rest = Vec::new();
    let reading = stream.read_to_end(&mut rest);
    let read = tokio::time::timeout(Duration::from_secs(10), reading).await;
    read.is_ok() && rest.is_empty()
}

/// Bytes that repeat nowhere near, and can be made again from anywhere.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Sends `bytes`, closes the sending half, and gives all that comes back.
pub(crate) async fn exchange<S>(stream: S, bytes: &[u8]) -> Vec<u8>
where
    S: AsyncRead + AsyncWrite,
{
    let (mut from, mut to) = tokio::io::split(stream);
    let mut back = Vec::new();
    let sending = async {
        to.write_all(bytes).await.unwrap();
        to.shutdown().await.unwrap();
    };
    let (_, read) = tokio::join!(sending, from.read_to_end(&mut back));
    read.unwrap();
    back
}
