//! Schemas, coded tables, CSV and Parquet, the join, contingency counts, private domain discovery.
#![forbid(unsafe_code)]

mod coder;
mod codes;
mod column;
mod counts;
mod day;
mod declaration;
mod dictionary;
mod discovery;
mod error;
mod grid;
mod ids;
mod join;
mod limits;
mod names;
mod number;
mod parquet_value;
mod probe;
mod read_csv;
mod read_parquet;
mod render;
mod schema;
mod source;
mod table;
mod upload;
mod write;

pub use column::{Column, Kind};
pub use day::{Day, NotADay};
pub use declaration::{Declaration, Declared, DeclaredKind};
pub use discovery::{DiscoveryError, MAX_FOUND_CATEGORIES};
pub use error::{ColumnRef, Place, TableError};
pub use grid::{Bins, DEFAULT_BINS, FINE_CELLS, Grid, Range};
pub use ids::KeyHasher;
pub use join::Joined;
pub use limits::Limits;
pub use read_csv::read_csv;
pub use read_parquet::read_parquet;
pub use schema::{MAX_CODES, OTHER, Schema, SchemaError};
pub use table::{CodedTable, CodesError};
pub use upload::Upload;
pub use write::{Format, RowWriter, UnknownFormat, write_csv, write_json};
