//! What tables of very many columns and few rows cost, from the CSV to the synthetic one, as rows
//! of a Markdown table.
//!
//! ```text
//! cargo run --release -p synclave-synthesis --example wide_tables -- \
//!     [METHOD COLUMNS ROWS KIND [EPSILON]]
//! ```
//!
//! Kinds: `found` (columns of four kinds, whose domain is discovered), `declared` (the same with a
//! schema), `binary`, and `chained` (binary columns, of which no two neighbours are both 1, as
//! constraints say). Without arguments all the cases of the project's own measurements. CPU seconds
//! are those of the process, on Linux.
#![expect(clippy::disallowed_methods, reason = "a measurement for people")]

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::ops::ControlFlow;

use privacy::{Delta, Epsilon, NoiseRng};
use schema::{Declaration, Schema};
use synthesis::{FitPlan, KnownColumns, Method};
use tabular::{Joined, KeyHasher, ReadLimits, read_csv};

/// Method, columns, rows and kind.
const CASES: [(&str, usize, usize, &str); 6] = [
    ("GRAIN", 1000, 500, "found"),
    ("GRAIN", 1000, 500, "declared"),
    ("GRAIN", 2000, 300, "found"),
    ("GRAIN", 2000, 300, "declared"),
    ("GRAIN", 300, 1000, "binary"),
    ("GRAIN", 120, 1000, "chained"),
];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut out = std::io::stdout();
    writeln!(
        out,
        "| method | columns | rows | kind | reading | fit | rows and model |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|---|")?;
    match arguments.as_slice() {
        [] => CASES
            .into_iter()
            .try_for_each(|(method, columns, rows, kind)| {
                measure(method, columns, rows, kind, 1.0)
            }),
        [method, columns, rows, kind, epsilon @ ..] => measure(
            method,
            columns.parse()?,
            rows.parse()?,
            kind,
            epsilon.first().map_or(Ok(1.0), |epsilon| epsilon.parse())?,
        ),
        _ => Err("give method, number of columns, number of rows and kind, or nothing".into()),
    }
}

fn measure(
    method: &str,
    columns: usize,
    rows: usize,
    kind: &str,
    epsilon: f64,
) -> Result<(), Box<dyn Error>> {
    let method: Method = method.parse()?;
    let declared = (kind != "found").then(|| declaration(columns, kind));
    let schema = declared.map(|yaml| Schema::new(Declaration::from_yaml(&yaml)?));
    let schema = schema.transpose()?;
    let csv = csv(columns, rows, kind);
    let plan = FitPlan::new(method, Epsilon::new(epsilon)?, Delta::new(1e-9)?);
    let plan = plan.check(match &schema {
        Some(schema) => KnownColumns::all(schema.clone()),
        None => KnownColumns::none(),
    })?;
    let mut rng = NoiseRng::from_os()?;
    let started = cpu_seconds()?;
    let (hasher, limits) = (KeyHasher::new([0; 16]), ReadLimits::default());
    let upload = read_csv(csv.as_bytes(), None, schema.as_ref(), &hasher, &limits)?;
    let mut open = plan.open(Joined::single(upload), &mut rng)?;
    let read = cpu_seconds()?;
    let model = open.fit(&mut rng, &mut |_| ControlFlow::Continue(()))?;
    let fitted = cpu_seconds()?;
    model.save(std::io::sink())?;
    model
        .sample(model.default_rows(), None)
        .write_csv(&mut std::io::sink())?;
    let done = cpu_seconds()?;
    let spans = [read - started, fitted - read, done - fitted];
    let spans = spans.map(|seconds| format!("{seconds:.2}")).join(" | ");
    writeln!(
        std::io::stdout(),
        "| {method} | {columns} | {rows} | {kind} | {spans} |"
    )?;
    Ok(())
}

const LETTERS: &str = "abcdefgh";

fn declaration(columns: usize, kind: &str) -> String {
    let mut yaml = String::new();
    for column in 0..columns {
        let content = match (kind, column % 4) {
            ("binary" | "chained", _) | (_, 0) => "{categories: [\"0\", \"1\"]}".to_owned(),
            (_, 1) => {
                let letters = LETTERS[..3 + column % 6].chars().map(|c| c.to_string());
                format!(
                    "{{categories: [{}]}}",
                    letters.collect::<Vec<_>>().join(", ")
                )
            }
            (_, 2) => "{integer: {min: 0, max: 99}}".to_owned(),
            _ => "{number: {min: 0, max: 1000}}".to_owned(),
        };
        writeln!(yaml, "c{column}: {content}").expect("a String takes all");
    }
    if kind == "chained" {
        yaml += "constraints:\n";
        for column in 1..columns {
            let before = column - 1;
            writeln!(
                yaml,
                "- impossible: {{c{before}: [\"1\"], c{column}: [\"1\"]}}"
            )
            .expect("a String takes all");
        }
    }
    yaml
}

/// Of ten columns each the first decides the others in four rows of five.
fn csv(columns: usize, rows: usize, kind: &str) -> String {
    let names: Vec<String> = (0..columns).map(|column| format!("c{column}")).collect();
    let mut csv = names.join(",") + "\n";
    let mut random = Random(1);
    for _ in 0..rows {
        let leaders: Vec<f64> = (0..columns.div_ceil(10)).map(|_| random.unit()).collect();
        let mut before = 0;
        for column in 0..columns {
            let u = match random.unit() < 0.8 {
                true => leaders[column / 10],
                false => random.unit(),
            };
            let part = |of: usize| (0..of).rfind(|&i| i as f64 <= u * of as f64).unwrap_or(0);
            let written = match (kind, column % 4) {
                ("chained", _) => {
                    before = usize::from(before == 0 && u < 0.5);
                    write!(csv, "{before}")
                }
                ("binary", _) | (_, 0) => write!(csv, "{}", u8::from(u < 0.4)),
                (_, 1) => {
                    let letter = part(3 + column % 6);
                    write!(csv, "{}", &LETTERS[letter..=letter])
                }
                (_, 2) => write!(csv, "{}", part(100)),
                _ => write!(csv, "{:.3}", 1000.0 * u),
            };
            written.expect("a String takes all");
            csv.push(if column + 1 < columns { ',' } else { '\n' });
        }
    }
    csv
}

/// A small generator (xorshift64, Marsaglia 2003): the same table every time.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// User and system time of all threads until now.
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit(')').next().ok_or("an unknown format")?;
    let ticks = after_name.split_whitespace().skip(11).take(2);
    let ticks = ticks.map(str::parse::<f64>).sum::<Result<f64, _>>()?;
    Ok(ticks / TICKS_PER_SECOND)
}
