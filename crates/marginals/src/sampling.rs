use rand_core::{Rng, SeedableRng};
use rayon::prelude::*;

use crate::alignment::Alignment;
use crate::deck::Decks;
use crate::herding::{Herding, NodeHerding};
use crate::propagation::{axes, cells_of};
use crate::rounding::{Partition, round_table};
use crate::{Clique, MarkovRandomField};

/// The ways in which rows are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampling {
    /// Each row is an independent draw from the model.
    Independent,
    /// The rows together have the model's marginals, rounded: in a junction-tree clique a cell's
    /// count is the expected one within 2, and in a tree of pairs single attributes are right
    /// within about 1. (The tests find this for all kinds of cliques; where one clique has children
    /// on several overlapping separators it is not proved.) Row by row the draws are without
    /// replacement from such tables, so rows that share a separator's configuration are paired at
    /// random with everything beyond it.
    Rounded,
}

impl MarkovRandomField {
    /// A stream of rows. The same generator state gives the same rows, whatever the size of the
    /// chunks and the number of threads.
    ///
    /// Memory does not depend on the number of rows, save for its logarithm. Of very many rows, the
    /// first come after about a hundredth of the time that all take.
    pub fn rows<R: Rng + SeedableRng + Send>(
        &self,
        rows: u64,
        sampling: Sampling,
        rng: &mut R,
    ) -> RowStream<R> {
        let nodes = self.tree().nodes();
        // A generator for each node, so that rows do not depend on the order in which nodes are
        // drawn, and so not on the number of threads.
        let mut rngs: Vec<R> = nodes.iter().map(|_| R::from_rng(rng)).collect();
        let mut draws: Vec<Draw> = match sampling {
            Sampling::Independent => (0..nodes.len()).map(|i| self.cumulative(i)).collect(),
            Sampling::Rounded => self.planned(rows, &mut rngs),
        };
        let mut samplers: Vec<NodeSampler<R>> = Vec::with_capacity(nodes.len());
        for (node, (draw, rng)) in draws.drain(..).zip(rngs).enumerate() {
            let parent = nodes[node].parent();
            let depth = parent.map_or(0, |parent| samplers[parent].depth + 1);
            samplers.push(NodeSampler::new(self, node, depth, draw, rng));
        }
        RowStream {
            samplers: by_depth(samplers),
            herding: None,
            attributes: self.domain().attributes(),
            left: rows,
            pending: Vec::from_iter((rows > 0).then_some(rows)),
            block: Block::default(),
        }
    }

    /// Rows as with [`Sampling::Rounded`], which have the model's marginals also of pairs that no
    /// junction-tree clique holds: of the values that a row can have, the one that such pairs lack
    /// most is drawn (herding: Chen, Welling and Smola 2010, arXiv:1203.3472; here within what the
    /// rounded tables leave open). A pair's distance from the model is a quarter of that of rounded
    /// rows, and less of many rows. Of more than 19 columns each is paired with the 9 that have the
    /// most codes in use. Pairs of more than 2^16 cells are left as they are, and so are those that
    /// would take long to find in the model beside the time that the rows take.
    ///
    /// A row takes about 10 ns more for each pair, on one thread. The pairs' tables take at most
    /// 24 MiB.
    ///
    /// `column_of` names for each attribute the column that it is about: of several attributes of
    /// one column, all but that of the most codes follow from it.
    ///
    /// # Panics
    /// If there are not as many names as attributes.
    pub fn herded_rows<R: Rng + SeedableRng + Send>(
        &self,
        rows: u64,
        column_of: &[usize],
        rng: &mut R,
    ) -> RowStream<R> {
        let mut stream = self.rows(rows, Sampling::Rounded, rng);
        let order: Vec<[Vec<usize>; 2]> = stream
            .samplers
            .iter()
            .map(NodeSampler::attributes)
            .collect();
        stream.herding = Some(Herding::new(self, rows, column_of, &order));
        stream
    }

    fn planned<R: Rng>(&self, rows: u64, rngs: &mut [R]) -> Vec<Draw> {
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); rngs.len()];
        for (i, node) in self.tree().nodes().iter().enumerate() {
            if let Some(parent) = node.parent() {
                children[parent].push(i);
            }
        }
        let mut planned: Vec<Vec<u64>> = Vec::with_capacity(rngs.len());
        for (node, rng) in rngs.iter_mut().enumerate() {
            let tracked = self.tracked(node, &children[node]);
            planned.push(self.plan(node, rows, &tracked, &planned, rng));
        }
        let decks = |(node, counts): (usize, Vec<u64>)| {
            let kinds = self.layout().nodes[node].columns;
            Draw::Rounded {
                pending: vec![Decks::new(&counts, kinds)],
            }
        };
        planned.into_iter().enumerate().map(decks).collect()
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
    fn plan<R: Rng>(
        &self,
        node: usize,
        rows: u64,
        tracked: &[Clique],
        planned: &[Vec<u64>],
        rng: &mut R,
    ) -> Vec<u64> {
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
        let partitions: Vec<Partition> = tracked.iter().map(partition).collect();
        round_table(expected, &row_totals, &partitions, rng)
    }

    /// The sets of attributes whose counts are to be right as well, the most important first: those
    /// that children condition on, then the single attributes that the node introduces; larger ones
    /// before smaller.
    fn tracked(&self, node: usize, children: &[usize]) -> Vec<Clique> {
        /// In larger tables one set is enough: sums of many cells are close anyhow, and memory
        /// dear.
        const TRACK_ALL_UP_TO: usize = 1 << 22;
        /// Of all sets together: each takes a number for each cell of the node.
        const MOST_NUMBERS: usize = 1 << 25;
        let nodes = self.tree().nodes();
        let own = nodes[node].separator();
        let separators = children
            .iter()
            .map(|&child| nodes[child].separator().clone())
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
            group.dedup();
            group.retain(|s| !tracked.contains(s));
            tracked.extend(group);
        }
        let cells = self.node_marginal(node).len();
        let most = match cells > TRACK_ALL_UP_TO {
            true => 1,
            false => MOST_NUMBERS / cells,
        };
        tracked.truncate(most);
        tracked
    }
}

/// Sorts nodes by their depth in the tree. Parents are known by their new places.
fn by_depth<R>(mut samplers: Vec<NodeSampler<R>>) -> Vec<NodeSampler<R>> {
    let mut order: Vec<usize> = (0..samplers.len()).collect();
    order.sort_by_key(|&node| samplers[node].depth);
    let mut place = vec![0; order.len()];
    order
        .iter()
        .enumerate()
        .for_each(|(i, &node)| place[node] = i);
    for sampler in &mut samplers {
        sampler.parent = sampler.parent.map(|parent| place[parent]);
    }
    samplers.sort_by_key(|sampler| sampler.depth);
    samplers
}

/// Rows of a model, in chunks.
#[derive(Debug)]
pub struct RowStream<R> {
    /// By depth in the tree.
    samplers: Vec<NodeSampler<R>>,
    herding: Option<Herding>,
    attributes: usize,
    left: u64,
    /// How many rows are still to be drawn together, the next ones last.
    pending: Vec<u64>,
    block: Block,
}

/// Rows that were drawn together.
#[derive(Debug, Default)]
struct Block {
    columns: Vec<Vec<u32>>,
    rows: usize,
    given_out: usize,
}

impl<R: Rng + Send> RowStream<R> {
    /// Most codes of a block, unless it has very many columns.
    const BLOCK_CODES: usize = 1 << 23;
    const BLOCK_ROWS: std::ops::RangeInclusive<usize> = 1 << 4..=1 << 16;

    /// How many rows are not drawn yet.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.left
    }

    /// The next rows, at most `max_rows` of them (at least 1), as one vector of codes for each
    /// attribute; `None` after the last row.
    pub fn next_chunk(&mut self, max_rows: usize) -> Option<Vec<Vec<u32>>> {
        if self.left == 0 {
            return None;
        }
        let mut missing = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(max_rows.max(1));
        self.left -= missing as u64;
        let mut chunk = vec![Vec::with_capacity(missing); self.attributes];
        while missing > 0 {
            if self.block.given_out == self.block.rows {
                self.draw_block();
            }
            let Block {
                columns,
                rows,
                given_out,
            } = &mut self.block;
            let end = (*rows).min(*given_out + missing);
            for (codes, column) in chunk.iter_mut().zip(columns) {
                codes.extend_from_slice(&column[*given_out..end]);
            }
            missing -= end - *given_out;
            *given_out = end;
        }
        Some(chunk)
    }

    /// Splits the rows to come in halves until the next are few, and draws these.
    fn draw_block(&mut self) {
        let most = Self::BLOCK_CODES / self.attributes.max(1);
        let most = most.clamp(*Self::BLOCK_ROWS.start(), *Self::BLOCK_ROWS.end());
        let mut rows = self.pending.pop().expect("rows are left");
        // Halves, since taking cards is cheapest by halves, and since the splits still to come are
        // then as many as the logarithm of the number of rows.
        while rows > most as u64 {
            let half = rows / 2;
            for i in 0..self.samplers.len() {
                let (above, rest) = self.samplers.split_at_mut(i);
                rest[0].split(half, above);
            }
            self.pending.push(rows - half);
            rows = half;
        }
        let rows = usize::try_from(rows).expect("a block has few rows");
        self.block = Block {
            columns: self.draw(rows),
            rows,
            given_out: 0,
        };
    }

    fn draw(&mut self, rows: usize) -> Vec<Vec<u32>> {
        /// Below this many draws, a second core costs more than it gives.
        const WORTH_SHARING: usize = 1 << 15;
        let mut columns = vec![Vec::new(); self.attributes];
        if let Some(herding) = &mut self.herding {
            // One after the other, since each minds what all before it drew.
            for (sampler, herding) in self.samplers.iter_mut().zip(&mut herding.nodes) {
                let drawn = sampler.draw(rows, &columns, herding);
                sampler.place(drawn, &mut columns);
            }
            return columns;
        }
        // Nodes of one depth depend only on those above, never on one another.
        for level in self.samplers.chunk_by_mut(|a, b| a.depth == b.depth) {
            let drawn: Vec<Vec<Vec<u32>>> =
                if level.len() > 1 && level.len() * rows >= WORTH_SHARING {
                    level
                        .par_iter_mut()
                        .map(|sampler| sampler.draw(rows, &columns, &mut NodeHerding::default()))
                        .collect()
                } else {
                    level
                        .iter_mut()
                        .map(|sampler| sampler.draw(rows, &columns, &mut NodeHerding::default()))
                        .collect()
                };
            for (sampler, drawn) in level.iter().zip(drawn) {
                sampler.place(drawn, &mut columns);
            }
        }
        columns
    }
}

/// Draws the attributes that one node introduces, given those of its separator.
#[derive(Debug)]
struct NodeSampler<R> {
    depth: usize,
    parent: Option<usize>,
    /// Where the separator's attributes are.
    separator: Vec<Digit>,
    /// (attribute, size)
    introduced: Vec<(usize, usize)>,
    rows: usize,
    columns: usize,
    draw: Draw,
    rng: R,
}

/// An attribute of a separator.
#[derive(Debug)]
struct Digit {
    attribute: usize,
    size: usize,
    /// What one code more adds to the number of the parent's cell.
    parent_step: usize,
    /// What one code more adds to the number of the node's row.
    step: usize,
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
        let parent = model.tree().nodes()[node].parent();
        let parent_axes = parent.map_or(&[][..], |parent| &model.layout().nodes[parent].axes);
        let (separator, introduced) = layout.axes.split_at(layout.separator_axes);
        let digit = |(i, &(attribute, size)): (usize, &(usize, usize))| {
            let at = parent_axes.iter().position(|&(a, _)| a == attribute);
            let at = at.expect("the parent holds the separator");
            Digit {
                attribute,
                size,
                parent_step: cells_of(&parent_axes[at + 1..]),
                step: cells_of(&separator[i + 1..]),
            }
        };
        NodeSampler {
            depth,
            parent,
            separator: separator.iter().enumerate().map(digit).collect(),
            introduced: introduced.to_vec(),
            rows: layout.rows,
            columns: layout.columns,
            draw,
            rng,
        }
    }

    /// Sets apart what the next `rows` rows draw, once all nodes above have done so.
    fn split(&mut self, rows: u64, above: &[NodeSampler<R>]) {
        let Draw::Rounded { pending } = &mut self.draw else {
            return;
        };
        let mut wanted = vec![0; self.rows];
        match self.parent.map(|parent| &above[parent].draw) {
            Some(Draw::Rounded { pending }) => {
                let next = pending.last().expect("it was just split");
                for (cell, count) in next.counts() {
                    let row = self
                        .separator
                        .iter()
                        .map(|d| cell / d.parent_step % d.size * d.step);
                    wanted[row.sum::<usize>()] += count;
                }
            }
            _ => wanted[0] = rows,
        }
        let all = pending.last_mut().expect("rows are left");
        let next = all.take(&wanted, &mut self.rng);
        pending.push(next);
    }

    /// The attributes of its separator, and those that it introduces.
    fn attributes(&self) -> [Vec<usize>; 2] {
        let separator = self.separator.iter().map(|digit| digit.attribute);
        let introduced = self.introduced.iter().map(|&(attribute, _)| attribute);
        [separator.collect(), introduced.collect()]
    }

    fn place(&self, drawn: Vec<Vec<u32>>, columns: &mut [Vec<u32>]) {
        for (&(attribute, _), codes) in self.introduced.iter().zip(drawn) {
            columns[attribute] = codes;
        }
    }

    fn draw(
        &mut self,
        rows: usize,
        known: &[Vec<u32>],
        herding: &mut NodeHerding,
    ) -> Vec<Vec<u32>> {
        let mut table_rows = vec![0_u32; rows];
        for digit in &self.separator {
            let step = u32::try_from(digit.step).expect("cells are numbered in 32 bits");
            let codes = table_rows.iter_mut().zip(&known[digit.attribute]);
            codes.for_each(|(row, &code)| *row += code * step);
        }
        let drawn = match &mut self.draw {
            Draw::Rounded { pending } if herding.is_any() => {
                let decks = pending.pop().expect("rows are left");
                decks.deal_chosen(&table_rows, &mut self.rng, |row, kinds| {
                    herding.choose(known, row, kinds)
                })
            }
            draw => draw.columns(&table_rows, self.columns, &mut self.rng),
        };
        // A single attribute is its own column number: the divisions below would give it back
        // unchanged.
        if self.introduced.len() == 1 {
            return vec![drawn];
        }
        let mut step = u32::try_from(self.columns).expect("cells are numbered in 32 bits");
        let digits = self.introduced.iter().map(|&(_, size)| {
            let size = u32::try_from(size).expect("a domain's sizes fit in 32 bits");
            step /= size;
            drawn.iter().map(|column| column / step % size).collect()
        });
        digits.collect()
    }
}

#[derive(Debug)]
enum Draw {
    /// Running sums of the cells' probabilities, row by row.
    Independent { cumulative: Vec<f64> },
    /// What the rows to come will draw, as they are to be drawn together, the next ones last.
    Rounded { pending: Vec<Decks> },
}

impl Draw {
    /// A column of the table for each of the given rows.
    fn columns<R: Rng>(&mut self, rows: &[u32], columns: usize, rng: &mut R) -> Vec<u32> {
        match self {
            Draw::Independent { cumulative } => {
                let draw_one = |&row: &u32| {
                    let start = row as usize * columns;
                    let cumulative = &cumulative[start..start + columns];
                    let mark = uniform(rng) * cumulative[columns - 1];
                    // The first cell that reaches beyond the mark has a positive probability.
                    let column = cumulative.partition_point(|&sum| sum <= mark);
                    u32::try_from(column.min(columns - 1)).expect("cells are numbered in 32 bits")
                };
                rows.iter().map(draw_one).collect()
            }
            Draw::Rounded { pending } => {
                let decks = pending.pop().expect("rows are left");
                decks.deal(rows, rng)
            }
        }
    }
}

/// Uniform in [0, 1), with 53 random bits.
fn uniform<R: Rng>(rng: &mut R) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}
