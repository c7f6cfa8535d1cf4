//! Schemas, and tables that are written whole.

use std::path::Path;

use anyhow::Context;
use protocol::read_text_file;
use schema::{Declaration, Schema};
use synthesis::{FormulaReport, SampleStream};
use tabular::Format;

use crate::exit::BadInput;
use crate::printer::Printer;
use crate::progress;
use crate::whole_file::{self, Prepared};

/// Of a schema or a workload, which may name many categories.
pub(crate) const MAX_YAML_BYTES: u64 = 64 << 20;

/// Reads the declared columns of one table.
pub(crate) fn read_schema(path: &Path) -> anyhow::Result<Schema> {
    let problem = || BadInput(format!("could not use the schema in {}", path.display()));
    let text = read_text_file(path, MAX_YAML_BYTES).with_context(problem)?;
    let declaration = Declaration::from_yaml(&text).with_context(problem)?;
    Schema::new(declaration).with_context(problem)
}

/// The format for rows in a file of this name: JSON when the name ends so, CSV otherwise.
pub(crate) fn format_of(path: &Path, spreadsheet_safe: bool) -> Result<Format, BadInput> {
    let format = if has_ending(path, "json") {
        Format::Json
    } else {
        Format::Csv
    };
    let none = "--spreadsheet-safe is for CSV: no spreadsheet takes a text in JSON for a formula";
    match spreadsheet_safe {
        false => Ok(format),
        true => format
            .spreadsheet_safe()
            .ok_or_else(|| BadInput(none.to_owned())),
    }
}

/// Tells what of the rows written a spreadsheet might run.
pub(crate) fn warn_of_formulas(formulas: &[FormulaReport], format: Format, printer: Printer) {
    // JSON needs no warning, and the safe form has made them harmless.
    if format != Format::Csv {
        return;
    }
    for FormulaReport { column, texts, .. } in formulas {
        let more = match texts.len() {
            0 | 1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        printer.warn(format_args!(
            "column `{column}`: a spreadsheet may take `{}`{more} for a formula; for people who \
             open it with one, write it with --spreadsheet-safe",
            texts.first().map_or("", String::as_str)
        ));
    }
}

/// Writes rows, to be kept later.
pub(crate) fn prepare_samples(
    path: &Path,
    format: Format,
    mut samples: SampleStream,
    printer: Printer,
) -> anyhow::Result<Prepared> {
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
