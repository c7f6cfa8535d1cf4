use std::fs;
use std::path::Path;

use crate::{Ran, synclave};

fn run(folder: &Path, command: &str) -> Ran {
    synclave(folder, &command.split_whitespace().collect::<Vec<_>>())
}

#[test]
fn formulas_are_told_and_stay_text_where_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let rows: String = (0..400).map(|row| format!("{row},=1+1,-5\n")).collect();
    fs::write(
        folder.path().join("people.csv"),
        format!("id,@note,n\n{rows}"),
    )
    .unwrap();
    let schema = "\"@note\": {categories: [\"=1+1\"]}\nn: {integer: {min: -9, max: -1, bins: 2}}\n";
    fs::write(folder.path().join("people.yaml"), schema).unwrap();
    let synth = "synth people.csv --epsilon 1 --schema people.yaml --key id --rows 20";
    let told = "column `@note`: a spreadsheet may take `@note` and 1 more for a formula";
    let ran = run(
        folder.path(),
        &format!("{synth} --output rows.csv --model m --report r.json --json"),
    );
    let ran = ran.exits(0).saying(told);
    let formulas = serde_json::json!([{"column": "@note", "texts": ["@note", "=1+1"]}]);
    assert_eq!(ran.json()["formulas"], formulas);
    let report: serde_json::Value = serde_json::from_str(&read("r.json")).unwrap();
    assert_eq!(report["report"]["formulas"], formulas);
    assert!(read("rows.csv").starts_with("@note,n\n=1+1,-"));

    for command in [synth, "sample m --rows 20 --seed 3"] {
        let ran = run(
            folder.path(),
            &format!("{command} --output safe.csv --spreadsheet-safe"),
        );
        assert!(!ran.exits(0).stderr().contains("spreadsheet"));
        let written = read("safe.csv");
        assert!(written.starts_with("'@note,n\n'=1+1,-"), "{written}");
        run(
            folder.path(),
            &format!("{command} --output rows.json --spreadsheet-safe"),
        )
        .exits(3)
        .saying("--spreadsheet-safe is for CSV");
    }
    run(folder.path(), "sample m --rows 20 --output again.csv")
        .exits(0)
        .saying(told);
    assert!(read("again.csv").starts_with("@note,n\n=1+1,-"));
}
