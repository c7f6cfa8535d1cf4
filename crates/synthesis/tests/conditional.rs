//! Rows drawn given a condition, against rows that are drawn and thrown away.
#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod common;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use privacy::{Accounting, Delta, Epsilon, Ledger, LedgerOptions};
use schema::{Condition, Declaration, Schema};
use serde_json::Map;
use synthesis::{Method, Model, SampleStream};
use tabular::CodedTable;

use common::{PAIRS, fit};

/// Related columns; most towns are so rare that they share a code of the model.
fn model() -> Model {
    let towns: Vec<String> = (0..40).map(|i| format!("t{i}")).collect();
    let yaml = format!(
        "town: {{categories: [{}]}}\n\
         age: {{integer: {{min: 0, max: 99, bins: 10}}, nullable: true}}\n\
         income: {{number: {{min: 0, max: 800, bins: 8}}}}\n\
         since: {{date: {{min: 2000-01-01, max: 2019-12-31, bins: 5}}}}\n\
         value: {{categories: [good, fair, poor]}}\n",
        towns.join(", ")
    );
    let schema = Schema::new(Declaration::from_yaml(&yaml).unwrap()).unwrap();
    let scatter = |row: u32, salt: u32| {
        let x = (row.wrapping_mul(0x9E37_79B9) ^ salt.wrapping_mul(0x85EB_CA6B))
            .wrapping_mul(0x7FEB_352D);
        (x ^ x >> 15).wrapping_mul(0x846C_A68B) >> 8
    };
    let mut columns: Vec<Vec<u32>> = vec![Vec::new(); 5];
    for row in 0..8000 {
        let luck = scatter(row, 1) % 100;
        let town = if luck < 70 {
            luck % 2
        } else {
            scatter(row, 2) % 40
        };
        let age = (scatter(row, 3) % 8 + town % 4) % 11;
        let income = (age + scatter(row, 4) % 3) % 8;
        let since = (income / 2 + scatter(row, 5) % 2) % 5;
        let value = (town + scatter(row, 6) % 2) % 3;
        for (column, code) in columns.iter_mut().zip([town, age, income, since, value]) {
            column.push(code);
        }
    }
    let table = CodedTable::from_codes(schema, &columns).unwrap();
    let mut ledger = Ledger::open(LedgerOptions::new(
        Epsilon::new(1.0).unwrap(),
        Delta::new(1e-9).unwrap(),
        Accounting::Zcdp,
    ))
    .unwrap();
    let mut noise = testkit::noise(4);
    let mut go_on = |_| ControlFlow::Continue(());
    fit(
        &table,
        Method::Mst,
        &Map::new(),
        PAIRS,
        &mut ledger,
        &mut noise,
        &mut go_on,
    )
    .unwrap()
}

fn csv(mut sample: SampleStream) -> String {
    let mut out = Vec::new();
    sample.write_csv(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

struct Row {
    town: u32,
    age: Option<u32>,
    income: f64,
    since: String,
    value: String,
}

fn rows(csv: &str) -> Vec<Row> {
    let row = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        Row {
            town: fields[0][1..].parse().unwrap(),
            age: fields[1].parse().ok(),
            income: fields[2].parse().unwrap(),
            since: fields[3].to_owned(),
            value: fields[4].to_owned(),
        }
    };
    csv.lines().skip(1).map(row).collect()
}

/// Upper bound of a chi-square statistic, about five standard deviations above its mean.
fn bound(degrees: usize) -> f64 {
    degrees as f64 + 5.0 * (2.0 * degrees as f64).sqrt() + 10.0
}

/// Whether two samples have the same distribution of a key.
fn assert_alike(a: &[Row], b: &[Row], key: impl Fn(&Row) -> String) {
    let mut cells: BTreeMap<String, [f64; 2]> = BTreeMap::new();
    for (which, rows) in [a, b].into_iter().enumerate() {
        for row in rows {
            cells.entry(key(row)).or_default()[which] += 1.0;
        }
    }
    let (n, m) = (a.len() as f64, b.len() as f64);
    // Cells of few rows are taken together.
    let (often, seldom): (Vec<[f64; 2]>, Vec<[f64; 2]>) =
        cells.into_values().partition(|[a, b]| a + b >= 20.0);
    let rest = seldom
        .iter()
        .fold([0.0, 0.0], |sum, c| [sum[0] + c[0], sum[1] + c[1]]);
    let cells: Vec<[f64; 2]> = often
        .into_iter()
        .chain([rest])
        .filter(|c| c[0] + c[1] > 0.0)
        .collect();
    let term = |[a, b]: &[f64; 2]| (a * (m / n).sqrt() - b * (n / m).sqrt()).powi(2) / (a + b);
    let chi_square: f64 = cells.iter().map(term).sum();
    assert!(
        chi_square < bound(cells.len() - 1),
        "chi-square {chi_square} over {} cells",
        cells.len()
    );
}

#[test]
fn rows_given_a_condition_are_distributed_as_those_left_after_rejection() {
    const DRAWN: u64 = 400_000;
    let model = model();
    let drawn = rows(&csv(model.sample(DRAWN, Some(1))));
    type Holds = fn(&Row) -> bool;
    let conditions: [(&str, Holds); 5] = [
        ("value = good", |row| row.value == "good"),
        ("age in 25..42 and value != fair", |row| {
            row.age.is_some_and(|age| (25..=42).contains(&age)) && row.value != "fair"
        }),
        ("town in [t0, t9, t17, t33] and since < 2011-03-01", |row| {
            [0, 9, 17, 33].contains(&row.town) && row.since.as_str() < "2011-03-01"
        }),
        ("town in [t9, t17, t33, t21, t22, t23]", |row| {
            [9, 17, 33, 21, 22, 23].contains(&row.town)
        }),
        ("age is missing and income >= 130 and income < 620", |row| {
            row.age.is_none() && row.income >= 130.0 && row.income < 620.0
        }),
    ];
    for (text, holds) in conditions {
        let condition = Condition::parse(text, model.schema()).unwrap();
        let given = model.given(&condition).unwrap();
        let found = rows(&csv(given.sample(30_000, Some(2))));
        assert_eq!(found.len(), 30_000);
        assert!(found.iter().all(holds), "{text}");
        let left: Vec<Row> = rows(&csv(model.sample(DRAWN, Some(3))))
            .into_iter()
            .filter(holds)
            .collect();
        let both = drawn.iter().filter(|row| holds(row)).count() as f64 / DRAWN as f64;
        let p = given.probability();
        let spread = (p * (1.0 - p) / DRAWN as f64).sqrt();
        assert!(
            (both - p).abs() < 6.0 * spread,
            "{text}: {both} of the rows, probability {p}"
        );
        assert!(left.len() > 1000, "{text}: too few to compare");
        assert_alike(&found, &left, |row| row.town.to_string());
        assert_alike(&found, &left, |row| {
            format!("{:?} {}", row.age.map(|age| age / 5), row.value)
        });
        assert_alike(&found, &left, |row| {
            format!("{} {}", row.income.div_euclid(50.0), &row.since[..4])
        });
        assert_alike(&found, &left, |row| {
            format!("{} {:?}", row.town, row.age.map(|age| age / 10))
        });
    }
}

#[test]
fn a_seed_gives_the_same_rows_whatever_the_number_of_threads() {
    let model = model();
    let condition = Condition::parse("age in 25..42 and town != t0", model.schema()).unwrap();
    let with_threads = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let given = model.given(&condition).unwrap();
            let conditional = csv(given.sample(60_000, Some(7)));
            (conditional, csv(model.sample(60_000, Some(7))))
        })
    };
    let once = with_threads(1);
    assert!(
        once == with_threads(4),
        "the number of threads changes the rows"
    );
    assert!(once == with_threads(1), "a seed does not repeat the rows");
    let given = model.given(&condition).unwrap();
    assert!(
        once.0 != csv(given.sample(60_000, Some(8))),
        "another seed, the same rows"
    );
    assert!(csv(given.sample(100, None)) != csv(given.sample(100, None)));
}

#[test]
fn the_probability_says_how_many_rows_to_expect() {
    let model = model();
    let check = |text: &str, expected: std::ops::Range<f64>| {
        let condition = Condition::parse(text, model.schema()).unwrap();
        let given = model.given(&condition).unwrap();
        assert!(
            expected.contains(&given.probability()),
            "{text}: {}",
            given.probability()
        );
        let rows = given.probability() * model.default_rows() as f64;
        assert!(
            (given.default_rows() as f64 - rows).abs() <= 1.0,
            "{text}: {}",
            given.default_rows()
        );
    };
    check("income <= 800", 1.0..1.000_001);
    check("value = good", 0.2..0.45);
    check(
        "age = 55 and income < 0.1 and since = 2000-01-01",
        0.0..1e-4,
    );
}
