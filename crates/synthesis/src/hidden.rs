//! What noise and coding hide of the table, as far as what was released tells.

use marginals::Clique;
use serde::Serialize;
use tabular::WidestBin;

use crate::Model;
use crate::measured::Measured;
use crate::method::Method;

/// How many rows the table has, by noisy counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RowCount {
    /// The noisy number, where that is more than the standard deviation of its noise, and else
    /// that; at least 1. So many rows are drawn unless another number is asked for.
    pub estimate: u64,
    /// Standard deviation of the noise.
    pub sigma: f64,
    /// The true number is between these with a probability of 95 %, over the noise.
    pub between: [u64; 2],
    /// Whether the noisy number is below five standard deviations, so that the estimate is a guess.
    pub mostly_noise: bool,
}

/// What the model cannot show of one column.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ColumnReport {
    /// The column.
    pub name: String,
    /// The share of the rows that are coded as `other`: nothing else remains of their values.
    /// `None` for a column that has no such code, or was never measured.
    pub other: Option<f64>,
    /// The widest bin of a column of ordered values. Where in a bin a value lies is lost.
    pub widest_bin: Option<WidestBin>,
    /// How far noise alone takes the column's measured counts from the table's, in expectation and
    /// as a share of the rows (half the L1 distance). `None` if the column was never measured.
    pub noise: Option<f64>,
    /// Whether that noise adds up to as many counts as there are rows, or nothing was measured.
    pub mostly_noise: bool,
}

impl RowCount {
    pub(crate) fn new(model: &Model) -> RowCount {
        /// Standard deviations on each side of an interval that holds with 95 %.
        const DEVIATIONS: f64 = 1.96;
        /// Below so many, a number could be noise.
        const CLEAR: f64 = 5.0;
        let (noisy, sigma) = noisy_total(model);
        let (low, high) = (noisy - DEVIATIONS * sigma, noisy + DEVIATIONS * sigma);
        RowCount {
            estimate: model.default_rows(),
            sigma,
            between: [whole(low.ceil()), whole(high.floor())],
            mostly_noise: noisy < CLEAR * sigma,
        }
    }
}

/// The mean of the measurements' sums, weighted by inverse variance, and its standard deviation:
/// from the very measurements that the method takes its total from.
fn noisy_total(model: &Model) -> (f64, f64) {
    let all_count = matches!(model.method, Method::Aim | Method::Mwem);
    let counts = |measured: &&Measured| all_count || measured.columns.len() == 1;
    let (mut sum, mut precision) = (0.0, 0.0);
    for measured in model.measured.iter().filter(counts) {
        let weight = 1.0 / (measured.values.len() as f64 * measured.sigma.powi(2));
        sum += weight * measured.values().iter().sum::<f64>();
        precision += weight;
    }
    if precision > 0.0 {
        (sum / precision, precision.powf(-0.5))
    } else {
        (0.0, f64::INFINITY)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a saturating cast is meant"
)]
fn whole(number: f64) -> u64 {
    number.max(0.0) as u64
}

impl ColumnReport {
    /// Noise of half the counts' L1 distance is noise of as many counts as there are rows.
    const DROWNED: f64 = 0.5;

    pub(crate) fn each(model: &Model) -> Vec<ColumnReport> {
        (0..model.compressions.len())
            .map(|column| ColumnReport::new(model, column))
            .collect()
    }

    fn new(model: &Model, position: usize) -> ColumnReport {
        let column = &model.schema.columns()[position];
        let total = model.field.total();
        let noise = sigma_of(model, position).map(|sigma| {
            let l1 = column.size() as f64 * sigma * std::f64::consts::FRAC_2_PI.sqrt();
            l1 / 2.0 / total
        });
        let share = |code: usize| {
            let counts = model.field.marginal(&Clique::new([position]));
            let counts = counts.expect("each column is in a table of the model");
            model.compressions[position].expand(&counts)[code] / total
        };
        ColumnReport {
            name: column.name().to_owned(),
            other: noise.and(column.other_code()).map(share),
            widest_bin: column.widest_bin(),
            noise,
            mostly_noise: noise.is_none_or(|noise| noise >= ColumnReport::DROWNED),
        }
    }
}

/// Standard deviation of the noise in each count of a column, by its own measurements, or by those
/// of marginals that it is in where it has none of its own.
fn sigma_of(model: &Model, column: usize) -> Option<f64> {
    let size = model.schema.columns()[column].size() as f64;
    let precision = |alone: bool| -> f64 {
        let about = model.measured.iter().filter(|measured| {
            measured.columns.contains(column) && alone == (measured.columns.len() == 1)
        });
        about
            .map(|it| size / (it.values.len() as f64 * it.sigma.powi(2)))
            .sum()
    };
    let found = [true, false].map(precision);
    let found = found.into_iter().find(|precision| *precision > 0.0)?;
    Some(found.powf(-0.5))
}

/// Sentences for a person about what not to rely on, and what to do; none where all is well.
pub(crate) fn warnings(rows: &RowCount, columns: &[ColumnReport]) -> Vec<String> {
    let mut sentences = Vec::new();
    if rows.mostly_noise {
        let [low, high] = rows.between;
        sentences.push(format!(
            "the budget is too small to tell how many rows the table has: {} is a guess, and the \
             number is between {low} and {high} with 95 % confidence; raise epsilon, and choose \
             yourself how many rows to draw",
            rows.estimate
        ));
    }
    let names = |drowned: fn(&ColumnReport) -> bool| -> Vec<&str> {
        let found = columns.iter().filter(|column| drowned(column));
        found.map(|column| column.name.as_str()).collect()
    };
    let drowned = names(|column| column.mostly_noise && column.noise.is_some());
    if !drowned.is_empty() {
        sentences.push(format!(
            "the noise in the counts of {} of {} columns ({}) adds up to more than there are rows, \
             so that what the model says of them may be mostly noise; raise epsilon, or declare fewer \
             columns, categories and bins",
            drowned.len(),
            columns.len(),
            listed(&drowned)
        ));
    }
    let unmeasured = names(|column| column.noise.is_none());
    if !unmeasured.is_empty() {
        sentences.push(format!(
            "{} of {} columns ({}) were never measured, and the model has all their values alike; \
             allow more rounds, or use GRAIN",
            unmeasured.len(),
            columns.len(),
            listed(&unmeasured)
        ));
    }
    sentences
}

/// The first few names.
fn listed(names: &[&str]) -> String {
    const MOST: usize = 5;
    let first = names.iter().take(MOST).map(|name| format!("`{name}`"));
    let mut text = first.collect::<Vec<String>>().join(", ");
    if names.len() > MOST {
        text.push_str(&format!(" and {} more", names.len() - MOST));
    }
    text
}
