//! One column: its name, its values, its codes.

use std::borrow::Cow;

use serde::Serialize;

use crate::day::Day;
use crate::declaration::{Declared, DeclaredKind};
use crate::form::{NumberForm, Reading, ValueForm};
use crate::grid::{Grid, Ordered};
use crate::moment::Moment;
use crate::number;
use crate::schema::{OTHER, OTHER_VALUES};

/// A checked column. Its codes are, in this order: one for each category or bin; one for `other`,
/// if it has one; one for null, if it has one.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    name: String,
    kind: Kind,
    nullable: bool,
    other: bool,
    form: ValueForm,
    reading: Reading,
}

/// The values of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// These texts, in their declared order.
    Categories(Vec<String>),
    /// Whole numbers of 64 bits.
    Integer(Grid<i64>),
    /// Finite numbers.
    Number(Grid<f64>),
    /// Days, without a time.
    Date(Grid<Day>),
    /// Days with a time of day.
    Datetime(Grid<Moment>),
    /// The two truth values; code 0 is false.
    Boolean,
}

/// What the codes of a [`Kind::Boolean`] stand for.
pub(crate) const TRUTHS: [&str; 2] = ["false", "true"];

impl Kind {
    /// Number of categories or bins.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> usize {
        match self {
            Self::Categories(texts) => texts.len(),
            Self::Integer(grid) => grid.len(),
            Self::Number(grid) => grid.len(),
            Self::Date(grid) => grid.len(),
            Self::Datetime(grid) => grid.len(),
            Self::Boolean => TRUTHS.len(),
        }
    }

    /// `categories`, `integer`, `number`, `date`, `datetime` or `boolean`, as in a declaration.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Categories(_) => "categories",
            Self::Integer(_) => "integer",
            Self::Number(_) => "number",
            Self::Date(_) => "date",
            Self::Datetime(_) => "datetime",
            Self::Boolean => "boolean",
        }
    }

    /// How many equal-mass bins are still to be found in the data (`bins: quantile`); `None` where
    /// the bins are known.
    #[must_use]
    pub fn wanted_quantiles(&self) -> Option<u32> {
        match self {
            Self::Categories(_) | Self::Boolean => None,
            Self::Integer(grid) => grid.wanted_quantiles(),
            Self::Number(grid) => grid.wanted_quantiles(),
            Self::Date(grid) => grid.wanted_quantiles(),
            Self::Datetime(grid) => grid.wanted_quantiles(),
        }
    }

    /// The same values with bins that begin at these bins of the present grid.
    fn merged(&self, first_bins: &[usize]) -> Self {
        match self {
            Self::Categories(texts) => Self::Categories(texts.clone()),
            Self::Integer(grid) => Self::Integer(grid.merged(first_bins)),
            Self::Number(grid) => Self::Number(grid.merged(first_bins)),
            Self::Date(grid) => Self::Date(grid.merged(first_bins)),
            Self::Datetime(grid) => Self::Datetime(grid.merged(first_bins)),
            Self::Boolean => Self::Boolean,
        }
    }
}

impl Column {
    /// A column whose values were found in a table. Those that a party declares are checked by
    /// [`Schema::new`](crate::Schema::new) instead.
    ///
    /// The caller vouches for what is checked there: the name and the categories show all their
    /// characters, no category comes twice, none is empty in a nullable column, or
    /// [`OTHER_VALUES`] beside [`OTHER`] in one that has an `other`.
    #[must_use]
    pub fn found(name: String, kind: Kind, nullable: bool, other: bool) -> Self {
        Self {
            name,
            kind,
            nullable,
            other,
            form: ValueForm::Usual,
            reading: Reading::default(),
        }
    }

    /// The same column whose values are written in this form, and read in it.
    ///
    /// The caller vouches that it is a form of the column's kind, and that years of two digits can
    /// tell all of its days ([`DateForm::can_write`](crate::DateForm::can_write)).
    #[must_use]
    pub fn with_form(mut self, form: ValueForm) -> Self {
        if form.number() != NumberForm::PLAIN {
            self.reading.decimal = Some(form.number().decimal);
        }
        self.form = form;
        self
    }

    pub(crate) fn with_reading(mut self, reading: Reading) -> Self {
        self.reading = reading;
        self
    }

    /// How values are written.
    #[must_use]
    pub fn form(&self) -> &ValueForm {
        &self.form
    }

    /// How fields are read, beyond kind and form.
    #[must_use]
    pub fn reading(&self) -> &Reading {
        &self.reading
    }

    /// The name; in a joined table with the party's name before it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What values the column has.
    #[must_use]
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Whether a field may be empty.
    #[must_use]
    pub fn is_nullable(&self) -> bool {
        self.nullable
    }

    /// Whether there is a code for values that are not declared.
    #[must_use]
    pub fn has_other(&self) -> bool {
        self.other
    }

    /// Number of codes: categories or bins, `other`, null.
    #[must_use]
    pub fn size(&self) -> usize {
        // In this order everywhere: `other` before null, so that codes of values stay what they are
        // when either is added.
        self.kind.len() + usize::from(self.other) + usize::from(self.nullable)
    }

    /// The code of values that are not declared.
    #[must_use]
    pub fn other_code(&self) -> Option<usize> {
        self.other.then(|| self.kind.len())
    }

    /// What is written for a value that is not declared: [`OTHER`], but where that is a category
    /// [`OTHER_VALUES`], so that the two can be told apart.
    #[must_use]
    pub fn other_text(&self) -> &'static str {
        match &self.kind {
            Kind::Categories(texts) if texts.iter().any(|text| text == OTHER) => OTHER_VALUES,
            _ => OTHER,
        }
    }

    /// The code of an empty field.
    #[must_use]
    pub fn null_code(&self) -> Option<usize> {
        self.nullable.then(|| self.size() - 1)
    }

    /// What a code stands for, to be shown to a person: a category, `17`, `10 to 19`, `0.5 to 1`,
    /// `other`, `null`.
    ///
    /// # Panics
    /// If there is no such code.
    #[must_use]
    pub fn label(&self, code: usize) -> Cow<'_, str> {
        assert!(
            code < self.size(),
            "column `{}` has no code {code}",
            self.name
        );
        if Some(code) == self.null_code() {
            return "null".into();
        }
        if Some(code) == self.other_code() {
            return self.other_text().into();
        }
        match &self.kind {
            Kind::Categories(texts) => texts[code].as_str().into(),
            Kind::Integer(grid) => span(grid.start(code), last_of(grid, code)),
            Kind::Number(grid) => span(grid.start(code), grid.end(code)),
            Kind::Date(grid) => span(grid.start(code), last_of(grid, code)),
            Kind::Datetime(grid) => span(grid.start(code), last_of(grid, code)),
            Kind::Boolean => TRUTHS[code].into(),
        }
    }

    /// The smallest and the largest value that a code stands for; those beyond the column's range
    /// count as its ends. Days and seconds since 1970 for dates and moments. None for codes that
    /// are no numbers.
    #[must_use]
    pub fn ends_of(&self, code: usize) -> Option<[f64; 2]> {
        if code >= self.kind.len() {
            return None;
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "statistics are of floating point"
        )]
        let number = |number: i64| number as f64;
        let ends = match &self.kind {
            Kind::Categories(_) | Kind::Boolean => return None,
            Kind::Integer(grid) => [grid.start(code), last_of(grid, code)].map(number),
            Kind::Number(grid) => [grid.start(code), grid.end(code)],
            Kind::Date(grid) => {
                [grid.start(code), last_of(grid, code)].map(|day| day.number().into())
            }
            Kind::Datetime(grid) => {
                [grid.start(code), last_of(grid, code)].map(|moment| number(moment.number()))
            }
        };
        Some(ends)
    }

    /// The smallest and the largest value of a column of ordered values, as they are written. None
    /// for a column without bins.
    #[must_use]
    pub fn range(&self) -> Option<[String; 2]> {
        match &self.kind {
            Kind::Categories(_) | Kind::Boolean => None,
            Kind::Integer(grid) => Some(ends(grid)),
            Kind::Number(grid) => Some(ends(grid)),
            Kind::Date(grid) => Some(ends(grid)),
            Kind::Datetime(grid) => Some(ends(grid)),
        }
    }

    /// The widest of the bins, which says how much a code loses at most of a value within the
    /// column's range; a value beyond it counts as the nearest end, however far away it is. None
    /// for a column without bins.
    #[must_use]
    pub fn widest_bin(&self) -> Option<WidestBin> {
        self.widest_bin_among(|_| true)
    }

    /// The same among the codes that are wanted, as those that rows have; None where none is.
    #[must_use]
    pub fn widest_bin_among(&self, wanted: impl Fn(usize) -> bool) -> Option<WidestBin> {
        let (found, unit) = match &self.kind {
            Kind::Categories(_) | Kind::Boolean => return None,
            Kind::Integer(grid) => (widest(grid, wanted), "whole numbers"),
            Kind::Number(grid) => (widest(grid, wanted), ""),
            Kind::Date(grid) => (widest(grid, wanted), "days"),
            Kind::Datetime(grid) => (widest(grid, wanted), "seconds"),
        };
        let (code, width, share) = found?;
        Some(WidestBin {
            bin: self.label(code).into_owned(),
            width,
            unit,
            share,
        })
    }

    /// The bin that takes more than half of the range, such as all that is between the values of
    /// most rows and one that stands in for none: 9999-12-31, -1.
    #[must_use]
    pub fn gap(&self) -> Option<usize> {
        let (code, _, share) = match &self.kind {
            Kind::Categories(_) | Kind::Boolean => return None,
            Kind::Integer(grid) => widest(grid, |_| true),
            Kind::Number(grid) => widest(grid, |_| true),
            Kind::Date(grid) => widest(grid, |_| true),
            Kind::Datetime(grid) => widest(grid, |_| true),
        }?;
        (share > 0.5).then_some(code)
    }

    /// The same column under another name, as in a joined table.
    #[must_use]
    pub fn renamed(mut self, name: String) -> Self {
        self.name = name;
        self
    }

    /// The same column with its equal-mass bins found: they begin at these bins of its present
    /// grid, ascending, without 0.
    ///
    /// # Panics
    /// If there is no such bin.
    #[must_use]
    pub fn with_quantiles(&self, first_bins: &[usize]) -> Self {
        Self {
            kind: self.kind.merged(first_bins),
            ..self.clone()
        }
    }

    pub(crate) fn into_declared(self) -> Declared {
        Declared {
            kind: match self.kind {
                Kind::Categories(texts) => DeclaredKind::Categories(texts),
                Kind::Integer(grid) => DeclaredKind::Integer(grid.range().clone()),
                Kind::Number(grid) => DeclaredKind::Number(grid.range().clone()),
                Kind::Date(grid) => DeclaredKind::Date(grid.range().clone()),
                Kind::Datetime(grid) => DeclaredKind::Datetime(grid.range().clone()),
                Kind::Boolean => DeclaredKind::Boolean,
            },
            nullable: self.nullable,
            other: self.other,
            form: self.form,
            reading: self.reading,
        }
    }
}

/// The widest bin of a column of ordered values. Rows are drawn evenly from within a bin.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WidestBin {
    /// The bin, as [`Column::label`] has it.
    pub bin: String,
    /// How many values it has; of numbers, how far its end is from its start.
    pub width: f64,
    /// What `width` counts: `whole numbers`, `days`, `seconds`; nothing for numbers.
    pub unit: &'static str,
    /// `width` as a share of the column's whole range.
    pub share: f64,
}

impl WidestBin {
    /// The width with its unit, such as `31 days`.
    #[must_use]
    pub fn size(&self) -> String {
        format!("{} {}", number::shown(self.width), self.unit)
            .trim_end()
            .to_owned()
    }

    /// Whether each value of the range has a bin of its own, so that the codes lose nothing but how
    /// far a value is beyond the range.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.width == 1.0 && !self.unit.is_empty()
    }
}

fn ends<T: Ordered>(grid: &Grid<T>) -> [String; 2] {
    let range = grid.range();
    [range.min.to_string(), range.max.to_string()]
}

/// Code and width of the widest of a grid's bins that are wanted, and the width as a share of the
/// range.
fn widest<T: Ordered>(grid: &Grid<T>, wanted: impl Fn(usize) -> bool) -> Option<(usize, f64, f64)> {
    let width = |bin: usize| match T::SINGLE_VALUE {
        // For whole numbers and days the width counts values; for others it is a length.
        true => last_of(grid, bin).above(grid.start(bin)) + 1.0,
        false => grid.end(bin).above(grid.start(bin)),
    };
    let bins = (0..grid.len()).map(|bin| (bin, width(bin)));
    let all: f64 = bins.clone().map(|(_, width)| width).sum();
    // The first of equally wide bins, so that a report does not depend on rounding.
    let widest = bins
        .filter(|(bin, _)| wanted(*bin))
        .reduce(|a, b| if b.1 > a.1 { b } else { a });
    let (bin, width) = widest?;
    Some((bin, width, width / all))
}

/// The last value of a bin of separate values.
pub(crate) fn last_of<T: Ordered>(grid: &Grid<T>, bin: usize) -> T {
    if bin + 1 == grid.len() {
        grid.end(bin)
    } else {
        let last = grid.end(bin).before();
        last.expect("a bin's end is above its start")
    }
}

fn span<T: PartialEq + std::fmt::Display>(first: T, last: T) -> Cow<'static, str> {
    if first == last {
        first.to_string().into()
    } else {
        format!("{first} to {last}").into()
    }
}

#[cfg(test)]
mod tests {
    use crate::{Declaration, Schema};

    #[test]
    fn the_range_is_told_as_values_are_written() {
        let range = |declared: &str| {
            let declaration = Declaration::from_yaml(&format!("c: {declared}\n")).unwrap();
            Schema::new(declaration).unwrap().columns()[0].range()
        };
        assert_eq!(range("{categories: [a, b]}"), None);
        assert_eq!(
            range("{number: {min: -0.5, max: 10}}"),
            Some(["-0.5".to_owned(), "10".to_owned()])
        );
        assert_eq!(
            range("{date: {min: 2020-01-01, max: 2020-12-31}}"),
            Some(["2020-01-01".to_owned(), "2020-12-31".to_owned()])
        );
    }

    #[test]
    fn the_widest_bin_is_told_in_the_columns_unit() {
        let check = |declared: &str, expected: Option<(&str, &str, bool)>| {
            let declaration = Declaration::from_yaml(&format!("c: {declared}\n")).unwrap();
            let schema = Schema::new(declaration).unwrap();
            let found = schema.columns()[0].widest_bin();
            let found = found.map(|it| (it.bin.clone(), it.size(), it.is_exact()));
            let expected = expected.map(|(bin, size, exact)| (bin.into(), size.into(), exact));
            assert_eq!(found, expected, "{declared}");
        };
        check("{categories: [a, b]}", None);
        check("{boolean: true}", None);
        check(
            "{integer: {min: 3, max: 9}}",
            Some(("3", "1 whole numbers", true)),
        );
        check(
            "{integer: {min: 1010, max: 4020, bins: {cuts: [1011, 4000]}}}",
            Some(("1011 to 3999", "2989 whole numbers", false)),
        );
        check(
            "{number: {min: 0, max: 10, bins: {cuts: [1, 9]}}}",
            Some(("1 to 9", "8", false)),
        );
        check(
            "{date: {min: 2020-01-01, max: 2020-12-31, bins: {cuts: [2020-02-01]}}}",
            Some(("2020-02-01 to 2020-12-31", "335 days", false)),
        );
        check(
            "{datetime: {min: 2020-01-01T00:00, max: 2020-01-01T00:59:59, bins: 2}}",
            Some((
                "2020-01-01T00:00:00 to 2020-01-01T00:29:59",
                "1800 seconds",
                false,
            )),
        );
    }

    #[test]
    fn the_gap_before_a_value_that_stands_in_for_none_is_no_ordinary_bin() {
        let column = |declared: &str| {
            let declaration = Declaration::from_yaml(&format!("c: {declared}\n")).unwrap();
            Schema::new(declaration).unwrap().columns()[0].clone()
        };
        let cuts = "[2020-07-01, 2021-01-01, 9999-12-31]";
        let dates = column(&format!(
            "{{date: {{min: 2020-01-01, max: 9999-12-31, bins: {{cuts: {cuts}}}}}}}"
        ));
        assert_eq!(dates.gap(), Some(2));
        let ordinary = dates.widest_bin_among(|code| code != 2).unwrap();
        assert_eq!(ordinary.size(), "184 days");
        assert_eq!(dates.widest_bin_among(|_| false), None);
        assert_eq!(column("{integer: {min: 0, max: 99, bins: 10}}").gap(), None);
        assert_eq!(column("{categories: [a]}").gap(), None);
    }
}
