//! What no row can look like: structural zeros and functional dependencies.

mod consistency;
mod declared;

use std::collections::HashMap;
use std::ops::RangeInclusive;

use strict_yaml::nearest;

pub use declared::{DeclaredConstraint, DeclaredValue};

use crate::column::{Column, Kind, TRUTHS, last_of};
use crate::declaration::Bound;
use crate::form::{TruthWords, ValueForm};
use crate::grid::{Grid, Ordered};
use crate::schema::SchemaError;

/// The most combinations of values that the columns of one constraint may have: a model holds a
/// table of them.
pub const MAX_CONSTRAINT_CELLS: usize = 1 << 22;

/// The most constraints of one table.
pub const MAX_CONSTRAINTS: usize = 1_000;

/// The most codes that all constraints of a table may be about together.
const MAX_CONSTRAINED_CODES: usize = 1 << 24;

/// Codes of several columns that no synthetic row has together.
#[derive(Debug, Clone, PartialEq)]
pub struct Constraint {
    columns: Vec<usize>,
    rule: Rule,
    as_written: AsWritten,
}

/// What is forbidden, in codes.
#[derive(Debug, Clone, PartialEq)]
enum Rule {
    /// For each of the columns, the codes that it does not have while all others have theirs.
    Impossible(Vec<Vec<bool>>),
    /// For each code of the first column those of the second that go with it, if not all do;
    /// whether the first is the later one in the table.
    Determines(Vec<Option<RangeInclusive<u32>>>, Swapped),
}

/// Whether `from` comes after `to` in the table.
type Swapped = bool;

/// The values, without the columns' names.
#[derive(Debug, Clone, PartialEq)]
enum AsWritten {
    Impossible(Vec<Vec<DeclaredValue>>),
    Determines(Vec<(String, String)>),
}

impl Constraint {
    /// Positions of the columns it is about, ascending.
    #[must_use]
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// Whether these codes, one for each of [`columns`](Self::columns), may occur together.
    ///
    /// # Panics
    /// If there are fewer codes than columns, or one that its column does not have.
    #[must_use]
    pub fn allows(&self, codes: &[u32]) -> bool {
        match &self.rule {
            Rule::Impossible(sets) => !sets
                .iter()
                .zip(codes)
                .all(|(set, &code)| set[code as usize]),
            Rule::Determines(images, swapped) => {
                let (from, to) = ends(codes, *swapped);
                let image = &images[*from as usize];
                image.as_ref().is_none_or(|image| image.contains(to))
            }
        }
    }

    /// Whether one column follows from another.
    #[must_use]
    pub fn is_functional(&self) -> bool {
        matches!(self.rule, Rule::Determines(..))
    }

    /// Checks a constraint on these columns, of which some may not be declared.
    pub(crate) fn new<'a>(
        declared: &DeclaredConstraint,
        find: &impl Fn(&str) -> Result<(usize, &'a Column), SchemaError>,
    ) -> Result<Self, SchemaError> {
        match declared {
            DeclaredConstraint::Impossible(values) => impossible(values, find),
            DeclaredConstraint::Determines { from, to, map } => determines(from, to, map, find),
        }
    }

    /// As it is written about these columns.
    pub(crate) fn declared(&self, columns: &[Column]) -> DeclaredConstraint {
        let name = |&i: &usize| columns[i].name().to_owned();
        match &self.as_written {
            AsWritten::Impossible(values) => DeclaredConstraint::Impossible(
                self.columns
                    .iter()
                    .map(name)
                    .zip(values.iter().cloned())
                    .collect(),
            ),
            AsWritten::Determines(map) => {
                let swapped = matches!(self.rule, Rule::Determines(_, true));
                let (from, to) = ends(&self.columns, swapped);
                DeclaredConstraint::Determines {
                    from: name(from),
                    to: name(to),
                    map: map.clone(),
                }
            }
        }
    }

    /// The same about columns at other positions, in the same order.
    #[must_use]
    pub fn moved(mut self, to: impl Fn(usize) -> usize) -> Self {
        self.columns
            .iter_mut()
            .for_each(|column| *column = to(*column));
        self
    }
}

/// The column that determines and the one determined.
fn ends<T>(pair: &[T], swapped: Swapped) -> (&T, &T) {
    if swapped {
        (&pair[1], &pair[0])
    } else {
        (&pair[0], &pair[1])
    }
}

/// That the constraints leave every declared value possible.
pub(crate) fn check_together(
    columns: &[Column],
    constraints: &[Constraint],
) -> Result<(), SchemaError> {
    let codes = constraints.iter().map(|c| codes_of(columns, c)).sum();
    check_number(constraints.len(), codes, constraints.len())?;
    consistency::check(columns, constraints)
}

/// The codes that a constraint is about.
pub(crate) fn codes_of(columns: &[Column], constraint: &Constraint) -> usize {
    let about = constraint.columns.iter();
    about.map(|&column| columns[column].size()).sum()
}

/// Checks that constraints are not too many, and about not too many codes.
pub(crate) fn check_number(
    constraints: usize,
    codes: usize,
    found: usize,
) -> Result<(), SchemaError> {
    match constraints > MAX_CONSTRAINTS || codes > MAX_CONSTRAINED_CODES {
        true => Err(SchemaError::TooManyConstraints { found }),
        false => Ok(()),
    }
}

fn impossible<'a>(
    values: &[(String, Vec<DeclaredValue>)],
    find: &impl Fn(&str) -> Result<(usize, &'a Column), SchemaError>,
) -> Result<Constraint, SchemaError> {
    if values.len() < 2 {
        let column = values.first().map_or("", |(name, _)| name).to_owned();
        return Err(SchemaError::LoneColumn { column });
    }
    let about: Vec<(usize, &Column)> = values
        .iter()
        .map(|(name, _)| find(name))
        .collect::<Result<_, _>>()?;
    // Before the sets are made: each column may have a million codes.
    check_cells(about.iter().map(|(_, column)| column.size()), || {
        values.iter().map(|(name, _)| name.clone()).collect()
    })?;
    let mut parts = Vec::with_capacity(values.len());
    for ((name, values), (position, column)) in values.iter().zip(about) {
        let mut set = vec![false; column.size()];
        let codes = CodeLookup::new(column);
        for value in values {
            for code in codes.find_value(value)? {
                set[code as usize] = true;
            }
        }
        if !set.contains(&true) {
            return Err(SchemaError::NoValues {
                column: name.clone(),
            });
        }
        parts.push((position, set, values.clone()));
    }
    parts.sort_by_key(|(position, ..)| *position);
    Ok(Constraint {
        columns: parts.iter().map(|(position, ..)| *position).collect(),
        as_written: AsWritten::Impossible(
            parts.iter().map(|(.., values)| values.clone()).collect(),
        ),
        rule: Rule::Impossible(parts.into_iter().map(|(_, set, _)| set).collect()),
    })
}

fn determines<'a>(
    from: &str,
    to: &str,
    map: &[(String, String)],
    find: &impl Fn(&str) -> Result<(usize, &'a Column), SchemaError>,
) -> Result<Constraint, SchemaError> {
    let (from_at, from_column) = find(from)?;
    let (to_at, to_column) = find(to)?;
    if from_at == to_at {
        return Err(SchemaError::LoneColumn {
            column: from.to_owned(),
        });
    }
    check_cells([from_column.size(), to_column.size()].into_iter(), || {
        vec![from.to_owned(), to.to_owned()]
    })?;
    let (from_codes, to_codes) = (CodeLookup::new(from_column), CodeLookup::new(to_column));
    let mut images = vec![None; from_column.size()];
    for (key, value) in map {
        let image = to_codes.find(value)?;
        for code in from_codes.find(key)? {
            if images[code as usize].replace(image.clone()).is_some() {
                return Err(SchemaError::DeterminedTwice {
                    column: from.to_owned(),
                    value: from_column.label(code as usize).into_owned(),
                });
            }
        }
    }
    let lacking = (0..from_column.kind().len()).find(|&code| images[code].is_none());
    if let Some(code) = lacking {
        return Err(SchemaError::Undetermined {
            column: from.to_owned(),
            value: from_column.label(code).into_owned(),
        });
    }
    Ok(Constraint {
        columns: vec![from_at.min(to_at), from_at.max(to_at)],
        rule: Rule::Determines(images, from_at > to_at),
        as_written: AsWritten::Determines(map.to_vec()),
    })
}

fn check_cells(
    mut sizes: impl Iterator<Item = usize>,
    columns: impl Fn() -> Vec<String>,
) -> Result<(), SchemaError> {
    let within = |cells: usize, size| {
        cells
            .checked_mul(size)
            .filter(|cells| *cells <= MAX_CONSTRAINT_CELLS)
    };
    match sizes.try_fold(1, within) {
        Some(_) => Ok(()),
        None => Err(SchemaError::ConstraintTooLarge { columns: columns() }),
    }
}

/// Finds the codes of values as they are written.
struct CodeLookup<'a> {
    column: &'a Column,
    categories: HashMap<&'a str, usize>,
}

impl<'a> CodeLookup<'a> {
    fn new(column: &'a Column) -> Self {
        let categories = match column.kind() {
            Kind::Categories(texts) => texts.iter().map(String::as_str).zip(0..).collect(),
            Kind::Boolean => {
                let words = match column.form() {
                    ValueForm::Boolean(words) => Some(words),
                    _ => None,
                };
                let own = words.into_iter().flat_map(TruthWords::all);
                let own = own.map(|(word, truth)| (word, usize::from(truth)));
                TRUTHS.into_iter().zip(0..).chain(own).collect()
            }
            _ => HashMap::new(),
        };
        Self { column, categories }
    }

    fn find_value(&self, value: &DeclaredValue) -> Result<RangeInclusive<u32>, SchemaError> {
        let column = self.column;
        match value {
            Some(text) => self.find(text),
            None => match column.null_code() {
                Some(code) => Ok(one(code)),
                None => Err(SchemaError::NotNullable {
                    column: column.name().to_owned(),
                }),
            },
        }
    }

    fn find(&self, text: &str) -> Result<RangeInclusive<u32>, SchemaError> {
        let column = self.column;
        if let Some(code) = column.other_code().filter(|_| text == column.other_text()) {
            return Ok(one(code));
        }
        match column.kind() {
            Kind::Categories(_) | Kind::Boolean => match self.categories.get(text) {
                Some(&code) => Ok(one(code)),
                None => {
                    let codes = 0..column.kind().len();
                    let known: Vec<_> = codes.map(|code| column.label(code)).collect();
                    Err(SchemaError::UnknownValue {
                        column: column.name().to_owned(),
                        value: text.to_owned(),
                        nearest: nearest(text, known.iter().map(AsRef::as_ref)).map(str::to_owned),
                    })
                }
            },
            Kind::Integer(grid) => bins(grid, text, |bin| last_of(grid, bin), true, column),
            Kind::Date(grid) => bins(grid, text, |bin| last_of(grid, bin), true, column),
            Kind::Datetime(grid) => bins(grid, text, |bin| last_of(grid, bin), true, column),
            Kind::Number(grid) => bins(grid, text, |bin| grid.end(bin), false, column),
        }
    }
}

/// The bins of a range, which has to begin and end where bins do.
fn bins<T: Ordered + Bound>(
    grid: &Grid<T>,
    text: &str,
    last: impl Fn(usize) -> T,
    single_values: bool,
    column: &Column,
) -> Result<RangeInclusive<u32>, SchemaError> {
    let unreadable = || SchemaError::NotARange {
        column: column.name().to_owned(),
        value: text.to_owned(),
    };
    let read = |text: &str| T::from_text(text.trim()).ok_or_else(unreadable);
    let (first, end) = match text.split_once("..") {
        Some((first, end)) => (first.trim(), end.trim()),
        None if single_values => (text, text),
        None => return Err(unreadable()),
    };
    let first = if first.is_empty() {
        grid.start(0)
    } else {
        read(first)?
    };
    let end = if end.is_empty() {
        grid.range().max
    } else {
        read(end)?
    };
    // Bins ascend, so that the first that does not lie before a bound is the one that begins or
    // ends there, if one does.
    let begins = first_bin(grid.len(), |bin| grid.start(bin) < first);
    let begins = begins.filter(|&bin| grid.start(bin) == first);
    let ends = first_bin(grid.len(), |bin| last(bin) < end).filter(|&bin| last(bin) == end);
    match (begins, ends) {
        (Some(begins), Some(ends)) if begins <= ends => {
            Ok(one(begins).start().to_owned()..=one(ends).end().to_owned())
        }
        _ => {
            let cut = if begins.is_none() { first } else { end };
            Err(SchemaError::CutsBin {
                column: column.name().to_owned(),
                value: text.to_owned(),
                bin: column.label(grid.bin(cut).0).into_owned(),
            })
        }
    }
}

/// The first of `bins` bins for which `is_before` is false, if it is true for all before and false
/// for all after.
fn first_bin(bins: usize, is_before: impl Fn(usize) -> bool) -> Option<usize> {
    let (mut low, mut high) = (0, bins);
    while low < high {
        let middle = low + (high - low) / 2;
        match is_before(middle) {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    (low < bins).then_some(low)
}

fn one(code: usize) -> RangeInclusive<u32> {
    let code = u32::try_from(code).expect("a column has at most MAX_CODES codes");
    code..=code
}
