//! Kinds of columns, as they are declared.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::declaration::range::RangeSeed;
use crate::declaration::{DeclaredKind, Key, given_twice};
use crate::form::{DateForm, DecimalMark, NumberForm, TruthWords, ValueForm};
use crate::identifier::IdentifierForm;

/// What a kind says of how its values are written.
#[derive(Default)]
pub(super) struct Notation {
    pub(super) date: Option<DateForm>,
    pub(super) number: Option<NumberForm>,
    pub(super) decimals: Option<u8>,
    words: Option<TruthWords>,
}

impl Notation {
    pub(super) fn read_kind<'de, A: MapAccess<'de>>(
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

    pub(super) fn form_of(self, kind: &DeclaredKind) -> ValueForm {
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
pub(super) struct DecimalSeed;

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

/// A list of texts, each as written: `[yes, no]` and `[1, 2.0]` included.
pub(super) struct Texts;

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
