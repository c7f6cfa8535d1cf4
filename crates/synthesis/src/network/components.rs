use marginals::Clique;
use neural::{Generator as Net, Latent};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use rayon::prelude::*;

use super::SEED;
use super::groups::Groups;
use crate::generator::Generator as _;
use crate::random_field::RandomField;

/// The generator at fixed points: for each a weight, and the probabilities of each column's groups.
#[derive(Debug, Clone)]
pub(crate) struct Components {
    /// For each column one row of probabilities a component.
    columns: Vec<Vec<f32>>,
    sizes: Vec<usize>,
    /// Weights added up, to be searched; the last is 1.
    cumulative: Vec<f64>,
}

/// How many points: their chance moves a pair's probabilities by about a hundredth of themselves.
pub(crate) const POINTS: usize = 1 << 13;

impl Components {
    pub(crate) fn of(net: &Net, groups: &[Groups], shares: &[f32]) -> Components {
        let blocks = net.blocks();
        let latent = points(net, shares);
        let probabilities = net.probabilities(&latent);
        let rows = || probabilities.chunks_exact(blocks.width());
        let column = |column: usize| {
            let range = blocks.range(column);
            rows()
                .flat_map(|row| row[range.clone()].iter().copied())
                .collect()
        };
        Components {
            columns: (0..groups.len()).map(column).collect(),
            sizes: groups.iter().map(Groups::size).collect(),
            cumulative: (1..=POINTS).map(|i| i as f64 / POINTS as f64).collect(),
        }
    }

    fn weights(&self) -> impl Iterator<Item = f64> {
        let before = std::iter::once(0.0).chain(self.cumulative.iter().copied());
        self.cumulative
            .iter()
            .zip(before)
            .map(|(after, before)| after - before)
    }

    /// The component of a share of the whole, from 0 to below 1.
    pub(crate) fn at(&self, share: f64) -> usize {
        self.cumulative
            .partition_point(|&sum| sum <= share)
            .min(self.cumulative.len() - 1)
    }

    /// The probabilities of a column's groups in a component.
    pub(crate) fn probabilities(&self, component: usize, column: usize) -> &[f32] {
        let size = self.sizes[column];
        &self.columns[column][component * size..][..size]
    }

    /// The expected counts of some columns' codes.
    pub(crate) fn table(&self, columns: &Clique, groups: &[Groups], total: f64) -> Vec<f64> {
        let mut table = self.of_groups(columns);
        table.iter_mut().for_each(|cell| *cell *= total);
        // One column after the other, from the last, goes from groups to codes.
        let mut after = 1;
        for &column in columns.attributes().iter().rev() {
            let block = self.sizes[column] * after;
            table = table
                .chunks_exact(block)
                .flat_map(|block| {
                    groups[column].shares().flat_map(move |(group, share)| {
                        block[group * after..][..after]
                            .iter()
                            .map(move |cell| cell * share)
                    })
                })
                .collect();
            after *= groups[column].codes();
        }
        table
    }

    /// Probabilities of the groups.
    fn of_groups(&self, columns: &Clique) -> Vec<f64> {
        let cells = columns.iter().map(|column| self.sizes[column]).product();
        let mut table = vec![0.0; cells];
        let mut product: Vec<f64> = Vec::with_capacity(cells);
        for (component, weight) in self.weights().enumerate() {
            product.clear();
            product.push(weight);
            for column in columns.iter() {
                let p = self.probabilities(component, column);
                let times =
                    |before: &f64| p.iter().map(|&p| before * f64::from(p)).collect::<Vec<_>>();
                product = product.iter().flat_map(times).collect();
            }
            table
                .iter_mut()
                .zip(&product)
                .for_each(|(cell, p)| *cell += p);
        }
        table
    }

    /// Given likelihoods of columns' groups: the components of the rows that satisfy them, and how
    /// likely these are. None if there are none.
    pub(crate) fn given(&self, likelihoods: &[Option<Vec<f64>>]) -> Option<(Components, f64)> {
        let mut given = self.clone();
        let mut weights: Vec<f64> = self.weights().collect();
        for (column, likelihoods) in likelihoods.iter().enumerate() {
            let Some(likelihoods) = likelihoods else {
                continue;
            };
            let rows = given.columns[column].chunks_exact_mut(self.sizes[column]);
            for (weight, row) in weights.iter_mut().zip(rows) {
                let wanted = |(p, likelihood): (&f32, &f64)| f64::from(*p) * likelihood;
                let sum: f64 = row.iter().zip(likelihoods).map(wanted).sum();
                *weight *= sum;
                if sum > 0.0 {
                    for (p, likelihood) in row.iter_mut().zip(likelihoods) {
                        #[expect(clippy::cast_possible_truncation, reason = "rounding is meant")]
                        let posterior = (wanted((p, likelihood)) / sum) as f32;
                        *p = posterior;
                    }
                }
            }
        }
        let sum: f64 = weights.iter().sum();
        let mut running = 0.0;
        given.cumulative = weights
            .iter()
            .map(|weight| {
                running += weight / sum;
                running
            })
            .collect();
        (sum > 0.0).then_some((given, sum.min(1.0)))
    }
}

/// The noisy shares of each column's groups, from which conditions are drawn; none is below a
/// millionth, so that a network can start from their logarithms.
#[expect(clippy::cast_possible_truncation, reason = "rounding is meant")]
pub(crate) fn shares(base: &RandomField, groups: &[Groups]) -> Vec<f32> {
    const LEAST: f64 = 1e-6;
    let of_column = |(column, groups): (usize, &Groups)| {
        let counts = groups.sums(&base.expected(&Clique::new([column])));
        let floored: Vec<f64> = counts
            .iter()
            .map(|count| (count / base.total()).max(LEAST))
            .collect();
        let sum: f64 = floored.iter().sum();
        floored.into_iter().map(move |share| (share / sum) as f32)
    };
    groups.iter().enumerate().flat_map(of_column).collect()
}

/// The fixed points.
pub(crate) fn points(net: &Net, shares: &[f32]) -> Latent {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    Latent::draw(
        POINTS,
        net.shape().embedding,
        net.blocks(),
        shares,
        &mut rng,
    )
}

/// Tables of many sets of columns.
pub(crate) fn each<T: Send>(
    cliques: &[Clique],
    table: impl Fn(&Clique) -> T + Send + Sync,
) -> Vec<T> {
    cliques.par_iter().map(table).collect()
}
