//! Tables on disk: read by their ending, written whole.

use std::fs::File;
use std::num::NonZeroU32;
use std::path::Path;

use anyhow::Context;
use protocol::read_text_file;
use synthesis::SampleStream;
use tabular::{Declaration, Format, KeyHasher, Limits, Schema, Upload};

use crate::exit::BadInput;
use crate::printer::Printer;
use crate::progress;
use crate::whole_file::{self, Prepared};

/// Of a schema or a workload, which may name many categories.
pub(crate) const MAX_YAML_BYTES: u64 = 64 << 20;

/// Reads a table of the person's own: Parquet when its name ends so, CSV otherwise.
pub(crate) fn read(
    path: &Path,
    key: Option<&str>,
    max_rows_per_id: Option<NonZeroU32>,
    schema: Option<&Schema>,
    printer: Printer,
) -> anyhow::Result<Upload> {
    let problem = || BadInput(format!("could not read the table in {}", path.display()));
    let file = File::open(path).with_context(problem)?;
    let mut hash_key = [0; 16];
    getrandom::fill(&mut hash_key).context("the operating system gives no randomness")?;
    let hasher = KeyHasher::new(hash_key);
    let limits = Limits {
        max_rows_per_id,
        ..Limits::default()
    };
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
    let text = read_text_file(path, MAX_YAML_BYTES).with_context(problem)?;
    let declaration = Declaration::from_yaml(&text).with_context(problem)?;
    Schema::new(declaration).with_context(problem)
}

/// Writes rows, to be kept later: JSON when the name ends so, CSV otherwise.
pub(crate) fn prepare_samples(
    path: &Path,
    mut samples: SampleStream<'_>,
    printer: Printer,
) -> anyhow::Result<Prepared> {
    let format = if has_ending(path, "json") {
        Format::Json
    } else {
        Format::Csv
    };
    let bar = progress::bar(printer)?;
    bar.set_length(samples.left());
    bar.set_message("writing rows");
    let prepared = whole_file::prepare(path, |mut out| {
        Ok(samples.write(format, &mut out, &mut |rows| bar.inc(rows))?)
    });
    bar.finish_and_clear();
    prepared
}

pub(crate) fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension()
        .is_some_and(|found| found.eq_ignore_ascii_case(ending))
}
