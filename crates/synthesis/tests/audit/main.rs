//! An empirical audit: fits with and without one row, told apart as well as possible, must not
//! differ by more than was promised.
//!
//! Each bound holds with 99.9 % confidence. They are lower bounds on what leaks: that they stay low
//! proves nothing, that one exceeds the promise would prove a leak. With noise that is half as
//! large as it should be they do exceed it.
#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

#[path = "../common/mod.rs"]
mod common;
mod conditions;
mod gradients;
mod votes;

use std::num::NonZeroU32;
use std::ops::ControlFlow;

use privacy::{Accounting, Delta, Epsilon, Ledger, LedgerOptions};
use schema::{Condition, Declaration, Schema};
use serde::Deserialize;
use serde_json::{Map, Value};
use synthesis::{FitError, Method, Model, Progress};
use tabular::{CodedTable, Recoding};

use common::{PAIRS, fit, quick};

const EPSILON: f64 = 2.0;
/// So large that what is promised can be exceeded in so few fits.
const DELTA: f64 = 0.01;
/// mu^2 / 2 of GDP and rho of zCDP at these: solved by bisection in mpmath.
const GDP_RHO: f64 = 0.401_276_473;
const ZCDP_RHO: f64 = 0.305_078_332;
/// In each world.
const FITS: u64 = 1500;
/// A tail of the normal distribution, and of the binomial one on each side, is beyond confidence.
const DEVIATIONS: f64 = 3.1;
const BEYOND: f64 = 0.000_5;

#[derive(Clone, Copy)]
struct Row([u32; 3]);

/// Codes as they are.
fn uncoarsened(schema: &Schema) -> Recoding {
    let sizes = schema.sizes();
    let maps = sizes
        .iter()
        .map(|&size| (0..).take(size).collect())
        .collect();
    Recoding::new(schema, maps, sizes)
}

/// What two worlds differ by: one has this row so many more times than the other.
#[derive(Clone, Copy)]
struct Difference {
    row: Row,
    copies: u32,
}

/// In a cell of the table that is otherwise empty, though its codes are common: what remains of
/// rare codes is merged.
const CANARY: Row = Row([0, 1, 2]);
/// One of many.
const COMMON: Row = Row([1, 1, 0]);

/// Rows of three columns, the second of which is the first again.
fn table(row: Row, copies: u32) -> CodedTable {
    let yaml = "a: {integer: {min: 0, max: 1}}\nb: {integer: {min: 0, max: 1}}\nc: {integer: {min: \
                0, max: 2}}\n";
    let schema = Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap();
    let rows = (0..120_u32).map(|row| Row([row % 2, row % 2, row % 3]));
    let rows: Vec<Row> = rows.chain((0..copies).map(|_| row)).collect();
    let column = |column: usize| rows.iter().map(|row| row.0[column]).collect();
    CodedTable::from_codes(schema, &[0, 1, 2].map(column)).unwrap()
}

#[test]
#[ignore = "slow: 54,000 fits, some minutes"]
fn no_method_tells_more_about_a_row_than_it_promised() {
    for method in METHODS {
        for (row, copies) in [(CANARY, 1), (COMMON, 1), (CANARY, 3)] {
            let difference = Difference { row, copies };
            for (view, worlds) in views(method, difference, EPSILON, copies) {
                let leak = Leak::measure(&worlds);
                assert!(
                    !leak.exceeds(method),
                    "{method}, {view}, {copies}: {leak:?}"
                );
            }
        }
    }
}

#[test]
#[ignore = "slow: 36,000 fits, some minutes"]
fn noise_half_as_large_as_promised_or_a_row_too_many_of_an_id_is_noticed() {
    for method in METHODS {
        let epsilon = method
            .accounting()
            .epsilon(four_times(method), Delta::new(DELTA).unwrap());
        for (copies, epsilon) in [(1, epsilon.get()), (2, EPSILON)] {
            let row = CANARY;
            let [(_, inside), ..] = views(method, Difference { row, copies }, epsilon, 1);
            let leak = Leak::measure(&inside);
            assert!(leak.exceeds(method), "{method}, {copies}: {leak:?}");
        }
    }
}

/// Without DPCTGAN and PATECTGAN: two thirds of their budgets go into gradients and votes, which no
/// table of counts tells of, and which `gradients` and `votes` attack. Their columns are measured
/// as those of INDEPENDENT are.
const METHODS: [Method; 6] = [
    Method::Independent,
    Method::Copula,
    Method::Mst,
    Method::Aim,
    Method::Mwem,
    Method::Grain,
];

/// Four times the rho that was promised.
fn four_times(method: Method) -> privacy::Rho {
    let unit = 2.0_f64.powi(-48);
    privacy::Rho::try_from((4.0 * promised_rho(method) / unit).round() * unit).unwrap()
}

fn promised_rho(method: Method) -> f64 {
    match method.accounting() {
        Accounting::Gdp => GDP_RHO,
        Accounting::Zcdp => ZCDP_RHO,
    }
}

/// Scores of the fits without and with a row: higher ones speak for it.
struct Worlds {
    without: Vec<f64>,
    with: Vec<f64>,
}

/// From inside (all that was measured), by the measured errors alone, and from outside (the
/// probability of the row).
fn views(
    method: Method,
    difference: Difference,
    epsilon: f64,
    rows_per_id: u32,
) -> [(&'static str, Worlds); 3] {
    let row = difference.row;
    let tables = [0, difference.copies].map(|copies| table(row, copies));
    let known: Vec<Known> = marginals()
        .into_iter()
        .map(|columns| Known {
            cell: cell(&tables[0], &columns, row),
            counts: tables[0].counts(&columns).dangerous_reveal(),
            columns,
        })
        .collect();
    let condition = {
        let [a, b, c] = row.0;
        Condition::parse(
            &format!("a = {a} and b = {b} and c = {c}"),
            tables[0].schema(),
        )
        .unwrap()
    };
    let [without, with] = [0, 1].map(|world| -> Vec<Scores> {
        let seeds = (0..FITS).map(|fit| 2 * fit + world);
        seeds
            .map(|seed| {
                let model = fitted(
                    &tables[usize::try_from(world).unwrap()],
                    method,
                    epsilon,
                    rows_per_id,
                    seed,
                );
                let probability = model
                    .given(&condition)
                    .map_or(0.0, |given| given.probability());
                let [cells, errors] = log_likelihood_ratios(&model, difference.copies, &known);
                Scores {
                    cells,
                    errors,
                    probability,
                }
            })
            .collect()
    });
    let pick = |score: fn(&Scores) -> f64| Worlds {
        without: without.iter().map(score).collect(),
        with: with.iter().map(score).collect(),
    };
    [
        ("inside", pick(|it| it.cells + it.errors)),
        ("errors", pick(|it| it.errors)),
        ("outside", pick(|it| it.probability)),
    ]
}

/// What a fit says for the row.
struct Scores {
    cells: f64,
    /// 0 of methods that measure none.
    errors: f64,
    probability: f64,
}

fn marginals() -> Vec<Vec<usize>> {
    vec![
        vec![0],
        vec![1],
        vec![2],
        vec![0, 1],
        vec![0, 2],
        vec![1, 2],
        vec![0, 1, 2],
    ]
}

fn cell(table: &CodedTable, columns: &[usize], row: Row) -> usize {
    let sizes = table.schema().sizes();
    columns.iter().fold(0, |cell, &column| {
        cell * sizes[column] + row.0[column] as usize
    })
}

fn fitted(table: &CodedTable, method: Method, epsilon: f64, rows_per_id: u32, seed: u64) -> Model {
    let options = LedgerOptions {
        rows_per_id: NonZeroU32::new(rows_per_id).unwrap(),
        ..LedgerOptions::new(
            Epsilon::new(epsilon).unwrap(),
            Delta::new(DELTA).unwrap(),
            method.accounting(),
        )
    };
    let mut ledger = Ledger::open(options).unwrap();
    fit(
        table,
        method,
        &quick(method),
        PAIRS,
        &mut ledger,
        &mut testkit::noise(seed),
        &mut |_| ControlFlow::Continue(()),
    )
    .unwrap()
}

/// A marginal of the table without the row, as somebody knows it who knows everything but that.
struct Known {
    columns: Vec<usize>,
    counts: Vec<u32>,
    /// Where the row would be.
    cell: usize,
}

impl Known {
    /// Of the marginal with so many copies of the row from another one.
    fn distance(&self, copies: u32, from: &[f64]) -> f64 {
        let count = |cell: usize| self.counts[cell] + if cell == self.cell { copies } else { 0 };
        let cells = from.iter().enumerate();
        cells
            .map(|(cell, expected)| (f64::from(count(cell)) - expected).abs())
            .sum()
    }
}

/// What a model's file tells of measurements.
#[derive(Deserialize)]
struct Body {
    measured: Vec<Measured>,
    errors: Option<Errors>,
    total: f64,
    copula: Option<Copula>,
}

/// What a copula was made from, besides the columns.
#[derive(Deserialize)]
struct Copula {
    columns: Vec<usize>,
    signs: Signs,
}

/// Of each pair of columns the rows on the same side of both cuts, less the others.
#[derive(Deserialize)]
struct Signs {
    cuts: Vec<u32>,
    sums: Vec<f64>,
    sigma: f64,
}

#[derive(Deserialize)]
struct Measured {
    columns: Vec<usize>,
    values: Vec<i64>,
    sigma: f64,
}

/// Distances between table and model.
#[derive(Deserialize)]
struct Errors {
    marginals: Vec<Error>,
    sigma: f64,
}

#[derive(Deserialize)]
struct Error {
    columns: Vec<usize>,
    distance: f64,
    /// The same of independent columns, where the model says another thing.
    independent: Option<f64>,
}

/// By somebody who knows the table but for the difference: each Gaussian measurement is about what
/// it would be without the row, or about what it would be with it, in the cells as in the distances
/// from the model. This is the best that can be made of them.
fn log_likelihood_ratios(model: &Model, copies: u32, known: &[Known]) -> [f64; 2] {
    const HEADER: usize = "synclave model\n".len() + 2 + 8 + 8;
    let mut file = Vec::new();
    model.save(&mut file).unwrap();
    let body: Body = ciborium::from_reader(&file[HEADER..]).unwrap();
    let of = |columns: &[usize]| known.iter().find(|known| known.columns == columns).unwrap();
    let ratio = |value: f64, without: f64, with: f64, sigma: f64| {
        ((value - without).powi(2) - (value - with).powi(2)) / (2.0 * sigma.powi(2))
    };
    let cells = body.measured.iter().map(|measured| {
        let known = of(&measured.columns);
        if measured.values.len() != known.counts.len() {
            return 0.0; // over merged codes
        }
        let (value, count) = (measured.values[known.cell] as f64, known.counts[known.cell]);
        ratio(value, count.into(), (count + copies).into(), measured.sigma)
    });
    let errors = body.errors.iter().flat_map(|errors| {
        errors.marginals.iter().map(|error| {
            let known = of(&error.columns);
            let ratio = |measured: f64, expected: &[f64]| {
                let [without, with] = [0, copies].map(|copies| known.distance(copies, expected));
                ratio(measured, without, with, errors.sigma)
            };
            let expected = expected_counts(model, &error.columns, body.total);
            let independent = error.independent.filter(|it| *it != error.distance);
            let of_independent = independent.map_or(0.0, |measured| {
                ratio(measured, &product_counts(model, &error.columns, body.total))
            });
            ratio(error.distance, &expected) + of_independent
        })
    });
    let signs = body.copula.iter().flat_map(|Copula { columns, signs }| {
        let pairs = (0..columns.len()).flat_map(|a| (0..a).map(move |b| [b, a]));
        pairs.zip(&signs.sums).map(|(pair, &sum)| {
            let known = of(&pair.map(|place| columns[place]));
            let size = model.schema().sizes()[columns[pair[1]]];
            let sign = |cell: usize| {
                let is_above = |code: usize, place: usize| code >= signs.cuts[place] as usize;
                let same = is_above(cell / size, pair[0]) == is_above(cell % size, pair[1]);
                if same { 1.0 } else { -1.0 }
            };
            let cells = known.counts.iter().enumerate();
            let without: f64 = cells
                .map(|(cell, &count)| sign(cell) * f64::from(count))
                .sum();
            let with = without + f64::from(copies) * sign(known.cell);
            ratio(sum, without, with, signs.sigma)
        })
    });
    [cells.sum::<f64>() + signs.sum::<f64>(), errors.sum()]
}

/// What independent columns would have in each cell of a marginal.
fn product_counts(model: &Model, columns: &[usize], total: f64) -> Vec<f64> {
    let shares = columns
        .iter()
        .map(|&column| expected_counts(model, &[column], 1.0));
    shares.fold(vec![total], |cells, shares| {
        cells
            .iter()
            .flat_map(|cell| shares.iter().map(move |share| cell * share))
            .collect()
    })
}

/// What a model expects in each cell of a marginal.
fn expected_counts(model: &Model, columns: &[usize], total: f64) -> Vec<f64> {
    let schema = model.schema();
    let tests = columns.iter().fold(vec![String::new()], |tests, &column| {
        let name = schema.columns()[column].name();
        let with = |test: &String, code: usize| match test.as_str() {
            "" => format!("{name} = {code}"),
            test => format!("{test} and {name} = {code}"),
        };
        let codes = |test: &String| {
            (0..schema.sizes()[column])
                .map(|code| with(test, code))
                .collect::<Vec<String>>()
        };
        tests.iter().flat_map(codes).collect()
    });
    let expected = |test: &String| {
        let condition = Condition::parse(test, schema).unwrap();
        let given = model.given(&condition);
        given.map_or(0.0, |given| given.probability() * total)
    };
    tests.iter().map(expected).collect()
}

/// Lower bounds on what the scores tell.
#[derive(Debug)]
struct Leak {
    /// By which two normal distributions of deviation 1 would have to differ, were the scores
    /// normal.
    gaussian_mu: f64,
    /// By which they have to differ for a test with the errors that were seen, whatever the scores'
    /// distribution.
    tested_mu: f64,
    /// The epsilon that such a test refutes, with delta.
    tested_epsilon: f64,
}

impl Leak {
    fn measure(worlds: &Worlds) -> Leak {
        let half = worlds.with.len() / 2;
        let (choice, rest) = (worlds.part(0..half), worlds.part(half..2 * half));
        let tested =
            |measure: fn(Mistakes) -> f64| measure(rest.errors(choice.best_threshold(measure)));
        Leak {
            gaussian_mu: worlds.gaussian_mu(),
            tested_mu: tested(Mistakes::mu),
            tested_epsilon: tested(Mistakes::epsilon),
        }
    }

    /// rho-zCDP bounds the relative entropy by rho, and so the difference of normal scores by that
    /// of mu^2 / 2 = rho; what it says of tests is epsilon and delta.
    fn exceeds(&self, method: Method) -> bool {
        let mu = (2.0 * promised_rho(method)).sqrt();
        let tested = match method.accounting() {
            Accounting::Gdp => self.tested_mu > mu,
            Accounting::Zcdp => false,
        };
        self.gaussian_mu > mu || tested || self.tested_epsilon > EPSILON
    }
}

impl Worlds {
    fn part(&self, range: std::ops::Range<usize>) -> Worlds {
        Worlds {
            without: self.without[range.clone()].to_vec(),
            with: self.with[range].to_vec(),
        }
    }

    /// The difference of the means in the larger of the deviations, less its own error.
    fn gaussian_mu(&self) -> f64 {
        let fits = self.with.len() as f64;
        let moments = |scores: &[f64]| {
            let mean = scores.iter().sum::<f64>() / fits;
            let square = scores
                .iter()
                .map(|score| (score - mean).powi(2))
                .sum::<f64>();
            (mean, (square / (fits - 1.0)).sqrt())
        };
        let (without, with) = (moments(&self.without), moments(&self.with));
        let mu = (with.0 - without.0) / without.1.max(with.1);
        mu - DEVIATIONS * (2.0 / fits + mu * mu / (4.0 * fits)).sqrt()
    }

    fn best_threshold(&self, measure: fn(Mistakes) -> f64) -> f64 {
        let all = self.without.iter().chain(&self.with).copied().step_by(5);
        all.max_by(|a, b| measure(self.errors(*a)).total_cmp(&measure(self.errors(*b))))
            .unwrap()
    }

    /// Upper bounds on the errors of calling a score above the threshold one with the row.
    fn errors(&self, threshold: f64) -> Mistakes {
        let above = |scores: &[f64]| scores.iter().filter(|score| **score > threshold).count();
        let fits = self.with.len();
        Mistakes {
            false_alarm: clopper_pearson(above(&self.without), fits),
            miss: clopper_pearson(fits - above(&self.with), fits),
        }
    }
}

#[derive(Clone, Copy)]
struct Mistakes {
    false_alarm: f64,
    miss: f64,
}

impl Mistakes {
    /// mu-GDP has miss >= P[Z < z - mu], z being the deviation beyond which false alarms lie.
    fn mu(self) -> f64 {
        quantile(1.0 - self.false_alarm) - quantile(self.miss)
    }

    /// (epsilon, delta)-DP has 1 - miss <= exp(epsilon) false_alarm + delta, and the same with the
    /// errors exchanged.
    fn epsilon(self) -> f64 {
        let refuted = |a: f64, b: f64| ((1.0 - DELTA - a).max(0.0) / b).ln();
        refuted(self.miss, self.false_alarm).max(refuted(self.false_alarm, self.miss))
    }
}

/// The probability of which so many successes, or fewer, are just too few to be believed.
fn clopper_pearson(successes: usize, trials: usize) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..40 {
        let middle = f64::midpoint(low, high);
        if at_most(successes, trials, middle) > BEYOND {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// P[Bin(trials, p) <= successes].
fn at_most(successes: usize, trials: usize, p: f64) -> f64 {
    let mut log = trials as f64 * (-p).ln_1p();
    let mut sum = log.exp();
    for i in 0..successes {
        log += ((trials - i) as f64 / (i + 1) as f64).ln() + p.ln() - (-p).ln_1p();
        sum += log.exp();
    }
    sum.min(1.0)
}

/// Of the standard normal distribution, by bisection of Simpson's rule.
fn quantile(probability: f64) -> f64 {
    let above_0 = |x: f64| {
        let weight = |i: u32| match i {
            0 | 100 => 1.0,
            _ => f64::from(2 + 2 * (i % 2)),
        };
        let density = |i: u32| (-(x * f64::from(i) / 100.0).powi(2) / 2.0).exp();
        let sum: f64 = (0..=100).map(|i| weight(i) * density(i)).sum();
        0.5 + sum * x / 300.0 / (2.0 * std::f64::consts::PI).sqrt()
    };
    let (mut low, mut high) = (-8.0, 8.0);
    for _ in 0..50 {
        let middle = f64::midpoint(low, high);
        if above_0(middle) < probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

#[test]
fn bounds_and_quantiles_are_those_of_the_tables() {
    for (probability, deviations) in [(0.5, 0.0), (0.975, 1.959_964), (0.001, -3.090_232)] {
        assert!(
            (quantile(probability) - deviations).abs() < 1e-5,
            "{probability}"
        );
    }
    // 1 - BEYOND^(1 / n) for no success, and (1 - BEYOND)^(1 / n) for all but one.
    assert!((clopper_pearson(0, 100) - 0.073_193).abs() < 1e-5);
    assert!((clopper_pearson(99, 100) - 0.999_995).abs() < 1e-6);
}

/// What somebody sees of a fit besides the model.
struct Seen {
    stages: Vec<Progress>,
    /// Labels, and names of mechanisms.
    steps: Vec<(String, String)>,
    outcome: Result<Schema, FitError>,
}

fn seen(table: &CodedTable, method: Method, epsilon: f64, seed: u64) -> Seen {
    let options = LedgerOptions::new(
        Epsilon::new(epsilon).unwrap(),
        Delta::new(1e-9).unwrap(),
        method.accounting(),
    );
    let mut ledger = Ledger::open(options).unwrap();
    let mut stages = Vec::new();
    let mut watch = |progress: Progress| {
        // How many steps a model takes to fit, if any, follows from what was released.
        if !progress.stage.starts_with("fitting") {
            stages.push(progress);
        }
        ControlFlow::Continue(())
    };
    let outcome = fit(
        table,
        method,
        &Map::new(),
        PAIRS,
        &mut ledger,
        &mut testkit::noise(seed),
        &mut watch,
    )
    .map(|model| model.schema().clone());
    let record = serde_json::to_value(ledger.close()).unwrap();
    let name = |entry: &Value| {
        let mechanism = entry["mechanism"].as_object().unwrap();
        mechanism.keys().next().unwrap().clone()
    };
    let steps = record["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["label"].as_str().unwrap().to_owned(), name(entry)))
        .collect();
    Seen {
        stages,
        steps,
        outcome,
    }
}

#[test]
fn neighbours_look_the_same_while_the_same_candidates_are_chosen() {
    // The others' next step depends on how large released numbers are, by which neighbours may
    // differ. With GRAIN they tell how many pairs a round measures, and so how many steps there
    // are.
    for method in [
        Method::Independent,
        Method::Copula,
        Method::Mst,
        Method::Grain,
    ] {
        let mut compared = 0;
        for (seed, row) in (0..20).flat_map(|seed| [CANARY, COMMON].map(|row| (seed, row))) {
            for epsilon in [1e-7, 0.3, 2.0, 20.0] {
                let [with, without] =
                    [1, 0].map(|copies| seen(&table(row, copies), method, epsilon, seed));
                assert_eq!(with.outcome, without.outcome, "{method}, epsilon {epsilon}");
                assert_eq!(with.outcome.is_err(), epsilon < 1e-6);
                // Labels name what was chosen, and nothing but that can differ.
                let chosen = |seen: &Seen| -> Vec<String> {
                    let pairs = seen.steps.iter().filter(|step| step.0.contains(" x "));
                    pairs.map(|step| step.0.clone()).collect()
                };
                let same = chosen(&with) == chosen(&without);
                if same || method != Method::Grain {
                    let names = |seen: &Seen| -> Vec<String> {
                        seen.steps.iter().map(|step| step.1.clone()).collect()
                    };
                    assert_eq!(with.stages, without.stages, "{method}, epsilon {epsilon}");
                    assert_eq!(names(&with), names(&without), "{method}, epsilon {epsilon}");
                }
                if same {
                    assert_eq!(with.steps, without.steps, "{method}, epsilon {epsilon}");
                    compared += 1;
                }
            }
        }
        assert!(compared > 40, "{method}: {compared}");
    }
}
