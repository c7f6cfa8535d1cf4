use crate::triangulation::{Links, Step, absorbed_by, next_steps};
use crate::{Clique, Domain};

/// A junction tree (a forest, where the graph falls apart): its nodes are the maximal cliques of a
/// triangulation of the given cliques' graph.
///
/// Guarantees: every attribute of the domain and every given clique lies in some node; no node lies in another;
/// the nodes that hold an attribute are connected in the tree (the running intersection property); a
/// node shares its whole separator, and nothing else, with all nodes that are not below it. Parents come
/// before children. The same input always gives the same tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JunctionTree {
    nodes: Vec<TreeNode>,
}

/// A clique of a [`JunctionTree`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeNode {
    clique: Clique,
    separator: Clique,
    parent: Option<usize>,
}

impl TreeNode {
    /// The attributes.
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
    /// Triangulates each component by weighted min-fill (Kjaerulff 1990), in two variants, and keeps what gives fewer
    /// cells. No table is allocated here.
    ///
    /// # Panics
    /// If a clique names an attribute outside the domain.
    #[must_use]
    pub fn new(domain: &Domain, cliques: &[Clique]) -> JunctionTree {
        let (links, nothing) = (Links::new(domain, cliques), Clique::new([]));
        let steps: Vec<Step> = links
            .components()
            .iter()
            .flat_map(|members| links.triangulate(domain, members, &nothing).into_steps())
            .collect();
        // Step i makes the clique of its attribute and remaining neighbours, and hangs on the first of them to go.
        let next = next_steps(&steps, domain.attributes());
        let (node_of, mut nodes) = maximal_cliques(&steps, &next);
        for (i, next) in next.iter().enumerate() {
            let Some(next) = *next else { continue };
            let (child, parent) = (node_of[i], node_of[next]);
            if child != parent {
                nodes[child].separator = Clique::new(steps[i].rest.iter().copied());
                nodes[child].parent = Some(parent);
            }
        }
        JunctionTree {
            nodes: parents_first(nodes),
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
        let holds = |&i: &usize| clique.is_subset(&self.nodes[i].clique);
        (0..self.nodes.len())
            .filter(holds)
            .min_by_key(|&i| domain.cells(&self.nodes[i].clique))
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

/// Reorders a forest depth first from new roots: each component starts at its first node with no more than one neighbour.
/// (The sampler relies on it: in a tree of pairs, children then hang on one new separator only.)
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

    proptest! {
        #[test]
        fn the_running_intersection_property_holds(
            sizes in prop::collection::vec(1_usize..20, 1..12),
            picks in prop::collection::vec(prop::collection::vec(0_usize..12, 0..4), 0..20),
        ) {
            let domain = Domain::new(sizes.clone()).unwrap();
            let n = sizes.len();
            let cliques: Vec<Clique> = picks.iter().map(|p| Clique::new(p.iter().map(|a| a % n))).collect();
            let tree = JunctionTree::new(&domain, &cliques);
            let nodes = tree.nodes();
            for clique in &cliques {
                prop_assert!(tree.smallest_containing(&domain, clique).is_some());
            }
            let mut introduced = vec![0; n];
            for (i, node) in nodes.iter().enumerate() {
                for (j, other) in nodes.iter().enumerate() {
                    prop_assert!(i == j || !node.clique().is_subset(other.clique()), "{} in {}", node.clique(), other.clique());
                }
                // Each attribute is introduced in one node, and reaches others only through parents:
                // with parents first, that is the running intersection property.
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
