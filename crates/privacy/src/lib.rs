//! Epsilon, delta, rho; the ledger; exact integer noise; private selection.
//!
//! Private counts are born in types that only this crate can open ([`Counts`], [`KeyCounts`],
//! [`Score`], [`GradientSum`], [`Votes`]), and the only way from them to something publishable is a
//! method of [`Ledger`], which writes the spend down before it draws noise. What such a method
//! returns may be shown to anyone.
//!
//! # What is promised
//!
//! Two data sets are *neighbours* when one is the other with everything about one id added or
//! removed, which is at most `rows_per_id` rows. A closed ledger promises (epsilon,
//! delta)-differential privacy for that relation, whatever the adaptive order of its spends,
//! provided that
//!
//! - adding or removing one row changes one cell of each [`Counts`] (one key of each [`KeyCounts`])
//!   by at most 1, and no id has more rows than was stated, which is what whoever builds them
//!   vouches for, and
//! - cells, models, labels, weights and candidates come from public facts or from what this ledger
//!   has released.
//!
//! [`Accounting`] is zero-concentrated differential privacy, or Gaussian differential privacy where
//! all noise is Gaussian, with exact sums in fixed point. Gaussian noise is drawn exactly and
//! rounded to integers (to multiples of 2^-20, for scores): what it is added to are such numbers,
//! so that rounding is post-processing and every theorem on Gaussian noise holds as it stands.
//! Conversion of zCDP and the other noise are those of Canonne, Kamath and Steinke 2020
//! (arXiv:2004.00010), called CKS20 below. All rounding is against us. The guarantee for *changing*
//! one id's values is weaker and is stated beside it in every [`LedgerRecord`].
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use privacy::{Accounting, Counts, Delta, Epsilon, Ledger, LedgerOptions, NoiseRng};
//!
//! let mut rng = NoiseRng::from_os()?;
//! let mut ledger = Ledger::open(LedgerOptions::new(
//!     Epsilon::new(1.0)?,
//!     Delta::new(1e-9)?,
//!     Accounting::Zcdp,
//! ))?;
//! let ages = Counts::from_exact(vec![120, 340, 95]);
//! let half = ledger.total().share(1, 2);
//! let noisy = ledger.measure("marginal of `age`", &ages, half, &mut rng)?;
//! assert_eq!(noisy.values().len(), 3);
//!
//! let everything = ledger.total();
//! let refused = ledger.measure("marginal of `age`, again", &ages, everything, &mut rng);
//! assert!(refused.is_err());
//! assert_eq!(ledger.close().spent(), half);
//! # Ok(())
//! # }
//! ```
//!
//! # What is not promised
//!
//! The samplers do not run in constant time: how long a spend takes depends on the noise, and in
//! [`Ledger::select`] on the scores. Whoever can time them learns something that no ledger accounts
//! for.
#![forbid(unsafe_code)]

mod accounting;
mod count_test;
mod counts;
mod domain_spend;
mod gaussian;
mod gdp;
mod gradient;
mod guarantee;
mod ledger;
mod normal;
mod odds;
mod parameters;
mod prior;
mod record;
mod rho;
mod rng;
mod sampler;
mod sanity;
mod selection;
mod threshold;
mod votes;
mod zcdp;

pub use accounting::Accounting;
pub use count_test::CountTest;
pub use counts::{Counts, KeyCounts, NoisyCounts, NoisyScores, Score};
pub use domain_spend::DomainSpend;
pub use gradient::{GradientSum, PaidGradients};
pub use guarantee::{Guarantee, Neighbours};
pub use ledger::{Ledger, LedgerError, LedgerOptions};
pub use odds::odds;
pub use parameters::{Delta, Epsilon, InvalidParameter};
pub use prior::{FileDigest, People, Prior};
pub use record::{DomainSource, Entry, LedgerRecord, Mechanism, RecordError};
pub use rho::Rho;
pub use rng::{EntropyError, NoiseRng};
pub use sanity::{
    BudgetWarning, MAX_DELTA, MAX_EPSILON, UnsafeBudget, budget_warnings, check_budget,
    needs_danger,
};
pub use votes::{Division, PaidVotes, Votes};
