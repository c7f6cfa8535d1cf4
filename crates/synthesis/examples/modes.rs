//! What each method keeps of a small cluster: 1 % of the rows, where no others are. Prints a
//! Markdown table of the cluster's share in the model, in shares of that in the table.
//!
//! ```text
//! cargo run --release -p synclave-synthesis --example modes -- [RUNS [EPSILON...]]
//! ```
#![expect(clippy::disallowed_methods, reason = "a measurement for people")]

use std::error::Error;
use std::io::Write;
use std::ops::ControlFlow;

use privacy::{Delta, Epsilon, NoiseRng};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use schema::{Condition, Declaration, Schema};
use synthesis::{FitPlan, Method};
use tabular::CodedTable;

const ROWS: u32 = 20_000;
const SCHEMA: &str = "x: {integer: {min: 0, max: 15}}\ny: {integer: {min: 0, max: 15}}\nz: \
                      {integer: {min: 0, max: 1}}\nw: {integer: {min: 0, max: 9}}\n";
const CLUSTER: &str = "x >= 12 and y <= 3 and z = 1";

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let runs: u32 = arguments.next().map_or(Ok(5), |runs| runs.parse())?;
    let given: Vec<f64> = arguments.map(|it| it.parse()).collect::<Result<_, _>>()?;
    let epsilons = if given.is_empty() {
        vec![1.0, 10.0]
    } else {
        given
    };
    let (table, share) = table()?;
    let mut out = std::io::stdout();
    let names: Vec<String> = epsilons
        .iter()
        .map(|it| format!(" epsilon {it} |"))
        .collect();
    writeln!(out, "| method |{}", names.concat())?;
    writeln!(out, "|---|{}", "---|".repeat(epsilons.len()))?;
    for method in Method::all() {
        write!(out, "| {method} |")?;
        for &epsilon in &epsilons {
            let mut sum = 0.0;
            for _ in 0..runs {
                sum += cluster(&table, method, epsilon)?;
            }
            write!(out, " {:.0} % |", 100.0 * sum / f64::from(runs) / share)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// The table, and the share of the cluster in it. Most rows lie along x = y, and 1 % in the corner
/// that is farthest from it; all else is alike.
fn table() -> Result<(CodedTable, f64), Box<dyn Error>> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut below = |bound: u32| rng.next_u32() % bound;
    let mut columns = vec![Vec::new(); 4];
    let mut rows = 0;
    for row in 0..ROWS {
        let is_in_cluster = row % 100 == 0;
        let codes = if is_in_cluster {
            [12 + below(4), below(4), 1, below(10)]
        } else {
            let x = below(16);
            let y = (x + below(5)).saturating_sub(2).min(15);
            [x, y, u32::from(below(3) == 0), below(10)]
        };
        rows += u32::from(is_in_cluster);
        let columns = columns.iter_mut().zip(codes);
        columns.for_each(|(column, code): (&mut Vec<u32>, u32)| column.push(code));
    }
    let schema = Schema::new(Declaration::from_yaml(SCHEMA)?)?;
    let share = f64::from(rows) / f64::from(ROWS);
    Ok((CodedTable::from_codes(schema, &columns)?, share))
}

/// The cluster's share in a model.
fn cluster(table: &CodedTable, method: Method, epsilon: f64) -> Result<f64, Box<dyn Error>> {
    let plan = FitPlan::new(method, Epsilon::new(epsilon)?, Delta::new(1e-9)?);
    let plan = plan.check(table.schema().clone())?;
    let mut ledger = plan.ledger();
    let mut go_on = |_| ControlFlow::Continue(());
    let mut rng = NoiseRng::from_os()?;
    let model = plan.fit_with_ledger(table, None, &mut ledger, &mut rng, &mut go_on)?;
    let condition = Condition::parse(CLUSTER, table.schema())?;
    Ok(model
        .given(&condition)
        .map_or(0.0, |given| given.probability()))
}
