//! Every column on its own.

use privacy::Accounting;
use schema::Schema;

use crate::columns::Columns;
use crate::fit_error::{FitError, PlanError};
use crate::fitted::Fitted;
use crate::mechanism::{Mechanism, PreparedFit, parts_of_columns};
use crate::prior::PublicPrior;
use crate::run::Run;
use crate::workload::Workload;

/// It has no options.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Independent;

impl Mechanism for Independent {
    fn accounting(&self) -> Accounting {
        Accounting::Gdp
    }

    fn parts(&self, sizes: &[usize]) -> f64 {
        parts_of_columns(sizes)
    }

    fn prepare(&self, _: &Schema, _: &Workload) -> Result<Box<dyn PreparedFit>, PlanError> {
        Ok(Box::new(*self))
    }
}

impl PreparedFit for Independent {
    fn fit(
        self: Box<Self>,
        run: &mut Run<'_>,
        _: Option<&PublicPrior>,
    ) -> Result<Fitted, FitError> {
        let rho = run.ledger.remaining();
        let columns = Columns::measure(run, rho)?;
        let field = columns.independent(run)?;
        Ok(columns.into_fitted(field))
    }
}
