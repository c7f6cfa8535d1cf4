use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::conversion::{CHECKED, STATED};
use crate::guarantee::{Guarantee, Promise};
use crate::parameters::{Delta, Epsilon};
use crate::rho::Rho;
use crate::sampler::DiscreteLaplace;
use crate::selection::SelectionEpsilon;
use crate::threshold::tail_bound;

/// Why the numbers of a record do not hold together.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum RecordError {
    /// The stated cost of an entry is not that of its mechanism.
    #[error(
        "entry {number} of the ledger, `{label}`, states a cost that is not that of its mechanism"
    )]
    Entry {
        /// From 1 on.
        number: usize,
        /// What the spend was for.
        label: String,
    },
    /// Entries do not add up to what was spent, or that and the rest not to the total.
    #[error("the ledger's entries, what was spent, what remains and the total do not add up")]
    Sum,
    /// More rho was spent than there was.
    #[error("the ledger's entries add up to more than its total")]
    Overspent,
    /// More delta was spent on thresholding, or kept for it, than there was.
    #[error("the ledger spends more delta on thresholding than it keeps for that")]
    ThresholdDelta,
    /// The total is more than what the epsilon and delta stated allow.
    #[error(
        "the ledger's total of rho {total} is more than epsilon {epsilon} and delta {delta} allow"
    )]
    Total {
        /// In rho.
        total: Rho,
        /// As stated.
        epsilon: Epsilon,
        /// As stated.
        delta: Delta,
    },
    /// A stated guarantee is not what the entries give.
    #[error("a guarantee stated in the ledger is not the one that its entries give")]
    Guarantee,
}

/// What a ledger promised and spent: everything that is needed to check the sums, and nothing
/// private.
///
/// A record that was read from somewhere claims, no more; [`LedgerRecord::check`] recomputes it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerRecord {
    epsilon: Epsilon,
    delta: Delta,
    threshold_delta: Option<Delta>,
    total: Rho,
    spent: Rho,
    remaining: Rho,
    entries: Vec<Entry>,
    guarantees: Vec<Guarantee>,
}

/// One spend.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    label: String,
    mechanism: Mechanism,
    rho: Rho,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delta: Option<Delta>,
}

/// How a spend was made, with what fixes its cost.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Mechanism {
    /// [`Ledger::measure`](crate::Ledger::measure)
    DiscreteGaussian {
        /// The square root of 1 / (2 rho).
        sigma: f64,
        /// How many counts got noise.
        cells: u64,
    },
    /// [`Ledger::measure_laplace`](crate::Ledger::measure_laplace)
    DiscreteLaplace {
        /// The inverse of the scale; alone, the measurement is epsilon-differentially private.
        epsilon: f64,
        /// How many counts got noise.
        cells: u64,
    },
    /// [`Ledger::select`](crate::Ledger::select)
    Exponential {
        /// The mechanism is epsilon-bounded-range.
        epsilon: f64,
        /// How many candidates there were.
        candidates: u64,
    },
    /// [`Ledger::release_keys`](crate::Ledger::release_keys)
    Threshold {
        /// The square root of 1 / (2 rho).
        sigma: f64,
        /// Keys whose noisy count is above it were released.
        threshold: i64,
    },
}

impl LedgerRecord {
    /// What was spent and remains follows from the entries, which the ledger has kept within the
    /// total.
    pub(crate) fn new(
        epsilon: Epsilon,
        delta: Delta,
        threshold_delta: Option<Delta>,
        total: Rho,
        entries: Vec<Entry>,
    ) -> Self {
        let spent = sum(&entries).expect("a ledger's entries add up to at most its total");
        let remaining = total
            .checked_sub(spent)
            .expect("a ledger's entries add up to at most its total");
        let guarantees = Promise::new(epsilon, delta, threshold_delta)
            .expect("a ledger leaves some delta to the conversion")
            .guarantees(&entries, STATED)
            .into();
        Self {
            epsilon,
            delta,
            threshold_delta,
            total,
            spent,
            remaining,
            entries,
            guarantees,
        }
    }

    /// The epsilon promised for adding or removing one id.
    pub fn epsilon(&self) -> Epsilon {
        self.epsilon
    }

    /// The delta promised for adding or removing one id.
    pub fn delta(&self) -> Delta {
        self.delta
    }

    /// The part of delta that was kept for thresholding.
    pub fn threshold_delta(&self) -> Option<Delta> {
        self.threshold_delta
    }

    /// What there was to spend.
    pub fn total(&self) -> Rho {
        self.total
    }

    /// What was spent.
    pub fn spent(&self) -> Rho {
        self.spent
    }

    /// What was left over.
    pub fn remaining(&self) -> Rho {
        self.remaining
    }

    /// The spends in their order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What the spends guarantee together: for adding or removing one id, then for changing one.
    pub fn guarantees(&self) -> &[Guarantee] {
        &self.guarantees
    }

    /// Recomputes everything: each entry's cost from its mechanism, the sums, that the total converts
    /// to at most the stated epsilon and delta, and the guarantees.
    ///
    /// It cannot know whether the entries are all that happened: that is what evidence over the record
    /// is for.
    pub fn check(&self) -> Result<(), RecordError> {
        for (i, entry) in self.entries.iter().enumerate() {
            if !entry.holds() {
                return Err(RecordError::Entry {
                    number: i + 1,
                    label: entry.label.clone(),
                });
            }
        }
        let spent = sum(&self.entries).ok_or(RecordError::Overspent)?;
        if spent > self.total {
            return Err(RecordError::Overspent);
        }
        if spent != self.spent || self.total.checked_sub(spent) != Some(self.remaining) {
            return Err(RecordError::Sum);
        }
        let kept = self.threshold_delta.map_or(0, Delta::units_down);
        self.entries
            .iter()
            .filter_map(Entry::delta)
            .try_fold(kept, |left, delta| left.checked_sub(delta.units_up()))
            .ok_or(RecordError::ThresholdDelta)?;
        let promise = Promise::new(self.epsilon, self.delta, self.threshold_delta)
            .ok_or(RecordError::ThresholdDelta)?;
        if !promise.allows(self.total) {
            return Err(RecordError::Total {
                total: self.total,
                epsilon: self.epsilon,
                delta: self.delta,
            });
        }
        let expected = promise.guarantees(&self.entries, CHECKED);
        let holds = self.guarantees.len() == expected.len()
            && self
                .guarantees
                .iter()
                .zip(&expected)
                .all(|(stated, expected)| stated.follows_from(expected));
        if holds {
            Ok(())
        } else {
            Err(RecordError::Guarantee)
        }
    }
}

impl Entry {
    pub(crate) fn new(label: &str, mechanism: Mechanism, rho: Rho, delta: Option<Delta>) -> Self {
        Self {
            label: label.to_owned(),
            mechanism,
            rho,
            delta,
        }
    }

    /// What the spend was for.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// How it was made.
    pub fn mechanism(&self) -> &Mechanism {
        &self.mechanism
    }

    /// What it cost.
    pub fn rho(&self) -> Rho {
        self.rho
    }

    /// What it cost of the delta kept for thresholding.
    pub fn delta(&self) -> Option<Delta> {
        self.delta
    }

    /// Whether the cost is that of the mechanism.
    fn holds(&self) -> bool {
        let costs = match self.mechanism {
            Mechanism::DiscreteGaussian { sigma, .. } => sigma == self.rho.sigma(),
            Mechanism::DiscreteLaplace { epsilon, .. } => Epsilon::new(epsilon)
                .ok()
                .and_then(DiscreteLaplace::at_most)
                .is_some_and(|noise| noise.epsilon() == epsilon && noise.rho() == Some(self.rho)),
            Mechanism::Exponential { epsilon, .. } => {
                epsilon == SelectionEpsilon::affordable(self.rho).get()
            }
            Mechanism::Threshold { sigma, threshold } => {
                sigma == self.rho.sigma()
                    && (1..=1 << 41).contains(&threshold)
                    && self.delta.is_some_and(|delta| {
                        tail_bound(self.rho, threshold - 1, 0.0) <= delta.get()
                    })
            }
        };
        let delta_belongs =
            self.delta.is_some() == matches!(self.mechanism, Mechanism::Threshold { .. });
        self.rho > Rho::ZERO && costs && delta_belongs
    }
}

fn sum(entries: &[Entry]) -> Option<Rho> {
    entries
        .iter()
        .try_fold(Rho::ZERO, |sum, entry| sum.checked_add(entry.rho))
}
