//! No synthetic row is one that the schema declares impossible, whatever the data.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::ops::ControlFlow;

use privacy::{Accounting, Delta, Epsilon, Ledger, LedgerOptions};
use proptest::prelude::*;
use schema::{Condition, Declaration, Schema};
use serde_json::Map;
use synthesis::{FitPlan, Method, Model, MstOptions};
use tabular::CodedTable;

use common::{PAIRS, fit, quick};

const METHODS: [Method; 8] = [
    Method::Independent,
    Method::Copula,
    Method::Mst,
    Method::Aim,
    Method::Mwem,
    Method::Grain,
    Method::Dpctgan,
    Method::Patectgan,
];

fn schema(yaml: &str) -> Schema {
    Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap()
}

fn fitted(table: &CodedTable, method: Method, epsilon: f64) -> Model {
    let (epsilon, delta) = (Epsilon::new(epsilon).unwrap(), Delta::new(1e-9).unwrap());
    fit(
        table,
        method,
        &quick(method),
        PAIRS,
        &mut Ledger::open(LedgerOptions::new(epsilon, delta, Accounting::Zcdp)).unwrap(),
        &mut testkit::noise(1),
        &mut |_| ControlFlow::Continue(()),
    )
    .unwrap()
}

fn drawn(model: &Model, rows: u64) -> Vec<Vec<u32>> {
    let mut columns = vec![Vec::new(); model.schema().columns().len()];
    let mut sample = model.sample(rows, Some(7));
    while let Some(chunk) = sample.next_chunk() {
        (columns.iter_mut().zip(chunk)).for_each(|(column, codes)| column.extend(codes));
    }
    columns
}

/// How many rows some constraint does not allow.
fn violations(schema: &Schema, columns: &[Vec<u32>]) -> usize {
    let violates = |row: &usize| {
        schema.constraints().iter().any(|constraint| {
            let codes = constraint
                .columns()
                .iter()
                .map(|&column| columns[column][*row]);
            !constraint.allows(&codes.collect::<Vec<u32>>())
        })
    };
    (0..columns[0].len()).filter(violates).count()
}

/// Looks random, and is the same every time.
fn scatter(a: u32, b: u32) -> u32 {
    let mut x = a.wrapping_mul(0x9E37_79B9) ^ b.wrapping_mul(0x85EB_CA6B).rotate_left(13);
    x = (x ^ x >> 16).wrapping_mul(0x7FEB_352D);
    x = (x ^ x >> 15).wrapping_mul(0x846C_A68B);
    x ^ x >> 16
}

/// Zips determine cities, cities determine states; men are not pregnant, nor is anyone before 15 or
/// after 60. One row in ten of the data is made without regard to that.
fn people(rows: u32) -> CodedTable {
    let zips: Vec<String> = (0..60).map(|zip| format!("z{zip}")).collect();
    let cities: Vec<String> = (0..12).map(|city| format!("c{city}")).collect();
    let city_of: Vec<String> = (0..60).map(|zip| format!("z{zip}: c{}", zip / 5)).collect();
    let state_of: Vec<String> = (0..12)
        .map(|city| format!("c{city}: s{}", city / 4))
        .collect();
    let schema = schema(&format!(
        "
zip: {{categories: [{}]}}
sex: {{categories: [male, female]}}
city: {{categories: [{}], nullable: true}}
age: {{integer: {{min: 0, max: 99, bins: {{cuts: [15, 30, 45, 61]}}}}}}
pregnant: {{categories: [yes, no]}}
state: {{categories: [s0, s1, s2]}}
income: {{integer: {{min: 0, max: 9}}}}
constraints:
- impossible: {{sex: [male], pregnant: [yes]}}
- impossible: {{pregnant: [yes], age: [..14, 61..]}}
- determines: {{from: zip, to: city, map: {{{}}}}}
- determines: {{from: city, to: state, map: {{{}}}}}
",
        zips.join(", "),
        cities.join(", "),
        city_of.join(", "),
        state_of.join(", ")
    ));
    let row = |r: u32| {
        let wrong = scatter(r, 0).is_multiple_of(10);
        let zip = scatter(r, 1) % 7 * (scatter(r, 2) % 9);
        let (sex, age) = (scatter(r, 3) % 2, scatter(r, 4) % 5);
        let pregnant = sex == 1 && (1..4).contains(&age) && scatter(r, 5).is_multiple_of(4);
        let income = (zip + scatter(r, 6) % 3) % 10;
        match wrong {
            true => [
                zip,
                sex,
                scatter(r, 7) % 13,
                age,
                scatter(r, 8) % 2,
                scatter(r, 9) % 3,
                income,
            ],
            false => [
                zip,
                sex,
                zip / 5,
                age,
                u32::from(!pregnant),
                zip / 20,
                income,
            ],
        }
    };
    let rows: Vec<[u32; 7]> = (0..rows).map(row).collect();
    let columns: Vec<Vec<u32>> = (0..7)
        .map(|i| rows.iter().map(|row| row[i]).collect())
        .collect();
    CodedTable::from_codes(schema, &columns).unwrap()
}

#[test]
fn no_row_violates_what_is_declared_though_the_data_does() {
    let real = people(5_000);
    assert!(violations(real.schema(), &real.dangerous_codes()) > 100);
    for method in METHODS {
        // At the first nothing but columns can be measured.
        for epsilon in [1e-3, 0.1, 10.0] {
            let model = fitted(&real, method, epsilon);
            let rows = drawn(&model, 20_000);
            assert_eq!(
                violations(model.schema(), &rows),
                0,
                "{method} at {epsilon}"
            );
            let mut file = Vec::new();
            model.save(&mut file).unwrap();
            let again = Model::load(&file).unwrap();
            assert_eq!(drawn(&again, 20_000), rows);
        }
    }
}

/// Words and numbers of which one row in `each` is `other`; numbers may also be 9999, and none is
/// between that and the usual ones.
fn with_other(rows: u32, each: Option<u32>) -> CodedTable {
    let schema = schema(
        "
word: {categories: [x, y, z], other: true}
age: {integer: {min: 0, max: 9999, bins: {cuts: [20, 40, 60, 100, 9999]}}, other: true}
sex: {categories: [f, m]}
",
    );
    let column = |i: u32, codes: u32, of: fn(u32) -> u32| -> Vec<u32> {
        let code = |r: u32| match each {
            Some(each) if scatter(r, 10 + i).is_multiple_of(each) && i < 2 => codes,
            _ => of(r),
        };
        (0..rows).map(code).collect()
    };
    let columns = [
        column(0, 3, |r| scatter(r, 1) % 3),
        // Code 4 is what lies between 100 and 9998.
        column(1, 6, |r| [0, 1, 2, 3, 5][scatter(r, 2) as usize % 5]),
        column(2, 2, |r| scatter(r, 1) % 3 % 2),
    ];
    CodedTable::from_codes(schema, &columns).unwrap()
}

/// Up to 9 of 4,000 rows once were, of noise alone.
#[test]
fn no_row_is_other_or_in_a_gap_where_none_is_seen_to_be() {
    let having = |rows: &[Vec<u32>], column: usize, code: u32| {
        rows[column].iter().filter(|own| **own == code).count()
    };
    for method in METHODS {
        let model = fitted(&with_other(4_000, None), method, 3.0);
        let rows = drawn(&model, 4_000);
        let found = [(0, 3), (1, 6), (1, 4)].map(|(column, code)| having(&rows, column, code));
        assert_eq!(found, [0, 0, 0], "{method}");
        let columns = model.report().columns;
        assert_eq!([columns[0].other, columns[1].other], [Some(0.0), Some(0.0)]);
        let widest = columns[1].widest_bin.clone().unwrap();
        assert_eq!(widest.bin, "60 to 99", "{method}");

        let condition = Condition::parse("age in 20..70", model.schema()).unwrap();
        let given = model.given(&condition).unwrap();
        let mut sample = given.sample(2_000, Some(7));
        while let Some(chunk) = sample.next_chunk() {
            assert_eq!(having(&chunk, 0, 3), 0, "{method}");
        }

        let model = fitted(&with_other(4_000, Some(8)), method, 3.0);
        let rows = drawn(&model, 4_000);
        if method != Method::Dpctgan {
            let found = having(&rows, 1, 6);
            assert!((400..600).contains(&found), "{found} by {method}");
        }
    }
}

/// The distance of a pair's joint distribution in two tables of codes.
fn distance(a: &[Vec<u32>], b: &[Vec<u32>], pair: [usize; 2]) -> f64 {
    let share = |columns: &[Vec<u32>]| {
        let mut cells = std::collections::BTreeMap::new();
        for (x, y) in columns[pair[0]].iter().zip(&columns[pair[1]]) {
            *cells.entry((*x, *y)).or_insert(0.0) += 1.0 / columns[0].len() as f64;
        }
        cells
    };
    let (a, b) = (share(a), share(b));
    let cells: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
    let at = |of: &std::collections::BTreeMap<(u32, u32), f64>, cell| {
        of.get(cell).copied().unwrap_or(0.0)
    };
    cells
        .into_iter()
        .map(|cell| (at(&a, cell) - at(&b, cell)).abs())
        .sum::<f64>()
        / 2.0
}

#[test]
fn what_follows_from_another_column_is_right_without_being_measured() {
    let schema = schema(
        "
a: {integer: {min: 0, max: 19}}
b: {integer: {min: 0, max: 4}}
c: {integer: {min: 0, max: 4}}
constraints: [{determines: {from: a, to: b, map: {0..3: '0', 4..7: '1', 8..11: '2', 12..15: '3', \
16..19: '4'}}}]
",
    );
    let a: Vec<u32> = (0..20_000)
        .map(|r| scatter(r, 1) % 20 * (scatter(r, 2) % 20) / 20)
        .collect();
    let b: Vec<u32> = a.iter().map(|a| a / 4).collect();
    let c: Vec<u32> = a
        .iter()
        .zip(0..)
        .map(|(a, r)| {
            if scatter(r, 3).is_multiple_of(5) {
                0
            } else {
                a % 5
            }
        })
        .collect();
    let real = CodedTable::from_codes(schema, &[a, b, c]).unwrap();
    for method in METHODS {
        let rows = drawn(&fitted(&real, method, 2.0), 20_000);
        let follows = distance(&real.dangerous_codes(), &rows, [0, 1]);
        // Networks draw again what is forbidden, which bends the columns' shares where as much is.
        let networks = [Method::Dpctgan, Method::Patectgan];
        assert!(
            follows < 0.02 || networks.contains(&method),
            "{method}: {follows}"
        );
        // The tree still has room for the pair that the constraint says nothing about.
        let related = distance(&real.dangerous_codes(), &rows, [0, 2]);
        // A copula ties no column in a constraint.
        let loose = [Method::Independent, Method::Copula];
        assert_eq!(
            related < 0.03,
            !loose.contains(&method) && !networks.contains(&method),
            "{method}: {related}"
        );
    }
}

#[test]
fn constraints_that_no_model_could_hold_are_refused_before_anything_is_spent() {
    let columns: String = (0..6)
        .map(|i| format!("c{i}: {{integer: {{min: 0, max: 99, bins: 100}}}}\n"))
        .collect();
    let pairs: String = (0..6)
        .flat_map(|i| (0..i).map(move |j| (i, j)))
        .map(|(i, j)| format!("- impossible: {{c{i}: ['0'], c{j}: ['0']}}\n"))
        .collect();
    let schema = schema(&format!("{columns}constraints:\n{pairs}"));
    let table = CodedTable::from_codes(schema, &vec![vec![1]; 6]).unwrap();
    let mut ledger = Ledger::open(LedgerOptions::new(
        Epsilon::new(1.0).unwrap(),
        Delta::new(1e-9).unwrap(),
        Accounting::Zcdp,
    ))
    .unwrap();
    let before = ledger.remaining();
    let refused = fit(
        &table,
        Method::Mst,
        &Map::new(),
        PAIRS,
        &mut ledger,
        &mut testkit::noise(1),
        &mut |_| ControlFlow::Continue(()),
    );
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("constraints"), "{refused}");
    assert_eq!(ledger.remaining(), before);
}

#[test]
fn constraints_on_more_combinations_than_memory_holds_are_refused_even_for_a_small_model() {
    // Each pair of columns has 4,000,000 combinations, and no two pairs share a column.
    let refused = |pairs: u32| {
        let columns: String = (0..2 * pairs)
            .map(|i| format!("c{i}: {{integer: {{min: 0, max: 1999, bins: 2000}}}}\n"))
            .collect();
        let constraints: String = (0..pairs)
            .map(|i| {
                format!(
                    "- impossible: {{c{}: ['0'], c{}: ['0']}}\n",
                    2 * i,
                    2 * i + 1
                )
            })
            .collect();
        let plan = FitPlan::new(
            MstOptions::default(),
            Epsilon::new(1.0).unwrap(),
            Delta::new(1e-9).unwrap(),
        );
        let schema = schema(&format!("{columns}constraints:\n{constraints}"));
        plan.check(schema).map(drop)
    };
    assert_eq!(refused(4), Ok(()));
    assert_eq!(
        refused(5).unwrap_err().to_string(),
        "the constraints are about 20000000 combinations of their columns' values together, and at \
         most 16777216 fit into memory: \
         declare fewer constraints, or columns of fewer categories or bins"
    );
}

#[test]
fn constraints_within_the_columns_of_another_hold_as_well() {
    let columns: String = (0..4)
        .map(|i| format!("c{i}: {{integer: {{min: 0, max: 39, bins: 40}}}}\n"))
        .collect();
    let parts = [
        "c0: ['0'], c1: ['0']",
        "c2: ['0'], c3: ['0']",
        "c0: ['1'], c1: ['1'], c2: ['1']",
        "c1: ['2'], c2: ['2'], c3: ['2']",
        "c0: ['3'], c1: ['3'], c3: ['3']",
        "c0: ['4'], c2: ['4'], c3: ['4']",
        "c0: ['5'], c1: ['5'], c2: ['5'], c3: ['5']",
    ];
    let constraints: String = parts
        .map(|part| format!("- impossible: {{{part}}}\n"))
        .concat();
    let schema = schema(&format!("{columns}constraints:\n{constraints}"));
    let columns: Vec<Vec<u32>> = (0..4)
        .map(|i| (0..2000).map(|r| scatter(r, i) % 6).collect())
        .collect();
    let real = CodedTable::from_codes(schema, &columns).unwrap();
    let model = fitted(&real, Method::Independent, 10.0);
    assert_eq!(violations(model.schema(), &drawn(&model, 20_000)), 0);
}

fn declared_at_random() -> impl Strategy<Value = String> {
    let set = prop::sample::subsequence(vec![0_u32, 1, 2], 1..3);
    let columns = prop::sample::subsequence(vec![0_usize, 1, 2, 3, 4], 2..4);
    let impossible = columns.prop_flat_map(move |columns| {
        let sets = vec![set.clone(); columns.len()];
        (Just(columns), sets).prop_map(|(columns, sets)| {
            let parts = columns
                .iter()
                .zip(sets)
                .map(|(column, set)| format!("c{column}: {set:?}"));
            format!(
                "- impossible: {{{}}}\n",
                parts.collect::<Vec<String>>().join(", ")
            )
        })
    });
    let ends = prop::sample::subsequence(vec![0_usize, 1, 2, 3, 4], 2).prop_shuffle();
    let map = Just(vec![0_u32, 1, 2]).prop_shuffle();
    let determines = (ends, map).prop_map(|(ends, map)| {
        let (from, to) = (ends[0], ends[1]);
        let (x, y, z) = (map[0], map[1], map[2]);
        format!("- determines: {{from: c{from}, to: c{to}, map: {{0: {x}, 1: {y}, 2: {z}}}}}\n")
    });
    prop::collection::vec(prop_oneof![3 => impossible, 1 => determines], 1..6)
        .prop_map(|constraints| constraints.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_row_violates_random_constraints(
        constraints in declared_at_random(),
        seed: u32,
        rows in 1_u32..300,
    ) {
        let columns: String = (0..5)
            .map(|i| format!("c{i}: {{categories: [0, 1, 2]}}\n"))
            .collect();
        let yaml = format!("{columns}constraints:\n{constraints}");
        // What contradicts itself is refused, which is looked at elsewhere.
        let Ok(schema) = Schema::new(Declaration::from_yaml(&yaml).unwrap()) else {
            return Ok(());
        };
        let columns: Vec<Vec<u32>> = (0..5)
            .map(|i| (0..rows).map(|r| scatter(seed ^ r, i) % (1 + scatter(seed, i) % 3)).collect())
            .collect();
        let table = CodedTable::from_codes(schema, &columns).unwrap();
        for method in METHODS {
            let model = fitted(&table, method, 1.0);
            prop_assert_eq!(violations(model.schema(), &drawn(&model, 500)), 0, "{}", method);
        }
    }
}

#[test]
fn large_columns_under_constraints_are_related_at_coarse_levels() {
    let zips: Vec<String> = (0..100).map(|zip| format!("z{zip}")).collect();
    let cities: Vec<String> = (0..50).map(|city| format!("c{city}")).collect();
    let city_of: Vec<String> = (0..100)
        .map(|zip| format!("z{zip}: c{}", zip / 2))
        .collect();
    let schema = schema(&format!(
        "
zip: {{categories: [{}]}}
city: {{categories: [{}]}}
age: {{integer: {{min: 0, max: 119, bins: 120}}}}
job: {{integer: {{min: 0, max: 29, bins: 30}}}}
constraints:
- determines: {{from: zip, to: city, map: {{{}}}}}
- impossible: {{age: [..14], job: [0]}}
",
        zips.join(", "),
        cities.join(", "),
        city_of.join(", ")
    ));
    let column = |code: &dyn Fn(u32) -> u32| (0..8000).map(code).collect::<Vec<u32>>();
    let zip = |row: u32| scatter(row, 0) % 100;
    let age = |row: u32| (scatter(row, 1) % 20 + zip(row)).min(119);
    let columns = [
        column(&zip),
        column(&|row| zip(row) / 2),
        column(&age),
        column(&|row| 1 + age(row) / 5),
    ];
    let table = CodedTable::from_codes(schema.clone(), &columns).unwrap();
    let model = fitted(&table, Method::Grain, 3.0);
    let synthetic = drawn(&model, 8000);
    assert_eq!(violations(&schema, &synthetic), 0);
    let (ages, jobs) = (&synthetic[2], &synthetic[3]);
    let close = |&row: &usize| ages[row].abs_diff(5 * jobs[row]) < 15;
    let share = (0..8000).filter(close).count() as f64 / 8000.0;
    assert!(share > 0.6, "{share}");
}
