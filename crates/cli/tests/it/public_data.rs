use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::synclave;

const SCHEMA: &str = "\
site: {categories: [1, 2, 3, 4, 5, 6]}
coinsurance: {categories: [0, 25, 50, 95, 100]}
age: {integer: {min: 0, max: 63, bins: 8}}
sex: {categories: [female, male]}
education: {integer: {min: 0, max: 25, bins: 5}, nullable: true}
deductible_plan: drop
income: drop
family_size: drop
";
const TABLE: &str = include_str!("../../assets/demo/insurer.csv");

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("people.csv"), TABLE).unwrap();
    fs::write(folder.path().join("people.yaml"), SCHEMA).unwrap();
    folder
}

fn synth(folder: &Path, more: &str) -> crate::Ran {
    let command =
        format!("synth people.csv --key id --schema people.yaml --output out.csv --json {more}");
    let arguments: Vec<&str> = command.split_whitespace().collect();
    synclave(folder, &arguments)
}

fn epsilon(document: &Value, field: &str) -> f64 {
    document[field][0]["epsilon"].as_f64().unwrap()
}

const ITSELF: &str = "it is the table itself";
const SAME_VALUES: &str = "each of its columns has the very values of the table itself";

/// That the cause is marked as about the person's own table, and is apart from what can be told.
#[track_caller]
fn refused_as_private(ran: &crate::Ran, public: &str, cause: &str) {
    let told = ran.stderr();
    let marked = format!("because: about your own file, not private: {cause}");
    assert!(told.contains(&marked), "{told}");
    let document = ran.json();
    let error = format!("could not use the public data in {public}");
    assert_eq!(document["error"], error.as_str());
    let private = document["private_to_you"].as_str().unwrap();
    assert!(private.starts_with(cause), "{private}");
}

#[test]
fn the_table_itself_is_never_public() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    fs::copy(path("people.csv"), path("copy.csv")).unwrap();
    fs::hard_link(path("people.csv"), path("link.csv")).unwrap();
    let mut lines: Vec<&str> = TABLE.lines().collect();
    lines[1..].reverse();
    let reordered: Vec<String> = lines.iter().map(|line| format!("{line}\r\n")).collect();
    fs::write(path("reordered.csv"), reordered.concat()).unwrap();
    for public in ["people.csv", "./people.csv", "copy.csv", "link.csv"] {
        for word in ["", "--public-of-other-people"] {
            let command = format!("--epsilon 1 --public {public} {word}");
            refused_as_private(&synth(folder.path(), &command).exits(3), public, ITSELF);
        }
    }
    let command = "--epsilon 1 --public reordered.csv --public-of-other-people";
    let ran = synth(folder.path(), command).exits(3);
    refused_as_private(&ran, "reordered.csv", SAME_VALUES);
    assert!(!path("out.csv").exists());
}

#[test]
fn a_table_is_public_only_by_the_persons_word() {
    let folder = folder();
    let half: Vec<&str> = TABLE.lines().step_by(2).collect();
    fs::write(folder.path().join("half.csv"), half.join("\n")).unwrap();
    synth(folder.path(), "--epsilon 1 --public half.csv")
        .exits(3)
        .saying("--public-of-other-people");
    assert!(!folder.path().join("out.csv").exists());
    let command = "--epsilon 1 --rows 9 --public half.csv --public-of-other-people --model m.model";
    let ran = synth(folder.path(), command)
        .exits(0)
        .saying("declared to be of other people");
    let document = ran.json();
    assert!(epsilon(&document, "guarantees") <= 1.0);
    let digest = document["ledger"]["prior"]["table"]["sha384"].as_str();
    let file = fs::read(folder.path().join("half.csv")).unwrap();
    assert_eq!(
        digest,
        Some(protocol::Digest::sha384(&file).to_string().as_str())
    );
    let inspected = synclave(folder.path(), &["inspect", "m.model"]).exits(0);
    assert!(inspected.stdout().contains(digest.unwrap()));
    synth(folder.path(), "--epsilon 1 --public-of-other-people").exits(2);
}

#[test]
fn a_model_of_the_same_table_counts_wherever_the_guarantee_is_stated() {
    let folder = folder();
    let run = |command: &str| synth(folder.path(), &format!("--rows 9 {command}")).exits(0);
    let first = run("--epsilon 1000 --model first.model").json();
    assert_eq!(first["ledger"]["prior"], "none");
    // What there is to spend ends before so large an epsilon is used up.
    let spent = epsilon(&first, "guarantees");
    assert!(spent > 50.0, "{spent}");

    let second = "--epsilon 0.01 --public first.model --model second.model --report report.json";
    let second = run(second);
    let talk = second.stderr();
    let place = |text: &str| talk.find(text).unwrap_or_else(|| panic!("{text}: {talk}"));
    assert!(
        place("guarantee  ") < place("own spend  ") && place("own spend  ") < place("budget  ")
    );
    assert!(
        talk.contains("perhaps of the same people, so that it counts"),
        "{talk}"
    );
    let report = fs::read(folder.path().join("report.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    let inspected = synclave(folder.path(), &["inspect", "second.model", "--json"]).exits(0);
    for document in [second.json(), report, inspected.json()] {
        let stated = epsilon(&document, "guarantees");
        let own = epsilon(&document, "own_guarantees");
        assert!(
            own <= 0.01 && (stated - spent - own).abs() < 1e-9,
            "{stated}"
        );
        assert_eq!(epsilon(&document["ledger"], "guarantees"), stated);
    }
    let inspected = synclave(folder.path(), &["inspect", "second.model"])
        .exits(0)
        .stdout();
    let (guarantee, own) = inspected.split_once("own spend").unwrap();
    let document = second.json();
    let sentence = document["guarantees"][0]["sentence"].as_str().unwrap();
    assert!(
        guarantee.contains(sentence) && own.contains("e^0.01,"),
        "{inspected}"
    );

    let third = run("--epsilon 2 --public second.model").json();
    assert!((epsilon(&third, "guarantees") - spent - 2.01).abs() < 1e-3);
    let other = run("--epsilon 2 --public second.model --public-of-other-people").json();
    assert!(epsilon(&other, "guarantees") <= 2.0);
    assert_eq!(other["ledger"]["prior"]["model"]["people"], "other");
}

#[test]
fn a_model_without_a_guarantee_is_not_started_from() {
    let folder = folder();
    let command = "synth people.csv --epsilon 1 --key id --dangerous-domain-from-data --rows 1 \
                   --output out.csv --model m.model";
    let arguments: Vec<&str> = command.split_whitespace().collect();
    synclave(folder.path(), &arguments).exits(0);
    for word in ["", "--public-of-other-people"] {
        synth(
            folder.path(),
            &format!("--epsilon 1 --public m.model {word}"),
        )
        .exits(3)
        .saying("took its columns' values and ranges from its data");
    }
}

/// A pipe can be read but once, and to open it is to wait for whoever writes to it.
#[cfg(target_os = "linux")]
#[test]
fn a_table_from_a_pipe_is_read_once_and_compared_by_its_values() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    let half: Vec<&str> = TABLE.lines().step_by(2).collect();
    fs::write(path("half.csv"), half.join("\n")).unwrap();
    let pipe = path("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let synth = |public: &str| {
        let command = format!(
            "60 {} synth pipe --key id --schema people.yaml --output out.csv --json --epsilon 1 \
             --public {public} --public-of-other-people",
            env!("CARGO_BIN_EXE_synclave")
        );
        let output = std::process::Command::new("timeout")
            .args(command.split_whitespace())
            .current_dir(folder.path())
            .output();
        crate::Ran {
            arguments: command,
            output: output.unwrap(),
        }
    };
    std::thread::scope(|scope| {
        // It ends when somebody reads to the end, or stops reading.
        scope.spawn(|| drop(fs::write(&pipe, TABLE)));
        synth("half.csv").exits(0);
        scope.spawn(|| drop(fs::write(&pipe, TABLE)));
        refused_as_private(&synth("people.csv").exits(3), "people.csv", SAME_VALUES);
    });
    refused_as_private(&synth("pipe").exits(3), "pipe", ITSELF);
    let other = std::process::Command::new("mkfifo")
        .arg(path("other"))
        .status();
    assert!(other.unwrap().success());
    synth("other")
        .exits(3)
        .saying("it is not a regular file: write it to one first");
}
