//! A value out of a bin, as text.

use std::io::Write;
use std::sync::Arc;

use rand_core::Rng;

use crate::column::{Column, Kind, TRUTHS, last_of};
use crate::condition::Spans;
use crate::day::Day;
use crate::form::{DateForm, ValueForm};
use crate::grid::{Grid, Ordered};
use crate::moment::Moment;
use crate::number::{push_digits, push_whole};

/// How one code of a column is written.
#[derive(Debug, Clone)]
pub struct Rendering {
    piece: Piece,
    /// None for what is written as it is.
    dress: Option<Arc<ValueForm>>,
}

impl Rendering {
    pub(crate) fn new(piece: Piece, column: &Column) -> Self {
        let dress = match column.form() {
            ValueForm::Usual | ValueForm::Boolean(_) => None,
            form => Some(Arc::new(form.clone())),
        };
        Self { piece, dress }
    }

    fn text(text: Vec<u8>) -> Self {
        let piece = Piece::Text(text);
        Self { piece, dress: None }
    }

    /// Appends a value that the code stands for: the text of a category, or a value drawn uniformly
    /// from a bin. `quote` goes around dates and moments; texts are as they were encoded, numbers
    /// and truths without quotes. Where it is empty, as in CSV, numbers are in the column's form,
    /// and what has a comma is in quotes; otherwise, as in JSON, numbers are plain.
    ///
    /// What is written for a bin falls into it again when it is read, but for days and
    /// moments in a form without the smaller units, which are those that begin the larger one.
    #[inline]
    pub fn append(&self, buffer: &mut Vec<u8>, rng: &mut impl Rng, quote: &[u8]) {
        match &self.dress {
            None => self.piece.push(buffer, rng, quote, None),
            Some(form) => self.append_dressed(form, buffer, rng, quote),
        }
    }

    fn append_dressed(
        &self,
        form: &ValueForm,
        buffer: &mut Vec<u8>,
        rng: &mut impl Rng,
        quote: &[u8],
    ) {
        match form {
            ValueForm::Date(form) => {
                let quote = match quote.is_empty() && form.needs_quotes() {
                    true => b"\"",
                    false => quote,
                };
                self.piece.push(buffer, rng, quote, Some(form));
            }
            ValueForm::Number { form, .. } if quote.is_empty() => {
                let quote: &[u8] = if form.has_comma() { b"\"" } else { b"" };
                buffer.extend_from_slice(quote);
                let start = buffer.len();
                self.piece.push(buffer, rng, b"", None);
                form.dress(buffer, start);
                buffer.extend_from_slice(quote);
            }
            _ => self.piece.push(buffer, rng, quote, None),
        }
    }

    /// Draws the very value that [`append`](Self::append) would write, for a file that has types of
    /// its own.
    pub fn draw(&self, rng: &mut impl Rng) -> Value {
        let value = self.piece.draw(rng);
        match (value, self.dress.as_deref()) {
            (Value::Day(day), Some(ValueForm::Date(form))) => Value::Day(form.told_day(day)),
            (Value::Moment(moment), Some(ValueForm::Date(form))) => {
                Value::Moment(form.told_moment(moment))
            }
            (value, _) => value,
        }
    }
}

/// A value as what it is.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// As it was encoded, or of numbers as they are written.
    Text(Vec<u8>),
    /// A whole number.
    Whole(i64),
    /// A day.
    Day(Day),
    /// A day with a time.
    Moment(Moment),
}

impl Column {
    /// How each code is written, in the order of the codes: categories and `other` as `encoded`
    /// makes them, an empty field as `null`.
    #[must_use]
    pub fn renderings(&self, encoded: impl Fn(&str) -> Vec<u8>, null: &[u8]) -> Vec<Rendering> {
        let text = |text: &str| Rendering::text(encoded(text));
        let decimals = self.form().decimals();
        let dressed = |pieces: Vec<Piece>| -> Vec<Rendering> {
            let one = |piece| Rendering::new(piece, self);
            pieces.into_iter().map(one).collect()
        };
        let mut renderings = match self.kind() {
            Kind::Categories(texts) => texts.iter().map(|category| text(category)).collect(),
            Kind::Integer(grid) => dressed(i64::pieces(grid, decimals)),
            Kind::Number(grid) => dressed(f64::pieces(grid, decimals)),
            Kind::Date(grid) => dressed(Day::pieces(grid, None)),
            Kind::Datetime(grid) => dressed(Moment::pieces(grid, None)),
            Kind::Boolean => match self.form() {
                ValueForm::Boolean(words) => {
                    [false, true].map(|truth| text(words.written(truth))).into()
                }
                // Without quotes in JSON as well.
                _ => TRUTHS.map(|truth| Rendering::text(truth.into())).into(),
            },
        };
        renderings.extend(self.has_other().then(|| text(self.other_text())));
        renderings.extend(self.is_nullable().then(|| Rendering::text(null.to_vec())));
        renderings
    }
}

/// What a code is written as.
#[derive(Debug, Clone)]
pub(crate) enum Piece {
    /// This text for each row.
    Text(Vec<u8>),
    /// One of `count` whole numbers from `first` on (`count` 0 stands for 2^64), with so many zeros
    /// behind a point.
    Whole { first: i64, count: u64, zeros: u8 },
    /// One of the days from `first` on.
    Day { first: Day, count: u64 },
    /// One of the seconds from `first` on.
    Moment { first: Moment, count: u64 },
    /// A multiple of 10^-decimals, at least `start` and below `end`.
    Decimal { start: f64, end: f64, decimals: u8 },
    /// The same for very large and very small numbers, written with an exponent.
    Scientific { start: f64, end: f64, digits: usize },
    /// One of these, each with its running sum of probabilities; the last sum is 1.
    AnyOf(Vec<(f64, Piece)>),
}

impl Piece {
    /// One of the parts, in proportion to their shares.
    pub(crate) fn any_of(mut parts: Vec<(f64, Piece)>) -> Piece {
        if parts.len() == 1 {
            return parts.remove(0).1;
        }
        let all: f64 = parts.iter().map(|(share, _)| share).sum();
        let mut sum = 0.0;
        for (share, _) in &mut parts {
            sum += *share / all;
            *share = sum;
        }
        Piece::AnyOf(parts)
    }

    /// Appends a value; `quote` goes around what is not a number.
    #[inline]
    fn push(
        &self,
        buffer: &mut Vec<u8>,
        rng: &mut impl Rng,
        quote: &[u8],
        form: Option<&DateForm>,
    ) {
        match self {
            Self::Text(text) => buffer.extend_from_slice(text),
            Self::Whole {
                first,
                count,
                zeros,
            } => {
                push_whole(buffer, draw_whole(*first, *count, rng));
                if *zeros > 0 {
                    buffer.push(b'.');
                    push_digits(buffer, 0, usize::from(*zeros));
                }
            }
            Self::Day { first, count } => {
                let day = draw_day(*first, *count, rng);
                buffer.extend_from_slice(quote);
                match form {
                    Some(form) => form.write_day(day, buffer),
                    None => write!(buffer, "{day}").expect("writing to memory does not fail"),
                }
                buffer.extend_from_slice(quote);
            }
            Self::Moment { first, count } => {
                let moment = draw_moment(*first, *count, rng);
                buffer.extend_from_slice(quote);
                match form {
                    Some(form) => form.write_moment(moment, buffer),
                    None => write!(buffer, "{moment}").expect("writing to memory does not fail"),
                }
                buffer.extend_from_slice(quote);
            }
            Self::Decimal {
                start,
                end,
                decimals,
            } => push_decimal(buffer, *start, *end, between(rng, *start, *end), *decimals),
            Self::Scientific { start, end, digits } => {
                push_scientific(buffer, *start, *end, between(rng, *start, *end), *digits);
            }
            Self::AnyOf(parts) => chosen(parts, rng).push(buffer, rng, quote, form),
        }
    }

    fn draw(&self, rng: &mut impl Rng) -> Value {
        match self {
            Self::Whole { first, count, .. } => Value::Whole(draw_whole(*first, *count, rng)),
            Self::Day { first, count } => Value::Day(draw_day(*first, *count, rng)),
            Self::Moment { first, count } => Value::Moment(draw_moment(*first, *count, rng)),
            // Through the text, which decides how many digits a number has.
            Self::Text(_) | Self::Decimal { .. } | Self::Scientific { .. } => {
                let mut text = Vec::new();
                self.push(&mut text, rng, b"", None);
                Value::Text(text)
            }
            Self::AnyOf(parts) => chosen(parts, rng).draw(rng),
        }
    }
}

fn draw_whole(first: i64, count: u64, rng: &mut impl Rng) -> i64 {
    first.wrapping_add_unsigned(below(rng, count))
}

fn draw_day(first: Day, count: u64, rng: &mut impl Rng) -> Day {
    let day = i64::from(first.number()).saturating_add_unsigned(below(rng, count));
    Day::from_number(day).expect("a bin of days ends at a day")
}

fn draw_moment(first: Moment, count: u64, rng: &mut impl Rng) -> Moment {
    let second = first.number().saturating_add_unsigned(below(rng, count));
    Moment::from_number(second).expect("a bin ends at a moment")
}

fn chosen<'a>(parts: &'a [(f64, Piece)], rng: &mut impl Rng) -> &'a Piece {
    let mark = between(rng, 0.0, 1.0);
    let chosen = parts.partition_point(|(sum, _)| *sum <= mark);
    &parts[chosen.min(parts.len() - 1)].1
}

/// Values that can be drawn uniformly from a bin.
pub(crate) trait Uniform: Ordered {
    /// The first and the last value of a bin.
    fn bounds(grid: &Grid<Self>, bin: usize) -> (Self, Self);

    /// How a bin is written.
    ///
    /// Of these kinds only numbers have `decimals`.
    fn piece(grid: &Grid<Self>, bin: usize, decimals: Option<u8>) -> Piece;

    /// How a bin is written of which only some values are allowed: the parts that are left, each
    /// with its share of the bin's values.
    fn parts(
        grid: &Grid<Self>,
        bin: usize,
        allowed: &Spans<Self>,
        decimals: Option<u8>,
    ) -> Vec<(f64, Piece)>;

    /// How each bin is written.
    fn pieces(grid: &Grid<Self>, decimals: Option<u8>) -> Vec<Piece> {
        let piece = |bin| Self::piece(grid, bin, decimals);
        (0..grid.len()).map(piece).collect()
    }
}

impl Uniform for i64 {
    fn bounds(grid: &Grid<i64>, bin: usize) -> (i64, i64) {
        (grid.start(bin), last_of(grid, bin))
    }

    fn piece(grid: &Grid<i64>, bin: usize, decimals: Option<u8>) -> Piece {
        let (first, last) = i64::bounds(grid, bin);
        whole(first, last, decimals)
    }

    fn parts(
        grid: &Grid<i64>,
        bin: usize,
        allowed: &Spans<i64>,
        decimals: Option<u8>,
    ) -> Vec<(f64, Piece)> {
        let (first, last) = i64::bounds(grid, bin);
        let values = |first: i64, last: i64| last.abs_diff(first) as f64 + 1.0;
        allowed
            .within(first, last)
            .map(|(a, b)| (values(a, b) / values(first, last), whole(a, b, decimals)))
            .collect()
    }
}

fn whole(first: i64, last: i64, decimals: Option<u8>) -> Piece {
    let count = last.abs_diff(first).wrapping_add(1);
    let zeros = decimals.unwrap_or(0);
    Piece::Whole {
        first,
        count,
        zeros,
    }
}

impl Uniform for Day {
    fn bounds(grid: &Grid<Day>, bin: usize) -> (Day, Day) {
        (grid.start(bin), last_of(grid, bin))
    }

    fn piece(grid: &Grid<Day>, bin: usize, _: Option<u8>) -> Piece {
        let (first, last) = Day::bounds(grid, bin);
        days(first, last)
    }

    fn parts(
        grid: &Grid<Day>,
        bin: usize,
        allowed: &Spans<Day>,
        _: Option<u8>,
    ) -> Vec<(f64, Piece)> {
        let (first, last) = Day::bounds(grid, bin);
        let values = |first: Day, last: Day| f64::from(last.number() - first.number()) + 1.0;
        allowed
            .within(first, last)
            .map(|(a, b)| (values(a, b) / values(first, last), days(a, b)))
            .collect()
    }
}

fn days(first: Day, last: Day) -> Piece {
    let count = u64::from(last.number().abs_diff(first.number())) + 1;
    Piece::Day { first, count }
}

impl Uniform for Moment {
    fn bounds(grid: &Grid<Moment>, bin: usize) -> (Moment, Moment) {
        (grid.start(bin), last_of(grid, bin))
    }

    fn piece(grid: &Grid<Moment>, bin: usize, _: Option<u8>) -> Piece {
        let (first, last) = Moment::bounds(grid, bin);
        moments(first, last)
    }

    fn parts(
        grid: &Grid<Moment>,
        bin: usize,
        allowed: &Spans<Moment>,
        _: Option<u8>,
    ) -> Vec<(f64, Piece)> {
        let (first, last) = Moment::bounds(grid, bin);
        let values = |first: Moment, last: Moment| (last.number() - first.number()) as f64 + 1.0;
        allowed
            .within(first, last)
            .map(|(a, b)| (values(a, b) / values(first, last), moments(a, b)))
            .collect()
    }
}

fn moments(first: Moment, last: Moment) -> Piece {
    let count = last.number().abs_diff(first.number()) + 1;
    Piece::Moment { first, count }
}

/// A bin narrower than this part of the whole range stands for a single value, its start: a zero,
/// say, that is much more frequent than anything near it. A part narrower than this of its bin
/// stands for nothing.
const POINT: f64 = 1e-9;

impl Uniform for f64 {
    fn bounds(grid: &Grid<f64>, bin: usize) -> (f64, f64) {
        let start = grid.start(bin);
        (
            start,
            if is_point(grid, bin) {
                start
            } else {
                grid.end(bin).next_down()
            },
        )
    }

    fn piece(grid: &Grid<f64>, bin: usize, decimals: Option<u8>) -> Piece {
        if is_point(grid, bin) {
            point(grid.start(bin), decimals)
        } else {
            numbers(grid.start(bin), grid.end(bin), decimals)
        }
    }

    fn parts(
        grid: &Grid<f64>,
        bin: usize,
        allowed: &Spans<f64>,
        decimals: Option<u8>,
    ) -> Vec<(f64, Piece)> {
        let (start, end) = (grid.start(bin), grid.end(bin));
        let (first, last) = f64::bounds(grid, bin);
        let part = |(first, last): (f64, f64)| match is_point(grid, bin) {
            true => (1.0, f64::piece(grid, bin, decimals)),
            false => {
                let end_of_part = last.next_up();
                let share = share(first, end_of_part, start, end);
                (share, numbers(first, end_of_part, decimals))
            }
        };
        let parts = allowed.within(first, last).map(part);
        parts.filter(|&(share, _)| share > POINT).collect()
    }
}

/// How much of a bin a part is. In halves, since a width may be beyond the largest number.
fn share(first: f64, end_of_part: f64, start: f64, end: f64) -> f64 {
    (end_of_part / 2.0 - first / 2.0) / (end / 2.0 - start / 2.0)
}

fn is_point(grid: &Grid<f64>, bin: usize) -> bool {
    let range = grid.range();
    share(grid.start(bin), grid.end(bin), range.min, range.max) < POINT
}

/// A single number, with so many decimals where they tell it.
fn point(value: f64, decimals: Option<u8>) -> Piece {
    let fixed = decimals.map(|decimals| format!("{value:.*}", usize::from(decimals)));
    let exact = |text: &String| text.parse() == Ok(value);
    let text = fixed.filter(exact).unwrap_or_else(|| format!("{value:?}"));
    Piece::Text(text.into_bytes())
}

/// Numbers with so many decimals; where there is no such number in the bin, or nothing is said,
/// with about as many digits as a hundredth of the width needs.
fn numbers(start: f64, end: f64, decimals: Option<u8>) -> Piece {
    if let Some(decimals) = decimals.filter(|decimals| has_multiple(start, end, *decimals)) {
        return Piece::Decimal {
            start,
            end,
            decimals,
        };
    }
    let largest = start.abs().max(end.abs());
    let width = end - start;
    let decimals = 2.0 - width.log10().floor();
    let decimals = if decimals > 0.0 { decimals } else { 0.0 };
    if decimals <= 15.0 && largest * 10f64.powf(decimals) < 9e15 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole, 0 to 15"
        )]
        let decimals = decimals as u8;
        Piece::Decimal {
            start,
            end,
            decimals,
        }
    } else {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to 2 to 17"
        )]
        let digits = ((largest / width).log10().ceil() + 2.0).clamp(2.0, 17.0) as usize;
        Piece::Scientific { start, end, digits }
    }
}

/// Whether a multiple of 10^-decimals lies in the bin, and all of them are exact.
fn has_multiple(start: f64, end: f64, decimals: u8) -> bool {
    let scale = 10f64.powi(decimals.into());
    let exact = start.abs().max(end.abs()) * scale < 9e15;
    exact && (start * scale).ceil() / scale < end
}

/// Uniform below `count`, or any number for 0. The bias of at most `count` in 2^64 is of no
/// account: the value is drawn within a bin for which only the bin is known.
fn below(rng: &mut impl Rng, count: u64) -> u64 {
    match count {
        0 => rng.next_u64(),
        1 => 0,
        count => {
            let product = u128::from(rng.next_u64()) * u128::from(count);
            u64::try_from(product >> 64).expect("the upper half of 128 bits")
        }
    }
}

/// Uniform, at least `start` and below `end`.
fn between(rng: &mut impl Rng, start: f64, end: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    let t = (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
    let value = start * (1.0 - t) + end * t;
    if value >= start && value < end {
        value
    } else {
        start
    }
}

/// The multiple of 10^-decimals just below the value, kept between `start` and `end`.
fn push_decimal(buffer: &mut Vec<u8>, start: f64, end: f64, value: f64, decimals: u8) {
    let scale = 10f64.powi(decimals.into());
    let mut multiple = (value * scale).floor();
    // Both are exact, so the quotient is what a reader of the text will see.
    if multiple / scale < start {
        multiple += 1.0;
    } else if multiple / scale >= end {
        multiple -= 1.0;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "whole and below 2^53, as the bin was checked for"
    )]
    let multiple = multiple as i64;
    if decimals == 0 {
        return push_whole(buffer, multiple);
    }
    if multiple < 0 {
        buffer.push(b'-');
    }
    let unit = 10u64.pow(decimals.into());
    let multiple = multiple.unsigned_abs();
    push_digits(buffer, multiple / unit, 1);
    buffer.push(b'.');
    push_digits(buffer, multiple % unit, decimals.into());
}

fn push_scientific(buffer: &mut Vec<u8>, start: f64, end: f64, value: f64, digits: usize) {
    let text = format!("{value:.digits$e}");
    let rounded: f64 = text.parse().expect("a printed number is a number");
    if rounded >= start && rounded < end {
        buffer.extend_from_slice(text.as_bytes());
    } else {
        write!(buffer, "{value:e}").expect("writing to memory does not fail");
    }
}
