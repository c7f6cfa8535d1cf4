//! What tables of many columns cost: in a process of its own, since it is the process's time that
//! is measured.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod common;

use std::ops::ControlFlow;

use privacy::{Delta, Epsilon, Ledger, LedgerOptions};
use schema::{Declaration, Schema};
use serde_json::Map;
use synthesis::Method;
use tabular::CodedTable;

use common::{PAIRS, fit};

/// Looks random, and is the same every time.
fn scatter(a: u32, b: u32) -> u32 {
    let mut x = a.wrapping_mul(0x9E37_79B9) ^ b.wrapping_mul(0x85EB_CA6B).rotate_left(13);
    x = (x ^ x >> 16).wrapping_mul(0x7FEB_352D);
    x = (x ^ x >> 15).wrapping_mul(0x846C_A68B);
    x ^ x >> 16
}

/// Of ten columns each the first decides the others, but for one row in ten.
fn wide(columns: u32, rows: u32) -> CodedTable {
    let size = |column: u32| [2, 9, 32, 100][column as usize % 4];
    let yaml: String = (0..columns)
        .map(|i| {
            let last = size(i) - 1;
            format!("c{i}: {{integer: {{min: 0, max: {last}, bins: 100}}}}\n")
        })
        .collect();
    let cell = |row: u32, column: u32| match scatter(row, columns + column).is_multiple_of(10) {
        true => scatter(row, 2 * columns + column) % size(column),
        false => scatter(row, column / 10) % size(column),
    };
    let codes: Vec<Vec<u32>> = (0..columns)
        .map(|column| (0..rows).map(|row| cell(row, column)).collect())
        .collect();
    CodedTable::from_codes(schema(&yaml), &codes).unwrap()
}

/// Binary columns, of which no two neighbours are both 1, as constraints say.
fn chained(columns: u32, rows: u32) -> CodedTable {
    let mut yaml: String = (0..columns)
        .map(|i| format!("c{i}: {{categories: [\"0\", \"1\"]}}\n"))
        .collect();
    yaml += "constraints:\n";
    for i in 1..columns {
        let before = i - 1;
        yaml += &format!("- impossible: {{c{before}: [\"1\"], c{i}: [\"1\"]}}\n");
    }
    let mut codes: Vec<Vec<u32>> = Vec::new();
    for column in 0..columns {
        let before = codes.last().cloned();
        let code = |row: u32| match &before {
            Some(before) if before[row as usize] == 1 => 0,
            _ => scatter(row, column) % 2,
        };
        codes.push((0..rows).map(code).collect());
    }
    CodedTable::from_codes(schema(&yaml), &codes).unwrap()
}

fn schema(yaml: &str) -> Schema {
    Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap()
}

/// User and system time of all threads of the process until now.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit(')').next().unwrap().split_whitespace();
    let ticks: f64 = fields
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<f64>().unwrap())
        .sum();
    ticks / 100.0
}

/// Each of these took from a quarter of a minute to several, on a machine on which they now take
/// some seconds.
#[test]
#[ignore = "slow: fits of hundreds and thousands of columns"]
fn many_columns_take_seconds() {
    let cases = [
        ("1,000 columns", Method::Grain, wide(1000, 500)),
        ("1,000 columns", Method::Copula, wide(1000, 500)),
        ("constraints", Method::Grain, chained(120, 1000)),
        ("constraints", Method::Copula, chained(120, 1000)),
        ("constraints", Method::Mwem, chained(120, 1000)),
        ("constraints", Method::Aim, chained(120, 1000)),
    ];
    for (name, method, table) in cases {
        let options = LedgerOptions::new(
            Epsilon::new(1.0).unwrap(),
            Delta::new(1e-9).unwrap(),
            method.accounting(),
        );
        let before = cpu_seconds();
        let model = fit(
            &table,
            method,
            &Map::new(),
            PAIRS,
            &mut Ledger::open(options).unwrap(),
            &mut testkit::noise(1),
            &mut |_| ControlFlow::Continue(()),
        );
        model
            .unwrap()
            .sample(500, Some(1))
            .write_csv(&mut std::io::sink())
            .unwrap();
        let taken = cpu_seconds() - before;
        println!("{name}, {method}: {taken:.1} CPU seconds");
        assert!(taken < 40.0, "{name}, {method}: {taken:.1} CPU seconds");
    }
}
