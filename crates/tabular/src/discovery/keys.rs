//! Texts and numbers that enough rows share.

use printable::first_hidden;
use schema::{Bins, DEFAULT_BINS, Grid, OTHER_VALUES, Ordered, Range};
use zeroize::{Zeroize, Zeroizing};

use super::ladder::Ladder;
use super::{MAX_FOUND_CATEGORIES, MAX_FOUND_CODES, MAX_FOUND_NUMBERS, Released};

use crate::dictionary::Texts;

/// The texts that may be released at all, by their positions. [`OTHER_VALUES`] may not: it stands
/// for what was not released.
///
/// That is a rule about each text alone, applied before anything is counted: it changes no count of
/// another text, so that the sensitivity stays what it is.
pub(super) fn releasable(texts: &Texts, rows: &[u32]) -> Vec<usize> {
    (0..texts.len())
        .filter(|&i| {
            let text = texts.get(i);
            // Only texts of joined rows: what a party has beyond the join is not looked at.
            rows[i] > 0
                && !text.is_empty()
                && text != OTHER_VALUES.as_bytes()
                && str::from_utf8(text).is_ok_and(|text| first_hidden(text).is_none())
        })
        .collect()
}

/// The most frequent of the texts that were released, in order of their texts.
pub(super) fn categories(texts: &Texts, keys: &[usize], released: Released) -> Vec<String> {
    let mut released = released.keys;
    // Ties are broken by the texts: the order of the keys is that of the rows, and private.
    released.sort_by(|(a, count_a), (b, count_b)| {
        count_b
            .cmp(count_a)
            .then_with(|| texts.get(keys[*a]).cmp(texts.get(keys[*b])))
    });
    // By noisy count and not by name: which ones are cut off is post-processing.
    released.truncate(MAX_FOUND_CATEGORIES);
    let mut found: Vec<String> = released
        .into_iter()
        .map(|(key, _)| String::from_utf8_lossy(texts.get(keys[key])).into_owned())
        .collect();
    // Back in the order of their texts, which tells nothing of the table's.
    found.sort_unstable();
    found
}

/// Numbers of which a column may hold only a few.
pub(super) trait Countable: Ladder + Zeroize {
    /// How many numbers of at most this many decimals there are from `min` to `max`.
    fn span(min: Self, max: Self, decimals: usize) -> f64;
    /// How many units of so many decimals the number is above another one.
    fn units_above(self, other: Self, decimals: usize) -> u128;
    /// The number as a category, with so many decimals where that is fixed.
    fn code(self, decimals: Option<usize>) -> String;
}

impl Countable for i64 {
    fn span(min: i64, max: i64, _: usize) -> f64 {
        max.above(min) + 1.0
    }

    fn units_above(self, other: i64, _: usize) -> u128 {
        self.abs_diff(other).into()
    }

    fn code(self, _: Option<usize>) -> String {
        self.to_string()
    }
}

impl Countable for f64 {
    fn span(min: f64, max: f64, decimals: usize) -> f64 {
        let unit = 10f64.powi(i32::try_from(decimals).expect("a few decimals"));
        ((max - min) * unit).round() + 1.0
    }

    fn units_above(self, other: f64, decimals: usize) -> u128 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a saturating cast is meant"
        )]
        let units = (f64::span(other, self, decimals) - 1.0) as u128;
        units
    }

    fn code(self, decimals: Option<usize>) -> String {
        match decimals {
            Some(decimals) => format!("{self:.decimals$}"),
            None => self.to_string(),
        }
    }
}

/// The part of the fields that a few numbers hold if they are all there is.
const NEARLY_ALL: f64 = 0.98;

/// The same where they lie so near each other that each number between them can have a code of its
/// own: then little is made up without this, and rare numbers are kept.
const NEARLY_ALL_OF_A_SHORT_SPAN: f64 = 0.995;

/// Numbers with the rows of each, ascending. Overwritten on drop.
pub(super) fn by_value<T: Countable>(
    values: impl Iterator<Item = (T, u32)>,
) -> Zeroizing<Vec<(T, u32)>> {
    let mut values = Zeroizing::new(values.collect::<Vec<_>>());
    values.sort_unstable_by(|(a, _), (b, _)| {
        a.partial_cmp(b).expect("numbers that were read are finite")
    });
    // `1` and `1.0` are one number.
    values.dedup_by(|(value, rows), (first, sum)| {
        let same = value == first;
        *sum += if same { *rows } else { 0 };
        same
    });
    values
}

/// The few numbers that are all there is in a column.
pub(super) enum Few<T> {
    /// Without a gap between them: a bin each. The last is the most frequent.
    Gapless(Grid<T>, T),
    /// With gaps, in which no number is to be made up: categories.
    Codes(Vec<T>),
}

/// The numbers that were released, if they are few and hold nearly all of about so many fields,
/// which were counted with noise of this standard deviation.
pub(super) fn all_there_is<T: Countable>(
    values: &[(T, u32)],
    released: &Released,
    (fields, sigma): (f64, f64),
    decimals: usize,
) -> Option<Few<T>> {
    let keys = &released.keys;
    if keys.len() > MAX_FOUND_CODES {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "at most 256 noisy counts")]
    let (held, noise) = (
        keys.iter().map(|(_, count)| *count as f64).sum::<f64>(),
        (keys.len() as f64).sqrt() * released.sigma,
    );
    // Positions ascend with the numbers, which are in their own order and not in that of the rows.
    let found: Vec<T> = keys.iter().map(|(key, _)| values[*key].0).collect();
    let (&min, &max) = (found.first()?, found.last()?);
    let span = T::span(min, max, decimals);
    if keys.len() > MAX_FOUND_NUMBERS && !are_sparse(&found, decimals) {
        return None;
    }
    let noise = noise.hypot(sigma);
    let nearly_all = match span <= f64::from(DEFAULT_BINS) {
        // Nothing is lost where this cannot be told.
        true if noise > 0.01 * fields => return None,
        true => NEARLY_ALL_OF_A_SHORT_SPAN,
        false => NEARLY_ALL,
    };
    // Short by no more than what the noise of both sums makes of it.
    if held < nearly_all * fields - noise {
        return None;
    }
    let bins = match T::SINGLE_VALUE {
        true => Bins::Uniform(DEFAULT_BINS),
        false => Bins::Cuts(found[1..].to_vec()),
    };
    #[expect(clippy::cast_precision_loss, reason = "at most 256")]
    let gapless = span <= found.len() as f64;
    let grid = gapless.then(|| Grid::new(Range { min, max, bins }).ok());
    Some(match grid.flatten() {
        Some(grid) => {
            let most = keys.iter().max_by_key(|(_, count)| *count);
            Few::Gapless(grid, most.map_or(min, |(key, _)| values[*key].0))
        }
        None => Few::Codes(found),
    })
}

/// Whether numbers are so few of those between the first and the last that they are names of
/// something, such as shops or postcodes. Amounts in round hundreds are not: they are counted in
/// the largest unit of which all are multiples.
fn are_sparse<T: Countable>(found: &[T], decimals: usize) -> bool {
    /// How many numbers there are for each that occurs.
    const SPARSE: u128 = 20;
    let above = found.iter().map(|it| it.units_above(found[0], decimals));
    let unit = above.clone().fold(0, gcd);
    let widest = above.max().unwrap_or(0);
    unit > 0 && widest / unit >= SPARSE * found.len() as u128
}

fn gcd(a: u128, b: u128) -> u128 {
    match b {
        0 => a,
        _ => gcd(b, a % b),
    }
}

/// Of texts that were released, those that are all there is: they hold nearly all of about so many
/// fields, which were counted with noise of this standard deviation.
pub(super) fn all_texts(released: &Released, (fields, sigma): (f64, f64)) -> bool {
    let keys = &released.keys;
    #[expect(clippy::cast_precision_loss, reason = "at most 256 noisy counts")]
    let (held, noise) = (
        keys.iter().map(|(_, count)| *count as f64).sum::<f64>(),
        (keys.len() as f64).sqrt() * released.sigma,
    );
    (1..=MAX_FOUND_CODES).contains(&keys.len()) && held >= NEARLY_ALL * fields - noise.hypot(sigma)
}

/// Finds the code of a category.
pub(super) struct Index(Vec<(String, usize)>);

impl Index {
    pub(super) fn new(categories: &[String]) -> Self {
        let mut sorted: Vec<(String, usize)> = categories.iter().cloned().zip(0..).collect();
        sorted.sort_unstable();
        Self(sorted)
    }

    pub(super) fn code(&self, text: &[u8]) -> Option<usize> {
        let found = self.0.binary_search_by(|(own, _)| own.as_bytes().cmp(text));
        Some(self.0[found.ok()?].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn few<T: Countable>(values: &[(T, u32)], fields: f64, decimals: usize) -> Option<Few<T>> {
        let keys = values.iter().map(|(_, rows)| i64::from(*rows)).enumerate();
        let released = Released {
            keys: keys.collect(),
            sigma: 10.0,
        };
        all_there_is(values, &released, (fields, 10.0), decimals)
    }

    #[test]
    fn a_few_codes_are_categories_and_a_few_counts_stay_numbers() {
        let codes = few(&[(1010, 500), (1020, 300), (4020, 200)], 1000.0, 0);
        assert!(matches!(codes, Some(Few::Codes(codes)) if codes == [1010, 1020, 4020]));
        let counts = few(&[(0, 5000), (1, 3000), (2, 2000)], 10_000.0, 0);
        assert!(matches!(counts, Some(Few::Gapless(grid, 0)) if grid.len() == 3));
        let halves = few(&[(0.5, 5000), (1.0, 3000), (2.0, 2000)], 10_000.0, 1);
        assert!(matches!(halves, Some(Few::Codes(codes)) if codes == [0.5, 1.0, 2.0]));
        let tenths = few(&[(0.1, 5000), (0.2, 3000), (0.3, 2000)], 10_000.0, 1);
        assert!(matches!(tenths, Some(Few::Gapless(grid, _)) if grid.len() == 3));
        let one = few(&[(7.5, 10_000)], 10_000.0, 1);
        assert!(matches!(one, Some(Few::Codes(codes)) if codes == [7.5]));
    }

    #[test]
    fn what_holds_a_part_only_or_too_many_numbers_are_not_all_there_is() {
        assert!(few(&[(1010, 500), (1020, 300)], 1000.0, 0).is_none());
        assert!(few::<i64>(&[], 1000.0, 0).is_none());
        // Where little would be made up between them, less may be missing, and less be unclear.
        assert!(few(&[(1010, 5900), (1050, 3890)], 10_000.0, 0).is_some());
        assert!(few(&[(10, 5900), (12, 3890)], 10_000.0, 0).is_none());
        assert!(few(&[(10, 600), (12, 400)], 1000.0, 0).is_none());
        let many: Vec<(i64, u32)> = (0..33).map(|i| (i, 1000)).collect();
        assert!(few(&many, 33_000.0, 0).is_none());
        assert!(few(&many[..32], 32_000.0, 0).is_some());
    }

    #[test]
    fn many_codes_are_categories_and_round_amounts_are_not() {
        let values = |each: fn(i64) -> i64| -> Vec<(i64, u32)> {
            (0..100).map(|i| (each(i), 1000)).collect()
        };
        let shops = values(|i| 10_000 + i * i * 9);
        assert!(matches!(few(&shops, 100_000.0, 0), Some(Few::Codes(it)) if it.len() == 100));
        assert!(few(&values(|i| 12_000 + i * 1000), 100_000.0, 0).is_none());
        assert!(few(&values(|i| i * 3), 100_000.0, 0).is_none());
        assert!(few(&shops, 120_000.0, 0).is_none(), "a part only");
        let many: Vec<(i64, u32)> = (0..300).map(|i| (i * i * 9, 1000)).collect();
        assert!(few(&many, 300_000.0, 0).is_none());
    }

    #[test]
    fn a_number_written_in_two_ways_is_one() {
        let values = by_value([(2.0, 3), (1.5, 1), (2.0, 4)].into_iter());
        assert_eq!(*values, [(1.5, 1), (2.0, 7)]);
    }
}
