//! What is written where, and in which form.

use std::fs;
use std::io::Read;
use std::path::Path;

use crate::{Ran, synclave};

const SCHEMA: &str = "\
age: {integer: {min: 0, max: 99, bins: 10}, nullable: true}
weight: {number: {min: 0, max: 200, bins: 8}}
town: {categories: [Graz, Wien, 'Salz, burg'], other: true}
seen: {date: {min: 1890-01-01, max: 2020-12-31, bins: 6}}
at: {datetime: {min: 2020-01-01T00:00, max: 2020-12-31T23:59:59, bins: 6}, nullable: true}
well: {boolean: true}
";

fn run(folder: &Path, command: &str) -> Ran {
    synclave(folder, &command.split_whitespace().collect::<Vec<_>>())
}

fn table(folder: &Path) {
    let row = |i: usize| {
        let town = ["Graz", "Wien", "\"Salz, burg\"", "Linz"][i % 4];
        let age = match i % 5 {
            0 => String::new(),
            _ => (i % 97).to_string(),
        };
        let at = ["", "2020-05-06T07:08:09", "2020-05-06T07:08:09"][i % 3];
        let (year, well) = (1890 + i % 130, ["yes", "no"][i % 2]);
        format!("{age},{}.5,{town},{year}-02-03,{at},{well}\n", i % 200)
    };
    let rows: String = (0..2000).map(row).collect();
    let text = format!("age,weight,town,seen,at,well\n{rows}");
    fs::write(folder.join("people.csv"), text).unwrap();
    fs::write(folder.join("people.yaml"), SCHEMA).unwrap();
}

const SYNTH: &str = "synth people.csv --schema people.yaml --epsilon 3";

/// A model of [`table`] in `m`.
fn fitted(folder: &Path) {
    table(folder);
    run(folder, &format!("{SYNTH} --output first.csv --model m")).exits(0);
}

#[test]
fn rows_are_written_as_their_ending_says() {
    let folder = tempfile::tempdir().unwrap();
    fitted(folder.path());
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    for name in [
        "o.csv",
        "o.csv.gz",
        "o.json",
        "o.jsonl",
        "o.parquet",
        "o.xlsx",
    ] {
        let command = format!("sample m --rows 900 --seed 3 --output {name}");
        run(folder.path(), &command).exits(0);
    }
    let csv = read("o.csv");
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&read("o.csv.gz")[..])
        .read_to_end(&mut unpacked)
        .unwrap();
    assert!(unpacked == csv, "the compressed rows are the same");
    let array: Vec<serde_json::Value> = serde_json::from_slice(&read("o.json")).unwrap();
    let lines = String::from_utf8(read("o.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(lines == array && lines.len() == 900);
    // A workbook is a ZIP archive.
    assert_eq!(read("o.xlsx")[..4], *b"PK\x03\x04");
    // Typed, and otherwise the very rows: every code of every column is met as often.
    assert_eq!(read("o.parquet")[..4], *b"PAR1");
    let command = "evaluate o.csv o.parquet --schema people.yaml --json";
    let evaluation = run(folder.path(), command).exits(0).json()["private_to_you"].take();
    assert_eq!(evaluation["synthetic_rows"], 900);
    assert_eq!(evaluation["three_way"]["max"], 0.0, "{evaluation}");
}

#[test]
fn parquet_is_typed_and_missing_values_are_null() {
    use parquet::basic::{LogicalType, Type};
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;
    let folder = tempfile::tempdir().unwrap();
    fitted(folder.path());
    run(
        folder.path(),
        "sample m --rows 50 --seed 3 --output o.parquet",
    )
    .exits(0);
    run(folder.path(), "sample m --rows 50 --seed 3 --output o.json").exits(0);
    let file = fs::File::open(folder.path().join("o.parquet")).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    let columns = reader
        .metadata()
        .file_metadata()
        .schema_descr()
        .columns()
        .to_vec();
    let types: Vec<Type> = columns
        .iter()
        .map(|column| column.physical_type())
        .collect();
    let expected = [
        Type::INT64,
        Type::DOUBLE,
        Type::BYTE_ARRAY,
        Type::INT32,
        Type::INT64,
        Type::BOOLEAN,
    ];
    assert_eq!(types, expected);
    let kinds: Vec<bool> = columns
        .iter()
        .map(|it| it.logical_type_ref().is_some())
        .collect();
    assert_eq!(kinds, [false, false, true, true, true, false]);
    assert_eq!(columns[3].logical_type_ref(), Some(&LogicalType::Date));
    let json = fs::read(folder.path().join("o.json")).unwrap();
    let json: Vec<serde_json::Value> = serde_json::from_slice(&json).unwrap();
    let rows: Vec<serde_json::Value> = reader
        .get_row_iter(None)
        .unwrap()
        .map(|row| {
            let row = row.unwrap();
            let fields = row.get_column_iter().map(|(name, field)| {
                let value = match field {
                    Field::Null => serde_json::Value::Null,
                    Field::Long(whole) => (*whole).into(),
                    Field::Double(number) => (*number).into(),
                    Field::Bool(truth) => (*truth).into(),
                    Field::Str(text) => text.as_str().into(),
                    other => other.to_string().into(),
                };
                (name.clone(), value)
            });
            fields.collect::<serde_json::Map<_, _>>().into()
        })
        .collect();
    for (row, json) in rows.iter().zip(&json) {
        for name in ["age", "weight", "town", "well"] {
            let both = (&row[name], &json[name]);
            let equal = both.0.as_f64().is_some() && both.0.as_f64() == both.1.as_f64();
            assert!(equal || both.0 == both.1, "{both:?}");
        }
        assert_eq!(row["at"].is_null(), json["at"].is_null());
    }
    assert_eq!(rows.len(), 50);
    assert!(rows.iter().any(|row| row["age"].is_null()));
}

#[test]
fn other_endings_are_refused_before_anything_is_spent() {
    let folder = tempfile::tempdir().unwrap();
    fitted(folder.path());
    let synth = "synth no-such-table.csv --schema people.yaml --epsilon 1";
    for command in [synth, "sample m"] {
        for (options, sentence) in [
            (
                "--output o.docx",
                "o.docx does not say what to write; use .csv",
            ),
            (
                "--output o.csv --report r.pdf",
                "r.pdf does not say how to write the report",
            ),
            (
                "--output o.csv --format json",
                "--format is for `--output -`",
            ),
            ("--output o.xlsx --rows 1048576", "room for 1048575 rows"),
            (
                "--output o.csv --report -",
                "standard output is for the rows alone",
            ),
            ("--output - --json", "cannot both go to standard output"),
            (
                "--output o.parquet --spreadsheet-safe",
                "--spreadsheet-safe is for CSV",
            ),
        ] {
            run(folder.path(), &format!("{command} {options}"))
                .exits(3)
                .saying(sentence);
        }
    }
    let table = "evaluate people.csv first.csv --schema people.yaml";
    for (report, sentence) in [
        ("r.pdf", ".html for a page"),
        ("first.csv", "would be lost"),
    ] {
        run(folder.path(), &format!("{table} --report {report}"))
            .exits(3)
            .saying(sentence);
    }
    for name in ["o.docx", "o.csv", "r.pdf", "-"] {
        assert!(!folder.path().join(name).exists(), "{name}");
    }
}

#[test]
fn rows_go_to_standard_output_and_talk_does_not() {
    let folder = tempfile::tempdir().unwrap();
    fitted(folder.path());
    run(folder.path(), "sample m --rows 20 --seed 3 --output o.csv").exits(0);
    let piped = run(folder.path(), "sample m --rows 20 --seed 3 --output -").exits(0);
    let file = fs::read_to_string(folder.path().join("o.csv")).unwrap();
    assert_eq!(piped.stdout(), file);
    let piped = piped.saying("wrote 20 synthetic rows to standard output");
    assert!(!piped.stdout().contains("wrote"));
    let lines = run(
        folder.path(),
        "sample m --rows 20 --output - --format jsonl",
    )
    .exits(0);
    assert_eq!(lines.stdout().lines().count(), 20);
    assert!(lines.stdout().starts_with("{\"age\":"));
    let fitted = run(
        folder.path(),
        &format!("{SYNTH} --output - --report r.html"),
    )
    .exits(0);
    assert!(
        fitted
            .stdout()
            .starts_with("age,weight,town,seen,at,well\n")
    );
    assert!(folder.path().join("r.html").exists() && !folder.path().join("-").exists());
}

#[test]
fn a_person_reads_first_what_came_out_then_what_not_to_rely_on_then_columns_then_the_budget() {
    let folder = tempfile::tempdir().unwrap();
    table(folder.path());
    let ran = run(folder.path(), &format!("{SYNTH} --output o.csv")).exits(0);
    let told = ran.stderr();
    let place = |text: &str| told.find(text).unwrap_or_else(|| panic!("{text}: {told}"));
    assert!(place("synthetic rows of 6 columns to o.csv") < place("warning: more than a fifth"));
    assert!(place("warning: ") < place("the columns were taken for:"));
    assert!(place("10 bins of up to 10 whole numbers, 0 to 99; ") < place("budget     "));
    assert!(place("`other`: declare its values") < place("budget     "));
    let last = told.trim_end().lines().last().unwrap();
    assert!(last.starts_with("budget     epsilon 3 "), "{told}");
    // The rest is for the curious.
    assert!(
        !told.contains("guarantee  ") && !told.contains("errors of "),
        "{told}"
    );
    let ran = run(folder.path(), &format!("{SYNTH} --output o.csv -v")).exits(0);
    ran.saying("guarantee  ")
        .saying("errors of ")
        .saying("  rho ");
}

#[test]
fn what_each_column_was_taken_for_is_told_wherever_the_model_goes() {
    let folder = tempfile::tempdir().unwrap();
    table(folder.path());
    let command = format!("{SYNTH} --output o.csv --model m --report r.json --json");
    let synth = run(folder.path(), &command).exits(0).json();
    let report = fs::read(folder.path().join("r.json")).unwrap();
    let mut report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    let inspected = run(folder.path(), "inspect m --json").exits(0).json();
    for document in [synth, report["report"].take(), inspected] {
        let columns = document["columns"].as_array().unwrap();
        let kinds: Vec<&str> = columns
            .iter()
            .map(|it| it["kind"].as_str().unwrap())
            .collect();
        let expected = [
            "integer",
            "number",
            "categories",
            "date",
            "datetime",
            "boolean",
        ];
        assert_eq!(kinds, expected);
        let [age, town] = [&columns[0], &columns[2]];
        assert_eq!(
            (&age["values"], &age["range"]),
            (&10.into(), &["0", "99"].into())
        );
        assert!(
            (age["missing"].as_f64().unwrap() - 0.2).abs() < 0.05,
            "{age}"
        );
        assert!(
            age["advice"].is_null() && town["advice"].is_string(),
            "{town}"
        );
    }
    let told = run(folder.path(), "inspect m").exits(0).stdout();
    assert!(told.contains("  town    categories  3 values; 2"), "{told}");
}

/// Names and categories that would be markup, or would command what shows them.
const HOSTILE: [&str; 2] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=y> &amp; x",
];

#[test]
fn the_report_is_one_page_that_loads_nothing_and_runs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let [name, category] = HOSTILE;
    let quoted = category.replace('"', "\"\"");
    let rows: String = (0..2000)
        .map(|i| format!("\"{quoted}\",{}\n", i % 40))
        .collect();
    fs::write(
        folder.path().join("people.csv"),
        format!("{name},n\n{rows}"),
    )
    .unwrap();
    let schema = format!(
        "'{name}': {{categories: ['{category}', b]}}\nn: {{integer: {{min: 0, max: 39}}}}\n"
    );
    fs::write(folder.path().join("people.yaml"), schema).unwrap();
    run(
        folder.path(),
        &format!("{SYNTH} --output o.csv --model m --report r.html"),
    )
    .exits(0);
    run(folder.path(), "sample m --output p.csv --report same.html").exits(0);
    let command = "evaluate people.csv o.csv --schema people.yaml --report private.html";
    run(folder.path(), command)
        .exits(0)
        .saying("private.html; keep it to yourself");
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(
        read("r.html"),
        read("same.html"),
        "the page is of the model alone"
    );
    for page in [read("r.html"), read("private.html")] {
        assert!(page.starts_with("<!doctype html>\n<html lang=\"en\">"));
        assert!(page.contains("default-src 'none'; style-src 'unsafe-inline'"));
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
        assert!(page.contains("&quot;&gt;&lt;img src=x onerror=y&gt; &amp;amp; x"));
        for never in [
            "<script", "<img", "<link", "<iframe", "href=", "src=\"", "url(", "http:",
        ] {
            assert!(!page.contains(never), "{never}");
        }
    }
    assert!(read("private.html").contains("do not publish it"));
    assert!(!read("r.html").contains("do not publish it"));
}
