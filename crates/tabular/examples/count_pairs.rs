//! CPU seconds for all pair marginals of a made-up table with the sizes of a census extract: most
//! columns have 2 to 30 codes, a few have 100.
//!
//! `cargo run --release -p synclave-tabular --example count_pairs [ROWS [COLUMNS]]`
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement for people"
)]

use std::hint::black_box;
use std::time::Instant;

use schema::{Declaration, Schema};
use tabular::{CodedTable, Recoding};

const SIZES: [usize; 20] = [
    2, 9, 3, 12, 6, 2, 24, 100, 4, 7, 17, 2, 30, 5, 10, 3, 14, 8, 20, 5,
];
const RUNS: u32 = 3;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|x| x.parse().unwrap());
    let rows: usize = arguments.next().unwrap_or(1_000_000);
    let columns: usize = arguments.next().unwrap_or(81);
    let sizes: Vec<usize> = SIZES.iter().copied().cycle().take(columns).collect();
    let table = made_up(&sizes, rows);
    let pairs: Vec<Vec<usize>> = (0..columns)
        .flat_map(|i| (0..i).map(move |j| vec![j, i]))
        .collect();
    let cells: usize = pairs
        .iter()
        .map(|pair| sizes[pair[0]] * sizes[pair[1]])
        .sum();
    println!(
        "{rows} rows, {columns} columns, {} pairs, {cells} cells",
        pairs.len()
    );
    report("all pairs", || drop(black_box(table.counts_of(&pairs))));

    let halved: Vec<usize> = sizes.iter().map(|size| size.div_ceil(2)).collect();
    let halves = sizes.iter().map(|&size| {
        (0..u32::try_from(size).unwrap())
            .map(|code| code / 2)
            .collect()
    });
    let recoding = Recoding::new(table.schema(), halves.collect(), halved);
    report("all pairs, recoded to half the codes", || {
        drop(black_box(table.recoded_counts_of(&recoding, &pairs)))
    });
}

/// Columns that each take after the one before, with small codes more frequent.
fn made_up(sizes: &[usize], rows: usize) -> CodedTable {
    let yaml: String = (0..)
        .zip(sizes)
        .map(|(i, size)| format!("c{i}: {{integer: {{min: 1, max: {size}, bins: {size}}}}}\n"))
        .collect();
    let schema = Schema::new(Declaration::from_yaml(&yaml).unwrap()).unwrap();
    let mut state: u64 = 1;
    let mut below = move |bound: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((state >> 33) % bound as u64).unwrap()
    };
    let mut columns: Vec<Vec<u32>> = Vec::new();
    for &size in sizes {
        let code = |row: usize| match columns.last() {
            Some(before) if below(3) == 0 => before[row] % u32::try_from(size).unwrap(),
            _ => below(size).min(below(size)),
        };
        columns.push((0..rows).map(code).collect());
    }
    CodedTable::from_codes(schema, &columns).unwrap()
}

/// Prints the mean of a few runs, in CPU seconds of all threads and seconds on the clock.
fn report(what: &str, mut run: impl FnMut()) {
    let (clock, cpu) = (Instant::now(), cpu_seconds());
    (0..RUNS).for_each(|_| run());
    let cpu = (cpu_seconds() - cpu) / f64::from(RUNS);
    let clock = clock.elapsed().as_secs_f64() / f64::from(RUNS);
    println!(
        "{what}: {cpu:.2} s CPU, {clock:.2} s on {} threads",
        std::thread::available_parallelism().unwrap()
    );
}

/// CPU time of all threads of this process, user and system, where the system tells it.
fn cpu_seconds() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten();
    let nanoseconds = tasks.filter_map(|task| {
        let schedule = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        schedule.split(' ').next()?.parse::<f64>().ok()
    });
    nanoseconds.sum::<f64>() / 1e9
}
