//! Excel workbooks (`.xlsx`) as tables.

use std::io::{BufReader, Read, Seek};

use calamine::{
    DataRef, Dimensions, ExcelDateTime, Reader, SheetType, SheetVisible, Xlsx, XlsxError,
};
use zip::ZipArchive;

/// Bytes of a workbook when it is unpacked, and cells of a sheet: both are held in memory.
const MAX_UNPACKED_BYTES: u64 = 4 << 30;
const MAX_CELLS: usize = 100_000_000;

/// What is wrong with a workbook. All but the first are about what its owner has in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkbookError {
    #[error("the workbook cannot be read: {0}; open it in a spreadsheet program and save it again")]
    Unreadable(String),
    #[error("this is {0}")]
    NotAWorkbook(&'static str),
    #[error("unpacked the workbook takes more than {MAX_UNPACKED_BYTES} bytes; save it as CSV")]
    TooLarge,
    #[error("the sheet has more than {MAX_CELLS} cells; save it as CSV")]
    TooManyCells,
    #[error("the workbook has no sheet `{asked}`; its sheets are {names}")]
    NoSuchSheet { asked: String, names: String },
    #[error("the workbook has several sheets: {names}; say which with --sheet NAME")]
    SeveralSheets { names: String },
    #[error("the workbook has no sheet with cells")]
    NoSheet,
    #[error(
        "the cells {range} are merged, and only the first of them has a value: unmerge them, and \
         fill in what each is to hold"
    )]
    Merged { range: String },
    #[error(
        "the formula in {cell} has no value yet: open the workbook in a spreadsheet program, which \
         computes it, and save it"
    )]
    NotComputed { cell: String },
    #[error(
        "row {row} names {named} of {columns} columns: a table begins with one row of names, so \
         delete titles above it, and make one row of two rows of names"
    )]
    NoHeader {
        row: u64,
        named: usize,
        columns: usize,
    },
    #[error(
        "row {row} looks like a second row of names, as it has texts where the cells below have \
         numbers: make one row of both, or delete it"
    )]
    TwoHeaders { row: u64 },
}

impl From<XlsxError> for WorkbookError {
    fn from(error: XlsxError) -> Self {
        Self::Unreadable(error.to_string())
    }
}

/// A workbook whose sheets are known.
pub(crate) struct Workbook<R> {
    book: Xlsx<BufReader<R>>,
}

/// The cells of one sheet as texts.
pub(crate) struct Sheet {
    pub(crate) name: String,
    pub(crate) names: Vec<String>,
    /// Each with its number in the sheet.
    pub(crate) rows: Vec<(u64, Vec<String>)>,
    /// What its owner should know.
    pub(crate) notes: Vec<String>,
}

impl<R: Read + Seek> Workbook<R> {
    pub(crate) fn open(input: R) -> Result<Self, WorkbookError> {
        let mut input = BufReader::new(input);
        check_archive(&mut input)?;
        let book = Xlsx::new(input)?;
        Ok(Self { book })
    }

    /// The sheet of this name, or else the only one. `is_moment` says of which columns even
    /// midnight is written out.
    pub(crate) fn sheet(
        &mut self,
        asked: Option<&str>,
        is_moment: &dyn Fn(&str) -> bool,
    ) -> Result<Sheet, WorkbookError> {
        let name = self.choose(asked)?;
        if let Some(region) = self.book.merge_cells_by_sheet_name(&name)?.first() {
            let range = range(region);
            return Err(WorkbookError::Merged { range });
        }
        let mut cells = Cells::default();
        let mut reader = self.book.worksheet_cells_reader(&name)?;
        while let Some(cell) = reader.next_cell_with_formula_metadata()? {
            cells.take(cell.pos, cell.value, cell.formula.is_some())?;
        }
        cells.table(name, is_moment)
    }

    fn choose(&self, asked: Option<&str>) -> Result<String, WorkbookError> {
        let sheets = self.book.sheets_metadata().iter();
        let sheets: Vec<_> = sheets
            .filter(|sheet| sheet.typ == SheetType::WorkSheet)
            .collect();
        let names = || {
            let names = sheets.iter().map(|sheet| format!("`{}`", sheet.name));
            names.collect::<Vec<_>>().join(", ")
        };
        let mut seen = sheets
            .iter()
            .filter(|sheet| sheet.visible == SheetVisible::Visible);
        match (asked, seen.next(), seen.next()) {
            (Some(asked), ..) => {
                let found = sheets.iter().find(|sheet| sheet.name == asked);
                let found = found.ok_or_else(|| WorkbookError::NoSuchSheet {
                    asked: asked.to_owned(),
                    names: names(),
                })?;
                Ok(found.name.clone())
            }
            (None, Some(only), None) => Ok(only.name.clone()),
            (None, None, _) => Err(WorkbookError::NoSheet),
            (None, Some(_), Some(_)) => Err(WorkbookError::SeveralSheets { names: names() }),
        }
    }
}

/// Refuses archives that are something else, and those that would take too much memory.
fn check_archive(input: &mut (impl Read + Seek)) -> Result<(), WorkbookError> {
    let unreadable = |error: &dyn std::fmt::Display| WorkbookError::Unreadable(error.to_string());
    let mut archive = ZipArchive::new(&mut *input).map_err(|error| unreadable(&error))?;
    let has = |name: &str| archive.index_for_name(name).is_some();
    if has("xl/workbook.bin") {
        let what = "a binary workbook (.xlsb); save it as .xlsx";
        return Err(WorkbookError::NotAWorkbook(what));
    }
    if has("content.xml") && has("mimetype") {
        let what = "an OpenDocument file; save the sheet as .xlsx or CSV";
        return Err(WorkbookError::NotAWorkbook(what));
    }
    if !has("[Content_Types].xml") {
        let what = "a zip archive and not a workbook; unpack it";
        return Err(WorkbookError::NotAWorkbook(what));
    }
    let mut unpacked: u64 = 0;
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index);
        let entry = entry.map_err(|error| unreadable(&error))?;
        unpacked = unpacked.saturating_add(entry.size());
    }
    if unpacked > MAX_UNPACKED_BYTES {
        return Err(WorkbookError::TooLarge);
    }
    input.rewind().map_err(|error| unreadable(&error))
}

/// The cells of a sheet that have values.
#[derive(Default)]
struct Cells {
    cells: Vec<Cell>,
    formulas: u64,
    errors: u64,
}

struct Cell {
    row: u32,
    column: u32,
    value: CellValue,
}

enum CellValue {
    Text(String),
    Number(f64),
    Truth(bool),
    Moment(ExcelDateTime),
    /// A number, moment or length of time that is written out already.
    Written(String),
}

impl CellValue {
    /// The same as in CSV; of a moment at midnight the day alone, unless it is to be written out.
    fn text(&self, midnight: bool) -> String {
        match self {
            Self::Text(text) | Self::Written(text) => text.clone(),
            Self::Number(number) => number_text(*number),
            Self::Truth(truth) => truth.to_string(),
            Self::Moment(moment) => moment_text(moment, midnight),
        }
    }
}

impl Cells {
    fn take(
        &mut self,
        (row, column): (u32, u32),
        value: DataRef<'_>,
        is_formula: bool,
    ) -> Result<(), WorkbookError> {
        let value = match value {
            DataRef::Int(number) => CellValue::Written(number.to_string()),
            DataRef::Float(number) => CellValue::Number(number),
            DataRef::String(text) => CellValue::Text(text),
            DataRef::SharedString(text) => CellValue::Text(text.to_owned()),
            DataRef::Bool(truth) => CellValue::Truth(truth),
            DataRef::DateTime(moment) => CellValue::Moment(moment),
            DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => CellValue::Written(text),
            DataRef::Error(_) => {
                self.errors += 1;
                CellValue::Text(String::new())
            }
            DataRef::Empty if is_formula => {
                let cell = cell_name(row, column);
                return Err(WorkbookError::NotComputed { cell });
            }
            DataRef::Empty => return Ok(()),
        };
        self.formulas += u64::from(is_formula);
        if self.cells.len() == MAX_CELLS {
            return Err(WorkbookError::TooManyCells);
        }
        self.cells.push(Cell { row, column, value });
        Ok(())
    }

    /// The rows below the first, which has the names.
    fn table(
        mut self,
        name: String,
        is_moment: &dyn Fn(&str) -> bool,
    ) -> Result<Sheet, WorkbookError> {
        // In order already, unless a program of its own kind has written them.
        self.cells.sort_by_key(|cell| (cell.row, cell.column));
        let columns = self.cells.iter().map(|cell| cell.column);
        let (Some(first), Some(last)) = (columns.clone().min(), columns.max()) else {
            return Err(WorkbookError::NoSheet);
        };
        let width = (last - first) as usize + 1;
        let mut rows = self.cells.chunk_by(|a, b| a.row == b.row);
        let header = rows.next().unwrap_or_default();
        if width > 1 && header.len() * 2 <= width {
            return Err(WorkbookError::NoHeader {
                row: row_number(header),
                named: header.len(),
                columns: width,
            });
        }
        let place = |cell: &Cell| (cell.column - first) as usize;
        let mut names = vec![String::new(); width];
        for cell in header {
            names[place(cell)] = cell.value.text(false);
        }
        let moments: Vec<bool> = names.iter().map(|name| is_moment(name.trim())).collect();
        let rows: Vec<&[Cell]> = rows.collect();
        refuse_two_headers(&rows, width, &place)?;
        // Short rows stay short: a cell far to the right must not widen all others.
        let texts = |row: &&[Cell]| {
            let mut fields = vec![String::new(); row.last().map_or(0, |cell| place(cell) + 1)];
            for cell in *row {
                fields[place(cell)] = cell.value.text(moments[place(cell)]);
            }
            (row_number(row), fields)
        };
        if rows
            .iter()
            .map(|row| row.last().map_or(0, &place) + 1)
            .sum::<usize>()
            > MAX_CELLS
        {
            return Err(WorkbookError::TooManyCells);
        }
        Ok(Sheet {
            rows: rows.iter().map(texts).collect(),
            name,
            names,
            notes: notes(self.formulas, self.errors),
        })
    }
}

/// Refuses a first row of texts alone, where a column has nothing but other values below.
fn refuse_two_headers(
    rows: &[&[Cell]],
    width: usize,
    place: &impl Fn(&Cell) -> usize,
) -> Result<(), WorkbookError> {
    let is_text = |cell: &Cell| matches!(cell.value, CellValue::Text(_));
    let Some((second, below)) = rows.split_first() else {
        return Ok(());
    };
    if !second.iter().all(is_text) {
        return Ok(());
    }
    let (mut has_text, mut has_other) = (vec![false; width], vec![false; width]);
    for cell in below.iter().flat_map(|row| row.iter()) {
        match is_text(cell) {
            true => has_text[place(cell)] = true,
            false => has_other[place(cell)] = true,
        }
    }
    match second
        .iter()
        .any(|cell| has_other[place(cell)] && !has_text[place(cell)])
    {
        true => Err(WorkbookError::TwoHeaders {
            row: row_number(second),
        }),
        false => Ok(()),
    }
}

fn notes(formulas: u64, errors: u64) -> Vec<String> {
    let mut notes = Vec::new();
    let cells = |count: u64| match count {
        1 => "1 cell is".to_owned(),
        _ => format!("{count} cells are"),
    };
    if formulas > 0 {
        notes.push(format!(
            "{} computed by formulas: the values are those of when the workbook was saved",
            cells(formulas)
        ));
    }
    if errors > 0 {
        notes.push(format!(
            "{} errors of formulas, such as #N/A, and counted as empty",
            cells(errors)
        ));
    }
    notes
}

/// A number of people's row, from 1.
fn row_number(row: &[Cell]) -> u64 {
    row.first().map_or(0, |cell| u64::from(cell.row) + 1)
}

/// Up to 15 digits, which is what spreadsheets show: more are what arithmetic in binary leaves.
fn number_text(number: f64) -> String {
    let shown: f64 = format!("{number:.14e}").parse().unwrap_or(number);
    // Zero has no sign for people.
    (shown + 0.0).to_string()
}

/// ISO 8601, or the time alone where there is no day.
fn moment_text(moment: &ExcelDateTime, midnight: bool) -> String {
    const DAY: f64 = 86_400.0;
    if moment.is_duration() || moment.as_f64() < 1.0 {
        let seconds = (moment.as_f64() * DAY).round();
        let (hours, rest) = ((seconds / 3600.0).floor(), seconds.rem_euclid(3600.0));
        return format!("{hours:02}:{:02}:{:02}", (rest / 60.0).floor(), rest % 60.0);
    }
    let (year, month, day, hour, minute, second, milli) = moment.to_ymd_hms_milli();
    let date = format!("{year:04}-{month:02}-{day:02}");
    match (hour, minute, second, milli) {
        (0, 0, 0, 0) if !midnight => date,
        (_, _, _, 0) => format!("{date}T{hour:02}:{minute:02}:{second:02}"),
        _ => format!("{date}T{hour:02}:{minute:02}:{second:02}.{milli:03}"),
    }
}

/// Such as `B7`.
fn cell_name(row: u32, column: u32) -> String {
    let (mut letters, mut left) = (Vec::new(), column + 1);
    while left > 0 {
        letters.push(char::from(b'A' + ((left - 1) % 26) as u8));
        left = (left - 1) / 26;
    }
    letters.iter().rev().collect::<String>() + &(row + 1).to_string()
}

fn range(region: &Dimensions) -> String {
    let (start, end) = (region.start, region.end);
    format!(
        "{}:{}",
        cell_name(start.0, start.1),
        cell_name(end.0, end.1)
    )
}

#[cfg(test)]
mod tests {
    use calamine::ExcelDateTimeType;

    use super::*;

    #[test]
    fn cells_have_the_names_that_spreadsheets_show() {
        for (at, name) in [
            ((0, 0), "A1"),
            ((6, 25), "Z7"),
            ((0, 26), "AA1"),
            ((1_048_575, 16_383), "XFD1048576"),
        ] {
            assert_eq!(cell_name(at.0, at.1), name);
        }
    }

    #[test]
    fn numbers_are_as_spreadsheets_show_them() {
        for (number, text) in [
            (3.0, "3"),
            (0.1 + 0.2, "0.3"),
            (1.1, "1.1"),
            (-0.0, "0"),
            (123_456_789_012.5, "123456789012.5"),
            (9_007_199_254_740_992.0, "9007199254740990"),
        ] {
            assert_eq!(number_text(number), text);
        }
    }

    #[test]
    fn moments_are_iso_8601() {
        let moment = |value| ExcelDateTime::new(value, ExcelDateTimeType::DateTime, false);
        assert_eq!(moment_text(&moment(42_035.0), false), "2015-01-31");
        assert_eq!(moment_text(&moment(42_035.0), true), "2015-01-31T00:00:00");
        assert_eq!(
            moment_text(&moment(42_035.437_5), false),
            "2015-01-31T10:30:00"
        );
        assert_eq!(moment_text(&moment(0.4375), false), "10:30:00");
        let long = ExcelDateTime::new(1.5, ExcelDateTimeType::TimeDelta, false);
        assert_eq!(moment_text(&long, false), "36:00:00");
    }
}
