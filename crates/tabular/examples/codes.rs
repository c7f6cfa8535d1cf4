//! Writes a table as the integer codes of its declared schema, for a benchmark that compares other
//! programs on the same codes.
//!
//! ```text
//! cargo run --release -p synclave-tabular --example codes -- \
//!     TABLE.csv SCHEMA.yaml CODES.csv [DOMAIN.json]
//! ```
//!
//! The domain is a JSON object of each column's number of codes and whether their order means
//! something. Nothing private is kept: this is for tables that are public.
#![expect(clippy::print_stderr, reason = "a measurement for people")]

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write};

use schema::{Declaration, Kind, Schema};
use serde_json::{Map, json};
use tabular::{Joined, KeyHasher, ReadLimits, read_csv};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [table, schema, codes, rest @ ..] = arguments.as_slice() else {
        return Err("give the paths of a table, of its schema, and of the codes to write".into());
    };
    let schema = Schema::new(Declaration::from_yaml(&fs::read_to_string(schema)?)?)?;
    let hasher = KeyHasher::new([0; 16]);
    let upload = read_csv(
        File::open(table)?,
        None,
        Some(&schema),
        &hasher,
        &ReadLimits::default(),
    )?;
    for warning in upload.warnings() {
        eprintln!("note: {warning}");
    }
    let coded = Joined::single(upload).dangerous_into_coded();
    write_codes(codes, coded.schema(), &coded.dangerous_codes())?;
    if let Some(domain) = rest.first() {
        fs::write(domain, format!("{:#}\n", domain_of(coded.schema())))?;
    }
    Ok(())
}

fn write_codes(path: &str, schema: &Schema, columns: &[Vec<u32>]) -> Result<(), Box<dyn Error>> {
    let mut out = csv::Writer::from_writer(BufWriter::new(File::create(path)?));
    out.write_record(schema.columns().iter().map(|column| column.name()))?;
    for row in 0..columns.first().map_or(0, Vec::len) {
        out.write_record(columns.iter().map(|column| column[row].to_string()))?;
    }
    Ok(out.into_inner()?.flush()?)
}

fn domain_of(schema: &Schema) -> serde_json::Value {
    let described = schema.columns().iter().map(|column| {
        let ordered = !matches!(column.kind(), Kind::Categories(_));
        let codes = json!({"codes": column.size(), "ordered": ordered});
        (column.name().to_owned(), codes)
    });
    described.collect::<Map<_, _>>().into()
}
