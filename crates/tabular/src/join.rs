//! The inner join of the parties' tables.

use std::io::Read;
use std::num::NonZeroU32;

use privacy::{Counts, Delta, DomainSource, DomainSpend, Epsilon};
use rayon::prelude::*;
use schema::{
    Column, Constraint, DeclaredConstraint, IdentifierColumn, Origin, Schema, SchemaError,
};

use crate::codes::{Codes, Wiped};
use crate::dictionary::{RawColumn, Texts};
use crate::error::TableError;
use crate::ids::{IdIndex, Ids, KeyHasher};
use crate::read_csv::read_csv;
use crate::read_limits::ReadLimits;
use crate::table::Domain;
use crate::upload::{Upload, UploadColumn};

/// The joined rows of all parties (or the one table of a single owner), still with undeclared
/// columns as they were read. Overwritten on drop.
pub struct Joined {
    pub(crate) rows: usize,
    rows_per_id: NonZeroU32,
    pub(crate) columns: Vec<JoinedColumn>,
    /// Those that no table was read for, each with its place among the columns.
    pub(crate) identifiers: Vec<IdentifierColumn>,
    /// About these columns, by their positions; each table's own were checked, and do not touch
    /// each other.
    pub(crate) constraints: Vec<Constraint>,
    /// Where what is declared of the columns came from.
    pub(crate) domain: Domain,
}

pub(crate) enum JoinedColumn {
    Coded(Column, Codes),
    Raw {
        name: String,
        texts: Texts,
        codes: Codes,
    },
}

impl Joined {
    /// Joins the tables on their ids: for every id that all of them have, a row for each
    /// combination of its rows, with the columns of each party in turn under the names
    /// `Party_column`. Of each id at most
    /// [`ReadLimits::max_rows_per_id`](crate::ReadLimits::max_rows_per_id) rows of a table take part, a
    /// uniform choice that depends on the rows of that id alone. So adding or removing everything
    /// of one id adds or removes at most [`rows_per_id`](Self::rows_per_id) rows and changes no
    /// other. An empty join is as good as any other.
    ///
    /// Should two undeclared columns come out with the same name, a number is added to the later
    /// one.
    ///
    /// # Panics
    /// If there is no table, one was read without a key, or [`rows_per_joined_id`] or
    /// [`most_joined_rows`] refuses their bounds, of which
    /// [`ReadLimits::max_rows`](crate::ReadLimits::max_rows) is one.
    #[must_use]
    pub fn join(uploads: Vec<(String, Upload)>) -> Self {
        let bounds = uploads.iter().map(|(_, upload)| upload.rows_per_id());
        let rows_per_id = rows_per_joined_id(bounds).unwrap_or_else(|refused| panic!("{refused}"));
        // Checked here as well as in the agreement: whoever calls has no way round the bound on
        // sensitivity.
        let bounds = uploads.iter().map(|(_, upload)| upload.bounds());
        most_joined_rows(bounds).unwrap_or_else(|refused| panic!("{refused}"));
        let domain = Domain::declared_by(uploads.iter().map(|(_, upload)| upload.origin));
        let picks = matching_rows(&uploads);
        let rows = picks[0].len();
        let mut columns: Vec<JoinedColumn> = Vec::new();
        let mut identifiers = Vec::new();
        let mut constraints = Vec::new();
        // Columns are gathered table by table, so that only one table is in memory twice.
        for ((party, upload), picks) in uploads.into_iter().zip(&picks) {
            let picked: Vec<JoinedColumn> = upload
                .columns
                .into_par_iter()
                .map(|column| pick(&party, column, picks.as_slice()))
                .collect();
            let own = upload.identifiers.into_iter();
            identifiers.extend(own.map(|column| {
                let name = format!("{party}_{}", column.name());
                column.renamed(name).moved(columns.len())
            }));
            let own = upload.constraints.into_iter();
            constraints.extend(own.map(|constraint| constraint.moved(|at| at + columns.len())));
            columns.extend(picked);
        }
        tell_apart(&mut columns, &mut identifiers);
        Self {
            rows,
            rows_per_id,
            columns,
            identifiers,
            constraints,
            domain,
        }
    }

    /// Reads a single CSV table in which each row is a person of their own, within the default
    /// [`ReadLimits`].
    ///
    /// # Errors
    /// As [`read_csv`].
    pub fn from_csv(input: impl Read, schema: Option<&Schema>) -> Result<Self, TableError> {
        // Without a key nothing is hashed.
        // A constant key is safe here, where it keys dictionaries of one's own table only.
        let hasher = KeyHasher::new([0; 16]);
        let upload = read_csv(input, None, schema, &hasher, &ReadLimits::default())?;
        Ok(Self::single(upload))
    }

    /// A single table, with its own column names. Of each id at most
    /// [`ReadLimits::max_rows_per_id`](crate::ReadLimits::max_rows_per_id) rows stay; without a key each
    /// row counts as an id of its own.
    #[must_use]
    pub fn single(upload: Upload) -> Self {
        let rows_per_id = upload.rows_per_id();
        // Also without a join an id may not have more rows than the noise is made for.
        let kept = upload.ids.as_ref().and_then(|ids| ids.kept_rows(""));
        let settled = |codes: Codes| match &kept {
            Some(rows) => codes.gather(rows.as_slice()),
            None => codes,
        };
        let columns = upload
            .columns
            .into_iter()
            .map(|column| match column {
                UploadColumn::Coded(column, codes) => JoinedColumn::Coded(column, settled(codes)),
                UploadColumn::Raw(RawColumn { name, texts, codes }) => JoinedColumn::Raw {
                    name,
                    texts,
                    codes: settled(codes),
                },
            })
            .collect();
        Self {
            rows: kept.as_ref().map_or(upload.rows, Wiped::len),
            rows_per_id,
            columns,
            identifiers: upload.identifiers,
            constraints: upload.constraints,
            domain: Domain::declared_by([upload.origin]),
        }
    }

    /// The same with more constraints, about declared columns under the names they have here.
    ///
    /// # Errors
    /// As [`Schema::constrained`] on the declared columns alone, whatever the data.
    pub fn constrained(mut self, constraints: &[DeclaredConstraint]) -> Result<Self, SchemaError> {
        if constraints.is_empty() {
            return Ok(self);
        }
        // Undeclared columns have no values to name; so constraints are checked without them, and
        // then put in place.
        let declared = (0..)
            .zip(&self.columns)
            .filter_map(|(at, column)| match column {
                JoinedColumn::Coded(column, _) => Some((at, column.clone())),
                JoinedColumn::Raw { .. } => None,
            });
        let (places, columns): (Vec<usize>, Vec<Column>) = declared.unzip();
        let own = self.constraints.iter().map(|constraint| {
            constraint
                .clone()
                .moved(|at| places.partition_point(|&place| place < at))
        });
        // Constraints first: positions change with undeclared columns put in between.
        let schema = Schema::from_parts(columns, own.collect())?
            .with_identifiers(self.identifiers.clone())?
            .constrained(constraints)?;
        let all = schema.constraints().iter().cloned();
        self.constraints = all
            .map(|constraint| constraint.moved(|at| places[at]))
            .collect();
        Ok(self)
    }

    /// How many rows everything of one id may add or remove, at most: the sensitivity of each
    /// count. The product of the tables' bounds, whatever the data.
    #[must_use]
    pub fn rows_per_id(&self) -> NonZeroU32 {
        self.rows_per_id
    }

    /// The number of rows, as one count that only a ledger can open.
    ///
    /// # Panics
    /// If there are 2^32 rows or more, which no join and no table has.
    #[must_use]
    pub fn count_rows(&self) -> Counts {
        let rows = u32::try_from(self.rows).expect("a joined table has fewer than 2^32 rows");
        Counts::from_exact(vec![rows])
    }

    /// The columns, which are public.
    pub fn column_names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(JoinedColumn::name)
    }

    /// How many codes each column has, where it is declared.
    pub fn declared_sizes(&self) -> impl Iterator<Item = Option<usize>> {
        self.columns.iter().map(|column| match column {
            JoinedColumn::Coded(column, _) => Some(column.size()),
            JoinedColumn::Raw { .. } => None,
        })
    }

    /// Whether there are columns that are not declared.
    #[must_use]
    pub fn has_undeclared(&self) -> bool {
        !self.columns.iter().all(JoinedColumn::is_declared)
    }

    /// Whether part of the domain is still unknown: a column is undeclared, or its bins are to have
    /// equal mass.
    #[must_use]
    pub fn needs_discovery(&self) -> bool {
        self.columns.iter().any(JoinedColumn::needs_discovery)
    }
}

impl Domain {
    /// Of tables that were read with schemas of these origins. The weakest decides, and all that
    /// was spent adds up, as the tables are about the same people.
    fn declared_by(origins: impl IntoIterator<Item = Option<Origin>>) -> Self {
        let mut domain = Self {
            source: DomainSource::Declared,
            spends: Vec::new(),
        };
        for origin in origins.into_iter().flatten() {
            domain.source = domain.source.max(match origin {
                Origin::Data => DomainSource::FromData,
                Origin::Discovery(_) => DomainSource::Discovered,
                Origin::Reviewed | Origin::Codebook => DomainSource::Declared,
            });
            domain.spends.extend(domain_spend(origin));
        }
        domain
    }
}

/// Returns what was spent on a schema of this origin, which counts beside the spends of a fit; none
/// where nothing was.
///
/// # Panics
/// If the origin is not that of a checked [`Schema`].
#[must_use]
pub fn domain_spend(origin: Origin) -> Option<DomainSpend> {
    let Origin::Discovery(spend) = origin else {
        return None;
    };
    let checked = "a schema's spend was checked with it";
    Some(DomainSpend {
        epsilon: Epsilon::new(spend.epsilon).expect(checked),
        delta: Delta::new(spend.delta).expect(checked),
        rows_per_id: spend.rows_per_id,
    })
}

impl JoinedColumn {
    pub(crate) fn needs_discovery(&self) -> bool {
        match self {
            Self::Coded(column, _) => column.kind().wanted_quantiles().is_some(),
            Self::Raw { .. } => true,
        }
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Coded(column, _) => column.name(),
            Self::Raw { name, .. } => name,
        }
    }

    pub(crate) fn is_declared(&self) -> bool {
        matches!(self, Self::Coded(..))
    }
}

impl std::fmt::Debug for Joined {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Joined(..)")
    }
}

/// The most rows that one id may have in a joined table. Noise grows with it: far below this bound
/// nothing of the data is left to be seen.
pub const MAX_ROWS_PER_ID: u32 = 10_000;

/// Too many rows for one id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "with these bounds one id could have {rows} rows in the joined table, which are more than the \
     {MAX_ROWS_PER_ID} that noise could hide; lower max_rows_per_id"
)]
pub struct TooManyRowsPerId {
    rows: u128,
}

/// How many rows an id can have in a join: the product of the most that it may have in each table.
///
/// # Errors
/// If that is more than [`MAX_ROWS_PER_ID`].
pub fn rows_per_joined_id(
    bounds: impl IntoIterator<Item = NonZeroU32>,
) -> Result<NonZeroU32, TooManyRowsPerId> {
    // In 128 bits and saturating: each bound fits in 32, but any number of parties may multiply.
    let rows = bounds.into_iter().fold(1_u128, |rows, bound| {
        rows.saturating_mul(bound.get().into())
    });
    u32::try_from(rows)
        .ok()
        .filter(|rows| *rows <= MAX_ROWS_PER_ID)
        .and_then(NonZeroU32::new)
        .ok_or(TooManyRowsPerId { rows })
}

/// The most rows that a joined table may be able to have. While they are joined they take a GiB
/// for each table, and then a quarter of that to all of it for each column: more is beyond most
/// machines. It is far below 2^32, up to which rows are counted.
pub const MAX_JOINED_ROWS: u64 = 1 << 28;

/// What one table may bring into a join, whatever is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableBounds {
    /// The most rows, [`ReadLimits::max_rows`](crate::ReadLimits::max_rows).
    pub rows: u32,
    /// The most rows of one id that take part:
    /// [`ReadLimits::max_rows_per_id`](crate::ReadLimits::max_rows_per_id), or 1 without it.
    pub rows_per_id: NonZeroU32,
}

/// A join could have too many rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "with these bounds the joined table could have {rows} rows, which are more than the \
     {MAX_JOINED_ROWS} that are allowed; lower max_rows_per_id or max_rows"
)]
pub struct TooManyJoinedRows {
    rows: u128,
}

/// How many rows the join of such tables can have: each row of a table is joined with as many as
/// its id may have in all others together, and the table of which that gives the fewest decides.
///
/// # Errors
/// If that is more than [`MAX_JOINED_ROWS`].
pub fn most_joined_rows(
    tables: impl IntoIterator<Item = TableBounds>,
) -> Result<u64, TooManyJoinedRows> {
    let tables: Vec<TableBounds> = tables.into_iter().collect();
    // From public bounds and never from what was uploaded: a refusal after the join would tell
    // about the data.
    let with_others = |i: usize| {
        let others = tables.iter().enumerate().filter(|&(j, _)| j != i);
        others.fold(u128::from(tables[i].rows), |rows, (_, other)| {
            rows.saturating_mul(other.rows_per_id.get().into())
        })
    };
    let rows = (0..tables.len()).map(with_others).min().unwrap_or(0);
    u64::try_from(rows)
        .ok()
        .filter(|rows| *rows <= MAX_JOINED_ROWS)
        .ok_or(TooManyJoinedRows { rows })
}

/// For each table its rows in the order of the joined table, which is that of the first.
fn matching_rows(uploads: &[(String, Upload)]) -> Vec<Wiped<u32>> {
    // In the order of the first table, which is as good as any: no order of rows is ever seen
    // outside.
    let tables: Vec<(&Ids, Option<Wiped<u32>>)> = uploads
        .par_iter()
        .map(|(party, upload)| {
            let ids = upload
                .ids
                .as_ref()
                .expect("tables to be joined are read with a key");
            (ids, ids.kept_rows(party))
        })
        .collect();
    let ((first, kept), others) = tables.split_first().expect("there is a table to join");
    let indices: Vec<IdIndex<'_>> = others
        .par_iter()
        .map(|(ids, kept)| ids.index(kept.as_ref().map(Wiped::as_slice)))
        .collect();
    // As many as there can be: growing, their places would take several times as much as each
    // table's share is counted for.
    // Bounded by the tables' own rows: the declared maximum alone could reserve many GiB for small
    // tables.
    let bounds = uploads.iter().map(|(_, upload)| TableBounds {
        rows: u32::try_from(upload.rows).expect("a table has fewer than 2^32 rows"),
        ..upload.bounds()
    });
    let most = most_joined_rows(bounds).unwrap_or_else(|refused| panic!("{refused}"));
    let most = usize::try_from(most).expect("it is below 2^32");
    let mut matches = Matches {
        begins: Wiped::from(vec![0; others.len()]),
        found: Wiped::from(vec![0; others.len()]),
        picks: uploads
            .iter()
            .map(|_| Vec::with_capacity(most).into())
            .collect(),
        others: indices,
    };
    let ids = first.as_slice();
    match kept {
        // Rows beyond an id's share are not looked up at all.
        Some(rows) => {
            let rows = rows.as_slice().iter().copied();
            rows.for_each(|row| matches.add(row, ids[row as usize]));
        }
        None => (0_u32..)
            .zip(ids)
            .for_each(|(row, &id)| matches.add(row, id)),
    }
    matches.picks
}

struct Matches<'a> {
    /// The tables but the first.
    others: Vec<IdIndex<'a>>,
    /// Of each of them, the first row of the id at hand and the row in the combination at hand.
    begins: Wiped<u32>,
    found: Wiped<u32>,
    /// For each table its rows in the order of the joined table.
    picks: Vec<Wiped<u32>>,
}

impl Matches<'_> {
    /// Adds a row of the first table with each combination of the other tables' rows of its id.
    #[inline]
    fn add(&mut self, row: u32, id: u128) {
        let (begins, found) = (self.begins.as_mut_slice(), self.found.as_mut_slice());
        for (begin, index) in begins.iter_mut().zip(&self.others) {
            match index.row(id) {
                Some(row) => *begin = row,
                // An id that one table lacks adds nothing, whatever other tables have.
                None => return,
            }
        }
        found.copy_from_slice(begins);
        loop {
            self.picks[0].push(row);
            for (picks, &row) in self.picks[1..].iter_mut().zip(&*found) {
                picks.push(row);
            }
            // As an odometer goes on: the last table's next row, or its first and the next of the
            // table before.
            let moved = (0..found.len()).rev().find(|&i| {
                let next = self.others[i].next(found[i]);
                found[i] = next.unwrap_or(begins[i]);
                next.is_some()
            });
            if moved.is_none() {
                return;
            }
        }
    }
}

fn pick(party: &str, column: UploadColumn, rows: &[u32]) -> JoinedColumn {
    match column {
        UploadColumn::Coded(column, codes) => {
            let name = format!("{party}_{}", column.name());
            JoinedColumn::Coded(column.renamed(name), codes.gather(rows))
        }
        UploadColumn::Raw(RawColumn { name, texts, codes }) => JoinedColumn::Raw {
            name: format!("{party}_{name}"),
            codes: codes.gather(rows),
            texts,
        },
    }
}

fn tell_apart(columns: &mut [JoinedColumn], identifiers: &mut [IdentifierColumn]) {
    let taken = |columns: &[JoinedColumn], but: usize, name: &str| {
        let (before, after) = columns.split_at(but);
        identifiers.iter().any(|column| column.name() == name)
            || before.iter().any(|column| column.name() == name)
            || after
                .iter()
                .skip(1)
                .any(|column| column.is_declared() && column.name() == name)
    };
    // By numbers, not by refusing: whether two undeclared columns clash may not end a room after
    // its uploads.
    for i in 0..columns.len() {
        let mut number = 2;
        let plain = columns[i].name().to_owned();
        while taken(columns, i, columns[i].name()) {
            let another = format!("{plain}_{number}");
            number += 1;
            match &mut columns[i] {
                JoinedColumn::Raw { name, .. } => *name = another,
                JoinedColumn::Coded(column, _) => *column = column.clone().renamed(another),
            }
        }
    }
}
