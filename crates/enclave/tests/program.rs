//! `synclave-enclave` as a person runs it.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use attestation::{Measurements, Root};
use attested_tls::{ClientKey, KeyAlgorithm};

/// A folder with a good agreement in `room`.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let room = folder.path().join("room");
    std::fs::create_dir(&room).unwrap();
    let [alice, bob] = [(); 2].map(|()| ClientKey::generate(KeyAlgorithm::P256).public_text());
    let service = format!(
        "auth:\n- auth_name: default\n  auth_type: signed_headers\npaths:\n- path: /upload_data\n  access: data_provider\nroles:\n- role_name: \
         data_provider\n  role_auth: default\n  role_cardinality: 2\nusers:\n  data_provider:\n  - user_name: Alice\n    public_key: {alice}\n  \
         - user_name: Bob\n    public_key: {bob}\n"
    );
    std::fs::write(room.join("service.yaml"), service).unwrap();
    std::fs::write(
        room.join("runtime.yaml"),
        "method: MST\nepsilon: 3\nparty_names: [Alice, Bob]\n",
    )
    .unwrap();
    folder
}

fn command(folder: &Path, listen: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_synclave-enclave"));
    command
        .current_dir(folder)
        .args(["--simulated", "--room", "room", "--listen", listen]);
    command.args([
        "--root-out",
        "root.pem",
        "--measurements-out",
        "measurements.json",
    ]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn refused(output: &Output) -> (Option<i32>, String) {
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(output.stdout.is_empty());
    assert_eq!(said.lines().count(), 1, "one sentence: {said}");
    (output.status.code(), said)
}

/// Runs until it is ready; gives its first line.
fn ready(
    command: &mut Command,
) -> (
    Child,
    BufReader<std::process::ChildStderr>,
    serde_json::Value,
) {
    let mut child = command.spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    let event = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no event: {line}"));
    (child, stderr, event)
}

#[test]
fn it_tells_where_it_listens_writes_its_files_and_ends_when_told_to() {
    let folder = folder();
    let (mut child, mut stderr, event) = ready(&mut command(folder.path(), "127.0.0.1:0"));
    assert_eq!(event["event"], "ready");
    let address = event["address"].as_str().unwrap();
    std::net::TcpStream::connect(address).unwrap();

    let stopped = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(stopped.success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
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
    let (code, said) = refused(&command(folder.path(), &address).output().unwrap());
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
        let (code, said) = refused(&command(folder.path(), "127.0.0.1:0").output().unwrap());
        assert_eq!(code, Some(4), "{said}");
        assert!(
            said.contains("runtime.yaml") && said.contains(hint),
            "{said}"
        );
    }
    std::fs::remove_file(&runtime).unwrap();
    let (code, said) = refused(&command(folder.path(), "127.0.0.1:0").output().unwrap());
    assert_eq!(code, Some(4));
    assert!(said.contains("runtime.yaml"), "{said}");
    assert!(!folder.path().join("root.pem").exists());
}

#[test]
fn without_a_platform_it_says_what_there_is() {
    let folder = folder();
    let output = Command::new(env!("CARGO_BIN_EXE_synclave-enclave"))
        .current_dir(folder.path())
        .args(["--room", "room", "--listen", "127.0.0.1:0"])
        .output()
        .unwrap();
    let (code, said) = refused(&output);
    assert_eq!(code, Some(3));
    assert!(said.contains("--simulated"), "{said}");
}

#[test]
fn a_file_that_cannot_be_written_is_said_so() {
    let folder = folder();
    let output = command(folder.path(), "127.0.0.1:0")
        .args(["--root-out", "none/root.pem"])
        .output()
        .unwrap();
    // The option given twice is refused by the command line's own rules.
    assert_eq!(output.status.code(), Some(2));

    std::fs::create_dir(folder.path().join("root.pem")).unwrap();
    let output = command(folder.path(), "127.0.0.1:0").output().unwrap();
    assert_eq!(output.status.code(), Some(6));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("root.pem")
    );
}
