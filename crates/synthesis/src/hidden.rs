//! What noise and coding hide of the table, as far as what was released tells.

use marginals::Clique;
use schema::{Column, Kind, ValueForm, WidestBin};
use serde::Serialize;

use crate::Model;
use crate::measured::Measured;
use crate::report::AgainstIndependent;

/// How many rows the table has, by noisy counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RowCount {
    /// The noisy number, where that is more than the standard deviation of its noise, and else
    /// that; at least 1. This many rows are drawn unless another number is asked for, but at most
    /// [`Model::MAX_DEFAULT_ROWS`].
    pub estimate: u64,
    /// Standard deviation of the noise, which is Gaussian and rounded to whole numbers.
    pub sigma: f64,
    /// The true number is between these with a probability of 95 %, over the noise.
    pub between: [u64; 2],
    /// Whether the noisy number is below five standard deviations, so that the estimate is a guess.
    pub mostly_noise: bool,
}

/// What one column was taken for, and what the model cannot show of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ColumnReport {
    /// Name of the column.
    pub name: String,
    /// `categories`, `integer`, `number`, `date`, `datetime` or `boolean`, as in a declaration.
    pub kind: &'static str,
    /// How many categories or bins it has, besides `other` and missing.
    pub values: usize,
    /// The smallest and the largest value of a column of ordered values.
    pub range: Option<[String; 2]>,
    /// Which of several readings that its fields could have was taken: `day first`, `decimal
    /// comma`. Empty where there is one reading only.
    pub conventions: Vec<&'static str>,
    /// Whether values may be missing.
    pub nullable: bool,
    /// The share of the estimated rows in which the value is missing. `None` for a column that may
    /// not be empty, or was never measured.
    pub missing: Option<f64>,
    /// The share of the estimated rows that are coded as `other`: nothing else remains of their
    /// values. `None` for a column that has no such code, or was never measured.
    pub other: Option<f64>,
    /// The widest bin of a column of ordered values, without the gap before a value of its own such
    /// as 9999-12-31, in which no row is seen. Where in a bin a value lies is lost. Values beyond a
    /// declared range
    /// count as its ends, and how many there are is nowhere in the model; beyond a discovered one
    /// they are `other` where they are clearly more than a few.
    pub widest_bin: Option<WidestBin>,
    /// How far noise alone takes the column's measured counts from the table's, in expectation and
    /// as a share of the estimated rows (half the L1 distance). `None` if the column was never
    /// measured.
    pub noise: Option<f64>,
    /// Whether that noise adds up to as many counts as there are rows, or nothing was measured.
    pub mostly_noise: bool,
    /// What to do where more than a fifth of the rows are `other`, or where a range was found for
    /// numbers that may be codes: a clause for a person.
    pub advice: Option<&'static str>,
}

/// How often each code of a column is: as it was released, and in synthetic rows.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct OneWay {
    /// The counts that the ledger paid for, in the order of the codes: the mean of all
    /// measurements of this column alone, weighted by inverse variance. `None` if there was none.
    pub released: Option<NoisyOneWay>,
    /// The counts expected among as many rows as the [estimate](RowCount::estimate), in the order
    /// of the codes. `None` if the column is in no measurement.
    pub synthetic: Option<Vec<f64>>,
}

/// Counts with noise.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct NoisyOneWay {
    /// For each code; noise may make it negative.
    pub counts: Vec<f64>,
    /// Standard deviation of the Gaussian noise in each count.
    pub sigma: f64,
}

impl RowCount {
    pub(crate) fn new(model: &Model) -> RowCount {
        /// Below this many standard deviations a number could be noise.
        const CLEAR: f64 = 5.0;
        let (noisy, sigma) = noisy_total(model);
        let estimate = model.noisy_rows();
        let [low, high] = between(noisy, sigma);
        RowCount {
            estimate,
            sigma,
            // An estimate that is raised to what noise alone would show lies within as well.
            between: [low.min(estimate), high.max(estimate)],
            mostly_noise: noisy < CLEAR * sigma,
        }
    }
}

/// Whole numbers around the noisy one, which the true one is between with 95 %.
fn between(noisy: f64, sigma: f64) -> [u64; 2] {
    /// Standard deviations on each side that hold so of a normal distribution.
    const DEVIATIONS: f64 = 1.96;
    let (low, high) = (noisy - DEVIATIONS * sigma, noisy + DEVIATIONS * sigma);
    // Outwards: noise of less than one row takes steps of whole rows, and the first may lie beyond.
    [whole(low.floor()), whole(high.ceil())]
}

/// From the very measurements that the method takes its total from.
pub(crate) fn noisy_total(model: &Model) -> (f64, f64) {
    let all_count = model.method.counts_rows_in_all();
    let counts = |measured: &&Measured| all_count || measured.columns.len() == 1;
    mean_of_sums(model.measured.iter().filter(counts))
}

/// The mean of the measurements' sums, weighted by inverse variance of the noise as drawn, and the
/// standard deviation of this mean.
fn mean_of_sums<'a>(measured: impl Iterator<Item = &'a Measured>) -> (f64, f64) {
    /// What rounding the noise of a count to a whole number adds to its variance, at most: the
    /// variance of a uniform distribution.
    const ROUNDING: f64 = 1.0 / 12.0;
    let (mut sum, mut precision, mut variance) = (0.0, 0.0, 0.0);
    for measured in measured {
        let (cells, of_one) = (measured.values.len() as f64, measured.sigma.powi(2));
        // All cells of a measurement carry its noise once: the sum of n cells has n times the
        // variance.
        let weight = 1.0 / (cells * of_one);
        sum += weight * measured.values().iter().sum::<f64>();
        precision += weight;
        // With the variance of the noise as drawn, which rounding enlarges; the weights need not
        // know of it to be valid.
        variance += weight.powi(2) * cells * (of_one + ROUNDING);
    }
    if precision > 0.0 {
        // Nothing measured: no number is excluded.
        (sum / precision, variance.sqrt() / precision)
    } else {
        (0.0, f64::INFINITY)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a saturating cast is meant"
)]
pub(crate) fn whole(number: f64) -> u64 {
    number.max(0.0) as u64
}

impl ColumnReport {
    /// From this share of the rows on, what `other` hides is worth a schema.
    const MUCH: f64 = 0.2;
    /// Noise of half the counts' L1 distance is noise of as many counts as there are rows.
    const DROWNED: f64 = 0.5;

    pub(crate) fn each(model: &Model) -> Vec<ColumnReport> {
        (0..model.schema.columns().len())
            .map(|column| ColumnReport::new(model, column))
            .collect()
    }

    fn new(model: &Model, position: usize) -> ColumnReport {
        let column = &model.schema.columns()[position];
        let total = model.generator.total();
        let noise = sigma_of(model, position).map(|sigma| {
            let l1 = column.size() as f64 * sigma * std::f64::consts::FRAC_2_PI.sqrt();
            // Half the L1 distance, in shares of rows: the unit of all distances that the report
            // states.
            l1 / 2.0 / total
        });
        let share = |code: usize| model.expected_of(position)[code] / total;
        let other = noise.and(column.other_code()).map(share);
        // Only of a column that nobody declared.
        let bounds = format!("bounds of `{}`", column.name());
        let was_found = model.ledger.entries().iter().any(|it| it.label() == bounds);
        ColumnReport {
            name: column.name().to_owned(),
            kind: column.kind().name(),
            values: column.kind().len(),
            range: column.range(),
            conventions: column.form().conventions(),
            nullable: column.is_nullable(),
            missing: noise.and(column.null_code()).map(share),
            other,
            widest_bin: column.widest_bin_among(|code| model.unseen.is_drawn(position, code)),
            noise,
            mostly_noise: noise.is_none_or(|noise| noise >= ColumnReport::DROWNED),
            advice: match other {
                Some(other) if other > ColumnReport::MUCH => Some(ADVICE),
                _ if was_found && may_be_codes(column, &model.expected_of(position)) => {
                    Some(CODES_ADVICE)
                }
                _ => None,
            },
        }
    }
}

/// Whether nearly all of the rows have whole numbers of as many digits, five at least, as postcodes
/// and numbers of articles do.
fn may_be_codes(column: &Column, rows: &[f64]) -> bool {
    /// Years, ages and counts have fewer.
    const DIGITS: u32 = 5;
    const NEARLY_ALL: f64 = 0.9;
    let Kind::Integer(grid) = column.kind() else {
        return false;
    };
    let digits = |number: i64| number.checked_ilog10().map_or(1, |log| log + 1);
    let mut rows_of = [0.0; 20];
    for (bin, rows) in (0..grid.len()).zip(rows) {
        let last = match bin + 1 == grid.len() {
            true => grid.end(bin),
            false => grid.end(bin) - 1,
        };
        if digits(grid.start(bin)) == digits(last) {
            rows_of[digits(last) as usize] += rows;
        }
    }
    let all: f64 = rows.iter().sum();
    let most = rows_of[DIGITS as usize..]
        .iter()
        .copied()
        .fold(0.0, f64::max);
    column.form() == &ValueForm::Usual && most >= NEARLY_ALL * all
}

const CODES_ADVICE: &str =
    "a range, in which numbers are made up; if these are codes, declare them as categories";

const ADVICE: &str = "declare its values or its range in a schema, or leave the column out";

impl OneWay {
    pub(crate) fn new(model: &Model, column: usize) -> OneWay {
        let is_measured = model.measured.iter().any(|it| it.columns.contains(column));
        OneWay {
            released: released(model, column),
            synthetic: is_measured.then(|| model.expected_of(column)),
        }
    }
}

pub(crate) fn released(model: &Model, column: usize) -> Option<NoisyOneWay> {
    let alone = Clique::new([column]);
    let mut counts = vec![0.0; model.schema.columns()[column].size()];
    let mut precision = 0.0;
    for measured in model.measured.iter().filter(|it| it.columns == alone) {
        let weight = measured.sigma.powi(-2);
        precision += weight;
        for (sum, value) in counts.iter_mut().zip(measured.values()) {
            *sum += weight * value;
        }
    }
    if precision == 0.0 {
        return None;
    }
    counts.iter_mut().for_each(|sum| *sum /= precision);
    Some(NoisyOneWay {
        counts,
        sigma: precision.powf(-0.5),
    })
}

/// Standard deviation of the noise in each count of a column, by its own measurements, or by those
/// of marginals that it is in where it has none of its own.
fn sigma_of(model: &Model, column: usize) -> Option<f64> {
    // The variance of a column's cell in a larger marginal is that of the sum over the other
    // columns.
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
pub(crate) fn warnings(model: &Model, rows: &RowCount, columns: &[ColumnReport]) -> Vec<String> {
    // Sentences say what to do, not only what is wrong: they are printed where somebody just lost a
    // budget.
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
             so that what the model says of them may be mostly noise; raise epsilon, or declare \
             fewer columns, categories and bins",
            drowned.len(),
            columns.len(),
            listed(&drowned)
        ));
    }
    let lost = names(|column| column.advice == Some(ADVICE));
    if !lost.is_empty() {
        sentences.push(format!(
            "more than a fifth of the rows of {} are `other`, which stands for each value that is \
             not among those listed, and for the word itself: {}",
            listed(&lost),
            match lost.len() {
                1 => ADVICE,
                _ => "declare their values or ranges in a schema, or leave the columns out",
            }
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
    let unrelated = model.generator.unrelated();
    if !unrelated.is_empty() && columns.len() > 1 {
        let names: Vec<&str> = unrelated
            .iter()
            .map(|&it| columns[it].name.as_str())
            .collect();
        sentences.push(format!(
            "{} of {} columns ({}) are drawn without regard to the others, but for what \
             constraints say of them: {} relates ordered columns, and those of two values, that \
             are in no constraint; where their relations matter use GRAIN",
            names.len(),
            columns.len(),
            listed(&names),
            model.method
        ));
    }
    let compared = model.errors.as_ref();
    let compared = compared.and_then(|errors| AgainstIndependent::new(model, errors));
    if compared.is_some_and(|it| !it.is_better()) {
        sentences.push(format!(
            "as far as the budget tells, the pairs of this model are no closer to the table than \
             those of independent columns: {} gained nothing here; use GRAIN, or INDEPENDENT",
            model.method
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

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_core::{Rng, SeedableRng};

    use super::*;

    fn normal(rng: &mut ChaCha8Rng) -> f64 {
        let mut uniform = || (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        let radius = (-2.0 * (1.0 - uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * uniform()).cos()
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "a few sigmas, which are small"
    )]
    fn rounded_noise(sigma: f64, rng: &mut ChaCha8Rng) -> i64 {
        (sigma * normal(rng)).round() as i64
    }

    /// Noise of each count is rounded: with little noise an interval for Gaussian sums would hold
    /// in as few as 70 % of all cases.
    #[test]
    fn the_number_of_rows_is_between_its_bounds_with_95_percent_however_little_noise_there_is() {
        const DRAWS: usize = 4000;
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut check = |sigma: f64, cells: usize, measurements: usize| {
            let mut holds = || {
                let measured: Vec<Measured> = (0..measurements)
                    .map(|column| Measured {
                        columns: Clique::new([column]),
                        values: (0..cells)
                            .map(|_| 100 + rounded_noise(sigma, &mut rng))
                            .collect(),
                        sigma,
                    })
                    .collect();
                let (noisy, deviation) = mean_of_sums(measured.iter());
                let [low, high] = between(noisy, deviation);
                (low..=high).contains(&(100 * cells as u64))
            };
            let share = (0..DRAWS).filter(|_| holds()).count() as f64 / DRAWS as f64;
            // 95 % less three standard deviations of that share.
            let least = 0.95 - 3.0 * (0.95 * 0.05 / DRAWS as f64).sqrt();
            assert!(
                share >= least,
                "{share} of {DRAWS} with {measurements} measurements of {cells}, sigma {sigma}"
            );
        };
        for sigma in [0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7, 0.9, 1.3, 4.0] {
            for cells in [1, 2, 7, 40] {
                check(sigma, cells, 1);
                check(sigma, cells, 3);
            }
        }
    }
}
