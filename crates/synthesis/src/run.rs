//! What every mechanism works with while it fits.

use std::ops::ControlFlow;

use marginals::Clique;
use privacy::{Division, GradientSum, Ledger, NoiseRng, Rho, Votes};
use schema::Schema;
use tabular::{CountSource, PartVote, Recoding, RowSum, SourceError};

use crate::fit_error::FitError;
use crate::measured::Measured;

/// How far a fit is. Says nothing about the data: the number of steps depends on public facts and
/// released noise only.
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
pub type Watcher<'a> = dyn FnMut(Progress) -> ControlFlow<()> + 'a;

/// A table, what may be spent on it, and who is told how far the fit is.
pub(crate) struct Run<'a> {
    table: &'a dyn CountSource,
    pub(crate) ledger: &'a mut Ledger,
    pub(crate) rng: &'a mut NoiseRng,
    progress: &'a mut Watcher<'a>,
}

impl<'a> Run<'a> {
    /// Notes in the ledger where the table's domain came from.
    ///
    /// # Errors
    /// [`FitError::RowsPerId`]: every bound on what a row can change rests on it.
    pub(crate) fn new(
        table: &'a dyn CountSource,
        ledger: &'a mut Ledger,
        rng: &'a mut NoiseRng,
        progress: &'a mut Watcher<'a>,
    ) -> Result<Run<'a>, FitError> {
        if table.rows_per_id() > ledger.rows_per_id() {
            return Err(FitError::RowsPerId {
                table: table.rows_per_id(),
                plan: ledger.rows_per_id(),
            });
        }
        ledger.note_domain(table.domain());
        ledger.note_domain_spends(table.domain_spends());
        Ok(Run {
            table,
            ledger,
            rng,
            progress,
        })
    }

    pub(crate) fn schema(&self) -> &'a Schema {
        self.table.schema()
    }

    /// The contingency tables of these sets of columns.
    pub(crate) fn count(&self, cliques: &[Clique]) -> Result<Vec<privacy::Counts>, FitError> {
        self.count_recoded(cliques, None)
    }

    /// The contingency tables of these sets of columns, perhaps under other codes.
    pub(crate) fn count_recoded(
        &self,
        cliques: &[Clique],
        recoding: Option<&Recoding>,
    ) -> Result<Vec<privacy::Counts>, FitError> {
        let columns: Vec<Vec<usize>> = cliques
            .iter()
            .map(|clique| clique.attributes().to_vec())
            .collect();
        let counts = self.table.count(&columns, recoding)?;
        // A source elsewhere may answer anything, and noise for other cells would be paid for.
        let sizes = recoding.map_or_else(|| self.schema().sizes(), |it| it.sizes().to_vec());
        let cells = |columns: &Vec<usize>| -> usize { columns.iter().map(|&c| sizes[c]).product() };
        if !columns
            .iter()
            .map(cells)
            .eq(counts.iter().map(privacy::Counts::len))
        {
            let message = "the answer has other tables or cells than were asked for";
            return Err(SourceError(message.to_owned()).into());
        }
        Ok(counts)
    }

    /// The sum over all rows of a vector for each, under other codes.
    pub(crate) fn sum_rows(
        &self,
        recoding: &Recoding,
        what: &dyn RowSum,
    ) -> Result<GradientSum, FitError> {
        let sum = self.table.sum_rows(recoding, what)?;
        if sum.len() != what.coordinates() {
            let message = "the answer has other coordinates than were asked for";
            return Err(SourceError(message.to_owned()).into());
        }
        Ok(sum)
    }

    /// How many parts of the rows, under other codes, answer each question with yes.
    pub(crate) fn votes(
        &self,
        recoding: &Recoding,
        division: &Division,
        what: &dyn PartVote,
    ) -> Result<Votes, FitError> {
        let votes = self.table.votes(recoding, division, what)?;
        if votes.len() != what.questions() {
            let message = "the answer is about other questions than were asked";
            return Err(SourceError(message.to_owned()).into());
        }
        Ok(votes)
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

    /// Measures marginals for the given total, shared out by weight. `counts` are read one after
    /// the other.
    pub(crate) fn measure(
        &mut self,
        stage: &'static str,
        rho: Rho,
        cliques: &[(Clique, f64)],
        mut counts: impl FnMut(&Run<'_>, &Clique) -> Result<privacy::Counts, FitError>,
    ) -> Result<Vec<Measured>, FitError> {
        let weights: Vec<f64> = cliques.iter().map(|&(_, weight)| weight).collect();
        let shares = rho.split(&weights).expect("weights are positive");
        let mut measured = Vec::with_capacity(cliques.len());
        for (i, ((clique, _), rho)) in cliques.iter().zip(shares).enumerate() {
            self.at(stage, i, cliques.len())?;
            let counts = counts(self, clique)?;
            // The noise is drawn and the spend recorded in one call: there is no way to release a
            // count and not pay.
            let noisy = self
                .ledger
                .measure(&self.label(clique), &counts, rho, self.rng)?;
            measured.push(Measured::new(clique.clone(), &noisy));
        }
        Ok(measured)
    }

    /// Measures every column for the given total.
    pub(crate) fn measure_columns(&mut self, rho: Rho) -> Result<Vec<Measured>, FitError> {
        let sizes = self.schema().sizes();
        let columns = sizes.iter().enumerate();
        let weighted: Vec<(Clique, f64)> = columns
            .map(|(column, &size)| (Clique::new([column]), column_weight(size)))
            .collect();
        self.measure("measuring columns", rho, &weighted, |run, column| {
            run.count_one(column)
        })
    }

    /// The contingency table of one set of columns.
    pub(crate) fn count_one(&self, clique: &Clique) -> Result<privacy::Counts, FitError> {
        let mut counts = self.count(std::slice::from_ref(clique))?;
        Ok(counts.pop().expect("one clique gives one table"))
    }

    pub(crate) fn label(&self, clique: &Clique) -> String {
        let columns = self.schema().columns();
        // Names only, which are public: anyone may read the labels in the ledger's record.
        let names: Vec<&str> = clique.iter().map(|a| columns[a].name()).collect();
        names.join(" x ")
    }
}

/// What a column gets of a budget for all columns: in proportion to size^(2/3), which minimises the
/// sum of the expected L1 errors, size * sigma.
pub(crate) fn column_weight(size: usize) -> f64 {
    (size as f64).powf(2.0 / 3.0)
}

#[cfg(test)]
mod tests {
    use privacy::{Accounting, Delta, Epsilon, LedgerOptions};
    use schema::Declaration;
    use serde_json::Map;
    use tabular::CodedTable;

    use super::*;
    use crate::Method;
    use crate::common::{PAIRS, fit};

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
        let mut ledger = Ledger::open(LedgerOptions::new(
            Epsilon::new(1.0).unwrap(),
            Delta::new(1e-6).unwrap(),
            Accounting::Zcdp,
        ))
        .unwrap();
        let mut rng = testkit::noise(5);
        let mut go_on = |_| ControlFlow::Continue(());
        fit(
            &table,
            method,
            &Map::new(),
            PAIRS,
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
