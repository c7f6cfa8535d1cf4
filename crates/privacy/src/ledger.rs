use std::num::NonZeroU32;

use thiserror::Error;

use crate::accounting::Accounting;
use crate::counts::{Counts, KeyCounts, NoisyCounts, NoisyScores, Score};
use crate::domain_spend::DomainSpend;
use crate::gaussian::RoundedGaussian;
use crate::gradient::{GradientSum, PaidGradients};
use crate::guarantee::Promise;
use crate::parameters::{Delta, Epsilon, InvalidParameter};
use crate::prior::Prior;
use crate::record::{
    DomainSource, Entry, LedgerRecord, Mechanism, sigma_of_counts, sigma_of_scores,
};
use crate::rho::{Rho, readable};
use crate::rng::NoiseRng;
use crate::sampler::DiscreteLaplace;
use crate::selection::{SelectionEpsilon, exponential_mechanism};
use crate::threshold::threshold;
use crate::votes::PaidVotes;

/// Why a spend was refused. Nothing was drawn and the ledger is as before.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum LedgerError {
    /// It costs more than what remains.
    #[error(
        "`{label}` asks for rho {}, but the ledger has only {remaining} left",
        readable(*asked)
    )]
    OverBudget {
        /// What the spend was for.
        label: String,
        /// What it would have cost.
        asked: f64,
        /// How much is left.
        remaining: Rho,
    },
    /// It costs more of the delta that is kept for thresholding than what remains.
    #[error(
        "`{label}` asks for delta {asked}, but the ledger has only {remaining:e} left for \
         thresholding"
    )]
    OverThresholdDelta {
        /// What the spend was for.
        label: String,
        /// What it would have cost.
        asked: Delta,
        /// How much is left.
        remaining: f64,
    },
    /// A share of nothing, or one that rounds to nothing, cannot pay for noise of finite size.
    #[error("`{label}` was given no budget: raise epsilon, or give it a larger share")]
    NoBudget {
        /// What the spend was for.
        label: String,
    },
    /// There is no score to select by, or to measure.
    #[error("`{label}` has no candidate to select from")]
    NoCandidate {
        /// What the spend was for.
        label: String,
    },
    /// The accounting covers Gaussian noise only.
    #[error(
        "`{label}` is not Gaussian noise, which is all that GDP accounts for: open the ledger with \
         zCDP"
    )]
    NotGaussian {
        /// What the spend was for.
        label: String,
    },
}

/// What a ledger is opened with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LedgerOptions {
    /// The epsilon that is promised for adding or removing one id.
    pub epsilon: Epsilon,
    /// The delta that is promised for adding or removing one id.
    pub delta: Delta,
    /// The accounting under which costs add up.
    pub accounting: Accounting,
    /// The share of delta, between 0 and 1 and rounded down, that is kept for
    /// [`Ledger::release_keys`]. The rest is that of the conversion. Without it nothing can be
    /// released by thresholding.
    pub threshold_share: Option<f64>,
    // Kept as they were given: a record states what was promised, not what rounding made of it.
    /// How many rows of a joined table one id has at most: the product of the parties' bounds, at
    /// most 65536. Sensitivities, and noise with them, are that many times larger.
    pub rows_per_id: NonZeroU32,
}

impl LedgerOptions {
    /// Nothing kept for thresholding, one row per id.
    pub fn new(epsilon: Epsilon, delta: Delta, accounting: Accounting) -> Self {
        Self {
            epsilon,
            delta,
            accounting,
            threshold_share: None,
            rows_per_id: NonZeroU32::MIN,
        }
    }
}

/// A privacy budget and what became of it, for one data set.
///
/// It is promised that everything its methods return, together, is (epsilon, delta)-differentially
/// private when everything about one id, at most `rows_per_id` rows, is added or removed. Each
/// spend may depend on what the ones before returned: a ledger is a privacy filter (Whitehouse,
/// Ramdas, Rogers and Wu 2023, arXiv:2203.05481, for zCDP; Smith and Thakurta 2022,
/// arXiv:2210.17520, for GDP). Each is written down before its noise is drawn, and one that the
/// budget does not cover draws nothing. A ledger cannot be cloned.
///
/// The promise is per ledger: two ledgers opened for the same data add up, which nothing here can
/// notice.
#[derive(Debug)]
pub struct Ledger {
    promise: Promise,
    domain: DomainSource,
    domain_spends: Vec<DomainSpend>,
    prior: Prior,
    total: Rho,
    spent: Rho,
    entries: Vec<Entry>,
}

impl Ledger {
    /// With a share of delta for thresholding, what is conditioned on no key of one id alone
    /// passing has the rest: (rho, d1)-approximate zCDP, or GDP but for a probability of d1, and
    /// the conversion of rho with d2 give (epsilon, d1 + d2)-DP (Bun and Steinke 2016, section 8).
    ///
    /// # Errors
    /// If the share is not between 0 and 1, or leaves nothing on one side, or there are too many
    /// rows per id.
    pub fn open(options: LedgerOptions) -> Result<Self, InvalidParameter> {
        // A share and not a delta of its own: however it is chosen, the sum stays the delta that
        // was promised.
        let kept = |share: f64| {
            let refused = InvalidParameter::ThresholdShare(share);
            if share > 0.0 && share < 1.0 {
                Delta::new(options.delta.get() * share).map_err(|_| refused)
            } else {
                Err(refused)
            }
        };
        let promise = Promise {
            epsilon: options.epsilon,
            delta: options.delta,
            accounting: options.accounting,
            rows_per_id: options.rows_per_id,
            threshold_delta: options.threshold_share.map(kept).transpose()?,
        }
        .checked()?;
        Ok(Self {
            promise,
            domain: DomainSource::default(),
            domain_spends: Vec::new(),
            prior: Prior::None,
            total: promise.total(),
            spent: Rho::ZERO,
            entries: Vec::new(),
        })
    }

    /// The accounting under which costs add up.
    pub fn accounting(&self) -> Accounting {
        self.promise.accounting
    }

    /// The epsilon that was promised.
    pub fn epsilon(&self) -> Epsilon {
        self.promise.epsilon
    }

    /// An epsilon, rounded up to two significant digits, with which a ledger opened otherwise like
    /// this one has at least `total` rho to spend; hardly any smaller one would do. Infinite
    /// amounts, and what is not a number, count as the largest.
    pub fn least_epsilon(&self, total: f64) -> Epsilon {
        // To say "use at least this epsilon" in a refusal, where the next attempt should not fail
        // again.
        self.promise.least_epsilon(total)
    }

    /// How many rows one id has at most.
    pub fn rows_per_id(&self) -> NonZeroU32 {
        self.promise.rows_per_id
    }

    /// The sigma of a measurement that costs rho: `rows_per_id` times the square root of 1 / (2
    /// rho).
    pub fn sigma(&self, rho: Rho) -> f64 {
        sigma_of_counts(rho, self.rows())
    }

    /// Epsilon and delta of the guarantee for *changing* one id's values, whatever is spent:
    /// rounded up. What a closed ledger states of the spends that were made is never weaker.
    pub fn changing_at_most(&self) -> (f64, f64) {
        self.promise.changing_at_most()
    }

    /// What there was to spend.
    pub fn total(&self) -> Rho {
        self.total
    }

    /// The spends so far, in their order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Rho that was spent so far.
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

    /// Adds independent Gaussian noise with sigma = `rows_per_id` / sqrt(2 rho) to each cell,
    /// rounded to integers.
    ///
    /// Counts are integers, so that this is the Gaussian mechanism, rounded afterwards: it costs
    /// rho, and is mu-GDP with mu^2 = 2 rho (one id changes cells by at most `rows_per_id` in all,
    /// which is also the L2 sensitivity). Changing one id's values costs 2 rho.
    pub fn measure(
        &mut self,
        label: &str,
        counts: &Counts,
        rho: Rho,
        rng: &mut NoiseRng,
    ) -> Result<NoisyCounts, LedgerError> {
        // Sigma is fixed before the charge, so that what is recorded and what is drawn have one
        // source.
        let sigma = self.sigma(rho);
        let mechanism = Mechanism::Gaussian {
            sigma,
            cells: counts.len() as u64,
        };
        // Charged first: if drawing panics, the budget is spent and nothing was seen; the other way
        // round something would be seen for nothing.
        self.charge(label, mechanism, rho, None)?;
        let noise = RoundedGaussian::costing(rho, self.rows());
        let values = counts
            .cells()
            .iter()
            .map(|&count| saturating_sum(count.into(), noise.sample(rng)))
            .collect();
        Ok(NoisyCounts::new(values, sigma, rho))
    }

    /// Adds independent Gaussian noise with sigma = `rows_per_id` sqrt(n / (2 rho)) to each of n
    /// scores, rounded to multiples of 2^-20.
    ///
    /// Scores are such multiples, so that this is the Gaussian mechanism, rounded afterwards: it
    /// costs rho for all of them together, and is mu-GDP with mu^2 = 2 rho (one id moves each score
    /// by at most `rows_per_id`, and all by sqrt(n) times that in L2). Changing one id's values
    /// costs 4 rho. What is scored must come from public facts or from what was released.
    pub fn measure_scores(
        &mut self,
        label: &str,
        scores: &[Score],
        rho: Rho,
        rng: &mut NoiseRng,
    ) -> Result<NoisyScores, LedgerError> {
        // One spend of a vector, whose L2 sensitivity is that of all scores moving at once.
        let count = u32::try_from(scores.len()).expect("there are fewer than 2^32 scores");
        if count == 0 {
            return Err(LedgerError::NoCandidate {
                label: label.to_owned(),
            });
        }
        let sigma = sigma_of_scores(rho, self.rows(), count.into());
        let mechanism = Mechanism::GaussianScores {
            sigma,
            scores: count.into(),
        };
        self.charge(label, mechanism, rho, None)?;
        let noise =
            RoundedGaussian::costing_for_each(rho, self.rows(), count, Score::FRACTION_BITS);
        // Score and noise are summed in integers; only the sum, which is public, becomes a float.
        #[expect(clippy::cast_precision_loss, reason = "what is noisy may be rounded")]
        let value = |units: i64| units as f64 / f64::from(1 << Score::FRACTION_BITS);
        let values = scores
            .iter()
            .map(|score| value(saturating_sum(score.units(), noise.sample(rng))))
            .collect();
        Ok(NoisyScores { values, sigma })
    }

    /// Charges for the release of `steps` sums of gradients, one after the other, each with
    /// Gaussian noise of sigma = `rows_per_id` sqrt(steps / (2 rho)) times the largest norm of a
    /// gradient, rounded to whole units.
    ///
    /// The sums are integers, so that these are Gaussian mechanisms, rounded afterwards: together
    /// they cost rho, and are mu-GDP with mu^2 = 2 rho (one id moves each sum by at most
    /// `rows_per_id` norms in L2, and all by sqrt(steps) times that, whatever parameters the sums
    /// before led to). Changing one id's values costs 4 rho. All is charged now: a training that
    /// ends early has paid for all of its steps.
    pub fn open_gradients(
        &mut self,
        label: &str,
        coordinates: usize,
        steps: u32,
        rho: Rho,
    ) -> Result<PaidGradients, LedgerError> {
        if steps == 0 {
            return Err(LedgerError::NoCandidate {
                label: label.to_owned(),
            });
        }
        let sigma = sigma_of_scores(rho, self.rows(), steps.into());
        let mechanism = Mechanism::GaussianGradients {
            sigma,
            coordinates: coordinates as u64,
            steps: steps.into(),
        };
        self.charge(label, mechanism, rho, None)?;
        let noise =
            RoundedGaussian::costing_for_each(rho, self.rows(), steps, GradientSum::NORM_BITS);
        Ok(PaidGradients::new(noise, coordinates, steps))
    }

    /// Charges for the release of votes about so many questions, each with Gaussian noise of
    /// sigma = `rows_per_id` sqrt(questions / (2 rho)), rounded to integers.
    ///
    /// Votes are integers, so that these are Gaussian mechanisms, rounded afterwards: together they
    /// cost rho, and are mu-GDP with mu^2 = 2 rho (one id moves each number of votes by at most
    /// `rows_per_id`, as [`Division`](crate::Division) explains, and all by sqrt(questions) times
    /// that in L2, whatever the votes before led to). Changing one id's values costs 4 rho. All is
    /// charged now. Nothing is made of how far the votes agree, as Papernot et al. 2018
    /// (arXiv:1802.08908) do: such a bound is itself private.
    pub fn open_votes(
        &mut self,
        label: &str,
        questions: u32,
        rho: Rho,
    ) -> Result<PaidVotes, LedgerError> {
        if questions == 0 {
            return Err(LedgerError::NoCandidate {
                label: label.to_owned(),
            });
        }
        let mechanism = Mechanism::GaussianVotes {
            sigma: sigma_of_scores(rho, self.rows(), questions.into()),
            questions: questions.into(),
        };
        self.charge(label, mechanism, rho, None)?;
        let noise = RoundedGaussian::costing_for_each(rho, self.rows(), questions, 0);
        Ok(PaidVotes::new(noise, questions))
    }

    /// Adds independent discrete Laplace noise of scale `rows_per_id` / epsilon to each cell, the
    /// inverse of the scale rounded down to a multiple of 2^-32.
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
        // Epsilon is lowered to a multiple of 2^-32, and then recorded as it is drawn: no claim is
        // made of the finer number.
        let noise = DiscreteLaplace::at_most(epsilon, self.rows()).ok_or_else(no_budget)?;
        let epsilon = noise.epsilon();
        // More than any ledger has: refused as a spend that is too large, not as a number that
        // makes no sense.
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
        // For lambda the inverse of the scale, the variance is
        // 2 e^lambda / (e^lambda - 1)^2 = 1 / (2 sinh^2(lambda / 2)).
        let sigma = (noise.lambda() / 2.0).sinh().recip() / std::f64::consts::SQRT_2;
        Ok(NoisyCounts::new(values, sigma, rho))
    }

    /// Selects a candidate of high score: i with probability proportional to exp(epsilon q_i / (2
    /// `rows_per_id`)), with epsilon = sqrt(8 rho), its ratio to `rows_per_id` rounded down to a
    /// multiple of 2^-32. Returns its index.
    ///
    /// Costs rho: the mechanism is epsilon-bounded-range, and so satisfies epsilon^2 / 8 zCDP
    /// (Cesar and Rogers 2021, arXiv:2004.07223). Changing one id's values moves scores by up to
    /// twice as much and costs four times the rho. The candidates must come from public facts or
    /// from what was released.
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
        // Rounded down, so that what is selected never costs more than rho.
        let epsilon = SelectionEpsilon::affordable(rho, self.rows());
        let mechanism = Mechanism::Exponential {
            epsilon: epsilon.get(),
            candidates: scores.len() as u64,
        };
        self.charge(label, mechanism, rho, None)?;
        Ok(exponential_mechanism(rng, &scores, epsilon))
    }

    /// Releases the keys that enough ids have, as (index of the key, noisy count).
    ///
    /// Noise is that of [`Ledger::measure`], and a key is released if its noisy count exceeds
    /// `rows_per_id` + T, where noise exceeds T with probability at most delta / `rows_per_id`: one
    /// id alone can have as many keys. Costs (rho, delta), and changing one id's values twice that.
    /// Neither the number of keys nor that of the ids is recorded.
    ///
    /// The indices point into a private list, and so tell how many keys come before: put the keys
    /// in their place, in an order of their own (sorted, say), before showing anything.
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
        let (sigma, rows) = (self.sigma(rho), self.rows());
        // Above the rows of one id: a key that an id alone has could have a count of all of these
        // before any noise.
        let threshold = i64::from(rows) + threshold(sigma, rows, delta).ok_or_else(no_budget)?;
        let mechanism = Mechanism::Threshold { sigma, threshold };
        self.charge(label, mechanism, rho, Some(delta))?;
        let noise = RoundedGaussian::costing(rho, rows);
        let noisy = counts
            .keys()
            .iter()
            .map(|&count| saturating_sum(count.into(), noise.sample(rng)));
        Ok(noisy
            .enumerate()
            .filter(|&(_, count)| count > threshold)
            .collect())
    }

    /// Records where the domain of what is measured comes from. Of several sources the weakest
    /// stays.
    pub fn note_domain(&mut self, source: DomainSource) {
        // The weakest source decides, since a guarantee is no better than its worst column.
        self.domain = self.domain.max(source);
    }

    /// Records what was spent on finding the domain before this ledger was opened. The recorded
    /// guarantee is then that of both; what there is to spend stays the same.
    ///
    /// # Panics
    /// If other such spends were noted before: a record is about the domain of one table.
    pub fn note_domain_spends(&mut self, spends: &[DomainSpend]) {
        assert!(
            self.domain_spends.is_empty() || self.domain_spends == spends,
            "a ledger notes the domain of one table"
        );
        self.domain_spends = spends.to_vec();
    }

    /// Records the public data that what is measured is compared with or added to. A model that may
    /// be of the same people makes the recorded guarantee the sum of both; what there is to spend
    /// stays the same.
    ///
    /// # Panics
    /// If other public data was noted before: a record holds one.
    pub fn note_prior(&mut self, prior: Prior) {
        assert!(
            matches!(self.prior, Prior::None) || self.prior == prior,
            "a ledger notes the public data of one fit"
        );
        self.prior = prior;
    }

    /// What was promised and spent so far.
    pub fn record(&self) -> LedgerRecord {
        LedgerRecord::new(
            self.promise,
            self.domain,
            self.domain_spends.clone(),
            self.prior.clone(),
            self.total,
            self.entries.clone(),
        )
    }

    /// Closes the ledger, from which nothing can be spent any more.
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
        // Everything that can refuse comes before the first change, so that a refusal leaves the
        // ledger as it was.
        // Rho of zero means infinite noise: better refused than a result that looks like one.
        if rho == Rho::ZERO {
            return Err(LedgerError::NoBudget {
                label: label.to_owned(),
            });
        }
        if self.accounting() == Accounting::Gdp && !mechanism.is_gaussian() {
            return Err(LedgerError::NotGaussian {
                label: label.to_owned(),
            });
        }
        // Integers of 2^-48: a thousand spends add up to exactly the total, where floats would be
        // off in either direction.
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
        // Written down before noise is drawn: see `measure`.
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
        self.promise.threshold_delta.map_or(0, Delta::units_down) - spent
    }

    fn rows(&self) -> u32 {
        self.promise.rows_per_id.get()
    }
}

/// Bounding the sum, unlike the noise, is post-processing.
pub(crate) fn saturating_sum(exact: i64, noise: i128) -> i64 {
    let sum = i128::from(exact) + noise;
    i64::try_from(sum.clamp(i64::MIN.into(), i64::MAX.into())).expect("just clamped")
}
