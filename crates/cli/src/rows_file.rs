//! Synthetic rows on their way out: their endings say what is written.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::ValueEnum;
use flate2::Compression;
use flate2::write::GzEncoder;
use synthesis::{FormulaReport, SampleStream};
use tabular::Format;

use crate::exit::BadInput;
use crate::printer::Printer;
use crate::whole_file::{self, Prepared};
use crate::{parquet_file, progress, workbook_rows};

/// What is written to standard output, where no ending says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StandardFormat {
    /// A header and a line for each row
    Csv,
    /// One array of objects
    Json,
    /// An object a line
    Jsonl,
}

/// Where rows go, and how they are written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RowsFile {
    /// `None` for standard output.
    path: Option<PathBuf>,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    Text { format: Format, gzip: bool },
    Parquet,
    Workbook,
}

const ENDINGS: &str = "use .csv, .json, .jsonl (each also with .gz after it), .parquet or .xlsx, \
    or `-` for standard output";

impl RowsFile {
    /// Reads what `--output`, `--format` and `--spreadsheet-safe` ask for, before anything is spent
    /// on it.
    pub(crate) fn new(
        output: &Path,
        format: Option<StandardFormat>,
        spreadsheet_safe: bool,
    ) -> Result<Self, BadInput> {
        if path(output).is_none() {
            let format = match format.unwrap_or(StandardFormat::Csv) {
                StandardFormat::Csv => Format::Csv,
                StandardFormat::Json => Format::Json,
                StandardFormat::Jsonl => Format::JsonLines,
            };
            let form = Form::Text {
                format,
                gzip: false,
            };
            return Self { path: None, form }.made_safe(spreadsheet_safe);
        }
        if format.is_some() {
            let message = "--format is for `--output -`: the ending of a file says what is in it";
            return Err(BadInput(message.to_owned()));
        }
        let form = form_of(output).ok_or_else(|| {
            let shown = output.display();
            BadInput(format!(
                "the ending of {shown} does not say what to write; {ENDINGS}"
            ))
        })?;
        let path = Some(output.to_owned());
        Self { path, form }.made_safe(spreadsheet_safe)
    }

    fn made_safe(mut self, spreadsheet_safe: bool) -> Result<Self, BadInput> {
        if !spreadsheet_safe {
            return Ok(self);
        }
        let none = "--spreadsheet-safe is for CSV: in other files no spreadsheet takes a text for \
                    a formula";
        let Form::Text { format, .. } = &mut self.form else {
            return Err(BadInput(none.to_owned()));
        };
        let safe = format.spreadsheet_safe();
        *format = safe.ok_or_else(|| BadInput(none.to_owned()))?;
        Ok(self)
    }

    /// Refuses `--json` beside rows on standard output: a program could not tell them apart.
    pub(crate) fn check_against_json(&self, printer: Printer) -> Result<(), BadInput> {
        if self.path.is_none() && printer.is_json() {
            let message = "--json and the rows cannot both go to standard output; name a file for \
                           --output";
            return Err(BadInput(message.to_owned()));
        }
        Ok(())
    }

    /// The most rows that it can hold, header aside.
    pub(crate) fn most_rows(&self) -> Option<u64> {
        (self.form == Form::Workbook).then_some(workbook_rows::MOST_ROWS)
    }

    /// Refuses more rows than it can hold.
    pub(crate) fn check_rows(&self, asked: Option<u64>) -> Result<(), BadInput> {
        match (asked, self.most_rows()) {
            (Some(asked), Some(most)) if asked > most => Err(BadInput(format!(
                "an Excel workbook has room for {most} rows and its header, not for {asked}; write \
                 .csv or .parquet"
            ))),
            _ => Ok(()),
        }
    }

    /// Refuses more columns than it can hold.
    pub(crate) fn check_columns(&self, columns: usize) -> Result<(), BadInput> {
        if self.form == Form::Workbook && columns > workbook_rows::MOST_COLUMNS {
            return Err(BadInput(format!(
                "an Excel workbook has room for {} columns, not for {columns}; write .csv or \
                 .parquet",
                workbook_rows::MOST_COLUMNS
            )));
        }
        Ok(())
    }

    /// Writes the rows to a file that is to be [kept](Self::keep) later. Those for standard output
    /// wait until then.
    pub(crate) fn prepare(
        &self,
        samples: SampleStream,
        printer: Printer,
    ) -> anyhow::Result<RowsReady> {
        let Some(path) = &self.path else {
            return Ok(RowsReady::Standard(Box::new(samples)));
        };
        let bar = progress::bar(printer)?;
        bar.set_length(samples.left());
        bar.set_message("writing rows");
        let written = &mut |rows| bar.inc(rows);
        let prepared = match self.form {
            Form::Text { format, gzip } => {
                whole_file::prepare(path, |out| write_text(samples, format, gzip, out, written))
            }
            Form::Parquet => {
                whole_file::prepare(path, |out| parquet_file::write(samples, out, written))
            }
            Form::Workbook => {
                whole_file::prepare(path, |out| workbook_rows::write(samples, out, written))
            }
        };
        bar.finish_and_clear();
        Ok(RowsReady::File(prepared?))
    }

    /// Keeps the files, then writes the rows where they go to standard output: by then the record
    /// of what they cost is in its place, whatever becomes of the reader.
    pub(crate) fn keep(
        &self,
        mut files: Vec<Prepared>,
        rows: RowsReady,
        printer: Printer,
    ) -> anyhow::Result<()> {
        let samples = match rows {
            RowsReady::File(file) => {
                files.push(file);
                return whole_file::keep(files);
            }
            RowsReady::Standard(samples) => samples,
        };
        whole_file::keep(files)?;
        let Form::Text { format, gzip } = self.form else {
            unreachable!("standard output is text")
        };
        let mut out = io::BufWriter::new(printer.raw_result());
        let written = write_text(*samples, format, gzip, &mut out, &mut |_| ());
        match written.and_then(|()| Ok(out.flush()?)) {
            // A reader that has seen enough is not an error of ours.
            Err(error) if is_closed_pipe(&error) => Ok(()),
            other => other.context("could not write the rows to standard output"),
        }
    }

    /// The place, for a person.
    pub(crate) fn in_words(&self) -> String {
        match &self.path {
            Some(path) => path.display().to_string(),
            None => "standard output".to_owned(),
        }
    }

    /// Tells what of the rows written a spreadsheet might run.
    pub(crate) fn warn_of_formulas(&self, formulas: &[FormulaReport], printer: Printer) {
        // Only plain CSV: JSON, Parquet and workbooks have types, and the safe form is harmless.
        if !matches!(
            self.form,
            Form::Text {
                format: Format::Csv,
                ..
            }
        ) {
            return;
        }
        for FormulaReport { column, texts, .. } in formulas {
            let more = match texts.len() {
                0 | 1 => String::new(),
                count => format!(" and {} more", count - 1),
            };
            printer.warn(format_args!(
                "column `{column}`: a spreadsheet may take `{}`{more} for a formula; for people \
                 who open it with one, write it with --spreadsheet-safe",
                texts.first().map_or("", String::as_str)
            ));
        }
    }
}

/// The file that `--output` names, unless it is standard output.
pub(crate) fn path(output: &Path) -> Option<&Path> {
    Some(output).filter(|output| *output != Path::new(whole_file::STANDARD))
}

/// Rows that are written, or that wait for the files beside them.
pub(crate) enum RowsReady {
    File(Prepared),
    Standard(Box<SampleStream>),
}

fn form_of(output: &Path) -> Option<Form> {
    let name = output.file_name()?.to_str()?.to_ascii_lowercase();
    let plain = name.strip_suffix(".gz");
    let gzip = plain.is_some();
    let (_, ending) = plain.unwrap_or(&name).rsplit_once('.')?;
    let text = |format| Some(Form::Text { format, gzip });
    match ending {
        "csv" => text(Format::Csv),
        "json" => text(Format::Json),
        "jsonl" => text(Format::JsonLines),
        "parquet" if !gzip => Some(Form::Parquet),
        "xlsx" if !gzip => Some(Form::Workbook),
        _ => None,
    }
}

fn write_text(
    mut samples: SampleStream,
    format: Format,
    gzip: bool,
    mut out: &mut dyn Write,
    written: &mut dyn FnMut(u64),
) -> anyhow::Result<()> {
    if !gzip {
        return Ok(samples.write(format, &mut out, written)?);
    }
    // Without a name or a time: the same rows give the same file.
    let mut gz = GzEncoder::new(out, Compression::default());
    samples.write(format, &mut gz, written)?;
    gz.finish()?;
    Ok(())
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let cause = error.downcast_ref::<io::Error>();
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(output: &str) -> Result<Form, String> {
        let file = RowsFile::new(Path::new(output), None, false);
        file.map(|file| file.form).map_err(|error| error.0)
    }

    #[test]
    fn the_ending_says_what_is_written() {
        let text = |format, gzip| Ok(Form::Text { format, gzip });
        assert_eq!(form("a/b.csv"), text(Format::Csv, false));
        assert_eq!(form("B.CSV.GZ"), text(Format::Csv, true));
        assert_eq!(form("b.json"), text(Format::Json, false));
        assert_eq!(form("b.jsonl.gz"), text(Format::JsonLines, true));
        assert_eq!(form("b.parquet"), Ok(Form::Parquet));
        assert_eq!(form("b.xlsx"), Ok(Form::Workbook));
        for other in [
            "b.docx",
            "b",
            "csv",
            "b.gz",
            "b.parquet.gz",
            "b.csv.zip",
            "b.html",
        ] {
            let refused = form(other).unwrap_err();
            assert!(
                refused.contains(other) && refused.contains(".parquet"),
                "{refused}"
            );
        }
    }

    #[test]
    fn formats_are_for_standard_output() {
        let new = |output: &str, format| RowsFile::new(Path::new(output), format, false);
        let lines = new("-", Some(StandardFormat::Jsonl)).unwrap();
        assert_eq!(lines.path, None);
        assert!(matches!(
            lines.form,
            Form::Text {
                format: Format::JsonLines,
                ..
            }
        ));
        assert!(new("a.csv", Some(StandardFormat::Json)).is_err());
    }

    #[test]
    fn a_workbook_has_no_room_for_more_rows_than_excel() {
        let file = RowsFile::new(Path::new("a.xlsx"), None, false).unwrap();
        assert!(file.check_rows(Some(1_048_575)).is_ok());
        assert!(file.check_rows(Some(1_048_576)).is_err());
        assert!(file.check_columns(16_385).is_err());
    }
}
