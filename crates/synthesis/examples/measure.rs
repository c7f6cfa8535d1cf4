//! Fits and samples a table several times by one method, and prints what it costs and how good it
//! is, as a row of a Markdown table.
//!
//! ```text
//! cargo run --release -p synclave-synthesis --example measure -- \
//!     TABLE.csv SCHEMA [METHOD [EPSILON [RUNS [PARAMS]]]]
//! ```
//!
//! The schema is YAML as for `synclave synth`, or, where its name ends in .json, an object of the
//! number of codes of each column of a table of codes. The method's parameters are an object of
//! JSON. Costs are those of the process, on Linux: CPU seconds are means over the runs, memory is
//! the peak before anything is compared with the real table.
#![expect(clippy::disallowed_methods, reason = "a measurement for people")]

use std::error::Error;
use std::fs::{self, File};
use std::io::Write;
use std::ops::ControlFlow;

use privacy::{Delta, Epsilon, NoiseRng};
use schema::{Declaration, Schema};
use serde_json::Map;
use synthesis::{FitPlan, Method, MethodOptions, Model, evaluate};
use tabular::{CodedTable, Joined, KeyHasher, ReadLimits, read_csv};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument =
        |i: usize, default: &str| arguments.get(i).cloned().unwrap_or(default.to_owned());
    let [table, schema, ..] = arguments.as_slice() else {
        return Err("give the paths of a table and of its schema".into());
    };
    let method: Method = argument(2, "MST").parse()?;
    let epsilon: f64 = argument(3, "1").parse()?;
    let runs: u32 = argument(4, "5").parse()?;
    let params: Map<String, serde_json::Value> = serde_json::from_str(&argument(5, "{}"))?;

    // What `cargo run` used before it became this process does not count.
    let started = cpu_seconds()?;
    let schema = read_schema(schema)?;
    let real = read_table(table, &schema)?;
    let reading = cpu_seconds()? - started;
    let mut peak = 0.0;
    let mut sums = [0.0; 5];
    for _ in 0..runs {
        let before = cpu_seconds()?;
        let model = fit_once(&real, method, &params, epsilon)?;
        let fitted = cpu_seconds()?;
        let columns = draw(&model, real.counts(&[]).dangerous_reveal()[0]);
        let sampled = cpu_seconds()?;
        if peak == 0.0 {
            peak = peak_megabytes()?;
        }
        let evaluation = evaluate(&real, &CodedTable::from_codes(schema.clone(), &columns)?)?;
        let numbers = [
            fitted - before,
            sampled - fitted,
            evaluation.one_way.mean,
            evaluation.two_way.mean,
            evaluation.three_way.mean,
        ];
        sums.iter_mut()
            .zip(numbers)
            .for_each(|(sum, number)| *sum += number);
    }
    let [fit, sample, one, two, three] = sums.map(|sum| sum / f64::from(runs));
    writeln!(
        std::io::stdout(),
        "| {method} | {epsilon} | {runs} | {reading:.2} | {fit:.2} | {sample:.2} | {peak:.0} | \
         {one:.4} | {two:.4} | {three:.4} |"
    )?;
    Ok(())
}

fn fit_once(
    real: &CodedTable,
    method: Method,
    params: &Map<String, serde_json::Value>,
    epsilon: f64,
) -> Result<Model, Box<dyn Error>> {
    let options = MethodOptions::read(method, params)?;
    let plan = FitPlan::new(options, Epsilon::new(epsilon)?, Delta::new(1e-9)?);
    let plan = plan.check(real.schema().clone())?;
    let mut ledger = plan.ledger();
    let mut rng = NoiseRng::from_os()?;
    let mut watch = |_| ControlFlow::Continue(());
    Ok(plan.fit_with_ledger(real, None, &mut ledger, &mut rng, &mut watch)?)
}

fn draw(model: &Model, rows: u32) -> Vec<Vec<u32>> {
    let mut columns = vec![Vec::new(); model.schema().columns().len()];
    let mut sample = model.sample(u64::from(rows), None);
    while let Some(chunk) = sample.next_chunk() {
        columns
            .iter_mut()
            .zip(chunk)
            .for_each(|(column, codes)| column.extend(codes));
    }
    columns
}

fn read_schema(path: &str) -> Result<Schema, Box<dyn Error>> {
    let text = fs::read_to_string(path)?;
    if !path.ends_with(".json") {
        return Ok(Schema::new(Declaration::from_yaml(&text)?)?);
    }
    let sizes: Map<String, serde_json::Value> = serde_json::from_str(&text)?;
    let mut yaml = String::new();
    for (name, size) in &sizes {
        let size = size.as_u64().ok_or("a domain maps names to numbers")?;
        let codes: Vec<String> = (0..size).map(|code| format!("\"{code}\"")).collect();
        yaml += &format!("\"{name}\": {{categories: [{}]}}\n", codes.join(", "));
    }
    Ok(Schema::new(Declaration::from_yaml(&yaml)?)?)
}

fn read_table(path: &str, schema: &Schema) -> Result<CodedTable, Box<dyn Error>> {
    let upload = read_csv(
        File::open(path)?,
        None,
        Some(schema),
        &KeyHasher::new([0; 16]),
        &ReadLimits::default(),
    )?;
    // All of it is declared: nothing is taken from the data.
    Ok(Joined::single(upload).dangerous_into_coded())
}

/// User and system time of all threads until now.
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit(')').next().ok_or("an unknown format")?;
    let ticks: Vec<f64> = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() / TICKS_PER_SECOND)
}

fn peak_megabytes() -> Result<f64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let kilobytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB"))
        .ok_or("no peak of memory in /proc/self/status")?;
    Ok(kilobytes.trim().parse::<f64>()? / 1024.0)
}
