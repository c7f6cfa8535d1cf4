//! A model's file holds no row of the table: it is searched for all rows of a table of canaries, in
//! whatever way a program may have written their codes.
#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod common;

use std::ops::ControlFlow;

use privacy::{Delta, Epsilon, Ledger, LedgerOptions};
use schema::{Declaration, Schema};
use synthesis::Method;
use tabular::CodedTable;

use common::{PAIRS, fit, quick};

const COLUMNS: u32 = 6;
const ROWS: u32 = 60;

/// Codes from 24 on, which need more than the byte that says what they are.
fn code(row: u32, column: u32) -> u32 {
    24 + (row * 7919 + column * 104_729 + row * row * column) % 176
}

/// The rows, and the beginnings of the columns.
fn canaries() -> Vec<Vec<u32>> {
    let rows = (0..ROWS).map(|row| (0..COLUMNS).map(|column| code(row, column)).collect());
    let columns = (0..COLUMNS).map(|column| (0..COLUMNS).map(|row| code(row, column)).collect());
    rows.chain(columns).collect()
}

/// As CBOR, as integers of each width and order, as numbers, and as text.
fn written(codes: &[u32]) -> Vec<Vec<u8>> {
    let each = |bytes: &dyn Fn(u32) -> Vec<u8>| codes.iter().flat_map(|&it| bytes(it)).collect();
    let narrow = |code: u32| u8::try_from(code).unwrap();
    let texts: Vec<String> = codes.iter().map(u32::to_string).collect();
    vec![
        each(&|code| vec![0x18, narrow(code)]),
        each(&|code| vec![narrow(code)]),
        each(&|code| u16::from(narrow(code)).to_le_bytes().to_vec()),
        each(&|code| u16::from(narrow(code)).to_be_bytes().to_vec()),
        each(&|code| code.to_le_bytes().to_vec()),
        each(&|code| code.to_be_bytes().to_vec()),
        each(&|code| u64::from(code).to_le_bytes().to_vec()),
        each(&|code| f32::from(narrow(code)).to_le_bytes().to_vec()),
        each(&|code| [&[0xfa][..], &f32::from(narrow(code)).to_be_bytes()].concat()),
        texts.join(",").into_bytes(),
    ]
}

fn holds_a_canary(file: &[u8]) -> bool {
    let mut ways = canaries().into_iter().flat_map(|codes| written(&codes));
    ways.any(|way| {
        let is_here = |window: &[u8]| window[0] == way[0] && window == way;
        file.windows(way.len()).any(is_here)
    })
}

#[test]
fn no_models_file_holds_a_row_of_its_table() {
    let yaml: String = (0..COLUMNS)
        .map(|column| format!("c{column}: {{integer: {{min: 0, max: 199, bins: 200}}}}\n"))
        .collect();
    let schema = Schema::new(Declaration::from_yaml(&yaml).unwrap()).unwrap();
    let codes: Vec<Vec<u32>> = (0..COLUMNS)
        .map(|column| (0..ROWS).map(|row| code(row, column)).collect())
        .collect();
    let table = CodedTable::from_codes(schema, &codes).unwrap();
    for method in Method::all() {
        // So large an epsilon that no noise hides what is there.
        let (epsilon, delta) = (Epsilon::new(1e4).unwrap(), Delta::new(1e-9).unwrap());
        let options = LedgerOptions::new(epsilon, delta, method.accounting());
        let model = fit(
            &table,
            method,
            &quick(method),
            PAIRS,
            &mut Ledger::open(options).unwrap(),
            &mut testkit::noise(1),
            &mut |_| ControlFlow::Continue(()),
        )
        .unwrap();
        let mut file = Vec::new();
        model.save(&mut file).unwrap();
        assert!(!holds_a_canary(&file), "{method}");
    }
}

#[test]
fn the_search_finds_what_is_there() {
    let row = canaries().swap_remove(7);
    for way in written(&row) {
        assert!(holds_a_canary(&[&b"before"[..], &way, b"after"].concat()));
    }
    assert!(!holds_a_canary(b"before and after"));
}
