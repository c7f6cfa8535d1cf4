//! Tables on disk: read by their ending, written whole.

use std::fs::File;
use std::path::Path;

use anyhow::Context;
use synthesis::Model;
use tabular::{Declaration, KeyHasher, Limits, Schema, Upload};

use crate::exit::BadInput;
use crate::printer::Printer;
use crate::whole_file;

/// Reads a table of the person's own: Parquet when its name ends so, CSV otherwise.
pub(crate) fn read(
    path: &Path,
    key: Option<&str>,
    schema: Option<&Schema>,
    printer: Printer,
) -> anyhow::Result<Upload> {
    let problem = || BadInput(format!("could not read the table in {}", path.display()));
    let file = File::open(path).with_context(problem)?;
    let mut hash_key = [0; 16];
    getrandom::fill(&mut hash_key).context("the operating system gives no randomness")?;
    let hasher = KeyHasher::new(hash_key);
    let limits = Limits::default();
    let upload = if has_ending(path, "parquet") {
        tabular::read_parquet(file, key, schema, &hasher, &limits).with_context(problem)?
    } else {
        tabular::read_csv(file, key, schema, &hasher, &limits).with_context(problem)?
    };
    for warning in upload.warnings() {
        printer.say(format_args!("note: {}: {warning}", path.display()));
    }
    Ok(upload)
}

/// Reads the declared columns of one table.
pub(crate) fn read_schema(path: &Path) -> anyhow::Result<Schema> {
    let problem = || BadInput(format!("could not use the schema in {}", path.display()));
    let text = std::fs::read_to_string(path).with_context(problem)?;
    let declaration = Declaration::from_yaml(&text).with_context(problem)?;
    Schema::new(declaration).with_context(problem)
}

/// Draws rows from a model and writes them: JSON when the name ends so, CSV otherwise.
pub(crate) fn write_samples(
    path: &Path,
    model: &Model,
    rows: u64,
    seed: Option<u64>,
) -> anyhow::Result<()> {
    whole_file::write(path, |mut out| {
        let mut samples = model.sample(rows, seed);
        if has_ending(path, "json") {
            samples.write_json(&mut out)?;
        } else {
            samples.write_csv(&mut out)?;
        }
        Ok(())
    })
}

pub(crate) fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension()
        .is_some_and(|found| found.eq_ignore_ascii_case(ending))
}
