//! A fully coded table.

use std::num::NonZeroU32;

use privacy::{DomainSource, DomainSpend};

use schema::Schema;

use crate::codes::Codes;

/// A table whose every column is coded under a public [`Schema`]. What is in it comes out only as
/// [`privacy::Counts`], [`privacy::GradientSum`] and [`privacy::Votes`], and the number of rows not
/// at all. Overwritten on drop.
pub struct CodedTable {
    schema: Schema,
    pub(crate) rows: usize,
    rows_per_id: NonZeroU32,
    domain: Domain,
    pub(crate) columns: Vec<Codes>,
}

/// Where the columns' values and ranges came from.
pub(crate) struct Domain {
    pub(crate) source: DomainSource,
    /// What was spent on them before.
    pub(crate) spends: Vec<DomainSpend>,
}

/// Fewer codes to count a table under: code `c` of column `i` counts as `maps[i][c]`, one of
/// `sizes[i]`.
///
/// The maps must come from public facts or from what was released; then counts have the sensitivity
/// that those of the table itself have.
#[derive(Debug, Clone)]
pub struct Recoding {
    pub(crate) maps: Vec<Vec<u32>>,
    pub(crate) sizes: Vec<usize>,
}

/// The codes given do not fit the schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodesError {
    /// There are more or fewer columns of codes than the schema has.
    #[error("there are {found} columns of codes for a schema of {expected} columns")]
    Columns {
        /// How many columns of codes were given.
        found: usize,
        /// How many the schema has.
        expected: usize,
    },
    /// Two columns have different numbers of rows.
    #[error("column `{column}` has another number of rows than the first column")]
    Rows {
        /// Name of the column.
        column: String,
    },
    /// A code is not one of the column.
    #[error("column `{column}` holds a code that its schema does not have")]
    Code {
        /// Name of the column.
        column: String,
    },
}

impl CodedTable {
    /// A table from codes, column by column; each row is an id of its own, and the schema is taken
    /// to be declared.
    ///
    /// # Errors
    /// When the codes do not fit the schema.
    pub fn from_codes(schema: Schema, columns: &[Vec<u32>]) -> Result<Self, CodesError> {
        let expected = schema.columns().len();
        if columns.len() != expected {
            return Err(CodesError::Columns {
                found: columns.len(),
                expected,
            });
        }
        let rows = columns.first().map_or(0, Vec::len);
        let mut coded = Vec::with_capacity(expected);
        for (column, codes) in schema.columns().iter().zip(columns) {
            let name = || column.name().to_owned();
            if codes.len() != rows {
                return Err(CodesError::Rows { column: name() });
            }
            if codes.iter().any(|&code| code as usize >= column.size()) {
                return Err(CodesError::Code { column: name() });
            }
            coded.push(Codes::collect(column.size(), codes.iter().copied()));
        }
        let domain = Domain {
            source: DomainSource::Declared,
            spends: Vec::new(),
        };
        Ok(Self::new(schema, rows, NonZeroU32::MIN, domain, coded))
    }

    pub(crate) fn new(
        schema: Schema,
        rows: usize,
        rows_per_id: NonZeroU32,
        domain: Domain,
        columns: Vec<Codes>,
    ) -> Self {
        debug_assert!(columns.iter().all(|column| column.len() == rows));
        Self {
            schema,
            rows,
            rows_per_id,
            domain,
            columns,
        }
    }

    /// The columns, which are public.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// How many rows everything of one id may add or remove, at most; see
    /// [`Joined::rows_per_id`](crate::Joined::rows_per_id).
    #[must_use]
    pub fn rows_per_id(&self) -> NonZeroU32 {
        self.rows_per_id
    }

    /// Where the columns' values and ranges came from: what any guarantee about this table rests
    /// on.
    #[must_use]
    pub fn domain(&self) -> DomainSource {
        self.domain.source
    }

    /// What was spent on the columns' values and ranges before, as the schemas say that declare
    /// them ([`schema::Origin::Discovery`]).
    #[must_use]
    pub fn domain_spends(&self) -> &[DomainSpend] {
        &self.domain.spends
    }

    /// The codes themselves, column by column. For a person's own evaluation of data they own.
    #[must_use]
    pub fn dangerous_codes(&self) -> Vec<Vec<u32>> {
        self.columns.iter().map(Codes::widened).collect()
    }
}

impl std::fmt::Debug for CodedTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CodedTable")
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

impl Recoding {
    /// For tables of this schema.
    ///
    /// # Panics
    /// If there is not one map and size for each column, a map has not one entry for each code, or
    /// an entry is not below the size.
    #[must_use]
    pub fn new(schema: &Schema, maps: Vec<Vec<u32>>, sizes: Vec<usize>) -> Self {
        let columns = schema.columns();
        assert_eq!(maps.len(), columns.len(), "there is a map for each column");
        assert_eq!(
            sizes.len(),
            columns.len(),
            "there is a size for each column"
        );
        for ((column, map), &size) in columns.iter().zip(&maps).zip(&sizes) {
            assert_eq!(map.len(), column.size(), "a map has an entry for each code");
            assert!(
                map.iter().all(|&code| (code as usize) < size),
                "new codes are below their size"
            );
        }
        Self { maps, sizes }
    }

    /// Number of codes of each column.
    #[must_use]
    pub fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    /// For each column the code to count instead of each of its own.
    #[must_use]
    pub fn maps(&self) -> &[Vec<u32>] {
        &self.maps
    }
}
