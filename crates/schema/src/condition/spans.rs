//! Sets of ordered values.

use crate::grid::Ordered;

/// Values of an ordered column: closed spans, ascending and apart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Spans<T>(Vec<(T, T)>);

impl<T: Ordered> Spans<T> {
    pub(crate) fn empty() -> Self {
        Self(Vec::new())
    }

    /// Both ends included; nothing if they are the wrong way round.
    pub(crate) fn between(first: T, last: T) -> Self {
        Self(if first <= last {
            vec![(first, last)]
        } else {
            Vec::new()
        })
    }

    /// All values up to this one, without it.
    pub(crate) fn below(value: T, min: T) -> Self {
        value
            .before()
            .map_or_else(Self::empty, |last| Self::between(min, last))
    }

    /// All values from this one on, without it.
    pub(crate) fn above(value: T, max: T) -> Self {
        value
            .after()
            .map_or_else(Self::empty, |first| Self::between(first, max))
    }

    /// The set of these single values.
    pub(crate) fn from_values(mut values: Vec<T>) -> Self {
        values.sort_by(|a, b| a.partial_cmp(b).expect("values that are read are numbers"));
        values.dedup();
        Self(values.into_iter().map(|value| (value, value)).collect())
    }

    /// Both sets, where all values of the second lie above the first.
    pub(crate) fn followed_by(mut self, above: Self) -> Self {
        self.0.extend(above.0);
        self
    }

    pub(crate) fn intersection(&self, other: &Self) -> Self {
        let mut common = Vec::new();
        let (mut i, mut j) = (0, 0);
        while let (Some(&(a, b)), Some(&(c, d))) = (self.0.get(i), other.0.get(j)) {
            let (first, last) = (if a > c { a } else { c }, if b < d { b } else { d });
            if first <= last {
                common.push((first, last));
            }
            if b < d {
                i += 1;
            } else {
                j += 1;
            }
        }
        Self(common)
    }

    /// Those spans, cut to the bounds, that have values between them.
    pub(crate) fn within(&self, first: T, last: T) -> impl Iterator<Item = (T, T)> + '_ {
        let start = self.0.partition_point(|&(_, end)| end < first);
        self.0[start..]
            .iter()
            .take_while(move |&&(begin, _)| begin <= last)
            .map(move |&(begin, end)| {
                (
                    if begin > first { begin } else { first },
                    if end < last { end } else { last },
                )
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn contains<T: Ordered>(spans: &Spans<T>, value: T) -> bool {
        spans.within(value, value).next().is_some()
    }

    fn spans() -> impl Strategy<Value = Spans<i64>> {
        prop_oneof![
            (0..20_i64, 0..20_i64).prop_map(|(a, b)| Spans::between(a, b)),
            prop::collection::vec(0..20_i64, 0..6).prop_map(Spans::from_values),
            (0..20_i64).prop_map(|v| Spans::below(v, 0).followed_by(Spans::above(v, 19))),
        ]
    }

    proptest! {
        #[test]
        fn an_intersection_holds_what_both_hold(
            a in spans(),
            b in spans(),
            cut in (0..20_i64, 0..20_i64),
        ) {
            let both = a.intersection(&b);
            let inside: Vec<(i64, i64)> = both.within(cut.0, cut.1).collect();
            for value in 0..20 {
                prop_assert_eq!(contains(&both, value), contains(&a, value) && contains(&b, value));
                let cut_out = inside.iter().any(|&(first, last)| (first..=last).contains(&value));
                prop_assert_eq!(
                    cut_out,
                    contains(&both, value) && (cut.0..=cut.1).contains(&value)
                );
            }
        }
    }

    #[test]
    fn there_is_nothing_beyond_the_ends_of_a_type() {
        assert_eq!(Spans::below(i64::MIN, i64::MIN), Spans::empty());
        assert_eq!(Spans::above(f64::MAX, f64::MAX), Spans::empty());
        assert!(!contains(&Spans::below(0.5, 0.0), 0.5) && contains(&Spans::below(0.5, 0.0), 0.49));
    }
}
