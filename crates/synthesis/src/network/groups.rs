use serde::{Deserialize, Serialize};

/// The codes of a column in groups, and how likely each code is within its group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Groups {
    /// The group of each code: every one from 0 to the largest has a code.
    group: Vec<u32>,
    /// Of each code within its group.
    share: Vec<f64>,
}

/// No column of a network has more groups.
pub(crate) const MOST_GROUPS: usize = 64;

impl Groups {
    /// Groups by this map, with shares in proportion to the counts: equal ones in a group without
    /// any.
    pub(crate) fn new(group: Vec<u32>, counts: &[f64]) -> Groups {
        let size = group.iter().max().map_or(0, |&last| last as usize + 1);
        let (mut sums, mut codes) = (vec![0.0; size], vec![0.0; size]);
        for (&group, &count) in group.iter().zip(counts) {
            sums[group as usize] += count.max(0.0);
            codes[group as usize] += 1.0;
        }
        let share = |(&group, &count): (&u32, &f64)| match sums[group as usize] {
            sum if sum > 0.0 => count.max(0.0) / sum,
            _ => 1.0 / codes[group as usize],
        };
        Groups {
            share: group.iter().zip(counts).map(share).collect(),
            group,
        }
    }

    pub(crate) fn size(&self) -> usize {
        self.group.iter().max().map_or(0, |&last| last as usize + 1)
    }

    /// How many codes the column has.
    pub(crate) fn codes(&self) -> usize {
        self.group.len()
    }

    /// The group of each code.
    pub(crate) fn map(&self) -> &[u32] {
        &self.group
    }

    /// The sum of the codes' counts in each group.
    pub(crate) fn sums(&self, counts: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.size()];
        for (&group, count) in self.group.iter().zip(counts) {
            sums[group as usize] += count;
        }
        sums
    }

    /// The group of each code, and the code's share of it.
    pub(crate) fn shares(&self) -> impl Iterator<Item = (usize, f64)> {
        self.group
            .iter()
            .zip(&self.share)
            .map(|(&group, &share)| (group as usize, share))
    }

    /// For each group its codes, each with what the shares up to it add up to.
    pub(crate) fn members(&self) -> Members {
        let mut members = vec![Vec::new(); self.size()];
        for (code, (group, share)) in (0_u32..).zip(self.shares()) {
            let group: &mut Vec<(f64, u32)> = &mut members[group];
            if share > 0.0 {
                let before = group.last().map_or(0.0, |&(sum, _)| sum);
                group.push((before + share, code));
            }
        }
        Members(members)
    }

    /// Given likelihoods of the codes: those of the groups, and the shares of codes that satisfy
    /// them.
    pub(crate) fn given(&self, likelihoods: &[f64]) -> (Vec<f64>, Groups) {
        let wanted: Vec<f64> = self
            .share
            .iter()
            .zip(likelihoods)
            .map(|(share, likelihood)| share * likelihood)
            .collect();
        (self.sums(&wanted), Groups::new(self.group.clone(), &wanted))
    }

    /// Whether they are those of a column of so many codes.
    pub(crate) fn is_sound(&self, codes: usize) -> bool {
        // A file comes from anyone.
        let size = self.size();
        let right = self.group.len() == codes && self.share.len() == codes;
        if !right || !(1..=MOST_GROUPS).contains(&size) {
            return false;
        }
        let probabilities = self.share.iter().all(|share| (0.0..=1.0).contains(share));
        let sums = self.sums(&self.share);
        probabilities && sums.iter().all(|sum| (sum - 1.0).abs() < 1e-6)
    }
}

/// The codes of each group of a column, to be drawn from.
#[derive(Debug)]
pub(crate) struct Members(Vec<Vec<(f64, u32)>>);

impl Members {
    /// A code of a group, by a uniform number. (0 of a group without any, which is never asked
    /// for.)
    pub(crate) fn code(&self, group: u32, uniform: f64) -> u32 {
        let codes = &self.0[group as usize];
        let at = codes.partition_point(|&(sum, _)| sum <= uniform);
        codes.get(at).or(codes.last()).map_or(0, |&(_, code)| code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_follow_their_counts_within_their_group() {
        let groups = Groups::new(vec![0, 0, 1, 1, 2], &[1.0, 3.0, 0.0, 0.0, 5.0]);
        assert_eq!(groups.share, [0.25, 0.75, 0.5, 0.5, 1.0]);
        assert!(groups.is_sound(5) && !groups.is_sound(4));
        let members = groups.members();
        let code = |group, uniform| members.code(group, uniform);
        assert_eq!(
            [code(0, 0.2), code(0, 0.3), code(1, 0.999), code(2, 0.0)],
            [0, 1, 3, 4]
        );
        assert_eq!(groups.sums(&[1.0; 5]), [2.0, 2.0, 1.0]);
    }

    #[test]
    fn given_likelihoods_groups_have_those_of_their_codes() {
        let groups = Groups::new(vec![0, 0, 1], &[1.0, 3.0, 5.0]);
        let (likelihoods, given) = groups.given(&[1.0, 0.0, 0.5]);
        assert_eq!(likelihoods, [0.25, 0.5]);
        assert_eq!(given.share, [1.0, 0.0, 1.0]);
        assert_eq!(given.members().code(0, 0.9999), 0);
    }

    #[test]
    fn what_a_stranger_wrote_is_refused() {
        let of = |group: &[u32], share: &[f64]| Groups {
            group: group.to_vec(),
            share: share.to_vec(),
        };
        assert!(of(&[0, 1], &[1.0, 1.0]).is_sound(2));
        for bad in [
            of(&[], &[]),
            of(&[0, 2], &[1.0, 1.0]),
            of(&[0, 0], &[0.5, 0.6]),
            of(&[0, 1], &[1.0, f64::NAN]),
            of(&[0, 70], &[1.0, 1.0]),
            of(&[0, u32::MAX], &[1.0, 1.0]),
        ] {
            assert!(!bad.is_sound(bad.group.len()), "{bad:?}");
        }
    }
}
