//! What the program can still do once it has given up what it does not need. Each case is a process
//! of its own: this one, started again.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]
#![expect(
    clippy::print_stdout,
    reason = "the confined process tells where it is"
)]

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use attestation::nitro::{Measurements, NitroVerifier};
use attestation::{Policy, UnixTime};
use attested_tls::{ClientKey, Connector, ExpectedRoom, KeyAlgorithm};
use enclave::{Config, Enclave, EnclaveLimits, Enforcement, Platform, confine, read_agreement};
use testkit::Running;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Which case the started process is.
const CASE: &str = "SYNCLAVE_TEST_CONFINED";
/// Where the room's files are.
const ROOM: &str = "SYNCLAVE_TEST_ROOM";
const BAD_SYSTEM_CALL: i32 = 31;

/// This program again, with this case only.
fn confined(case: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "the_process_that_is_confined", "--nocapture"])
        .env(CASE, case)
        // A trace of the stack asks for more. The program itself tells panics as events.
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

#[test]
fn the_process_that_is_confined() {
    let Ok(case) = std::env::var(CASE) else {
        return;
    };
    if case == "room" {
        return serve_room();
    }
    let file = File::open(std::env::current_exe().unwrap()).unwrap();
    assert_eq!(confine().system_calls, Enforcement::Fully);
    println!("confined");
    match case.as_str() {
        "open" => {
            let error = File::open("/proc/self/exe").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
            let error = std::fs::write("/tmp/synclave-confined", "x").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
            // What is open stays so.
            std::io::Read::read_exact(&mut &file, &mut [0; 4]).unwrap();
        }
        "work" => {
            assert!(std::thread::available_parallelism().unwrap().get() > 0);
            std::thread::spawn(|| vec![1_u8; 64 << 20].len())
                .join()
                .unwrap();
            std::thread::spawn(|| panic!("on purpose"))
                .join()
                .unwrap_err();
        }
        "execute" => drop(Command::new("/bin/true").status()),
        "connect" => drop(TcpStream::connect("127.0.0.1:9")),
        "listen" => drop(TcpListener::bind("127.0.0.1:0")),
        "unix" => drop(UnixStream::connect("/run/nobody")),
        "remove" => drop(std::fs::remove_file("/tmp/synclave-confined")),
        other => panic!("no case {other}"),
    }
}

#[test]
fn files_cannot_be_opened_but_threads_memory_and_panics_are_as_ever() {
    for case in ["open", "work"] {
        let output = confined(case).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains("confined"), "{case}: {said}");
        assert_eq!(output.status.code(), Some(0), "{case}: {said}");
    }
}

#[test]
fn another_program_or_socket_or_file_system_call_is_the_end() {
    for case in ["execute", "connect", "listen", "unix", "remove"] {
        let output = confined(case).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains("confined"), "{case}: {said}");
        assert_eq!(
            output.status.signal(),
            Some(BAD_SYSTEM_CALL),
            "{case}: {said}"
        );
    }
}

/// The part of `init` that comes after the machine: confined, on the simulated platform, on a
/// listener that was open before.
fn serve_room() {
    let agreement = read_agreement(Path::new(&std::env::var(ROOM).unwrap())).unwrap();
    let platform = Platform::simulated().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let there = serde_json::json!({
        "address": listener.local_addr().unwrap(),
        "root": platform.root_pem().unwrap(),
        "measurements": platform.measurements().unwrap().to_json(),
    });
    let limits = EnclaveLimits::default();
    assert_eq!(confine().system_calls, Enforcement::Fully);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let config = Config {
            agreement,
            platform,
            listener: tokio::net::TcpListener::from_std(listener).unwrap().into(),
            limits,
            events: Arc::new(drop),
        };
        let mut running = Enclave::start(config).unwrap();
        println!("\n{there}");
        running.fault().await;
    });
}

struct Room {
    address: SocketAddr,
    root: String,
    measurements: Measurements,
}

impl Room {
    /// Waits until the process says where it is.
    fn announced_by(process: &mut Running) -> Self {
        let said = BufReader::new(process.0.stdout.take().unwrap());
        let line = said
            .lines()
            .map(Result::unwrap)
            .find(|line| line.starts_with('{'))
            .expect("it ended early");
        let there: serde_json::Value = serde_json::from_str(&line).unwrap();
        Self {
            address: there["address"].as_str().unwrap().parse().unwrap(),
            root: there["root"].as_str().unwrap().to_owned(),
            measurements: Measurements::from_json(there["measurements"].as_str().unwrap()).unwrap(),
        }
    }

    /// The whole reply to one request on a connection of its own.
    async fn ask(&self, key: &ClientKey, head: &str, body: &str) -> String {
        let expected = ExpectedRoom {
            verifier: Arc::new(NitroVerifier::dangerous_from_pem(&self.root).unwrap()),
            policy: Policy::from(self.measurements),
            agreement: None,
            id: None,
        };
        let stream = tokio::net::TcpStream::connect(self.address).await.unwrap();
        let mut stream = Connector::new(key, expected)
            .connect(stream, UnixTime::now())
            .await
            .unwrap()
            .stream;
        let request = format!(
            "{head}host: room\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = Vec::new();
        // A close without TLS's own goodbye is an error after all was read.
        drop(stream.read_to_end(&mut reply).await);
        String::from_utf8(reply).unwrap()
    }

    async fn upload(&self, key: &ClientKey, column: &str) {
        let rows: String = (0..500)
            .map(|id| format!("{id},{}\r\n", id * 7 % 5))
            .collect();
        let body = format!(
            "--x\r\ncontent-disposition: form-data; name=\"file\"; \
             filename=\"t.csv\"\r\n\r\nid,{column}\r\n{rows}\r\n--x--\r\n"
        );
        let head =
            "POST /upload_data HTTP/1.1\r\ncontent-type: multipart/form-data; boundary=x\r\n";
        let reply = self.ask(key, head, &body).await;
        assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
        let reply = self.ask(key, "GET /confirm_data HTTP/1.1\r\n", "").await;
        assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    }
}

#[tokio::test]
async fn a_confined_room_lives_its_whole_life() {
    let folder = tempfile::tempdir().unwrap();
    let [alice, bob] = [(); 2].map(|()| ClientKey::generate(KeyAlgorithm::P256));
    let service = testkit::service_yaml(&alice.public_text(), &bob.public_text());
    let runtime = "method: GRAIN\nepsilon: 3\nparty_names: [Alice, Bob]\n";
    std::fs::write(folder.path().join("service.yaml"), service).unwrap();
    std::fs::write(folder.path().join("runtime.yaml"), runtime).unwrap();
    let mut process = Running(confined("room").env(ROOM, folder.path()).spawn().unwrap());
    let room = Room::announced_by(&mut process);

    room.upload(&alice, "colour").await;
    room.upload(&bob, "size").await;
    let mut status = String::new();
    for _ in 0..600 {
        status = room.ask(&alice, "GET /model_status HTTP/1.1\r\n", "").await;
        if !status.contains("training") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(status.contains("trained"), "{status}");
    let samples = "GET /samples?format=csv&num_samples=20 HTTP/1.1\r\n";
    let samples = room.ask(&bob, samples, "").await;
    assert!(
        samples.contains("Alice_colour") && samples.contains("Bob_size"),
        "{samples}"
    );
    let receipt = room.ask(&bob, "GET /receipt HTTP/1.1\r\n", "").await;
    assert!(receipt.contains("\"evidence\""), "{receipt}");
    assert!(process.0.try_wait().unwrap().is_none());
}
