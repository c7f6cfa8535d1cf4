//! MWEM+PGM: the multiplicative weights of Hardt, Ligett and McSherry (2012), arXiv:1012.4763, with
//! its histogram replaced by a graphical model (McKenna, Sheldon and Miklau 2019,
//! arXiv:1901.09136), as in the reference code of the latter.
//!
//! Each of as many rounds as there are columns selects the marginal of the workload whose L1 error
//! less its number of cells is largest, and measures it with Gaussian noise; nine tenths of a
//! round's budget go into measuring. Junction trees stay within a bound that grows from round to
//! round. Nothing is measured beforehand: a column that no chosen marginal has stays uniform.

use marginals::{Clique, Domain, JunctionTree};
use privacy::{Accounting, LedgerError, Rho};
use schema::Schema;
use serde_json::{Map, Value};

use crate::adaptive::{Adaptive, Price};
use crate::constraints::Constraints;
use crate::fit_error::{FitError, PlanError};
use crate::fitted::Fitted;
use crate::mechanism::{Mechanism, PreparedFit};
use crate::parameters::ParameterError;
use crate::prior::PublicPrior;
use crate::rounds::{RoundOptions, RoundsError, counted_cells};
use crate::run::Run;
use crate::workload::Workload;

const NAME: &str = "MWEM";

/// Charged to a score for each cell.
const NOISE_PER_CELL: f64 = 1.0;

/// Options of [MWEM](crate::Method::Mwem).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MwemOptions(pub RoundOptions);

impl Default for MwemOptions {
    fn default() -> MwemOptions {
        MwemOptions(RoundOptions {
            // As in the reference code (private-pgm): one round a column, and models of 25 MB.
            rounds: None,
            max_model_mb: 25,
            max_iterations: 1000,
        })
    }
}

impl MwemOptions {
    pub(crate) fn read(params: &Map<String, Value>) -> Result<MwemOptions, ParameterError> {
        RoundOptions::read(NAME, MwemOptions::default().0, params).map(MwemOptions)
    }
}

impl Mechanism for MwemOptions {
    fn accounting(&self) -> Accounting {
        Accounting::Zcdp
    }

    fn counts_rows_in_all(&self) -> bool {
        true
    }

    fn check_options(&self) -> Result<(), ParameterError> {
        self.0.check(NAME)
    }

    fn most_memory(&self) -> u64 {
        self.0.most_memory()
    }

    /// A tenth of a round selects.
    fn parts(&self, sizes: &[usize]) -> f64 {
        10.0 * f64::from(rounds(self.0, sizes.len()))
    }

    fn prepare(
        &self,
        schema: &Schema,
        workload: &Workload,
    ) -> Result<Box<dyn PreparedFit>, PlanError> {
        let mut plan = Mwem {
            counted_cells: 0,
            rounds: rounds(self.0, schema.columns().len()),
            options: self.0,
            candidates: workload.marginals().to_vec(),
        };
        let domain = Domain::new(schema.sizes()).expect("a schema's sizes are those of a domain");
        let constraints = Constraints::new(schema).cliques();
        // With the constraints, which every tree holds: a workload that fits without them may not
        // fit with them.
        let fits = |(clique, _): &(Clique, f64)| {
            let together: Vec<Clique> = constraints.iter().chain([clique]).cloned().collect();
            let tree = JunctionTree::new(&domain, &together);
            tree.cells(&domain) as f64 <= plan.most_cells(1)
        };
        // Refused before anything is read: a fit that cannot select has spent nothing.
        if !plan.candidates.iter().any(fits) {
            return Err(RoundsError::NoMarginalFits {
                method: NAME,
                cells: plan.most_cells(1),
            }
            .into());
        }
        let candidates = plan.candidates.iter().map(|(clique, _)| clique);
        plan.counted_cells = counted_cells(NAME, candidates, schema)?;
        Ok(Box::new(plan))
    }
}

fn rounds(options: RoundOptions, columns: usize) -> u32 {
    let columns = u32::try_from(columns.max(1)).expect("columns are far fewer");
    options.rounds.unwrap_or(columns)
}

/// What a fit does, as far as it follows from public facts.
struct Mwem {
    options: RoundOptions,
    rounds: u32,
    candidates: Vec<(Clique, f64)>,
    counted_cells: u128,
}

impl Mwem {
    /// Cells that the model may have after a round, counted from 1.
    fn most_cells(&self, round: u32) -> f64 {
        self.options.max_model_cells() * f64::from(round) / f64::from(self.rounds)
    }
}

impl PreparedFit for Mwem {
    fn memory(&self) -> u64 {
        self.options.memory(self.counted_cells)
    }

    fn fit(
        self: Box<Self>,
        run: &mut Run<'_>,
        _: Option<&PublicPrior>,
    ) -> Result<Fitted, FitError> {
        fit(run, &self)
    }
}

fn fit(run: &mut Run<'_>, plan: &Mwem) -> Result<Fitted, FitError> {
    // All rounds are priced alike: what a round may spend does not depend on what the last one
    // found.
    let price = Price::of_one(run.ledger.remaining(), plan.rounds);
    // A part below 2^-48 rounds to nothing, and infinite noise would choose and measure at random.
    if price.select == Rho::ZERO {
        let label = format!("one of MWEM's {} rounds", plan.rounds);
        return Err(LedgerError::NoBudget { label }.into());
    }
    let candidates = plan.candidates.clone();
    let mut mwem = Adaptive::start(run, candidates, plan.options.max_iterations as usize)?;
    for round in 1..=plan.rounds {
        mwem.tell(run)?;
        let open = mwem.within(plan.most_cells(round));
        let chosen = mwem.select(run, &open, NOISE_PER_CELL, price.select)?;
        // Parts are rounded down; the last round takes what that left.
        let measure = if round == plan.rounds {
            run.ledger.remaining()
        } else {
            price.measure
        };
        mwem.measure(run, chosen, measure)?;
        mwem.estimate(run)?;
    }
    Ok(mwem.into_fitted())
}
