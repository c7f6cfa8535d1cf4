//! Marginals of cliques that no single tree node holds.

use crate::alignment::Alignment;
use crate::propagation::{axes, cells_of};
use crate::{Clique, Domain, Error, MAX_TREE_CELLS, MarkovRandomField};

/// A dense table of probabilities.
struct Table {
    axes: Vec<(usize, usize)>,
    cells: Vec<f64>,
}

impl Table {
    fn has(&self, attribute: usize) -> bool {
        self.axes.iter().any(|&(a, _)| a == attribute)
    }
}

/// Probabilities of a clique's cells, by eliminating every other attribute along the paths of the
/// junction tree between the clique's attributes. Nodes that are not on those paths sum to one and
/// are left out.
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
    // Backwards, so that children are done first.
    for i in (0..nodes.len()).rev().filter(|&i| on_path[i]) {
        let parent = nodes[i].parent().filter(|&parent| on_path[parent]);
        let kept =
            |a: usize| clique.contains(a) || (parent.is_some() && nodes[i].separator().contains(a));
        let messages = std::mem::take(&mut pending[i]);
        // Only what is asked for, or a message still to come needs, is kept: the table stays as
        // small as it can.
        let mut table = node_table(model, i, parent.is_some(), |a| {
            kept(a) || messages.iter().any(|message| message.has(a))
        });
        // One message after the other: a product of all would have the axes of all.
        for (j, message) in messages.iter().enumerate() {
            let later = &messages[j + 1..];
            table = contract(&table, message, |a| {
                kept(a) || later.iter().any(|message| message.has(a))
            })?;
        }
        match parent {
            Some(parent) => pending[parent].push(table),
            None => result = contract(&result, &table, |_| true)?,
        }
    }
    Ok(in_order(&result, &axes(model.domain(), clique)))
}

/// The smallest set of nodes that holds the clique's attributes and, in each component, is
/// connected.
fn paths_between(model: &MarkovRandomField, clique: &Clique) -> Vec<bool> {
    let nodes = model.tree().nodes();
    // The topmost node of each attribute: parents come first.
    let tops: Vec<usize> = clique
        .iter()
        .map(|a| {
            let top = model.tree().holders(a).first();
            *top.expect("every attribute is in some node")
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

/// The node's marginal over the attributes that are needed, or its conditional given the separator,
/// all of which is.
fn node_table(
    model: &MarkovRandomField,
    i: usize,
    conditional: bool,
    needed: impl Fn(usize) -> bool,
) -> Table {
    let layout = &model.layout().nodes[i];
    let is_needed = |&&(a, _): &&(usize, usize)| needed(a);
    // The separator's axes stay first.
    let axes: Vec<(usize, usize)> = layout.axes.iter().filter(is_needed).copied().collect();
    let mut cells = vec![0.0; cells_of(&axes)];
    Alignment::new(&layout.axes, &axes).sum(model.node_marginal(i), &mut cells);
    // Above the node the separator's distribution comes from the parent; counted twice it would be
    // squared.
    if conditional {
        for row in cells.chunks_exact_mut(cells_of(&axes[layout.separator_axes..])) {
            let mass: f64 = row.iter().sum();
            // A separator that cannot occur has no conditional; it is multiplied by zero above.
            if mass > 0.0 {
                row.iter_mut().for_each(|p| *p /= mass);
            }
        }
    }
    Table { axes, cells }
}

/// The product of two tables, summed over the attributes of the first that are not kept. Those of
/// the second that the first lacks are kept. The product itself is never formed.
fn contract(table: &Table, message: &Table, kept: impl Fn(usize) -> bool) -> Result<Table, Error> {
    let part = |axes: &[(usize, usize)], wanted: &dyn Fn(usize) -> bool| -> Vec<(usize, usize)> {
        axes.iter().filter(|&&(a, _)| wanted(a)).copied().collect()
    };
    let outer = part(&table.axes, &kept);
    let inner = part(&table.axes, &|a| !kept(a) && message.has(a));
    let new = part(&message.axes, &|a| !table.has(a));
    let shared = part(&outer, &|a| message.has(a));
    let axes = [outer.as_slice(), &new].concat();
    let domain = Domain::new(axes.iter().map(|&(_, size)| size).collect())?;
    // Checked against the limit before the table is made: cliques that a person asks for may be
    // any.
    let mut cells = vec![0.0; domain.table_cells(&Clique::new(0..axes.len()), MAX_TREE_CELLS)?];
    // One row for each configuration of what is kept; for each such row the message is a matrix.
    let rows = in_order(table, &[outer.as_slice(), &inner].concat());
    let matrices = in_order(message, &[shared.as_slice(), &inner, &new].concat());
    let (height, width) = (cells_of(&inner), cells_of(&new));
    let matrix_of = Alignment::new(&outer, &shared).map();
    let pairs = rows.chunks_exact(height).zip(matrix_of);
    for (sums, (row, matrix)) in cells.chunks_exact_mut(width).zip(pairs) {
        let lines = matrices[matrix * height * width..].chunks_exact(width);
        // Impossible combinations are many where constraints tie columns, and contribute nothing.
        for (&factor, line) in row.iter().zip(lines).filter(|(factor, _)| **factor != 0.0) {
            sums.iter_mut()
                .zip(line)
                .for_each(|(sum, x)| *sum += factor * x);
        }
    }
    Ok(Table { axes, cells })
}

/// Sums the table into the given axes and order.
fn in_order(table: &Table, axes: &[(usize, usize)]) -> Vec<f64> {
    let mut cells = vec![0.0; cells_of(axes)];
    Alignment::new(&table.axes, axes).sum(&table.cells, &mut cells);
    cells
}
