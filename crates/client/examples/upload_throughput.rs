//! How fast an upload goes through the proxy and the attested channel, and how much memory that
//! takes.
//!
//! Usage: `upload_throughput [MEGABYTES]` (1000 by default), in release mode. A CSV is made on the
//! fly and sent to the local port, as curl would send it:
//!
//! - through the proxy to a server that throws it away, over plain TCP, and over the attested
//!   channel: what the channel costs;
//! - through the proxy to a room, which reads it into codes: what a person sees.
//!
//! Everything runs in this process, so memory is that of program, proxy and server together.
#![expect(clippy::print_stderr, reason = "a measurement for people")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use attestation::nitro::authority::{Authority, DocumentFields};
use attestation::nitro::{Measurements, NitroVerifier};
use attestation::{AttestError, Attester, Evidence, Policy, ReportData};
use attested_tls::ServerKey;
use client::{ClientKey, Endpoint, ExpectedRoom, KeyAlgorithm, Proxy, Session};
use enclave::{Config, Enclave, EnclaveLimits, Platform, Running};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use protocol::{Agreement, AgreementReply};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main(worker_threads = 2)]
async fn main() -> Outcome<()> {
    let megabytes: u64 = std::env::args()
        .nth(1)
        .map_or(Ok(1000), |text| text.parse())?;
    let rows = megabytes * 1_000_000 / ROW_BYTES;
    eprintln!(
        "{megabytes} MB of CSV in {rows} rows, three times each way; the best of three counts"
    );

    let plain = best(
        Proxy::dangerous_bind_to_plain_http(serve_plainly().await?, 0).await?,
        rows,
    )
    .await?;
    plain.tell("proxy, plain TCP, thrown away");
    let attested = best(
        Proxy::bind(session(serve_attested().await?).await?, 0).await?,
        rows,
    )
    .await?;
    attested.tell("proxy, attested channel, thrown away");
    let (room, there) = serve_room().await?;
    let read = best(Proxy::bind(session(there).await?, 0).await?, rows).await?;
    read.tell("proxy, attested channel, read by a room");
    room.shutdown().await;
    eprintln!(
        "the attested channel gives {:.2} of plain TCP",
        attested.rate() / plain.rate()
    );
    Ok(())
}

/// One upload.
struct Measured {
    bytes: u64,
    time: Duration,
    /// Above what the process held before; in kB.
    memory: u64,
}

impl Measured {
    fn rate(&self) -> f64 {
        self.bytes as f64 / self.time.as_secs_f64() / 1e6
    }

    fn tell(&self, what: &str) {
        eprintln!(
            "{:>8.0} MB/s  {:>6.1} MB more memory at most  {what}",
            self.rate(),
            self.memory as f64 / 1e3
        );
    }
}

async fn best(proxy: Proxy, rows: u64) -> Outcome<Measured> {
    let port = proxy.port();
    let serving = tokio::spawn(proxy.serve(std::future::pending(), |error| eprintln!("{error}")));
    let mut best: Option<Measured> = None;
    for _ in 0..3 {
        let this = upload(port, rows).await?;
        best = Some(match best {
            Some(best) if best.time <= this.time => Measured {
                memory: best.memory.max(this.memory),
                ..best
            },
            Some(best) => Measured {
                memory: best.memory.max(this.memory),
                ..this
            },
            None => this,
        });
    }
    serving.abort();
    best.ok_or_else(|| "no upload".into())
}

const HEADER: &[u8] = b"id,region,plan,income,age,visits,spending,chronic,rating,since,note\n";
const ROW: &[u8] = b"000000000000,north-west,standard,041250.75,47,012,000318.40,none,good,2019-04-17,nothing to remark here\n";
const ROW_BYTES: u64 = ROW.len() as u64;
const ROWS_AT_ONCE: u64 = 2000;
const BOUNDARY: &str = "------------------------d74496d66958873e";

/// Sends `rows` rows with ids of their own, as a program would, and waits for the reply.
async fn upload(port: u16, rows: u64) -> Outcome<Measured> {
    let before = start_of_peak()?;
    let start = Instant::now();
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; \
         filename=\"t.csv\"\r\nContent-Type: text/csv\r\n\r\n"
    );
    let tail = format!("\r\n--{BOUNDARY}--\r\n");
    let bytes = HEADER.len() as u64 + rows * ROW_BYTES;
    let length = head.len() as u64 + bytes + tail.len() as u64;
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream
        .write_all(
            format!(
                "POST /upload_data HTTP/1.1\r\nHost: localhost:{port}\r\nUser-Agent: \
                 synclave-throughput\r\n\
                 Connection: close\r\nContent-Length: {length}\r\nContent-Type: \
                 multipart/form-data; boundary={BOUNDARY}\r\n\r\n{head}"
            )
            .as_bytes(),
        )
        .await?;
    stream.write_all(HEADER).await?;
    let mut block = ROW.repeat(usize::try_from(ROWS_AT_ONCE)?);
    let mut next = 0;
    while next < rows {
        let count = ROWS_AT_ONCE.min(rows - next);
        for row in block
            .chunks_exact_mut(ROW.len())
            .take(usize::try_from(count)?)
        {
            write_id(&mut row[..12], next);
            next += 1;
        }
        stream
            .write_all(&block[..usize::try_from(count * ROW_BYTES)?])
            .await?;
    }
    stream.write_all(tail.as_bytes()).await?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await?;
    if !reply.starts_with("HTTP/1.1 200") {
        return Err(reply.into());
    }
    Ok(Measured {
        bytes,
        time: start.elapsed(),
        memory: peak()?.saturating_sub(before),
    })
}

fn write_id(place: &mut [u8], mut id: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(id % 10).expect("a digit");
        id /= 10;
    }
}

/// What the process holds now, from where its peak is counted again.
fn start_of_peak() -> Outcome<u64> {
    std::fs::write("/proc/self/clear_refs", "5")?;
    peak()
}

fn peak() -> Outcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}

/// Where a session can be opened, by whom.
struct Reachable {
    address: SocketAddr,
    key: ClientKey,
    root_pem: String,
    measurements: Measurements,
}

async fn session(there: Reachable) -> Outcome<Session> {
    let endpoint = Endpoint::parse(&there.address.to_string(), 443)?;
    let expected = ExpectedRoom {
        verifier: Arc::new(NitroVerifier::dangerous_from_pem(&there.root_pem)?),
        policy: Policy::from(there.measurements),
        agreement: None,
        id: None,
    };
    Ok(Session::open(endpoint, there.key, expected).await?)
}

fn agreement(alice: &ClientKey) -> Outcome<Agreement> {
    let bob = ClientKey::generate(KeyAlgorithm::P256);
    let service = testkit::service_yaml(&alice.public_text(), &bob.public_text());
    Ok(Agreement::new(
        service,
        "method: MST\nepsilon: 3\nparty_names: [Alice, Bob]\n",
    )?)
}

async fn serve_room() -> Outcome<(Running, Reachable)> {
    let key = ClientKey::generate(KeyAlgorithm::Rsa2048);
    let running = Enclave::start(Config {
        agreement: agreement(&key)?,
        platform: Platform::simulated()?,
        listener: TcpListener::bind("127.0.0.1:0").await?.into(),
        limits: EnclaveLimits::default(),
        events: Arc::new(drop),
    })?;
    let there = Reachable {
        address: running.address().tcp().ok_or("not TCP")?,
        key,
        root_pem: running.root_pem().ok_or("not simulated")?,
        measurements: *running.measurements().ok_or("not simulated")?,
    };
    Ok((running, there))
}

async fn serve_attested() -> Outcome<Reachable> {
    let key = ClientKey::generate(KeyAlgorithm::Rsa2048);
    let agreement = agreement(&key)?;
    let (authority, hash) = (Authority::generate(), agreement.sha384().to_bytes());
    let root_pem = authority.root_pem();
    let attester = Arc::new(Documents {
        authority,
        agreement: hash,
    });
    let acceptor = attested_tls::Acceptor::new(
        ServerKey::generate(),
        [key.spki().to_vec()],
        attester,
        hash,
        [5; 32],
    );
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        let acceptor = Arc::new(acceptor);
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, agreement) = (Arc::clone(&acceptor), agreement.clone());
            tokio::spawn(async move {
                if let Ok(accepted) = acceptor.accept(stream).await {
                    throw_away(accepted.stream, Some(agreement)).await;
                }
            });
        }
    });
    Ok(Reachable {
        address,
        key,
        root_pem,
        measurements: Measurements::new([1; 48], [1; 48], [1; 48])?,
    })
}

async fn serve_plainly() -> Outcome<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(throw_away(stream, None));
        }
    });
    Ok(address)
}

/// Reads requests and throws their bodies away; says the agreement to who asks for it.
async fn throw_away(
    io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    agreement: Option<Agreement>,
) {
    let service = service_fn(move |mut request: Request<Incoming>| {
        let agreement = agreement
            .clone()
            .filter(|_| request.uri().path() == "/agreement");
        async move {
            while let Some(Ok(_)) = request.body_mut().frame().await {}
            let reply = agreement.map(|agreement| AgreementReply {
                agreement_sha384: agreement.sha384(),
                agreement,
            });
            let body = serde_json::to_string(&reply).expect("a reply has a JSON form");
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(body))))
        }
    });
    drop(
        hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(io), service)
            .await,
    );
}

/// Evidence for a server that throws everything away.
struct Documents {
    authority: Authority,
    agreement: [u8; 48],
}

impl Attester for Documents {
    fn attest(&self, data: &ReportData) -> Result<Evidence, AttestError> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_err(|error| AttestError::new(error.to_string()))?;
        let pcrs = (0..3)
            .map(|index| (index, vec![1; 48]))
            .chain([(16, attestation::extended_register(&self.agreement).to_vec())]);
        let document = self.authority.document(&DocumentFields {
            module_id: "measurement".to_owned(),
            timestamp_millis: u64::try_from(now.as_millis())
                .map_err(|error| AttestError::new(error.to_string()))?,
            pcrs: pcrs.collect(),
            public_key: data.public_key.clone(),
            user_data: data.user_data.clone(),
            nonce: data.nonce.clone(),
        });
        Ok(Evidence::from_bytes(document))
    }
}
