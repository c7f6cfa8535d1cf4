//! Ranges and their bins, as they are declared.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::declaration::bound::{Bound, BoundSeed};
use crate::declaration::kind::Notation;
use crate::declaration::{Key, given_twice};
use crate::grid::{Bins, DEFAULT_BINS, Range};

fn missing<E: de::Error>(bound: &str) -> E {
    E::custom(format_args!(
        "a range needs `min` and `max`; `{bound}` is missing"
    ))
}

/// A range, and how its values are written.
pub(super) struct RangeSeed<'a, T> {
    notation: &'a mut Notation,
    of: PhantomData<T>,
}

impl<'a, T> RangeSeed<'a, T> {
    pub(super) fn new(notation: &'a mut Notation) -> Self {
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
