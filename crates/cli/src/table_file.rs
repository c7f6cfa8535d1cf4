//! Tables on disk, read by their ending.

use std::fs::File;
use std::num::NonZeroU32;
use std::path::Path;

use anyhow::Context;
use protocol::read_text_file;
use schema::{Declaration, Schema};
use tabular::{KeyHasher, ReadLimits, Upload};

use crate::exit::BadInput;
use crate::printer::Printer;

/// Of a schema or a workload, which may name many categories.
pub(crate) const MAX_YAML_BYTES: u64 = 64 << 20;

/// Reads a table: Parquet when its name ends so, CSV otherwise.
pub(crate) fn read(
    path: &Path,
    key: Option<&str>,
    max_rows_per_id: Option<NonZeroU32>,
    schema: Option<&Schema>,
) -> anyhow::Result<Upload> {
    let problem = || BadInput(format!("could not read the table in {}", path.display()));
    let file = File::open(path).with_context(problem)?;
    // A new key for each table: nothing outside this process can test guesses of ids.
    let mut hash_key = [0; 16];
    getrandom::fill(&mut hash_key).context("the operating system gives no randomness")?;
    let hasher = KeyHasher::new(hash_key);
    let limits = ReadLimits {
        max_rows_per_id,
        ..ReadLimits::default()
    };
    // By the name and not by the content: a damaged file should be called damaged, not CSV.
    if has_ending(path, "parquet") {
        tabular::read_parquet(file, key, schema, &hasher, &limits).with_context(problem)
    } else {
        tabular::read_csv(file, key, schema, &hasher, &limits).with_context(problem)
    }
}

/// Tells what its owner should know of a table that was read, and nobody else; nothing with
/// `--quiet`.
pub(crate) fn private_notes(path: &Path, upload: &Upload, printer: Printer) -> Vec<String> {
    if printer.is_quiet() {
        return Vec::new();
    }
    let note = |warning: &String| format!("{}: {warning}", path.display());
    let notes: Vec<String> = upload.warnings().iter().map(note).collect();
    // Marked as private: they are facts about the table, under no budget.
    notes.iter().for_each(|note| printer.private(note));
    notes
}

/// Reads the declared columns of one table.
pub(crate) fn read_schema(path: &Path) -> anyhow::Result<Schema> {
    let problem = || BadInput(format!("could not use the schema in {}", path.display()));
    let text = read_text_file(path, MAX_YAML_BYTES).with_context(problem)?;
    let declaration = Declaration::from_yaml(&text).with_context(problem)?;
    Schema::new(declaration).with_context(problem)
}

pub(crate) fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension()
        .is_some_and(|found| found.eq_ignore_ascii_case(ending))
}
