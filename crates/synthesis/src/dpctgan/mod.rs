//! DPCTGAN: a conditional generator of codes, trained against a critic whose gradients of real rows
//! are clipped, summed as integers and released with exact Gaussian noise.
//!
//! After Xu et al., "Modeling tabular data using conditional GAN" (2019), arXiv:1907.00503, and
//! Rosenblatt et al. (2020), arXiv:2011.05537. Where we depart from the latter's code, so that the
//! promise holds or means more:
//!
//! - Every row takes part in every step, so that the steps together are one Gaussian mechanism:
//!   there is no sampling whose amplification could be got wrong. An epoch is one step.
//! - Only gradients of real rows are noised; those of generated rows cost nothing.
//! - Conditions come from the noisy counts of the columns, never from rows, and the number of rows
//!   is the noisy one.
//! - The number of steps is fixed beforehand. The generator, its average over the last steps and
//!   the model's own biases are post-processing.
//! - No batch normalisation, no gradient penalty, one row at a time (`pac` of 1): each would let a
//!   row move the gradients of others.
//!
//! The generator starts as the model in which columns are independent, and ends with its one-ways.

mod options;
mod train;

use std::sync::Arc;

use marginals::Clique;
use neural::{Blocks, Generator};
use privacy::Accounting;
use schema::Schema;

use crate::columns::Columns;
use crate::errors::{Compared, measure_errors_of, relation};
use crate::fit_error::{FitError, PlanError};
use crate::fitted::Fitted;
use crate::generator::Generator as _;
use crate::grain::levels::merge_neighbours;
use crate::mechanism::{Mechanism, PreparedFit, parts_of_columns};
use crate::network::{Groups, MOST_PARAMETERS, Network, NetworkField, each};
use crate::parameters::ParameterError;
use crate::prior::PublicPrior;
use crate::random_field::RandomField;
use crate::run::Run;
use crate::workload::Workload;

pub use options::{DpctganOptions, Widths};
use train::train;

/// Shares of the budget: of the columns, of the gradients, and of the measured errors.
const SHARES: [f64; 3] = [0.3, 0.67, 0.03];

/// A column has at most so many groups: each costs the critic's first layer a row of weights, and
/// every weight gets noise.
const GROUPS: usize = 16;

/// A group's probability at each point, three times at most while a model is made; and weights.
const BYTES_OF_A_GROUP: u64 = 1 << 17;
/// Of as many groups as a network of the smallest width can have.
const MOST_MEMORY: u64 = 1 << 30;

impl Mechanism for DpctganOptions {
    fn accounting(&self) -> Accounting {
        Accounting::Gdp
    }

    fn takes_workload(&self) -> bool {
        false
    }

    fn check_options(&self) -> Result<(), ParameterError> {
        // Reading them is the only way to make any but the defaults.
        Ok(())
    }

    fn parts(&self, sizes: &[usize]) -> f64 {
        let [columns, _, errors] = SHARES;
        (parts_of_columns(sizes) / columns).max(1.0 / errors)
    }

    fn most_memory(&self) -> u64 {
        // A model's points for as many columns as a network may have.
        MOST_MEMORY
    }

    fn prepare(
        &self,
        schema: &Schema,
        workload: &Workload,
    ) -> Result<Box<dyn PreparedFit>, PlanError> {
        let groups: Vec<usize> = schema
            .sizes()
            .iter()
            .map(|&size| size.min(GROUPS))
            .collect();
        let parameters = Generator::count(&Blocks::new(&groups), &self.shape());
        if parameters > MOST_PARAMETERS {
            return Err(PlanError::Network {
                method: options::NAME,
                parameters,
                most: MOST_PARAMETERS,
            });
        }
        Ok(Box::new(Dpctgan {
            options: *self,
            width: groups.iter().sum(),
            workload: workload.clone(),
        }))
    }
}

/// What a fit does, as far as it follows from public facts.
struct Dpctgan {
    options: DpctganOptions,
    /// Groups of all columns, at most.
    width: usize,
    /// Of which the model's errors are measured.
    workload: Workload,
}

impl PreparedFit for Dpctgan {
    fn memory(&self) -> u64 {
        (BYTES_OF_A_GROUP * self.width as u64).min(MOST_MEMORY)
    }

    fn fit(
        self: Box<Self>,
        run: &mut Run<'_>,
        _: Option<&PublicPrior>,
    ) -> Result<Fitted, FitError> {
        let shares = run
            .ledger
            .remaining()
            .split(&SHARES)
            .expect("shares are positive");
        let columns = Columns::measure(run, shares[0])?;
        let field = columns.independent(run)?;
        let measured = columns.measured;
        let base = RandomField {
            compressions: columns.compressions.into(),
            coarse: Vec::new(),
            field,
        };
        let groups = groups(&base);
        let net = train(run, &self.options, &base, &groups, shares[1])?;
        let schema = Arc::new(run.schema().clone());
        let model = NetworkField::new(&schema, base, Network { groups, net });
        let sizes = schema.sizes();
        let compare = |batch: &[Clique]| {
            each(batch, |clique| {
                let table = model.table(clique);
                let sizes: Vec<usize> = clique.iter().map(|column| sizes[column]).collect();
                Ok(Compared {
                    relation: relation(&table, &sizes, model.total()),
                    table,
                })
            })
        };
        let errors = measure_errors_of(run, &compare, &self.workload)?;
        Ok(Fitted {
            generator: Arc::new(model),
            measured,
            errors,
        })
    }
}

/// Groups of about equal mass of each column's codes, by its noisy counts alone.
fn groups(base: &RandomField) -> Vec<Groups> {
    let of_column = |(column, compression): (usize, &crate::compression::Compression)| {
        let clique = Clique::new([column]);
        let mass = base
            .field
            .marginal(&clique)
            .expect("each column is in the model");
        let coarse = merge_neighbours(&mass, mass.len().min(GROUPS));
        let map = compression
            .map()
            .iter()
            .map(|&code| coarse[code as usize])
            .collect();
        Groups::new(map, &compression.expand(&mass))
    };
    base.compressions
        .iter()
        .enumerate()
        .map(of_column)
        .collect()
}
