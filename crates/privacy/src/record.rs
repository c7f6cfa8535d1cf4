use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::accounting::{Accounting, CHECKED, STATED};
use crate::domain_spend::DomainSpend;
use crate::guarantee::{Guarantee, Promise, StatedRows};
use crate::parameters::{Delta, Epsilon, InvalidParameter};
use crate::prior::Prior;
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
        /// Number of the entry, from 1.
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
    /// More delta was spent on thresholding than was kept for it.
    #[error("the ledger spends more delta on thresholding than it keeps for that")]
    ThresholdDelta,
    /// No ledger can be opened so.
    #[error("the ledger cannot have been opened as it states: {0}")]
    Parameter(#[from] InvalidParameter),
    /// The total is more than what the epsilon and delta stated allow.
    #[error(
        "the ledger's total of rho {total} is more than epsilon {epsilon} and delta {delta} allow"
    )]
    Total {
        /// The total that the record states, in rho.
        total: Rho,
        /// The epsilon that the record states.
        epsilon: Epsilon,
        /// The delta that the record states.
        delta: Delta,
    },
    /// A stated guarantee is not what the entries give.
    #[error("a guarantee stated in the ledger is not the one that its entries give")]
    Guarantee,
    /// What an earlier model states of its own spends does not hold.
    #[error("in the ledger of the model that the fit started from: {0}")]
    Prior(Box<RecordError>),
}

/// Where the columns' domain came from: the list of cells that were counted, which every guarantee
/// takes to be the same for all data.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DomainSource {
    /// It was declared before any data was seen.
    #[default]
    Declared,
    /// Part of it was released under this ledger.
    Discovered,
    /// It was taken from the data, past the ledger: nothing is guaranteed.
    FromData,
}

impl DomainSource {
    /// Why a domain that was taken from the data leaves no guarantee, as a clause.
    pub const WHY_NO_GUARANTEE: &str =
        "the columns' values and ranges were taken from the data itself, whatever the budget says";

    /// Where the domain came from, in words.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Discovered => "discovered under the budget",
            Self::FromData => "from data: no guarantee holds",
        }
    }
}

/// What a ledger promised and spent: everything that is needed to check the sums, and nothing
/// private.
///
/// A record that was read from somewhere claims, no more; [`LedgerRecord::check`] recomputes it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerRecord {
    accounting: Accounting,
    epsilon: Epsilon,
    delta: Delta,
    threshold_delta: Option<Delta>,
    rows_per_id: NonZeroU32,
    domain: DomainSource,
    /// Written only where there are some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    domain_spends: Vec<DomainSpend>,
    #[serde(default, skip_serializing_if = "Prior::is_not_recorded")]
    prior: Prior,
    total: Rho,
    spent: Rho,
    remaining: Rho,
    entries: Vec<Entry>,
    guarantees: Vec<Guarantee>,
    /// Written only where it is not the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    own_guarantees: Vec<Guarantee>,
}

/// One spend of the ledger.
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
    Gaussian {
        /// Of the noise before it is rounded to integers: the square root of 1 / (2 rho), times the
        /// rows per id.
        sigma: f64,
        /// How many counts got noise.
        cells: u64,
    },
    /// [`Ledger::measure_scores`](crate::Ledger::measure_scores)
    GaussianScores {
        /// Of the noise before it is rounded to multiples of 2^-20: the square root of scores / (2
        /// rho), times the rows per id.
        sigma: f64,
        /// How many scores got noise.
        scores: u64,
    },
    /// [`Ledger::open_gradients`](crate::Ledger::open_gradients)
    GaussianGradients {
        /// Of the noise before it is rounded, in shares of the norm that gradients are clipped to:
        /// the square root of steps / (2 rho), times the rows per id.
        sigma: f64,
        /// How many coordinates got noise in each step.
        coordinates: u64,
        /// How many sums were paid for.
        steps: u64,
    },
    /// [`Ledger::open_votes`](crate::Ledger::open_votes)
    GaussianVotes {
        /// Of the noise before it is rounded to integers: the square root of questions / (2 rho),
        /// times the rows per id.
        sigma: f64,
        /// About how many questions votes were paid for.
        questions: u64,
    },
    /// [`Ledger::measure_laplace`](crate::Ledger::measure_laplace)
    DiscreteLaplace {
        /// The rows per id divided by the scale; alone, the measurement is epsilon-differentially
        /// private.
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
        /// Of the noise before it is rounded to integers: the square root of 1 / (2 rho), times the
        /// rows per id.
        sigma: f64,
        /// Keys whose noisy count is above it were released.
        threshold: i64,
    },
}

impl LedgerRecord {
    /// What was spent and remains follows from the entries, which the ledger has kept within the
    /// total.
    pub(crate) fn new(
        promise: Promise,
        domain: DomainSource,
        domain_spends: Vec<DomainSpend>,
        prior: Prior,
        total: Rho,
        entries: Vec<Entry>,
    ) -> Self {
        // Derived, and not taken from the caller: the record of a ledger cannot contradict itself.
        let spent = sum(&entries).expect("a ledger's entries add up to at most its total");
        let remaining = total
            .checked_sub(spent)
            .expect("a ledger's entries add up to at most its total");
        let own = promise.guarantees(&entries, STATED);
        let StatedGuarantees {
            guarantees,
            own_guarantees,
        } = StatedGuarantees::new(own, promise.rows_per_id, domain, &domain_spends, &prior);
        Self {
            accounting: promise.accounting,
            epsilon: promise.epsilon,
            delta: promise.delta,
            threshold_delta: promise.threshold_delta,
            rows_per_id: promise.rows_per_id,
            domain,
            domain_spends,
            prior,
            total,
            spent,
            remaining,
            entries,
            guarantees,
            own_guarantees,
        }
    }

    /// How costs add up, and how they become epsilon and delta.
    pub fn accounting(&self) -> Accounting {
        self.accounting
    }

    /// How many rows one id has at most: what the noise and the guarantees are made for.
    pub fn rows_per_id(&self) -> NonZeroU32 {
        self.rows_per_id
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

    /// Rho that there was to spend.
    pub fn total(&self) -> Rho {
        self.total
    }

    /// Rho that was spent.
    pub fn spent(&self) -> Rho {
        self.spent
    }

    /// Rho that was left over.
    pub fn remaining(&self) -> Rho {
        self.remaining
    }

    /// The spends in their order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Where the domain of what was measured came from.
    pub fn domain(&self) -> DomainSource {
        self.domain
    }

    /// What was spent before the ledger was opened on finding the domain in the same data.
    pub fn domain_spends(&self) -> &[DomainSpend] {
        &self.domain_spends
    }

    /// The public data that the fit started from.
    pub fn prior(&self) -> &Prior {
        &self.prior
    }

    /// What is guaranteed altogether: for adding or removing one id, then for changing one.
    ///
    /// Where the fit started from [a model that may be of the same people](Prior::counted), these
    /// are the spends' guarantees and that model's together, by basic composition: epsilons and
    /// deltas add up (Dwork and Roth 2014, theorem 3.16). So are those of what was
    /// [spent on the domain before](Self::domain_spends). There is none for a domain that was
    /// [taken from the data](DomainSource::FromData).
    pub fn guarantees(&self) -> &[Guarantee] {
        &self.guarantees
    }

    /// What this ledger's spends guarantee on their own, in the same order. It tells what the fit
    /// added, not what holds.
    pub fn own_guarantees(&self) -> &[Guarantee] {
        if self.own_guarantees.is_empty() {
            &self.guarantees
        } else {
            &self.own_guarantees
        }
    }

    /// What there was to spend and what was spent, as a clause: "epsilon 1 with delta 1e-9 by GDP:
    /// rho 0.016557, of which 0.016557 spent in 54 measurements and selections".
    pub fn budget(&self) -> String {
        format!(
            "epsilon {} with delta {} by {}: rho {}, of which {} spent in {} measurements and \
             selections",
            self.epsilon,
            self.delta,
            self.accounting,
            self.total,
            self.spent,
            self.entries.len()
        )
    }

    /// The most rows of one id for which everything that counts was made.
    fn guaranteed_rows(&self) -> StatedRows {
        guaranteed_rows(self.rows_per_id, &self.domain_spends, &self.prior)
    }

    /// Recomputes everything: each entry's cost from its mechanism, the sums, that the total
    /// converts to at most the stated epsilon and delta, and the guarantees.
    ///
    /// It cannot know whether the entries are all that happened: that is what evidence over the
    /// record is for.
    pub fn check(&self) -> Result<(), RecordError> {
        let promise = Promise {
            epsilon: self.epsilon,
            delta: self.delta,
            accounting: self.accounting,
            rows_per_id: self.rows_per_id,
            threshold_delta: self.threshold_delta,
        }
        .checked()?;
        // Entries first: sums of entries whose costs are invented mean nothing.
        for (i, entry) in self.entries.iter().enumerate() {
            if !entry.holds(promise) {
                return Err(RecordError::Entry {
                    number: i + 1,
                    label: entry.label.clone(),
                });
            }
        }
        // Overflow is overspending too: the entries of a hostile file can add up to anything.
        let spent = sum(&self.entries).ok_or(RecordError::Overspent)?;
        if spent > self.total {
            return Err(RecordError::Overspent);
        }
        if spent != self.spent || self.total.checked_sub(spent) != Some(self.remaining) {
            return Err(RecordError::Sum);
        }
        // In units, each rounded up, as the ledger itself counts.
        let kept = self.threshold_delta.map_or(0, Delta::units_down);
        self.entries
            .iter()
            .filter_map(Entry::delta)
            .try_fold(kept, |left, delta| left.checked_sub(delta.units_up()))
            .ok_or(RecordError::ThresholdDelta)?;
        // With less slack than when it was stated: an honest record of another machine passes, a
        // bolder claim does not.
        if !promise.allows(self.total) {
            return Err(RecordError::Total {
                total: self.total,
                epsilon: self.epsilon,
                delta: self.delta,
            });
        }
        // All the way down: the chain's length is bounded where files are read.
        if let Prior::Model { ledger, .. } = &self.prior {
            let problem = |problem| RecordError::Prior(Box::new(problem));
            ledger.check().map_err(problem)?;
        }
        // Recomputed and compared: a stated guarantee is never taken at its word.
        let own = promise.guarantees(&self.entries, CHECKED);
        let expected = StatedGuarantees::new(
            own,
            self.rows_per_id,
            self.domain,
            &self.domain_spends,
            &self.prior,
        );
        let follow = |stated: &[Guarantee], expected: &[Guarantee], rows: StatedRows| {
            let mut pairs = stated.iter().zip(expected);
            stated.len() == expected.len() && pairs.all(|(a, b)| a.follows_from(b, rows))
        };
        let all = follow(
            &self.guarantees,
            &expected.guarantees,
            self.guaranteed_rows(),
        );
        let own = follow(
            &self.own_guarantees,
            &expected.own_guarantees,
            self.rows_per_id.into(),
        );
        if all && own {
            Ok(())
        } else {
            Err(RecordError::Guarantee)
        }
    }
}

/// The guarantees that a record states.
struct StatedGuarantees {
    guarantees: Vec<Guarantee>,
    /// Those of this fit alone; empty where they are the same.
    own_guarantees: Vec<Guarantee>,
}

impl StatedGuarantees {
    fn new(
        own: [Guarantee; 2],
        rows_per_id: NonZeroU32,
        domain: DomainSource,
        domain_spends: &[DomainSpend],
        prior: &Prior,
    ) -> Self {
        // No guarantee rather than a false one.
        let own = match domain {
            DomainSource::Declared | DomainSource::Discovered => Vec::from(own),
            DomainSource::FromData => Vec::new(),
        };
        let earlier = prior.counted();
        if earlier.is_none() && domain_spends.is_empty() {
            return Self {
                guarantees: own,
                own_guarantees: Vec::new(),
            };
        }
        let rows = guaranteed_rows(rows_per_id, domain_spends, prior);
        let with_domain = own.iter().cloned().map(|own| {
            let spends = domain_spends.iter();
            spends.fold(own, |sum, spend| {
                let spent = spend.guarantee(sum.neighbours());
                sum.composed_with(&spent, rows)
            })
        });
        let guarantees = match earlier {
            // An earlier model without a guarantee leaves none.
            Some(earlier) => {
                let both = with_domain.zip(earlier.guarantees());
                both.map(|(own, earlier)| own.composed_with(earlier, rows))
                    .collect()
            }
            None => with_domain.collect(),
        };
        Self {
            guarantees,
            own_guarantees: own,
        }
    }
}

fn guaranteed_rows(
    rows_per_id: NonZeroU32,
    domain_spends: &[DomainSpend],
    prior: &Prior,
) -> StatedRows {
    let own = StatedRows::from(rows_per_id);
    let spends = domain_spends.iter().map(DomainSpend::rows);
    let earlier = prior.counted().map(LedgerRecord::guaranteed_rows);
    spends.chain(earlier).fold(own, StatedRows::composed_with)
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

    /// The mechanism that was paid for.
    pub fn mechanism(&self) -> &Mechanism {
        &self.mechanism
    }

    /// Its cost in rho.
    pub fn rho(&self) -> Rho {
        self.rho
    }

    /// What it cost of the delta kept for thresholding.
    pub fn delta(&self) -> Option<Delta> {
        self.delta
    }

    /// Whether the cost is that of the mechanism, and of one that the accounting covers.
    fn holds(&self, promise: Promise) -> bool {
        let rows = promise.rows_per_id.get();
        // Under GDP an exponential mechanism would be counted as if it were Gaussian, which it is
        // not.
        let covered = self.mechanism.is_gaussian() || promise.accounting == Accounting::Zcdp;
        let costs = match self.mechanism {
            // Bit for bit: square roots and products of floats are the same on all machines (IEEE
            // 754).
            Mechanism::Gaussian { sigma, .. } => sigma == sigma_of_counts(self.rho, rows),
            Mechanism::GaussianScores { sigma, scores } => {
                scores > 0 && sigma == sigma_of_scores(self.rho, rows, scores)
            }
            Mechanism::GaussianGradients { sigma, steps, .. } => {
                steps > 0 && sigma == sigma_of_scores(self.rho, rows, steps)
            }
            Mechanism::GaussianVotes { sigma, questions } => {
                questions > 0 && sigma == sigma_of_scores(self.rho, rows, questions)
            }
            Mechanism::DiscreteLaplace { epsilon, .. } => Epsilon::new(epsilon)
                .ok()
                .and_then(|epsilon| DiscreteLaplace::at_most(epsilon, rows))
                .is_some_and(|noise| noise.epsilon() == epsilon && noise.rho() == Some(self.rho)),
            Mechanism::Exponential { epsilon, .. } => {
                epsilon == SelectionEpsilon::affordable(self.rho, rows).get()
            }
            Mechanism::Threshold { sigma, threshold } => {
                let noise = threshold.checked_sub(i64::from(rows));
                // Below zero there would be no threshold at all, and beyond 2^60 none was ever
                // computed.
                sigma == sigma_of_counts(self.rho, rows)
                    && noise.is_some_and(|noise| (0..=1 << 60).contains(&noise))
                    && self.delta.is_some_and(|delta| {
                        tail_bound(sigma, rows, threshold - i64::from(rows), CHECKED) <= delta.get()
                    })
            }
        };
        // Only thresholding has a delta of its own; what the others spend is all in rho.
        let delta_belongs =
            self.delta.is_some() == matches!(self.mechanism, Mechanism::Threshold { .. });
        self.rho > Rho::ZERO && covered && costs && delta_belongs
    }
}

impl Mechanism {
    /// Whether its noise is Gaussian.
    pub fn is_gaussian(&self) -> bool {
        match self {
            Self::Gaussian { .. }
            | Self::GaussianScores { .. }
            | Self::GaussianGradients { .. }
            | Self::GaussianVotes { .. }
            | Self::Threshold { .. } => true,
            Self::DiscreteLaplace { .. } | Self::Exponential { .. } => false,
        }
    }
}

/// The sigma of Gaussian noise on counts.
pub(crate) fn sigma_of_counts(rho: Rho, rows_per_id: u32) -> f64 {
    rho.sigma() * f64::from(rows_per_id)
}

/// The sigma of Gaussian noise on each of this many scores.
pub(crate) fn sigma_of_scores(rho: Rho, rows_per_id: u32, scores: u64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "there are fewer than 2^32 scores"
    )]
    let root = (scores as f64).sqrt();
    sigma_of_counts(rho, rows_per_id) * root
}

fn sum(entries: &[Entry]) -> Option<Rho> {
    entries
        .iter()
        .try_fold(Rho::ZERO, |sum, entry| sum.checked_add(entry.rho))
}
