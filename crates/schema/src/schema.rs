//! Checked columns.

use std::collections::{HashMap, HashSet};

use printable::{Hidden, first_hidden};
use serde::{Deserialize, Serialize};
use strict_yaml::{YamlError, nearest, quoted_list};

use crate::column::{Column, Kind};
use crate::constraint::{
    Constraint, DeclaredConstraint, MAX_CONSTRAINT_CELLS, MAX_CONSTRAINTS, check_number,
    check_together, codes_of,
};
use crate::day::Day;
use crate::declaration::{CONSTRAINTS, Declaration, Declared, DeclaredKind};
use crate::form::{DateForm, NumberForm, Reading, ValueForm};
use crate::grid::{Grid, Range, RangeError};
use crate::identifier::IdentifierColumn;
use crate::origin::Origin;
use crate::spreadsheet::is_formula;

/// The most codes one column may have.
pub const MAX_CODES: usize = 1 << 20;

/// The most codes that all columns of a declaration may have together: where bins begin is held for
/// each, and a few bytes declare a million of them.
pub const MAX_CODES_TOGETHER: usize = 1 << 24;

/// Bytes of a column's name in a declaration or a header.
const MAX_NAME_BYTES: usize = 256;

/// Bytes of a column's name in a joined table, where the party's name comes before it.
const MAX_JOINED_NAME_BYTES: usize = 1024;

/// The text that stands for a value outside the declared or discovered categories.
pub const OTHER: &str = "other";

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

/// What is wrong with a declaration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// The text is not a declaration.
    #[error("{0}")]
    Yaml(#[from] YamlError),
    /// The declaration has no column.
    #[error("no columns are declared; declare at least one, or leave the declaration out")]
    NoColumns,
    /// What the schema says of its origin cannot hold.
    #[error("the schema's `origin`: {0}")]
    BadOrigin(&'static str),
    /// A column has a name that no file should hold.
    #[error("the column name {name:?} cannot be used: {fault}")]
    BadName {
        /// The name that was given.
        name: String,
        /// What is wrong with it.
        fault: NameFault,
    },
    /// Two columns have the same name.
    #[error("two columns are named `{name}`; rename one of them")]
    DuplicateColumn {
        /// The name that was given.
        name: String,
    },
    /// A list of categories is empty.
    #[error("column `{column}` has no categories; list at least one")]
    NoCategories {
        /// Name of the column.
        column: String,
    },
    /// A category is listed twice.
    #[error("column `{column}` lists the category {category:?} twice")]
    DuplicateCategory {
        /// Name of the column.
        column: String,
        /// The category as it was declared.
        category: String,
    },
    /// A category could not be told from what the column writes for something else.
    #[error("column `{column}` cannot have the category {category:?}: it stands for {stands_for}")]
    ReservedCategory {
        /// Name of the column.
        column: String,
        /// The category as it was declared.
        category: String,
        /// What the same text would mean.
        stands_for: &'static str,
    },
    /// A category has a character that a reader would not see, or a terminal would obey.
    #[error("column `{column}`: the category {category:?} has the character {hidden}; remove it")]
    HiddenInCategory {
        /// Name of the column.
        column: String,
        /// The category as it was declared.
        category: String,
        /// The first hidden character in it.
        hidden: Hidden,
    },
    /// What is said of how a column's values are read or written cannot hold.
    #[error("column `{column}`: {problem}")]
    BadForm {
        /// Name of the column.
        column: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A bound is infinite or not a number.
    #[error("column `{column}`: `min` and `max` must be finite numbers")]
    NotFinite {
        /// Name of the column.
        column: String,
    },
    /// `min` is not below `max`.
    #[error("column `{column}`: `min` ({min}) must be below `max` ({max})")]
    EmptyRange {
        /// Name of the column.
        column: String,
        /// Lower end, as it was declared.
        min: String,
        /// Upper end, as it was declared.
        max: String,
    },
    /// A range is to be cut into 0 bins.
    #[error("column `{column}`: `bins` must be at least 1")]
    NoBins {
        /// Name of the column.
        column: String,
    },
    /// Cuts do not ascend, or lie outside the range.
    #[error("column `{column}`: `cuts` must ascend, above `min` and not above `max`")]
    BadCuts {
        /// Name of the column.
        column: String,
    },
    /// A column would have more codes than [`MAX_CODES`].
    #[error(
        "column `{column}` would have {codes} different values; at most {MAX_CODES} are possible, \
         so declare fewer categories or bins"
    )]
    TooManyCodes {
        /// Name of the column.
        column: String,
        /// How many it would have.
        codes: usize,
    },
    /// All columns together would have more codes than [`MAX_CODES_TOGETHER`].
    #[error(
        "the columns up to `{column}` would have more than {MAX_CODES_TOGETHER} different values \
         together; declare fewer categories or bins"
    )]
    TooManyCodesTogether {
        /// The first column that is too many.
        column: String,
    },
    /// A constraint names a column that is not declared.
    #[error(
        "a constraint names the column `{name}`, which is not declared{}",
        meant(.nearest.as_deref())
    )]
    UnknownColumn {
        /// The name that was given.
        name: String,
        /// A column with a similar name.
        nearest: Option<String>,
    },
    /// A constraint names a column of identifiers.
    #[error(
        "a constraint names the column `{column}`, which holds new identifiers, made for each row \
         from nothing of the data"
    )]
    ConstrainedIdentifier {
        /// Name of the column.
        column: String,
    },
    /// A constraint names a column whose bins are not known yet.
    #[error(
        "a constraint names the column `{column}`, whose bins are only found in the data; declare \
         their number or `cuts`"
    )]
    UnknownBins {
        /// Name of the column.
        column: String,
    },
    /// A constraint is about one column alone.
    #[error(
        "a constraint is about two or more different columns, and this one about `{column}` alone; \
         a value that is impossible need not be declared"
    )]
    LoneColumn {
        /// Name of the column.
        column: String,
    },
    /// A constraint lists no value of a column.
    #[error("a constraint lists no value of the column `{column}`")]
    NoValues {
        /// Name of the column.
        column: String,
    },
    /// A constraint names a value that the column does not have.
    #[error(
        "a constraint names the value {value:?}, which the column `{column}` does not have{}",
        meant(.nearest.as_deref())
    )]
    UnknownValue {
        /// Name of the column.
        column: String,
        /// The value that was given.
        value: String,
        /// A value of the column that is written similarly.
        nearest: Option<String>,
    },
    /// A constraint names empty fields of a column that has none.
    #[error(
        "a constraint names `null` in the column `{column}`, which is not nullable; the text is \
         \"null\" in quotes"
    )]
    NotNullable {
        /// Name of the column.
        column: String,
    },
    /// A constraint names no range of an ordered column.
    #[error(
        "a constraint names {value:?} in the column `{column}`; give a range such as `0..14`, \
         `..14` or `15..`"
    )]
    NotARange {
        /// Name of the column.
        column: String,
        /// The value that was given.
        value: String,
    },
    /// A range takes part of a bin.
    #[error(
        "a constraint names the range {value:?} of the column `{column}`, which cuts through the \
         bin `{bin}` or leaves the declared range; let bins begin and end where it does (`bins: \
         {{cuts: [..]}}`)"
    )]
    CutsBin {
        /// Name of the column.
        column: String,
        /// The value that was given.
        value: String,
        /// Label of the bin that the range takes part of.
        bin: String,
    },
    /// A map has two values for one.
    #[error("a constraint determines two values for `{value}` of the column `{column}`")]
    DeterminedTwice {
        /// Name of the column that determines the other.
        column: String,
        /// The value that it names.
        value: String,
    },
    /// A map lacks a value.
    #[error(
        "a constraint does not say what `{value}` of the column `{column}` determines; its map \
         must have every declared value"
    )]
    Undetermined {
        /// Name of the column that determines the other.
        column: String,
        /// The value that it names.
        value: String,
    },
    /// A constraint is about too many combinations.
    #[error(
        "the columns {} of a constraint have more than {MAX_CONSTRAINT_CELLS} combinations of \
         values; declare fewer values or bins", quoted_list(.columns)
    )]
    ConstraintTooLarge {
        /// Names of the columns.
        columns: Vec<String>,
    },
    /// There are more constraints than [`MAX_CONSTRAINTS`], or they are about too many codes.
    #[error(
        "{found} constraints are too many, or about too many values; at most {MAX_CONSTRAINTS} are \
         possible"
    )]
    TooManyConstraints {
        /// How many constraints there are.
        found: usize,
    },
    /// Constraints contradict a declared value.
    #[error("no row could have `{value}` in the column `{column}`: {}; take the value out, or \
             allow it",
        culprits(.constraints))]
    Contradiction {
        /// Name of the column.
        column: String,
        /// The value that is left impossible.
        value: String,
        /// Which constraints forbid it together, counted from 1.
        constraints: Vec<usize>,
    },
    /// A column takes the name of what is written beside it.
    #[error("a column is named `{CONSTRAINTS}` where there are constraints; rename it")]
    NamedConstraints,
    /// Whether the constraints contradict each other takes too many steps to find out.
    #[error(
        "the constraints hang together in too many ways to be checked against each other; declare \
         fewer of them"
    )]
    TooEntangled,
}

/// Why a column cannot have a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    /// It is empty or too long.
    #[error("a name has 1 to {limit} bytes")]
    Length {
        /// The most bytes it may have.
        limit: usize,
    },
    /// It has a character that a reader would not see, or a terminal would obey.
    #[error("it has the character {0}; remove it")]
    Hidden(Hidden),
}

fn meant(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

fn culprits(constraints: &[usize]) -> String {
    let numbers: Vec<String> = constraints.iter().map(usize::to_string).collect();
    match numbers.split_last() {
        Some((only, [])) => format!("constraint {only} excludes it"),
        Some((last, first)) => {
            format!(
                "constraints {} and {last} together exclude it",
                first.join(", ")
            )
        }
        None => "the constraints exclude it".to_owned(),
    }
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
                OutputColumn::Identifiers(column) => vec![column.form.as_ref()],
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

/// Checks whether a column of a table may have this name, which all parties see: 1 to 256 bytes,
/// all of whose characters a reader sees.
///
/// # Errors
/// What is wrong with the name.
pub fn check_name(name: &str) -> Result<(), NameFault> {
    check_name_within(MAX_NAME_BYTES, name)
}

fn check_name_within(limit: usize, name: &str) -> Result<(), NameFault> {
    if name.is_empty() || name.len() > limit {
        return Err(NameFault::Length { limit });
    }
    first_hidden(name).map_or(Ok(()), |hidden| Err(NameFault::Hidden(hidden)))
}

fn checked_identifiers(
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

fn checked_column(name: String, limit: usize, declared: Declared) -> Result<Column, SchemaError> {
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
    fn inherit(&mut self, read: &Reading) {
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
        if other && text == OTHER {
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
