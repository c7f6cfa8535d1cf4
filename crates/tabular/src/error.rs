//! What can be wrong with a table.

use strict_yaml::quoted_list;

use schema::NameFault;

use crate::account::NoRoom;
use crate::id_normalisation::IdNormalisation;
use crate::read_options::{Delimiter, Packing, TextEncoding};

/// Why a row may have another number of fields than the line of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RaggedHint {
    /// There are more fields than names, and commas between digits.
    DecimalCommas,
    /// The line of names has one field, or begins as comments do.
    Title,
    /// The first row has one field more than there are names, and a first one in quotes or that
    /// counts rows.
    RowNames,
    /// The first row has one field more than there are names, and it is empty.
    TrailingSeparators,
    /// Nothing tells.
    None,
}

/// Why a table was refused. The texts are for its owner: they name lines, columns and, for repeated
/// ids, a few ids; other values of the table are never quoted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The source failed before its end.
    #[error("the table could not be read to its end: {0}")]
    Read(std::io::Error),
    /// The file has no byte.
    #[error("the file is empty; a table begins with a line of column names")]
    EmptyFile,
    /// The first line seems to be a row.
    #[error(
        "the first line seems to be a row, not names of columns: {values} of its fields {} a \
         number or a date; write a line of names above it, or, if these are the names, a schema \
         with one of them",
        if *.values == 1 { "is" } else { "are" }
    )]
    NoNames {
        /// How many of its fields look like values.
        values: usize,
    },
    /// Only one of several columns has a name, as below a title.
    #[error(
        "only one of {columns} columns has a name: if the first line is a title, delete what is \
         above the names of columns; else name them all, in one line"
    )]
    OneName {
        /// How many columns the first line has.
        columns: usize,
    },
    /// The only name has quotes within.
    #[error(
        "the first line is one name with quotes in it: if the fields are separated by spaces, \
         separate them by commas or tabs (in R: write.csv with row.names = FALSE)"
    )]
    QuotedName,
    /// The file has a header and no row below it.
    #[error("the file has column names but no rows")]
    NoRows,
    /// The file begins as one of another format does.
    #[error("this is {what}, not a CSV file; {advice}")]
    NotCsv {
        /// The format that it seems to have.
        what: &'static str,
        /// What the person can do about it.
        advice: &'static str,
    },
    /// A compressed file ends before its contents do.
    #[error("the {packing} file is cut off; copy or download it again, to its end")]
    PackedCutOff {
        /// How it is compressed.
        packing: Packing,
    },
    /// A compressed file cannot be decompressed.
    #[error(
        "the {packing} file is damaged{}",
        match .packing {
            Packing::Gzip => ", or something else comes after it",
            Packing::Zstandard =>
                ", or was packed with --long or --ultra, which takes more memory than there is for \
                 it",
        }
    )]
    PackedDamaged {
        /// How it is compressed.
        packing: Packing,
    },
    /// A compressed file is within another.
    #[error("the file is compressed twice; unpack it once")]
    PackedTwice,
    /// Bytes that are no text in the encoding that was named, or that the byte order mark tells.
    #[error(
        "line {line}: not a text in {encoding}{}",
        if *.at_end { ", which ends within a character; was the file cut off?" }
        else { "; name the encoding it has, or save the file as UTF-8" }
    )]
    NotInEncoding {
        /// Line on which such bytes come first, from 1.
        line: u64,
        /// The encoding it should have.
        encoding: TextEncoding,
        /// Only the last character is wrong.
        at_end: bool,
    },
    /// A text that should be JSON is not, or is no table.
    #[error("line {line}: {what}")]
    Json {
        /// Line, from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// A field of an object in JSON is itself an object or a list.
    #[error(
        "line {line}: the field `{name}` is a list or an object; a table in JSON has one object \
         for each row, whose fields are texts, numbers, true, false or null (in pandas: \
         orient=\"records\")"
    )]
    JsonNested {
        /// Line on which the row's object starts, from 1.
        line: u64,
        /// Name of the field.
        name: String,
    },
    /// An object in JSON has a field that none of the first ones has.
    #[error(
        "line {line}: the field `{name}` is in none of the objects before it, of which the first \
         {looked_at} say what the columns are; add it to the first object, if only as null"
    )]
    JsonUnknownField {
        /// Line on which the row's object starts, from 1.
        line: u64,
        /// Name of the field.
        name: String,
        /// How many objects the names of columns were taken from.
        looked_at: usize,
    },
    /// So few objects in JSON have a field that its name would tell others of them.
    #[error(
        "the field `{name}` is in {objects} of {rows} objects, and others will read its name: one \
         that fewer than 20 have, and not all, tells of them; write it in every object, as null \
         where it has no value, take it out, or declare it in a schema"
    )]
    JsonRareField {
        /// Name of the field.
        name: String,
        /// How many objects have it.
        objects: u32,
        /// How many objects there are.
        rows: u32,
    },
    /// A field has bytes that are not UTF-8.
    #[error(
        "{at}, {column}: not UTF-8 text; save the file with the encoding UTF-8, or on the command \
         line name the encoding it has, such as --encoding latin1"
    )]
    NotUtf8 {
        /// Line or row of the record.
        at: RecordPosition,
        /// The column, by name or number.
        column: ColumnRef,
    },
    /// A field has a NUL byte.
    #[error(
        "{at}, {column}: a NUL byte, which no text holds; is the file damaged or not text at all?"
    )]
    Nul {
        /// Line or row of the record.
        at: RecordPosition,
        /// The column, by name or number.
        column: ColumnRef,
    },
    /// Two columns have the same name.
    #[error("columns {first} and {second} are both named `{name}`; rename one of them")]
    DuplicateHeader {
        /// The name that was given.
        name: String,
        /// Position of the first, from 1.
        first: usize,
        /// Position of the second, from 1.
        second: usize,
    },
    /// A column has a name that no file should hold.
    #[error("the name of column {number} cannot be used: {fault}")]
    BadHeader {
        /// Position of the column, from 1.
        number: usize,
        /// What is wrong with it.
        fault: NameFault,
    },
    /// A record has more or fewer fields than the header.
    #[error(
        "line {line} has {} where the header has {expected}; {}",
        several(*.found as u64, "field"),
        match .hint {
            RaggedHint::DecimalCommas =>
                "if numbers are written with a decimal comma, put quotes around them, or separate \
                 the fields by semicolons".to_owned(),
            RaggedHint::Title =>
                "if the first line is a title or a comment, delete what is above the names of \
                 columns".to_owned(),
            RaggedHint::RowNames =>
                "if each row begins with a name or number of its own, as R writes them, give that \
                 column a name too, or write the table without (in R: row.names = FALSE)"
                    .to_owned(),
            RaggedHint::TrailingSeparators => format!(
                "if each row ends with a {delimiter} that the line of names lacks, add one to it, \
                 or take them off the rows"
            ),
            RaggedHint::None => format!("is a {delimiter} or a quote missing or too many?"),
        }
    )]
    Ragged {
        /// Line on which the record starts, from 1.
        line: u64,
        /// How many fields the record has.
        found: usize,
        /// How many fields the header has.
        expected: usize,
        /// What separates them.
        delimiter: Delimiter,
        /// What is probably the reason.
        hint: RaggedHint,
    },
    /// A quote is still open at the end of the file.
    #[error(
        "the file ends inside a quoted field of the record that starts on line {line}; close the \
         quote, or was the file cut off?"
    )]
    UnclosedQuote {
        /// Line on which the record starts, from 1.
        line: u64,
    },
    /// A field is longer than
    /// [`ReadLimits::max_field_bytes`](crate::ReadLimits::max_field_bytes).
    #[error(
        "{at}, {column}: a field of more than {limit} bytes; shorten it, or leave the column out"
    )]
    FieldTooLong {
        /// Line or row of the record.
        at: RecordPosition,
        /// The column, by name or number.
        column: ColumnRef,
        /// The most that is allowed.
        limit: usize,
    },
    /// A record is longer than fields of the allowed length make it.
    #[error(
        "the record that starts on line {line} goes on for more than {limit} bytes; is a quote \
         left open there?"
    )]
    RecordTooLong {
        /// Line on which the record starts, from 1.
        line: u64,
        /// The most that is allowed.
        limit: u64,
    },
    /// The table has more columns than are allowed.
    #[error("the table has {found} columns; at most {limit} are allowed")]
    TooManyColumns {
        /// How many columns the table has.
        found: usize,
        /// The most that is allowed.
        limit: usize,
    },
    /// The table has more rows than are allowed.
    #[error("the table has more than {limit} rows, which is the most allowed")]
    TooManyRows {
        /// The most that is allowed.
        limit: u32,
    },
    /// The file has more bytes than are allowed.
    #[error("the file has more than {limit} bytes, which is the most allowed")]
    TooManyBytes {
        /// The most that is allowed.
        limit: u64,
    },
    /// The table takes more memory than
    /// [`ReadLimits::max_memory_bytes`](crate::ReadLimits::max_memory_bytes).
    #[error(
        "the table takes more than the {limit} bytes of memory that there are for it; leave rows \
         or columns out, or declare columns that hold many different texts"
    )]
    TooMuchMemory {
        /// The limit, in bytes.
        limit: u64,
    },
    /// A compressed file unpacks to far more bytes than one of its length should.
    #[error(
        "unpacked the table takes more than {limit} bytes, the most for a file of its length; \
         write it as CSV, or leave out columns with long texts, or rows"
    )]
    TooMuchUnpacked {
        /// The limit, in bytes.
        limit: u64,
    },
    /// Nobody waits for the table any more.
    #[error("reading was given up")]
    Unwanted,
    /// An undeclared column holds too many different values.
    #[error(
        "column `{column}` holds too many different values to be kept as they are; declare what it \
         holds, or leave it out"
    )]
    TooManyDistinct {
        /// Name of the column.
        column: String,
    },
    /// The key column is missing.
    #[error(
        "there is no column `{key}`, by which rows are matched{}; the columns are {}",
        meant(.nearest.as_deref()),
        listed(.present)
    )]
    NoKey {
        /// Name of the key.
        key: String,
        /// A column with a similar name.
        nearest: Option<String>,
        /// The columns there are.
        present: Vec<String>,
    },
    /// The key is declared as if it were data.
    #[error(
        "`{key}` is the key by which rows are matched and cannot be declared as a column too; take \
         it out of the declaration"
    )]
    KeyDeclared {
        /// Name of the key.
        key: String,
    },
    /// A row has no id.
    #[error("{at}: the id in column `{key}` is empty; every row needs one")]
    EmptyKey {
        /// Line or row of the record.
        at: RecordPosition,
        /// Name of the key.
        key: String,
    },
    /// Ids occur more than once.
    #[error(
        "{} the id of an earlier row (for example {}{}); each id may have one row, unless \
         max_rows_per_id allows more",
        if *.rows == 1 { "1 row repeats".to_owned() } else { format!("{} rows repeat", .rows) },
        quoted_list(.first),
        if .normalisation.is_none() { String::new() } else { format!(", after {normalisation}") }
    )]
    RepeatedIds {
        /// Rows beyond the first of their id.
        rows: u64,
        /// The first few such ids, as they are compared.
        first: Vec<String>,
        /// What was done to ids before they were compared.
        normalisation: IdNormalisation,
    },
    /// Declared columns are missing.
    #[error(
        "declared but missing: {}; the columns are {}",
        missing_list(.missing),
        listed(.present)
    )]
    MissingColumns {
        /// Each with a column of a similar name.
        missing: Vec<(String, Option<String>)>,
        /// The columns there are.
        present: Vec<String>,
    },
    /// More fields of declared columns are not understood than may be.
    #[error("{}", listed_problems(.columns))]
    NotUnderstood {
        /// The columns, in their declared order.
        columns: Vec<NotUnderstood>,
    },
    /// The table has no column besides the key.
    #[error("the table has no column besides the key")]
    NoColumns,
    /// The Parquet file is damaged or uses something that is not supported.
    #[error("the Parquet file cannot be read: {0}")]
    Parquet(String),
    /// A declared column of a Parquet file, or of a table in memory, is not flat or of no supported
    /// type.
    #[error(
        "column `{column}` is {what}, which is not supported; write it as text, numbers or dates"
    )]
    UnsupportedType {
        /// Name of the column.
        column: String,
        /// What its type is, in words.
        what: &'static str,
    },
}

/// A refusal on its way through a reader of bytes comes out as it was.
impl From<std::io::Error> for TableError {
    fn from(error: std::io::Error) -> Self {
        error.downcast().unwrap_or_else(Self::Read)
    }
}

impl TableError {
    /// For a reader of bytes, whose errors are of this type.
    pub(crate) fn into_io(self) -> std::io::Error {
        std::io::Error::other(self)
    }
}

impl From<NoRoom> for TableError {
    fn from(NoRoom { limit }: NoRoom) -> Self {
        Self::TooMuchMemory { limit }
    }
}

/// A declared column of which more fields are not understood than its tolerance allows.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error(
    "column `{column}`: {}; at most {} % may be so",
    .problems.join(", and "),
    percent(*.tolerance)
)]
pub struct NotUnderstood {
    /// Name of the column.
    pub column: String,
    /// How many of how many fields are what, where first, and what to do.
    pub problems: Vec<String>,
    /// The share that may be not understood.
    pub tolerance: f64,
}

fn listed_problems(columns: &[NotUnderstood]) -> String {
    const SHOWN: usize = 8;
    let shown: Vec<String> = columns
        .iter()
        .take(SHOWN)
        .map(ToString::to_string)
        .collect();
    let more = match columns.len().saturating_sub(SHOWN) {
        0 => String::new(),
        1 => "; and 1 more column".to_owned(),
        more => format!("; and {more} more columns"),
    };
    shown.join("; ") + &more
}

/// A share in percent, without what rounding adds.
fn percent(share: f64) -> f64 {
    (share * 1e8).round() / 1e6
}

/// Where in a file a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordPosition {
    /// The line it starts on, from 1.
    Line(u64),
    /// Its number, from 1, where there are no lines.
    Row(u64),
}

impl std::fmt::Display for RecordPosition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Row(row) => write!(f, "row {row}"),
        }
    }
}

/// A column by its name or, where that is unknown, its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnRef {
    /// Name of the column.
    Name(String),
    /// Its position, from 1.
    Number(usize),
}

impl std::fmt::Display for ColumnRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => write!(f, "column `{name}`"),
            Self::Number(number) => write!(f, "column {number}"),
        }
    }
}

fn several(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn meant(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"))
}

fn missing_list(missing: &[(String, Option<String>)]) -> String {
    let each: Vec<String> = missing
        .iter()
        .map(|(name, nearest)| format!("`{name}`{}", meant(nearest.as_deref())))
        .collect();
    each.join(", ")
}

/// Names as far as a person reads them.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 20;
    match names.get(..SHOWN) {
        Some(first) if names.len() > SHOWN => {
            let first: Vec<String> = first.iter().map(|name| format!("`{name}`")).collect();
            format!("{} and {} more", first.join(", "), names.len() - SHOWN)
        }
        _ => quoted_list(names),
    }
}
