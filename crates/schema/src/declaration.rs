//! What a party says about its columns before any data is seen.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use strict_yaml::{nearest, quoted_list};

use crate::constraint::DeclaredConstraint;
use crate::day::Day;
use crate::grid::{Bins, DEFAULT_BINS, Range};
use crate::moment::Moment;
use crate::schema::SchemaError;

/// The columns of one table in their declared order, as written in `runtime.yaml` under a party's
/// name or in a schema file. It becomes a [`Schema`](crate::Schema) once checked.
///
/// ```yaml
/// buying: {categories: [low, med, high, vhigh]}
/// age:    {integer: {min: 0, max: 120, bins: 32}}
/// income: {number: {min: 0, max: 1e6, bins: quantile}}   # or {quantile: 20},
///                                                        # or {cuts: [1e3, 1e4, 1e5]}
/// joined: {date: {min: 2015-01-01, max: 2026-12-31}}
/// seen:   {datetime: {min: 2026-01-01T00:00, max: 2026-12-31T23:59:59, bins: 52}}
/// smoker: {boolean: true}
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
/// no more than 32 whole numbers or days. A `datetime` is what a clock on a wall shows: no time
/// zone is read. A `boolean` is written in a table as true or false, t or f, yes or no, 1 or 0;
/// synthetic rows have true and false.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Declaration {
    /// Name and content of each column.
    pub columns: Vec<(String, Declared)>,
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
}

impl Declaration {
    /// Reads a declaration from YAML, of which JSON is a part.
    ///
    /// # Errors
    /// [`SchemaError::Yaml`] with the line, and for an unknown key the nearest known one.
    pub fn from_yaml(yaml: &str) -> Result<Self, SchemaError> {
        Ok(strict_yaml::from_str(yaml)?)
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
                let mut columns: Vec<(String, Declared)> = Vec::new();
                let mut names = HashSet::new();
                let mut constraints = None;
                while let Some(name) = map.next_key::<String>()? {
                    let entry = map.next_value_seed(EntrySeed { name: &name })?;
                    match entry {
                        Entry::Column(declared) => {
                            if !names.insert(name.clone()) {
                                return Err(de::Error::custom(format_args!(
                                    "column `{name}` is declared twice"
                                )));
                            }
                            columns.push((name, declared));
                        }
                        Entry::Constraints(list) => {
                            if constraints.replace(list).is_some() {
                                return Err(given_twice(CONSTRAINTS));
                            }
                        }
                    }
                }
                Ok(Declaration {
                    columns,
                    constraints: constraints.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_map(Columns)
    }
}

/// The key of the constraints among those of the columns. A column may have the same name: it is a
/// mapping, they are a list.
pub(crate) const CONSTRAINTS: &str = "constraints";

enum Entry {
    Column(Declared),
    Constraints(Vec<DeclaredConstraint>),
}

struct EntrySeed<'a> {
    name: &'a str,
}

impl<'de> DeserializeSeed<'de> for EntrySeed<'_> {
    type Value = Entry;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Entry, D::Error> {
        if self.name == CONSTRAINTS {
            deserializer.deserialize_any(self)
        } else {
            let seed = DeclaredSeed { column: self.name };
            seed.deserialize(deserializer).map(Entry::Column)
        }
    }
}

impl<'de> Visitor<'de> for EntrySeed<'_> {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list of constraints")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Entry, A::Error> {
        let seed = DeclaredSeed { column: self.name };
        seed.visit_map(map).map(Entry::Column)
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
pub(crate) struct Key(pub(crate) &'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Key {
    type Value = &'static str;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Key {
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

struct DeclaredSeed<'a> {
    column: &'a str,
}

impl<'de> DeserializeSeed<'de> for DeclaredSeed<'_> {
    type Value = Declared;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Declared, D::Error> {
        deserializer.deserialize_map(self)
    }
}

const KINDS: &str = "`categories`, `integer`, `number`, `date`, `datetime` or `boolean`";

impl<'de> Visitor<'de> for DeclaredSeed<'_> {
    type Value = Declared;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "for column `{}` a mapping with {KINDS}", self.column)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Declared, A::Error> {
        let mut kind: Option<DeclaredKind> = None;
        let (mut nullable, mut other) = (None, None);
        const KEYS: Key = Key(&[
            "categories",
            "integer",
            "number",
            "date",
            "datetime",
            "boolean",
            "nullable",
            "other",
        ]);
        while let Some(key) = map.next_key_seed(KEYS)? {
            if matches!(key, "nullable" | "other") {
                let flag = if key == "nullable" {
                    &mut nullable
                } else {
                    &mut other
                };
                if flag.replace(map.next_value::<bool>()?).is_some() {
                    return Err(given_twice(key));
                }
                continue;
            }
            let value = match key {
                "categories" => DeclaredKind::Categories(map.next_value_seed(Texts)?),
                "integer" => DeclaredKind::Integer(map.next_value_seed(RangeSeed::new())?),
                "number" => DeclaredKind::Number(map.next_value_seed(RangeSeed::new())?),
                "date" => DeclaredKind::Date(map.next_value_seed(RangeSeed::new())?),
                "datetime" => DeclaredKind::Datetime(map.next_value_seed(RangeSeed::new())?),
                _ => match map.next_value::<bool>()? {
                    true => DeclaredKind::Boolean,
                    false => {
                        return Err(de::Error::custom(format_args!(
                            "column `{}`: write `boolean: true`, or leave it out",
                            self.column
                        )));
                    }
                },
            };
            if kind.replace(value).is_some() {
                return Err(de::Error::custom(format_args!(
                    "column `{}` says more than once what it holds; keep one of {KINDS}",
                    self.column
                )));
            }
        }
        let kind = kind.ok_or_else(|| {
            de::Error::custom(format_args!(
                "column `{}` does not say what it holds; add {KINDS}",
                self.column
            ))
        })?;
        Ok(Declared {
            kind,
            nullable: nullable.unwrap_or(false),
            other: other.unwrap_or(false),
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
                    "a category is a text; write \"null\" in quotes, or `nullable: \
                                   true` for empty fields",
                )
            })?);
        }
        Ok(texts)
    }
}

/// A bound of a range as it is written in a file.
pub(crate) trait Bound: Sized {
    const EXPECTED: &'static str;
    fn from_text(text: &str) -> Option<Self>;
    fn from_whole(_: i64) -> Option<Self> {
        None
    }
    fn from_decimal(_: f64) -> Option<Self> {
        None
    }
}

impl Bound for i64 {
    const EXPECTED: &'static str = "a whole number";

    fn from_text(text: &str) -> Option<Self> {
        crate::number::whole(text.as_bytes())
    }

    fn from_whole(value: i64) -> Option<Self> {
        Some(value)
    }
}

impl Bound for f64 {
    const EXPECTED: &'static str = "a number";

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

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Bound for Moment {
    const EXPECTED: &'static str = "a date and time as 2015-01-31T10:30";

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

struct RangeSeed<T>(PhantomData<T>);

impl<T> RangeSeed<T> {
    fn new() -> Self {
        Self(PhantomData)
    }
}

impl<'de, T: Bound> DeserializeSeed<'de> for RangeSeed<T> {
    type Value = Range<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: Bound> Visitor<'de> for RangeSeed<T> {
    type Value = Range<T>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a mapping with `min`, `max` and perhaps `bins`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut min, mut max, mut bins) = (None, None, None);
        while let Some(key) = map.next_key_seed(Key(&["min", "max", "bins"]))? {
            let repeated = match key {
                "min" => min
                    .replace(map.next_value_seed(BoundSeed(PhantomData))?)
                    .is_some(),
                "max" => max
                    .replace(map.next_value_seed(BoundSeed(PhantomData))?)
                    .is_some(),
                _ => bins
                    .replace(map.next_value_seed(BinsSeed(PhantomData))?)
                    .is_some(),
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
        for (name, declared) in &self.columns {
            map.serialize_entry(name, declared)?;
        }
        if !self.constraints.is_empty() {
            map.serialize_entry(CONSTRAINTS, &self.constraints)?;
        }
        map.end()
    }
}

impl Serialize for Declared {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match &self.kind {
            DeclaredKind::Categories(texts) => map.serialize_entry("categories", texts)?,
            DeclaredKind::Integer(range) => map.serialize_entry("integer", range)?,
            DeclaredKind::Number(range) => map.serialize_entry("number", range)?,
            DeclaredKind::Date(range) => map.serialize_entry("date", range)?,
            DeclaredKind::Datetime(range) => map.serialize_entry("datetime", range)?,
            DeclaredKind::Boolean => map.serialize_entry("boolean", &true)?,
        }
        if self.nullable {
            map.serialize_entry("nullable", &true)?;
        }
        if self.other {
            map.serialize_entry("other", &true)?;
        }
        map.end()
    }
}

impl<T: Serialize> Serialize for Range<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("min", &self.min)?;
        map.serialize_entry("max", &self.max)?;
        map.serialize_entry("bins", &self.bins)?;
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
