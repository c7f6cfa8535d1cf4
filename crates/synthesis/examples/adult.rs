//! Fits and samples an integer-coded table several times, and prints what it costs and how good it is.
//!
//! ```text
//! cargo run --release -p synthesis --example adult -- TABLE.csv DOMAIN.json [EPSILON [RUNS [METHOD [OUTPUT_DIRECTORY]]]]
//! ```
//!
//! The domain is a JSON object of the number of codes of each column. Costs are those of the process, on Linux.

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;

use privacy::{Delta, Epsilon, Ledger, NoiseRng, Rho};
use serde_json::Map;
use synthesis::{Method, evaluate, fit};
use tabular::{CodedTable, Declaration, Joined, KeyHasher, Limits, Schema, read_csv};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument =
        |i: usize, default: &str| arguments.get(i).cloned().unwrap_or(default.to_owned());
    let [table, domain, ..] = arguments.as_slice() else {
        return Err("give the paths of a table and of its domain".into());
    };
    let epsilon = Epsilon::new(argument(2, "1").parse()?)?;
    let runs: u32 = argument(3, "5").parse()?;
    let method: Method = argument(4, "MST").parse()?;
    let mut out = std::io::stdout().lock();

    let schema = read_schema(domain)?;
    let real = read_table(table, &schema)?;
    let rows = real.counts(&[]).dangerous_reveal()[0];
    writeln!(
        out,
        "read {rows} rows of {} columns: {:.2} CPU s so far",
        schema.columns().len(),
        cpu_seconds()?
    )?;
    let mut sums = [0.0; 5];
    for run in 0..runs {
        let before = cpu_seconds()?;
        let mut ledger = Ledger::open(epsilon, Delta::new(1e-9)?);
        let mut rng = NoiseRng::from_os()?;
        let model = fit(
            &real,
            method,
            &Map::new(),
            &mut ledger,
            &mut rng,
            &mut |_| ControlFlow::Continue(()),
        )?;
        let fitted = cpu_seconds()?;
        let mut columns = vec![Vec::new(); schema.columns().len()];
        let mut sample = model.sample(u64::from(rows), None);
        while let Some(chunk) = sample.next_chunk() {
            columns
                .iter_mut()
                .zip(chunk)
                .for_each(|(column, codes)| column.extend(codes));
        }
        let sampled = cpu_seconds()?;
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
        print(&mut out, &format!("run {run}"), numbers)?;
        if let Some(directory) = arguments.get(5) {
            let file = File::create(format!("{directory}/{run}.csv"))?;
            model
                .sample(u64::from(rows), None)
                .write_csv(&mut BufWriter::new(file))?;
        }
    }
    print(&mut out, "mean ", sums.map(|sum| sum / f64::from(runs)))?;
    writeln!(out, "peak memory {}", status("VmHWM")?)?;
    Ok(())
}

fn print(
    out: &mut impl Write,
    name: &str,
    [fit, sample, one, two, three]: [f64; 5],
) -> std::io::Result<()> {
    writeln!(
        out,
        "{name}: fit {fit:.2} + sample {sample:.2} CPU s, distance 1-way {one:.4}, 2-way {two:.4}, 3-way {three:.4}"
    )
}

/// Every code is a category.
fn read_schema(domain: &str) -> Result<Schema, Box<dyn Error>> {
    let sizes: Map<String, serde_json::Value> = serde_json::from_str(&fs::read_to_string(domain)?)?;
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
        &Limits::default(),
    )?;
    let mut unused = Ledger::open(Epsilon::new(1.0)?, Delta::new(1e-9)?);
    Ok(Joined::single(upload).into_coded(&mut unused, Rho::ZERO, &mut NoiseRng::from_os()?)?)
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

fn status(field: &str) -> Result<String, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find(|line| line.starts_with(field))
        .ok_or("no such field")?;
    Ok(line[field.len() + 1..].trim().to_owned())
}
