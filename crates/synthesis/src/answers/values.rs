//! Sums, means and quantiles of a column's values, with what the table's own lies between.
//!
//! All three follow from weighted sums of counts, for which the noise, or the model's measured
//! error, gives a bound at any weights. A mean is at least m where the rows' distances from m add
//! up to no less than 0, and a quantile is at most x where enough rows are not above x; so the
//! interval has every number that such a bound does not exclude (Fieller's method). Where in a bin
//! a value lies is not known: the bound takes the end of the bin that makes it safe.

use schema::{Condition, Kind};
use serde::Serialize;

use super::{
    Axis, Basis, ONE_SIDE, Question, TooManyCounts, Weights, quantile, released, sides_of_error,
};
use crate::Model;
use crate::errors::MeasuredErrors;
use crate::measured::Measured;

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
struct Values {
    column: usize,
    /// The ends of each code; `None` for those that are no values.
    ends: Vec<Option<[f64; 2]>>,
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
        if let Some(modelled) = self.modelled(model, question) {
            return (modelled.between(statistic, ONE_SIDE), Basis::Modelled);
        }
        if let Some(measured) = measured.first() {
            return (measured.between(statistic, ONE_SIDE), Basis::Measured);
        }
        let (rows, _) = question.answer(model);
        (self.possible(statistic, question, rows), Basis::Possible)
    }

    /// By each measured marginal that has all columns asked about: the one that tells most values
    /// apart first, then the one of least noise. What was found has no say in the order.
    fn measured(&self, model: &Model, question: &Question) -> Vec<Rows> {
        let of_one = match question.columns()[..] {
            [_] => self.of_column(model, question),
            _ => None,
        };
        let of_several = model.measured.iter();
        let of_several = of_several.filter_map(|it| self.of_marginal(model, question, it));
        let mut found: Vec<Rows> = of_one.into_iter().chain(of_several).collect();
        let order = |rows: &Rows| (std::cmp::Reverse(rows.parts.len()), rows.variance());
        found.sort_by(|a, b| {
            let (a, b) = (order(a), order(b));
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
        });
        found
    }

    fn of_column(&self, model: &Model, question: &Question) -> Option<Rows> {
        let released = released(model, self.column)?;
        let groups: Vec<u32> = (0..).take(self.ends.len()).collect();
        let mut rows = RowsByGroup::new(self, question, &groups, released.sigma);
        let asked = question.inside[&self.column].iter();
        let asked = asked.zip(&question.touched[&self.column]);
        for (code, (&count, (inside, touched))) in released.counts.iter().zip(asked).enumerate() {
            if *touched > 0.0 {
                rows.add(code, *inside > 0.0, count);
            }
        }
        Some(rows.into_rows(true))
    }

    fn of_marginal(&self, model: &Model, question: &Question, it: &Measured) -> Option<Rows> {
        if it.columns.len() < 2 {
            return None;
        }
        let axes = it.columns.iter();
        let axes = axes.map(|attribute| Axis::new(question, model, attribute));
        let axes: Vec<Axis> = axes.collect::<Option<_>>()?;
        if axes.iter().filter(|axis| axis.is_asked).count() < question.inside.len() {
            return None;
        }
        let of_values = |attribute: &usize| model.generator.column_of(*attribute) == self.column;
        let attributes = it.columns.attributes();
        let place = attributes.iter().position(of_values)?;
        let groups = model.generator.groups(attributes[place])?;
        let mut rows = RowsByGroup::new(self, question, &groups, it.sigma);
        for (cell, &count) in it.values.iter().enumerate() {
            let (mut rest, mut inside, mut touched, mut of_values) = (cell, true, true, 0);
            for (at, axis) in axes.iter().enumerate().rev() {
                let group = rest % axis.inside.len();
                rest /= axis.inside.len();
                inside &= axis.inside[group];
                touched &= axis.touched[group];
                if at == place {
                    of_values = group;
                }
            }
            if touched {
                rows.add(of_values, inside, count as f64);
            }
        }
        let tells_all = axes[place].inside.len() == self.ends.len();
        Some(rows.into_rows(tells_all))
    }

    /// By the model, and how far its marginal of these columns is from the table's.
    fn modelled(&self, model: &Model, question: &Question) -> Option<Rows> {
        let bound = MeasuredErrors::bound;
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

/// From the smallest of the first to the largest of the second.
fn joined(ends: impl Iterator<Item = [f64; 2]>) -> [f64; 2] {
    ends.fold([f64::INFINITY, -f64::INFINITY], |all, ends| {
        [all[0].min(ends[0]), all[1].max(ends[1])]
    })
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

/// Rows of whose values it is known between which two numbers they lie.
struct Part {
    /// How many, by noisy counts or the model.
    rows: f64,
    /// Noisy counts that were added.
    cells: f64,
    ends: [f64; 2],
    /// Whether all of them are asked about, and not any number of them.
    is_whole: bool,
}

/// How far the numbers of rows may be from the table's.
enum Doubt {
    /// Gaussian noise in each count.
    Noise { variance: f64 },
    /// They lack that many together at most, and exceed the table's by that many.
    Distance { below: f64, above: f64 },
}

/// Rows by their values, as far as those are told apart.
struct Rows {
    parts: Vec<Part>,
    doubt: Doubt,
    /// Whether each code of the column is told from the others.
    tells_all: bool,
}

impl Rows {
    fn is_exact(&self) -> bool {
        self.tells_all && self.parts.iter().all(|part| part.is_whole)
    }

    fn variance(&self) -> f64 {
        let cells: f64 = self.parts.iter().map(|part| part.cells).sum();
        match self.doubt {
            Doubt::Noise { variance } => variance * cells,
            Doubt::Distance { .. } => f64::INFINITY,
        }
    }

    /// The table's sum of weights over the rows is at most this, but for the share `miss` of noise.
    fn at_most(&self, miss: f64, weight: impl Fn(&Part) -> f64) -> f64 {
        let (mut sum, mut squares, mut most, mut least) = (0.0, 0.0, 0.0_f64, 0.0_f64);
        for part in &self.parts {
            let weight = weight(part);
            sum += part.rows * weight;
            squares += part.cells * weight * weight;
            most = most.max(weight);
            least = least.min(weight);
        }
        let doubt = match self.doubt {
            Doubt::Noise { variance } => quantile(miss) * (variance * squares).sqrt(),
            Doubt::Distance { below, above } => above * most - below * least,
        };
        sum + doubt
    }

    fn at_least(&self, miss: f64, weight: impl Fn(&Part) -> f64) -> f64 {
        -self.at_most(miss, |part| -weight(part))
    }

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

impl Part {
    /// The least that one of its rows adds to a sum of distances from a number.
    fn low(&self, from: f64) -> f64 {
        self.any_or(self.ends[0] - from, f64::min)
    }

    fn high(&self, from: f64) -> f64 {
        self.any_or(self.ends[1] - from, f64::max)
    }

    /// The weight, or that of no row where no row need count.
    fn any_or(&self, weight: f64, safe: fn(f64, f64) -> f64) -> f64 {
        match self.is_whole {
            true => weight,
            false => safe(weight, 0.0),
        }
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

/// Adds up noisy counts by the groups of codes that were measured.
struct RowsByGroup {
    /// For each group the part that is wanted whole, and the other.
    parts: Vec<[Part; 2]>,
    variance: f64,
}

impl RowsByGroup {
    fn new(values: &Values, question: &Question, groups: &[u32], sigma: f64) -> RowsByGroup {
        /// What rounding the noise of a count to a whole number adds to its variance, at most.
        const ROUNDING: f64 = 1.0 / 12.0;
        let count = groups.iter().max().map_or(0, |&last| last as usize + 1);
        let touched = &question.touched[&values.column];
        let part = |group: usize, is_whole: bool| {
            let codes = groups.iter().zip(touched).zip(&values.ends);
            let asked = codes.filter(|((of, weight), _)| **of as usize == group && **weight > 0.0);
            Part {
                rows: 0.0,
                cells: 0.0,
                ends: joined(asked.filter_map(|(_, ends)| *ends)),
                is_whole,
            }
        };
        RowsByGroup {
            parts: (0..count)
                .map(|group| [part(group, true), part(group, false)])
                .collect(),
            variance: sigma * sigma + ROUNDING,
        }
    }

    fn add(&mut self, group: usize, is_whole: bool, count: f64) {
        let part = &mut self.parts[group][usize::from(!is_whole)];
        part.rows += count;
        part.cells += 1.0;
    }

    fn into_rows(self, tells_all: bool) -> Rows {
        let parts = self.parts.into_iter().flatten();
        Rows {
            parts: parts.filter(|part| part.cells > 0.0).collect(),
            doubt: Doubt::Noise {
                variance: self.variance,
            },
            tells_all,
        }
    }
}
