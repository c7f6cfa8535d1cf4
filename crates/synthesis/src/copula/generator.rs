//! Rows of a Gaussian copula.

use std::io;
use std::sync::Arc;

use marginals::Clique;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use schema::Condition;

use super::Signs;
use super::body::body;
use super::correlation::{Correlations, between};
use super::normal::{Bivariate, cdf, quantile};
use crate::Model;
use crate::generator::{CodeStream, Drawing, Generator};
use crate::random_field::RandomField;

/// Draws for a row under a condition on several related columns, at most. Of so many the last one
/// taken is by weight, so that no condition takes forever.
const MOST_DRAWS: usize = 64;
/// Draws that a condition's probability is the mean of, where it is on three related columns or
/// more: an error of some per cent of it.
const DRAWS_FOR_A_PROBABILITY: usize = 1 << 12;
/// From so many rows on, codes are shared out by rank and not drawn one by one.
const ENOUGH_FOR_RANKS: usize = 1000;

/// Independent columns, of which some are tied by a Gaussian copula.
#[derive(Debug, Clone)]
pub(crate) struct GaussianCopula {
    /// All columns. Those that the copula ties are in no table with another.
    pub(super) independent: RandomField,
    /// Positions of the tied columns, ascending.
    pub(super) related: Arc<[usize]>,
    pub(super) signs: Option<Arc<Signs>>,
    pub(super) correlations: Arc<Correlations>,
}

impl GaussianCopula {
    pub(super) fn new(
        independent: RandomField,
        related: Vec<usize>,
        signs: Option<Signs>,
    ) -> GaussianCopula {
        let correlations = match &signs {
            Some(signs) => signs.correlations(&independent, &related),
            None => Correlations::repaired(0, Vec::new()),
        };
        GaussianCopula {
            independent,
            related: related.into(),
            signs: signs.map(Arc::new),
            correlations: correlations.into(),
        }
    }

    /// The correlation of two columns, where the copula has one that is not 0.
    pub(super) fn correlation(&self, a: usize, b: usize) -> Option<f64> {
        let place = |column: usize| self.related.binary_search(&column).ok();
        let correlation = self.correlations.get(place(a)?, place(b)?);
        (correlation != 0.0).then_some(correlation)
    }

    /// Shares of a column's codes.
    fn shares(&self, column: usize) -> Vec<f64> {
        let mut counts = self.independent.expected(&Clique::new([column]));
        let total: f64 = counts.iter().sum();
        counts.iter_mut().for_each(|count| *count /= total);
        counts
    }

    /// The normal scores between a column's codes.
    fn cuts(&self, column: usize) -> Vec<f64> {
        let shares = self.shares(column);
        let (_, others) = shares.split_last().expect("a column has a code");
        let mut below = 0.0;
        let cut = |share: &f64| {
            below += share;
            quantile(below)
        };
        others.iter().map(cut).collect()
    }

    /// Shares of the pairs of codes of two columns with this correlation, those of the second
    /// fastest.
    pub(super) fn pair(&self, [a, b]: [usize; 2], correlation: f64) -> Vec<f64> {
        let (rows, columns) = (self.cuts(a), self.cuts(b));
        let [in_rows, in_columns] = [self.shares(a), self.shares(b)];
        let bivariate = Bivariate::new(correlation);
        // What is beyond the product at each corner of the cells; 0 at the outer ones.
        let corners = |h: f64| -> Vec<f64> {
            let inner = columns.iter().map(|&k| bivariate.beyond_product(h, k));
            std::iter::once(0.0).chain(inner).chain([0.0]).collect()
        };
        let mut above = vec![0.0; columns.len() + 2];
        let mut cells = Vec::with_capacity(in_rows.len() * in_columns.len());
        for (row, share) in in_rows.iter().enumerate() {
            let below = rows
                .get(row)
                .map_or_else(|| vec![0.0; above.len()], |&h| corners(h));
            let cell = |(column, other): (usize, &f64)| {
                let beyond = below[column + 1] - below[column] - above[column + 1] + above[column];
                (share * other + beyond).max(0.0)
            };
            cells.extend(in_columns.iter().enumerate().map(cell));
            above = below;
        }
        cells
    }
}

impl Generator for GaussianCopula {
    fn total(&self) -> f64 {
        self.independent.total()
    }

    fn expected(&self, measured: &Clique) -> Vec<f64> {
        self.independent.expected(measured)
    }

    fn column_of(&self, attribute: usize) -> usize {
        attribute
    }

    fn unrelated(&self) -> Vec<usize> {
        let columns = 0..self.independent.compressions.len();
        columns
            .filter(|column| self.related.binary_search(column).is_err())
            .collect()
    }

    fn can_leave_out(&self, column: usize) -> bool {
        // Related columns would be drawn code by code, and no longer by rank.
        self.related.binary_search(&column).is_err()
    }

    fn draw(&self, rows: u64, mut rng: ChaCha8Rng) -> Drawing {
        let scores = ChaCha8Rng::from_rng(&mut rng);
        let Drawing { codes, values } = self.independent.draw(rows, rng);
        Drawing {
            codes: Box::new(CopulaRows {
                codes,
                scores: Scores::new(self, &[]),
                rng: scores,
            }),
            values,
        }
    }

    fn given(&self, condition: &Condition) -> Option<Arc<dyn Generator>> {
        let is_related = |column: usize| self.related.binary_search(&column).is_ok();
        let others = self
            .independent
            .given_columns(condition, |it| !is_related(it))?;
        let mut evidence: Vec<(usize, Vec<f64>)> = condition
            .columns()
            .filter_map(|column| {
                let place = self.related.binary_search(&column).ok()?;
                let weights = condition.weights(column).expect("it is about this column");
                Some((place, weights.to_vec()))
            })
            .collect();
        let probability = |(place, weights): &(usize, Vec<f64>)| -> f64 {
            let shares = self.shares(self.related[*place]);
            shares
                .iter()
                .zip(weights)
                .map(|(share, weight)| share * weight)
                .sum()
        };
        // The rarest first: it is drawn without a miss, and the others given it.
        evidence.sort_by(|a, b| probability(a).total_cmp(&probability(b)));
        if evidence.iter().any(|it| probability(it) <= 0.0) {
            return None;
        }
        let scores = Scores::new(self, &evidence);
        let share = match evidence.as_slice() {
            [] => 1.0,
            [one] => probability(one),
            [a, b] => self.probability_of_both(a, b),
            _ => scores.mean_probability(),
        };
        // Rounding must leave what is possible possible.
        let share = share.clamp(f64::MIN_POSITIVE, 1.0);
        let total = (others.total() * share).max(f64::MIN_POSITIVE);
        Some(Arc::new(GivenCopula {
            others,
            total,
            scores,
        }))
    }

    fn body(&self, model: &Model) -> io::Result<Vec<u8>> {
        body(self, model)
    }
}

impl GaussianCopula {
    /// The probability of conditions on two related columns, exactly.
    fn probability_of_both(&self, a: &(usize, Vec<f64>), b: &(usize, Vec<f64>)) -> f64 {
        let columns = [self.related[a.0], self.related[b.0]];
        let correlation = self.correlations.get(a.0, b.0);
        let cells = self.pair(columns, correlation);
        let rows = cells.chunks_exact(b.1.len()).zip(&a.1);
        rows.map(|(row, weight)| {
            weight
                * row
                    .iter()
                    .zip(&b.1)
                    .map(|(share, other)| share * other)
                    .sum::<f64>()
        })
        .sum()
    }
}

/// The rows of a copula that satisfy a condition.
#[derive(Debug, Clone)]
struct GivenCopula {
    /// The columns that the copula does not tie, given what the condition says of them.
    others: RandomField,
    total: f64,
    scores: Scores,
}

impl Generator for GivenCopula {
    fn total(&self) -> f64 {
        self.total
    }

    fn expected(&self, measured: &Clique) -> Vec<f64> {
        // Nothing is measured of rows that satisfy a condition.
        self.others.expected(measured)
    }

    fn column_of(&self, attribute: usize) -> usize {
        attribute
    }

    fn draw(&self, rows: u64, mut rng: ChaCha8Rng) -> Drawing {
        let scores = ChaCha8Rng::from_rng(&mut rng);
        let Drawing { codes, values } = self.others.draw(rows, rng);
        Drawing {
            codes: Box::new(CopulaRows {
                codes,
                scores: self.scores.clone(),
                rng: scores,
            }),
            values,
        }
    }

    fn given(&self, _: &Condition) -> Option<Arc<dyn Generator>> {
        unreachable!("a condition is on a model, and not on rows that satisfy another")
    }

    fn body(&self, _: &Model) -> io::Result<Vec<u8>> {
        Err(io::Error::other(
            "rows that satisfy a condition are no model",
        ))
    }
}

/// How the normal scores of the related columns are drawn.
#[derive(Debug, Clone)]
struct Scores {
    /// Columns of the table, in the order in which they are drawn: those with a condition first.
    columns: Arc<[usize]>,
    /// Of each of them the scores between its codes.
    cuts: Arc<[Vec<f64>]>,
    /// Cholesky's factor of their correlations, row by row, with the diagonal.
    factor: Arc<[f64]>,
    /// Of the first columns, how much each of their codes is wanted.
    wanted: Arc<[Vec<f64>]>,
}

impl Scores {
    /// `evidence` has places among the related columns, and weights of these columns' codes.
    fn new(copula: &GaussianCopula, evidence: &[(usize, Vec<f64>)]) -> Scores {
        let mut order: Vec<usize> = evidence.iter().map(|(place, _)| *place).collect();
        let others = 0..copula.related.len();
        order.extend(others.filter(|place| !evidence.iter().any(|(it, _)| it == place)));
        let columns: Vec<usize> = order.iter().map(|&place| copula.related[place]).collect();
        Scores {
            cuts: columns.iter().map(|&column| copula.cuts(column)).collect(),
            factor: copula.correlations.in_order(&order).factor().into(),
            wanted: evidence
                .iter()
                .map(|(_, weights)| weights.clone())
                .collect(),
            columns: columns.into(),
        }
    }

    fn row(&self, place: usize) -> &[f64] {
        let start = place * (place + 1) / 2;
        &self.factor[start..=start + place]
    }

    /// Standard normal variables that give the first columns wanted codes, each drawn given those
    /// before; and the probability that the second and later ones are wanted given those before.
    fn propose(&self, rng: &mut ChaCha8Rng, variables: &mut Vec<f64>) -> f64 {
        variables.clear();
        let mut likelihood = 1.0;
        for (place, wanted) in self.wanted.iter().enumerate() {
            let (own, before) = self.row(place).split_last().expect("it has its own factor");
            let mean = dot(before, variables);
            let cuts = &self.cuts[place];
            let mut weights = between(cuts, mean, *own);
            weights
                .iter_mut()
                .zip(wanted)
                .for_each(|(share, weight)| *share *= weight);
            let sum: f64 = weights.iter().sum();
            if place > 0 {
                likelihood *= sum;
            }
            let mut left = uniform(rng) * sum;
            let code = weights.iter().position(|weight| {
                left -= weight;
                left < 0.0
            });
            // Where none is likely enough for a float, the one that is wanted most stands in.
            let code = code.unwrap_or_else(|| most(&weights, wanted));
            let low = if code == 0 {
                f64::NEG_INFINITY
            } else {
                cuts[code - 1]
            };
            let high = cuts.get(code).copied().unwrap_or(f64::INFINITY);
            variables.push(within([low, high].map(|cut| (cut - mean) / own), rng));
        }
        likelihood
    }

    /// Fills in the variables of all columns. Conditions on one column are met at once, exactly;
    /// on several by rejection: with probability p of the later ones given the first a row takes
    /// 1 / p draws, but at most [`MOST_DRAWS`], one of which is then taken by its weight.
    fn variables(&self, rng: &mut ChaCha8Rng, variables: &mut Vec<f64>) {
        let mut chosen = Vec::new();
        let mut sum = 0.0;
        for _ in 0..if self.wanted.len() > 1 { MOST_DRAWS } else { 1 } {
            let likelihood = self.propose(rng, variables);
            if self.wanted.len() < 2 || uniform(rng) < likelihood {
                chosen.clone_from(variables);
                break;
            }
            sum += likelihood;
            if chosen.is_empty() || uniform(rng) * sum < likelihood {
                chosen.clone_from(variables);
            }
        }
        variables.clone_from(&chosen);
        while variables.len() < self.columns.len() {
            variables.push(normal(rng));
        }
    }

    /// The probability of the condition, as a mean over draws from a fixed seed.
    fn mean_probability(&self) -> f64 {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let mut variables = Vec::new();
        let of_first: f64 = between(&self.cuts[0], 0.0, 1.0)
            .iter()
            .zip(&self.wanted[0])
            .map(|(share, weight)| share * weight)
            .sum();
        let draws = (0..DRAWS_FOR_A_PROBABILITY).map(|_| self.propose(&mut rng, &mut variables));
        of_first * draws.sum::<f64>() / DRAWS_FOR_A_PROBABILITY as f64
    }
}

/// The most likely of the wanted codes.
fn most(weights: &[f64], wanted: &[f64]) -> usize {
    let codes = 0..weights.len();
    let likeliest = codes.filter(|&code| wanted[code] > 0.0).max_by(|&a, &b| {
        let order = weights[a].total_cmp(&weights[b]);
        order.then(wanted[a].total_cmp(&wanted[b]))
    });
    likeliest.expect("a condition leaves a value of its column")
}

/// A standard normal variable between two numbers.
fn within([low, high]: [f64; 2], rng: &mut ChaCha8Rng) -> f64 {
    // By the smaller tail, in which probabilities keep their digits.
    let flip = low > 0.0;
    let [low, high] = if flip { [-high, -low] } else { [low, high] };
    let [below, above] = [low, high].map(cdf);
    let drawn = quantile(below + uniform(rng) * (above - below));
    // Where no float is between the two probabilities, at the end nearer to 0.
    let drawn = if drawn.is_finite() {
        drawn.clamp(low, high)
    } else {
        high.min(-low.max(-8.0))
    };
    if flip { -drawn } else { drawn }
}

/// From 0 to 1, and never 1.
fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let radius = (-2.0 * (1.0 - uniform(rng)).ln()).sqrt();
    radius * (std::f64::consts::TAU * uniform(rng)).cos()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Rows of independent columns whose related ones get codes by the copula.
#[derive(Debug)]
struct CopulaRows {
    codes: Box<dyn CodeStream>,
    scores: Scores,
    rng: ChaCha8Rng,
}

impl CodeStream for CopulaRows {
    fn left(&self) -> u64 {
        self.codes.left()
    }

    fn next_chunk(&mut self, rows: usize) -> Option<Vec<Vec<u32>>> {
        let mut columns = self.codes.next_chunk(rows)?;
        let Scores {
            columns: related,
            cuts,
            wanted,
            ..
        } = &self.scores;
        if related.is_empty() {
            return Some(columns);
        }
        let rows = columns[0].len();
        let mut scores = vec![vec![0.0; rows]; related.len()];
        let mut variables = Vec::new();
        for row in 0..rows {
            self.scores.variables(&mut self.rng, &mut variables);
            for (place, scores) in scores.iter_mut().enumerate() {
                let factors = self.scores.row(place);
                scores[row] = dot(factors, &variables[..=place]);
            }
        }
        // The codes of independent columns are shared out with less chance than one by one. Among
        // few rows ranks would say less of a relation than scores do, and under a condition the
        // codes are others.
        let by_rank = wanted.is_empty() && rows >= ENOUGH_FOR_RANKS;
        for ((&column, scores), cuts) in related.iter().zip(scores).zip(cuts.iter()) {
            let codes = &mut columns[column];
            if by_rank {
                share_out(codes, &scores);
            } else {
                for (code, score) in codes.iter_mut().zip(scores) {
                    let below = cuts.partition_point(|cut| *cut <= score);
                    *code = u32::try_from(below).expect("a column has fewer than 2^32 codes");
                }
            }
        }
        // Rounding may put a score on the other side of its cut.
        for (place, wanted) in wanted.iter().enumerate() {
            let codes = &mut columns[related[place]];
            codes
                .iter_mut()
                .for_each(|code| *code = nearest_wanted(*code, wanted));
        }
        Some(columns)
    }
}

/// Gives these codes to rows in the order of their scores.
fn share_out(codes: &mut [u32], scores: &[f64]) {
    let mut sorted = codes.to_vec();
    sorted.sort_unstable();
    let mut order: Vec<usize> = (0..codes.len()).collect();
    order.sort_unstable_by(|&a, &b| scores[a].total_cmp(&scores[b]).then(a.cmp(&b)));
    order
        .into_iter()
        .zip(sorted)
        .for_each(|(row, code)| codes[row] = code);
}

fn nearest_wanted(code: u32, wanted: &[f64]) -> u32 {
    if wanted[code as usize] > 0.0 {
        return code;
    }
    let codes = (0..).zip(wanted).filter(|(_, weight)| **weight > 0.0);
    let nearest = codes.min_by_key(|&(other, _): &(u32, _)| other.abs_diff(code));
    nearest.expect("a condition leaves a value of its column").0
}
