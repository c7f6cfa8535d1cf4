//! The shape of `runtime.yaml`, nothing checked beyond it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};
use serde_saphyr::Spanned;
use synthesis::NamedMarginal;
use tabular::Declaration;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuntimeFile {
    pub(crate) method: Spanned<String>,
    pub(crate) epsilon: Spanned<f64>,
    #[serde(default)]
    pub(crate) delta: Option<Spanned<f64>>,
    #[serde(default)]
    pub(crate) params: Option<Map<String, Value>>,
    pub(crate) party_names: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) key: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) max_rows_per_id: Option<Spanned<u32>>,
    #[serde(default)]
    pub(crate) columns: BTreeMap<String, Declaration>,
    #[serde(default)]
    pub(crate) discovery_share: Option<Spanned<f64>>,
    #[serde(default)]
    pub(crate) workload: Option<Spanned<Vec<NamedMarginal>>>,
    #[serde(default)]
    pub(crate) target: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) limits: LimitsFile,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitsFile {
    pub(crate) max_upload_bytes: Option<Spanned<u64>>,
    pub(crate) max_rows: Option<Spanned<u32>>,
    pub(crate) max_columns: Option<Spanned<u32>>,
    pub(crate) max_samples: Option<Spanned<u64>>,
}
