//! Files that never end, and paths that are not files: each is refused in a sentence that names it.

use std::fs;
use std::process::Command;

use crate::synclave;

#[test]
fn what_never_ends_is_refused_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("table.csv"), "a\nx\ny\n").unwrap();
    fs::write(
        folder.path().join("table.yaml"),
        "a: {categories: [x, y]}\n",
    )
    .unwrap();
    let synth = [
        "synth",
        "table.csv",
        "--epsilon",
        "1",
        "--output",
        "out.csv",
    ];
    let synth_with = |more: &[&'static str]| [&synth[..], more].concat();
    for arguments in [
        vec!["inspect", "/dev/zero"],
        vec!["measure", "/dev/zero"],
        vec!["verify-receipt", "/dev/zero"],
        vec!["inspect", "table.csv", "--dangerous-root", "/dev/zero"],
        vec!["verify-receipt", "table.csv", "--measurements", "/dev/zero"],
        vec!["sample", "/dev/zero", "--output", "out.csv"],
        vec![
            "synth",
            "/dev/zero",
            "--epsilon",
            "1",
            "--output",
            "out.csv",
        ],
        synth_with(&["--schema", "/dev/zero"]),
        synth_with(&["--schema", "table.yaml", "--workload", "/dev/zero"]),
        synth_with(&["--schema", "table.yaml", "--public", "/dev/zero"]),
        vec!["evaluate", "/dev/zero", "table.csv"],
    ] {
        synclave(folder.path(), &arguments)
            .exits(3)
            .saying("/dev/zero");
    }
    assert!(!folder.path().join("out.csv").exists());
}

#[test]
fn an_endless_file_of_an_agreement_or_a_key_is_refused_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("service.yaml")).unwrap();
    synclave(folder.path(), &["validate", "."])
        .exits(3)
        .saying("service.yaml cannot be read: it has more than the 1048576 bytes");
    let connect = [
        "connect",
        "--url",
        "http://127.0.0.1",
        "--port",
        "1",
        "--lport",
        "0",
    ];
    let files = ["--private-key", "/dev/zero", "--public-key", "/dev/zero"];
    let measurements = ["--measurements", "/dev/zero"];
    let arguments = [&connect[..], &files, &measurements].concat();
    synclave(folder.path(), &arguments)
        .exits(3)
        .saying("/dev/zero: it has more than the 65536 bytes");
}

#[test]
fn a_folder_is_refused_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("people")).unwrap();
    for command in ["inspect", "measure", "verify-receipt"] {
        synclave(folder.path(), &[command, "people"])
            .exits(3)
            .saying("people");
    }
}

/// As a shell's `<(...)` gives one.
#[test]
fn a_pipe_is_read_once_and_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let writing =
        std::thread::spawn(move || fs::write(pipe, "{\"receipt\": \"\", \"evidence\": \"*\"}"));
    synclave(folder.path(), &["inspect", "pipe"])
        .exits(50)
        .saying("not base64");
    writing.join().unwrap().unwrap();
}
