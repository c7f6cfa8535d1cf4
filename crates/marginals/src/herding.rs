//! What rows still need for their pairs to be those of the model, while they are drawn.

use crate::deck::CANDIDATES;
use crate::{Clique, MarkovRandomField};

/// The pairs that are minded at each node of a tree, and how often each of their cells was drawn.
#[derive(Debug)]
pub(crate) struct Herding {
    /// In the order in which nodes are drawn.
    pub(crate) nodes: Vec<NodeHerding>,
}

/// Pairs that are minded for each attribute in the mean: they take most of a row's time.
const PAIRS_OF_ATTRIBUTE: usize = 9;
/// Cells of one pair; a column of more codes is minded by its coarser attributes alone.
const MOST_CELLS: u128 = 1 << 16;
/// Cells of all pairs together, of 12 bytes each.
const MOST_CELLS_TOGETHER: u128 = 1 << 21;
/// Cells that are gone through to find what the model expects of all pairs: so many for each row to
/// be drawn, and so many in all, which is less than a second. Few rows must come at once.
const MOST_WORK_A_ROW: u128 = 1 << 13;
const MOST_WORK: u128 = 1 << 28;

impl Herding {
    /// `nodes` has the separator of each node and the attributes that it introduces.
    pub(crate) fn new(
        model: &MarkovRandomField,
        rows: u64,
        column_of: &[usize],
        nodes: &[[Vec<usize>; 2]],
    ) -> Herding {
        assert_eq!(column_of.len(), model.domain().attributes());
        let mut herding: Vec<NodeHerding> = nodes
            .iter()
            .map(|[_, introduced]| NodeHerding::new(model, introduced))
            .collect();
        let most_work = MOST_WORK.min(MOST_WORK_A_ROW * u128::from(rows));
        let pairs = affordable(model, pairs(model, column_of, nodes), most_work);
        let cliques: Vec<Clique> = pairs.iter().map(Pair::clique).collect();
        for (pair, table) in pairs.iter().zip(model.each_marginal(&cliques)) {
            // What cannot be had is not minded.
            let Ok(table) = table else { continue };
            let counts = PairCounts::new(model, pair, &table, rows);
            herding[pair.node].introduced[pair.place].pairs.push(counts);
        }
        Herding { nodes: herding }
    }
}

/// Two attributes, of which one is drawn given the other.
struct Pair {
    node: usize,
    /// Among the attributes that the node introduces.
    place: usize,
    drawn: usize,
    known: usize,
}

impl Pair {
    fn clique(&self) -> Clique {
        Clique::new([self.drawn, self.known])
    }
}

/// Pairs that the tree does not hold: each attribute when it is drawn with the finest attribute
/// known of other columns, those first in which there is most to be wrong.
fn pairs(model: &MarkovRandomField, column_of: &[usize], nodes: &[[Vec<usize>; 2]]) -> Vec<Pair> {
    let size = |attribute: usize| model.domain().size(attribute);
    let cells = |a: usize, b: usize| size(a) as u128 * size(b) as u128;
    let columns = by_spread(model, column_of);
    // Of few columns an attribute has, in the mean, half of the others before it.
    let most = match columns.len() <= 2 * PAIRS_OF_ATTRIBUTE + 1 {
        true => columns.len(),
        false => PAIRS_OF_ATTRIBUTE,
    };
    // The attributes known of each column, those of most codes first.
    let mut known: Vec<Vec<usize>> = vec![Vec::new(); columns.len()];
    let mut pairs = Vec::new();
    for (node, [separator, introduced]) in nodes.iter().enumerate() {
        for (place, &drawn) in introduced.iter().enumerate() {
            let own = column_of[drawn];
            // It follows from what is known: there is nothing to choose.
            if known[own]
                .first()
                .is_some_and(|&it| size(it) >= size(drawn))
            {
                continue;
            }
            let others = columns.iter().filter(|column| **column != own);
            let finest = others.filter_map(|&column| {
                let mut known = known[column].iter();
                known.find(|&&it| cells(it, drawn) <= MOST_CELLS)
            });
            // The node's table has its own pairs right.
            let minded = finest.filter(|known| !separator.contains(known));
            pairs.extend(minded.take(most).map(|&known| Pair {
                node,
                place,
                drawn,
                known,
            }));
        }
        for &attribute in introduced {
            let known = &mut known[column_of[attribute]];
            let at = known.partition_point(|&it| size(it) >= size(attribute));
            known.insert(at, attribute);
        }
    }
    pairs
}

/// The columns, those first whose pairs independent draws would have furthest from the model.
fn by_spread(model: &MarkovRandomField, column_of: &[usize]) -> Vec<usize> {
    let columns = column_of.iter().max().map_or(0, |last| last + 1);
    let mut spread = vec![0.0_f64; columns];
    for (attribute, &column) in column_of.iter().enumerate() {
        let counts = model.marginal(&Clique::new([attribute]));
        let counts = counts.expect("an attribute is in some node");
        // The expected L1 error of independent draws is the sum of the roots of the probabilities,
        // up to a factor; of a pair that is not related it is the product of those of its columns.
        let roots: f64 = counts.iter().map(|count| count.max(0.0).sqrt()).sum();
        spread[column] = spread[column].max(roots);
    }
    let mut order: Vec<usize> = (0..columns).collect();
    order.sort_by(|&a, &b| spread[b].total_cmp(&spread[a]));
    order
}

/// As many of the pairs as memory and the time before the first row allow.
fn affordable(model: &MarkovRandomField, mut pairs: Vec<Pair>, most_work: u128) -> Vec<Pair> {
    let Some(carried) = model.carried_cells() else {
        return Vec::new();
    };
    let mut is_source = vec![false; model.domain().attributes()];
    let (mut work, mut together) = (0, 0);
    pairs.retain(|pair| {
        let clique = pair.clique();
        let Some((source, _)) = model.source(&clique, Some(carried)) else {
            return false;
        };
        let more_work = match is_source[source] {
            // All pairs of a source are found on one walk.
            true => 0,
            false => carried * model.domain().size(source) as u128,
        };
        let more_cells = model.domain().cells(&clique);
        let fits = work + more_work <= most_work && together + more_cells <= MOST_CELLS_TOGETHER;
        if fits {
            is_source[source] = true;
            work += more_work;
            together += more_cells;
        }
        fits
    });
    pairs
}

/// The pairs of what one node draws with what is known before.
#[derive(Debug, Default)]
pub(crate) struct NodeHerding {
    introduced: Vec<Introduced>,
}

/// An attribute that a node draws.
#[derive(Debug)]
struct Introduced {
    /// What one code more adds to the number of what is drawn.
    step: u32,
    size: u32,
    /// Whether the node draws no other attribute.
    alone: bool,
    pairs: Vec<PairCounts>,
}

impl Introduced {
    /// Its code in what is drawn.
    fn code(&self, kind: u32) -> usize {
        let code = match self.alone {
            // The divisions would give it back unchanged, and take time.
            true => kind,
            false => kind / self.step % self.size,
        };
        code as usize
    }
}

impl NodeHerding {
    fn new(model: &MarkovRandomField, introduced: &[usize]) -> NodeHerding {
        let mut step = 1;
        let alone = introduced.len() == 1;
        let attribute = |&attribute: &usize| {
            let size = u32::try_from(model.domain().size(attribute)).expect("sizes fit in 32 bits");
            step *= size;
            Introduced {
                step: step / size,
                size,
                alone,
                pairs: Vec::new(),
            }
        };
        // The last attribute is the fastest axis.
        let mut introduced: Vec<Introduced> = introduced.iter().rev().map(attribute).collect();
        introduced.reverse();
        NodeHerding { introduced }
    }

    /// Whether any pair is minded.
    pub(crate) fn is_any(&self) -> bool {
        self.introduced.iter().any(|it| !it.pairs.is_empty())
    }

    /// The position of that one of the kinds which the pairs of this row lack most, and takes it to
    /// be drawn.
    pub(crate) fn choose(&mut self, known: &[Vec<u32>], row: usize, kinds: &[u32]) -> usize {
        let mut lacking = [0.0; CANDIDATES];
        for attribute in &mut self.introduced {
            // Unused candidates have code 0: a loop of fixed length is faster.
            let mut codes = [0; CANDIDATES];
            for (code, &kind) in codes.iter_mut().zip(kinds) {
                *code = attribute.code(kind);
            }
            for pair in &mut attribute.pairs {
                pair.add_lacking(known[pair.known][row], &codes, &mut lacking);
            }
        }
        let mut best = 0;
        for i in 1..kinds.len() {
            if lacking[i] > lacking[best] {
                best = i;
            }
        }
        for attribute in &mut self.introduced {
            let code = attribute.code(kinds[best]);
            for pair in &mut attribute.pairs {
                pair.cells[pair.at + code].drawn += 1.0;
            }
        }
        best
    }
}

/// How often each combination of a known attribute's code and a drawn one's came, beside how often
/// it should have.
#[derive(Debug)]
struct PairCounts {
    known: usize,
    drawn_codes: usize,
    /// Rows of each code of the known attribute.
    rows: Vec<f32>,
    /// With a row for each code of the known attribute.
    cells: Vec<Cell>,
    /// Where the row of the known code of the row in hand begins.
    at: usize,
}

#[derive(Debug, Clone, Copy)]
struct Cell {
    /// Probability of the drawn code given the known one, times the weight.
    share: f32,
    /// What one row too few counts: more where few are expected.
    weight: f32,
    /// Rows until now; whole, and exact up to 2^24.
    drawn: f32,
}

impl PairCounts {
    #[expect(clippy::cast_possible_truncation, reason = "probabilities and weights")]
    fn new(model: &MarkovRandomField, pair: &Pair, table: &[f64], rows: u64) -> PairCounts {
        let [known, drawn] = [pair.known, pair.drawn].map(|it| model.domain().size(it));
        // Marginals are in order of attributes.
        let [across, down] = if pair.known < pair.drawn {
            [1, drawn]
        } else {
            [known, 1]
        };
        let mut cells = Vec::with_capacity(table.len());
        for code in 0..known {
            let own = (0..drawn).map(|other| table[code * down + other * across]);
            let mass = own.clone().sum::<f64>();
            cells.extend(own.map(|count| {
                let weight = (count / model.total() + 1.0 / rows as f64).powf(-0.5);
                let share = if mass > 0.0 { count / mass } else { 0.0 };
                Cell {
                    share: (share * weight) as f32,
                    weight: weight as f32,
                    drawn: 0.0,
                }
            }));
        }
        PairCounts {
            known: pair.known,
            drawn_codes: drawn,
            rows: vec![0.0; known],
            cells,
            at: 0,
        }
    }

    /// Counts a row of a known code, and adds what each drawn code would then lack.
    fn add_lacking(
        &mut self,
        known: u32,
        codes: &[usize; CANDIDATES],
        lacking: &mut [f32; CANDIDATES],
    ) {
        let known = known as usize;
        self.rows[known] += 1.0;
        let rows = self.rows[known];
        self.at = known * self.drawn_codes;
        let cells = &self.cells[self.at..][..self.drawn_codes];
        for (sum, &code) in lacking.iter_mut().zip(codes) {
            let cell = cells[code];
            *sum += rows * cell.share - cell.weight * cell.drawn;
        }
    }
}
