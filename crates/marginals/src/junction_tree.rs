use crate::triangulation::{Links, Step, absorbed_by, next_steps};
use crate::{Clique, Domain};

/// A junction tree (a forest, where the graph falls apart): its nodes are the maximal cliques of a
/// triangulation of the given cliques' graph.
///
/// Guarantees: every attribute of the domain and every given clique lies in some node; no node lies
/// in another; the nodes that hold an attribute are connected in the tree (the running intersection
/// property); a node shares its whole separator, and nothing else, with all nodes that are not
/// below it. Parents come before children. The same input always gives the same tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JunctionTree {
    nodes: Vec<TreeNode>,
    /// For each attribute the nodes that hold it, ascending.
    holders: Vec<Vec<usize>>,
    /// For each node the root above it.
    roots: Vec<usize>,
}

/// A clique of a [`JunctionTree`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeNode {
    clique: Clique,
    separator: Clique,
    parent: Option<usize>,
}

impl TreeNode {
    /// The attributes of the node.
    #[must_use]
    pub fn clique(&self) -> &Clique {
        &self.clique
    }

    /// The attributes shared with the parent; empty for a root.
    #[must_use]
    pub fn separator(&self) -> &Clique {
        &self.separator
    }

    /// Position of the parent, `None` for a root.
    #[must_use]
    pub fn parent(&self) -> Option<usize> {
        self.parent
    }
}

impl JunctionTree {
    /// Triangulates each part of the graph that no single attribute separates by weighted min-fill
    /// (Kjaerulff 1990), in two variants, and keeps what gives fewer cells. No table is allocated
    /// here.
    ///
    /// # Panics
    /// If a clique names an attribute outside the domain.
    #[must_use]
    pub fn new(domain: &Domain, cliques: &[Clique]) -> JunctionTree {
        JunctionTree::from_steps(domain, &Links::new(domain, cliques).steps(domain))
    }

    /// The tree of [`JunctionTree::new`] for cliques that are those of a triangulation already,
    /// such as the cliques of another tree's nodes, at a cost in proportion to the sum of the
    /// squares of their lengths.
    ///
    /// `None` if the graph of the cliques is not triangulated, or a clique has more than 64
    /// attributes.
    ///
    /// # Panics
    /// If a clique names an attribute outside the domain.
    #[must_use]
    pub fn without_fill(domain: &Domain, cliques: &[Clique]) -> Option<JunctionTree> {
        let steps = Links::new(domain, cliques).steps_without_fill(domain)?;
        Some(JunctionTree::from_steps(domain, &steps))
    }

    fn from_steps(domain: &Domain, steps: &[Step]) -> JunctionTree {
        // Step i makes the clique of its attribute and remaining neighbours, and its parent is
        // the step of the first of them to go.
        let next = next_steps(steps, domain.attributes());
        let (node_of, mut nodes) = maximal_cliques(steps, &next);
        for (i, next) in next.iter().enumerate() {
            let Some(next) = *next else { continue };
            let (child, parent) = (node_of[i], node_of[next]);
            // A step whose clique is part of an earlier one has no node of its own, and so no edge.
            if child != parent {
                nodes[child].separator = Clique::new(steps[i].rest.iter().copied());
                nodes[child].parent = Some(parent);
            }
        }
        let nodes = parents_first(nodes);
        let mut holders = vec![Vec::new(); domain.attributes()];
        let mut roots: Vec<usize> = Vec::with_capacity(nodes.len());
        for (i, node) in nodes.iter().enumerate() {
            node.clique.iter().for_each(|a| holders[a].push(i));
            roots.push(node.parent.map_or(i, |parent| roots[parent]));
        }
        JunctionTree {
            nodes,
            holders,
            roots,
        }
    }

    /// The nodes, parents before children.
    #[must_use]
    pub fn nodes(&self) -> &[TreeNode] {
        &self.nodes
    }

    /// Cells of all nodes' tables together, saturating.
    #[must_use]
    pub fn cells(&self, domain: &Domain) -> u128 {
        self.nodes.iter().fold(0, |sum: u128, node| {
            sum.saturating_add(domain.cells(&node.clique))
        })
    }

    /// The node with the smallest table among those that hold the clique, if there is one.
    #[must_use]
    pub fn smallest_containing(&self, domain: &Domain, clique: &Clique) -> Option<usize> {
        self.containing(clique)
            .min_by_key(|&i| domain.cells(&self.nodes[i].clique))
    }

    /// Whether a node holds the clique.
    #[must_use]
    pub fn holds(&self, clique: &Clique) -> bool {
        self.containing(clique).next().is_some()
    }

    /// Cells of this tree if one of two attributes were added to all nodes on the way to the other:
    /// an upper bound of what a tree needs that holds both together, found without a triangulation.
    /// `cells` are those of each node.
    ///
    /// # Panics
    /// If an attribute is outside the domain, or there are not as many numbers of cells as nodes.
    #[must_use]
    pub fn cells_if_joined(&self, domain: &Domain, cells: &[u128], [a, b]: [usize; 2]) -> u128 {
        let sum = cells
            .iter()
            .fold(0, |sum: u128, cells| sum.saturating_add(*cells));
        let more = match self.way_between(a, b) {
            Some(way) => [a, b]
                .map(|attribute| self.cells_added(domain, cells, attribute, &way))
                .into_iter()
                .fold(u128::MAX, u128::min),
            // Nothing connects the two: they get a node of their own.
            None => domain.size(a) as u128 * domain.size(b) as u128,
        };
        sum.saturating_add(more)
    }

    /// The cliques of the tree that [`cells_if_joined`](Self::cells_if_joined) tells the size of.
    /// They are those of a triangulation, so that a tree of them has no other nodes.
    ///
    /// # Panics
    /// As [`cells_if_joined`](Self::cells_if_joined).
    #[must_use]
    pub fn joined(&self, domain: &Domain, cells: &[u128], [a, b]: [usize; 2]) -> Vec<Clique> {
        let mut cliques: Vec<Clique> = self.nodes.iter().map(|n| n.clique.clone()).collect();
        match self.way_between(a, b) {
            Some(way) => {
                let added = |attribute| self.cells_added(domain, cells, attribute, &way);
                let attribute = Clique::new([if added(a) <= added(b) { a } else { b }]);
                for node in way {
                    cliques[node] = cliques[node].union(&attribute);
                }
            }
            None => cliques.push(Clique::new([a, b])),
        }
        cliques
    }

    /// By how many cells some nodes grow if an attribute is added to those that lack it.
    fn cells_added(
        &self,
        domain: &Domain,
        cells: &[u128],
        attribute: usize,
        way: &[usize],
    ) -> u128 {
        let without = way
            .iter()
            .filter(|&&node| !self.nodes[node].clique.contains(attribute));
        let more = domain.size(attribute) as u128 - 1;
        without.fold(0, |sum: u128, &node| {
            sum.saturating_add(cells[node].saturating_mul(more))
        })
    }

    /// The nodes between those that hold one attribute and those that hold another, with one of
    /// each; `None` if nothing connects them.
    fn way_between(&self, a: usize, b: usize) -> Option<Vec<usize>> {
        // From the topmost node of each, up. What is above a node comes before it, so that of two
        // nodes the later one is never above the other.
        let (mut from_a, mut from_b) = (vec![self.holders[a][0]], vec![self.holders[b][0]]);
        loop {
            let (x, y) = (from_a[from_a.len() - 1], from_b[from_b.len() - 1]);
            if self.nodes[x].clique.contains(b) {
                return Some(from_a);
            }
            if self.nodes[y].clique.contains(a) {
                return Some(from_b);
            }
            if x == y {
                from_b.pop();
                from_a.append(&mut from_b);
                return Some(from_a);
            }
            let (way, later) = if x > y {
                (&mut from_a, x)
            } else {
                (&mut from_b, y)
            };
            way.push(self.nodes[later].parent?);
        }
    }

    /// The nodes that hold a clique, ascending.
    fn containing(&self, clique: &Clique) -> impl Iterator<Item = usize> {
        // Every node holds the empty clique. Of any other, its rarest attribute leaves the fewest
        // nodes to look at.
        let all = clique.is_empty().then_some(0..self.nodes.len());
        let rarest = clique.iter().min_by_key(|&a| self.holders(a).len());
        let some = rarest.into_iter().flat_map(|a| self.holders(a)).copied();
        let holds = move |&i: &usize| clique.is_subset(&self.nodes[i].clique);
        all.into_iter().flatten().chain(some.filter(holds))
    }

    /// The nodes that hold an attribute, ascending: none for one outside the domain.
    pub(crate) fn holders(&self, attribute: usize) -> &[usize] {
        self.holders.get(attribute).map_or(&[], Vec::as_slice)
    }

    /// The root of the tree that holds the attribute.
    pub(crate) fn root_of(&self, attribute: usize) -> Option<usize> {
        self.holders(attribute)
            .first()
            .map(|&node| self.roots[node])
    }
}

/// The node that holds the clique of each step, and the nodes.
fn maximal_cliques(steps: &[Step], next: &[Option<usize>]) -> (Vec<usize>, Vec<TreeNode>) {
    let absorbed_by = absorbed_by(steps, next);
    let mut node_of = vec![0; steps.len()];
    let mut nodes = Vec::new();
    for (i, step) in steps.iter().enumerate() {
        node_of[i] = match absorbed_by[i] {
            Some(earlier) => node_of[earlier],
            None => {
                nodes.push(TreeNode {
                    clique: Clique::new(step.rest.iter().copied().chain([step.attribute])),
                    separator: Clique::new([]),
                    parent: None,
                });
                nodes.len() - 1
            }
        };
    }
    (node_of, nodes)
}

/// Reorders a forest depth first from new roots: each component starts at its first node with no
/// more than one neighbour. (The sampler relies on it: in a tree of pairs, children then have
/// only one new separator.)
fn parents_first(nodes: Vec<TreeNode>) -> Vec<TreeNode> {
    let mut around: Vec<Vec<(usize, Clique)>> = vec![Vec::new(); nodes.len()];
    for (i, node) in nodes.iter().enumerate() {
        if let Some(parent) = node.parent {
            around[i].push((parent, node.separator.clone()));
            around[parent].push((i, node.separator.clone()));
        }
    }
    let mut cliques: Vec<Option<Clique>> =
        nodes.into_iter().map(|node| Some(node.clique)).collect();
    let mut ordered = Vec::with_capacity(cliques.len());
    for root in 0..cliques.len() {
        if around[root].len() > 1 {
            continue;
        }
        let mut stack = vec![(root, None, Clique::new([]))];
        while let Some((i, parent, separator)) = stack.pop() {
            let Some(clique) = cliques[i].take() else {
                continue;
            };
            stack.extend(
                around[i]
                    .drain(..)
                    .rev()
                    .map(|(next, shared)| (next, Some(ordered.len()), shared)),
            );
            ordered.push(TreeNode {
                clique,
                separator,
                parent,
            });
        }
    }
    ordered
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tree(sizes: &[usize], cliques: &[&[usize]]) -> JunctionTree {
        let cliques: Vec<Clique> = cliques
            .iter()
            .map(|c| Clique::new(c.iter().copied()))
            .collect();
        JunctionTree::new(&Domain::new(sizes.to_vec()).unwrap(), &cliques)
    }

    fn cliques_of(tree: &JunctionTree) -> Vec<String> {
        let mut cliques: Vec<String> = tree
            .nodes()
            .iter()
            .map(|n| n.clique().to_string())
            .collect();
        cliques.sort();
        cliques
    }

    #[test]
    fn a_chain_keeps_its_cliques() {
        let tree = tree(&[2, 2, 2, 2], &[&[0, 1], &[1, 2], &[2, 3], &[2]]);
        assert_eq!(cliques_of(&tree), ["{0, 1}", "{1, 2}", "{2, 3}"]);
        assert_eq!(
            tree.nodes().iter().filter(|n| n.parent().is_none()).count(),
            1
        );
    }

    #[test]
    fn a_cycle_is_triangulated_with_one_chord() {
        let tree = tree(&[2, 9, 2, 9], &[&[0, 1], &[1, 2], &[2, 3], &[0, 3]]);
        assert_eq!(
            cliques_of(&tree),
            ["{0, 1, 2}", "{0, 2, 3}"],
            "the chord joins the small attributes"
        );
    }

    #[test]
    fn attributes_in_no_clique_are_nodes_of_their_own() {
        assert_eq!(cliques_of(&tree(&[2, 3, 4], &[])), ["{0}", "{1}", "{2}"]);
        assert_eq!(
            cliques_of(&tree(&[2, 3, 4], &[&[0, 2], &[]])),
            ["{0, 2}", "{1}"]
        );
        assert!(tree(&[], &[]).nodes().is_empty());
    }

    #[test]
    fn a_long_chain_and_a_large_clique_take_no_noticeable_time() {
        let chain: Vec<Clique> = (0..999).map(|i| Clique::new([i, i + 1])).collect();
        let domain = Domain::new(vec![10; 1000]).unwrap();
        assert_eq!(JunctionTree::new(&domain, &chain).cells(&domain), 99_900);
        let star: Vec<Clique> = (1..1000).map(|i| Clique::new([0, i])).collect();
        assert_eq!(JunctionTree::new(&domain, &star).cells(&domain), 99_900);
        assert_eq!(
            JunctionTree::new(&domain, &[Clique::new(0..1000)]).cells(&domain),
            u128::MAX
        );
    }

    #[test]
    fn dense_columns_of_one_code_are_refused_at_once_where_nothing_may_be_added() {
        // Few cells, and a graph that takes long to triangulate: the pairs of a random graph.
        let domain = Domain::new(vec![1; 2000]).unwrap();
        let pair = |i: usize| Clique::new([i * 7919 % 2000, i * i % 1999]);
        let pairs: Vec<Clique> = (0..20_000).map(pair).collect();
        assert!(JunctionTree::without_fill(&domain, &pairs).is_none());
        assert!(JunctionTree::without_fill(&domain, &[Clique::new(0..2000)]).is_none());
        assert!(JunctionTree::without_fill(&domain, &[Clique::new(0..60)]).is_some());
    }

    proptest! {
        #[test]
        fn a_trees_own_cliques_give_the_tree_again_without_fill(
            sizes in prop::collection::vec(1_usize..20, 1..12),
            picks in prop::collection::vec(prop::collection::vec(0_usize..12, 0..4), 0..20),
        ) {
            let domain = Domain::new(sizes.clone()).unwrap();
            let clique = |pick: &Vec<usize>| Clique::new(pick.iter().map(|a| a % sizes.len()));
            let cliques: Vec<Clique> = picks.iter().map(clique).collect();
            let tree = JunctionTree::new(&domain, &cliques);
            let own: Vec<Clique> = tree.nodes().iter().map(|node| node.clique().clone()).collect();
            let again = JunctionTree::without_fill(&domain, &own);
            prop_assert_eq!(again.as_ref(), Some(&JunctionTree::new(&domain, &own)));
            let sorted = |tree: &JunctionTree| {
                let nodes = tree.nodes().iter();
                let mut cliques: Vec<Clique> = nodes.map(|n| n.clique().clone()).collect();
                cliques.sort();
                cliques
            };
            prop_assert_eq!(sorted(&tree), sorted(&again.unwrap()));
        }

        #[test]
        fn the_node_found_for_a_clique_is_the_smallest_that_holds_it(
            sizes in prop::collection::vec(1_usize..20, 1..12),
            picks in prop::collection::vec(prop::collection::vec(0_usize..12, 0..4), 0..20),
            wanted in prop::collection::vec(0_usize..13, 0..3),
        ) {
            let domain = Domain::new(sizes.clone()).unwrap();
            let clique = |pick: &Vec<usize>| Clique::new(pick.iter().map(|a| a % sizes.len()));
            let tree = JunctionTree::new(&domain, &picks.iter().map(clique).collect::<Vec<_>>());
            let wanted = Clique::new(wanted);
            let nodes = tree.nodes().iter().enumerate();
            let holding = nodes.filter(|(_, node)| wanted.is_subset(node.clique()));
            let smallest = holding.min_by_key(|(_, node)| domain.cells(node.clique()));
            prop_assert_eq!(tree.smallest_containing(&domain, &wanted), smallest.map(|(i, _)| i));
            prop_assert_eq!(tree.holds(&wanted), smallest.is_some());
        }

        #[test]
        fn a_way_between_attributes_makes_a_tree_that_holds_both(
            sizes in prop::collection::vec(1_usize..9, 2..14),
            picks in prop::collection::vec(prop::collection::vec(0_usize..14, 0..4), 0..16),
            pair in [0_usize..14, 0_usize..14],
        ) {
            let domain = Domain::new(sizes.clone()).unwrap();
            let clique = |pick: &Vec<usize>| Clique::new(pick.iter().map(|a| a % sizes.len()));
            let tree = JunctionTree::new(&domain, &picks.iter().map(clique).collect::<Vec<_>>());
            let [a, b] = pair.map(|a| a % sizes.len());
            prop_assume!(a != b);
            let cells: Vec<u128> = tree.nodes().iter().map(|n| domain.cells(n.clique())).collect();
            let bound = tree.cells_if_joined(&domain, &cells, [a, b]);
            // With either attribute on all of the way, and the two linked, nothing is left to fill.
            let best = [a, b].map(|added| {
                let way = tree.way_between(a, b);
                let on_way = |i: &usize| way.as_ref().is_some_and(|way| way.contains(i));
                let nodes = tree.nodes().iter();
                let mut cliques: Vec<Clique> = nodes.map(|n| n.clique().clone()).collect();
                for (i, clique) in cliques.iter_mut().enumerate().filter(|(i, _)| on_way(i)) {
                    *clique = clique.union(&Clique::new([added]));
                    prop_assert!(i < tree.nodes().len());
                }
                cliques.push(Clique::new([a, b]));
                let joined = JunctionTree::without_fill(&domain, &cliques);
                prop_assert!(joined.is_some());
                let joined = joined.unwrap();
                prop_assert!(joined.holds(&Clique::new([a, b])));
                Ok(joined.cells(&domain))
            });
            let [x, y] = best;
            prop_assert!(x?.min(y?) <= bound);
        }

        #[test]
        fn the_running_intersection_property_holds(
            sizes in prop::collection::vec(1_usize..20, 1..12),
            picks in prop::collection::vec(prop::collection::vec(0_usize..12, 0..4), 0..20),
        ) {
            let domain = Domain::new(sizes.clone()).unwrap();
            let n = sizes.len();
            let cliques: Vec<Clique> = picks
                .iter()
                .map(|p| Clique::new(p.iter().map(|a| a % n)))
                .collect();
            let tree = JunctionTree::new(&domain, &cliques);
            let nodes = tree.nodes();
            for clique in &cliques {
                prop_assert!(tree.smallest_containing(&domain, clique).is_some());
            }
            let mut introduced = vec![0; n];
            for (i, node) in nodes.iter().enumerate() {
                for (j, other) in nodes.iter().enumerate() {
                    prop_assert!(
                        i == j || !node.clique().is_subset(other.clique()),
                        "{} in {}",
                        node.clique(),
                        other.clique()
                    );
                }
                // Each attribute is introduced in one node, and reaches others only through
                // parents: with parents first, that is the running intersection property.
                let inherited = match node.parent() {
                    Some(parent) => {
                        prop_assert!(parent < i);
                        prop_assert!(!node.separator().is_empty());
                        nodes[parent].clique().intersection(node.clique())
                    }
                    None => Clique::new([]),
                };
                prop_assert_eq!(node.separator(), &inherited);
                node.clique().difference(&inherited).iter().for_each(|a| introduced[a] += 1);
            }
            prop_assert_eq!(introduced, vec![1; n]);
        }
    }
}
