//! The enclave's life: started, configured, replaced, ended.

mod stage;

use std::time::Duration;

use host::{
    ConfigureError, ConnectionEnd, EnclaveAddress, EnclaveError, HostEvent, Launch, LaunchError,
};
use protocol::RoomId;
use stage::{Backend, Behind, Configured, Serving, Setup, agreement, get, is_closed, noise};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn room(number: u8) -> RoomId {
    RoomId::from_bytes([number; 32])
}

#[tokio::test]
async fn a_dead_enclave_is_followed_by_another_room_and_its_connections_are_closed() {
    let backend = Backend::start(Behind::Echo);
    let folder = tempfile::tempdir().unwrap();
    let stop = folder.path().join("stop");
    // It lives until the file is there, and takes it away.
    let script = format!(
        "while ! rm {} 2>/dev/null; do sleep 0.05; done; exit 7",
        stop.display()
    );
    let serving = Serving::start(Setup::running(&backend, &script)).await;
    let mut connection = serving.connect().await;
    connection.write_all(b"hello").await.unwrap();
    connection.read_exact(&mut [0; 5]).await.unwrap();

    std::fs::write(&stop, "").unwrap();
    assert!(is_closed(&mut connection).await);
    let replaced = |event: &HostEvent| {
        matches!(
            event,
            HostEvent::RoomReplaced { old, new } if (*old, *new) == (room(1), room(2))
        )
    };
    serving.wait_for(1, replaced).await;
    serving.wait_until_up().await;
    let mut connection = serving.connect().await;
    connection.write_all(b"hello").await.unwrap();
    connection.read_exact(&mut [0; 5]).await.unwrap();
    drop(connection);

    let events = serving.end().await;
    assert!(
        events.contains(&HostEvent::EnclaveEnded { code: Some(7) }),
        "{events:?}"
    );
    assert!(events.iter().any(|event| matches!(
        event,
        HostEvent::ConnectionEnded {
            how: ConnectionEnd::EnclaveEnded,
            ..
        }
    )));
    let configured: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            HostEvent::EnclaveConfigured {
                agreement, room, ..
            } => Some((*agreement, *room)),
            _ => None,
        })
        .collect();
    let name = agreement().sha384();
    assert_eq!(configured, [(name, room(1)), (name, room(2))]);
}

#[tokio::test]
async fn an_enclave_that_keeps_dying_is_started_ever_more_slowly() {
    let folder = tempfile::tempdir().unwrap();
    // Nothing ever listens here.
    let address = EnclaveAddress::Unix {
        path: folder.path().join("enclave.sock"),
    };
    let backend = Backend::start(Behind::Echo);
    let mut setup = Setup::running(&backend, "");
    setup.launch = Launch::Command {
        command: vec!["false".into()],
        address,
    };
    let serving = setup.serve().await;
    let ended = |event: &HostEvent| matches!(event, HostEvent::EnclaveEnded { code: Some(1) });
    let start = std::time::Instant::now();
    serving.wait_for(5, ended).await;
    // 50, 100, 200 and 200 ms lie between.
    assert!(start.elapsed() >= Duration::from_millis(540));
    // While there is none, nobody waits.
    assert!(
        get(serving.websocket, "/healthz")
            .await
            .starts_with("HTTP/1.1 503")
    );
    let mut stream = serving.connect().await;
    stream.write_all(b"hello").await.unwrap();
    assert!(is_closed(&mut stream).await);
    let events = serving.end().await;
    let restarts: Vec<u64> = events
        .iter()
        .filter_map(|event| match event {
            HostEvent::EnclaveStarting { restarts } => Some(*restarts),
            _ => None,
        })
        .collect();
    assert!(restarts.starts_with(&[0, 1, 2, 3, 4]), "{restarts:?}");
}

#[tokio::test]
async fn a_configuration_that_is_refused_or_changed_is_no_reason_to_start_again() {
    for configured in [Configured::Refuses, Configured::Changed] {
        let backend = Backend::with(Behind::Echo, configured);
        let serving = Setup::running(&backend, "sleep 60").serve().await;
        let (ended, events) = serving.ended().await;
        let error = ended.unwrap_err();
        match configured {
            Configured::Refuses => assert_eq!(
                error.to_string(),
                "the enclave refused its configuration: runtime.yaml: `epsilom` is unknown"
            ),
            _ => assert!(
                matches!(
                    error,
                    EnclaveError::Configure(ConfigureError::Changed { .. })
                ),
                "{error}"
            ),
        }
        let starts = |event: &&HostEvent| matches!(event, HostEvent::EnclaveStarting { .. });
        assert_eq!(events.iter().filter(starts).count(), 1, "{events:?}");
    }
}

#[tokio::test]
async fn a_program_that_is_not_there_is_said_so_at_once() {
    let backend = Backend::start(Behind::Echo);
    let mut setup = Setup::running(&backend, "");
    setup.launch = Launch::Command {
        command: vec!["no-such-emulator".into()],
        address: backend.address.clone(),
    };
    let (ended, _) = setup.serve().await.ended().await;
    let error = ended.unwrap_err();
    assert!(matches!(
        error,
        EnclaveError::Launch(LaunchError::Program { .. })
    ));
    assert!(
        error
            .to_string()
            .starts_with("`no-such-emulator` cannot be started: "),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_lets_a_connection_end_accepts_none_and_ends_the_enclaves_program() {
    let backend = Backend::start(Behind::Echo);
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("told");
    let script = format!(
        "trap 'echo yes > {}; exit 0' TERM; while :; do sleep 0.05; done",
        told.display()
    );
    let mut serving = Serving::start(Setup::running(&backend, &script)).await;
    let mut connection = serving.connect().await;
    let bytes = noise(1, 100_000);
    connection.write_all(&bytes[..10]).await.unwrap();
    connection.read_exact(&mut [0; 10]).await.unwrap();

    serving.tell_to_stop();
    serving
        .wait_for(1, |event| *event == HostEvent::Draining { connections: 1 })
        .await;
    TcpStream::connect(serving.tcp).await.unwrap_err();
    assert!(!told.exists());
    assert!(stage::exchange(connection, &bytes).await == bytes);
    let (ended, events) = serving.ended().await;
    ended.unwrap();
    assert_eq!(std::fs::read_to_string(told).unwrap(), "yes\n");
    assert_eq!(events.last(), Some(&HostEvent::Stopped));
}

#[tokio::test]
async fn a_connection_that_does_not_end_is_not_drained_for_ever() {
    let backend = Backend::start(Behind::Echo);
    let setup = Setup {
        drain: Duration::from_millis(200),
        ..Setup::new(&backend)
    };
    let serving = Serving::start(setup).await;
    let mut connection = serving.connect().await;
    connection.write_all(b"x").await.unwrap();
    connection.read_u8().await.unwrap();
    let log = serving.end().await;
    assert!(is_closed(&mut connection).await);
    assert_eq!(log.last(), Some(&HostEvent::Stopped));
}
