use std::num::NonZeroU32;
use std::ops::ControlFlow;

use marginals::{
    Clique, Domain, EstimationOptions, MarkovRandomField, Measurement, estimate_total,
    estimate_watched,
};
use privacy::{Epsilon, Ledger, LedgerError, NoiseRng, Rho};
use serde_json::{Map, Value};
use tabular::{CodedTable, Schema};

use crate::aim::{self, AimPlan};
use crate::compression::Compression;
use crate::constraints::Constraints;
use crate::grain::{self, GrainParameters};
use crate::measured::Measured;
use crate::method::{Method, ParameterError};
use crate::model::Model;
use crate::mst::{self, MstParameters};
use crate::mwem::{self, MwemPlan};
use crate::public::{PublicPrior, PublicPriorError};
use crate::workload::Workload;

/// How far a fit is. Says nothing about the data: the number of steps depends on public facts and released noise only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done, in two or three words.
    pub stage: &'static str,
    /// Steps done of this stage.
    pub done: u64,
    /// Steps of this stage, at most.
    pub total: u64,
}

/// Told of progress; breaks to cancel.
pub(crate) type Watcher<'a> = dyn FnMut(Progress) -> ControlFlow<()> + 'a;

/// Why there is no model. What was spent until then is in the ledger's record.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FitError {
    /// A parameter of the method is unknown or unusable. Nothing was spent.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// The ledger's noise is for fewer rows of one id than the table may have. Nothing was spent.
    #[error(
        "one id may have {table} rows in the table, and the ledger was opened for {ledger}; open it for as many"
    )]
    RowsPerId {
        /// What the table allows.
        table: NonZeroU32,
        /// What the ledger was opened for.
        ledger: NonZeroU32,
    },
    /// The first measurements, one of each column, would take the whole budget. Nothing was spent.
    #[error(
        "{method} measures each of the {columns} columns before its rounds begin, at the price of a round each: \
         give at least {columns} as `rounds`, not {rounds}, or leave it out"
    )]
    TooFewRounds {
        /// The method.
        method: Method,
        /// As given.
        rounds: u32,
        /// Columns of the table.
        columns: usize,
    },
    /// The tables of the marginals to choose from do not fit into memory. Nothing was spent.
    #[error(
        "{method} counts all marginals that it may choose from, which have {cells} cells together, and at most {limit} fit into \
         memory: give a workload of fewer or smaller marginals, declare fewer categories or bins, or use MST"
    )]
    TooManyCells {
        /// The method.
        method: Method,
        /// Cells of all tables, saturating.
        cells: u128,
        /// The most there may be.
        limit: u128,
    },
    /// There are too many marginals to choose from. Nothing was spent.
    #[error(
        "{method} chooses among the workload's marginals and all of their parts, which are more than {limit}: \
         give a workload of fewer or smaller marginals"
    )]
    TooManyMarginals {
        /// The method.
        method: Method,
        /// The most there may be.
        limit: usize,
    },
    /// No marginal of the workload fits into the first round's model. Nothing was spent.
    #[error(
        "with any marginal of the workload the first model of {method} has more than the {cells:.0} cells that are allowed it: \
         raise `max_model_mb`, lower `rounds`, or declare fewer categories or bins"
    )]
    NoMarginalFits {
        /// The method.
        method: Method,
        /// Cells that the first model may have.
        cells: f64,
    },
    /// The public data is not about these columns. Nothing was spent.
    #[error(transparent)]
    Prior(#[from] PublicPriorError),
    /// The budget is too small to be shared out. Nothing was spent.
    #[error(
        "an epsilon of {:e} is too small for {method} to share out among these columns: it needs {:e} at least, and far more to be \
         of use",
        epsilon.get(),
        least.get()
    )]
    BudgetTooSmall {
        /// The method.
        method: Method,
        /// As the ledger was opened.
        epsilon: Epsilon,
        /// What would do, rounded up to two significant digits.
        least: Epsilon,
    },
    /// The ledger refused a spend.
    #[error("the fit could not be paid for")]
    Ledger(#[from] LedgerError),
    /// No model can be estimated from what was measured.
    #[error("no model could be estimated from the measurements: {0}")]
    Estimation(marginals::Error),
    /// The constraints hang together in tables that are too large. Nothing was spent.
    #[error(
        "no model could hold the constraints: {0}; declare fewer of them, or columns of fewer values"
    )]
    Constraints(marginals::Error),
    /// The constraints are about too many combinations of values. Nothing was spent.
    #[error(
        "the constraints are about {cells} combinations of their columns' values together, and at most {limit} fit into memory: \
         declare fewer constraints, or columns of fewer categories or bins"
    )]
    ConstraintTables {
        /// Combinations of values of the columns of each constraint, added up.
        cells: u128,
        /// The most there may be.
        limit: u128,
    },
    /// The caller asked to stop.
    #[error("the fit was cancelled")]
    Cancelled,
}

impl FitError {
    /// Whether it follows from the parameters, the columns and the budget alone, so that nothing was spent.
    #[must_use]
    pub fn precedes_spending(&self) -> bool {
        match self {
            FitError::Parameter(_)
            | FitError::RowsPerId { .. }
            | FitError::TooFewRounds { .. }
            | FitError::TooManyCells { .. }
            | FitError::TooManyMarginals { .. }
            | FitError::NoMarginalFits { .. }
            | FitError::Prior(_)
            | FitError::BudgetTooSmall { .. }
            | FitError::Constraints(_)
            | FitError::ConstraintTables { .. } => true,
            FitError::Ledger(_) | FitError::Estimation(_) | FitError::Cancelled => false,
        }
    }
}

impl From<marginals::Error> for FitError {
    fn from(error: marginals::Error) -> FitError {
        match error {
            marginals::Error::Cancelled => FitError::Cancelled,
            other => FitError::Estimation(other),
        }
    }
}

/// Fits a model to a table, spending all that remains of the ledger.
///
/// The model depends on the table only through what the ledger released, so that the guarantee is the ledger's:
/// (epsilon, delta)-differential privacy when everything of one id is added or removed. Where the table's domain was taken from
/// the data ([`CodedTable::domain`]) nothing is guaranteed, and the ledger's record says so.
///
/// The workload, which must be of the table's schema, is for methods that adapt to one ([`Method::takes_workload`]).
///
/// # Errors
/// If a parameter is unknown or unusable, the method cannot serve the workload, the ledger has too little left to share out
/// among the columns ([`Method::check_budget`]), or `progress` breaks. Whatever was spent before stays recorded and spent.
pub fn fit(
    table: &CodedTable,
    method: Method,
    params: &Map<String, Value>,
    workload: &Workload,
    ledger: &mut Ledger,
    rng: &mut NoiseRng,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Model, FitError> {
    let mut run = Run::new(table, ledger, rng, progress)?;
    method.check_budget(params, &table.schema().sizes(), run.ledger, 0.0)?;
    match method {
        Method::Independent => {
            method.check_params(params)?;
            let rho = run.ledger.remaining();
            let columns = Columns::measure(&mut run, rho)?;
            let field = columns.independent(&mut run)?;
            Ok(columns.into_model(&run, method, field))
        }
        Method::Mst => mst::fit(&mut run, &MstParameters::new(params)?),
        Method::Aim => {
            let plan = AimPlan::new(params, workload, table.schema())?;
            aim::fit(&mut run, plan)
        }
        Method::Mwem => {
            let plan = MwemPlan::new(params, workload, table.schema())?;
            mwem::fit(&mut run, plan)
        }
        Method::Grain => grain::fit(&mut run, &GrainParameters::new(params)?, workload, None),
    }
}

/// [`fit`] by [`Method::Grain`], from what public data says of the columns. That takes nothing of
/// the budget: scores against the prior have the sensitivity of scores against any model. The
/// ledger's record names the prior, and where it is a model of perhaps the same people, the
/// guarantee stated is that of both together.
///
/// # Errors
/// As [`fit`]; also if the prior is of another schema than the table ([`PublicPrior::check`] says
/// what differs).
pub fn fit_with_prior(
    table: &CodedTable,
    prior: &PublicPrior,
    params: &Map<String, Value>,
    workload: &Workload,
    ledger: &mut Ledger,
    rng: &mut NoiseRng,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Model, FitError> {
    let parameters = GrainParameters::new(params)?;
    prior.check(table.schema())?;
    let mut run = Run::new(table, ledger, rng, progress)?;
    Method::Grain.check_budget(params, &table.schema().sizes(), run.ledger, 0.0)?;
    run.ledger.note_prior(prior.record().clone());
    grain::fit(&mut run, &parameters, workload, Some(prior))
}

impl Method {
    /// Whether [`fit`] could begin with these parameters and workload on a table of this schema.
    ///
    /// # Errors
    /// Those that [`fit`] gives before anything is spent.
    pub fn check(
        self,
        params: &Map<String, Value>,
        workload: &Workload,
        schema: &Schema,
    ) -> Result<(), FitError> {
        Constraints::check(schema)?;
        match self {
            Method::Independent | Method::Mst | Method::Grain => Ok(self.check_params(params)?),
            Method::Aim => AimPlan::new(params, workload, schema).map(drop),
            Method::Mwem => MwemPlan::new(params, workload, schema).map(drop),
        }
    }
}

/// Whether a model can hold the constraints of a table's columns. [`fit`] checks it before it spends anything; it is a public
/// fact, and can be known sooner.
///
/// # Errors
/// [`FitError::Constraints`] or [`FitError::ConstraintTables`] if their tables together would be too large.
pub fn check_constraints(schema: &Schema) -> Result<(), FitError> {
    Constraints::check(schema)
}

/// What a fit works with.
pub(crate) struct Run<'a> {
    pub(crate) table: &'a CodedTable,
    pub(crate) ledger: &'a mut Ledger,
    pub(crate) rng: &'a mut NoiseRng,
    pub(crate) progress: &'a mut Watcher<'a>,
}

impl<'a> Run<'a> {
    fn new(
        table: &'a CodedTable,
        ledger: &'a mut Ledger,
        rng: &'a mut NoiseRng,
        progress: &'a mut Watcher<'a>,
    ) -> Result<Run<'a>, FitError> {
        check_constraints(table.schema())?;
        if table.rows_per_id() > ledger.rows_per_id() {
            return Err(FitError::RowsPerId {
                table: table.rows_per_id(),
                ledger: ledger.rows_per_id(),
            });
        }
        ledger.note_domain(table.domain());
        Ok(Run {
            table,
            ledger,
            rng,
            progress,
        })
    }

    pub(crate) fn at(
        &mut self,
        stage: &'static str,
        done: usize,
        total: usize,
    ) -> Result<(), FitError> {
        let progress = Progress {
            stage,
            done: done as u64,
            total: total as u64,
        };
        match (self.progress)(progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(FitError::Cancelled),
        }
    }

    /// Measures marginals for the given total, shared out by weight. `counts` are read one after the other.
    pub(crate) fn measure(
        &mut self,
        stage: &'static str,
        rho: Rho,
        cliques: &[(Clique, f64)],
        mut counts: impl FnMut(&CodedTable, &Clique) -> privacy::Counts,
    ) -> Result<Vec<Measured>, FitError> {
        let weights: Vec<f64> = cliques.iter().map(|&(_, weight)| weight).collect();
        let shares = rho.split(&weights).expect("weights are positive");
        let mut measured = Vec::with_capacity(cliques.len());
        for (i, ((clique, _), rho)) in cliques.iter().zip(shares).enumerate() {
            self.at(stage, i, cliques.len())?;
            let counts = counts(self.table, clique);
            let noisy = self
                .ledger
                .measure(&self.label(clique), &counts, rho, self.rng)?;
            measured.push(Measured::new(clique.clone(), &noisy));
        }
        Ok(measured)
    }

    pub(crate) fn label(&self, clique: &Clique) -> String {
        let columns = self.table.schema().columns();
        let names: Vec<&str> = clique.iter().map(|a| columns[a].name()).collect();
        names.join(" x ")
    }
}

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
    /// Measures every column. Shares of the budget are in proportion to size^(2/3), which minimises the sum of the expected
    /// L1 errors, size * sigma.
    pub(crate) fn measure(run: &mut Run<'_>, rho: Rho) -> Result<Columns, FitError> {
        let sizes = run.table.schema().sizes();
        let weight = |size: usize| (size as f64).powf(2.0 / 3.0);
        let cliques: Vec<(Clique, f64)> = sizes
            .iter()
            .enumerate()
            .map(|(i, &size)| (Clique::new([i]), weight(size)))
            .collect();
        let measured = run.measure("measuring columns", rho, &cliques, |table, clique| {
            table.counts(clique.attributes())
        })?;
        let full = Domain::new(sizes).expect("a schema's sizes are those of a domain");
        let raw = |m: &Measured| Measurement::new(&full, m.columns.clone(), m.values(), m.sigma);
        let raw = measured
            .iter()
            .map(raw)
            .collect::<Result<Vec<Measurement>, _>>()?;
        let constraints = Constraints::of(run.table.schema());
        let compression = |(column, m): (usize, &Measured)| match constraints.touch(column) {
            true => Compression::none(m.values.len()),
            false => Compression::of(&m.values(), m.sigma),
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

    pub(crate) fn into_model(
        self,
        run: &Run<'_>,
        method: Method,
        field: MarkovRandomField,
    ) -> Model {
        Model {
            schema: run.table.schema().clone(),
            method,
            compressions: self.compressions,
            coarse: Vec::new(),
            field,
            measured: self.measured,
            errors: None,
            ledger: run.ledger.record(),
        }
    }
}

#[cfg(test)]
mod tests {
    use privacy::{Delta, Epsilon};
    use tabular::Declaration;

    use super::*;

    fn measured(method: Method, rows: usize) -> Vec<Measured> {
        let yaml = "a: {categories: [x, y, z]}\nb: {integer: {min: 0, max: 9}}\n";
        let schema = Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap();
        let columns = [3, 10].map(|size| {
            (0..1000_u32)
                .map(|row| row * row % 97 % size)
                .take(rows)
                .collect()
        });
        let table = CodedTable::from_codes(schema, &columns).unwrap();
        let mut ledger = Ledger::open(Epsilon::new(1.0).unwrap(), Delta::new(1e-6).unwrap());
        let mut rng = testkit::noise(5);
        let mut go_on = |_| ControlFlow::Continue(());
        fit(
            &table,
            method,
            &Map::new(),
            &Workload::pairs(table.schema()),
            &mut ledger,
            &mut rng,
            &mut go_on,
        )
        .unwrap()
        .measured
    }

    #[test]
    fn with_the_same_noise_one_row_less_changes_one_count_of_each_measurement_by_one() {
        for method in [Method::Independent, Method::Aim, Method::Mwem] {
            let (with, without) = (measured(method, 1000), measured(method, 999));
            assert_eq!(with.len(), without.len(), "{method}");
            for (with, without) in with.iter().zip(without) {
                assert_eq!(
                    with.columns, without.columns,
                    "{method} takes the same steps"
                );
                let changes = with
                    .values
                    .iter()
                    .zip(without.values)
                    .map(|(a, b)| a - b)
                    .filter(|change| *change != 0);
                assert_eq!(changes.collect::<Vec<i64>>(), [1], "{method}");
            }
        }
    }
}
