//! Marginals of cliques that no single tree node holds.

use crate::alignment::Alignment;
use crate::propagation::{axes, cells_of};
use crate::{Clique, Domain, Error, MAX_TREE_CELLS, MarkovRandomField};

/// A dense table of probabilities.
struct Table {
    axes: Vec<(usize, usize)>,
    cells: Vec<f64>,
}

/// Probabilities of a clique's cells, by eliminating every other attribute along the paths of the junction
/// tree between the clique's attributes. Nodes that are not on those paths sum to one and are left out.
pub(crate) fn marginal_across_nodes(
    model: &MarkovRandomField,
    clique: &Clique,
) -> Result<Vec<f64>, Error> {
    let on_path = paths_between(model, clique);
    let nodes = model.tree().nodes();
    let mut pending: Vec<Vec<Table>> = nodes.iter().map(|_| Vec::new()).collect();
    let mut result = Table {
        axes: Vec::new(),
        cells: vec![1.0],
    };
    for i in (0..nodes.len()).rev().filter(|&i| on_path[i]) {
        let parent = nodes[i].parent().filter(|&parent| on_path[parent]);
        let mut table = node_table(model, i, parent.is_some());
        let kept_above = if parent.is_some() {
            nodes[i].separator().clone()
        } else {
            Clique::new([])
        };
        let keep = |a: usize| clique.contains(a) || kept_above.contains(a);
        for message in pending[i].drain(..) {
            table = product(&table, &message)?;
        }
        let table = sum_out(&table, keep);
        match parent {
            Some(parent) => pending[parent].push(table),
            None => result = product(&result, &table)?,
        }
    }
    Ok(in_order(&result, &axes(model.domain(), clique)))
}

/// The smallest set of nodes that holds the clique's attributes and, in each component, is connected.
fn paths_between(model: &MarkovRandomField, clique: &Clique) -> Vec<bool> {
    let nodes = model.tree().nodes();
    // The topmost node of each attribute: where it is not yet in the separator.
    let tops: Vec<usize> = clique
        .iter()
        .map(|a| {
            let introduces =
                |n: &crate::TreeNode| n.clique().contains(a) && !n.separator().contains(a);
            nodes
                .iter()
                .position(introduces)
                .expect("every attribute is in some node")
        })
        .collect();
    let mut below: Vec<usize> = vec![0; nodes.len()];
    tops.iter().for_each(|&top| below[top] += 1);
    for i in (0..nodes.len()).rev() {
        if let Some(parent) = nodes[i].parent() {
            below[parent] += below[i];
        }
    }
    let root_of = |mut i: usize| {
        while let Some(parent) = nodes[i].parent() {
            i = parent;
        }
        i
    };
    // Up from each attribute, as far as the node below which all attributes of its component lie.
    let mut on_path = vec![false; nodes.len()];
    for &top in &tops {
        let wanted = below[root_of(top)];
        let mut i = top;
        on_path[i] = true;
        while below[i] < wanted {
            i = nodes[i]
                .parent()
                .expect("the root has all of its component below");
            on_path[i] = true;
        }
    }
    on_path
}

/// The node's marginal, or its conditional given the separator.
fn node_table(model: &MarkovRandomField, i: usize, conditional: bool) -> Table {
    let layout = &model.layout().nodes[i];
    let mut cells = model.node_marginal(i).to_vec();
    if conditional {
        for row in cells.chunks_exact_mut(layout.columns) {
            let mass: f64 = row.iter().sum();
            if mass > 0.0 {
                row.iter_mut().for_each(|p| *p /= mass);
            }
        }
    }
    Table {
        axes: layout.axes.clone(),
        cells,
    }
}

fn product(a: &Table, b: &Table) -> Result<Table, Error> {
    let new = b.axes.iter().filter(|axis| !a.axes.contains(axis));
    let axes: Vec<(usize, usize)> = a.axes.iter().chain(new).copied().collect();
    let attributes = Clique::new(0..axes.len());
    let domain = Domain::new(axes.iter().map(|&(_, size)| size).collect())?;
    let mut cells = vec![1.0; domain.table_cells(&attributes, MAX_TREE_CELLS)?];
    for factor in [a, b] {
        Alignment::new(&axes, &factor.axes).multiply(&mut cells, &factor.cells);
    }
    Ok(Table { axes, cells })
}

fn sum_out(table: &Table, keep: impl Fn(usize) -> bool) -> Table {
    let axes: Vec<(usize, usize)> = table
        .axes
        .iter()
        .filter(|&&(a, _)| keep(a))
        .copied()
        .collect();
    let cells = in_order(table, &axes);
    Table { axes, cells }
}

/// Sums the table into the given axes and order.
fn in_order(table: &Table, axes: &[(usize, usize)]) -> Vec<f64> {
    let mut cells = vec![0.0; cells_of(axes)];
    Alignment::new(&table.axes, axes).sum(&table.cells, &mut cells);
    cells
}
