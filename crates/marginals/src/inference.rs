//! Belief propagation over and over on one junction tree: from potentials of small cliques to the
//! marginals of the same cliques.
//!
//! The cost of a pass is a few sweeps over each node's table, however many cliques the node holds:
//! see [`Reductions`]. As in [`crate::propagation`], the way to the roots leaves conditional
//! probabilities, so that the way back is a multiplication.

use crate::alignment::Alignment;
use crate::exponential::{self, exp_shifted, exp_shifted_each, ln_each};
use crate::propagation::{Tables, axes, cells_of};
use crate::reductions::Reductions;
use crate::{Clique, Domain, Error, Factor, JunctionTree};

/// A junction tree with the memory that passes need.
#[derive(Debug)]
pub(crate) struct Network {
    nodes: Vec<Node>,
    /// Node and target of each clique.
    places: Vec<(usize, usize)>,
    /// Factors that are part of every model, with node and target.
    fixed: Vec<(usize, usize, Vec<f64>)>,
}

#[derive(Debug)]
struct Node {
    clique: Clique,
    separator: Clique,
    /// Where the parent's table takes this node's message.
    parent: Option<(usize, usize)>,
    order: Order,
    /// How many configurations the separator has.
    rows: usize,
    /// (attribute, size) of the table in memory order.
    axes: Vec<(usize, usize)>,
    /// The node's table, over the cliques it holds and its children's separators.
    reductions: Reductions,
    /// One value a row: first the logarithm of the row's sum, then the row's mass.
    message: Vec<f64>,
    /// Inverse of each row's sum.
    scale: Vec<f64>,
}

/// Which loop over a table is the inner one: along a row (configurations of the other attributes),
/// or across rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    AlongRows,
    AcrossRows,
}

impl Network {
    /// A network for potentials of the given cliques, times fixed factors. The tree must hold all
    /// of them.
    pub(crate) fn new(
        domain: &Domain,
        tree: &JunctionTree,
        cliques: &[Clique],
        fixed: &[Factor],
    ) -> Network {
        let mut targets: Vec<Vec<Vec<(usize, usize)>>> = vec![Vec::new(); tree.nodes().len()];
        // A clique is put into the smallest node that holds it: sums onto it read that node's
        // table.
        let mut place = |node: usize, clique: &Clique| {
            targets[node].push(axes(domain, clique));
            (node, targets[node].len() - 1)
        };
        let holder = |clique: &Clique| {
            tree.smallest_containing(domain, clique)
                .expect("the tree holds every clique")
        };
        let places = cliques.iter().map(|c| place(holder(c), c)).collect();
        let fixed = fixed
            .iter()
            .map(|factor| {
                let (node, target) = place(holder(factor.clique()), factor.clique());
                (node, target, factor.logs().to_vec())
            })
            .collect();
        let parents: Vec<Option<(usize, usize)>> = tree
            .nodes()
            .iter()
            .map(|node| node.parent().map(|parent| place(parent, node.separator())))
            .collect();
        let nodes = tree.nodes().iter().zip(parents).zip(targets);
        let nodes = nodes.map(|((node, parent), targets)| {
            let separator = axes(domain, node.separator());
            // Memory order by the longer side, so that the inner loop is long enough to be
            // vectorised.
            let rest = axes(domain, &node.clique().difference(node.separator()));
            let (rows, columns) = (cells_of(&separator), cells_of(&rest));
            let (order, axes) = if columns >= rows {
                (Order::AlongRows, [separator, rest].concat())
            } else {
                (Order::AcrossRows, [rest, separator].concat())
            };
            Node {
                clique: node.clique().clone(),
                separator: node.separator().clone(),
                parent,
                order,
                rows,
                reductions: Reductions::new(&axes, &targets),
                axes,
                message: vec![0.0; rows],
                scale: vec![0.0; rows],
            }
        });
        Network {
            nodes: nodes.collect(),
            places,
            fixed,
        }
    }

    /// Computes the marginal probabilities of the cliques, and of the nodes, from logarithms of
    /// unnormalised potentials of the cliques.
    ///
    /// # Errors
    /// [`Error::NoMass`] if every cell is impossible.
    pub(crate) fn pass(
        &mut self,
        potentials: &[Vec<f64>],
        marginals: &mut [Vec<f64>],
    ) -> Result<(), Error> {
        // Tables start from zero each pass: there is no state of the last pass that rounding could
        // drift in.
        self.nodes
            .iter_mut()
            .for_each(|node| node.reductions.clear());
        for (&(node, target), potential) in self.places.iter().zip(potentials) {
            self.nodes[node].reductions.add(target, potential);
        }
        for (node, target, logs) in &self.fixed {
            self.nodes[*node].reductions.add(*target, logs);
        }
        // Children come after their parents, so that backwards all messages of a node are there
        // before it.
        for i in (0..self.nodes.len()).rev() {
            let (before, rest) = self.nodes.split_at_mut(i);
            let node = &mut rest[0];
            node.reductions.expand();
            node.normalize();
            match node.parent {
                Some((parent, target)) => before[parent].reductions.add(target, &node.message),
                // Only a root can tell: an impossible row of a node may be one that its parent
                // rules out as well.
                None if node.message[0] == f64::NEG_INFINITY => return Err(Error::NoMass),
                None => {}
            }
        }
        for i in 0..self.nodes.len() {
            let (before, rest) = self.nodes.split_at_mut(i);
            let node = &mut rest[0];
            // The parent's marginal of the separator, which replaces the message upwards: no
            // division is needed.
            match node.parent {
                Some((parent, target)) => node
                    .message
                    .copy_from_slice(before[parent].reductions.target(target)),
                None => node.message.fill(1.0),
            }
            node.spread();
            node.reductions.reduce();
        }
        for (&(node, target), marginal) in self.places.iter().zip(marginals) {
            marginal.copy_from_slice(self.nodes[node].reductions.target(target));
        }
        Ok(())
    }

    /// The nodes' marginal probabilities after the last pass, in an order of the network's own.
    pub(crate) fn tables(&self) -> impl Iterator<Item = &[f64]> {
        self.nodes.iter().map(|node| node.reductions.large())
    }

    /// The model with the given marginals of the nodes (in the order of [`Network::tables`]): for
    /// each node the conditional given its separator.
    pub(crate) fn conditionals(
        &self,
        domain: &Domain,
        tables: &Tables,
    ) -> Result<Vec<Factor>, Error> {
        let factor = |(node, table): (&Node, &Vec<f64>)| {
            // The network's own order of axes is not that of the domain, which a factor must have.
            let mut marginal = vec![0.0; table.len()];
            let places = Alignment::new(&node.axes, &axes(domain, &node.clique)).map();
            let cells = places.into_iter().zip(table);
            cells.for_each(|(at, p)| marginal[at] = *p);
            conditional(domain, &node.clique, &node.separator, marginal)
        };
        self.nodes.iter().zip(tables).map(factor).collect()
    }
}

impl Node {
    /// Turns the table's logarithms into probabilities, up to `scale` of each row, and sets the
    /// message to the logarithms of the rows' sums. An impossible row becomes zeros.
    fn normalize(&mut self) {
        let table = self.reductions.large_mut();
        self.message.fill(f64::NEG_INFINITY);
        self.scale.fill(0.0);
        match self.order {
            Order::AlongRows => {
                let rows = table.chunks_exact_mut(table.len() / self.rows);
                for ((row, largest), sum) in rows.zip(&mut self.message).zip(&mut self.scale) {
                    *largest = exponential::max(row);
                    *sum = exp_shifted(row, finite(*largest));
                }
            }
            Order::AcrossRows => {
                for column in table.chunks_exact(self.rows) {
                    let cells = self.message.iter_mut().zip(column);
                    cells.for_each(|(largest, x)| {
                        *largest = if x > largest { *x } else { *largest }
                    });
                }
                self.message
                    .iter_mut()
                    // A row of impossible cells has maximum minus infinity, and inf - inf would be
                    // NaN.
                    .for_each(|largest| *largest = finite(*largest));
                for column in table.chunks_exact_mut(self.rows) {
                    exp_shifted_each(column, &self.message, &mut self.scale);
                }
            }
        }
        let mut log_sums = self.scale.clone();
        ln_each(&mut log_sums);
        // In one sweep over all rows, which is vectorised.
        for ((message, scale), log_sum) in
            self.message.iter_mut().zip(&mut self.scale).zip(log_sums)
        {
            *message += log_sum;
            *scale = if *scale > 0.0 { 1.0 / *scale } else { 0.0 };
        }
    }

    /// Turns the normalised table into marginal probabilities, given the rows' masses in `message`.
    fn spread(&mut self) {
        let factors = self.scale.iter_mut().zip(&self.message);
        factors.for_each(|(scale, mass)| *scale *= mass);
        let table = self.reductions.large_mut();
        match self.order {
            Order::AlongRows => {
                let rows = table.chunks_exact_mut(table.len() / self.rows);
                for (row, scale) in rows.zip(&self.scale) {
                    row.iter_mut().for_each(|x| *x *= scale);
                }
            }
            Order::AcrossRows => {
                for column in table.chunks_exact_mut(self.rows) {
                    column
                        .iter_mut()
                        .zip(&self.scale)
                        .for_each(|(x, scale)| *x *= scale);
                }
            }
        }
    }
}

/// The conditional distribution given some of a clique's attributes, from the clique's marginal.
pub(crate) fn conditional(
    domain: &Domain,
    clique: &Clique,
    given: &Clique,
    marginal: Vec<f64>,
) -> Result<Factor, Error> {
    let rows = Alignment::new(&axes(domain, clique), &axes(domain, given));
    let mut masses = vec![0.0; cells_of(&axes(domain, given))];
    // From the same table, so that rows of the conditional add up to one whatever rounding did
    // before.
    rows.sum(&marginal, &mut masses);
    let mut logs = marginal;
    ln_each(&mut logs);
    ln_each(&mut masses);
    masses.iter_mut().for_each(|log| *log = finite(*log));
    rows.add(&mut logs, -1.0, &masses);
    Factor::new(domain, clique.clone(), logs)
}

/// A shift for an exponential: that of a row without possible cells does not matter.
fn finite(largest: f64) -> f64 {
    if largest == f64::NEG_INFINITY {
        0.0
    } else {
        largest
    }
}
