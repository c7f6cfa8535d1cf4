//! Synthetic rows as an Excel workbook, row by row.

use std::io::Write;

use anyhow::Context;
use rust_xlsxwriter::{ExcelDateTime, Format, Workbook, Worksheet};
use schema::{Day, Moment};
use synthesis::SampleStream;
use tabular::ColumnValues;

/// Rows of a sheet, besides that of the column names.
pub(crate) const MOST_ROWS: u64 = 1_048_575;
pub(crate) const MOST_COLUMNS: usize = 16_384;

/// Whole numbers beyond this are not told apart by Excel, which has floating-point numbers alone.
const MOST_EXACT: u64 = 1 << 53;

/// Writes all rows to one sheet. Texts stay texts, whatever they begin with; what Excel cannot hold
/// as a number or date (whole numbers beyond 2^53, days before 1900) is text as well.
pub(crate) fn write(
    mut samples: SampleStream,
    out: &mut (dyn Write + Send),
    written: &mut dyn FnMut(u64),
) -> anyhow::Result<()> {
    let mut workbook = Workbook::new();
    // Rows go to a temporary file of the library's, not into memory.
    let sheet = workbook.add_worksheet_with_constant_memory()?;
    let schema = samples.schema().clone();
    for (column, at) in schema.output_columns().zip(0..) {
        sheet.write_string(0, at, column.name())?;
    }
    let forms = Forms {
        date: Format::new().set_num_format("yyyy-mm-dd"),
        datetime: Format::new().set_num_format("yyyy-mm-dd hh:mm:ss"),
    };
    let mut drawer = samples.value_drawer();
    let mut next = 1;
    loop {
        let mut values: Vec<ColumnValues> =
            schema.output_columns().map(ColumnValues::none_of).collect();
        let rows = samples.next_values(&mut drawer, &mut values);
        if rows == 0 {
            break;
        }
        for row in 0..usize::try_from(rows).context("more rows than memory")? {
            for (values, column) in values.iter().zip(0..) {
                write_cell(sheet, next, column, values, row, &forms)?;
            }
            next += 1;
        }
        written(rows);
    }
    workbook.save_to_writer(out)?;
    Ok(())
}

/// How dates are shown.
struct Forms {
    date: Format,
    datetime: Format,
}

fn write_cell(
    sheet: &mut Worksheet,
    at: u32,
    column: u16,
    values: &ColumnValues,
    row: usize,
    forms: &Forms,
) -> anyhow::Result<()> {
    match values {
        ColumnValues::Text(values) => {
            if let Some(text) = &values[row] {
                sheet.write_string(at, column, &**text)?;
            }
        }
        ColumnValues::Integer(values) => match values[row] {
            Some(whole) if whole.unsigned_abs() <= MOST_EXACT => {
                sheet.write_number(at, column, whole as f64)?;
            }
            Some(whole) => {
                sheet.write_string(at, column, whole.to_string())?;
            }
            None => {}
        },
        ColumnValues::Number(values) => {
            if let Some(number) = values[row] {
                sheet.write_number(at, column, number)?;
            }
        }
        ColumnValues::Boolean(values) => {
            if let Some(truth) = values[row] {
                sheet.write_boolean(at, column, truth)?;
            }
        }
        ColumnValues::Date(values) => {
            if let Some(day) = values[row] {
                write_date(
                    sheet,
                    at,
                    column,
                    &day.to_string(),
                    of_day(day),
                    &forms.date,
                )?;
            }
        }
        ColumnValues::Datetime(values) => {
            if let Some(moment) = values[row] {
                let excel = of_moment(moment);
                write_date(
                    sheet,
                    at,
                    column,
                    &moment.to_string(),
                    excel,
                    &forms.datetime,
                )?;
            }
        }
    }
    Ok(())
}

fn write_date(
    sheet: &mut Worksheet,
    row: u32,
    column: u16,
    text: &str,
    excel: Option<ExcelDateTime>,
    form: &Format,
) -> anyhow::Result<()> {
    match excel {
        Some(excel) => sheet.write_datetime_with_format(row, column, &excel, form)?,
        None => sheet.write_string(row, column, text)?,
    };
    Ok(())
}

/// `None` before 1900, when Excel's days begin.
fn of_day(day: Day) -> Option<ExcelDateTime> {
    ExcelDateTime::parse_from_str(&day.to_string()).ok()
}

fn of_moment(moment: Moment) -> Option<ExcelDateTime> {
    ExcelDateTime::parse_from_str(&moment.to_string()).ok()
}
