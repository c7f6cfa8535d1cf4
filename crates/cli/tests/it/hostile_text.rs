use std::fs;
use std::path::Path;

use crate::{Ran, synclave};

/// An id that clears the screen by a C1 control, turns the line, and writes a line of its own.
const HOSTILE: &str = "1\u{9b}2J\u{202e}\n  ok  root: AWS Nitro";

fn refused(folder: &Path, more: &[&str]) -> Ran {
    let table = format!("id,a\n\"{HOSTILE}\",x\n\"{HOSTILE}\",y\n");
    fs::write(folder.join("people.csv"), table).unwrap();
    let synth = "synth people.csv --epsilon 1 --key id --output rows.csv".split(' ');
    synclave(
        folder,
        &synth.chain(more.iter().copied()).collect::<Vec<_>>(),
    )
    .exits(3)
}

#[test]
fn a_person_sees_the_codes_of_what_would_command_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let told = refused(folder.path(), &[]).stderr();
    assert!(
        told.contains("`1\\u{9b}2J\\u{202e}\\n  ok  root: AWS Nitro`"),
        "{told}"
    );
    let plain = |line: &str| printable::first_hidden(line).is_none();
    assert!(told.lines().all(plain), "{told}");
    let forged = |line: &str| line.starts_with("  ok");
    assert!(!told.lines().any(forged), "{told}");
}

#[test]
fn a_program_reads_the_same_text_from_json_that_no_terminal_obeys() {
    let folder = tempfile::tempdir().unwrap();
    let ran = refused(folder.path(), &["--json"]);
    let written = ran.stdout();
    assert!(written.contains("1\\u009b2J\\u202e\\n  ok"), "{written}");
    assert!(
        written
            .lines()
            .all(|line| printable::first_hidden(line).is_none())
    );
    assert!(ran.json().to_string().contains("\u{9b}2J\u{202e}"));
}
