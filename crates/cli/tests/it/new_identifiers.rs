//! Columns of new identifiers, through the program.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::{Ran, synclave};

const SCHEMA: &str = "\
age: {integer: {min: 0, max: 99, bins: 10}}
name: {identifier: {format: 'P-####'}}
well: {boolean: true}
";

fn run(folder: &Path, command: &str) -> Ran {
    synclave(folder, &command.split_whitespace().collect::<Vec<_>>())
}

/// A table of 1,500 people whose names nobody may see.
fn table(folder: &Path, schema: &str) {
    let row = |i: usize| format!("{},Secret{i},{}\n", i % 97, ["yes", "no"][i % 2]);
    let rows: String = (0..1500).map(row).collect();
    fs::write(folder.join("t.csv"), format!("age,name,well\n{rows}")).unwrap();
    fs::write(folder.join("t.yaml"), schema).unwrap();
}

const SYNTH: &str = "synth t.csv --schema t.yaml --epsilon 3 --delta 1e-6 --output first.csv";

/// The names of a CSV file, which stand between the two other columns.
fn names(csv: &str) -> Vec<String> {
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("age,name,well"));
    lines
        .map(|line| line.split(',').nth(1).unwrap().to_owned())
        .collect()
}

fn is_of_form(name: &str) -> bool {
    name.len() == 6 && name.starts_with("P-") && name[2..].bytes().all(|b| b.is_ascii_digit())
}

#[test]
fn a_column_of_identifiers_is_not_read_and_each_row_gets_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    table(folder.path(), SCHEMA);
    let told = run(folder.path(), &format!("{SYNTH} --model m --report r.html")).exits(0);
    assert!(
        told.stderr()
            .contains("nothing of the table: `name` (P-####)"),
        "{}",
        told.stderr()
    );
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    let text = |name: &str| String::from_utf8(read(name)).unwrap();
    let first = names(&text("first.csv"));
    assert!(first.iter().all(|name| is_of_form(name)), "{first:?}");
    assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), first.len());
    for file in ["first.csv", "m", "r.html"] {
        let bytes = read(file);
        assert!(!bytes.windows(6).any(|it| it == b"Secret"), "{file}");
    }
    assert!(text("r.html").contains("P-####"));
    let shown = run(folder.path(), "inspect m").exits(0).stdout();
    assert!(shown.contains("`name` (P-####)"), "{shown}");
    // The ledger has no spend on the column.
    let entries = run(folder.path(), "inspect m --json").exits(0).stdout();
    assert!(!entries.contains("of `name`"), "{entries}");
}

#[test]
fn a_seed_gives_the_same_identifiers_in_every_format() {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    let folder = tempfile::tempdir().unwrap();
    table(folder.path(), SCHEMA);
    run(folder.path(), &format!("{SYNTH} --model m")).exits(0);
    let sample = |name: &str, more: &str| {
        let command = format!("sample m --rows 900 --output {name} {more}");
        run(folder.path(), &command).exits(0);
        fs::read(folder.path().join(name)).unwrap()
    };
    let csv = String::from_utf8(sample("o.csv", "--seed 3")).unwrap();
    let wanted = names(&csv);
    assert_eq!(wanted.len(), 900);
    assert_eq!(
        String::from_utf8(sample("again.csv", "--seed 3")).unwrap(),
        csv
    );
    let other = String::from_utf8(sample("other.csv", "--seed 4")).unwrap();
    assert_ne!(names(&other), wanted);
    let rows: Vec<serde_json::Value> =
        serde_json::from_slice(&sample("o.json", "--seed 3")).unwrap();
    assert!(
        rows.iter()
            .map(|row| row["name"].as_str().unwrap())
            .eq(&wanted)
    );
    assert_eq!(
        rows[0].as_object().unwrap().keys().collect::<Vec<_>>(),
        ["age", "name", "well"]
    );
    sample("o.parquet", "--seed 3");
    let file = fs::File::open(folder.path().join("o.parquet")).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    let fields = reader.metadata().file_metadata().schema().get_fields();
    assert_eq!(fields[1].name(), "name");
    let typed: Vec<String> = reader
        .get_row_iter(None)
        .unwrap()
        .map(|row| row.unwrap().get_column_iter().nth(1).unwrap().1.to_string())
        .collect();
    assert_eq!(typed.len(), 900);
    assert!(typed.iter().map(|it| it.trim_matches('"')).eq(&wanted));
    sample("o.xlsx", "--seed 3");
    let command = "evaluate o.csv o.xlsx --schema t.yaml --json";
    let evaluation = run(folder.path(), command).exits(0).json();
    assert_eq!(evaluation["private_to_you"]["two_way"]["max"], 0.0);
}

#[test]
fn more_rows_than_identifiers_are_refused_before_anything_is_spent() {
    let folder = tempfile::tempdir().unwrap();
    table(folder.path(), &SCHEMA.replace("####", "##"));
    let refused = run(folder.path(), &format!("{SYNTH} --rows 101")).exits(3);
    assert!(
        refused.stderr().contains(
            "there are not 101 different identifiers of the form `P-##` for the column `name`, \
             but 100"
        ),
        "{}",
        refused.stderr()
    );
    assert!(!folder.path().join("first.csv").exists());
    // Without a number there are as many rows as identifiers, and all of them.
    run(folder.path(), &format!("{SYNTH} --model m")).exits(0);
    let csv = fs::read_to_string(folder.path().join("first.csv")).unwrap();
    assert_eq!(names(&csv).into_iter().collect::<BTreeSet<_>>().len(), 100);
    run(folder.path(), "sample m --rows 101 --output more.csv").exits(3);
}

#[test]
fn nothing_can_be_asked_of_identifiers() {
    let folder = tempfile::tempdir().unwrap();
    table(folder.path(), SCHEMA);
    run(folder.path(), &format!("{SYNTH} --model m")).exits(0);
    let refused = synclave(
        folder.path(),
        &[
            "sample",
            "m",
            "--rows",
            "5",
            "--where",
            "name = 'P-1'",
            "--output",
            "o.csv",
        ],
    );
    let refused = refused.exits(3);
    assert!(
        refused
            .stderr()
            .contains("column `name` holds new identifiers"),
        "{}",
        refused.stderr()
    );
    let refused = run(folder.path(), &format!("{SYNTH} --target name")).exits(3);
    assert!(
        refused.stderr().contains("`name` holds new identifiers"),
        "{}",
        refused.stderr()
    );
}

#[test]
fn beside_identifiers_alone_all_else_is_discovered() {
    let folder = tempfile::tempdir().unwrap();
    table(folder.path(), "name: {identifier: {format: '@@###'}}\n");
    run(folder.path(), SYNTH).exits(0);
    let csv = fs::read_to_string(folder.path().join("first.csv")).unwrap();
    assert_eq!(csv.lines().next(), Some("name,age,well"));
    // A misspelt column would be discovered, and its values released.
    fs::write(
        folder.path().join("t.yaml"),
        "names: {identifier: {format: '#####'}}\n",
    )
    .unwrap();
    let refused = run(folder.path(), SYNTH).exits(3);
    assert!(
        refused.stderr().contains("did you mean `name`"),
        "{}",
        refused.stderr()
    );
}
