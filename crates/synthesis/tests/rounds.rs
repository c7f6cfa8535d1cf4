//! AIM and MWEM: what their rounds spend, choose and refuse.
#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod common;

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use privacy::{Accounting, Delta, Entry, Epsilon, Ledger, LedgerOptions, Mechanism, Rho};
use schema::{Declaration, Schema};
use serde_json::{Value, json};
use synthesis::{FitError, Method, Model, NamedMarginal, evaluate};
use tabular::CodedTable;

use common::{PAIRS, fit};

fn schema(sizes: &[usize]) -> Schema {
    let column = |(i, &size): (usize, &usize)| {
        format!(
            "c{i}: {{integer: {{min: 0, max: {}, bins: {size}}}}}\n",
            size - 1
        )
    };
    let yaml: String = sizes.iter().enumerate().map(column).collect();
    Schema::new(Declaration::from_yaml(&yaml).unwrap()).unwrap()
}

fn table(sizes: &[usize], rows: u32, cell: impl Fn(u32, u32) -> u32) -> CodedTable {
    let column = |(i, &size): (u32, &usize)| {
        (0..rows)
            .map(|r| cell(r, i) % u32::try_from(size).unwrap())
            .collect()
    };
    let columns: Vec<Vec<u32>> = (0..).zip(sizes).map(column).collect();
    CodedTable::from_codes(schema(sizes), &columns).unwrap()
}

/// Looks random, and is the same every time.
fn scatter(a: u32, b: u32) -> u32 {
    let mut x = a.wrapping_mul(0x9E37_79B9) ^ b.wrapping_mul(0x85EB_CA6B).rotate_left(13);
    x = (x ^ x >> 16).wrapping_mul(0x7FEB_352D);
    x = (x ^ x >> 15).wrapping_mul(0x846C_A68B);
    x ^ x >> 16
}

/// c1 is c0 with noise; c3 is the parity of c0 and c2; c4 is on its own.
fn related(rows: u32) -> CodedTable {
    table(&[4, 4, 2, 2, 3], rows, |r, i| {
        let (first, third) = (scatter(r, 0) % 4, scatter(r, 2) % 2);
        match i {
            0 => first,
            1 if scatter(r, 11).is_multiple_of(10) => scatter(r, 21),
            1 => first,
            2 => third,
            3 => first + third,
            _ => scatter(r, 4),
        }
    })
}

fn ledger(epsilon: f64) -> Ledger {
    Ledger::open(LedgerOptions::new(
        Epsilon::new(epsilon).unwrap(),
        Delta::new(1e-9).unwrap(),
        Accounting::Zcdp,
    ))
    .unwrap()
}

fn fitted(
    table: &CodedTable,
    method: Method,
    params: &Value,
    workload: &[NamedMarginal],
    epsilon: f64,
) -> Result<Model, FitError> {
    fit(
        table,
        method,
        params.as_object().unwrap(),
        workload,
        &mut ledger(epsilon),
        &mut testkit::noise(1),
        &mut |_| ControlFlow::Continue(()),
    )
}

fn by_default(table: &CodedTable, method: Method, epsilon: f64) -> Model {
    fitted(table, method, &json!({}), PAIRS, epsilon).unwrap()
}

fn rho(entry: &Entry) -> f64 {
    entry.rho().get()
}

fn selects(entry: &Entry) -> bool {
    matches!(entry.mechanism(), Mechanism::Exponential { .. })
}

#[test]
fn aims_spends_follow_the_paper() {
    let model = by_default(&related(20_000), Method::Aim, 1.0);
    let record = model.ledger();
    assert_eq!(record.remaining(), Rho::ZERO, "the whole budget is used");
    let round = record.total().get() / f64::from(16 * 5);
    let (columns, rounds) = record.entries().split_at(5);
    for (i, entry) in columns.iter().enumerate() {
        assert_eq!(entry.label(), format!("c{i}"));
        assert!((rho(entry) / (0.9 * round) - 1.0).abs() < 1e-9);
    }
    let (rounds, []) = rounds.as_chunks::<2>() else {
        panic!("a choice and a measurement a round")
    };
    let (last, earlier) = rounds.split_last().unwrap();
    let mut price = 1.0;
    let mut left = record.total().get() - columns.iter().map(rho).sum::<f64>();
    for [choice, measurement] in earlier {
        assert!(selects(choice) && !selects(measurement));
        // Either what the round before cost, or four times that.
        if rho(choice) > 2.0 * 0.1 * round * price {
            price *= 4.0;
        }
        assert!((rho(choice) / (0.1 * round * price) - 1.0).abs() < 1e-6);
        assert!((rho(measurement) / (0.9 * round * price) - 1.0).abs() < 1e-6);
        assert!(
            left >= 2.0 * round * price * (1.0 - 1e-6),
            "two rounds were affordable"
        );
        left -= rho(choice) + rho(measurement);
    }
    assert!(
        price > 1.0,
        "on so small a table some measurement teaches nothing"
    );
    assert!(
        (rho(&last[0]) / (0.1 * left) - 1.0).abs() < 1e-6,
        "the last takes what is left"
    );
    assert!((rho(&last[1]) / (0.9 * left) - 1.0).abs() < 1e-6);
}

#[test]
fn mwems_spends_are_equal_rounds_and_nothing_before_them() {
    let model = by_default(&related(2000), Method::Mwem, 1.0);
    let record = model.ledger();
    assert_eq!(
        (record.entries().len(), record.remaining()),
        (10, Rho::ZERO)
    );
    let round = record.total().get() / 5.0;
    for [choice, measurement] in record.entries().as_chunks::<2>().0 {
        assert!(selects(choice) && !selects(measurement));
        assert!((rho(choice) / (0.1 * round) - 1.0).abs() < 1e-9);
        assert!((rho(measurement) / (0.9 * round) - 1.0).abs() < 1e-9);
    }
}

#[test]
fn relations_are_found_and_kept() {
    let real = related(20_000);
    for (method, most) in [(Method::Aim, 0.03), (Method::Mwem, 0.15)] {
        let model = by_default(&real, method, 2.0);
        let measured: Vec<Vec<String>> = model
            .report()
            .two_way
            .into_iter()
            .map(|pair| pair.columns)
            .collect();
        assert!(
            measured.contains(&vec!["c0".to_owned(), "c1".to_owned()]),
            "{method}: {measured:?}"
        );
        let mut columns = vec![Vec::new(); 5];
        let mut sample = model.sample(20_000, Some(7));
        while let Some(chunk) = sample.next_chunk() {
            columns
                .iter_mut()
                .zip(chunk)
                .for_each(|(column, codes)| column.extend(codes));
        }
        let synthetic = CodedTable::from_codes(real.schema().clone(), &columns).unwrap();
        let evaluation = evaluate(&real, &synthetic).unwrap();
        assert!(
            evaluation.two_way.max < most,
            "{method}: {:?}",
            evaluation.two_way
        );
    }
}

#[test]
fn only_the_workloads_marginals_and_their_parts_are_chosen() {
    let real = related(20_000);
    let text = "- columns: [c0, c2, c3]\n- columns: [c4]\n";
    let workload = NamedMarginal::list(text).unwrap();
    let labels = |method, params: &Value| -> Vec<String> {
        let model = fitted(&real, method, params, &workload, 5.0).unwrap();
        let entries = model.ledger().entries();
        let measured = entries.iter().filter(|entry| !selects(entry));
        measured.map(|entry| entry.label().to_owned()).collect()
    };
    let aim = labels(Method::Aim, &json!({}));
    let (columns, rounds) = aim.split_at(5);
    assert_eq!(
        columns,
        ["c0", "c1", "c2", "c3", "c4"],
        "rows have all columns"
    );
    let parts = [
        "c0",
        "c2",
        "c3",
        "c4",
        "c0 x c2",
        "c0 x c3",
        "c2 x c3",
        "c0 x c2 x c3",
    ];
    assert!(
        rounds.iter().all(|label| parts.contains(&label.as_str())),
        "{rounds:?}"
    );
    assert!(
        rounds.iter().any(|label| label == "c0 x c2 x c3"),
        "no pair shows the parity: {rounds:?}"
    );

    let mwem = labels(Method::Mwem, &json!({"rounds": 8}));
    assert_eq!(mwem.len(), 8);
    assert!(
        mwem.iter()
            .all(|label| ["c0 x c2 x c3", "c4"].contains(&label.as_str())),
        "{mwem:?}"
    );
}

#[test]
fn a_smaller_bound_keeps_the_model_small() {
    let real = table(&[60, 60, 60], 20_000, |r, i| {
        scatter(r, 0) % 60 + scatter(r, i + 1) % 3
    });
    let pairs = |mb: u32| {
        let params = json!({"max_model_mb": mb});
        let model = fitted(&real, Method::Aim, &params, PAIRS, 10.0).unwrap();
        let measured = model.report().two_way.into_iter().map(|pair| pair.columns);
        measured.collect::<BTreeSet<Vec<String>>>().len()
    };
    // Two pairs make a tree of 7,200 cells; with the third all is one table of 216,000, and one MB
    // holds 131,072.
    assert_eq!((pairs(1), pairs(80)), (2, 3));
}

#[test]
fn what_cannot_be_done_is_refused_before_anything_is_spent() {
    let real = related(10);
    let refusal = |method, params: Value, table: &CodedTable, epsilon: f64| {
        let mut ledger = ledger(epsilon);
        let refused = fit(
            table,
            method,
            params.as_object().unwrap(),
            PAIRS,
            &mut ledger,
            &mut testkit::noise(1),
            &mut |_| ControlFlow::Continue(()),
        );
        assert_eq!(ledger.spent(), Rho::ZERO);
        refused.unwrap_err().to_string()
    };
    assert_eq!(
        refusal(Method::Aim, json!({"rounds": 4}), &real, 1.0),
        "AIM measures each of the 5 columns before its rounds begin, at the price of a round each: \
         give at least 5 as `rounds`, not 4, or leave it out"
    );
    assert!(fitted(&real, Method::Aim, &json!({"rounds": 5}), PAIRS, 1.0).is_ok());
    assert_eq!(
        refusal(Method::Aim, json!({"rouns": 4}), &real, 1.0),
        "AIM has no parameter `rouns`; it has `rounds`, `max_model_mb` and `max_iterations`"
    );
    for (name, expected) in [
        ("rounds", "a whole number between 1 and 1000000"),
        ("max_model_mb", "a whole number between 1 and 1024"),
        ("max_iterations", "a whole number between 1 and 100000"),
    ] {
        for bad in [
            json!(0),
            json!(-1),
            json!(1.5),
            json!("many"),
            json!(1_u64 << 40),
        ] {
            assert_eq!(
                refusal(Method::Mwem, json!({ name: bad }), &real, 1.0),
                format!("the parameter `{name}` of MWEM must be {expected}")
            );
        }
    }
    assert_eq!(
        refusal(Method::Aim, json!({}), &real, 1e-7),
        "an epsilon of 1e-7 is too small for AIM to share out among these columns: it needs 3.6e-5 \
         at least, and far more to be of use"
    );
    let wide = table(&[2000; 14], 5, scatter);
    assert_eq!(
        refusal(Method::Aim, json!({}), &wide, 1.0),
        "AIM counts all marginals that it may choose from, which have 364028000 cells together, \
         and at most 134217728 fit into memory: give a workload of fewer or smaller marginals, \
         declare fewer categories or bins, or use MST"
    );
    assert_eq!(
        refusal(Method::Mwem, json!({"max_model_mb": 1}), &wide, 1.0),
        "with any marginal of the workload the first model of MWEM has more than the 9362 cells \
         that are allowed it: \
         raise `max_model_mb`, lower `rounds`, or declare fewer categories or bins"
    );
}

#[test]
fn a_cancelled_fit_leaves_what_was_spent_on_record() {
    let real = related(500);
    for method in [Method::Aim, Method::Mwem] {
        let mut calls = 0;
        let whole = by_default(&real, method, 1.0).ledger().entries().len();
        for stop_at in [1, 2, 9] {
            let mut ledger = ledger(1.0);
            let result = fit(
                &real,
                method,
                json!({}).as_object().unwrap(),
                PAIRS,
                &mut ledger,
                &mut testkit::noise(1),
                &mut |progress| {
                    assert!(progress.done <= progress.total);
                    calls += 1;
                    if calls == stop_at {
                        ControlFlow::Break(())
                    } else {
                        ControlFlow::Continue(())
                    }
                },
            );
            assert_eq!(result.unwrap_err(), FitError::Cancelled, "{method}");
            let record = ledger.close();
            record.check().unwrap();
            let entries = record.entries().len();
            assert!(
                entries < whole && (entries > 0) == (stop_at > 2),
                "{method}, {stop_at}: {entries}"
            );
            calls = 0;
        }
    }
}
