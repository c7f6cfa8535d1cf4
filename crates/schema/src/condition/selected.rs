//! The values of one column that satisfy its tests.

use crate::column::{Column, Kind, TRUTHS};
use crate::condition::error::{ConditionProblem, LocatedProblem};
use crate::condition::parse::{Comparison, Literal, Test};
use crate::condition::spans::Spans;
use crate::day::Day;
use crate::declaration::Bound;
use crate::form::ValueForm;
use crate::grid::{Grid, Ordered};
use crate::moment::Moment;
use crate::render::{Piece, Uniform};

/// What is left of a column's values.
#[derive(Debug, Clone)]
pub(crate) struct Selected {
    values: Values,
    other: bool,
    missing: bool,
}

#[derive(Debug, Clone)]
enum Values {
    /// For each category, or for false and true, whether it is in.
    Categories(Vec<bool>),
    Integer(Spans<i64>),
    Number(Spans<f64>),
    Date(Spans<Day>),
    Datetime(Spans<Moment>),
}

/// A share below one comes with what is written for that part of the code's values.
type Share = (f64, Option<Piece>);

impl Selected {
    /// The values for which one test holds.
    pub(crate) fn from_comparison(
        column: &Column,
        comparison: &Comparison,
    ) -> Result<Self, LocatedProblem> {
        let selected = match &comparison.test {
            Test::Missing(missing) => Self::from_missing(column, *missing),
            test => {
                let (values, other) = match column.kind() {
                    Kind::Categories(texts) => {
                        let (values, other) = categories(column, texts, comparison)?;
                        (Values::Categories(values), other)
                    }
                    Kind::Integer(grid) => ordered(column, grid, test, Values::Integer)?,
                    Kind::Number(grid) => ordered(column, grid, test, Values::Number)?,
                    Kind::Date(grid) => ordered(column, grid, test, Values::Date)?,
                    Kind::Datetime(grid) => ordered(column, grid, test, Values::Datetime)?,
                    Kind::Boolean => {
                        let (values, other) = truths(column, comparison)?;
                        (Values::Categories(values), other)
                    }
                };
                Self {
                    values,
                    other,
                    missing: false,
                }
            }
        };
        // Each test by itself, so that the person is shown the very one that nothing satisfies.
        if selected.is_empty(column) {
            let problem = match (&comparison.test, &selected.values) {
                (Test::Missing(_), _) => ConditionProblem::NeverMissing(column.name().to_owned()),
                (_, Values::Number(spans)) if *spans == Spans::empty() => {
                    ConditionProblem::no_value(column)
                }
                _ => ConditionProblem::impossible(column),
            };
            return Err(LocatedProblem::new(comparison.place.clone(), problem));
        }
        Ok(selected)
    }

    fn from_missing(column: &Column, missing: bool) -> Self {
        let values = match column.kind() {
            Kind::Categories(texts) => Values::Categories(vec![!missing; texts.len()]),
            Kind::Integer(grid) => Values::Integer(all_unless(missing, grid)),
            Kind::Number(grid) => Values::Number(all_unless(missing, grid)),
            Kind::Date(grid) => Values::Date(all_unless(missing, grid)),
            Kind::Datetime(grid) => Values::Datetime(all_unless(missing, grid)),
            Kind::Boolean => Values::Categories(vec![!missing; TRUTHS.len()]),
        };
        Self {
            values,
            other: !missing && column.has_other(),
            missing: missing && column.is_nullable(),
        }
    }

    /// The values that are in both.
    pub(crate) fn intersection(&self, other: &Self) -> Self {
        let values = match (&self.values, &other.values) {
            (Values::Categories(a), Values::Categories(b)) => {
                Values::Categories(a.iter().zip(b).map(|(a, b)| *a && *b).collect())
            }
            (Values::Integer(a), Values::Integer(b)) => Values::Integer(a.intersection(b)),
            (Values::Number(a), Values::Number(b)) => Values::Number(a.intersection(b)),
            (Values::Date(a), Values::Date(b)) => Values::Date(a.intersection(b)),
            (Values::Datetime(a), Values::Datetime(b)) => Values::Datetime(a.intersection(b)),
            _ => unreachable!("both are of one column"),
        };
        Self {
            values,
            other: self.other && other.other,
            missing: self.missing && other.missing,
        }
    }

    pub(crate) fn is_empty(&self, column: &Column) -> bool {
        self.shares(column).iter().all(|(share, _)| *share == 0.0)
    }

    /// How much of each code's values is in.
    pub(crate) fn shares(&self, column: &Column) -> Vec<Share> {
        let whole = |is_in: bool| (f64::from(u8::from(is_in)), None);
        let decimals = column.form().decimals();
        let mut shares: Vec<Share> = match (&self.values, column.kind()) {
            (Values::Categories(is_in), _) => is_in.iter().map(|&is_in| whole(is_in)).collect(),
            (Values::Integer(spans), Kind::Integer(grid)) => of_bins(grid, spans, decimals),
            (Values::Number(spans), Kind::Number(grid)) => of_bins(grid, spans, decimals),
            (Values::Date(spans), Kind::Date(grid)) => of_bins(grid, spans, decimals),
            (Values::Datetime(spans), Kind::Datetime(grid)) => of_bins(grid, spans, decimals),
            _ => unreachable!("the values are of this column"),
        };
        shares.extend(column.has_other().then(|| whole(self.other)));
        shares.extend(column.is_nullable().then(|| whole(self.missing)));
        shares
    }
}

fn of_bins<T: Uniform>(grid: &Grid<T>, spans: &Spans<T>, decimals: Option<u8>) -> Vec<Share> {
    let of_bin = |bin: usize| {
        let (first, last) = T::bounds(grid, bin);
        if spans.within(first, last).eq([(first, last)]) {
            return (1.0, None);
        }
        let parts = T::parts(grid, bin, spans, decimals);
        if parts.is_empty() {
            return (0.0, None);
        }
        let share: f64 = parts.iter().map(|(share, _)| share).sum();
        // Rounding in the parts must not make more than the whole.
        (share.min(1.0), Some(Piece::any_of(parts)))
    };
    (0..grid.len()).map(of_bin).collect()
}

fn all_unless<T: Ordered>(none: bool, grid: &Grid<T>) -> Spans<T> {
    if none {
        Spans::empty()
    } else {
        Spans::between(grid.range().min, grid.range().max)
    }
}

/// Which categories pass, and whether `other` does.
fn categories<S: AsRef<str>>(
    column: &Column,
    texts: &[S],
    comparison: &Comparison,
) -> Result<(Vec<bool>, bool), LocatedProblem> {
    let (values, negated) = match &comparison.test {
        Test::Equal(value) => (std::slice::from_ref(value), false),
        Test::NotEqual(value) => (std::slice::from_ref(value), true),
        Test::OneOf(values) => (values.as_slice(), false),
        _ => {
            let problem = ConditionProblem::NoOrder(column.name().to_owned());
            return Err(LocatedProblem::new(comparison.place.clone(), problem));
        }
    };
    let mut is_in = vec![negated; texts.len()];
    let mut other = negated && column.has_other();
    for value in values {
        if is_other(column, value) {
            other = !negated;
            continue;
        }
        let code = texts.iter().position(|text| text.as_ref() == value.text);
        let code = code.ok_or_else(|| {
            let problem = ConditionProblem::unknown_value(&value.text, column, texts);
            LocatedProblem::new(value.place.clone(), problem)
        })?;
        is_in[code] = !negated;
    }
    Ok((is_in, other))
}

/// The same for false and true, which may have words of their own.
fn truths(column: &Column, comparison: &Comparison) -> Result<(Vec<bool>, bool), LocatedProblem> {
    let ValueForm::Boolean(words) = column.form() else {
        return categories(column, &TRUTHS, comparison);
    };
    let canonical = |value: &Literal| {
        let word = words.all().find(|(word, _)| *word == value.text);
        let text = word.map_or(value.text.as_str(), |(_, truth)| TRUTHS[usize::from(truth)]);
        Literal {
            text: text.to_owned(),
            place: value.place.clone(),
        }
    };
    let test = match &comparison.test {
        Test::Equal(value) => Test::Equal(canonical(value)),
        Test::NotEqual(value) => Test::NotEqual(canonical(value)),
        Test::OneOf(values) => Test::OneOf(values.iter().map(canonical).collect()),
        test => test.clone(),
    };
    let comparison = Comparison {
        test,
        ..comparison.clone()
    };
    categories(column, &TRUTHS, &comparison)
}

/// Which ordered values pass, and whether `other` does.
fn ordered<T: Uniform + Bound>(
    column: &Column,
    grid: &Grid<T>,
    test: &Test,
    values: impl Fn(Spans<T>) -> Values,
) -> Result<(Values, bool), LocatedProblem> {
    let (min, max) = (grid.range().min, grid.range().max);
    let read = |value: &Literal| {
        T::from_text_or_form(value.text.trim(), column.form()).ok_or_else(|| {
            LocatedProblem::new(
                value.place.clone(),
                ConditionProblem::wrong_type::<T>(column),
            )
        })
    };
    let mut other = false;
    let spans = match test {
        Test::Equal(value) | Test::NotEqual(value) if is_other(column, value) => {
            other = matches!(test, Test::Equal(_));
            all_unless(other, grid)
        }
        Test::Equal(value) => Spans::from_values(vec![read(value)?]),
        Test::NotEqual(value) => {
            other = column.has_other();
            let value = read(value)?;
            Spans::below(value, min).followed_by(Spans::above(value, max))
        }
        Test::Below { value, included } => match (read(value)?, included) {
            (value, true) => Spans::between(min, value),
            (value, false) => Spans::below(value, min),
        },
        Test::Above { value, included } => match (read(value)?, included) {
            (value, true) => Spans::between(value, max),
            (value, false) => Spans::above(value, max),
        },
        Test::Between(first, last) => {
            let place = first.place.start..last.place.end;
            let (first, last) = (read(first)?, read(last)?);
            if first > last {
                return Err(LocatedProblem::new(place, ConditionProblem::EmptyRange));
            }
            Spans::between(first, last)
        }
        Test::OneOf(listed) => {
            let (others, listed): (Vec<&Literal>, Vec<&Literal>) =
                listed.iter().partition(|value| is_other(column, value));
            other = !others.is_empty();
            let value = |written: &Literal| {
                let value = read(written)?;
                if can_be(grid, value) {
                    return Ok(value);
                }
                Err(LocatedProblem::new(
                    written.place.clone(),
                    ConditionProblem::impossible(column),
                ))
            };
            Spans::from_values(listed.into_iter().map(value).collect::<Result<_, _>>()?)
        }
        Test::Missing(_) => unreachable!("missing values are told apart before"),
    };
    Ok((values(spans.intersection(&Spans::between(min, max))), other))
}

/// Whether a single value lies in the range and has a probability of its own.
fn can_be<T: Uniform>(grid: &Grid<T>, value: T) -> bool {
    let (bin, moved) = grid.bin(value);
    !moved && !T::parts(grid, bin, &Spans::from_values(vec![value]), None).is_empty()
}

/// The text that is written for values that are not declared.
fn is_other(column: &Column, value: &Literal) -> bool {
    column.has_other() && value.text == column.other_text()
}
