//! MWEM+PGM: the multiplicative weights of Hardt, Ligett and McSherry (2012), arXiv:1012.4763, with its histogram replaced by
//! a graphical model (McKenna, Sheldon and Miklau 2019, arXiv:1901.09136), as in the reference code of the latter.
//!
//! Each of as many rounds as there are columns selects the marginal of the workload whose L1 error less its number of cells is
//! largest, and measures it with Gaussian noise; nine tenths of a round's budget go into measuring. Junction trees stay within
//! a bound that grows from round to round. Nothing is measured beforehand: a column that no chosen marginal has stays uniform.

use marginals::{Clique, Domain, JunctionTree};
use privacy::{LedgerError, Rho};
use serde_json::{Map, Value};
use tabular::Schema;

use crate::adaptive::{Adaptive, Price, RoundParameters, check_cells};
use crate::constraints::Constraints;
use crate::fit::{FitError, Run};
use crate::method::{Method, ParameterError};
use crate::model::Model;
use crate::workload::Workload;

const DEFAULT_MODEL_MB: u32 = 25;

/// Charged to a score for each cell.
const NOISE_PER_CELL: f64 = 1.0;

/// What a fit does, as far as it follows from public facts.
pub(crate) struct MwemPlan {
    parameters: RoundParameters,
    rounds: u32,
    candidates: Vec<(Clique, f64)>,
}

pub(crate) fn parameters(params: &Map<String, Value>) -> Result<RoundParameters, ParameterError> {
    RoundParameters::new(Method::Mwem, DEFAULT_MODEL_MB, params)
}

impl MwemPlan {
    pub(crate) fn new(
        params: &Map<String, Value>,
        workload: &Workload,
        schema: &Schema,
    ) -> Result<MwemPlan, FitError> {
        let parameters = parameters(params)?;
        let columns = u32::try_from(schema.columns().len()).expect("columns are far fewer");
        let plan = MwemPlan {
            rounds: parameters.rounds.unwrap_or(columns),
            parameters,
            candidates: workload.marginals().to_vec(),
        };
        let domain = Domain::new(schema.sizes()).expect("a schema's sizes are those of a domain");
        let constraints = Constraints::of(schema).cliques();
        let fits = |(clique, _): &(Clique, f64)| {
            let together: Vec<Clique> = constraints.iter().chain([clique]).cloned().collect();
            let tree = JunctionTree::new(&domain, &together);
            tree.cells(&domain) as f64 <= plan.most_cells(1)
        };
        if !plan.candidates.iter().any(fits) {
            return Err(FitError::NoMarginalFits {
                method: Method::Mwem,
                cells: plan.most_cells(1),
            });
        }
        check_cells(
            Method::Mwem,
            plan.candidates.iter().map(|(clique, _)| clique),
            schema,
        )?;
        Ok(plan)
    }

    /// Cells that the model may have after a round, counted from 1.
    fn most_cells(&self, round: u32) -> f64 {
        self.parameters.max_model_cells * f64::from(round) / f64::from(self.rounds)
    }
}

pub(crate) fn fit(run: &mut Run<'_>, plan: MwemPlan) -> Result<Model, FitError> {
    let price = Price::of_one(run.ledger.remaining(), plan.rounds);
    if price.select == Rho::ZERO {
        let label = format!("one of MWEM's {} rounds", plan.rounds);
        return Err(LedgerError::NoBudget { label }.into());
    }
    let candidates = plan.candidates.clone();
    let mut mwem = Adaptive::start(run, candidates, plan.parameters.max_iterations)?;
    for round in 1..=plan.rounds {
        mwem.tell(run)?;
        let open = mwem.within(plan.most_cells(round));
        let chosen = mwem.select(run, &open, NOISE_PER_CELL, price.select)?;
        let measure = if round == plan.rounds {
            run.ledger.remaining()
        } else {
            price.measure
        };
        mwem.measure(run, chosen, measure)?;
        mwem.estimate(run)?;
    }
    Ok(mwem.into_model(run, Method::Mwem))
}
