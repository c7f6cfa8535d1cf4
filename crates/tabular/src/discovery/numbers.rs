//! In which form the numbers of an undeclared column are written, where that is not the plain one.

use schema::form::{DecimalMark, NumberForm, Sign, Thousands};

use super::kind::{MAX_DECIMALS, Seen, known_decimals};

/// A form, and how many decimals numbers have in it, where that is known.
#[derive(Debug, PartialEq)]
pub(super) struct Written {
    pub(super) form: NumberForm,
    pub(super) decimals: Option<usize>,
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

fn cell(sign: usize, thousands: usize, decimals: usize) -> usize {
    (sign * THOUSANDS.len() + thousands) * DECIMALS + decimals
}

/// Rows in each cell, for texts with their rows, read with this decimal mark. A cell is a sign, a
/// separator and a number of decimals.
pub(super) fn cells<'a>(
    mark: DecimalMark,
    texts: impl Iterator<Item = (&'a [u8], u32)>,
) -> Vec<u32> {
    let mut cells = vec![0; SIGNS * THOUSANDS.len() * DECIMALS];
    for (text, rows) in texts {
        if let Some(cell) = cell_of(text, mark) {
            cells[cell] += rows;
        }
    }
    cells
}

fn cell_of(text: &[u8], mark: DecimalMark) -> Option<usize> {
    let form = NumberForm::of(text, mark)?;
    let sign = (0..SIGNS).find(|&it| sign(it) == form.sign)?;
    let thousands = THOUSANDS.iter().position(|it| *it == form.thousands)?;
    let decimals = match form.whole(text) {
        // `20.00` is a whole number.
        Some(_) => 0,
        None => form
            .decimals(text)
            .map_or(MAX_DECIMALS + 1, |it| it.min(MAX_DECIMALS + 1)),
    };
    Some(cell(sign, thousands, decimals))
}

/// The form by noisy counts: the most frequent sign and separator, if there are any, which a field
/// of that form may have or not. `None` if less than nine tenths are of it.
pub(super) fn chosen(mark: DecimalMark, noisy: &[f64], sigma: f64) -> Option<Written> {
    let seen = Seen::new(noisy, sigma);
    let sum = |wanted: &dyn Fn(usize, usize, usize) -> bool| {
        let cells = (0..noisy.len()).filter(|&cell| {
            let (decimals, rest) = (cell % DECIMALS, cell / DECIMALS);
            wanted(rest / THOUSANDS.len(), rest % THOUSANDS.len(), decimals)
        });
        seen.sum(cells)
    };
    let most = |a: (usize, f64), b: (usize, f64)| if b.1 > a.1 { b } else { a };
    let signs = (1..SIGNS).map(|it| (it, sum(&|sign, _, _| sign == it)));
    let separators = (1..THOUSANDS.len()).map(|it| (it, sum(&|_, thousands, _| thousands == it)));
    let used = |best: Option<(usize, f64)>| best.filter(|it| it.1 > 0.0).map_or(0, |it| it.0);
    let (sign_at, thousands_at) = (used(signs.reduce(most)), used(separators.reduce(most)));
    let all = sum(&|_, _, _| true);
    let own = sum(&|sign, thousands, _| {
        [0, sign_at].contains(&sign) && [0, thousands_at].contains(&thousands)
    });
    if all <= 0.0 || own < 0.9 * all {
        return None;
    }
    let decimals = (1..DECIMALS)
        .rev()
        .find(|&it| sum(&|_, _, decimals| decimals == it) >= 0.01 * all);
    let decimals = decimals.filter(|&it| sum(&|_, _, decimals| decimals == it) > 0.0);
    Some(Written {
        form: NumberForm {
            decimal: mark,
            thousands: THOUSANDS[thousands_at],
            sign: sign(sign_at),
        },
        decimals: known_decimals(decimals.unwrap_or(0)),
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
        check(
            point,
            &[("$20,000.00", 800)],
            (
                "Some(Comma) Some(Sign { text: '$', before: true })",
                Some(0),
            ),
        );
        let comma = DecimalMark::Comma;
        check(
            comma,
            &[("1,75", 400), ("1,8", 400)],
            ("None None", Some(2)),
        );
        check(comma, &[("1.234,5", 800)], ("Some(Point) None", Some(1)));
    }

    #[test]
    fn amounts_of_two_currencies_are_not_put_together() {
        let two = [("$5", 400), ("€5", 400)];
        assert_eq!(chosen_of(DecimalMark::Point, &two), None);
        let few = [("$5", 800), ("€5", 40)];
        assert!(chosen_of(DecimalMark::Point, &few).unwrap().others);
        assert_eq!(chosen_of(DecimalMark::Point, &[("$5", 20)]), None);
    }
}
