//! What a fit knows at any time: columns, levels, and the pairs measured so far.

use marginals::{Clique, MAX_TREE_CELLS, TreeSizer, project_to_simplex};
use schema::Schema;
use tabular::Recoding;

use super::levels::{Hierarchy, Levels};
use super::one_ways::OneWays;
use super::smoothing::smooth_counts;
use super::tuning;
use crate::compression::Compression;
use crate::constraints::Constraints;
use crate::run::Run;

pub(super) struct Fit {
    pub(super) one_ways: OneWays,
    pub(super) constraints: Constraints,
    pub(super) compressions: Vec<Compression>,
    pub(super) total: f64,
    pub(super) hierarchy: Hierarchy,
    /// For each column the smoothed counts of the model's codes, and the sigma of each.
    pub(super) masses: Vec<(Vec<f64>, Vec<f64>)>,
    pub(super) pairs: Vec<MeasuredPair>,
    pub(super) triples: Vec<MeasuredTriple>,
    pub(super) public: Vec<PublicPair>,
}

/// A measured pair.
pub(super) struct MeasuredPair {
    pub(super) columns: [usize; 2],
    pub(super) levels: [usize; 2],
    pub(super) noisy: Vec<i64>,
    /// With less noise and some bias.
    pub(super) shrunk: Vec<f64>,
    pub(super) sigma: f64,
}

/// A measured triple, row-major in the order of the model's attributes.
pub(super) struct MeasuredTriple {
    /// Column and level of each attribute, ascending by attribute.
    pub(super) places: Vec<(usize, usize)>,
    pub(super) noisy: Vec<i64>,
    /// With less noise and some bias.
    pub(super) shrunk: Vec<f64>,
    pub(super) sigma: f64,
}

impl MeasuredTriple {
    pub(super) fn clique(&self, hierarchy: &Hierarchy) -> Clique {
        let places = self.places.iter();
        Clique::new(places.map(|&(column, level)| hierarchy.attribute(column, level)))
    }
}

/// A relation that public data has. The private data decides where it was measured.
pub(super) struct PublicPair {
    pub(super) columns: [usize; 2],
    pub(super) levels: [usize; 2],
    pub(super) probabilities: Vec<f64>,
}

impl Fit {
    pub(super) fn new(run: &Run<'_>, one_ways: OneWays) -> Fit {
        let constraints = Constraints::new(run.schema());
        let compression = |column: usize| {
            let (values, sigma) = one_ways.mean(column);
            // A constraint allows or forbids single codes, which a merged code could not tell
            // apart.
            if values.len() <= tuning::MOST_CODES || constraints.touch(column) {
                Compression::none(values.len())
            } else {
                Compression::from_noisy_counts(&values, sigma)
            }
        };
        let columns = one_ways.measured.len();
        // Levels need smoothed masses, and those the compression: hence the empty hierarchy at
        // first.
        let mut fit = Fit {
            compressions: (0..columns).map(compression).collect(),
            total: one_ways.total(),
            hierarchy: Hierarchy::new(Vec::new()),
            masses: Vec::new(),
            pairs: Vec::new(),
            triples: Vec::new(),
            public: Vec::new(),
            constraints,
            one_ways,
        };
        fit.update_masses();
        let levels = fit
            .masses
            .iter()
            .map(|(masses, _)| Levels::from_masses(masses));
        fit.hierarchy = Hierarchy::new(levels.collect());
        fit
    }

    pub(super) fn update_masses(&mut self) {
        self.set_masses(|fit, column| fit.one_ways.mean(column));
    }

    /// `mean` gives a column's noisy counts and their sigma.
    pub(super) fn set_masses(&mut self, mean: impl Fn(&Fit, usize) -> (Vec<f64>, f64)) {
        self.total = self.one_ways.total();
        let of_column = |(column, compression): (usize, &Compression)| {
            let (values, sigma) = mean(self, column);
            // Smoothed before the projection: the filter takes noise to be symmetric, which it no
            // longer is once negative counts are cut off.
            let masses = project_to_simplex(&smooth_counts(&values, sigma), self.total);
            let (masses, terms) = compression.merge(&masses);
            // A merged code is a sum of independent counts, whose variances add up.
            let sigmas = terms.iter().map(|terms| sigma * terms.sqrt()).collect();
            (masses, sigmas)
        };
        self.masses = self
            .compressions
            .iter()
            .enumerate()
            .map(of_column)
            .collect();
    }

    /// How to count a table at these levels of its columns.
    pub(super) fn recoding(&self, schema: &Schema, counted: &[usize]) -> Recoding {
        let map = |(column, compression): (usize, &Compression)| -> Vec<u32> {
            let groups = self.hierarchy.levels[column].map(counted[column]);
            compression
                .map()
                .into_iter()
                .map(|code| groups[code as usize])
                .collect()
        };
        let maps = self.compressions.iter().enumerate().map(map).collect();
        let sizes = counted
            .iter()
            .enumerate()
            .map(|(column, &level)| self.hierarchy.levels[column].size(level))
            .collect();
        Recoding::new(schema, maps, sizes)
    }

    /// Cells of a junction tree with `for_pairs` for pairs, besides those that it has in any case.
    pub(super) fn cells_with(&self, for_pairs: u128) -> u128 {
        let structure = [self.hierarchy.chains(), self.constraints.cliques()].concat();
        let without = TreeSizer::new(self.hierarchy.domain(), &structure).cells();
        // Chains and constraints must be held in any case, and grow with the table: pairs have a
        // room of their own, so that a table of many columns is not left with none.
        without.saturating_add(for_pairs).min(MAX_TREE_CELLS)
    }

    /// What a model's junction tree must hold besides the pairs yet to be chosen.
    pub(super) fn fixed_cliques(&self) -> Vec<Clique> {
        let measured = self
            .pairs
            .iter()
            .map(|pair| self.hierarchy.clique(pair.columns, pair.levels));
        let public = self
            .public
            .iter()
            .map(|pair| self.hierarchy.clique(pair.columns, pair.levels));
        let triples = self.triples.iter();
        let triples = triples.map(|triple| triple.clique(&self.hierarchy));
        measured
            .chain(triples)
            .chain(public)
            .chain(self.constraints.cliques())
            .collect()
    }
}
