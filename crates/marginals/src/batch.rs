//! Marginals of many cliques at once.
//!
//! The joint probabilities of one attribute and a separator are carried along the junction tree,
//! away from the nodes that hold the attribute, one small matrix product an edge. All cliques of
//! that attribute and others which lie together in a node are read off on the way. One elimination
//! for each clique would do the same products again and again.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use crate::alignment::Alignment;
use crate::propagation::{axes, cells_of};
use crate::{Clique, Error, MAX_TREE_CELLS, MarkovRandomField};

/// In larger models the conditional tables would take too much memory beside the model itself.
const MAX_BATCH_CELLS: u128 = 1 << 24;

/// Cells of all tables that one walk carries along, of one source and each separator (256 MiB).
/// Where there would be more, cliques are eliminated one by one, which says when a table is too
/// large.
const MAX_CARRIED_CELLS: u128 = 1 << 25;

impl MarkovRandomField {
    /// As [`marginal`](Self::marginal), for several cliques, in parallel. Much faster for cliques
    /// of which all but one attribute lie in one node of the junction tree, such as all pairs.
    ///
    /// # Errors
    /// As [`marginal`](Self::marginal).
    pub fn marginals(&self, cliques: &[Clique]) -> Result<Vec<Vec<f64>>, Error> {
        for clique in cliques {
            self.domain().table_cells(clique, MAX_TREE_CELLS)?;
        }
        self.each_marginal(cliques).into_iter().collect()
    }

    /// As [`marginals`](Self::marginals), but an error of one clique is told beside the marginals
    /// of the others.
    #[must_use]
    pub fn each_marginal(&self, cliques: &[Clique]) -> Vec<Result<Vec<f64>, Error>> {
        let parts: Vec<Vec<Clique>> = cliques
            .par_iter()
            .map(|clique| match self.domain().check(clique) {
                Ok(()) if !self.tree().holds(clique) => self.independent_parts(clique),
                _ => vec![clique.clone()],
            })
            .collect();
        // Each part once, whatever number of cliques has it: most often it is a single attribute.
        let mut within: Vec<&Clique> = parts.iter().flatten().collect();
        within.sort_unstable();
        within.dedup();
        let found = self.each_within_a_tree(&within);
        let table = |part: &Clique| {
            let at = within.binary_search(&part).expect("it is among them");
            found[at].as_deref().map_err(Clone::clone)
        };
        let assembled = parts.par_iter().zip(cliques).map(|(parts, clique)| {
            if let [whole] = parts.as_slice() {
                return table(whole).map(<[f64]>::to_vec);
            }
            // Checked again before it is multiplied out: here every part may be small and the whole
            // too large.
            self.domain().table_cells(clique, MAX_TREE_CELLS)?;
            let tables = parts.iter().map(|part| Ok((part, table(part)?)));
            let tables: Vec<(&Clique, &[f64])> = tables.collect::<Result<_, Error>>()?;
            let mut counts = self.product(clique, tables.into_iter());
            // Each part has the total as a factor.
            let more = self
                .total()
                .powi(1 - i32::try_from(parts.len()).unwrap_or(i32::MAX));
            counts.iter_mut().for_each(|count| *count *= more);
            Ok(counts)
        });
        assembled.collect()
    }

    /// Marginals of cliques whose attributes are in one tree of the forest each.
    fn each_within_a_tree(&self, cliques: &[&Clique]) -> Vec<Result<Vec<f64>, Error>> {
        let carried = self.carried_cells();
        let mut by_source: BTreeMap<usize, Vec<Request>> = BTreeMap::new();
        for (position, clique) in cliques.iter().enumerate() {
            if let Some((source, rest)) = self.source(clique, carried) {
                let requests = by_source.entry(source).or_default();
                requests.push(Request { position, rest });
            }
        }
        let around = neighbours(self);
        let walks: Vec<Walk> = by_source
            .into_iter()
            .map(|(source, requests)| Walk::new(self, &around, source, requests))
            .collect();
        let steps = steps(self, &walks);
        let walked: Vec<Vec<(usize, Vec<f64>)>> = walks
            .par_iter()
            .map(|walk| walk.run(self, cliques, &steps))
            .collect();
        let mut found: Vec<Option<Vec<f64>>> = vec![None; cliques.len()];
        for (position, marginal) in walked.into_iter().flatten() {
            found[position] = Some(marginal);
        }
        found
            .into_par_iter()
            .zip(cliques)
            // What no walk found is eliminated by itself, which also says why a clique cannot be
            // had.
            .map(|(found, clique)| found.map_or_else(|| self.marginal(clique), Ok))
            .collect()
    }

    /// The smallest attribute whose absence leaves something that a node holds, if no node holds
    /// the clique. `carried` is what a walk carries for each code of it.
    pub(crate) fn source(&self, clique: &Clique, carried: Option<u128>) -> Option<(usize, Clique)> {
        let (tree, domain) = (self.tree(), self.domain());
        let carried = carried?;
        domain.table_cells(clique, MAX_TREE_CELLS).ok()?;
        if clique.len() < 2 || tree.holds(clique) {
            return None;
        }
        let without = |source: usize| (source, clique.difference(&Clique::new([source])));
        let sources = clique
            .iter()
            .map(without)
            .filter(|(_, rest)| tree.holds(rest));
        let source = sources.min_by_key(|&(source, _)| (domain.size(source), source));
        let cells = |source| carried.saturating_mul(domain.size(source) as u128);
        source.filter(|&(source, _)| cells(source) <= MAX_CARRIED_CELLS)
    }

    /// Cells of the tables that a walk carries for each code of its source, unless the model is too
    /// large for walks.
    pub(crate) fn carried_cells(&self) -> Option<u128> {
        let (tree, domain) = (self.tree(), self.domain());
        if tree.cells(domain) > MAX_BATCH_CELLS {
            return None;
        }
        let separators = tree.nodes().iter().map(crate::TreeNode::separator);
        Some(
            separators
                .map(|separator| cells_of(&axes(domain, separator)) as u128)
                .sum(),
        )
    }
}

/// A clique to find the marginal of: a source, and what a node holds.
struct Request {
    /// Position among the cliques asked for.
    position: usize,
    rest: Clique,
}

/// The nodes in the order in which they are reached from those that hold a source.
struct Walk {
    source: usize,
    visits: Vec<Visit>,
}

struct Visit {
    node: usize,
    /// The visit before; `None` for the first node.
    from: Option<usize>,
    /// What the node shares with the node before.
    separator: Clique,
    holds_source: bool,
    /// Whether there is a request here or beyond.
    needed: bool,
    requests: Vec<Request>,
}

/// Sums for which a node holds the conditional probabilities: node, given, wanted.
type StepKey<'a> = (usize, &'a Clique, &'a Clique);

/// Conditional probabilities of one set of attributes given another, where they are not 0.
struct Step {
    cells: usize,
    /// (cell of what is given, cell of what is wanted, probability)
    entries: Vec<(u32, u32, f64)>,
}

/// The neighbours of each node, and what is shared with them.
fn neighbours(model: &MarkovRandomField) -> Vec<Vec<(usize, &Clique)>> {
    let nodes = model.tree().nodes();
    let mut around = vec![Vec::new(); nodes.len()];
    for (i, node) in nodes.iter().enumerate() {
        if let Some(parent) = node.parent() {
            around[i].push((parent, node.separator()));
            around[parent].push((i, node.separator()));
        }
    }
    around
}

impl Walk {
    fn new(
        model: &MarkovRandomField,
        around: &[Vec<(usize, &Clique)>],
        source: usize,
        requests: Vec<Request>,
    ) -> Walk {
        let nodes = model.tree().nodes();
        let start = *model
            .tree()
            .holders(source)
            .first()
            .expect("every attribute is in some node");
        let mut visits: Vec<Visit> = Vec::new();
        let mut stack = vec![(start, None, Clique::new([]))];
        while let Some((node, from, separator)) = stack.pop() {
            let before = from.map(|from: usize| visits[from].node);
            let onward = around[node]
                .iter()
                .filter(|(next, _)| Some(*next) != before);
            stack.extend(onward.map(|&(next, shared)| (next, Some(visits.len()), shared.clone())));
            visits.push(Visit {
                node,
                from,
                separator,
                holds_source: nodes[node].clique().contains(source),
                needed: false,
                requests: Vec::new(),
            });
        }
        let mut walk = Walk { source, visits };
        walk.place(model, requests);
        walk
    }

    /// Puts each request where its attributes are first met together, and leaves out those of other
    /// components.
    fn place(&mut self, model: &MarkovRandomField, requests: Vec<Request>) {
        let nodes = model.tree().nodes();
        let mut first_met: Vec<Option<usize>> = vec![None; model.domain().attributes()];
        for (i, visit) in self.visits.iter().enumerate() {
            nodes[visit.node].clique().iter().for_each(|a| {
                first_met[a].get_or_insert(i);
            });
        }
        for request in requests {
            // The nodes that hold a set are connected, so the first of them is not before the first
            // of any attribute.
            let firsts = request.rest.iter().map(|a| first_met[a]);
            let Some(first) = firsts
                .collect::<Option<Vec<usize>>>()
                .and_then(|f| f.into_iter().max())
            else {
                continue;
            };
            let holds = |&i: &usize| request.rest.is_subset(nodes[self.visits[i].node].clique());
            if let Some(at) = (first..self.visits.len()).find(holds) {
                self.visits[at].requests.push(request);
            }
        }
        for i in (0..self.visits.len()).rev() {
            self.visits[i].needed |= !self.visits[i].requests.is_empty();
            if let (true, Some(from)) = (self.visits[i].needed, self.visits[i].from) {
                self.visits[from].needed = true;
            }
        }
    }

    /// Where the walk goes on, from one conditional table to the next.
    fn keys(&self) -> impl Iterator<Item = StepKey<'_>> {
        let onward = self.visits.iter().filter(|visit| visit.needed);
        let onward = onward.filter_map(|visit| {
            let before = &self.visits[visit.from?];
            (!before.holds_source).then_some((before.node, &before.separator, &visit.separator))
        });
        let requested = self.visits.iter().flat_map(|visit| {
            let key = |request| (visit.node, &visit.separator, request);
            visit.requests.iter().map(|request| &request.rest).map(key)
        });
        onward.chain(requested)
    }

    /// (position, marginal) for each request.
    fn run(
        &self,
        model: &MarkovRandomField,
        cliques: &[&Clique],
        steps: &BTreeMap<StepKey, Step>,
    ) -> Vec<(usize, Vec<f64>)> {
        let source = [(self.source, model.domain().size(self.source))];
        let lanes = source[0].1;
        // Of each visit, the probabilities of the separator's cells with each code of the source,
        // which runs fastest.
        let mut joint: Vec<Vec<f64>> = Vec::with_capacity(self.visits.len());
        let mut found = Vec::new();
        for visit in &self.visits {
            let table = match visit.from.filter(|_| visit.needed && !visit.holds_source) {
                None => Vec::new(),
                Some(from) if self.visits[from].holds_source => {
                    let wanted = [axes(model.domain(), &visit.separator), source.to_vec()].concat();
                    node_sums(model, self.visits[from].node, &wanted)
                }
                Some(from) => {
                    let before = &self.visits[from];
                    steps[&(before.node, &before.separator, &visit.separator)]
                        .apply(&joint[from], lanes)
                }
            };
            for Request { position, rest } in &visit.requests {
                let cells = steps[&(visit.node, &visit.separator, rest)].apply(&table, lanes);
                let order = [axes(model.domain(), rest), source.to_vec()].concat();
                let wanted = axes(model.domain(), cliques[*position]);
                let mut marginal = vec![0.0; cells.len()];
                Alignment::new(&order, &wanted).sum(&cells, &mut marginal);
                marginal.iter_mut().for_each(|p| *p *= model.total());
                found.push((*position, marginal));
            }
            joint.push(table);
        }
        found
    }
}

fn steps<'a>(model: &MarkovRandomField, walks: &'a [Walk]) -> BTreeMap<StepKey<'a>, Step> {
    let keys: BTreeSet<StepKey> = walks.iter().flat_map(Walk::keys).collect();
    let keys: Vec<StepKey> = keys.into_iter().collect();
    let step = |key: StepKey<'a>| (key, Step::new(model, key));
    keys.into_par_iter().map(step).collect()
}

impl Step {
    fn new(model: &MarkovRandomField, (node, given, wanted): StepKey) -> Step {
        let together = axes(model.domain(), &given.union(wanted));
        let (given, wanted) = (axes(model.domain(), given), axes(model.domain(), wanted));
        let joint = node_sums(model, node, &together);
        let given_map = Alignment::new(&together, &given).map();
        let wanted_map = Alignment::new(&together, &wanted).map();
        let mut mass = vec![0.0; cells_of(&given)];
        given_map
            .iter()
            .zip(&joint)
            .for_each(|(&from, p)| mass[from] += p);
        let narrow = |cell: usize| u32::try_from(cell).expect("cells are numbered in 32 bits");
        let entries = given_map.iter().zip(wanted_map).zip(joint);
        // Zeros are left out: constraints make many, and they would be multiplied in every walk.
        let entries = entries
            .filter(|(_, p)| *p > 0.0)
            .map(|((&from, to), p)| (narrow(from), narrow(to), p / mass[from]));
        Step {
            cells: cells_of(&wanted),
            entries: entries.collect(),
        }
    }

    /// The joint probabilities of what is wanted and a source, from those of what is given and the
    /// source.
    fn apply(&self, table: &[f64], lanes: usize) -> Vec<f64> {
        let mut result = vec![0.0; self.cells * lanes];
        for &(from, to, p) in &self.entries {
            let from = &table[from as usize * lanes..][..lanes];
            let to = &mut result[to as usize * lanes..][..lanes];
            to.iter_mut()
                .zip(from)
                .for_each(|(to, from)| *to += p * from);
        }
        result
    }
}

/// Sums of a node's probabilities over these axes.
fn node_sums(model: &MarkovRandomField, node: usize, wanted: &[(usize, usize)]) -> Vec<f64> {
    let mut sums = vec![0.0; cells_of(wanted)];
    let alignment = Alignment::new(&model.layout().nodes[node].axes, wanted);
    alignment.sum(model.node_marginal(node), &mut sums);
    sums
}
