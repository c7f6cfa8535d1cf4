use std::fs;

use crate::synclave;

#[test]
fn the_demo_keeps_relations_that_separate_synthesis_loses_and_its_receipt_can_be_checked() {
    let folder = tempfile::tempdir().unwrap();
    let ran = synclave(folder.path(), &["demo", "--output", "demo", "--json"]).exits(0);
    let document = ran.json();
    let relations = document["comparison"].as_array().unwrap();
    let strongest = &relations[0];
    let real = strongest["real"].as_f64().unwrap();
    assert!(real > 0.25, "age and chronic disease");
    assert!(
        strongest["joint"].as_f64().unwrap() > real / 2.0,
        "{strongest}"
    );
    assert!(
        strongest["separate"].as_f64().unwrap() < real / 4.0,
        "{strongest}"
    );
    let ledger = &document["receipt"]["ledger"];
    assert_eq!(
        (&ledger["epsilon"], &ledger["delta"]),
        (&3.0.into(), &1e-9.into())
    );

    let samples = fs::read_to_string(folder.path().join("demo/synthetic_data.csv")).unwrap();
    assert!(samples.starts_with("insurer_site,"));
    let check = [
        "verify-receipt",
        "demo/receipt.json",
        "--measurements",
        "demo/measurements.json",
        "--dangerous-root",
        "demo/root.pem",
    ];
    synclave(folder.path(), &check).exits(0);
    synclave(folder.path(), &check[..4])
        .exits(22)
        .saying("unknown root");

    let receipt = folder.path().join("demo/receipt.json");
    let text = fs::read_to_string(&receipt).unwrap();
    fs::write(&receipt, text.replacen("GRAIN", "GRAIM", 1)).unwrap();
    synclave(folder.path(), &check).exits(50).saying("changed");
    fs::write(&receipt, "{}").unwrap();
    synclave(folder.path(), &check).exits(3);

    // A second run does not stumble over the files of the first.
    synclave(folder.path(), &["demo", "--output", "demo", "--quiet"]).exits(0);
    synclave(
        folder.path(),
        &["demo", "--output", "demo", "--epsilon", "-1"],
    )
    .exits(3)
    .saying("epsilon");
}
