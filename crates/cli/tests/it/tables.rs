use std::fs;
use std::path::Path;

use crate::synclave;

const SCHEMA: &str = "\
site: {categories: [1, 2, 3, 4, 5, 6]}
coinsurance: {categories: [0, 25, 50, 95, 100]}
age: {integer: {min: 0, max: 63, bins: 8}}
sex: {categories: [female, male]}
education: {integer: {min: 0, max: 25, bins: 5}, nullable: true}
";

fn table(folder: &Path) {
    fs::write(
        folder.join("people.csv"),
        include_str!("../../assets/demo/insurer.csv"),
    )
    .unwrap();
    fs::write(folder.join("people.yaml"), SCHEMA).unwrap();
}

#[test]
fn one_table_is_synthesised_sampled_and_evaluated() {
    let folder = tempfile::tempdir().unwrap();
    table(folder.path());
    let ran = synclave(
        folder.path(),
        &[
            "synth",
            "people.csv",
            "--epsilon",
            "3",
            "--schema",
            "people.yaml",
            "--key",
            "id",
            "--rows",
            "5000",
            "--output",
            "synthetic.csv",
            "--model",
            "people.model",
            "--report",
            "report.json",
            "--json",
        ],
    )
    .exits(0);
    assert_eq!(ran.json()["rows"], 5000);
    let synthetic = fs::read_to_string(folder.path().join("synthetic.csv")).unwrap();
    assert_eq!(synthetic.lines().count(), 5001);
    assert_eq!(
        synthetic.lines().next(),
        Some("site,coinsurance,age,sex,education")
    );
    let report: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.path().join("report.json")).unwrap()).unwrap();
    assert_eq!(report["ledger"]["epsilon"], 3.0);

    for output in ["first.csv", "second.csv"] {
        let arguments = [
            "sample",
            "people.model",
            "--rows",
            "100",
            "--seed",
            "7",
            "--output",
            output,
        ];
        synclave(folder.path(), &arguments).exits(0);
    }
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert_eq!(
        read("first.csv"),
        read("second.csv"),
        "a seed repeats the rows"
    );
    synclave(
        folder.path(),
        &[
            "sample",
            "people.model",
            "--rows",
            "10",
            "--output",
            "rows.json",
        ],
    )
    .exits(0);
    let rows: serde_json::Value = serde_json::from_slice(&read("rows.json")).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 10);

    let arguments = [
        "evaluate",
        "people.csv",
        "synthetic.csv",
        "--schema",
        "people.yaml",
        "--key",
        "id",
        "--json",
    ];
    let evaluation = synclave(folder.path(), &arguments).exits(0).json();
    let mean = evaluation["one_way"]["mean"].as_f64().unwrap();
    assert!(
        mean < 0.05,
        "one-way distance {mean} at epsilon 3 and 5,912 rows"
    );
    assert!(evaluation["two_way"]["mean"].as_f64().unwrap() >= mean);

    let inspected = synclave(folder.path(), &["inspect", "people.model"])
        .exits(0)
        .stdout();
    assert!(inspected.contains("MST"), "{inspected}");
}

#[test]
fn without_a_schema_the_domain_is_found_out_under_the_budget() {
    let folder = tempfile::tempdir().unwrap();
    table(folder.path());
    let arguments = [
        "synth",
        "people.csv",
        "--epsilon",
        "3",
        "--key",
        "id",
        "--output",
        "synthetic.csv",
        "--json",
    ];
    let ran = synclave(folder.path(), &arguments).exits(0);
    let entries = ran.json()["ledger"]["entries"].as_array().unwrap().clone();
    let thresholds = entries
        .iter()
        .filter(|entry| entry["mechanism"]["threshold"].is_object())
        .count();
    assert!(thresholds > 0, "finding categories out is in the ledger");
    let synthetic = fs::read_to_string(folder.path().join("synthetic.csv")).unwrap();
    assert!(synthetic.contains("female"));
    assert!(ran.stderr().contains("--schema"), "{}", ran.stderr());
}

#[test]
fn bad_input_is_refused_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    table(folder.path());
    fs::write(folder.path().join("ragged.csv"), "a,b\n1,2\n3\n").unwrap();
    fs::write(folder.path().join("empty.csv"), "").unwrap();
    fs::write(
        folder.path().join("typo.yaml"),
        "age: {intger: {min: 0, max: 9}}\n",
    )
    .unwrap();
    fs::write(
        folder.path().join("half.model"),
        b"synclave model that is none",
    )
    .unwrap();
    let base = |data: &'static str, more: &[&'static str]| {
        [&["synth", data, "--output", "out.csv"], more].concat()
    };
    for (arguments, sentence) in [
        (base("people.csv", &["--epsilon", "0"]), "above 0"),
        (base("people.csv", &["--epsilon", "NaN"]), "epsilon"),
        (base("people.csv", &["--epsilon", "inf"]), "epsilon"),
        (
            base("people.csv", &["--epsilon", "1", "--delta", "1"]),
            "delta",
        ),
        (
            base("people.csv", &["--epsilon", "1", "--method", "GAN"]),
            "MST",
        ),
        (
            base("people.csv", &["--epsilon", "1", "--key", "person"]),
            "person",
        ),
        (
            base("people.csv", &["--epsilon", "1", "--schema", "typo.yaml"]),
            "integer",
        ),
        (
            base("people.csv", &["--epsilon", "1", "--schema", "none.yaml"]),
            "none.yaml",
        ),
        (base("ragged.csv", &["--epsilon", "1"]), "line 3"),
        (base("empty.csv", &["--epsilon", "1"]), "empty"),
        (base("missing.csv", &["--epsilon", "1"]), "missing.csv"),
        (
            vec!["sample", "half.model", "--output", "out.csv"],
            "half.model",
        ),
    ] {
        synclave(folder.path(), &arguments)
            .exits(3)
            .saying(sentence);
        assert!(!folder.path().join("out.csv").exists(), "{arguments:?}");
    }
}
