//! The columns on their own.

use marginals::{Clique, Measurement, estimate_total};
use privacy::Rho;

use crate::fit_error::FitError;
use crate::measured::Measured;
use crate::run::Run;

/// What is known of the columns on their own: each measured once or more.
pub(super) struct OneWays {
    pub(super) measured: Vec<Vec<Measured>>,
}

impl OneWays {
    pub(super) fn new(columns: usize) -> OneWays {
        OneWays {
            measured: vec![Vec::new(); columns],
        }
    }

    pub(super) fn measure(&mut self, run: &mut Run<'_>, rho: Rho) -> Result<(), FitError> {
        let measured = run.measure_columns(rho)?;
        self.measured
            .iter_mut()
            .zip(measured)
            .for_each(|(all, new)| all.push(new));
        Ok(())
    }

    /// Nothing, where the budget is too small to be split.
    pub(super) fn measure_if_any(&mut self, run: &mut Run<'_>, rho: Rho) -> Result<(), FitError> {
        const LEAST: f64 = 1e-9;
        // So little would buy noise of many thousand rows, and splitting it among columns could
        // give parts that round down to nothing.
        if rho.get() < LEAST {
            Ok(())
        } else {
            self.measure(run, rho)
        }
    }

    /// The inverse-variance mean of a column's measurements, and its sigma.
    pub(super) fn mean(&self, column: usize) -> (Vec<f64>, f64) {
        let mut sums = vec![0.0; self.measured[column][0].values.len()];
        let mut precision = 0.0;
        for measured in &self.measured[column] {
            // Inverse variances give the unbiased mean of least variance.
            let weight = measured.sigma.powi(-2);
            precision += weight;
            sums.iter_mut()
                .zip(measured.values())
                .for_each(|(sum, value)| *sum += weight * value);
        }
        sums.iter_mut().for_each(|sum| *sum /= precision);
        (sums, precision.powf(-0.5))
    }

    pub(super) fn total(&self) -> f64 {
        let of_column = |column: usize| {
            let (values, sigma) = self.mean(column);
            let domain = marginals::Domain::new(vec![values.len()]).expect("a column has a code");
            Measurement::new(&domain, Clique::new([0]), values, sigma)
                .expect("noisy counts are finite")
        };
        let columns: Vec<Measurement> = (0..self.measured.len()).map(of_column).collect();
        estimate_total(&columns)
    }

    /// What to give the columns of the rest, as a multiple of what pairs get: more where columns'
    /// noise is large against the table, for then pairs are beyond reach and columns are not.
    pub(super) fn scarcity(&self) -> f64 {
        use super::tuning::{ENOUGH_NOISE, MOST_SCARCITY, SCARCE_NOISE};
        let total = self.total();
        let distance = |column: usize| {
            let (values, sigma) = self.mean(column);
            values.len() as f64 * sigma * std::f64::consts::FRAC_2_PI.sqrt() / 2.0 / total
        };
        let mean = (0..self.measured.len()).map(distance).sum::<f64>() / self.measured.len() as f64;
        // On a logarithmic scale: noise of twice the size matters as much wherever it starts from.
        let position = (mean / ENOUGH_NOISE).ln() / (SCARCE_NOISE / ENOUGH_NOISE).ln();
        MOST_SCARCITY * position.clamp(0.0, 1.0)
    }
}
