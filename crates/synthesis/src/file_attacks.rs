//! Model files as a stranger might write them: with a valid header around anything at all. What is
//! loaded must then bear whatever is done with a model.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use ciborium::Value;
use privacy::{Delta, Epsilon, FileDigest, Ledger, LedgerOptions, People};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use schema::{Condition, Declaration, Schema};
use tabular::CodedTable;

use crate::common::{PAIRS, fit, quick};
use crate::file::{body_of, with_header};
use crate::{Method, Model, PublicPrior};

const COLUMNS: &str = "
a: {categories: [x, y, z]}
b: {integer: {min: 0, max: 59, bins: 60}}
c: {categories: [no, yes], nullable: true}
d: {number: {min: -1, max: 1, bins: 12}, nullable: true}
e: {date: {min: 2020-01-01, max: 2020-12-31}}
f: {boolean: true}
";
const CONSTRAINTS: &str = "constraints: [{impossible: {a: [x], c: [yes]}}]\n";

fn model(method: Method, yaml: &str) -> Model {
    let schema = Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap();
    let code = |row: u32, size: usize| row * row % 97 % u32::try_from(size).unwrap();
    let columns: Vec<Vec<u32>> = schema
        .sizes()
        .into_iter()
        .map(|size| (0..2000).map(|row| code(row, size)).collect())
        .collect();
    let table = CodedTable::from_codes(schema, &columns).unwrap();
    let mut ledger = Ledger::open(LedgerOptions::new(
        Epsilon::new(1.0).unwrap(),
        Delta::new(1e-6).unwrap(),
        method.accounting(),
    ));
    let fitted = fit(
        &table,
        method,
        &quick(method),
        PAIRS,
        ledger.as_mut().unwrap(),
        &mut testkit::noise(3),
        &mut |_| ControlFlow::Continue(()),
    );
    fitted.unwrap()
}

/// The body of a model's file.
fn body(model: &Model) -> Value {
    let mut bytes = Vec::new();
    model.save(&mut bytes).unwrap();
    ciborium::from_reader(body_of(&bytes).unwrap()).unwrap()
}

fn file(body: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(body, &mut bytes).unwrap();
    with_header(&bytes)
}

fn set(body: &mut Value, name: &str, value: Value) {
    let fields = body.as_map_mut().unwrap();
    let field = fields
        .iter_mut()
        .find(|(key, _)| key.as_text() == Some(name));
    field.unwrap().1 = value;
}

fn push(body: &mut Value, name: &str, value: Value) {
    let fields = body.as_map_mut().unwrap();
    let field = fields
        .iter_mut()
        .find(|(key, _)| key.as_text() == Some(name));
    field.unwrap().1.as_array_mut().unwrap().push(value);
}

fn map(fields: &[(&str, Value)]) -> Value {
    let fields = fields
        .iter()
        .map(|(name, value)| (Value::from(*name), value.clone()));
    Value::Map(fields.collect())
}

fn list<T: Into<Value>>(values: impl IntoIterator<Item = T>) -> Value {
    Value::Array(values.into_iter().map(Into::into).collect())
}

/// Refused in a moment, with this in the sentence.
fn check_refused(body: &Value, expected: &str) {
    let bytes = file(body);
    let started = Instant::now();
    let error = Model::load(&bytes).unwrap_err().to_string();
    assert!(error.contains(expected), "{expected}: {error}");
    // Each of these files took from 17 seconds to hours, or gigabytes, where it was not refused
    // early.
    let taken = started.elapsed();
    assert!(taken < Duration::from_secs(5), "{expected}: {taken:?}");
}

#[test]
fn a_one_way_of_a_coarse_column_is_refused() {
    let mut body = body(&model(
        Method::Mst,
        "a: {categories: [x, y]}\nb: {categories: [x, y]}\n",
    ));
    push(
        &mut body,
        "coarse",
        map(&[("column", 0.into()), ("groups", list([0, 0]))]),
    );
    let measured = [
        ("columns", list([2])),
        ("values", list([7])),
        ("sigma", 1.0.into()),
    ];
    push(&mut body, "measured", map(&measured));
    check_refused(&body, "does not fit its schema");
}

#[test]
fn totals_that_no_table_has_are_refused_and_large_ones_do_not_run_on() {
    let mut body = body(&model(Method::Independent, "a: {categories: [x, y]}\n"));
    for total in [1e308, 1e17, 0.5, 0.0, -1.0, f64::NAN, f64::INFINITY] {
        set(&mut body, "total", total.into());
        check_refused(&body, "its number of rows");
    }
    set(&mut body, "total", 1e15.into());
    let model = Model::load(&file(&body)).unwrap();
    assert_eq!(model.noisy_rows(), 1_000_000_000_000_000);
    assert_eq!(model.default_rows(), Model::MAX_DEFAULT_ROWS);
}

#[test]
fn numbers_that_no_table_has_are_refused() {
    let mut body = body(&model(Method::Independent, "a: {categories: [x, y]}\n"));
    for log in [f64::NAN, f64::INFINITY, 1e308, -1e308] {
        let table = Value::Array(vec![list([0]), list([0.0, log])]);
        set(&mut body, "potentials", Value::Array(vec![table]));
        check_refused(&body, "not usable");
    }
    let impossible = Value::Array(vec![list([0]), list([f64::NEG_INFINITY; 2])]);
    set(&mut body, "potentials", Value::Array(vec![impossible]));
    check_refused(&body, "no combination");
}

/// Columns of one value each, and these cliques of them.
fn single_valued(columns: usize, cliques: impl Iterator<Item = Vec<usize>>) -> Value {
    let mut body = body(&model(Method::Independent, "a: {categories: [x]}\n"));
    let column = map(&[("categories", list(["x"]))]);
    let schema = (0..columns).map(|i| (Value::from(format!("c{i}")), column.clone()));
    set(&mut body, "schema", Value::Map(schema.collect()));
    let compression = map(&[("kept", list([0])), ("rare", Value::Array(Vec::new()))]);
    set(
        &mut body,
        "compressions",
        Value::Array(vec![compression; columns]),
    );
    set(&mut body, "measured", Value::Array(Vec::new()));
    let table = |clique: Vec<usize>| {
        let attributes = clique.into_iter().map(|a| u32::try_from(a).unwrap());
        Value::Array(vec![list(attributes), list([0.0])])
    };
    set(
        &mut body,
        "potentials",
        Value::Array(cliques.map(table).collect()),
    );
    body
}

#[test]
fn tables_that_take_long_to_triangulate_are_refused_before() {
    let single = single_valued(3, [vec![0, 1], vec![1, 2]].into_iter());
    assert!(Model::load(&file(&single)).is_ok());
    const COLUMNS: usize = 2000;
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut pair = || vec![below(&mut rng, COLUMNS), below(&mut rng, COLUMNS)];
    let pairs: Vec<Vec<usize>> = (0..20_000).map(|_| pair()).collect();
    check_refused(&single_valued(COLUMNS, pairs.into_iter()), "junction tree");
    let all = std::iter::once((0..COLUMNS).collect());
    check_refused(&single_valued(COLUMNS, all), "junction tree");
    let wide = (0..COLUMNS).map(|i| (i..COLUMNS.min(i + 64)).collect());
    check_refused(&single_valued(COLUMNS, wide), "junction tree");
}

#[test]
fn a_copula_that_is_none_is_refused() {
    let valid = body(&model(Method::Copula, COLUMNS));
    type Change = fn(&mut Value);
    let cases: [(&str, Change); 7] = [
        ("not of the kind", |body| {
            set(body, "kind", "random field".into())
        }),
        ("not of the kind", |body| {
            body.as_map_mut()
                .unwrap()
                .retain(|(key, _)| key.as_text() != Some("copula"));
        }),
        ("not one of its columns", |body| {
            set(part(body), "columns", list([5, 4, 3, 1]))
        }),
        ("not one of its columns", |body| {
            set(part(body), "columns", list([1, 3, 4, 9]))
        }),
        ("not one of its columns", |body| {
            set(part(body), "signs", Value::Null)
        }),
        ("correlations", |body| {
            set(part(body), "correlations", list([1.0; 6]))
        }),
        ("correlations", |body| {
            set(part(body), "correlations", list([f64::NAN; 6]))
        }),
    ];
    assert!(Model::load(&file(&valid)).is_ok());
    for (expected, change) in cases {
        let mut changed = valid.clone();
        change(&mut changed);
        check_refused(&changed, expected);
    }
    // The first column is in a table with the third, which a copula would break.
    let mut constrained = body(&model(Method::Copula, &format!("{COLUMNS}{CONSTRAINTS}")));
    set(part(&mut constrained), "columns", list([0, 3, 4, 5]));
    check_refused(&constrained, "in a table with another");
}

fn part(body: &mut Value) -> &mut Value {
    let fields = body.as_map_mut().unwrap().iter_mut();
    let copula = fields
        .filter(|(key, _)| key.as_text() == Some("copula"))
        .map(|(_, part)| part);
    copula.last().unwrap()
}

#[test]
fn a_schema_of_a_few_bytes_cannot_ask_for_gigabytes() {
    let mut body = body(&model(Method::Independent, "a: {categories: [x]}\n"));
    let integer = |bins: u32| {
        let range = [
            ("min", 0.into()),
            ("max", Value::from(1_i64 << 40)),
            ("bins", bins.into()),
        ];
        map(&[("integer", map(&range))])
    };
    let column = |i: usize| (Value::from(format!("c{i}")), integer(1 << 20));
    set(
        &mut body,
        "schema",
        Value::Map((0..5000).map(column).collect()),
    );
    check_refused(&body, "different values together");

    let few = |i: usize| (Value::from(format!("c{i}")), integer(2000));
    let mut schema: Vec<(Value, Value)> = (0..2).map(few).collect();
    let ranges = map(&[("c0", list([".."])), ("c1", list([".."]))]);
    let constraints = vec![map(&[("impossible", ranges)]); 100_000];
    schema.push(("constraints".into(), Value::Array(constraints)));
    set(&mut body, "schema", Value::Map(schema));
    check_refused(&body, "constraints are too many");

    let range = [
        ("min", 0.into()),
        ("max", 9.into()),
        ("bins", "quantile".into()),
    ];
    let column = map(&[("integer", map(&range))]);
    set(&mut body, "schema", Value::Map(vec![("c0".into(), column)]));
    check_refused(&body, "whose bins are not known");
}

/// Everything that is done with models of strangers.
fn use_it(model: &Model) {
    assert!(model.default_rows() >= 1 && model.default_rows() <= model.noisy_rows());
    let report = serde_json::to_vec(&model.report()).unwrap();
    assert!(!report.is_empty());
    let mut out = std::io::sink();
    model.sample(50, Some(1)).write_csv(&mut out).unwrap();
    model.sample(50, Some(1)).write_json(&mut out).unwrap();
    assert!(model.sample(5_000, Some(1)).next_chunk().is_some());
    for column in model.schema().columns() {
        let name = serde_json::to_string(column.name()).unwrap();
        let Ok(condition) = Condition::parse(&format!("{name} is missing"), model.schema()) else {
            continue;
        };
        if let Ok(given) = model.given(&condition) {
            assert!(given.probability() > 0.0 && given.default_rows() >= 1);
            given.sample(20, Some(1)).write_csv(&mut out).unwrap();
        }
    }
    let digest = FileDigest::from_bytes([0; 48]);
    if let Ok(prior) = PublicPrior::from_model(model, digest, People::PerhapsTheSame) {
        prior.check(model.schema()).unwrap();
        for column in 1..model.schema().columns().len() {
            prior.pair(0, column).unwrap();
        }
    }
    let mut bytes = Vec::new();
    model.save(&mut bytes).unwrap();
    assert!(Model::load(&bytes).is_ok());
}

fn below(rng: &mut ChaCha8Rng, bound: usize) -> usize {
    usize::try_from(rng.next_u64() % bound as u64).unwrap()
}

/// Changes one thing, somewhere in the tree.
fn mutate(value: &mut Value, rng: &mut ChaCha8Rng) {
    // The deeper it is, the more there is beside it: whatever holds something is left alone most of
    // the time.
    let goes_deeper = below(rng, 8) > 0;
    match value {
        Value::Array(items) if goes_deeper && !items.is_empty() => {
            let at = below(rng, items.len());
            mutate(&mut items[at], rng);
        }
        Value::Map(fields) if goes_deeper && !fields.is_empty() => {
            let at = below(rng, fields.len());
            mutate(&mut fields[at].1, rng);
        }
        Value::Array(items) => mutate_list(items, rng),
        Value::Map(fields) => mutate_list(fields, rng),
        Value::Integer(_) | Value::Float(_) if below(rng, 2) == 0 => *value = number(rng),
        Value::Integer(number) => {
            let step = i128::from(rng.next_u32() % 3) - 1;
            let near = i64::try_from(i128::from(*number) + step).unwrap_or(0);
            *value = near.into();
        }
        Value::Float(number) => *value = (*number * [-1.0, 2.0, 1e-3][below(rng, 3)]).into(),
        Value::Text(text) => match below(rng, 3) {
            0 => text.clear(),
            1 => text.push('\u{202e}'),
            _ => *text = text.repeat(300),
        },
        Value::Bool(truth) => *truth = !*truth,
        _ => *value = number(rng),
    }
}

fn mutate_list<T: Clone>(items: &mut Vec<T>, rng: &mut ChaCha8Rng) {
    if items.is_empty() {
        return;
    }
    let (at, other) = (below(rng, items.len()), below(rng, items.len()));
    match below(rng, 5) {
        0 => drop(items.remove(at)),
        1 => items.insert(other, items[at].clone()),
        2 => items.swap(at, other),
        3 => items.truncate(at),
        _ => items.extend(vec![items[at].clone(); 40]),
    }
}

fn number(rng: &mut ChaCha8Rng) -> Value {
    let whole = [
        0,
        1,
        -1,
        1 << 31,
        u32::MAX.into(),
        1 << 53,
        i64::MAX,
        i64::MIN,
    ];
    let floats = [
        0.0,
        -0.0,
        5e-324,
        1.0,
        -1.5,
        1e15,
        1e308,
        f64::NAN,
        f64::INFINITY,
    ];
    match below(rng, 3) {
        0 => floats[below(rng, floats.len())].into(),
        1 => f64::NEG_INFINITY.into(),
        _ => whole[below(rng, whole.len())].into(),
    }
}

#[test]
fn whatever_of_a_file_is_changed_nothing_panics() {
    const CHANGES: u64 = 150;
    let constrained = format!("{COLUMNS}{CONSTRAINTS}");
    let models = [
        (Method::Independent, COLUMNS),
        (Method::Mst, COLUMNS),
        (Method::Copula, COLUMNS),
        (Method::Copula, constrained.as_str()),
        (Method::Grain, COLUMNS),
        (Method::Grain, constrained.as_str()),
        (Method::Dpctgan, constrained.as_str()),
    ];
    for (method, columns) in models {
        let valid = body(&model(method, columns));
        let mut loaded = 0;
        for seed in 0..CHANGES {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut changed = valid.clone();
            for _ in 0..=below(&mut rng, 2) {
                // Most of the text is the ledger: the rest is chosen more often than by its share.
                let fields = changed.as_map_mut().unwrap();
                let at = below(&mut rng, fields.len());
                mutate(&mut fields[at].1, &mut rng);
            }
            if let Ok(model) = Model::load(&file(&changed)) {
                loaded += 1;
                use_it(&model);
            }
        }
        assert!(
            loaded > CHANGES / 20,
            "{method}: only {loaded} were loaded at all"
        );
    }
}
