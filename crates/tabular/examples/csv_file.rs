//! How fast a CSV file becomes a coded table, and how much memory that takes beside the table
//! itself.
//!
//! `cargo run --release -p synclave-tabular --example csv_file TABLE.csv SCHEMA.yaml [KEY]`
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement for people"
)]

use std::fs::File;
use std::time::Instant;

use schema::{Declaration, Schema};
use tabular::{Joined, KeyHasher, ReadLimits, read_csv};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (path, key) = (&arguments[0], arguments.get(2).map(String::as_str));
    let yaml = std::fs::read_to_string(&arguments[1]).unwrap();
    let schema = Schema::new(Declaration::from_yaml(&yaml).unwrap()).unwrap();
    let file = File::open(path).unwrap();
    let megabytes = file.metadata().unwrap().len() as f64 / 1e6;

    let start = Instant::now();
    let limits = ReadLimits::default();
    let upload = read_csv(file, key, Some(&schema), &KeyHasher::new([9; 16]), &limits).unwrap();
    let rows = upload.rows();
    let read = start.elapsed().as_secs_f64();
    let table = Joined::single(upload).dangerous_into_coded();
    let code_bytes = |size: usize| match size {
        0..=256 => 1,
        257..=65_536 => 2,
        _ => 4,
    };
    let row_bytes: usize = table.schema().sizes().into_iter().map(code_bytes).sum();
    println!(
        "{rows} rows, {megabytes:.0} MB: read in {read:.2} s ({:.0} MB/s), ready after {:.2} s; \
         the table takes {:.0} MB",
        megabytes / read,
        start.elapsed().as_secs_f64(),
        (rows * row_bytes) as f64 / 1e6
    );
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        for line in status.lines().filter(|line| line.starts_with("VmHWM")) {
            println!("peak memory: {}", line.trim_start_matches("VmHWM:").trim());
        }
    }
}
