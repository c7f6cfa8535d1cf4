//! Sums, means and quantiles of a column's values, with what the table's own lies between.
//!
//! All three follow from weighted sums of counts, for which the noise, or the model's measured
//! error, gives a bound at any weights. A mean is at least m where the rows' distances from m add
//! up to no less than 0, and a quantile is at most x where enough rows are not above x; so the
//! interval has every number that such a bound does not exclude (Fieller's method). Where in a bin
//! a value lies is not known: the bound takes the end of the bin that makes it safe.

use std::cmp::Reverse;

use schema::{Condition, Kind};
use serde::Serialize;

use super::rows::{Doubt, Part, Rows, joined};
use super::{Basis, Bound, ONE_SIDE, Question, TooManyCounts, Weights};
use super::{inexact, quantile, sides_of_error};
use crate::Model;

/// What is asked of the values of a column. Rows in which it is missing or `other` are left out.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Statistic {
    /// Their sum.
    Sum,
    /// Their mean.
    Mean,
    /// The smallest value that at least this share of them, from 0 to 1, does not exceed.
    Quantile(f64),
}

/// A statistic of a column's values among the rows that satisfy a condition. Of dates and moments
/// it is in days and seconds since 1970.
///
/// Post-processing: it costs no budget, however often it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ValueAnswer {
    /// By the model, with values spread evenly within their bins. `None` where it expects no row.
    pub estimate: Option<f64>,
    /// The table's own is between these with a probability of at least 95 %, over the noise, for
    /// each answer by itself, wherever the values lie in their bins. If the table has no such row
    /// nothing is said.
    pub between: [f64; 2],
    /// What the interval rests on.
    pub basis: Basis,
}

/// A question about values that has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatisticError {
    /// The column has no numbers or dates.
    #[error(
        "column `{column}` is of kind `{kind}`; sums, means and quantiles are of numbers and dates"
    )]
    Unordered {
        /// Its name.
        column: String,
        /// Its kind.
        kind: &'static str,
    },
    /// Dates have no sum.
    #[error("dates have no sum; ask for the mean of `{column}`")]
    NoSum {
        /// The column's name.
        column: String,
    },
    /// A share that is none.
    #[error("a quantile is of a share from 0 to 1")]
    NoShare,
    /// More counts than are made at once.
    #[error(transparent)]
    TooMany(#[from] TooManyCounts),
}

impl Model {
    /// A statistic of a column's values, for each combination of codes of some columns, in order,
    /// with those codes; those that the condition excludes are left out. Without columns to tell
    /// apart there is one answer.
    ///
    /// # Errors
    /// If the column has no such statistic, or there are more combinations than
    /// [`MOST_COUNTS`](Self::MOST_COUNTS), each of which takes a count for each of the column's
    /// codes.
    ///
    /// # Panics
    /// If there is no such column.
    pub fn values_by(
        &self,
        statistic: Statistic,
        column: usize,
        condition: Option<&Condition>,
        by: &[usize],
    ) -> Result<Vec<(Vec<usize>, ValueAnswer)>, StatisticError> {
        self.check_statistic(statistic, column)?;
        let size = self.schema.columns()[column].size();
        let combinations = self.combinations(condition, by, size)?;
        let answer = |weights: Weights| self.value(statistic, column, weights);
        Ok(combinations
            .map(|(codes, weights)| (codes, answer(weights)))
            .collect())
    }

    fn check_statistic(&self, statistic: Statistic, column: usize) -> Result<(), StatisticError> {
        let column = &self.schema.columns()[column];
        let name = || column.name().to_owned();
        match (column.kind(), statistic) {
            (Kind::Categories(_) | Kind::Boolean, _) => Err(StatisticError::Unordered {
                column: name(),
                kind: column.kind().name(),
            }),
            (Kind::Date(_) | Kind::Datetime(_), Statistic::Sum) => {
                Err(StatisticError::NoSum { column: name() })
            }
            (_, Statistic::Quantile(share)) if !(0.0..=1.0).contains(&share) => {
                Err(StatisticError::NoShare)
            }
            _ => Ok(()),
        }
    }

    fn value(&self, statistic: Statistic, column: usize, mut weights: Weights) -> ValueAnswer {
        let values = Values::new(self, column, &mut weights);
        let question = Question::new(&weights);
        let expected = values.expected(self, &weights);
        let (between, basis) = values.between(statistic, self, &question);
        let estimate = expected.and_then(|parts| parts.statistic(statistic));
        let [low, high] = between;
        ValueAnswer {
            estimate,
            // A model that all measurements together made may know better than the one that gives
            // the interval.
            between: [
                estimate.map_or(low, |it| low.min(it)),
                estimate.map_or(high, |it| high.max(it)),
            ],
            basis,
        }
    }
}

/// The column that a statistic is of.
pub(super) struct Values {
    pub(super) column: usize,
    /// The ends of each code; `None` for those that are no values.
    pub(super) ends: Vec<Option<[f64; 2]>>,
}

impl Values {
    /// Takes codes that are no values out of what is asked about.
    fn new(model: &Model, column: usize, weights: &mut Weights) -> Values {
        let it = &model.schema.columns()[column];
        let ends: Vec<_> = (0..it.size()).map(|code| it.ends_of(code)).collect();
        let asked = weights
            .entry(column)
            .or_insert_with(|| vec![1.0; it.size()]);
        for (weight, ends) in asked.iter_mut().zip(&ends) {
            if ends.is_none() {
                *weight = 0.0;
            }
        }
        Values { column, ends }
    }

    /// The model's rows of each code.
    fn expected(&self, model: &Model, weights: &Weights) -> Option<Expected> {
        let ends = self.ends.iter().enumerate();
        let parts = ends.filter_map(|(code, ends)| {
            Some((self.mass(model, weights, code), ends.as_ref().copied()?))
        });
        let parts: Vec<(f64, [f64; 2])> = parts.filter(|(rows, _)| *rows > 0.0).collect();
        let rows = parts.iter().map(|(rows, _)| rows).sum();
        (rows > 0.0).then_some(Expected { parts, rows })
    }

    fn mass(&self, model: &Model, weights: &Weights, code: usize) -> f64 {
        let weight = weights[&self.column][code];
        if weight == 0.0 {
            return 0.0;
        }
        let mut of_code = vec![0.0; self.ends.len()];
        of_code[code] = weight;
        let mut weights = weights.clone();
        weights.insert(self.column, of_code);
        model.mass(&weights)
    }

    fn between(
        &self,
        statistic: Statistic,
        model: &Model,
        question: &Question,
    ) -> ([f64; 2], Basis) {
        let measured = self.measured(model, question);
        if let Some(exact) = measured.iter().find(|it| it.is_exact()) {
            return (exact.between(statistic, ONE_SIDE), Basis::Measured);
        }
        let between = |rows: &Rows, miss| rows.between(statistic, miss);
        let by_error = |bound| Some(between(&self.modelled(model, question, bound)?, ONE_SIDE));
        if let Some(found) = inexact(measured.first(), by_error, between) {
            return found;
        }
        let (rows, _) = question.answer(model);
        (self.possible(statistic, question, rows), Basis::Possible)
    }

    /// By measured marginals, first the one that tells most values apart, then the one of least
    /// noise. What was found has no say in the order.
    fn measured(&self, model: &Model, question: &Question) -> Vec<Rows> {
        let mut found = Rows::measured(model, question, Some(self));
        let order = |rows: &Rows| (Reverse(rows.parts.len()), rows.variance());
        found.sort_by(|a, b| {
            let (a, b) = (order(a), order(b));
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
        });
        found
    }

    /// By the model, and how far its marginal of these columns is from the table's.
    fn modelled(&self, model: &Model, question: &Question, bound: Bound) -> Option<Rows> {
        let [below, above] = sides_of_error(model, &question.columns(), bound)?;
        let mut parts = Vec::new();
        for (code, ends) in self.ends.iter().enumerate() {
            let Some(ends) = *ends else { continue };
            let inside = self.mass(model, &question.inside, code);
            let touched = self.mass(model, &question.touched, code);
            let part = |rows, is_whole| Part {
                rows,
                cells: 1.0,
                ends,
                is_whole,
            };
            if question.inside[&self.column][code] > 0.0 {
                parts.push(part(inside, true));
            }
            if question.touched[&self.column][code] > 0.0 {
                parts.push(part(touched - inside, false));
            }
        }
        let doubt = Doubt::Distance {
            below: below.max(0.0),
            above: above.max(0.0),
        };
        Some(Rows {
            parts,
            doubt,
            tells_all: true,
        })
    }

    /// Whatever so many rows can have.
    fn possible(&self, statistic: Statistic, question: &Question, rows: [f64; 2]) -> [f64; 2] {
        let touched = question.touched[&self.column].iter();
        let ends = touched.zip(&self.ends).filter(|it| *it.0 > 0.0);
        let [low, high] = joined(ends.filter_map(|(_, ends)| *ends));
        match statistic {
            Statistic::Sum => {
                let rows = rows.map(|rows| rows.max(0.0));
                let times = |value: f64, rows: f64| if value == 0.0 { 0.0 } else { value * rows };
                [
                    rows.map(|rows| times(low, rows))
                        .into_iter()
                        .fold(f64::INFINITY, f64::min),
                    rows.map(|rows| times(high, rows))
                        .into_iter()
                        .fold(-f64::INFINITY, f64::max),
                ]
            }
            Statistic::Mean | Statistic::Quantile(_) => [low, high],
        }
    }
}

/// The model's rows by value.
struct Expected {
    /// With the ends between which they are spread evenly, ascending.
    parts: Vec<(f64, [f64; 2])>,
    rows: f64,
}

impl Expected {
    fn statistic(&self, statistic: Statistic) -> Option<f64> {
        let middle = |[low, high]: [f64; 2]| low + (high - low) / 2.0;
        let sum = || -> f64 {
            let terms = self.parts.iter();
            terms.map(|&(rows, ends)| rows * middle(ends)).sum()
        };
        let found = match statistic {
            Statistic::Sum => sum(),
            Statistic::Mean => sum() / self.rows,
            Statistic::Quantile(share) => {
                let mut left = share * self.rows;
                let part = self.parts.iter().find(|(rows, _)| {
                    let is_here = left <= *rows;
                    if !is_here {
                        left -= rows;
                    }
                    is_here
                });
                let &(rows, [low, high]) = part.or(self.parts.last())?;
                low + (high - low) * (left / rows).clamp(0.0, 1.0)
            }
        };
        found.is_finite().then_some(found)
    }
}

impl Rows {
    /// Each side misses at most that often.
    fn between(&self, statistic: Statistic, miss: f64) -> [f64; 2] {
        match statistic {
            Statistic::Sum => [
                self.at_least(miss, |part| part.low(0.0)),
                self.at_most(miss, |part| part.high(0.0)),
            ],
            Statistic::Mean => self.mean(miss),
            Statistic::Quantile(share) => self.quantile(share, miss),
        }
    }

    fn mean(&self, miss: f64) -> [f64; 2] {
        let [low, high] = joined(self.parts.iter().map(|part| part.ends));
        // Then the sums below fall as the mean that is tried grows, and cross 0 once; else noise
        // excludes no mean at all.
        if !self.has_clear_rows(miss) {
            return [low, high];
        }
        let excluded_below = |mean: f64| self.at_least(miss, |part| part.low(mean)) > 0.0;
        let excluded_above = |mean: f64| self.at_most(miss, |part| part.high(mean)) < 0.0;
        [
            bisect(low, high, excluded_below),
            bisect(high, low, excluded_above),
        ]
    }

    fn has_clear_rows(&self, miss: f64) -> bool {
        let certain = |part: &Part| match part.is_whole {
            true => part.rows,
            false => part.rows.min(0.0),
        };
        let rows: f64 = self.parts.iter().map(certain).sum();
        let cells: f64 = self.parts.iter().map(|part| part.cells).sum();
        match self.doubt {
            Doubt::Noise { variance } => rows > quantile(miss) * (variance * cells).sqrt(),
            Doubt::Distance { below, .. } => rows > below,
        }
    }

    fn quantile(&self, share: f64, miss: f64) -> [f64; 2] {
        let sorted = |end: usize| {
            let mut ends: Vec<f64> = self.parts.iter().map(|part| part.ends[end]).collect();
            ends.sort_by(f64::total_cmp);
            ends.dedup();
            ends
        };
        let weight = |is_below: bool| if is_below { 1.0 - share } else { -share };
        let (lows, highs) = (sorted(0), sorted(1));
        // The first value up to which there may be enough rows.
        let low = lows.iter().copied().find(|&value| {
            let most = |part: &Part| part.any_or(weight(part.ends[0] <= value), f64::max);
            self.at_most(miss, most) >= 0.0
        });
        // The one after the last up to which there may be too few.
        let too_few = highs.iter().rposition(|&value| {
            let least = |part: &Part| part.any_or(weight(part.ends[1] <= value), f64::min);
            self.at_least(miss, least) < 0.0
        });
        let high = too_few.map_or(0, |at| at + 1).min(highs.len() - 1);
        [low.unwrap_or(lows[lows.len() - 1]), highs[high]]
    }
}

/// Where what is true at one end stops being true on the way to the other.
fn bisect(from: f64, to: f64, holds: impl Fn(f64) -> bool) -> f64 {
    if !holds(from) {
        return from;
    }
    let (mut holding, mut not) = (from, to);
    // As many halvings as a number has digits.
    for _ in 0..64 {
        let middle = holding + (not - holding) / 2.0;
        if holds(middle) {
            holding = middle;
        } else {
            not = middle;
        }
    }
    holding
}
