//! What a party says about its columns before any data is seen.

mod bound;
mod kind;
mod range;
mod write;

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use strict_yaml::{nearest, quoted_list};

use crate::constraint::DeclaredConstraint;
use crate::day::Day;
pub(crate) use crate::declaration::bound::Bound;
use crate::declaration::bound::BoundSeed;
use crate::declaration::kind::{DecimalSeed, Notation, Texts};
use crate::form::{Reading, ValueForm};
use crate::grid::Range;
use crate::identifier::IdentifierForm;
use crate::moment::Moment;
use crate::origin::{DiscoverySeed, Origin};
use crate::schema::SchemaError;

/// The columns of one table in their declared order, as written in `runtime.yaml` under a party's
/// name or in a schema file. It becomes a [`Schema`](crate::Schema) once checked.
///
/// ```yaml
/// read:   {decimal: comma, missing: ['?'], tolerance: 0.02}
/// buying: {categories: [low, med, high, vhigh]}
/// age:    {integer: {min: 0, max: 120, bins: 32}}
/// income: {number: {min: 0, max: 1e6, bins: quantile}}   # or {quantile: 20},
///                                                        # or {cuts: [1e3, 1e4, 1e5]}
/// joined: {date: {min: 2015-01-01, max: 2026-12-31, format: '%d/%m/%Y'}}
/// seen:   {datetime: {min: 2026-01-01T00:00, max: 2026-12-31T23:59:59, bins: 52}}
/// price:  {number: {min: 0, max: 1000, decimals: 2}, nullable: true, missing: [-9]}
/// smoker: {boolean: true}                                # or {true: [ja], false: [nein]}
/// job:    discover                                       # or drop
/// name:   {identifier: {format: 'P-#####'}}
/// note:   {categories: [yes, no], nullable: true, other: true}
/// ```
///
/// A list under the key `constraints` is not a column but says what no row can look like; see
/// [`DeclaredConstraint`].
///
/// Categories are the texts as written, in quotes or not: `[yes, no, 2.0]` are `yes`, `no` and
/// `2.0`, though other readers of YAML take them for booleans and a number. Only `null` and `~` are
/// not texts without quotes, and refused. Where a number is meant, one in quotes is refused; and
/// where `true` is meant, so is `yes`.
///
/// `bins` may be left out: then it is 32 bins of equal width, or one for each value where there are
/// no more than 32 whole numbers or days. A `datetime` is what a clock on a wall shows; with an
/// offset from UTC it is converted to UTC. A `boolean` is written in a table as true or false, t or
/// f, yes or no, y or n, 1 or 0; synthetic rows have true and false. Other words are declared, and
/// then the first of each is written.
///
/// An `identifier` is not read at all: synthetic rows get new ones of its form
/// ([`IdentifierForm`]), no two of which are the same.
///
/// Dates are in ISO 8601 unless a `format` says otherwise ([`DateForm`](crate::DateForm)); bounds
/// always are. The `form` of numbers is a [`NumberForm`](crate::NumberForm). What stands
/// for a missing value besides an empty field, `NA`, `null` and the like
/// ([`is_missing`](crate::form::is_missing)) is listed under `missing`. `tolerance` is the share of
/// a column's fields that may be not understood, 0.01 unless it is given; a table with more is
/// refused.
///
/// The entry `read` has these for all columns that do not say otherwise; a mapping with a kind
/// under that name is a column. Columns that are to be discovered under the budget, as those that
/// are not named are, may be named so; `drop` leaves a column out.
///
/// `origin` says where all of it comes from ([`Origin`]): a word, or a mapping with `discovery`.
/// Any other mapping, `discover` or `drop` under that name is a column; where there is one, the key
/// is `schema_origin`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Declaration {
    /// Where values and ranges come from, if it says so.
    pub origin: Option<Origin>,
    /// How all columns are read that do not say otherwise.
    pub read: Reading,
    /// Name and content of each column.
    pub columns: Vec<(String, Declared)>,
    /// Names of columns that are to be discovered.
    pub discover: Vec<String>,
    /// Names of columns that are left out.
    pub drop: Vec<String>,
    /// What no row can look like.
    pub constraints: Vec<DeclaredConstraint>,
}

/// What one column is declared to hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Declared {
    /// What values the column has.
    pub kind: DeclaredKind,
    /// Whether a field may be empty.
    pub nullable: bool,
    /// Whether what is not declared is kept as one more value, `other`.
    pub other: bool,
    /// How its values are written.
    pub form: ValueForm,
    /// How its fields are read.
    pub reading: Reading,
}

/// The values of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum DeclaredKind {
    /// These texts, in this order.
    Categories(Vec<String>),
    /// Whole numbers of 64 bits.
    Integer(Range<i64>),
    /// Finite numbers.
    Number(Range<f64>),
    /// Days, without a time.
    Date(Range<Day>),
    /// Days with a time of day.
    Datetime(Range<Moment>),
    /// The two truth values.
    Boolean,
    /// Whatever is in the table; synthetic rows get new identifiers of this form.
    Identifier(IdentifierForm),
}

impl Declaration {
    /// Reads a declaration from YAML, of which JSON is a part.
    ///
    /// # Errors
    /// [`SchemaError::Yaml`] with the line, and for an unknown key the nearest known one.
    pub fn from_yaml(yaml: &str) -> Result<Self, SchemaError> {
        Ok(strict_yaml::from_str(yaml)?)
    }

    /// Names of all columns that it says something of.
    fn names(&self) -> impl Iterator<Item = &str> {
        let columns = self.columns.iter().map(|(name, _)| name);
        let others = self.discover.iter().chain(&self.drop);
        columns.chain(others).map(String::as_str)
    }
}

impl<'de> Deserialize<'de> for Declaration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Columns;
        impl<'de> Visitor<'de> for Columns {
            type Value = Declaration;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str(
                    "columns, each with what it holds, as in `age: {integer: {min: 0, max: 120}}`",
                )
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Declaration, A::Error> {
                let mut declaration = Declaration::default();
                let mut names = HashSet::new();
                let (mut constraints, mut read) = (None, None);
                let mut origin = None;
                while let Some(name) = map.next_key::<String>()? {
                    let entry = map.next_value_seed(EntrySeed { name: &name })?;
                    match entry {
                        Entry::Constraints(list) => {
                            if constraints.replace(list).is_some() {
                                return Err(given_twice(CONSTRAINTS));
                            }
                            continue;
                        }
                        Entry::Read(reading) => {
                            if read.replace(reading).is_some() {
                                return Err(given_twice(READ));
                            }
                            continue;
                        }
                        Entry::Origin(it) => {
                            if origin.replace(it).is_some() {
                                return Err(given_twice(Origin::KEYS[0]));
                            }
                            continue;
                        }
                        Entry::Column(declared) => {
                            declaration.columns.push((name.clone(), declared));
                        }
                        Entry::Discover => declaration.discover.push(name.clone()),
                        Entry::Drop => declaration.drop.push(name.clone()),
                    }
                    if names.contains(&name) {
                        return Err(de::Error::custom(format_args!(
                            "column `{name}` is declared twice"
                        )));
                    }
                    names.insert(name);
                }
                declaration.origin = origin;
                declaration.read = read.unwrap_or_default();
                declaration.constraints = constraints.unwrap_or_default();
                Ok(declaration)
            }
        }
        deserializer.deserialize_map(Columns)
    }
}

/// The key of the constraints among those of the columns. A column may have the same name: it is a
/// mapping, they are a list.
pub(crate) const CONSTRAINTS: &str = "constraints";

/// The key of how all columns are read. A column may have the same name: it has a kind.
const READ: &str = "read";

enum Entry {
    Column(Declared),
    Discover,
    Drop,
    Read(Reading),
    Origin(Origin),
    Constraints(Vec<DeclaredConstraint>),
}

struct EntrySeed<'a> {
    name: &'a str,
}

impl<'de> DeserializeSeed<'de> for EntrySeed<'_> {
    type Value = Entry;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Entry, D::Error> {
        deserializer.deserialize_any(self)
    }
}

const ORIGINS: &str = "`data`, `reviewed`, `codebook` or `{discovery: {epsilon: .., delta: ..}}`";

const KINDS: &str =
    "`categories`, `integer`, `number`, `date`, `datetime`, `boolean` or `identifier`";

impl<'de> Visitor<'de> for EntrySeed<'_> {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.name {
            CONSTRAINTS => f.write_str("a list of constraints"),
            READ => f.write_str("a mapping that says how columns are read"),
            name if Origin::KEYS.contains(&name) => write!(
                f,
                "{ORIGINS}; or for a column of that name a mapping with {KINDS}, or `discover` or \
                 `drop`"
            ),
            name => write!(
                f,
                "for column `{name}` a mapping with {KINDS}, or `discover` or `drop`"
            ),
        }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Entry, E> {
        match text {
            "discover" => Ok(Entry::Discover),
            "drop" => Ok(Entry::Drop),
            word if Origin::KEYS.contains(&self.name) => {
                const WORDS: [&str; 5] = ["data", "reviewed", "codebook", "discover", "drop"];
                let meant = || match nearest(word, WORDS) {
                    Some(meant) => format!("; did you mean `{meant}`?"),
                    None => String::new(),
                };
                Origin::of_word(word).map(Entry::Origin).ok_or_else(|| {
                    E::custom(format_args!(
                        "`{word}` is not an origin of a schema; it is {ORIGINS}{}",
                        meant()
                    ))
                })
            }
            _ => Err(E::invalid_type(de::Unexpected::Str(text), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entry, A::Error> {
        const KEYS: &[&str] = &[
            "categories",
            "integer",
            "number",
            "date",
            "datetime",
            "boolean",
            "identifier",
            "nullable",
            "other",
            "missing",
            "tolerance",
        ];
        let of_origin = &[KEYS, &["discovery"]].concat();
        // `decimal` beside the kind is for the whole table alone.
        let of_table = &[KEYS, &["decimal"]].concat();
        let keys = match self.name {
            READ => of_table,
            name if Origin::KEYS.contains(&name) => of_origin,
            _ => KEYS,
        };
        let mut origin = None;
        let mut kind: Option<DeclaredKind> = None;
        let (mut nullable, mut other) = (None, None);
        let (mut missing, mut tolerance, mut decimal) = (None, None, None);
        let mut notation = Notation::default();
        while let Some(key) = map.next_key_seed(Key(keys))? {
            let repeated = match key {
                "nullable" => nullable.replace(map.next_value::<bool>()?).is_some(),
                "other" => other.replace(map.next_value::<bool>()?).is_some(),
                "missing" => missing.replace(map.next_value_seed(Texts)?).is_some(),
                "tolerance" => {
                    let share = map.next_value_seed(BoundSeed(PhantomData))?;
                    tolerance.replace(share).is_some()
                }
                "decimal" => {
                    let mark = map.next_value_seed(DecimalSeed)?;
                    decimal.replace(mark).is_some()
                }
                "discovery" => origin
                    .replace(map.next_value_seed(DiscoverySeed)?)
                    .is_some(),
                _ => {
                    let value = notation.read_kind(key, self.name, &mut map)?;
                    if kind.replace(value).is_some() {
                        return Err(de::Error::custom(format_args!(
                            "column `{}` says more than once what it holds; keep one of {KINDS}",
                            self.name
                        )));
                    }
                    false
                }
            };
            if repeated {
                return Err(given_twice(key));
            }
        }
        let mut reading = Reading {
            missing: missing.unwrap_or_default(),
            decimal: decimal.flatten(),
            tolerance,
        };
        if let Some(origin) = origin {
            if kind.is_some()
                || nullable.is_some()
                || other.is_some()
                || reading != Reading::default()
            {
                return Err(de::Error::custom(format_args!(
                    "`{}` says more than once what it is: `discovery` is of the whole schema, and \
                     everything else of a column; name the one `{}`",
                    self.name,
                    Origin::KEYS[1]
                )));
            }
            return Ok(Entry::Origin(origin));
        }
        let Some(kind) = kind else {
            if self.name == READ && nullable.is_none() && other.is_none() {
                return Ok(Entry::Read(reading));
            }
            return Err(de::Error::custom(format_args!(
                "column `{}` does not say what it holds; add {KINDS}",
                self.name
            )));
        };
        if decimal.is_some() {
            return Err(de::Error::custom(format_args!(
                "column `{READ}` has a kind, so that `decimal` belongs into its `form`"
            )));
        }
        reading.decimal = notation.number.map(|form| form.decimal);
        Ok(Entry::Column(Declared {
            form: notation.form_of(&kind),
            kind,
            nullable: nullable.unwrap_or(false),
            other: other.unwrap_or(false),
            reading,
        }))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Entry, A::Error> {
        let mut list = Vec::new();
        while let Some(constraint) = seq.next_element()? {
            list.push(constraint);
        }
        Ok(Entry::Constraints(list))
    }
}

/// One of a fixed set of keys; anything else is refused with the nearest of them.
pub(crate) struct Key<'a>(pub(crate) &'a [&'static str]);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = &'static str;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = &'static str;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "one of {}", quoted_list(self.0))
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<Self::Value, E> {
        if let Some(known) = self.0.iter().find(|known| **known == key) {
            return Ok(known);
        }
        Err(match nearest(key, self.0.iter().copied()) {
            Some(meant) => E::custom(format_args!("unknown key `{key}`; did you mean `{meant}`?")),
            None => E::custom(format_args!(
                "unknown key `{key}`; known here are {}",
                quoted_list(self.0)
            )),
        })
    }
}

pub(crate) fn given_twice<E: de::Error>(key: &str) -> E {
    E::custom(format_args!("`{key}` is given twice"))
}
