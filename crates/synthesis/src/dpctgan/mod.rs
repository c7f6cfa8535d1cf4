//! DPCTGAN: a conditional generator of codes, trained against a critic whose gradients of real rows
//! are clipped, summed as integers and released with exact Gaussian noise.
//!
//! After Xu et al., "Modeling tabular data using conditional GAN" (2019), arXiv:1907.00503, and
//! Rosenblatt et al. (2020), arXiv:2011.05537. Where we depart from the latter's code, so that the
//! promise holds or means more:
//!
//! - Every row takes part in every step, so that the steps together are one Gaussian mechanism:
//!   there is no sampling whose amplification could be got wrong. An epoch is one step.
//! - Only gradients of real rows are noised; those of generated rows cost nothing.
//! - Conditions come from the noisy counts of the columns, never from rows, and the number of rows
//!   is the noisy one.
//! - The number of steps is fixed beforehand. The generator, its average over the last steps and
//!   the model's own biases are post-processing.
//! - No batch normalisation, no gradient penalty, one row at a time (`pac` of 1): each would let a
//!   row move the gradients of others.
//!
//! The generator starts as the model in which columns are independent, and ends with its one-ways.

mod options;
mod train;

use neural::Generator;
use privacy::Rho;

use crate::fit_error::FitError;
use crate::network::{NetworkMethod, NetworkOptions, Training};
use crate::run::Run;

pub use options::DpctganOptions;

impl NetworkMethod for DpctganOptions {
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
