//! CPU seconds for what choosing a clique asks of a model of 81 attributes: the marginals of all
//! pairs, and how large the junction tree would be with each pair added.
//!
//! `cargo run --release -p synclave-marginals --example candidates [ATTRIBUTES [LOOPS]]`
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement for people"
)]

use std::hint::black_box;

use marginals::{Clique, Domain, Factor, JunctionTree, MarkovRandomField, TreeSizer};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use rayon::prelude::*;

const SIZES: [usize; 20] = [
    2, 9, 3, 12, 6, 2, 24, 100, 4, 7, 17, 2, 30, 5, 10, 3, 14, 8, 20, 5,
];

fn main() {
    let mut arguments = std::env::args().skip(1).map(|x| x.parse().unwrap());
    let attributes = arguments.next().unwrap_or(81);
    let loops = arguments.next().unwrap_or(20);
    let sizes = SIZES.iter().copied().cycle().take(attributes);
    let domain = Domain::new(sizes.collect()).unwrap();
    let cliques = tree_and_loops(attributes, loops);
    let cells = JunctionTree::new(&domain, &cliques).cells(&domain);
    println!("{attributes} attributes, a tree of pairs and {loops} more: {cells} cells");
    let pairs: Vec<Clique> = (0..attributes)
        .flat_map(|b| (0..b).map(move |a| Clique::new([a, b])))
        .collect();

    let sizer = TreeSizer::new(&domain, &cliques);
    report(&format!("sizes with each of {} pairs", pairs.len()), || {
        let sizes = pairs.par_iter().map(|pair| sizer.cells_with(pair));
        black_box(sizes.collect::<Vec<u128>>());
    });

    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let factor = |clique: &Clique| {
        let cells = usize::try_from(domain.cells(clique)).unwrap();
        let logs = (0..cells).map(|_| f64::from(rng.next_u32() % 1000) / 200.0);
        Factor::new(&domain, clique.clone(), logs.collect()).unwrap()
    };
    let factors = cliques.iter().map(factor).collect();
    let model = MarkovRandomField::new(domain.clone(), factors, 1e6).unwrap();
    report("marginals of all pairs", || {
        black_box(model.marginals(&pairs).unwrap());
    });
    report("marginals of all pairs, one by one", || {
        pairs.iter().for_each(|pair| {
            black_box(model.marginal(pair).unwrap());
        });
    });
}

/// Each attribute hangs on an earlier one; then some more pairs.
fn tree_and_loops(attributes: usize, loops: usize) -> Vec<Clique> {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut below = |bound: usize| rng.next_u32() as usize % bound;
    let mut cliques: Vec<Clique> = (1..attributes)
        .map(|child| Clique::new([below(child), child]))
        .collect();
    while cliques.len() < attributes - 1 + loops {
        let (a, b) = (below(attributes), below(attributes));
        if SIZES[a % SIZES.len()] * SIZES[b % SIZES.len()] < 50 {
            cliques.push(Clique::new([a, b]));
        }
    }
    cliques
}

/// Prints CPU seconds of all threads.
fn report(what: &str, run: impl FnOnce()) {
    let start = cpu_seconds();
    run();
    println!("{what}: {:.3} s CPU", cpu_seconds() - start);
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
