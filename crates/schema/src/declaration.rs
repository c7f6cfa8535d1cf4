//! What a party says about its columns before any data is seen.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use strict_yaml::{nearest, quoted_list};

use crate::constraint::DeclaredConstraint;
use crate::day::Day;
use crate::form::{DateForm, DecimalMark, NumberForm, Reading, TruthWords, ValueForm};
use crate::grid::{Bins, DEFAULT_BINS, Range};
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
/// Dates are in ISO 8601 unless a `format` says otherwise ([`DateForm`]); bounds always are. The
/// `form` of numbers is a [`NumberForm`]. What stands for a missing value besides an empty field,
/// `NA`, `null` and the like ([`is_missing`](crate::form::is_missing)) is listed under `missing`.
/// `tolerance` is the share of a column's fields that may be not understood, 0.01 unless it is
/// given; a table with more is refused.
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

/// What a kind says of how its values are written.
#[derive(Default)]
struct Notation {
    date: Option<DateForm>,
    number: Option<NumberForm>,
    decimals: Option<u8>,
    words: Option<TruthWords>,
}

impl Notation {
    fn read_kind<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        column: &str,
        map: &mut A,
    ) -> Result<DeclaredKind, A::Error> {
        Ok(match key {
            "categories" => DeclaredKind::Categories(map.next_value_seed(Texts)?),
            "integer" => DeclaredKind::Integer(map.next_value_seed(RangeSeed::new(self))?),
            "number" => DeclaredKind::Number(map.next_value_seed(RangeSeed::new(self))?),
            "date" => DeclaredKind::Date(map.next_value_seed(RangeSeed::new(self))?),
            "datetime" => DeclaredKind::Datetime(map.next_value_seed(RangeSeed::new(self))?),
            "identifier" => DeclaredKind::Identifier(map.next_value_seed(IdentifierSeed)?),
            _ => {
                self.words = map.next_value_seed(BooleanSeed { column })?;
                DeclaredKind::Boolean
            }
        })
    }

    fn form_of(self, kind: &DeclaredKind) -> ValueForm {
        match kind {
            DeclaredKind::Categories(_) | DeclaredKind::Identifier(_) => ValueForm::Usual,
            DeclaredKind::Boolean => self.words.map_or(ValueForm::Usual, ValueForm::Boolean),
            DeclaredKind::Date(_) | DeclaredKind::Datetime(_) => {
                self.date.map_or(ValueForm::Usual, ValueForm::Date)
            }
            DeclaredKind::Integer(_) | DeclaredKind::Number(_) => {
                if self.number.is_none() && self.decimals.is_none() {
                    return ValueForm::Usual;
                }
                ValueForm::Number {
                    form: self.number.unwrap_or_default(),
                    decimals: self.decimals,
                }
            }
        }
    }
}

/// `true`, or words for false and true.
struct BooleanSeed<'a> {
    column: &'a str,
}

impl<'de> DeserializeSeed<'de> for BooleanSeed<'_> {
    type Value = Option<TruthWords>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for BooleanSeed<'_> {
    type Value = Option<TruthWords>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("`true`, or words as in `{true: [ja], false: [nein]}`")
    }

    fn visit_bool<E: de::Error>(self, is_boolean: bool) -> Result<Self::Value, E> {
        match is_boolean {
            true => Ok(None),
            false => Err(E::custom(format_args!(
                "column `{}`: write `boolean: true`, or leave it out",
                self.column
            ))),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut falses, mut trues) = (None, None);
        while let Some(key) = map.next_key_seed(Key(&["true", "false"]))? {
            let words = match key {
                "true" => &mut trues,
                _ => &mut falses,
            };
            if words.replace(map.next_value_seed(Texts)?).is_some() {
                return Err(given_twice(key));
            }
        }
        Ok(Some(TruthWords {
            falses: falses.unwrap_or_default(),
            trues: trues.unwrap_or_default(),
        }))
    }
}

/// A mapping with the form of identifiers.
struct IdentifierSeed;

impl<'de> DeserializeSeed<'de> for IdentifierSeed {
    type Value = IdentifierForm;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for IdentifierSeed {
    type Value = IdentifierForm;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a mapping with the form of identifiers, as in `{format: 'P-#####'}`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut form = None;
        while let Some(key) = map.next_key_seed(Key(&["format"]))? {
            if form.replace(map.next_value()?).is_some() {
                return Err(given_twice(key));
            }
        }
        form.ok_or_else(|| {
            de::Error::custom("`identifier` needs a `format`, as in `{format: 'P-#####'}`")
        })
    }
}

/// `auto`, `point` or `comma`.
struct DecimalSeed;

impl<'de> DeserializeSeed<'de> for DecimalSeed {
    type Value = Option<DecimalMark>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let marks = Key(&["auto", "point", "comma"]);
        Ok(match marks.deserialize(deserializer)? {
            "point" => Some(DecimalMark::Point),
            "comma" => Some(DecimalMark::Comma),
            _ => None,
        })
    }
}

fn missing<E: de::Error>(bound: &str) -> E {
    E::custom(format_args!(
        "a range needs `min` and `max`; `{bound}` is missing"
    ))
}

pub(crate) fn given_twice<E: de::Error>(key: &str) -> E {
    E::custom(format_args!("`{key}` is given twice"))
}

/// A list of texts, each as written: `[yes, no]` and `[1, 2.0]` included.
struct Texts;

impl<'de> DeserializeSeed<'de> for Texts {
    type Value = Vec<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Texts {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list of texts, as in `[low, med, high]`")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut texts = Vec::new();
        while let Some(text) = seq.next_element::<Option<String>>()? {
            texts.push(text.ok_or_else(|| {
                de::Error::custom(
                    "this is a list of texts; write \"null\" in quotes, or `nullable: true` for \
                     empty fields",
                )
            })?);
        }
        Ok(texts)
    }
}

/// A bound of a range as it is written in a file.
pub(crate) trait Bound: Sized {
    const EXPECTED: &'static str;
    /// What a range may have besides its bounds and bins.
    const KEYS: &'static [&'static str];
    fn from_text(text: &str) -> Option<Self>;
    /// Reads a value as the column has it.
    fn from_form(text: &str, form: &ValueForm) -> Option<Self>;
    /// Reads a value as declarations have it, or as the column does.
    fn from_text_or_form(text: &str, form: &ValueForm) -> Option<Self> {
        Self::from_text(text).or_else(|| Self::from_form(text, form))
    }
    fn from_whole(_: i64) -> Option<Self> {
        None
    }
    fn from_decimal(_: f64) -> Option<Self> {
        None
    }
}

impl Bound for i64 {
    const EXPECTED: &'static str = "a whole number";
    const KEYS: &'static [&'static str] = &["min", "max", "bins", "decimals", "form"];

    fn from_form(text: &str, form: &ValueForm) -> Option<Self> {
        form.number().whole(text.as_bytes())
    }

    fn from_text(text: &str) -> Option<Self> {
        crate::number::whole(text.as_bytes())
    }

    fn from_whole(value: i64) -> Option<Self> {
        Some(value)
    }
}

impl Bound for f64 {
    const EXPECTED: &'static str = "a number";
    const KEYS: &'static [&'static str] = &["min", "max", "bins", "decimals", "form"];

    fn from_form(text: &str, form: &ValueForm) -> Option<Self> {
        form.number().number(text.as_bytes())
    }

    fn from_text(text: &str) -> Option<Self> {
        crate::number::decimal(text.as_bytes())
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "as any reader of numbers does beyond 2^53"
    )]
    fn from_whole(value: i64) -> Option<Self> {
        Some(value as f64)
    }

    fn from_decimal(value: f64) -> Option<Self> {
        Some(value)
    }
}

impl Bound for Day {
    const EXPECTED: &'static str = "a date as 2015-01-31";
    const KEYS: &'static [&'static str] = &["min", "max", "bins", "format"];

    fn from_form(text: &str, form: &ValueForm) -> Option<Self> {
        form.date()?.day(text.as_bytes())
    }

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Bound for Moment {
    const EXPECTED: &'static str = "a date and time as 2015-01-31T10:30";
    const KEYS: &'static [&'static str] = &["min", "max", "bins", "format"];

    fn from_form(text: &str, form: &ValueForm) -> Option<Self> {
        form.date()?.moment(text.as_bytes())
    }

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

struct BoundSeed<T>(PhantomData<T>);

impl<'de, T: Bound> DeserializeSeed<'de> for BoundSeed<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<T: Bound> BoundSeed<T> {
    fn refuse<E: de::Error>(shown: impl fmt::Display) -> E {
        E::custom(format_args!("`{shown}` is not {}", T::EXPECTED))
    }
}

impl<T: Bound> Visitor<'_> for BoundSeed<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<T, E> {
        T::from_whole(value).ok_or_else(|| Self::refuse(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<T, E> {
        T::from_text(&value.to_string()).ok_or_else(|| Self::refuse(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<T, E> {
        T::from_decimal(value).ok_or_else(|| {
            let expected = T::EXPECTED;
            E::custom(format_args!(
                "`{value}` is not {expected}: it is too large, or written with a point or an \
                 exponent"
            ))
        })
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        // A number without quotes does not come here.
        if crate::number::decimal(text.as_bytes()).is_some() {
            return Err(E::custom(format_args!(
                "`{text}` is a text here, not {}; write numbers in plain digits, without quotes",
                T::EXPECTED
            )));
        }
        T::from_text(text).ok_or_else(|| Self::refuse(text))
    }
}

/// A range, and how its values are written.
struct RangeSeed<'a, T> {
    notation: &'a mut Notation,
    of: PhantomData<T>,
}

impl<'a, T> RangeSeed<'a, T> {
    fn new(notation: &'a mut Notation) -> Self {
        let of = PhantomData;
        Self { notation, of }
    }
}

impl<'de, T: Bound> DeserializeSeed<'de> for RangeSeed<'_, T> {
    type Value = Range<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: Bound> Visitor<'de> for RangeSeed<'_, T> {
    type Value = Range<T>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a mapping with `min`, `max` and perhaps `bins`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut min, mut max, mut bins) = (None, None, None);
        let notation = self.notation;
        while let Some(key) = map.next_key_seed(Key(T::KEYS))? {
            let repeated = match key {
                "min" => min
                    .replace(map.next_value_seed(BoundSeed(PhantomData))?)
                    .is_some(),
                "max" => max
                    .replace(map.next_value_seed(BoundSeed(PhantomData))?)
                    .is_some(),
                "bins" => bins
                    .replace(map.next_value_seed(BinsSeed(PhantomData))?)
                    .is_some(),
                "format" => notation.date.replace(map.next_value()?).is_some(),
                "decimals" => notation.decimals.replace(map.next_value()?).is_some(),
                _ => notation.number.replace(map.next_value()?).is_some(),
            };
            if repeated {
                return Err(given_twice(key));
            }
        }
        Ok(Range {
            min: min.ok_or_else(|| missing("min"))?,
            max: max.ok_or_else(|| missing("max"))?,
            bins: bins.unwrap_or(Bins::Uniform(DEFAULT_BINS)),
        })
    }
}

struct BinsSeed<T>(PhantomData<T>);

impl<'de, T: Bound> DeserializeSeed<'de> for BinsSeed<T> {
    type Value = Bins<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Bound> Visitor<'de> for BinsSeed<T> {
    type Value = Bins<T>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a number of bins, `quantile`, `{quantile: 20}` or `{cuts: [..]}`")
    }

    fn visit_u64<E: de::Error>(self, bins: u64) -> Result<Bins<T>, E> {
        u32::try_from(bins)
            .map(Bins::Uniform)
            .map_err(|_| E::custom(format_args!("{bins} bins are too many")))
    }

    fn visit_i64<E: de::Error>(self, bins: i64) -> Result<Bins<T>, E> {
        u64::try_from(bins)
            .map_err(|_| E::custom(format_args!("`bins` must be at least 1, not {bins}")))
            .and_then(|bins| self.visit_u64(bins))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Bins<T>, E> {
        match text {
            "quantile" => Ok(Bins::Quantile(DEFAULT_BINS)),
            _ => Err(E::custom(format_args!(
                "`bins` must be a number, `quantile`, `{{quantile: 20}}` or `{{cuts: [..]}}`, not \
                 `{text}`"
            ))),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Bins<T>, A::Error> {
        let mut bins = None;
        while let Some(key) = map.next_key_seed(Key(&["quantile", "cuts"]))? {
            let value = match key {
                "quantile" => Bins::Quantile(map.next_value()?),
                _ => Bins::Cuts(map.next_value_seed(BoundsSeed(PhantomData))?),
            };
            if bins.replace(value).is_some() {
                return Err(de::Error::custom(
                    "`bins` takes one of `quantile` and `cuts`",
                ));
            }
        }
        bins.ok_or_else(|| {
            de::Error::custom("`bins` is empty; give a number, `quantile` or `cuts`")
        })
    }
}

struct BoundsSeed<T>(PhantomData<T>);

impl<'de, T: Bound> DeserializeSeed<'de> for BoundsSeed<T> {
    type Value = Vec<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: Bound> Visitor<'de> for BoundsSeed<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the values at which bins begin")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut bounds = Vec::new();
        while let Some(bound) = seq.next_element_seed(BoundSeed(PhantomData))? {
            bounds.push(bound);
        }
        Ok(bounds)
    }
}

impl Serialize for Declaration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(origin) = &self.origin {
            map.serialize_entry(Origin::key_beside(self.names()), origin)?;
        }
        if self.read != Reading::default() {
            map.serialize_entry(READ, &WrittenReading(&self.read))?;
        }
        for (name, declared) in &self.columns {
            map.serialize_entry(name, declared)?;
        }
        for (names, word) in [(&self.discover, "discover"), (&self.drop, "drop")] {
            for name in names {
                map.serialize_entry(name, word)?;
            }
        }
        if !self.constraints.is_empty() {
            map.serialize_entry(CONSTRAINTS, &self.constraints)?;
        }
        map.end()
    }
}

struct WrittenReading<'a>(&'a Reading);

impl Serialize for WrittenReading<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(mark) = self.0.decimal {
            map.serialize_entry("decimal", &mark)?;
        }
        self.0.serialize_fields(&mut map)?;
        map.end()
    }
}

impl Reading {
    /// The fields that a column's entry may have too.
    fn serialize_fields<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        if !self.missing.is_empty() {
            map.serialize_entry("missing", &self.missing)?;
        }
        if let Some(tolerance) = self.tolerance {
            map.serialize_entry("tolerance", &tolerance)?;
        }
        Ok(())
    }
}

impl Serialize for Declared {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let (form, mark) = (&self.form, self.reading.decimal);
        match &self.kind {
            DeclaredKind::Categories(texts) => map.serialize_entry("categories", texts)?,
            DeclaredKind::Integer(range) => {
                map.serialize_entry("integer", &WrittenRange { range, form, mark })?;
            }
            DeclaredKind::Number(range) => {
                map.serialize_entry("number", &WrittenRange { range, form, mark })?;
            }
            DeclaredKind::Date(range) => {
                map.serialize_entry("date", &WrittenRange { range, form, mark })?;
            }
            DeclaredKind::Datetime(range) => {
                map.serialize_entry("datetime", &WrittenRange { range, form, mark })?;
            }
            DeclaredKind::Boolean => match form {
                ValueForm::Boolean(words) => {
                    let words = BTreeMap::from([("false", &words.falses), ("true", &words.trues)]);
                    map.serialize_entry("boolean", &words)?;
                }
                _ => map.serialize_entry("boolean", &true)?,
            },
            DeclaredKind::Identifier(form) => {
                map.serialize_entry("identifier", &BTreeMap::from([("format", form)]))?;
            }
        }
        if self.nullable {
            map.serialize_entry("nullable", &true)?;
        }
        if self.other {
            map.serialize_entry("other", &true)?;
        }
        self.reading.serialize_fields(&mut map)?;
        map.end()
    }
}

struct WrittenRange<'a, T> {
    range: &'a Range<T>,
    form: &'a ValueForm,
    mark: Option<DecimalMark>,
}

impl<T: Serialize> Serialize for WrittenRange<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("min", &self.range.min)?;
        map.serialize_entry("max", &self.range.max)?;
        map.serialize_entry("bins", &self.range.bins)?;
        match self.form {
            ValueForm::Date(form) => map.serialize_entry("format", form)?,
            ValueForm::Number { form, decimals } => {
                if let Some(decimals) = decimals {
                    map.serialize_entry("decimals", decimals)?;
                }
                if self.mark.is_some() {
                    map.serialize_entry("form", form)?;
                }
            }
            ValueForm::Usual | ValueForm::Boolean(_) => {}
        }
        map.end()
    }
}

impl<T: Serialize> Serialize for Bins<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Uniform(bins) => serializer.serialize_u32(*bins),
            Self::Quantile(bins) => serializer.collect_map([("quantile", bins)]),
            Self::Cuts(cuts) => serializer.collect_map([("cuts", cuts)]),
        }
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
