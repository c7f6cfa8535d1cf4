//! Conditions on rows, as evidence for a model.

mod error;
mod parse;
mod selected;
mod spans;

use std::collections::BTreeMap;

pub use error::ConditionError;
pub(crate) use spans::Spans;

use crate::column::Column;
use crate::condition::error::{ConditionProblem, LocatedProblem};
use crate::condition::parse::comparisons;
use crate::condition::selected::Selected;
use crate::render::Rendering;
use crate::schema::Schema;

/// A condition on the rows of a schema: for some of the columns, which values are wanted.
///
/// ```
/// # use schema::{Condition, Declaration, Schema};
/// # let yaml = "age: {integer: {min: 0, max: 99, bins: 10}}\nvalue: {categories: [good, poor]}";
/// # let schema = Schema::new(Declaration::from_yaml(yaml)?)?;
/// let condition = Condition::parse("age in 35..44 and value = good", &schema)?;
/// assert_eq!(condition.weights(1), Some(&[1.0, 0.0][..]));
/// assert_eq!(condition.weights(0).map(|bins| &bins[3..5]), Some(&[0.5, 0.5][..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The grammar: tests joined by `and`, each a column and one of `= v`, `!= v`, `< v`, `<= v`,
/// `> v`, `>= v`, `in v..w` (both ends included), `in [v, w]`, `is missing`, `is not missing`.
/// Several tests of one column must all hold. Names and values may be in quotes (`'`, `"` or a
/// backtick, doubled within); they must where they have spaces or signs. Words of the grammar may
/// be in capitals; values are compared as they are. A missing value satisfies `is missing` and
/// nothing else; `other` is a value.
#[derive(Debug, Clone)]
pub struct Condition {
    text: String,
    columns: BTreeMap<usize, ColumnCondition>,
}

#[derive(Debug, Clone)]
struct ColumnCondition {
    /// For each code, the share of its values that is wanted.
    weights: Vec<f64>,
    /// What is written for codes that are wanted in part.
    parts: BTreeMap<usize, Rendering>,
}

impl Condition {
    /// Reads a condition on the columns of a schema.
    ///
    /// # Errors
    /// If the text is not in the grammar, names an unknown column, a value that the column cannot
    /// hold or has no probability of its own, or leaves no value of a column.
    pub fn parse(text: &str, schema: &Schema) -> Result<Self, ConditionError> {
        let selected = select(text, schema).map_err(|fault| fault.in_text(text))?;
        let of_column = |(position, selected): (usize, Selected)| {
            let column = &schema.columns()[position];
            let shares = selected.shares(column);
            let weights = shares.iter().map(|(share, _)| *share).collect();
            let parts = shares
                .into_iter()
                .enumerate()
                .filter_map(|(code, (_, part))| Some((code, Rendering::new(part?, column))))
                .collect();
            (position, ColumnCondition { weights, parts })
        };
        Ok(Self {
            text: text.trim().to_owned(),
            columns: selected.into_iter().map(of_column).collect(),
        })
    }

    /// That each of these columns has a code that is wanted, by the share of its values that are:
    /// for each code of the column, from 0 to 1.
    #[must_use]
    pub fn from_weights(weights: BTreeMap<usize, Vec<f64>>) -> Self {
        let of_column = |(column, weights)| {
            let parts = BTreeMap::new();
            (column, ColumnCondition { weights, parts })
        };
        Self {
            text: String::new(),
            columns: weights.into_iter().map(of_column).collect(),
        }
    }

    /// What every row satisfies.
    #[must_use]
    pub fn anything() -> Self {
        Self {
            text: String::new(),
            columns: BTreeMap::new(),
        }
    }

    /// The same for rows that do not have this code in this column, which is at that position.
    ///
    /// # Panics
    /// If the column has no such code.
    #[must_use]
    pub fn without(mut self, column: &Column, position: usize, code: usize) -> Self {
        let of_column = self
            .columns
            .entry(position)
            .or_insert_with(|| ColumnCondition {
                weights: vec![1.0; column.size()],
                parts: BTreeMap::new(),
            });
        of_column.weights[code] = 0.0;
        of_column.parts.remove(&code);
        self
    }

    /// The condition as it was written, without spaces around it; empty if it was not.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Positions of the columns it is about, ascending.
    pub fn columns(&self) -> impl Iterator<Item = usize> + '_ {
        self.columns.keys().copied()
    }

    /// For each code of a column, the probability with which a value that it stands for is wanted,
    /// values being uniform within a bin; `None` if the condition is not about this column.
    #[must_use]
    pub fn weights(&self, column: usize) -> Option<&[f64]> {
        Some(&self.columns.get(&column)?.weights)
    }

    /// For each column that it is about, how those codes are written that are wanted in part: as
    /// values that satisfy the condition.
    pub fn renderings(&self) -> impl Iterator<Item = (usize, &BTreeMap<usize, Rendering>)> {
        self.columns
            .iter()
            .map(|(&column, of_column)| (column, &of_column.parts))
    }
}

/// What the condition leaves of each column it is about.
fn select(text: &str, schema: &Schema) -> Result<BTreeMap<usize, Selected>, LocatedProblem> {
    let mut columns: BTreeMap<usize, Selected> = BTreeMap::new();
    for comparison in comparisons(text)? {
        let name = &comparison.column;
        let position = schema.position(&name.text).ok_or_else(|| {
            let problem = match schema.makes(&name.text) {
                true => ConditionProblem::Identifiers(name.text.clone()),
                false => ConditionProblem::unknown_column(&name.text, schema),
            };
            LocatedProblem::new(name.place.clone(), problem)
        })?;
        let column = &schema.columns()[position];
        let mut selected = Selected::from_comparison(column, &comparison)?;
        if let Some(before) = columns.get(&position) {
            selected = before.intersection(&selected);
            if selected.is_empty(column) {
                let problem = ConditionProblem::Exclusive(column.name().to_owned());
                return Err(LocatedProblem::new(comparison.place, problem));
            }
        }
        columns.insert(position, selected);
    }
    Ok(columns)
}
