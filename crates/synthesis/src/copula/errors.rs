//! How far a copula is from the table, and how far independent columns would be.

use marginals::Clique;
use privacy::{Rho, Score};

use super::generator::GaussianCopula;
use crate::batches::batches;
use crate::errors::{MOST_CELLS, MeasuredError, MeasuredErrors, Wanted, expand};
use crate::fit_error::FitError;
use crate::run::Run;
use crate::workload::Workload;

/// Cells of all pairs whose shares the copula gives, at most: a few seconds.
const MOST_COPULA_CELLS: usize = 1 << 24;

/// As [`measure_errors`](crate::errors::measure_errors), of single columns and pairs. For each pair
/// that the copula relates, the distance of independent columns is measured beside, with the same
/// noise: the budget buys the comparison as well.
pub(super) fn measure(
    run: &mut Run<'_>,
    copula: &GaussianCopula,
    workload: &Workload,
) -> Result<Option<MeasuredErrors>, FitError> {
    let rho = run.ledger.remaining();
    let Wanted {
        cliques,
        cells,
        mut left_out,
    } = Wanted::new(workload, &run.schema().sizes());
    if cliques.is_empty() || rho == Rho::ZERO {
        return Ok(None);
    }
    let (mut scores, mut compared) = (Vec::<Score>::new(), Vec::<Compared>::new());
    let mut copula_cells = 0_usize;
    for batch in batches(&cells, MOST_CELLS) {
        run.at("measuring errors", batch.start, cliques.len())?;
        let counts = run.count(&cliques[batch.clone()])?;
        for ((clique, &cells), counts) in
            cliques[batch.clone()].iter().zip(&cells[batch]).zip(counts)
        {
            let correlation = match clique.attributes() {
                &[a, b] => copula.correlation(a, b),
                _ => None,
            };
            if correlation.is_some() {
                copula_cells = copula_cells.saturating_add(cells);
            }
            if clique.len() > 2 || correlation.is_some() && copula_cells > MOST_COPULA_CELLS {
                left_out += 1;
                continue;
            }
            let field = &copula.independent;
            let alone = expand(field.field.marginal(clique)?, clique, &field.compressions);
            let mut error = Compared {
                columns: clique.clone(),
                relation: 0.0,
                is_related: false,
            };
            if let (Some(correlation), &[a, b]) = (correlation, clique.attributes()) {
                let total = field.field.total();
                let modelled: Vec<f64> = copula
                    .pair([a, b], correlation)
                    .iter()
                    .map(|share| share * total)
                    .collect();
                error.is_related = true;
                error.relation = modelled
                    .iter()
                    .zip(&alone)
                    .map(|(cell, product)| (cell - product).abs())
                    .sum();
                scores.push(counts.l1_distance(&modelled));
            } else if clique.len() > 1 {
                let sizes: Vec<usize> = clique
                    .iter()
                    .map(|column| field.field.domain().size(column))
                    .collect();
                let table = field.field.marginal(clique)?;
                error.relation = crate::errors::relation(&table, &sizes, field.total());
            }
            scores.push(counts.l1_distance(&alone));
            compared.push(error);
        }
    }
    if scores.is_empty() {
        return Ok(None);
    }
    let noisy = run
        .ledger
        .measure_scores("errors of the model", &scores, rho, run.rng)?;
    let mut values = noisy.values.into_iter();
    let mut next = || values.next().expect("one for each score");
    let marginals = compared.into_iter().map(|it| {
        let distance = next();
        MeasuredError {
            columns: it.columns,
            distance,
            relation: it.relation,
            independent: Some(if it.is_related { next() } else { distance }),
        }
    });
    Ok(Some(MeasuredErrors {
        marginals: marginals.collect(),
        sigma: noisy.sigma,
        left_out,
    }))
}

struct Compared {
    columns: Clique,
    relation: f64,
    /// Whether the copula says another thing than independence does.
    is_related: bool,
}
