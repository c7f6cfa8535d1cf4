//! From what was measured to a random field.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use marginals::{
    Clique, EstimationOptions, MarkovRandomField, Measurement, TreeSizer, estimate_watched,
};

use super::candidates::transposed;
use super::fit::{Fit, MeasuredPair, MeasuredTriple, PublicPair};
use super::levels::Hierarchy;
use super::tuning;
use crate::errors::measure_errors;
use crate::fit_error::FitError;
use crate::fitted::{Coarse, Fitted};
use crate::measured::Measured;
use crate::random_field::RandomField;
use crate::run::Run;
use crate::workload::Workload;

impl Fit {
    /// The model that every estimation starts from: of independent columns, or with the relations
    /// of public data.
    pub(super) fn start(
        &self,
        run: &mut Run<'_>,
        hierarchy: &Hierarchy,
    ) -> Result<MarkovRandomField, FitError> {
        let masses: Vec<Vec<f64>> = self
            .masses
            .iter()
            .map(|(masses, _)| masses.clone())
            .collect();
        let mut start = hierarchy.independent(&masses, self.total)?;
        if !self.constraints.is_empty() {
            // Imposed on the start, constraints survive every pass: factors are multiplied, and
            // what is impossible stays so.
            start = self
                .constraints
                .imposed_on(hierarchy.domain(), Some(&start), self.total)?;
        }
        if self.public.is_empty() {
            return Ok(start);
        }
        let pair = |pair: &PublicPair| {
            let counts: Vec<f64> = pair.probabilities.iter().map(|p| p * self.total).collect();
            let counts = in_order_of_attributes(hierarchy, pair.columns, pair.levels, &counts);
            let clique = hierarchy.clique(pair.columns, pair.levels);
            Measurement::new(
                hierarchy.domain(),
                clique,
                counts,
                tuning::PUBLIC_SIGMA * self.total,
            )
        };
        let pairs = self
            .public
            .iter()
            .map(pair)
            .collect::<Result<Vec<Measurement>, _>>()?;
        self.estimate_from(run, hierarchy, &start, pairs, 0.0)
    }

    pub(super) fn estimate(
        &self,
        run: &mut Run<'_>,
        hierarchy: &Hierarchy,
    ) -> Result<MarkovRandomField, FitError> {
        let start = self.start(run, hierarchy)?;
        let pair = |pair: &MeasuredPair| {
            let counts = in_order_of_attributes(hierarchy, pair.columns, pair.levels, &pair.shrunk);
            Measurement::new(
                hierarchy.domain(),
                hierarchy.clique(pair.columns, pair.levels),
                counts,
                pair.sigma,
            )
        };
        let triple = |triple: &MeasuredTriple| {
            let clique = triple.clique(hierarchy);
            Measurement::new(
                hierarchy.domain(),
                clique,
                triple.shrunk.clone(),
                triple.sigma,
            )
        };
        let pairs = self.pairs.iter().map(pair);
        let measured = pairs
            .chain(self.triples.iter().map(triple))
            .collect::<Result<Vec<Measurement>, _>>()?;
        let of_pairs = self.pairs.iter().map(|pair| pair.shrunk.len());
        let of_triples = self.triples.iter().map(|triple| triple.shrunk.len());
        let cells: usize = of_pairs.chain(of_triples).sum();
        // The loss is |m - y|^2 / (2 sigma^2), which for the true counts is half a cell each in
        // expectation; to go lower is to fit the noise.
        let target_loss = tuning::SHARE_OF_EXPECTED_LOSS * cells as f64 / 2.0;
        self.estimate_from(run, hierarchy, &start, measured, target_loss)
    }

    /// A model of the columns and these pairs.
    fn estimate_from(
        &self,
        run: &mut Run<'_>,
        hierarchy: &Hierarchy,
        start: &MarkovRandomField,
        pairs: Vec<Measurement>,
        target_loss: f64,
    ) -> Result<MarkovRandomField, FitError> {
        let domain = hierarchy.domain();
        let column = |(column, (masses, sigmas)): (usize, &(Vec<f64>, Vec<f64>))| {
            Measurement::with_sigmas(domain, Clique::new([column]), masses.clone(), sigmas)
        };
        let mut measurements = self
            .masses
            .iter()
            .enumerate()
            .map(column)
            .collect::<Result<Vec<Measurement>, _>>()?;
        measurements.extend(pairs);
        let public = self
            .public
            .iter()
            .map(|pair| hierarchy.clique(pair.columns, pair.levels));
        let structure: Vec<Clique> = hierarchy
            .chains()
            .into_iter()
            .chain(self.constraints.cliques())
            .chain(public)
            .collect();
        // The time of a pass is that of the tree's cells, so that these say how many passes can be
        // had.
        let held = measurements.iter().map(Measurement::clique);
        let held: Vec<Clique> = held.chain(&structure).cloned().collect();
        let most_passes = most_passes(TreeSizer::new(domain, &held).cells());
        let options = EstimationOptions {
            total: Some(self.total),
            warm_start: Some(start),
            structure: &structure,
            max_iterations: most_passes,
            target_loss,
            ..EstimationOptions::default()
        };
        let mut watch =
            |passes: usize, _: f64| match run.at("fitting the model", passes, most_passes) {
                Ok(()) => ControlFlow::Continue(()),
                // The next report of progress asks again, and ends the fit.
                Err(_) => ControlFlow::Break(()),
            };
        Ok(estimate_watched(domain, &measurements, &options, &mut watch)?.model)
    }

    /// The last fit, in which only levels remain that something was measured at; and how far it is
    /// from the table.
    pub(super) fn into_fitted(
        self,
        run: &mut Run<'_>,
        workload: &Workload,
    ) -> Result<Fitted, FitError> {
        let ends =
            |columns: [usize; 2], levels: [usize; 2]| [0, 1].map(|i| (columns[i], levels[i]));
        let measured = self
            .pairs
            .iter()
            .flat_map(|pair| ends(pair.columns, pair.levels));
        let public = self
            .public
            .iter()
            .flat_map(|pair| ends(pair.columns, pair.levels));
        // A level at which nothing was measured only makes the model's tree and file larger.
        let triples = self.triples.iter().flat_map(|triple| triple.places.clone());
        let used: BTreeSet<(usize, usize)> = measured.chain(public).chain(triples).collect();
        let hierarchy = Hierarchy::keeping(self.hierarchy.levels.clone(), |column, level| {
            used.contains(&(column, level))
        });
        let field = if self.pairs.is_empty() && self.triples.is_empty() {
            // Its factors are those of columns and constraints, and a model's file has one for each
            // node.
            self.start(run, &hierarchy)?.by_nodes()?
        } else {
            self.estimate(run, &hierarchy)?
        };
        // Against exact counts, for the budget set aside: an error estimated from the same noise
        // that the model was fitted to would flatter it.
        let errors = measure_errors(run, &field, &self.compressions, workload)?;
        let columns = self.compressions.len();
        let coarse = hierarchy.places()[columns..]
            .iter()
            .map(|&(column, level)| Coarse {
                column,
                groups: hierarchy.levels[column].map(level).to_vec(),
            });
        let pairs = self.pairs.iter().map(|pair| Measured {
            columns: hierarchy.clique(pair.columns, pair.levels),
            values: in_order_of_attributes(&hierarchy, pair.columns, pair.levels, &pair.noisy),
            sigma: pair.sigma,
        });
        let triples = self.triples.iter().map(|triple| Measured {
            columns: triple.clique(&hierarchy),
            values: triple.noisy.clone(),
            sigma: triple.sigma,
        });
        let measured = self
            .one_ways
            .measured
            .into_iter()
            .flatten()
            .chain(pairs)
            .chain(triples)
            .collect();
        Ok(Fitted {
            generator: Arc::new(RandomField {
                coarse: coarse.collect(),
                compressions: self.compressions.into(),
                field,
            }),
            measured,
            errors,
        })
    }
}

/// Passes over a model's junction tree of this many cells: as many as take a second or two.
fn most_passes(cells: u128) -> usize {
    let [fewest, most] = tuning::PASSES;
    let passes = (tuning::CELLS_OF_ALL_PASSES / cells.max(1)).clamp(fewest, most);
    usize::try_from(passes).expect("at most 1000")
}

/// A pair's cells, row-major in the order of the attributes, which need not be that of the columns.
fn in_order_of_attributes<T: Copy>(
    hierarchy: &Hierarchy,
    columns: [usize; 2],
    levels: [usize; 2],
    cells: &[T],
) -> Vec<T> {
    let [first, second] = [0, 1].map(|i| hierarchy.attribute(columns[i], levels[i]));
    if first < second {
        cells.to_vec()
    } else {
        transposed(cells, hierarchy.domain().size(second))
    }
}
