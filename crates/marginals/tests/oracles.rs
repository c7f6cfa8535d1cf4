//! Belief propagation and variable elimination against brute force, over one list of clique sets.
#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use marginals::{Clique, Domain, Error, Factor, MarkovRandomField};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

const SIZES: [usize; 6] = [2, 3, 4, 1, 3, 2];

const CLIQUE_SETS: [(&str, &[&[usize]]); 12] = [
    ("nothing", &[]),
    ("only the empty clique", &[&[]]),
    ("singletons", &[&[0], &[2], &[5]]),
    ("a chain", &[&[0, 1], &[1, 2], &[2, 3], &[3, 4], &[4, 5]]),
    ("a star", &[&[0, 1], &[0, 2], &[0, 3], &[0, 4], &[0, 5]]),
    ("two components", &[&[0, 1], &[1, 2], &[3, 4]]),
    ("a triangle", &[&[0, 1], &[1, 2], &[0, 2]]),
    ("a cycle", &[&[0, 1], &[1, 2], &[2, 4], &[4, 5], &[0, 5]]),
    (
        "two cycles apart",
        &[&[0, 1], &[1, 3], &[0, 3], &[2, 4], &[4, 5], &[2, 5]],
    ),
    (
        "large cliques that overlap",
        &[&[0, 1, 2], &[1, 2, 4], &[2, 4, 5]],
    ),
    (
        "cliques inside others",
        &[&[0, 1, 2], &[0, 1], &[1], &[1, 5], &[5], &[]],
    ),
    ("everything", &[&[0, 1, 2, 3, 4, 5]]),
];

fn clique(attributes: &[usize]) -> Clique {
    Clique::new(attributes.iter().copied())
}

fn domain() -> Domain {
    Domain::new(SIZES.to_vec()).unwrap()
}

/// Random logarithms of the given spread; one in ten cells is impossible, but never the first.
fn potentials(cliques: &[&[usize]], spread: f64, seed: u64) -> Vec<Factor> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut uniform = || f64::from(rng.next_u32()) / f64::from(u32::MAX);
    let factor = |attributes: &&[usize]| {
        let clique = clique(attributes);
        let cells = usize::try_from(domain().cells(&clique)).unwrap();
        let mut logs: Vec<f64> = (0..cells)
            .map(|_| {
                if uniform() < 0.1 {
                    f64::NEG_INFINITY
                } else {
                    spread * (uniform() - 0.5)
                }
            })
            .collect();
        logs[0] = 0.0;
        Factor::new(&domain(), clique, logs).unwrap()
    };
    cliques.iter().map(factor).collect()
}

/// The product of all factors over all attributes, as probabilities, summed cell by cell.
fn brute_force(factors: &[Factor], wanted: &Clique) -> Vec<f64> {
    let cells: usize = SIZES.iter().product();
    let joint: Vec<(Vec<usize>, f64)> = (0..cells)
        .map(|cell| {
            let codes = codes_of(cell);
            let log = factors
                .iter()
                .map(|f| f.logs()[index(f.clique(), &codes)])
                .sum();
            (codes, log)
        })
        .collect();
    let largest = joint
        .iter()
        .map(|(_, log)| *log)
        .fold(f64::NEG_INFINITY, f64::max);
    let mut sums = vec![0.0; usize::try_from(domain().cells(wanted)).unwrap()];
    let mut mass = 0.0;
    for (codes, log) in joint {
        let p = (log - largest).exp();
        sums[index(wanted, &codes)] += p;
        mass += p;
    }
    sums.iter().map(|p| p / mass).collect()
}

/// The codes of a cell of the table over all attributes.
fn codes_of(mut cell: usize) -> Vec<usize> {
    let mut codes = vec![0; SIZES.len()];
    for (code, size) in codes.iter_mut().zip(SIZES).rev() {
        (*code, cell) = (cell % size, cell / size);
    }
    codes
}

fn index(clique: &Clique, codes: &[usize]) -> usize {
    clique
        .iter()
        .fold(0, |index, a| index * SIZES[a] + codes[a])
}

fn assert_close(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (a, b) in found.iter().zip(expected) {
        assert!(
            (a - b).abs() < 1e-9 * (1.0 + b.abs()),
            "{what}: {a} instead of {b}"
        );
    }
}

#[test]
fn every_marginal_in_and_out_of_the_tree_agrees_with_brute_force() {
    for (seed, (name, cliques)) in (0..).zip(CLIQUE_SETS) {
        for spread in [2.0, 60.0] {
            let factors = potentials(cliques, spread, seed);
            let model = MarkovRandomField::new(domain(), factors.clone(), 1.0).unwrap();
            for subset in 0..1_usize << SIZES.len() {
                let wanted = Clique::new((0..SIZES.len()).filter(|a| subset >> a & 1 == 1));
                let found = model.marginal(&wanted).unwrap();
                assert_close(
                    &found,
                    &brute_force(&factors, &wanted),
                    &format!("{name}, spread {spread}, marginal {wanted}"),
                );
            }
        }
    }
}

#[test]
fn marginals_of_all_cliques_at_once_are_those_of_each() {
    let mut cliques: Vec<Clique> = (0..1_usize << SIZES.len())
        .map(|subset| Clique::new((0..SIZES.len()).filter(|a| subset >> a & 1 == 1)))
        .collect();
    cliques.push(cliques[3].clone());
    cliques.reverse();
    for (seed, (name, tree)) in (0..).zip(CLIQUE_SETS) {
        let factors = potentials(tree, 3.0, seed);
        let model = MarkovRandomField::new(domain(), factors, 12.0).unwrap();
        for (found, wanted) in model.marginals(&cliques).unwrap().iter().zip(&cliques) {
            assert_close(
                found,
                &model.marginal(wanted).unwrap(),
                &format!("{name}, marginal {wanted}"),
            );
        }
    }
    let model = MarkovRandomField::uniform(domain(), 1.0).unwrap();
    assert!(model.marginals(&[clique(&[0]), clique(&[0, 6])]).is_err());
}

#[test]
fn a_marginal_that_is_refused_leaves_the_others_of_its_batch() {
    let domain = Domain::new(vec![1000, 1000, 1000, 2, 3]).unwrap();
    let factors = [[0, 3], [3, 4]].map(|pair| Factor::one(&domain, Clique::new(pair)).unwrap());
    let model = MarkovRandomField::new(domain, factors.to_vec(), 6.0).unwrap();
    let cliques = [vec![3, 4], vec![0, 1, 2], vec![0, 4], vec![5], vec![1]].map(Clique::new);
    let found = model.each_marginal(&cliques);
    for (found, wanted) in found.iter().zip(&cliques) {
        match (found, model.marginal(wanted)) {
            (Ok(found), Ok(alone)) => assert_close(found, &alone, &wanted.to_string()),
            (found, alone) => assert_eq!(found, &alone),
        }
    }
    let is_refused: Vec<bool> = found.iter().map(Result::is_err).collect();
    assert_eq!(is_refused, [false, true, false, true, false]);
    assert!(matches!(found[1], Err(Error::TooLarge { .. })));
}

#[test]
fn factors_multiplied_and_summed_out_agree_with_brute_force() {
    for (seed, (name, cliques)) in (0..).zip(CLIQUE_SETS) {
        let factors = potentials(cliques, 5.0, seed);
        let one = Factor::one(&domain(), Clique::new(0..SIZES.len())).unwrap();
        let joint = factors
            .iter()
            .fold(one, |product, factor| product.multiply(factor));
        for wanted in [
            clique(&[]),
            clique(&[1]),
            clique(&[0, 4]),
            clique(&[1, 2, 5]),
        ] {
            let found = joint.marginalize(&wanted).probabilities().unwrap();
            assert_close(
                &found,
                &brute_force(&factors, &wanted),
                &format!("{name}, marginal {wanted}"),
            );
        }
    }
}

#[test]
fn marginals_scale_with_the_total_and_stay_numbers_at_ten_million_records() {
    for (seed, (name, cliques)) in (0..).zip(CLIQUE_SETS) {
        let factors = potentials(cliques, 1400.0, seed);
        let model = MarkovRandomField::new(domain(), factors, 1e7).unwrap();
        for attribute in 0..SIZES.len() {
            let counts = model.marginal(&clique(&[attribute])).unwrap();
            assert!(
                counts.iter().all(|c| c.is_finite() && *c >= 0.0),
                "{name}: {counts:?}"
            );
            assert!(
                (counts.iter().sum::<f64>() / 1e7 - 1.0).abs() < 1e-12,
                "{name}"
            );
        }
    }
}

#[test]
fn factors_that_contradict_each_other_are_refused() {
    let never = f64::NEG_INFINITY;
    let first = Factor::new(&domain(), clique(&[0]), vec![0.0, never]).unwrap();
    let second = Factor::new(&domain(), clique(&[0]), vec![never, 0.0]).unwrap();
    assert_eq!(
        MarkovRandomField::new(domain(), vec![first, second], 1.0).unwrap_err(),
        Error::NoMass
    );
}

#[test]
fn a_factor_of_another_domain_and_an_unusable_total_are_refused() {
    let other = Domain::new(vec![5, 5]).unwrap();
    let factor = Factor::one(&other, clique(&[0, 1])).unwrap();
    assert_eq!(
        MarkovRandomField::new(domain(), vec![factor], 1.0).unwrap_err(),
        Error::OtherDomain
    );
    for total in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(
            MarkovRandomField::uniform(domain(), total).unwrap_err(),
            Error::BadTotal
        );
    }
}

#[test]
fn a_model_too_large_for_memory_is_refused_before_memory_is_taken() {
    let wide = Domain::new(vec![1000; 40]).unwrap();
    let model = MarkovRandomField::uniform(wide.clone(), 1.0).unwrap();
    assert!(matches!(
        model.marginal(&Clique::new(0..4)),
        Err(Error::TooLarge {
            cells: 1_000_000_000_000,
            ..
        })
    ));
    // A grid of small factors whose triangulation has a huge clique.
    let at = |i: usize, j: usize| i * 6 + j;
    let grid = (0..6).flat_map(|i| (0..6).map(move |j| (i, j)));
    let pairs = grid.flat_map(|(i, j)| {
        [(i + 1, j), (i, j + 1)]
            .map(|(k, l)| (k < 6 && l < 6).then(|| Clique::new([at(i, j), at(k, l)])))
    });
    let domain = Domain::new(vec![40; 36]).unwrap();
    let factors: Vec<Factor> = pairs
        .flatten()
        .map(|c| Factor::one(&domain, c).unwrap())
        .collect();
    assert!(matches!(
        MarkovRandomField::new(domain, factors, 1.0),
        Err(Error::TooLarge { .. })
    ));
}

#[test]
fn evidence_agrees_with_brute_force() {
    let full = clique(&[0, 1, 2, 3, 4, 5]);
    for (seed, (name, cliques)) in (0..).zip(CLIQUE_SETS) {
        let factors = potentials(cliques, 5.0, seed);
        let model = MarkovRandomField::new(domain(), factors.clone(), 200.0).unwrap();
        let evidence = [
            (1, vec![0.3, 0.0, 1.0]),
            (4, vec![1.0, 0.5, 0.0]),
            (2, vec![1.0; 4]),
        ];
        let given = model.condition(&evidence).unwrap();
        let joint = brute_force(&factors, &full);
        let likelihood = |cell: usize| {
            let codes = codes_of(cell);
            evidence.iter().map(|(a, w)| w[codes[*a]]).product::<f64>()
        };
        let expected: Vec<f64> = joint
            .iter()
            .enumerate()
            .map(|(cell, p)| p * likelihood(cell) * 200.0)
            .collect();
        let found = given.marginal(&full).unwrap();
        assert_close(&found, &expected, name);
        let sum: f64 = expected.iter().sum();
        assert!((given.total() - sum).abs() < 1e-9 * sum, "{name}");
        assert_eq!(given.tree().nodes().len(), model.tree().nodes().len());
    }
}

#[test]
fn impossible_evidence_and_likelihoods_that_do_not_fit_are_refused() {
    let factor = Factor::new(
        &domain(),
        clique(&[0, 1]),
        vec![0.0, f64::NEG_INFINITY, 0.0, 0.0, 0.0, 0.0],
    );
    let model = MarkovRandomField::new(domain(), vec![factor.unwrap()], 10.0).unwrap();
    let never = [(0, vec![1.0, 0.0]), (1, vec![0.0, 1.0, 0.0])];
    assert_eq!(model.condition(&never).unwrap_err(), Error::Impossible);
    let nothing = [(5, vec![0.0, 0.0])];
    assert_eq!(model.condition(&nothing).unwrap_err(), Error::Impossible);
    for bad in [f64::NAN, -0.1, 1.1] {
        let evidence = [(0, vec![1.0, bad])];
        let error = model.condition(&evidence).unwrap_err();
        assert!(matches!(error, Error::BadValue { .. }), "{bad}: {error}");
    }
    let short = model.condition(&[(0, vec![1.0])]).unwrap_err();
    assert!(matches!(short, Error::WrongLength { .. }));
    let outside = model.condition(&[(6, vec![1.0])]).unwrap_err();
    assert!(matches!(outside, Error::UnknownAttribute { .. }));
}
