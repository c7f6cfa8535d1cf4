//! What is said of a person's own file is marked, and can be left out.

use std::fs;
use std::path::Path;

use crate::{Ran, synclave};

const MARK: &str = "about your own file, not private: ";

fn run(folder: &Path, command: &str) -> Ran {
    synclave(folder, &command.split_whitespace().collect::<Vec<_>>())
}

fn table(folder: &Path) {
    let rows: String = (0..500)
        .map(|row| format!("{row},{}\n", row % 130))
        .collect();
    fs::write(folder.join("people.csv"), format!("id,age\n{rows}")).unwrap();
    let schema = "age: {integer: {min: 0, max: 99, bins: 10}}\n";
    fs::write(folder.join("people.yaml"), schema).unwrap();
}

const SYNTH: &str = "synth people.csv --epsilon 1 --schema people.yaml --key id --output rows.csv";

#[test]
fn notes_about_the_table_have_one_mark_and_one_name() {
    let folder = tempfile::tempdir().unwrap();
    table(folder.path());
    let ran = run(folder.path(), SYNTH).exits(0);
    let outside = "fields are outside the declared range";
    let told = ran.stderr();
    let about: Vec<&str> = told.lines().filter(|line| line.contains(outside)).collect();
    assert_eq!(about.len(), 1, "{told}");
    assert!(
        about[0].starts_with(&format!("{MARK}people.csv: ")),
        "{told}"
    );

    let document = run(folder.path(), &format!("{SYNTH} --json"))
        .exits(0)
        .json();
    let note = document["private_to_you"]["notes"][0].as_str().unwrap();
    assert!(note.contains(outside), "{note}");
    let ran = run(folder.path(), &format!("{SYNTH} --json --quiet")).exits(0);
    assert_eq!(ran.json().get("private_to_you"), None);
    assert_eq!(ran.stderr(), "");
}

#[test]
fn what_is_wrong_with_the_table_is_apart_from_what_can_be_told() {
    let folder = tempfile::tempdir().unwrap();
    table(folder.path());
    fs::write(folder.path().join("people.csv"), "id,age\n1,30\n1,40\n").unwrap();
    let ran = run(folder.path(), &format!("{SYNTH} --json")).exits(3);
    let because = format!("because: {MARK}1 row repeats the id");
    let ran = ran.saying(&because);
    let document = ran.json();
    assert_eq!(document["error"], "could not read the table in people.csv");
    let private = document["private_to_you"].as_str().unwrap();
    assert!(private.starts_with("1 row repeats the id"), "{private}");
    // The exit code depends on the table too, as SECURITY.md lists.
    fs::write(folder.path().join("people.csv"), "id,age\n1,30\n").unwrap();
    run(folder.path(), SYNTH).exits(0);
    fs::write(folder.path().join("people.csv"), "id,age\n").unwrap();
    run(folder.path(), SYNTH).exits(3).saying(MARK);
}

#[test]
fn scores_are_private_in_text_and_in_json() {
    let folder = tempfile::tempdir().unwrap();
    table(folder.path());
    run(folder.path(), SYNTH).exits(0);
    let evaluate = "evaluate people.csv rows.csv --schema people.yaml --key id";
    let text = run(folder.path(), evaluate).exits(0).stdout();
    assert!(text.starts_with(MARK), "{text}");
    let document = run(folder.path(), &format!("{evaluate} --json"))
        .exits(0)
        .json();
    let names: Vec<&String> = document.as_object().unwrap().keys().collect();
    assert_eq!(names, ["private_to_you"]);
    assert_eq!(document["private_to_you"]["real_rows"], 500);
}
