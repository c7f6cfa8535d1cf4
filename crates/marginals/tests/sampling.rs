//! Rows drawn from models.
#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use marginals::{Clique, Domain, Factor, MarkovRandomField, RowStream, Sampling};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

const SIZES: [usize; 6] = [4, 30, 2, 17, 8, 50];

const CLIQUE_SETS: [(&str, &[&[usize]]); 10] = [
    ("nothing", &[]),
    ("singletons", &[&[0], &[1], &[5]]),
    ("a chain", &[&[0, 1], &[1, 5], &[3, 5], &[3, 4], &[2, 4]]),
    ("a star", &[&[1, 0], &[1, 2], &[1, 3], &[1, 4], &[1, 5]]),
    ("a tree", &[&[1, 5], &[0, 1], &[3, 5], &[2, 5], &[1, 4]]),
    ("two components", &[&[1, 5], &[0, 5], &[3, 4]]),
    ("a cycle", &[&[0, 1], &[1, 3], &[3, 4], &[0, 4]]),
    (
        "a large cycle",
        &[&[0, 1], &[1, 2], &[2, 3], &[3, 4], &[4, 5], &[0, 5]],
    ),
    (
        "large cliques that overlap",
        &[&[0, 1, 2], &[1, 2, 3], &[2, 3, 4], &[0, 5]],
    ),
    (
        "a clique with three different separators",
        &[&[0, 1, 4], &[0, 3], &[1, 5], &[2, 4]],
    ),
];

fn model(cliques: &[&[usize]], seed: u64) -> MarkovRandomField {
    let domain = Domain::new(SIZES.to_vec()).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let factor = |attributes: &&[usize]| {
        let clique = Clique::new(attributes.iter().copied());
        let cells = usize::try_from(domain.cells(&clique)).unwrap();
        let mut log = || {
            if rng.next_u32() % 8 == 0 {
                f64::NEG_INFINITY
            } else {
                f64::from(rng.next_u32() % 1000) / 120.0
            }
        };
        let mut logs: Vec<f64> = (0..cells).map(|_| log()).collect();
        logs[0] = 0.0;
        Factor::new(&domain, clique, logs).unwrap()
    };
    let factors = cliques.iter().map(factor).collect();
    MarkovRandomField::new(domain, factors, 1000.0).unwrap()
}

fn draw(
    model: &MarkovRandomField,
    rows: u64,
    sampling: Sampling,
    chunk: usize,
    seed: u64,
) -> Vec<Vec<u32>> {
    let stream = model.rows(rows, sampling, &mut ChaCha8Rng::seed_from_u64(seed));
    in_chunks(stream, chunk)
}

/// Rows in which every attribute is a column.
fn draw_herded(model: &MarkovRandomField, rows: u64, chunk: usize, seed: u64) -> Vec<Vec<u32>> {
    let columns: Vec<usize> = (0..SIZES.len()).collect();
    let stream = model.herded_rows(rows, &columns, &mut ChaCha8Rng::seed_from_u64(seed));
    in_chunks(stream, chunk)
}

fn in_chunks(mut stream: RowStream<ChaCha8Rng>, chunk: usize) -> Vec<Vec<u32>> {
    let mut columns = vec![Vec::new(); SIZES.len()];
    while let Some(chunk) = stream.next_chunk(chunk) {
        columns
            .iter_mut()
            .zip(chunk)
            .for_each(|(column, codes)| column.extend(codes));
    }
    assert_eq!(stream.left(), 0);
    columns
}

fn counts(columns: &[Vec<u32>], clique: &Clique) -> Vec<f64> {
    let mut counts = vec![0.0; clique.iter().map(|a| SIZES[a]).product()];
    for row in 0..columns[0].len() {
        counts[clique
            .iter()
            .fold(0, |cell, a| cell * SIZES[a] + columns[a][row] as usize)] += 1.0;
    }
    counts
}

fn expected(model: &MarkovRandomField, clique: &Clique, rows: u64) -> Vec<f64> {
    let scale = rows as f64 / model.total();
    model
        .marginal(clique)
        .unwrap()
        .iter()
        .map(|count| count * scale)
        .collect()
}

#[test]
fn rounded_rows_have_the_clique_marginals_within_two() {
    for (seed, (name, cliques)) in (0..).zip(CLIQUE_SETS) {
        let model = model(cliques, seed);
        for rows in [1, 2, 37, 1000, 50_000, 200_001] {
            let rounded = draw(&model, rows, Sampling::Rounded, 9999, seed);
            let herded = draw_herded(&model, rows, 9999, seed);
            let drawn = [&rounded, &herded];
            let nodes = model.tree().nodes().iter();
            for (node, columns) in nodes.flat_map(|node| drawn.map(|columns| (node, columns))) {
                let pairs = counts(columns, node.clique()).into_iter().zip(expected(
                    &model,
                    node.clique(),
                    rows,
                ));
                let worst = pairs
                    .map(|(found, expected)| (found - expected).abs())
                    .fold(0.0, f64::max);
                assert!(
                    worst <= 2.0,
                    "{name}, {rows} rows, clique {}: off by {worst}",
                    node.clique()
                );
            }
        }
    }
}

#[test]
fn rounded_rows_of_trees_of_pairs_have_the_column_marginals_within_about_one() {
    for (seed, (name, cliques)) in (0..).zip(&CLIQUE_SETS[..6]) {
        let model = model(cliques, seed);
        let columns = draw(&model, 10_007, Sampling::Rounded, 5000, seed);
        for attribute in 0..SIZES.len() {
            let clique = Clique::new([attribute]);
            let pairs = counts(&columns, &clique)
                .into_iter()
                .zip(expected(&model, &clique, 10_007));
            let worst = pairs
                .map(|(found, expected)| (found - expected).abs())
                .fold(0.0, f64::max);
            assert!(
                worst <= 1.1,
                "{name}, attribute {attribute}: off by {worst}"
            );
        }
    }
}

#[test]
fn independent_rows_follow_every_pair_of_columns() {
    const ROWS: u64 = 40_000;
    for (seed, (name, cliques)) in (100..).zip(CLIQUE_SETS) {
        let model = model(cliques, seed);
        let columns = draw(&model, ROWS, Sampling::Independent, 4096, seed);
        for pair in (0..6).flat_map(|a| (a + 1..6).map(move |b| Clique::new([a, b]))) {
            assert_plausible(
                &counts(&columns, &pair),
                &expected(&model, &pair, ROWS),
                &format!("{name} {pair}"),
            );
        }
    }
}

/// Conditioned on their cliques, rounded rows are as random as any: pairs outside the tree follow
/// the model too.
#[test]
fn rounded_rows_are_shuffled_within_their_parents() {
    const ROWS: u64 = 150_000; // drawn in several blocks
    for (seed, (name, cliques)) in (200..).zip(CLIQUE_SETS) {
        let model = model(cliques, seed);
        let columns = draw(&model, ROWS, Sampling::Rounded, 4096, seed);
        for pair in (0..6).flat_map(|a| (a + 1..6).map(move |b| Clique::new([a, b]))) {
            assert_plausible(
                &counts(&columns, &pair),
                &expected(&model, &pair, ROWS),
                &format!("{name} {pair}"),
            );
        }
    }
}

#[test]
fn herded_rows_follow_pairs_outside_the_tree_more_closely_than_shuffled_ones() {
    for (seed, (name, cliques)) in (300..).zip(CLIQUE_SETS) {
        let model = model(cliques, seed);
        // The last in several blocks.
        for (rows, most) in [(2000, 0.8), (20_000, 0.5), (150_000, 0.4)] {
            let distance = |columns: &[Vec<u32>]| distance_of_pairs(&model, columns);
            let rounded = distance(&draw(&model, rows, Sampling::Rounded, 4096, seed));
            let herded = distance(&draw_herded(&model, rows, 4096, seed));
            assert!(
                herded < most * rounded,
                "{name}, {rows} rows: {herded} instead of {rounded}"
            );
        }
    }
}

/// Of an attribute that is drawn coarsely first, the other columns are right at all codes.
#[test]
fn herded_rows_mind_the_finest_attribute_of_each_column() {
    let domain = Domain::new(vec![12, 9, 3]).unwrap();
    let mut logs = vec![f64::NEG_INFINITY; 36];
    (0..12).for_each(|code| logs[code * 3 + code / 4] = (code % 5) as f64 / 3.0);
    let factor =
        |attributes: [usize; 2], logs| Factor::new(&domain, Clique::new(attributes), logs).unwrap();
    let with_coarse = (0..27).map(|cell| f64::from(cell * 7 % 11) / 4.0).collect();
    let factors = vec![factor([0, 2], logs), factor([1, 2], with_coarse)];
    let model = MarkovRandomField::new(domain.clone(), factors, 1.0).unwrap();
    let pair = Clique::new([0, 1]);
    let expected = model.marginal(&pair).unwrap();
    let distance = |stream: RowStream<ChaCha8Rng>| {
        let columns = in_chunks(stream, 1000);
        let mut missing: Vec<f64> = expected.iter().map(|p| p * 5000.0).collect();
        for (&a, &b) in columns[0].iter().zip(&columns[1]) {
            missing[a as usize * 9 + b as usize] -= 1.0;
        }
        missing.iter().map(|x| x.abs()).sum::<f64>()
    };
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let rounded = distance(model.rows(5000, Sampling::Rounded, &mut rng));
    let herded = distance(model.herded_rows(5000, &[0, 1, 0], &mut rng));
    assert!(herded < 0.4 * rounded, "{herded} instead of {rounded}");
}

/// Mean L1 distance of all pairs, in rows; impossible cells must be empty.
fn distance_of_pairs(model: &MarkovRandomField, columns: &[Vec<u32>]) -> f64 {
    let rows = columns[0].len() as u64;
    let pairs = (0..6).flat_map(|a| (a + 1..6).map(move |b| Clique::new([a, b])));
    let distances = pairs.map(|pair| {
        let cells = counts(columns, &pair)
            .into_iter()
            .zip(expected(model, &pair, rows));
        let differences = cells.map(|(found, expected)| {
            assert!(expected > 0.0 || found == 0.0, "{pair}: an impossible cell");
            (found - expected).abs()
        });
        differences.sum::<f64>()
    });
    distances.sum::<f64>() / 15.0
}

/// Chi-square over the cells with at least 5 expected, at five standard deviations.
fn assert_plausible(found: &[f64], expected: &[f64], what: &str) {
    let (mut chi_square, mut cells, mut rest_found, mut rest_expected) = (0.0, 0.0, 0.0, 0.0);
    for (&found, &expected) in found.iter().zip(expected) {
        assert!(
            expected > 0.0 || found == 0.0,
            "{what}: an impossible cell was drawn"
        );
        if expected >= 5.0 {
            chi_square += (found - expected).powi(2) / expected;
            cells += 1.0;
        } else {
            rest_found += found;
            rest_expected += expected;
        }
    }
    let limit = cells + 5.0 * (2.0 * cells + 1.0_f64).sqrt();
    assert!(
        chi_square <= limit,
        "{what}: chi-square {chi_square} over {cells} cells"
    );
    assert!(
        (rest_found - rest_expected).abs() <= 5.0 * (rest_expected + 1.0).sqrt(),
        "{what}: {rest_found} rare rows for {rest_expected}"
    );
}

#[test]
fn rows_of_a_model_come_in_random_order() {
    let model = model(CLIQUE_SETS[2].1, 1);
    let columns = draw(&model, 20_000, Sampling::Rounded, 1000, 3);
    for column in columns {
        let (first, second) = column.split_at(10_000);
        let mean = |half: &[u32]| half.iter().map(|&c| f64::from(c)).sum::<f64>() / 10_000.0;
        assert!(
            (mean(first) - mean(second)).abs() < 0.06 * 50.0 / 4.0,
            "{} and {}",
            mean(first),
            mean(second)
        );
    }
}

#[test]
fn the_size_of_the_chunks_does_not_change_the_rows() {
    for (seed, (name, cliques)) in (0..).zip(CLIQUE_SETS) {
        let model = model(cliques, seed);
        for sampling in [Sampling::Independent, Sampling::Rounded] {
            let whole = draw(&model, 20_000, sampling, usize::MAX, 5);
            assert_eq!(whole[0].len(), 20_000);
            assert!(whole == draw(&model, 20_000, sampling, 777, 5), "{name}");
            assert!(
                whole != draw(&model, 20_000, sampling, 777, 6),
                "{name}: another seed, the same rows"
            );
        }
        let whole = draw_herded(&model, 70_000, usize::MAX, 5);
        assert!(whole == draw_herded(&model, 70_000, 777, 5), "{name}");
        assert!(whole != draw_herded(&model, 70_000, 777, 6), "{name}");
    }
}

#[test]
fn the_number_of_threads_does_not_change_the_rows() {
    let model = model(CLIQUE_SETS[3].1, 1);
    let drawn_by = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            [
                draw(&model, 100_000, Sampling::Rounded, 10_000, 5),
                draw_herded(&model, 100_000, 10_000, 5),
            ]
        })
    };
    assert!(drawn_by(1) == drawn_by(3));
}

/// What is said of all rows together holds of none of the blocks that they are drawn in: those
/// differ as samples do.
#[test]
fn the_first_rows_of_many_are_a_random_sample() {
    let model = model(CLIQUE_SETS[4].1, 7);
    let (mut chi_square, mut cells) = (0.0, 0.0);
    for seed in 0..20 {
        let mut stream = model.rows(
            400_000,
            Sampling::Rounded,
            &mut ChaCha8Rng::seed_from_u64(seed),
        );
        let first = stream.next_chunk(50_000).unwrap();
        let pair = Clique::new([1, 5]);
        for (found, expected) in counts(&first, &pair)
            .iter()
            .zip(expected(&model, &pair, 50_000))
        {
            if expected >= 20.0 {
                chi_square += (found - expected).powi(2) / (expected * 7.0 / 8.0);
                cells += 1.0;
            }
        }
    }
    let deviations = (chi_square - cells) / (2.0_f64 * cells).sqrt();
    assert!(
        deviations.abs() < 5.0,
        "{deviations} standard deviations over {cells} cells"
    );
}

#[test]
fn no_rows_and_no_attributes_are_possible() {
    let model = model(CLIQUE_SETS[2].1, 1);
    assert_eq!(
        model
            .rows(0, Sampling::Rounded, &mut ChaCha8Rng::seed_from_u64(0))
            .next_chunk(10),
        None
    );
    let empty = MarkovRandomField::uniform(Domain::new(vec![]).unwrap(), 1.0).unwrap();
    assert_eq!(
        empty
            .rows(3, Sampling::Rounded, &mut ChaCha8Rng::seed_from_u64(0))
            .next_chunk(10),
        Some(vec![])
    );
}
