use std::ops::ControlFlow;

use privacy::{Delta, Epsilon, Ledger, LedgerOptions, Mechanism as Spent};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use schema::{Condition, Declaration, Schema};
use serde_json::Map;
use tabular::{CodedTable, Joined, KeyHasher, ReadLimits, read_csv};

use super::*;
use crate::common::{PAIRS, fit};
use crate::{FitPlan, Method, Model};

const ROWS: usize = 20_000;

/// Two numbers of a correlation of about .8, one that follows the first downwards, a truth value
/// that follows the first, and an unordered column.
const COLUMNS: &str = "a: {integer: {min: 0, max: 19}}\nb: {number: {min: 0, max: 1, bins: 30}}\n\
                       c: {integer: {min: 0, max: 9}}\nd: {boolean: true}\n\
                       e: {categories: [x, y, z]}\n";

fn table(extra: &str, rows: usize) -> CodedTable {
    let schema = Schema::new(Declaration::from_yaml(&format!("{COLUMNS}{extra}")).unwrap());
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut normal = || -> f64 {
        let uniform = |rng: &mut ChaCha8Rng| f64::from(rng.next_u32()) / 2.0_f64.powi(32);
        (0..12).map(|_| uniform(&mut rng)).sum::<f64>() - 6.0
    };
    let mut columns = vec![Vec::new(); 5];
    for row in 0..rows {
        let a = normal();
        let of = |share: f64, noise: f64| share * a + (1.0 - share * share).sqrt() * noise;
        let (b, c, d) = (of(0.8, normal()), of(-0.5, normal()), of(0.6, normal()));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a code"
        )]
        let code = |z: f64, size: f64| (normal::cdf(z) * size).min(size - 1.0) as u32;
        columns[0].push(code(a, 20.0));
        columns[1].push(code(b, 30.0));
        columns[2].push(code(c, 10.0));
        columns[3].push(u32::from(d > 0.8));
        columns[4].push(u32::try_from(row % 3).unwrap());
    }
    CodedTable::from_codes(schema.unwrap(), &columns).unwrap()
}

fn fitted(table: &CodedTable, epsilon: f64) -> Model {
    let method = Method::Copula;
    let mut ledger = Ledger::open(LedgerOptions::new(
        Epsilon::new(epsilon).unwrap(),
        Delta::new(1e-6).unwrap(),
        method.accounting(),
    ))
    .unwrap();
    let mut go_on = |_| ControlFlow::Continue(());
    let noise = &mut testkit::noise(5);
    fit(
        table,
        method,
        &Map::new(),
        PAIRS,
        &mut ledger,
        noise,
        &mut go_on,
    )
    .unwrap()
}

fn drawn(model: &Model, rows: u64) -> CodedTable {
    let mut sample = model.sample(rows, Some(3));
    let mut columns = vec![Vec::new(); model.schema().columns().len()];
    while let Some(chunk) = sample.next_chunk() {
        columns
            .iter_mut()
            .zip(chunk)
            .for_each(|(all, codes)| all.extend(codes));
    }
    CodedTable::from_codes(model.schema().clone(), &columns).unwrap()
}

/// Half the L1 distance of shares.
fn distance(a: &CodedTable, b: &CodedTable, columns: &[usize]) -> f64 {
    let shares = |table: &CodedTable| {
        let counts = table.counts(columns).dangerous_reveal();
        let rows = f64::from(counts.iter().sum::<u32>());
        counts.into_iter().map(move |count| f64::from(count) / rows)
    };
    shares(a)
        .zip(shares(b))
        .map(|(a, b)| (a - b).abs())
        .sum::<f64>()
        / 2.0
}

#[test]
fn relations_of_ordered_columns_come_back_and_the_report_says_what_they_gave() {
    let real = table("", ROWS);
    let model = fitted(&real, 2.0);
    let synthetic = drawn(&model, 60_000);
    for columns in [[0, 1], [0, 2], [0, 3], [1, 2], [2, 3]] {
        let found = distance(&real, &synthetic, &columns);
        assert!(found < 0.08, "{columns:?}: {found}");
    }
    for column in 0..5 {
        let found = distance(&real, &synthetic, &[column]);
        assert!(found < 0.01, "{column}: {found}");
    }
    let report = model.report();
    let compared = report.errors.unwrap().against_independent.unwrap();
    assert_eq!(compared.pairs, 10);
    assert!(
        compared.is_better() && compared.model < 0.7 * compared.independent,
        "{compared:?}"
    );
    let [only] = report.warnings.as_slice() else {
        panic!("{:?}", report.warnings)
    };
    assert!(
        only.starts_with("1 of 5 columns (`e`) are drawn without regard"),
        "{only}"
    );
}

#[test]
fn columns_that_are_not_related_are_said_to_gain_nothing() {
    let schema = Schema::new(Declaration::from_yaml(COLUMNS).unwrap()).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut column = |size: u32| (0..5000).map(|_| rng.next_u32() % size).collect();
    let columns: Vec<Vec<u32>> = [20, 30, 10, 2, 3].into_iter().map(&mut column).collect();
    let table = CodedTable::from_codes(schema, &columns).unwrap();
    let warnings = fitted(&table, 1.0).report().warnings;
    assert!(
        warnings
            .iter()
            .any(|it| it.contains("COPULA gained nothing here")),
        "{warnings:?}"
    );
}

#[test]
fn the_pairs_of_the_model_are_those_of_its_rows() {
    let model = fitted(&table("", ROWS), 3.0);
    let synthetic = drawn(&model, 200_000);
    let errors = model.errors.as_ref().unwrap();
    let related = errors
        .marginals
        .iter()
        .filter(|it| it.distance < it.independent.unwrap());
    for error in related {
        let text = |code: [usize; 2]| {
            let [a, b] = [0, 1].map(|i| {
                let column = &model.schema().columns()[error.columns.attributes()[i]];
                format!("{} = '{}'", column.name(), column.label(code[i]))
            });
            Condition::parse(&format!("{a} and {b}"), model.schema())
        };
        // The first cell that a condition can name.
        let Ok(condition) = text([0, 0]) else {
            continue;
        };
        let counts = synthetic
            .counts(error.columns.attributes())
            .dangerous_reveal();
        let found = f64::from(counts[0]) / 200_000.0;
        let stated = model
            .given(&condition)
            .map_or(0.0, |given| given.probability());
        assert!(
            (found - stated).abs() < 0.002,
            "{}: {found}, {stated}",
            condition.text()
        );
    }
}

#[test]
fn rows_under_a_condition_satisfy_it_and_are_distributed_as_those_of_all_that_do() {
    let model = fitted(&table("", ROWS), 3.0);
    let all = drawn(&model, 300_000);
    for (text, kept) in [
        (
            "a >= 15",
            (|codes: &[u32]| codes[0] >= 15) as fn(&[u32]) -> bool,
        ),
        ("a >= 12 and b < 0.5", |codes| {
            codes[0] >= 12 && codes[1] < 15
        }),
        ("a < 8 and c >= 4 and d = false and e = y", |codes| {
            codes[0] < 8 && codes[2] >= 4 && codes[3] == 0 && codes[4] == 1
        }),
    ] {
        let condition = Condition::parse(text, model.schema()).unwrap();
        let given = model.given(&condition).unwrap();
        let mut sample = given.sample(30_000, Some(4));
        let mut columns = vec![Vec::new(); 5];
        while let Some(chunk) = sample.next_chunk() {
            columns
                .iter_mut()
                .zip(chunk)
                .for_each(|(all, codes)| all.extend(codes));
        }
        let rows = |columns: &[Vec<u32>]| -> Vec<Vec<u32>> {
            (0..columns[0].len())
                .map(|row| columns.iter().map(|column| column[row]).collect())
                .collect()
        };
        assert!(rows(&columns).iter().all(|row| kept(row)), "{text}");
        let mut sample = model.sample(300_000, Some(3));
        let mut filtered = vec![Vec::new(); 5];
        while let Some(chunk) = sample.next_chunk() {
            for row in rows(&chunk).into_iter().filter(|row| kept(row)) {
                filtered
                    .iter_mut()
                    .zip(row)
                    .for_each(|(column, code)| column.push(code));
            }
        }
        let share = filtered[0].len() as f64 / 300_000.0;
        let stated = given.probability();
        assert!(
            (share / stated - 1.0).abs() < 0.05,
            "{text}: {share}, {stated}"
        );
        let [given, filtered] = [columns, filtered]
            .map(|codes| CodedTable::from_codes(model.schema().clone(), &codes).unwrap());
        for columns in [[0, 1], [0, 2], [1, 2], [2, 3], [3, 4]] {
            // Chance between two samples of so many rows; the truth is 0.
            let found = distance(&given, &filtered, &columns);
            assert!(found < 0.06, "{text}, {columns:?}: {found}");
        }
    }
    assert_eq!(all.rows_per_id().get(), 1);
}

#[test]
fn a_condition_that_hardly_any_row_satisfies_ends_and_is_satisfied() {
    let model = fitted(&table("", ROWS), 3.0);
    let condition = Condition::parse("a = 19 and b < 0.04 and c = 9", model.schema()).unwrap();
    let given = model.given(&condition).unwrap();
    assert!(given.probability() > 0.0 && given.probability() < 1e-4);
    let mut sample = given.sample(200, Some(1));
    let chunk = sample.next_chunk().unwrap();
    assert!(chunk[0].iter().all(|&code| code == 19) && chunk[2].iter().all(|&code| code == 9));
    assert!(chunk[1].iter().all(|&code| code <= 1));
}

#[test]
fn columns_in_constraints_keep_them_and_are_not_tied() {
    let constraint = "constraints: [{impossible: {a: [0..9], d: ['false']}}]\n";
    let real = table(constraint, ROWS);
    let model = fitted(&real, 1.0);
    assert_eq!(model.generator.unrelated(), [0, 3, 4]);
    let synthetic = drawn(&model, 20_000);
    let counts = synthetic.counts(&[0, 3]).dangerous_reveal();
    assert!((0..10).all(|a| counts[2 * a] == 0), "{counts:?}");
    let mut bytes = Vec::new();
    model.save(&mut bytes).unwrap();
    assert!(Model::load(&bytes).is_ok());
}

#[test]
fn a_single_row_is_drawn_with_its_relations() {
    let model = fitted(&table("", ROWS), 3.0);
    let mut same_side = 0;
    for seed in 0..400 {
        let chunk = model.sample(1, Some(seed)).next_chunk().unwrap();
        same_side += u32::from((chunk[0][0] >= 10) == (chunk[1][0] >= 15));
    }
    // A correlation of .8 gives 80 %, independence 50 %.
    assert!((290..350).contains(&same_side), "{same_side}");
}

#[test]
fn a_file_holds_no_id_and_no_value_of_a_row() {
    let id = |row: u32| format!("canary-{row}-{:x}", row.wrapping_mul(0x9E37_79B9));
    let value = |row: u32| f64::from(row) / 200.0 + 0.000_123_456_7;
    let rows = (0..200).map(|row| format!("{},{},{}\n", id(row), value(row), row % 60));
    let text = format!("id,a,b\n{}", rows.collect::<String>());
    let yaml = "a: {number: {min: 0, max: 2, bins: 8}}\nb: {integer: {min: 0, max: 59}}\n";
    let schema = Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap();
    let (hasher, limits) = (KeyHasher::new([1; 16]), ReadLimits::default());
    let upload = read_csv(text.as_bytes(), Some("id"), Some(&schema), &hasher, &limits).unwrap();
    let plan = FitPlan::new(
        Method::Copula,
        Epsilon::new(5.0).unwrap(),
        Delta::new(1e-6).unwrap(),
    );
    let plan = plan.check(schema).unwrap();
    let mut go_on = |_| ControlFlow::Continue(());
    let model = plan
        .fit(Joined::single(upload), &mut testkit::noise(2), &mut go_on)
        .unwrap();
    let mut file = Vec::new();
    model.save(&mut file).unwrap();
    let holds = |canary: &[u8]| file.windows(canary.len()).any(|bytes| bytes == canary);
    assert!(
        holds(b"copula") && holds(b"number"),
        "the search finds what is there"
    );
    for row in 0..200 {
        let hidden = [id(row).into_bytes(), value(row).to_string().into_bytes()];
        let hidden = hidden
            .into_iter()
            .chain([value(row).to_be_bytes().to_vec()]);
        hidden.for_each(|canary| assert!(!holds(&canary), "row {row}"));
    }
}

#[test]
fn what_was_measured_of_signs_is_within_its_noise() {
    let real = table("", ROWS);
    let mut ledger = Ledger::open(LedgerOptions::new(
        Epsilon::new(1.0).unwrap(),
        Delta::new(1e-6).unwrap(),
        Method::Copula.accounting(),
    ))
    .unwrap();
    let mut rng = testkit::noise(8);
    let mut go_on = |_| ControlFlow::Continue(());
    let mut run = Run::new(&real, &mut ledger, &mut rng, &mut go_on).unwrap();
    let columns = Columns::measure(&mut run, Rho::try_from(0.0078125).unwrap()).unwrap();
    let field = columns.independent(&mut run).unwrap();
    let independent = RandomField {
        compressions: columns.compressions.into(),
        coarse: Vec::new(),
        field,
    };
    let related = related(run.schema());
    assert_eq!(related, [0, 1, 2, 3]);
    let rho = Rho::try_from(0.00390625).unwrap();
    let signs = Signs::measure(&mut run, &independent, &related, rho).unwrap();
    assert!((signs.sigma - (6.0_f64 / (2.0 * 0.00390625)).sqrt()).abs() < 1e-9);
    let last = ledger.entries().last().unwrap();
    assert!(matches!(
        last.mechanism(),
        Spent::GaussianScores { scores: 6, .. }
    ));
    let pairs = (0..4).flat_map(|a| (0..a).map(move |b| [b, a]));
    for ([b, a], sum) in pairs.zip(&signs.sums) {
        let counts = real.counts(&[related[b], related[a]]).dangerous_reveal();
        let size = real.schema().sizes()[related[a]];
        let exact: i64 = (0..)
            .zip(counts)
            .fold(0, |exact, (cell, count): (usize, u32)| {
                let above = |code: usize, column: usize| code >= signs.cuts[column] as usize;
                match above(cell / size, b) == above(cell % size, a) {
                    true => exact + i64::from(count),
                    false => exact - i64::from(count),
                }
            });
        assert!(
            (exact as f64 - sum).abs() < 4.0 * signs.sigma,
            "{a} {b}: {exact} {sum}"
        );
    }
}
