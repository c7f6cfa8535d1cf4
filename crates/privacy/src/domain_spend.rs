//! What was spent on a table's domain before the ledger of a fit was opened.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::guarantee::{Guarantee, Neighbours, StatedRows};
use crate::parameters::{Delta, Epsilon};

/// What finding the domain of a table cost under a ledger of its own, of which no more is known
/// than what it promised: (epsilon, delta)-differential privacy for adding or removing everything
/// of one id.
///
/// It is the word of whoever declares the domain, and can only weaken what a record states.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DomainSpend {
    /// The epsilon that was promised.
    pub epsilon: Epsilon,
    /// The delta that was promised.
    pub delta: Delta,
    /// How many rows one id had at most.
    pub rows_per_id: NonZeroU32,
}

impl DomainSpend {
    pub(crate) fn rows(&self) -> StatedRows {
        self.rows_per_id.into()
    }

    /// Returns the epsilon and delta that it guarantees, rounded up.
    ///
    /// Changing one id is removing it and adding another: twice the epsilon, and (1 + e^epsilon)
    /// times the delta (Dwork and Roth 2014, theorem 2.2 for two steps).
    #[must_use]
    pub fn guaranteed(&self, neighbours: Neighbours) -> (f64, f64) {
        let (epsilon, delta) = (self.epsilon.get(), self.delta.get());
        match neighbours {
            Neighbours::AddRemove => (epsilon, delta),
            // Doubling is exact; `exp` may be an ulp low, and so may sum and product.
            Neighbours::ReplaceOne => {
                let grown = (1.0 + epsilon.exp().next_up()).next_up() * delta;
                (2.0 * epsilon, grown.next_up().min(1.0))
            }
        }
    }

    pub(crate) fn guarantee(&self, neighbours: Neighbours) -> Guarantee {
        let (epsilon, delta) = self.guaranteed(neighbours);
        Guarantee::of_domain(neighbours, self.rows(), epsilon, delta)
    }
}
