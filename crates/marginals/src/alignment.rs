//! How the cells of a table line up with the cells of a table over fewer attributes.

use crate::exponential;

/// One axis of the large table: its length, and the step in the small table for one step along it
/// (0 if the small table lacks the attribute).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Axis {
    length: usize,
    step: usize,
}

/// The map from the cells of a large table, in memory order, to those of a small one.
///
/// Neighbouring axes that step alike are merged, so that the inner loops are as long as they can be
/// and run over contiguous memory.
#[derive(Debug, Clone)]
pub(crate) struct Alignment {
    outer: Vec<Axis>,
    middle: Axis,
    inner: Axis,
    small_cells: usize,
}

impl Alignment {
    /// `large` and `small` list (attribute, size) in memory order, slowest first. Attributes of
    /// `small` that `large` lacks are not allowed.
    pub(crate) fn new(large: &[(usize, usize)], small: &[(usize, usize)]) -> Alignment {
        debug_assert!(
            small.iter().all(|axis| large.contains(axis)),
            "the small table fits in the large one"
        );
        let step_of = |attribute: usize| {
            let position = small.iter().position(|&(a, _)| a == attribute);
            position.map_or(0, |p| {
                small[p + 1..].iter().map(|&(_, size)| size).product()
            })
        };
        let mut axes: Vec<Axis> = Vec::with_capacity(large.len() + 2);
        // Axes of a single code change no number of a cell, and would only part runs.
        for &(attribute, length) in large.iter().filter(|&&(_, size)| size > 1) {
            let axis = Axis {
                length,
                step: step_of(attribute),
            };
            match axes.last_mut() {
                // A step along the slower axis is as far as all steps along the faster one: the two
                // are one axis.
                Some(last) if last.step == axis.step * axis.length => {
                    *last = Axis {
                        length: last.length * axis.length,
                        step: axis.step,
                    };
                }
                _ => axes.push(axis),
            }
        }
        let unit = Axis { length: 1, step: 0 };
        let inner = axes.pop().unwrap_or(unit);
        let middle = axes.pop().unwrap_or(unit);
        let small_cells = small.iter().map(|&(_, size)| size).product();
        Alignment {
            outer: axes,
            middle,
            inner,
            small_cells,
        }
    }

    /// `large[i] += scale * small[map(i)]`
    pub(crate) fn add(&self, large: &mut [f64], scale: f64, small: &[f64]) {
        self.check(large.len(), small.len());
        self.runs(|start, at| {
            let run = &mut large[start..start + self.inner.length];
            // Steps of 0 and 1 by themselves: their inner loops run over contiguous memory, which
            // the compiler turns into vector instructions.
            match self.inner.step {
                0 => {
                    let value = scale * small[at];
                    run.iter_mut().for_each(|x| *x += value);
                }
                1 => run
                    .iter_mut()
                    .zip(&small[at..])
                    .for_each(|(x, y)| *x += scale * y),
                step => run
                    .iter_mut()
                    .zip(small[at..].iter().step_by(step))
                    .for_each(|(x, y)| *x += scale * y),
            }
        });
    }

    /// `large[i] *= small[map(i)]`
    pub(crate) fn multiply(&self, large: &mut [f64], small: &[f64]) {
        self.check(large.len(), small.len());
        self.runs(|start, at| {
            let run = &mut large[start..start + self.inner.length];
            match self.inner.step {
                0 => run.iter_mut().for_each(|x| *x *= small[at]),
                step => run
                    .iter_mut()
                    .zip(small[at..].iter().step_by(step))
                    .for_each(|(x, y)| *x *= y),
            }
        });
    }

    /// `small[map(i)] += large[i]`
    pub(crate) fn sum(&self, large: &[f64], small: &mut [f64]) {
        self.check(large.len(), small.len());
        self.runs(|start, at| {
            let run = &large[start..start + self.inner.length];
            match self.inner.step {
                0 => small[at] += exponential::sum(run),
                1 => small[at..].iter_mut().zip(run).for_each(|(y, x)| *y += x),
                step => small[at..]
                    .iter_mut()
                    .step_by(step)
                    .zip(run)
                    .for_each(|(y, x)| *y += x),
            }
        });
    }

    /// `small[map(i)] = max(small[map(i)], large[i])`
    pub(crate) fn max(&self, large: &[f64], small: &mut [f64]) {
        self.check(large.len(), small.len());
        self.runs(|start, at| {
            let run = &large[start..start + self.inner.length];
            match self.inner.step {
                0 => small[at] = small[at].max(exponential::max(run)),
                step => small[at..]
                    .iter_mut()
                    .step_by(step)
                    .zip(run)
                    .for_each(|(y, x)| *y = y.max(*x)),
            }
        });
    }

    /// The cell of the small table for each cell of the large one.
    pub(crate) fn map(&self) -> Vec<usize> {
        let mut map = Vec::with_capacity(self.large_cells());
        self.runs(|_, at| map.extend((0..self.inner.length).map(|i| at + i * self.inner.step)));
        map
    }

    /// Rough work to go through the large table, in cells of a long run.
    pub(crate) fn cost(&self) -> f64 {
        const RUN: f64 = 8.0;
        let cells = self.large_cells() as f64;
        cells + RUN * cells / self.inner.length as f64
    }

    fn large_cells(&self) -> usize {
        let outer: usize = self.outer.iter().map(|axis| axis.length).product();
        outer * self.middle.length * self.inner.length
    }

    fn check(&self, large: usize, small: usize) {
        assert_eq!(
            large,
            self.large_cells(),
            "the large table has the size it was aligned with"
        );
        assert_eq!(
            small, self.small_cells,
            "the small table has the size it was aligned with"
        );
    }

    /// Calls `f(start in the large table, start in the small one)` for each run along the inner
    /// axis.
    #[inline(always)]
    fn runs(&self, mut f: impl FnMut(usize, usize)) {
        let mut index = vec![0; self.outer.len()];
        let (mut start, mut at) = (0, 0);
        loop {
            let mut inner_at = at;
            for _ in 0..self.middle.length {
                f(start, inner_at);
                start += self.inner.length;
                inner_at += self.middle.step;
            }
            let mut axis = self.outer.len();
            loop {
                if axis == 0 {
                    return;
                }
                axis -= 1;
                at += self.outer[axis].step;
                index[axis] += 1;
                if index[axis] < self.outer[axis].length {
                    break;
                }
                at -= self.outer[axis].step * self.outer[axis].length;
                index[axis] = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Cell of `small` by the definition: codes of the large cell, then the small table's row-major
    /// index.
    fn slow_map(large: &[(usize, usize)], small: &[(usize, usize)]) -> Vec<usize> {
        let cells: usize = large.iter().map(|&(_, size)| size).product();
        let cell = |mut rest: usize| {
            let mut codes = vec![0; large.len()];
            for (code, &(_, size)) in codes.iter_mut().zip(large).rev() {
                (*code, rest) = (rest % size, rest / size);
            }
            small.iter().fold(0, |index, &(attribute, size)| {
                let axis = large.iter().position(|&(a, _)| a == attribute).unwrap();
                index * size + codes[axis]
            })
        };
        (0..cells).map(cell).collect()
    }

    proptest! {
        #[test]
        fn cells_line_up_by_definition(
            sizes in prop::collection::vec(1_usize..4, 0..6),
            picks in prop::collection::vec(any::<(bool, u32)>(), 6),
        ) {
            let large: Vec<(usize, usize)> = sizes.iter().copied().enumerate().collect();
            let mut small: Vec<_> = large.iter().zip(&picks).filter(|(_, pick)| pick.0).collect();
            small.sort_by_key(|(_, pick)| pick.1);
            let small: Vec<(usize, usize)> = small.into_iter().map(|(axis, _)| *axis).collect();
            let (alignment, expected) = (Alignment::new(&large, &small), slow_map(&large, &small));
            prop_assert_eq!(alignment.map(), expected.clone());

            let mut values: Vec<f64> =
                (0..expected.len()).map(|i| ((i * 37) % 11) as f64).collect();
            let cells: usize = small.iter().map(|&(_, size)| size).product();
            let (mut sums, mut maxima) = (vec![0.0; cells], vec![0.0; cells]);
            let (mut expected_sums, mut expected_maxima) = (sums.clone(), maxima.clone());
            alignment.sum(&values, &mut sums);
            alignment.max(&values, &mut maxima);
            for (&value, &at) in values.iter().zip(&expected) {
                expected_sums[at] += value;
                expected_maxima[at] = expected_maxima[at].max(value);
            }
            prop_assert_eq!(&sums, &expected_sums);
            prop_assert_eq!(&maxima, &expected_maxima);

            let expected: Vec<f64> = values
                .iter()
                .zip(&expected)
                .map(|(x, &at)| x + 2.0 * sums[at])
                .collect();
            alignment.add(&mut values, 2.0, &sums);
            prop_assert_eq!(&values, &expected);

            let products = values.iter().zip(alignment.map());
            let expected: Vec<f64> = products.map(|(x, at)| x * sums[at]).collect();
            alignment.multiply(&mut values, &sums);
            prop_assert_eq!(values, expected);
        }
    }
}
