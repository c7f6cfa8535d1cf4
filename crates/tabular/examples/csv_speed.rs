//! How fast a CSV file of a million rows and ten columns becomes codes, on one core, and how fast
//! the rest goes.
//!
//! `cargo run --release -p synclave-tabular --example csv_speed [ROWS]`
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement for people"
)]

use std::fmt::Write;
use std::hint::black_box;
use std::time::{Duration, Instant};

use schema::{Declaration, Schema};
use tabular::{CodedTable, Joined, KeyHasher, ReadLimits, read_csv};

const DECLARED: &str = "
age: {integer: {min: 0, max: 120}}
visits: {integer: {min: 0, max: 1000, bins: 20}}
plan: {categories: [basic, standard, premium, none]}
region: {categories: [north, north-east, east, south-east, south, south-west, west, north-west]}
smoker: {categories: [yes, no], nullable: true}
income: {number: {min: 0, max: 1e6}}
weight: {number: {min: 30, max: 200}, nullable: true}
score: {number: {min: -1, max: 1}}
joined: {date: {min: 2000-01-01, max: 2026-12-31}}
";

fn main() {
    let rows = std::env::args()
        .nth(1)
        .map_or(1_000_000, |rows| rows.parse().unwrap());
    let csv = table(rows);
    let schema = Schema::new(Declaration::from_yaml(DECLARED).unwrap()).unwrap();
    let (hasher, limits) = (KeyHasher::new([9; 16]), ReadLimits::default());
    println!("{rows} rows, 10 columns, {:.1} MB", csv.len() as f64 / 1e6);

    let declared =
        || read_csv(csv.as_bytes(), Some("id"), Some(&schema), &hasher, &limits).unwrap();
    report("read CSV, declared", csv.len(), || {
        drop(black_box(declared()))
    });
    let undeclared = || read_csv(csv.as_bytes(), Some("id"), None, &hasher, &limits).unwrap();
    report("read CSV, undeclared", csv.len(), || {
        drop(black_box(undeclared()))
    });

    let mut pairs: Vec<_> = (0..3)
        .map(|_| vec![("A".to_owned(), declared()), ("B".to_owned(), declared())])
        .collect();
    report("join two such tables", 0, || {
        drop(black_box(Joined::join(pairs.pop().unwrap())))
    });

    count_pairs(&Joined::single(declared()).dangerous_into_coded(), rows);
    count_pairs(&like_adult(), ADULT_ROWS);
}

fn count_pairs(table: &CodedTable, rows: u64) {
    let columns = table.schema().columns().len();
    let pairs: Vec<Vec<usize>> = (0..columns)
        .flat_map(|i| (0..i).map(move |j| vec![j, i]))
        .collect();
    report(
        &format!("count all {} pairs of {rows} rows", pairs.len()),
        0,
        || drop(black_box(table.counts_of(&pairs))),
    );
}

const ADULT_ROWS: u64 = 39_074;

/// As many rows and codes as the Adult table has.
fn like_adult() -> CodedTable {
    let sizes = [85, 9, 100, 16, 7, 15, 6, 5, 2, 100, 100, 99, 42, 2];
    let yaml: String = (0..).zip(sizes).fold(String::new(), |yaml, (i, size)| {
        yaml + &format!("c{i}: {{integer: {{min: 1, max: {size}, bins: {size}}}}}\n")
    });
    let schema = Schema::new(Declaration::from_yaml(&yaml).unwrap()).unwrap();
    let mut below = dice();
    let columns: Vec<Vec<u32>> = sizes
        .iter()
        .map(|&size| {
            (0..ADULT_ROWS)
                .map(|_| u32::try_from(below(size).min(below(size))).unwrap())
                .collect()
        })
        .collect();
    CodedTable::from_codes(schema, &columns).unwrap()
}

/// Made-up numbers below what is asked for.
fn dice() -> impl FnMut(u64) -> u64 {
    let mut state: u64 = 1;
    move |below| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    }
}

/// Prints the best of three, in CPU seconds of this thread and seconds on the clock.
fn report(what: &str, bytes: usize, mut run: impl FnMut()) {
    let runs = 3;
    let best = (0..runs)
        .map(|_| {
            let (clock, cpu) = (Instant::now(), cpu_time());
            run();
            let clock = clock.elapsed();
            (
                cpu_time()
                    .zip(cpu)
                    .map_or(clock, |(after, before)| after - before),
                clock,
            )
        })
        .min()
        .unwrap();
    let (cpu, clock) = (best.0.as_secs_f64(), best.1.as_secs_f64());
    if bytes > 0 {
        println!(
            "{what}: {cpu:.3} s CPU, {clock:.3} s, {:.0} MB/s of CPU time",
            bytes as f64 / 1e6 / cpu
        );
    } else {
        println!(
            "{what}: {clock:.3} s on {} threads",
            std::thread::available_parallelism().unwrap()
        );
    }
}

/// CPU time of this thread, where the system tells it.
fn cpu_time() -> Option<Duration> {
    let schedule = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(
        schedule.split(' ').next()?.parse().ok()?,
    ))
}

fn table(rows: u64) -> String {
    let mut below = dice();
    let mut csv = String::from("id,age,visits,plan,region,smoker,income,weight,score,joined\n");
    let plans = ["basic", "standard", "premium", "none"];
    let regions = [
        "north",
        "north-east",
        "east",
        "south-east",
        "south",
        "south-west",
        "west",
        "north-west",
    ];
    for id in 0..rows {
        let plan = plans[usize::try_from(below(4)).unwrap()];
        let region = regions[usize::try_from(below(8)).unwrap()];
        let smoker = ["yes", "no", ""][usize::try_from(below(3)).unwrap()];
        writeln!(
            csv,
            "P{id:08},{},{},{plan},{region},{smoker},{}.{:02},{}.{},{}0.{:06},20{:02}-{:02}-{:02}",
            below(110),
            below(200),
            below(900_000),
            below(100),
            40 + below(120),
            below(10),
            if below(2) == 0 { "-" } else { "" },
            below(1_000_000),
            below(26),
            1 + below(12),
            1 + below(28)
        )
        .unwrap();
    }
    csv
}
