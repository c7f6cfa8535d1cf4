use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use marginals::{Clique, Domain, Factor, MarkovRandomField};

use super::tuning::{LEVEL_SIZES, MOST_TIES};

/// A column at several resolutions, finest first: groups of neighbouring codes, each level a
/// coarsening of the one before.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Levels {
    /// For each level the group of each code; the first is the codes themselves.
    maps: Vec<Vec<u32>>,
    sizes: Vec<usize>,
}

impl Levels {
    /// Groups of about equal mass: neighbours with the least mass together are merged until the
    /// level's size is reached. Codes of large mass stay alone.
    pub(crate) fn from_masses(mass: &[f64]) -> Levels {
        let codes = u32::try_from(mass.len()).expect("a column has fewer than 2^32 codes");
        let mut levels = Levels {
            maps: vec![(0..codes).collect()],
            sizes: vec![mass.len()],
        };
        for size in LEVEL_SIZES {
            let (finest, last) = (levels.maps.len() - 1, levels.sizes[levels.sizes.len() - 1]);
            // A column of very many codes becomes coarser at once: the table that ties its codes to
            // 64 groups alone would outgrow the model.
            let small = finest > 0 || mass.len().saturating_mul(size) <= MOST_TIES;
            let is_last = size == LEVEL_SIZES[LEVEL_SIZES.len() - 1];
            // A level must be a quarter smaller than the one before it, or it costs an attribute
            // for nothing.
            if 4 * size <= 3 * last && (small || is_last) {
                let groups = &levels.maps[finest];
                let mut masses = vec![0.0; last];
                groups
                    .iter()
                    .zip(mass)
                    .for_each(|(&group, mass)| masses[group as usize] += mass);
                // Equal mass and not equal width: an empty half of a range would take half of the
                // groups. Of nominal columns neighbours mean nothing, and heavy codes stay alone
                // all the same.
                let merged = merge_neighbours(&masses, size);
                let map = groups.iter().map(|&group| merged[group as usize]).collect();
                levels.maps.push(map);
                levels.sizes.push(size);
            }
        }
        levels
    }

    pub(crate) fn count(&self) -> usize {
        self.sizes.len()
    }

    pub(crate) fn size(&self, level: usize) -> usize {
        self.sizes[level]
    }

    /// The group of each code.
    pub(crate) fn map(&self, level: usize) -> &[u32] {
        &self.maps[level]
    }

    /// The group at a level for each group of a finer one.
    pub(crate) fn between(&self, finer: usize, coarser: usize) -> Vec<u32> {
        let mut map = vec![0; self.sizes[finer]];
        let codes = self.maps[finer].iter().zip(&self.maps[coarser]);
        codes.for_each(|(&fine, &coarse)| map[fine as usize] = coarse);
        map
    }

    /// The finest level with at most this many groups, or the coarsest there is.
    pub(crate) fn at_most(&self, groups: usize) -> usize {
        self.sizes
            .iter()
            .position(|&size| size <= groups)
            .unwrap_or(self.sizes.len() - 1)
    }
}

/// The group of each item. Of neighbours that are equally light together the first are merged
/// first.
pub(crate) fn merge_neighbours(masses: &[f64], size: usize) -> Vec<u32> {
    let items = masses.len();
    // A group goes by its first item. Of each: its mass, the group before it, and the item after
    // its last.
    let mut mass = masses.to_vec();
    let mut before: Vec<usize> = (0..items).map(|item| item.saturating_sub(1)).collect();
    let mut end: Vec<usize> = (1..=items).collect();
    let mut lightest: BinaryHeap<Reverse<Neighbours>> = (1..items)
        .map(|second| Reverse(Neighbours::new(&mass, &end, [second - 1, second])))
        .collect();
    let mut groups = items;
    while groups > size {
        let Reverse(pair) = lightest.pop().expect("there are two groups to merge");
        let Neighbours { first, second, .. } = pair;
        if end[first] != second || end[second] != pair.end {
            continue; // One of them is part of a larger group by now.
        }
        mass[first] += mass[second];
        end[first] = end[second];
        end[second] = second;
        groups -= 1;
        let third = end[first];
        if third < items {
            before[third] = first;
            lightest.push(Reverse(Neighbours::new(&mass, &end, [first, third])));
        }
        if first > 0 {
            lightest.push(Reverse(Neighbours::new(
                &mass,
                &end,
                [before[first], first],
            )));
        }
    }
    let next = |first: &usize| Some(end[*first]).filter(|next| *next < items);
    (0..)
        .zip(std::iter::successors((items > 0).then_some(0), next))
        .flat_map(|(group, first)| std::iter::repeat_n(group, end[first] - first))
        .collect()
}

/// Two groups as they were when this was made: by their first items, and with the item after both.
struct Neighbours {
    together: f64,
    first: usize,
    second: usize,
    end: usize,
}

impl Neighbours {
    fn new(mass: &[f64], end: &[usize], [first, second]: [usize; 2]) -> Neighbours {
        Neighbours {
            together: mass[first] + mass[second],
            first,
            second,
            end: end[second],
        }
    }
}

/// By mass, then by place.
impl Ord for Neighbours {
    fn cmp(&self, other: &Neighbours) -> Ordering {
        let masses = self.together.total_cmp(&other.together);
        masses.then(self.first.cmp(&other.first))
    }
}

impl PartialOrd for Neighbours {
    fn partial_cmp(&self, other: &Neighbours) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Neighbours {
    fn eq(&self, other: &Neighbours) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Neighbours {}

/// The attributes of a model of columns at several levels: first the columns themselves, then their
/// coarser levels.
#[derive(Debug, Clone)]
pub(crate) struct Hierarchy {
    pub(crate) levels: Vec<Levels>,
    /// For each column the attribute of each level; `None` where a level is left out.
    attributes: Vec<Vec<Option<usize>>>,
    /// Column and level of each attribute.
    places: Vec<(usize, usize)>,
    domain: Domain,
}

impl Hierarchy {
    pub(crate) fn new(levels: Vec<Levels>) -> Hierarchy {
        Hierarchy::keeping(levels, |_, _| true)
    }

    /// Only the columns themselves and the levels that `keep` is true for, given (column, level).
    pub(crate) fn keeping(levels: Vec<Levels>, keep: impl Fn(usize, usize) -> bool) -> Hierarchy {
        let columns = (0..levels.len()).map(|column| (column, 0));
        let coarser = levels
            .iter()
            .enumerate()
            .flat_map(|(column, levels)| (1..levels.count()).map(move |level| (column, level)));
        let places: Vec<(usize, usize)> = columns
            .chain(coarser.filter(|&(column, level)| keep(column, level)))
            .collect();
        let mut attributes: Vec<Vec<Option<usize>>> = levels
            .iter()
            .map(|levels| vec![None; levels.count()])
            .collect();
        places
            .iter()
            .enumerate()
            .for_each(|(attribute, &(column, level))| attributes[column][level] = Some(attribute));
        let sizes = places
            .iter()
            .map(|&(column, level)| levels[column].size(level))
            .collect();
        let domain = Domain::new(sizes).expect("every level has a group");
        Hierarchy {
            levels,
            attributes,
            places,
            domain,
        }
    }

    pub(crate) fn domain(&self) -> &Domain {
        &self.domain
    }

    /// Column and level of each attribute.
    pub(crate) fn places(&self) -> &[(usize, usize)] {
        &self.places
    }

    /// The attribute of a column at a level that was kept.
    pub(crate) fn attribute(&self, column: usize, level: usize) -> usize {
        self.attributes[column][level].expect("the level was kept")
    }

    /// The attributes of columns at levels that were kept.
    pub(crate) fn clique(&self, columns: [usize; 2], levels: [usize; 2]) -> Clique {
        Clique::new([0, 1].map(|i| self.attribute(columns[i], levels[i])))
    }

    /// Pairs of attributes of one column, each with the next coarser one that was kept.
    pub(crate) fn chains(&self) -> Vec<Clique> {
        let links = self.links();
        links.iter().map(|link| self.clique_of(link)).collect()
    }

    fn clique_of(&self, link: &Link) -> Clique {
        self.clique([link.column; 2], [link.finer, link.coarser])
    }

    /// The model of independent columns with these masses, in which a coarser level is what it must
    /// be given the finer one.
    pub(crate) fn independent(
        &self,
        masses: &[Vec<f64>],
        total: f64,
    ) -> Result<MarkovRandomField, marginals::Error> {
        let of_column = |(column, masses): (usize, &Vec<f64>)| {
            // Nothing is impossible because its count was noisy.
            let least = masses.iter().sum::<f64>().max(1.0) * 1e-9;
            let logs = masses.iter().map(|mass| mass.max(least).ln()).collect();
            Factor::new(&self.domain, Clique::new([column]), logs)
        };
        let of_link = |link: Link| {
            let levels = &self.levels[link.column];
            let coarser = levels.size(link.coarser);
            let mut logs = vec![f64::NEG_INFINITY; levels.size(link.finer) * coarser];
            for (code, group) in levels
                .between(link.finer, link.coarser)
                .into_iter()
                .enumerate()
            {
                logs[code * coarser + group as usize] = 0.0;
            }
            // Coarser levels come later, so that they are the faster axis.
            Factor::new(&self.domain, self.clique_of(&link), logs)
        };
        let columns = masses.iter().enumerate().map(of_column);
        let factors = columns
            .chain(self.links().into_iter().map(of_link))
            .collect::<Result<Vec<Factor>, _>>()?;
        MarkovRandomField::new(self.domain.clone(), factors, total)
    }

    /// Each kept level of a column with the next coarser one.
    fn links(&self) -> Vec<Link> {
        let mut links = Vec::new();
        for (column, attributes) in self.attributes.iter().enumerate() {
            let kept: Vec<usize> = (0..attributes.len())
                .filter(|&level| attributes[level].is_some())
                .collect();
            links.extend(kept.windows(2).map(|levels| Link {
                column,
                finer: levels[0],
                coarser: levels[1],
            }));
        }
        links
    }
}

/// Two levels of a column.
struct Link {
    column: usize,
    finer: usize,
    coarser: usize,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn heavy_codes_stay_alone_and_light_neighbours_share_a_group() {
        let groups = merge_neighbours(&[1.0, 1.0, 90.0, 1.0, 1.0, 1.0], 3);
        assert_eq!(groups, [0, 0, 1, 2, 2, 2]);
    }

    #[test]
    fn small_columns_have_one_level_and_large_ones_several() {
        assert_eq!(Levels::from_masses(&[1.0; 5]).sizes, [5]);
        assert_eq!(Levels::from_masses(&[1.0; 6]).sizes, [6, 4]);
        assert_eq!(
            Levels::from_masses(&[1.0; 100]).sizes,
            [100, 64, 32, 16, 8, 4]
        );
        assert_eq!(Levels::from_masses(&[1.0; 70_000]).sizes, [70_000, 8, 4]);
        assert_eq!(Levels::from_masses(&[1.0; 300_000]).sizes, [300_000, 4]);
    }

    #[test]
    fn a_coarser_level_follows_from_the_column() {
        let levels = vec![
            Levels::from_masses(&[5.0, 1.0, 1.0, 1.0, 1.0, 9.0, 2.0]),
            Levels::from_masses(&[1.0, 3.0]),
        ];
        let hierarchy = Hierarchy::new(levels);
        assert_eq!(hierarchy.places(), [(0, 0), (1, 0), (0, 1)]);
        let masses = [vec![5.0, 1.0, 1.0, 1.0, 1.0, 9.0, 2.0], vec![5.0, 15.0]];
        let model = hierarchy.independent(&masses, 20.0).unwrap();
        let table = model.marginal(&Clique::new([0, 2])).unwrap();
        let map = hierarchy.levels[0].map(1);
        for (code, row) in table.chunks_exact(4).enumerate() {
            for (group, count) in row.iter().enumerate() {
                let expected = if map[code] as usize == group {
                    masses[0][code]
                } else {
                    0.0
                };
                assert!((count - expected).abs() < 1e-9);
            }
        }
    }

    /// What [`merge_neighbours`] must do, step by step: quadratic.
    fn merged_one_by_one(masses: &[f64], size: usize) -> Vec<u32> {
        let mut groups: Vec<(usize, f64)> = masses.iter().map(|&mass| (1, mass)).collect();
        while groups.len() > size {
            let together = |i: &usize| groups[*i].1 + groups[i + 1].1;
            let lightest = (0..groups.len() - 1)
                .min_by(|a, b| together(a).total_cmp(&together(b)))
                .unwrap();
            let (items, mass) = groups.remove(lightest + 1);
            groups[lightest].0 += items;
            groups[lightest].1 += mass;
        }
        (0..)
            .zip(&groups)
            .flat_map(|(group, &(items, _))| std::iter::repeat_n(group, items))
            .collect()
    }

    #[test]
    fn a_million_codes_take_no_longer_than_sorting_them() {
        let masses: Vec<f64> = (0..1_000_000_u32)
            .map(|i| f64::from(i % 1009 * 7919 % 1009))
            .collect();
        let groups = merge_neighbours(&masses, 64);
        assert_eq!(groups.last(), Some(&63));
    }

    proptest! {
        #[test]
        fn neighbours_are_merged_as_one_by_one(
            whole in prop::collection::vec(0_u32..4, 1..120),
            fractions in prop::collection::vec(0.0_f64..9.0, 1..120),
            size in 1_usize..40,
        ) {
            let whole: Vec<f64> = whole.into_iter().map(f64::from).collect();
            for masses in [whole, fractions] {
                prop_assert_eq!(merge_neighbours(&masses, size), merged_one_by_one(&masses, size));
            }
        }

        #[test]
        fn every_level_coarsens_the_one_before(
            masses in prop::collection::vec(0.0_f64..100.0, 1..150),
        ) {
            let levels = Levels::from_masses(&masses);
            for level in 0..levels.count() {
                let map = levels.map(level);
                prop_assert_eq!(map.len(), masses.len());
                prop_assert!(
                    map.windows(2).all(|pair| pair[0] <= pair[1] && pair[1] <= pair[0] + 1)
                );
                prop_assert_eq!(map[map.len() - 1] as usize + 1, levels.size(level));
                if level > 0 {
                    let between = levels.between(level - 1, level);
                    let through = levels
                        .map(level - 1)
                        .iter()
                        .map(|&group| between[group as usize]);
                    prop_assert!(through.eq(map.iter().copied()));
                }
            }
        }
    }
}
