//! Counts of rows, by what was released of the table: an estimate, and what the true number lies
//! between.
//!
//! Where a measured marginal has all columns that are asked about, the law of its noise gives the
//! interval, and the model has no say in it. Where none has, the measured error of the model's
//! marginal does: a sum of cells differs by at most the part of the L1 distance that lies on one
//! side. Where that is not known either, columns or pairs leave a range possible (Fréchet's
//! inequalities).

mod rows;
mod values;

use std::collections::BTreeMap;

use marginals::Clique;
use schema::Condition;
use serde::Serialize;

use crate::Model;
use crate::errors::{MeasuredErrors, quantile};
use crate::hidden::{noisy_total, released, whole};
use rows::Rows;
pub use values::{Statistic, StatisticError, ValueAnswer};

/// How many rows of the table, as it is coded, satisfy a condition.
///
/// Post-processing: it costs no budget, however often it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CountAnswer {
    /// The model's expected number of rows.
    pub estimate: f64,
    /// The table's number is between these with a probability of at least 95 %, over the noise, for
    /// each answer by itself. Where a condition wants a bin in part they hold however the values
    /// lie in it.
    pub between: [u64; 2],
    /// What the interval rests on.
    pub basis: Basis,
}

/// What the interval of an answer rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Basis {
    /// A measured marginal has all columns of the condition: the interval is that of its noise.
    Measured,
    /// The model has these columns together, and the interval comes from its measured error, with
    /// that of the noise where a marginal tells a part of what is asked.
    Modelled,
    /// Nothing was measured of these columns together: the interval has all numbers that what is
    /// known of them one by one, or in pairs, leaves possible.
    Possible,
}

/// A question about more combinations of values than are answered at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the columns have {cells} combinations of values, and at most {most} are counted at once; \
         name fewer columns, or a condition on them", most = Model::MOST_COUNTS)]
pub struct TooManyCounts {
    cells: usize,
}

/// For each column asked about, the wanted share of each of its codes.
type Weights = BTreeMap<usize, Vec<f64>>;

impl Model {
    /// The most combinations that [`counts_by`](Self::counts_by) counts at once.
    pub const MOST_COUNTS: usize = 10_000;

    /// How many rows of the table satisfy a condition on its columns.
    #[must_use]
    pub fn count(&self, condition: &Condition) -> CountAnswer {
        self.answer(&weights_of(condition))
    }

    /// The same for each combination of codes of some columns, in order, with those codes; those
    /// that the condition excludes are left out.
    ///
    /// # Errors
    /// If there are more than [`MOST_COUNTS`](Self::MOST_COUNTS).
    ///
    /// # Panics
    /// If there is no such column.
    pub fn counts_by(
        &self,
        condition: Option<&Condition>,
        by: &[usize],
    ) -> Result<Vec<(Vec<usize>, CountAnswer)>, TooManyCounts> {
        let combinations = self.combinations(condition, by, 1)?;
        let answers = combinations.map(|(codes, weights)| (codes, self.answer(&weights)));
        Ok(answers.collect())
    }

    /// What is wanted of each combination of codes of some columns, in order. `each` counts are
    /// made for each of them.
    fn combinations(
        &self,
        condition: Option<&Condition>,
        by: &[usize],
        each: usize,
    ) -> Result<impl Iterator<Item = (Vec<usize>, Weights)>, TooManyCounts> {
        let wanted = condition.map(weights_of).unwrap_or_default();
        let codes: Vec<Vec<(usize, f64)>> = by.iter().map(|&it| self.codes(it, &wanted)).collect();
        let cells = codes
            .iter()
            .fold(each, |cells, codes| cells.saturating_mul(codes.len()));
        if cells > Model::MOST_COUNTS {
            return Err(TooManyCounts { cells });
        }
        let combination = move |mut cell: usize| {
            let (mut combination, mut weights) = (vec![0; by.len()], wanted.clone());
            for ((&column, codes), place) in by.iter().zip(&codes).zip(&mut combination).rev() {
                let (code, weight) = codes[cell % codes.len()];
                cell /= codes.len();
                *place = code;
                let mut of_code = vec![0.0; self.schema.columns()[column].size()];
                of_code[code] = weight;
                weights.insert(column, of_code);
            }
            (combination, weights)
        };
        Ok((0..cells / each).map(combination))
    }

    /// The codes of a column that a condition leaves, with the wanted share of each.
    fn codes(&self, column: usize, wanted: &Weights) -> Vec<(usize, f64)> {
        let size = self.schema.columns()[column].size();
        let weight = |code: usize| wanted.get(&column).map_or(1.0, |weights| weights[code]);
        (0..size)
            .map(|code| (code, weight(code)))
            .filter(|&(_, weight)| weight > 0.0)
            .collect()
    }

    fn answer(&self, weights: &Weights) -> CountAnswer {
        let estimate = self.mass(weights);
        let question = Question::new(weights);
        let (between, basis) = question.answer(self);
        // Whatever is left of a number of rows below 0 or of a part of a row, outwards; and a model
        // that all measurements together made may know better than the one that gives the interval.
        let low = between[0].min(estimate).max(0.0).floor();
        let high = between[1].max(estimate).ceil();
        CountAnswer {
            estimate,
            between: [whole(low), whole(high)],
            basis,
        }
    }

    /// The model's expected number of rows.
    fn mass(&self, weights: &Weights) -> f64 {
        if weights.is_empty() {
            return self.generator.total();
        }
        if weights.values().any(|it| it.iter().all(|w| *w == 0.0)) {
            return 0.0;
        }
        let given = self
            .generator
            .given(&Condition::from_weights(weights.clone()));
        given.map_or(0.0, |given| given.total())
    }
}

fn weights_of(condition: &Condition) -> Weights {
    let of_column = |column| {
        let weights = condition.weights(column).expect("it is about this column");
        (column, weights.to_vec())
    };
    condition.columns().map(of_column).collect()
}

/// How often one side of an interval may miss, where it has two.
const ONE_SIDE: f64 = 0.025;
/// How often the number of rows may be outside its interval where that comes on top of errors,
/// whose bounds leave [4 %](MeasuredErrors::bound) of the 5, or [half](MeasuredErrors::half_bound).
const MISSES_OF_ROWS: f64 = 0.005;

/// Which codes are asked about: those wanted as a whole, and those of which any value is wanted.
/// The true number lies between the counts of the two.
struct Question {
    inside: Weights,
    touched: Weights,
}

impl Question {
    fn new(weights: &Weights) -> Question {
        let keep = |kept: fn(f64) -> bool| -> Weights {
            let whole = |&weight: &f64| if kept(weight) { 1.0 } else { 0.0 };
            let columns = weights.iter();
            columns
                .map(|(column, weights)| (*column, weights.iter().map(whole).collect()))
                .collect()
        };
        Question {
            inside: keep(|weight| weight >= 1.0),
            touched: keep(|weight| weight > 0.0),
        }
    }

    /// About some of the columns only.
    fn of(&self, columns: &[usize]) -> Question {
        let keep = |weights: &Weights| {
            let columns = columns.iter();
            columns.map(|it| (*it, weights[it].clone())).collect()
        };
        Question {
            inside: keep(&self.inside),
            touched: keep(&self.touched),
        }
    }

    /// The rows of this question that do not satisfy what another asks about a column.
    fn but_not(mut self, column: usize, of: &Question) -> Question {
        let not = |weights: &[f64]| weights.iter().map(|weight| 1.0 - weight).collect();
        // What is touched may lie outside, and what is inside does not.
        self.inside.insert(column, not(&of.touched[&column]));
        self.touched.insert(column, not(&of.inside[&column]));
        self
    }

    fn columns(&self) -> Vec<usize> {
        self.inside.keys().copied().collect()
    }

    fn answer(&self, model: &Model) -> ([f64; 2], Basis) {
        if self.inside.is_empty() {
            let (rows, sigma) = noisy_total(model);
            let half = quantile(ONE_SIDE) * sigma;
            return ([rows - half, rows + half], Basis::Measured);
        }
        let measured = self.measured(model);
        if let Some(exact) = measured.iter().find(|rows| rows.is_exact()) {
            return (exact.count(ONE_SIDE), Basis::Measured);
        }
        let by_error = |bound| self.by_error(model, bound);
        if let Some(found) = inexact(measured.first(), by_error, Rows::count) {
            return found;
        }
        let between = self.by_pairs(model);
        let between = between.unwrap_or_else(|| self.by_columns(model));
        (between, Basis::Possible)
    }

    /// What measured marginals with all of the columns say, the least noise first.
    fn measured(&self, model: &Model) -> Vec<Rows> {
        let mut found = Rows::measured(model, self, None);
        // By the noise's size and never by what was found: a choice among noisy numbers would make
        // the interval miss more often than it says.
        found.sort_by(|a, b| a.variance().total_cmp(&b.variance()));
        found
    }

    /// What the model's error in a marginal of these columns leaves possible.
    fn by_error(&self, model: &Model, bound: Bound) -> Option<[f64; 2]> {
        let [below, above] = sides_of_error(model, &self.columns(), bound)?;
        Some([
            model.mass(&self.inside) - below,
            model.mass(&self.touched) + above,
        ])
    }

    /// What the model's errors in pairs of three or more columns leave possible. `None` unless the
    /// errors of all these pairs were measured.
    fn by_pairs(&self, model: &Model) -> Option<[f64; 2]> {
        let columns = self.columns();
        if columns.len() < 3 {
            return None;
        }
        // All pairs' bounds hold at once, so that the best of them may be chosen.
        let bounds = |question: &Question| question.by_error(model, MeasuredErrors::joint_bound);
        let (mut most, mut least) = (f64::INFINITY, 0.0_f64);
        for (i, &a) in columns.iter().enumerate() {
            for &b in &columns[i + 1..] {
                let [low, high] = bounds(&self.of(&[a, b]))?;
                most = most.min(high);
                let mut left = low;
                for &c in columns.iter().filter(|&&c| c != a && c != b) {
                    // Rows of the pair that fail in this column are at most those of either that
                    // fail.
                    let fails = |with: usize| Some(bounds(&self.of(&[with]).but_not(c, self))?[1]);
                    left -= fails(a)?.min(fails(b)?).max(0.0);
                }
                least = least.max(left);
            }
        }
        Some([least, most])
    }

    /// What the columns one by one leave possible.
    fn by_columns(&self, model: &Model) -> [f64; 2] {
        let columns = self.columns();
        // Two sides of each column, and that there are no more rows than that.
        let miss = 2.0 * ONE_SIDE / (2 * columns.len() + 1) as f64;
        let (rows, sigma) = noisy_total(model);
        let rows = rows + quantile(miss) * sigma;
        if !rows.is_finite() {
            // Nothing was measured.
            return [0.0, f64::INFINITY];
        }
        let (mut most, mut least) = (rows, rows);
        for &column in &columns {
            let of_column = Rows::of_column(model, &self.of(&[column]), column, None);
            let [low, high] = of_column.map_or([0.0, rows], |of_column| of_column.count(miss));
            most = most.min(high);
            // Rows that fail in this column are at most those that are not known to satisfy it.
            least -= rows - low;
        }
        [least, most]
    }
}

/// An interval from a marginal that does not tell all that is asked about, from the model's error,
/// or from both, of which each then misses half as often. Which of them there are does not depend
/// on noise.
fn inexact(
    measured: Option<&Rows>,
    by_error: impl Fn(Bound) -> Option<[f64; 2]>,
    between: impl Fn(&Rows, f64) -> [f64; 2],
) -> Option<([f64; 2], Basis)> {
    let Some(measured) = measured else {
        return Some((by_error(MeasuredErrors::bound)?, Basis::Modelled));
    };
    let Some(modelled) = by_error(MeasuredErrors::half_bound) else {
        return Some((between(measured, ONE_SIDE), Basis::Measured));
    };
    let measured = between(measured, ONE_SIDE / 2.0);
    let (low, high) = (modelled[0].max(measured[0]), modelled[1].min(measured[1]));
    // One of them misses where they have nothing in common.
    Some(([low.min(high), high.max(low)], Basis::Modelled))
}

/// A bound on a true distance, by the measured one.
type Bound = fn(&MeasuredErrors, f64) -> f64;

/// How many rows at most the table's cells of some columns lack of the model's together, and how
/// many they exceed them by. `None` unless that error was measured.
fn sides_of_error(model: &Model, columns: &[usize], bound: Bound) -> Option<[f64; 2]> {
    // What was compared with the table counts drawn rows where constraints decide which ones are
    // drawn, and is not the mass that is taken here.
    if model.generator.random_field().is_none() && !model.schema.constraints().is_empty() {
        return None;
    }
    let errors = model.errors.as_ref()?;
    let asked = Clique::new(columns.to_vec());
    let measured = errors.marginals.iter().find(|it| it.columns == asked)?;
    let distance = bound(errors, measured.distance);
    let (rows, sigma) = noisy_total(model);
    let half = quantile(MISSES_OF_ROWS / 2.0) * sigma;
    let too_few = rows - model.generator.total();
    // Of an L1 distance d between tables whose sums differ by s, cells of one table exceed the
    // other's by (d + s) / 2 together, and fall below them by (d - s) / 2.
    Some([
        (distance - (too_few - half)) / 2.0,
        (distance + (too_few + half)) / 2.0,
    ])
}
