//! How ids are compared, and whether enough rows meet: what a person says of it, and is told.

use std::fs;
use std::path::Path;

use crate::{Ran, synclave};

fn run(folder: &Path, command: &str) -> Ran {
    synclave(folder, &command.split_whitespace().collect::<Vec<_>>())
}

/// 500 people, of whom the first is there a second time in another letter case.
fn table(folder: &Path) {
    let rows: String = (0..500)
        .map(|row| format!("P{row:04},{}\n", row % 100))
        .collect();
    fs::write(
        folder.join("people.csv"),
        format!("id,age\n{rows} p0000,3\n"),
    )
    .unwrap();
    let schema = "age: {integer: {min: 0, max: 99, bins: 10}}\n";
    fs::write(folder.join("people.yaml"), schema).unwrap();
}

const SYNTH: &str = "synth people.csv --epsilon 1 --schema people.yaml --key id --output rows.csv";

#[test]
fn ids_are_compared_as_the_options_say() {
    let folder = tempfile::tempdir().unwrap();
    table(folder.path());
    let told = run(folder.path(), &format!("{SYNTH} --verbose")).exits(0);
    let forms = "about your own file, not private: people.csv: 501 different ids: 5 characters \
                 each, none of digits or letters alone, none padded with zeros, 1 with spaces \
                 around them (of 501 rows)";
    let told = told.saying(forms).stderr();
    assert_eq!(
        told.lines()
            .filter(|line| line.contains("different ids"))
            .count(),
        1
    );
    // A person who does not ask is not told, and --json has it under its own name.
    let quiet = run(folder.path(), SYNTH).exits(0);
    assert!(
        !quiet.stderr().contains("different ids"),
        "{}",
        quiet.stderr()
    );
    let document = run(folder.path(), &format!("{SYNTH} --json"))
        .exits(0)
        .json();
    let ids = document["private_to_you"]["ids"].as_str().unwrap();
    assert!(forms.ends_with(ids), "{ids}");

    run(folder.path(), &format!("{SYNTH} --id-normalise trim,lower"))
        .exits(3)
        .saying("1 row repeats the id of an earlier row (for example `p0000`, after trim, lower)");
    let both = format!("{SYNTH} --id-normalise lower --max-rows-per-id 2 --verbose");
    run(folder.path(), &both)
        .exits(0)
        .saying("500 different ids");
}

#[test]
fn steps_that_are_not_there_are_refused_with_the_nearest() {
    let folder = tempfile::tempdir().unwrap();
    table(folder.path());
    run(
        folder.path(),
        &format!("{SYNTH} --id-normalise strip_zeros"),
    )
    .exits(2)
    .saying("there is no step `strip_zeros` for ids, only `trim`, `strip_leading_zeros` and");
    run(folder.path(), &format!("{SYNTH} --id-normalise trim,trimm"))
        .exits(2)
        .saying("did you mean `trim`?");
    run(folder.path(), &format!("{SYNTH} --id-normalise trim,trim"))
        .exits(2)
        .saying("the step `trim` is named twice");
    let without_key = SYNTH.replace(" --key id", "");
    run(folder.path(), &format!("{without_key} --id-normalise trim"))
        .exits(2)
        .saying("--key");
}

/// A room of two parties with these lines in `runtime.yaml`; the file as it was written.
fn room(folder: &Path, more: &str) -> String {
    for name in ["clinic", "insurer"] {
        run(folder, &format!("room join --name {name} --output .")).exits(0);
    }
    run(
        folder,
        "room new --party clinic.party.yaml --party insurer.party.yaml --epsilon 1",
    )
    .exits(0);
    let path = folder.join("room/runtime.yaml");
    let written = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{written}{more}")).unwrap();
    written
}

#[test]
fn a_new_room_shows_how_ids_and_rows_are_agreed_on_and_validate_says_what_that_means() {
    let folder = tempfile::tempdir().unwrap();
    let written = room(folder.path(), "");
    run(folder.path(), "validate room").exits(0);
    let uncommented = written
        .replace("# id_normalise:", "id_normalise:")
        .replace("# minimum_rows:", "minimum_rows:");
    assert_ne!(uncommented, written);
    fs::write(folder.path().join("room/runtime.yaml"), uncommented).unwrap();
    let said = run(folder.path(), "validate room").exits(0).stderr();
    for expected in [
        "before ids are counted and compared: trim, strip_leading_zeros, lower",
        "nothing is trained if fewer than about 1000 rows meet: their number, with noise of \
         standard deviation",
        "tested at most 3 times, for 1 % of the budget each; an empty join passes less than once \
         in 300 times, and 1000 rows fail as rarely",
    ] {
        assert!(said.contains(expected), "{expected} is not in {said}");
    }
    let document = run(folder.path(), "validate room --json").exits(0).json();
    assert_eq!(document["minimum_rows"]["rows"], 1000);
    assert_eq!(document["id_normalise"][1], "strip_leading_zeros");
}

#[test]
fn more_than_the_budget_can_buy_is_refused_with_what_would_do() {
    let folder = tempfile::tempdir().unwrap();
    room(folder.path(), "minimum_rows: 20\n");
    let refused = run(folder.path(), "validate room").exits(3).saying(
        "a minimum_rows of 20 cannot be tested with an epsilon of 1: so that an empty join hardly \
         ever passes, 3 tests would take more than half of the budget; raise epsilon to ",
    );
    let told = refused.stderr();
    let enough = told.split("or minimum_rows to ").nth(1).unwrap();
    let enough: u32 = enough.split(',').next().unwrap().parse().unwrap();
    let path = folder.path().join("room/runtime.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let mended = text.replace("minimum_rows: 20\n", &format!("minimum_rows: {enough}\n"));
    fs::write(&path, mended).unwrap();
    run(folder.path(), "validate room")
        .exits(0)
        .saying("to tell so few rows from none, up to 3 tests take");
}
