//! Constraints as they are written down.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

use crate::declaration::{Key, given_twice};

/// What no row of a table can look like, as written in a schema file beside the columns under the
/// key `constraints`:
///
/// ```yaml
/// constraints:
/// - impossible: {sex: [male], pregnant: [yes]}
/// - impossible: {age: [0..14], marital: [married, divorced, null]}
/// - determines: {from: zip, to: city, map: {"1010": Vienna, "1020": Vienna, "4020": Linz}}
/// ```
///
/// `impossible` names two or more columns, each with some of its values: no synthetic row has one
/// of them in every column. `determines` says that one column follows from another: its map has
/// every declared value of `from`, with the only value of `to` that goes with it. (Where `from` is
/// empty or `other`, which is not in the map, `to` is free.)
///
/// A value is a category as written, `other`, or `null` without quotes for an empty field. Values
/// of numbers and dates are ranges that consist of whole bins: `0..14` is 0 to 14 for whole numbers
/// and dates, and 0 to just below 14 for other numbers; `..14` begins at `min`, `15..` ends at
/// `max`; a single whole number or date is a range of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeclaredConstraint {
    /// These columns never have these values together.
    Impossible(Vec<(String, Vec<DeclaredValue>)>),
    /// The value of one column follows from that of another.
    Determines {
        /// Name of the column that determines the other.
        from: String,
        /// The column that is determined.
        to: String,
        /// Values of `from`, each with its value of `to`.
        map: Vec<(String, String)>,
    },
}

/// A value as written; `None` is `null`, an empty field.
pub type DeclaredValue = Option<String>;

impl<'de> Deserialize<'de> for DeclaredConstraint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneConstraint;
        impl<'de> Visitor<'de> for OneConstraint {
            type Value = DeclaredConstraint;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a constraint: `impossible: {..}` or `determines: {..}`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let kinds = Key(&["impossible", "determines"]);
                let constraint = match map.next_key_seed(kinds)? {
                    Some("impossible") => {
                        DeclaredConstraint::Impossible(map.next_value_seed(Pairs(TextsOrNull))?)
                    }
                    Some(_) => map.next_value_seed(DeterminesSeed)?,
                    None => {
                        return Err(de::Error::custom(
                            "a constraint is empty; write `impossible: {..}` or `determines: {..}`",
                        ));
                    }
                };
                match map.next_key_seed(Key(&["impossible", "determines"]))? {
                    None => Ok(constraint),
                    Some(_) => Err(de::Error::custom(
                        "an entry of `constraints` is one constraint; begin the next with a dash \
                         of its own",
                    )),
                }
            }
        }
        deserializer.deserialize_map(OneConstraint)
    }
}

/// A mapping from texts, none twice, in its order.
struct Pairs<S>(S);

impl<'de, S: DeserializeSeed<'de> + Clone> DeserializeSeed<'de> for Pairs<S> {
    type Value = Vec<(String, S::Value)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, S: DeserializeSeed<'de> + Clone> Visitor<'de> for Pairs<S> {
    type Value = Vec<(String, S::Value)>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a mapping")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs: Vec<(String, S::Value)> = Vec::new();
        let mut names = std::collections::HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if !names.insert(name.clone()) {
                return Err(given_twice(&name));
            }
            pairs.push((name, map.next_value_seed(self.0.clone())?));
        }
        Ok(pairs)
    }
}

/// A list of texts as written, and of nulls.
#[derive(Clone)]
struct TextsOrNull;

impl<'de> DeserializeSeed<'de> for TextsOrNull {
    type Value = Vec<DeclaredValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for TextsOrNull {
    type Value = Vec<DeclaredValue>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list of values, as in `[male]`")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element()? {
            values.push(value);
        }
        Ok(values)
    }
}

/// Reads a text as it is written, in quotes or not.
#[derive(Clone)]
struct Text;

impl<'de> DeserializeSeed<'de> for Text {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        String::deserialize(deserializer)
    }
}

struct DeterminesSeed;

impl<'de> DeserializeSeed<'de> for DeterminesSeed {
    type Value = DeclaredConstraint;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for DeterminesSeed {
    type Value = DeclaredConstraint;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a mapping with `from`, `to` and `map`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let (mut from, mut to, mut map) = (None, None, None);
        while let Some(key) = entries.next_key_seed(Key(&["from", "to", "map"]))? {
            let repeated = match key {
                "from" => from.replace(entries.next_value::<String>()?).is_some(),
                "to" => to.replace(entries.next_value::<String>()?).is_some(),
                _ => map.replace(entries.next_value_seed(Pairs(Text))?).is_some(),
            };
            if repeated {
                return Err(given_twice(key));
            }
        }
        let lacks = |key| {
            A::Error::custom(format_args!(
                "`determines` needs `from`, `to` and `map`; `{key}` is missing"
            ))
        };
        Ok(DeclaredConstraint::Determines {
            from: from.ok_or_else(|| lacks("from"))?,
            to: to.ok_or_else(|| lacks("to"))?,
            map: map.ok_or_else(|| lacks("map"))?,
        })
    }
}

impl Serialize for DeclaredConstraint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Impossible(values) => {
                serializer.collect_map([("impossible", InOrder(values.as_slice()))])
            }
            Self::Determines { from, to, map } => {
                let parts = Determines {
                    from,
                    to,
                    map: InOrder(map),
                };
                serializer.collect_map([("determines", parts)])
            }
        }
    }
}

#[derive(Serialize)]
struct Determines<'a> {
    from: &'a str,
    to: &'a str,
    map: InOrder<'a, String>,
}

/// Writes pairs as a mapping, in their order.
struct InOrder<'a, T>(&'a [(String, T)]);

impl<T: Serialize> Serialize for InOrder<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
