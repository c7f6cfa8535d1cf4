//! The Adult table, where it is at hand: how good models are, so that a change for the worse is
//! noticed.

#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod common;

use std::fs::{self, File};
use std::ops::ControlFlow;
use std::path::Path;

use privacy::{Accounting, Delta, Epsilon, Ledger, LedgerOptions, Rho};
use schema::{Declaration, Schema};
use serde_json::Map;
use synthesis::{Evaluation, Method, evaluate};
use tabular::{CodedTable, Joined, KeyHasher, ReadLimits, read_csv};

use common::{PAIRS, fit};

const RUNS: u8 = 5;

#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn adult() -> Option<CodedTable> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let Ok(domain) = fs::read_to_string(data.join("adult-domain.json")) else {
        eprintln!("skipped: there is no {}", data.display());
        return None;
    };
    let sizes: Map<String, serde_json::Value> = serde_json::from_str(&domain).unwrap();
    let column = |(name, size): (&String, &serde_json::Value)| {
        let codes: Vec<String> = (0..size.as_u64().unwrap())
            .map(|code| format!("\"{code}\""))
            .collect();
        format!("\"{name}\": {{categories: [{}]}}\n", codes.join(", "))
    };
    let yaml: String = sizes.iter().map(column).collect();
    let schema = Schema::new(Declaration::from_yaml(&yaml).unwrap()).unwrap();
    let file = File::open(data.join("adult.csv")).unwrap();
    let upload = read_csv(
        file,
        None,
        Some(&schema),
        &KeyHasher::new([0; 16]),
        &ReadLimits::default(),
    )
    .unwrap();
    let mut unused = Ledger::open(LedgerOptions::new(
        Epsilon::new(1.0).unwrap(),
        Delta::new(1e-9).unwrap(),
        Accounting::Zcdp,
    ))
    .unwrap();
    Some(
        Joined::single(upload)
            .into_coded(&mut unused, Rho::ZERO, &mut testkit::noise(0))
            .unwrap(),
    )
}

fn evaluation(real: &CodedTable, method: Method, run: u8) -> Evaluation {
    let mut ledger = Ledger::open(LedgerOptions::new(
        Epsilon::new(1.0).unwrap(),
        Delta::new(1e-9).unwrap(),
        Accounting::Zcdp,
    ))
    .unwrap();
    let mut rng = testkit::noise(u64::from(run));
    let model = fit(
        real,
        method,
        &Map::new(),
        PAIRS,
        &mut ledger,
        &mut rng,
        &mut |_| ControlFlow::Continue(()),
    )
    .unwrap();
    let mut columns = vec![Vec::new(); real.schema().columns().len()];
    let mut sample = model.sample(39_074, Some(u64::from(run)));
    while let Some(chunk) = sample.next_chunk() {
        columns
            .iter_mut()
            .zip(chunk)
            .for_each(|(column, codes)| column.extend(codes));
    }
    evaluate(
        real,
        &CodedTable::from_codes(real.schema().clone(), &columns).unwrap(),
    )
    .unwrap()
}

fn mean(runs: &[Evaluation], number: impl Fn(&Evaluation) -> f64) -> f64 {
    runs.iter().map(number).sum::<f64>() / f64::from(RUNS)
}

#[test]
fn models_of_the_adult_table_are_as_good_as_they_were() {
    let Some(real) = adult() else { return };
    let runs = |method| {
        (0..RUNS)
            .map(|run| evaluation(&real, method, run))
            .collect::<Vec<_>>()
    };
    let (mst, independent) = (runs(Method::Mst), runs(Method::Independent));
    let (mst_pairs, mst_columns) = (
        mean(&mst, |e| e.two_way.mean),
        mean(&mst, |e| e.one_way.mean),
    );
    assert!(mst_pairs < 0.053, "MST, pairs: {mst_pairs}");
    assert!(mst_columns < 0.0095, "MST, columns: {mst_columns}");
    let grain = runs(Method::Grain);
    let (grain_pairs, grain_triples) = (
        mean(&grain, |e| e.two_way.mean),
        mean(&grain, |e| e.three_way.mean),
    );
    assert!(grain_pairs < 0.036, "GRAIN, pairs: {grain_pairs}");
    assert!(grain_triples < 0.086, "GRAIN, triples: {grain_triples}");
    let independent_columns = mean(&independent, |e| e.one_way.mean);
    assert!(
        independent_columns < 0.0065,
        "INDEPENDENT, columns: {independent_columns}"
    );
}
