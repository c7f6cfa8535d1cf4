//! CPU seconds for a million rows from a tree of pairs over 81 attributes, most of them with 2 to
//! 30 codes and a few with 100, and how far the rows' pairs are from the model's.
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
    let column_of: Vec<usize> = (0..attributes).collect();
    for how in ["herded", "rounded", "independent"] {
        let (clock, cpu) = (Instant::now(), cpu_seconds());
        let rng = &mut ChaCha8Rng::seed_from_u64(1);
        let mut stream = match how {
            "herded" => model.herded_rows(rows, &column_of, rng),
            "rounded" => model.rows(rows, Sampling::Rounded, rng),
            _ => model.rows(rows, Sampling::Independent, rng),
        };
        let planned = cpu_seconds() - cpu;
        let mut columns = vec![Vec::new(); attributes];
        while let Some(chunk) = stream.next_chunk(CHUNK) {
            let chunk = columns.iter_mut().zip(chunk);
            chunk.for_each(|(column, codes)| column.extend(codes));
        }
        let (cpu, clock) = (cpu_seconds() - cpu, clock.elapsed().as_secs_f64());
        println!(
            "{how}: {cpu:.2} s CPU ({planned:.2} s before the first row), {clock:.2} s, \
             {:.1} ns a code, distance of pairs {:.5}",
            cpu * 1e9 / (rows * attributes as u64) as f64,
            distance(&model, &columns)
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

/// Mean total variation distance between the rows' pairs and the model's.
fn distance(model: &MarkovRandomField, columns: &[Vec<u32>]) -> f64 {
    let attributes = columns.len();
    let pairs = (0..attributes).flat_map(|a| (a + 1..attributes).map(move |b| [a, b]));
    let pairs: Vec<[usize; 2]> = pairs.collect();
    let cliques: Vec<Clique> = pairs.iter().map(|&pair| Clique::new(pair)).collect();
    let expected = model.marginals(&cliques).unwrap();
    let of_pair = |(&[a, b], expected): (&[usize; 2], Vec<f64>)| {
        let mut missing = expected;
        let rows = columns[a].len() as f64;
        missing.iter_mut().for_each(|it| *it /= model.total());
        for (&a, &code) in columns[a].iter().zip(&columns[b]) {
            missing[a as usize * model.domain().size(b) + code as usize] -= 1.0 / rows;
        }
        missing.iter().map(|it| it.abs()).sum::<f64>() / 2.0
    };
    pairs.iter().zip(expected).map(of_pair).sum::<f64>() / pairs.len() as f64
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
