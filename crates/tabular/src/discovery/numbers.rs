//! In which form the numbers of an undeclared column are written, where that is not the plain one.

use schema::form::{DecimalMark, NumberForm, Sign, Thousands};

use super::kind::{MAX_DECIMALS, Seen, known_decimals};

/// A form, and how many decimals numbers have in it, where that is known.
#[derive(Debug, PartialEq)]
pub(super) struct Written {
    pub(super) form: NumberForm,
    pub(super) decimals: Option<usize>,
    /// Whether all numbers are whole, though zeros may be written behind a point.
    pub(super) whole: bool,
    /// Whether other forms stand out beside it.
    pub(super) others: bool,
}

const THOUSANDS: [Option<Thousands>; 5] = [
    None,
    Some(Thousands::Comma),
    Some(Thousands::Point),
    Some(Thousands::Space),
    Some(Thousands::Apostrophe),
];

/// From none to one more than are counted.
const DECIMALS: usize = MAX_DECIMALS + 2;

/// No sign, or each before or after the number.
const SIGNS: usize = 1 + 2 * Sign::ALL.len();

fn sign(index: usize) -> Option<Sign> {
    let index = index.checked_sub(1)?;
    Some(Sign {
        text: Sign::ALL[index / 2],
        before: index % 2 == 0,
    })
}

/// What a cell counts.
#[derive(Clone, Copy)]
struct Cell {
    sign: usize,
    thousands: usize,
    /// As they are written.
    decimals: usize,
    whole: bool,
}

/// How many cells there are.
pub(super) const CELLS: usize = SIGNS * THOUSANDS.len() * DECIMALS * 2;

impl Cell {
    fn index(self) -> usize {
        let dress = self.sign * THOUSANDS.len() + self.thousands;
        (dress * DECIMALS + self.decimals) * 2 + usize::from(self.whole)
    }

    fn at(index: usize) -> Self {
        let (dress, rest) = (index / (2 * DECIMALS), index % (2 * DECIMALS));
        Self {
            sign: dress / THOUSANDS.len(),
            thousands: dress % THOUSANDS.len(),
            decimals: rest / 2,
            whole: rest % 2 == 1,
        }
    }
}

/// Rows in each cell, for texts with their rows, read with this decimal mark. A cell is a sign, a
/// separator, a number of decimals and whether these are zeros.
pub(super) fn cells<'a>(
    mark: DecimalMark,
    texts: impl Iterator<Item = (&'a [u8], u32)>,
) -> Vec<u32> {
    let mut cells = vec![0; CELLS];
    for (text, rows) in texts {
        if let Some(cell) = cell(text, mark) {
            cells[cell] += rows;
        }
    }
    cells
}

/// The cell that counts a number, read with this decimal mark; none if the text is not one.
pub(super) fn cell(text: &[u8], mark: DecimalMark) -> Option<usize> {
    cell_of(text, mark).map(Cell::index)
}

fn cell_of(text: &[u8], mark: DecimalMark) -> Option<Cell> {
    let form = NumberForm::of(text, mark)?;
    let decimals = form.decimals(text).unwrap_or(usize::MAX);
    Some(Cell {
        sign: (0..SIGNS).find(|&it| sign(it) == form.sign)?,
        thousands: THOUSANDS.iter().position(|it| *it == form.thousands)?,
        decimals: decimals.min(DECIMALS - 1),
        whole: form.whole(text).is_some(),
    })
}

/// The form by noisy counts: the most frequent sign and separator, if there are any, which a field
/// of that form may have or not. `None` if less than nine tenths are of it.
pub(super) fn chosen(mark: DecimalMark, noisy: &[f64], sigma: f64) -> Option<Written> {
    let seen = Seen::new(noisy, sigma);
    let sum = |wanted: &dyn Fn(Cell) -> bool| {
        seen.sum((0..CELLS).filter(|&index| wanted(Cell::at(index))))
    };
    let most = |a: (usize, f64), b: (usize, f64)| if b.1 > a.1 { b } else { a };
    let used = |best: Option<(usize, f64)>, least: f64| {
        best.filter(|it| it.1 > 0.0 && it.1 >= least)
            .map_or(0, |it| it.0)
    };
    let signs = (1..SIGNS).map(|it| (it, sum(&|cell| cell.sign == it)));
    let separators = (1..THOUSANDS.len()).map(|it| (it, sum(&|cell| cell.thousands == it)));
    let all = sum(&|_| true);
    // Small numbers have no thousands, but where amounts have a sign, at least one in ten does: of
    // so many cells noise alone stands out now and then.
    let sign_at = used(signs.reduce(most), 0.1 * all);
    let thousands_at = used(separators.reduce(most), 0.01 * all);
    let is_own = |cell: Cell| {
        [0, sign_at].contains(&cell.sign) && [0, thousands_at].contains(&cell.thousands)
    };
    let own = sum(&is_own);
    if all <= 0.0 || own < 0.9 * all {
        return None;
    }
    // One in a hundred, and clear.
    let some = |count: f64| count > 0.0 && count >= 0.01 * all;
    let decimals = (1..DECIMALS)
        .rev()
        .find(|&it| some(sum(&|cell| is_own(cell) && cell.decimals == it)));
    Some(Written {
        form: NumberForm {
            decimal: mark,
            thousands: THOUSANDS[thousands_at],
            sign: sign(sign_at),
        },
        decimals: known_decimals(decimals.unwrap_or(0)),
        whole: sum(&|cell| is_own(cell) && !cell.whole) <= 0.0,
        others: own < all,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen_of(mark: DecimalMark, texts: &[(&str, u32)]) -> Option<Written> {
        let texts = texts.iter().map(|(text, rows)| (text.as_bytes(), *rows));
        let noisy: Vec<f64> = cells(mark, texts).into_iter().map(f64::from).collect();
        chosen(mark, &noisy, 10.0)
    }

    fn check(mark: DecimalMark, texts: &[(&str, u32)], expected: (&str, Option<usize>)) {
        let written = chosen_of(mark, texts).unwrap();
        let form = format!("{:?} {:?}", written.form.thousands, written.form.sign);
        assert_eq!((form.as_str(), written.decimals), expected, "{texts:?}");
    }

    #[test]
    fn the_usual_dress_is_known() {
        let point = DecimalMark::Point;
        check(
            point,
            &[("$1,234.50", 400), ("$12.25", 400)],
            (
                "Some(Comma) Some(Sign { text: '$', before: true })",
                Some(2),
            ),
        );
        check(
            point,
            &[("1 234", 400), ("12", 400)],
            ("Some(Space) None", Some(0)),
        );
        check(
            point,
            &[("12.5 %", 800)],
            ("None Some(Sign { text: '%', before: false })", Some(1)),
        );
        let whole = [("$20,000.00", 800)];
        let dollars = "Some(Comma) Some(Sign { text: '$', before: true })";
        check(point, &whole, (dollars, Some(2)));
        assert!(chosen_of(point, &whole).unwrap().whole);
        let comma = DecimalMark::Comma;
        check(
            comma,
            &[("1,75", 400), ("1,8", 400)],
            ("None None", Some(2)),
        );
        check(comma, &[("1.234,5", 800)], ("Some(Point) None", Some(1)));
    }

    #[test]
    fn a_sign_that_few_numbers_have_is_not_that_of_the_column() {
        let few = [("1,234", 950), ("€1,234.5678", 45)];
        check(DecimalMark::Point, &few, ("Some(Comma) None", Some(0)));
    }

    #[test]
    fn amounts_of_two_currencies_are_not_put_together() {
        let two = [("$5", 400), ("€5", 400)];
        assert_eq!(chosen_of(DecimalMark::Point, &two), None);
        let few = [("$5", 800), ("€5", 60)];
        assert!(chosen_of(DecimalMark::Point, &few).unwrap().others);
        assert_eq!(chosen_of(DecimalMark::Point, &[("$5", 20)]), None);
    }
}
