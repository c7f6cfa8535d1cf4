//! Columns that nobody declares, as people have them, through the program.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::synclave;

/// A table of 3,000 rows with a column of ages, one of codes, one of amounts and one of days.
fn table(folder: &Path) {
    let mut csv = String::from("age,zip,salary,seen,note\n");
    for row in 0_u32..3_000 {
        // Multiples of a large number that no period of the columns divides.
        let any = |of: u32, salt: u32| row.wrapping_add(salt).wrapping_mul(2_654_435_761) % of;
        let (age, zip) = (
            18 + any(73, 1),
            ["1010", "1020", "4020"][any(3, 2) as usize],
        );
        let salary = format!("${},{:03}.00", 20 + any(80, 3), any(1_000, 4));
        let seen = format!(
            "{}.{}.{}",
            1 + any(28, 5),
            1 + any(12, 6),
            2016 + any(10, 7)
        );
        writeln!(csv, "{age},{zip},\"{salary}\",{seen},note {row}").unwrap();
    }
    fs::write(folder.join("people.csv"), csv).unwrap();
}

/// The columns that were written, each with its different values.
fn written(folder: &Path, options: &[&str]) -> Vec<(String, BTreeSet<String>)> {
    let mut arguments = vec![
        "synth",
        "people.csv",
        "--epsilon",
        "5",
        "--delta",
        "1e-6",
        "--output",
        "out.csv",
    ];
    arguments.extend(options);
    let ran = synclave(folder, &arguments);
    assert!(ran.output.status.success(), "{}", ran.stderr());
    let mut reader = csv::Reader::from_path(folder.join("out.csv")).unwrap();
    let names: Vec<String> = reader
        .headers()
        .unwrap()
        .iter()
        .map(str::to_owned)
        .collect();
    let mut columns: Vec<_> = names
        .into_iter()
        .map(|name| (name, BTreeSet::new()))
        .collect();
    for record in reader.records() {
        let record = record.unwrap();
        for ((_, values), field) in columns.iter_mut().zip(&record) {
            values.insert(field.to_owned());
        }
    }
    columns
}

#[test]
fn columns_are_written_back_as_they_came_in() {
    let folder = tempfile::tempdir().unwrap();
    table(folder.path());
    for (name, values) in written(folder.path(), &[]) {
        let all = |test: fn(&str) -> bool| {
            let odd = values.iter().find(|value| !test(value));
            assert_eq!(odd, None, "{name}");
        };
        match name.as_str() {
            "age" => all(|age| age.parse::<u32>().is_ok()),
            "zip" => all(|zip| ["1010", "1020", "4020", "other"].contains(&zip)),
            "salary" => all(|salary| {
                let digits = salary.strip_prefix('$').unwrap_or_default();
                digits.contains(',') && digits.ends_with(".00")
            }),
            "seen" => all(|day| {
                let parts: Vec<&str> = day.split('.').collect();
                let leading = parts.iter().any(|part| part.starts_with('0'));
                parts.len() == 3 && parts[2].len() == 4 && !leading
            }),
            _ => all(|note| note == "other"),
        }
    }
}

#[test]
fn columns_that_a_schema_does_not_name_are_discovered_and_dropped_ones_left_out() {
    let folder = tempfile::tempdir().unwrap();
    table(folder.path());
    let schema = "age: {integer: {min: 0, max: 99}}\nzip: discover\nnote: drop\n";
    fs::write(folder.path().join("people.yaml"), schema).unwrap();
    let columns = written(folder.path(), &["--schema", "people.yaml"]);
    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["age", "zip", "salary", "seen"]);
    assert!(columns[1].1.contains("4020"));

    let schema = "age: {integer: {min: 0, max: 99}}\ncity: discover\n";
    fs::write(folder.path().join("people.yaml"), schema).unwrap();
    let ran = synclave(
        folder.path(),
        &[
            "synth",
            "people.csv",
            "--epsilon",
            "5",
            "--output",
            "out2.csv",
            "--schema",
            "people.yaml",
        ],
    );
    let said = ran.stderr();
    assert!(
        !ran.output.status.success() && said.contains("`city`"),
        "{said}"
    );
}

/// What people have in columns of months, of ends that are still open, and of codes.
fn odd_table(folder: &Path) {
    let mut csv = String::from("month,end,icd,store,change\n");
    for row in 0_u32..6_000 {
        let any = |of: u32, salt: u32| row.wrapping_add(salt).wrapping_mul(2_654_435_761) % of;
        let month = format!("{:02}/01/{}", 1 + any(12, 1), 2012 + any(9, 2));
        let end = match any(5, 3) {
            0..3 => "9999-12-31".to_owned(),
            _ => format!(
                "{}-{:02}-{:02}",
                2015 + any(8, 4),
                1 + any(12, 5),
                1 + any(28, 6)
            ),
        };
        let icd = ["250.00", "493.90", "401.9", "272.4"][any(4, 7) as usize];
        let store = 10_007 + any(40, 8) * any(40, 8) * 37;
        let change = match any(4, 9) {
            0 => format!("({}.{:02})", any(300, 10), any(100, 11)),
            _ => format!("{}.{:02}", any(300, 10), any(100, 11)),
        };
        writeln!(csv, "{month},{end},{icd},{store},{change}").unwrap();
    }
    fs::write(folder.join("people.csv"), csv).unwrap();
}

#[test]
fn months_open_ends_and_codes_stay_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    odd_table(folder.path());
    let ran = synclave(
        folder.path(),
        &[
            "synth",
            "people.csv",
            "--epsilon",
            "5",
            "--delta",
            "1e-6",
            "--output",
            "out.csv",
        ],
    );
    let said = ran.stderr();
    assert!(ran.output.status.success(), "{said}");
    assert!(said.contains("month first"), "{said}");
    let mut reader = csv::Reader::from_path(folder.path().join("out.csv")).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    #[expect(clippy::cast_precision_loss, reason = "a few thousand rows")]
    let share = |column: usize, test: &dyn Fn(&str) -> bool| {
        let found = rows.iter().filter(|row| test(&row[column])).count();
        found as f64 / rows.len() as f64
    };
    // The month is the first number, and has twelve values; days of the month are lost in bins.
    let first = |field: &str| field.split('/').next().map(str::to_owned);
    let months: BTreeSet<Option<String>> = rows.iter().map(|row| first(&row[0])).collect();
    assert_eq!(months.len(), 12, "{months:?}");
    let open = share(1, &|end| end == "9999-12-31");
    assert!((0.5..0.7).contains(&open), "{open}");
    // The noise may leave a year too many at an end.
    let closed = share(1, &|end| ("2012".."2026").contains(&end));
    assert!(open + closed > 0.98, "{open} {closed}");
    let codes = ["250.00", "493.90", "401.9", "272.4"];
    assert!(share(2, &|icd| codes.contains(&icd)) > 0.99);
    let stores: BTreeSet<String> = (0..40)
        .map(|it| (10_007 + it * it * 37).to_string())
        .collect();
    assert!(share(3, &|store| stores.contains(store)) > 0.95);
    let below = share(4, &|change| change.starts_with('-'));
    assert!((0.15..0.35).contains(&below), "{below}");
}
