use marginals::{Clique, Domain, EstimationOptions, Measurement, estimate};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use std::{env, fs, time::Instant};

const COLUMNS: [&str; 14] = [
    "age",
    "workclass",
    "fnlwgt",
    "education-num",
    "marital-status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "capital-gain",
    "capital-loss",
    "hours-per-week",
    "native-country",
    "income>50K",
];
const SIZES: [usize; 14] = [85, 9, 100, 16, 7, 15, 6, 5, 2, 100, 100, 99, 42, 2];
const PAIRS: [(&str, &str); 24] = [
    ("marital-status", "relationship"),
    ("workclass", "occupation"),
    ("relationship", "sex"),
    ("age", "marital-status"),
    ("education-num", "occupation"),
    ("age", "relationship"),
    ("occupation", "hours-per-week"),
    ("relationship", "income>50K"),
    ("age", "education-num"),
    ("marital-status", "sex"),
    ("marital-status", "income>50K"),
    ("race", "native-country"),
    ("capital-gain", "income>50K"),
    ("education-num", "native-country"),
    ("fnlwgt", "native-country"),
    ("relationship", "capital-gain"),
    ("workclass", "education-num"),
    ("capital-loss", "income>50K"),
    ("sex", "income>50K"),
    ("relationship", "capital-loss"),
    ("occupation", "race"),
    ("education-num", "race"),
    ("sex", "capital-gain"),
    ("sex", "capital-loss"),
];

fn main() {
    let args: Vec<String> = env::args().collect();
    let sigma: f64 = args[1].parse().unwrap();
    let iters: usize = args[2].parse().unwrap();
    let mut rows: Vec<Vec<usize>> = Vec::new();
    for p in &args[3..] {
        for line in fs::read_to_string(p).unwrap().lines().skip(1) {
            rows.push(line.split(',').map(|v| v.parse().unwrap()).collect());
        }
    }
    let domain = Domain::new(SIZES.to_vec()).unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(42);
    let mut uniform = || ((rng.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    let mut normal = || {
        let (a, b): (f64, f64) = (uniform(), uniform());
        (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    };
    let pos = |n: &str| COLUMNS.iter().position(|c| *c == n).unwrap();
    let mut cliques: Vec<Clique> = (0..14).map(|i| Clique::new([i])).collect();
    cliques.extend(PAIRS.iter().map(|(a, b)| Clique::new([pos(a), pos(b)])));
    let ms: Vec<Measurement> = cliques
        .into_iter()
        .map(|c| {
            let mut v = vec![0.0; domain.cells(&c) as usize];
            for r in &rows {
                let i = c.iter().fold(0, |i, a| i * SIZES[a] + r[a]);
                v[i] += 1.0;
            }
            v.iter_mut().for_each(|x| *x += sigma * normal());
            Measurement::new(&domain, c, v, sigma).unwrap()
        })
        .collect();
    let cells: usize = ms.iter().map(|m| m.values().len()).sum();
    let t = Instant::now();
    let e = estimate(
        &domain,
        &ms,
        &EstimationOptions {
            max_iterations: iters,
            tolerance: env::var("TOL")
                .ok()
                .and_then(|t| t.parse().ok())
                .unwrap_or(0.0),
            ..Default::default()
        },
    )
    .unwrap();
    println!(
        "rows {} cells {} tree {} iterations {} loss {:.2} seconds {:.3}",
        rows.len(),
        cells,
        e.model.tree().cells(&domain),
        e.passes,
        e.losses.last().unwrap(),
        t.elapsed().as_secs_f64()
    );
    for k in [10, 30, 100, 200, 300, 500, 1000, 2000, 5000] {
        if k < e.losses.len() {
            println!("  after {k}: {:.2}", e.losses[k]);
        }
    }
}
