//! The part of an elimination that makes no new link.
//!
//! An attribute whose neighbours are all linked among themselves can go at once. Where relations
//! form a tree, or a model's own cliques are eliminated again, all attributes go this way, at a
//! cost in proportion to the links.

use crate::Clique;
use crate::triangulation::{Links, Step};

/// Attributes with more neighbours wait. A model's table of more attributes that have two codes or
/// more would not fit in memory, and the cost of an attribute grows as the square of its
/// neighbours.
const MOST_NEIGHBOURS: usize = 63;

/// A graph of attributes, numbered anew, from which attributes go.
pub(crate) struct Peeling {
    /// The neighbours of attribute `a`, ascending, are `neighbours[starts[a]..starts[a + 1]]`.
    neighbours: Vec<usize>,
    starts: Vec<usize>,
    is_left: Vec<bool>,
    /// How many neighbours are left.
    degrees: Vec<usize>,
    /// Pairs of neighbours left that are not linked, once counted.
    missing: Vec<Option<usize>>,
    /// Attributes that miss no link.
    simplicial: Vec<usize>,
}

/// Attributes that cannot go without a new link, or have very many neighbours.
pub(crate) struct Kernel {
    /// Numbers in the graph, ascending.
    attributes: Vec<usize>,
    /// For each of them its neighbours, as positions in `attributes`.
    neighbours: Vec<Vec<usize>>,
}

impl Peeling {
    /// The links among some attributes, which are in ascending order, with the clique of some of
    /// them added.
    pub(crate) fn new(links: &Links, members: &[usize], added: &Clique) -> Peeling {
        let number = |a: usize| members.binary_search(&a).ok();
        let (mut neighbours, mut starts) = (Vec::new(), vec![0]);
        for &a in members {
            let before = neighbours.len();
            neighbours.extend(links.neighbours(a).iter().filter_map(|&b| number(b)));
            if added.contains(a) {
                neighbours.extend(added.iter().filter(|&b| b != a).filter_map(number));
                let mut own = neighbours.split_off(before);
                own.sort_unstable();
                own.dedup();
                neighbours.extend(own);
            }
            starts.push(neighbours.len());
        }
        Peeling {
            neighbours,
            is_left: vec![true; members.len()],
            degrees: starts.windows(2).map(|w| w[1] - w[0]).collect(),
            starts,
            missing: vec![None; members.len()],
            simplicial: Vec::new(),
        }
    }

    /// Takes out one attribute after the other, and returns how, and what stays.
    pub(crate) fn peel(mut self) -> (Vec<Step>, Kernel) {
        let mut steps = Vec::new();
        // From the last, as the attribute pushed last is the first to go.
        for a in (0..self.is_left.len()).rev() {
            self.count_missing(a);
        }
        while let Some(attribute) = self.simplicial.pop() {
            let rest = self.left_around(attribute);
            self.is_left[attribute] = false;
            for &b in &rest {
                self.forget_neighbour(b, rest.len());
            }
            steps.push(Step { attribute, rest });
        }
        (steps, self.into_kernel())
    }

    /// Updates `b` after a neighbour has gone whose neighbours, of which `b` is one, are all
    /// linked.
    fn forget_neighbour(&mut self, b: usize, around_gone: usize) {
        // Of the neighbours of `b`, those that the one gone did not share missed their link to it.
        let not_shared = self.degrees[b] - around_gone;
        self.degrees[b] -= 1;
        match &mut self.missing[b] {
            // It waits in `simplicial` already; pushed again it would go twice.
            Some(0) => {}
            Some(missing) => {
                *missing -= not_shared;
                if *missing == 0 {
                    self.simplicial.push(b);
                }
            }
            // It had too many neighbours to be counted, which may now be few enough.
            None => self.count_missing(b),
        }
    }

    fn count_missing(&mut self, a: usize) {
        if self.degrees[a] > MOST_NEIGHBOURS {
            return;
        }
        let around = self.left_around(a);
        let unlinked = |(i, &b): (usize, &usize)| {
            let later = around[i + 1..].iter();
            later.filter(|&c| !self.are_linked(b, *c)).count()
        };
        let missing = around.iter().enumerate().map(unlinked).sum();
        self.missing[a] = Some(missing);
        if missing == 0 {
            self.simplicial.push(a);
        }
    }

    fn around(&self, a: usize) -> &[usize] {
        &self.neighbours[self.starts[a]..self.starts[a + 1]]
    }

    fn are_linked(&self, a: usize, b: usize) -> bool {
        self.around(a).binary_search(&b).is_ok()
    }

    fn left_around(&self, a: usize) -> Vec<usize> {
        let around = self.around(a).iter().copied();
        around.filter(|&b| self.is_left[b]).collect()
    }

    fn into_kernel(self) -> Kernel {
        let all = 0..self.is_left.len();
        let attributes: Vec<usize> = all.filter(|&a| self.is_left[a]).collect();
        let place = |b: usize| attributes.binary_search(&b).expect("it is left");
        let around = |&a: &usize| self.left_around(a).into_iter().map(place).collect();
        Kernel {
            neighbours: attributes.iter().map(around).collect(),
            attributes,
        }
    }
}

impl Kernel {
    pub(crate) fn is_empty(&self) -> bool {
        self.attributes.is_empty()
    }

    /// Numbers in the graph that was peeled, ascending.
    pub(crate) fn attributes(&self) -> &[usize] {
        &self.attributes
    }

    /// For each attribute its neighbours, as positions among the attributes.
    pub(crate) fn neighbours(&self) -> &[Vec<usize>] {
        &self.neighbours
    }

    /// Steps in numbers of the graph that was peeled, from steps in positions among the attributes.
    pub(crate) fn in_graph(&self, steps: Vec<Step>) -> impl Iterator<Item = Step> {
        steps.into_iter().map(|step| Step {
            attribute: self.attributes[step.attribute],
            rest: step.rest.iter().map(|&a| self.attributes[a]).collect(),
        })
    }
}
