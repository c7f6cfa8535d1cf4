use crate::blocks::Blocks;
use crate::triangulation::Links;
use crate::{Clique, Domain};

/// How many cells the junction tree of a growing set of cliques has, and would have with one clique
/// more.
///
/// All sizes are those of [`JunctionTree::new`](crate::JunctionTree::new) from scratch. For a
/// clique only those parts of the graph are triangulated that lie between its attributes.
#[derive(Debug, Clone)]
pub struct TreeSizer {
    domain: Domain,
    links: Links,
    blocks: Blocks,
    /// Cells of each block's maximal cliques.
    cells: Vec<u128>,
}

/// What a clique makes of the parts of a graph.
struct Change {
    /// The blocks that become one, ascending.
    merged: Vec<usize>,
    /// Members of the block that results, ascending.
    members: Vec<usize>,
}

impl TreeSizer {
    /// # Panics
    /// If a clique names an attribute outside the domain.
    #[must_use]
    pub fn new(domain: &Domain, cliques: &[Clique]) -> TreeSizer {
        let (links, nothing) = (Links::new(domain, cliques), Clique::new([]));
        let blocks = links.blocks();
        let cells = blocks
            .blocks
            .iter()
            .map(|block| cells_of(domain, &links, &block.members, &nothing))
            .collect();
        TreeSizer {
            domain: domain.clone(),
            links,
            blocks,
            cells,
        }
    }

    /// Cells of all nodes' tables together, saturating.
    #[must_use]
    pub fn cells(&self) -> u128 {
        self.cells_without(&[], &Clique::new([]))
    }

    /// Cells of all nodes' tables together, saturating, if this clique were added.
    ///
    /// # Panics
    /// If the clique names an attribute outside the domain.
    #[must_use]
    pub fn cells_with(&self, clique: &Clique) -> u128 {
        // A clique that is linked already changes neither the graph nor its triangulation.
        if self.links.hold(clique) {
            return self.cells();
        }
        let Change { merged, members } = self.change(clique);
        let new = cells_of(&self.domain, &self.links, &members, clique);
        self.cells_without(&merged, clique).saturating_add(new)
    }

    /// How many attributes are triangulated anew to tell [`cells_with`](Self::cells_with).
    ///
    /// # Panics
    /// If the clique names an attribute outside the domain.
    #[must_use]
    pub fn attributes_between(&self, clique: &Clique) -> usize {
        match self.links.hold(clique) {
            true => 0,
            false => self.change(clique).members.len(),
        }
    }

    /// About what it took to triangulate everything: for each part of the graph that no single
    /// attribute separates, the square of the number of its attributes.
    #[must_use]
    pub fn work(&self) -> u64 {
        let members = self.blocks.blocks.iter().map(|block| &block.members);
        let large = members
            .map(|members| members.len() as u64)
            .filter(|n| *n > 2);
        large.map(|n| n * n).sum()
    }

    /// Adds a clique to the graph, and so to the tree.
    ///
    /// # Panics
    /// If the clique names an attribute outside the domain.
    pub fn add(&mut self, clique: &Clique) {
        if self.links.hold(clique) {
            return;
        }
        // A new clique joins the blocks on the ways between its attributes and touches no other.
        let members = self.change(clique).members;
        let new = cells_of(&self.domain, &self.links, &members, clique);
        self.links.add(clique);
        let blocks = self.links.blocks();
        let cells = blocks
            .blocks
            .iter()
            .map(|block| match self.position(&block.members) {
                Some(before) if block.members != members => self.cells[before],
                _ => new,
            });
        self.cells = cells.collect();
        self.blocks = blocks;
    }

    /// The block with these members.
    fn position(&self, members: &[usize]) -> Option<usize> {
        // One of any two members is not the top.
        let above = members.iter().take(2).filter_map(|&a| self.blocks.above[a]);
        let is_same = |&block: &usize| self.blocks.blocks[block].members == members;
        above.into_iter().find(is_same)
    }

    fn change(&self, clique: &Clique) -> Change {
        let mut merged: Vec<usize> = Vec::new();
        let mut firsts: Vec<usize> = Vec::new();
        // Ways to one attribute of each component suffice: all ways of a component go through its
        // blocks.
        for a in clique.iter() {
            let way = firsts.iter().find_map(|&b| self.blocks.between(a, b));
            match way {
                Some(way) => merged.extend(way),
                None => firsts.push(a),
            }
        }
        merged.sort_unstable();
        merged.dedup();
        let within = merged.iter().flat_map(|&i| &self.blocks.blocks[i].members);
        let mut members: Vec<usize> = within.copied().chain(clique.iter()).collect();
        members.sort_unstable();
        members.dedup();
        Change { merged, members }
    }

    /// Cells of the blocks that are not among these, and of attributes without links that are not
    /// in the clique.
    fn cells_without(&self, merged: &[usize], clique: &Clique) -> u128 {
        let blocks = self.cells.iter().enumerate();
        let kept = blocks.filter(|(i, _)| merged.binary_search(i).is_err());
        let blocks = kept.fold(0, |sum: u128, (_, cells)| sum.saturating_add(*cells));
        // An attribute without links is a clique of its own, and in no block.
        let lone = (0..self.domain.attributes())
            .filter(|&a| self.links.neighbours(a).is_empty() && !clique.contains(a))
            .map(|a| self.domain.size(a) as u128);
        lone.fold(blocks, u128::saturating_add)
    }
}

/// Cells of the maximal cliques of some attributes and their links, with a clique added.
fn cells_of(domain: &Domain, links: &Links, members: &[usize], added: &Clique) -> u128 {
    match members {
        // Two linked attributes need no triangulation, and most blocks of a forest are such.
        [a, b] => domain.size(*a) as u128 * domain.size(*b) as u128,
        _ => links.triangulate(domain, members, added).cells,
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
                let with = cliques.iter().cloned().chain([candidate.clone()]);
                let with: Vec<Clique> = with.collect();
                prop_assert_eq!(
                    sizer.cells_with(&candidate),
                    JunctionTree::new(&domain, &with).cells(&domain)
                );
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
