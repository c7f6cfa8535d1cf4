//! A table of a thousand columns.
#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod common;

use std::ops::ControlFlow;

use privacy::{Delta, Epsilon, Ledger, LedgerOptions};
use schema::{Declaration, Schema};
use serde_json::Map;
use synthesis::{Method, Model};
use tabular::CodedTable;

use common::{PAIRS, fit};

const COLUMNS: u32 = 1_000;
const ROWS: u32 = 5_000;

/// Looks random, and is the same every time.
fn scatter(a: u32, b: u32) -> u32 {
    let mut x = a.wrapping_mul(0x9E37_79B9) ^ b.wrapping_mul(0x85EB_CA6B).rotate_left(13);
    x = (x ^ x >> 16).wrapping_mul(0x7FEB_352D);
    x = (x ^ x >> 15).wrapping_mul(0x846C_A68B);
    x ^ x >> 16
}

/// Of ten columns each the first decides the others, but for one row in ten. Sizes are 2 to 9.
fn table() -> CodedTable {
    let size = |column: u32| 2 + column % 8;
    let yaml: String = (0..COLUMNS)
        .map(|i| format!("c{i}: {{integer: {{min: 1, max: {}}}}}\n", size(i)))
        .collect();
    let schema = Schema::new(Declaration::from_yaml(&yaml).unwrap()).unwrap();
    let cell = |row: u32, column: u32| {
        let leader = scatter(row, column / 10) % size(column / 10 * 10);
        match scatter(row, COLUMNS + column).is_multiple_of(10) {
            true => scatter(row, 2 * COLUMNS + column) % size(column),
            false => leader % size(column),
        }
    };
    let columns: Vec<Vec<u32>> = (0..COLUMNS)
        .map(|column| (0..ROWS).map(|row| cell(row, column)).collect())
        .collect();
    CodedTable::from_codes(schema, &columns).unwrap()
}

fn drawn(model: &Model, rows: u64) -> CodedTable {
    let mut columns = vec![Vec::new(); model.schema().columns().len()];
    let mut sample = model.sample(rows, Some(7));
    while let Some(chunk) = sample.next_chunk() {
        (columns.iter_mut().zip(chunk)).for_each(|(column, codes)| column.extend(codes));
    }
    CodedTable::from_codes(model.schema().clone(), &columns).unwrap()
}

/// Half the L1 distance of a pair's shares.
fn distance(a: &CodedTable, b: &CodedTable, pair: [usize; 2]) -> f64 {
    let shares = |table: &CodedTable| {
        let counts = table.counts(&pair).dangerous_reveal();
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
#[ignore = "slow: half a million pairs, twice"]
fn a_thousand_columns_get_a_model_of_related_pairs() {
    let real = table();
    for method in [Method::Mst, Method::Grain] {
        let options = LedgerOptions::new(
            Epsilon::new(100.0).unwrap(),
            Delta::new(1e-9).unwrap(),
            method.accounting(),
        );
        let model = fit(
            &real,
            method,
            &Map::new(),
            PAIRS,
            &mut Ledger::open(options).unwrap(),
            &mut testkit::noise(1),
            &mut |_| ControlFlow::Continue(()),
        )
        .unwrap();
        let synthetic = drawn(&model, 5_000);
        let mean = |pairs: &dyn Fn(usize) -> [usize; 2]| {
            let distances = (0..100).map(|i| distance(&real, &synthetic, pairs(i)));
            distances.sum::<f64>() / 100.0
        };
        let within = mean(&|i| [10 * i, 10 * i + 7]);
        let across = mean(&|i| [10 * i, 10 * i / 2 + 3]);
        println!("{method}: within {within:.3}, across {across:.3}");
        assert!(within < 0.15, "{method}: {within}");
        assert!(across < 0.15, "{method}: {across}");
    }
}
