//! Conditions on rows, as they come in with a request for samples.
//!
//! What is accepted means the same when it is read again, and every row that is drawn under it
//! satisfies it.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use synthesis::Model;
use schema::Condition;

static MODEL: LazyLock<Model> = LazyLock::new(|| {
    Model::load_body(include_bytes!("../seeds/models/grain")).expect("a seed is accepted")
});

fuzz_target!(|text: &str| {
    let parsed = Condition::parse(text, MODEL.schema());
    synclave_fuzz::accepted(parsed.is_ok());
    let Ok(condition) = parsed else { return };
    let again = Condition::parse(condition.text(), MODEL.schema()).expect("it was read before");
    for column in condition.columns() {
        let weights = condition.weights(column).expect("it is about this column");
        assert!(weights.iter().all(|weight| (0.0..=1.0).contains(weight)));
        assert!(weights.iter().any(|weight| *weight > 0.0));
        assert_eq!(again.weights(column), Some(weights));
    }
    let Ok(given) = MODEL.given(&condition) else { return };
    assert!(given.probability() > 0.0 && given.probability() <= 1.0 + 1e-9);
    let mut samples = given.sample(5, Some(1));
    while let Some(rows) = samples.next_chunk() {
        for column in condition.columns() {
            let weights = condition.weights(column).expect("it is about this column");
            assert!(rows[column].iter().all(|code| weights[*code as usize] > 0.0));
        }
    }
});
