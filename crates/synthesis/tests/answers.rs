//! Intervals of counts hold as often as they say.
#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use privacy::{Delta, Epsilon};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use schema::{Condition, Declaration, Schema};
use synthesis::{Basis, FitPlan, GrainOptions, Method, MethodOptions, Model, Statistic};
use tabular::Joined;

/// Four columns, of which the first three hang together.
const SCHEMA: &str = "
age: {integer: {min: 0, max: 79}}
income: {integer: {min: 0, max: 99, bins: 20}}
owns: {categories: ['yes', 'no']}
colour: {categories: [red, green, blue, white, black]}
";

/// Of the table above; each is true of a share of the rows that is not small.
const QUESTIONS: [&str; 9] = [
    "owns = yes",
    "age in 20..39",
    "age in 22..38",
    "age < 40 and owns = yes",
    "income > 49 and colour in [red, green]",
    // A bin in part.
    "income >= 33 and age > 41",
    "age < 40 and owns = yes and colour != red",
    "age >= 20 and income < 70 and owns = no and colour in [blue, white, black]",
    "colour = white",
];

/// Statistics of the values of a column, 0 or 1, among the rows of a condition.
const OF_VALUES: [(Statistic, usize, Option<&str>); 10] = [
    (Statistic::Mean, 1, None),
    (Statistic::Sum, 1, Some("owns = yes")),
    (Statistic::Mean, 0, Some("owns = no")),
    (Statistic::Quantile(0.5), 0, None),
    (Statistic::Quantile(0.9), 1, Some("age < 40")),
    (Statistic::Mean, 1, Some("age in 22..38")),
    (Statistic::Sum, 0, Some("colour = white")),
    (Statistic::Mean, 0, Some("colour in [red, green]")),
    (Statistic::Quantile(0.25), 0, Some("age in 22..68")),
    (
        Statistic::Mean,
        0,
        Some("income < 70 and owns = no and colour != red"),
    ),
];

fn schema() -> Schema {
    Schema::new(Declaration::from_yaml(SCHEMA).unwrap()).unwrap()
}

struct Person {
    age: u32,
    income: u32,
    owns: bool,
    colour: &'static str,
}

impl Person {
    fn draw(rng: &mut ChaCha8Rng) -> Person {
        let age = (rng.next_u32() % 50 + rng.next_u32() % 31).min(79);
        let income = (age / 2 + rng.next_u32() % 60).min(99);
        Person {
            age,
            income,
            owns: income + rng.next_u32() % 40 > 60,
            colour: ["red", "red", "green", "blue", "white", "black"][rng.next_u32() as usize % 6],
        }
    }

    /// What each of the statistics is of, if they are among its rows.
    fn values(&self) -> [Option<u32>; 10] {
        let Person {
            age,
            income,
            owns,
            colour,
        } = *self;
        [
            Some(income),
            owns.then_some(income),
            (!owns).then_some(age),
            Some(age),
            (age < 40).then_some(income),
            (22..=38).contains(&age).then_some(income),
            (colour == "white").then_some(age),
            ["red", "green"].contains(&colour).then_some(age),
            (22..=68).contains(&age).then_some(age),
            (income < 70 && !owns && colour != "red").then_some(age),
        ]
    }

    /// Whether each of the questions is true of them.
    fn answers(&self) -> [bool; 9] {
        let Person {
            age,
            income,
            owns,
            colour,
        } = *self;
        [
            owns,
            (20..=39).contains(&age),
            (22..=38).contains(&age),
            age < 40 && owns,
            income > 49 && ["red", "green"].contains(&colour),
            income >= 33 && age > 41,
            age < 40 && owns && colour != "red",
            age >= 20 && income < 70 && !owns && ["blue", "white", "black"].contains(&colour),
            colour == "white",
        ]
    }
}

fn truth(statistic: Statistic, mut values: Vec<u32>) -> f64 {
    values.sort_unstable();
    let sum: u32 = values.iter().sum();
    match statistic {
        Statistic::Sum => sum.into(),
        Statistic::Mean => f64::from(sum) / values.len() as f64,
        Statistic::Quantile(share) => {
            let rank = (1..=values.len()).find(|&rank| rank as f64 >= share * values.len() as f64);
            values[rank.unwrap() - 1].into()
        }
        _ => unreachable!("there is no other statistic"),
    }
}

fn people(count: usize, seed: u64) -> Vec<Person> {
    let rng = &mut ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| Person::draw(rng)).collect()
}

fn fit(people: &[Person], plan: FitPlan, seed: u64) -> Model {
    let mut csv = String::from("age,income,owns,colour\n");
    for Person {
        age,
        income,
        owns,
        colour,
    } in people
    {
        let owns = if *owns { "yes" } else { "no" };
        csv.push_str(&format!("{age},{income},{owns},{colour}\n"));
    }
    let table = Joined::from_csv(csv.as_bytes(), Some(&schema())).unwrap();
    let plan = plan.check(schema()).unwrap();
    let mut progress = |_| ControlFlow::Continue(());
    plan.fit(table, &mut testkit::noise(seed), &mut progress)
        .unwrap()
}

/// How often answers were given on each basis, and how often the interval missed the truth.
#[derive(Default, Debug, Clone, Copy, PartialEq)]
struct Coverage {
    answers: u32,
    misses: u32,
}

impl Coverage {
    fn add(&mut self, hit: bool) {
        self.answers += 1;
        self.misses += u32::from(!hit);
    }

    /// Fails if more than 5 % missed, beyond four standard deviations of that many answers.
    fn check(&self, what: &str) {
        let (answers, misses) = (f64::from(self.answers), f64::from(self.misses));
        let most = 0.05 + 4.0 * (0.05 * 0.95 / answers).sqrt();
        assert!(misses / answers <= most, "{what}: {self:?}");
    }
}

/// Fits a table over and over, and counts what the interval of each question misses, by its basis.
fn coverage(fits: u64, plan: impl Fn() -> FitPlan) -> BTreeMap<(&'static str, String), Coverage> {
    let people = people(3000, 5);
    let truths = people.iter().map(Person::answers);
    let truths = truths.fold([0_u64; 9], |mut sums, answers| {
        for (sum, answer) in sums.iter_mut().zip(answers) {
            *sum += u64::from(answer);
        }
        sums
    });
    let of_values: Vec<f64> = (0..OF_VALUES.len())
        .map(|of| {
            let values = people.iter().filter_map(|person| person.values()[of]);
            truth(OF_VALUES[of].0, values.collect())
        })
        .collect();
    let schema = schema();
    let mut coverage: BTreeMap<_, Coverage> = BTreeMap::new();
    for seed in 0..fits {
        let model = fit(&people, plan(), seed);
        for ((statistic, column, condition), truth) in OF_VALUES.iter().zip(&of_values) {
            let wanted = condition.map(|text| Condition::parse(text, &schema).unwrap());
            let answers = model.values_by(*statistic, *column, wanted.as_ref(), &[]);
            let answer = answers.unwrap()[0].1;
            let [low, high] = answer.between;
            let estimate = answer.estimate.unwrap();
            assert!(low <= estimate && estimate <= high, "{answer:?}");
            let what = format!("{statistic:?} of {column} where {condition:?}");
            let of_this = coverage.entry((name_of(answer.basis), what)).or_default();
            of_this.add((low..=high).contains(truth));
        }
        for (question, truth) in QUESTIONS.iter().zip(truths) {
            let answer = model.count(&Condition::parse(question, &schema).unwrap());
            let [low, high] = answer.between;
            assert!(low as f64 <= answer.estimate && answer.estimate <= high as f64);
            let what = (name_of(answer.basis), question.to_string());
            let of_this = coverage.entry(what).or_default();
            of_this.add((low..=high).contains(&truth));
        }
    }
    coverage
}

fn name_of(basis: Basis) -> &'static str {
    match basis {
        Basis::Measured => "measured",
        Basis::Modelled => "modelled",
        Basis::Possible => "possible",
        _ => unreachable!("there is no other basis"),
    }
}

fn budget(epsilon: f64) -> (Epsilon, Delta) {
    (Epsilon::new(epsilon).unwrap(), Delta::new(1e-6).unwrap())
}

#[test]
fn intervals_hold_at_their_level() {
    for epsilon in [0.5, 3.0] {
        let (epsilon, delta) = budget(epsilon);
        let coverage = coverage(40, || FitPlan::new(GrainOptions::default(), epsilon, delta));
        for basis in ["measured", "modelled", "possible"] {
            let of_this = coverage.iter().filter(|((it, _), _)| *it == basis);
            let answers: u32 = of_this.map(|(_, coverage)| coverage.answers).sum();
            assert!(answers >= 80, "{basis}: {coverage:?}");
        }
        for ((basis, question), coverage) in coverage {
            coverage.check(&format!("{question}, {basis}"));
        }
    }
}

#[test]
fn intervals_hold_over_many_fits_of_two_methods() {
    let (epsilon, delta) = budget(1.0);
    for method in [Method::Grain, Method::Mst] {
        let coverage = coverage(200, || {
            let options = MethodOptions::read(method, &serde_json::Map::new()).unwrap();
            FitPlan::new(options, epsilon, delta)
        });
        for ((basis, question), coverage) in coverage {
            coverage.check(&format!("{method}, {question}, {basis}"));
        }
    }
}

#[test]
fn a_model_that_misses_a_relation_gives_an_interval_that_has_the_truth() {
    // COPULA draws unordered columns alone: of this relation its model has nothing.
    let schema = "a: {categories: [x, y, z]}\nb: {categories: [x, y, z]}\n";
    let schema = || Schema::new(Declaration::from_yaml(schema).unwrap()).unwrap();
    let csv = format!("a,b\n{}", "x,x\ny,y\nz,z\n".repeat(1000));
    let table = Joined::from_csv(csv.as_bytes(), Some(&schema())).unwrap();
    let options = MethodOptions::read(Method::Copula, &serde_json::Map::new()).unwrap();
    let (epsilon, delta) = budget(3.0);
    let plan = FitPlan::new(options, epsilon, delta).check(schema());
    let mut progress = |_| ControlFlow::Continue(());
    let model = plan
        .unwrap()
        .fit(table, &mut testkit::noise(1), &mut progress)
        .unwrap();
    for (question, truth) in [("a = x and b = x", 1000), ("a = x and b = y", 0)] {
        let answer = model.count(&Condition::parse(question, &schema()).unwrap());
        assert_eq!(answer.basis, Basis::Modelled);
        assert!((answer.estimate - 333.0).abs() < 50.0, "{answer:?}");
        let [low, high] = answer.between;
        assert!((low..=high).contains(&truth), "{question}: {answer:?}");
    }
}

#[test]
fn what_was_measured_is_told_from_what_was_not() {
    let (epsilon, delta) = budget(3.0);
    let plan = FitPlan::new(GrainOptions::default(), epsilon, delta);
    let model = fit(&people(3000, 5), plan, 1);
    let basis = |text: &str| {
        let condition = Condition::parse(text, model.schema()).unwrap();
        model.count(&condition).basis
    };
    assert_eq!(basis("owns = yes"), Basis::Measured);
    assert_eq!(
        basis("age < 40 and income < 50 and owns = yes and colour = red"),
        Basis::Possible
    );
}

#[test]
fn a_bin_in_part_leaves_no_more_possible_than_the_bins_around_it() {
    let (epsilon, delta) = budget(3.0);
    let plan = FitPlan::new(GrainOptions::default(), epsilon, delta);
    let model = fit(&people(3000, 5), plan, 1);
    let count = |text: &str| model.count(&Condition::parse(text, model.schema()).unwrap());
    let inner = count("income in 35..59 and owns = yes");
    let outer = count("income in 30..64 and owns = yes");
    assert_eq!([inner.basis, outer.basis], [Basis::Measured; 2]);
    let part = count("income in 33..62 and owns = yes");
    // Each of two bounds may miss half as often, and is so much wider.
    let margin = (outer.between[1] - outer.between[0]) / 4;
    assert!(
        part.between[0] + margin >= inner.between[0],
        "{part:?} {inner:?}"
    );
    assert!(
        part.between[1] <= outer.between[1] + margin,
        "{part:?} {outer:?}"
    );
}

#[test]
fn counts_by_columns_add_up_and_leave_out_what_a_condition_excludes() {
    let (epsilon, delta) = budget(3.0);
    let plan = FitPlan::new(GrainOptions::default(), epsilon, delta);
    let model = fit(&people(3000, 5), plan, 1);
    let condition = Condition::parse("age < 40 and colour in [red, blue]", model.schema()).unwrap();
    let by = model.counts_by(Some(&condition), &[3, 2]).unwrap();
    let combinations: Vec<&[usize]> = by.iter().map(|(codes, _)| codes.as_slice()).collect();
    assert_eq!(combinations, [[0, 0], [0, 1], [2, 0], [2, 1]]);
    let sum: f64 = by.iter().map(|(_, answer)| answer.estimate).sum();
    let whole = model.count(&condition).estimate;
    assert!((sum - whole).abs() < 1e-6 * whole, "{sum} and {whole}");
    // All rows: what is asked about no column.
    let all = model.counts_by(None, &[]).unwrap();
    assert_eq!(all.len(), 1);
    assert!((all[0].1.estimate - model.noisy_rows() as f64).abs() <= 0.5);
}

#[test]
fn statistics_are_near_the_tables_and_narrow_where_they_were_measured() {
    let (epsilon, delta) = budget(3.0);
    let people = people(3000, 5);
    let model = fit(
        &people,
        FitPlan::new(GrainOptions::default(), epsilon, delta),
        1,
    );
    let of = |statistic, column, condition: Option<&str>| {
        let condition = condition.map(|text| Condition::parse(text, model.schema()).unwrap());
        let answers = model.values_by(statistic, column, condition.as_ref(), &[]);
        answers.unwrap()[0].1
    };
    let ages: Vec<u32> = people.iter().map(|person| person.age).collect();
    let mean = of(Statistic::Mean, 0, None);
    let [low, high] = mean.between;
    assert_eq!(mean.basis, Basis::Measured);
    assert!(high - low < 3.0, "{mean:?}");
    let exact = truth(Statistic::Mean, ages.clone());
    assert!(
        (mean.estimate.unwrap() - exact).abs() < 1.0,
        "{mean:?} and {exact}"
    );
    // In bins of 5.
    let mean = of(Statistic::Mean, 1, None);
    let [low, high] = mean.between;
    assert!((4.0..7.0).contains(&(high - low)), "{mean:?}");
    let median = of(Statistic::Quantile(0.5), 0, None);
    let [low, high] = median.between;
    assert!(high - low < 10.0, "{median:?}");
    let last = of(Statistic::Quantile(1.0), 0, None).estimate.unwrap();
    assert!(last > 70.0, "{last}");
    let modelled = of(Statistic::Mean, 0, Some("colour = red"));
    assert!(
        modelled.between[1] - modelled.between[0] < 40.0,
        "{modelled:?}"
    );
    let nobody = model.values_by(Statistic::Mean, 3, None, &[]).unwrap_err();
    assert!(
        nobody
            .to_string()
            .contains("`colour` is of kind `categories`")
    );
    let by = model.values_by(Statistic::Mean, 1, None, &[2]).unwrap();
    let [yes, no] = [0, 1].map(|at: usize| by[at].1.estimate.unwrap());
    assert!(yes > no + 10.0, "{yes} and {no}");
}
