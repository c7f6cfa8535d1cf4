//! Orders in which to eliminate the attributes of a graph.

use crate::blocks::{Block, Blocks};
use crate::peeling::{Kernel, Peeling};
use crate::{Clique, Domain};

/// Which attributes are together in some clique: for each attribute its neighbours, ascending.
///
/// A list for each attribute, not a bit for each two of them: a table may have thousands of
/// columns, of which few are related.
#[derive(Debug, Clone)]
pub(crate) struct Links(Vec<Vec<usize>>);

/// An attribute that was eliminated, and its neighbours at that time.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) attribute: usize,
    pub(crate) rest: Vec<usize>,
}

/// The steps that eliminate some attributes.
pub(crate) struct Elimination {
    /// The steps, which name attributes by their positions in `members`.
    steps: Vec<Step>,
    members: Vec<usize>,
    /// Cells of the maximal cliques, saturating.
    pub(crate) cells: u128,
    /// Whether any link had to be added.
    filled: bool,
}

impl Links {
    /// # Panics
    /// If a clique names an attribute outside the domain.
    pub(crate) fn new(domain: &Domain, cliques: &[Clique]) -> Links {
        let mut neighbours = vec![Vec::new(); domain.attributes()];
        for clique in cliques {
            for a in clique.iter() {
                neighbours[a].extend(clique.iter().filter(|&b| b != a));
            }
        }
        for neighbours in &mut neighbours {
            neighbours.sort_unstable();
            neighbours.dedup();
        }
        Links(neighbours)
    }

    // Sorted insertion: `linked` looks up by halving.
    pub(crate) fn add(&mut self, clique: &Clique) {
        for a in clique.iter() {
            for b in clique.iter().filter(|&b| b != a) {
                if let Err(at) = self.0[a].binary_search(&b) {
                    self.0[a].insert(at, b);
                }
            }
        }
    }

    /// Whether all attributes of the clique are linked already.
    pub(crate) fn hold(&self, clique: &Clique) -> bool {
        let linked = |a: usize| clique.iter().all(|b| a == b || self.linked(a, b));
        clique.iter().all(linked)
    }

    fn linked(&self, a: usize, b: usize) -> bool {
        self.0[a].binary_search(&b).is_ok()
    }

    /// The connected components of the graph, each in ascending order.
    pub(crate) fn components(&self) -> Vec<Vec<usize>> {
        let mut seen = vec![false; self.0.len()];
        let mut components = Vec::new();
        for start in 0..self.0.len() {
            if seen[start] {
                continue;
            }
            seen[start] = true;
            let mut members = vec![start];
            let mut next = 0;
            while let Some(&a) = members.get(next) {
                next += 1;
                for &b in &self.0[a] {
                    // Breadth by a list that is its own queue: no recursion, whose depth a
                    // stranger's cliques would choose.
                    if !std::mem::replace(&mut seen[b], true) {
                        members.push(b);
                    }
                }
            }
            members.sort_unstable();
            components.push(members);
        }
        components
    }

    /// The steps that eliminate all attributes of a triangulation.
    pub(crate) fn steps(&self, domain: &Domain) -> Vec<Step> {
        let nothing = Clique::new([]);
        let mut filled: Option<Links> = None;
        for Block { members, .. } in Blocks::new(&self.0).blocks {
            // Blocks of at most three attributes have no cycle that would need a chord.
            if members.len() <= 3 {
                continue;
            }
            let elimination = self.triangulate(domain, &members, &nothing);
            if elimination.filled {
                let filled = filled.get_or_insert_with(|| self.clone());
                for step in elimination.into_steps() {
                    filled.add(&Clique::new(step.rest));
                }
            }
        }
        // Once filled, the graph is chordal as a whole: eliminating it again finds maximal cliques
        // across blocks.
        let links = filled.as_ref().unwrap_or(self);
        let eliminate = |members: Vec<usize>| links.eliminate(domain, &members, &nothing, 0);
        let eliminations = links.components().into_iter().map(eliminate);
        eliminations.flat_map(Elimination::into_steps).collect()
    }

    /// The steps that eliminate all attributes without a new link, if the graph is a triangulation
    /// already; at a cost in proportion to its links.
    pub(crate) fn steps_without_fill(&self, domain: &Domain) -> Option<Vec<Step>> {
        let mut steps: Vec<Step> = Vec::with_capacity(domain.attributes());
        for members in self.components() {
            let (peeled, kernel) = Peeling::new(self, &members, &Clique::new([])).peel();
            // Something is left that no order eliminates without a new link.
            if !kernel.is_empty() {
                return None;
            }
            steps.extend(Elimination::new(domain, &members, peeled, false).into_steps());
        }
        Some(steps)
    }

    /// Eliminates some attributes, in ascending order, as if they had no links to others, with the
    /// clique of some of them added, by the better of two rules.
    ///
    /// An attribute whose neighbours are all linked goes first: that makes no new link, and in
    /// which order such attributes go does not change the maximal cliques.
    pub(crate) fn triangulate(
        &self,
        domain: &Domain,
        members: &[usize],
        added: &Clique,
    ) -> Elimination {
        let first = self.eliminate(domain, members, added, 0);
        // A chordal graph has the same maximal cliques in any order, so that another rule finds
        // nothing better.
        if !first.filled {
            return first;
        }
        // Weighted min-fill, and the same divided by the attribute's own size: neither is better on
        // all graphs, and both are cheap.
        let second = self.eliminate(domain, members, added, 1);
        if second.cells < first.cells {
            second
        } else {
            first
        }
    }

    fn eliminate(
        &self,
        domain: &Domain,
        members: &[usize],
        added: &Clique,
        rule: usize,
    ) -> Elimination {
        const RULES: [fn(u64, u64) -> u64; 2] =
            [|weight, _| weight, |weight, own| weight / own.max(1)];
        let (mut steps, kernel) = Peeling::new(self, members, added).peel();
        let mut filled = false;
        if !kernel.is_empty() {
            let graph = Graph::new(domain, members, &kernel);
            let of_kernel;
            (of_kernel, filled) = graph.eliminate(RULES[rule]);
            steps.extend(kernel.in_graph(of_kernel));
        }
        Elimination::new(domain, members, steps, filled)
    }

    pub(crate) fn blocks(&self) -> Blocks {
        Blocks::new(&self.0)
    }

    /// The neighbours of an attribute, ascending.
    pub(crate) fn neighbours(&self, attribute: usize) -> &[usize] {
        &self.0[attribute]
    }
}

impl Elimination {
    fn new(domain: &Domain, members: &[usize], steps: Vec<Step>, filled: bool) -> Elimination {
        let absorbed_by = absorbed_by(&steps, &next_steps(&steps, members.len()));
        let size = |member: usize| domain.size(members[member]) as u128;
        // In whole numbers that saturate: a size beyond memory needs no precision.
        let cells = |step: &Step| {
            // Only maximal cliques have tables of their own in a junction tree.
            let cells = size(step.attribute);
            step.rest
                .iter()
                .fold(cells, |cells, &a| cells.saturating_mul(size(a)))
        };
        let maximal = steps.iter().zip(absorbed_by).filter(|(_, by)| by.is_none());
        Elimination {
            cells: maximal
                .map(|(step, _)| cells(step))
                .fold(0, u128::saturating_add),
            members: members.to_vec(),
            steps,
            filled,
        }
    }

    pub(crate) fn into_steps(self) -> impl Iterator<Item = Step> {
        let Elimination { steps, members, .. } = self;
        steps.into_iter().map(move |step| Step {
            attribute: members[step.attribute],
            rest: step.rest.iter().map(|&a| members[a]).collect(),
        })
    }
}

/// For each step, that of the first of its remaining neighbours to go.
pub(crate) fn next_steps(steps: &[Step], attributes: usize) -> Vec<Option<usize>> {
    let mut turn = vec![0; attributes];
    for (i, step) in steps.iter().enumerate() {
        turn[step.attribute] = i;
    }
    let next = |step: &Step| step.rest.iter().map(|&a| turn[a]).min();
    steps.iter().map(next).collect()
}

/// For each step whose clique lies in an earlier one's: which. The clique of step `i` is not
/// maximal exactly if that of an earlier step, a child of it, is larger by one attribute (Blair and
/// Peyton 1993).
pub(crate) fn absorbed_by(steps: &[Step], next: &[Option<usize>]) -> Vec<Option<usize>> {
    let mut absorbed_by: Vec<Option<usize>> = vec![None; steps.len()];
    for (i, step) in steps.iter().enumerate() {
        if let Some(next) = next[i]
            && absorbed_by[next].is_none()
            && steps[next].rest.len() + 1 == step.rest.len()
        {
            absorbed_by[next] = Some(i);
        }
    }
    absorbed_by
}

/// The graph of attributes that still wait to be eliminated, numbered anew.
struct Graph {
    /// Logarithms of the sizes as whole numbers, so that sums are exact and ties are ties.
    log_sizes: Vec<u64>,
    neighbours: Vec<BitSet>,
    waiting: BitSet,
    cost: Vec<Cost>,
    /// Attributes that were found to have no missing links; some may have gone since.
    simplicial: Vec<usize>,
}

/// What eliminating an attribute would add.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    /// Pairs of neighbours that are not neighbours of each other.
    missing: usize,
    /// The sum over those pairs of the product of their logarithms.
    weight: u64,
    /// The sum of the neighbours' logarithms.
    around: u64,
}

impl Graph {
    fn new(domain: &Domain, members: &[usize], kernel: &Kernel) -> Graph {
        let n = kernel.attributes().len();
        let neighbours = kernel.neighbours().iter().map(|around| {
            let mut neighbours = BitSet::new(n);
            around.iter().for_each(|&b| neighbours.insert(b));
            neighbours
        });
        let log_size = |&number: &usize| log_size(domain.size(members[number]));
        let mut graph = Graph {
            log_sizes: kernel.attributes().iter().map(log_size).collect(),
            neighbours: neighbours.collect(),
            waiting: BitSet::new(n),
            cost: vec![Cost::default(); n],
            simplicial: Vec::new(),
        };
        // From the highest down: ties then go to the lowest number, whatever the order of links.
        for a in (0..n).rev() {
            graph.waiting.insert(a);
            graph.update_cost(a);
        }
        graph
    }

    /// Eliminates all attributes. Among those with missing links, the one with the least score, a
    /// function of the cost's weight and its own logarithm, goes first. Returns the steps, and
    /// whether any link was missing.
    fn eliminate(mut self, score: impl Fn(u64, u64) -> u64) -> (Vec<Step>, bool) {
        let mut filled = false;
        let mut steps = Vec::with_capacity(self.cost.len());
        while let Some(chosen) = self.next_simplicial().or_else(|| {
            let cost = |a: usize| &self.cost[a];
            let cells = |a: usize| cost(a).around + self.log_sizes[a];
            // The full key, down to the number: no tie may depend on the order of memory, or the
            // same noise would give another model.
            let key = |&a: &usize| (score(cost(a).weight, self.log_sizes[a]), cells(a), a);
            self.waiting.iter().min_by_key(key)
        }) {
            let rest: Vec<usize> = self.neighbours[chosen].iter().collect();
            self.waiting.remove(chosen);
            rest.iter().for_each(|&a| self.neighbours[a].remove(chosen));
            // A simplicial attribute takes away pairs, and adds none: its neighbours' costs are
            // updated, which is much cheaper than counting anew.
            if self.cost[chosen].missing == 0 {
                rest.iter().for_each(|&a| self.forget_neighbour(a, chosen));
            } else {
                filled = true;
                self.connect(chosen, &rest);
            }
            steps.push(Step {
                attribute: chosen,
                rest,
            });
        }
        (steps, filled)
    }

    fn next_simplicial(&mut self) -> Option<usize> {
        while let Some(a) = self.simplicial.pop() {
            if self.waiting.contains(a) {
                return Some(a);
            }
        }
        None
    }

    /// Updates the cost of `a` after its neighbour `gone`, whose other neighbours are all
    /// neighbours of `a`, has left.
    fn forget_neighbour(&mut self, a: usize, gone: usize) {
        let (around, shared) = (&self.neighbours[a], &self.neighbours[gone]);
        let cost = &mut self.cost[a];
        cost.around -= self.log_sizes[gone];
        let linked: u64 = shared
            .iter()
            .filter(|&b| b != a)
            .map(|b| self.log_sizes[b])
            .sum();
        cost.weight -= self.log_sizes[gone] * (cost.around - linked);
        if cost.missing > 0 {
            cost.missing -= around.count_without(shared);
            if cost.missing == 0 {
                self.simplicial.push(a);
            }
        }
    }

    fn connect(&mut self, chosen: usize, around: &[usize]) {
        let together = self.neighbours[chosen].clone();
        // Costs of the neighbours' neighbours change too: pairs of them may have become linked.
        let mut stale = together.clone();
        for &a in around {
            self.neighbours[a].extend(&together);
            self.neighbours[a].remove(a);
            stale.extend(&self.neighbours[a]);
        }
        stale.iter().for_each(|a| self.update_cost(a));
    }

    fn update_cost(&mut self, a: usize) {
        let around = &self.neighbours[a];
        let mut cost = Cost::default();
        for b in around.iter() {
            cost.around += self.log_sizes[b];
            // Each pair once.
            let missing = around.without(&self.neighbours[b]).filter(|&c| c > b);
            for c in missing {
                cost.missing += 1;
                cost.weight += self.log_sizes[b] * self.log_sizes[c];
            }
        }
        self.cost[a] = cost;
        if cost.missing == 0 {
            self.simplicial.push(a);
        }
    }
}

/// In steps of 2^-8: the sum of the products of all pairs of 2^16 attributes fits in 64 bits.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the logarithm of a size is at most 32"
)]
fn log_size(size: usize) -> u64 {
    ((size as f64).log2() * f64::from(1_u32 << 8)) as u64
}

#[derive(Debug, Clone)]
struct BitSet(Vec<u64>);

impl BitSet {
    fn new(capacity: usize) -> BitSet {
        BitSet(vec![0; capacity.div_ceil(64)])
    }

    fn insert(&mut self, i: usize) {
        self.0[i / 64] |= 1 << (i % 64);
    }

    fn remove(&mut self, i: usize) {
        self.0[i / 64] &= !(1 << (i % 64));
    }

    fn contains(&self, i: usize) -> bool {
        self.0[i / 64] >> (i % 64) & 1 == 1
    }

    fn extend(&mut self, other: &BitSet) {
        self.0.iter_mut().zip(&other.0).for_each(|(x, y)| *x |= y);
    }

    fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        ones(self.0.iter().copied())
    }

    /// Elements that are not in `other`.
    fn without(&self, other: &BitSet) -> impl Iterator<Item = usize> {
        ones(self.0.iter().zip(&other.0).map(|(x, y)| x & !y))
    }

    fn count_without(&self, other: &BitSet) -> usize {
        let blocks = self.0.iter().zip(&other.0);
        blocks.map(|(x, y)| (x & !y).count_ones() as usize).sum()
    }
}

/// Positions of the bits that are set.
fn ones(blocks: impl Iterator<Item = u64>) -> impl Iterator<Item = usize> {
    blocks.enumerate().flat_map(|(block, bits)| {
        let rest = |&bits: &u64| (bits & (bits - 1) != 0).then_some(bits & (bits - 1));
        let first = (bits != 0).then_some(bits);
        std::iter::successors(first, rest)
            .map(move |bits| block * 64 + bits.trailing_zeros() as usize)
    })
}
