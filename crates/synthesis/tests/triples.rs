//! Relations that no pair of columns shows.
#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use std::ops::ControlFlow;

use privacy::{Delta, Epsilon, Mechanism};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use schema::{Declaration, Schema};
use synthesis::{FitPlan, Method, Model, NamedMarginal};
use tabular::CodedTable;

const ROWS: u32 = 20_000;

/// Two columns of fair coins, and a third that says in nine of ten rows whether they differ; then
/// columns of these sizes that have nothing to do with them.
fn exclusive_or(others: &[u32], rows: u32) -> CodedTable {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut columns = vec![Vec::new(); 3 + others.len()];
    for _ in 0..rows {
        let [a, b] = [0, 1].map(|_| rng.next_u32() % 2);
        let wrong = u32::from(rng.next_u32() % 10 == 0);
        columns[0].push(a);
        columns[1].push(b);
        columns[2].push(a ^ b ^ wrong);
        for (column, &size) in columns[3..].iter_mut().zip(others) {
            column.push(rng.next_u32() % size);
        }
    }
    let sizes = [2, 2, 2].into_iter().chain(others.iter().copied());
    let yaml: String = sizes
        .enumerate()
        .map(|(i, size)| format!("c{i}: {{integer: {{min: 1, max: {size}, bins: {size}}}}}\n"))
        .collect();
    let schema = Schema::new(Declaration::from_yaml(&yaml).unwrap()).unwrap();
    CodedTable::from_codes(schema, &columns).unwrap()
}

fn fitted(table: &CodedTable, plan: FitPlan, seed: u64) -> Model {
    let plan = plan.check(table.schema().clone()).unwrap();
    let (mut ledger, mut noise) = (plan.ledger(), testkit::noise(seed));
    let mut go_on = |_| ControlFlow::Continue(());
    plan.fit_with_ledger(table, None, &mut ledger, &mut noise, &mut go_on)
        .unwrap()
}

fn plan(method: Method) -> FitPlan {
    FitPlan::new(
        method,
        Epsilon::new(1.0).unwrap(),
        Delta::new(1e-9).unwrap(),
    )
}

fn triple() -> Vec<NamedMarginal> {
    let marginal = |columns: &[&str]| NamedMarginal {
        columns: columns.iter().map(|&name| name.to_owned()).collect(),
        weight: 1.0,
    };
    vec![marginal(&["c0", "c1", "c2"]), marginal(&["c0", "c3"])]
}

/// P(c2 | c0 and c1 differ) - P(c2 | they do not) in synthetic rows: .8 in the table.
fn effect(model: &Model) -> f64 {
    let rows = model.sample(ROWS.into(), Some(1)).next_chunk().unwrap();
    let mut ones = [0.0; 2];
    let mut all = [0.0; 2];
    for ((a, b), &outcome) in rows[0].iter().zip(&rows[1]).zip(&rows[2]) {
        let differ = (a ^ b) as usize;
        all[differ] += 1.0;
        ones[differ] += f64::from(outcome);
    }
    ones[1] / all[1] - ones[0] / all[0]
}

/// Few columns, of which all pairs are measured, and more, of which pairs are chosen.
const OTHERS: [&[u32]; 2] = [&[3, 5, 4, 2], &[20, 30, 9, 40, 12, 25, 8]];

#[test]
fn an_exclusive_or_is_found_where_its_outcome_is_the_target() {
    for others in OTHERS {
        let table = exclusive_or(others, ROWS);
        for method in [Method::Grain, Method::Aim] {
            // AIM takes long with many columns, and is the same with few.
            if method == Method::Aim && others.len() > 4 {
                continue;
            }
            let effect = effect(&fitted(&table, plan(method).target("c2".to_owned()), 1));
            assert!(effect > 0.7, "{method}, {others:?}: {effect}");
        }
    }
}

/// As the documents say, not where all pairs of a table are measured at once.
#[test]
fn an_exclusive_or_is_found_unasked_where_pairs_are_chosen() {
    let [few, more] = OTHERS.map(|others| {
        let table = exclusive_or(others, ROWS);
        effect(&fitted(&table, plan(Method::Grain), 1))
    });
    assert!(few.abs() < 0.1 && more > 0.7, "{few}, {more}");
}

#[test]
fn a_triple_that_the_workload_names_is_kept() {
    for others in OTHERS {
        let table = exclusive_or(others, ROWS);
        let effect = effect(&fitted(&table, plan(Method::Grain).workload(triple()), 1));
        assert!(effect > 0.7, "{others:?}: {effect}");
    }
}

#[test]
fn scores_of_triples_are_paid_for_only_where_they_can_tell_something() {
    let scored = |rows: u32| {
        let table = exclusive_or(&[3, 5, 4, 2], rows);
        let model = fitted(&table, plan(Method::Grain).target("c2".to_owned()), 1);
        let record = model.ledger();
        record.check().unwrap();
        let scores = |entry: &&privacy::Entry| entry.label() == "errors of triples";
        let of_triples: Vec<(u64, f64)> = record
            .entries()
            .iter()
            .filter(scores)
            .map(|entry| match *entry.mechanism() {
                Mechanism::GaussianScores { scores, .. } => {
                    (scores, entry.rho().get() / record.total().get())
                }
                ref other => panic!("{other:?}"),
            })
            .collect();
        assert!(record.remaining().get() < 1e-6 * record.total().get());
        of_triples
    };
    let [(triples, share)] = scored(ROWS)[..] else {
        panic!("one vector of scores");
    };
    assert!(
        triples == 15 && (share - 0.01).abs() < 1e-6,
        "{triples}, {share}"
    );
    assert_eq!(scored(300), []);
}

#[test]
fn a_marginal_of_more_than_three_columns_is_refused_by_grain() {
    let mut workload = triple();
    workload[0].columns.push("c3".to_owned());
    let refused = plan(Method::Grain).workload(workload.clone());
    let table = exclusive_or(&[3], 10);
    let refused = refused.check(table.schema().clone()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "marginal 1 of the workload names 4 columns, and GRAIN relates at most 3 at once; list \
         parts of it with 3 columns, or use AIM or MWEM"
    );
    let taken = plan(Method::Aim).workload(workload);
    assert!(taken.check(table.schema().clone()).is_ok());
}
