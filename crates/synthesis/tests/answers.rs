//! Intervals of counts hold as often as they say.
#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use std::ops::ControlFlow;

use privacy::{Delta, Epsilon};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use schema::{Condition, Declaration, Schema};
use synthesis::{Basis, FitPlan, GrainOptions, Method, MethodOptions, Model};
use tabular::Joined;

/// Four columns, of which the first three hang together.
const SCHEMA: &str = "
age: {integer: {min: 0, max: 79, bins: 16}}
income: {integer: {min: 0, max: 99, bins: 20}}
owns: {categories: ['yes', 'no']}
colour: {categories: [red, green, blue, white, black]}
";

/// Of the table above; each is true of a share of the rows that is not small.
const QUESTIONS: [&str; 9] = [
    "owns = yes",
    "age in 20..39",
    // Bins in part.
    "age in 22..38",
    "age < 40 and owns = yes",
    "income > 49 and colour in [red, green]",
    "income >= 33 and age > 41",
    "age < 40 and owns = yes and colour != red",
    "age >= 20 and income < 70 and owns = no and colour in [blue, white, black]",
    "colour = white",
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

    /// Fails if more than 5 % missed, beyond four standard deviations of that many answers of which
    /// those of one fit hang together.
    fn check(&self, what: &str) {
        let (answers, misses) = (f64::from(self.answers), f64::from(self.misses));
        let independent = answers / QUESTIONS.len() as f64;
        let most = 0.05 + 4.0 * (0.05 * 0.95 / independent).sqrt();
        assert!(misses / answers <= most, "{what}: {self:?}");
    }
}

/// Fits a table over and over, and counts what the questions' intervals miss, by their basis.
fn coverage(fits: u64, plan: impl Fn() -> FitPlan) -> [Coverage; 3] {
    let people = people(3000, 5);
    let truths = people.iter().map(Person::answers);
    let truths = truths.fold([0_u64; 9], |mut sums, answers| {
        for (sum, answer) in sums.iter_mut().zip(answers) {
            *sum += u64::from(answer);
        }
        sums
    });
    let schema = schema();
    let mut coverage = [Coverage::default(); 3];
    for seed in 0..fits {
        let model = fit(&people, plan(), seed);
        for (question, truth) in QUESTIONS.iter().zip(truths) {
            let answer = model.count(&Condition::parse(question, &schema).unwrap());
            let [low, high] = answer.between;
            assert!(low as f64 <= answer.estimate && answer.estimate <= high as f64);
            let basis = match answer.basis {
                Basis::Measured => 0,
                Basis::Modelled => 1,
                Basis::Possible => 2,
                _ => unreachable!("there is no other basis"),
            };
            coverage[basis].add((low..=high).contains(&truth));
        }
    }
    coverage
}

fn budget(epsilon: f64) -> (Epsilon, Delta) {
    (Epsilon::new(epsilon).unwrap(), Delta::new(1e-6).unwrap())
}

#[test]
fn intervals_hold_at_their_level() {
    for epsilon in [0.5, 3.0] {
        let (epsilon, delta) = budget(epsilon);
        let coverage = coverage(40, || FitPlan::new(GrainOptions::default(), epsilon, delta));
        for (coverage, what) in coverage.iter().zip(["measured", "modelled", "possible"]) {
            assert!(coverage.answers >= 40, "{what}: {coverage:?}");
            coverage.check(what);
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
        for (coverage, what) in coverage.iter().zip(["measured", "modelled", "possible"]) {
            if coverage.answers > 0 {
                coverage.check(&format!("{method}, {what}"));
            }
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
