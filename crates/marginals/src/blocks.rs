//! The biconnected components of a graph of attributes: where single attributes hold it together.

/// A part of a graph that stays connected without any one of its attributes, and is as large as can
/// be (a biconnected component); or two attributes whose link is the only connection between
/// the two sides.
///
/// Parts share single attributes, so that a triangulation of each is one of the whole graph, and
/// the maximal cliques of the whole are those of the parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    /// Its attributes, ascending; two at least.
    pub(crate) members: Vec<usize>,
    /// The member that was met first: every other member's way to the root leads over it.
    pub(crate) top: usize,
}

/// The blocks of a graph.
#[derive(Debug, Clone)]
pub(crate) struct Blocks {
    pub(crate) blocks: Vec<Block>,
    /// For each attribute the block of which it is a member but not the top. A root has none.
    pub(crate) above: Vec<Option<usize>>,
}

impl Blocks {
    /// From the neighbours of each attribute, by one search in depth (Hopcroft and Tarjan 1973).
    pub(crate) fn new(neighbours: &[Vec<usize>]) -> Blocks {
        let mut search = Search {
            neighbours,
            order: vec![0; neighbours.len()],
            lowest: vec![0; neighbours.len()],
            met: 0,
            open: Vec::new(),
            found: Blocks {
                blocks: Vec::new(),
                above: vec![None; neighbours.len()],
            },
        };
        for root in 0..neighbours.len() {
            if search.order[root] == 0 {
                search.visit_component(root);
            }
        }
        search.found
    }

    /// The blocks on the way between two attributes; `None` if there is no way.
    pub(crate) fn between(&self, a: usize, b: usize) -> Option<Vec<usize>> {
        let ((mut of_a, root), (mut of_b, other_root)) = (self.way_up(a), self.way_up(b));
        if root != other_root {
            return None;
        }
        // What both ways share near the root is not part of the way between.
        while of_a.last().is_some() && of_a.last() == of_b.last() {
            of_a.pop();
            of_b.pop();
        }
        let blocks = of_a.iter().chain(&of_b).map(|&(_, block)| block);
        Some(blocks.collect())
    }

    /// Attributes and the blocks above them on the way to a root, and the root.
    fn way_up(&self, mut attribute: usize) -> (Vec<(usize, usize)>, usize) {
        let mut way = Vec::new();
        while let Some(block) = self.above[attribute] {
            way.push((attribute, block));
            attribute = self.blocks[block].top;
        }
        (way, attribute)
    }
}

struct Search<'a> {
    neighbours: &'a [Vec<usize>],
    /// When each attribute was met, from 1; 0 if it was not yet.
    order: Vec<usize>,
    /// The earliest met attribute that can be reached from below it by one link.
    lowest: Vec<usize>,
    met: usize,
    /// Attributes met that are in no block yet.
    open: Vec<usize>,
    found: Blocks,
}

impl Search<'_> {
    fn visit_component(&mut self, root: usize) {
        self.meet(root);
        self.open.clear();
        // An attribute and how many of its neighbours were looked at. (A chain may be longer than a
        // stack of calls.)
        let mut path = vec![(root, 0)];
        while let Some((attribute, next)) = path.last_mut() {
            let attribute = *attribute;
            if let Some(&neighbour) = self.neighbours[attribute].get(*next) {
                *next += 1;
                if self.order[neighbour] == 0 {
                    self.meet(neighbour);
                    path.push((neighbour, 0));
                } else {
                    self.lowest[attribute] = self.lowest[attribute].min(self.order[neighbour]);
                }
                continue;
            }
            path.pop();
            if let Some(&(before, _)) = path.last() {
                self.leave(attribute, before);
            }
        }
    }

    fn meet(&mut self, attribute: usize) {
        self.met += 1;
        self.order[attribute] = self.met;
        self.lowest[attribute] = self.met;
        self.open.push(attribute);
    }

    /// Ends a block if nothing from `attribute` on leads back beyond the attribute before.
    fn leave(&mut self, attribute: usize, before: usize) {
        self.lowest[before] = self.lowest[before].min(self.lowest[attribute]);
        if self.lowest[attribute] < self.order[before] {
            return;
        }
        let id = self.found.blocks.len();
        let mut members = vec![before];
        while let Some(member) = self.open.pop() {
            self.found.above[member] = Some(id);
            members.push(member);
            if member == attribute {
                break;
            }
        }
        members.sort_unstable();
        self.found.blocks.push(Block {
            members,
            top: before,
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn graph(attributes: usize, links: &[(usize, usize)]) -> Vec<Vec<usize>> {
        let mut neighbours = vec![Vec::new(); attributes];
        for &(a, b) in links.iter().filter(|(a, b)| a != b) {
            neighbours[a].push(b);
            neighbours[b].push(a);
        }
        for neighbours in &mut neighbours {
            neighbours.sort_unstable();
            neighbours.dedup();
        }
        neighbours
    }

    /// Whether `b` can be reached from `a` without `avoided`.
    fn reaches(neighbours: &[Vec<usize>], a: usize, b: usize, avoided: Option<usize>) -> bool {
        let (mut seen, mut open) = (vec![false; neighbours.len()], vec![a]);
        while let Some(a) = open.pop() {
            if Some(a) != avoided && !std::mem::replace(&mut seen[a], true) {
                open.extend(&neighbours[a]);
            }
        }
        seen[b]
    }

    #[test]
    fn two_rings_that_share_an_attribute_are_two_blocks() {
        let links = [(0, 1), (1, 2), (2, 0), (2, 3), (3, 4), (4, 2), (4, 5)];
        let found = Blocks::new(&graph(7, &links));
        let mut members: Vec<_> = found.blocks.iter().map(|b| b.members.clone()).collect();
        members.sort();
        assert_eq!(members, [vec![0, 1, 2], vec![2, 3, 4], vec![4, 5]]);
        let between = |a, b| found.between(a, b).map(|blocks| blocks.len());
        assert_eq!(
            [
                between(0, 1),
                between(0, 5),
                between(2, 5),
                between(4, 4),
                between(0, 6)
            ],
            [Some(1), Some(3), Some(2), Some(0), None]
        );
    }

    proptest! {
        #[test]
        fn linked_attributes_share_one_block_and_blocks_survive_the_loss_of_a_member(
            links in prop::collection::vec((0_usize..12, 0_usize..12), 0..20),
        ) {
            let neighbours = graph(12, &links);
            let found = Blocks::new(&neighbours);
            for (a, around) in neighbours.iter().enumerate() {
                for b in around {
                    let both =
                        |block: &&Block| block.members.contains(&a) && block.members.contains(b);
                    prop_assert_eq!(found.blocks.iter().filter(both).count(), 1);
                }
            }
            for block in &found.blocks {
                for (i, &a) in block.members.iter().enumerate() {
                    for &b in &block.members[i + 1..] {
                        let others = block.members.iter().filter(|&&c| c != a && c != b);
                        let mut avoided = others.map(|&c| Some(c));
                        prop_assert!(avoided.all(|c| reaches(&neighbours, a, b, c)));
                    }
                }
            }
            // Two blocks share one attribute at most, without which one cannot be reached from the
            // other.
            for (i, x) in found.blocks.iter().enumerate() {
                for y in &found.blocks[i + 1..] {
                    let shared = x.members.iter().filter(|a| y.members.contains(a));
                    prop_assert!(shared.count() <= 1);
                }
            }
        }
    }
}
