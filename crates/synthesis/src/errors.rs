//! How far a fitted model is from the table: measured at the end, under the same ledger.

use marginals::{Clique, MarkovRandomField};
use privacy::Score;
use serde::{Deserialize, Serialize};

use crate::batches::batches;
use crate::compression::Compression;
use crate::fit_error::FitError;
use crate::run::Run;
use crate::workload::Workload;

/// The noisy distances between the table's marginals and those of a model that was not changed
/// afterwards.
///
/// Whatever led to the model, given it these are its exact distances plus Gaussian noise of known
/// size: bounds from them need no assumption about the data, the method or the adaptive choices on
/// the way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MeasuredErrors {
    pub(crate) marginals: Vec<MeasuredError>,
    /// Standard deviation of the noise in each.
    pub(crate) sigma: f64,
    /// Marginals of the workload that were too many or too large to be measured.
    pub(crate) left_out: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MeasuredError {
    pub(crate) columns: Clique,
    /// L1 distance between the counts, with noise.
    pub(crate) distance: f64,
    /// L1 distance between the model's marginal and the product of its columns: how strong it says
    /// the relation is.
    pub(crate) relation: f64,
    /// L1 distance between the table and the product of the model's columns, with the same noise:
    /// how far independent columns would be. Measured where a method may do no better than these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) independent: Option<f64>,
}

impl MeasuredErrors {
    /// Whether they are numbers about columns that there are.
    pub(crate) fn check(&self, columns: usize) -> Result<(), String> {
        let sound = |error: &MeasuredError| {
            let numbers = error.distance.is_finite()
                && error.relation.is_finite()
                && error.independent.is_none_or(f64::is_finite);
            numbers
                && !error.columns.is_empty()
                && error.columns.len() <= MOST_COLUMNS
                && error.columns.iter().all(|column| column < columns)
        };
        let few = self.marginals.len() <= MOST_MARGINALS;
        if few && self.sigma > 0.0 && self.sigma.is_finite() && self.marginals.iter().all(sound) {
            Ok(())
        } else {
            Err("its errors are not those of its columns".to_owned())
        }
    }

    /// The true L1 distance between the counts is below this with a probability of 95 %, for each
    /// marginal by itself.
    pub(crate) fn bound(&self, measured: f64) -> f64 {
        // 1.7507 is the normal quantile of 96 %: see MISSES.
        self.within(measured, 1.7507)
    }

    /// The same with half as many misses, for what rests on another bound as well.
    pub(crate) fn half_bound(&self, measured: f64) -> f64 {
        self.within(measured, quantile(MISSES / 2.0))
    }

    /// All true distances are below this at once with a probability of 95 %: a union bound over the
    /// marginals that were measured.
    pub(crate) fn joint_bound(&self, measured: f64) -> f64 {
        // Bonferroni: whatever the noise in different marginals has to do with each other, the
        // misses add up to MISSES at most.
        self.within(
            measured,
            quantile(MISSES / self.marginals.len().max(1) as f64),
        )
    }

    /// The measured distance and this many standard deviations. Never less than one of them: where
    /// the sum is below that, chance made it so, and noise of this size shows nothing smaller.
    fn within(&self, measured: f64, deviations: f64) -> f64 {
        (measured + deviations * self.sigma).max(self.sigma)
    }
}

/// How often the noise may exceed a bound. (The rest of 5 % covers the rounding of scores and
/// arithmetic, and the test of coverage.)
const MISSES: f64 = 0.04;

/// What a standard normal variable exceeds with at most this probability, which is at most a half.
pub(crate) fn quantile(probability: f64) -> f64 {
    // Sampford 1953: Mills' ratio is below 4 / (3 x + sqrt(x^2 + 8)).
    let tail = |x: f64| {
        // A bound from above on the tail gives a quantile that is never too small.
        let density = (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
        density * 4.0 / (3.0 * x + (x * x + 8.0).sqrt())
    };
    // The tail is above at `low` and below at `high`.
    let (mut low, mut high) = (0.0, 40.0);
    // 60 halvings of an interval of 40 go below the spacing of `f64`.
    // The upper end: whatever error bisection leaves makes the bound larger.
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if tail(middle) > probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// The most marginals whose errors are measured: of a larger workload those of largest weight.
const MOST_MARGINALS: usize = 5000;
/// The most columns of a marginal in a model's file: a report names all of them.
const MOST_COLUMNS: usize = 64;
/// The most cells of a marginal whose error is measured, and of all marginals that are in memory
/// together.
pub(crate) const MOST_CELLS: usize = 1 << 22;

/// Measures, for all that is left of the budget, the L1 distance between table and model in each
/// marginal of the workload; in each column for a workload without marginals. Nothing is measured
/// where nothing is left.
pub(crate) fn measure_errors(
    run: &mut Run<'_>,
    field: &MarkovRandomField,
    compressions: &[Compression],
    workload: &Workload,
) -> Result<Option<MeasuredErrors>, FitError> {
    let compare = |batch: &[Clique]| -> Vec<Result<Compared, marginals::Error>> {
        let compared = |(clique, table): (&Clique, Result<Vec<f64>, marginals::Error>)| {
            let table = table?;
            let sizes: Vec<usize> = clique.iter().map(|c| field.domain().size(c)).collect();
            Ok(Compared {
                relation: relation(&table, &sizes, field.total()),
                table: expand(table, clique, compressions),
                independent: None,
            })
        };
        let tables = field.each_marginal(batch);
        batch.iter().zip(tables).map(compared).collect()
    };
    measure_errors_of(run, &compare, workload)
}

/// A marginal of a model.
pub(crate) struct Compared {
    /// Its expected counts, in all codes of the columns.
    pub(crate) table: Vec<f64>,
    /// How far it is from the product of its columns.
    pub(crate) relation: f64,
    /// Those of independent columns, where their distance is to be measured beside the model's,
    /// with the same noise.
    pub(crate) independent: Option<Vec<f64>>,
}

/// The marginals of a model, or why one does not fit into memory.
pub(crate) type Compare<'a> = dyn Fn(&[Clique]) -> Vec<Result<Compared, marginals::Error>> + 'a;

/// [`measure_errors`] of any kind of model.
pub(crate) fn measure_errors_of(
    run: &mut Run<'_>,
    compare: &Compare<'_>,
    workload: &Workload,
) -> Result<Option<MeasuredErrors>, FitError> {
    // All of it: this is the last spend of a fit, and what is not spent here would protect nobody.
    let rho = run.ledger.remaining();
    let Wanted {
        cliques,
        cells,
        mut left_out,
    } = Wanted::new(workload, &run.schema().sizes());
    if cliques.is_empty() || rho == privacy::Rho::ZERO {
        return Ok(None);
    }
    let mut scores: Vec<Score> = Vec::with_capacity(cliques.len());
    let mut compared: Vec<(Clique, f64, bool)> = Vec::with_capacity(cliques.len());
    // Marginals of the whole workload, not only of what the method measured: what it left out is
    // where errors are large.
    for batch in batches(&cells, MOST_CELLS) {
        run.at("measuring errors", batch.start, cliques.len())?;
        let batch = &cliques[batch];
        let counts = run.count(batch)?;
        let modelled = compare(batch);
        for ((clique, counts), modelled) in batch.iter().zip(counts).zip(modelled) {
            let modelled = match modelled {
                Ok(modelled) => modelled,
                // Left out beside a count of how many, and not refused: the budget for the model is
                // spent.
                // Whether a model's marginal can be had within memory follows from what was
                // released.
                Err(marginals::Error::TooLarge { .. }) => {
                    left_out += 1;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            // Relations are the model's own, and cost nothing.
            let independent = modelled.independent.as_ref();
            compared.push((clique.clone(), modelled.relation, independent.is_some()));
            scores.push(counts.l1_distance(&modelled.table));
            scores.extend(independent.map(|table| counts.l1_distance(table)));
        }
    }
    if scores.is_empty() {
        return Ok(None);
    }
    // One spend for all: the sensitivity of a vector of n such distances is sqrt(n), as one row
    // moves each by at most 1.
    let noisy = run
        .ledger
        .measure_scores("errors of the model", &scores, rho, run.rng)?;
    let mut values = noisy.values.into_iter();
    let mut next = || values.next().expect("one for each score");
    let marginals = compared
        .into_iter()
        .map(|(columns, relation, is_beside)| MeasuredError {
            columns,
            distance: next(),
            relation,
            independent: is_beside.then(&mut next),
        });
    Ok(Some(MeasuredErrors {
        marginals: marginals.collect(),
        sigma: noisy.sigma,
        left_out,
    }))
}

/// The marginals whose errors are measured: public facts.
pub(crate) struct Wanted {
    pub(crate) cliques: Vec<Clique>,
    /// Of each of them.
    pub(crate) cells: Vec<usize>,
    pub(crate) left_out: u64,
}

impl Wanted {
    pub(crate) fn new(workload: &Workload, sizes: &[usize]) -> Wanted {
        let mut all: Vec<(Clique, f64)> = workload.marginals().to_vec();
        if all.is_empty() {
            // Without a workload columns are what a reader can judge at least.
            all = (0..sizes.len())
                .map(|column| (Clique::new([column]), 1.0))
                .collect();
        }
        // A stable sort: of equal weights the workload's order decides, never a hash.
        all.sort_by(|a, b| b.1.total_cmp(&a.1));
        let count = all.len();
        let (cliques, cells): (Vec<Clique>, Vec<usize>) = all
            .into_iter()
            .filter_map(|(clique, _)| {
                let cells = cells_within(&clique, sizes, MOST_CELLS)?;
                Some((clique, cells))
            })
            .take(MOST_MARGINALS)
            .unzip();
        Wanted {
            left_out: (count - cliques.len()) as u64,
            cliques,
            cells,
        }
    }
}

/// Cells of a marginal, if there are at most `most`.
fn cells_within(clique: &Clique, sizes: &[usize], most: usize) -> Option<usize> {
    clique.iter().try_fold(1_usize, |cells, column| {
        cells
            .checked_mul(sizes[column])
            .filter(|cells| *cells <= most)
    })
}

/// L1 distance between a table of a model and the product of its columns. (Rare codes, which are
/// taken together here, have no relation of their own.)
pub(crate) fn relation(table: &[f64], sizes: &[usize], total: f64) -> f64 {
    let mut columns: Vec<Axis> = Vec::with_capacity(sizes.len());
    let mut after = 1;
    for &size in sizes.iter().rev() {
        columns.push(Axis {
            after,
            shares: vec![0.0; size],
        });
        after *= size;
    }
    columns.reverse();
    // One pass over the table sums all columns at once; a sum for each column would read it as
    // often.
    for (cell, count) in table.iter().enumerate() {
        for column in &mut columns {
            let code = column.code(cell);
            column.shares[code] += count / total;
        }
    }
    let product = |cell: usize| {
        columns
            .iter()
            .map(|column| column.shares[column.code(cell)])
            .product::<f64>()
    };
    table
        .iter()
        .enumerate()
        .map(|(cell, count)| (count - total * product(cell)).abs())
        .sum()
}

/// A column of a row-major table.
struct Axis {
    /// Cells from one code to the next.
    after: usize,
    /// Of each code.
    shares: Vec<f64>,
}

impl Axis {
    fn code(&self, cell: usize) -> usize {
        cell / self.after % self.shares.len()
    }
}

/// From the model's codes to the columns', one axis after the other.
pub(crate) fn expand(
    mut counts: Vec<f64>,
    clique: &Clique,
    compressions: &[Compression],
) -> Vec<f64> {
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
    use std::collections::BTreeMap;
    use std::ops::ControlFlow;

    use privacy::{Accounting, Delta, Epsilon, Ledger, LedgerOptions};
    use rand_chacha::ChaCha8Rng;
    use rand_core::{Rng, SeedableRng};
    use schema::{Declaration, Schema};
    use serde_json::Map;
    use tabular::CodedTable;

    use super::*;
    use crate::common::{PAIRS, fit};
    use crate::{Method, Model, NamedMarginal};

    #[test]
    fn what_is_left_out_is_counted() {
        let sizes = vec![2049; 102];
        let pairs = (0..102).flat_map(|a| (0..a).map(move |b| vec![b, a]));
        let of = |sizes: &[usize], marginals: Vec<Vec<usize>>| {
            let schema = schema(sizes);
            let text = |columns: &Vec<usize>| {
                let names: Vec<String> = columns.iter().map(|c| format!("c{c}")).collect();
                format!("- {{columns: [{}]}}\n", names.join(", "))
            };
            let yaml: String = marginals.iter().map(text).collect();
            let marginals = NamedMarginal::list(&yaml).unwrap();
            Wanted::new(&Workload::new(&marginals, &schema).unwrap(), sizes)
        };
        let small = of(&[2; 102], pairs.collect());
        assert_eq!((small.cliques.len(), small.left_out), (5000, 151));
        let large = of(&sizes, vec![vec![0], vec![1, 2], vec![3]]);
        assert_eq!(large.cliques, [Clique::new([0]), Clique::new([3])]);
        assert_eq!((large.cells, large.left_out), (vec![2049; 2], 1));
    }

    #[test]
    fn an_error_whose_table_memory_does_not_hold_is_left_out() {
        // Three columns that meet in a fourth only: their joint table goes through one of the
        // fourth and two of them, of more than 2^27 cells.
        let sizes = [161, 161, 161, 8192];
        let table = CodedTable::from_codes(schema(&sizes), &[[3], [5], [7], [9]].map(Vec::from));
        let table = table.unwrap();
        let domain = marginals::Domain::new(sizes.to_vec()).unwrap();
        let factor = |column: usize| {
            let logs = (0..sizes[column] * sizes[3]).map(|i| (i % 7) as f64);
            let clique = Clique::new([column, 3]);
            marginals::Factor::new(&domain, clique, logs.collect()).unwrap()
        };
        let factors = (0..3).map(factor).collect();
        let field = MarkovRandomField::new(domain.clone(), factors, 1.0).unwrap();
        let yaml = "- {columns: [c0, c1, c2]}\n- {columns: [c0, c3]}\n";
        let marginals = NamedMarginal::list(yaml).unwrap();
        let workload = Workload::new(&marginals, table.schema()).unwrap();
        let budget = LedgerOptions::new(
            Epsilon::new(1.0).unwrap(),
            Delta::new(1e-6).unwrap(),
            Accounting::Zcdp,
        );
        let mut ledger = Ledger::open(budget).unwrap();
        let mut rng = testkit::noise(1);
        let mut go_on = |_| ControlFlow::Continue(());
        let mut run = Run::new(&table, &mut ledger, &mut rng, &mut go_on).unwrap();
        let compressions = sizes.map(Compression::none);
        let errors = measure_errors(&mut run, &field, &compressions, &workload);
        let errors = errors.unwrap().unwrap();
        let columns: Vec<&Clique> = errors.marginals.iter().map(|m| &m.columns).collect();
        assert_eq!((columns, errors.left_out), (vec![&Clique::new([0, 3])], 1));
    }

    #[test]
    fn quantiles_are_just_above_those_of_the_normal_distribution() {
        // scipy.stats.norm.isf
        for (probability, exact) in [(0.04, 1.750_686), (0.04 / 91.0, 3.326_6), (8e-6, 4.314_4)] {
            let found = quantile(probability);
            assert!(
                (exact..exact + 0.01).contains(&found),
                "{probability}: {found}"
            );
        }
    }

    #[test]
    fn no_bound_is_smaller_than_noise_can_show() {
        let errors = MeasuredErrors {
            marginals: vec![],
            sigma: 10.0,
            left_out: 0,
        };
        assert_eq!(errors.bound(-30.0), 10.0);
        assert!((errors.bound(0.0) - 17.507).abs() < 1e-9);
        assert!((17.507..17.6).contains(&errors.joint_bound(0.0)));
    }

    #[test]
    fn a_relation_of_three_columns_is_the_distance_from_their_product() {
        let table: Vec<f64> = (1..=12).map(f64::from).collect();
        let (mut a, mut b, mut c) = ([0.0; 2], [0.0; 3], [0.0; 2]);
        for (i, count) in table.iter().enumerate() {
            a[i / 6] += count / 78.0;
            b[i / 2 % 3] += count / 78.0;
            c[i % 2] += count / 78.0;
        }
        let distance: f64 = (0..12)
            .map(|i| (table[i] - 78.0 * a[i / 6] * b[i / 2 % 3] * c[i % 2]).abs())
            .sum();
        let found = relation(&table, &[2, 3, 2], 78.0);
        assert!((found - distance).abs() < 1e-9, "{found} {distance}");
    }

    #[test]
    fn a_relation_is_the_distance_from_independence() {
        assert!(relation(&[25.0; 4], &[2, 2], 100.0) < 1e-9);
        assert!((relation(&[50.0, 0.0, 0.0, 50.0], &[2, 2], 100.0) - 100.0).abs() < 1e-9);
    }

    #[test]
    fn rare_codes_get_their_shares_along_their_axis() {
        let rare = Compression::from_noisy_counts(&[100.0, 1.0, 1.0], 10.0);
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

    fn schema(sizes: &[usize]) -> Schema {
        let column = |(i, size): (usize, &usize)| {
            format!(
                "c{i}: {{integer: {{min: 0, max: {}, bins: {size}}}}}\n",
                size - 1
            )
        };
        let yaml: String = sizes.iter().enumerate().map(column).collect();
        Schema::new(Declaration::from_yaml(&yaml).unwrap()).unwrap()
    }

    /// Columns in pairs, of which the second follows the first with the given probability.
    fn table(sizes: &[usize], rows: usize, follows: f64) -> CodedTable {
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
        CodedTable::from_codes(schema(sizes), &columns).unwrap()
    }

    fn model(table: &CodedTable, epsilon: f64, seed: u64) -> Model {
        let method = Method::Grain;
        let options = LedgerOptions::new(
            Epsilon::new(epsilon).unwrap(),
            Delta::new(1e-6).unwrap(),
            method.accounting(),
        );
        let mut ledger = Ledger::open(options).unwrap();
        let mut go_on = |_| ControlFlow::Continue(());
        fit(
            table,
            method,
            &Map::new(),
            PAIRS,
            &mut ledger,
            &mut testkit::noise(seed),
            &mut go_on,
        )
        .unwrap()
    }

    #[test]
    #[ignore = "slow: 400 fits, half a minute"]
    fn each_bound_holds_as_often_as_it_says_and_is_not_far_above_the_error() {
        /// 95 % of the fits of a table, less three standard deviations of how many that would be.
        const FEWEST: u32 = 181;
        /// The same less four: the worst of 43 marginals is three below by chance in every 17th
        /// series of fits.
        const FEWEST_OF_ANY: u32 = 177;
        let tables = [
            (table(&[12, 12, 40, 40, 3, 3], 4000, 0.7), 1.0),
            (table(&[5, 5, 90, 20, 2, 2, 7, 30], 20_000, 0.4), 0.5),
        ];
        for (table, epsilon) in &tables {
            let mut below: BTreeMap<Clique, u32> = BTreeMap::new();
            let mut all_hold = 0;
            let mut ratios = Vec::new();
            for seed in 0..FITS {
                let model = model(table, *epsilon, seed.into());
                let errors = model.errors.as_ref().unwrap();
                let mut all_of_this = true;
                for error in &errors.marginals {
                    let distance = exact_distance(&model, table, &error.columns);
                    all_of_this &= distance <= errors.joint_bound(error.distance);
                    let bound = errors.bound(error.distance);
                    *below.entry(error.columns.clone()).or_default() +=
                        u32::from(distance <= bound);
                    if is_measured(&model, &error.columns) {
                        ratios.push(bound / distance);
                    }
                }
                all_hold += u32::from(all_of_this);
            }
            println!("in {all_hold} of {FITS} fits all joint bounds hold");
            assert!(all_hold >= FEWEST, "{all_hold}");
            ratios.sort_by(f64::total_cmp);
            let median = ratios[ratios.len() / 2];
            let all = below.values().sum::<u32>();
            let coverage = f64::from(all) / f64::from(FITS) / below.len() as f64;
            let (worst, fewest) = below.iter().min_by_key(|(_, count)| **count).unwrap();
            println!(
                "{} marginals: {:.2} % of {FITS} bounds each hold, and {fewest} at least \
                 ({worst}); median of bound to error {median:.2}",
                below.len(),
                100.0 * coverage
            );
            let columns = table.schema().columns().len();
            assert_eq!(below.len(), columns * (columns - 1) / 2);
            assert!(*fewest >= FEWEST_OF_ANY, "{worst}: {fewest}");
            assert!(coverage >= 0.95, "{coverage}");
            assert!(median <= 3.0, "{median}");
        }
    }

    const FITS: u32 = 200;

    fn exact_distance(model: &Model, table: &CodedTable, columns: &Clique) -> f64 {
        let exact = table.counts(columns.attributes()).dangerous_reveal();
        let field = model.generator.random_field().unwrap();
        let modelled = field.field.marginal(columns).unwrap();
        let expected = expand(modelled, columns, &field.compressions);
        let counts = exact.iter().zip(expected);
        counts.map(|(&count, e)| (f64::from(count) - e).abs()).sum()
    }

    fn is_measured(model: &Model, columns: &Clique) -> bool {
        model.measured.iter().any(|measured| {
            let attributes = measured.columns.iter();
            Clique::new(attributes.map(|attribute| model.generator.column_of(attribute)))
                == *columns
        })
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
            !clear.mostly_noise && clear.relation.unwrap() > 0.3 && clear.bound.unwrap() < 0.2,
            "{clear:?}"
        );
        let lost = of(&report(0.01), ["c2", "c3"]);
        assert!(lost.mostly_noise && lost.bound.is_none(), "{lost:?}");
    }
}
