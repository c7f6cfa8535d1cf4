use crate::alignment::Alignment;
use crate::exponential::{exp_shifted, max};
use crate::{Clique, Domain, Error};

/// A dense table over a clique, of natural logarithms: one value per combination of codes,
/// row-major, the last attribute fastest. Minus infinity is an impossible combination.
#[derive(Debug, Clone, PartialEq)]
pub struct Factor {
    clique: Clique,
    sizes: Vec<usize>,
    logs: Vec<f64>,
}

impl Factor {
    /// A factor with the given logarithms.
    ///
    /// # Errors
    /// If the clique is not in the domain, the length is not the number of its cells, or a value is
    /// NaN or plus infinity.
    pub fn new(domain: &Domain, clique: Clique, logs: Vec<f64>) -> Result<Factor, Error> {
        let cells = domain.table_cells(&clique, u128::MAX)?;
        if cells != logs.len() {
            return Err(Error::WrongLength {
                clique,
                expected: cells,
                found: logs.len(),
            });
        }
        if logs.iter().any(|x| x.is_nan() || *x == f64::INFINITY) {
            return Err(Error::BadValue {
                clique,
                reason: "a logarithm must be a number below infinity",
            });
        }
        let sizes = clique.iter().map(|a| domain.size(a)).collect();
        Ok(Factor {
            clique,
            sizes,
            logs,
        })
    }

    /// The factor that is 1 everywhere.
    ///
    /// # Errors
    /// If the clique is not in the domain.
    pub fn one(domain: &Domain, clique: Clique) -> Result<Factor, Error> {
        let cells = domain.table_cells(&clique, u128::from(u32::MAX))?;
        Factor::new(domain, clique, vec![0.0; cells])
    }

    /// The attributes of the table.
    #[must_use]
    pub fn clique(&self) -> &Clique {
        &self.clique
    }

    /// The logarithms, row-major: the last attribute runs fastest.
    #[must_use]
    pub fn logs(&self) -> &[f64] {
        &self.logs
    }

    /// The product, over the union of both cliques.
    #[must_use]
    pub fn multiply(&self, other: &Factor) -> Factor {
        let clique = self.clique.union(&other.clique);
        let size_of = |a: usize| {
            self.size_of(a)
                .or_else(|| other.size_of(a))
                .expect("an attribute of the union is in one of them")
        };
        let sizes: Vec<usize> = clique.iter().map(size_of).collect();
        let mut product = Factor {
            logs: vec![0.0; sizes.iter().product()],
            clique,
            sizes,
        };
        product.align(self).add(&mut product.logs, 1.0, &self.logs);
        product
            .align(other)
            .add(&mut product.logs, 1.0, &other.logs);
        product
    }

    /// The sum over all attributes that are not in `keep`: exact to rounding at any magnitude, and
    /// minus infinity where every summand is.
    #[must_use]
    pub fn marginalize(&self, keep: &Clique) -> Factor {
        let clique = self.clique.intersection(keep);
        let sizes: Vec<usize> = clique
            .iter()
            .map(|a| self.size_of(a).expect("a subset of the own clique"))
            .collect();
        let cells = sizes.iter().product();
        let mut result = Factor {
            clique,
            sizes,
            logs: vec![f64::NEG_INFINITY; cells],
        };
        let alignment = self.align(&result);
        alignment.max(&self.logs, &mut result.logs);
        let shift: Vec<f64> = result
            .logs
            .iter()
            .map(|&m| if m == f64::NEG_INFINITY { 0.0 } else { m })
            .collect();
        let mut terms = self.logs.clone();
        alignment.add(&mut terms, -1.0, &shift);
        exp_shifted(&mut terms, 0.0);
        let mut sums = vec![0.0; cells];
        alignment.sum(&terms, &mut sums);
        result.logs = sums
            .iter()
            .zip(&shift)
            .map(|(sum, shift)| sum.ln() + shift)
            .collect();
        result
    }

    /// The logarithm of the sum of all cells.
    #[must_use]
    pub fn log_sum(&self) -> f64 {
        let largest = max(&self.logs);
        if largest == f64::NEG_INFINITY {
            return largest;
        }
        largest + exp_shifted(&mut self.logs.clone(), largest).ln()
    }

    /// The cells as probabilities, that is, divided by their sum; `None` if every cell is
    /// impossible.
    #[must_use]
    pub fn probabilities(&self) -> Option<Vec<f64>> {
        let log_sum = self.log_sum();
        (log_sum > f64::NEG_INFINITY)
            .then(|| self.logs.iter().map(|x| (x - log_sum).exp()).collect())
    }

    /// (attribute, size) in memory order.
    pub(crate) fn axes(&self) -> Vec<(usize, usize)> {
        self.clique.iter().zip(self.sizes.iter().copied()).collect()
    }

    fn size_of(&self, attribute: usize) -> Option<usize> {
        self.clique
            .iter()
            .zip(&self.sizes)
            .find(|&(a, _)| a == attribute)
            .map(|(_, &size)| size)
    }

    fn align(&self, small: &Factor) -> Alignment {
        Alignment::new(&self.axes(), &small.axes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: f64 = f64::NEG_INFINITY;

    fn domain() -> Domain {
        Domain::new(vec![2, 3, 2]).unwrap()
    }

    fn factor(attributes: &[usize], logs: &[f64]) -> Factor {
        Factor::new(
            &domain(),
            Clique::new(attributes.iter().copied()),
            logs.to_vec(),
        )
        .unwrap()
    }

    #[test]
    fn a_product_lives_on_the_union_of_the_cliques() {
        let product = factor(&[1], &[0.0, 1.0, NEVER]).multiply(&factor(&[0], &[10.0, 20.0]));
        assert_eq!(product.clique(), &Clique::new([0, 1]));
        assert_eq!(product.logs(), [10.0, 11.0, NEVER, 20.0, 21.0, NEVER]);
    }

    #[test]
    fn summing_out_survives_huge_and_impossible_logarithms() {
        let f = factor(&[0, 2], &[1e6, NEVER, NEVER, NEVER]);
        assert_eq!(f.marginalize(&Clique::new([0])).logs(), [1e6, NEVER]);
        assert_eq!(f.marginalize(&Clique::new([2])).logs(), [1e6, NEVER]);
        let f = factor(&[0, 1], &[-1e6, -1e6, -1e6, 1e6, 1e6, 1e6]);
        let sums = f.marginalize(&Clique::new([0]));
        assert!(
            (sums.logs()[0] - (3.0_f64.ln() - 1e6)).abs() < 1e-9
                && (sums.logs()[1] - (3.0_f64.ln() + 1e6)).abs() < 1e-9
        );
    }

    #[test]
    fn probabilities_sum_to_one_or_are_refused() {
        let p = factor(&[1], &[0.0, 3.0_f64.ln(), NEVER])
            .probabilities()
            .unwrap();
        assert!((p[0] - 0.25).abs() < 1e-15 && (p[1] - 0.75).abs() < 1e-15 && p[2] == 0.0);
        assert_eq!(factor(&[0], &[NEVER, NEVER]).probabilities(), None);
    }

    #[test]
    fn a_factor_over_nothing_is_a_number() {
        let number = factor(&[0, 1], &[0.0; 6]).marginalize(&Clique::new([]));
        assert!(number.clique().is_empty() && (number.logs()[0] - 6.0_f64.ln()).abs() < 1e-15);
        assert_eq!(
            number.multiply(&factor(&[0], &[0.0, 1.0])).logs(),
            [number.logs()[0], number.logs()[0] + 1.0]
        );
    }

    #[test]
    fn unusable_tables_are_refused() {
        let refused = |attributes: [usize; 1], logs: Vec<f64>| {
            Factor::new(&domain(), Clique::new(attributes), logs).unwrap_err()
        };
        assert!(matches!(
            refused([0], vec![0.0]),
            Error::WrongLength {
                expected: 2,
                found: 1,
                ..
            }
        ));
        assert!(matches!(
            refused([0], vec![0.0, f64::NAN]),
            Error::BadValue { .. }
        ));
        assert!(matches!(
            refused([0], vec![0.0, f64::INFINITY]),
            Error::BadValue { .. }
        ));
        assert!(matches!(
            refused([3], vec![0.0]),
            Error::UnknownAttribute { .. }
        ));
    }
}
