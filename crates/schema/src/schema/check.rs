//! What must hold of a column by itself.

use std::collections::HashSet;

use printable::first_hidden;

use crate::column::{Column, Kind};
use crate::day::Day;
use crate::declaration::{Declared, DeclaredKind};
use crate::form::{DateForm, NumberForm, Reading, ValueForm};
use crate::grid::{Grid, Range, RangeError};
use crate::identifier::IdentifierColumn;
use crate::schema::{MAX_CODES, NameFault, OTHER, OTHER_VALUES, SchemaError};

/// Bytes of a column's name in a declaration or a header.
pub(super) const MAX_NAME_BYTES: usize = 256;

/// Checks whether a column of a table may have this name, which all parties see: 1 to 256 bytes,
/// all of whose characters a reader sees.
///
/// # Errors
/// What is wrong with the name.
pub fn check_name(name: &str) -> Result<(), NameFault> {
    check_name_within(MAX_NAME_BYTES, name)
}

pub(super) fn check_name_within(limit: usize, name: &str) -> Result<(), NameFault> {
    if name.is_empty() || name.len() > limit {
        return Err(NameFault::Length { limit });
    }
    first_hidden(name).map_or(Ok(()), |hidden| Err(NameFault::Hidden(hidden)))
}

pub(super) fn checked_identifiers(
    name: String,
    limit: usize,
    declared: Declared,
    after: usize,
) -> Result<IdentifierColumn, SchemaError> {
    if let Err(fault) = check_name_within(limit, &name) {
        return Err(SchemaError::BadName { name, fault });
    }
    let says_more = declared.nullable || declared.other || declared.reading != Reading::default();
    match declared.kind {
        DeclaredKind::Identifier(form) if !says_more => Ok(IdentifierColumn { name, form, after }),
        _ => Err(SchemaError::BadForm {
            column: name,
            problem: "`identifier` stands alone: the column is not read, and every synthetic row \
                      gets an identifier"
                .to_owned(),
        }),
    }
}

pub(super) fn checked_column(
    name: String,
    limit: usize,
    declared: Declared,
) -> Result<Column, SchemaError> {
    if let Err(fault) = check_name_within(limit, &name) {
        return Err(SchemaError::BadName { name, fault });
    }
    let Declared {
        kind,
        nullable,
        other,
        form,
        reading,
    } = declared;
    check_reading(&name, &kind, nullable, &reading)?;
    check_form(&name, &kind, nullable, other, &form)?;
    let kind = match kind {
        DeclaredKind::Categories(texts) => {
            check_categories(&name, &texts, nullable, other)?;
            Kind::Categories(texts)
        }
        DeclaredKind::Integer(range) => Kind::Integer(checked_grid(&name, range)?),
        DeclaredKind::Number(range) => Kind::Number(checked_grid(&name, range)?),
        DeclaredKind::Date(range) => Kind::Date(checked_grid(&name, range)?),
        DeclaredKind::Datetime(range) => Kind::Datetime(checked_grid(&name, range)?),
        DeclaredKind::Boolean => Kind::Boolean,
        DeclaredKind::Identifier(_) => unreachable!("identifiers are checked apart"),
    };
    let column = Column::found(name, kind, nullable, other)
        .with_form(form)
        .with_reading(reading);
    if column.size() > MAX_CODES {
        return Err(SchemaError::TooManyCodes {
            codes: column.size(),
            column: column.name().to_owned(),
        });
    }
    Ok(column)
}

/// Whether a column can be read so.
fn check_reading(
    column: &str,
    kind: &DeclaredKind,
    nullable: bool,
    reading: &Reading,
) -> Result<(), SchemaError> {
    let refuse = |problem: String| {
        let column = column.to_owned();
        Err(SchemaError::BadForm { column, problem })
    };
    if let DeclaredKind::Categories(texts) = kind
        && let Some(text) = reading.missing.iter().find(|text| texts.contains(text))
    {
        return refuse(format!(
            "{text:?} is a category and stands for missing; keep one of them"
        ));
    }
    if !reading.missing.is_empty() && !nullable {
        return refuse("`missing` needs `nullable: true`".to_owned());
    }
    match reading.tolerance {
        Some(share) if !(0.0..1.0).contains(&share) => refuse(format!(
            "`tolerance` is a share from 0 to below 1, not {share}"
        )),
        _ => Ok(()),
    }
}

/// Whether a column's values can be written so, and be read back.
fn check_form(
    column: &str,
    kind: &DeclaredKind,
    nullable: bool,
    other: bool,
    form: &ValueForm,
) -> Result<(), SchemaError> {
    let refuse = |problem: String| {
        let column = column.to_owned();
        Err(SchemaError::BadForm { column, problem })
    };
    let years = |form: &DateForm, days: [Day; 2]| {
        if days.into_iter().all(|day| form.can_write(day)) {
            return Ok(());
        }
        refuse(format!(
            "years of two digits in `{form}` are those from 1969 to 2068; write %Y, or narrow \
             `min` and `max`"
        ))
    };
    match (form, kind) {
        (ValueForm::Date(form), DeclaredKind::Date(range)) => years(form, [range.min, range.max]),
        (ValueForm::Date(form), DeclaredKind::Datetime(_)) if !form.has_time() => refuse(format!(
            "`{form}` has no time of day; add %H and %M, or declare a `date`"
        )),
        (ValueForm::Date(form), DeclaredKind::Datetime(range)) => {
            years(form, [range.min.day(), range.max.day()])
        }
        (ValueForm::Number { decimals, .. }, _)
            if decimals.is_some_and(|decimals| decimals > ValueForm::MAX_DECIMALS) =>
        {
            refuse(format!("`decimals` is at most {}", ValueForm::MAX_DECIMALS))
        }
        (ValueForm::Boolean(words), _) => {
            if words.falses.is_empty() || words.trues.is_empty() {
                return refuse("`boolean` needs words for `true` and for `false`".to_owned());
            }
            let texts: Vec<String> = words.all().map(|(word, _)| word.to_owned()).collect();
            check_categories(column, &texts, nullable, other)
        }
        _ => Ok(()),
    }
}

impl Declared {
    /// Takes over how all columns are read, where this one does not say otherwise.
    pub(super) fn inherit(&mut self, read: &Reading) {
        let is_value = |text: &String| match (&self.kind, &self.form) {
            (DeclaredKind::Categories(texts), _) => texts.contains(text),
            (_, ValueForm::Boolean(words)) => words.all().any(|(word, _)| word == text),
            _ => false,
        };
        let is_new = |text: &&String| !is_value(text) && !self.reading.missing.contains(text);
        // What is not nullable has no missing values to know: an empty field would be refused too.
        if self.nullable {
            let more: Vec<String> = read.missing.iter().filter(is_new).cloned().collect();
            self.reading.missing.extend(more);
        }
        self.reading.tolerance = self.reading.tolerance.or(read.tolerance);
        let numbers = matches!(
            self.kind,
            DeclaredKind::Integer(_) | DeclaredKind::Number(_)
        );
        if numbers
            && self.reading.decimal.is_none()
            && let Some(decimal) = read.decimal
        {
            self.reading.decimal = Some(decimal);
            self.form = ValueForm::Number {
                form: NumberForm {
                    decimal,
                    ..self.form.number()
                },
                decimals: self.form.decimals(),
            };
        }
    }
}

fn check_categories(
    column: &str,
    texts: &[String],
    nullable: bool,
    other: bool,
) -> Result<(), SchemaError> {
    if texts.is_empty() && !other {
        return Err(SchemaError::NoCategories {
            column: column.to_owned(),
        });
    }
    let mut seen = HashSet::new();
    for text in texts {
        let reserved = |stands_for| SchemaError::ReservedCategory {
            column: column.to_owned(),
            category: text.clone(),
            stands_for,
        };
        if !seen.insert(text) {
            return Err(SchemaError::DuplicateCategory {
                column: column.to_owned(),
                category: text.clone(),
            });
        }
        // The text would be read back as something else than was declared.
        if other && text == OTHER_VALUES && texts.iter().any(|text| text == OTHER) {
            return Err(reserved("whatever is not declared, as `other: true` asks"));
        }
        if nullable && text.is_empty() {
            return Err(reserved("an empty field, as `nullable: true` asks"));
        }
        if let Some(hidden) = first_hidden(text) {
            return Err(SchemaError::HiddenInCategory {
                column: column.to_owned(),
                category: text.clone(),
                hidden,
            });
        }
    }
    Ok(())
}

fn checked_grid<T: crate::grid::Ordered>(
    column: &str,
    range: Range<T>,
) -> Result<Grid<T>, SchemaError> {
    let (min, max) = (range.min, range.max);
    let bins = match &range.bins {
        crate::grid::Bins::Uniform(bins) | crate::grid::Bins::Quantile(bins) => *bins as usize,
        crate::grid::Bins::Cuts(cuts) => cuts.len() + 1,
    };
    let column = column.to_owned();
    // Before the grid is made, which holds where every bin begins.
    if bins > MAX_CODES {
        return Err(SchemaError::TooManyCodes {
            column,
            codes: bins,
        });
    }
    Grid::new(range).map_err(|bad| match bad {
        RangeError::NotFinite => SchemaError::NotFinite { column },
        RangeError::Empty => SchemaError::EmptyRange {
            column,
            min: min.to_string(),
            max: max.to_string(),
        },
        RangeError::NoBins => SchemaError::NoBins { column },
        RangeError::CutsNotAscending => SchemaError::BadCuts { column },
    })
}
