//! `synclave schema`: a schema to start from, and what its origin means for a fit.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::{Ran, synclave};

fn run(folder: &Path, command: &str) -> Ran {
    synclave(folder, &command.split_whitespace().collect::<Vec<_>>())
}

/// What one person alone has in each kind of column.
const CANARIES: [&str; 8] = [
    "987654",
    "-77",
    "Wolpertinger",
    "1887-03",
    "1887",
    "K00000400",
    "solitaire",
    "61234.56",
];

/// A table of 600 people, the last but one of whom is unlike all others.
fn people(folder: &Path) {
    let mut csv = String::from("id,age,income,region,joined,member_id,email,name,paid,comment\n");
    for row in 0_u32..600 {
        let any = |of: u32, salt: u32| row.wrapping_add(salt).wrapping_mul(2_654_435_761) % of;
        let region = ["north", "south", "east, west"][any(3, 1) as usize];
        let rare = ["Ruritania", "Freedonia"][any(2, 2) as usize];
        let region = if row % 50 == 0 { rare } else { region };
        let day = format!(
            "{}-{:02}-{:02}",
            2015 + any(8, 3),
            1 + any(12, 4),
            1 + any(28, 5)
        );
        let unusual = row == 400;
        let (age, income, region, day) = match unusual {
            true => (987_654, -77.0, "Wolpertinger", "1887-03-01".to_owned()),
            false => (
                18 + any(60, 6),
                f64::from(any(90_000, 7)) / 2.0,
                region,
                day,
            ),
        };
        let income = if row == 401 { 61_234.56 } else { income };
        writeln!(
            csv,
            "P{row},{age},{income:.2},\"{region}\",{day},K{row:08},p{row}@mail.example,Ann \
             Example{row},{},{}",
            ["yes", "no"][any(2, 8) as usize],
            if unusual { "solitaire" } else { "" }
        )
        .unwrap();
    }
    fs::write(folder.join("people.csv"), csv).unwrap();
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

#[test]
fn no_single_persons_value_is_in_the_schema_or_in_what_is_said() {
    let folder = tempfile::tempdir().unwrap();
    people(folder.path());
    let to_file = run(
        folder.path(),
        "schema people.csv --key id --output people.yaml -v",
    )
    .exits(0);
    let text = read(folder.path(), "people.yaml");
    let shown = run(folder.path(), "schema people.csv --key id").exits(0);
    assert_eq!(shown.stdout(), text);
    let kept = run(
        folder.path(),
        "schema people.csv --key id --keep member_id --keep email --keep comment --json",
    )
    .exits(0);
    for said in [
        &text,
        &to_file.stdout(),
        &to_file.stderr(),
        &shown.stderr(),
        &kept.stdout(),
        &kept.stderr(),
    ] {
        for canary in CANARIES {
            assert!(!said.contains(canary), "{canary}: {said}");
        }
        // Of twelve people together, but of fewer than twenty.
        assert!(!said.contains("Ruritania"), "{said}");
    }
}

#[test]
fn a_schema_says_what_many_people_share_and_leaves_out_what_names_them() {
    let folder = tempfile::tempdir().unwrap();
    people(folder.path());
    let text = run(folder.path(), "schema people.csv --key id")
        .exits(0)
        .stdout();
    for line in [
        "origin: data",
        "age: {integer: {min: 20, max: 80, bins: 61}}",
        "joined: {date: {min: 2015-01-01, max: 2022-12-31, bins: 96}}",
        "paid: {categories: [\"no\", \"yes\"]}",
        "region: {categories: [\"east, west\", north, south], other: true}",
        "# 2 more values, each of fewer than 20 people, left out: they are `other`.",
        "member_id: drop",
        "email: drop",
        "name: drop",
        "comment: drop",
    ] {
        assert!(text.lines().any(|it| it == line), "{line}: {text}");
    }
    assert!(
        text.contains("income: {number: {min: 0, max: 45000, bins: {cuts: ["),
        "{text}"
    );
    assert!(text.contains("# Looks like e-mail addresses"), "{text}");
    assert!(!text.contains("\nid:"), "the key is not declared: {text}");
}

#[test]
fn many_rows_of_one_person_are_one_person() {
    let folder = tempfile::tempdir().unwrap();
    let mut csv = String::from("id,visits,place\n");
    for row in 0..300 {
        writeln!(csv, "{},{},home", row / 3, row % 9).unwrap();
    }
    // Fifty rows, all of one person.
    for _ in 0..50 {
        csv.push_str("7777,4000,Atlantis\n");
    }
    fs::write(folder.path().join("visits.csv"), csv).unwrap();
    let by_people = run(folder.path(), "schema visits.csv --key id")
        .exits(0)
        .stdout();
    assert!(
        !by_people.contains("Atlantis") && !by_people.contains("4000"),
        "{by_people}"
    );
    let by_rows = run(folder.path(), "schema visits.csv --keep id")
        .exits(0)
        .stdout();
    assert!(
        by_rows.contains("Atlantis") && by_rows.contains("4000"),
        "{by_rows}"
    );
}

fn synth(folder: &Path, options: &str) -> Ran {
    let command = format!(
        "synth people.csv --key id --epsilon 1 --schema people.yaml --output rows.csv {options}"
    );
    run(folder, &command)
}

#[test]
fn nothing_is_guaranteed_until_a_person_has_read_the_schema() {
    let folder = tempfile::tempdir().unwrap();
    people(folder.path());
    run(
        folder.path(),
        "schema people.csv --key id --output people.yaml",
    )
    .exits(0);
    let ran = synth(folder.path(), "--model p.model --report r.html --json")
        .exits(0)
        .saying("the schema says `origin: data`")
        .saying("no guarantee holds: the columns' values and ranges were taken from the data");
    let document = ran.json();
    assert_eq!(document["guarantees"], Value::Array(Vec::new()));
    assert_eq!(document["domain"], "from data: no guarantee holds");
    let inspected = run(folder.path(), "inspect p.model").exits(0).stdout();
    assert!(
        inspected.contains("guarantee  none: the columns' values"),
        "{inspected}"
    );
    assert!(read(folder.path(), "r.html").contains("No guarantee holds"));
    run(folder.path(), "sample p.model --rows 5 --output more.csv")
        .exits(0)
        .saying("no guarantee holds for this model");

    let reviewed = read(folder.path(), "people.yaml").replace("origin: data", "origin: reviewed");
    fs::write(folder.path().join("people.yaml"), reviewed).unwrap();
    let document = synth(folder.path(), "--json").exits(0).json();
    let epsilon = document["guarantees"][0]["epsilon"].as_f64().unwrap();
    assert!((epsilon - 1.0).abs() < 1e-9, "{epsilon}");
    assert_eq!(document["domain"], "declared");
}

#[test]
fn nothing_is_said_of_a_range_of_few_people() {
    let folder = tempfile::tempdir().unwrap();
    let mut csv = String::from("id,lab,visits\n");
    for row in 0..3_000_u32 {
        // Of 39 people there is a measurement: the 20th from below is the 20th from above.
        let lab = match row % 76 {
            0 if row / 76 < 39 => format!("{}.668", 300 + row / 76 * 7),
            _ => String::new(),
        };
        writeln!(csv, "P{row},{lab},{}", row % 7).unwrap();
    }
    fs::write(folder.path().join("sparse.csv"), csv).unwrap();
    let text = run(folder.path(), "schema sparse.csv --key id")
        .exits(0)
        .stdout();
    assert!(!text.contains(".668") && !text.contains("43"), "{text}");
    assert!(text.contains("no numbers or dates of 60"), "{text}");
    assert!(text.contains("lab: drop"), "{text}");
}

/// Rows of such a draft once had days of all kinds.
#[test]
fn dates_that_are_all_the_first_of_a_month_stay_so() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let row = |i: usize| format!("{},01/{:02}/{}\n", i % 9, 1 + i % 12, 2000 + i % 20);
    let rows: String = (0..3000).map(row).collect();
    fs::write(folder.join("t.csv"), format!("a,since\n{rows}")).unwrap();
    run(folder, "schema t.csv --output s.yaml").exits(0);
    let draft = read(folder, "s.yaml").replace("origin: data", "origin: reviewed");
    assert!(draft.contains("01/%m/%Y"), "{draft}");
    fs::write(folder.join("s.yaml"), draft).unwrap();
    run(
        folder,
        "synth t.csv --schema s.yaml --epsilon 3 --output o.csv",
    )
    .exits(0);
    let rows = read(folder, "o.csv");
    let mut dates = rows
        .lines()
        .skip(1)
        .map(|row| row.split(',').nth(1).unwrap());
    assert!(dates.all(|date| date.starts_with("01/")), "{rows}");
}

#[test]
fn what_a_schema_has_cost_is_told_where_nothing_was_found() {
    let folder = tempfile::tempdir().unwrap();
    let mut csv = String::from("colour,shade\n");
    for row in 0..25 {
        writeln!(csv, "c{row},t{row}").unwrap();
    }
    fs::write(folder.path().join("small.csv"), csv).unwrap();
    let ran = run(
        folder.path(),
        "schema small.csv --private 0.1 --delta 1e-9 --json",
    )
    .exits(3)
    .saying("epsilon 0.1 with delta 1e-9 is spent all the same");
    let document = ran.json();
    assert_eq!(document["ledger"]["epsilon"], 0.1, "{document}");
    let error = document["error"].as_str().unwrap();
    assert!(error.contains("could be told from noise"), "{document}");
}

#[test]
fn a_schema_that_was_paid_for_adds_to_the_guarantee_of_each_fit() {
    let folder = tempfile::tempdir().unwrap();
    people(folder.path());
    let paid = "schema people.csv --key id --private 2 --delta 1e-6 --output people.yaml --json";
    let document = run(folder.path(), paid).exits(0).json();
    assert_eq!(document["ledger"]["epsilon"], 2.0);
    assert_eq!(document["origin"]["discovery"]["epsilon"], 2.0);
    let text = read(folder.path(), "people.yaml");
    assert!(
        text.contains("origin: {discovery: {epsilon: 2, delta: 1e-6}}"),
        "{text}"
    );
    for canary in ["Wolpertinger", "1887", "K00000400"] {
        assert!(!text.contains(canary), "{canary}: {text}");
    }
    let ran = synth(folder.path(), "--model p.model --json")
        .exits(0)
        .saying("epsilon 2 and delta 1e-6 of it were spent on the schema before");
    let document = ran.json();
    let epsilon = |name: &str, at: usize| document[name][at]["epsilon"].as_f64().unwrap();
    assert!(
        (epsilon("own_guarantees", 0) - 1.0).abs() < 1e-9,
        "{document}"
    );
    assert!((epsilon("guarantees", 0) - 3.0).abs() < 1e-9, "{document}");
    assert!(epsilon("guarantees", 1) >= epsilon("own_guarantees", 1) + 4.0);
    let delta = document["guarantees"][0]["delta"].as_f64().unwrap();
    assert!((delta - 1.001e-6).abs() < 1e-12, "{delta}");
    // The model's file keeps it, and its sums are checked when it is read.
    let inspected = run(folder.path(), "inspect p.model").exits(0).stdout();
    assert!(
        inspected.contains("spent on the schema before"),
        "{inspected}"
    );
}

#[test]
fn a_code_book_is_taken_instead_of_the_data() {
    let folder = tempfile::tempdir().unwrap();
    people(folder.path());
    let book = "Variable;Kind;Minimum;Maximum;Levels;Description\n\
                age;integer;0;120;;Age in years\n\
                income;number;-100;50000;;\n\
                region;categories;;;north; \n";
    let book = book.replace(
        "north; ",
        "\"north; south; east, west; Ruritania; Freedonia\";",
    );
    fs::write(folder.path().join("book.csv"), book).unwrap();
    let command = "schema --codebook book.csv";
    let alone = run(folder.path(), command).exits(0).stdout();
    for line in [
        "origin: codebook",
        "# Age in years",
        "age: {integer: {min: 0, max: 120}}",
        "income: {number: {min: -100, max: 50000}}",
        "region: {categories: [north, south, \"east, west\", Ruritania, Freedonia]}",
    ] {
        assert!(alone.lines().any(|it| it == line), "{line}: {alone}");
    }
    let command = "schema people.csv --key id --codebook book.csv --output people.yaml";
    let ran = run(folder.path(), command)
        .exits(0)
        .saying("not in the code book")
        // The one of 987654 years.
        .saying("outside the declared range");
    assert!(ran.stderr().contains("about your own file, not private"));
    let document = synth(folder.path(), "--json").exits(0).json();
    assert!(document["guarantees"][0]["epsilon"].as_f64() <= Some(1.0));
    assert_ne!(document["guarantees"], Value::Array(Vec::new()));
}

#[test]
fn a_code_book_that_contradicts_the_table_is_told_in_what() {
    let folder = tempfile::tempdir().unwrap();
    people(folder.path());
    for (book, said) in [
        ("name,type,values\nregion,factor,north;south\n", "`region`"),
        ("name,type,min,max\nweight,int,0,200\n", "weight"),
    ] {
        fs::write(folder.path().join("book.csv"), book).unwrap();
        let command = "schema people.csv --key id --codebook book.csv --output people.yaml";
        run(folder.path(), command)
            .exits(3)
            .saying("the code book in book.csv and the table contradict each other")
            .saying(said);
        assert!(!folder.path().join("people.yaml").exists());
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    people(folder.path());
    fs::write(folder.path().join("few.csv"), "a,b\n1,x\n2,y\n").unwrap();
    for (command, code, said) in [
        ("schema", 2, "<DATA>"),
        ("schema people.csv --keep agee", 3, "did you mean `age`?"),
        (
            "schema people.csv --output people.csv",
            3,
            "that is the table",
        ),
        ("schema people.csv --delta 1e-9", 2, "--private"),
        ("schema people.csv --private 0", 3, "epsilon is 0"),
        (
            "schema people.csv --private 2000",
            3,
            "hardly anything is protected",
        ),
        (
            "schema people.csv --private 1 --codebook b.csv",
            2,
            "cannot be used with",
        ),
        (
            "schema few.csv",
            3,
            "no column has a text that 20 people share",
        ),
    ] {
        run(folder.path(), command).exits(code).saying(said);
    }
}

#[test]
fn no_room_takes_a_schema_that_nobody_has_read() {
    let folder = tempfile::tempdir().unwrap();
    people(folder.path());
    run(
        folder.path(),
        "schema people.csv --key id --output people.yaml",
    )
    .exits(0);
    run(
        folder.path(),
        "room join --name clinic --schema people.yaml --output clinic",
    )
    .exits(3)
    .saying("write `origin: reviewed`");
}
