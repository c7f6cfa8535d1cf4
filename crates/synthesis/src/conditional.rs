use std::sync::Arc;

use schema::{Condition, Schema};

use crate::Model;
use crate::generator::Generator;
use crate::model::{most_default_rows, rows};
use crate::sample::SampleStream;

/// No row of a model satisfies a condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no row of the model satisfies `{condition}`: it has probability 0")]
pub struct Impossible {
    /// The condition as it was written.
    condition: String,
}

/// A model given a condition: the distribution of the rows that satisfy it. Post-processing, like
/// the model itself.
#[derive(Debug, Clone)]
pub struct Conditional {
    schema: Arc<Schema>,
    condition: Arc<Condition>,
    /// The expected number of rows that satisfy the condition.
    total: f64,
    generator: Arc<dyn Generator>,
    probability: f64,
}

impl Model {
    /// The distribution of the rows that satisfy a condition on this model's schema.
    ///
    /// Exact, by evidence in the model: nothing is drawn and thrown away, so that rare conditions
    /// take no longer than frequent ones. Values are taken to be uniform within a bin that
    /// satisfies the condition in part.
    ///
    /// # Errors
    /// [`Impossible`] if the model gives the condition probability 0.
    pub fn given(&self, condition: &Condition) -> Result<Conditional, Impossible> {
        let seen = self.unseen.excluded(condition.clone(), &self.schema);
        let given = self.generator.given(&seen).ok_or_else(|| Impossible {
            condition: condition.text().to_owned(),
        })?;
        // Of a network both are estimates.
        let probability = (given.total() / self.drawn.total()).min(1.0);
        Ok(Conditional {
            schema: Arc::clone(&self.schema),
            condition: Arc::new(condition.clone()),
            probability,
            total: probability * self.generator.total(),
            generator: given,
        })
    }
}

impl Conditional {
    /// The probability with which a row of the model satisfies the condition, above 0 and at most
    /// 1.
    #[must_use]
    pub fn probability(&self) -> f64 {
        self.probability
    }

    /// About as many rows as satisfy the condition in the table, by the model, at least 1. Where
    /// this is small, the rows rest on little of the data.
    #[must_use]
    pub fn noisy_rows(&self) -> u64 {
        rows(self.total)
    }

    /// [`noisy_rows`](Self::noisy_rows), but at most [`Model::MAX_DEFAULT_ROWS`] and
    /// [`Schema::most_rows`].
    #[must_use]
    pub fn default_rows(&self) -> u64 {
        self.noisy_rows().min(most_default_rows(&self.schema))
    }

    /// Draws this many synthetic rows, every one of which satisfies the condition; otherwise as
    /// [`Model::sample`].
    ///
    /// # Panics
    /// If [`Schema::check_rows`] refuses this many, or no seed is given and the operating system
    /// has no entropy.
    #[must_use]
    pub fn sample(&self, rows: u64, seed: Option<u64>) -> SampleStream {
        let generator = self.generator.as_ref();
        SampleStream::new(&self.schema, generator, rows, seed).within(&self.condition)
    }
}
