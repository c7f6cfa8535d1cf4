//! Ctrl-C while a fit runs and while rows are written.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// More rows than can be written before the test is over.
const ENDLESS: &str = "200000000";

/// Starts `synclave` in a folder.
fn start(folder: &Path, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_synclave"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Sends what Ctrl-C sends; returns the exit code and what was still said.
fn interrupt(mut child: Child, signal: &str) -> (Option<i32>, String) {
    let id = child.id().to_string();
    let sent = Command::new("kill").args([signal, &id]).status().unwrap();
    assert!(sent.success());
    let mut said = String::new();
    let stderr = child.stderr.take();
    let status = child.wait().unwrap();
    if let Some(mut stderr) = stderr {
        stderr.read_to_string(&mut said).unwrap();
    }
    (status.code(), said)
}

fn names(folder: &Path) -> Vec<String> {
    let name =
        |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<String> = fs::read_dir(folder).unwrap().map(name).collect();
    names.sort();
    names
}

/// Waits until a file that was not there has grown past some bytes.
fn wait_for_half_a_file(folder: &Path, before: &[String]) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while Instant::now() < deadline {
        let grown = fs::read_dir(folder).unwrap().any(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            !before.contains(&name) && entry.metadata().is_ok_and(|file| file.len() > 1 << 20)
        });
        if grown {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("no row was written in two minutes");
}

/// A table that takes a while to fit.
fn table(folder: &Path) {
    const COLUMNS: u32 = 24;
    let mut text: String = (0..COLUMNS).map(|i| format!("c{i},")).collect();
    text.push_str("last\n");
    for row in 0..20_000_u32 {
        for i in 0..COLUMNS {
            write!(text, "{},", row.wrapping_mul(2_654_435_769 + 2 * i) >> 28).unwrap();
        }
        writeln!(text, "{}", row % 40).unwrap();
    }
    fs::write(folder.join("people.csv"), text).unwrap();
    let mut schema: String = (0..COLUMNS)
        .map(|i| format!("c{i}: {{integer: {{min: 0, max: 15}}}}\n"))
        .collect();
    schema.push_str("last: {integer: {min: 0, max: 39, bins: 40}}\n");
    fs::write(folder.join("people.yaml"), schema).unwrap();
}

const SYNTH: [&str; 13] = [
    "synth",
    "people.csv",
    "--schema",
    "people.yaml",
    "--epsilon",
    "1",
    "--verbose",
    "--output",
    "synthetic.csv",
    "--model",
    "people.model",
    "--report",
    "report.json",
];

#[test]
fn an_interrupted_fit_leaves_nothing_behind() {
    for (signal, stage) in [
        ("-INT", "measuring columns"),
        ("-INT", "fitting"),
        ("-TERM", "fitting"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        table(folder.path());
        let before = names(folder.path());
        let mut child = start(folder.path(), &[&SYNTH[..], &["--rows", ENDLESS]].concat());
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains(stage) {
            line.clear();
            assert!(
                stderr.read_line(&mut line).unwrap() > 0,
                "it ended before {stage}"
            );
        }
        let (code, _) = interrupt(child, signal);
        line.clear();
        stderr.read_to_string(&mut line).unwrap();
        assert_eq!(code, Some(130), "{line}");
        assert!(line.contains("no file was written"), "{line}");
        assert_eq!(names(folder.path()), before, "{signal} during {stage}");
    }
}

#[test]
fn interrupted_writing_leaves_no_half_of_a_file_and_no_rows_without_their_record() {
    let folder = tempfile::tempdir().unwrap();
    table(folder.path());
    fs::write(folder.path().join("synthetic.csv"), "from an earlier run\n").unwrap();
    let before = names(folder.path());
    let synth = start(folder.path(), &[&SYNTH[..], &["--rows", ENDLESS]].concat());
    wait_for_half_a_file(folder.path(), &before);
    let (code, said) = interrupt(synth, "-INT");
    assert_eq!(code, Some(130), "{said}");
    assert_eq!(names(folder.path()), before);
    let kept = fs::read_to_string(folder.path().join("synthetic.csv")).unwrap();
    assert_eq!(kept, "from an earlier run\n");

    let whole = start(folder.path(), &[&SYNTH[..], &["--rows", "10"]].concat());
    assert!(whole.wait_with_output().unwrap().status.success());
    let before = names(folder.path());
    assert!(
        before.contains(&"people.model".to_owned()) && before.contains(&"report.json".to_owned())
    );
    let arguments = [
        "sample",
        "people.model",
        "--rows",
        ENDLESS,
        "--where",
        "last < 20",
        "--output",
        "more.csv",
    ];
    let sample = start(folder.path(), &arguments);
    wait_for_half_a_file(folder.path(), &before);
    let (code, said) = interrupt(sample, "-INT");
    assert_eq!(code, Some(130), "{said}");
    assert_eq!(names(folder.path()), before);
}
