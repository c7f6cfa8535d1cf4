//! `synclave-enclave` as a person runs it.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use attestation::nitro::{Measurements, Root};
use attested_tls::{ClientKey, KeyAlgorithm};
use testkit::Running;

/// A folder with a good agreement in `room`.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let room = folder.path().join("room");
    std::fs::create_dir(&room).unwrap();
    let [alice, bob] = [(); 2].map(|()| ClientKey::generate(KeyAlgorithm::P256).public_text());
    std::fs::write(
        room.join("service.yaml"),
        testkit::service_yaml(&alice, &bob),
    )
    .unwrap();
    std::fs::write(
        room.join("runtime.yaml"),
        "method: MST\nepsilon: 3\nparty_names: [Alice, Bob]\n",
    )
    .unwrap();
    folder
}

/// `synclave-enclave` with these arguments, in this folder.
fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_synclave-enclave"));
    command.current_dir(folder).args(arguments);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn simulated(folder: &Path, listen: &str) -> Command {
    let files = [
        "--root-out",
        "root.pem",
        "--measurements-out",
        "measurements.json",
    ];
    program(
        folder,
        &[
            &["--simulated", "--room", "room", "--listen", listen],
            &files[..],
        ]
        .concat(),
    )
}

/// Exit code and sentence of a program that ought to end by itself, but is not waited for for ever.
fn refused(mut command: Command) -> (Option<i32>, String) {
    let mut running = Running(command.spawn().unwrap());
    for _ in 0..1000 {
        if running.0.try_wait().unwrap().is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(running.0.kill());
    let (mut said, mut data) = (String::new(), String::new());
    running
        .0
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    running
        .0
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut data)
        .unwrap();
    assert_eq!(data, "");
    (running.0.wait().unwrap().code(), said)
}

#[test]
fn it_tells_where_it_listens_writes_its_files_and_ends_when_told_to() {
    let folder = folder();
    let mut running = Running(simulated(folder.path(), "127.0.0.1:0").spawn().unwrap());
    let mut stderr = BufReader::new(running.0.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    let event: serde_json::Value =
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("no event: {line}"));
    assert_eq!(event["event"], "ready");
    std::net::TcpStream::connect(event["address"].as_str().unwrap()).unwrap();

    let told = Command::new("kill")
        .args(["-TERM", &running.0.id().to_string()])
        .status()
        .unwrap();
    assert!(told.success());
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert!(rest.lines().last().unwrap().contains("stopped"), "{rest}");

    let measurements = std::fs::read_to_string(folder.path().join("measurements.json")).unwrap();
    Measurements::from_json(&measurements).unwrap();
    Root::dangerous_from_pem(&std::fs::read_to_string(folder.path().join("root.pem")).unwrap())
        .unwrap();
}

#[test]
fn a_port_in_use_is_said_so_and_the_other_enclaves_files_stay() {
    let folder = folder();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    std::fs::write(folder.path().join("root.pem"), "the other's").unwrap();
    let (code, said) = refused(simulated(folder.path(), &address));
    assert_eq!(code, Some(5));
    assert!(said.contains(&address) && said.contains("in use"), "{said}");
    assert_eq!(
        std::fs::read_to_string(folder.path().join("root.pem")).unwrap(),
        "the other's"
    );
}

#[test]
fn an_agreement_that_does_not_hold_is_refused_in_a_sentence() {
    let folder = folder();
    let runtime = folder.path().join("room/runtime.yaml");
    for (content, hint) in [
        (
            "method: MST\nepsilom: 3\nparty_names: [Alice, Bob]\n",
            "epsilon",
        ),
        (
            "method: MST\nepsilon: 0\nparty_names: [Alice, Bob]\n",
            "epsilon",
        ),
        (
            "method: MST\nepsilon: 3\nparty_names: [Alice, Carol]\n",
            "Carol",
        ),
    ] {
        std::fs::write(&runtime, content).unwrap();
        let (code, said) = refused(simulated(folder.path(), "127.0.0.1:0"));
        assert_eq!(code, Some(4), "{said}");
        assert!(
            said.contains("runtime.yaml") && said.contains(hint),
            "{said}"
        );
    }
    std::fs::remove_file(&runtime).unwrap();
    let (code, said) = refused(simulated(folder.path(), "127.0.0.1:0"));
    assert_eq!(code, Some(4));
    assert!(said.contains("runtime.yaml"), "{said}");
    assert!(!folder.path().join("root.pem").exists());
}

#[test]
fn without_a_platform_it_says_what_there_is() {
    let folder = folder();
    let (code, said) = refused(program(
        folder.path(),
        &["--room", "room", "--listen", "127.0.0.1:0"],
    ));
    assert_eq!(code, Some(3));
    assert!(said.contains("--simulated"), "{said}");
}

/// This machine has no security module, so that the way into an image's program ends at once, with
/// a fault and nothing else.
#[test]
fn under_another_init_it_needs_the_security_module_and_stops_nothing_but_itself() {
    if Path::new("/dev/nsm").exists() {
        eprintln!("skipped: this machine has a security module");
        return;
    }
    let output = Command::new(env!("CARGO_BIN_EXE_synclave-enclave"))
        .arg("--nitro")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "{\"event\":\"fault\",\"fault\":\"kernel_lacks_nsm\"}\n"
    );
}

#[test]
fn a_file_that_cannot_be_written_is_said_so() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("root.pem")).unwrap();
    let (code, said) = refused(simulated(folder.path(), "127.0.0.1:0"));
    assert_eq!(code, Some(6));
    assert!(said.lines().last().unwrap().contains("root.pem"), "{said}");
}
