use std::fmt;

use serde::{Deserialize, Serialize};

/// A set of attributes, kept sorted. Tables over a clique are row-major in that order: the last
/// attribute's code runs fastest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<usize>", into = "Vec<usize>")]
pub struct Clique(Vec<usize>);

impl Clique {
    /// The set of the given attributes; order and repetition do not matter.
    #[must_use]
    pub fn new(attributes: impl IntoIterator<Item = usize>) -> Clique {
        let mut sorted: Vec<usize> = attributes.into_iter().collect();
        sorted.sort_unstable();
        sorted.dedup();
        Clique(sorted)
    }

    /// The attributes, ascending.
    #[must_use]
    pub fn attributes(&self) -> &[usize] {
        &self.0
    }

    /// Attributes in ascending order, by value.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = usize> + ExactSizeIterator + '_ {
        self.0.iter().copied()
    }

    /// Number of attributes in the clique.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether this is the empty set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the attribute is in the set.
    #[must_use]
    pub fn contains(&self, attribute: usize) -> bool {
        self.0.binary_search(&attribute).is_ok()
    }

    /// Whether every attribute is also in `other`.
    #[must_use]
    pub fn is_subset(&self, other: &Clique) -> bool {
        self.len() <= other.len() && self.iter().all(|a| other.contains(a))
    }

    /// The attributes that are in both cliques.
    #[must_use]
    pub fn intersection(&self, other: &Clique) -> Clique {
        Clique(self.iter().filter(|&a| other.contains(a)).collect())
    }

    /// The attributes that are in either clique.
    #[must_use]
    pub fn union(&self, other: &Clique) -> Clique {
        Clique::new(self.iter().chain(other.iter()))
    }

    /// Attributes of this set that are not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Clique) -> Clique {
        Clique(self.iter().filter(|&a| !other.contains(a)).collect())
    }
}

impl From<Vec<usize>> for Clique {
    fn from(attributes: Vec<usize>) -> Clique {
        Clique::new(attributes)
    }
}

impl From<Clique> for Vec<usize> {
    fn from(clique: Clique) -> Vec<usize> {
        clique.0
    }
}

impl fmt::Display for Clique {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (i, attribute) in self.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{attribute}")?;
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clique_is_a_sorted_set_whatever_it_is_made_from() {
        let clique = Clique::new([5, 1, 5, 3]);
        assert_eq!(clique.attributes(), [1, 3, 5]);
        assert_eq!(clique.to_string(), "{1, 3, 5}");
    }

    #[test]
    fn set_operations_agree_with_their_names() {
        let (a, b) = (Clique::new([0, 2, 4]), Clique::new([2, 3]));
        assert_eq!(a.intersection(&b), Clique::new([2]));
        assert_eq!(a.union(&b), Clique::new([0, 2, 3, 4]));
        assert_eq!(a.difference(&b), Clique::new([0, 4]));
        assert!(Clique::new([]).is_subset(&b) && !a.is_subset(&b));
    }
}
