//! What a declared column understands of its fields, and what becomes of the others.

use std::fs;
use std::path::Path;

use crate::{Ran, synclave};

const ROWS: usize = 600;

/// Writes a table of one column besides `sex`, and its schema, and fits it.
fn synth(folder: &Path, fields: impl Fn(usize) -> String, declared: &str) -> Ran {
    let mut table = "c,sex\n".to_owned();
    for row in 0..ROWS {
        let sex = if row.is_multiple_of(2) { "F" } else { "M" };
        table += &format!("{},{sex}\n", fields(row));
    }
    fs::write(folder.join("t.csv"), table).unwrap();
    let schema = format!("{declared}\nsex: {{categories: [F, M]}}\n");
    fs::write(folder.join("s.yaml"), schema).unwrap();
    let options = "synth t.csv --schema s.yaml --epsilon 50 --delta 1e-6 --output out.csv \
                   --model m.model --dangerous-epsilon";
    let arguments: Vec<&str> = options.split_whitespace().collect();
    synclave(folder, &arguments)
}

/// The values of the first column in the rows that were written.
fn column(folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(folder.join("out.csv")).unwrap();
    let first = |line: &str| {
        let quoted = line.strip_prefix('"').and_then(|rest| rest.split_once('"'));
        let field = quoted.map_or_else(|| line.split(',').next(), |(field, _)| Some(field));
        field.unwrap().to_owned()
    };
    text.lines().skip(1).map(first).collect()
}

fn share(values: &[String], test: impl Fn(&str) -> bool) -> f64 {
    values.iter().filter(|value| test(value)).count() as f64 / values.len() as f64
}

#[track_caller]
fn check_taken(
    fields: impl Fn(usize) -> String,
    declared: &str,
    test: impl Fn(&str) -> bool,
    expected: f64,
) {
    let folder = tempfile::tempdir().unwrap();
    synth(folder.path(), fields, declared).exits(0);
    let values = column(folder.path());
    let found = share(&values, test);
    assert!(
        (found - expected).abs() < 0.06,
        "{found}, not {expected}: {:?}",
        &values[..9]
    );
}

#[track_caller]
fn check_refused(fields: impl Fn(usize) -> String, declared: &str, said: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let told = synth(folder.path(), fields, declared).exits(3).stderr();
    for said in said {
        assert!(told.contains(said), "{said}: {told}");
    }
    assert!(!folder.path().join("out.csv").exists() && !folder.path().join("m.model").exists());
    // The same table is not compared either.
    fs::copy(folder.path().join("t.csv"), folder.path().join("u.csv")).unwrap();
    let evaluate = ["evaluate", "t.csv", "u.csv", "--schema", "s.yaml"];
    let told = synclave(folder.path(), &evaluate).exits(3).stderr();
    assert!(said.iter().all(|said| told.contains(said)), "{told}");
}

#[test]
fn codes_for_missing_become_empty() {
    let fields = |row: usize| {
        if row.is_multiple_of(5) {
            "-999".to_owned()
        } else {
            (row % 90).to_string()
        }
    };
    let declared = "c: {integer: {min: 0, max: 99}, nullable: true, missing: [-999]}";
    check_taken(fields, declared, str::is_empty, 0.2);
    let declared = "c: {integer: {min: 0, max: 99}, nullable: true}\nread: {missing: ['-999']}";
    check_taken(fields, declared, str::is_empty, 0.2);
}

#[test]
fn categories_are_met_in_another_case_after_a_space_and_as_numbers() {
    let fields = |row: usize| if row.is_multiple_of(5) { "yes" } else { "no" }.to_owned();
    check_taken(fields, "c: {categories: [Yes, No]}", |v| v == "Yes", 0.2);
    let fields = |row: usize| if row.is_multiple_of(5) { " Yes" } else { " No" }.to_owned();
    check_taken(fields, "c: {categories: [Yes, No]}", |v| v == "Yes", 0.2);
    let fields = |row: usize| if row.is_multiple_of(5) { "1.0" } else { "2.0" }.to_owned();
    check_taken(fields, "c: {categories: [1, 2]}", |v| v == "1", 0.2);
}

#[test]
fn truths_are_read_in_their_words_and_written_in_them() {
    let fields = |row: usize| if row.is_multiple_of(5) { "Y" } else { "N" }.to_owned();
    check_taken(fields, "c: {boolean: true}", |v| v == "true", 0.2);
    let fields = |row: usize| if row.is_multiple_of(5) { "ja" } else { "nein" }.to_owned();
    let declared = "c: {boolean: {true: [ja], false: [nein]}}";
    check_taken(fields, declared, |v| v == "ja", 0.2);
    check_taken(fields, declared, |v| v == "nein", 0.8);
}

#[test]
fn dates_and_numbers_are_written_in_the_declared_form() {
    let fields = |row: usize| format!("{}/{:02}/{}", 13 + row % 15, 1 + row % 12, 2016 + row % 9);
    let declared = "c: {date: {min: 2014-01-01, max: 2026-12-31, format: '%d/%m/%Y'}}";
    let in_range = |v: &str| v.len() == 10 && ("2016".."2025").contains(&&v[6..]);
    check_taken(fields, declared, in_range, 1.0);
    let fields = |row: usize| format!("\"1.2{:02},{:02}\"", row % 90, row % 100);
    let declared = "c: {number: {min: 0, max: 2000, decimals: 2, form: {decimal: comma, \
                    thousands: point}}}";
    let comma = |v: &str| v.starts_with("1.") && v.split(',').nth(1).is_some_and(|d| d.len() == 2);
    check_taken(fields, declared, comma, 1.0);
    let fields = |row: usize| format!("2020-{:02}-01T{:02}:30:00Z", 1 + row % 12, row % 24);
    let declared = "c: {datetime: {min: 2019-01-01T00:00, max: 2021-12-31T23:59:59}}";
    check_taken(fields, declared, |v| v.starts_with("2020"), 0.97);
}

#[test]
fn a_table_that_is_not_understood_is_refused_with_what_would_help() {
    let ages = |row: usize| {
        if row.is_multiple_of(3) {
            String::new()
        } else {
            (row % 90).to_string()
        }
    };
    let declared = "c: {integer: {min: 0, max: 99}}";
    let told = "column `c`: 200 of 600 fields are empty though the column is not nullable \
                (first on line 2; declare `nullable: true`); at most 1 % may be so";
    check_refused(ages, declared, &[told]);
    let words = |row: usize| if row.is_multiple_of(2) { "ja" } else { "nein" }.to_owned();
    let told = ["column `c`: 600 of 600 fields are not among the declared categories"];
    check_refused(words, "c: {categories: [Yes, No]}", &told);
    let dates = |row: usize| format!("{}/{:02}/2020", 13 + row % 15, 1 + row % 12);
    let declared = "c: {date: {min: 2014-01-01, max: 2026-12-31}}";
    check_refused(dates, declared, &["declare `format: '%d/%m/%Y'`"]);
    let heights = |row: usize| format!("\"1,{}\"", 50 + row % 50);
    let declared = "c: {number: {min: 0, max: 3}}";
    check_refused(
        heights,
        declared,
        &["a decimal comma: declare `read: {decimal: comma}`"],
    );
}

#[test]
fn few_fields_that_are_not_understood_leave_their_rows_out_and_are_no_other_value() {
    let folder = tempfile::tempdir().unwrap();
    let fields = |row: usize| if row < 6 { "x?" } else { "b" }.to_owned();
    let ran = synth(folder.path(), fields, "c: {categories: [a, b]}").exits(0);
    let told = "column `c`: 6 fields are not among the declared categories; a row with such a \
                field is left out (first on line 2)";
    assert!(ran.stderr().contains(told), "{}", ran.stderr());
    assert!(share(&column(folder.path()), |v| v == "a") < 0.01);
}

/// Rows of a column whose range was found may lack a value, as where it lies beyond.
#[test]
fn without_a_schema_a_synthetic_table_may_lack_values_that_the_real_one_has() {
    let folder = tempfile::tempdir().unwrap();
    let table = |lacks: bool| -> String {
        let line = |row: usize| match lacks && row.is_multiple_of(9) {
            true => ",\n".to_owned(),
            false => format!("{},2020-01-{:02}\n", row % 90, 1 + row % 28),
        };
        format!("a,b\n{}", (0..400).map(line).collect::<String>())
    };
    fs::write(folder.path().join("t.csv"), table(false)).unwrap();
    fs::write(folder.path().join("u.csv"), table(true)).unwrap();
    let command = ["evaluate", "t.csv", "u.csv", "--json"];
    let told = synclave(folder.path(), &command).exits(0).json()["private_to_you"].take();
    let distance = told["one_way"]["mean"].as_f64().unwrap();
    assert!((0.1..0.2).contains(&distance), "{told}");
}
