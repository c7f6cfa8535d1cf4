//! What the fields of an undeclared column look like.

use schema::form::{DecimalMark, NumberForm, is_missing};
use schema::number::{Numeral, numeral, trim};
use zeroize::Zeroizing;

use super::dates::DateForms;
use crate::codes::Wiped;
use crate::dictionary::Texts;

/// The different texts of a column by what they look like, and how many rows have each. Overwritten
/// on drop.
pub(super) struct Classes {
    rows: Wiped<u32>,
    cells: Zeroizing<[u32; CLASSES]>,
}

/// How many classes there are.
pub(super) const CLASSES: usize = 27;
/// The class of missing values.
pub(super) const EMPTY: usize = 0;
const WHOLE: usize = 1;
/// Numbers with this many decimals more than one, and the last with more than six.
const DECIMAL: std::ops::RangeInclusive<usize> = 2..=8;
/// What reads as a number and is written as no number is: `007`, `00501`, `1e3`.
const CODE: usize = 9;
/// Whole numbers that read as a day of our time: `20200131`.
const COMPACT: usize = 10;
/// Numbers with a separator of thousands or a sign, by whether they are read with a decimal point,
/// a decimal comma, or either.
const POINT: usize = 11;
const COMMA: usize = 12;
const EITHER: usize = 13;
const DAY: usize = 14;
const MOMENT: usize = 15;
const TEXT: usize = 16;
/// Numbers with two to six decimals of which the last is a zero, which computers do not write
/// unless all numbers of the column have as many: `4.50`. Whole ones, such as `4.00`, are apart.
const ZERO_AT_THE_END: usize = 17;
const WHOLE_WITH_ZEROS: usize = ZERO_AT_THE_END + ZEROED.len();
/// How many decimals these have.
const ZEROED: [usize; 5] = [2, 3, 4, 5, 6];

/// All that is written as a number.
fn numbers() -> impl Iterator<Item = usize> {
    (WHOLE..=EITHER).chain(ZERO_AT_THE_END..CLASSES)
}

/// Decimals beyond this many are not counted: such numbers are written to all the digits a computer
/// has.
pub(super) const MAX_DECIMALS: usize = 6;

impl Classes {
    pub(super) fn new(texts: &Texts, rows: Wiped<u32>, dates: &DateForms) -> Self {
        let mut cells = Zeroizing::new([0; CLASSES]);
        for (text, rows) in texts.iter().zip(rows.as_slice()) {
            // Only texts of joined rows: what a party has beyond the join is not looked at.
            if *rows > 0 {
                cells[class(text, dates)] += rows;
            }
        }
        Self { rows, cells }
    }

    /// How many rows have each text.
    pub(super) fn rows(&self) -> &[u32] {
        self.rows.as_slice()
    }

    /// Rows by class. Each row is in one cell.
    pub(super) fn cells(&self) -> Vec<u32> {
        self.cells.to_vec()
    }

    /// What the texts of joined rows are read as, each with its rows.
    pub(super) fn read<'a, T>(
        &'a self,
        texts: &'a Texts,
        read: impl Fn(&[u8]) -> Option<T> + Clone + 'a,
    ) -> impl Iterator<Item = (T, u32)> + Clone + 'a {
        let rows = self.rows().iter().enumerate();
        let joined = rows.filter(|(_, rows)| **rows > 0);
        joined.filter_map(move |(i, &rows)| Some((read(texts.get(i))?, rows)))
    }
}

/// What a text looks like.
pub(super) fn class(text: &[u8], dates: &DateForms) -> usize {
    if is_missing(text) {
        return EMPTY;
    }
    let text = trim(text);
    match numeral(text) {
        Some(Numeral::Whole(_) | Numeral::Decimal(_)) if is_code(text) => CODE,
        Some(Numeral::Whole(_)) if dates.is_compact(text) => COMPACT,
        Some(Numeral::Whole(_)) => zeroed(text).map_or(WHOLE, |at| WHOLE_WITH_ZEROS + at),
        Some(Numeral::Decimal(_)) => match zeroed(text) {
            Some(at) => ZERO_AT_THE_END + at,
            None => DECIMAL.start() - 1 + decimals_of(text),
        },
        Some(Numeral::Nan) => EMPTY,
        None => undressed_class(text, dates),
    }
}

/// The class of what is not a plain number.
fn undressed_class(text: &[u8], dates: &DateForms) -> usize {
    let reads = |mark| NumberForm::dressed_number(text, mark).is_some();
    match (reads(DecimalMark::Point), reads(DecimalMark::Comma)) {
        (true, true) => EITHER,
        (true, false) => POINT,
        (false, true) => COMMA,
        (false, false) => match dates.has_time(text) {
            Some(true) => MOMENT,
            Some(false) => DAY,
            None => TEXT,
        },
    }
}

/// How many decimals a number is written with, from 1 to one more than [`MAX_DECIMALS`], which
/// stands for all above and for numbers with an exponent.
fn decimals_of(text: &[u8]) -> usize {
    let decimals = NumberForm::PLAIN.decimals(text);
    decimals
        .filter(|&it| it > 0)
        .map_or(MAX_DECIMALS + 1, |it| it.min(MAX_DECIMALS + 1))
}

/// The position in [`ZEROED`] of the number of decimals, if a number ends with a zero behind its
/// point. `7.0` is how computers write 7.
fn zeroed(text: &[u8]) -> Option<usize> {
    if !matches!(text, [.., b'0']) {
        return None;
    }
    let decimals = NumberForm::PLAIN.decimals(text)?;
    ZEROED.iter().position(|it| *it == decimals)
}

/// Whether a text that reads as a number is written as codes are: with a zero before other digits,
/// or as digits, `e` and digits alone. Programs that write a number with an exponent write a point
/// or a sign as well.
fn is_code(text: &[u8]) -> bool {
    let digits = match text {
        [b'+' | b'-', rest @ ..] => rest,
        _ => text,
    };
    // `-007` is a code as well: sign and zero before other digits.
    let leading_zero = matches!(digits, [b'0', b'0'..=b'9', ..]);
    let plain = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'e' | b'E');
    leading_zero || digits.iter().all(plain) && !digits.iter().all(u8::is_ascii_digit)
}

/// Noisy counts of which those that do not stand out of the noise count as nothing. So a sum of
/// many empty cells is nothing as well, and not the noise of all of them.
pub(super) struct Seen<'a> {
    noisy: &'a [f64],
    least: f64,
}

impl<'a> Seen<'a> {
    /// So far out that one of the empty cells passes in less than 1 % of columns, however many
    /// cells there are: 3.5 sigma for 17 cells. Less would make texts of numbers now and then, more
    /// would lose columns of few rows.
    pub(super) fn new(noisy: &'a [f64], sigma: f64) -> Self {
        // By P(Z > z) < exp(-z^2 / 2) / 2 and the union bound 2 %, of which that is the third.
        let least = (2.0 * (noisy.len() as f64 / 0.04).ln()).sqrt() * sigma;
        Self { noisy, least }
    }

    pub(super) fn count(&self, cell: usize) -> f64 {
        let count = self.noisy[cell];
        if count > self.least { count } else { 0.0 }
    }

    pub(super) fn sum(&self, cells: impl IntoIterator<Item = usize>) -> f64 {
        cells.into_iter().map(|cell| self.count(cell)).sum()
    }
}

/// What the noisy counts say that a column holds.
#[derive(Debug, PartialEq)]
pub(super) struct Finding {
    pub(super) values: Values,
    pub(super) nullable: bool,
    /// Whether texts besides numbers or dates stand out.
    pub(super) other: bool,
    /// About how many rows hold something.
    pub(super) filled: f64,
    /// How the decimals of plain numbers are written.
    pub(super) decimals: Decimals,
}

/// How the decimals of plain numbers are written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Decimals {
    /// With no more of them than a number needs.
    Shortest,
    /// As many in all numbers, two at least.
    Fixed(usize),
    /// Some with a zero at the end and some without: `1.10` and `1.1`, which are one number. Where
    /// there are a few of them, they are codes.
    Mixed,
}

impl Decimals {
    pub(super) fn fixed(self) -> Option<usize> {
        match self {
            Self::Fixed(decimals) => Some(decimals),
            Self::Shortest | Self::Mixed => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Values {
    /// Whole numbers, with so many zeros behind a point.
    Whole(usize),
    /// Numbers with at most this many decimals; any number of them where that is not clear.
    Decimal(Option<usize>),
    /// Numbers with a separator of thousands or a sign, or with a decimal comma.
    Dressed(DecimalMark),
    /// Dates such as `20200131`.
    Compact,
    /// Dates of some other form.
    Dates,
    Text,
}

impl Finding {
    pub(super) fn from_counts(noisy: &[f64], sigma: f64) -> Self {
        let seen = Seen::new(noisy, sigma);
        let filled = seen.sum(WHOLE..CLASSES);
        // Nine tenths: a few typing errors do not make text of a column of numbers.
        let most = 0.9 * filled;
        let numbers = seen.sum(numbers());
        let dates = seen.sum([COMPACT, DAY, MOMENT]);
        let values = if filled <= 0.0 {
            Values::Text
        } else if seen.count(COMPACT) >= most {
            Values::Compact
        } else if numbers >= most {
            numbers_of(&seen, filled)
        } else if dates >= most {
            Values::Dates
        } else {
            Values::Text
        };
        let other = match values {
            Values::Whole(_) | Values::Decimal(_) | Values::Dressed(_) => numbers < filled,
            Values::Compact | Values::Dates => dates < filled,
            Values::Text => true,
        };
        Self {
            values,
            other,
            nullable: seen.count(EMPTY) > 0.0,
            filled,
            decimals: decimals_written(&seen, filled),
        }
    }
}

/// What a column of numbers holds.
fn numbers_of(seen: &Seen<'_>, filled: f64) -> Values {
    // One in a hundred decides for a form that all others are written in as well: a zero typed
    // before a few ages does not make codes of them. Postcodes, of which some begin with a zero,
    // are not quantities, whatever the others look like.
    let some = |count: f64| count > 0.0 && count >= 0.01 * filled;
    if some(seen.count(CODE)) {
        return Values::Text;
    }
    if some(seen.sum([POINT, COMMA, EITHER])) {
        // Fields that only one of both can be. Where there is none, `1,234` is a thousand.
        return Values::Dressed(match seen.count(COMMA) > seen.count(POINT) {
            true => DecimalMark::Comma,
            false => DecimalMark::Point,
        });
    }
    let fractions = |decimals: usize| {
        let zero = ZEROED.iter().position(|it| *it == decimals);
        let zero = zero.map_or(0.0, |at| seen.count(ZERO_AT_THE_END + at));
        seen.count(DECIMAL.start() - 1 + decimals) + zero
    };
    match (1..=MAX_DECIMALS + 1).rev().find(|&it| some(fractions(it))) {
        Some(decimals) => Values::Decimal(known_decimals(decimals)),
        // Less than one in a hundred, and yet clear.
        None if (1..=MAX_DECIMALS + 1).any(|it| fractions(it) > 0.0) => Values::Decimal(None),
        None => Values::Whole(match decimals_written(seen, filled) {
            Decimals::Fixed(zeros) => zeros,
            Decimals::Shortest | Decimals::Mixed => 0,
        }),
    }
}

/// How the decimals of plain numbers are written.
fn decimals_written(seen: &Seen<'_>, filled: f64) -> Decimals {
    let some = |count: f64| count > 0.0 && count >= 0.01 * filled;
    let zeros = |at: usize| seen.count(ZERO_AT_THE_END + at) + seen.count(WHOLE_WITH_ZEROS + at);
    let Some(most) = (0..ZEROED.len()).rev().find(|&at| some(zeros(at))) else {
        return Decimals::Shortest;
    };
    let decimals = ZEROED[most];
    let own = zeros(most) + seen.count(DECIMAL.start() - 1 + decimals);
    if own >= 0.99 * filled {
        return Decimals::Fixed(decimals);
    }
    // Fewer decimals, written by whoever writes zeros elsewhere. Whole numbers say nothing: many
    // people write 4.50 and 5.
    let fewer: f64 = (1..decimals)
        .map(|it| seen.count(DECIMAL.start() - 1 + it))
        .sum();
    let fewer = fewer + (0..most).map(zeros).sum::<f64>();
    match some(fewer) {
        true => Decimals::Mixed,
        false => Decimals::Shortest,
    }
}

/// The number of decimals that a column is written with, unless some fields have more than are
/// counted.
pub(super) fn known_decimals(decimals: usize) -> Option<usize> {
    (decimals <= MAX_DECIMALS).then_some(decimals)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts of these classes, and none of the others.
    fn counts(of: &[(usize, f64)]) -> [f64; CLASSES] {
        let mut noisy = [0.0; CLASSES];
        for &(class, count) in of {
            noisy[class] = count;
        }
        noisy
    }

    fn finding(of: &[(usize, f64)], sigma: f64) -> (Values, bool, bool) {
        let finding = Finding::from_counts(&counts(of), sigma);
        (finding.values, finding.nullable, finding.other)
    }

    #[test]
    fn most_of_the_fields_decide() {
        let check = |of: &[(usize, f64)], values, nullable, other| {
            assert_eq!(finding(of, 0.0), (values, nullable, other), "{of:?}");
        };
        check(&[(WHOLE, 900.0)], Values::Whole(0), false, false);
        let decimals = [(EMPTY, 1.0), (WHOLE, 800.0), (3, 100.0), (TEXT, 1.0)];
        check(&decimals, Values::Decimal(Some(2)), true, true);
        let long = [(3, 100.0), (8, 100.0)];
        check(&long, Values::Decimal(None), false, false);
        let dates = [(DAY, 500.0), (MOMENT, 400.0), (CODE, 50.0)];
        check(&dates, Values::Dates, false, true);
        let compact = [(COMPACT, 950.0), (WHOLE, 50.0)];
        check(&compact, Values::Compact, false, true);
        let few_compact = [(COMPACT, 50.0), (WHOLE, 950.0)];
        check(&few_compact, Values::Whole(0), false, false);
        check(&[(WHOLE, 500.0), (TEXT, 500.0)], Values::Text, false, true);
        check(&[(EMPTY, 9.0)], Values::Text, true, true);
    }

    #[test]
    fn zeros_at_the_end_of_some_numbers_alone_are_those_of_codes() {
        let check = |of: &[(usize, f64)], values, decimals| {
            let found = Finding::from_counts(&counts(of), 0.0);
            assert_eq!((found.values, found.decimals), (values, decimals), "{of:?}");
        };
        // 4.25, 4.50 and 4.00; 401.9, 250.00 and 493.90; 4.25 and 4; 12.00.
        let prices = [
            (3, 900.0),
            (ZERO_AT_THE_END, 90.0),
            (WHOLE_WITH_ZEROS, 10.0),
        ];
        check(&prices, Values::Decimal(Some(2)), Decimals::Fixed(2));
        let codes = [
            (2, 500.0),
            (ZERO_AT_THE_END, 300.0),
            (WHOLE_WITH_ZEROS, 200.0),
        ];
        check(&codes, Values::Decimal(Some(2)), Decimals::Mixed);
        let short = [(WHOLE, 200.0), (2, 500.0), (3, 300.0)];
        check(&short, Values::Decimal(Some(2)), Decimals::Shortest);
        let typed = [(WHOLE, 200.0), (3, 500.0), (ZERO_AT_THE_END, 300.0)];
        check(&typed, Values::Decimal(Some(2)), Decimals::Shortest);
        let whole = [(WHOLE_WITH_ZEROS, 500.0)];
        check(&whole, Values::Whole(2), Decimals::Fixed(2));
    }

    #[test]
    fn a_decimal_comma_is_known_by_the_fields_that_nothing_else_can_be() {
        let check = |of: &[(usize, f64)], mark| {
            assert_eq!(finding(of, 0.0).0, Values::Dressed(mark), "{of:?}");
        };
        check(&[(COMMA, 50.0), (EITHER, 850.0)], DecimalMark::Comma);
        check(&[(POINT, 50.0), (EITHER, 850.0)], DecimalMark::Point);
        check(&[(EITHER, 850.0), (WHOLE, 80.0)], DecimalMark::Point);
    }

    #[test]
    fn codes_among_numbers_make_texts_of_them_unless_they_are_very_few() {
        let with_codes = |codes| finding(&[(WHOLE, 900.0), (CODE, codes)], 2.0).0;
        assert_eq!(with_codes(900.0), Values::Text);
        assert_eq!(with_codes(10.0), Values::Text);
        assert_eq!(with_codes(7.0), Values::Whole(0), "below one in a hundred");
        let noise = finding(&[(WHOLE, 90.0), (CODE, 5.0)], 2.0);
        assert_eq!(
            noise,
            (Values::Whole(0), false, false),
            "no clearer than noise"
        );
    }

    /// What one row adds to a cell of noise never shows, and noise alone is not taken for data.
    #[test]
    fn what_does_not_stand_out_counts_as_nothing() {
        let noise: [f64; CLASSES] = std::array::from_fn(|i| [25.0, -12.0, 9.0, 29.0][i % 4]);
        let mut noisy = noise;
        noisy[WHOLE] = 300.0;
        let clear = Finding::from_counts(&noisy, 10.0);
        assert_eq!(clear.values, Values::Whole(0));
        assert_eq!((clear.nullable, clear.other), (false, false));
        assert_eq!(clear.filled, 300.0);
        noisy[TEXT] += 1.0;
        assert_eq!(Finding::from_counts(&noisy, 10.0), clear);
        let nothing = Finding::from_counts(&noise, 10.0);
        assert_eq!((nothing.values, nothing.nullable), (Values::Text, false));
    }

    #[test]
    fn texts_are_told_apart_by_their_looks() {
        let forms = DateForms::usual();
        for (text, expected) in [
            ("", EMPTY),
            ("NaN", EMPTY),
            ("n/a", EMPTY),
            ("None", EMPTY),
            ("7", WHOLE),
            (" 7 ", WHOLE),
            ("7.0", WHOLE),
            ("7.5", 2),
            ("7.25", 3),
            ("7.50", ZERO_AT_THE_END),
            ("7.120", ZERO_AT_THE_END + 1),
            ("250.00", WHOLE_WITH_ZEROS),
            ("7.1200000", 8),
            ("7.123456", 7),
            ("7.1234567", 8),
            ("1e-3", 8),
            ("1.5e16", 8),
            ("1e+16", 8),
            ("2020-02-29", DAY),
            ("2020-02-30", TEXT),
            ("20200229", COMPACT),
            ("20200230", WHOLE),
            ("85001231", WHOLE),
            ("31/12/2020", DAY),
            ("3 Mar 2020", DAY),
            ("2020-02-29T10:30:00Z", MOMENT),
            ("x", TEXT),
            ("inf", TEXT),
            ("0", WHOLE),
            ("-0.5", 2),
            ("007", CODE),
            (" 00501 ", CODE),
            ("-07", CODE),
            ("00.5", CODE),
            ("1e3", CODE),
            ("12E04", CODE),
            ("$1,234.50", POINT),
            ("1.234,50", COMMA),
            ("2,5", COMMA),
            ("1,234", EITHER),
            ("$7", EITHER),
            ("12 %", EITHER),
        ] {
            assert_eq!(class(text.as_bytes(), &forms), expected, "{text:?}");
        }
    }
}
