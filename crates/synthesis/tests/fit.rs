//! Fits of small tables: what is spent, what comes out, and input at the edge.
#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod common;

use std::ops::ControlFlow;

use privacy::{Accounting, Delta, Epsilon, FileDigest, Ledger, LedgerOptions, Rho};
use schema::{Declaration, Schema};
use serde_json::{Map, json};
use synthesis::{FitError, GrainOptions, Method, Model, PlanError, PublicPrior, evaluate};
use tabular::CodedTable;

use common::{PAIRS, fit, fit_from, quick};

const DIGEST: FileDigest = FileDigest::from_bytes([1; 48]);

fn schema(sizes: &[usize]) -> Schema {
    let column = |(i, &size): (usize, &usize)| match size {
        1 => format!("c{i}: {{categories: [only]}}\n"),
        _ => format!(
            "c{i}: {{integer: {{min: 0, max: {}, bins: {size}}}}}\n",
            size - 1
        ),
    };
    let yaml: String = sizes.iter().enumerate().map(column).collect();
    Schema::new(Declaration::from_yaml(&yaml).unwrap()).unwrap()
}

/// Column i of row r is `cell(r, i)`, modulo its size.
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

fn ledger(epsilon: f64) -> Ledger {
    Ledger::open(LedgerOptions::new(
        Epsilon::new(epsilon).unwrap(),
        Delta::new(1e-9).unwrap(),
        Accounting::Zcdp,
    ))
    .unwrap()
}

fn ledger_of(method: Method, epsilon: f64) -> Ledger {
    let options = LedgerOptions::new(
        Epsilon::new(epsilon).unwrap(),
        Delta::new(1e-9).unwrap(),
        method.accounting(),
    );
    Ledger::open(options).unwrap()
}

fn fitted(table: &CodedTable, method: Method, epsilon: f64) -> Model {
    let mut ledger = ledger(epsilon);
    let model = fit(
        table,
        method,
        &quick(method),
        PAIRS,
        &mut ledger,
        &mut testkit::noise(1),
        &mut |_| ControlFlow::Continue(()),
    )
    .unwrap();
    assert_eq!(ledger.remaining(), Rho::ZERO, "the whole budget is used");
    assert_eq!(model.ledger(), &ledger.close());
    model.ledger().check().unwrap();
    model
}

fn drawn(model: &Model, rows: u64) -> CodedTable {
    let mut columns = vec![Vec::new(); model.schema().columns().len()];
    let mut sample = model.sample(rows, Some(7));
    while let Some(chunk) = sample.next_chunk() {
        columns
            .iter_mut()
            .zip(chunk)
            .for_each(|(column, codes)| column.extend(codes));
    }
    CodedTable::from_codes(model.schema().clone(), &columns)
        .expect("codes fit the schema and columns are of one length")
}

fn rows_of(table: &CodedTable) -> u32 {
    table.counts(&[]).dangerous_reveal()[0]
}

/// c0 is skewed; c1 follows c0, c3 follows c2, c4 is on its own.
fn related(rows: u32) -> CodedTable {
    table(&[6, 6, 4, 8, 3], rows, |r, i| {
        let first = scatter(r, 0) % 7 * (scatter(r, 1) % 2);
        let second = scatter(r, 2);
        let noisy = |code: u32| {
            if scatter(r, 10 + i).is_multiple_of(10) {
                scatter(r, 20 + i)
            } else {
                code
            }
        };
        match i {
            0 => first,
            1 => noisy(first % 6),
            2 => second,
            3 => noisy(second % 4 * 2),
            _ => scatter(r, 4),
        }
    })
}

#[test]
fn mst_keeps_relations_and_independent_columns_lose_them() {
    let real = related(20_000);
    let evaluation = |method| evaluate(&real, &drawn(&fitted(&real, method, 2.0), 20_000)).unwrap();
    let (mst, independent) = (evaluation(Method::Mst), evaluation(Method::Independent));
    for evaluation in [&mst, &independent] {
        assert!(evaluation.one_way.max < 0.02, "{:?}", evaluation.one_way);
    }
    assert!(mst.two_way.max < 0.05, "{:?}", mst.two_way);
    assert!(independent.two_way.max > 0.3, "{:?}", independent.two_way);
    for (columns, related) in [
        (["c0", "c1"], true),
        (["c2", "c3"], true),
        (["c0", "c4"], false),
    ] {
        let pair = |e: &synthesis::Evaluation| {
            e.pairs
                .iter()
                .find(|p| p.columns == columns)
                .unwrap()
                .clone()
        };
        assert_eq!(pair(&mst).real_association > 0.5, related, "{columns:?}");
        assert!(
            (pair(&mst).synthetic_association - pair(&mst).real_association).abs() < 0.05,
            "{columns:?}"
        );
        assert!(
            pair(&independent).synthetic_association < 0.05,
            "{columns:?}"
        );
    }
}

#[test]
fn the_ledger_shows_thirds_for_columns_choices_and_pairs() {
    let model = fitted(&related(1000), Method::Mst, 1.0);
    let record = model.ledger();
    let entries = record.entries();
    assert_eq!(entries.len(), 5 + 4 + 4);
    let third = record.total().get() / 3.0;
    for (stage, what) in [
        (&entries[..5], "columns"),
        (&entries[5..9], "choices"),
        (&entries[9..], "pairs"),
    ] {
        let spent: f64 = stage.iter().map(|entry| entry.rho().get()).sum();
        assert!((spent - third).abs() < 1e-9, "{what}: {spent} of {third}");
    }
    assert_eq!(entries[1].label(), "c1");
    assert!(
        entries[9..].iter().any(|entry| entry.label() == "c0 x c1"),
        "the strongest pair is measured"
    );
    let of_independent = fitted(&related(1000), Method::Independent, 1.0);
    assert_eq!(of_independent.ledger().entries().len(), 5);
}

#[test]
fn the_report_sets_errors_beside_the_noise_that_explains_them() {
    let model = fitted(&related(20_000), Method::Mst, 1.0);
    let report = model.report();
    assert_eq!((report.one_way.len(), report.two_way.len()), (5, 4));
    assert!(report.rows.abs_diff(20_000) < 500);
    for marginal in report.one_way.iter().chain(&report.two_way) {
        assert!(
            marginal.error < 1.5 * marginal.expected_noise,
            "{marginal:?}"
        );
        assert!(
            marginal.expected_noise > 0.0 && marginal.expected_noise < 0.2,
            "{marginal:?}"
        );
    }
    assert_eq!(report.one_way[3].columns, ["c3"]);
    assert_eq!(serde_json::to_value(&report).unwrap()["method"], "MST");
}

#[test]
fn tables_at_the_edge_give_models_and_rows() {
    let cases: [(&str, CodedTable); 8] = [
        ("one column", table(&[5], 100, scatter)),
        ("one column of one code", table(&[1], 100, scatter)),
        ("constant columns", table(&[4, 3, 1], 100, |_, _| 2)),
        ("no rows", table(&[4, 3, 2], 0, scatter)),
        ("one row", table(&[4, 3, 2], 1, scatter)),
        ("two rows", table(&[4, 3, 2], 2, scatter)),
        ("columns of one code", table(&[1, 1, 1], 50, scatter)),
        ("more codes than rows", table(&[500, 700, 2], 30, scatter)),
    ];
    for (name, table) in &cases {
        for method in [
            Method::Independent,
            Method::Copula,
            Method::Mst,
            Method::Aim,
            Method::Mwem,
            Method::Grain,
            Method::Dpctgan,
            Method::Patectgan,
        ] {
            for epsilon in [1e-4, 1.0, 1e6] {
                let model = fitted(table, method, epsilon);
                assert!(model.default_rows() >= 1, "{name}");
                for rows in [1, 100] {
                    assert_eq!(
                        u64::from(rows_of(&drawn(&model, rows))),
                        rows,
                        "{name}, {method}, {epsilon}"
                    );
                }
            }
        }
    }
}

#[test]
fn at_a_huge_epsilon_the_counts_come_back() {
    let real = related(5000);
    let model = fitted(&real, Method::Mst, 1e6);
    assert!(model.default_rows().abs_diff(5000) <= 3);
    let evaluation = evaluate(&real, &drawn(&model, 5000)).unwrap();
    assert!(
        evaluation.one_way.max < 2e-3 && evaluation.two_way.mean < 0.02,
        "{:?} {:?}",
        evaluation.one_way,
        evaluation.two_way
    );
}

#[test]
fn a_hundred_columns_are_no_trouble() {
    let sizes: Vec<usize> = (0..120).map(|i| 2 + i % 9).collect();
    let real = table(&sizes, 3000, |r, i| {
        if i % 2 == 0 {
            scatter(r, i)
        } else {
            scatter(r, i - 1)
        }
    });
    let model = fitted(&real, Method::Mst, 5.0);
    assert_eq!(model.report().two_way.len(), 119);
    assert_eq!(rows_of(&drawn(&model, 2000)), 2000);
}

#[test]
fn a_pair_of_huge_columns_is_not_considered() {
    let real = table(
        &[10_000, 10_000, 2],
        2000,
        |r, i| if i == 2 { r } else { r % 5 },
    );
    let model = fitted(&real, Method::Mst, 3.0);
    let pairs: Vec<Vec<String>> = model
        .report()
        .two_way
        .into_iter()
        .map(|pair| pair.columns)
        .collect();
    assert_eq!(
        pairs.len(),
        2,
        "each is joined to the small column: {pairs:?}"
    );
    assert!(pairs.iter().all(|pair| pair[1] == "c2"), "{pairs:?}");

    let two = table(&[10_000, 10_000], 2000, |r, _| r % 5);
    let model = fitted(&two, Method::Mst, 3.0);
    assert_eq!(
        (model.report().one_way.len(), model.report().two_way.len()),
        (2, 0)
    );
}

#[test]
fn a_smaller_bound_on_cells_leaves_large_pairs_out() {
    let (real, mut ledger) = (related(500), ledger(1.0));
    let params = json!({"max_cells": 20});
    let mut go_on = |_| ControlFlow::Continue(());
    let model = fit(
        &real,
        Method::Mst,
        params.as_object().unwrap(),
        PAIRS,
        &mut ledger,
        &mut testkit::noise(1),
        &mut go_on,
    )
    .unwrap();
    let pairs = model.report().two_way;
    assert_eq!(
        pairs.len(),
        3,
        "c0, c1 and c2 can each be joined to c4 only, c3 to none"
    );
    assert!(
        pairs.iter().all(|pair| pair.columns[1] == "c4"),
        "{pairs:?}"
    );
}

#[test]
fn bad_parameters_are_refused_before_anything_is_spent() {
    let (real, mut ledger) = (related(10), ledger(1.0));
    let params = json!({"max_cels": 5});
    let mut go_on = |_| ControlFlow::Continue(());
    let refused = fit(
        &real,
        Method::Mst,
        params.as_object().unwrap(),
        PAIRS,
        &mut ledger,
        &mut testkit::noise(1),
        &mut go_on,
    );
    assert_eq!(
        refused.unwrap_err().to_string(),
        "MST has no parameter `max_cels`; it has `max_cells`"
    );
    assert_eq!(ledger.spent(), Rho::ZERO);
}

#[test]
fn a_budget_too_small_to_share_out_is_refused_with_the_least_that_would_do() {
    let real = related(1000);
    for method in [
        Method::Independent,
        Method::Copula,
        Method::Mst,
        Method::Aim,
        Method::Mwem,
        Method::Grain,
        Method::Dpctgan,
        Method::Patectgan,
    ] {
        let fit = |epsilon: f64| {
            let mut ledger = ledger_of(method, epsilon);
            let result = fit(
                &real,
                method,
                &quick(method),
                PAIRS,
                &mut ledger,
                &mut testkit::noise(1),
                &mut |_| ControlFlow::Continue(()),
            );
            (result, ledger.close())
        };
        for epsilon in [1e-9, 1e-7, 1e-6] {
            let (refused, record) = fit(epsilon);
            assert!(record.entries().is_empty(), "{method}");
            let Err(FitError::Plan(PlanError::BudgetTooSmall { least, .. })) = refused else {
                panic!("{method}, {epsilon}: {refused:?}")
            };
            let digits = format!("{:e}", least.get())
                .split('e')
                .next()
                .unwrap()
                .len();
            assert!(digits <= 3, "{least}");
            let (enough, _) = fit(least.get());
            assert!(enough.is_ok(), "{method}, {least}: {enough:?}");
            let (too_little, _) = fit(0.9 * least.get());
            assert!(
                matches!(
                    too_little,
                    Err(FitError::Plan(PlanError::BudgetTooSmall { .. }))
                ),
                "{method}, {least}"
            );
        }
    }
}

#[test]
fn a_ledger_with_nothing_left_is_refused() {
    let (real, mut ledger) = (related(10), ledger(1.0));
    let mut go_on = |_| ControlFlow::Continue(());
    fit(
        &real,
        Method::Independent,
        &Map::new(),
        PAIRS,
        &mut ledger,
        &mut testkit::noise(1),
        &mut go_on,
    )
    .unwrap();
    let again = fit(
        &real,
        Method::Mst,
        &Map::new(),
        PAIRS,
        &mut ledger,
        &mut testkit::noise(1),
        &mut go_on,
    );
    assert!(matches!(again, Err(FitError::Ledger(_))), "{again:?}");
}

#[test]
fn a_cancelled_fit_leaves_what_was_spent_on_record() {
    let real = related(500);
    let stages = [
        "measuring columns",
        "fitting columns",
        "scoring pairs",
        "choosing pairs",
        "measuring pairs",
        "fitting pairs",
    ];
    for (i, stage) in stages.into_iter().enumerate() {
        let mut ledger = ledger(1.0);
        let mut stop = |progress: synthesis::Progress| {
            assert!(progress.done <= progress.total);
            if progress.stage == stage {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let result = fit(
            &real,
            Method::Mst,
            &Map::new(),
            PAIRS,
            &mut ledger,
            &mut testkit::noise(1),
            &mut stop,
        );
        assert_eq!(result.unwrap_err(), FitError::Cancelled, "{stage}");
        let record = ledger.close();
        record.check().unwrap();
        assert_eq!(record.entries().len(), [0, 5, 5, 5, 9, 13][i], "{stage}");
    }
}

#[test]
fn grain_can_be_cancelled_at_every_step_and_what_was_spent_is_on_record() {
    let real = related(500);
    let fit = |stop_at: usize| {
        let (mut ledger, mut steps) = (ledger_of(Method::Grain, 1.0), Vec::new());
        let mut stop = |progress: synthesis::Progress| {
            assert!(progress.done <= progress.total);
            steps.push(progress.stage);
            match steps.len() > stop_at {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        let result = fit(
            &real,
            Method::Grain,
            &Map::new(),
            PAIRS,
            &mut ledger,
            &mut testkit::noise(1),
            &mut stop,
        );
        (result, steps, ledger.close())
    };
    let (whole, steps, in_full) = fit(usize::MAX);
    whole.unwrap();
    // Where a stage begins, and one step further.
    let begins = |i: &usize| *i == 0 || steps[*i] != steps[*i - 1];
    let begins: Vec<usize> = (0..steps.len()).filter(begins).collect();
    for stage in [
        "measuring columns",
        "measuring pairs",
        "fitting the model",
        "measuring errors",
    ] {
        assert!(steps.contains(&stage), "{stage}");
    }
    let mut before = 0;
    for at in begins
        .into_iter()
        .flat_map(|at| [at, at + 1])
        .filter(|at| *at < steps.len())
    {
        let (result, told, record) = fit(at);
        assert_eq!(result.unwrap_err(), FitError::Cancelled, "{}", steps[at]);
        assert_eq!(told, steps[..=at], "nothing goes on after it was cancelled");
        record.check().unwrap();
        let spent = record.entries();
        assert_eq!(spent, &in_full.entries()[..spent.len()], "{}", steps[at]);
        assert!(spent.len() >= before && spent.len() < in_full.entries().len());
        before = spent.len();
    }
    assert!(
        before + 1 == in_full.entries().len(),
        "all but the errors of the model"
    );
}

#[test]
fn a_seed_gives_the_same_rows_and_no_seed_new_ones() {
    let model = fitted(&related(2000), Method::Mst, 1.0);
    let csv = |seed| {
        let mut text = Vec::new();
        model.sample(100, seed).write_csv(&mut text).unwrap();
        String::from_utf8(text).unwrap()
    };
    assert_eq!(csv(Some(5)), csv(Some(5)));
    assert_ne!(csv(Some(5)), csv(Some(6)));
    assert_ne!(csv(None), csv(None));
    assert_eq!(csv(None).lines().count(), 101);
    assert_eq!(csv(None).lines().next(), Some("c0,c1,c2,c3,c4"));
    let mut json = Vec::new();
    model.sample(3, Some(1)).write_json(&mut json).unwrap();
    let rows: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 3);
    assert!(rows[0]["c4"].is_number());
}

#[test]
fn rare_codes_keep_their_share_of_the_rows() {
    // One code holds most rows; the other 199 share the rest, far below the noise.
    let real = table(&[200, 2], 20_000, |r, i| {
        if i == 0 && scatter(r, 5).is_multiple_of(4) {
            scatter(r, 6)
        } else {
            0
        }
    });
    let synthetic = drawn(&fitted(&real, Method::Mst, 0.5), 20_000)
        .counts(&[0])
        .dangerous_reveal();
    assert!(synthetic[0].abs_diff(15_000) < 600, "{}", synthetic[0]);
    let seen = synthetic.iter().filter(|&&count| count > 0).count();
    assert!(seen > 150, "{seen} of 200 codes");
    assert!(
        synthetic[1..].iter().all(|&count| count < 400),
        "{synthetic:?}"
    );
}

#[test]
fn tables_that_cannot_be_compared_are_refused() {
    let (some, other, none) = (related(10), table(&[2], 10, scatter), related(0));
    let refusal = |a, b| evaluate(a, b).unwrap_err().to_string();
    assert_eq!(
        refusal(&some, &other),
        "the two tables are not coded under the same schema"
    );
    assert_eq!(
        refusal(&none, &some),
        "the real table has no rows, so there is nothing to compare"
    );
    assert_eq!(
        refusal(&some, &none),
        "the synthetic table has no rows, so there is nothing to compare"
    );
}

#[test]
fn a_table_is_at_no_distance_from_itself_and_far_from_a_disjoint_one() {
    let real = related(1000);
    let same = evaluate(&real, &real).unwrap();
    assert_eq!(
        (same.one_way.max, same.two_way.max, same.three_way.max),
        (0.0, 0.0, 0.0)
    );
    assert_eq!(
        (
            same.one_way.marginals,
            same.two_way.marginals,
            same.three_way.marginals
        ),
        (5, 10, 10)
    );
    assert!(
        same.pairs
            .iter()
            .all(|pair| pair.real_association == pair.synthetic_association)
    );
    let (zeros, ones) = (
        table(&[3000, 3000], 10, |_, _| 0),
        table(&[3000, 3000], 20, |_, _| 1),
    );
    let apart = evaluate(&zeros, &ones).unwrap();
    assert_eq!(
        (
            apart.one_way.mean,
            apart.two_way.mean,
            apart.three_way.marginals
        ),
        (1.0, 1.0, 0)
    );
    assert_eq!(apart.two_way.worst[0].columns, ["c0", "c1"]);
}

#[test]
fn large_columns_do_not_keep_small_ones_from_being_related() {
    // What the model needs of the large columns alone is more than it may have for relations.
    let sizes = [4, 4, 300, 300, 300];
    let real = table(&sizes, 20_000, |row, column| match column {
        0 | 1 => scatter(row, 0),
        _ => scatter(row, column),
    });
    let params = json!({"max_cells": 2000});
    let model = fit(
        &real,
        Method::Grain,
        params.as_object().unwrap(),
        PAIRS,
        &mut ledger(1.0),
        &mut testkit::noise(1),
        &mut |_| ControlFlow::Continue(()),
    )
    .unwrap();
    let pairs = model.report().two_way;
    assert!(
        pairs.iter().any(|pair| pair.columns == ["c0", "c1"]),
        "{pairs:?}"
    );
}

#[test]
fn public_data_brings_relations_that_the_budget_does_not_reach() {
    let real = related(2000);
    let public = PublicPrior::dangerous_from_public_table(&related(8000), DIGEST).unwrap();
    let distance = |prior: Option<&PublicPrior>| {
        let options = LedgerOptions::new(
            Epsilon::new(0.05).unwrap(),
            Delta::new(1e-9).unwrap(),
            Method::Grain.accounting(),
        );
        let mut ledger = Ledger::open(options).unwrap();
        let (mut rng, mut go_on) = (testkit::noise(2), |_| ControlFlow::Continue(()));
        let grain = GrainOptions::default().into();
        let model = fit_from(
            &real,
            grain,
            prior,
            PAIRS,
            &mut ledger,
            &mut rng,
            &mut go_on,
        );
        assert_eq!(ledger.remaining(), Rho::ZERO);
        let synthetic = drawn(&model.unwrap(), 2000);
        let pairs = evaluate(&real, &synthetic).unwrap().pairs;
        pairs
            .iter()
            .find(|pair| pair.columns == ["c2", "c3"])
            .unwrap()
            .synthetic_association
    };
    let (with, without) = (distance(Some(&public)), distance(None));
    assert!(
        with > 0.6 && without < 0.3,
        "{with} with public data, {without} without"
    );
}

#[test]
fn every_method_says_when_its_budget_drowned_and_not_when_it_did_not() {
    let real = related(20_000);
    for method in [
        Method::Independent,
        Method::Copula,
        Method::Mst,
        Method::Aim,
        Method::Mwem,
        Method::Grain,
    ] {
        let report = fitted(&real, method, 0.001).report();
        let rows = report.row_count;
        assert!(rows.mostly_noise, "{method}: {rows:?}");
        assert!(
            rows.estimate as f64 >= 0.99 * rows.sigma,
            "{method}: {rows:?}"
        );
        let drowned = report.columns.iter().filter(|column| column.mostly_noise);
        assert!(drowned.count() >= 3, "{method}: {:?}", report.columns);
        let warned = report.warnings.join("\n");
        assert!(warned.contains("is a guess"), "{method}: {warned}");
        assert!(warned.contains("raise epsilon"), "{method}: {warned}");
        let known = report.errors.map_or(0, |errors| {
            let known = errors.marginals.iter().filter(|it| it.bound.is_some());
            known.count()
        });
        assert_eq!(known, 0, "{method}");

        let report = fitted(&real, method, 3.0).report();
        let [low, high] = report.row_count.between;
        assert!(low <= high && high - low < 1000, "{method}");
        assert!(report.rows.abs_diff(20_000) < 1000, "{method}");
        if method != Method::Mwem {
            assert_eq!(report.warnings, [""; 0], "{method}");
        }
    }
}

#[test]
#[ignore = "slow: 1,000 fits, some seconds"]
fn the_number_of_rows_is_within_what_is_stated_as_often_as_it_says() {
    let real = table(&[4, 3, 2], 300, scatter);
    for method in [
        Method::Independent,
        Method::Copula,
        Method::Mst,
        Method::Aim,
        Method::Mwem,
    ] {
        let within = (0..250).filter(|&seed| {
            let mut ledger = Ledger::open(LedgerOptions::new(
                Epsilon::new(0.2).unwrap(),
                Delta::new(1e-6).unwrap(),
                method.accounting(),
            ))
            .unwrap();
            let model = fit(
                &real,
                method,
                &Map::new(),
                PAIRS,
                &mut ledger,
                &mut testkit::noise(seed),
                &mut |_| ControlFlow::Continue(()),
            );
            let [low, high] = model.unwrap().row_count().between;
            (low..=high).contains(&300)
        });
        // 95 % less three standard deviations of how many that would be.
        let within = within.count();
        assert!(within >= 227, "{method}: {within}");
    }
}

#[test]
fn public_data_of_another_schema_is_refused_before_anything_is_spent() {
    let public = table(&[2, 2], 100, |r, _| r);
    let public = PublicPrior::dangerous_from_public_table(&public, DIGEST).unwrap();
    let real = table(&[2, 3], 100, |r, _| r);
    let mut ledger = ledger(1.0);
    let refused = fit_from(
        &real,
        GrainOptions::default().into(),
        Some(&public),
        PAIRS,
        &mut ledger,
        &mut testkit::noise(1),
        &mut |_| ControlFlow::Continue(()),
    );
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .starts_with("the public data has another schema: ")
    );
    assert_eq!(ledger.spent(), Rho::ZERO);
}

#[test]
fn the_estimate_of_the_number_of_rows_is_within_its_own_range_also_of_an_empty_table() {
    let empty = table(&[3, 4], 0, |_, _| 0);
    for method in [
        Method::Grain,
        Method::Independent,
        Method::Copula,
        Method::Mst,
        Method::Dpctgan,
        Method::Patectgan,
    ] {
        for epsilon in [0.05, 1.0, 30.0] {
            let rows = fitted(&empty, method, epsilon).row_count();
            let [low, high] = rows.between;
            assert!(
                (low..=high).contains(&rows.estimate),
                "{method}, {epsilon}: {rows:?}"
            );
        }
    }
}
