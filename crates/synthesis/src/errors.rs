//! How far a fitted model is from the table: measured at the end, under the same ledger.

use marginals::{Clique, MarkovRandomField};
use privacy::Score;
use serde::{Deserialize, Serialize};

use crate::compression::Compression;
use crate::fit::{FitError, Run};
use crate::workload::Workload;

/// The noisy distances between the table's marginals and those of a model that was not changed afterwards.
///
/// Whatever led to the model, given it these are its exact distances plus Gaussian noise of known size: bounds from them need
/// no assumption about the data, the method or the adaptive choices on the way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MeasuredErrors {
    pub(crate) marginals: Vec<MeasuredError>,
    /// Standard deviation of the noise in each.
    pub(crate) sigma: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MeasuredError {
    pub(crate) columns: Clique,
    /// L1 distance between the counts, with noise.
    pub(crate) distance: f64,
    /// L1 distance between the model's marginal and the product of its columns: how strong it says the relation is.
    pub(crate) relation: f64,
}

impl MeasuredErrors {
    /// Whether they are numbers about columns that there are.
    pub(crate) fn check(&self, columns: usize) -> Result<(), String> {
        let sound = |error: &MeasuredError| {
            let numbers = error.distance.is_finite() && error.relation.is_finite();
            numbers
                && !error.columns.is_empty()
                && error.columns.iter().all(|column| column < columns)
        };
        if self.sigma > 0.0 && self.sigma.is_finite() && self.marginals.iter().all(sound) {
            Ok(())
        } else {
            Err("its errors are not those of its columns".to_owned())
        }
    }

    /// The true L1 distance between the counts is below this with a probability of 95 %: the measured one plus 1.7507 sigma, which
    /// the noise stays below with 96 %. (The margin covers the rounding of scores and arithmetic, and the test of coverage.)
    pub(crate) fn bound(&self, measured: f64) -> f64 {
        const QUANTILE: f64 = 1.7507;
        (measured + QUANTILE * self.sigma).max(0.0)
    }
}

/// The most marginals whose errors are measured: of a larger workload those of largest weight.
const MOST_MARGINALS: usize = 5000;
/// The most cells of a marginal whose error is measured.
const MOST_CELLS: u128 = 1 << 22;

/// Measures, for all that is left of the budget, the L1 distance between table and model in each marginal of the workload; in
/// each column for a workload without marginals. Nothing is measured where nothing is left.
pub(crate) fn measure_errors(
    run: &mut Run<'_>,
    field: &MarkovRandomField,
    compressions: &[Compression],
    workload: &Workload,
) -> Result<Option<MeasuredErrors>, FitError> {
    let rho = run.ledger.remaining();
    let sizes = run.table.schema().sizes();
    let cells = |clique: &Clique| {
        clique.iter().fold(1_u128, |cells, column| {
            cells.saturating_mul(sizes[column] as u128)
        })
    };
    let mut wanted: Vec<(Clique, f64)> = workload.marginals().to_vec();
    if wanted.is_empty() {
        wanted = (0..sizes.len())
            .map(|column| (Clique::new([column]), 1.0))
            .collect();
    }
    wanted.retain(|(clique, _)| cells(clique) <= MOST_CELLS);
    wanted.sort_by(|a, b| b.1.total_cmp(&a.1));
    wanted.truncate(MOST_MARGINALS);
    if wanted.is_empty() || rho == privacy::Rho::ZERO {
        return Ok(None);
    }
    let mut scores: Vec<Score> = Vec::with_capacity(wanted.len());
    let mut relations = Vec::with_capacity(wanted.len());
    let cliques: Vec<Clique> = wanted.iter().map(|(clique, _)| clique.clone()).collect();
    for (i, (clique, expected)) in cliques.iter().zip(field.marginals(&cliques)?).enumerate() {
        run.at("measuring errors", i, wanted.len())?;
        relations.push(relation(&expected, clique, field));
        let expected = expand(expected, clique, compressions);
        scores.push(run.table.counts(clique.attributes()).l1_distance(&expected));
    }
    let noisy = run
        .ledger
        .measure_scores("errors of the model", &scores, rho, run.rng)?;
    let error = |((columns, distance), relation)| MeasuredError {
        columns,
        distance,
        relation,
    };
    let marginals = cliques
        .into_iter()
        .zip(noisy.values)
        .zip(relations)
        .map(error)
        .collect();
    Ok(Some(MeasuredErrors {
        marginals,
        sigma: noisy.sigma,
    }))
}

/// L1 distance between a table of a model and the product of its columns. (Rare codes, which are taken together here, have no
/// relation of their own.)
fn relation(table: &[f64], clique: &Clique, field: &MarkovRandomField) -> f64 {
    let sizes: Vec<usize> = clique
        .iter()
        .map(|column| field.domain().size(column))
        .collect();
    let total = field.total();
    let mut columns: Vec<Vec<f64>> = sizes.iter().map(|&size| vec![0.0; size]).collect();
    let codes = |mut cell: usize| {
        let mut codes = vec![0; sizes.len()];
        for (code, &size) in codes.iter_mut().zip(&sizes).rev() {
            (*code, cell) = (cell % size, cell / size);
        }
        codes
    };
    for (cell, count) in table.iter().enumerate() {
        columns
            .iter_mut()
            .zip(codes(cell))
            .for_each(|(column, code)| column[code] += count / total);
    }
    let product = |cell: usize| {
        columns
            .iter()
            .zip(codes(cell))
            .map(|(column, code)| column[code])
            .product::<f64>()
    };
    table
        .iter()
        .enumerate()
        .map(|(cell, count)| (count - total * product(cell)).abs())
        .sum()
}

/// From the model's codes to the columns', one axis after the other.
fn expand(mut counts: Vec<f64>, clique: &Clique, compressions: &[Compression]) -> Vec<f64> {
    let mut after = 1;
    for &column in clique.attributes().iter().rev() {
        let compression = &compressions[column];
        if compression.size() < compression.full_size() {
            let blocks = counts.chunks_exact(compression.size() * after);
            counts = blocks
                .flat_map(|block| expand_axis(block, after, compression))
                .collect();
        }
        after *= compression.full_size();
    }
    counts
}

fn expand_axis(block: &[f64], after: usize, compression: &Compression) -> Vec<f64> {
    let mut expanded = vec![0.0; compression.full_size() * after];
    for offset in 0..after {
        let line: Vec<f64> = block[offset..].iter().step_by(after).copied().collect();
        let codes = expanded[offset..].iter_mut().step_by(after);
        codes
            .zip(compression.expand(&line))
            .for_each(|(cell, count)| *cell = count);
    }
    expanded
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use privacy::{Delta, Epsilon, Ledger, LedgerOptions};
    use rand_chacha::ChaCha8Rng;
    use rand_core::{Rng, SeedableRng};
    use serde_json::Map;
    use tabular::{CodedTable, Declaration, Schema};

    use super::*;
    use crate::{Method, Model, fit};

    #[test]
    fn a_relation_is_the_distance_from_independence() {
        let domain = marginals::Domain::new(vec![2, 2]).unwrap();
        let field = MarkovRandomField::uniform(domain, 100.0).unwrap();
        let pair = Clique::new([0, 1]);
        assert!(relation(&[25.0; 4], &pair, &field) < 1e-9);
        assert!((relation(&[50.0, 0.0, 0.0, 50.0], &pair, &field) - 100.0).abs() < 1e-9);
    }

    #[test]
    fn rare_codes_get_their_shares_along_their_axis() {
        let rare = Compression::of(&[100.0, 1.0, 1.0], 10.0);
        let plain = Compression::none(2);
        let clique = Clique::new([0, 1]);
        assert_eq!(
            expand(
                vec![1.0, 4.0, 2.0, 6.0],
                &clique,
                &[plain.clone(), rare.clone()]
            ),
            [1.0, 2.0, 2.0, 2.0, 3.0, 3.0]
        );
        assert_eq!(
            expand(vec![1.0, 2.0, 4.0, 6.0], &clique, &[rare, plain]),
            [1.0, 2.0, 2.0, 3.0, 2.0, 3.0]
        );
    }

    /// Columns in pairs, of which the second follows the first with the given probability.
    fn table(sizes: &[usize], rows: usize, follows: f64) -> CodedTable {
        let column = |(i, size): (usize, &usize)| {
            format!(
                "c{i}: {{integer: {{min: 0, max: {}, bins: {size}}}}}\n",
                size - 1
            )
        };
        let yaml: String = sizes.iter().enumerate().map(column).collect();
        let schema = Schema::new(Declaration::from_yaml(&yaml).unwrap()).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let mut uniform = || f64::from(rng.next_u32()) / f64::from(u32::MAX);
        let mut columns = vec![Vec::new(); sizes.len()];
        for _ in 0..rows {
            let mut before = 0.0;
            for (i, (&size, column)) in sizes.iter().zip(&mut columns).enumerate() {
                let skewed = uniform().powi(2) * 0.999;
                before = if i % 2 == 1 && uniform() < follows {
                    before
                } else {
                    skewed
                };
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a code"
                )]
                column.push((before * size as f64) as u32);
            }
        }
        CodedTable::from_codes(schema, &columns).unwrap()
    }

    fn model(table: &CodedTable, epsilon: f64, seed: u64) -> Model {
        let method = Method::Grain;
        let options = LedgerOptions {
            accounting: method.accounting(),
            ..LedgerOptions::new(Epsilon::new(epsilon).unwrap(), Delta::new(1e-6).unwrap())
        };
        let mut ledger = Ledger::open_with(options).unwrap();
        let mut go_on = |_| ControlFlow::Continue(());
        let workload = Workload::pairs(table.schema());
        fit(
            table,
            method,
            &Map::new(),
            &workload,
            &mut ledger,
            &mut testkit::noise(seed),
            &mut go_on,
        )
        .unwrap()
    }

    #[test]
    #[ignore = "slow: 400 fits, half a minute"]
    fn bounds_hold_as_often_as_they_say_and_are_not_far_above_the_errors() {
        let tables = [
            (table(&[12, 12, 40, 40, 3, 3], 4000, 0.7), 1.0),
            (table(&[5, 5, 90, 20, 2, 2, 7, 30], 20_000, 0.4), 0.5),
        ];
        for (table, epsilon) in &tables {
            let (mut below, mut all, mut ratios) = (0, 0, Vec::new());
            for seed in 0..200 {
                let model = model(table, *epsilon, seed);
                let errors = model.errors.as_ref().unwrap();
                for error in &errors.marginals {
                    let exact = table.counts(error.columns.attributes()).dangerous_reveal();
                    let expected = expand(
                        model.field.marginal(&error.columns).unwrap(),
                        &error.columns,
                        &model.compressions,
                    );
                    let distance: f64 = exact
                        .iter()
                        .zip(expected)
                        .map(|(&count, e)| (f64::from(count) - e).abs())
                        .sum();
                    let bound = errors.bound(error.distance);
                    all += 1;
                    below += i32::from(distance <= bound);
                    let is_measured = model.measured.iter().any(|measured| {
                        let columns = measured
                            .columns
                            .iter()
                            .map(|attribute| model.column_of(attribute));
                        Clique::new(columns) == error.columns
                    });
                    if is_measured {
                        ratios.push(bound / distance);
                    }
                }
            }
            ratios.sort_by(f64::total_cmp);
            let (coverage, median) = (f64::from(below) / f64::from(all), ratios[ratios.len() / 2]);
            println!(
                "{all} bounds, {:.2} % hold; median of bound to error {median:.2}",
                100.0 * coverage
            );
            assert!(coverage >= 0.95, "{coverage}");
            assert!(median <= 3.0, "{median}");
        }
    }

    #[test]
    fn a_clear_relation_is_told_from_noise() {
        let table = table(&[6, 6, 50, 50], 5000, 0.8);
        let report = |epsilon| model(&table, epsilon, 1).report().errors.unwrap();
        let of = |report: &crate::ErrorReport, columns: [&str; 2]| {
            report
                .marginals
                .iter()
                .find(|m| m.columns == columns)
                .unwrap()
                .clone()
        };
        let clear = of(&report(2.0), ["c0", "c1"]);
        assert!(
            !clear.mostly_noise && clear.relation.unwrap() > 0.3 && clear.bound < 0.2,
            "{clear:?}"
        );
        let lost = of(&report(0.01), ["c2", "c3"]);
        assert!(lost.mostly_noise && lost.bound > 0.5, "{lost:?}");
    }
}
