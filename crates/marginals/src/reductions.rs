//! Sums of one large table onto many small ones, and the way back, at the price of two or three
//! sums.

use crate::alignment::Alignment;
use crate::propagation::cells_of;

/// (attribute, size) in memory order, slowest first.
type Axes = Vec<(usize, usize)>;

/// A large table and tables over subsets of its attributes, the targets.
///
/// Each target is attached to another table that has all its attributes: the large one, another
/// target, or one that is there only to be summed over once for several targets. Summing runs down
/// this tree, and adding the targets to the large table runs up.
#[derive(Debug)]
pub(crate) struct Reductions {
    /// The large table, then the others, each after the one it is attached to.
    tables: Vec<Vec<f64>>,
    /// To which table each but the first is attached.
    attachments: Vec<Attachment>,
    /// Position of each target's table.
    targets: Vec<usize>,
}

#[derive(Debug)]
struct Attachment {
    on: usize,
    alignment: Alignment,
}

impl Reductions {
    /// Targets must have attributes of the large table only. Two of them may have the same.
    pub(crate) fn new(large: &[(usize, usize)], targets: &[Axes]) -> Reductions {
        let mut reductions = Reductions {
            tables: vec![vec![0.0; cells_of(large)]],
            attachments: Vec::new(),
            targets: vec![0; targets.len()],
        };
        reductions.attach(0, large, targets, (0..targets.len()).collect());
        reductions
    }

    /// Attaches targets to a table: those with the table's own axes are the table, and the others
    /// go in groups below whatever table saves the most, or directly.
    fn attach(&mut self, on: usize, axes: &[(usize, usize)], targets: &[Axes], open: Vec<usize>) {
        let (same, mut open): (Vec<usize>, Vec<usize>) =
            open.into_iter().partition(|&t| targets[t] == axes);
        same.iter().for_each(|&t| self.targets[t] = on);
        while let Some(&first) = open.first() {
            let open_axes: Vec<&Axes> = open.iter().map(|&t| &targets[t]).collect();
            let next = best_step(axes, &open_axes).unwrap_or_else(|| targets[first].clone());
            let below: Vec<usize>;
            (below, open) = open
                .into_iter()
                .partition(|&t| is_subset(&targets[t], &next));
            self.tables.push(vec![0.0; cells_of(&next)]);
            self.attachments.push(Attachment {
                on,
                alignment: Alignment::new(axes, &next),
            });
            self.attach(self.tables.len() - 1, &next, targets, below);
        }
    }

    /// The entries of the large table.
    pub(crate) fn large(&self) -> &[f64] {
        &self.tables[0]
    }

    pub(crate) fn large_mut(&mut self) -> &mut [f64] {
        &mut self.tables[0]
    }

    /// The entries of a target's table.
    pub(crate) fn target(&self, target: usize) -> &[f64] {
        &self.tables[self.targets[target]]
    }

    /// Sets all tables to zero.
    pub(crate) fn clear(&mut self) {
        self.tables.iter_mut().for_each(|table| table.fill(0.0));
    }

    /// Adds to a target's table.
    pub(crate) fn add(&mut self, target: usize, values: &[f64]) {
        let table = &mut self.tables[self.targets[target]];
        table.iter_mut().zip(values).for_each(|(x, y)| *x += y);
    }

    /// Adds each cell of the small tables to all cells of the large one that it covers; the small
    /// tables' contents are lost.
    pub(crate) fn expand(&mut self) {
        for (i, attachment) in self.attachments.iter().enumerate().rev() {
            let (before, rest) = self.tables.split_at_mut(i + 1);
            attachment
                .alignment
                .add(&mut before[attachment.on], 1.0, &rest[0]);
        }
    }

    /// Sums the large table onto the small ones.
    pub(crate) fn reduce(&mut self) {
        for (i, attachment) in self.attachments.iter().enumerate() {
            let (before, rest) = self.tables.split_at_mut(i + 1);
            rest[0].fill(0.0);
            attachment
                .alignment
                .sum(&before[attachment.on], &mut rest[0]);
        }
    }
}

/// The table that saves the most when it is summed first and the targets within it are summed from
/// it.
fn best_step(axes: &[(usize, usize)], targets: &[&Axes]) -> Option<Axes> {
    let without = |x: &(usize, usize)| -> Axes {
        // All that the targets without the attribute need.
        let needed =
            |a: &(usize, usize)| a != x && targets.iter().any(|t| !t.contains(x) && t.contains(a));
        axes.iter().copied().filter(needed).collect()
    };
    let candidates = axes
        .iter()
        .map(without)
        .chain(targets.iter().map(|&t| t.clone()));
    let saving = |step: &Axes| {
        let mut saving = -cost(axes, step);
        for target in targets.iter().filter(|t| is_subset(t, step)) {
            saving += cost(axes, target);
            if *target != step {
                saving -= cost(step, target);
            }
        }
        saving
    };
    let mut best = None;
    for step in candidates.filter(|step| step.len() < axes.len()) {
        let saving = saving(&step);
        if saving > best.as_ref().map_or(0.0, |&(most, _)| most) {
            best = Some((saving, step));
        }
    }
    best.map(|(_, step)| step)
}

/// Work to sum a table over `large` onto one over `small`, in cells.
fn cost(large: &[(usize, usize)], small: &[(usize, usize)]) -> f64 {
    Alignment::new(large, small).cost()
}

fn is_subset(small: &[(usize, usize)], large: &[(usize, usize)]) -> bool {
    small.iter().all(|axis| large.contains(axis))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// (sizes of attributes, their order in the large table, the targets' attributes).
    fn shapes() -> impl Strategy<Value = (Vec<usize>, Vec<usize>, Vec<Vec<bool>>)> {
        let sizes = prop::collection::vec(1_usize..5, 1..7);
        sizes.prop_flat_map(|sizes| {
            let n = sizes.len();
            let order = Just((0..n).collect::<Vec<usize>>()).prop_shuffle();
            let target = prop::collection::vec(any::<bool>(), n);
            (Just(sizes), order, prop::collection::vec(target, 0..12))
        })
    }

    fn pick(sizes: &[usize], target: &[bool]) -> Axes {
        let axes = sizes.iter().copied().enumerate();
        axes.zip(target)
            .filter(|(_, keep)| **keep)
            .map(|(axis, _)| axis)
            .collect()
    }

    fn numbers(cells: usize, seed: usize) -> Vec<f64> {
        (0..cells)
            .map(|i| ((i * 37 + seed * 11) % 23) as f64)
            .collect()
    }

    proptest! {
        #[test]
        fn sums_and_additions_are_those_of_each_target_alone((sizes, order, targets) in shapes()) {
            let large: Axes = order.iter().map(|&a| (a, sizes[a])).collect();
            let targets: Vec<Axes> = targets.iter().map(|t| pick(&sizes, t)).collect();
            let mut reductions = Reductions::new(&large, &targets);

            let table = numbers(cells_of(&large), 1);
            reductions.large_mut().copy_from_slice(&table);
            reductions.reduce();
            for (t, axes) in targets.iter().enumerate() {
                let mut expected = vec![0.0; cells_of(axes)];
                Alignment::new(&large, axes).sum(&table, &mut expected);
                prop_assert_eq!(reductions.target(t), &expected[..]);
            }

            reductions.clear();
            let mut expected = vec![0.0; table.len()];
            for (t, axes) in targets.iter().enumerate() {
                let values = numbers(cells_of(axes), t);
                reductions.add(t, &values);
                Alignment::new(&large, axes).add(&mut expected, 1.0, &values);
            }
            reductions.expand();
            prop_assert_eq!(reductions.large(), &expected[..]);
        }
    }

    #[test]
    fn many_pairs_cost_a_few_sums_over_the_large_table() {
        let axes: Axes = (0..8).map(|a| (a, 4)).collect();
        let pairs: Vec<Axes> = (0..8)
            .flat_map(|a| (a + 1..8).map(move |b| vec![(a, 4), (b, 4)]))
            .collect();
        let reductions = Reductions::new(&axes, &pairs);
        let summed: usize = reductions
            .attachments
            .iter()
            .map(|h| reductions.tables[h.on].len())
            .sum();
        assert!(summed < 6 * reductions.large().len(), "{summed} cells");
    }
}
