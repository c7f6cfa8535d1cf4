//! PATECTGAN: a conditional generator of codes, trained against a student who learns from the noisy
//! votes of teachers, each of whom knows the rows of one part of the table.
//!
//! After Jordon, Yoon and van der Schaar, "PATE-GAN" (ICLR 2019), Rosenblatt et al. (2020),
//! arXiv:2011.05537, with the teachers of Papernot et al., "PATE" (2017), arXiv:1610.05755, and the
//! Gaussian noise of Papernot et al. (2018), arXiv:1802.08908, algorithm 1 without its threshold.
//! All known implementations of PATE-GAN leaked more than they state when they were audited
//! (Ganev, Annamalai and De Cristofaro 2024, arXiv:2406.13985). Where we depart from them:
//!
//! - Teachers are networks of their own, each trained on its own part from public weights, and
//!   forgotten once they have answered. Their parts are drawn row by row: [`privacy::Division`]
//!   says why one id of K rows changes K answers at most.
//! - The student and the generator see generated rows and noisy votes. No label comes from a row.
//! - Votes are whole numbers, which the ledger alone opens. How many there are is fixed before the
//!   first: no bound that depends on the data decides when to stop.
//! - Conditions come from the noisy counts of the columns, and the number of teachers from the
//!   noisy number of rows.
//! - An epoch whose votes differ by no more than their noise changes nothing.
//! - The student learns from the shares of votes, and not from majorities: with noise as large as
//!   differences of votes are, much of what was paid for would be lost by rounding it.

mod options;
mod teachers;
#[cfg(test)]
mod tests;
mod train;

use neural::Generator;
use privacy::Rho;

use crate::fit_error::FitError;
use crate::network::{NetworkMethod, NetworkOptions, Training};
use crate::run::Run;

pub use options::PatectganOptions;

impl NetworkMethod for PatectganOptions {
    const NAME: &'static str = options::NAME;

    fn options(&self) -> &NetworkOptions {
        &self.network
    }

    fn train(
        &self,
        run: &mut Run<'_>,
        training: Training,
        rho: Rho,
    ) -> Result<Generator, FitError> {
        train::train(run, self, training, rho)
    }
}
