use thiserror::Error;

use crate::counts::{Counts, KeyCounts, NoisyCounts, Score};
use crate::guarantee::Promise;
use crate::parameters::{Delta, Epsilon, InvalidParameter};
use crate::record::{Entry, LedgerRecord, Mechanism};
use crate::rho::{Rho, readable};
use crate::rng::NoiseRng;
use crate::sampler::{DiscreteGaussian, DiscreteLaplace};
use crate::selection::{SelectionEpsilon, exponential_mechanism};
use crate::threshold::threshold;

/// Why a spend was refused. Nothing was drawn and the ledger is as before.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum LedgerError {
    /// It costs more than what remains.
    #[error("`{label}` asks for rho {}, but the ledger has only {remaining} left", readable(*asked))]
    OverBudget {
        /// What the spend was for.
        label: String,
        /// What it would have cost.
        asked: f64,
        /// What there is.
        remaining: Rho,
    },
    /// It costs more of the delta that is kept for thresholding than what remains.
    #[error(
        "`{label}` asks for delta {asked}, but the ledger has only {remaining:e} left for thresholding"
    )]
    OverThresholdDelta {
        /// What the spend was for.
        label: String,
        /// What it would have cost.
        asked: Delta,
        /// What there is.
        remaining: f64,
    },
    /// A share of nothing, or one that rounds to nothing, cannot pay for noise of finite size.
    #[error("`{label}` was given no budget: raise epsilon, or give it a larger share")]
    NoBudget {
        /// What the spend was for.
        label: String,
    },
    /// There is nothing to select from.
    #[error("`{label}` has no candidate to select from")]
    NoCandidate {
        /// What the spend was for.
        label: String,
    },
}

/// A privacy budget and what became of it, for one data set.
///
/// It is promised that everything its methods return, together, is (epsilon, delta)-differentially
/// private when everything about one id is added or removed. Each spend may depend on what the ones
/// before returned: a ledger is a privacy filter (Whitehouse, Ramdas, Rogers and Wu 2023,
/// arXiv:2203.05481). Each is written down before its noise is drawn, and one that the budget does not
/// cover draws nothing. A ledger cannot be cloned.
///
/// The promise is per ledger: two ledgers opened for the same data add up, which nothing here can
/// notice.
#[derive(Debug)]
pub struct Ledger {
    epsilon: Epsilon,
    delta: Delta,
    /// Kept for thresholding; the rest of delta is that of the conversion.
    threshold_delta: Option<Delta>,
    total: Rho,
    spent: Rho,
    entries: Vec<Entry>,
}

impl Ledger {
    /// All of delta goes into the conversion: nothing can be released by thresholding.
    pub fn open(epsilon: Epsilon, delta: Delta) -> Self {
        let promise = Promise::new(epsilon, delta, None).expect("all of delta is left");
        Self::of(epsilon, delta, None, promise)
    }

    /// Keeps the given share of delta (between 0 and 1, rounded down) for [`Ledger::release_keys`].
    ///
    /// (rho, d1)-approximate zCDP and the conversion of rho with d2 give (epsilon, d1 + d2)-DP (Bun and
    /// Steinke 2016, section 8).
    pub fn open_with_threshold_delta(
        epsilon: Epsilon,
        delta: Delta,
        threshold_share: f64,
    ) -> Result<Self, InvalidParameter> {
        let refused = InvalidParameter::ThresholdShare(threshold_share);
        if !(threshold_share > 0.0 && threshold_share < 1.0) {
            return Err(refused);
        }
        let kept = Delta::new(delta.get() * threshold_share).map_err(|_| refused.clone())?;
        let promise = Promise::new(epsilon, delta, Some(kept)).ok_or(refused)?;
        Ok(Self::of(epsilon, delta, Some(kept), promise))
    }

    fn of(
        epsilon: Epsilon,
        delta: Delta,
        threshold_delta: Option<Delta>,
        promise: Promise,
    ) -> Self {
        let (total, spent, entries) = (promise.total(), Rho::ZERO, Vec::new());
        Self {
            epsilon,
            delta,
            threshold_delta,
            total,
            spent,
            entries,
        }
    }

    /// What there was to spend.
    pub fn total(&self) -> Rho {
        self.total
    }

    /// What was spent.
    pub fn spent(&self) -> Rho {
        self.spent
    }

    /// What there is left to spend.
    pub fn remaining(&self) -> Rho {
        self.total
            .checked_sub(self.spent)
            .expect("`charge` never lets spends exceed the total")
    }

    /// What is left, rounded down, of the delta kept for thresholding. None if nothing is.
    pub fn remaining_threshold_delta(&self) -> Option<Delta> {
        Delta::from_units_down(self.remaining_threshold_units())
    }

    /// Adds independent discrete Gaussian noise with 1 / (2 sigma^2) = rho to each cell.
    ///
    /// Costs rho (CKS20, theorem 4: one id changes one cell by at most 1). Changing one id's values
    /// costs 2 rho.
    pub fn measure(
        &mut self,
        label: &str,
        counts: &Counts,
        rho: Rho,
        rng: &mut NoiseRng,
    ) -> Result<NoisyCounts, LedgerError> {
        let mechanism = Mechanism::DiscreteGaussian {
            sigma: rho.sigma(),
            cells: counts.len() as u64,
        };
        self.charge(label, mechanism, rho, None)?;
        let noise = DiscreteGaussian::costing(rho);
        let values = counts
            .cells()
            .iter()
            .map(|&count| i64::from(count) + noise.sample(rng))
            .collect();
        Ok(NoisyCounts::new(values, rho.sigma(), rho))
    }

    /// Adds independent discrete Laplace noise of scale 1 / epsilon to each cell, epsilon rounded down
    /// to a multiple of 2^-32.
    ///
    /// This alone is epsilon-differentially private. It costs epsilon^2 / 2 in rho, rounded up;
    /// changing one id's values costs 2 epsilon, that is four times the rho.
    pub fn measure_laplace(
        &mut self,
        label: &str,
        counts: &Counts,
        epsilon: Epsilon,
        rng: &mut NoiseRng,
    ) -> Result<NoisyCounts, LedgerError> {
        let no_budget = || LedgerError::NoBudget {
            label: label.to_owned(),
        };
        let noise = DiscreteLaplace::at_most(epsilon).ok_or_else(no_budget)?;
        let epsilon = noise.epsilon();
        let rho = noise.rho().ok_or_else(|| LedgerError::OverBudget {
            label: label.to_owned(),
            asked: epsilon * epsilon / 2.0,
            remaining: self.remaining(),
        })?;
        let mechanism = Mechanism::DiscreteLaplace {
            epsilon,
            cells: counts.len() as u64,
        };
        self.charge(label, mechanism, rho, None)?;
        let values = counts
            .cells()
            .iter()
            .map(|&count| i64::from(count) + noise.sample(rng))
            .collect();
        // The variance is 2 e^epsilon / (e^epsilon - 1)^2 = 1 / (2 sinh^2(epsilon / 2)).
        let sigma = (epsilon / 2.0).sinh().recip() / std::f64::consts::SQRT_2;
        Ok(NoisyCounts::new(values, sigma, rho))
    }

    /// Selects a candidate of high score: i with probability proportional to exp(epsilon q_i / 2), with
    /// epsilon = sqrt(8 rho) rounded down to a multiple of 2^-32. Returns its index.
    ///
    /// Costs rho: the mechanism is epsilon-bounded-range, and so satisfies epsilon^2 / 8 zCDP (Cesar
    /// and Rogers 2021, arXiv:2004.07223). Changing one id's values moves scores by up to 2 and costs
    /// four times the rho. The candidates must come from public facts or from what was released.
    pub fn select(
        &mut self,
        label: &str,
        scores: Vec<Score>,
        rho: Rho,
        rng: &mut NoiseRng,
    ) -> Result<usize, LedgerError> {
        if scores.is_empty() {
            return Err(LedgerError::NoCandidate {
                label: label.to_owned(),
            });
        }
        let epsilon = SelectionEpsilon::affordable(rho);
        let mechanism = Mechanism::Exponential {
            epsilon: epsilon.get(),
            candidates: scores.len() as u64,
        };
        self.charge(label, mechanism, rho, None)?;
        Ok(exponential_mechanism(rng, &scores, epsilon))
    }

    /// Releases the keys that enough ids have, as (index of the key, noisy count).
    ///
    /// Noise is that of [`Ledger::measure`], and a key is released if its noisy count exceeds 1 + T, where
    /// noise exceeds T with probability at most delta. Costs (rho, delta), and
    /// changing one id's values twice that. Neither the number of keys nor that of the ids is recorded.
    ///
    /// The indices point into a private list, and so tell how many keys come before: put the keys in
    /// their place, in an order of their own (sorted, say), before showing anything.
    pub fn release_keys(
        &mut self,
        label: &str,
        counts: KeyCounts,
        rho: Rho,
        delta: Delta,
        rng: &mut NoiseRng,
    ) -> Result<Vec<(usize, i64)>, LedgerError> {
        let no_budget = || LedgerError::NoBudget {
            label: label.to_owned(),
        };
        let threshold = 1 + threshold(rho, delta).ok_or_else(no_budget)?;
        let mechanism = Mechanism::Threshold {
            sigma: rho.sigma(),
            threshold,
        };
        self.charge(label, mechanism, rho, Some(delta))?;
        let noise = DiscreteGaussian::costing(rho);
        let noisy = counts
            .keys()
            .iter()
            .map(|&count| i64::from(count) + noise.sample(rng));
        Ok(noisy
            .enumerate()
            .filter(|&(_, count)| count > threshold)
            .collect())
    }

    /// What was promised and spent so far.
    pub fn record(&self) -> LedgerRecord {
        LedgerRecord::new(
            self.epsilon,
            self.delta,
            self.threshold_delta,
            self.total,
            self.entries.clone(),
        )
    }

    /// Ends all spending.
    pub fn close(self) -> LedgerRecord {
        self.record()
    }

    /// The only place where something is spent: all or nothing.
    fn charge(
        &mut self,
        label: &str,
        mechanism: Mechanism,
        rho: Rho,
        delta: Option<Delta>,
    ) -> Result<(), LedgerError> {
        if rho == Rho::ZERO {
            return Err(LedgerError::NoBudget {
                label: label.to_owned(),
            });
        }
        let spent = self
            .spent
            .checked_add(rho)
            .filter(|spent| *spent <= self.total)
            .ok_or_else(|| LedgerError::OverBudget {
                label: label.to_owned(),
                asked: rho.get(),
                remaining: self.remaining(),
            })?;
        if let Some(asked) = delta
            && asked.units_up() > self.remaining_threshold_units()
        {
            let remaining = self.remaining_threshold_delta().map_or(0.0, Delta::get);
            return Err(LedgerError::OverThresholdDelta {
                label: label.to_owned(),
                asked,
                remaining,
            });
        }
        self.entries.push(Entry::new(label, mechanism, rho, delta));
        self.spent = spent;
        Ok(())
    }

    fn remaining_threshold_units(&self) -> u128 {
        let spent: u128 = self
            .entries
            .iter()
            .filter_map(Entry::delta)
            .map(Delta::units_up)
            .sum();
        self.threshold_delta.map_or(0, Delta::units_down) - spent
    }
}
