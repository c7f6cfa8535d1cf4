//! The table of one party, as codes.

use std::collections::HashMap;
use std::num::NonZeroU32;

use printable::first_hidden;

use crate::coder::Coder;
use crate::codes::Codes;
use crate::column::Column;
use crate::constraint::Constraint;
use crate::dictionary::{Dictionary, RawColumn};
use crate::error::{Place, TableError};
use crate::ids::{IdCollector, Ids, KeyHasher};
use crate::join::TableBounds;
use crate::limits::Limits;
use crate::names::{nearest, quoted_list};
use crate::number::trim;
use crate::schema::{MAX_NAME_BYTES, Schema, check_name};
use crate::spreadsheet::is_formula;

/// The table of one party as codes. No text of a declared column is in it, and no id, only keyed hashes of ids; the
/// texts of undeclared columns are kept until the join. Overwritten on drop.
pub struct Upload {
    pub(crate) rows: usize,
    pub(crate) ids: Option<Ids>,
    pub(crate) columns: Vec<UploadColumn>,
    /// About these columns, by their positions.
    pub(crate) constraints: Vec<Constraint>,
    warnings: Vec<String>,
    max_rows: u32,
}

pub(crate) enum UploadColumn {
    Coded(Column, Codes),
    Raw(RawColumn),
}

impl Upload {
    /// Number of rows read. Only for the owner of the table.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// What the owner of the table, and nobody else, should know: values outside the declared domain counted for each
    /// column, columns that were left out.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// How many rows of one id take part, at most; 1 without a key, where each row is an id of its own.
    pub(crate) fn rows_per_id(&self) -> NonZeroU32 {
        self.ids.as_ref().map_or(NonZeroU32::MIN, Ids::most)
    }

    /// What may take part in a join, whatever the data.
    pub(crate) fn bounds(&self) -> TableBounds {
        TableBounds {
            rows: self.max_rows,
            rows_per_id: self.rows_per_id(),
        }
    }

    /// Names of the columns, without the key.
    pub fn column_names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| match column {
            UploadColumn::Coded(column, _) => column.name(),
            UploadColumn::Raw(column) => column.name.as_str(),
        })
    }
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Upload(..)")
    }
}

/// Where a column of the file goes.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Target {
    Key,
    Column(usize),
    Nowhere,
}

/// A table while it is read, from whatever format.
pub(crate) struct Intake {
    pub(crate) targets: Vec<Target>,
    /// What `at` counts.
    place: fn(u64) -> Place,
    key: String,
    ids: Option<IdCollector>,
    columns: Vec<Filling>,
    constraints: Vec<Constraint>,
    warnings: Vec<String>,
    max_rows: u32,
    max_code_bytes: u64,
}

enum Filling {
    Declared(Coder),
    Undeclared(Dictionary),
}

impl Filling {
    /// Bytes that one row takes.
    fn width(&self) -> usize {
        match self {
            Self::Declared(coder) => coder.width(),
            Self::Undeclared(_) => size_of::<u32>(),
        }
    }
}

impl Intake {
    /// Matches the names of the file's columns with the key and the schema.
    pub(crate) fn new(
        header: &[String],
        place: fn(u64) -> Place,
        key: Option<&str>,
        schema: Option<&Schema>,
        hasher: &KeyHasher,
        limits: &Limits,
    ) -> Result<Self, TableError> {
        if header.len() > limits.max_columns {
            return Err(TableError::TooManyColumns {
                found: header.len(),
                limit: limits.max_columns,
            });
        }
        let positions = positions(header, schema)?;
        let present = || {
            header
                .iter()
                .filter(|name| !name.is_empty())
                .cloned()
                .collect::<Vec<_>>()
        };
        let mut targets = vec![Target::Nowhere; header.len()];
        if let Some(key) = key {
            if schema.is_some_and(|schema| schema.position(key).is_some()) {
                return Err(TableError::KeyDeclared {
                    key: key.to_owned(),
                });
            }
            let position = positions.get(key).ok_or_else(|| TableError::NoKey {
                key: key.to_owned(),
                nearest: nearest(key, header.iter().map(String::as_str)).map(str::to_owned),
                present: present(),
            })?;
            targets[*position] = Target::Key;
        }
        let mut intake = Self {
            targets,
            place,
            key: key.unwrap_or_default().to_owned(),
            ids: key.map(|_| IdCollector::new(hasher, limits.max_rows_per_id)),
            columns: Vec::new(),
            constraints: schema.map_or_else(Vec::new, |schema| schema.constraints().to_vec()),
            warnings: Vec::new(),
            max_rows: limits.max_rows,
            max_code_bytes: limits.max_code_bytes,
        };
        match schema {
            Some(schema) => intake.take_declared(schema, header, &positions, present)?,
            None => intake.take_all(header, hasher, limits)?,
        }
        Ok(intake)
    }

    fn take_declared(
        &mut self,
        schema: &Schema,
        header: &[String],
        positions: &HashMap<&str, usize>,
        present: impl Fn() -> Vec<String>,
    ) -> Result<(), TableError> {
        let mut missing = Vec::new();
        for column in schema.columns() {
            let Some(&position) = positions.get(column.name()) else {
                let undeclared = header
                    .iter()
                    .map(String::as_str)
                    .filter(|name| schema.position(name).is_none());
                missing.push((
                    column.name().to_owned(),
                    nearest(column.name(), undeclared).map(str::to_owned),
                ));
                continue;
            };
            self.targets[position] = Target::Column(self.columns.len());
            self.columns.push(Filling::Declared(Coder::new(column)));
        }
        if !missing.is_empty() {
            return Err(TableError::MissingColumns {
                missing,
                present: present(),
            });
        }
        let ignored: Vec<&String> = self
            .targets
            .iter()
            .zip(header)
            .filter(|(target, name)| **target == Target::Nowhere && !name.is_empty())
            .map(|(_, name)| name)
            .collect();
        if !ignored.is_empty() {
            let (columns, are) = if ignored.len() == 1 {
                ("column", "is")
            } else {
                ("columns", "are")
            };
            self.warnings.push(format!(
                "{columns} {} {are} not declared and left out",
                quoted_list(&ignored)
            ));
        }
        self.warn_of_nameless(header);
        Ok(())
    }

    fn take_all(
        &mut self,
        header: &[String],
        hasher: &KeyHasher,
        limits: &Limits,
    ) -> Result<(), TableError> {
        for (target, name) in self.targets.iter_mut().zip(header) {
            if *target == Target::Nowhere && !name.is_empty() {
                *target = Target::Column(self.columns.len());
                self.columns.push(Filling::Undeclared(Dictionary::new(
                    name.clone(),
                    hasher,
                    limits,
                )));
            }
        }
        self.warn_of_nameless(header);
        if self.columns.is_empty() {
            return Err(TableError::NoColumns);
        }
        Ok(())
    }

    fn warn_of_nameless(&mut self, header: &[String]) {
        for (i, _) in header
            .iter()
            .enumerate()
            .filter(|(_, name)| name.is_empty())
        {
            self.warnings
                .push(format!("column {} has no name and is left out", i + 1));
        }
    }

    /// The most rows that the limits leave room for, and what is wrong with more.
    pub(crate) fn room(&self) -> (u32, TableError) {
        let id = self.ids.as_ref().map_or(0, IdCollector::width);
        let row = id + self.columns.iter().map(Filling::width).sum::<usize>();
        let coded = self.max_code_bytes / (row.max(1) as u64);
        match u32::try_from(coded) {
            Ok(rows) if rows < self.max_rows => {
                let limit = self.max_code_bytes;
                (rows, TableError::TooManyCodes { limit })
            }
            _ => {
                let limit = self.max_rows;
                (limit, TableError::TooManyRows { limit })
            }
        }
    }

    /// Takes in one field of a column of the file; an absent value is an empty field. `at` is the
    /// line or row a person would look at. The fields of one column come in the order of its rows.
    #[inline]
    pub(crate) fn push(&mut self, target: Target, field: &[u8], at: u64) -> Result<(), TableError> {
        match target {
            Target::Nowhere => Ok(()),
            Target::Column(column) => match &mut self.columns[column] {
                Filling::Declared(coder) => {
                    coder.push(field, at);
                    Ok(())
                }
                Filling::Undeclared(dictionary) => {
                    dictionary
                        .push(field)
                        .map_err(|_| TableError::TooManyDistinct {
                            column: dictionary.name().to_owned(),
                        })
                }
            },
            Target::Key => {
                let id = trim(field);
                if id.is_empty() {
                    return Err(TableError::EmptyKey {
                        at: (self.place)(at),
                        key: self.key.clone(),
                    });
                }
                if let Some(ids) = &mut self.ids {
                    ids.push(id);
                }
                Ok(())
            }
        }
    }

    /// Something the owner should know.
    pub(crate) fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    /// That so many blank lines were taken in as rows.
    pub(crate) fn warn_of_blank_lines(&mut self, blank: u32) {
        let lines = match blank {
            0 => return,
            1 => "1 line is blank and counts as a row".to_owned(),
            _ => format!("{blank} lines are blank and count as rows"),
        };
        self.warn(format!(
            "{lines} with an empty field, as the file has one column"
        ));
    }

    /// The finished table.
    pub(crate) fn finish(mut self, rows: u32) -> Result<Upload, TableError> {
        if rows == 0 {
            return Err(TableError::NoRows);
        }
        let ids = match self.ids.map(IdCollector::finish).transpose() {
            Ok(Some((ids, surplus))) => {
                self.warnings
                    .extend(warning_of_surplus(surplus, ids.most()));
                Some(ids)
            }
            Ok(None) => None,
            Err((rows, first)) => return Err(TableError::RepeatedIds { rows, first }),
        };
        let mut columns = Vec::with_capacity(self.columns.len());
        for filling in self.columns {
            columns.push(match filling {
                Filling::Declared(coder) => {
                    let (column, codes, warnings) = coder.finish(self.place);
                    self.warnings.extend(warnings);
                    UploadColumn::Coded(column, codes)
                }
                Filling::Undeclared(dictionary) => {
                    let name = dictionary.name().to_owned();
                    let column = dictionary
                        .finish()
                        .map_err(|_| TableError::TooManyDistinct { column: name })?;
                    self.warnings.extend(warnings_of_texts(&column));
                    UploadColumn::Raw(column)
                }
            });
        }
        Ok(Upload {
            rows: rows as usize,
            ids,
            columns,
            constraints: self.constraints,
            warnings: self.warnings,
            max_rows: self.max_rows,
        })
    }
}

/// What others' programs might do with the texts of an undeclared column, were they released.
fn warnings_of_texts(column: &RawColumn) -> Vec<String> {
    let count = |wanted: fn(&str) -> bool| {
        let texts = column
            .texts
            .iter()
            .filter_map(|text| str::from_utf8(text).ok());
        texts.filter(|text| wanted(text)).count()
    };
    let (formulas, hidden) = (
        count(is_formula),
        count(|text| first_hidden(text).is_some()),
    );
    let values = |count: usize| match count {
        1 => "1 different value".to_owned(),
        _ => format!("{count} different values"),
    };
    let name = &column.name;
    let mut warnings = Vec::new();
    if is_formula(name) {
        warnings.push(format!(
            "column `{name}`: a spreadsheet may take its name for a formula; rename it, or ask for \
             samples that are safe in one"
        ));
    }
    if formulas > 0 {
        warnings.push(format!(
            "column `{name}`: a spreadsheet may take {} for formulas, which begin with `=`, `+`, `-` \
             or `@`; ask for samples that are safe in one",
            values(formulas)
        ));
    }
    if hidden > 0 {
        warnings.push(format!(
            "column `{name}`: {} with control or invisible characters will count as `other`",
            values(hidden)
        ));
    }
    warnings
}

fn warning_of_surplus(surplus: u64, most: NonZeroU32) -> Option<String> {
    let (rows, are) = match surplus {
        0 => return None,
        1 => ("row", "is"),
        _ => ("rows", "are"),
    };
    Some(format!(
        "{surplus} {rows} {are} left out: of each id a random choice of {most} at most takes part"
    ))
}

/// Position of each name; a name may be missing, not bad or given twice. The longer names of a joined table are good
/// where the schema has them.
fn positions<'a>(
    header: &'a [String],
    schema: Option<&Schema>,
) -> Result<HashMap<&'a str, usize>, TableError> {
    let known = |name: &str| schema.is_some_and(|schema| schema.position(name).is_some());
    let mut positions = HashMap::new();
    for (i, name) in header.iter().enumerate() {
        if name.is_empty() {
            continue;
        }
        if let Err(fault) = check_name(name, MAX_NAME_BYTES)
            && !known(name)
        {
            let number = i + 1;
            return Err(TableError::BadHeader { number, fault });
        }
        if let Some(first) = positions.insert(name.as_str(), i) {
            return Err(TableError::DuplicateHeader {
                name: name.clone(),
                first: first + 1,
                second: i + 1,
            });
        }
    }
    Ok(positions)
}
