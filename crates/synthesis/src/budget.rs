//! How small a budget a method can still share out.

use privacy::{Ledger, Rho};
use serde_json::{Map, Value};

use crate::fit::FitError;
use crate::method::{Method, ParameterError};
use crate::{aim, mwem};

/// The least part of a budget that is spent, in rho: 16 of the units that rho is counted in, so that no part of it is rounded to
/// nothing. Its noise, some three million on each count, leaves nothing to be seen.
const LEAST_PART: f64 = 1.0 / (1_u64 << 44) as f64;

impl Method {
    /// Whether what remains of the ledger is enough to be shared out by this method over columns of these sizes, when a share
    /// `discovery` of the whole, below 1, goes into finding columns out before. Nothing is said of a ledger that was spent, whose epsilon
    /// may have been large enough.
    ///
    /// # Errors
    /// [`FitError::BudgetTooSmall`], which tells the least epsilon that would do; [`FitError::Parameter`] if a parameter is unusable.
    pub fn check_budget(
        self,
        params: &Map<String, Value>,
        sizes: &[usize],
        ledger: &Ledger,
        discovery: f64,
    ) -> Result<(), FitError> {
        let for_fit = self.parts(params, sizes)? * LEAST_PART;
        let for_discovery = 10.0 * sizes.len() as f64 * LEAST_PART;
        let share = match ledger.total() {
            Rho::ZERO => 1.0,
            total => ledger.remaining().get() / total.get(),
        } - discovery;
        if share <= 0.0 {
            return Ok(());
        }
        // What the whole must be for a share of it to be as large as is needed.
        let mut least = for_fit / share;
        if discovery > 0.0 {
            least = least.max(for_discovery / discovery);
        }
        if ledger.total().get() >= least {
            return Ok(());
        }
        Err(FitError::BudgetTooSmall {
            method: self,
            epsilon: ledger.epsilon(),
            least: ledger.least_epsilon(least),
        })
    }

    /// Into how many parts as small as the smallest the whole budget goes, or a few more.
    fn parts(self, params: &Map<String, Value>, sizes: &[usize]) -> Result<f64, ParameterError> {
        let columns = sizes.len().max(1);
        // Columns get budgets in proportion to size^(2/3).
        let weight = |&size: &usize| (size as f64).powf(2.0 / 3.0);
        let smallest = sizes.iter().map(weight).fold(f64::INFINITY, f64::min);
        let weights = sizes.iter().map(weight).sum::<f64>() / smallest;
        let of_columns = weights.max(1.0);
        let rounds = |rounds: Option<u32>, for_each_column: usize| {
            rounds.map_or((for_each_column * columns) as f64, f64::from)
        };
        Ok(match self {
            Method::Independent => of_columns,
            Method::Mst => 3.0 * of_columns,
            Method::Grain => 20.0 * of_columns,
            Method::Aim => 10.0 * rounds(aim::parameters(params)?.rounds, aim::ROUNDS_PER_COLUMN),
            Method::Mwem => 10.0 * rounds(mwem::parameters(params)?.rounds, 1),
        })
    }
}
