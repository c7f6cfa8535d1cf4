use std::num::NonZeroU32;

use privacy::{
    Accounting, CountTest, Counts, Delta, InvalidParameter, KeyCounts, Ledger, LedgerError,
    LedgerOptions, Mechanism, NoiseRng, Rho, Score,
};
use proptest::prelude::*;

use crate::{delta, epsilon, rho, with_threshold};

fn counts() -> Counts {
    Counts::from_exact(vec![5, 0, 17])
}

fn scores() -> Vec<Score> {
    [1.0, 2.0, 3.0]
        .map(|model| counts().l1_distance(&[model; 3]))
        .into()
}

/// One of the six ways to spend.
#[derive(Clone, Debug)]
enum Spend {
    Measure(f64),
    Scores(f64),
    Laplace(f64),
    Select(f64),
    Keys(f64, f64),
    /// A test of whether a count reaches the largest number: a smaller one could not be told from
    /// none for what some of the spends cost.
    Test(f64),
}

impl Spend {
    fn from(&self, ledger: &mut Ledger, rng: &mut NoiseRng) -> Result<(), LedgerError> {
        match *self {
            Self::Measure(cost) => ledger
                .measure("measure", &counts(), rho(cost), rng)
                .map(drop),
            Self::Scores(cost) => ledger
                .measure_scores("scores", &scores(), rho(cost), rng)
                .map(drop),
            Self::Laplace(cost) => ledger
                .measure_laplace("laplace", &counts(), epsilon(cost), rng)
                .map(drop),
            Self::Select(cost) => ledger.select("select", scores(), rho(cost), rng).map(drop),
            Self::Keys(cost, lost) => {
                let keys = KeyCounts::from_exact(vec![1, 1, 9]);
                ledger
                    .release_keys("keys", keys, rho(cost), delta(lost), rng)
                    .map(drop)
            }
            Self::Test(cost) => {
                let rows = ledger.rows_per_id();
                let test = CountTest::costing(rho(cost), NonZeroU32::MAX, rows);
                let count = Counts::from_exact(vec![17]);
                match test {
                    Some(test) => test.passes("test", &count, ledger, rng).map(drop),
                    None => Err(LedgerError::NoBudget {
                        label: "test".to_owned(),
                    }),
                }
            }
        }
    }
}

fn any_spend() -> impl Strategy<Value = Spend> {
    // Around the total of 0.0149 and the threshold's delta of 1e-10, and across the edges.
    let cost = || prop_oneof![Just(0.0), 1e-15..0.02_f64, 1e-6..1e-3_f64, Just(31.9)];
    prop_oneof![
        cost().prop_map(Spend::Measure),
        cost().prop_map(Spend::Scores),
        prop_oneof![1e-12..0.2_f64, Just(1e9)].prop_map(Spend::Laplace),
        cost().prop_map(Spend::Select),
        cost().prop_map(Spend::Test),
        (
            cost(),
            prop_oneof![1e-12..2e-10_f64, Just(0.5), Just(5e-324)]
        )
            .prop_map(|(cost, lost)| Spend::Keys(cost, lost)),
    ]
}

fn any_ledger(epsilon_value: f64, delta_value: f64) -> impl Strategy<Value = Ledger> {
    let accounting = prop_oneof![Just(Accounting::Zcdp), Just(Accounting::Gdp)];
    let rows = prop_oneof![Just(1_u32), Just(3), Just(1 << 16)];
    (accounting, rows).prop_map(move |(accounting, rows)| {
        Ledger::open(LedgerOptions {
            threshold_share: Some(0.1),
            rows_per_id: NonZeroU32::new(rows).unwrap(),
            ..LedgerOptions::new(epsilon(epsilon_value), delta(delta_value), accounting)
        })
        .unwrap()
    })
}

/// What the generator gives next, seen through a ledger of its own.
fn next_noise(rng: &mut NoiseRng) -> Vec<i64> {
    let mut other = Ledger::open(LedgerOptions::new(
        epsilon(1.0),
        delta(1e-9),
        Accounting::Zcdp,
    ))
    .unwrap();
    other
        .measure(
            "to look at the generator",
            &Counts::from_exact(vec![0; 8]),
            rho(1e-3),
            rng,
        )
        .unwrap()
        .values()
        .to_vec()
}

proptest! {
    #[test]
    fn no_sequence_of_spends_exceeds_the_budget(
        spends in prop::collection::vec(any_spend(), 1..25),
        mut ledger in any_ledger(1.0, 1e-9),
        seed in any::<u64>(),
    ) {
        let mut rng = NoiseRng::dangerous_from_seed(seed);
        for spend in spends {
            let before = ledger.record();
            let outcome = spend.from(&mut ledger, &mut rng);
            let after = ledger.record();
            prop_assert!(after.spent() <= after.total());
            let deltas = after.entries().iter().filter_map(privacy::Entry::delta);
            let lost: f64 = deltas.map(Delta::get).sum();
            prop_assert!(lost <= 1e-10 * (1.0 + 1e-15));
            prop_assert_eq!(after.check(), Ok(()));
            if outcome.is_ok() {
                prop_assert_eq!(after.entries().len(), before.entries().len() + 1);
                let entry = after.entries().last().unwrap();
                prop_assert_eq!(before.spent().checked_add(entry.rho()), Some(after.spent()));
            } else {
                prop_assert_eq!(after, before);
            }
        }
    }

    #[test]
    fn a_refused_spend_draws_nothing(
        spend in any_spend(),
        mut ledger in any_ledger(1e-3, 1e-15),
        seed in any::<u64>(),
    ) {
        let mut used = NoiseRng::dangerous_from_seed(seed);
        let mut untouched = NoiseRng::dangerous_from_seed(seed);
        let refused = spend.from(&mut ledger, &mut used).is_err();
        prop_assert_eq!(refused, next_noise(&mut used) == next_noise(&mut untouched));
    }
}

proptest! {
    /// Sensitivities are K times as large, so that for K^2 times the cost the same noise is drawn:
    /// to the last bit, from the same seed. (The cost is chosen such that nothing is rounded.)
    #[test]
    fn with_k_rows_per_id_the_same_noise_costs_k_squared_times_as_much(
        rows in 2_u32..=1000,
        units in 1_u64..1 << 30,
        steps in 1_u32..1 << 22,
        seed in any::<u64>(),
    ) {
        let open = |rows_per_id| {
            let rows_per_id = NonZeroU32::new(rows_per_id).unwrap();
            let options = LedgerOptions::new(epsilon(1e3), delta(0.5), Accounting::Zcdp);
            Ledger::open(LedgerOptions { rows_per_id, ..options }).unwrap()
        };
        let (mut one, mut many) = (open(1), open(rows));
        let square = f64::from(rows).powi(2);
        let cheap = rho(units as f64 * 2.0_f64.powi(-48));
        let dear = rho(cheap.get() * square);
        let noise = || NoiseRng::dangerous_from_seed(seed);

        let single = one.measure("counts", &counts(), cheap, &mut noise()).unwrap();
        let scaled = many.measure("counts", &counts(), dear, &mut noise()).unwrap();
        prop_assert_eq!(single.values(), scaled.values());
        prop_assert!((single.sigma() / scaled.sigma() - 1.0).abs() < 1e-12);
        prop_assert!((many.sigma(dear) / scaled.sigma() - 1.0).abs() < 1e-12);

        let single = one.measure_scores("scores", &scores(), cheap, &mut noise()).unwrap();
        let scaled = many.measure_scores("scores", &scores(), dear, &mut noise()).unwrap();
        prop_assert_eq!(single.values, scaled.values);
        prop_assert!((single.sigma / scaled.sigma - 1.0).abs() < 1e-12);

        let single = one.select("a candidate", scores(), cheap, &mut noise()).unwrap();
        prop_assert_eq!(single, many.select("a candidate", scores(), dear, &mut noise()).unwrap());

        let small = f64::from(steps) * 2.0_f64.powi(-32);
        let large = small * f64::from(rows);
        let single = one
            .measure_laplace("laplace", &counts(), epsilon(small), &mut noise())
            .unwrap();
        let scaled = many
            .measure_laplace("laplace", &counts(), epsilon(large), &mut noise())
            .unwrap();
        prop_assert_eq!(single.values(), scaled.values());
        prop_assert!((single.sigma() / scaled.sigma() - 1.0).abs() < 1e-12);
        // Its cost is rounded up to units, each for itself.
        prop_assert!(scaled.rho().get() <= single.rho().get() * square);
        prop_assert!(scaled.rho().get() > (single.rho().get() - 2.0_f64.powi(-48)) * square);
        prop_assert_eq!(many.record().check(), Ok(()));
    }
}

#[test]
fn gaussian_accounting_refuses_other_noise() {
    let mut ledger = Ledger::open(LedgerOptions::new(
        epsilon(1.0),
        delta(1e-9),
        Accounting::Gdp,
    ))
    .unwrap();
    let mut rng = NoiseRng::dangerous_from_seed(4);
    let refusal = |label: &str| LedgerError::NotGaussian {
        label: label.to_owned(),
    };
    let selected = ledger.select("an edge", scores(), rho(1e-3), &mut rng);
    assert_eq!(selected, Err(refusal("an edge")));
    let measured = ledger.measure_laplace("a count", &counts(), epsilon(1e-3), &mut rng);
    assert_eq!(measured, Err(refusal("a count")));
    assert_eq!(ledger.record().entries(), []);
}

#[test]
fn more_rows_per_id_than_there_is_room_for_are_refused() {
    let rows_per_id = NonZeroU32::new((1 << 16) + 1).unwrap();
    let refused = Ledger::open(LedgerOptions {
        rows_per_id,
        ..LedgerOptions::new(epsilon(1.0), delta(1e-9), Accounting::Zcdp)
    });
    assert_eq!(
        refused.err(),
        Some(InvalidParameter::RowsPerId(rows_per_id))
    );
}

#[test]
fn the_whole_budget_can_be_spent_to_the_last_unit_and_no_further() {
    let mut ledger = Ledger::open(LedgerOptions::new(
        epsilon(1.0),
        delta(1e-9),
        Accounting::Zcdp,
    ))
    .unwrap();
    let mut rng = NoiseRng::dangerous_from_seed(1);
    let (total, unit) = (ledger.total(), rho(2.0_f64.powi(-48)));
    for part in total.split(&[0.1, 0.2, 0.7]).unwrap() {
        ledger.measure("a part", &counts(), part, &mut rng).unwrap();
    }
    assert_eq!((ledger.spent(), ledger.remaining()), (total, Rho::ZERO));
    let refused = ledger.measure("one more", &counts(), unit, &mut rng);
    let expected = LedgerError::OverBudget {
        label: "one more".to_owned(),
        asked: unit.get(),
        remaining: Rho::ZERO,
    };
    assert_eq!(refused, Err(expected));
}

#[test]
fn shares_of_the_threshold_delta_can_all_be_spent() {
    let mut ledger = with_threshold(epsilon(1.0), delta(1e-9), 1.0 / 3.0).unwrap();
    let mut rng = NoiseRng::dangerous_from_seed(2);
    let kept = ledger.remaining_threshold_delta().unwrap();
    assert!(kept.get() <= 1e-9 / 3.0 && kept.get() > 0.99e-9 / 3.0);
    for _ in 0..7 {
        let keys = KeyCounts::from_exact(vec![50, 1]);
        ledger
            .release_keys(
                "one of 7 columns",
                keys,
                rho(1e-3),
                kept.share(1, 7).unwrap(),
                &mut rng,
            )
            .unwrap();
    }
    assert!(
        ledger
            .remaining_threshold_delta()
            .is_none_or(|left| left.get() < 1e-20)
    );
    let refused = ledger.release_keys(
        "one more",
        KeyCounts::from_exact(vec![50]),
        rho(1e-3),
        delta(1e-11),
        &mut rng,
    );
    assert!(
        matches!(refused, Err(LedgerError::OverThresholdDelta { .. })),
        "{refused:?}"
    );
}

#[test]
fn a_test_of_a_count_is_one_recorded_measurement_and_the_answers_are_as_its_noise_says() {
    let (least, rows) = (NonZeroU32::new(1000).unwrap(), NonZeroU32::new(2).unwrap());
    let options = LedgerOptions::new(epsilon(1.0), delta(1e-9), Accounting::Gdp);
    let mut ledger = Ledger::open(LedgerOptions {
        rows_per_id: rows,
        ..options
    })
    .unwrap();
    let mut rng = NoiseRng::dangerous_from_seed(5);
    let test = CountTest::taking(100, least, &ledger).unwrap();
    assert_eq!(test.rho(), ledger.total().share(1, 100));
    // Five standard deviations on either side of the threshold.
    for (count, expected) in [(0, false), (200, false), (1300, true), (1_000_000, true)] {
        let count = Counts::from_exact(vec![count]);
        let passed = test.passes("enough", &count, &mut ledger, &mut rng);
        assert_eq!(passed, Ok(expected));
    }
    let record = ledger.record();
    assert_eq!(record.check(), Ok(()));
    assert_eq!(record.spent().get(), 4.0 * test.rho().get());
    for entry in record.entries() {
        let expected = Mechanism::Gaussian {
            sigma: test.sigma(),
            cells: 1,
        };
        assert_eq!((entry.label(), entry.mechanism()), ("enough", &expected));
    }
}

#[test]
fn a_test_that_a_ledger_cannot_pay_for_is_none() {
    let options = LedgerOptions::new(epsilon(1.0), delta(1e-9), Accounting::Gdp);
    let ledger = Ledger::open(options).unwrap();
    let test = |least| CountTest::taking(100, NonZeroU32::new(least).unwrap(), &ledger);
    assert_eq!(test(1), None);
    assert!(test(60).is_some_and(|test| test.rho() > ledger.total().share(1, 100)));
    assert!(test(1000).is_some_and(|test| test.threshold() > 500));
}

#[test]
fn without_delta_kept_for_it_no_key_is_released() {
    let mut ledger = Ledger::open(LedgerOptions::new(
        epsilon(1.0),
        delta(1e-9),
        Accounting::Zcdp,
    ))
    .unwrap();
    let mut rng = NoiseRng::dangerous_from_seed(3);
    let keys = KeyCounts::from_exact(vec![1_000_000]);
    let refused = ledger.release_keys("keys", keys, rho(1e-3), delta(1e-12), &mut rng);
    assert!(
        matches!(refused, Err(LedgerError::OverThresholdDelta { .. })),
        "{refused:?}"
    );
    assert_eq!(ledger.record().entries(), []);
}

#[test]
fn a_share_of_delta_must_leave_some_for_both_sides() {
    for share in [0.0, 1.0, -0.5, f64::NAN] {
        assert!(
            with_threshold(epsilon(1.0), delta(1e-9), share).is_err(),
            "{share}"
        );
    }
    assert!(with_threshold(epsilon(1.0), delta(5e-324), 0.5).is_err());
}

#[test]
fn keeping_delta_for_thresholding_costs_rho() {
    let whole = Ledger::open(LedgerOptions::new(
        epsilon(1.0),
        delta(1e-9),
        Accounting::Zcdp,
    ))
    .unwrap()
    .total();
    let half = with_threshold(epsilon(1.0), delta(1e-9), 0.5)
        .unwrap()
        .total();
    assert!(half < whole);
    assert_eq!(half, Accounting::Zcdp.total(epsilon(1.0), delta(5e-10)));
}
