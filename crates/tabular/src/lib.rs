//! Tables as codes: from files to contingency counts, and from codes back to files.
//!
//! What the columns of a table hold is a [`Schema`](schema::Schema), where it is declared.
//! [`read_table`] and [`read_parquet`] turn a file into an [`Upload`], in which declared columns
//! are codes already and ids are keyed hashes. [`Joined`] matches the tables of several parties on
//! their ids; what was not declared is then found under differential privacy, paid from a ledger,
//! and the result is a [`CodedTable`]. All that comes out of it is [`privacy::Counts`]. Rows of
//! codes, which a model has sampled, are written by [`RowWriter`].
//!
//! # What is promised
//!
//! Neighbours differ in everything of one id. A table keeps at most [`ReadLimits::max_rows_per_id`]
//! rows of an id (1, where nothing is said), so the join has at most [`Joined::rows_per_id`] rows
//! more or less, and all counts of one table change by that much together. After the join nothing
//! fails because of the data, and the schema depends on the data only through what the ledger
//! released. No text of a declared column outlives the reading of its record, save for buffers of
//! the parsers and the window of a decompressor; codes, hashes and the texts of undeclared columns
//! are overwritten on drop.
//!
//! # What is not promised
//!
//! Column names are public, those of undeclared columns included. How long reading, joining and
//! counting take depends on the data. What is said about an upload ([`TableError`],
//! [`Upload::warnings`], [`Upload::rows`]) is for its owner alone. Functions whose names begin with
//! `dangerous` keep nothing private.
//!
//! # Example
//!
//! ```
//! use schema::{Declaration, Schema};
//! use tabular::Joined;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let declaration = "age: {integer: {min: 0, max: 99, bins: 10}}\nsmokes: {boolean: true}\n";
//! let schema = Schema::new(Declaration::from_yaml(declaration)?)?;
//! assert_eq!(schema.sizes(), [10, 2]);
//!
//! let csv = "age,smokes\n34,yes\n71,no\n";
//! let table = Joined::from_csv(csv.as_bytes(), Some(&schema))?;
//! assert!(!table.needs_discovery(), "all columns are declared");
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod account;
mod coder;
mod codes;
mod count_source;
mod counts;
mod dictionary;
mod discovery;
mod error;
mod field;
mod header;
mod id_forms;
mod id_normalisation;
mod ids;
mod join;
mod memo;
mod new_identifiers;
mod parquet_footer;
mod parquet_page;
mod parquet_value;
mod part_votes;
mod probe;
mod read_columns;
mod read_csv;
mod read_json;
mod read_limits;
mod read_options;
mod read_parquet;
mod read_rows;
mod read_table;
mod records;
mod row_sums;
mod separator;
mod source;
mod table;
mod text;
mod thrift;
mod transcode;
mod unpack;
mod unpacked;
mod upload;
mod values;
mod work;
mod write;

pub use count_source::{CountSource, SourceError};
pub use discovery::{
    DiscoveryBudget, DiscoveryError, Looks, MAX_FOUND_CATEGORIES, MAX_FOUND_CODES,
    MAX_FOUND_NUMBERS, MIN_RANGED, MIN_SHARED, Outline,
};
pub use error::{ColumnRef, NotUnderstood, RaggedHint, RecordPosition, TableError};
pub use id_forms::{IdForm, IdForms};
pub use id_normalisation::{IdNormalisation, IdStep, IdStepError};
pub use ids::KeyHasher;
pub use join::{
    Joined, MAX_JOINED_ROWS, MAX_ROWS_PER_ID, TableBounds, TooManyJoinedRows, TooManyRowsPerId,
    domain_spend, most_joined_rows, rows_per_joined_id,
};
pub use parquet::file::reader::ChunkReader;
pub use part_votes::PartVote;
pub use read_columns::{HeldColumn, HeldValue, read_columns};
pub use read_csv::read_csv;
pub use read_limits::ReadLimits;
pub use read_options::{
    Delimiter, Packing, ReadAs, ReadOptions, TextEncoding, UnknownDelimiter, UnknownEncoding,
};
pub use read_parquet::{is_decoding, read_parquet, read_parquet_while};
pub use read_rows::{SheetRow, read_rows};
pub use read_table::read_table;
pub use row_sums::RowSum;
pub use table::{CodedTable, CodesError, Recoding};
pub use upload::Upload;
pub use values::{ColumnValues, ValueDrawer};
pub use write::{Format, RowWriter, UnknownFormat, write_csv, write_json};
