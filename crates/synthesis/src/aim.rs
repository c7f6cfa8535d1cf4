//! AIM: McKenna, Mullins, Sheldon and Miklau, "AIM: an adaptive and iterative mechanism for
//! differentially private synthetic data" (2022), arXiv:2201.12677, algorithm 1.
//!
//! Every column is measured. Then each round selects the marginal that the model is worst at,
//! beyond what noise would hide, measures it and estimates the model anew. Where a measurement
//! taught nothing, later rounds get four times the budget each; the last one takes what is left.
//! Candidates are the workload's marginals and all of their parts whose junction tree with what was
//! measured before stays within a bound that grows with what is spent.
//!
//! Two additions: columns that the workload does not name are measured with the others, since rows
//! are made of all columns; and with a target its triples are candidates too.

use std::collections::BTreeMap;
use std::f64::consts::FRAC_2_PI;

use marginals::Clique;
use privacy::{Accounting, LedgerError, Rho};
use schema::Schema;
use serde_json::{Map, Value};

use crate::adaptive::{Adaptive, Price};
use crate::fit_error::{FitError, PlanError};
use crate::fitted::Fitted;
use crate::mechanism::{Mechanism, PreparedFit};
use crate::parameters::ParameterError;
use crate::prior::PublicPrior;
use crate::rounds::{RoundOptions, RoundsError, counted_cells};
use crate::run::Run;
use crate::workload::Workload;

const NAME: &str = "AIM";
const ROUNDS_PER_COLUMN: usize = 16;

/// Options of [AIM](crate::Method::Aim).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AimOptions(pub RoundOptions);

impl Default for AimOptions {
    fn default() -> AimOptions {
        AimOptions(RoundOptions {
            rounds: None,
            max_model_mb: 80,
            max_iterations: 1000,
        })
    }
}

impl AimOptions {
    pub(crate) fn read(params: &Map<String, Value>) -> Result<AimOptions, ParameterError> {
        RoundOptions::read(NAME, AimOptions::default().0, params).map(AimOptions)
    }
}

impl Mechanism for AimOptions {
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

    fn check_columns(&self, columns: usize) -> Result<(), PlanError> {
        let rounds = rounds(self.0, columns);
        if (rounds as usize) < columns {
            // Columns alone would cost columns / rounds of nine tenths of the budget.
            return Err(RoundsError::TooFewRounds {
                method: NAME,
                rounds,
                columns,
            }
            .into());
        }
        Ok(())
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
        let columns = schema.columns().len();
        self.check_columns(columns)?;
        let rounds = rounds(self.0, columns);
        let candidates = closure(workload, schema, self.0.max_model_cells())?;
        let cliques = candidates.iter().map(|(clique, _)| clique);
        let counted_cells = counted_cells(NAME, cliques, schema)?;
        Ok(Box::new(Aim {
            options: self.0,
            rounds,
            candidates,
            counted_cells,
        }))
    }
}

fn rounds(options: RoundOptions, columns: usize) -> u32 {
    let default = ROUNDS_PER_COLUMN * columns.max(1);
    let default = u32::try_from(default).expect("columns are far fewer");
    options.rounds.unwrap_or(default)
}

/// What a fit does, as far as it follows from public facts.
struct Aim {
    options: RoundOptions,
    rounds: u32,
    /// The workload's marginals and all of their parts, with their weights; every column is among
    /// them.
    candidates: Vec<(Clique, f64)>,
    counted_cells: u128,
}

impl PreparedFit for Aim {
    fn memory(&self) -> u64 {
        self.options.memory(self.counted_cells)
    }

    fn fit(
        self: Box<Self>,
        run: &mut Run<'_>,
        _: Option<&PublicPrior>,
    ) -> Result<Fitted, FitError> {
        fit(run, *self)
    }
}

fn fit(run: &mut Run<'_>, plan: Aim) -> Result<Fitted, FitError> {
    let whole = run.ledger.remaining();
    let mut price = Price::of_one(whole, plan.rounds);
    if price.select == Rho::ZERO {
        let label = format!("one of AIM's {} rounds", plan.rounds);
        return Err(LedgerError::NoBudget { label }.into());
    }
    let columns: Vec<usize> = (0..plan.candidates.len())
        .filter(|&i| plan.candidates[i].0.len() == 1)
        .collect();
    let mut aim = Adaptive::start(run, plan.candidates, plan.options.max_iterations as usize)?;
    for column in columns {
        aim.tell(run)?;
        aim.measure(run, column, price.measure)?;
    }
    aim.estimate(run)?;
    loop {
        aim.tell(run)?;
        let remaining = run.ledger.remaining();
        let last = !affords_two(remaining, price);
        if last {
            price.select = remaining.share(1, 10);
            price.measure = less(remaining, price.select);
        }
        let used_with_this = less(whole, less(remaining, price.sum()));
        let share = used_with_this.get() / whole.get();
        let open = aim.within(plan.options.max_model_cells() * share);
        let noise_per_cell = FRAC_2_PI.sqrt() * run.ledger.sigma(price.measure);
        let chosen = aim.select(run, &open, noise_per_cell, price.select)?;
        let before = aim.modelled(chosen)?;
        aim.measure(run, chosen, price.measure)?;
        aim.estimate(run)?;
        if last {
            return Ok(aim.into_fitted());
        }
        let change = l1_distance(&before, &aim.modelled(chosen)?);
        if change <= noise_per_cell * aim.cells(chosen) {
            price = Price {
                select: times_four(price.select),
                measure: times_four(price.measure),
            };
        }
    }
}

/// The workload's marginals and all their non-empty parts, with w_r, the sum over the workload of
/// c_s times the number of columns that r and s share; and every column. Marginals that no model
/// may hold are left out.
fn closure(
    workload: &Workload,
    schema: &Schema,
    max_model_cells: f64,
) -> Result<Vec<(Clique, f64)>, RoundsError> {
    /// More than any machine would score in each round.
    const MOST: usize = 1 << 20;
    let sizes = schema.sizes();
    let mut parts: BTreeMap<Clique, f64> =
        (0..sizes.len()).map(|a| (Clique::new([a]), 0.0)).collect();
    // Pairs alone are better than no fit.
    let room = MOST.saturating_sub(2 * workload.marginals().len());
    let triples = triples_of_target(workload, &sizes, room).into_iter();
    parts.extend(triples.map(|triple| (triple, 0.0)));
    for (marginal, _) in workload.marginals() {
        let mut subsets = vec![(Clique::new([]), 1.0)];
        for a in marginal.iter() {
            let with_a = subsets
                .iter()
                .map(|(part, cells)| (part.union(&Clique::new([a])), cells * sizes[a] as f64))
                .filter(|(_, cells)| *cells <= max_model_cells)
                .collect::<Vec<_>>();
            subsets.extend(with_a);
            if parts.len() + subsets.len() > MOST {
                return Err(RoundsError::TooManyMarginals {
                    method: NAME,
                    limit: MOST,
                });
            }
        }
        parts.extend(subsets.into_iter().skip(1).map(|(part, _)| (part, 0.0)));
    }
    // The sum over s of c_s |r n s| is, column by column of r, that over the marginals s which have
    // the column.
    let mut of_column = vec![0.0; sizes.len()];
    for (marginal, c) in workload.marginals() {
        marginal.iter().for_each(|a| of_column[a] += c);
    }
    for (part, weight) in &mut parts {
        *weight = part.iter().map(|a| of_column[a]).sum();
    }
    Ok(parts.into_iter().collect())
}

/// Of a workload with a target, the triples of it and two columns that the workload pairs it with:
/// what two columns say together of a third shows in no pair. Ours, not the paper's, which has such
/// triples as a workload.
fn triples_of_target(workload: &Workload, sizes: &[usize], room: usize) -> Vec<Clique> {
    /// Noise buries larger ones, and all are scored in each round.
    const MOST_CELLS: usize = 10_000;
    let Some(target) = workload.target() else {
        return Vec::new();
    };
    let marginals = workload.marginals().iter();
    let other = |(marginal, _): &(Clique, f64)| match *marginal.attributes() {
        [a, b] if a == target => Some(b),
        [a, b] if b == target => Some(a),
        _ => None,
    };
    let beside: Vec<usize> = marginals.filter_map(other).collect();
    if beside.len() * beside.len().saturating_sub(1) / 2 > room {
        return Vec::new();
    }
    let mut triples = Vec::new();
    for (i, &a) in beside.iter().enumerate() {
        let cells = |b: usize| {
            sizes[target]
                .saturating_mul(sizes[a])
                .saturating_mul(sizes[b])
        };
        let others = beside[i + 1..].iter().filter(|&&b| cells(b) <= MOST_CELLS);
        triples.extend(others.map(|&b| Clique::new([target, a, b])));
    }
    triples
}

fn affords_two(remaining: Rho, price: Price) -> bool {
    let two = price.sum().checked_add(price.sum());
    two.is_some_and(|two| two <= remaining)
}

fn less(whole: Rho, part: Rho) -> Rho {
    whole.checked_sub(part).unwrap_or(Rho::ZERO)
}

fn times_four(rho: Rho) -> Rho {
    let twice = rho.checked_add(rho).unwrap_or(Rho::MAX);
    twice.checked_add(twice).unwrap_or(Rho::MAX)
}

fn l1_distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum()
}

#[cfg(test)]
mod tests {
    use schema::Declaration;

    use super::*;
    use crate::NamedMarginal;

    fn workload(marginals: &[(&[&str], f64)]) -> (Workload, Schema) {
        let yaml = "a: {categories: [x, y]}\nb: {categories: [x, y, z]}\nc: {integer: {min: 0, \
                    max: 9}}\nd: {categories: [x]}\n";
        let schema = Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap();
        let named = |&(columns, weight): &(&[&str], f64)| NamedMarginal {
            columns: columns.iter().map(|&name| name.to_owned()).collect(),
            weight,
        };
        let named: Vec<NamedMarginal> = marginals.iter().map(named).collect();
        (Workload::new(&named, &schema).unwrap(), schema)
    }

    #[test]
    fn parts_are_weighed_by_what_they_share_with_the_workload() {
        let (workload, schema) = workload(&[(&["a", "b"], 2.0), (&["a", "b", "c"], 0.5)]);
        let parts = closure(&workload, &schema, 1e6).unwrap();
        let expected = [
            (vec![0], 2.5),
            (vec![0, 1], 2.0 * 2.0 + 0.5 * 2.0),
            (vec![0, 1, 2], 2.0 * 2.0 + 0.5 * 3.0),
            (vec![0, 2], 2.0 + 0.5 * 2.0),
            (vec![1], 2.5),
            (vec![1, 2], 2.0 + 0.5 * 2.0),
            (vec![2], 0.5),
            (vec![3], 0.0),
        ];
        assert_eq!(
            parts,
            expected.map(|(part, weight)| (Clique::new(part), weight))
        );
    }

    #[test]
    fn parts_that_no_model_may_hold_are_left_out() {
        let (workload, schema) = workload(&[(&["a", "b", "c"], 1.0)]);
        let parts = closure(&workload, &schema, 29.0).unwrap();
        let names: Vec<String> = parts.iter().map(|(part, _)| part.to_string()).collect();
        assert_eq!(names, ["{0}", "{0, 1}", "{0, 2}", "{1}", "{2}", "{3}"]);
    }

    #[test]
    fn prices_are_multiplied_in_whole_units() {
        let whole = Rho::try_from(0.5).unwrap();
        let price = Price::of_one(whole, 80);
        assert_eq!(price.select, whole.share(1, 800));
        assert_eq!(price.measure, whole.share(9, 800));
        assert_eq!(times_four(price.select).get(), 4.0 * price.select.get());
        assert_eq!(times_four(Rho::MAX), Rho::MAX);
        assert!(affords_two(
            price.sum().checked_add(price.sum()).unwrap(),
            price
        ));
        assert!(!affords_two(less(whole, whole), price));
    }
}
