use crate::triangulation::Links;
use crate::{Clique, Domain};

/// How many cells the junction tree of a growing set of cliques has, and would have with one clique more.
///
/// All sizes are those of [`JunctionTree::new`](crate::JunctionTree::new) from scratch. Only the components of the graph that
/// the clique touches are triangulated for it.
#[derive(Debug, Clone)]
pub struct TreeSizer {
    domain: Domain,
    links: Links,
    components: Vec<Component>,
    component_of: Vec<usize>,
}

#[derive(Debug, Clone)]
struct Component {
    members: Vec<usize>,
    cells: u128,
}

impl TreeSizer {
    /// # Panics
    /// If a clique names an attribute outside the domain.
    #[must_use]
    pub fn new(domain: &Domain, cliques: &[Clique]) -> TreeSizer {
        let (links, nothing) = (Links::new(domain, cliques), Clique::new([]));
        let component = |members: Vec<usize>| Component {
            cells: links.triangulate(domain, &members, &nothing).cells,
            members,
        };
        let components = links.components().into_iter().map(component).collect();
        let mut sizer = TreeSizer {
            domain: domain.clone(),
            component_of: vec![0; domain.attributes()],
            links,
            components,
        };
        sizer.number_components();
        sizer
    }

    /// Cells of all nodes' tables together, saturating.
    #[must_use]
    pub fn cells(&self) -> u128 {
        self.cells_without(&[])
    }

    /// Cells of all nodes' tables together, saturating, if this clique were added.
    ///
    /// # Panics
    /// If the clique names an attribute outside the domain.
    #[must_use]
    pub fn cells_with(&self, clique: &Clique) -> u128 {
        if self.links.hold(clique) {
            return self.cells();
        }
        let touched = self.touched(clique);
        let joined = self.join(&touched, clique);
        self.cells_without(&touched).saturating_add(joined.cells)
    }

    /// Adds a clique.
    ///
    /// # Panics
    /// If the clique names an attribute outside the domain.
    pub fn add(&mut self, clique: &Clique) {
        if self.links.hold(clique) {
            return;
        }
        let touched = self.touched(clique);
        let joined = self.join(&touched, clique);
        self.links.add(clique);
        for component in touched.into_iter().rev() {
            self.components.remove(component);
        }
        self.components.push(joined);
        self.number_components();
    }

    /// The components that hold the clique's attributes, in ascending order.
    fn touched(&self, clique: &Clique) -> Vec<usize> {
        let mut touched: Vec<usize> = clique.iter().map(|a| self.component_of[a]).collect();
        touched.sort_unstable();
        touched.dedup();
        touched
    }

    fn join(&self, touched: &[usize], clique: &Clique) -> Component {
        let members = touched.iter().flat_map(|&i| &self.components[i].members);
        let mut members: Vec<usize> = members.copied().collect();
        members.sort_unstable();
        Component {
            cells: self.links.triangulate(&self.domain, &members, clique).cells,
            members,
        }
    }

    fn cells_without(&self, touched: &[usize]) -> u128 {
        let others = (0..self.components.len()).filter(|i| !touched.contains(i));
        others
            .map(|i| self.components[i].cells)
            .fold(0, u128::saturating_add)
    }

    fn number_components(&mut self) {
        for (i, component) in self.components.iter().enumerate() {
            component
                .members
                .iter()
                .for_each(|&a| self.component_of[a] = i);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::JunctionTree;

    proptest! {
        #[test]
        fn sizes_are_those_of_trees_built_from_scratch(
            sizes in prop::collection::vec(1_usize..50, 1..30),
            picks in prop::collection::vec(prop::collection::vec(0_usize..30, 0..5), 0..30),
            candidates in prop::collection::vec(prop::collection::vec(0_usize..30, 0..5), 10),
        ) {
            let domain = Domain::new(sizes.clone()).unwrap();
            let clique = |pick: &Vec<usize>| Clique::new(pick.iter().map(|a| a % sizes.len()));
            let (mut cliques, mut sizer) = (Vec::new(), TreeSizer::new(&domain, &[]));
            for added in picks.iter().map(clique) {
                sizer.add(&added);
                cliques.push(added);
            }
            let tree = JunctionTree::new(&domain, &cliques);
            prop_assert_eq!(sizer.cells(), tree.cells(&domain));
            prop_assert_eq!(TreeSizer::new(&domain, &cliques).cells(), tree.cells(&domain));
            for candidate in candidates.iter().map(clique) {
                let with: Vec<Clique> = cliques.iter().cloned().chain([candidate.clone()]).collect();
                prop_assert_eq!(sizer.cells_with(&candidate), JunctionTree::new(&domain, &with).cells(&domain));
            }
        }
    }

    #[test]
    fn what_no_memory_could_hold_saturates() {
        let domain = Domain::new(vec![1000; 60]).unwrap();
        let sizer = TreeSizer::new(&domain, &[Clique::new([0, 1])]);
        assert_eq!(sizer.cells_with(&Clique::new(0..60)), u128::MAX);
        assert_eq!(sizer.cells(), 1_000_000 + 58_000);
    }
}
