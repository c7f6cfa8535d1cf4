//! The inner join of the parties' tables.

use rayon::prelude::*;

use crate::codes::{Codes, Wiped};
use crate::column::Column;
use crate::dictionary::{RawColumn, Texts};
use crate::upload::{Upload, UploadColumn};

/// The joined rows of all parties (or the one table of a single owner), still with undeclared columns as they were read.
/// Overwritten on drop.
pub struct Joined {
    pub(crate) rows: usize,
    pub(crate) columns: Vec<JoinedColumn>,
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
    /// Joins the tables on their ids: a row for every id that all of them have, with the columns of each party in turn
    /// under the names `Party_column`. Since ids are unique in each table, adding or removing everything of one id
    /// changes at most one row. An empty join is as good as any other.
    ///
    /// Should two undeclared columns come out with the same name, a number is added to the later one.
    ///
    /// # Panics
    /// If there is no table, or one was read without a key.
    #[must_use]
    pub fn join(uploads: Vec<(String, Upload)>) -> Self {
        let picks = matching_rows(&uploads);
        let rows = picks[0].len();
        let mut columns: Vec<JoinedColumn> = Vec::new();
        for ((party, upload), picks) in uploads.into_iter().zip(&picks) {
            let picked: Vec<JoinedColumn> = upload
                .columns
                .into_par_iter()
                .map(|column| pick(&party, column, picks.as_slice()))
                .collect();
            columns.extend(picked);
        }
        tell_apart(&mut columns);
        Self { rows, columns }
    }

    /// A single table, with its own column names.
    #[must_use]
    pub fn single(upload: Upload) -> Self {
        let columns = upload
            .columns
            .into_iter()
            .map(|column| match column {
                UploadColumn::Coded(column, codes) => JoinedColumn::Coded(column, codes),
                UploadColumn::Raw(RawColumn { name, texts, codes }) => {
                    JoinedColumn::Raw { name, texts, codes }
                }
            })
            .collect();
        Self {
            rows: upload.rows,
            columns,
        }
    }

    /// Whether part of the domain is still unknown: a column is undeclared, or its bins are to have equal mass.
    #[must_use]
    pub fn needs_discovery(&self) -> bool {
        self.columns.iter().any(JoinedColumn::needs_discovery)
    }
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

/// For each table its rows in the order of the joined table, which is that of the first.
fn matching_rows(uploads: &[(String, Upload)]) -> Vec<Wiped<u32>> {
    let ids: Vec<_> = uploads
        .iter()
        .map(|(_, upload)| {
            upload
                .ids
                .as_ref()
                .expect("tables to be joined are read with a key")
        })
        .collect();
    let (first, others) = ids.split_first().expect("there is a table to join");
    let indices: Vec<_> = others.par_iter().map(|ids| ids.index()).collect();
    let mut picks: Vec<Wiped<u32>> = uploads.iter().map(|_| Wiped::new()).collect();
    let mut found = Wiped::from(vec![0; others.len()]);
    'rows: for (row, &hash) in (0u32..).zip(first.as_slice()) {
        for (found, index) in found.as_mut_slice().iter_mut().zip(&indices) {
            match index.row(hash) {
                Some(row) => *found = row,
                None => continue 'rows,
            }
        }
        picks[0].push(row);
        for (picks, &row) in picks[1..].iter_mut().zip(found.as_slice()) {
            picks.push(row);
        }
    }
    picks
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

fn tell_apart(columns: &mut [JoinedColumn]) {
    let taken = |columns: &[JoinedColumn], but: usize, name: &str| {
        let (before, after) = columns.split_at(but);
        before.iter().any(|column| column.name() == name)
            || after
                .iter()
                .skip(1)
                .any(|column| column.is_declared() && column.name() == name)
    };
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
