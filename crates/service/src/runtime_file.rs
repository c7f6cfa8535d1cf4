//! The shape of `runtime.yaml`, nothing checked beyond it.

use std::collections::BTreeMap;
use std::fmt;
use std::num::{NonZeroU32, NonZeroU64};

use schema::{Declaration, DeclaredConstraint};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Unexpected, Visitor};
use serde_json::{Map, Value};
use strict_yaml::Spanned;
use synthesis::NamedMarginal;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuntimeFile {
    pub(crate) method: Spanned<String>,
    pub(crate) epsilon: Spanned<f64>,
    #[serde(default)]
    pub(crate) delta: Option<Spanned<f64>>,
    #[serde(default)]
    pub(crate) people: Option<Spanned<NonZeroU64>>,
    #[serde(default)]
    pub(crate) dangerous: Option<Spanned<bool>>,
    #[serde(default)]
    pub(crate) params: Option<Map<String, Value>>,
    pub(crate) party_names: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) key: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) max_rows_per_id: Option<Spanned<RowsPerId>>,
    #[serde(default)]
    pub(crate) id_normalise: Option<Spanned<Vec<String>>>,
    #[serde(default)]
    pub(crate) minimum_rows: Option<Spanned<u64>>,
    #[serde(default)]
    pub(crate) columns: BTreeMap<String, Declaration>,
    #[serde(default)]
    pub(crate) constraints: Vec<DeclaredConstraint>,
    #[serde(default)]
    pub(crate) discovery_share: Option<Spanned<f64>>,
    #[serde(default)]
    pub(crate) workload: Option<Spanned<Vec<NamedMarginal>>>,
    #[serde(default)]
    pub(crate) target: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) expires_after: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) limits: LimitsFile,
}

/// One bound for all parties, or one for each of some.
#[derive(Debug)]
pub(crate) enum RowsPerId {
    Everyone(NonZeroU32),
    Each(BTreeMap<String, NonZeroU32>),
}

impl<'de> Deserialize<'de> for RowsPerId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrMap;
        impl<'de> Visitor<'de> for NumberOrMap {
            type Value = RowsPerId;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a whole number from 1 on, or one for each party as in `{Alice: 3}`")
            }

            fn visit_i64<E: de::Error>(self, rows: i64) -> Result<RowsPerId, E> {
                // A negative number is as bad as 0.
                self.visit_u64(rows.try_into().unwrap_or(0))
            }

            fn visit_u64<E: de::Error>(self, rows: u64) -> Result<RowsPerId, E> {
                let rows = u32::try_from(rows).ok().and_then(NonZeroU32::new);
                let refused = || E::invalid_value(Unexpected::Other("another number"), &self);
                rows.map(RowsPerId::Everyone).ok_or_else(refused)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RowsPerId, A::Error> {
                let each = BTreeMap::deserialize(MapAccessDeserializer::new(map))?;
                Ok(RowsPerId::Each(each))
            }
        }
        deserializer.deserialize_any(NumberOrMap)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitsFile {
    pub(crate) max_upload_bytes: Option<Spanned<u64>>,
    pub(crate) max_rows: Option<Spanned<u32>>,
    pub(crate) max_columns: Option<Spanned<u32>>,
    pub(crate) max_samples: Option<Spanned<u64>>,
    pub(crate) max_party_memory_bytes: Option<Spanned<u64>>,
}
