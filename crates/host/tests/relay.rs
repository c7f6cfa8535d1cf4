//! Bytes through the host, over real sockets.

mod stage;

use std::time::Duration;

use host::{ConnectionEnd, HostEvent};
use stage::{Backend, Behind, Serving, Setup, exchange, get, noise, request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn megabytes_come_back_as_they_were_and_both_halves_close() {
    let backend = Backend::start(Behind::Echo);
    let serving = Serving::start(Setup::new(&backend)).await;
    let connections = (0..8).map(|seed| {
        let address = serving.tcp;
        tokio::spawn(async move {
            let stream = TcpStream::connect(address).await.unwrap();
            let bytes = noise(seed, 3_000_000);
            assert!(exchange(stream, &bytes).await == bytes, "{seed}");
        })
    });
    for connection in connections.collect::<Vec<_>>() {
        connection.await.unwrap();
    }
    assert_eq!(
        serving
            .metric("bytes_total{direction=\"to_enclave\"}")
            .await,
        24_000_000
    );
    let events = serving.end().await;
    let complete = |event: &&HostEvent| {
        matches!(
            event,
            HostEvent::ConnectionEnded {
                how: ConnectionEnd::Complete,
                to_enclave: 3_000_000,
                from_enclave: 3_000_000,
                ..
            }
        )
    };
    assert_eq!(events.iter().filter(complete).count(), 8, "{events:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_carries_the_same_bytes() {
    let backend = Backend::start(Behind::Echo);
    let serving = Serving::start(Setup::new(&backend)).await;
    let stream = TcpStream::connect(serving.websocket).await.unwrap();
    let stream = websocket::upgrade(stream, "host", "/connect")
        .await
        .unwrap();
    let (mut from, mut to) = tokio::io::split(stream);
    let bytes = noise(1, 3_000_000);
    let mut back = vec![0; bytes.len()];
    let sending = async {
        to.write_all(&bytes).await.unwrap();
        to.flush().await.unwrap();
    };
    let (_, read) = tokio::join!(sending, from.read_exact(&mut back));
    read.unwrap();
    assert!(back == bytes);
    to.shutdown().await.unwrap();
    assert_eq!(from.read_to_end(&mut back).await.unwrap(), 0);
    serving
        .wait_for(1, |event| {
            matches!(
                event,
                HostEvent::ConnectionEnded {
                    how: ConnectionEnd::Complete,
                    ..
                }
            )
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_enclave_that_reads_nothing_stops_the_sender() {
    let backend = Backend::start(Behind::Deaf);
    let serving = Serving::start(Setup::new(&backend)).await;
    let mut stream = serving.connect().await;
    let (mut sent, part) = (0, vec![0; 1 << 20]);
    let endless = async {
        loop {
            sent += stream.write(&part).await.unwrap();
        }
    };
    let patience = Duration::from_secs(2);
    tokio::time::timeout(patience, endless).await.unwrap_err();
    // All that is not in the kernel's buffers was taken by the host, and is in the kernel's buffers
    // on the other side but for 16 KiB.
    let taken = serving
        .metric("bytes_total{direction=\"to_enclave\"}")
        .await;
    assert!(taken < 1_000_000 && sent < 20_000_000, "{taken} {sent}");
}

#[tokio::test]
async fn the_websocket_endpoint_answers_in_http_what_is_no_channel() {
    let backend = Backend::start(Behind::Echo);
    let serving = Serving::start(Setup::new(&backend)).await;
    let status = |answer: String| answer.split(' ').nth(1).unwrap_or("nothing").to_owned();
    let health = get(serving.websocket, "/healthz").await;
    assert!(
        health.starts_with("HTTP/1.1 200 ") && health.ends_with("\r\nok\n"),
        "{health}"
    );
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: \
                   13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let long = format!("X-Long: {}\r\n", "x".repeat(20_000));
    for (line, headers, expected) in [
        ("GET / HTTP/1.1", upgrade, "404"),
        ("GET /upload_data HTTP/1.1", upgrade, "404"),
        ("POST /connect HTTP/1.1", "Content-Length: 0\r\n", "405"),
        ("GET /connect HTTP/1.1", "", "426"),
        (
            "GET /connect HTTP/1.1",
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
            "426",
        ),
        ("GET /connect HTTP/1.1", &long, "431"),
        (
            "GET /connect HTTP/1.1",
            "Content-Length: 5\r\n\r\nhello",
            "413",
        ),
        ("GET /connect HTTP/1.0", upgrade, "505"),
        ("PRI * HTTP/2.0", "", "nothing"),
    ] {
        let text = format!("{line}\r\nHost: host\r\n{headers}\r\n");
        let answer = status(request(serving.websocket, &text).await);
        assert!(
            answer == expected || (expected == "nothing" && answer == "400"),
            "{line}: {answer}"
        );
    }
    // Nothing of all that reached the enclave.
    assert_eq!(
        serving
            .metric("bytes_total{direction=\"to_enclave\"}")
            .await,
        0
    );
}
