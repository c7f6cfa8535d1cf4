//! Priors from public data: from a table, or from an earlier model.

use std::cmp::Reverse;

use marginals::{Clique, Domain, Factor, JunctionTree, MarkovRandomField};
use privacy::{DomainSource, FileDigest, LedgerRecord, Mechanism, People, Prior};
use schema::Schema;
use tabular::CodedTable;

use crate::Model;
use crate::measured::Measured;
use crate::prior::{MAX_CELLS, MAX_DEPTH, PublicPrior, PublicPriorError};
use crate::random_field::RandomField;

impl PublicPrior {
    /// From the exact marginals of a public table: nothing is kept private of it.
    ///
    /// A Markov random field whose pairs are the strongest of the table, by mutual information, as
    /// far as its junction tree stays small beside the number of rows. Each conditional
    /// distribution is mixed with that of independent columns, which counts as one row.
    ///
    /// Its people must be others than those of the table that is fitted.
    ///
    /// # Errors
    /// [`PublicPriorError::NoRows`].
    pub fn dangerous_from_public_table(
        table: &CodedTable,
        sha384: FileDigest,
    ) -> Result<Self, PublicPriorError> {
        let schema = table.schema().clone();
        let domain = Domain::new(schema.sizes())?;
        let rows = exact(table, &[])[0];
        if rows == 0.0 {
            return Err(PublicPriorError::NoRows);
        }
        let columns: Vec<Vec<f64>> = (0..domain.attributes())
            .map(|column| smoothed(&exact(table, &[column])))
            .collect();
        let cliques = strong_pairs(table, &domain, rows);
        let tree = JunctionTree::new(&domain, &cliques);
        let conditional = |node: &marginals::TreeNode| {
            let clique = node.clique().clone();
            let counts = exact(table, clique.attributes());
            let logs = log_conditional(&domain, &clique, node.separator(), &counts, &columns);
            Factor::new(&domain, clique, logs)
        };
        let factors = tree.nodes().iter().map(conditional);
        let factors = factors.collect::<Result<Vec<Factor>, _>>()?;
        let field = MarkovRandomField::new(domain, factors, 1.0)?;
        Ok(Self {
            schema,
            field,
            record: Prior::Table { sha384 },
        })
    }

    /// From an earlier model, whose own budget is spent already. What its file says of that is
    /// taken at its word.
    ///
    /// # Errors
    /// If its ledger guarantees nothing, does not account for what it holds, or may leave something
    /// out that counts; if it is the last of a long chain; [`PublicPriorError::TooLarge`] if it
    /// becomes too large without its compression.
    pub fn from_model(
        model: &Model,
        sha384: FileDigest,
        people: People,
    ) -> Result<Self, PublicPriorError> {
        check_ledger(model, people)?;
        let random_field = model.generator.random_field();
        let RandomField {
            compressions,
            coarse,
            field,
        } = random_field.ok_or(PublicPriorError::NoRandomField)?;
        let coarse = coarse.iter().map(|coarse| coarse.size());
        let domain = Domain::new(
            model
                .schema
                .sizes()
                .into_iter()
                .chain(coarse.clone())
                .collect(),
        )?;
        let potentials = field.potentials();
        let of_potentials = potentials.iter().map(|f| domain.cells(f.clique()));
        // A stranger's model may have more cells than can be counted.
        let cells = of_potentials.fold(0, u128::saturating_add);
        if cells > MAX_CELLS {
            return Err(PublicPriorError::TooLarge { cells });
        }
        let columns = compressions.iter().map(|c| c.map());
        let coarse = coarse.map(|size| (0..).take(size).collect());
        let maps: Vec<Vec<u32>> = columns.chain(coarse).collect();
        let spread = |factor: &Factor| {
            let clique = factor.clique().clone();
            let small = field.domain();
            let logs = cells_of(&domain, &clique).map(|codes| {
                let place = codes
                    .iter()
                    .zip(clique.iter())
                    .fold(0, |place, (&code, a)| {
                        place * small.size(a) + maps[a][code] as usize
                    });
                factor.logs()[place]
            });
            Factor::new(&domain, clique.clone(), logs.collect())
        };
        // Within a code of the model, values keep their shares.
        let share = |(column, compression): (usize, &crate::compression::Compression)| {
            let shares = compression.expand(&vec![1.0; compression.size()]);
            let logs = shares.iter().map(|share| share.ln()).collect();
            Factor::new(&domain, Clique::new([column]), logs)
        };
        let shares = compressions.iter().enumerate().map(share);
        let factors = potentials.iter().map(spread).chain(shares);
        let factors = factors.collect::<Result<Vec<Factor>, _>>()?;
        Ok(Self {
            field: MarkovRandomField::new(domain, factors, 1.0)?,
            schema: Schema::clone(&model.schema),
            record: Prior::Model {
                sha384,
                people,
                ledger: Box::new(model.ledger.clone()),
            },
        })
    }
}

/// Whether the ledger of an earlier model says what starting from it adds to a guarantee.
fn check_ledger(model: &Model, people: People) -> Result<(), PublicPriorError> {
    let ledger = &model.ledger;
    if ledger.domain() == DomainSource::FromData {
        return Err(PublicPriorError::DomainFromData);
    }
    if !model.measured.iter().all(|it| is_accounted(it, ledger)) || ledger.entries().is_empty() {
        return Err(PublicPriorError::Unaccounted);
    }
    if people == People::PerhapsTheSame {
        if *model.prior() == Prior::NotRecorded {
            return Err(PublicPriorError::PriorNotRecorded);
        }
        if rests_on_a_word(ledger.prior()) {
            return Err(PublicPriorError::OtherPeopleOfAnotherTable);
        }
    }
    if ledger.prior().depth() >= MAX_DEPTH {
        return Err(PublicPriorError::TooDeep);
    }
    Ok(())
}

/// Whether somewhere something was left out of the guarantee because it was of other people than
/// the table of that fit. They may be the very people of this one.
fn rests_on_a_word(prior: &Prior) -> bool {
    match prior {
        Prior::NotRecorded | Prior::None => false,
        Prior::Table { .. } => true,
        Prior::Model { people, ledger, .. } => {
            *people == People::Other || rests_on_a_word(ledger.prior())
        }
    }
}

/// Whether a spend of the ledger has as many counts with as much noise.
fn is_accounted(measured: &Measured, ledger: &LedgerRecord) -> bool {
    ledger
        .entries()
        .iter()
        .any(|entry| match *entry.mechanism() {
            Mechanism::Gaussian { sigma, cells } => {
                sigma == measured.sigma && cells == measured.values.len() as u64
            }
            _ => false,
        })
}

fn exact(table: &CodedTable, clique: &[usize]) -> Vec<f64> {
    let counts = table.counts(clique).dangerous_reveal();
    counts.into_iter().map(f64::from).collect()
}

/// Probabilities with half a row more for each code, so that none is zero.
fn smoothed(counts: &[f64]) -> Vec<f64> {
    const PSEUDO: f64 = 0.5;
    let sum = counts.iter().sum::<f64>() + PSEUDO * counts.len() as f64;
    counts.iter().map(|count| (count + PSEUDO) / sum).collect()
}

/// The pairs of the model: the strongest first, as long as the junction tree stays small.
fn strong_pairs(table: &CodedTable, domain: &Domain, rows: f64) -> Vec<Clique> {
    /// Rows for each cell, at least, of a table of three or more columns.
    const ROWS_PER_CELL: f64 = 5.0;
    let mut chosen: Vec<Clique> = Vec::new();
    let mut group: Vec<usize> = (0..domain.attributes()).collect();
    let mut tries = 4 * domain.attributes();
    for (_, pair) in by_strength(table, domain, rows) {
        let (a, b) = (group[pair.attributes()[0]], group[pair.attributes()[1]]);
        if a == b && tries == 0 {
            continue;
        }
        // A pair that closes no cycle makes no table larger than its own.
        let closes_a_cycle = a == b;
        tries -= usize::from(closes_a_cycle);
        chosen.push(pair);
        let tree = JunctionTree::new(domain, &chosen);
        let is_dense = tree.nodes().iter().any(|node| {
            node.clique().len() > 2 && domain.cells(node.clique()) as f64 * ROWS_PER_CELL > rows
        });
        if tree.cells(domain) > MAX_CELLS || closes_a_cycle && is_dense {
            chosen.pop();
            continue;
        }
        group.iter_mut().filter(|g| **g == b).for_each(|g| *g = a);
    }
    chosen
}

/// Pairs of columns by their mutual information beyond what chance would give, the strongest first.
fn by_strength(table: &CodedTable, domain: &Domain, rows: f64) -> Vec<(f64, Clique)> {
    const MAX_PAIR_CELLS: u128 = 1 << 18;
    let mut pairs = Vec::new();
    for a in 0..domain.attributes() {
        let fits = |&b: &usize| domain.cells(&Clique::new([a, b])) <= MAX_PAIR_CELLS;
        let with: Vec<usize> = (a + 1..domain.attributes()).filter(fits).collect();
        let cliques: Vec<Vec<usize>> = with.iter().map(|&b| vec![a, b]).collect();
        for (b, counts) in with.into_iter().zip(table.counts_of(&cliques)) {
            let counts = counts.dangerous_reveal();
            let strength = strength(&counts, domain.size(b), rows);
            if strength > 0.0 {
                pairs.push((strength, Clique::new([a, b])));
            }
        }
    }
    pairs.sort_by(|(x, a), (y, b)| y.total_cmp(x).then_with(|| Reverse(b).cmp(&Reverse(a))));
    pairs
}

/// Mutual information in nats, less its expectation for independent columns (Miller-Madow).
fn strength(counts: &[u32], columns: usize, rows: f64) -> f64 {
    let mut of_rows = vec![0.0; counts.len() / columns];
    let mut of_columns = vec![0.0; columns];
    for (cell, &count) in counts.iter().enumerate() {
        of_rows[cell / columns] += f64::from(count);
        of_columns[cell % columns] += f64::from(count);
    }
    let term = |(cell, &count): (usize, &u32)| {
        let expected = of_rows[cell / columns] * of_columns[cell % columns] / rows;
        f64::from(count) / rows * (f64::from(count) / expected).ln()
    };
    let present = counts.iter().enumerate().filter(|&(_, &count)| count > 0);
    let information: f64 = present.map(term).sum();
    let occurring = |sums: &[f64]| sums.iter().filter(|sum| **sum > 0.0).count() as f64;
    information - (occurring(&of_rows) - 1.0) * (occurring(&of_columns) - 1.0) / (2.0 * rows)
}

/// Logarithms of the conditional distribution of a clique's other attributes given the separator's.
fn log_conditional(
    domain: &Domain,
    clique: &Clique,
    separator: &Clique,
    counts: &[f64],
    columns: &[Vec<f64>],
) -> Vec<f64> {
    /// Rows that the distribution of independent columns counts as.
    const INDEPENDENT_ROWS: f64 = 1.0;
    let given = |codes: &[usize]| {
        let of_separator = codes
            .iter()
            .zip(clique.iter())
            .filter(|&(_, a)| separator.contains(a));
        of_separator.fold(0, |row, (&code, a)| row * domain.size(a) + code)
    };
    let mut totals = vec![0.0; separator.iter().map(|a| domain.size(a)).product()];
    for (codes, count) in cells_of(domain, clique).zip(counts) {
        totals[given(&codes)] += count;
    }
    let log = |(codes, count): (Vec<usize>, &f64)| {
        let rest = codes
            .iter()
            .zip(clique.iter())
            .filter(|&(_, a)| !separator.contains(a));
        let independent: f64 = rest.map(|(&code, a)| columns[a][code]).product();
        let total = totals[given(&codes)];
        ((count + INDEPENDENT_ROWS * independent) / (total + INDEPENDENT_ROWS)).ln()
    };
    cells_of(domain, clique).zip(counts).map(log).collect()
}

/// The codes of each cell of a clique's table, in order.
fn cells_of(domain: &Domain, clique: &Clique) -> impl Iterator<Item = Vec<usize>> {
    let sizes: Vec<usize> = clique.iter().map(|a| domain.size(a)).collect();
    (0..sizes.iter().product()).map(move |mut cell: usize| {
        let mut codes = vec![0; sizes.len()];
        for (code, size) in codes.iter_mut().zip(&sizes).rev() {
            (*code, cell) = (cell % size, cell / size);
        }
        codes
    })
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use privacy::{Accounting, Delta, Epsilon, Ledger, LedgerOptions};
    use schema::Declaration;
    use serde_json::Map;

    use super::*;
    use crate::Method;
    use crate::common::{self, fit};

    const DIGEST: FileDigest = FileDigest::from_bytes([1; 48]);
    const YAML: &str = "a: {categories: [x, y, z]}\nb: {integer: {min: 0, max: 9}}\nc: \
                        {categories: [no, yes], nullable: true}\nd: {integer: {min: 0, max: 59, \
                        bins: 60}}\n";

    fn schema(yaml: &str) -> Schema {
        Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap()
    }

    /// b follows a, c follows a and b, d is mostly of a few values.
    fn table(rows: u32) -> CodedTable {
        let mix = |row: u32, salt: u32| {
            let x = (row ^ salt << 20).wrapping_mul(0x9E37_79B9);
            (x ^ x >> 15).wrapping_mul(0x846C_A68B) >> 12
        };
        let mut columns = vec![Vec::new(); 4];
        for row in 0..rows {
            let a = mix(row, 1) % 3;
            let b = (3 * a + mix(row, 2) % 3) % 10;
            let c = (a + b + mix(row, 3) % 5 / 4) % 3;
            let d = mix(row, 4) % 4 + u32::from(mix(row, 5) % 50 == 0) * (mix(row, 6) % 56);
            for (column, code) in columns.iter_mut().zip([a, b, c, d]) {
                column.push(code);
            }
        }
        CodedTable::from_codes(schema(YAML), &columns).unwrap()
    }

    fn distance(a: &[f64], b: &[f64]) -> f64 {
        assert_eq!(a.len(), b.len());
        a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f64>() / 2.0
    }

    const PAIRS: [(usize, usize); 6] = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)];

    #[test]
    fn a_prior_of_a_public_table_has_its_pairs_and_rules_nothing_out() {
        let rows = 4000;
        let table = table(rows);
        let prior = PublicPrior::dangerous_from_public_table(&table, DIGEST).unwrap();
        for (a, b) in PAIRS {
            let share = |count: f64| count / f64::from(rows);
            let expected: Vec<f64> = exact(&table, &[a, b]).into_iter().map(share).collect();
            let found = prior.pair(a, b).unwrap();
            let distance = distance(&found, &expected);
            // Columns without a relation are off by what chance gives in their cells.
            let chance = 0.4 * (expected.len() as f64 / f64::from(rows)).sqrt();
            let bound = if b == 3 { chance } else { 0.01 };
            assert!(distance < bound, "{a}, {b}: {distance}");
            assert!(found.iter().all(|p| *p > 0.0));
            assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
        assert!(prior.field().tree().cells(prior.field().domain()) <= MAX_CELLS);
    }

    #[test]
    fn a_prior_of_a_small_table_has_no_large_cliques() {
        let prior = PublicPrior::dangerous_from_public_table(&table(60), DIGEST).unwrap();
        let nodes = prior.field().tree().nodes();
        assert!(nodes.iter().all(|node| node.clique().len() <= 2));
        let empty = PublicPrior::dangerous_from_public_table(&table(0), DIGEST);
        assert_eq!(empty.unwrap_err(), PublicPriorError::NoRows);
    }

    #[test]
    fn a_prior_of_an_earlier_model_has_its_marginals_over_all_codes() {
        let model = model(&table(2000), Method::Mst);
        assert!(
            field_of(&model).compressions[3].rare_code().is_some(),
            "nothing is compressed"
        );
        let prior = PublicPrior::from_model(&model, DIGEST, People::Other).unwrap();
        for (column, compression) in field_of(&model).compressions.iter().enumerate() {
            let clique = Clique::new([column]);
            let expected = compression.expand(&field_of(&model).field.marginal(&clique).unwrap());
            let scaled: Vec<f64> = expected
                .iter()
                .map(|c| c / model.generator.total())
                .collect();
            assert!(distance(&prior.field().marginal(&clique).unwrap(), &scaled) < 1e-9);
        }
        let small = field_of(&model)
            .field
            .marginal(&Clique::new([1, 3]))
            .unwrap();
        let of_b = |table: &[f64], row: usize, columns: usize| -> f64 {
            table[row * columns..(row + 1) * columns].iter().sum()
        };
        let pair = prior.pair(1, 3).unwrap();
        let (kept, columns) = (
            field_of(&model).compressions[1].kept(),
            field_of(&model).field.domain().size(3),
        );
        for (place, &code) in kept.iter().enumerate() {
            let (found, expected) = (of_b(&pair, code as usize, 60), of_b(&small, place, columns));
            assert!((found - expected / model.generator.total()).abs() < 1e-9);
        }
    }

    fn field_of(model: &Model) -> &RandomField {
        model.generator.random_field().unwrap()
    }

    fn model(table: &CodedTable, method: Method) -> Model {
        let mut ledger = Ledger::open(LedgerOptions::new(
            Epsilon::new(0.5).unwrap(),
            Delta::new(1e-9).unwrap(),
            Accounting::Zcdp,
        ))
        .unwrap();
        fit(
            table,
            method,
            &Map::new(),
            common::PAIRS,
            &mut ledger,
            &mut testkit::noise(2),
            &mut |_| ControlFlow::Continue(()),
        )
        .unwrap()
    }

    #[test]
    fn a_model_is_refused_whose_ledger_does_not_say_what_it_adds() {
        let table = table(500);
        let refusal = |model: &Model, people| {
            let prior = PublicPrior::from_model(model, DIGEST, people);
            prior.err()
        };
        let (other, same) = (People::Other, People::PerhapsTheSame);
        for method in [
            Method::Independent,
            Method::Mst,
            Method::Aim,
            Method::Mwem,
            Method::Grain,
        ] {
            assert_eq!(refusal(&model(&table, method), same), None, "{method}");
        }
        let sound = model(&table, Method::Grain);

        let mut unaccounted = sound.clone();
        unaccounted.measured[0].sigma *= 0.5;
        assert_eq!(
            refusal(&unaccounted, other),
            Some(PublicPriorError::Unaccounted)
        );
        let mut empty = Ledger::open(LedgerOptions::new(
            Epsilon::new(1.0).unwrap(),
            Delta::new(1e-9).unwrap(),
            Accounting::Zcdp,
        ))
        .unwrap();
        let mut without = sound.clone();
        (without.ledger, without.measured) = (empty.record(), Vec::new());
        assert_eq!(
            refusal(&without, other),
            Some(PublicPriorError::Unaccounted)
        );

        empty.note_domain(DomainSource::FromData);
        let mut from_data = sound.clone();
        from_data.ledger = empty.record();
        assert_eq!(
            refusal(&from_data, other),
            Some(PublicPriorError::DomainFromData)
        );

        // As an older program wrote it: GRAIN alone could have started from something.
        for (method, expected) in [
            (Method::Grain, Some(PublicPriorError::PriorNotRecorded)),
            (Method::Mst, None),
        ] {
            let mut old = model(&table, method);
            let mut record = serde_json::to_value(&old.ledger).unwrap();
            record.as_object_mut().unwrap().remove("prior");
            old.ledger = serde_json::from_value(record).unwrap();
            assert_eq!(refusal(&old, same), expected);
            assert_eq!(refusal(&old, other), None);
        }

        // Declared about the table of that fit, which says nothing of the next one.
        let digest = FileDigest::from_bytes([1; 48]);
        let public = PublicPrior::dangerous_from_public_table(&table, digest).unwrap();
        let declared = PublicPrior::from_model(&sound, DIGEST, other).unwrap();
        for prior in [&public.record, &declared.record] {
            let mut model = sound.clone();
            let mut record = serde_json::to_value(&model.ledger).unwrap();
            record["prior"] = serde_json::to_value(prior).unwrap();
            model.ledger = serde_json::from_value(record).unwrap();
            let expected = Some(PublicPriorError::OtherPeopleOfAnotherTable);
            assert_eq!(refusal(&model, same), expected);
            assert_eq!(refusal(&model, other), None);
        }

        let mut last = sound;
        for depth in 1..=MAX_DEPTH {
            let prior = PublicPrior::from_model(&last, DIGEST, same).unwrap();
            let mut record = serde_json::to_value(&last.ledger).unwrap();
            record["prior"] = serde_json::to_value(&prior.record).unwrap();
            last.ledger = serde_json::from_value(record).unwrap();
            assert_eq!(last.ledger.prior().depth(), depth);
        }
        assert_eq!(refusal(&last, same), Some(PublicPriorError::TooDeep));
        let mut file = Vec::new();
        ciborium::into_writer(&last.ledger, &mut file).unwrap();
        let back: LedgerRecord = ciborium::from_reader(file.as_slice()).unwrap();
        assert_eq!(back, last.ledger, "the deepest record can be read");
    }

    #[test]
    fn another_schema_is_refused_with_what_differs() {
        let prior = PublicPrior::dangerous_from_public_table(&table(100), DIGEST).unwrap();
        prior.check(&schema(YAML)).unwrap();
        for (from, to, expected) in [
            ("d: ", "e: ", "it has no column `e`"),
            (
                "d: {integer: {min: 0, max: 59, bins: 60}}\n",
                "",
                "it has a column `d` more",
            ),
            (
                "max: 9",
                "max: 8",
                "its column `b` has 10 values or bins and not 9",
            ),
            (
                "[x, y, z]",
                "[x, y, w]",
                "its column `a` has other values or bins",
            ),
            (
                "{integer: {min: 0, max: 9}}",
                "{categories: [u]}",
                "its column `b` holds `integer` and not `categories`",
            ),
        ] {
            let other = schema(&YAML.replace(from, to));
            let error = prior.check(&other).unwrap_err().to_string();
            assert_eq!(
                error,
                format!("the public data has another schema: {expected}")
            );
        }
        let constrained = format!("{YAML}constraints:\n- impossible: {{a: [x], c: [yes]}}\n");
        let strict = schema(&constrained);
        let codes = vec![vec![0, 1], vec![0, 1], vec![0, 0], vec![0, 1]];
        let table = CodedTable::from_codes(strict.clone(), &codes).unwrap();
        let strict_prior = PublicPrior::dangerous_from_public_table(&table, DIGEST).unwrap();
        let error = strict_prior.check(&schema(YAML)).unwrap_err().to_string();
        assert!(error.contains("a constraint"), "{error}");
        prior.check(&strict).unwrap();
        let lines: Vec<&str> = YAML.lines().rev().collect();
        let error = prior
            .check(&schema(&lines.join("\n")))
            .unwrap_err()
            .to_string();
        assert!(error.contains("another order"), "{error}");
    }
}
