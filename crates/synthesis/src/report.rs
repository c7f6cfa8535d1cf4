use std::ops::RangeInclusive;

use marginals::Clique;
use serde::Serialize;

use crate::Model;
use crate::measured::Measured;
use crate::method::Method;

/// How close a model is to the noisy marginals it was fitted to.
///
/// Errors are total variation distances: half the sum of absolute differences, as a share of the rows. What was measured
/// is itself off by noise, whose expected size is known and given beside: a model about that far from what was measured
/// fits as well as can be told.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// How the model was made.
    pub method: Method,
    /// The noisy number of rows.
    pub rows: u64,
    /// Single columns.
    pub one_way: Vec<MarginalReport>,
    /// Pairs of columns. Their rare values are taken together.
    pub two_way: Vec<MarginalReport>,
    /// Three columns or more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub higher_way: Vec<MarginalReport>,
}

/// One measured marginal in a [`Report`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MarginalReport {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Counts that were measured.
    pub cells: usize,
    /// Standard deviation of the noise in each count.
    pub sigma: f64,
    /// Distance between the model and what was measured.
    pub error: f64,
    /// Expected distance between what was measured and the truth.
    pub expected_noise: f64,
}

impl Report {
    pub(crate) fn new(model: &Model) -> Report {
        let of_columns = |columns: RangeInclusive<usize>| {
            let measured = model
                .measured
                .iter()
                .filter(|measured| columns.contains(&measured.columns.len()));
            measured
                .map(|measured| MarginalReport::new(model, measured))
                .collect()
        };
        Report {
            method: model.method,
            rows: model.default_rows(),
            one_way: of_columns(1..=1),
            two_way: of_columns(2..=2),
            higher_way: of_columns(3..=usize::MAX),
        }
    }
}

impl MarginalReport {
    fn new(model: &Model, measured: &Measured) -> MarginalReport {
        let expected = expected_counts(model, &measured.columns);
        let distance: f64 = expected
            .iter()
            .zip(measured.values())
            .map(|(e, m)| (e - m).abs())
            .sum();
        let schema = model.schema.columns();
        let cells = measured.values.len();
        let noise = measured.sigma * std::f64::consts::FRAC_2_PI.sqrt() * cells as f64;
        MarginalReport {
            columns: measured
                .columns
                .iter()
                .map(|a| schema[a].name().to_owned())
                .collect(),
            cells,
            sigma: measured.sigma,
            error: distance / 2.0 / model.field.total(),
            expected_noise: noise / 2.0 / model.field.total(),
        }
    }
}

/// What the model expects where the marginal was measured.
fn expected_counts(model: &Model, columns: &Clique) -> Vec<f64> {
    let counts = model
        .field
        .marginal(columns)
        .expect("a measured marginal is in a table of the model");
    match columns.attributes() {
        [column] => model.compressions[*column].expand(&counts),
        _ => counts,
    }
}
