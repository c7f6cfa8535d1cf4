//! Checked columns.

mod check;
mod error;

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use strict_yaml::nearest;

pub use check::check_name;
pub use error::{NameFault, SchemaError};

use crate::column::{Column, Kind};
use crate::constraint::{Constraint, DeclaredConstraint, check_number, check_together, codes_of};
use crate::declaration::{CONSTRAINTS, Declaration, Declared, DeclaredKind};
use crate::form::{Reading, ValueForm};
use crate::identifier::IdentifierColumn;
use crate::origin::Origin;
use crate::schema::check::{
    MAX_NAME_BYTES, check_name_within, checked_column, checked_identifiers,
};
use crate::spreadsheet::is_formula;

/// The most codes one column may have.
pub const MAX_CODES: usize = 1 << 20;

/// The most codes that all columns of a declaration may have together: where bins begin is held for
/// each, and a few bytes declare a million of them.
pub const MAX_CODES_TOGETHER: usize = 1 << 24;

/// Bytes of a column's name in a joined table, where the party's name comes before it.
const MAX_JOINED_NAME_BYTES: usize = 1024;

/// The text that stands for a value outside the declared or discovered categories.
/// [`Column::other_text`] is that of a column.
pub const OTHER: &str = "other";

/// The same in a column in which [`OTHER`] is a category.
pub const OTHER_VALUES: &str = "other values";

/// The checked columns of a table, in order: names differ, every range and every list of categories
/// makes sense.
///
/// Public: it is declared, or was discovered under differential privacy. Its serialised form is
/// that of a [`Declaration`], and is checked again when read; names may be longer there than in a
/// declaration, as those of a joined table are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Declaration", into = "Declaration")]
pub struct Schema {
    origin: Option<Origin>,
    columns: Vec<Column>,
    /// In their order, each with its place among the columns.
    identifiers: Vec<IdentifierColumn>,
    constraints: Vec<Constraint>,
    /// Names of columns that are to be discovered, and of those that are left out.
    discover: Vec<String>,
    dropped: Vec<String>,
    /// Whether columns that are not named are discovered as well.
    discovers_rest: bool,
}

/// A column of synthetic rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OutputColumn<'a> {
    /// One with codes, which rows of a model have.
    Coded(&'a Column),
    /// One of new identifiers.
    Identifiers(&'a IdentifierColumn),
}

impl<'a> OutputColumn<'a> {
    /// The name; in a joined table with the party's name before it.
    #[must_use]
    pub fn name(self) -> &'a str {
        match self {
            Self::Coded(column) => column.name(),
            Self::Identifiers(column) => column.name(),
        }
    }
}

/// More rows are asked for than a column has identifiers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there are not {rows} different identifiers of the form `{form}` for the column `{column}`, \
     but {room}; ask for at most that many rows, or give the form more `#`"
)]
pub struct TooManyRows {
    rows: u64,
    column: String,
    form: String,
    room: u128,
}

impl Schema {
    /// Checks a declaration of columns and constraints.
    ///
    /// # Errors
    /// The first thing that is wrong, with the column's name.
    pub fn new(declaration: Declaration) -> Result<Self, SchemaError> {
        Self::with_names_within(MAX_NAME_BYTES, declaration)
    }

    fn with_names_within(limit: usize, declaration: Declaration) -> Result<Self, SchemaError> {
        if let Some(fault) = declaration.origin.as_ref().and_then(Origin::fault) {
            return Err(SchemaError::BadOrigin(fault));
        }
        let mut columns = Vec::with_capacity(declaration.columns.len());
        let mut identifiers = Vec::new();
        let mut codes = 0;
        for (name, mut declared) in declaration.columns {
            if let DeclaredKind::Identifier(_) = declared.kind {
                let after = columns.len();
                identifiers.push(checked_identifiers(name, limit, declared, after)?);
                continue;
            }
            declared.inherit(&declaration.read);
            let column = checked_column(name, limit, declared)?;
            codes += column.size();
            // Before the next column is made: a few bytes declare a million codes each.
            if codes > MAX_CODES_TOGETHER {
                let column = column.name().to_owned();
                return Err(SchemaError::TooManyCodesTogether { column });
            }
            columns.push(column);
        }
        // What is not declared may be discovered, beside what is left out or made anew.
        let others = [&declaration.discover, &declaration.drop];
        if columns.is_empty()
            && identifiers.is_empty()
            && others.iter().all(|names| names.is_empty())
        {
            return Err(SchemaError::NoColumns);
        }
        let mut schema = Self::of_columns(columns)?.with_identifiers(identifiers)?;
        for name in declaration.discover.iter().chain(&declaration.drop) {
            if let Err(fault) = check_name_within(limit, name) {
                let name = name.clone();
                return Err(SchemaError::BadName { name, fault });
            }
        }
        schema.origin = declaration.origin;
        schema.discover = declaration.discover;
        schema.dropped = declaration.drop;
        schema.constrained(&declaration.constraints)
    }

    /// The same schema for a table whose other columns are to be discovered, but for those that are
    /// dropped. Without this, columns that are not named are left out.
    #[must_use]
    pub fn discovering_rest(self) -> Self {
        Self {
            discovers_rest: true,
            ..self
        }
    }

    /// Whether a column of this name in a table is to be discovered.
    #[must_use]
    pub fn discovers(&self, name: &str) -> bool {
        let listed = |names: &[String]| names.iter().any(|own| own == name);
        let named = self.position(name).is_some() || listed(&self.dropped) || self.makes(name);
        listed(&self.discover) || self.discovers_rest && !named
    }

    /// Where values and ranges come from, as the declaration says. What is made of a schema and a
    /// table (a joined or a coded one, a model) does not say it again: there it is in the ledger.
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        self.origin
    }

    /// Whether any column of a table is read: declared with its values, or to be discovered.
    #[must_use]
    pub fn has_values(&self) -> bool {
        !self.columns.is_empty() || !self.discover.is_empty() || self.discovers_rest
    }

    /// Names of the columns that a declaration leaves to be discovered.
    #[must_use]
    pub fn to_discover(&self) -> &[String] {
        &self.discover
    }

    /// Names of the columns that a declaration leaves out.
    #[must_use]
    pub fn dropped(&self) -> &[String] {
        &self.dropped
    }

    /// The columns of new identifiers, in their order.
    #[must_use]
    pub fn identifiers(&self) -> &[IdentifierColumn] {
        &self.identifiers
    }

    /// Whether the column of this name holds new identifiers.
    #[must_use]
    pub fn makes(&self, name: &str) -> bool {
        self.identifiers.iter().any(|column| column.name == name)
    }

    /// The same schema with these columns of new identifiers besides its own.
    ///
    /// # Errors
    /// [`SchemaError::DuplicateColumn`] if a name is taken.
    pub fn with_identifiers(mut self, more: Vec<IdentifierColumn>) -> Result<Self, SchemaError> {
        for column in more {
            if self.position(&column.name).is_some() || self.makes(&column.name) {
                return Err(SchemaError::DuplicateColumn { name: column.name });
            }
            self.identifiers.push(IdentifierColumn {
                after: column.after.min(self.columns.len()),
                ..column
            });
        }
        // In a stable order: those at one place stay as they came.
        self.identifiers.sort_by_key(|column| column.after);
        Ok(self)
    }

    /// The columns of synthetic rows in their order: those with codes, and between them those of
    /// new identifiers.
    pub fn output_columns(&self) -> impl Iterator<Item = OutputColumn<'_>> {
        let mut identifiers = self.identifiers.iter().peekable();
        (0..=self.columns.len()).flat_map(move |place| {
            let mut here = Vec::new();
            while let Some(column) = identifiers.next_if(|column| column.after <= place) {
                here.push(OutputColumn::Identifiers(column));
            }
            here.extend(self.columns.get(place).map(OutputColumn::Coded));
            here
        })
    }

    /// How many rows can be drawn at once, as far as there are different identifiers for them;
    /// `None` if nothing bounds them.
    #[must_use]
    pub fn most_rows(&self) -> Option<u64> {
        let rooms = self.identifiers.iter().map(|column| column.form.room());
        // Where there is room for more than 2^64 nothing is bounded.
        rooms.min().and_then(|room| u64::try_from(room).ok())
    }

    /// Checks that there are different identifiers for this many rows.
    ///
    /// # Errors
    /// If the form of a column of identifiers has room for fewer.
    pub fn check_rows(&self, rows: u64) -> Result<(), TooManyRows> {
        let short = |column: &&IdentifierColumn| column.form.room() < u128::from(rows);
        match self.identifiers.iter().find(short) {
            None => Ok(()),
            Some(column) => Err(TooManyRows {
                rows,
                column: column.name.clone(),
                form: column.form.to_string(),
                room: column.form.room(),
            }),
        }
    }

    /// The same columns with more constraints on them.
    ///
    /// # Errors
    /// If a constraint names a column or value that there is not, takes part of a bin, is too
    /// large, or leaves a declared value impossible together with the others.
    pub fn constrained(self, constraints: &[DeclaredConstraint]) -> Result<Self, SchemaError> {
        if constraints.is_empty() {
            return Ok(self);
        }
        let mut new = Vec::new();
        let positions: HashMap<&str, usize> =
            self.columns.iter().map(Column::name).zip(0..).collect();
        let find = |name: &str| match self.makes(name) {
            false => self.constrainable(name, positions.get(name).copied()),
            true => Err(SchemaError::ConstrainedIdentifier {
                column: name.to_owned(),
            }),
        };
        let mut codes = 0;
        for declared in constraints {
            let constraint = Constraint::new(declared, &find)?;
            // Before the next is made: each of them may be about a million codes.
            codes += codes_of(&self.columns, &constraint);
            new.push(constraint);
            check_number(new.len(), codes, constraints.len())?;
        }
        self.with_constraints(new)
    }

    fn with_constraints(mut self, more: Vec<Constraint>) -> Result<Self, SchemaError> {
        if more.is_empty() {
            return Ok(self);
        }
        // In its stored form a declaration has its constraints under this key.
        if self.position(CONSTRAINTS).is_some() {
            return Err(SchemaError::NamedConstraints);
        }
        self.constraints.extend(more);
        check_together(&self.columns, &self.constraints)?;
        Ok(self)
    }

    fn constrainable(
        &self,
        name: &str,
        position: Option<usize>,
    ) -> Result<(usize, &Column), SchemaError> {
        let Some(position) = position else {
            let names = self.columns.iter().map(Column::name);
            return Err(SchemaError::UnknownColumn {
                name: name.to_owned(),
                nearest: nearest(name, names).map(str::to_owned),
            });
        };
        let column = &self.columns[position];
        match column.kind().wanted_quantiles() {
            Some(_) => Err(SchemaError::UnknownBins {
                column: name.to_owned(),
            }),
            None => Ok((position, column)),
        }
    }

    /// What no synthetic row looks like. Rows of the data may: they count as they are.
    #[must_use]
    pub fn constraints(&self) -> &[Constraint] {
        &self.constraints
    }

    /// Whether the bins of a column are yet to be found in the data (`bins: quantile`).
    #[must_use]
    pub fn needs_discovery(&self) -> bool {
        let mut kinds = self.columns.iter().map(Column::kind);
        kinds.any(|kind| kind.wanted_quantiles().is_some())
    }

    /// The columns, in the order of the table.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Number of codes of each column.
    #[must_use]
    pub fn sizes(&self) -> Vec<usize> {
        self.columns.iter().map(Column::size).collect()
    }

    /// Position of the column of that name.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name() == name)
    }

    /// Name of the column that was probably meant by a name that no column has.
    #[must_use]
    pub fn nearest(&self, name: &str) -> Option<&str> {
        nearest(name, self.columns.iter().map(Column::name))
    }

    /// The same columns under the names they have in the joined table, `Party_column`.
    #[must_use]
    pub fn prefixed(&self, party: &str) -> Self {
        Self {
            origin: None,
            columns: self
                .columns
                .iter()
                .map(|column| column.clone().renamed(format!("{party}_{}", column.name())))
                .collect(),
            identifiers: self
                .identifiers
                .iter()
                .map(|column| column.clone().renamed(format!("{party}_{}", column.name())))
                .collect(),
            constraints: self.constraints.clone(),
            discover: Vec::new(),
            dropped: Vec::new(),
            discovers_rest: false,
        }
    }

    /// These columns followed by those.
    ///
    /// # Errors
    /// [`SchemaError::DuplicateColumn`] if a name is in both.
    pub fn concat(self, other: Self) -> Result<Self, SchemaError> {
        let before = self.columns.len();
        let later = other.constraints.into_iter();
        let constraints = self
            .constraints
            .into_iter()
            .chain(later.map(|constraint| constraint.moved(|at| at + before)))
            .collect();
        let columns = self.columns.into_iter().chain(other.columns).collect();
        let later = other.identifiers.into_iter();
        let identifiers = self
            .identifiers
            .into_iter()
            .chain(later.map(|column| column.moved(before)))
            .collect();
        Self::of_columns(columns)?
            .with_identifiers(identifiers)?
            .with_constraints(constraints)
    }

    /// The columns with texts that a spreadsheet would take for formulas ([`is_formula`]): the name
    /// of each, and these texts, which are its name or some of its categories.
    pub fn formulas(&self) -> impl Iterator<Item = (&str, Vec<&str>)> {
        self.output_columns().filter_map(|column| {
            let values: Vec<&str> = match column {
                OutputColumn::Coded(column) => match column.kind() {
                    Kind::Categories(texts) => texts.iter().map(String::as_str).collect(),
                    _ => Vec::new(),
                },
                OutputColumn::Identifiers(column) => vec![column.form.example()],
            };
            let texts = std::iter::once(column.name()).chain(values);
            let formulas: Vec<&str> = texts.filter(|text| is_formula(text)).collect();
            (!formulas.is_empty()).then(|| (column.name(), formulas))
        })
    }

    /// The declaration that gives this schema.
    #[must_use]
    pub fn to_declaration(&self) -> Declaration {
        self.clone().into()
    }

    /// Puts together columns that were checked or found before, and constraints that were checked
    /// on columns at these positions.
    ///
    /// # Errors
    /// If there is no column, two have the same name, or the constraints are too many or contradict
    /// a value.
    ///
    /// # Panics
    /// If a constraint is about a position at which there is no column.
    pub fn from_parts(
        columns: Vec<Column>,
        constraints: Vec<Constraint>,
    ) -> Result<Self, SchemaError> {
        if columns.is_empty() {
            return Err(SchemaError::NoColumns);
        }
        Self::of_columns(columns)?.with_constraints(constraints)
    }

    /// The columns may be none.
    fn of_columns(columns: Vec<Column>) -> Result<Self, SchemaError> {
        let mut names = HashSet::new();
        if let Some(twice) = columns.iter().find(|column| !names.insert(column.name())) {
            return Err(SchemaError::DuplicateColumn {
                name: twice.name().to_owned(),
            });
        }
        Ok(Self {
            origin: None,
            columns,
            identifiers: Vec::new(),
            constraints: Vec::new(),
            discover: Vec::new(),
            dropped: Vec::new(),
            discovers_rest: false,
        })
    }
}

impl TryFrom<Declaration> for Schema {
    type Error = SchemaError;

    fn try_from(declaration: Declaration) -> Result<Self, SchemaError> {
        Self::with_names_within(MAX_JOINED_NAME_BYTES, declaration)
    }
}

impl From<Schema> for Declaration {
    fn from(schema: Schema) -> Self {
        let columns = schema.output_columns().map(|column| {
            let declared = match column {
                OutputColumn::Coded(column) => column.clone().into_declared(),
                OutputColumn::Identifiers(column) => Declared {
                    kind: DeclaredKind::Identifier(column.form.clone()),
                    nullable: false,
                    other: false,
                    form: ValueForm::Usual,
                    reading: Reading::default(),
                },
            };
            (column.name().to_owned(), declared)
        });
        let columns = columns.collect();
        Self {
            origin: schema.origin,
            constraints: schema
                .constraints
                .iter()
                .map(|constraint| constraint.declared(&schema.columns))
                .collect(),
            columns,
            discover: schema.discover,
            drop: schema.dropped,
            // Each column has its own by now.
            read: Reading::default(),
        }
    }
}
