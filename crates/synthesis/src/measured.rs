//! What was measured of the table, as the ledger released it.

use marginals::{Clique, Domain, Measurement};
use privacy::NoisyCounts;
use serde::{Deserialize, Serialize};

use crate::Model;
use crate::compression::Compression;

/// A marginal as it was released: the counts of the table with noise. What a model was made from,
/// and with its sigma all that an analysis of its own needs.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct NoisyMarginal {
    /// Positions of the columns in the schema, in the order in which the counts have them.
    pub columns: Vec<usize>,
    /// For each of the columns the codes that each of its places puts together, which are single
    /// ones unless the column was measured coarsely, or has rare codes.
    pub places: Vec<Vec<Vec<usize>>>,
    /// Row-major: the places of the last column follow one another. Noise may make them negative.
    pub counts: Vec<i64>,
    /// Standard deviation of the Gaussian noise in each count, before it was rounded to whole
    /// numbers.
    pub sigma: f64,
}

impl Model {
    /// All marginals that the budget bought, in the order in which they were measured. Those that
    /// say how far the model is from the table are not among them: the report has these.
    #[must_use]
    pub fn noisy_marginals(&self) -> Vec<NoisyMarginal> {
        let marginals = self.measured.iter();
        marginals
            .filter_map(|measured| measured.released(self))
            .collect()
    }
}

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

    /// `None` if the model does not say which codes it puts together.
    fn released(&self, model: &Model) -> Option<NoisyMarginal> {
        let attributes = self.columns.attributes();
        let columns = attributes.iter();
        let columns: Vec<usize> = columns.map(|it| model.generator.column_of(*it)).collect();
        let places = match attributes {
            [column] => {
                let codes = 0..model.schema.columns()[*column].size();
                vec![codes.map(|code| vec![code]).collect()]
            }
            _ => {
                let groups = attributes.iter().map(|it| model.generator.groups(*it));
                groups.map(|it| it.map(together)).collect::<Option<_>>()?
            }
        };
        Some(NoisyMarginal {
            columns,
            places,
            counts: self.values.clone(),
            sigma: self.sigma,
        })
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

/// The codes of each group.
fn together(groups: Vec<u32>) -> Vec<Vec<usize>> {
    let count = groups.iter().max().map_or(0, |&last| last as usize + 1);
    let mut codes = vec![Vec::new(); count];
    for (code, group) in groups.into_iter().enumerate() {
        codes[group as usize].push(code);
    }
    codes
}
