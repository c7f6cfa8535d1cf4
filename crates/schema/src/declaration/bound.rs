//! Bounds of ranges, as they are declared.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, DeserializeSeed, Deserializer, Visitor};

use crate::day::Day;
use crate::form::ValueForm;
use crate::moment::Moment;

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

pub(super) struct BoundSeed<T>(pub(super) PhantomData<T>);

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
