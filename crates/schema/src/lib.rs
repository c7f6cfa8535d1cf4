//! What the columns of a table are, and nothing of its rows.
//!
//! A [`Declaration`] is what a party writes about its columns; once checked it is a [`Schema`], in
//! which every [`Column`] has a [`Kind`] and numbers its values: the *codes*, which are all that a
//! model sees. Ordered values are cut into bins by a [`Grid`]. A [`Constraint`] says which codes no
//! synthetic row has together, a [`Condition`] which rows somebody wants to have drawn, and a
//! [`Rendering`] how a code is written as text again.
//!
//! Everything here is public in the sense of privacy: it was declared before any data was seen, or
//! was found under differential privacy. The crate holds no row of any table. The modules
//! [`form`] and [`number`] are about single fields, by which tables are read and written.
//!
//! What other people wrote is read strictly. A declaration or a condition is refused with its place
//! and with what was probably meant; a schema of many codes is refused before memory is taken for
//! them ([`MAX_CODES`], [`MAX_CODES_TOGETHER`], [`MAX_CONSTRAINTS`]).
//!
//! # Example
//!
//! ```
//! use schema::{Condition, Declaration, Schema};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let declaration = "age: {integer: {min: 0, max: 99, bins: 10}}\nsmokes: {boolean: true}\n";
//! let schema = Schema::new(Declaration::from_yaml(declaration)?)?;
//! assert_eq!(schema.sizes(), [10, 2]);
//! assert_eq!(schema.columns()[0].label(3), "30 to 39");
//!
//! // Half of the ages from 30 to 39 are wanted, and all from 40 on.
//! let condition = Condition::parse("age >= 35", &schema)?;
//! let wanted = condition.weights(0).expect("the condition is about the ages");
//! assert_eq!(wanted[2..5], [0.0, 0.5, 1.0]);
//!
//! let refused = Schema::new(Declaration::from_yaml("age: {integer: {min: 9, max: 3}}")?);
//! assert_eq!(
//!     refused.unwrap_err().to_string(),
//!     "column `age`: `min` (9) must be below `max` (3)"
//! );
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod column;
mod condition;
mod constraint;
mod day;
mod declaration;
pub mod form;
mod grid;
mod identifier;
mod moment;
pub mod number;
mod origin;
mod render;
mod schema;
mod spreadsheet;

pub use column::{Column, Kind, WidestBin};
pub use condition::{Condition, ConditionError};
pub use constraint::{
    Constraint, DeclaredConstraint, DeclaredValue, MAX_CONSTRAINT_CELLS, MAX_CONSTRAINTS,
};
pub use day::{Day, NotADay};
pub use declaration::{Declaration, Declared, DeclaredKind};
pub use form::{DateForm, DecimalMark, FormError, NumberForm, Reading, TruthWords, ValueForm};
pub use grid::{Bins, DEFAULT_BINS, FINE_CELLS, Grid, Ordered, Range, RangeError};
pub use identifier::{IdentifierColumn, IdentifierForm, IdentifierFormError, Identifiers};
pub use moment::{Moment, NotAMoment};
pub use origin::{Origin, SchemaSpend};
pub use render::{Rendering, Value};
pub use schema::{
    MAX_CODES, MAX_CODES_TOGETHER, NameFault, OTHER, OTHER_VALUES, OutputColumn, Schema,
    SchemaError, TooManyRows, check_name,
};
pub use spreadsheet::{inert, is_formula};
