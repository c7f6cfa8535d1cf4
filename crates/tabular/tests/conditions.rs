//! Every row written within a condition satisfies it, and as many rows as it weighs.
#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use schema::{Condition, Day, Declaration, Schema};
use tabular::{Format, RowWriter};

fn schema(yaml: &str) -> Schema {
    Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap()
}

/// A test of one column in words, and whether a written field satisfies it.
struct Tested {
    text: String,
    holds: Box<dyn Fn(&str) -> bool>,
}

impl Tested {
    fn new(text: String, holds: impl Fn(&str) -> bool + 'static) -> Tested {
        let holds = Box::new(holds);
        Tested { text, holds }
    }
}

impl std::fmt::Debug for Tested {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// Tests of an ordered column whose fields are read by `value`.
fn ordered<T: PartialOrd + Clone + std::fmt::Debug + 'static>(
    column: &'static str,
    values: impl Strategy<Value = T> + Clone + 'static,
    show: fn(&T) -> String,
    value: fn(&str) -> Option<T>,
) -> impl Strategy<Value = Tested> {
    let signs = prop::sample::select(vec!["=", "!=", "<", "<=", ">", ">="]);
    let compared = (signs, values.clone()).prop_map(move |(sign, bound)| {
        let text = format!("{column} {sign} {}", show(&bound));
        let holds = move |field: &str| {
            value(field).is_some_and(|value| match sign {
                "=" => value == bound,
                "!=" => value != bound,
                "<" => value < bound,
                "<=" => value <= bound,
                ">" => value > bound,
                _ => value >= bound,
            })
        };
        Tested::new(text, holds)
    });
    let between = (values.clone(), values.clone()).prop_map(move |(a, b)| {
        let (first, last) = if a <= b { (a, b) } else { (b, a) };
        let text = format!("{column} in {}..{}", show(&first), show(&last));
        let holds = move |field: &str| value(field).is_some_and(|v| first <= v && v <= last);
        Tested::new(text, holds)
    });
    let listed = prop::collection::vec(values, 1..5).prop_map(move |listed| {
        let shown: Vec<String> = listed.iter().map(show).collect();
        let text = format!("{column} in [{}]", shown.join(", "));
        let holds = move |field: &str| value(field).is_some_and(|value| listed.contains(&value));
        Tested::new(text, holds)
    });
    prop_oneof![compared, between, listed, missing(column)]
}

fn missing(column: &'static str) -> impl Strategy<Value = Tested> {
    any::<bool>().prop_map(move |missing| {
        let text = format!("{column} is {}missing", if missing { "" } else { "not " });
        let holds = move |field: &str| field.is_empty() == missing;
        Tested::new(text, holds)
    })
}

fn categories() -> impl Strategy<Value = Tested> {
    const TEXTS: [&str; 4] = ["good", "very poor", "a,b", "other"];
    let chosen = prop::collection::vec(prop::sample::select(TEXTS.to_vec()), 1..4);
    let listed = chosen.prop_map(|listed| {
        let text = format!("c in ['{}']", listed.join("', '"));
        let holds = move |field: &str| listed.contains(&field);
        Tested::new(text, holds)
    });
    let unequal = prop::sample::select(TEXTS.to_vec()).prop_map(|text| {
        let holds = move |field: &str| !field.is_empty() && field != text;
        Tested::new(format!("c != '{text}'"), holds)
    });
    prop_oneof![listed, unequal, missing("c")]
}

const ALL_KINDS: &str = r#"{
    i: {integer: {min: -30, max: 70, bins: 7}, nullable: true},
    n: {number: {min: -2, max: 9, bins: {cuts: [0, 1e-10, 0.25, 8]}}, nullable: true},
    d: {date: {min: 2020-01-01, max: 2020-12-31, bins: 5}, nullable: true},
    c: {categories: [good, very poor, "a,b"], nullable: true, other: true}}"#;

fn day(field: &str) -> Option<Day> {
    field.parse().ok()
}

fn tests() -> impl Strategy<Value = Vec<(usize, Tested)>> {
    let days = (0..400_i64).prop_map(|day| Day::from_number(18_250 + day).unwrap());
    let numbers = prop_oneof![-3.0..10.0_f64, prop::sample::select(vec![0.0, 0.25, 8.0])];
    let one = prop_oneof![
        ordered("i", -40..80_i64, |v| v.to_string(), |f| f.parse().ok()).prop_map(|t| (0, t)),
        ordered("n", numbers, |v| format!("{v:?}"), |f| f.parse().ok()).prop_map(|t| (1, t)),
        ordered("d", days, |v| v.to_string(), day).prop_map(|t| (2, t)),
        categories().prop_map(|t| (3, t)),
    ];
    prop::collection::vec(one, 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_row_written_within_a_condition_satisfies_it(tests in tests(), seed: u64) {
        let schema = schema(ALL_KINDS);
        let text: Vec<&str> = tests.iter().map(|(_, test)| test.text.as_str()).collect();
        let text = text.join(" and ");
        let Ok(condition) = Condition::parse(&text, &schema) else { return Ok(()) };
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let codes: Vec<Vec<u32>> = (0..schema.columns().len())
            .map(|column| {
                let wanted: Vec<u32> = match condition.weights(column) {
                    Some(weights) => (0..)
                        .zip(weights)
                        .filter(|(_, w)| **w > 0.0)
                        .map(|(code, _)| code)
                        .collect(),
                    None => vec![0],
                };
                (0..60).map(|_| wanted[rng.next_u32() as usize % wanted.len()]).collect()
            })
            .collect();
        let mut out = Vec::new();
        let mut writer = RowWriter::new(Format::Csv, &schema).within(&condition);
        writer.write(&codes, &mut rng, &mut out).unwrap();
        writer.finish(&mut out).unwrap();
        let mut reader = csv::Reader::from_reader(out.as_slice());
        for record in reader.records() {
            let record = record.unwrap();
            for (column, test) in &tests {
                prop_assert!(
                    (test.holds)(&record[*column]),
                    "{test:?}: {:?} in {text}",
                    &record[*column]
                );
            }
        }
    }

    #[test]
    fn a_weight_is_the_share_of_written_values_that_satisfy_the_condition(
        tests in tests(),
        seed: u64,
    ) {
        const DRAWS: usize = 400;
        let schema = schema(ALL_KINDS);
        let (column, Tested { text, holds }) = &tests[0];
        let Ok(condition) = Condition::parse(text, &schema) else { return Ok(()) };
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for (code, weight) in (0..).zip(condition.weights(*column).unwrap()) {
            let mut codes = vec![vec![0; DRAWS]; schema.columns().len()];
            codes[*column].fill(code);
            let mut out = Vec::new();
            let mut writer = RowWriter::new(Format::Csv, &schema);
            writer.write(&codes, &mut rng, &mut out).unwrap();
            writer.finish(&mut out).unwrap();
            let mut reader = csv::Reader::from_reader(out.as_slice());
            let satisfied = reader
                .records()
                .filter(|record| holds(&record.as_ref().unwrap()[*column]))
                .count();
            let share = satisfied as f64 / DRAWS as f64;
            // Numbers are rounded to a hundredth of their bin; six standard deviations.
            prop_assert!(
                (share - weight).abs() < 0.02 + 6.0 * 0.5 / (DRAWS as f64).sqrt(),
                "{text}, code {code}: {share} against {weight}"
            );
        }
    }
}
