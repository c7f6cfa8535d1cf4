//! COPULA: ordered columns tied by one Gaussian copula, the others drawn on their own.
//!
//! 1. Every column is measured, as INDEPENDENT does it. Where a schema has constraints, the model
//!    of the columns holds them.
//! 2. Each ordered column is cut where its noisy median is. For each pair of them the rows on the
//!    same side of both cuts, less those on different sides, are counted: one row moves each of
//!    these sums by at most 1, and all of them are one vector with Gaussian noise.
//! 3. A sum gives the correlation of a normal distribution whose quadrants have these shares, in
//!    closed form about exact medians (Sheppard 1899) and by a search about noisy ones. What may be
//!    noise is drawn to 0, and the matrix is made a correlation matrix.
//! 4. Rows are drawn from that distribution, and their normal scores turned into codes of the
//!    columns' noisy distributions.
//! 5. The distances between the table's pairs and those of the model are measured, and beside them
//!    those of independent columns, so that the report says what the copula gave.
//!
//! Differentially private Gaussian copulas are those of Li, Xiong and Jiang, "DPCopula" (EDBT
//! 2014), who perturb Kendall's rank correlations; counts above and below medians are the idea of
//! Wang, Feldman and Reiter (2026, arXiv:2601.03497). Integer sums are released here, under one
//! ledger, and nothing depends on the exact number of rows. What it cannot do: relations that are
//! not monotone, and those of unordered columns of more than two values.

mod body;
mod correlation;
mod errors;
mod generator;
mod normal;

use std::sync::Arc;

use marginals::Clique;
use privacy::{Accounting, Rho, Score};
use schema::{Column, Kind, Schema};
use tabular::Recoding;

use crate::columns::Columns;
use crate::constraints::Constraints;
use crate::fit_error::{FitError, PlanError};
use crate::fitted::Fitted;
use crate::generator::Generator;
use crate::mechanism::{Mechanism, PreparedFit, parts_of_columns};
use crate::prior::PublicPrior;
use crate::random_field::RandomField;
use crate::run::Run;
use crate::workload::Workload;
pub(crate) use body::CopulaPart;
use correlation::{Correlations, from_signs};
use generator::GaussianCopula;

/// Shares of the budget: the columns' counts, the sums of signs, the model's errors. The notes'
/// prototype measured with 70 and 30 %; errors get what GRAIN gives them.
const SHARES: [f64; 3] = [0.68, 0.29, 0.03];
/// The most columns of a table. All of them may be ordered, and the time to draw a row grows with
/// the square of their number, that to repair a matrix with the cube.
const MOST_COLUMNS: usize = 1000;
/// Pairs whose counts are in memory together.
const BATCH: usize = 1 << 14;

/// It has no options.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Copula;

impl Mechanism for Copula {
    fn accounting(&self) -> Accounting {
        Accounting::Gdp
    }

    fn check_columns(&self, columns: usize) -> Result<(), PlanError> {
        match columns <= MOST_COLUMNS {
            true => Ok(()),
            false => Err(PlanError::TooManyColumns {
                method: "COPULA",
                columns,
                limit: MOST_COLUMNS,
            }),
        }
    }

    /// The least part is that of a column within the columns' share, or the share of the errors.
    fn parts(&self, sizes: &[usize]) -> f64 {
        let [columns, _, errors] = SHARES;
        (parts_of_columns(sizes) / columns).max(1.0 / errors)
    }

    fn prepare(
        &self,
        schema: &Schema,
        workload: &Workload,
    ) -> Result<Box<dyn PreparedFit>, PlanError> {
        Ok(Box::new(CopulaFit {
            related: related(schema),
            workload: workload.clone(),
        }))
    }
}

/// Positions of the columns that the copula ties: ordered ones, and those of two values. A missing
/// value counts as beyond the last. Columns in constraints are left to the model that holds these.
fn related(schema: &Schema) -> Vec<usize> {
    let constraints = Constraints::new(schema);
    let is_ordered = |column: &Column| match column.kind() {
        Kind::Categories(texts) => texts.len() + usize::from(column.has_other()) <= 2,
        _ => !column.has_other(),
    };
    let columns = schema.columns().iter().enumerate();
    let mut related: Vec<usize> = columns
        .filter(|&(position, column)| {
            column.size() > 1 && is_ordered(column) && !constraints.touch(position)
        })
        .map(|(position, _)| position)
        .collect();
    if related.len() < 2 {
        related.clear(); // Nothing to relate it to.
    }
    related
}

/// What a fit does, as far as it follows from public facts.
struct CopulaFit {
    related: Vec<usize>,
    workload: Workload,
}

impl PreparedFit for CopulaFit {
    fn fit(
        self: Box<Self>,
        run: &mut Run<'_>,
        _: Option<&PublicPrior>,
    ) -> Result<Fitted, FitError> {
        let [columns, signs, errors] = SHARES;
        // Without pairs to relate, their share goes into the columns.
        let shares = match self.related.is_empty() {
            true => [columns + signs, 0.0, errors],
            false => SHARES,
        };
        let whole = run.ledger.remaining();
        let [for_columns, for_signs, _] =
            <[Rho; 3]>::try_from(whole.split(&shares).expect("shares are not negative"))
                .expect("as many as there are shares");
        let columns = Columns::measure(run, for_columns)?;
        let field = columns.independent(run)?;
        let measured = columns.measured;
        let independent = RandomField {
            compressions: columns.compressions.into(),
            coarse: Vec::new(),
            field,
        };
        let signs = match self.related.is_empty() {
            true => None,
            false => Some(Signs::measure(run, &independent, &self.related, for_signs)?),
        };
        let copula = GaussianCopula::new(independent, self.related, signs);
        let errors = errors::measure(run, &copula, &self.workload)?;
        Ok(Fitted {
            generator: Arc::new(copula),
            measured,
            errors,
        })
    }
}

/// The sums of signs as they were measured.
#[derive(Debug, Clone, PartialEq)]
struct Signs {
    /// For each related column, its first code above the cut.
    cuts: Vec<u32>,
    /// Of each pair (a, b) of related columns with b before a, in the order of a and then of b.
    sums: Vec<f64>,
    /// Standard deviation of the noise in each.
    sigma: f64,
}

impl Signs {
    fn measure(
        run: &mut Run<'_>,
        independent: &RandomField,
        related: &[usize],
        rho: Rho,
    ) -> Result<Signs, FitError> {
        let cuts: Vec<u32> = related
            .iter()
            .map(|&column| cut(&independent.expected(&Clique::new([column]))))
            .collect();
        let recoding = sides(run.schema(), related, &cuts);
        let pairs: Vec<Clique> = (0..related.len())
            .flat_map(|a| (0..a).map(move |b| Clique::new([related[a], related[b]])))
            .collect();
        let mut scores: Vec<Score> = Vec::with_capacity(pairs.len());
        for batch in pairs.chunks(BATCH) {
            run.at("measuring signs", scores.len(), pairs.len())?;
            let counts = run.count_recoded(batch, Some(&recoding))?;
            // Both below, and both above, for; one below and one above, against.
            scores.extend(
                counts
                    .iter()
                    .map(|counts| counts.signed_sum(&[1, -1, -1, 1])),
            );
        }
        // One vector: one row moves each of m sums by 1, and all of them by the square root of m.
        let noisy = run
            .ledger
            .measure_scores("signs of pairs", &scores, rho, run.rng)?;
        Ok(Signs {
            cuts,
            sums: noisy.values,
            sigma: noisy.sigma,
        })
    }

    fn correlations(&self, independent: &RandomField, related: &[usize]) -> Correlations {
        let rows = independent.total();
        let shares: Vec<f64> = related
            .iter()
            .zip(&self.cuts)
            .map(|(&column, &cut)| {
                let counts = independent.expected(&Clique::new([column]));
                counts[..cut as usize].iter().sum::<f64>() / rows
            })
            .collect();
        let pairs = (0..related.len()).flat_map(|a| (0..a).map(move |b| (a, b)));
        let below = pairs
            .zip(&self.sums)
            .map(|((a, b), sum)| from_signs([shares[a], shares[b]], sum / rows, self.sigma / rows));
        Correlations::repaired(related.len(), below.collect())
    }
}

/// The first code above the noisy median: of the cuts between two codes the one whose sides are
/// most alike.
fn cut(counts: &[f64]) -> u32 {
    let half = counts.iter().sum::<f64>() / 2.0;
    let (mut best, mut least, mut below) = (1, f64::INFINITY, 0.0);
    for (code, count) in (1..).zip(&counts[..counts.len() - 1]) {
        below += count;
        if (below - half).abs() < least {
            (best, least) = (code, (below - half).abs());
        }
    }
    best
}

/// Counts the related columns by side of their cut. The others are not counted.
fn sides(schema: &Schema, related: &[usize], cuts: &[u32]) -> Recoding {
    let sizes = schema.sizes();
    let mut maps: Vec<Vec<u32>> = sizes.iter().map(|&size| vec![0; size]).collect();
    let mut counted = vec![1; sizes.len()];
    for (&column, &cut) in related.iter().zip(cuts) {
        maps[column][cut as usize..].fill(1);
        counted[column] = 2;
    }
    Recoding::new(schema, maps, counted)
}

#[cfg(test)]
mod tests;
