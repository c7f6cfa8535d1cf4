//! How fast bytes go through the attested channel, beside plain TCP: both over loopback, one
//! connection, one direction.
//!
//! ```text
//! cargo run --release -p synclave-attested-tls --example throughput [MEBIBYTES]
//! ```
#![expect(clippy::print_stdout, reason = "its output is what it is run for")]

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use attestation::nitro::authority::{Authority, DocumentFields};
use attestation::nitro::{Measurements, NitroVerifier};
use attestation::{AttestError, Attester, Evidence, Policy, ReportData, UnixTime};
use attested_tls::{Acceptor, ClientKey, Connector, ExpectedRoom, KeyAlgorithm, ServerKey};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const PIECE_BYTES: usize = 64 * 1024;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mebibytes: usize = match std::env::args().nth(1) {
        Some(text) => text.parse()?,
        None => 1024,
    };
    let pieces = mebibytes * 1024 * 1024 / PIECE_BYTES;

    let (near, far) = loopback().await?;
    let plain = copy(near, far, pieces).await?;
    println!("plain loopback TCP: {:>6.0} MiB/s", speed(mebibytes, plain));

    let (acceptor, connector) = room()?;
    let (near, far) = loopback().await?;
    let start = Instant::now();
    let (channel, accepted) = tokio::join!(connector.connect(near, now()?), acceptor.accept(far));
    let (channel, accepted) = (channel?, accepted?);
    println!(
        "handshake, evidence and checks: {:.1} ms",
        1e3 * start.elapsed().as_secs_f64()
    );
    let attested = copy(channel.stream, accepted.stream, pieces).await?;
    println!(
        "attested channel:   {:>6.0} MiB/s",
        speed(mebibytes, attested)
    );
    println!("ratio: {:.2}", plain.as_secs_f64() / attested.as_secs_f64());
    Ok(())
}

fn speed(mebibytes: usize, time: Duration) -> f64 {
    mebibytes as f64 / time.as_secs_f64()
}

async fn loopback() -> Result<(TcpStream, TcpStream), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let near = TcpStream::connect(listener.local_addr()?).await?;
    let (far, _) = listener.accept().await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    Ok((near, far))
}

/// The time until the far end has read all pieces.
async fn copy<N, F>(mut near: N, mut far: F, pieces: usize) -> Result<Duration, Box<dyn Error>>
where
    N: AsyncWrite + Unpin + Send + 'static,
    F: AsyncRead + Unpin,
{
    let start = Instant::now();
    let writing = tokio::spawn(async move {
        let piece = vec![0x5a; PIECE_BYTES];
        for _ in 0..pieces {
            near.write_all(&piece).await?;
        }
        near.shutdown().await
    });
    let mut buffer = vec![0; PIECE_BYTES];
    let mut received = 0;
    loop {
        match far.read(&mut buffer).await? {
            0 => break,
            length => received += length,
        }
    }
    let time = start.elapsed();
    writing.await??;
    if received != pieces * PIECE_BYTES {
        return Err(format!("{received} bytes arrived").into());
    }
    Ok(time)
}

/// A platform of its own, for one room.
struct Simulated {
    authority: Authority,
    measurements: Measurements,
}

impl Attester for Simulated {
    fn attest(&self, data: &ReportData) -> Result<Evidence, AttestError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_err(|error| AttestError::new(error.to_string()))?;
        let pcrs = self.measurements.pcrs().iter().map(|pcr| pcr.to_vec());
        let document = self.authority.document(&DocumentFields {
            module_id: "throughput".to_owned(),
            timestamp_millis: now.as_secs() * 1000,
            pcrs: (0..).zip(pcrs).collect(),
            public_key: data.public_key.clone(),
            user_data: data.user_data.clone(),
            nonce: data.nonce.clone(),
        });
        Ok(Evidence::from_bytes(document))
    }
}

fn room() -> Result<(Acceptor, Connector), Box<dyn Error>> {
    let platform = Simulated {
        authority: Authority::generate(),
        measurements: Measurements::new([1; 48], [2; 48], [3; 48])?,
    };
    let expected = ExpectedRoom {
        verifier: Arc::new(NitroVerifier::dangerous_from_pem(
            &platform.authority.root_pem(),
        )?),
        policy: Policy::from(platform.measurements),
        agreement: Some([4; 48]),
        id: None,
    };
    let client = ClientKey::generate(KeyAlgorithm::P256);
    let registered = [client.spki().to_vec()];
    let platform = Arc::new(platform);
    let acceptor = Acceptor::new(
        ServerKey::generate(),
        registered,
        platform,
        [4; 48],
        [5; 32],
    );
    Ok((acceptor, Connector::new(&client, expected)))
}

fn now() -> Result<UnixTime, Box<dyn Error>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(UnixTime::since_unix_epoch(now))
}
