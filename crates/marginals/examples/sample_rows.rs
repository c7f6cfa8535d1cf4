//! CPU seconds for sampling a million rows from a tree of pairs over 81 attributes, most of them
//! with 2 to 30 codes and a few with 100.
//!
//! `cargo run --release -p synclave-marginals --example sample_rows [ROWS [ATTRIBUTES]]`
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement for people"
)]

use std::time::Instant;

use marginals::{Clique, Domain, Factor, MarkovRandomField, Sampling};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

const SIZES: [usize; 20] = [
    2, 9, 3, 12, 6, 2, 24, 100, 4, 7, 17, 2, 30, 5, 10, 3, 14, 8, 20, 5,
];
const CHUNK: usize = 1 << 14;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|x| x.parse().unwrap());
    let rows = arguments.next().unwrap_or(1_000_000);
    let attributes = arguments.next().map_or(81, |n| usize::try_from(n).unwrap());
    let model = tree_of_pairs(attributes);
    let cells = model.tree().cells(model.domain());
    println!("{rows} rows, {attributes} attributes, {cells} cells");
    for sampling in [Sampling::Rounded, Sampling::Independent] {
        let (clock, cpu) = (Instant::now(), cpu_seconds());
        let mut stream = model.rows(rows, sampling, &mut ChaCha8Rng::seed_from_u64(1));
        let planned = cpu_seconds() - cpu;
        let mut codes = 0_u64;
        while let Some(chunk) = stream.next_chunk(CHUNK) {
            codes += chunk.iter().map(|column| column.len() as u64).sum::<u64>();
        }
        let (cpu, clock) = (cpu_seconds() - cpu, clock.elapsed().as_secs_f64());
        println!(
            "{sampling:?}: {cpu:.2} s CPU ({planned:.2} s before the first row), {clock:.2} s, \
             {:.1} ns a code",
            cpu * 1e9 / codes as f64
        );
    }
}

/// Each attribute hangs on an earlier one, on the first ones more often.
fn tree_of_pairs(attributes: usize) -> MarkovRandomField {
    let sizes = SIZES.iter().copied().cycle().take(attributes);
    let domain = Domain::new(sizes.collect()).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut below = |bound: u32| rng.next_u32() % bound;
    let pair = |child: usize| {
        let bound = u32::try_from(child).unwrap();
        let parent = below(bound).min(below(bound)) as usize;
        let cells = domain.size(parent) * domain.size(child);
        let logs = (0..cells).map(|_| f64::from(below(1000)) / 200.0).collect();
        Factor::new(&domain, Clique::new([parent, child]), logs).unwrap()
    };
    let factors = (1..attributes).map(pair).collect();
    MarkovRandomField::new(domain.clone(), factors, 1e6).unwrap()
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
