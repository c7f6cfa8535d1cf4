//! Time to estimate a model whose junction tree has few large nodes that hold many measured pairs
//! each.
//!
//! ```text
//! cargo run --release -p synclave-marginals --example dense_estimation -- [CELLS ...]
//! ```
//!
//! Fourteen columns of 2 to 100 codes depend on two hidden numbers. Each is in the model several
//! times, at full and at coarser resolution, and a fixed factor says which coarse code each fine
//! code belongs to. As many noisy pairs of coarse codes are measured as the limit on the tree's
//! cells allows. CPU time is that of the process, as the kernel counts it.
#![expect(clippy::disallowed_methods, reason = "a measurement for people")]

use std::error::Error;
use std::fs;
use std::io::Write;

use marginals::{
    Clique, Domain, EstimationOptions, Factor, JunctionTree, MarkovRandomField, Measurement,
    estimate,
};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

const SIZES: [usize; 14] = [85, 9, 100, 16, 7, 15, 6, 5, 2, 50, 50, 99, 42, 2];
const COARSE: [usize; 3] = [16, 8, 4];
const ROWS: usize = 40_000;
const SIGMA: f64 = 60.0;
const PASSES: usize = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let limits = std::env::args()
        .skip(1)
        .map(|limit| limit.parse())
        .collect::<Result<Vec<u128>, _>>()?;
    let limits = if limits.is_empty() {
        vec![250_000, 1_000_000]
    } else {
        limits
    };
    let mut out = std::io::stdout().lock();
    for limit in limits {
        let problem = Problem::new(limit)?;
        let options = EstimationOptions {
            total: Some(ROWS as f64),
            warm_start: Some(&problem.start),
            max_iterations: PASSES,
            tolerance: 0.0,
            ..EstimationOptions::default()
        };
        let before = cpu_seconds()?;
        let fit = estimate(&problem.domain, &problem.measurements, &options)?;
        let seconds = cpu_seconds()? - before;
        let cells = fit.model.tree().cells(&problem.domain) as f64;
        let of_pass = seconds / fit.passes as f64;
        writeln!(
            out,
            "{} measurements, {} nodes, {cells} cells: {} passes, loss {:.1} -> {:.1}, \
             {seconds:.2} CPU s, {:.2} ms a pass, {:.2} ns a cell and pass",
            problem.measurements.len(),
            fit.model.tree().nodes().len(),
            fit.passes,
            fit.losses[0],
            fit.losses[fit.losses.len() - 1],
            1e3 * of_pass,
            1e9 * of_pass / cells,
        )?;
    }
    Ok(())
}

struct Problem {
    domain: Domain,
    measurements: Vec<Measurement>,
    /// Independent columns.
    start: MarkovRandomField,
}

/// A column at one resolution.
struct Level {
    column: usize,
    size: usize,
}

impl Level {
    fn code(&self, fine: usize) -> usize {
        fine * self.size / SIZES[self.column]
    }
}

impl Problem {
    fn new(limit: u128) -> Result<Problem, Box<dyn Error>> {
        let mut rng = ChaCha8Rng::seed_from_u64(14);
        let rows: Vec<[usize; 14]> = (0..ROWS).map(|_| row(&mut rng)).collect();
        let levels: Vec<Level> = (0..SIZES.len())
            .flat_map(|column| {
                let coarse = COARSE
                    .into_iter()
                    .filter(move |&k| 4 * k <= 3 * SIZES[column]);
                std::iter::once(SIZES[column])
                    .chain(coarse)
                    .map(move |size| Level { column, size })
            })
            .collect();
        let domain = Domain::new(levels.iter().map(|level| level.size).collect())?;
        let factors = chains(&domain, &levels)?;
        let chains: Vec<Clique> = factors.iter().map(|f| f.clique().clone()).collect();
        let pairs = pairs(&domain, &levels, chains, limit, &mut rng);
        let full = (0..levels.len()).filter(|&a| levels[a].size == SIZES[levels[a].column]);
        let measure = |clique: Clique| {
            let mut counts = vec![0.0; usize::try_from(domain.cells(&clique))?];
            for row in &rows {
                let code = |a: usize| levels[a].code(row[levels[a].column]);
                counts[clique
                    .iter()
                    .fold(0, |cell, a| cell * domain.size(a) + code(a))] += 1.0;
            }
            counts
                .iter_mut()
                .for_each(|count| *count += SIGMA * normal(&mut rng));
            Ok(Measurement::new(&domain, clique, counts, SIGMA)?)
        };
        let cliques = full.map(|a| Clique::new([a])).chain(pairs);
        Ok(Problem {
            measurements: cliques
                .map(measure)
                .collect::<Result<_, Box<dyn Error>>>()?,
            start: MarkovRandomField::new(domain.clone(), factors, ROWS as f64)?,
            domain,
        })
    }
}

/// A row of codes, of which neighbouring columns depend on each other the most.
fn row(rng: &mut impl Rng) -> [usize; 14] {
    let (a, b) = (normal(rng), normal(rng));
    std::array::from_fn(|column| {
        let angle = column as f64 / SIZES.len() as f64 * std::f64::consts::PI;
        let x = a * angle.cos() + b * angle.sin() + 0.7 * normal(rng);
        let share = 1.0 / (1.0 + (-1.5 * x).exp());
        (0..SIZES[column])
            .rfind(|&code| code as f64 <= share * SIZES[column] as f64)
            .unwrap_or(0)
    })
}

/// For each two neighbouring resolutions of a column, which codes go together.
fn chains(domain: &Domain, levels: &[Level]) -> Result<Vec<Factor>, marginals::Error> {
    let neighbours = (1..levels.len()).filter(|&i| levels[i].column == levels[i - 1].column);
    neighbours
        .map(|i| {
            let (fine, coarse) = (&levels[i - 1], &levels[i]);
            let mut logs = vec![f64::NEG_INFINITY; fine.size * coarse.size];
            for code in 0..SIZES[fine.column] {
                logs[fine.code(code) * coarse.size + coarse.code(code)] = 0.0;
            }
            Factor::new(domain, Clique::new([i - 1, i]), logs)
        })
        .collect()
}

/// Random pairs of small columns, as many as the tree has room for.
fn pairs(
    domain: &Domain,
    levels: &[Level],
    chains: Vec<Clique>,
    limit: u128,
    rng: &mut impl Rng,
) -> Vec<Clique> {
    let small: Vec<usize> = (0..levels.len()).filter(|&a| levels[a].size <= 8).collect();
    let mut open: Vec<(u32, usize, usize)> = Vec::new();
    for &a in &small {
        let others = small
            .iter()
            .filter(|&&b| levels[b].column > levels[a].column);
        // Pairs of few cells first.
        open.extend(others.map(|&b| {
            let cells = u32::try_from(domain.size(a) * domain.size(b)).unwrap_or(u32::MAX);
            (cells.saturating_mul(1 << 20) + (rng.next_u32() >> 12), a, b)
        }));
    }
    open.sort_unstable();
    let measured = chains.len();
    let mut cliques = chains;
    for (_, a, b) in open {
        cliques.push(Clique::new([a, b]));
        if JunctionTree::new(domain, &cliques).cells(domain) > limit {
            cliques.pop();
        }
    }
    cliques.split_off(measured)
}

/// User and system time of this process so far (Linux: a hundredth of a second is the unit of
/// `/proc/self/stat`).
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').ok_or("no process name")?;
    let ticks: f64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse::<f64>)
        .sum::<Result<f64, _>>()?;
    Ok(ticks / 100.0)
}

/// Box and Muller (1958).
fn normal(rng: &mut impl Rng) -> f64 {
    let mut uniform = || (f64::from(rng.next_u32()) + 0.5) / 2_f64.powi(32);
    let (a, b) = (uniform(), uniform());
    (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
}
