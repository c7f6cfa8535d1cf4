//! What can be wrong with a condition, and where.

use std::ops::Range;

use strict_yaml::{nearest, quoted_list};

use crate::column::{Column, Kind, TRUTHS};
use crate::declaration::Bound;
use crate::schema::Schema;

/// The text is not a condition on the columns of the schema. It says what is wrong, at which
/// character, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct ConditionError {
    place: String,
    problem: String,
}

/// A problem before its place is put into words.
#[derive(Debug)]
pub(crate) struct LocatedProblem {
    place: Range<usize>,
    problem: ConditionProblem,
}

impl LocatedProblem {
    pub(crate) fn new(place: Range<usize>, problem: ConditionProblem) -> Self {
        Self { place, problem }
    }

    pub(crate) fn in_text(self, text: &str) -> ConditionError {
        let number = text[..self.place.start].chars().count() + 1;
        let place = match &text[self.place] {
            "" if text.trim().is_empty() => "the condition is empty".to_owned(),
            "" => "at the end of the condition".to_owned(),
            words => format!("in the condition at character {number}, `{words}`"),
        };
        ConditionError {
            place,
            problem: self.problem.to_string(),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ConditionProblem {
    #[error("expected {0}")]
    Expected(&'static str),
    #[error("the quote is not closed; a quote within quotes is written twice")]
    OpenQuote,
    #[error(
        "{0:?} has no meaning here; tests are joined by `and`, and a name or value with signs in \
         it goes in quotes"
    )]
    Sign(char),
    #[error(
        "`or` is not possible, since a condition is one set of values for each column; for several \
         values of one column write `column in [a, b]`, and for different columns draw from each \
         condition on its own"
    )]
    Or,
    #[error(
        "column `{0}` holds new identifiers, made for each row from nothing of the data: no \
         condition can be on it"
    )]
    Identifiers(String),
    #[error("there is no such column{0}")]
    UnknownColumn(String),
    #[error("column `{column}` has no such value{hint}")]
    UnknownValue { column: String, hint: String },
    #[error("this is not {expected}, which column `{column}` holds")]
    Type {
        column: String,
        expected: &'static str,
    },
    #[error(
        "column `{0}` holds values that have no order; use `=`, `!=` or a list such as `in [a, b]`"
    )]
    NoOrder(String),
    #[error("the range is empty, since its first value is above its last; swap them")]
    EmptyRange,
    #[error("column `{0}` is never missing")]
    NeverMissing(String),
    #[error("no value of column `{column}` satisfies this; {holds}")]
    NoValue { column: String, holds: String },
    #[error(
        "column `{0}` holds numbers between bounds, of which a single one has no probability; ask \
         for a range, such as `in 4.5..5.5`"
    )]
    SingleNumber(String),
    #[error("together with the tests before it, it leaves no value of column `{0}`")]
    Exclusive(String),
}

impl ConditionProblem {
    pub(crate) fn unknown_column(name: &str, schema: &Schema) -> Self {
        let names: Vec<&str> = schema.columns().iter().map(Column::name).collect();
        // In a joined table the party's name comes before it.
        let mut ending = names
            .iter()
            .filter(|known| known.ends_with(&format!("_{name}")));
        let meant = match (ending.next(), ending.next()) {
            (Some(only), None) => Some(*only),
            _ => nearest(name, names.iter().copied()),
        };
        Self::UnknownColumn(match meant {
            Some(meant) => format!("; did you mean `{meant}`?"),
            None => format!("; there are {}", shortened(&names)),
        })
    }

    pub(crate) fn unknown_value<S: AsRef<str>>(text: &str, column: &Column, texts: &[S]) -> Self {
        /// Among more it takes long to find what was meant.
        const COMPARED: usize = 10_000;
        let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).take(COMPARED).collect();
        let hint = if column.is_nullable() && stands_for_missing(text) {
            "; for empty fields write `is missing`".to_owned()
        } else if let Some(meant) = nearest(text, texts.iter().copied()) {
            format!("; did you mean `{meant}`?")
        } else {
            format!("; it holds {}", shortened(&texts))
        };
        Self::UnknownValue {
            column: column.name().to_owned(),
            hint,
        }
    }

    pub(crate) fn wrong_type<T: Bound>(column: &Column) -> Self {
        Self::Type {
            column: column.name().to_owned(),
            expected: T::EXPECTED,
        }
    }

    /// No row has this single value, or has it with a probability of its own.
    pub(crate) fn impossible(column: &Column) -> Self {
        match column.kind() {
            Kind::Number(_) => Self::SingleNumber(column.name().to_owned()),
            _ => Self::no_value(column),
        }
    }

    pub(crate) fn no_value(column: &Column) -> Self {
        let holds = match column.kind() {
            Kind::Categories(texts) => format!("it holds {}", shortened(texts)),
            Kind::Integer(grid) => spanning(grid.range().min, grid.range().max),
            Kind::Number(grid) => spanning(grid.range().min, grid.range().max),
            Kind::Date(grid) => spanning(grid.range().min, grid.range().max),
            Kind::Datetime(grid) => spanning(grid.range().min, grid.range().max),
            Kind::Boolean => format!("it holds {}", shortened(&TRUTHS)),
        };
        Self::NoValue {
            column: column.name().to_owned(),
            holds,
        }
    }
}

fn spanning(min: impl std::fmt::Display, max: impl std::fmt::Display) -> String {
    format!("it goes from {min} to {max}")
}

fn stands_for_missing(text: &str) -> bool {
    ["", "null", "none", "na", "n/a", "nan", "missing"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word))
}

/// Names as far as a person reads them.
fn shortened<S: AsRef<str>>(names: &[S]) -> String {
    const SHOWN: usize = 12;
    match names.get(..SHOWN) {
        Some(first) if names.len() > SHOWN => {
            let first: Vec<String> = first.iter().map(|n| format!("`{}`", n.as_ref())).collect();
            format!("{} and {} more", first.join(", "), names.len() - SHOWN)
        }
        _ => quoted_list(names),
    }
}
