use std::fs;
use std::path::Path;

use privacy::{Delta, Epsilon};
use schema::{Declaration, Schema};
use synthesis::{FitPlan, GrainOptions};

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

fn table(folder: &Path) {
    fs::write(
        folder.join("people.csv"),
        include_str!("../../assets/demo/insurer.csv"),
    )
    .unwrap();
    fs::write(folder.join("people.yaml"), SCHEMA).unwrap();
}

/// What a plan with this guarantee has to spend, and so a room.
fn total_of_a_plan(epsilon: f64) -> serde_json::Value {
    let (epsilon, delta) = (Epsilon::new(epsilon).unwrap(), Delta::new(1e-9).unwrap());
    let schema = Schema::new(Declaration::from_yaml(SCHEMA).unwrap()).unwrap();
    let plan = FitPlan::new(GrainOptions::default(), epsilon, delta).check(schema);
    let record = plan.unwrap().ledger().record();
    serde_json::to_value(record).unwrap()["total"].clone()
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
    assert_eq!(report["ledger"]["total"], total_of_a_plan(3.0));

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
    let evaluation = synclave(folder.path(), &arguments).exits(0).json()["private_to_you"].take();
    let mean = evaluation["one_way"]["mean"].as_f64().unwrap();
    assert!(
        mean < 0.05,
        "one-way distance {mean} at epsilon 3 and 5,912 rows"
    );
    assert!(evaluation["two_way"]["mean"].as_f64().unwrap() >= mean);

    let inspected = synclave(folder.path(), &["inspect", "people.model"])
        .exits(0)
        .stdout();
    assert!(inspected.contains("GRAIN"), "{inspected}");
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

/// Too many for the budget to find each of them, and none of them is an amount.
#[test]
fn numbers_that_may_be_codes_are_told_as_a_range_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let row = |i: usize| format!("{},{}\n", 10_007 + i * 7919 % 400 * 211, 20 + i * 31 % 60);
    let rows: String = (0..4_000).map(row).collect();
    fs::write(folder.path().join("t.csv"), format!("zip,age\n{rows}")).unwrap();
    let advice = "a range, in which numbers are made up; if these are codes, declare them as \
                  categories";
    let command = "synth t.csv --epsilon 3 --output out.csv --json";
    let arguments: Vec<&str> = command.split_whitespace().collect();
    let ran = synclave(folder.path(), &arguments).exits(0).saying(advice);
    let report = ran.json();
    let [zip, age] = [0, 1].map(|column| &report["columns"][column]);
    assert_eq!([&zip["kind"], &age["kind"]], ["integer", "integer"]);
    assert_eq!(zip["advice"], advice);
    assert!(age["advice"].is_null());
    // Whoever declared the range knows what it is.
    fs::write(
        folder.path().join("t.yaml"),
        "zip: {integer: {min: 10000, max: 99999}}\n",
    )
    .unwrap();
    let command = "synth t.csv --schema t.yaml --epsilon 3 --output declared.csv --json";
    let arguments: Vec<&str> = command.split_whitespace().collect();
    let report = synclave(folder.path(), &arguments).exits(0).json();
    assert!(report["columns"][0]["advice"].is_null());
}

#[test]
fn what_the_coding_loses_is_told_beside_the_errors() {
    let folder = tempfile::tempdir().unwrap();
    // Four codes, which are read as one range; and a column of which most values are not declared.
    let row = |i: usize| {
        let zip = [1010, 1020, 4020, 9020][i % 4];
        format!("{zip},{}\n", ["Vienna", "Graz", "Linz"][i % 3])
    };
    let rows: String = (0..5000).map(row).collect();
    fs::write(folder.path().join("t.csv"), format!("zip,city\n{rows}")).unwrap();
    let schema = "zip: {integer: {min: 1010, max: 9020, bins: 8}}\n\
                  city: {categories: [Vienna], other: true}\n";
    fs::write(folder.path().join("t.yaml"), schema).unwrap();
    let command =
        "synth t.csv --schema t.yaml --epsilon 3 --output out.csv --report r.json --json -v";
    let arguments: Vec<&str> = command.split_whitespace().collect();
    let ran = synclave(folder.path(), &arguments)
        .exits(0)
        .saying("marginals of the columns as coded, as shares of the estimated rows")
        .saying("values beyond a column's range count as its ends")
        .saying("% of the rows of `city` are `other`")
        .saying("more than a fifth of the rows of `city` are `other`")
        .saying("`zip` has bins of up to 1002 whole numbers (");
    let report = fs::read(folder.path().join("r.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    for document in [&ran.json(), &report["report"]] {
        assert_eq!(document["errors"]["of"], "the columns as coded");
        assert_eq!(document["errors"]["shares_of"], "the estimated rows");
        let [zip, city] = [0, 1].map(|column| &document["columns"][column]);
        assert_eq!(zip["widest_bin"]["width"], 1002.0);
        assert!(zip["other"].is_null() && city["widest_bin"].is_null());
        assert!((city["other"].as_f64().unwrap() - 2.0 / 3.0).abs() < 0.05);
        let between = &document["row_count"]["between"];
        assert!(between[0].as_u64() <= Some(5000) && between[1].as_u64() >= Some(4900));
    }
}

#[test]
fn a_budget_that_drowned_is_told_wherever_the_model_goes() {
    let folder = tempfile::tempdir().unwrap();
    table(folder.path());
    for method in ["INDEPENDENT", "COPULA", "MST", "AIM", "MWEM", "GRAIN"] {
        let command = format!(
            "synth people.csv --schema people.yaml --key id --epsilon 0.001 --rows 9 \
             --method {method} --output out.csv --model people.model --json"
        );
        let arguments: Vec<&str> = command.split_whitespace().collect();
        let ran = synclave(folder.path(), &arguments)
            .exits(0)
            .saying("warning: the budget is too small to tell how many rows the table has");
        let warnings = ran.json()["warnings"].as_array().unwrap().len();
        assert!(warnings > 0 && ran.json()["row_count"]["mostly_noise"] == true);
        let inspected = synclave(folder.path(), &["inspect", "people.model"]).exits(0);
        let told = inspected.stdout();
        assert!(
            told.contains("warning    the budget is too small"),
            "{told}"
        );
    }
    synclave(
        folder.path(),
        &[
            "sample",
            "people.model",
            "--output",
            "out.csv",
            "--rows",
            "5",
        ],
    )
    .exits(0);
    synclave(
        folder.path(),
        &["sample", "people.model", "--output", "out.csv"],
    )
    .exits(0)
    .saying("is a guess");
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

/// A model of [`table`] in `people.model`.
fn fitted(folder: &Path) {
    table(folder);
    let arguments = [
        "synth",
        "people.csv",
        "--epsilon",
        "3",
        "--schema",
        "people.yaml",
        "--key",
        "id",
        "--rows",
        "1",
        "--output",
        "synthetic.csv",
        "--model",
        "people.model",
    ];
    synclave(folder, &arguments).exits(0);
}

#[test]
fn rows_can_be_drawn_given_a_condition() {
    let folder = tempfile::tempdir().unwrap();
    fitted(folder.path());
    let draw = |condition: &str, output: &str| {
        let arguments = [
            "sample",
            "people.model",
            "--rows",
            "300",
            "--seed",
            "5",
            "--where",
            condition,
            "--output",
            output,
            "--json",
        ];
        synclave(folder.path(), &arguments)
    };
    let condition = "age in 30..37 and sex = female and education is not missing and site != 1";
    let probability = draw(condition, "some.csv").exits(0).json()["probability"]
        .as_f64()
        .unwrap();
    let written = fs::read_to_string(folder.path().join("some.csv")).unwrap();
    assert_eq!(written.lines().count(), 301);
    let (mut satisfied, mut all) = (0.0, 0.0);
    let holds = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let age: u32 = fields[2].parse().unwrap();
        (30..=37).contains(&age)
            && fields[3] == "female"
            && !fields[4].is_empty()
            && fields[0] != "1"
    };
    assert!(written.lines().skip(1).all(holds));
    synclave(
        folder.path(),
        &[
            "sample",
            "people.model",
            "--rows",
            "50000",
            "--output",
            "all.csv",
        ],
    )
    .exits(0);
    for line in fs::read_to_string(folder.path().join("all.csv"))
        .unwrap()
        .lines()
        .skip(1)
    {
        all += 1.0;
        satisfied += f64::from(u8::from(holds(line)));
    }
    assert!(
        (satisfied / all - probability).abs() < 0.01,
        "{} and {probability}",
        satisfied / all
    );

    draw(condition, "again.csv").exits(0);
    assert_eq!(
        fs::read_to_string(folder.path().join("again.csv")).unwrap(),
        written,
        "a seed repeats the rows"
    );
    draw(
        "age = 3 and education = 25 and sex = male and site = 6 and coinsurance = 50",
        "rare.csv",
    )
    .exits(0)
    .saying("mostly noise");
    for (condition, sentence) in [
        (
            "agee = 3",
            "at character 1, `agee`: there is no such column; did you mean `age`?",
        ),
        (
            "age in 40..30",
            "at character 8, `40..30`: the range is empty",
        ),
        ("sex = femal", "did you mean `female`?"),
        ("age > 99", "it goes from 0 to 63"),
        ("age = 3 or sex = male", "`or` is not possible"),
        ("", "the condition is empty"),
    ] {
        draw(condition, "none.csv").exits(3).saying(sentence);
        assert!(!folder.path().join("none.csv").exists(), "{condition}");
    }
}

#[test]
fn a_domain_from_the_data_is_told_wherever_the_model_goes() {
    let folder = tempfile::tempdir().unwrap();
    table(folder.path());
    let run = |arguments: &str| {
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        synclave(folder.path(), &arguments).exits(0)
    };
    let warned = "no guarantee holds";
    let ran = run(
        "synth people.csv --epsilon 3 --key id --dangerous-domain-from-data --rows 9 --output \
         out.csv --model people.model --report report.json --json",
    )
    .saying(warned);
    assert_eq!(ran.json()["domain"], "from data: no guarantee holds");
    assert_eq!(ran.json()["ledger"]["guarantees"], serde_json::json!([]));
    let report = fs::read(folder.path().join("report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(report["domain"], "from data: no guarantee holds");
    assert_eq!(report["report"]["domain"], "from_data");
    let inspected = run("inspect people.model").stdout();
    assert!(inspected.contains("domain     from data"), "{inspected}");
    assert!(inspected.contains("guarantee  none: "), "{inspected}");
    assert!(
        !inspected.contains("multiplies the probability"),
        "{inspected}"
    );
    run("sample people.model --rows 3 --output more.csv").saying(warned);

    fitted(folder.path());
    let inspected = run("inspect people.model").stdout();
    assert!(inspected.contains("domain     declared"), "{inspected}");
    assert!(
        inspected.contains("multiplies the probability"),
        "{inspected}"
    );
    let ran = run("sample people.model --rows 3 --output more.csv");
    assert!(!ran.stderr().contains(warned), "{}", ran.stderr());
}

#[test]
fn what_needs_no_column_of_the_table_is_checked_before_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    table(folder.path());
    fs::write(folder.path().join("public.csv"), "age,sex\n3,male\n").unwrap();
    for (options, sentence) in [
        ("--public public.csv", "public.csv"),
        ("--public missing.csv", "missing.csv"),
        (
            "--method AIM --param rounds=2",
            "give at least 5 as `rounds`, not 2",
        ),
        ("--method AIM --param rounds=few", "whole number"),
        (
            "--method MST --param rounds=2",
            "MST has no parameter `rounds`",
        ),
        (
            "--param max_cells=5000 --param max_cells=6000",
            "`max_cells` twice",
        ),
        ("--epsilon 1e-7", "is too small for GRAIN"),
    ] {
        let epsilon = if options.contains("--epsilon") {
            ""
        } else {
            "--epsilon 1"
        };
        let command = format!(
            "synth no-such-table.csv --schema people.yaml --output out.csv {epsilon} {options}"
        );
        let arguments: Vec<&str> = command.split_whitespace().collect();
        let ran = synclave(folder.path(), &arguments)
            .exits(3)
            .saying(sentence);
        assert!(!ran.stderr().contains("no-such-table"), "{}", ran.stderr());
    }
}

/// The table may have columns that the schema does not name, so that its names are read first.
#[test]
fn columns_that_the_table_lacks_are_refused_before_anything_is_spent() {
    let folder = tempfile::tempdir().unwrap();
    table(folder.path());
    let workload = "- {columns: [age, sexx]}\n";
    fs::write(folder.path().join("bad-workload.yaml"), workload).unwrap();
    for (options, sentence) in [
        ("--target incme", "incme"),
        ("--workload bad-workload.yaml", "did you mean `sex`?"),
        (
            "--method AIM --param rounds=2",
            "as `rounds`, not 2, or leave it out",
        ),
    ] {
        for schema in ["--schema people.yaml", ""] {
            let command =
                format!("synth people.csv --epsilon 1 --output out.csv {schema} {options}");
            let arguments: Vec<&str> = command.split_whitespace().collect();
            let ran = synclave(folder.path(), &arguments).exits(3);
            let ran = ran.saying(sentence);
            assert!(!ran.stderr().contains("is spent"), "{}", ran.stderr());
        }
    }
}

#[test]
fn a_budget_too_small_is_refused_with_one_that_would_do() {
    let folder = tempfile::tempdir().unwrap();
    table(folder.path());
    let run = |epsilon: &str, schema: &[&str]| {
        let arguments = ["synth", "people.csv", "--key", "id", "--output", "out.csv"];
        let more = ["--epsilon", epsilon];
        synclave(folder.path(), &[&arguments[..], &more, schema].concat())
    };
    for schema in [vec!["--schema", "people.yaml"], Vec::new()] {
        let refused = run("1e-7", &schema).exits(3).stderr();
        let (_, least) = refused.split_once("it needs ").unwrap();
        let (least, _) = least.split_once(" at least").unwrap();
        run(least, &schema).exits(0);
        assert_eq!(
            refused.matches("too small").count(),
            1,
            "said once: {refused}"
        );
        fs::remove_file(folder.path().join("out.csv")).unwrap();
    }
}

#[test]
fn parameters_of_the_method_are_given_on_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    table(folder.path());
    let rounds = |rounds: &str| {
        let arguments = [
            "synth",
            "people.csv",
            "--key",
            "id",
            "--schema",
            "people.yaml",
            "--epsilon",
            "1",
            "--method",
            "MWEM",
            "--param",
            rounds,
            "--output",
            "out.csv",
            "--json",
        ];
        let ran = synclave(folder.path(), &arguments).exits(0);
        ran.json()["ledger"]["entries"].as_array().unwrap().len()
    };
    assert_eq!((rounds("rounds=2"), rounds("rounds=3")), (4, 6));
}

#[test]
fn a_file_that_is_no_usable_model_is_refused_with_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    fitted(folder.path());
    let whole = fs::read(folder.path().join("people.model")).unwrap();
    let changed = |at: usize, byte: u8| {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        bytes
    };
    let version = b"synclave model\n".len();
    for (bytes, sentence) in [
        (Vec::new(), "not a file of a synclave model"),
        (b"id,age\n1,2\n".to_vec(), "not a file of a synclave model"),
        (changed(0, b'S'), "not a file of a synclave model"),
        (whole[..whole.len() / 2].to_vec(), "cut off"),
        (whole[..version + 1].to_vec(), "cut off"),
        (changed(version, 9), "use a newer program"),
        (
            changed(whole.len() - 5, whole[whole.len() - 5] ^ 1),
            "damaged",
        ),
        ([&whole[..], b"more"].concat(), "damaged"),
    ] {
        fs::write(folder.path().join("bad.model"), bytes).unwrap();
        let arguments = ["sample", "bad.model", "--rows", "3", "--output", "out.csv"];
        synclave(folder.path(), &arguments)
            .exits(3)
            .saying(sentence)
            .saying("bad.model");
        assert!(!folder.path().join("out.csv").exists(), "{sentence}");
    }
}

#[test]
fn a_budget_that_protects_nobody_is_refused_or_spelled_out() {
    let folder = tempfile::tempdir().unwrap();
    table(folder.path());
    let synth = |budget: &[&str]| {
        let table = [
            "synth",
            "people.csv",
            "--schema",
            "people.yaml",
            "--key",
            "id",
        ];
        let rest = [
            "--method",
            "INDEPENDENT",
            "--rows",
            "10",
            "--output",
            "out.csv",
        ];
        synclave(folder.path(), &[&table[..], &rest[..], budget].concat())
    };
    synth(&["--epsilon", "1e300"])
        .exits(3)
        .saying("--dangerous-epsilon goes on all the same");
    synth(&["--epsilon", "1", "--delta", "0.5", "--dangerous-epsilon"])
        .exits(3)
        .saying("a half");
    assert!(!folder.path().join("out.csv").exists());
    synth(&["--epsilon", "2000", "--dangerous-epsilon"])
        .exits(0)
        .saying("warning: DANGEROUS: epsilon is 2000");
    synth(&["--epsilon", "20", "--delta", "0.001"])
        .exits(0)
        .saying("warning: epsilon is 20, above 10")
        .saying("warning: delta is 0.001, above 0.0001");
}

#[test]
fn no_output_takes_the_place_of_an_input_or_of_another_output() {
    let folder = tempfile::tempdir().unwrap();
    table(folder.path());
    let base = ["synth", "people.csv", "--key", "id", "--epsilon", "1"];
    let schema = ["--schema", "people.yaml"];
    fs::create_dir(folder.path().join("sub")).unwrap();
    fs::hard_link(
        folder.path().join("people.csv"),
        folder.path().join("linked.csv"),
    )
    .unwrap();
    let before = fs::read(folder.path().join("people.csv")).unwrap();
    for (more, sentence) in [
        (
            "--output people.csv",
            "--output cannot be people.csv: that is the table, which",
        ),
        ("--output ./sub/../people.csv", "that is the table"),
        ("--output linked.csv", "that is the table"),
        (
            "--output out.csv --model people.yaml",
            "--model cannot be people.yaml: that is the schema",
        ),
        (
            "--output out.csv --report out.csv",
            "--report cannot be out.csv: that is --output",
        ),
        (
            "--output out.csv --model out.csv",
            "that is --output, which would be lost",
        ),
        (
            "--output sub",
            "--output cannot be sub: it is a folder; name a file in it",
        ),
        (
            "--output none/out.csv",
            "there is no such folder; make it first",
        ),
        ("--output /dev/null", "it is no regular file"),
    ] {
        let more: Vec<&str> = more.split_whitespace().collect();
        synclave(folder.path(), &[&base[..], &schema, &more].concat())
            .exits(3)
            .saying(sentence);
        assert!(!folder.path().join("out.csv").exists(), "{sentence}");
    }
    assert_eq!(fs::read(folder.path().join("people.csv")).unwrap(), before);
    let model = ["--output", "out.csv", "--model", "people.model"];
    synclave(folder.path(), &[&base[..], &schema, &model].concat()).exits(0);
    let onto_itself = ["sample", "people.model", "--output", "people.model"];
    synclave(folder.path(), &onto_itself)
        .exits(3)
        .saying("that is the model, which would be lost");
}

#[cfg(unix)]
#[test]
fn an_output_that_is_a_link_stays_one() {
    let folder = tempfile::tempdir().unwrap();
    table(folder.path());
    fs::write(folder.path().join("real.csv"), "before").unwrap();
    std::os::unix::fs::symlink("real.csv", folder.path().join("link.csv")).unwrap();
    let arguments = "synth people.csv --key id --epsilon 1 --schema people.yaml --output link.csv";
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    synclave(folder.path(), &arguments).exits(0);
    let link = fs::symlink_metadata(folder.path().join("link.csv")).unwrap();
    assert!(link.file_type().is_symlink());
    assert!(fs::metadata(folder.path().join("real.csv")).unwrap().len() > 1000);
}
