//! The table of one party, as codes.

use std::collections::HashMap;
use std::num::NonZeroU32;

use printable::first_hidden;
use schema::{Column, Constraint, IdentifierColumn, Origin, Schema, check_name, is_formula};
use strict_yaml::{nearest, quoted_list};

use crate::account::{Account, NoRoom};
use crate::coder::Coder;
use crate::codes::{Codes, Wiped};
use crate::dictionary::{Dictionary, DictionaryError, RawColumn};
use crate::error::{RecordPosition, TableError};
use crate::id_forms::IdForms;
use crate::ids::{IdCollector, Ids, IdsError, KeyHasher};
use crate::join::TableBounds;
use crate::read_limits::ReadLimits;
use crate::read_options::ReadAs;

/// The table of one party as codes. No text of a declared column is in it, and no id, only keyed
/// hashes of ids; the texts of undeclared columns are kept until the join. Overwritten on drop.
pub struct Upload {
    pub(crate) rows: usize,
    pub(crate) ids: Option<Ids>,
    id_forms: Option<IdForms>,
    pub(crate) columns: Vec<UploadColumn>,
    /// Those of which nothing was read.
    pub(crate) identifiers: Vec<IdentifierColumn>,
    /// Of the schema that it was read with.
    pub(crate) origin: Option<Origin>,
    /// About these columns, by their positions.
    pub(crate) constraints: Vec<Constraint>,
    warnings: Vec<String>,
    read_as: ReadAs,
    max_rows: u32,
    /// Bytes of its places, as they were counted while it was read.
    held_bytes: u64,
}

pub(crate) enum UploadColumn {
    Coded(Column, Codes),
    Raw(RawColumn),
}

impl UploadColumn {
    fn codes(&self) -> &Codes {
        match self {
            Self::Coded(_, codes) => codes,
            Self::Raw(column) => &column.codes,
        }
    }

    /// The same with these rows alone.
    fn gather(self, rows: &[u32]) -> Self {
        match self {
            Self::Coded(column, codes) => Self::Coded(column, codes.gather(rows)),
            Self::Raw(column) => Self::Raw(RawColumn {
                codes: column.codes.gather(rows),
                ..column
            }),
        }
    }

    /// How many different texts are held.
    fn texts(&self) -> u64 {
        match self {
            Self::Coded(..) => 0,
            Self::Raw(column) => column.texts.len() as u64,
        }
    }
}

impl Upload {
    /// Number of rows read. Only for the owner of the table.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// What the owner of the table, and nobody else, should know: values outside the declared
    /// domain counted for each column, columns that were left out.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// How the file was read. Only for the owner of the table.
    #[must_use]
    pub fn read_as(&self) -> &ReadAs {
        &self.read_as
    }

    /// What the ids look like; none without a key. Only for the owner of the table.
    #[must_use]
    pub fn id_forms(&self) -> Option<&IdForms> {
        self.id_forms.as_ref()
    }

    /// How many rows of one id take part, at most; 1 without a key, where each row is an id of its
    /// own.
    pub(crate) fn rows_per_id(&self) -> NonZeroU32 {
        self.ids.as_ref().map_or(NonZeroU32::MIN, Ids::most)
    }

    /// Bytes that this table and its columns of the join can take together while tables are joined
    /// and their columns discovered, where an id has at most `rows_of_others` rows in all other
    /// tables together: it then comes up in the joined table at most that many times for each row
    /// here. It depends on nothing else of the other tables.
    #[must_use]
    pub fn joined_bytes(&self, rows_of_others: u32) -> u64 {
        /// Of the hash index over the rows, and the choice among those of one id.
        const INDEX: u64 = 32;
        const CHOICE: u64 = 34;
        /// Of the row numbers by which the joined table is put together; also of the codes that a
        /// column gets when it was discovered, while it still has the old ones.
        const ROW: u64 = 4;
        /// Of a text while a column is discovered: how often it occurs, in all columns at once, and
        /// what sorting texts takes, in one column at a time.
        const TEXT: u64 = 4;
        const SORTED_TEXT: u64 = 64;

        let rows = self.rows as u64;
        // In 64 bits and saturating: bounds come from the agreement, and their product may leave
        // any range.
        let joined = rows.saturating_mul(rows_of_others.into());
        let width: u64 = self
            .columns
            .iter()
            .map(|column| column.codes().width() as u64)
            .sum();
        let columns = joined.saturating_mul(width + ROW);
        // The choice among an id's rows is only drawn where an id has several.
        let repeats = self.ids.as_ref().is_some_and(Ids::has_repeats);
        let index = rows * (INDEX + if repeats { CHOICE } else { 0 });
        let texts = self.columns.iter().map(UploadColumn::texts);
        let (all, most) = texts.fold((0, 0), |(all, most): (u64, u64), texts| {
            (all + texts, most.max(texts))
        });
        let discovery = TEXT * all + SORTED_TEXT * most;
        // Index and discovery are never in memory together, so that the larger of them counts.
        self.held_bytes
            .saturating_add(columns)
            .saturating_add(index.max(discovery))
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
pub(crate) struct Intake<'a> {
    pub(crate) targets: Vec<Target>,
    /// Whether `at` counts lines or rows.
    place: fn(u64) -> RecordPosition,
    key: String,
    ids: Option<IdCollector>,
    columns: Vec<Filling>,
    identifiers: Vec<IdentifierColumn>,
    origin: Option<Origin>,
    constraints: Vec<Constraint>,
    warnings: Vec<String>,
    max_rows: u32,
    account: &'a Account,
    /// How many rows there is room for in the places of codes and hashes.
    room: usize,
}

#[expect(
    clippy::large_enum_variant,
    reason = "one a column, and read for every field"
)]
enum Filling {
    Declared(Box<Coder>),
    Undeclared(Dictionary),
}

impl Filling {
    /// Bytes that one row takes.
    fn width(&self) -> usize {
        match self {
            Self::Declared(coder) => coder.width(),
            Self::Undeclared(dictionary) => dictionary.width(),
        }
    }
}

impl<'a> Intake<'a> {
    /// Matches the names of the file's columns with the key and the schema.
    pub(crate) fn new(
        header: &[String],
        place: fn(u64) -> RecordPosition,
        key: Option<&str>,
        schema: Option<&Schema>,
        hasher: &KeyHasher,
        limits: &ReadLimits,
        account: &'a Account,
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
        let ids = key
            .map(|_| IdCollector::new(hasher, limits.max_rows_per_id, account))
            .transpose()?;
        let mut intake = Self {
            targets,
            place,
            key: key.unwrap_or_default().to_owned(),
            ids,
            columns: Vec::new(),
            identifiers: schema.map_or_else(Vec::new, |schema| schema.identifiers().to_vec()),
            origin: schema.and_then(Schema::origin),
            constraints: schema.map_or_else(Vec::new, |schema| schema.constraints().to_vec()),
            warnings: Vec::new(),
            max_rows: limits.max_rows,
            account,
            room: 0,
        };
        match schema {
            Some(schema) => {
                intake.take_declared(schema, header, &positions, present)?;
                intake.take_undeclared(header, hasher, limits, |name| schema.discovers(name))?;
                intake.warn_of_ignored(schema, header);
            }
            None => intake.take_undeclared(header, hasher, limits, |_| true)?,
        }
        intake.warn_of_nameless(header);
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
        // All missing columns are told at once, each with the nearest name there is: a person
        // corrects a header in one go.
        let mut miss = |name: &str| {
            let undeclared = header
                .iter()
                .map(String::as_str)
                .filter(|name| schema.position(name).is_none() && !schema.makes(name));
            let nearest = nearest(name, undeclared).map(str::to_owned);
            missing.push((name.to_owned(), nearest));
        };
        for column in schema.columns() {
            let Some(&position) = positions.get(column.name()) else {
                miss(column.name());
                continue;
            };
            self.targets[position] = Target::Column(self.columns.len());
            self.columns
                .push(Filling::Declared(Box::new(Coder::new(column))));
        }
        // Of these nothing is read. A name that the table lacks was misspelt all the same: the
        // column that was meant would be discovered, and so released.
        for column in schema.identifiers() {
            if !positions.contains_key(column.name()) {
                miss(column.name());
            }
        }
        // What is to be discovered was named for a reason as well.
        for name in schema.to_discover() {
            if !positions.contains_key(name.as_str()) {
                missing.push((name.clone(), None));
            }
        }
        if !missing.is_empty() {
            return Err(TableError::MissingColumns {
                missing,
                present: present(),
            });
        }
        Ok(())
    }

    fn warn_of_ignored(&mut self, schema: &Schema, header: &[String]) {
        let ignored: Vec<&String> = self
            .targets
            .iter()
            .zip(header)
            .filter(|(target, name)| **target == Target::Nowhere && !name.is_empty())
            .map(|(_, name)| name)
            // Those that the schema drops by name, or makes anew, need no word.
            .filter(|name| !schema.dropped().contains(name) && !schema.makes(name))
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
    }

    /// Takes in the columns of these names as they are, to be discovered.
    fn take_undeclared(
        &mut self,
        header: &[String],
        hasher: &KeyHasher,
        limits: &ReadLimits,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<(), TableError> {
        for (target, name) in self.targets.iter_mut().zip(header) {
            // A column without a name cannot be told apart in a model; it is left out, with a
            // warning.
            if *target == Target::Nowhere && !name.is_empty() && wanted(name) {
                *target = Target::Column(self.columns.len());
                self.columns.push(Filling::Undeclared(Dictionary::new(
                    name.clone(),
                    hasher,
                    limits,
                    self.account,
                )?));
            }
        }
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

    /// Makes room for one row more than there are.
    #[inline]
    pub(crate) fn begin_row(&mut self, rows: u32) -> Result<(), TableError> {
        if rows as usize == self.room {
            self.grow(rows)?;
        }
        Ok(())
    }

    /// Places grow to twice their size, and to what there is room for where that is less.
    #[cold]
    fn grow(&mut self, rows: u32) -> Result<(), TableError> {
        // Refused at the first row too many, before it is read: a table cut short would be another
        // table.
        if rows == self.max_rows {
            let limit = self.max_rows;
            return Err(TableError::TooManyRows { limit });
        }
        // Near the end of the room many small steps would move everything again and again.
        let least = self.room + (self.room / 8).max(1);
        let most = (2 * self.room).max(FIRST_ROWS).min(self.max_rows as usize);
        // Less than an eighth more would move everything again and again near the end of the room.
        let widest = self.widths().max().unwrap_or(0);
        let moving = (self.room * widest) as u64;
        let width = self.widths().sum::<usize>().max(1) as u64;
        // As many rows as the account has room for, beside the column that moves.
        let fit = self.account.left().saturating_sub(moving) / width;
        let fit = self
            .room
            .saturating_add(usize::try_from(fit).unwrap_or(usize::MAX));
        self.reserve(most.min(fit).max(least.min(most)))
    }

    /// Moves to places for this many rows in all, if there is less room.
    pub(crate) fn reserve(&mut self, rows: usize) -> Result<(), TableError> {
        let Some(more) = rows.checked_sub(self.room) else {
            return Ok(());
        };
        let width = self.widths().sum::<usize>();
        // One column after another moves, so that only one is ever in two places.
        let moving = (self.room * self.widths().max().unwrap_or(0)) as u64;
        self.account
            .take((more as u64).saturating_mul(width as u64))?;
        self.account.take(moving)?;
        if let Some(ids) = &mut self.ids {
            ids.reserve_exact(rows);
        }
        for column in &mut self.columns {
            match column {
                Filling::Declared(coder) => coder.reserve_exact(rows),
                Filling::Undeclared(dictionary) => dictionary.reserve_exact(rows),
            }
        }
        self.account.give(moving);
        self.room = rows;
        Ok(())
    }

    /// Bytes that one row takes in each place.
    fn widths(&self) -> impl Iterator<Item = usize> {
        let ids = self.ids.as_ref().map(IdCollector::width);
        ids.into_iter()
            .chain(self.columns.iter().map(Filling::width))
    }

    /// Takes in one field of a column of the file; an absent value is an empty field. `at` is the
    /// line or row a person would look at. The fields of one column come in the order of its rows.
    #[inline]
    pub(crate) fn push(&mut self, target: Target, field: &[u8], at: u64) -> Result<(), TableError> {
        // Fields that nobody asked for are not even copied.
        match target {
            Target::Nowhere => Ok(()),
            Target::Column(column) => match &mut self.columns[column] {
                Filling::Declared(coder) => {
                    coder.push(field, at);
                    Ok(())
                }
                Filling::Undeclared(dictionary) => match dictionary.push(field, self.account) {
                    Ok(()) => Ok(()),
                    Err(not_taken) => Err(not_taken.in_column(dictionary.name())),
                },
            },
            Target::Key => {
                if let Some(ids) = &mut self.ids
                    && !ids.take_in(field, self.account)?
                {
                    // An empty id would join with every other empty id.
                    return Err(TableError::EmptyKey {
                        at: (self.place)(at),
                        key: self.key.clone(),
                    });
                }
                Ok(())
            }
        }
    }

    /// Something the owner should know.
    pub(crate) fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    /// That this many blank lines were taken in as rows.
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

    /// Ends the reading; the table is whole.
    pub(crate) fn finish(mut self, rows: u32, read_as: ReadAs) -> Result<Upload, TableError> {
        // One of the facts that a refusal tells: SECURITY.md lists them.
        if rows == 0 {
            return Err(TableError::NoRows);
        }
        let account = self.account;
        let mut gaps = Vec::new();
        let mut refused = Vec::new();
        let mut columns = Vec::with_capacity(self.columns.len());
        for filling in self.columns {
            columns.push(match filling {
                Filling::Declared(coder) => match coder.finish(self.place) {
                    Ok(coded) => {
                        self.warnings.extend(coded.warnings);
                        gaps.extend(coded.has_gaps.then_some(columns.len()));
                        UploadColumn::Coded(coded.column, coded.codes)
                    }
                    // All of them are told at once.
                    Err(not_understood) => {
                        refused.push(not_understood);
                        continue;
                    }
                },
                Filling::Undeclared(dictionary) => {
                    let name = dictionary.name().to_owned();
                    let column = dictionary.finish(account);
                    let column = column.map_err(|not_taken| not_taken.in_column(&name))?;
                    self.warnings.extend(warnings_of_texts(&column));
                    UploadColumn::Raw(column)
                }
            });
        }
        if !refused.is_empty() {
            return Err(TableError::NotUnderstood { columns: refused });
        }
        let mut ids = match self.ids.map(|ids| ids.finish(account)).transpose() {
            Ok(ids) => ids,
            Err(IdsError::Repeated {
                rows,
                first,
                normalisation,
            }) => {
                return Err(TableError::RepeatedIds {
                    rows,
                    first,
                    normalisation,
                });
            }
            Err(IdsError::NoRoom(no_room)) => return Err(no_room.into()),
        };
        let mut rows = rows as usize;
        if !gaps.is_empty() {
            let kept = rows_without_gaps(&columns, &gaps, rows, account)?;
            rows = kept.len();
            if rows == 0 {
                return Err(TableError::NoRows);
            }
            let gather = |column: UploadColumn| column.gather(kept.as_slice());
            columns = columns.into_iter().map(gather).collect();
            ids = ids.map(|(ids, forms, _)| {
                let ids = ids.gather(kept.as_slice());
                let surplus = ids.surplus();
                (ids, forms, surplus)
            });
        }
        if let Some((ids, _, surplus)) = &ids {
            let surplus = warning_of_surplus(*surplus, ids.most());
            self.warnings.extend(surplus);
        }
        Ok(Upload {
            rows,
            id_forms: ids.as_ref().map(|(_, forms, _)| *forms),
            ids: ids.map(|(ids, ..)| ids),
            columns,
            identifiers: self.identifiers,
            origin: self.origin,
            constraints: self.constraints,
            warnings: self.warnings,
            read_as,
            max_rows: self.max_rows,
            // As counted when the table is whole: the account's peak is gone with the reader.
            held_bytes: account.used(),
        })
    }
}

/// The rows in which no column has a gap, ascending. The account has room for what comes of them.
fn rows_without_gaps(
    columns: &[UploadColumn],
    gaps: &[usize],
    rows: usize,
    account: &Account,
) -> Result<Wiped<u32>, NoRoom> {
    // The rows' numbers; the widest codes, and ids with their first rows, in two places; and how
    // many rows each id has.
    const ROW: u64 = 4 + 4 + 16 + 8 + 4;
    let room = ROW.saturating_mul(rows as u64);
    account.take(room)?;
    let mut kept: Vec<u32> = (0..).take(rows).collect();
    for &position in gaps {
        if let UploadColumn::Coded(column, codes) = &columns[position] {
            kept.retain(|&row| codes.at(row) as usize != column.size());
        }
    }
    account.give(room);
    Ok(kept.into())
}

/// Rows that there is room for at first.
const FIRST_ROWS: usize = 256;

impl DictionaryError {
    /// Said of the column of this name.
    fn in_column(self, column: &str) -> TableError {
        match self {
            Self::TooManyDistinct => TableError::TooManyDistinct {
                column: column.to_owned(),
            },
            Self::NoRoom(no_room) => no_room.into(),
        }
    }
}

/// What others' programs might do with the texts of an undeclared column, were they released.
fn warnings_of_texts(column: &RawColumn) -> Vec<String> {
    // Told to the owner alone, who can still change the file.
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
            "column `{name}`: a spreadsheet may take {} for formulas, which begin with `=`, `+`, \
             `-` or `@`; ask for samples that are safe in one",
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

/// Position of each name; a name may be missing, not bad or given twice. The longer names of a
/// joined table are good where the schema has them.
fn positions<'a>(
    header: &'a [String],
    schema: Option<&Schema>,
) -> Result<HashMap<&'a str, usize>, TableError> {
    let known = |name: &str| schema.is_some_and(|schema| schema.position(name).is_some());
    let mut positions = HashMap::new();
    // First the name itself, then whether it comes twice: of two faults the simpler is told.
    for (i, name) in header.iter().enumerate() {
        if name.is_empty() {
            continue;
        }
        if let Err(fault) = check_name(name)
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
