//! Declarations as they are written.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::day::Day;
use crate::declaration::{CONSTRAINTS, Declaration, Declared, DeclaredKind, READ};
use crate::form::{DecimalMark, Reading, ValueForm};
use crate::grid::{Bins, Range};
use crate::moment::Moment;
use crate::origin::Origin;

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
