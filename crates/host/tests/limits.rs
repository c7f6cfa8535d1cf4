//! What a client cannot take of the host.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod stage;

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use host::{ClientAddress, ConnectionEnd, ConnectionLimits, HostEvent, RefusalReason, RelayLimits};
use stage::{Backend, Behind, Serving, Setup, exchange, is_closed, noise, request, settle};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn refused(expected: RefusalReason) -> impl Fn(&HostEvent) -> bool {
    move |event| matches!(event, HostEvent::ConnectionRefused { reason, .. } if *reason == expected)
}

fn ended(expected: ConnectionEnd) -> impl Fn(&HostEvent) -> bool {
    move |event| matches!(event, HostEvent::ConnectionEnded { how, .. } if *how == expected)
}

async fn serving(
    behind: Behind,
    client: ClientAddress,
    limits: ConnectionLimits,
) -> (Backend, Serving) {
    let backend = Backend::start(behind);
    let setup = Setup {
        limits,
        client,
        ..Setup::new(&backend)
    };
    let serving = Serving::start(setup).await;
    (backend, serving)
}

async fn echoes(stream: &mut TcpStream) {
    stream.write_all(b"hello").await.unwrap();
    let mut back = [0; 5];
    stream.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"hello");
}

#[tokio::test]
async fn one_client_has_so_many_connections_and_all_together_so_many() {
    let limits = ConnectionLimits {
        connections: 3,
        connections_per_client: 2,
        ..ConnectionLimits::default()
    };
    let (_backend, serving) = serving(Behind::Echo, ClientAddress::Peer, limits).await;
    let (mut first, mut second) = (serving.connect().await, serving.connect().await);
    settle(&mut first).await;
    settle(&mut second).await;
    assert!(is_closed(&mut serving.connect().await).await);
    serving
        .wait_for(1, refused(RefusalReason::TooManyConnectionsOfClient))
        .await;

    drop(first);
    serving.wait_for(1, ended(ConnectionEnd::Complete)).await;
    let mut third = serving.connect().await;
    settle(&mut third).await;

    let mut fourth = serving.connect_from(2).await;
    settle(&mut fourth).await;
    assert!(is_closed(&mut serving.connect_from(2).await).await);
    serving
        .wait_for(1, refused(RefusalReason::TooManyConnections))
        .await;
    assert_eq!(serving.metric("connections_open").await, 3);
}

#[tokio::test]
async fn who_has_shown_nothing_gives_way_to_who_comes_later() {
    let limits = ConnectionLimits {
        connections: 3,
        connections_per_client: 2,
        ..ConnectionLimits::default()
    };
    let (_backend, serving) = serving(Behind::Echo, ClientAddress::Peer, limits).await;
    let (mut silent, mut chatty) = (serving.connect().await, serving.connect().await);
    echoes(&mut chatty).await;
    // The client's own: the one that has come least far.
    let mut third = serving.connect().await;
    assert!(is_closed(&mut silent).await);
    settle(&mut third).await;
    // All together are too many: the client with the most, which has one left that can go.
    let mut others = [serving.connect_from(2).await, serving.connect_from(3).await];
    assert!(is_closed(&mut chatty).await);
    for other in &mut others {
        settle(other).await;
    }
    settle(&mut third).await;
    serving.wait_for(2, refused(RefusalReason::Displaced)).await;
}

#[tokio::test]
async fn a_crowd_that_keeps_coming_back_does_not_shut_a_client_out() {
    let limits = ConnectionLimits {
        unfinished: 12,
        ..ConnectionLimits::default()
    };
    let (_backend, serving) = serving(Behind::Echo, ClientAddress::Peer, limits).await;
    let mut genuine = serving.connect().await;
    echoes(&mut genuine).await;
    let mut crowd = Vec::new();
    for round in 0..10 {
        for last in 2..8 {
            let mut stream = serving.connect_from(last).await;
            stream.write_all(b"\x16\x03\x01\x02\x00\x01").await.unwrap();
            crowd.push(stream);
        }
        let mut newcomer = serving.connect_from(9).await;
        settle(&mut newcomer).await;
        echoes(&mut genuine).await;
        assert!(serving.metric("connections_open").await <= 13 + 1 + round);
    }
    let displaced = || serving.metric("connections_refused_total{reason=\"displaced\"}");
    for _ in 0..100 {
        if displaced().await >= 49 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{} of 60 were displaced", displaced().await);
}

#[tokio::test]
async fn refusals_are_told_up_to_a_rate() {
    let limits = ConnectionLimits {
        connections_per_client: 1,
        ..ConnectionLimits::default()
    };
    let (_backend, serving) = serving(Behind::Echo, ClientAddress::Peer, limits).await;
    let mut settled = serving.connect().await;
    settle(&mut settled).await;
    for _ in 0..120 {
        assert!(is_closed(&mut serving.connect().await).await);
    }
    let reason = RefusalReason::TooManyConnectionsOfClient;
    let told = |events: &[HostEvent]| events.iter().filter(|it| refused(reason)(it)).count();
    let metric = "connections_refused_total{reason=\"too_many_connections_of_client\"}";
    assert_eq!(serving.metric(metric).await, 120);
    // Another window may have begun meanwhile.
    assert!((50..=100).contains(&told(&serving.events())));
}

#[tokio::test]
async fn who_says_nothing_is_not_waited_for_and_the_enclave_does_not_hear_of_it() {
    let limits = ConnectionLimits {
        handshake_deadline: Duration::from_millis(300),
        ..ConnectionLimits::default()
    };
    let (_backend, serving) = serving(Behind::Echo, ClientAddress::Peer, limits).await;
    let start = Instant::now();
    assert!(is_closed(&mut serving.connect().await).await);
    assert!(start.elapsed() >= Duration::from_millis(300));
    let mut websocket = TcpStream::connect(serving.websocket).await.unwrap();
    websocket
        .write_all(b"GET /connect HTTP/1.1\r\nHost: ")
        .await
        .unwrap();
    let mut answer = Vec::new();
    drop(websocket.read_to_end(&mut answer).await);
    serving.wait_for(1, refused(RefusalReason::Deadline)).await;
    assert_eq!(
        serving
            .metric("connections_ended_total{how=\"complete\"}")
            .await,
        0
    );
    assert_eq!(serving.metric("connections_open").await, 0);
}

#[tokio::test]
async fn an_idle_connection_and_one_that_carries_too_much_are_closed() {
    let limits = ConnectionLimits {
        relay: RelayLimits {
            idle: Duration::from_millis(400),
            bytes_per_second: None,
            bytes: 1_000_000,
        },
        ..ConnectionLimits::default()
    };
    let (_backend, serving) = serving(Behind::Echo, ClientAddress::Peer, limits).await;
    let mut idle = serving.connect().await;
    echoes(&mut idle).await;
    assert!(is_closed(&mut idle).await);
    serving.wait_for(1, ended(ConnectionEnd::Idle)).await;

    let mut greedy = serving.connect().await;
    let (mut from, mut to) = greedy.split();
    let mut back = Vec::new();
    let bytes = noise(1, 2_000_000);
    let (_, _) = tokio::join!(to.write_all(&bytes), from.read_to_end(&mut back));
    assert!(back.len() < 700_000, "{}", back.len());
    serving
        .wait_for(1, ended(ConnectionEnd::TooManyBytes))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_no_faster_than_it_may_be_and_loses_nothing() {
    let limits = ConnectionLimits {
        relay: RelayLimits {
            bytes_per_second: NonZeroU32::new(200_000),
            ..ConnectionLimits::default().relay
        },
        ..ConnectionLimits::default()
    };
    let (_backend, serving) = serving(Behind::Echo, ClientAddress::Peer, limits).await;
    let (start, bytes) = (Instant::now(), noise(1, 500_000));
    assert!(exchange(serving.connect().await, &bytes).await == bytes);
    // The first second's worth is free.
    let time = start.elapsed().as_secs_f64();
    assert!(time > 1.3, "{time}");
}

#[tokio::test]
async fn with_the_proxy_protocol_the_client_is_who_the_balancer_says() {
    let limits = ConnectionLimits {
        connections_per_client: 1,
        ..ConnectionLimits::default()
    };
    let (_backend, serving) = serving(Behind::Echo, ClientAddress::ProxyProtocol, limits).await;
    let header = |last: u8| {
        let mut bytes = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
        bytes.extend([192, 0, 2, last, 10, 0, 0, 1, 0x30, 0x39, 0x01, 0xbb]);
        bytes
    };
    let connect = |last| {
        let header = header(last);
        let connecting = serving.connect();
        async move {
            let mut stream = connecting.await;
            stream.write_all(&header).await.unwrap();
            stream
        }
    };
    let (mut first, mut second) = (connect(1).await, connect(2).await);
    settle(&mut first).await;
    settle(&mut second).await;
    assert!(is_closed(&mut connect(1).await).await);
    let of_first = |event: &HostEvent| {
        matches!(
            event,
            HostEvent::ConnectionRefused {
                client,
                reason: RefusalReason::TooManyConnectionsOfClient,
                ..
            }
                if *client == Some([192, 0, 2, 1].into())
        )
    };
    serving.wait_for(1, of_first).await;

    let mut without = serving.connect().await;
    without
        .write_all(b"\x16\x03\x01 hello, this is TLS")
        .await
        .unwrap();
    assert!(is_closed(&mut without).await);
    serving
        .wait_for(1, refused(RefusalReason::ProxyHeader))
        .await;
}

#[tokio::test]
async fn over_websocket_the_client_is_the_last_that_was_forwarded_for() {
    let limits = ConnectionLimits {
        connections_per_client: 1,
        ..ConnectionLimits::default()
    };
    let (_backend, serving) = serving(Behind::Echo, ClientAddress::ForwardedFor, limits).await;
    let upgrade = |forwarded: &str| {
        format!(
            "GET /connect HTTP/1.1\r\nHost: host\r\nConnection: Upgrade\r\nUpgrade: \
             websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{forwarded}\r\n"
        )
    };
    let mut first = TcpStream::connect(serving.websocket).await.unwrap();
    let forwarded = "X-Forwarded-For: 10.0.0.1, 192.0.2.1\r\n";
    first
        .write_all(upgrade(forwarded).as_bytes())
        .await
        .unwrap();
    let mut answer = [0; 12];
    first.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 101");
    // One message of 4 KiB, masked with zeros.
    let header = [0x82, 0xfe, 0x10, 0, 0, 0, 0, 0];
    let message = [&header[..], &noise(9, 4096)].concat();
    first.write_all(&message).await.unwrap();
    let mut back = vec![0; 4096];
    first.read_exact(&mut back).await.unwrap();
    for (forwarded, expected) in [
        ("", "400"),
        ("X-Forwarded-For: unknown\r\n", "400"),
        ("X-Forwarded-For: 192.0.2.1\r\n", "429"),
    ] {
        let answer = request(serving.websocket, &upgrade(forwarded)).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {expected}")),
            "{answer}"
        );
    }
}
