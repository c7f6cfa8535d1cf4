//! Very many connections at once.

mod stage;

use host::ConnectionLimits;
use stage::{Backend, Behind, Serving, Setup, exchange, noise};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const IDLE: usize = 1000;
const ACTIVE: u64 = 200;
/// More bytes than come back before a connection shows evidence.
const HANDSHAKE: usize = 4096;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "slow: 1,000 idle and 200 active connections"]
async fn a_thousand_idle_and_two_hundred_active_connections_lose_no_byte() {
    // Both ends of each connection are in this process.
    let mut files = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    files.current = files.maximum;
    rustix::process::setrlimit(rustix::process::Resource::Nofile, files).unwrap();
    let backend = Backend::start(Behind::Echo);
    let setup = Setup {
        limits: ConnectionLimits {
            connections_per_client: 2000,
            ..ConnectionLimits::default()
        },
        ..Setup::new(&backend)
    };
    let serving = Serving::start(setup).await;
    let mut idle = Vec::new();
    for number in 0..IDLE {
        let mut stream = serving.connect().await;
        let word = u32::try_from(number).unwrap();
        stream.write_u32(word).await.unwrap();
        assert_eq!(stream.read_u32().await.unwrap(), word);
        // Until so much has come back a connection is unfinished, and gives way to newcomers.
        stream.write_all(&[0; HANDSHAKE]).await.unwrap();
        stream.read_exact(&mut [0; HANDSHAKE]).await.unwrap();
        idle.push(stream);
    }
    let active = (0..ACTIVE).map(|seed| {
        let connecting = tokio::net::TcpStream::connect(serving.tcp);
        tokio::spawn(async move {
            let bytes = noise(seed, 1_000_000);
            assert!(
                exchange(connecting.await.unwrap(), &bytes).await == bytes,
                "{seed}"
            );
        })
    });
    for connection in active.collect::<Vec<_>>() {
        connection.await.unwrap();
    }
    assert!(serving.metric("connections_open").await >= IDLE as u64);
    // The idle ones still work.
    for (number, stream) in idle.iter_mut().enumerate() {
        let word = u32::try_from(number).unwrap();
        stream.write_u32(word).await.unwrap();
        assert_eq!(stream.read_u32().await.unwrap(), word);
    }
    drop(idle);
    serving.end().await;
}
