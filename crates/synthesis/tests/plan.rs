//! What a plan refuses, and what it costs to find that out.
#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use std::num::NonZeroU32;
use std::ops::ControlFlow;

use privacy::{Delta, Epsilon, FileDigest, Rho};
use schema::{Declaration, Schema};
use synthesis::{
    FitError, FitPlan, GrainOptions, KnownColumns, Method, MstOptions, NamedMarginal, PlanError,
    PublicPrior, WorkloadError,
};
use tabular::Joined;

const YAML: &str = "a: {categories: [x, y]}\nb: {integer: {min: 0, max: 9}}\n";
const CSV: &str = "a,b\nx,1\ny,2\nx,3\n";

fn schema() -> Schema {
    Schema::new(Declaration::from_yaml(YAML).unwrap()).unwrap()
}

fn plan(method: Method) -> FitPlan {
    FitPlan::new(
        method,
        Epsilon::new(1.0).unwrap(),
        Delta::new(1e-9).unwrap(),
    )
}

fn marginal(columns: &[&str]) -> NamedMarginal {
    NamedMarginal {
        columns: columns.iter().map(|&name| name.to_owned()).collect(),
        weight: 1.0,
    }
}

fn read(schema: Option<&Schema>) -> Joined {
    Joined::from_csv(CSV.as_bytes(), schema).unwrap()
}

#[test]
fn what_follows_from_public_facts_is_refused_without_a_table() {
    let refusal = |plan: FitPlan| plan.check(schema()).unwrap_err().to_string();
    assert_eq!(
        refusal(plan(Method::Mst).target("a".to_owned())),
        "MST takes no workload or target: it measures the same whatever they are; use GRAIN, AIM \
         or MWEM, or leave them out"
    );
    assert_eq!(
        refusal(plan(Method::Grain).workload(vec![marginal(&["a", "c"])])),
        "marginal 1 of the workload: there is no column `c`"
    );
    let typed = FitPlan::new(
        GrainOptions { max_cells: 1 },
        Epsilon::new(1.0).unwrap(),
        Delta::new(1e-9).unwrap(),
    );
    assert_eq!(
        refusal(typed),
        "the parameter `max_cells` of GRAIN must be a whole number between 1000 and 134217728"
    );
    let share = plan(Method::Grain).discovery_share(1.0);
    assert_eq!(
        share.clone().check(KnownColumns::none()).unwrap_err(),
        PlanError::DiscoveryShare(1.0)
    );
    assert!(share.check(schema()).is_ok(), "nothing is discovered");
}

#[test]
fn a_workload_that_the_table_lacks_is_refused_before_anything_is_discovered() {
    for wrong in [
        plan(Method::Grain).workload(vec![marginal(&["a", "c"])]),
        plan(Method::Grain).target("c".to_owned()),
    ] {
        let plan = wrong.check(KnownColumns::none()).unwrap();
        let mut untouched = testkit::noise(1);
        let refused = plan.open(read(None), &mut untouched).unwrap_err();
        let FitError::Plan(PlanError::Workload(refused)) = refused else {
            panic!("{refused:?}");
        };
        assert!(
            matches!(
                refused,
                WorkloadError::UnknownColumn { .. } | WorkloadError::UnknownTarget { .. }
            ),
            "{refused:?}"
        );
        // No noise was drawn: the generator is where it began.
        let mut fresh = testkit::noise(1);
        let draw = |rng: &mut privacy::NoiseRng| {
            let mut ledger = plan.ledger();
            let counts = privacy::Counts::from_exact(vec![0; 8]);
            let whole = ledger.total();
            let noisy = ledger.measure("a look", &counts, whole, rng).unwrap();
            noisy.values().to_vec()
        };
        assert_eq!(draw(&mut untouched), draw(&mut fresh));
    }
}

#[test]
fn what_is_wrong_with_a_workload_whatever_the_columns_is_refused_without_any() {
    let refusal = |plan: FitPlan| plan.check(KnownColumns::none()).unwrap_err().to_string();
    let pair = || marginal(&["a", "b"]);
    for (plan, sentence) in [
        (
            plan(Method::Grain).workload(Vec::new()),
            "the workload lists no marginal; list at least one, or leave the workload out",
        ),
        (
            plan(Method::Grain).workload(vec![pair(), marginal(&["b", "a"])]),
            "marginal 2 of the workload, `a` x `b`, is listed before; give it once, with the \
             weights added up",
        ),
        (
            plan(Method::Grain)
                .workload(vec![pair()])
                .target("a".to_owned()),
            "every marginal of the workload has the target `a`, so that it changes nothing; leave \
             the target out, or list other marginals",
        ),
    ] {
        assert_eq!(refusal(plan), sentence);
    }
}

#[test]
fn bins_that_have_yet_to_be_found_are_not_judged_by_what_they_are_found_among() {
    let column = |name: &str| format!("{name}: {{number: {{min: 0, max: 1, bins: quantile}}}}\n");
    let yaml: String = ["a", "b", "c", "d"].map(column).concat();
    let schema = Schema::new(Declaration::from_yaml(&yaml).unwrap()).unwrap();
    let triple = plan(Method::Grain).workload(vec![marginal(&["a", "b", "c"])]);
    assert!(triple.check(schema.clone()).is_ok());
    assert!(plan(Method::Mwem).check(schema.clone()).is_ok());
    let absent = plan(Method::Grain).workload(vec![marginal(&["a", "x"])]);
    let refused = absent.check(schema).unwrap_err().to_string();
    assert_eq!(
        refused,
        "marginal 1 of the workload: there is no column `x`"
    );
}

#[test]
fn discovery_gets_its_share_at_most_and_the_fit_the_rest() {
    let share = 0.25;
    let plan = plan(Method::Grain).discovery_share(share);
    let plan = plan.check(KnownColumns::none()).unwrap();
    let mut open = plan.open(read(None), &mut testkit::noise(3)).unwrap();
    let model = open.fit(&mut testkit::noise(4), &mut |_| ControlFlow::Continue(()));
    let model = model.unwrap();
    // The columns' own counts begin with the fit: what is before them was discovery.
    let entries = model.ledger().entries();
    let fit = entries
        .iter()
        .position(|entry| entry.label() == "a")
        .unwrap();
    let sum = |entries: &[privacy::Entry]| entries.iter().map(|it| it.rho().get()).sum::<f64>();
    let (discovery, rest) = (sum(&entries[..fit]), sum(&entries[fit..]));
    // Where a step settles a column, what is left of its share goes into the fit.
    let total = plan.ledger().total().get();
    assert!(
        (discovery + rest - total).abs() < 1e-9,
        "{discovery} {rest}"
    );
    let part = discovery / total;
    assert!(part > share / 4.0 && part <= share, "{part}");
}

#[test]
fn a_plan_for_declared_columns_does_not_discover() {
    let plan = plan(Method::Grain).check(schema()).unwrap();
    let refused = plan.open(read(None), &mut testkit::noise(1)).unwrap_err();
    assert_eq!(refused, FitError::Plan(PlanError::Undeclared));
}

#[test]
fn a_method_that_takes_no_prior_is_told_which_does() {
    let table = read(Some(&schema())).dangerous_into_coded();
    let digest = FileDigest::from_bytes([1; 48]);
    let prior = PublicPrior::dangerous_from_public_table(&table, digest).unwrap();
    let plan = plan(Method::Mst).check(schema()).unwrap();
    let refused = plan.open_coded(table).start_from(prior).unwrap_err();
    assert_eq!(refused.to_string(), "MST takes no public data; use GRAIN");
}

#[test]
fn the_whole_budget_is_that_of_the_methods_own_accounting() {
    for method in [
        Method::Grain,
        Method::Independent,
        Method::Copula,
        Method::Mst,
        Method::Aim,
        Method::Mwem,
    ] {
        let plan = plan(method).check(schema()).unwrap();
        assert_eq!(plan.ledger().accounting(), method.accounting());
        let mut go_on = |_| ControlFlow::Continue(());
        let model = plan.fit(read(Some(&schema())), &mut testkit::noise(2), &mut go_on);
        let model = model.unwrap();
        let spends = model.ledger().entries().iter().map(|entry| entry.rho());
        let spent = spends.fold(Rho::ZERO, |sum, rho| sum.checked_add(rho).unwrap());
        assert_eq!(spent, plan.ledger().total(), "{method}");
    }
}

#[test]
fn a_table_of_more_rows_an_id_than_the_plan_is_for_is_not_fitted() {
    let plan = FitPlan::new(
        MstOptions::default(),
        Epsilon::new(1.0).unwrap(),
        Delta::new(1e-9).unwrap(),
    );
    let plan = plan.check(schema()).unwrap();
    let limits = tabular::ReadLimits {
        max_rows_per_id: NonZeroU32::new(2),
        ..tabular::ReadLimits::default()
    };
    let csv = "id,a,b\n1,x,1\n1,y,2\n";
    let hasher = tabular::KeyHasher::new([0; 16]);
    let schema = schema();
    let upload = tabular::read_csv(csv.as_bytes(), Some("id"), Some(&schema), &hasher, &limits);
    let joined = Joined::single(upload.unwrap());
    let refused = plan.fit(joined, &mut testkit::noise(1), &mut |_| {
        ControlFlow::Continue(())
    });
    let sentence = refused.unwrap_err().to_string();
    assert_eq!(
        sentence,
        "one id may have 2 rows in the table, and the plan is for 1; make it for as many"
    );
}

fn table_of(rows: usize, schema: Option<&Schema>) -> Joined {
    let rows: String = (0..rows).map(|row| format!("x,{}\n", row % 10)).collect();
    Joined::from_csv(format!("a,b\n{rows}").as_bytes(), schema).unwrap()
}

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

#[test]
fn too_few_rows_are_not_fitted_and_what_the_tests_cost_stays_spent() {
    let schema = schema();
    let plan = plan(Method::Independent).minimum_rows(number(500));
    let plan = plan.check(schema.clone()).unwrap();
    let (mut ledger, mut rng) = (plan.ledger(), testkit::noise(5));
    let each = plan.row_test().unwrap().rho();
    let mut go_on = |_| ControlFlow::Continue(());
    for tests in 1..=2 {
        let few = table_of(1, Some(&schema));
        let refused = plan.fit_within(few, &mut ledger, &mut rng, &mut go_on);
        assert_eq!(refused.unwrap_err(), FitError::TooFewRows);
        assert_eq!(ledger.spent().get(), f64::from(tests) * each.get());
    }
    let enough = table_of(500, Some(&schema));
    let model = plan.fit_within(enough, &mut ledger, &mut rng, &mut go_on);
    let record = model.unwrap().ledger().clone();
    let labels: Vec<&str> = record.entries().iter().map(|it| it.label()).collect();
    let tests = [1, 2, 3].map(|test| format!("whether enough rows met, test {test} of 3"));
    assert_eq!(labels[..3], tests);
    assert_eq!(labels[3..], ["a", "b"]);
    assert_eq!(record.spent(), plan.ledger().total());
    assert_eq!(record.check(), Ok(()));
    // A ledger pays for three tests, whatever came of them.
    let enough = table_of(500, Some(&schema));
    let refused = plan.fit_within(enough, &mut ledger, &mut rng, &mut go_on);
    assert_eq!(refused.unwrap_err(), FitError::NoTestLeft);
}

#[test]
fn discovery_after_a_test_gets_its_share_of_what_is_left() {
    let plan = plan(Method::Grain)
        .minimum_rows(number(80))
        .discovery_share(0.9);
    let plan = plan.check(KnownColumns::none()).unwrap();
    let test = plan.row_test().unwrap().rho().get();
    let open = plan.open(table_of(500, None), &mut testkit::noise(3));
    let record = open.unwrap().spent();
    assert_eq!(record.entries()[0].rho().get(), test);
    let (total, spent) = (plan.ledger().total().get(), record.spent().get());
    assert!(test > 0.05 * total, "{test}");
    // But for what rounds weights.
    assert!(
        spent - test <= 0.9 * (total - test) + 1e-9,
        "{spent} of {total} with {test}"
    );
}

#[test]
fn a_number_of_rows_that_the_budget_cannot_test_is_refused_with_what_would_do() {
    let refusal = |rows: u32| {
        let plan = plan(Method::Grain).minimum_rows(number(rows));
        plan.check(schema()).unwrap_err()
    };
    let refused = refusal(20);
    let sentence = refused.to_string();
    let PlanError::MinimumRows { least, enough, .. } = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(
        sentence,
        format!(
            "a minimum_rows of 20 cannot be tested with an epsilon of 1: so that an empty join \
             hardly ever passes, 3 tests would take more than half of the budget; raise epsilon to \
             {least} at least, or minimum_rows to {}, or leave minimum_rows out",
            enough.unwrap()
        )
    );
    // What it says would do does.
    let more = plan(Method::Grain).minimum_rows(enough.unwrap());
    assert!(more.check(schema()).is_ok());
    let fewer = plan(Method::Grain).minimum_rows(number(enough.unwrap().get() - 1));
    assert!(fewer.check(schema()).is_err());
    let richer = FitPlan::new(Method::Grain, least, Delta::new(1e-9).unwrap());
    assert!(richer.minimum_rows(number(20)).check(schema()).is_ok());
}
