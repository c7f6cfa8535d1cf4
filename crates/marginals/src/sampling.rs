use rand_core::{Rng, SeedableRng};
use rayon::prelude::*;

use crate::alignment::Alignment;
use crate::propagation::{axes, cells_of};
use crate::rounding::{Partition, round_table};
use crate::urn::{below, build, take};
use crate::{Clique, MarkovRandomField};

/// How rows are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampling {
    /// Each row is an independent draw from the model.
    Independent,
    /// The rows together have the model's marginals, rounded: in a junction-tree clique a cell's count is the expected one
    /// within 2, and in a tree of pairs single attributes are right within about 1. (The tests find this for all kinds of cliques; where one
    /// clique has children on several overlapping separators it is not proved.) Row by row the draws are
    /// without replacement from such tables, so rows that share a separator's configuration are paired at
    /// random with everything beyond it.
    Rounded,
}

impl MarkovRandomField {
    /// A stream of rows. The same generator state gives the same rows, whatever the size of the chunks.
    ///
    /// Memory does not depend on the number of rows.
    pub fn rows<R: Rng + SeedableRng + Send>(
        &self,
        rows: u64,
        sampling: Sampling,
        rng: &mut R,
    ) -> RowStream<R> {
        let mut planned: Vec<Vec<u64>> = Vec::new();
        let mut samplers: Vec<NodeSampler<R>> = Vec::with_capacity(self.tree().nodes().len());
        for node in 0..self.tree().nodes().len() {
            let mut own_rng = R::from_rng(rng);
            let draw = match sampling {
                Sampling::Independent => self.cumulative(node),
                Sampling::Rounded => {
                    planned.push(self.plan(node, rows, &planned, &mut own_rng));
                    Draw::urns(&planned[node], self.layout().nodes[node].columns)
                }
            };
            let depth = self.tree().nodes()[node]
                .parent()
                .map_or(0, |parent| samplers[parent].depth + 1);
            samplers.push(NodeSampler::new(self, node, depth, draw, own_rng));
        }
        samplers.sort_by_key(|sampler| sampler.depth);
        RowStream {
            samplers,
            attributes: self.domain().attributes(),
            left: rows,
        }
    }

    /// Cumulative probabilities within each row of the node's table.
    fn cumulative(&self, node: usize) -> Draw {
        let columns = self.layout().nodes[node].columns;
        let mut cumulative = self.node_marginal(node).to_vec();
        for row in cumulative.chunks_exact_mut(columns) {
            let mut sum = 0.0;
            row.iter_mut().for_each(|p| {
                sum += *p;
                *p = sum;
            });
        }
        Draw::Independent { cumulative }
    }

    /// Whole counts of the node's cells that agree with the parent's.
    fn plan<R: Rng>(&self, node: usize, rows: u64, planned: &[Vec<u64>], rng: &mut R) -> Vec<u64> {
        let layout = &self.layout().nodes[node];
        let mut row_totals = vec![0; layout.rows];
        match &layout.parent {
            None => row_totals[0] = rows,
            Some(parent) => {
                let map = parent.to_rows.map();
                map.into_iter()
                    .zip(&planned[parent.node])
                    .for_each(|(row, count)| row_totals[row] += count);
            }
        }
        let expected = self
            .node_marginal(node)
            .iter()
            .map(|p| p * rows as f64)
            .collect();
        let partition = |clique: &Clique| {
            let small = axes(self.domain(), clique);
            Partition {
                class_of: Alignment::new(&layout.axes, &small).map(),
                classes: cells_of(&small),
            }
        };
        let partitions: Vec<Partition> = self.tracked(node).iter().map(partition).collect();
        round_table(expected, &row_totals, &partitions, rng)
    }

    /// The sets of attributes whose counts are to be right as well, the most important first: those that children
    /// condition on, then the single attributes that the node introduces; larger ones before smaller.
    fn tracked(&self, node: usize) -> Vec<Clique> {
        /// In larger tables one set is enough: sums of many cells are close anyhow, and memory dear.
        const TRACK_ALL_UP_TO: usize = 1 << 22;
        let nodes = self.tree().nodes();
        let own = nodes[node].separator();
        let children = nodes.iter().filter(|child| child.parent() == Some(node));
        let separators = children
            .map(|child| child.separator().clone())
            .filter(|s| !s.is_subset(own));
        let singles = nodes[node]
            .clique()
            .difference(own)
            .iter()
            .map(|a| Clique::new([a]))
            .collect();
        let mut tracked: Vec<Clique> = Vec::new();
        for mut group in [separators.collect(), singles] as [Vec<Clique>; 2] {
            group.sort_by_key(|s| (std::cmp::Reverse(self.domain().cells(s)), s.clone()));
            group.retain(|s| !tracked.contains(s));
            group.dedup();
            tracked.extend(group);
        }
        if self.node_marginal(node).len() > TRACK_ALL_UP_TO {
            tracked.truncate(1);
        }
        tracked
    }
}

/// Rows of a model, in chunks.
#[derive(Debug)]
pub struct RowStream<R> {
    /// By depth in the tree.
    samplers: Vec<NodeSampler<R>>,
    attributes: usize,
    left: u64,
}

impl<R: Rng + Send> RowStream<R> {
    /// Rows not yet drawn.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.left
    }

    /// The next rows, at most `max_rows` of them (at least 1), as one vector of codes for each attribute; `None`
    /// after the last row.
    pub fn next_chunk(&mut self, max_rows: usize) -> Option<Vec<Vec<u32>>> {
        /// Below this many draws, a second core costs more than it gives.
        const WORTH_SHARING: usize = 1 << 15;
        if self.left == 0 {
            return None;
        }
        let rows = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(max_rows.max(1));
        self.left -= rows as u64;
        let mut columns = vec![Vec::new(); self.attributes];
        for level in self.samplers.chunk_by_mut(|a, b| a.depth == b.depth) {
            let drawn: Vec<Vec<Vec<u32>>> =
                if level.len() > 1 && level.len() * rows >= WORTH_SHARING {
                    level
                        .par_iter_mut()
                        .map(|sampler| sampler.draw(rows, &columns))
                        .collect()
                } else {
                    level
                        .iter_mut()
                        .map(|sampler| sampler.draw(rows, &columns))
                        .collect()
                };
            for (sampler, drawn) in level.iter().zip(drawn) {
                for (&(attribute, _), codes) in sampler.introduced.iter().zip(drawn) {
                    columns[attribute] = codes;
                }
            }
        }
        Some(columns)
    }
}

/// Draws the attributes that one node introduces, given those of its separator.
#[derive(Debug)]
struct NodeSampler<R> {
    depth: usize,
    /// (attribute, step in rows)
    separator: Vec<(usize, usize)>,
    /// (attribute, size)
    introduced: Vec<(usize, usize)>,
    columns: usize,
    draw: Draw,
    rng: R,
}

impl<R: Rng> NodeSampler<R> {
    fn new(
        model: &MarkovRandomField,
        node: usize,
        depth: usize,
        draw: Draw,
        rng: R,
    ) -> NodeSampler<R> {
        let layout = &model.layout().nodes[node];
        let (separator, introduced) = layout.axes.split_at(layout.separator_axes);
        let step = |i: usize| (separator[i].0, cells_of(&separator[i + 1..]));
        NodeSampler {
            depth,
            separator: (0..separator.len()).map(step).collect(),
            introduced: introduced.to_vec(),
            columns: layout.columns,
            draw,
            rng,
        }
    }

    fn draw(&mut self, rows: usize, known: &[Vec<u32>]) -> Vec<Vec<u32>> {
        let mut drawn: Vec<Vec<u32>> = self
            .introduced
            .iter()
            .map(|_| Vec::with_capacity(rows))
            .collect();
        let mut table_rows = vec![0; rows];
        for &(attribute, step) in &self.separator {
            let codes = table_rows.iter_mut().zip(&known[attribute]);
            codes.for_each(|(row, &code)| *row += code as usize * step);
        }
        for row in table_rows {
            let mut rest = self.draw.column(row, self.columns, &mut self.rng);
            for (&(_, size), codes) in self.introduced.iter().zip(&mut drawn).rev() {
                codes.push(u32::try_from(rest % size).expect("a domain's sizes fit in 32 bits"));
                rest /= size;
            }
        }
        drawn
    }
}

#[derive(Debug)]
enum Draw {
    /// Running sums of the cells' probabilities, row by row.
    Independent { cumulative: Vec<f64> },
    /// A Fenwick tree of the cells' counts for each row, and what is left in it.
    Urns { trees: Vec<u64>, left: Vec<u64> },
}

impl Draw {
    fn urns(counts: &[u64], columns: usize) -> Draw {
        let left = counts
            .chunks_exact(columns)
            .map(|row| row.iter().sum())
            .collect();
        let mut trees = counts.to_vec();
        trees.chunks_exact_mut(columns).for_each(build);
        Draw::Urns { trees, left }
    }

    fn column<R: Rng>(&mut self, row: usize, columns: usize, rng: &mut R) -> usize {
        let cells = row * columns..(row + 1) * columns;
        match self {
            Draw::Independent { cumulative } => {
                let cumulative = &cumulative[cells];
                let mark = uniform(rng) * cumulative[columns - 1];
                // The first cell that reaches beyond the mark has a positive probability.
                cumulative
                    .partition_point(|&sum| sum <= mark)
                    .min(columns - 1)
            }
            Draw::Urns { trees, left } => {
                let ball = below(rng, left[row]);
                left[row] -= 1;
                take(&mut trees[cells], ball)
            }
        }
    }
}

/// Uniform in [0, 1), with 53 random bits.
fn uniform<R: Rng>(rng: &mut R) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}
