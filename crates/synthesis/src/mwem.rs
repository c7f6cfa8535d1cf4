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
        let params = in_our_words(params)?;
        RoundOptions::read(NAME, MwemOptions::default().0, &params).map(MwemOptions)
    }
}

/// What smartnoise-synth calls otherwise.
const ALIASES: [(&str, &str); 2] = [
    ("iterations", "rounds"),
    ("mult_weights_iterations", "max_iterations"),
];

const SPLITS: &str =
    "cannot be chosen: one model holds all columns, and none are split off; leave it out";
const BINS: &str = "cannot be chosen here: declare the column's `bins` in its schema";

/// Its parameters that mean nothing for a graphical model, and what there is instead.
const REFUSED: [(&str, &str); 6] = [
    (
        "q_count",
        "cannot be chosen: the marginals of `workload` are chosen among, all pairs by default; \
         leave it out",
    ),
    ("splits", SPLITS),
    ("split_factor", SPLITS),
    ("max_bin_count", BINS),
    ("custom_bin_count", BINS),
    (
        "max_retries_exp_mechanism",
        "must be a whole number; it changes nothing, as a selection is never made again",
    ),
];

fn in_our_words(params: &Map<String, Value>) -> Result<Map<String, Value>, ParameterError> {
    let mut ours = Map::new();
    for (name, value) in params {
        if let Some(&(name, reason)) = REFUSED.iter().find(|(refused, _)| refused == name) {
            if says_what_is_done(name, value) {
                continue;
            }
            return Err(ParameterError::Refused {
                method: NAME,
                name,
                reason,
            });
        }
        let alias = ALIASES.iter().find(|(alias, _)| alias == name);
        if let Some(&(alias, own)) = alias.filter(|(_, own)| params.contains_key(*own)) {
            return Err(ParameterError::Refused {
                method: NAME,
                name: alias,
                reason: match own {
                    "rounds" => "means the same as `rounds`: give one of them",
                    _ => "means the same as `max_iterations`: give one of them",
                },
            });
        }
        let own = alias.map_or(name.as_str(), |&(_, own)| own);
        ours.insert(own.to_owned(), value.clone());
    }
    Ok(ours)
}

/// Whether the value asks for what is done anyway: nothing is split off or binned otherwise, and a
/// selection is never made again, however often it might be.
fn says_what_is_done(name: &str, value: &Value) -> bool {
    match name {
        "splits" => value.as_array().is_some_and(Vec::is_empty),
        "split_factor" => value.is_null(),
        "custom_bin_count" => value.as_object().is_some_and(Map::is_empty),
        "max_retries_exp_mechanism" => value.is_u64(),
        _ => false,
    }
}

impl Mechanism for MwemOptions {
    fn accounting(&self) -> Accounting {
        Accounting::Zcdp
    }

    fn counts_rows_in_all(&self) -> bool {
        true
    }

    fn takes_workload(&self) -> bool {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(params: Value) -> Result<MwemOptions, String> {
        MwemOptions::read(params.as_object().unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn other_programs_names_are_read_or_told_what_they_would_mean() {
        let options = read(json!({"iterations": 7, "mult_weights_iterations": 30})).unwrap();
        assert_eq!((options.0.rounds, options.0.max_iterations), (Some(7), 30));
        let as_it_is = json!({
            "splits": [], "split_factor": null, "custom_bin_count": {},
            "max_retries_exp_mechanism": 1000,
        });
        assert_eq!(read(as_it_is), read(json!({})));
        for (params, told) in [
            (
                json!({"iterations": 7, "rounds": 7}),
                "`iterations` of MWEM means the same as `rounds`",
            ),
            (
                json!({"q_count": 400}),
                "`q_count` of MWEM cannot be chosen: the marginals of",
            ),
            (
                json!({"splits": [[0, 1]]}),
                "`splits` of MWEM cannot be chosen: one model holds",
            ),
            (
                json!({"max_bin_count": 9}),
                "declare the column's `bins` in its schema",
            ),
            (
                json!({"iterations": 0}),
                "`rounds` of MWEM must be a whole number between 1 and",
            ),
        ] {
            let error = read(params).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }
}
