//! Values that no row of the table is seen to have.

use std::sync::Arc;

use schema::{Condition, Schema};

use crate::generator::Generator;
use crate::measured::Measured;

/// Codes whose noisy counts are within what noise makes of none, of those with which a row would
/// stand out: `other`, which among numbers and dates is a word that nothing in the table need have
/// led to; and a bin that takes more than half of its column's range, such as the gap before
/// 9999-12-31. No row is drawn with them: it would be made of noise alone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unseen {
    /// Columns and their codes, ascending.
    codes: Vec<(usize, usize)>,
}

impl Unseen {
    /// By the counts that were paid for, of the columns alone or of several together.
    pub(crate) fn new(schema: &Schema, measured: &[Measured]) -> Unseen {
        /// As for the rare codes of a column: noise alone passes about once in 740 columns.
        const THRESHOLD: f64 = 3.0;
        let columns = schema.columns().iter().enumerate();
        let suspects = columns.flat_map(|(at, column)| {
            let codes = [column.gap(), column.other_code()];
            codes.into_iter().flatten().map(move |code| (at, code))
        });
        let is_unseen = |&(column, code): &(usize, usize)| {
            let counts = measured.iter();
            let counts = counts.filter_map(|it| count_of(it, &schema.sizes(), column, code));
            let (mut sum, mut precision) = (0.0, 0.0);
            for (count, sigma) in counts {
                sum += count / (sigma * sigma);
                precision += 1.0 / (sigma * sigma);
            }
            // The mean has a standard deviation of one over the root of the precision.
            precision > 0.0 && sum / precision < THRESHOLD / precision.sqrt()
        };
        Unseen {
            codes: suspects.filter(is_unseen).collect(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// Whether rows are drawn with this code of this column.
    pub(crate) fn is_drawn(&self, column: usize, code: usize) -> bool {
        !self.codes.contains(&(column, code))
    }

    /// What a row satisfies that satisfies the condition and has none of these.
    pub(crate) fn excluded(&self, condition: Condition, schema: &Schema) -> Condition {
        let codes = self.codes.iter();
        codes.fold(condition, |condition, &(column, code)| {
            condition.without(&schema.columns()[column], column, code)
        })
    }

    /// The rows that are drawn: those of the generator that have none of these. All of them where
    /// it has no others, as with a column that is nothing but `other`.
    pub(crate) fn left_of(
        &mut self,
        generator: &Arc<dyn Generator>,
        schema: &Schema,
    ) -> Arc<dyn Generator> {
        self.codes.retain(|it| generator.can_leave_out(it.0));
        if self.is_empty() {
            return Arc::clone(generator);
        }
        let seen = self.excluded(Condition::anything(), schema);
        generator.given(&seen).unwrap_or_else(|| {
            self.codes.clear();
            Arc::clone(generator)
        })
    }

    /// The counts of a column's codes without those that are not drawn, of as many rows.
    pub(crate) fn without(&self, column: usize, mut counts: Vec<f64>) -> Vec<f64> {
        let before: f64 = counts.iter().sum();
        for (_, code) in self.codes.iter().filter(|it| it.0 == column) {
            counts[*code] = 0.0;
        }
        let after: f64 = counts.iter().sum();
        if after > 0.0 {
            counts.iter_mut().for_each(|count| *count *= before / after);
        }
        counts
    }
}

/// The noisy count of a code, and the standard deviation of its noise, by one measurement. `None`
/// where that is not about the column, or put some of its codes together.
fn count_of(
    measured: &Measured,
    sizes: &[usize],
    column: usize,
    code: usize,
) -> Option<(f64, f64)> {
    let place = measured.columns.iter().position(|it| it == column)?;
    let sizes: Option<Vec<usize>> = measured
        .columns
        .iter()
        .map(|it| sizes.get(it).copied())
        .collect();
    let sizes = sizes?;
    let cells = sizes
        .iter()
        .try_fold(1_usize, |cells, &size| cells.checked_mul(size));
    if cells != Some(measured.values.len()) {
        return None;
    }
    // Row-major: the code of a column is the same in runs of as many cells as the later ones have.
    let run: usize = sizes[place + 1..].iter().product();
    let values = measured.values().into_iter().enumerate();
    let own = values.filter(|(cell, _)| cell / run % sizes[place] == code);
    let sum = own.map(|(_, value)| value).sum();
    let cells = measured.values.len() / sizes[place];
    Some((sum, measured.sigma * (cells as f64).sqrt()))
}

#[cfg(test)]
mod tests {
    use marginals::Clique;
    use schema::Declaration;

    use super::*;

    fn schema() -> Schema {
        let yaml = "a: {categories: [x, y], other: true}\nb: {categories: [x, y], other: true}";
        Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap()
    }

    fn measured(columns: &[usize], values: &[i64], sigma: f64) -> Measured {
        Measured {
            columns: Clique::new(columns.iter().copied()),
            values: values.to_vec(),
            sigma,
        }
    }

    #[test]
    fn what_noise_makes_of_nothing_is_unseen() {
        let check = |all: &[Measured], expected: &[(usize, usize)]| {
            assert_eq!(Unseen::new(&schema(), all).codes, expected);
        };
        check(&[measured(&[0], &[500, 400, 9], 5.0)], &[(0, 2)]);
        check(&[measured(&[0], &[500, 400, -9], 5.0)], &[(0, 2)]);
        check(&[measured(&[0], &[500, 400, 19], 5.0)], &[]);
        // Two counts of the same rows tell more than one.
        let twice = [
            measured(&[0], &[500, 400, 12], 5.0),
            measured(&[0], &[500, 400, 12], 5.0),
        ];
        check(&twice, &[]);
        // Three cells of a pair have `other` of the second column.
        let pair = [400, 40, 2, 40, 400, 3, 1, 2, 60];
        check(&[measured(&[0, 1], &pair, 8.0)], &[]);
        check(&[measured(&[0, 1], &pair, 16.0)], &[(0, 2), (1, 2)]);
        // Nothing was measured of it.
        check(&[], &[]);
    }

    #[test]
    fn counts_without_them_have_the_same_sum() {
        let unseen = Unseen {
            codes: vec![(1, 2)],
        };
        assert_eq!(
            unseen.without(1, vec![40.0, 50.0, 10.0]),
            [400.0 / 9.0, 500.0 / 9.0, 0.0]
        );
        assert_eq!(
            unseen.without(0, vec![40.0, 50.0, 10.0]),
            [40.0, 50.0, 10.0]
        );
    }
}
