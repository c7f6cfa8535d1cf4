//! Belief propagation on a junction tree.
//!
//! Each node's table is laid out as a matrix: one row per configuration of the separator, one
//! column per configuration of the other attributes. The pass towards the roots works on
//! logarithms; per row it takes out the maximum, so that nothing overflows and only cells e^-707
//! below their row's largest vanish. It leaves the conditional probabilities of each row, and so
//! the pass back is a multiplication: there is no division (Shafer-Shenoy needs none, Hugin's 0/0
//! is the NaN of others), and one exponential a cell.

use crate::alignment::Alignment;
use crate::exponential::{exp_shifted, max};
use crate::{Clique, Domain, Error, JunctionTree};

/// One table per node of the tree.
pub(crate) type Tables = Vec<Vec<f64>>;

/// The memory layout of the tables of a junction tree.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) nodes: Vec<NodeLayout>,
}

#[derive(Debug, Clone)]
pub(crate) struct NodeLayout {
    /// (attribute, size) in memory order: the separator's attributes, then the others.
    pub(crate) axes: Vec<(usize, usize)>,
    /// How many of the axes belong to the separator.
    pub(crate) separator_axes: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) parent: Option<Parent>,
}

#[derive(Debug, Clone)]
pub(crate) struct Parent {
    pub(crate) node: usize,
    /// From the parent's table to the rows of this node.
    pub(crate) to_rows: Alignment,
}

impl Layout {
    /// # Errors
    /// [`Error::TooLarge`] if the tables together have more than `limit` cells.
    pub(crate) fn new(domain: &Domain, tree: &JunctionTree, limit: u128) -> Result<Layout, Error> {
        // Checked before allocating: a model's file may ask for more than there is.
        let cells = tree.cells(domain);
        if cells > limit {
            return Err(Error::TooLarge { cells, limit });
        }
        let mut nodes: Vec<NodeLayout> = Vec::with_capacity(tree.nodes().len());
        for node in tree.nodes() {
            let separator = axes(domain, node.separator());
            let rest = axes(domain, &node.clique().difference(node.separator()));
            let parent = node.parent().map(|parent| Parent {
                node: parent,
                to_rows: Alignment::new(&nodes[parent].axes, &separator),
            });
            nodes.push(NodeLayout {
                separator_axes: separator.len(),
                rows: cells_of(&separator),
                columns: cells_of(&rest),
                axes: [separator, rest].concat(),
                parent,
            });
        }
        Ok(Layout { nodes })
    }

    /// Tables of zeros, one for each node.
    pub(crate) fn zeros(&self) -> Tables {
        self.nodes
            .iter()
            .map(|node| vec![0.0; node.rows * node.columns])
            .collect()
    }

    /// Turns unnormalised logarithms into the marginal probabilities of every node. `logs` is
    /// overwritten with the conditional probabilities of each row. Returns the logarithm of the
    /// total mass.
    ///
    /// # Errors
    /// [`Error::NoMass`] if every cell is impossible.
    pub(crate) fn calibrate(
        &self,
        logs: &mut Tables,
        marginals: &mut Tables,
    ) -> Result<f64, Error> {
        let log_mass = self.collect(logs)?;
        for (i, node) in self.nodes.iter().enumerate() {
            let (done, rest) = marginals.split_at_mut(i);
            let (conditional, marginal) = (&logs[i], &mut rest[0]);
            let Some(parent) = &node.parent else {
                marginal.copy_from_slice(conditional);
                continue;
            };
            let mut row_mass = vec![0.0; node.rows];
            parent.to_rows.sum(&done[parent.node], &mut row_mass);
            let rows = conditional
                .chunks_exact(node.columns)
                .zip(marginal.chunks_exact_mut(node.columns));
            for ((conditional, marginal), mass) in rows.zip(row_mass) {
                marginal
                    .iter_mut()
                    .zip(conditional)
                    .for_each(|(m, c)| *m = mass * c);
            }
        }
        Ok(log_mass)
    }

    /// The pass towards the roots.
    fn collect(&self, logs: &mut Tables) -> Result<f64, Error> {
        let mut log_mass = 0.0;
        // From the leaves: each message is complete when its node's row sums are taken.
        for (i, node) in self.nodes.iter().enumerate().rev() {
            let (before, rest) = logs.split_at_mut(i);
            let message: Vec<f64> = rest[0]
                .chunks_exact_mut(node.columns)
                .map(normalize_row)
                .collect();
            match &node.parent {
                Some(parent) => parent.to_rows.add(&mut before[parent.node], 1.0, &message),
                // Trees of the forest are independent, so that their masses multiply.
                None => log_mass += message[0],
            }
        }
        if log_mass == f64::NEG_INFINITY {
            Err(Error::NoMass)
        } else {
            Ok(log_mass)
        }
    }
}

/// Turns logarithms into probabilities that sum to one, and returns the logarithm of their sum. An
/// impossible row becomes zeros.
fn normalize_row(row: &mut [f64]) -> f64 {
    let largest = max(row);
    // All impossible: dividing by the sum would give NaN. The message rules the row out above.
    if largest == f64::NEG_INFINITY {
        row.fill(0.0);
        return largest;
    }
    let sum = exp_shifted(row, largest);
    let scale = 1.0 / sum;
    row.iter_mut().for_each(|x| *x *= scale);
    largest + sum.ln()
}

/// (attribute, size) of a clique's table in row-major order.
pub(crate) fn axes(domain: &Domain, clique: &Clique) -> Vec<(usize, usize)> {
    clique.iter().map(|a| (a, domain.size(a))).collect()
}

pub(crate) fn cells_of(axes: &[(usize, usize)]) -> usize {
    axes.iter().map(|&(_, size)| size).product()
}
