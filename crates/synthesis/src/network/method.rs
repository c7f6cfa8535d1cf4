//! What the methods have in common whose model is a network.

use std::fmt::Debug;
use std::sync::Arc;

use marginals::Clique;
use neural::{Blocks, Generator as Net};
use privacy::{Accounting, Rho};
use schema::Schema;

use super::components::each;
use super::file::MOST_PARAMETERS;
use super::groups::Groups;
use super::options::NetworkOptions;
use super::training::Training;
use super::{Network, NetworkField};
use crate::columns::Columns;
use crate::compression::Compression;
use crate::errors::measure_errors_of;
use crate::fit_error::{FitError, PlanError};
use crate::fitted::Fitted;
use crate::grain::levels::merge_neighbours;
use crate::mechanism::{Mechanism, PreparedFit, parts_of_columns};
use crate::prior::PublicPrior;
use crate::random_field::RandomField;
use crate::run::Run;
use crate::workload::Workload;

/// A method that trains a generator.
pub(crate) trait NetworkMethod: Debug + Copy + Send + Sync + 'static {
    const NAME: &'static str;

    fn options(&self) -> &NetworkOptions;

    /// Trains the generator for the whole of the rho.
    fn train(&self, run: &mut Run<'_>, training: Training, rho: Rho) -> Result<Net, FitError>;
}

/// Shares of the budget: of the columns, of the training, and of the measured errors.
const SHARES: [f64; 3] = [0.3, 0.67, 0.03];

/// A column has at most so many groups: each costs the critic's first layer a row of weights, and
/// all of these have to be learnt through noise.
const GROUPS: usize = 16;

/// A group's probability at each point, three times at most while a model is made; and weights.
const BYTES_OF_A_GROUP: u64 = 1 << 17;
/// Of as many groups as a network of the smallest width can have.
const MOST_MEMORY: u64 = 1 << 30;

impl<T: NetworkMethod> Mechanism for T {
    fn accounting(&self) -> Accounting {
        Accounting::Gdp
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
        let parameters = Net::count(&Blocks::new(&groups), &self.options().shape());
        if parameters > MOST_PARAMETERS {
            return Err(PlanError::Network {
                method: T::NAME,
                parameters,
                most: MOST_PARAMETERS,
            });
        }
        Ok(Box::new(NetworkFit {
            method: *self,
            width: groups.iter().sum(),
            workload: workload.clone(),
        }))
    }
}

/// What a fit does, as far as it follows from public facts.
struct NetworkFit<T> {
    method: T,
    /// Groups of all columns, at most.
    width: usize,
    /// Of which the model's errors are measured.
    workload: Workload,
}

impl<T: NetworkMethod> PreparedFit for NetworkFit<T> {
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
        let training = Training::begin(run, *self.method.options(), &base, &groups);
        let net = self.method.train(run, training, shares[1])?;
        let schema = Arc::new(run.schema().clone());
        let model = NetworkField::new(&schema, base, Network { groups, net });
        let compare = |batch: &[Clique]| each(batch, |clique| model.compared(clique));
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
    let of_column = |(column, compression): (usize, &Compression)| {
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
