use marginals::project_to_simplex;
use serde::{Deserialize, Serialize};

/// How many codes of a column are modelled on their own; all others share one code of the model.
///
/// "Domain compression" of the NIST contest: a code whose noisy count is below three standard
/// deviations is rare. Within the rare ones, rows follow the noisy counts, which cost nothing more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Compression {
    /// Codes on their own, ascending: the i-th is the model's code i.
    kept: Vec<u32>,
    /// The rare codes, ascending, each with its probability among them; none or at least two.
    rare: Vec<(u32, f64)>,
}

impl Compression {
    /// From the noisy counts of a column's codes.
    pub(crate) fn from_noisy_counts(noisy: &[f64], sigma: f64) -> Compression {
        const THRESHOLD: f64 = 3.0;
        let codes = || (0_u32..).zip(noisy);
        // Three deviations, as in the NIST contest's entry: a code without a row passes about once
        // in 740 times.
        let is_rare = |count: f64| count < THRESHOLD * sigma;
        let rare: Vec<(u32, f64)> = codes()
            .filter(|&(_, &count)| is_rare(count))
            .map(|(code, &count)| (code, count))
            .collect();
        // A single rare code would only change its number.
        if rare.len() < 2 {
            return Compression::none(noisy.len());
        }
        let kept = codes()
            .filter(|&(_, &count)| !is_rare(count))
            .map(|(code, _)| code)
            .collect();
        // From counts that are paid for already: how rare codes share their rows is
        // post-processing.
        let shares = rare_shares(&rare.iter().map(|&(_, count)| count).collect::<Vec<f64>>());
        Compression {
            kept,
            rare: rare
                .iter()
                .zip(shares)
                .map(|(&(code, _), share)| (code, share))
                .collect(),
        }
    }

    /// Every code on its own.
    pub(crate) fn none(size: usize) -> Compression {
        let size = u32::try_from(size).expect("a column has fewer than 2^32 codes");
        Compression {
            kept: (0..size).collect(),
            rare: Vec::new(),
        }
    }

    /// Codes of the column.
    pub(crate) fn full_size(&self) -> usize {
        self.kept.len() + self.rare.len()
    }

    /// Codes of the model.
    pub(crate) fn size(&self) -> usize {
        self.kept.len() + usize::from(!self.rare.is_empty())
    }

    /// The model's code that all rare ones share.
    pub(crate) fn rare_code(&self) -> Option<u32> {
        (!self.rare.is_empty())
            .then(|| u32::try_from(self.kept.len()).expect("a column has fewer than 2^32 codes"))
    }

    pub(crate) fn kept(&self) -> &[u32] {
        &self.kept
    }

    /// The rare codes with their probabilities.
    pub(crate) fn rare(&self) -> &[(u32, f64)] {
        &self.rare
    }

    /// The model's code for each code of the column.
    pub(crate) fn map(&self) -> Vec<u32> {
        let mut map = vec![self.rare_code().unwrap_or(0); self.full_size()];
        (0..)
            .zip(&self.kept)
            .for_each(|(own, &code)| map[code as usize] = own);
        map
    }

    /// Sums a column's noisy counts into the model's codes; also how many were summed for each.
    pub(crate) fn merge(&self, noisy: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let (mut sums, mut terms) = (vec![0.0; self.size()], vec![0.0; self.size()]);
        // The number of terms scales the variance: noise of merged codes is that of a sum.
        for (&code, value) in self.map().iter().zip(noisy) {
            sums[code as usize] += value;
            terms[code as usize] += 1.0;
        }
        (sums, terms)
    }

    /// Spreads the model's counts of this column over the column's codes.
    pub(crate) fn expand(&self, counts: &[f64]) -> Vec<f64> {
        let mut full = vec![0.0; self.full_size()];
        self.kept
            .iter()
            .zip(counts)
            .for_each(|(&code, &count)| full[code as usize] = count);
        let rare_count = self.rare_code().map_or(0.0, |code| counts[code as usize]);
        self.rare
            .iter()
            .for_each(|&(code, share)| full[code as usize] = share * rare_count);
        full
    }

    /// Given likelihoods of the column's codes: those of the model's codes, and how rows that
    /// satisfy them get their rare codes.
    pub(crate) fn given(&self, likelihoods: &[f64]) -> (Vec<f64>, Compression) {
        let likelihood = |code: u32| likelihoods[code as usize];
        let mut of_model: Vec<f64> = self.kept.iter().map(|&code| likelihood(code)).collect();
        if self.rare.is_empty() {
            return (of_model, self.clone());
        }
        // Within the rare code rows are drawn by these shares, so that likelihoods weigh them in
        // turn.
        let wanted = |&(code, share): &(u32, f64)| share * likelihood(code);
        let sum: f64 = self.rare.iter().map(wanted).sum();
        // Rounding may bring a sum of probabilities above 1, which is not a likelihood.
        of_model.push(sum.min(1.0));
        let given = |rare: &(u32, f64)| {
            (
                rare.0,
                if sum > 0.0 {
                    wanted(rare) / sum
                } else {
                    // A condition that no rare code satisfies: the code has likelihood 0, so that
                    // these are never drawn.
                    rare.1
                },
            )
        };
        let given = Compression {
            kept: self.kept.clone(),
            rare: self.rare.iter().map(given).collect(),
        };
        (of_model, given)
    }

    /// Whether the codes are those of a column of this size, each once and in order, and the shares
    /// probabilities.
    pub(crate) fn is_sound(&self, size: usize) -> bool {
        // The file comes from anyone: codes given twice or left out would index beyond a table.
        let ascending = |codes: &[u32]| codes.windows(2).all(|pair| pair[0] < pair[1]);
        let rare: Vec<u32> = self.rare.iter().map(|&(code, _)| code).collect();
        let mut all = [self.kept.as_slice(), &rare].concat();
        all.sort_unstable();
        let complete = all.len() == size && all.iter().zip(0..).all(|(&code, i)| code == i);
        let shares = self.rare.iter().map(|&(_, share)| share);
        let probabilities = shares.clone().all(|s| (0.0..=1.0).contains(&s))
            && (rare.is_empty() || (shares.sum::<f64>() - 1.0).abs() < 1e-6);
        complete && ascending(&self.kept) && ascending(&rare) && rare.len() != 1 && probabilities
    }
}

/// Probabilities of rare codes: their noisy counts made non-negative, drawn a third of the way to
/// equal shares. (Most of what is positive among counts this small is noise. A third did best on
/// the Adult table at epsilon 0.1 to 3.)
fn rare_shares(noisy: &[f64]) -> Vec<f64> {
    const TOWARDS_EQUAL: f64 = 1.0 / 3.0;
    // At least one row to divide by: noise may have made the sum zero or less.
    let sum = noisy.iter().sum::<f64>().max(1.0);
    let equal = 1.0 / noisy.len() as f64;
    // Onto non-negative numbers of the same sum, as for whole columns: setting negative ones to
    // zero alone would add mass.
    let projected = project_to_simplex(noisy, sum);
    projected
        .iter()
        .map(|count| count / sum + TOWARDS_EQUAL * (equal - count / sum))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn codes_below_three_standard_deviations_share_one_code() {
        let compression = Compression::from_noisy_counts(&[50.0, 29.0, -4.0, 31.0, 1.0], 10.0);
        assert_eq!(compression.kept, [0, 3]);
        assert_eq!(compression.map(), [0, 2, 2, 1, 2]);
        assert_eq!(
            compression.merge(&[50.0, 29.0, -4.0, 31.0, 1.0]),
            (vec![50.0, 31.0, 26.0], vec![1.0, 1.0, 3.0])
        );
        let expanded = compression.expand(&[50.0, 31.0, 26.0]);
        assert!(
            expanded[1] > expanded[4] && expanded[4] >= expanded[2] && expanded[2] > 0.0,
            "{expanded:?}"
        );
        assert!((expanded.iter().sum::<f64>() - 107.0).abs() < 1e-9);
    }

    #[test]
    fn evidence_weighs_rare_codes_by_their_shares() {
        let compression = Compression {
            kept: vec![1],
            rare: vec![(0, 0.5), (2, 0.3), (3, 0.2)],
        };
        let (of_model, given) = compression.given(&[0.2, 0.7, 1.0, 0.0]);
        let close = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert!(
            of_model[0] == 0.7 && close(of_model[1], 0.4),
            "{of_model:?}"
        );
        let shares: Vec<f64> = given.rare.iter().map(|&(_, share)| share).collect();
        assert!(
            close(shares[0], 0.25) && close(shares[1], 0.75) && shares[2] == 0.0,
            "{shares:?}"
        );
        assert_eq!(compression.given(&[0.0, 1.0, 0.0, 0.0]).0, [1.0, 0.0]);
    }

    #[test]
    fn one_rare_code_stays_on_its_own() {
        assert_eq!(
            Compression::from_noisy_counts(&[50.0, 1.0], 10.0),
            Compression::none(2)
        );
    }

    #[test]
    fn a_column_of_noise_becomes_one_code() {
        let compression = Compression::from_noisy_counts(&[1.0, -2.0, 0.5], 10.0);
        assert_eq!((compression.size(), compression.full_size()), (1, 3));
        assert!(compression.is_sound(3));
    }

    proptest! {
        #[test]
        fn every_compression_is_sound_and_loses_no_count(
            noisy in prop::collection::vec(-100.0_f64..100.0, 1..40),
            sigma in 0.1_f64..50.0,
        ) {
            let compression = Compression::from_noisy_counts(&noisy, sigma);
            prop_assert!(compression.is_sound(noisy.len()));
            prop_assert!(!compression.is_sound(noisy.len() + 1));
            let (sums, terms) = compression.merge(&noisy);
            prop_assert!((sums.iter().sum::<f64>() - noisy.iter().sum::<f64>()).abs() < 1e-6);
            prop_assert_eq!(terms.iter().sum::<f64>(), noisy.len() as f64);
        }
    }
}
