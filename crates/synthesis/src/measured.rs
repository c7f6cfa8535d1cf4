use marginals::{Clique, Domain, Measurement};
use privacy::NoisyCounts;
use serde::{Deserialize, Serialize};

use crate::compression::Compression;

/// A marginal as it was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Measured {
    /// Positions of the columns, ascending. One column has all its codes, several have those of the
    /// model.
    pub(crate) columns: Clique,
    /// Row-major.
    pub(crate) values: Vec<i64>,
    pub(crate) sigma: f64,
}

impl Measured {
    pub(crate) fn new(columns: Clique, noisy: &NoisyCounts) -> Measured {
        Measured {
            columns,
            values: noisy.values().to_vec(),
            sigma: noisy.sigma(),
        }
    }

    pub(crate) fn values(&self) -> Vec<f64> {
        self.values.iter().map(|&value| value as f64).collect()
    }

    /// The same over the model's codes.
    pub(crate) fn for_model(
        &self,
        domain: &Domain,
        compressions: &[Compression],
    ) -> Result<Measurement, marginals::Error> {
        let [column] = self.columns.attributes() else {
            return Measurement::new(domain, self.columns.clone(), self.values(), self.sigma);
        };
        let (sums, terms) = compressions[*column].merge(&self.values());
        let sigmas: Vec<f64> = terms
            .iter()
            .map(|terms| self.sigma * terms.sqrt())
            .collect();
        Measurement::with_sigmas(domain, self.columns.clone(), sums, &sigmas)
    }

    /// Whether it is a marginal of a model with this domain.
    pub(crate) fn check(
        &self,
        domain: &Domain,
        compressions: &[Compression],
    ) -> Result<(), String> {
        domain
            .check(&self.columns)
            .map_err(|error| error.to_string())?;
        let cells = match self.columns.attributes() {
            [] => None,
            // What was measured of one column alone has all of its codes: there is no coarser one.
            [column] => compressions
                .get(*column)
                .map(|column| column.full_size() as u128),
            _ => Some(domain.cells(&self.columns)),
        };
        let is_full = cells == Some(self.values.len() as u128);
        if !(is_full && self.sigma > 0.0 && self.sigma.is_finite()) {
            return Err(format!(
                "the measurement of columns {} does not fit its schema",
                self.columns
            ));
        }
        Ok(())
    }
}
