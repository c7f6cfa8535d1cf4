//! What can be wrong with a declaration.

use printable::Hidden;
use strict_yaml::{YamlError, quoted_list};

use crate::constraint::{MAX_CONSTRAINT_CELLS, MAX_CONSTRAINTS};
use crate::declaration::CONSTRAINTS;
use crate::schema::{MAX_CODES, MAX_CODES_TOGETHER};

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
