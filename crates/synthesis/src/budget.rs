//! How small a budget a method can still share out.

use std::ops::RangeInclusive;

use privacy::{Ledger, Rho};

use crate::fit_error::PlanError;
use crate::mechanism::Mechanism;

/// The least part of a budget that is spent, in rho: 16 of the units that rho is counted in, so
/// that no part of it is rounded to nothing. Its noise, some three million on each count, leaves
/// nothing to be seen.
const LEAST_PART: f64 = 1.0 / (1_u64 << 44) as f64;

/// Whether what remains of the ledger, but for what is put aside of it, is enough to be shared out
/// by this method over columns of these sizes, when a share `discovery` of that, below 1, goes into
/// finding columns out before: it must do at its least for discovery, and at its most for the fit.
/// Nothing is said of a ledger that was spent, whose epsilon may have been large enough.
///
/// # Errors
/// [`PlanError::BudgetTooSmall`], which tells the least epsilon that would do.
pub(crate) fn check_share(
    method: &'static str,
    mechanism: &dyn Mechanism,
    sizes: &[usize],
    ledger: &Ledger,
    aside: Rho,
    discovery: Option<&RangeInclusive<f64>>,
) -> Result<(), PlanError> {
    let for_fit = mechanism.parts(sizes) * LEAST_PART;
    let for_discovery = 10.0 * sizes.len() as f64 * LEAST_PART;
    let left = match ledger.total() {
        Rho::ZERO => 1.0,
        total => (ledger.remaining().get() - aside.get()) / total.get(),
    };
    if left <= 0.0 {
        return Ok(());
    }
    // What the whole must be for a share of it to be as large as is needed.
    let mut least = for_fit / left / (1.0 - discovery.map_or(0.0, |shares| *shares.end()));
    if let Some(shares) = discovery {
        least = least.max(for_discovery / left / shares.start());
    }
    if ledger.total().get() >= least {
        return Ok(());
    }
    Err(PlanError::BudgetTooSmall {
        method,
        epsilon: ledger.epsilon(),
        least: ledger.least_epsilon(least),
    })
}
