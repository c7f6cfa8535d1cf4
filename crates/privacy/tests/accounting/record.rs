use std::num::NonZeroU32;

use privacy::{
    Accounting, Counts, DomainSource, DomainSpend, FileDigest, KeyCounts, Ledger, LedgerOptions,
    LedgerRecord, Mechanism, Neighbours, NoiseRng, People, Prior, RecordError, Rho,
};
use serde_json::{Value, json};

use crate::{delta, epsilon, rho, with_threshold};

/// One spend of each kind.
fn record() -> LedgerRecord {
    let mut ledger = with_threshold(epsilon(3.0), delta(1e-9), 0.25).unwrap();
    let mut rng = NoiseRng::dangerous_from_seed(51);
    let counts = Counts::from_exact(vec![10, 20, 30]);
    let keys = KeyCounts::from_exact(vec![1, 100, 1000]);
    ledger
        .release_keys(
            "categories of `city`",
            keys,
            rho(0.01),
            delta(1e-10),
            &mut rng,
        )
        .unwrap();
    ledger
        .measure("marginal of `age`", &counts, rho(0.02), &mut rng)
        .unwrap();
    ledger
        .measure_laplace("total", &counts, epsilon(0.1), &mut rng)
        .unwrap();
    let scores = [10.0, 20.0]
        .map(|model| counts.l1_distance(&[model; 3]))
        .into();
    ledger
        .select("an edge", scores, rho(0.005), &mut rng)
        .unwrap();
    let scores = [10.0, 20.0, 0.0, 5.0].map(|model| counts.l1_distance(&[model; 3]));
    ledger
        .measure_scores("errors", &scores, rho(0.02), &mut rng)
        .unwrap();
    ledger.close()
}

#[test]
fn it_lists_every_spend_with_what_fixes_its_cost() {
    let record = record();
    let costs: Vec<f64> = record
        .entries()
        .iter()
        .map(|entry| entry.rho().get())
        .collect();
    for (cost, expected) in costs.iter().zip([0.01, 0.02, 0.005, 0.005, 0.02]) {
        assert!((cost - expected).abs() < 1e-9, "{cost}");
    }
    let mechanisms: Vec<&Mechanism> = record
        .entries()
        .iter()
        .map(|entry| entry.mechanism())
        .collect();
    let Mechanism::Threshold { sigma, threshold } = mechanisms[0] else {
        panic!("{mechanisms:?}")
    };
    assert!((sigma - 50.0_f64.sqrt()).abs() < 1e-6);
    // 1 + about 6.36 standard deviations, where the tail of a Gaussian is 1e-10.
    assert!((44..=47).contains(threshold), "{threshold}");
    assert_eq!(record.entries()[0].delta(), Some(delta(1e-10)));
    assert!(matches!(
        mechanisms[1],
        Mechanism::Gaussian { sigma, cells: 3 } if (sigma - 5.0).abs() < 1e-6
    ));
    assert!(matches!(
        mechanisms[2],
        Mechanism::DiscreteLaplace { epsilon, cells: 3 } if (epsilon - 0.1).abs() < 1e-6
    ));
    assert!(matches!(
        mechanisms[3],
        Mechanism::Exponential { epsilon, candidates: 2 } if (epsilon - 0.2).abs() < 1e-6
    ));
    assert!(matches!(
        mechanisms[4],
        Mechanism::GaussianScores { sigma, scores: 4 } if (sigma - 10.0).abs() < 1e-6
    ));
    assert_eq!(record.check(), Ok(()));
}

#[test]
fn changing_one_id_costs_twice_for_gaussian_noise_on_counts_and_four_times_for_the_rest() {
    let record = record();
    let [add_remove, replace_one] = record.guarantees() else {
        panic!("there are two guarantees")
    };
    assert_eq!(add_remove.neighbours(), Neighbours::AddRemove);
    assert_eq!(replace_one.neighbours(), Neighbours::ReplaceOne);
    let costs: Vec<f64> = record
        .entries()
        .iter()
        .map(|entry| entry.rho().get())
        .collect();
    assert_eq!(add_remove.rho(), record.spent().get());
    assert_eq!(
        replace_one.rho(),
        2.0 * (costs[0] + costs[1]) + 4.0 * (costs[2] + costs[3] + costs[4])
    );
    // 7.5e-10 for the conversion, and all that was kept for thresholds once or twice, though less
    // was spent: how much can depend on what earlier spends showed.
    assert!((add_remove.delta() - 1e-9).abs() < 1e-20);
    assert!((replace_one.delta() - 1.25e-9).abs() < 1e-20);
    let converted = Accounting::Zcdp
        .epsilon(record.spent(), delta(7.5e-10))
        .get();
    assert!((add_remove.epsilon() - converted).abs() < 1e-9);
    assert!(add_remove.epsilon() < 3.0 && replace_one.epsilon() > 1.4 * add_remove.epsilon());
    assert!(
        replace_one
            .sentence()
            .starts_with("Changing everything about one id multiplies")
    );
    assert!(
        replace_one.sentence().contains("1.25e-9"),
        "{}",
        replace_one.sentence()
    );
}

#[test]
fn a_domain_from_the_data_leaves_no_guarantee_whatever_is_noted_later() {
    let mut ledger = Ledger::open(LedgerOptions::new(
        epsilon(1.0),
        delta(1e-9),
        Accounting::Zcdp,
    ))
    .unwrap();
    for (noted, kept, guarantees) in [
        (DomainSource::Declared, DomainSource::Declared, 2),
        (DomainSource::Discovered, DomainSource::Discovered, 2),
        (DomainSource::Declared, DomainSource::Discovered, 2),
        (DomainSource::FromData, DomainSource::FromData, 0),
        (DomainSource::Declared, DomainSource::FromData, 0),
    ] {
        ledger.note_domain(noted);
        let record = ledger.record();
        assert_eq!(
            (record.domain(), record.guarantees().len()),
            (kept, guarantees)
        );
        assert_eq!(record.check(), Ok(()));
    }
    // Neither guarantees put back nor the source denied.
    let with = serde_json::to_value(
        Ledger::open(LedgerOptions::new(
            epsilon(1.0),
            delta(1e-9),
            Accounting::Zcdp,
        ))
        .unwrap()
        .record(),
    )
    .unwrap();
    for (field, value) in [
        ("guarantees", &with["guarantees"]),
        ("domain", &json!("declared")),
    ] {
        let mut changed = serde_json::to_value(ledger.record()).unwrap();
        changed[field] = value.clone();
        assert_eq!(
            refusal(&changed),
            Some(RecordError::Guarantee.to_string()),
            "{field}"
        );
    }
}

/// Of a fit that spends all of its epsilon, and starts from this.
fn started_from(prior: Prior, promised: f64, rows_per_id: u32) -> LedgerRecord {
    let mut ledger = Ledger::open(LedgerOptions {
        rows_per_id: NonZeroU32::new(rows_per_id).unwrap(),
        ..LedgerOptions::new(epsilon(promised), delta(1e-9), Accounting::Zcdp)
    })
    .unwrap();
    ledger.note_prior(prior);
    let mut rng = NoiseRng::dangerous_from_seed(54);
    let (counts, total) = (Counts::from_exact(vec![1]), ledger.total());
    ledger.measure("all", &counts, total, &mut rng).unwrap();
    ledger.close()
}

fn model_of(people: People, ledger: LedgerRecord) -> Prior {
    Prior::Model {
        sha384: FileDigest::from_bytes([7; 48]),
        people,
        ledger: Box::new(ledger),
    }
}

#[test]
fn a_model_of_perhaps_the_same_people_counts_with_all_that_it_started_from() {
    let first = started_from(Prior::None, 20.0, 2);
    let second = started_from(model_of(People::PerhapsTheSame, first), 1.0, 1);
    let third = started_from(model_of(People::PerhapsTheSame, second.clone()), 0.01, 3);
    let guarantee = &third.guarantees()[0];
    assert!((guarantee.epsilon() - 21.01).abs() < 1e-6, "{guarantee:?}");
    assert!((guarantee.delta() - 3e-9).abs() < 1e-20);
    assert!((third.own_guarantees()[0].epsilon() - 0.01).abs() < 1e-9);
    assert!(third.guarantees()[1].epsilon() > second.guarantees()[1].epsilon());
    assert_eq!((third.check(), third.prior().depth()), (Ok(()), 2));
}

#[test]
fn a_guarantee_says_for_how_many_rows_of_an_id_it_holds_unless_one_fit_was_made_for_one() {
    let check = |rows_of_each: &[u32], expected: &str| {
        let mut prior = Prior::None;
        for rows in rows_of_each {
            let record = started_from(prior, 1.0, *rows);
            assert_eq!(record.check(), Ok(()));
            prior = model_of(People::PerhapsTheSame, record);
        }
        let record = prior.counted().unwrap();
        for guarantee in record.guarantees() {
            let sentence = guarantee.sentence();
            let expected = format!("everything about one id{expected} multiplies");
            assert!(sentence.contains(&expected), "{rows_of_each:?}: {sentence}");
        }
    };
    check(&[1], "");
    check(&[1, 1], ", up to 1 row,");
    check(&[4], ", up to 4 rows,");
    check(&[4, 4], ", up to 4 rows,");
    check(&[2, 5], ", up to 2 rows,");
    check(&[5, 2], ", up to 2 rows,");
    check(&[1, 3], ", up to 1 row,");
    check(&[3, 1], ", up to 1 row,");
    check(&[3, 1, 1], ", up to 1 row,");
    check(&[2, 1, 3], ", up to 1 row,");
}

#[test]
fn what_was_spent_on_the_domain_before_adds_up_and_cannot_be_talked_away() {
    let spend = |promised, rows| DomainSpend {
        epsilon: epsilon(promised),
        delta: delta(1e-6),
        rows_per_id: NonZeroU32::new(rows).unwrap(),
    };
    let mut ledger = Ledger::open(LedgerOptions {
        rows_per_id: NonZeroU32::new(4).unwrap(),
        ..LedgerOptions::new(epsilon(1.0), delta(1e-9), Accounting::Gdp)
    })
    .unwrap();
    let spends = [spend(2.0, 3), spend(0.5, 5)];
    ledger.note_domain_spends(&spends);
    let mut rng = NoiseRng::dangerous_from_seed(55);
    let (counts, total) = (Counts::from_exact(vec![1]), ledger.total());
    ledger.measure("all", &counts, total, &mut rng).unwrap();
    let record = ledger.close();
    let [add_remove, replace_one] = record.guarantees() else {
        panic!("{record:?}")
    };
    let [_, own] = record.own_guarantees() else {
        panic!("{record:?}")
    };
    assert!((add_remove.epsilon() - 3.5).abs() < 1e-6, "{add_remove:?}");
    assert!((add_remove.delta() - 2.001e-6).abs() < 1e-15);
    assert!(
        add_remove.sentence().contains("up to 3 rows"),
        "{add_remove:?}"
    );
    // Two steps: out with one id, and in with another.
    assert!((replace_one.epsilon() - own.epsilon() - 5.0).abs() < 1e-9);
    let twice = 1e-6 * (2.0 + 2_f64.exp() + 0.5_f64.exp());
    let by_spends = replace_one.delta() - own.delta();
    assert!((by_spends / twice - 1.0).abs() < 1e-6, "{by_spends:e}");
    assert_eq!(record.check(), Ok(()));

    let mut silent = serde_json::to_value(&record).unwrap();
    silent.as_object_mut().unwrap().remove("domain_spends");
    assert_eq!(refusal(&silent), Some(RecordError::Guarantee.to_string()));
}

#[test]
fn public_data_of_other_people_adds_nothing_and_is_named() {
    let table = Prior::Table {
        sha384: FileDigest::from_bytes([1; 48]),
    };
    let model = model_of(People::Other, started_from(Prior::None, 1000.0, 1));
    for prior in [table, model] {
        let record = started_from(prior.clone(), 1.0, 1);
        assert!(record.guarantees()[0].epsilon() <= 1.0);
        assert_eq!(record.own_guarantees(), record.guarantees());
        assert_eq!((record.prior(), record.check()), (&prior, Ok(())));
    }
}

#[test]
fn what_counts_besides_cannot_be_talked_away() {
    let earlier = started_from(Prior::None, 1000.0, 1);
    let record = started_from(model_of(People::PerhapsTheSame, earlier), 0.01, 1);
    let value = serde_json::to_value(&record).unwrap();
    assert_eq!(value["prior"]["model"]["sha384"], "07".repeat(48));
    let changed = |change: fn(&mut serde_json::Value)| {
        let mut value = value.clone();
        change(&mut value);
        refusal(&value)
    };
    let wrong = Some(RecordError::Guarantee.to_string());
    assert_eq!(changed(|_| ()), None);
    assert_eq!(changed(|it| it["prior"] = json!("none")), wrong);
    assert_eq!(
        changed(|it| drop(it.as_object_mut().unwrap().remove("prior"))),
        wrong
    );
    assert_eq!(
        changed(|it| it["prior"]["model"]["people"] = json!("other")),
        wrong
    );
    assert_eq!(
        changed(|it| it["guarantees"] = it["own_guarantees"].clone()),
        wrong
    );
    let earlier = changed(|it| it["prior"]["model"]["ledger"]["epsilon"] = json!(1));
    assert!(
        earlier
            .unwrap()
            .starts_with("in the ledger of the model that")
    );
}

#[test]
fn a_record_that_does_not_say_what_it_started_from_is_read_and_written_as_it_was() {
    let mut value = serde_json::to_value(started_from(Prior::None, 1.0, 1)).unwrap();
    assert_eq!(value["prior"], "none");
    value.as_object_mut().unwrap().remove("prior");
    let record: LedgerRecord = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(
        (record.prior(), record.check()),
        (&Prior::NotRecorded, Ok(()))
    );
    assert_eq!(serde_json::to_value(record).unwrap(), value);
    value["prior"] = json!("not_recorded");
    assert!(serde_json::from_value::<LedgerRecord>(value).is_err());
}

#[test]
fn a_ledger_spent_in_full_guarantees_what_it_promised() {
    let mut ledger = Ledger::open(LedgerOptions::new(
        epsilon(1.0),
        delta(1e-9),
        Accounting::Zcdp,
    ))
    .unwrap();
    let mut rng = NoiseRng::dangerous_from_seed(52);
    let total = ledger.total();
    ledger
        .measure("all", &Counts::from_exact(vec![1]), total, &mut rng)
        .unwrap();
    let record = ledger.close();
    let promised = &record.guarantees()[0];
    assert!(
        promised.epsilon() <= 1.0 && promised.epsilon() > 1.0 - 1e-9,
        "{}",
        promised.epsilon()
    );
    assert_eq!(promised.delta(), 1e-9);
    assert_eq!(
        promised.sentence(),
        "Adding or removing everything about one id multiplies the probability of any outcome by \
         at most e^1, give or take 1e-9 (epsilon 1, delta 1e-9)."
    );
}

/// Gaussian noise alone, for so many rows per id.
fn gaussian_record(accounting: Accounting, rows_per_id: u32) -> LedgerRecord {
    let mut ledger = Ledger::open(LedgerOptions {
        threshold_share: Some(0.25),
        rows_per_id: NonZeroU32::new(rows_per_id).unwrap(),
        ..LedgerOptions::new(epsilon(3.0), delta(1e-9), accounting)
    })
    .unwrap();
    let mut rng = NoiseRng::dangerous_from_seed(53);
    let counts = Counts::from_exact(vec![10, 20, 30]);
    let keys = KeyCounts::from_exact(vec![1, 100, 1000]);
    let third = ledger.total().share(1, 3);
    ledger
        .release_keys("keys", keys, third, delta(1e-10), &mut rng)
        .unwrap();
    let scores = [counts.l1_distance(&[0.0; 3])];
    ledger
        .measure_scores("error", &scores, third, &mut rng)
        .unwrap();
    let rest = ledger.remaining();
    ledger.measure("marginal", &counts, rest, &mut rng).unwrap();
    ledger.close()
}

#[test]
fn gaussian_accounting_has_its_own_guarantees() {
    let [gdp, zcdp] = [Accounting::Gdp, Accounting::Zcdp].map(|it| gaussian_record(it, 1));
    assert_eq!((gdp.check(), zcdp.check()), (Ok(()), Ok(())));
    assert!(gdp.total().get() > 1.09 * zcdp.total().get());
    for record in [&gdp, &zcdp] {
        assert_eq!(record.remaining(), Rho::ZERO);
        let [add_remove, replace_one] = record.guarantees() else {
            panic!("there are two guarantees")
        };
        let promised = add_remove.epsilon();
        assert!((2.999_99..=3.0).contains(&promised), "{promised}");
        // Two thirds cost twice, and the scores four times: rho grows by 8/3, and epsilon by less.
        assert!((replace_one.rho() / add_remove.rho() - 8.0 / 3.0).abs() < 1e-9);
        assert!((1.6..8.0 / 3.0).contains(&(replace_one.epsilon() / promised)));
    }
    let converted = Accounting::Gdp.epsilon(gdp.spent(), delta(7.5e-10)).get();
    assert!((gdp.guarantees()[0].epsilon() - converted).abs() < 1e-9);
}

#[test]
fn a_record_of_another_accounting_is_refused() {
    for (is, claims) in [(Accounting::Gdp, "zcdp"), (Accounting::Zcdp, "gdp")] {
        let mut changed = serde_json::to_value(gaussian_record(is, 1)).unwrap();
        changed["accounting"] = json!(claims);
        assert!(refusal(&changed).is_some(), "{is} as {claims}");
        changed.as_object_mut().unwrap().remove("accounting");
        assert!(refusal(&changed).unwrap().contains("missing field"));
    }
    // One with other noise than Gaussian, whatever else it says.
    let mut changed = serde_json::to_value(record()).unwrap();
    changed["accounting"] = json!("gdp");
    let expected =
        "entry 3 of the ledger, `total`, states a cost that is not that of its mechanism";
    assert_eq!(refusal(&changed).unwrap(), expected);
}

#[test]
fn rows_per_id_are_stated_and_checked() {
    let record = gaussian_record(Accounting::Gdp, 12);
    assert_eq!(record.check(), Ok(()));
    assert_eq!(record.rows_per_id().get(), 12);
    let text = record.guarantees()[1].sentence();
    assert!(
        text.starts_with("Changing everything about one id, up to 12 rows, multiplies"),
        "{text}"
    );
    for rows in [0, 1, 11, 13, 65_537] {
        let mut changed = serde_json::to_value(&record).unwrap();
        changed["rows_per_id"] = json!(rows);
        assert!(refusal(&changed).is_some(), "{rows}");
    }
}

#[test]
fn an_unused_ledger_reveals_nothing() {
    let record = Ledger::open(LedgerOptions::new(
        epsilon(1.0),
        delta(1e-9),
        Accounting::Zcdp,
    ))
    .unwrap()
    .record();
    assert_eq!(record.check(), Ok(()));
    assert_eq!(record.guarantees()[0].epsilon(), 0.0);
    assert_eq!(record.remaining(), record.total());
}

#[test]
fn it_survives_the_wire() {
    let text = serde_json::to_string(&record()).unwrap();
    assert_eq!(
        serde_json::from_str::<LedgerRecord>(&text).unwrap(),
        record()
    );
}

/// Every number and text of a JSON value, as a path.
fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields
            .iter()
            .for_each(|(name, value)| leaves(value, &format!("{path}/{name}"), found)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(i, value)| leaves(value, &format!("{path}/{i}"), found)),
        _ => found.push(path.to_owned()),
    }
}

/// What a changed record is refused with: by the reader, or by the check.
fn refusal(changed: &Value) -> Option<String> {
    match serde_json::from_value::<LedgerRecord>(changed.clone()) {
        Err(unreadable) => Some(unreadable.to_string()),
        Ok(record) => record.check().err().map(|error| error.to_string()),
    }
}

#[test]
fn whatever_number_is_changed_is_noticed() {
    let original = serde_json::to_value(record()).unwrap();
    let mut paths = Vec::new();
    leaves(&original, "", &mut paths);
    assert!(paths.len() == 41, "{paths:?}");
    for path in paths {
        // These say what was done and to how much, and fix no cost.
        let free = ["/label", "/cells", "/candidates"]
            .iter()
            .any(|end| path.ends_with(end));
        for factor in [0.5, 1.0 - 1e-5, 1.0 + 1e-5, 2.0] {
            let mut changed = original.clone();
            let leaf = changed.pointer_mut(&path).unwrap();
            *leaf = match (&*leaf, leaf.as_i64(), leaf.as_f64()) {
                (_, Some(whole), _) if factor > 1.0 => json!(whole + 1),
                (_, Some(whole), _) => json!(whole - 1),
                (_, _, Some(number)) => json!(number * factor),
                (Value::String(text), ..) => json!(format!("{text}!")),
                (other, ..) => panic!("{path}: {other}"),
            };
            // More epsilon than needed is a weaker claim, and a true one.
            let weaker = path == "/epsilon" && factor > 1.0;
            // A higher threshold hides more for the same cost.
            let weaker = weaker || path.ends_with("/threshold") && factor > 1.0;
            // Within what was kept for thresholds it changes no guarantee: all that was kept
            // counts. Far too little for its threshold is noticed.
            if path.ends_with("/delta") && path.starts_with("/entries") && factor != 0.5 {
                continue;
            }
            if !free && !weaker {
                assert!(
                    refusal(&changed).is_some(),
                    "{path} times {factor} is accepted"
                );
            } else {
                assert_eq!(refusal(&changed), None, "{path} times {factor}");
            }
        }
    }
}

#[test]
fn a_spend_that_is_left_out_or_added_is_noticed() {
    let original = serde_json::to_value(record()).unwrap();
    for i in 0..5 {
        let mut changed = original.clone();
        changed["entries"].as_array_mut().unwrap().remove(i);
        assert!(refusal(&changed).is_some(), "without entry {i}");
        let mut changed = original.clone();
        let twice = changed["entries"][i].clone();
        changed["entries"].as_array_mut().unwrap().push(twice);
        assert!(refusal(&changed).is_some(), "entry {i} twice");
    }
    let mut changed = original.clone();
    changed["guarantees"].as_array_mut().unwrap().pop();
    assert_eq!(refusal(&changed), Some(RecordError::Guarantee.to_string()));
    let mut changed = original;
    changed["note"] = json!("unknown");
    assert!(refusal(&changed).unwrap().contains("unknown field"));
}

#[test]
fn more_rho_than_epsilon_and_delta_allow_is_noticed() {
    let record = Ledger::open(LedgerOptions::new(
        epsilon(1.0),
        delta(1e-9),
        Accounting::Zcdp,
    ))
    .unwrap()
    .record();
    let mut changed = serde_json::to_value(&record).unwrap();
    let more = json!(rho(record.total().get() * (1.0 + 1e-9)).get());
    changed["total"] = more.clone();
    changed["remaining"] = more;
    let refused = serde_json::from_value::<LedgerRecord>(changed)
        .unwrap()
        .check();
    assert!(
        matches!(refused, Err(RecordError::Total { .. })),
        "{refused:?}"
    );
}

#[test]
fn a_hostile_record_is_refused_and_does_not_overflow() {
    let mut changed = serde_json::to_value(record()).unwrap();
    let entry = json!({
        "label": "x", "rho": 31.0,
        "mechanism": {"threshold": {"sigma": (1.0_f64 / 62.0).sqrt(), "threshold": i64::MAX}},
        "delta": 0.999
    });
    changed["entries"] = Value::Array(vec![entry; 300]);
    assert!(refusal(&changed).is_some());
    changed["entries"][0]["mechanism"]["threshold"]["threshold"] = json!(i64::MIN);
    assert!(refusal(&changed).is_some());
    for i in 0..300 {
        changed["entries"][i]["mechanism"]["threshold"]["threshold"] = json!(1000);
    }
    assert_eq!(refusal(&changed), Some(RecordError::Overspent.to_string()));
}
