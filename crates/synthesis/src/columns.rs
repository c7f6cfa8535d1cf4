//! The columns' own marginals, and models of them.

use std::ops::ControlFlow;
use std::sync::Arc;

use marginals::{
    Domain, EstimationOptions, MarkovRandomField, Measurement, estimate_total, estimate_watched,
};
use privacy::Rho;

use crate::compression::Compression;
use crate::constraints::Constraints;
use crate::fit_error::FitError;
use crate::fitted::Fitted;
use crate::measured::Measured;
use crate::random_field::RandomField;
use crate::run::Run;

/// The columns' own marginals, and what follows from them.
pub(crate) struct Columns {
    pub(crate) constraints: Constraints,
    pub(crate) measured: Vec<Measured>,
    pub(crate) compressions: Vec<Compression>,
    /// Over the model's codes.
    pub(crate) domain: Domain,
    pub(crate) total: f64,
}

impl Columns {
    pub(crate) fn measure(run: &mut Run<'_>, rho: Rho) -> Result<Columns, FitError> {
        let sizes = run.schema().sizes();
        let measured = run.measure_columns(rho)?;
        let full = Domain::new(sizes).expect("a schema's sizes are those of a domain");
        let raw = |m: &Measured| Measurement::new(&full, m.columns.clone(), m.values(), m.sigma);
        let raw = measured
            .iter()
            .map(raw)
            .collect::<Result<Vec<Measurement>, _>>()?;
        let constraints = Constraints::new(run.schema());
        let compression = |(column, m): (usize, &Measured)| match constraints.touch(column) {
            true => Compression::none(m.values.len()),
            false => Compression::from_noisy_counts(&m.values(), m.sigma),
        };
        let compressions: Vec<Compression> = measured.iter().enumerate().map(compression).collect();
        let domain = Domain::new(compressions.iter().map(Compression::size).collect())
            .expect("a compressed size is positive");
        Ok(Columns {
            total: estimate_total(&raw),
            constraints,
            measured,
            compressions,
            domain,
        })
    }

    /// The model in which the columns are independent.
    pub(crate) fn independent(&self, run: &mut Run<'_>) -> Result<MarkovRandomField, FitError> {
        let options = EstimationOptions {
            total: Some(self.total),
            ..EstimationOptions::default()
        };
        self.estimate(run, "fitting columns", &self.measured, &options)
    }

    /// A model of the measured marginals that holds the constraints.
    pub(crate) fn estimate(
        &self,
        run: &mut Run<'_>,
        stage: &'static str,
        measured: &[Measured],
        options: &EstimationOptions<'_>,
    ) -> Result<MarkovRandomField, FitError> {
        let for_model = measured
            .iter()
            .map(|m| m.for_model(&self.domain, &self.compressions));
        let measurements = for_model.collect::<Result<Vec<Measurement>, _>>()?;
        let structure = self.constraints.cliques();
        let imposed = if self.constraints.is_empty() {
            None
        } else {
            let start = options.warm_start;
            Some(
                self.constraints
                    .imposed_on(&self.domain, start, self.total)?,
            )
        };
        let options = &EstimationOptions {
            warm_start: imposed.as_ref().or(options.warm_start),
            structure: &structure,
            ..*options
        };
        let mut watch = |passes: usize, _: f64| {
            let stop = run.at(stage, passes, options.max_iterations).is_err();
            if stop {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        Ok(estimate_watched(&self.domain, &measurements, options, &mut watch)?.model)
    }

    pub(crate) fn into_fitted(self, field: MarkovRandomField) -> Fitted {
        Fitted {
            generator: Arc::new(RandomField {
                compressions: self.compressions.into(),
                coarse: Vec::new(),
                field,
            }),
            measured: self.measured,
            errors: None,
        }
    }
}
