//! Time to estimate a model of the Adult table from 14 one-way and 24 two-way marginals with noise
//! of a given size, the problem of the `mbi` project's convergence benchmark.
//!
//! ```text
//! cargo run --release -p synclave-marginals --example adult_estimation -- \
//!     SIGMA TABLE.csv [TABLE.csv ...]
//! ```
//!
//! The tables are integer-coded; several are read as one. Losses are given for a fixed number of
//! passes and for the default rule of when to stop.
#![expect(clippy::disallowed_methods, reason = "a measurement for people")]

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::io::Write;
use std::time::Instant;

use marginals::{Clique, Domain, EstimationOptions, Measurement, estimate};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

const COLUMNS: [(&str, usize); 14] = [
    ("age", 85),
    ("workclass", 9),
    ("fnlwgt", 100),
    ("education-num", 16),
    ("marital-status", 7),
    ("occupation", 15),
    ("relationship", 6),
    ("race", 5),
    ("sex", 2),
    ("capital-gain", 100),
    ("capital-loss", 100),
    ("hours-per-week", 99),
    ("native-country", 42),
    ("income>50K", 2),
];

const PAIRS: [[&str; 2]; 24] = [
    ["marital-status", "relationship"],
    ["workclass", "occupation"],
    ["relationship", "sex"],
    ["age", "marital-status"],
    ["education-num", "occupation"],
    ["age", "relationship"],
    ["occupation", "hours-per-week"],
    ["relationship", "income>50K"],
    ["age", "education-num"],
    ["marital-status", "sex"],
    ["marital-status", "income>50K"],
    ["race", "native-country"],
    ["capital-gain", "income>50K"],
    ["education-num", "native-country"],
    ["fnlwgt", "native-country"],
    ["relationship", "capital-gain"],
    ["workclass", "education-num"],
    ["capital-loss", "income>50K"],
    ["sex", "income>50K"],
    ["relationship", "capital-loss"],
    ["occupation", "race"],
    ["education-num", "race"],
    ["sex", "capital-gain"],
    ["sex", "capital-loss"],
];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [sigma, tables @ ..] = arguments.as_slice() else {
        return Err("give the noise's standard deviation and a table".into());
    };
    let sigma: f64 = sigma.parse()?;
    let mut out = std::io::stdout().lock();

    let domain = Domain::new(COLUMNS.map(|(_, size)| size).into())?;
    let position: HashMap<&str, usize> = COLUMNS
        .iter()
        .enumerate()
        .map(|(i, &(name, _))| (name, i))
        .collect();
    let rows = read_rows(tables)?;
    let singles = (0..COLUMNS.len()).map(|a| Clique::new([a]));
    let pairs = PAIRS
        .iter()
        .map(|pair| Clique::new(pair.map(|name| position[name])));
    let mut rng = ChaCha20Rng::seed_from_u64(42);
    let measure = |clique: Clique| {
        let mut counts = vec![0.0; clique.iter().map(|a| domain.size(a)).product()];
        for row in &rows {
            counts[clique
                .iter()
                .fold(0, |cell, a| cell * domain.size(a) + row[a])] += 1.0;
        }
        counts
            .iter_mut()
            .for_each(|count| *count += sigma * normal(&mut rng));
        Measurement::new(&domain, clique, counts, sigma)
    };
    let measurements = singles
        .chain(pairs)
        .map(measure)
        .collect::<Result<Vec<_>, _>>()?;
    let cells: usize = measurements.iter().map(|m| m.values().len()).sum();
    writeln!(out, "{} rows, {cells} measured cells", rows.len())?;

    let default = EstimationOptions::default();
    let long = EstimationOptions {
        max_iterations: 5000,
        tolerance: 0.0,
        ..default
    };
    for (name, options) in [("until it settles", default), ("5000 passes", long)] {
        let start = Instant::now();
        let fit = estimate(&domain, &measurements, &options)?;
        let seconds = start.elapsed().as_secs_f64();
        let cells = fit.model.tree().cells(&domain);
        let loss = fit.losses.last().expect("there is a loss at the start");
        writeln!(
            out,
            "{name}: {} passes over {cells} cells in {seconds:.3} s, loss {loss:.1}",
            fit.passes
        )?;
    }
    Ok(())
}

fn read_rows(tables: &[String]) -> Result<Vec<Vec<usize>>, Box<dyn Error>> {
    let mut rows = Vec::new();
    for table in tables {
        for line in fs::read_to_string(table)?.lines().skip(1) {
            rows.push(
                line.split(',')
                    .map(str::parse)
                    .collect::<Result<Vec<usize>, _>>()?,
            );
        }
    }
    Ok(rows)
}

/// Box and Muller (1958).
fn normal(rng: &mut impl Rng) -> f64 {
    let mut uniform = || (f64::from(rng.next_u32()) + 0.5) / 2_f64.powi(32);
    let (a, b) = (uniform(), uniform());
    (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
}
