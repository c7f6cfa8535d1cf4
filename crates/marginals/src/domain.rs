use serde::{Deserialize, Serialize};

use crate::{Clique, Error};

/// The number of codes of each attribute; attributes are named by their position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<usize>", into = "Vec<usize>")]
pub struct Domain {
    sizes: Vec<usize>,
}

impl Domain {
    /// A domain of attributes with codes `0..size`. A domain without attributes is allowed.
    ///
    /// # Errors
    /// [`Error::BadSize`] unless every size is in `1..=u32::MAX`.
    pub fn new(sizes: Vec<usize>) -> Result<Domain, Error> {
        let bad = |&(_, &size): &(usize, &usize)| size == 0 || u32::try_from(size).is_err();
        match sizes.iter().enumerate().find(bad) {
            Some((attribute, &size)) => Err(Error::BadSize { attribute, size }),
            None => Ok(Domain { sizes }),
        }
    }

    /// Number of attributes in the domain.
    #[must_use]
    pub fn attributes(&self) -> usize {
        self.sizes.len()
    }

    /// Number of codes of each attribute.
    #[must_use]
    pub fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    /// Number of codes of one attribute.
    ///
    /// # Panics
    /// If the attribute is outside the domain.
    #[must_use]
    pub fn size(&self, attribute: usize) -> usize {
        self.sizes[attribute]
    }

    /// Cells of the clique's table, saturating at `u128::MAX`; 1 for the empty clique.
    ///
    /// # Panics
    /// If the clique names an attribute outside the domain.
    #[must_use]
    pub fn cells(&self, clique: &Clique) -> u128 {
        clique.iter().fold(1, |cells: u128, a| {
            cells.saturating_mul(self.sizes[a] as u128)
        })
    }

    /// Whether every attribute of the clique is in the domain.
    ///
    /// # Errors
    /// [`Error::UnknownAttribute`] otherwise.
    pub fn check(&self, clique: &Clique) -> Result<(), Error> {
        if clique.iter().all(|a| a < self.attributes()) {
            Ok(())
        } else {
            Err(Error::UnknownAttribute {
                clique: clique.clone(),
                attributes: self.attributes(),
            })
        }
    }

    /// Cells of a clique whose table must be held in memory.
    pub(crate) fn table_cells(&self, clique: &Clique, limit: u128) -> Result<usize, Error> {
        self.check(clique)?;
        let cells = self.cells(clique);
        match usize::try_from(cells) {
            Ok(fits) if cells <= limit => Ok(fits),
            _ => Err(Error::TooLarge { cells, limit }),
        }
    }
}

impl TryFrom<Vec<usize>> for Domain {
    type Error = Error;

    fn try_from(sizes: Vec<usize>) -> Result<Domain, Error> {
        Domain::new(sizes)
    }
}

impl From<Domain> for Vec<usize> {
    fn from(domain: Domain) -> Vec<usize> {
        domain.sizes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_needs_at_least_one_code() {
        assert_eq!(
            Domain::new(vec![2, 0]),
            Err(Error::BadSize {
                attribute: 1,
                size: 0
            })
        );
    }

    #[test]
    fn cells_of_a_huge_clique_saturate_instead_of_overflowing() {
        let domain = Domain::new(vec![u32::MAX as usize; 10]).unwrap();
        assert_eq!(domain.cells(&Clique::new(0..10)), u128::MAX);
        assert_eq!(domain.cells(&Clique::new([])), 1);
    }
}
