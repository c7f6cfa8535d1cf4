//! The rows that a question asks about, by noisy counts or by a model, and bounds on their sums.

use super::values::Values;
use super::{Question, quantile, released};
use crate::Model;
use crate::measured::Measured;

/// Rows of whose values it is known between which two numbers they lie.
pub(super) struct Part {
    /// How many, by noisy counts or the model.
    pub(super) rows: f64,
    /// Noisy counts that were added.
    pub(super) cells: f64,
    pub(super) ends: [f64; 2],
    /// Whether all of them are asked about, and not any number of them.
    pub(super) is_whole: bool,
}

/// How far the numbers of rows may be from the table's.
pub(super) enum Doubt {
    /// Gaussian noise in each count.
    Noise { variance: f64 },
    /// They lack that many together at most, and exceed the table's by that many.
    Distance { below: f64, above: f64 },
}

/// Rows by their values, as far as those are told apart.
pub(super) struct Rows {
    pub(super) parts: Vec<Part>,
    pub(super) doubt: Doubt,
    /// Whether each code of the column is told from the others.
    pub(super) tells_all: bool,
}

impl Rows {
    /// By each measured marginal that has all columns asked about, and tells the values apart.
    pub(super) fn measured(
        model: &Model,
        question: &Question,
        values: Option<&Values>,
    ) -> Vec<Rows> {
        let of_one = match question.columns()[..] {
            [column] => Rows::of_column(model, question, column, values),
            _ => None,
        };
        let of_several = model.measured.iter();
        let of_several = of_several.filter_map(|it| Rows::of_marginal(model, question, it, values));
        of_one.into_iter().chain(of_several).collect()
    }

    /// By all measurements of a column alone, if it is the only one that is asked about.
    pub(super) fn of_column(
        model: &Model,
        question: &Question,
        column: usize,
        values: Option<&Values>,
    ) -> Option<Rows> {
        let released = released(model, column)?;
        let codes: Vec<u32> = (0..).take(released.counts.len()).collect();
        let mut rows = Tally::new(question, values.map(|values| (values, &*codes)));
        let asked = question.inside[&column].iter();
        let asked = asked.zip(&question.touched[&column]);
        for (code, (&count, (inside, touched))) in released.counts.iter().zip(asked).enumerate() {
            if *touched > 0.0 {
                let told = if values.is_some() { code } else { 0 };
                rows.add(told, *inside > 0.0, count);
            }
        }
        Some(rows.into_rows(released.sigma, true))
    }

    /// By a marginal of several columns, if it has all that are asked about.
    pub(super) fn of_marginal(
        model: &Model,
        question: &Question,
        measured: &Measured,
        values: Option<&Values>,
    ) -> Option<Rows> {
        if measured.columns.len() < 2 {
            return None;
        }
        let attributes = measured.columns.attributes();
        let axes = attributes.iter();
        let axes = axes.map(|attribute| Axis::new(question, model, *attribute));
        let axes: Vec<Axis> = axes.collect::<Option<_>>()?;
        if axes.iter().filter(|axis| axis.is_asked).count() < question.inside.len() {
            return None;
        }
        let of_values = |values: &Values| {
            let mut attributes = attributes.iter();
            attributes.position(|it| model.generator.column_of(*it) == values.column)
        };
        let place = values.map(|values| of_values(values).zip(Some(values)));
        let place = match place {
            // The column of the values is not in it.
            Some(None) => return None,
            place => place.flatten(),
        };
        let groups = place.map(|(place, _)| model.generator.groups(attributes[place]));
        let groups = groups.map(|groups| groups.unwrap_or_default());
        let told = place.zip(groups.as_deref());
        let mut rows = Tally::new(question, told.map(|((_, values), groups)| (values, groups)));
        for (cell, &count) in measured.values.iter().enumerate() {
            let (mut rest, mut inside, mut touched, mut told) = (cell, true, true, 0);
            // Row-major: the last axis is the fastest.
            for (at, axis) in axes.iter().enumerate().rev() {
                let group = rest % axis.inside.len();
                rest /= axis.inside.len();
                inside &= axis.inside[group];
                touched &= axis.touched[group];
                if place.is_some_and(|(place, _)| at == place) {
                    told = group;
                }
            }
            if touched {
                rows.add(told, inside, count as f64);
            }
        }
        let tells_all = place.is_none_or(|(at, values)| axes[at].inside.len() == values.ends.len());
        Some(rows.into_rows(measured.sigma, tells_all))
    }

    pub(super) fn is_exact(&self) -> bool {
        self.tells_all && self.parts.iter().all(|part| part.is_whole)
    }

    pub(super) fn variance(&self) -> f64 {
        let cells: f64 = self.parts.iter().map(|part| part.cells).sum();
        match self.doubt {
            Doubt::Noise { variance } => variance * cells,
            Doubt::Distance { .. } => f64::INFINITY,
        }
    }

    /// What their number lies between; each side misses at most that often.
    pub(super) fn count(&self, miss: f64) -> [f64; 2] {
        let whole = |part: &Part| part.any_or(1.0, f64::min);
        [self.at_least(miss, whole), self.at_most(miss, |_| 1.0)]
    }

    /// The table's sum of weights over the rows is at most this, but for the share `miss` of noise.
    pub(super) fn at_most(&self, miss: f64, weight: impl Fn(&Part) -> f64) -> f64 {
        let (mut sum, mut squares, mut most, mut least) = (0.0, 0.0, 0.0_f64, 0.0_f64);
        for part in &self.parts {
            let weight = weight(part);
            sum += part.rows * weight;
            squares += part.cells * weight * weight;
            most = most.max(weight);
            least = least.min(weight);
        }
        let doubt = match self.doubt {
            Doubt::Noise { variance } => quantile(miss) * (variance * squares).sqrt(),
            Doubt::Distance { below, above } => above * most - below * least,
        };
        sum + doubt
    }

    pub(super) fn at_least(&self, miss: f64, weight: impl Fn(&Part) -> f64) -> f64 {
        -self.at_most(miss, |part| -weight(part))
    }
}

impl Part {
    /// The least that one of its rows adds to a sum of distances from a number.
    pub(super) fn low(&self, from: f64) -> f64 {
        self.any_or(self.ends[0] - from, f64::min)
    }

    pub(super) fn high(&self, from: f64) -> f64 {
        self.any_or(self.ends[1] - from, f64::max)
    }

    /// The weight, or that of no row where no row need count.
    pub(super) fn any_or(&self, weight: f64, safe: fn(f64, f64) -> f64) -> f64 {
        match self.is_whole {
            true => weight,
            false => safe(weight, 0.0),
        }
    }
}

/// Which groups of an attribute's codes a question asks about.
struct Axis {
    inside: Vec<bool>,
    touched: Vec<bool>,
    is_asked: bool,
}

impl Axis {
    /// `None` if the model does not say which codes an attribute puts together.
    fn new(question: &Question, model: &Model, attribute: usize) -> Option<Axis> {
        let groups = model.generator.groups(attribute)?;
        let column = model.generator.column_of(attribute);
        let size = groups.iter().max().map_or(0, |&last| last as usize + 1);
        let mut axis = Axis {
            inside: vec![true; size],
            touched: vec![true; size],
            is_asked: question.inside.contains_key(&column),
        };
        if axis.is_asked {
            axis.touched.fill(false);
            let weights = question.inside[&column]
                .iter()
                .zip(&question.touched[&column]);
            for (&group, (inside, touched)) in groups.iter().zip(weights) {
                axis.inside[group as usize] &= *inside > 0.0;
                axis.touched[group as usize] |= *touched > 0.0;
            }
        }
        Some(axis)
    }
}

/// Adds up noisy counts by the values that are told apart.
struct Tally {
    /// Those that are wanted whole, and the others.
    parts: Vec<[Part; 2]>,
}

impl Tally {
    /// Of codes in groups that tell the values of a column; or of all together.
    fn new(question: &Question, told: Option<(&Values, &[u32])>) -> Tally {
        let part = |ends: [f64; 2], is_whole: bool| Part {
            rows: 0.0,
            cells: 0.0,
            ends,
            is_whole,
        };
        let parts = |ends| [part(ends, true), part(ends, false)];
        let Some((values, groups)) = told else {
            return Tally {
                parts: vec![parts([0.0; 2])],
            };
        };
        let count = groups.iter().max().map_or(0, |&last| last as usize + 1);
        let touched = &question.touched[&values.column];
        let of_group = |group: usize| {
            let codes = groups.iter().zip(touched).zip(&values.ends);
            let asked = codes.filter(|((of, weight), _)| **of as usize == group && **weight > 0.0);
            parts(joined(asked.filter_map(|(_, ends)| *ends)))
        };
        Tally {
            parts: (0..count).map(of_group).collect(),
        }
    }

    fn add(&mut self, group: usize, is_whole: bool, count: f64) {
        let part = &mut self.parts[group][usize::from(!is_whole)];
        part.rows += count;
        part.cells += 1.0;
    }

    fn into_rows(self, sigma: f64, tells_all: bool) -> Rows {
        /// What rounding the noise of a count to a whole number adds to its variance, at most.
        const ROUNDING: f64 = 1.0 / 12.0;
        let parts = self.parts.into_iter().flatten();
        Rows {
            parts: parts.filter(|part| part.cells > 0.0).collect(),
            doubt: Doubt::Noise {
                variance: sigma * sigma + ROUNDING,
            },
            tells_all,
        }
    }
}

/// From the smallest of the first to the largest of the second.
pub(super) fn joined(ends: impl Iterator<Item = [f64; 2]>) -> [f64; 2] {
    ends.fold([f64::INFINITY, -f64::INFINITY], |all, ends| {
        [all[0].min(ends[0]), all[1].max(ends[1])]
    })
}
