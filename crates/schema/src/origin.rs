//! Where the values and ranges of a schema come from.

use std::fmt;
use std::num::NonZeroU32;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::declaration::{Key, given_twice};

/// Where the values and ranges of a schema come from, as it says itself. A schema that says nothing
/// was written by a person who knew them beforehand.
///
/// ```yaml
/// origin: data        # or: reviewed, codebook
/// origin: {discovery: {epsilon: 0.5, delta: 1e-9}}
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Origin {
    /// They were taken from the very table: no guarantee holds for what is fitted under them.
    Data,
    /// A person has read what was taken from a table, and vouches that nothing is left of it that
    /// could not have been known beforehand.
    Reviewed,
    /// They were taken from a data dictionary, which is public.
    Codebook,
    /// They were found in the table under differential privacy, by spends that count beside those
    /// of a fit.
    Discovery(SchemaSpend),
}

/// What was spent on finding the values and ranges of a schema in a table.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemaSpend {
    /// Epsilon, for adding or removing everything of one id.
    pub epsilon: f64,
    /// Delta.
    pub delta: f64,
    /// How many rows one id had at most.
    #[serde(default = "one_row", skip_serializing_if = "is_one")]
    pub rows_per_id: NonZeroU32,
}

fn one_row() -> NonZeroU32 {
    NonZeroU32::MIN
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_one(rows: &NonZeroU32) -> bool {
    *rows == NonZeroU32::MIN
}

impl Origin {
    /// The key that says it, and another one for a schema in which a column has the first as its
    /// name: no key of YAML is given twice.
    pub const KEYS: [&str; 2] = ["origin", "schema_origin"];

    /// The key for a schema with these columns.
    #[must_use]
    pub fn key_beside<'a>(mut columns: impl Iterator<Item = &'a str>) -> &'static str {
        let [usual, other] = Self::KEYS;
        match columns.any(|column| column == usual) {
            true => other,
            false => usual,
        }
    }

    /// What it says in one word; none where the word needs numbers.
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        match word {
            "data" => Some(Self::Data),
            "reviewed" => Some(Self::Reviewed),
            "codebook" => Some(Self::Codebook),
            _ => None,
        }
    }

    /// What is wrong with its numbers.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        match self {
            Self::Discovery(SchemaSpend { epsilon, .. })
                if !(epsilon.is_finite() && *epsilon > 0.0) =>
            {
                Some("`epsilon` must be a finite number above 0")
            }
            Self::Discovery(SchemaSpend { delta, .. }) if !(*delta > 0.0 && *delta < 1.0) => {
                Some("`delta` must lie between 0 and 1")
            }
            _ => None,
        }
    }
}

/// As a sentence goes on: `reviewed by a person`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data => f.write_str("taken from the table itself"),
            Self::Reviewed => f.write_str("taken from the table, then reviewed by a person"),
            Self::Codebook => f.write_str("taken from a code book"),
            Self::Discovery(spend) => write!(
                f,
                "found in the table for epsilon {} and delta {:e}, which come on top",
                spend.epsilon, spend.delta
            ),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Data => serializer.serialize_str("data"),
            Self::Reviewed => serializer.serialize_str("reviewed"),
            Self::Codebook => serializer.serialize_str("codebook"),
            Self::Discovery(spend) => serializer.collect_map([("discovery", spend)]),
        }
    }
}

/// Reads `{discovery: {epsilon: .., delta: ..}}`, of which the outer key was read already.
pub(crate) struct DiscoverySeed;

impl<'de> DeserializeSeed<'de> for DiscoverySeed {
    type Value = Origin;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Origin, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for DiscoverySeed {
    type Value = Origin;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("what discovery spent, as in `{epsilon: 0.5, delta: 1e-9}`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Origin, A::Error> {
        let (mut epsilon, mut delta, mut rows) = (None, None, None);
        while let Some(key) = map.next_key_seed(Key(&["epsilon", "delta", "rows_per_id"]))? {
            let repeated = match key {
                "epsilon" => epsilon.replace(map.next_value()?).is_some(),
                "delta" => delta.replace(map.next_value()?).is_some(),
                _ => rows.replace(map.next_value()?).is_some(),
            };
            if repeated {
                return Err(given_twice(key));
            }
        }
        let missing = |key| de::Error::custom(format_args!("`discovery` lacks `{key}`"));
        Ok(Origin::Discovery(SchemaSpend {
            epsilon: epsilon.ok_or_else(|| missing("epsilon"))?,
            delta: delta.ok_or_else(|| missing("delta"))?,
            rows_per_id: rows.unwrap_or(NonZeroU32::MIN),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Declaration, Schema};

    fn read(yaml: &str) -> Result<Schema, String> {
        let declaration = Declaration::from_yaml(yaml).map_err(|error| error.to_string())?;
        Schema::new(declaration).map_err(|error| error.to_string())
    }

    #[test]
    fn a_schema_says_where_it_comes_from_and_a_column_may_have_the_name() {
        let column = "age: {integer: {min: 0, max: 99}}\n";
        let spend = SchemaSpend {
            epsilon: 0.5,
            delta: 1e-9,
            rows_per_id: NonZeroU32::MIN,
        };
        for (yaml, origin, columns) in [
            ("", None, 1),
            ("origin: data\n", Some(Origin::Data), 1),
            ("origin: reviewed\n", Some(Origin::Reviewed), 1),
            ("schema_origin: codebook\n", Some(Origin::Codebook), 1),
            (
                "origin: {discovery: {epsilon: 0.5, delta: 1e-9}}\n",
                Some(Origin::Discovery(spend)),
                1,
            ),
            ("origin: {categories: [data, reviewed]}\n", None, 2),
            ("origin: drop\n", None, 1),
            (
                "schema_origin: data\norigin: {categories: [USA]}\n",
                Some(Origin::Data),
                2,
            ),
        ] {
            let schema = read(&format!("{yaml}{column}")).unwrap();
            assert_eq!(schema.origin(), origin, "{yaml}");
            assert_eq!(schema.columns().len(), columns, "{yaml}");
            let back = schema.to_declaration();
            let text = serde_json::to_string(&back).unwrap();
            assert_eq!(Declaration::from_yaml(&text).unwrap(), back, "{text}");
        }
    }

    #[test]
    fn what_is_no_origin_is_refused_with_what_there_is() {
        for (yaml, said) in [
            ("origin: review\n", "did you mean `reviewed`?"),
            (
                "origin: data\nschema_origin: data\n",
                "`origin` is given twice",
            ),
            ("origin: {discovery: {epsilon: 1}}\n", "lacks `delta`"),
            (
                "origin: {discovery: {epsilon: 0, delta: 1e-9}}\n",
                "must be a finite number above 0",
            ),
            (
                "origin: {discovery: {epsilon: 1, delta: 1}}\n",
                "must lie between 0 and 1",
            ),
            (
                "origin: {discovery: {epsilon: 1, delta: 1e-9}, boolean: true}\n",
                "says more than once",
            ),
            (
                "age: {discovery: {epsilon: 1, delta: 1e-9}}\n",
                "unknown key",
            ),
            ("age: data\n", "`discover` or `drop`"),
        ] {
            let error = read(&format!("{yaml}b: {{boolean: true}}\n")).unwrap_err();
            assert!(error.contains(said), "{yaml}: {error}");
        }
    }
}
